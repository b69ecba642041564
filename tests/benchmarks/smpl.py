"""Measure posing SMPL bodies on one core, beside the published way of doing it, as JSON.

python tests/benchmarks/smpl.py PACK [--rounds 9]

PACK is the folder of SMPL's golden pack, whose body is used. Times are CPU milliseconds a body, for
32 bodies at once, the least of some rounds in which all forms take turns. ``published`` writes the
blend shapes and the skinning as the article and the authors' code state them, vertex by vertex:
einsum over shapes, a product over bends, a 4 x 4 matrix for each vertex. ``body`` is ours, the
whole surface; ``joints`` ours, the 49 joints alone; ``steps`` is where the time of ``body`` goes,
and ``floor`` what its largest product would take at the speed of one of large square matrices.
``off_um`` is the largest difference from the published way, in micrometres.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from vibe import surface

from muybridge.geometry.rotations import matrix_from_axis_angle
from muybridge.geometry.smpl import BENDS, PARENTS, Body, Joints, bent, joints49, moves, walked

BODIES = 32
SQUARE = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    body, extra = filled(options.pack)
    draw = torch.Generator().manual_seed(0)
    betas = torch.randn(BODIES, 10, generator=draw)
    rotations = matrix_from_axis_angle(0.4 * torch.randn(BODIES, 24, 3, generator=draw))
    joints, theirs = Joints(body, extra), Published(body)
    rest = body.rest(betas)
    turns = moves(walked(rest, rotations), rest)
    points = body.blended(betas, rotations)
    square = torch.randn(SQUARE, SQUARE, generator=draw)
    forms: dict[str, Callable[[], Any]] = {
        "published": lambda: theirs(betas, rotations),
        "body": lambda: body(betas, rotations),
        "joints": lambda: joints(betas, rotations),
        "blend shapes": lambda: body.blended(betas, rotations),
        "joints' moves": lambda: moves(walked(body.rest(betas), rotations), rest),
        "skinning": lambda: body.skinned(points, turns),
        "square": lambda: square @ square,
    }
    with torch.inference_mode():
        best = timed(forms, options.rounds)
        vertices, skeleton = theirs(betas, rotations)
        posed = body(betas, rotations)
        off = {
            "vertices": posed.vertices - vertices,
            "joints": posed.joints - skeleton,
            "49 joints": joints(betas, rotations) - joints49(posed, extra),
        }
    products = 3 * len(body.template) * BENDS * BODIES
    floor = best["square"] * products / SQUARE**3
    report = {
        "cpu_ms": {name: round(best[name], 4) for name in ("published", "body", "joints")},
        "ratio": {name: round(best[name] / best["published"], 3) for name in ("body", "joints")},
        "steps": {n: round(best[n], 4) for n in ("blend shapes", "joints' moves", "skinning")},
        "floor": round(floor, 4),
        "off_um": {name: round(float(x.abs().max()) * 1e6, 2) for name, x in off.items()},
    }
    print(json.dumps(report, indent=1))


def timed(forms: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Give the CPU milliseconds a body that each form takes at its best."""
    best = dict.fromkeys(forms, np.inf)
    for _ in range(rounds):
        for name, run in forms.items():
            start = time.process_time()
            for _ in range(5):
                run()
            best[name] = min(best[name], (time.process_time() - start) / 5 / BODIES * 1e3)
    return best


def filled(pack: Path) -> tuple[Body, Tensor]:
    """Make the pack's body, and its regressor of extra joints."""
    spec: Any = importlib.util.spec_from_file_location("fill", pack.parent / "synthetic_weights.py")
    rule: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    tensors = {n: torch.from_numpy(t) for n, t in rule.state_dict(pack / "manifest.json").items()}
    given = {n: torch.from_numpy(t) for n, t in np.load(pack / "inputs.npz").items()}
    return surface(tensors, given)


class Published:
    """Pose bodies as the article states it (Loper et al. 2015, equations 2 to 9)."""

    def __init__(self, body: Body) -> None:
        self.template = body.template.contiguous()
        self.shapes = body.shape_directions.contiguous()  # (V, 3, 10)
        bends = body.pose_directions.contiguous()  # (V, 3, 207)
        self.bends = bends.view(-1, bends.shape[-1]).T.contiguous()  # (207, 3 V)
        self.regressor, self.weights = body.regressor, body.weights.contiguous()

    def __call__(self, betas: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
        count = len(betas)
        shaped = self.template + torch.einsum("bl,vkl->bvk", betas, self.shapes)
        rest = torch.einsum("bvk,jv->bjk", shaped, self.regressor)
        posed = shaped + (bent(rotations) @ self.bends).view(count, -1, 3)
        world = self.walk(rest, rotations)
        start = torch.nn.functional.pad(rest, (0, 1))[..., None]
        away = world - torch.nn.functional.pad(world @ start, (3, 0))
        matrices = (self.weights.expand(count, -1, -1) @ away.view(count, 24, 16)).view(
            count, -1, 4, 4
        )
        whole = torch.cat([posed, torch.ones(count, posed.shape[1], 1)], 2)
        return (matrices @ whole[..., None])[:, :, :3, 0], world[:, :, :3, 3]

    def walk(self, rest: Tensor, rotations: Tensor) -> Tensor:
        """Give each joint's transformation (N, 24, 4, 4), one joint after the other."""
        bones = rest.clone()
        bones[:, 1:] -= rest[:, list(PARENTS[1:])]
        local = torch.nn.functional.pad(torch.cat([rotations, bones[..., None]], 3), (0, 0, 0, 1))
        local[:, :, 3, 3] = 1
        chain = [local[:, 0]]
        for joint, parent in enumerate(PARENTS[1:], 1):
            chain.append(chain[parent] @ local[:, joint])
        return torch.stack(chain, 1)


if __name__ == "__main__":
    main()
