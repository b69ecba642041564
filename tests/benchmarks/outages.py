"""Index over a store that fails at random moments in random ways, and compare with a calm run.

    setsid python -m tests.benchmarks.outages VIDEO... [--runs 12] [--seed 1]

Videos and output lie in moto's S3, behind a proxy that answers 503, 500, 429 or 403, is slow, cuts
answers in the middle, stops listening, or refuses an access key until another one stands in the
file of credentials: up to four outages a run, of 1 to 30 s each, while decoding processes of this
session are killed now and then. A run that ends with transient errors is followed by another.
Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer
from tests.run.faulty_s3 import BUCKET, MODES, Outage, failing, index, parts
from tests.run.test_chaos import kill, session

from muybridge.store.objects import at

MAX_RUNS = 4  # of the same command, until nothing transient is left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    for video in options.videos:
        client.upload_file(str(video), BUCKET, f"in/{video.name}")
    calm, requests = one(port, "calm", [], None)
    truth = parts(at(f"s3://{BUCKET}/calm", f"http://127.0.0.1:{port}"))
    disturbed = []
    for number in range(options.runs):
        chance = random.Random(f"{options.seed} {number}")
        outages = [
            Outage(chance.choice(MODES), chance.randint(2, requests), chance.uniform(1, 30))
            for _ in range(chance.randint(1, 4))
        ]
        out = f"disturbed{number}"
        found, _ = one(port, out, outages, chance)
        made = parts(at(f"s3://{BUCKET}/{out}", f"http://127.0.0.1:{port}"))
        disturbed.append({**found, "equal": made == truth})
        print(json.dumps(disturbed[-1]), flush=True)
    report = {
        "command": "setsid python -m tests.benchmarks.outages VIDEO... "
        f"--runs {options.runs} --seed {options.seed}",
        "videos": [video.name for video in options.videos],
        "parts": len(truth),
        "calm": calm,
        "runs": options.runs,
        "equal": sum(each["equal"] for each in disturbed),
        "in_the_first_run": sum(each["equal"] and each["commands"] == 1 for each in disturbed),
        "disturbed": disturbed,
    }
    print(json.dumps(report, indent=1))
    os._exit(0)  # moto's threads


def one(
    port: int, out: str, outages: list[Outage], chance: random.Random | None
) -> tuple[dict[str, Any], int]:
    """Index until nothing transient is left, and tell how it went."""
    began, killed, over = time.monotonic(), [0], threading.Event()
    folder = Path(tempfile.mkdtemp(prefix="muybridge-outages-"))
    if chance:
        threading.Thread(target=kill_decoders, args=(killed, over, chance)).start()
    codes = []
    with failing(port, folder, outages) as s3:
        for _ in range(MAX_RUNS):
            done = index(s3, f"s3://{BUCKET}/in/", "--out", f"s3://{BUCKET}/{out}")
            codes.append(done.returncode)
            if done.returncode == 0 and "transient" not in done.stdout:
                break
        met = [f"{each.mode} {each.seconds:.0f} s" for each in s3.met]
    over.set()
    seconds = round(time.monotonic() - began, 1)
    told = {"outages": met, "killed": killed[0], "commands": len(codes), "codes": codes}
    return {**told, "seconds": seconds}, s3.requests


def kill_decoders(killed: list[int], over: threading.Event, chance: random.Random) -> None:
    """Kill a decoding process every ten seconds or so."""
    while not over.wait(chance.uniform(5, 15)):
        children = [p for p, line in session(os.getsid(0)).items() if "video.child" in line]
        if children:
            killed[0] += kill(chance.choice(children))


if __name__ == "__main__":
    main()
