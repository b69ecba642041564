"""Measure what refining a track over time gains, on synthetic tracks whose truth is known, as JSON.

python tests/benchmarks/refine.py PACK [--frames 60] [--seeds 8]

PACK is the folder of VIBE's golden pack, whose body is used. Somebody walks by and turns; each
start is off by 10 degrees a joint, half of it in variance throughout the track, and by 4 cm, and
0.3 m in depth. Joints are seen by a detector that is off by some pixels, quite elsewhere at times,
and does not see every joint; ``swift`` is the same movement in half the time. ``px`` is how far all
49 joints lie from the truth in the picture, ``mm`` how far in space from the middle of the hips,
``acceleration`` how far off their second differences are in mm a frame squared: means over all
seeds, the worst ratio of after to before beside them. ``seams`` compares a track cut into windows
with the same done at once. ``cpu_ms`` are CPU milliseconds a frame on one core, the least of all.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from vibe import filled

from muybridge.evaluate.poses import acceleration_error, mpjpe, rooted
from muybridge.geometry.rotations import matrix_from_axis_angle
from muybridge.geometry.skeletons import BLAZEPOSE33, BODY25, COCO17, Skeleton
from muybridge.geometry.smpl import JOINTS, JOINTS49, Joints
from muybridge.models.smpl import refine
from muybridge.models.smpl.refine import Bodies, matched, refined

FOCAL, SIZE = 1000.0, (1280, 720)
HIPS = [JOINTS49.index("left_hip"), JOINTS49.index("right_hip")]
# fmt: off
DETECTORS: dict[str, dict[str, Any]] = {
    # skeleton, pixels a joint is off, share that is quite elsewhere, share that is not seen
    "coco17":              {"skeleton": COCO17,      "noise": 4, "wrong": 0.05, "missing": 0.1},
    "body25":              {"skeleton": BODY25,      "noise": 4, "wrong": 0.05, "missing": 0.1},
    "blazepose33":         {"skeleton": BLAZEPOSE33, "noise": 4, "wrong": 0.05, "missing": 0.1},
    "coco17, exact":       {"skeleton": COCO17,      "noise": 0, "wrong": 0.0,  "missing": 0.0},
    "coco17, trembling":   {"skeleton": COCO17,      "noise": 8, "wrong": 0.05, "missing": 0.1},
    "coco17, often wrong": {"skeleton": COCO17,      "noise": 4, "wrong": 0.2,  "missing": 0.2},
    "coco17, swift":       {"skeleton": COCO17,      "noise": 4, "wrong": 0.05, "missing": 0.1,
                            "speed": 2},
}
# fmt: on
Draw = torch.Generator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    _, body, extra = filled(options.pack)
    joints, seeds = Joints(body, extra), range(options.seeds)
    rows = {
        name: [measured(joints, options.frames, seed, **detector) for seed in seeds]
        for name, detector in DETECTORS.items()
    }
    report = {
        "frames": options.frames,
        "seeds": options.seeds,
        "detectors": {name: summed(each) for name, each in rows.items()},
        "seams": seams(joints, 4 * options.frames),
        "cpu_ms": round(min(row["cpu_ms"] for each in rows.values() for row in each), 1),
    }
    print(json.dumps(report, indent=1))


def moving(times: Tensor, draw: Draw) -> Bodies:
    """Let somebody of any shape walk by and turn, bending knees and elbows once a second."""
    wide, phase = (torch.randn(len(JOINTS), 3, 2, generator=draw) for _ in range(2))
    beats = 2 * math.pi * times
    turns = 0.15 * (wide * (beats[:, None, None, None] * torch.tensor([0.5, 1.2]) + phase).sin())
    turns = turns.sum(-1)
    for name, axis, sign in (
        *(("left_knee", 0, 1), ("right_knee", 0, 1)),
        *(("left_elbow", 1, -1), ("right_elbow", 1, 1)),
    ):
        joint = JOINTS.index(name)
        turns[:, joint, axis] = sign * (0.7 + 0.5 * (beats + phase[joint, 0, 0]).sin())
    turns[:, [JOINTS.index("left_shoulder"), JOINTS.index("right_shoulder")], 2] += torch.tensor(
        [-0.9, 0.9]
    )
    rotations = matrix_from_axis_angle(turns)
    upright = matrix_from_axis_angle(torch.tensor([math.pi, 0, 0]))
    about = torch.stack([0 * times, 0.8 * (times + phase[0, 0, 0]).sin(), 0 * times], -1)
    rotations[:, 0] = upright @ matrix_from_axis_angle(about) @ rotations[:, 0]
    place = torch.stack([0.8 * times - 0.5, 0.03 * (6 * times).sin(), 6 + 0.6 * times.sin()], -1)
    return Bodies(torch.randn(10, generator=draw).expand(len(times), 10), rotations, place)


def shaken(true: Bodies, draw: Draw) -> Bodies:
    """Put bodies off, half throughout the track and half anew in every frame."""
    count = len(true.betas)

    def off(*shape: int) -> Tensor:
        each, all_along = (torch.randn(n, *shape, generator=draw) for n in (count, 1))
        return (each + all_along) / math.sqrt(2)

    turns = math.radians(10) / math.sqrt(3) * off(len(JOINTS), 3)
    return Bodies(
        true.betas + 0.5 * off(10),
        matrix_from_axis_angle(turns) @ true.rotations,
        true.translation + torch.tensor([0.04, 0.04, 0.3]) * off(3),
    )


def detected(
    points: Tensor, draw: Draw, skeleton: Skeleton, noise: float, wrong: float, missing: float
) -> Tensor:
    """See joints (T, 49, 3) as a detector does: (T, K, 3)."""
    theirs, ours = matched(skeleton)
    seen = torch.zeros(len(points), len(skeleton.joints), 3)
    seen[:, theirs, :2] = pixels(points)[:, ours]
    seen[:, theirs, 2] = 0.9
    off = torch.randn(seen[..., :2].shape, generator=draw)
    chance = torch.rand(seen.shape[:2], generator=draw)
    seen[..., :2] += torch.where((chance < wrong)[..., None], 300, noise) * off
    seen[chance > 1 - missing] = 0
    return seen


def pixels(points: Tensor) -> Tensor:
    return FOCAL * points[..., :2] / points[..., 2:] + torch.tensor(SIZE) / 2


def posed(joints: Joints, bodies: Any) -> Tensor:
    return joints(bodies.betas, bodies.rotations, bodies.translation)


def measured(
    joints: Joints,
    count: int,
    seed: int,
    skeleton: Skeleton,
    window: int = refine.WINDOW,
    speed: float = 1,
    **detector: float,
) -> dict[str, Any]:
    """Refine one track: errors before and after, and what it took."""
    draw = torch.Generator().manual_seed(seed)
    times = torch.arange(count) / 30
    true = moving(times * speed, draw)
    start = shaken(true, draw)
    seen = detected(posed(joints, true), draw, skeleton, **detector)
    given = (start.betas, start.rotations, start.translation)
    began = time.process_time()
    found = refined(joints, *given, seen, skeleton, times, FOCAL, SIZE, window)
    spent = (time.process_time() - began) * 1e3 / count
    before, after = (errors(joints, bodies, true) for bodies in (start, found))
    path = posed(joints, found)
    return {"before": before, "after": after, "cpu_ms": spent, "path": path, "times": times}


def errors(joints: Joints, bodies: Any, true: Bodies) -> dict[str, float]:
    """Say how far all joints are off."""
    ours, theirs = posed(joints, bodies), posed(joints, true)
    flat = (pixels(ours) - pixels(theirs)).norm(dim=-1).mean()
    pair = [1e3 * rooted(x.numpy(), HIPS) for x in (ours, theirs)]
    return {
        "px": float(flat),
        "mm": float(mpjpe(*pair).mean()),
        "acceleration": float(acceleration_error(*pair).mean()),
    }


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Take means over seeds, and the worst of each ratio."""
    return {
        name: {
            **{
                when: round(float(np.mean([row[when][name] for row in rows])), 2)
                for when in ("before", "after")
            },
            "worst_ratio": round(max(row["after"][name] / row["before"][name] for row in rows), 2),
        }
        for name in ("px", "mm", "acceleration")
    }


def seams(joints: Joints, count: int) -> dict[str, Any]:
    """Do a track at once and in windows: errors, and accelerations at the seams, in m/s²."""
    size = refine.WINDOW
    whole, cut = (
        measured(joints, count, 0, window=n, **DETECTORS["coco17"]) for n in (count, size)
    )
    rows = [row for first in range(size, count, size) for row in (first - 2, first - 1)]
    swift = refine.accelerations(cut["path"], cut["times"]).norm(dim=-1).mean(1)
    return {
        "frames": count,
        "window": size,
        **{
            name: {n: round(x, 2) for n, x in (row["after"] | {"cpu_ms": row["cpu_ms"]}).items()}
            for name, row in (("whole", whole), ("cut", cut))
        },
        "swift_at_seams": round(float(swift[rows].mean()), 2),
        "swift": round(float(swift.mean()), 2),
    }


if __name__ == "__main__":
    main()
