"""Compare `muybridge index` with its floor and with Ray's published pattern, in CPU seconds.

    python tests/benchmarks/index.py VIDEO [--seconds 300] > tests/benchmarks/results/index.json

Three programs look at the same frames of one real video (repeated to the length asked for) with the
same models: `bare`, a loop in one process; `index`, the product; `ray`, the pattern of Ray's own
documentation (read_videos, map, map_batches). Each runs on a short and on a long video, and the
difference is what counts, so that starting up does not: CPU seconds of all processes together.
Also told: what went through the object store against what was decoded, and each worker's peak
memory on the short and on the long video. Needs ffmpeg.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def bare(video: str, out: str, workers: int) -> dict[str, Any]:
    """Decode and look, in one process, in one loop: the speed of light."""
    from muybridge.models.blazepose import checkpoint
    from muybridge.stages.watch import Options, Watcher
    from muybridge.video.clips import clips
    from muybridge.video.decode import Reader
    from muybridge.video.probe import probe

    index = probe(video)
    watcher = Watcher(checkpoint.load(), Options())
    with Reader() as reader:
        for clip in clips(index, video, video):
            start, stop = np.searchsorted(clip["frame_index"], clip["core"])
            frames = reader.read({**clip, "source": video}, int(start), int(stop))
            look(watcher, ((float(clip["times"][row]), picture) for row, picture in frames))
    return {"frames": len(index.pts)}


def look(watcher: Any, frames: Iterable[tuple[float, Any]]) -> None:
    """Let a watcher see frames, half a second at a time as the product does."""
    times, pictures = list[float](), list[Any]()
    for time_s, picture in frames:
        if times and time_s - times[0] > 0.499:
            watcher.watch(times, np.stack(pictures))
            times, pictures = [], []
        times.append(time_s)
        pictures.append(picture.copy())
    if times:
        watcher.watch(times, np.stack(pictures))


def product(video: str, out: str, workers: int) -> dict[str, Any]:
    """Run the product, and ask Ray Data what passed through the object store."""
    import ray.data

    from muybridge import graphs
    from muybridge.run import index as corpus
    from muybridge.run import offline
    from muybridge.run.pools import Pool

    compiled = []
    make = offline.compile

    def keep(*arguments: Any, **options: Any) -> ray.data.Dataset:
        compiled.append(make(*arguments, **options))
        return compiled[-1]

    offline.compile = keep  # type: ignore[assignment]
    pool = Pool(("decode", "people"), smallest=workers, largest=workers)
    summary = corpus.index([video], out, graphs.see_people(), pools=(pool,))
    (dataset,) = compiled
    stored = written(dataset._get_stats_summary())
    return {
        "frames": summary.frames,
        "efficiency": round(summary.efficiency, 3),
        "seconds": {name: round(value, 2) for name, value in summary.spent.items()},
        "decoded_bytes": summary.decoded_bytes,
        "store_bytes": stored,
    }


def written(stats: Any) -> int:
    """Add up the bytes that a dataset's operators put into the object store."""
    own = sum(op.output_size_bytes.sum for op in stats.operators_stats if op.output_size_bytes)
    return int(own) + sum(map(written, stats.parents))


def pattern(video: str, out: str, workers: int) -> dict[str, Any]:
    """Do what Ray's documentation shows: frames as rows, a model over batches of them."""
    import ray

    class Look:
        def __init__(self) -> None:
            from muybridge.models.blazepose import checkpoint

            self.model = checkpoint.load()

        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            from muybridge.stages.watch import Options, Watcher

            times = batch["frame_index"] / 10.0
            look(Watcher(self.model, Options()), zip(times.tolist(), batch["frame"], strict=True))
            return {"seen": np.ones(len(times))}

    ray.init(num_cpus=(os.cpu_count() or 2) + 1, include_dashboard=False, log_to_driver=False)
    frames = ray.data.read_videos([video])
    frames = frames.map(lambda row: {"frame": row["frame"], "frame_index": row["frame_index"]})
    seen = frames.map_batches(Look, batch_size=64, compute=ray.data.ActorPoolStrategy(size=workers))
    return {"frames": int(seen.sum("seen"))}


MODES = {"bare": bare, "index": product, "ray": pattern}


class Watch(threading.Thread):
    """Follow all processes of a session: their CPU seconds and their peak memory."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.over = pid, threading.Event()
        self.cpu: dict[int, float] = {}
        self.peak: dict[str, int] = {}

    def run(self) -> None:
        while not self.over.wait(0.2):
            self.look()

    def look(self) -> None:
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                if os.getsid(int(folder.name)) != self.pid:
                    continue
                fields = (folder / "stat").read_text().rpartition(") ")[2].split()
                name = (folder / "cmdline").read_text().replace("\0", " ")
            except (ProcessLookupError, FileNotFoundError):
                continue
            self.cpu[int(folder.name)] = (int(fields[11]) + int(fields[12])) / TICK
            kind = "worker" if "MapWorker" in name else "decoder" if "video.child" in name else ""
            if kind:
                resident = int(fields[21]) * PAGE
                self.peak[kind] = max(self.peak.get(kind, 0), resident)


def measured(mode: str, video: Path, workers: int) -> dict[str, Any]:
    """Run one program on one video in a session of its own."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, __file__, str(video), "--mode", mode, "--out", out]
        command += ["--workers", str(workers)]
        began = time.perf_counter()
        run = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        watch = Watch(run.pid)
        watch.start()
        said, _ = run.communicate()
        watch.over.set()
        watch.join()
    told = json.loads(said.strip().splitlines()[-1]) if run.returncode == 0 else {"failed": said}
    return {
        **told,
        "cpu_s": round(sum(watch.cpu.values()), 2),
        "wall_s": round(time.perf_counter() - began, 2),
        "peak_mib": {kind: value >> 20 for kind, value in watch.peak.items()},
    }


def repeated(video: Path, seconds: float, folder: Path) -> Path:
    """Repeat a video to a length, without encoding it again."""
    made = folder / f"{seconds:g}s{video.suffix}"
    command = ["ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", str(video), "-t", str(seconds)]
    subprocess.run([*command, "-an", "-c", "copy", str(made)], check=True)
    return made


def compare(video: Path, seconds: float, modes: list[str], workers: int) -> dict[str, Any]:
    """Measure the programs on a tenth of the length and on all of it."""
    found: dict[str, Any] = {"video": video.name, "seconds": seconds, "workers": workers}
    with tempfile.TemporaryDirectory() as folder:
        short, long = (repeated(video, s, Path(folder)) for s in (seconds / 10, seconds))
        for mode in modes:
            found[mode] = {
                "short": measured(mode, short, workers),
                "long": measured(mode, long, workers),
            }
            found[mode]["more"] = {
                name: round(found[mode]["long"][name] - found[mode]["short"][name], 2)
                for name in ("frames", "cpu_s", "wall_s")
                if name in found[mode]["long"]
            }
    floor = found.get("bare", {}).get("more", {}).get("cpu_s")
    if floor and "index" in found:
        found["index_of_speed_of_light"] = round(floor / found["index"]["more"]["cpu_s"], 3)
    if "ray" in found and "index" in found:
        ratio = found["ray"]["more"]["cpu_s"] / found["index"]["more"]["cpu_s"]
        found["times_as_fast_as_rays_pattern"] = round(ratio, 2)
    if "index" in found and "store_bytes" in found["index"]["long"]:
        whole = found["index"]["long"]
        found["store_share_of_decoded"] = round(whole["store_bytes"] / whole["decoded_bytes"], 6)
    return found


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("video", type=Path)
    reader.add_argument("--seconds", type=float, default=300)
    reader.add_argument("--modes", default="bare,index,ray")
    reader.add_argument("--workers", type=int, default=1)
    reader.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    reader.add_argument("--out", help=argparse.SUPPRESS)
    asked = reader.parse_args()
    if asked.mode:
        print(json.dumps(MODES[asked.mode](str(asked.video), asked.out, asked.workers)))
    else:
        print(
            json.dumps(
                compare(asked.video, asked.seconds, asked.modes.split(","), asked.workers), indent=1
            )
        )


if __name__ == "__main__":
    main()
