"""Measure what the endpoint costs a request, with a graph that costs nothing.

    python tests/benchmarks/online.py [--requests 400] > tests/benchmarks/results/online.json

Sends a tiny film of one clip to the endpoint, served as users do, with 1 and with 32 clients. What
is measured is the upload, the probe, the way through Serve and back, and the rows as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np

from muybridge.run.online import unused_port

TOY = Path(__file__).parent.parent / "run" / "serve_toy.py"


def film(path: Path) -> bytes:
    """Make a film of 2 s at 5 frames a second, 32 by 32 pixels."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(10):
            picture = np.full((32, 32, 3), 20 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def measure(url: str, video: bytes, clients: int, requests: int) -> dict[str, Any]:
    """Let so many clients send so many requests in all, each one after the other."""
    seconds, failed = list[float](), list[int]()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            for _ in range(requests // clients):
                start = time.perf_counter()
                files = {"file": ("walk.mkv", video)}
                answer = client.post("/v1/analyze", files=files, params={"tables": "people"})
                seconds.append(time.perf_counter() - start)
                if answer.status_code != 200 or len(answer.json()["tables"]["people"]) != 10:
                    failed.append(answer.status_code)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = time.perf_counter() - start
    return {
        "clients": clients,
        "requests": len(seconds),
        "failed": len(failed),
        "requests_per_s": round(len(seconds) / whole, 1),
        "p50_ms": round(1000 * statistics.median(seconds), 1),
        "p95_ms": round(1000 * statistics.quantiles(seconds, n=20)[-1], 1),
    }


def main() -> None:
    """Start the endpoint, warm it up, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=400)
    requests = parser.parse_args().requests
    pool = {"stages": ["count", "joints"], "cpus": 0.2, "smallest": 1, "largest": 1}
    given = {"pools": [pool], "limits": {"max_requests": 64}}
    with tempfile.TemporaryDirectory() as folder:
        video = film(Path(folder) / "walk.mkv")
        command = [sys.executable, str(TOY), str(unused_port()), json.dumps(given)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            measure(url, video, 4, 40)
            runs = [measure(url, video, clients, requests) for clients in (1, 32)]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    print(json.dumps({"cpus": os.cpu_count(), "python": platform.python_version(), "runs": runs}))


if __name__ == "__main__":
    main()
