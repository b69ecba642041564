"""Measure drawing bodies over a video on one core, beside decoding and encoding it, as JSON.

python tests/benchmarks/render_mesh.py VIDEO [--rounds 5]

VIDEO is scaled to 1280 x 720. Bodies are puppets with about as many faces as SMPL's, 1.7 m high and
4 to 6.5 m away; ``bend`` makes their vertices, ``mesh`` draws them, ``side`` draws them turned.
Numbers are CPU milliseconds a frame, the median of some rounds in which all take turns. ``ratio``
compares with decoding the frame and encoding it again, which every overlay costs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from muybridge.render.bodies import from_the_side, stand
from muybridge.render.mesh import paint
from muybridge.render.movie import Movie
from render.puppet import puppet

WIDTH, HEIGHT = 1280, 720
FOCAL = float(np.hypot(WIDTH, HEIGHT))
FRAMES = 30
PLACES = ((-0.6, 0.0, 4.0), (0.2, 0.0, 5.0), (0.7, 0.0, 4.2), (1.6, 0.0, 6.5))  # metres


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        video = scaled(options.video, Path(folder) / "video.mp4")
        print(json.dumps(measured(video, options.rounds), indent=2))


def scaled(source: Path, path: Path) -> Path:
    """Write the first frames of a video at the size that is measured."""
    with av.open(str(source)) as file, Movie(path, 30.0) as movie:
        for number, frame in zip(range(FRAMES), file.decode(video=0), strict=False):
            movie.show(frame.reformat(WIDTH, HEIGHT, "rgb24").to_ndarray(), number / 30)
    return path


def decoded(video: Path) -> list[np.ndarray]:
    """Decode all frames on one thread."""
    with av.open(str(video)) as file:
        file.streams.video[0].thread_type = "NONE"
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def encoded(frames: list[np.ndarray], path: Path) -> None:
    """Encode frames as an overlay is."""
    with Movie(path, 30.0) as movie:
        for number, frame in enumerate(frames):
            movie.show(frame, number / 30)


def measured(video: Path, rounds: int) -> dict[str, Any]:
    """Time decoding, encoding, and the drawing of one and of four people, turn by turn."""
    frames, body = decoded(video), puppet(16, 18)
    steps: dict[str, Callable[[], Any]] = {
        "decode": lambda: decoded(video),
        "encode": lambda: encoded(frames, video.with_name("made.mp4")),
    }
    for people in (1, 4):
        rows = [row(track, at) for track, at in enumerate(PLACES[:people])]
        bodies = stand(body, rows)
        meshes = [each.mesh for each in bodies]
        steps |= {
            f"bend {people}": lambda rows=rows: [stand(body, rows) for _ in frames],
            f"mesh {people}": lambda meshes=meshes: [paint(each, meshes) for each in frames],
            f"side {people}": lambda two=bodies: [from_the_side(two, f.shape) for f in frames],
        }
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            start = time.process_time()
            step()
            spent[name].append((time.process_time() - start) * 1e3 / len(frames))
    middle = {name: statistics.median(times[1:]) for name, times in spent.items()}
    both = middle["decode"] + middle["encode"]
    return {
        "vertices": len(body.template),
        "faces": len(body.faces),
        "cpu_ms": {name: round(ms, 2) for name, ms in middle.items()},
        "ratio": {
            f"{show} {people}": round(sum(middle[f"{step} {people}"] for step in steps) / both, 2)
            for people in (1, 4)
            for show, steps in (("mesh", ("bend", "mesh")), ("side", ("bend", "mesh", "side")))
        },
    }


def row(track: int, at: tuple[float, float, float]) -> dict[str, Any]:
    """Let a person stand somewhere, each turned another way, with arms hanging."""
    turn, rotations = np.deg2rad(20 + 70 * track), np.zeros((24, 3))
    rotations[0] = np.pi * np.array([np.cos(turn / 2), 0, -np.sin(turn / 2)])
    rotations[16], rotations[17] = (0, 0, -1.2), (0, 0, 1.2)  # shoulders
    named = {"betas": [0.0] * 10, "rotations": rotations.ravel().tolist()}
    return {"track_id": track, "translation": list(at), "focal": FOCAL, **named}


if __name__ == "__main__":
    main()
