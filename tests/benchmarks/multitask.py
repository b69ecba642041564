"""Teach a small multi-task network stick people, as JSON.

python tests/benchmarks/multitask.py [--seeds 3]

Stick people of any size, place and colour wave, squat or walk before clutter. A small network
learns where their joints are and what they do from some hundreds of clips; others are held out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from muybridge.geometry.skeletons import PA16
from muybridge.models.lifter.training import decaying
from muybridge.models.multitask.model import SMALL, Spnet
from muybridge.models.multitask.training import Example, Lessons, together

Floats = NDArray[np.float64]

MOTIONS = ("waving", "squatting", "walking")
SIDE, FRAMES = 64, 8  # pixels, and frames of a clip


@dataclass(frozen=True)
class Settings:
    """Say how much is learnt: steps of so many clips, drawn from so many."""

    clips: int = 240
    held_out: int = 60
    steps: int = 240
    batch: int = 8
    rate: float = 4e-3


def clip(seed: int) -> Example:
    """Draw somebody who moves; the last of a joint's numbers says that it is in the picture."""
    draw = np.random.default_rng(seed)
    motion = int(draw.integers(len(MOTIONS)))
    height = draw.uniform(0.55, 0.8) * SIDE
    middle = draw.uniform(0.42, 0.58, 2) * SIDE
    phase, pace = draw.uniform(0, 2 * np.pi), draw.uniform(0.7, 1.0)
    turned, wide = draw.choice([-1, 1]), draw.uniform(0.9, 1.15)
    back = draw.integers(0, 256, (6, 6, 3), np.uint8)
    backdrop = Image.fromarray(back // 3 + 40).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    colours = [tuple(int(c) for c in draw.integers(120, 256, 3)) for _ in range(3)]
    frames, joints = list[Any](), list[Floats]()
    for frame in range(FRAMES):
        pose = posed(motion, phase + pace * frame, turned, wide) * height + middle
        frames.append(drawn(backdrop.copy(), pose, colours, draw))
        seen = ((pose >= 0) & (pose <= SIDE)).all(1)
        joints.append(np.concatenate([pose / SIDE, seen[:, None]], 1))
    return {
        "frames": np.stack(frames),
        "joints": np.stack(joints).astype(np.float32),
        "actions": np.array([motion]),
    }


def posed(motion: int, phase: float, turned: int, wide: float) -> Floats:
    """Place the 16 joints (16, 2), in heights, y down, about the body's middle."""
    swing = np.sin(phase)
    squat = 0.5 + 0.5 * swing if MOTIONS[motion] == "squatting" else 0.0
    hips = np.array([0, 0.02 + 0.17 * squat])
    up = np.array([0, -1.0])
    thorax = hips + 0.3 * up
    made = {"mid_hip": hips, "thorax": thorax}
    made["neck"], made["head_top"] = thorax + 0.04 * up, thorax + 0.18 * up
    for side, name in ((-1, "right"), (1, "left")):  # right is on the left, seen from the front
        out = np.array([side * wide, 0])
        shoulder, hip = thorax + 0.1 * out, hips + 0.06 * out
        ankle = np.array([0, 0.48]) + 0.08 * out
        upper, lower = 20.0, 10.0  # degrees from straight down, outwards
        if MOTIONS[motion] == "waving" and side == turned:
            upper, lower = 100.0, 160 + 35 * swing
        if MOTIONS[motion] == "walking":
            upper, lower = 12 - 22 * side * swing, 12 - 40 * side * swing
            ankle = ankle + 0.13 * max(side * swing, 0) * up
        knee = (hip + ankle) / 2 + (0.03 + 0.12 * squat) * out
        elbow = shoulder + 0.16 * hanging(upper, side)
        made |= {
            f"{name}_shoulder": shoulder,
            f"{name}_elbow": elbow,
            f"{name}_wrist": elbow + 0.15 * hanging(lower, side),
            f"{name}_hip": hip,
            f"{name}_knee": knee,
            f"{name}_ankle": ankle,
        }
    return np.stack([made[name] for name in PA16.joints])


def hanging(degrees: float, side: int) -> Floats:
    angle = np.deg2rad(degrees)
    return np.array([side * np.sin(angle), np.cos(angle)])


def drawn(
    picture: Image.Image, pose: Floats, colours: Sequence[Any], draw: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw limbs and a head, and noise over all."""
    pen = ImageDraw.Draw(picture)
    for first, last in PA16.limbs:
        colour = colours[("left" in PA16.joints[last]) + 2 * ("right" in PA16.joints[last])]
        pen.line([*pose[first], *pose[last]], colour, 2)
    neck, top = pose[PA16.index("neck", "head_top")]
    middle, radius = (neck + top) / 2, np.linalg.norm(top - neck) / 2
    pen.ellipse([*(middle - radius), *(middle + radius)], colours[0])
    noisy = np.asarray(picture) + draw.normal(0, 6, (SIDE, SIDE, 3))
    return noisy.clip(0, 255).astype(np.uint8)


def learnt(settings: Settings, seed: int) -> Spnet:
    """Teach a network from the start."""
    torch.manual_seed(seed)
    lessons = Lessons(Spnet(SMALL))
    clips = [clip(1000 * (seed + 1) + number) for number in range(settings.clips)]
    optimiser = decaying(lessons.parameters(), settings.rate, settings.steps)
    draw = np.random.default_rng(seed)
    for _ in range(settings.steps):
        chosen = draw.choice(len(clips), settings.batch, replace=False)
        optimiser.zero_grad()
        torch.stack(list(lessons([clips[number] for number in chosen]).values())).sum().backward()
        optimiser.step()
    return lessons.network.eval()


@torch.inference_mode()
def tried(network: Spnet, settings: Settings, seed: int) -> dict[str, list[float]]:
    """Say block by block which part of held-out clips is told rightly, and how far joints are off.

    Joints are off in parts of the body's height.
    """
    others = [clip(10**6 * (seed + 1) + number) for number in range(settings.held_out)]
    clips, labels = together(others, torch.device("cpu"))
    poses, scores = network(clips)
    wanted = labels.joints[..., :2]
    tall = (wanted[..., 1].amax(2) - wanted[..., 1].amin(2)).clamp_min(0.3)
    off = [((pose[..., :2] - wanted).norm(dim=-1).mean(2) / tall).mean() for pose in poses]
    right = [(heads[0].argmax(1) == labels.actions[:, 0]).float().mean() for heads in scores]
    return {
        "accuracy": [round(float(x), 4) for x in right],
        "off_in_heights": [round(float(x), 4) for x in off],
    }


def trial(settings: Settings, seed: int) -> dict[str, Any]:
    """Teach and try; CPU seconds are the teaching's, drawing included."""
    start = time.process_time()
    network = learnt(settings, seed)
    seconds = time.process_time() - start
    return {"seed": seed, "cpu_seconds": round(seconds), **tried(network, settings, seed)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--seeds", type=int, default=3)
    given = arguments.parse_args()
    print(json.dumps({"trials": [trial(Settings(), seed) for seed in range(given.seeds)]}))


if __name__ == "__main__":
    main()
