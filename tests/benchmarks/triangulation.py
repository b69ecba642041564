"""Measure learnable triangulation: steps, memory, and what precision changes, as JSON.

python tests/benchmarks/triangulation.py PACKS [--device cuda] [--rounds 3] [--no-memory]

PACKS is the folder of the golden packs, whose weights are used. Steps are milliseconds for a person
in four pictures of 384 x 384 pixels, and a cube of 64 cells along an edge; "plain" is the network
as the article has it, eager, float32, all pictures at once. ``memory`` is what a process has
resident at most, in MiB beyond what it has with the network loaded, for people and views;
``parity`` is how far joints are from the authors' in float64, in mm, and ``bfloat16_off`` how far
from ours in float32, pixels in crops or mm: the weights are synthetic, and trained ones may round
otherwise. The views see different blots, of which no point can be made, so what they see counts.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from turns import blurred, machine, pack, turns, worst

from muybridge import checkpoints
from muybridge.geometry.cameras import Camera
from muybridge.models.triangulation import volumes
from muybridge.models.triangulation.checkpoint import LAYOUTS
from muybridge.models.triangulation.model import triangulated
from muybridge.models.triangulation.predict import AlgebraicPredictor, VolumetricPredictor
from muybridge.models.triangulation.preprocess import SIDE, normalised
from muybridge.models.triangulation.volumetric import Space, small

VIEWS = 4
TO_METRES = torch.tensor([1000, 1000, 1000, 1.0], dtype=torch.float64)
PELVIS = 6
KINDS = ("algebraic", "volumetric")
NAMES = {"algebraic": "human36m_alg_10-04-2019", "volumetric": "human36m_vol_softmax_10-08-2019"}
PREDICTORS: Any = {"algebraic": AlgebraicPredictor, "volumetric": VolumetricPredictor}
CASES = ((1, 2), (1, 4), (1, 8), (1, 16), (4, 4))  # people and views


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packs", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--held", nargs=3, help="kind, people, views: measure memory only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.held:
        kind, people, views = options.held
        print(held(options.packs, kind, int(people), int(views), options.device))
        return
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        report = {
            **machine(options.device),
            **{kind: speed(options.packs, kind, options) for kind in KINDS},
            "parity_mm": {kind: parity(options.packs, kind, options.device) for kind in KINDS},
        }
    if not options.no_memory:
        report["memory_mib"] = {
            kind: {f"{p} people, {v} views": asked(options, kind, p, v) for p, v in CASES}
            for kind in KINDS
        }
    print(json.dumps(report, indent=2))


def network(packs: Path, kind: str) -> tuple[Any, Any, Any, Any]:
    """Make a network of its pack's numbers; the manifest, inputs and outputs come along."""
    manifest, given, wanted, tensors = pack(packs / f"triangulation_{kind}")
    return manifest, given, wanted, checkpoints.filled(tensors, LAYOUTS[NAMES[kind]])


def around(views: int) -> Tensor:
    """Give matrices (V, 3, 4) of cameras that stand 4 m around a person, to pixels of crops."""
    made = []
    for angle in np.arange(views) * 2 * np.pi / views + 0.1:
        cosine, sine = np.cos(angle), np.sin(angle)
        rotation = np.array([[-sine, cosine, 0], [0, 0, -1], [-cosine, -sine, 0]])
        outer = np.column_stack([rotation, [0, 0, 4.0]])
        made.append(np.array([[SIDE, 0, SIDE / 2], [0, SIDE, SIDE / 2], [0, 0, 1]]) @ outer)
    return torch.from_numpy(np.stack(made))


def speed(packs: Path, kind: str, options: Any) -> dict[str, Any]:
    """Time the steps of a person, and compare joints in bfloat16 with those in float32."""
    plain = network(packs, kind)[-1].to(options.device).eval()
    crops = torch.from_numpy(blurred(VIEWS, SIDE)).to(options.device)
    matrices = around(VIEWS).to(options.device)
    quick = {
        name: PREDICTORS[kind](plain, name, options.device) for name in ("float32", "bfloat16")
    }
    if kind == "algebraic":
        forms = {
            "plain": {
                "pictures": lambda _: _seen(plain, crops),
                "points": lambda found: _points(*found, matrices),
            },
            **{
                name: {
                    "pictures": lambda _, each=each: each.looking(crops),
                    "points": lambda found: _points(*found, matrices),
                }
                for name, each in quick.items()
            },
        }
    else:
        cells, place = _cells(plain.space, crops.device)
        forms = {
            "plain": {
                "pictures": lambda _: plain.seen(normalised(crops))[0],
                "cube": lambda maps: _whole(maps, place, cells),
                "joints": lambda cube: _joints(plain.network, cube, cells),
            },
            **{
                name: {
                    "pictures": lambda _, each=each: each.looking(crops)[0],
                    "cube": lambda maps: volumes.filled(maps, place, cells, "softmax"),
                    "joints": lambda cube, each=each: _joints(each.cube, cube, cells),
                }
                for name, each in quick.items()
            },
        }
    places = {name: _all(form).float().cpu().numpy() for name, form in forms.items()}
    off = np.linalg.norm(places["bfloat16"] - places["float32"], axis=-1)
    unit, scale = ("px", 1.0) if kind == "algebraic" else ("mm", 1e3)
    return {
        "ms_a_person": turns(forms, options.rounds, options.device, 1),
        f"float32_off_{unit}": round(scale * worst([(places["float32"], places["plain"])]), 5),
        f"bfloat16_off_{unit}": {
            "mean": round(scale * float(off.mean()), 3),
            "most": round(scale * float(off.max()), 3),
        },
    }


def _all(form: Any) -> Any:
    x = None
    for step in form.values():
        x = step(x)
    return x


def _seen(plain: Any, crops: Tensor) -> tuple[Tensor, Tensor]:
    maps = plain.backbone.maps(normalised(crops))
    return plain.backbone.heat(maps), plain.confidences(maps)


def _points(heat: Tensor, trust: Tensor, matrices: Tensor) -> Tensor:
    return triangulated(heat[None], trust[None], matrices[None], (SIDE, SIDE)).places[0]


def _cells(space: Space, device: torch.device) -> tuple[Tensor, Tensor]:
    cells = volumes.cube(torch.zeros(3), torch.eye(3), space.side, space.cells).to(device)
    place = small(around(VIEWS), (SIDE, SIDE), (SIDE // 4, SIDE // 4)).float().to(device)
    return cells, place


def _whole(maps: Tensor, place: Tensor, cells: Tensor) -> Tensor:
    """Bring all views together at once, as the authors do."""
    shown = volumes.unprojected(maps, place, cells.reshape(-1, 3))
    return volumes.AGGREGATIONS["softmax"](shown, shown).view(-1, *cells.shape[:3])


def _joints(cube: Any, given: Tensor, cells: Tensor) -> Tensor:
    return volumes.expected(volumes.spread(cube(given[None])[0]), cells)


def parity(packs: Path, kind: str, device: str) -> float:
    """Say how far the pack's joints are from the authors' in float64, in mm."""
    manifest, given, wanted, plain = network(packs, kind)
    plain = plain.to(device).eval()
    pictures = torch.from_numpy(given["images"]).flip(-1).to(device)
    seen = normalised(pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2])
    matrices = (torch.from_numpy(given["proj_matrices"]).double() * TO_METRES).to(device)
    if kind == "algebraic":
        found = plain(seen, matrices).points
    else:
        plain.space = Space(cells=manifest["config"]["volume_size"])
        centres = torch.from_numpy(given["pred_keypoints_3d"])[:, PELVIS].to(device) / 1000
        found = plain(seen, matrices, centres)
    return round(worst([(found.cpu() * 1000, wanted["keypoints_3d_float64"])]), 4)


def asked(options: Any, kind: str, people: int, views: int) -> float:
    """Measure memory in a process of its own."""
    command = [sys.executable, __file__, str(options.packs), "--device", options.device]
    command += ["--held", kind, str(people), str(views)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def held(packs: Path, kind: str, people: int, views: int, device: str) -> float:
    """Find people in pictures, and say by how many MiB the process grew at most."""
    predictor = PREDICTORS[kind](network(packs, kind)[-1], "float32", device)
    pictures = list(np.random.default_rng(0).integers(0, 256, (views, 480, 640, 3), np.uint8))
    matrix = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    outer = around(views).numpy()
    inner = np.linalg.inv([[SIDE, 0, SIDE / 2], [0, SIDE, SIDE / 2], [0, 0, 1]])
    cameras = [
        Camera("", (640, 480), matrix, np.zeros(5), (inner @ each)[:, :3], (inner @ each)[:, 3])
        for each in outer
    ]
    boxes = np.tile([120.0, 40, 520, 440], (people, views, 1))
    more = (np.zeros((people, 3)),) if kind == "volumetric" else ()
    if device == "cpu":
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # what loading left behind is not to be used again
    before = _resident(device)
    predictor(pictures, cameras, boxes, *more)
    return round((_resident(device, "VmHWM") - before) / 2**20, 1)


def _resident(device: str, what: str = "VmRSS") -> float:
    """Say what the process has resident, or had at most since it was asked last, in bytes."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    told = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    Path("/proc/self/clear_refs").write_text("5")  # forget the most
    return int(told[what].split()[0]) * 1024


if __name__ == "__main__":
    main()
