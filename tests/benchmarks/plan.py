"""Plan 100,000 videos, and find that nothing is to be done once they are: seconds and memory.

    python tests/benchmarks/plan.py [VIDEOS]

The files are real and empty; what probing them would tell is made up: one minute of 30 frames a
second in eight clips. Prints JSON: seconds of each step, by the clock and of the CPU, the plan's
size, peak memory.
"""

from __future__ import annotations

import functools
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.store import ledger
from muybridge.store.inputs import Input, fingerprint, inputs, video_id
from muybridge.store.objects import at
from muybridge.store.plan import Plan, PlannedVideo

FPS, CORE_S, CONTEXT_S, LENGTH_S, SCALE = 30, 8, 1, 60, 512
IDENTITY = {"graph": "none"}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    folder = Path(tempfile.mkdtemp(prefix="muybridge-plan-"))
    try:
        for number in range(count):
            file = folder / "videos" / f"{number // 1000:03d}" / f"{number:06d}.mp4"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        report = {"videos": count, "plan": step("plan", folder)}
        finish(folder)
        report["resume"] = step("resume", folder)
        report["plan_mb"] = round(size(folder / "out") / 1e6, 1)
        print(json.dumps(report, indent=1))
    finally:
        shutil.rmtree(folder)


def step(name: str, folder: Path) -> dict[str, Any]:
    """Run a step in a process of its own, so that its memory is its own."""
    command = [sys.executable, __file__, name, str(folder)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def plan(folder: Path) -> dict[str, Any]:
    start = time.perf_counter()
    found = inputs([str(folder / "videos")])
    listed = time.perf_counter()
    objects = at(str(folder / "out"))
    ledger.start(objects, IDENTITY)
    kept = Plan(objects)
    shards = kept.add(map(planned, kept.changes(found).new))
    done = time.perf_counter()
    return {"list_s": listed - start, "plan_s": done - listed, "shards": len(shards), **memory()}


def resume(folder: Path) -> dict[str, Any]:
    start = time.perf_counter()
    found = inputs([str(folder / "videos")])
    listed = time.perf_counter()
    objects = at(str(folder / "out"))
    book = ledger.start(objects, IDENTITY)
    kept = Plan(objects)
    book.recover(kept.shards())
    changes = kept.changes(found)
    pending = book.pending(kept.shards())
    assert not [*changes.new, *changes.changed, *pending]
    done = time.perf_counter()
    return {"list_s": listed - start, "check_s": done - listed, **memory()}


def finish(folder: Path) -> None:
    """Write the records that a finished run leaves, and parts of the size that they tell."""
    objects = at(str(folder / "out"))
    for shard, videos in Plan(objects).shards().items():
        tables = {
            name: {"rows": 1, "bytes": 1, "sha256": "0" * 64} for name in ("videos", "people")
        }
        record = {"shard": shard, "videos": sorted(videos), "tables": tables}
        objects.write(f"{ledger.COMMITS}{shard}.json", json.dumps(record).encode())
        for name in tables:
            part = folder / "out" / name / f"{shard}.parquet"
            part.parent.mkdir(exist_ok=True)
            part.write_bytes(b"0")


def planned(item: Input) -> PlannedVideo:
    name = video_id(item.uri, fingerprint(item))
    info = {
        "container": "mov,mp4,m4a,3gp,3g2,mj2", "codec": "h264", "width": 1280, "height": 720,
        "rotation": 0, "frames": LENGTH_S * FPS, "fps": float(FPS), "start_s": 0.0,
        "duration_s": float(LENGTH_S), "has_audio": True,
    }  # fmt: skip
    named = {**item._asdict(), "video_id": name}
    made = [{**clip, **named, "clip_id": f"{name}-0-{clip['core'][0]}"} for clip in clips()]
    return PlannedVideo(item, name, info, made)


@functools.cache
def clips() -> list[dict[str, Any]]:
    return list(_clips())


def _clips() -> Iterator[dict[str, Any]]:
    for second in range(0, LENGTH_S, CORE_S):
        core = np.array([second, min(second + CORE_S, LENGTH_S)]) * FPS
        index = np.arange(
            max(core[0] - CONTEXT_S * FPS, 0), min(core[1] + CONTEXT_S * FPS, LENGTH_S * FPS)
        )
        yield {
            "stream": 0, "decoder": "pyav", "width": 1280, "height": 720, "rotation": 0,
            "core": core,
            "frame_index": index, "pts": index * SCALE, "times": index * SCALE / (FPS * SCALE),
        }  # fmt: skip


def memory() -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_s": time.process_time(), "peak_rss_mb": peak}


def size(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and not f.is_symlink())


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps({"plan": plan, "resume": resume}[sys.argv[1]](Path(sys.argv[2]))))
    else:
        main()
