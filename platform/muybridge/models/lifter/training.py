"""Teach a lifter with views of virtual cameras, and make it ready to run.

A row of the course is the seed of a lot of views; they are drawn in the worker, in threads, while
it learns from those before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from muybridge import checkpoints
from muybridge.checkpoints import Layout
from muybridge.geometry.skeletons import BODY18
from muybridge.models.lifter import predict, virtual
from muybridge.models.lifter.model import Config, Lifter
from muybridge.models.lifter.predict import Folded
from muybridge.models.lifter.preprocess import SEEN

Lot = tuple[NDArray[np.float32], NDArray[np.float32]]

VIEWS = 512  # in a lot
SPREAD = 3.0  # moments


def config(taps: int, width: int = 384, dropout: float = 0.05) -> Config:
    """Size a lifter that sees so many moments."""
    return Config(taps * len(SEEN) * 3, len(BODY18.joints) * 3, width, dropout=dropout)


class Lessons(nn.Module):
    """Teach a lifter to give joints (N, 18, 3): the mean distance in metres is the loss."""

    def __init__(self, lifter: Lifter) -> None:
        super().__init__()
        self.lifter = lifter

    def forward(self, lots: Sequence[Lot]) -> dict[str, Tensor]:
        seen, truth = (torch.from_numpy(np.concatenate(part)) for part in zip(*lots, strict=True))
        device = self.lifter.last.weight.device
        with torch.autocast(device.type, torch.bfloat16):
            joints = self.lifter(seen.to(device))
        away = joints.float().view(truth.shape) - truth.to(device)
        return {"distance": away.norm(dim=2).mean()}


def lot(motion: Path, left_out: frozenset[str], taps: int, row: Mapping[str, Any]) -> Lot:
    """Draw the views of a row: what the lifter sees, and the truth."""
    return virtual.draw(_motion(motion, left_out), np.random.default_rng(row["seed"]), VIEWS, taps)


@lru_cache(maxsize=1)
def _motion(path: Path, left_out: frozenset[str]) -> virtual.Motion:
    motion = virtual.read(path)
    return motion.only(set(motion.kinds) - left_out)


def decaying(parameters: Iterable[nn.Parameter], rate: float, steps: int) -> torch.optim.Optimizer:
    """Make Adam whose rate falls along half a cosine, to nothing after so many steps."""
    optimiser = torch.optim.AdamW(parameters, rate, weight_decay=1e-4, fused=True)
    for group in optimiser.param_groups:
        group |= {"rate": rate, "taken": 0}  # kept with the optimiser's state

    def slower(optimiser: torch.optim.Optimizer, *others: Any) -> None:
        for group in optimiser.param_groups:
            group["taken"] += 1
            share = min(group["taken"] / steps, 1.0)
            group["lr"] = group["rate"] * (1 + math.cos(math.pi * share)) / 2

    optimiser.register_step_post_hook(slower)
    return optimiser


def started(taps: int, start: Path | None, motion: Path | None = None) -> Lessons:
    """Make the lessons, from the start or from a lifter's file.

    One that is ready to run, an NPZ, gets the batch norms back that fit views of the ``motion``.
    What a lifter of one moment knows, one of a window begins with: it sees its moments averaged,
    the nearest counting most.
    """
    if start is None:
        return Lessons(Lifter(config(taps)))
    if start.suffix == ".npz" and motion is not None:
        seen, _ = lot(motion, frozenset(), taps, {"seed": 0})
        return Lessons(unfolded(predict.load(start), torch.from_numpy(seen)))
    tensors = checkpoints.read(start)
    weight = tensors.get("first.0.weight", torch.empty(0, 0))
    if weight.shape[1] != config(taps).inputs:
        near = torch.exp(-(((torch.arange(taps) - taps // 2) / SPREAD) ** 2) / 2)
        weight = torch.einsum("t,wi->wti", near / near.sum(), weight).flatten(1)
        tensors = {**tensors, "first.0.weight": weight}
    lifter = checkpoints.filled(tensors, Layout(lambda: Lifter(config(taps)), ()))
    assert isinstance(lifter, Lifter)
    return Lessons(lifter.requires_grad_(True))


def folded(lifter: Lifter) -> Folded:
    """Fold batch norm into the layers of a lifter."""
    layers = [lifter.first, *(layer for block in lifter.blocks for layer in _layers(block))]
    pairs = [_fold(layer[0], layer[1]) for layer in layers]
    pairs.append((lifter.last.weight.detach().T.numpy(), lifter.last.bias.detach().numpy()))
    weights, biases = zip(*pairs, strict=True)
    return Folded(tuple(weights), tuple(biases))


def unfolded(network: Folded, seen: Tensor) -> Lifter:
    """Make the lifter of a folded one, with batch norms of what is ``seen`` (N, inputs)."""
    inputs, width = network.weights[0].shape
    lifter = Lifter(config(inputs // len(SEEN) // 3, width)).eval()
    layers = [lifter.first, *(layer for block in lifter.blocks for layer in _layers(block))]
    linears = [*(layer[0] for layer in layers), lifter.last]
    for linear, weight, bias in zip(linears, network.weights, network.biases, strict=True):
        linear.load_state_dict({"weight": torch.tensor(weight.T), "bias": torch.tensor(bias)})
    hooks = [layer[0].register_forward_hook(partial(_fit, layer[1])) for layer in layers]
    with torch.no_grad():
        lifter(seen)
    for hook in hooks:
        hook.remove()
    return lifter


def _fit(norm: nn.BatchNorm1d, _: Any, seen: Any, made: Tensor) -> Tensor:
    """Have a batch norm take off the mean and the deviation of what is ``made``, and put them back.

    It follows the layer that made it, and so changes nothing of what that says.
    """
    norm.running_mean, norm.running_var = made.mean(0), made.var(0)
    norm.weight.copy_((norm.running_var + norm.eps).sqrt())
    norm.bias.copy_(norm.running_mean)
    return made


def _layers(block: Any) -> Iterable[Any]:
    return block.layers


def _fold(linear: nn.Linear, norm: nn.BatchNorm1d) -> tuple[Any, Any]:
    """Fold a layer: weights (inputs, outputs) and biases (outputs,)."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    gain = (norm.weight / (variance + norm.eps).sqrt()).detach()
    weight = (linear.weight * gain[:, None]).detach().T
    bias = ((linear.bias - mean) * gain + norm.bias).detach()
    return weight.contiguous().numpy(), bias.numpy()


def write(network: Folded, path: Path) -> None:
    """Write a folded lifter in half precision, as ``predict.load`` reads it."""
    parts = {f"weight{i}": w.astype(np.float16) for i, w in enumerate(network.weights)}
    parts |= {f"bias{i}": b.astype(np.float16) for i, b in enumerate(network.biases)}
    np.savez(path, **parts)
