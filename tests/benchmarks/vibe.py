"""Measure VIBE on one core, step by step, and what bfloat16 changes in its bodies, as JSON.

python tests/benchmarks/vibe.py PACK DATA [--rounds 5]

PACK is the folder of VIBE's golden pack: its weights, body and crops are used; DATA holds the real
pictures. Steps are CPU milliseconds a frame, for a track of 32 frames of 1280 x 720 pixels, the
least of some rounds in which all forms take turns. ``ratio`` compares a form with the plain one:
torchvision's ResNet-50 with its batch norm, the generator and the whole body, eager, float32,
channels first, all 32 at once; ``plain by eights`` is the same with eight pictures at a time.
``floor`` says what the backbone's arithmetic alone would take at the speed of one large
convolution. ``bfloat16_off_mm`` is how far the 49 joints are from those in float32, beside how far
one body is from the next; the weights are synthetic, and a trained network may round otherwise.
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
from densepose import peak
from PIL import Image
from torch import Tensor, nn
from torchvision.models import resnet50

from muybridge import checkpoints
from muybridge.evaluate.poses import mpjpe
from muybridge.geometry.smpl import PARENTS, VERTICES, Body, Joints, joints49
from muybridge.models.vibe.checkpoint import LAYOUTS, completed
from muybridge.models.vibe.model import Vibe, bodies
from muybridge.models.vibe.predict import Predictor
from muybridge.models.vibe.preprocess import crops, normalised, squares

BATCH = 32  # frames
SIZE = (720, 1280)  # height and width of a frame
STEPS = ("crop", "backbone", "gru", "regressor", "smpl joints")
Steps = tuple[Callable[[Any], Any], ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network, body, extra = filled(options.pack)
    predictors = {name: Predictor(network, name) for name in ("float32", "bfloat16")}
    joints = Joints(body, extra)
    with torch.inference_mode():
        forms = {"plain": plain(network, body, extra, BATCH)}
        forms["plain by eights"] = plain(network, body, extra, 8)
        forms |= {name: quick(each, joints) for name, each in predictors.items()}
        report = {
            **speed(forms, options.rounds),
            "floor": floor(network.backbone),
            "bfloat16_off_mm": {
                "the pack's crops": off(predictors, joints, packed(options.pack)),
                "people in COCO's pictures": off(predictors, joints, real(options.data)),
            },
        }
    print(json.dumps(report, indent=2))


def filled(pack: Path) -> tuple[Vibe, Body, Tensor]:
    """Make the network, the body and its regressor of extra joints with the pack's numbers."""
    spec: Any = importlib.util.spec_from_file_location("fill", pack.parent / "synthetic_weights.py")
    rule: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    tensors = {n: torch.from_numpy(t) for n, t in rule.state_dict(pack / "manifest.json").items()}
    given = {n: torch.from_numpy(t) for n, t in np.load(pack / "inputs.npz").items()}
    mean = {name: given[f"init_{name}"] for name in ("pose", "shape", "cam")}
    hmr = {n.removeprefix("hmr."): t for n, t in tensors.items() if n.startswith("hmr.")}
    vibe = {n: t for n, t in tensors.items() if n.startswith(("encoder.", "regressor."))}
    seeing: Any = checkpoints.filled(completed(hmr, mean), LAYOUTS["spin"])
    moving: Any = checkpoints.filled(completed(vibe, mean), LAYOUTS["vibe_wo_3dpw"])
    return Vibe(seeing.backbone, moving), *surface(tensors, given)


def surface(tensors: dict[str, Tensor], given: dict[str, Tensor]) -> tuple[Body, Tensor]:
    """Make the pack's body, and its regressor of extra joints (9, V)."""

    def matrix(name: str, rows: int) -> Tensor:
        made = torch.zeros(rows, VERTICES)
        row, column = given[f"smpl.{name}_index"].long()
        made[row, column] = given[f"smpl.{name}_value"]
        return made

    weights = torch.zeros(VERTICES, len(PARENTS))
    weights.scatter_(1, given["smpl.weights_index"].long(), given["smpl.weights_value"])
    body = Body(
        given["smpl.v_template"],
        tensors["smpl.shapedirs"],
        tensors["smpl.posedirs"],
        matrix("J_regressor", len(PARENTS)),
        weights,
        given["smpl.faces"].long(),
    )
    return body, matrix("J_regressor_extra", 9)


def cut() -> Any:
    """Cut a person out of each of the frames."""
    frames = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    boxes = np.tile([640.0, 360, 400, 400], (BATCH, 1))
    return lambda _: crops(frames, [row % 2 for row in range(BATCH)], boxes)


def plain(network: Vibe, body: Body, extra: Tensor, size: int) -> Steps:
    """Write the steps as the article does, with so many pictures at a time."""
    backbone = resnet50(weights=None)
    backbone.fc = nn.Identity()
    backbone.load_state_dict(network.backbone.state_dict(), strict=False)
    backbone.eval()
    encoder, regressor = network.generator.encoder, network.generator.regressor

    def features(crops: Any) -> Tensor:
        parts = normalised(torch.from_numpy(crops)).contiguous().split(size)
        return torch.cat([backbone(part) for part in parts])

    return (
        cut(),
        features,
        lambda features: encoder(features[None])[0][0],
        regressor,
        lambda found: joints49(body(found.betas, found.rotations), extra),
    )


def quick(predictor: Predictor, joints: Joints) -> Steps:
    """Write the steps as the product does."""
    head: Any = predictor.head
    return (
        cut(),
        predictor.features,
        lambda features: (features, head.gru(features)[0]),
        lambda both: bodies(head.seen(both[0]) + head.found(both[1].relu())),
        lambda found: joints(found.betas, found.rotations),
    )


def speed(forms: dict[str, Steps], rounds: int) -> dict[str, Any]:
    """Time the steps of every form, turn by turn: milliseconds a frame."""
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in forms}
    for _ in range(rounds + 1):
        for name, form in forms.items():
            rows[name].append(timed(form))
    least = {
        name: {step: min(row[step] for row in mine[1:]) for step in STEPS}
        for name, mine in rows.items()
    }
    for costs in least.values():
        costs["total"] = sum(costs.values())
    return {
        "cpu_ms": {n: {s: round(ms, 3) for s, ms in costs.items()} for n, costs in least.items()},
        "ratio": {
            n: {s: round(ms / least["plain"][s], 3) for s, ms in costs.items()}
            for n, costs in least.items()
            if n != "plain"
        },
    }


def timed(form: Steps) -> dict[str, float]:
    """Run all steps once: milliseconds a frame of each."""
    spent, x = {}, None
    for name, step in zip(STEPS, form, strict=True):
        start = time.process_time()
        x = step(x)
        spent[name] = (time.process_time() - start) * 1e3 / BATCH
    return spent


def floor(backbone: nn.Module) -> dict[str, Any]:
    """Say what the backbone's arithmetic for a frame takes if all of it ran as fast as can be."""
    done = [0]

    def count(layer: Any, given: tuple[Tensor, ...], made: Tensor) -> None:
        done[0] += 2 * layer.weight.numel() * made[0, 0].numel()

    layers = [layer for layer in backbone.modules() if isinstance(layer, nn.Conv2d)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    backbone(torch.zeros(1, 3, 224, 224))
    for hook in hooks:
        hook.remove()
    fastest = {kind: peak(kind) for kind in (torch.float32, torch.bfloat16)}
    return {
        "gflop": round(done[0] / 1e9, 2),
        "gflop_a_second": {str(kind): round(best / 1e9) for kind, best in fastest.items()},
        "cpu_ms": {str(kind): round(done[0] / best * 1e3, 1) for kind, best in fastest.items()},
    }


def off(predictors: dict[str, Predictor], joints: Joints, given: Any) -> dict[str, float]:
    """Say how far joints in bfloat16 are from those in float32, in millimetres."""
    found = {}
    for name, predictor in predictors.items():
        body, _ = predictor.bodies(predictor.features(given))
        found[name] = joints(body.betas, body.rotations).numpy()
    each = mpjpe(found["bfloat16"], found["float32"]) * 1e3
    moved = mpjpe(found["float32"][1:], found["float32"][:-1]) * 1e3
    return {
        "people": len(each),
        "mean": round(float(each.mean()), 2),
        "largest": round(float(each.max()), 2),
        "from_one_to_the_next_mean": round(float(moved.mean()), 2),
    }


def packed(pack: Path) -> Any:
    """Give the pack's crops."""
    return np.load(pack / "outputs.npz")["crop_uint8"]


def real(data: Path) -> Any:
    """Cut the annotated people out of the real pictures."""
    folder = data / "coco_keypoints"
    truth = json.loads((folder / "test_coco.json").read_text())
    names = {image["id"]: image["file_name"] for image in truth["images"]}
    pictures = {
        number: np.asarray(Image.open(folder / Path(name).name).convert("RGB"))
        for number, name in names.items()
    }
    cuts = []
    for person in truth["annotations"]:
        x, y, width, height = person["bbox"]
        boxes = squares(np.array([[x, y, x + width, y + height]]))
        cuts.append(crops([pictures[person["image_id"]]], [0], boxes))
    return np.concatenate(cuts)


if __name__ == "__main__":
    main()
