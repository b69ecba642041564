"""Teach SPNet from clips whose joints, or actions, or both are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from muybridge.errors import InputError, listed
from muybridge.models.multitask.checkpoint import load
from muybridge.models.multitask.losses import Labels, Weights, losses
from muybridge.models.multitask.model import Config, Spnet
from muybridge.models.multitask.preprocess import normalised, windows

Row = Mapping[str, Any]
Example = Mapping[str, NDArray[Any]]


class Lessons(nn.Module):
    """Teach a network clips, all of one size: examples in, losses out."""

    def __init__(self, network: Spnet, weights: Weights = Weights()) -> None:
        super().__init__()
        self.network = network
        self.weights = weights

    def forward(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        clips, labels = together(examples, self.network.stem.first.weight.device)
        poses, scores = self.network(clips)
        return losses(poses, scores, labels, self.weights)


def started(config: Config, start: Path | None) -> Lessons:
    """Make what is taught: a new network, or one that a file holds, of these sizes."""
    if start is None:
        return Lessons(Spnet(config))
    network = load(start)
    if network.config != config:
        raise InputError(f"{start} is of {network.config}, and {config} is wanted")
    return Lessons(network.train().requires_grad_())


def together(examples: Sequence[Example], device: torch.device) -> tuple[Tensor, Labels]:
    """Put clips together: (M, T, 3, S, S), from -1 to 1, and what is known of them."""
    frames, joints, actions = (
        torch.from_numpy(np.stack([example[name] for example in examples])).to(device)
        for name in ("frames", "joints", "actions")
    )
    clips = normalised(frames.flatten(0, 1))
    return clips.view(*frames.shape[:2], *clips.shape[1:]), Labels(joints, actions)


def rows(folder: Path, config: Config, length: int, stride: int) -> list[Row]:
    """List the clips of ``length`` frames in a folder's files; InputError lists every fault.

    A file is an NPZ with frames (T, S, S, 3) uint8, joints (T, J, D + 1) float32 and actions (h,)
    int64, as ``Labels`` has them.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise InputError(f"{folder}: there are no clips (NPZ) in it")
    found, faults = list[Row](), list[str]()
    for path in paths:
        try:
            count = len(checked(path, config)["frames"])
        except (InputError, OSError, ValueError, KeyError) as error:
            faults.append(f"{path}: {error}")
            continue
        found += [{"path": path, "frames": each} for each in windows(count, length, stride)]
    if faults:
        raise InputError(listed("clips cannot be learnt from", faults))
    return found


def example(row: Row) -> Example:
    """Read one of ``rows``."""
    with np.load(row["path"]) as file:
        chosen = row["frames"]
        return {
            "frames": file["frames"][chosen],
            "joints": file["joints"][chosen].astype(np.float32),
            "actions": file["actions"].astype(np.int64),
        }


def checked(path: Path, config: Config) -> Example:
    """Read a file whole; InputError says what in it a network cannot learn from."""
    with np.load(path) as file:
        held = {name: file[name] for name in ("frames", "joints", "actions")}
    frames, joints, actions = held["frames"], held["joints"], held["actions"]
    cell = 8 * 2 ** (config.levels - 1)
    if frames.dtype != np.uint8 or frames.ndim != 4 or not len(frames):
        raise InputError(f"frames are {frames.dtype} {frames.shape}, not uint8 (T, S, S, 3)")
    if frames.shape[1] % cell or frames.shape[2:] != (frames.shape[1], 3):
        raise InputError(f"frames are {frames.shape[1:]}, not (S, S, 3) with S times {cell}")
    wanted = (len(frames), config.joints, config.dimensions + 1)
    if joints.shape != wanted:
        raise InputError(f"joints are {joints.shape}, and {wanted} are wanted")
    counts = np.array(config.actions)
    if actions.shape != counts.shape or (actions >= counts).any() or (actions < -1).any():
        raise InputError(f"actions are {actions.tolist()}, and there are {counts.tolist()} of them")
    return held
