"""Measure OpenPose on one core, in CPU milliseconds, beside a plain writing of it, as JSON.

python tests/benchmarks/openpose.py GOLDEN DATA [--times 3]

GOLDEN holds the packs with outputs of the authors' code, DATA the real pictures and the small real
network. The networks have random weights and see 368 x 656 pixels; plain is eager, channels-first
and float32, in the same process and by turns. Plain assembly enlarges all maps by eight and samples
every pair in full. What bfloat16 loses is measured with the small network, on real pictures.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from muybridge.models.openpose import limbs, mobilenet
from muybridge.models.openpose.bodies import BODY_25, COCO, Body
from muybridge.models.openpose.limbs import Pairs
from muybridge.models.openpose.model import OpenPose, OpenPoseBody25, OpenPoseCoco
from muybridge.models.openpose.peaks import MOST
from muybridge.models.openpose.postprocess import (
    People,
    Thresholds,
    assemble,
    joined,
    kept,
    placed,
)  # fmt: skip
from muybridge.models.openpose.predict import Options, ready, see

HEIGHT, WIDTH = 368, 656
BODIES = {"coco18": COCO, "body25": BODY_25}
AUTHORS = {"coco18": 2465, "body25": 1704}  # CPU ms of the authors' code on a quiet core
THEIRS = {1: 39, 5: 40, 20: 44}  # CPU ms of CMU's C++ for COCO's maps, on a quiet core


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("golden", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    kinds = {"coco18": OpenPoseCoco, "body25": OpenPoseBody25}
    with torch.inference_mode():
        report = {
            "networks": {name: network(kind(), given.times) for name, kind in kinds.items()},
            "authors_cpu_ms_on_a_quiet_core": AUTHORS,
            "assembly": assemblies(given.golden / "openpose_paf_assembly", given.times),
            "authors_assembly_cpu_ms_on_a_quiet_core": THEIRS,
            "bfloat16": loss(given.data),
        }
    print(json.dumps(report, indent=2))


def measured(runs: Mapping[str, Callable[[], Any]], times: int) -> dict[str, float]:
    """Run each so many times, by turns, after once to warm up: the least CPU ms of each."""
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(times + 1):
        for name, run in runs.items():
            start = time.process_time()
            run()
            spent[name].append((time.process_time() - start) * 1e3)
    return {name: round(min(values[1:]), 2) for name, values in spent.items()}


def network(plain: OpenPose, times: int) -> dict[str, Any]:
    """Time a network in its three forms: whole, and its front alone."""
    plain = plain.eval().requires_grad_(False)
    forms: dict[str, Any] = {"plain": plain}
    for precision in ("float32", "bfloat16"):
        forms[precision] = ready(copy.deepcopy(plain), precision)
    picture = torch.rand(1, 3, HEIGHT, WIDTH) - 0.5
    inputs = {
        "plain": picture,
        "float32": picture.to(memory_format=torch.channels_last),
        "bfloat16": picture.to(torch.bfloat16, memory_format=torch.channels_last),
    }
    runs = {f"{n} {part}": _run(f, part, inputs[n]) for n, f in forms.items() for part in PARTS}
    spent = measured(runs, times)
    for name in forms:
        spent[f"{name} stages"] = round(spent[f"{name} whole"] - spent[f"{name} front"], 2)
    whole = {name: round(spent[f"{name} whole"] / spent["plain whole"], 3) for name in forms}
    want = plain(picture)
    off = {n: float((forms[n](inputs[n]).float() - want).abs().max()) for n in forms}
    return {"cpu_ms": spent, "ratio": whole, "largest_difference_of_maps": off}


PARTS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "whole": lambda form, x: form(x),
    "front": lambda form, x: form.front(x),
}


def _run(form: Any, part: str, x: Tensor) -> Callable[[], Tensor]:
    return lambda: PARTS[part](form, x)


def assemblies(folder: Path, times: int) -> dict[str, Any]:
    """Time the assembly for each layout with 1, 5 and 20 people."""
    manifest = json.loads((folder / "manifest.json").read_text())
    maps = np.load(folder / "inputs.npz")
    report: dict[str, Any] = {}
    for scene in manifest["scenes"]:
        if scene["people_true"] not in THEIRS or scene["maximize_positives"]:
            continue
        name = f"{scene['layout']} {scene['people_true']}"
        if name in report:
            continue
        body, key = BODIES[scene["layout"]], scene["key"]
        both = torch.from_numpy(np.concatenate([maps[f"{key}_heatmap"], maps[f"{key}_paf"]]))
        spent = measured(
            {
                "ours": lambda both=both, body=body: assemble(both, body, 1.0),
                "plain": lambda both=both, body=body: plainly(both, body),
            },
            4 * times,
        )
        ours, plain = assemble(both, body, 1.0), plainly(both, body)
        same = ours.joints.shape == plain.joints.shape
        off = float(np.abs(ours.joints - plain.joints).max(initial=0)) if same else None
        report[name] = {
            "cpu_ms": spent,
            "ratio": round(spent["ours"] / spent["plain"], 3),
            "people": len(ours.joints),
            "largest_difference_of_joints_px": off,
        }
    return report


def plainly(maps: Tensor, body: Body, thresholds: Thresholds = Thresholds()) -> People:
    """Put people together by enlarging every map: slower, and the same but for rounding."""
    large = functional.interpolate(maps[None], scale_factor=8, mode="bicubic")[0]
    found = _peaks(large[: body.joints], thresholds.peak)
    pairs = _pairs(large[body.heat :], found, body, thresholds)
    listed = found.numpy()
    groups = [g for g in joined(listed, pairs, body) if kept(g, body, thresholds, thresholds.feet)]
    return placed(groups, listed, body, 1.0)


def _peaks(heat: Tensor, threshold: float) -> Tensor:
    """Find peaks of enlarged maps, plateaus too."""
    top = functional.max_pool2d(heat, 3, 1, 1)
    summit = (heat >= top) & (heat > threshold)
    joint, y, x = summit.nonzero(as_tuple=True)
    depth = torch.stack([x, y, heat.shape[2] - 1 - x, heat.shape[1] - 1 - y]).amin(0)
    joint, y, x = (values[depth > 0] for values in (joint, y, x))
    rank = torch.arange(len(joint)) - torch.searchsorted(joint, joint)
    joint, y, x = (values[rank < MOST] for values in (joint, y, x))
    step = torch.arange(-3, 4)
    wide = functional.pad(heat, (3, 3, 3, 3)).clamp(0)
    window = wide[
        joint[:, None, None], y[:, None, None] + 3 + step[:, None], x[:, None, None] + 3 + step
    ]
    total = window.sum((1, 2))
    moved = [(window.sum(axis) @ step.float()) / total for axis in (1, 2)]
    return torch.stack([joint, x + moved[0] + 0.5, y + moved[1] + 0.5, heat[joint, y, x]], 1)


def _pairs(fields: Tensor, found: Tensor, body: Body, thresholds: Thresholds) -> Pairs:
    """Sample every pair of peaks in full."""
    limb, first, second = limbs.possible(found[:, 0].long(), body)
    start, step = found[first, 1:3], found[second, 1:3] - found[first, 1:3]
    length = step.norm(dim=1, keepdim=True)
    number = (5 * step.abs().amax(1)).sqrt().add(0.5).floor().clamp(limbs.FEWEST, limbs.MOST)
    order = torch.arange(limbs.MOST)
    points = start[:, None] + order[:, None] * (step / number[:, None])[:, None]
    size = torch.tensor([fields.shape[2], fields.shape[1]])
    at = torch.minimum((points + 0.5).long().clamp(0), size - 1)
    channel = torch.tensor(body.fields)[limb][:, None]
    x, y = (fields[channel + k, at[..., 1], at[..., 0]] for k in (0, 1))
    unit = step / length
    value = x * unit[:, :1] + y * unit[:, 1:]
    counts = (value > thresholds.field) & (order < number[:, None])
    count = counts.sum(1)
    score = (value * counts).sum(1) / count.clamp(1)
    near = (length[:, 0] < float(size.prod()) ** 0.5 / limbs.TOUCHING) * limbs.TOUCH
    score = torch.where(count / number > thresholds.share, score, near)
    good = ((score > 1e-6) & (length[:, 0] > 1e-6)).nonzero()[:, 0]
    return Pairs(limb[good], first[good], second[good], score[good])


def loss(data: Path) -> dict[str, Any]:
    """Compare the people that the small network finds in bfloat16 with those in float32."""
    folder = data / "weights" / "openpose_mobilenet_v2_small"
    exact, coarse = (ready(mobilenet.load(folder), p) for p in ("float32", "bfloat16"))
    moved, report = list[float](), dict[str, Any]()
    for file in sorted((data / "coco_keypoints").glob("*.jpg")):
        picture = torch.tensor(np.asarray(Image.open(file).convert("RGB")))[None]
        (one,), (other,) = (see(net, picture, Options()) for net in (exact, coarse))
        report[file.name] = {"float32": len(one.joints), "bfloat16": len(other.joints)}
        moved += _moved(one.joints, other.joints)
    return {
        "people_found": report,
        "joints": len(moved),
        "moved_px": {
            f"{p}th percentile": round(float(np.percentile(moved, p)), 2) for p in (50, 95, 100)
        },
    }


def _moved(one: np.ndarray, other: np.ndarray) -> list[float]:
    """Measure the joints that both have, of people paired by the nearest, in pixels."""
    moved: list[float] = []
    for person in one:
        both = (person[:, 2] > 0) & (other[..., 2] > 0)
        far = np.linalg.norm(person[:, :2] - other[..., :2], axis=-1)
        near = [np.median(f[b]) if b.any() else np.inf for f, b in zip(far, both, strict=True)]
        if len(near) and np.isfinite(min(near)):
            best = int(np.argmin(near))
            moved += far[best][both[best]].tolist()
    return moved


if __name__ == "__main__":
    main()
