"""The data handling of the published lifter: Human3.6M's joints, cameras and statistics.

Joints are rows of 32 in millimetres, flattened to 96 numbers (64 in the picture), of which 17 move.
Distortion follows Human3.6M's own formula, whose tangential part is half of Brown's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from muybridge import checkpoints
from muybridge.checkpoints import Layout, Tensors
from muybridge.errors import CheckpointError, listed
from muybridge.models.lifter.model import Lifter

Floats = NDArray[np.floating[Any]]

JOINTS = 32
MOVING = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)  # in H36M17's order
NOSE, HIP = MOVING.index(14), MOVING.index(0)
LEFT_OUT_OF_14 = (0, 7, 9)  # of the 17: what the option of 14 joints leaves out

TABLE = (
    # theirs                         ours
    ("w1",                           "first.0"),
    ("batch_norm1",                  "first.1"),
    ("linear_stages.{}.w1",          "blocks.{}.layers.0.0"),
    ("linear_stages.{}.batch_norm1", "blocks.{}.layers.0.1"),
    ("linear_stages.{}.w2",          "blocks.{}.layers.1.0"),
    ("linear_stages.{}.batch_norm2", "blocks.{}.layers.1.1"),
    ("w2",                           "last"),
)  # fmt: skip
LAYOUT = Layout(Lifter, TABLE)


@dataclass(frozen=True)
class Camera:
    """Be a camera of Human3.6M: rotation (3, 3) and place (3, 1) in the world, focal lengths and
    centre (2, 1) in pixels, radial (3, 1) and tangential (2, 1) distortion.
    """

    rotation: Floats
    place: Floats
    focal: Floats
    centre: Floats
    radial: Floats
    tangential: Floats


@dataclass(frozen=True)
class Statistics:
    """Hold mean and deviation of all numbers of a row, and which of them the network takes."""

    mean: Floats
    deviation: Floats
    used: NDArray[np.int64]

    def normalised(self, rows: Floats) -> Floats:
        """Standardise the numbers used of rows (N, D): (N, used)."""
        used = self.used
        return (rows[:, used] - self.mean[used]) / self.deviation[used]

    def restored(self, rows: Floats) -> Floats:
        """Bring rows (N, used) back to (N, D); a number that is not used becomes its mean."""
        full = np.zeros((len(rows), len(self.mean)))
        full[:, self.used] = rows
        return full * self.deviation + self.mean


def world_to_camera(points: Floats, camera: Camera) -> Floats:
    """Bring points (N, 3) of the world into the camera's axes: R (P - T)."""
    return (camera.rotation @ (points.T - camera.place)).T


def camera_to_world(points: Floats, camera: Camera) -> Floats:
    """Bring points (N, 3) in the camera's axes back into the world."""
    return (camera.rotation.T @ points.T + camera.place).T


def camera_to_picture(points: Floats, camera: Camera) -> Floats:
    """Project points (N, 3) in the camera's axes: (N, 2) pixels."""
    x = points[:, :2].T / points[:, 2]
    r = np.square(x).sum(0)
    radial = 1 + (camera.radial * r ** np.arange(1, 4)[:, None]).sum(0)
    tangential = camera.tangential[0] * x[1] + camera.tangential[1] * x[0]
    bent = x * (radial + tangential) + camera.tangential[::-1] * r
    return (camera.focal * bent + camera.centre).T


def centred(rows: Floats) -> tuple[Floats, Floats]:
    """Take the hip (N, 3) off all joints of rows (N, 96); return what is left, and the hip."""
    hip = rows[:, :3]
    return rows - np.tile(hip, JOINTS), hip


def used(axes: int, without: int, joints: tuple[int, ...] = MOVING) -> NDArray[np.int64]:
    """Number what the network takes of a row: ``axes`` a joint, without the joint ``without``."""
    kept = [joint for joint in joints if joint != MOVING[without]]
    return (np.array(kept)[:, None] * axes + np.arange(axes)).reshape(-1)


def statistics(rows: Floats, used: NDArray[np.int64]) -> Statistics:
    """Take the statistics of training rows (N, D)."""
    return Statistics(rows.mean(0), rows.std(0), used)


@dataclass(frozen=True)
class Published:
    """Hold the published network with the statistics that it was trained with."""

    network: Lifter
    seen: Statistics
    lifted: Statistics

    def __call__(self, joints: Floats) -> Floats:
        """Lift the 17 joints in pixels (N, 17, 2), nose unused, to (N, 17, 3) metres from the hip.

        The order is that of the skeleton ``h36m17``; axes are those of the camera.
        """
        rows = np.zeros((len(joints), JOINTS * 2))
        rows[:, used(2, NOSE)] = np.delete(joints, NOSE, 1).reshape(-1, 32)
        with torch.inference_mode():
            seen = torch.from_numpy(self.seen.normalised(rows)).float()
            lifted = self.network(seen).numpy()
        full = self.lifted.restored(lifted).reshape(-1, JOINTS, 3)[:, MOVING]
        full[:, HIP] = 0
        return full / 1000


def load(checkpoint: Path, statistics: Path) -> Published:
    """Read ``ckpt_best.pth.tar``, and beside it the statistics it was trained with.

    Those are a file of arrays ``mean_2d``, ``std_2d``, ``mean_3d``, ``std_3d`` of all 64 and 96
    numbers. CheckpointError says what is missing or does not fit.
    """
    network = checkpoints.filled(checkpoints.read(checkpoint), LAYOUT)
    assert isinstance(network, Lifter)
    found = checkpoints.read(statistics)
    sizes = {"mean_2d": 64, "std_2d": 64, "mean_3d": 96, "std_3d": 96}
    faults = [
        f"{name}: {tuple(found[name].shape) if name in found else 'missing'}, ({size},) is wanted"
        for name, size in sizes.items()
        if name not in found or tuple(found[name].shape) != (size,)
    ]
    if faults:
        raise CheckpointError(listed(f"{statistics}: no statistics of the lifter", faults))
    return Published(
        network,
        _statistics(found, "2d", used(2, NOSE)),
        _statistics(found, "3d", used(3, HIP)),
    )


def _statistics(found: Tensors, space: str, used: NDArray[np.int64]) -> Statistics:
    mean, deviation = (found[f"{part}_{space}"].double().numpy() for part in ("mean", "std"))
    return Statistics(mean, np.where(deviation > 0, deviation, 1), used)
