"""Serve a graph of two tiny stages: `serve_toy.py PORT [options as JSON]`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from muybridge.columns import Clip
from muybridge.graph import Graph, Run, Stage

PEOPLE = ("person_frame", "person_track", "person_score", "person_box", "frame_seen")


def count() -> Run:
    """Load what sees one person in every frame, as wide as the replica's process has its number."""

    def run(clips: Sequence[Clip]) -> list[Clip]:
        return [one(clip) for clip in clips]

    return run


def one(clip: Clip) -> Clip:
    many = len(clip["frame_index"])
    assert Path(clip["source"]).exists()
    return {
        "person_frame": np.arange(many, dtype=np.int32),
        "person_track": np.full(many, 7, np.int32),
        "person_score": np.full(many, 0.5, np.float32),
        "person_box": np.tile(np.float32([0, 0, 10, 20]), (many, 1)),
        "frame_seen": np.ones(many, bool),
    }


def joints(seconds: float, log: str) -> Run:
    """Load what takes its time over a clip and notes it; a file called ``poison`` kills it."""

    def run(clips: Sequence[Clip]) -> list[Clip]:
        for clip in clips:
            with open(log, "a") as file:
                file.write(f"{os.getpid()} {clip['uri']}\n")
            time.sleep(seconds)
            if clip["uri"].startswith("poison"):
                os.abort()
        return [
            {"blazepose_joints": np.zeros((len(clip["person_frame"]), 33, 3), np.float32)}
            for clip in clips
        ]

    return run


def toy(seconds: float = 0.0, log: str = os.devnull, clips: int = 1) -> Graph:
    """Make the graph; its second stage takes ``clips`` at a time and notes each in ``log``."""
    return (
        Stage("count", count, ("frame_index", "source"), PEOPLE),
        Stage(
            "joints",
            lambda: joints(seconds, log),
            ("person_frame", "uri"),
            ("blazepose_joints",),
            clips_per_call=clips,
        ),
    )


def main() -> None:
    """Serve until told to stop, with pools and limits from the command line."""
    from muybridge.run import online
    from muybridge.run.pools import Pool

    options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    online.serve(
        toy(**options.get("toy", {})),
        port=int(sys.argv[1]),
        api_key_file=Path(options["key"]) if "key" in options else None,
        limits=online.Limits(**options.get("limits", {})),
        pools=tuple(Pool(**{**pool, "stages": tuple(pool["stages"])}) for pool in options["pools"]),
        verbose=options.get("verbose", False),
        started=lambda url: print(url, flush=True),
    )


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
