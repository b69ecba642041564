"""Measure DensePose on one core, step by step, and what bfloat16 changes in its answers, as JSON.

python tests/benchmarks/densepose.py PACK [--rounds 3]

PACK is the folder of DensePose's golden pack: its weights and pictures are used. Steps are CPU
milliseconds for a picture of 800 x 1067 pixels with five people, the least of some rounds in which
all forms take turns. ``ratio`` compares a form with the plain network: eager, channels first,
float32. ``floor`` says what the arithmetic alone would take at the speed of one large convolution.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from muybridge import checkpoints
from muybridge.convolutions import Fused, Tiled
from muybridge.models.densepose.checkpoint import LAYOUTS
from muybridge.models.densepose.config import Config
from muybridge.models.densepose.model import DensePose
from muybridge.models.densepose.predict import Predictor, see
from muybridge.models.densepose.preprocess import batch
from muybridge.models.densepose.swift import Precision, Swift

NAME = "densepose_rcnn_R_50_FPN_s1x"
SIZE = (480, 640)  # height and width of a picture that becomes 800 x 1067
# Five people side by side cover 36 % of the picture, as those of a COCO picture with five may do.
PEOPLE = torch.tensor(
    [[40.0 + 210 * n, 180 + 20 * n, 170 + 210 * n, 650 + 20 * n] for n in range(5)]
)
STEPS = ("backbone and pyramid", "regions", "person head", "decoder and cut", "surface head")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = filled(options.pack)
    with torch.inference_mode():
        cost = speed(network, options.rounds)
        changes = error(network, options.pack)
    print(json.dumps({**cost, "bfloat16_changes": changes}, indent=2))


def filled(pack: Path) -> DensePose:
    """Make the network with the pack's synthetic weights."""
    spec: Any = importlib.util.spec_from_file_location("fill", pack.parent / "synthetic_weights.py")
    rule: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    tensors = {n: torch.from_numpy(t) for n, t in rule.state_dict(pack / "manifest.json").items()}
    network = checkpoints.filled(tensors, LAYOUTS[NAME])
    assert isinstance(network, DensePose)
    return network


def speed(network: DensePose, rounds: int) -> dict[str, Any]:
    """Time the steps of every form of the network, turn by turn."""
    picture = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    pixels = batch([picture], Config()).pixels.contiguous()
    forms: dict[str, DensePose] = {
        "plain": network,
        "float32": Swift(network, "float32"),
        "bfloat16": Swift(network, "bfloat16"),
    }
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in forms}
    for _ in range(rounds + 1):
        for name, form in forms.items():
            rows[name].append(steps(form, pixels))
    least = {
        name: {step: min(row[step] for row in mine[1:]) for step in STEPS}
        for name, mine in rows.items()
    }
    for costs in least.values():
        costs["total"] = sum(costs.values())
    plain = least["plain"]
    return {
        "cpu_ms": {n: {s: round(ms) for s, ms in costs.items()} for n, costs in least.items()},
        "ratio": {
            n: {s: round(ms / plain[s], 3) for s, ms in costs.items()}
            for n, costs in least.items()
            if n != "plain"
        },
        "floor": floors(forms, pixels),
    }


def steps(network: DensePose, pixels: Tensor) -> dict[str, float]:
    """Run a picture through the network once: milliseconds of each step."""
    size = ((800, 1067),)
    spent: list[float] = []

    def timed(step: Callable[[], Any]) -> Any:
        start = time.process_time()
        done = step()
        spent.append((time.process_time() - start) * 1e3)
        return done

    maps = timed(lambda: network.features(pixels))
    regions = timed(lambda: network.regions(maps, size))
    timed(lambda: network.people(maps, regions, size))
    cut = timed(lambda: network.cut(maps, [PEOPLE]))
    timed(lambda: network.chart(cut))
    return dict(zip(STEPS, spent, strict=True))


def floors(forms: dict[str, DensePose], pixels: Tensor) -> dict[str, Any]:
    """Say how much arithmetic there is, and what it takes if all of it ran as fast as can be."""
    fastest = {kind: peak(kind) for kind in (torch.float32, torch.bfloat16)}
    told: dict[str, Any] = {
        "gflop_a_second": {str(kind): round(best / 1e9) for kind, best in fastest.items()}
    }
    for name, form in forms.items():
        work = arithmetic(form, pixels)
        told[name] = {
            "gflop": {str(kind): round(done / 1e9, 1) for kind, done in work.items()},
            "cpu_ms": round(sum(done / fastest[kind] for kind, done in work.items()) * 1e3),
        }
    return told


def arithmetic(network: DensePose, pixels: Tensor) -> Counter[torch.dtype]:
    """Count what the convolutions and linear layers do for a picture, in operations of a kind."""
    counts: Counter[torch.dtype] = Counter()

    def count(layer: Any, given: tuple[Tensor, ...], made: Tensor) -> None:
        if isinstance(layer, Tiled):
            cells = made.numel() / made.shape[1] / layer.step**2
            weight = layer.kernels
        else:
            weight = layer.convolution.weight if isinstance(layer, Fused) else layer.weight
            up = isinstance(layer, nn.ConvTranspose2d)
            side = given[0] if up else made
            cells = side.numel() / weight.shape[0]
        counts[weight.dtype] += 2 * weight.numel() * int(cells)

    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, Fused, Tiled)
    fused = [m for m in network.modules() if isinstance(m, Fused)]
    inner = {id(m) if isinstance(m.convolution, Tiled) else id(m.convolution) for m in fused}
    layers = [m for m in network.modules() if isinstance(m, kinds) and id(m) not in inner]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    steps(network, pixels)
    for hook in hooks:
        hook.remove()
    return counts


def peak(kind: torch.dtype) -> float:
    """Measure a large 3x3 convolution: operations a second."""
    layer = nn.Conv2d(256, 256, 3, padding=1).to(kind).to(memory_format=torch.channels_last)
    x = torch.ones(1, 256, 100, 136, dtype=kind).to(memory_format=torch.channels_last)
    times = []
    for _ in range(5):
        start = time.process_time()
        layer(x)
        times.append(time.process_time() - start)
    return 2 * layer.weight.numel() * 100 * 136 / min(times)


def error(network: DensePose, pack: Path) -> dict[str, float]:
    """Say how far answers in bfloat16 are from those in float32, on the pack's pictures."""
    settings = json.loads((pack / "manifest.json").read_text())["settings"]
    network.config = replace(
        network.config,
        min_size=settings["INPUT.MIN_SIZE_TEST"],
        max_size=settings["INPUT.MAX_SIZE_TEST"],
    )
    inputs = np.load(pack / "inputs.npz")
    pictures = [np.ascontiguousarray(inputs[name][:, :, ::-1]) for name in ("image", "image_b")]
    kinds: Sequence[Precision] = ("float32", "bfloat16")
    fine, rough = (Predictor(network, kind) for kind in kinds)
    wanted = see(fine, pictures, min_score=0.9)
    found = see(rough, pictures, min_score=0.05)
    moved = np.concatenate([nearest(a.boxes, b.boxes) for a, b in zip(wanted, found, strict=True)])
    same = see(rough, pictures, [each.boxes for each in wanted])
    pairs = [
        pair
        for a, b in zip(wanted, same, strict=True)
        for pair in zip(a.surfaces, b.surfaces, strict=True)
    ]
    changed = np.concatenate([(a.parts != b.parts).ravel() for a, b in pairs])
    kept = [(a.parts == b.parts) & (a.parts > 0) for a, b in pairs]
    bytes_off = np.concatenate(
        [
            np.abs(a.uv.astype(int) - b.uv.astype(int))[mask].ravel()
            for (a, b), mask in zip(pairs, kept, strict=True)
        ]
    )
    return {
        "people": len(pairs),
        "labels_changed": round(float(changed.mean()), 4),
        "uv_off_mean_of_255": round(float(bytes_off.mean()), 2),
        "box_moved_median_px": round(float(np.median(moved)), 2),
        "box_moved_p90_px": round(float(np.quantile(moved, 0.9)), 2),
    }


def nearest(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return for each of boxes (N, 4) how far the corners of the nearest of (M, 4) are, at most."""
    return np.abs(boxes[:, None] - others[None]).max(2).min(1)


if __name__ == "__main__":
    main()
