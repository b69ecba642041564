"""Live through a run of three small videos as a process of its own, and die on the way if asked.

    python life.py ROOT ENDPOINT VERSION DIE_AT

``VERSION`` is what the second video holds. The process kills itself before its DIE_AT-th change of
the store (0: never) and prints how many changes there were.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import botocore.client
import numpy as np

from muybridge.store import ledger, lock, tables
from muybridge.store.inputs import Input, video_id
from muybridge.store.objects import at
from muybridge.store.plan import Plan, PlannedVideo

CHANGES = ("PutObject", "CopyObject", "DeleteObjects")


def clip(video: str, number: int) -> dict[str, Any]:
    """Make a clip of five frames and two frames of context."""
    index = np.arange(number * 5, number * 5 + 7)
    core = np.array([number * 5, number * 5 + 5])
    named = {"video_id": video, "clip_id": f"{video}-{number}", "uri": "", "size": 1, "tag": "1"}
    given = {"stream": 0, "decoder": "pyav", "width": 64, "height": 48, "rotation": 0, "core": core}
    return named | given | {"frame_index": index, "pts": index * 512, "times": index / 30}


def planned(item: Input) -> PlannedVideo:
    name = video_id(item.uri, item.tag)
    clips = [{**clip(name, number), "uri": item.uri} for number in (0, 1)]
    return PlannedVideo(item, name, {"duration_s": 1 / 3, "frames": 10}, clips)


def analysed(given: dict[str, Any]) -> dict[str, Any]:
    """Put one person into the first and third frame of a clip."""
    people = {"person_frame": np.array([0, 2], np.int32), "person_track": np.ones(2, np.int32)}
    joints = np.arange(2 * 33 * 3, dtype=np.float32).reshape(2, 33, 3)
    box = np.arange(8, dtype=np.float32).reshape(2, 4)
    score = np.full(2, 0.5, np.float32)
    return {
        **given, **people, "person_box": box, "person_score": score, "blazepose_joints": joints,
        "frame_seen": given["frame_index"] % 10 != 9, "error": "",
    }  # fmt: skip


def live(root: str, endpoint: str, version: str) -> list[str]:
    """Run once over a corpus and name the clips that were worked on."""
    objects = at(root, endpoint or None)
    corpus = [Input("/a.mp4", 1, "1"), Input("/b.mp4", 1, version), Input("/c.mp4", 1, "1")]
    worked = []
    book = ledger.start(objects, {"graph": "two frames a clip"})
    with lock.held(objects):
        plan = Plan(objects)
        book.recover(plan.shards())
        changes = plan.changes(corpus)
        plan.add(map(planned, changes.new))
        plan.replace(map(planned, changes.changed))
        for shard, videos in book.pending(plan.shards()).items():
            clips = [c for v in plan.load(shard) if v.video_id in videos for c in v.clips]
            done = book.staged(shard)
            for todo in clips:
                if todo["clip_id"] not in done:
                    book.stage(shard, todo["clip_id"], tables.rows(analysed(todo)))
                    worked.append(todo["clip_id"])
            ids = [{"video_id": name, "frames": 10} for name in videos]
            parts = [book.load_staged(shard, c["clip_id"]) for c in clips]
            book.commit(shard, tables.joined([*parts, {"videos": tables.table("videos", ids)}]))
    return worked


class Death:
    """Count the changes of the store and die before one of them."""

    def __init__(self, die_at: int) -> None:
        self.die_at = die_at
        self.count = 0

    def near(self) -> None:
        self.count += 1
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, module: Any, name: str, asked: Any = None) -> None:
        real = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if asked is None or args[1] in asked:
                self.near()
            return real(*args, **kwargs)

        setattr(module, name, call)


def main() -> None:
    root, endpoint, version, die_at = sys.argv[1:]
    death = Death(int(die_at))
    for name in ("replace", "fsync", "unlink", "mkdir"):
        death.before(os, name)
    death.before(botocore.client.BaseClient, "_make_api_call", CHANGES)
    live(root, endpoint, version)
    print(death.count)


if __name__ == "__main__":
    main()
