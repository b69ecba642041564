"""People of motion capture walk about among cameras, and detectors see them as detectors do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muybridge.geometry.cameras import Camera, projected

RATE = 30.0  # frames a second


@dataclass(frozen=True)
class Detector:
    """Say how well people are seen.

    ``miss`` is the share of people overlooked in a picture though they stand free, ``hidden`` of
    those behind somebody nearer; ``false`` people a picture are not there. Joints are missed by
    ``noise`` metres (as OpenPose's are in the real footage), a share ``gross`` of them five times
    as far, and a share ``unseen`` is not found.
    """

    miss: float = 0.1
    hidden: float = 0.7
    false: float = 0.3
    noise: float = 0.025
    gross: float = 0.05
    unseen: float = 0.1


@dataclass(frozen=True)
class Scene:
    """Hold F frames: of each and each view, joints (P, J, 3) and who it is (P,), -1 for nobody."""

    cameras: tuple[Camera, ...]
    seen: list[list[np.ndarray]]
    who: list[list[np.ndarray]]


def cameras(views: int, random: np.random.Generator) -> tuple[Camera, ...]:
    """Stand cameras around, 7 m from the middle and 1.2 to 3 m high, looking at its waist."""
    made = []
    matrix = np.array([[1100.0, 0, 640], [0, 1100, 360], [0, 0, 1]])
    lens = np.array([-0.1, 0.05, 1e-3, -1e-3, 0])
    for number in range(views):
        turn = 2 * np.pi * (number + random.uniform(-0.2, 0.2)) / views
        place = np.array([7 * np.cos(turn), 7 * np.sin(turn), random.uniform(1.2, 3)])
        ahead = np.array([0, 0, 1.0]) - place
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(ahead, right), ahead])
        made.append(Camera(f"{number}", (1280, 720), matrix, lens, rotation, -rotation @ place))
    return tuple(made)


def motions(data: Path) -> list[np.ndarray]:
    """Read real motions, z up and feet on the floor: (T, 20, 3) each, 200 frames and longer."""
    held = np.load(data / "cmu_mocap_joints" / "train.npz")
    joints = held["joints"].astype(float)[..., [2, 0, 1]]
    parts = np.split(joints, np.cumsum(held["lengths"])[:-1])
    return [part - [0, 0, part[..., 2].min()] for part in parts if len(part) >= 200]


def people(
    number: int, frames: int, motions: list[np.ndarray], random: np.random.Generator
) -> np.ndarray:
    """Let people move about in 5 by 5 m, never nearer than 0.5 m: joints (F, P, 20, 3)."""
    times = np.arange(frames) / RATE
    while True:
        start = random.uniform(-2, 2, (number, 2))
        speed = random.normal(0, 0.5, (number, 2))
        path = start + times[:, None, None] * speed
        path = 2.5 - abs((path + 2.5) % 10 - 5)  # turned back at the walls
        apart = np.linalg.norm(path[:, :, None] - path[:, None], axis=-1) + 9 * np.eye(number)
        if apart.min() > 0.5:
            break
    made = []
    for _ in range(number):
        motion = motions[random.integers(len(motions))]
        at = random.integers(len(motion) - frames + 1)
        made.append(motion[at : at + frames] * random.uniform(0.85, 1.1))
    joints = np.stack(made, 1)
    joints[..., :2] += path[:, :, None]
    return joints


def detected(
    joints: np.ndarray,
    cameras: tuple[Camera, ...],
    random: np.random.Generator,
    detector: Detector = Detector(),
) -> Scene:
    """See people (F, P, J, 3) as a detector does: noise, misses, and people who are not there."""
    seen, who = [], []
    for frame in joints:
        views = [_view(frame, camera, random, detector) for camera in cameras]
        seen.append([view[0] for view in views])
        who.append([view[1] for view in views])
    return Scene(cameras, seen, who)


def _view(
    frame: np.ndarray, camera: Camera, random: np.random.Generator, detector: Detector
) -> tuple[np.ndarray, np.ndarray]:
    false = frame[random.integers(len(frame), size=random.poisson(detector.false))]
    shift = random.uniform(-3, 3, (len(false), 1, 3)) * [1, 1, 0.2]
    bodies = np.concatenate([frame, false + shift])
    who = np.concatenate([np.arange(len(frame)), np.full(len(false), -1)])
    depth = camera.world_to_camera(bodies)[..., 2]
    pixels = projected([camera], bodies)[..., 0, :]
    noise = (
        detector.noise * np.where(random.random(depth.shape) < detector.gross, 5, 1) / depth * 1100
    )
    pixels += noise[..., None] * random.normal(size=pixels.shape)
    inside = ((pixels > 0) & (pixels < camera.size)).all(-1)
    score = np.where(inside & (random.random(depth.shape) > detector.unseen), 1, 0)
    score = score * random.uniform(0.3, 1, depth.shape)
    lost = random.random(len(who)) < np.where(
        _hidden(pixels, depth), detector.hidden, detector.miss
    )
    kept = ((score > 0).sum(1) >= 6) & ~(lost & (who >= 0))
    order = random.permutation(np.flatnonzero(kept))
    joints = np.concatenate([np.nan_to_num(pixels), score[..., None]], -1)
    return joints[order], who[order]


def _hidden(pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Say whose middle lies within the box of somebody nearer."""
    middle, low, high = pixels.mean(1), pixels.min(1), pixels.max(1)
    within = ((middle[:, None] > low) & (middle[:, None] < high)).all(-1)
    return (within & (depth.mean(1)[:, None] > depth.mean(1) + 0.1)).any(1)


def pairs(found: list[np.ndarray], who: list[np.ndarray]) -> tuple[int, int, int]:
    """Count over all pairs of detections of different views of a frame: matched, true, both."""
    view = np.repeat(np.arange(len(who)), [len(each) for each in who])
    ids, true = np.concatenate(found), np.concatenate(who)
    across = np.triu(view[:, None] != view, 1)
    matched = across & (ids[:, None] == ids) & (ids >= 0)
    same = across & (true[:, None] == true) & (true >= 0)
    return int(matched.sum()), int(same.sum()), int((matched & same).sum())


def changes(found: list[list[np.ndarray]], who: list[list[np.ndarray]]) -> int:
    """Count how often the number that most of a person's detections have is not the last one."""
    last: dict[int, int] = {}
    total = 0
    for ids, true in zip(found, who, strict=True):
        ids_, true_ = np.concatenate(ids), np.concatenate(true)
        for person in set(true_[true_ >= 0].tolist()):
            mine = ids_[(true_ == person) & (ids_ >= 0)]
            if len(mine):
                most = int(np.bincount(mine).argmax())
                total += last.get(person, most) != most
                last[person] = most
    return total
