"""Measure torchvision's video networks on a clip, as JSON.

python tests/benchmarks/clip_actions.py [--device cuda] [--rounds 3]

Steps are milliseconds for a clip of as many frames as the network was taught, 340 x 256 pixels:
bringing them to its size, and the network. "plain" is torchvision's own transforms and network,
eager, float32. ``bfloat16`` is how far scores are from those in float32 at most, and how many of
some clips have another likeliest class; weights are random with a last layer that tells clips
apart, and trained ones may round otherwise.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import torch
from PIL import Image
from turns import machine, turns

from muybridge.models.kinetics.model import KINDS, network
from muybridge.models.kinetics.predict import Predictor
from muybridge.models.kinetics.preprocess import small

SIZE = (340, 256)
CLIPS = 6
SHARP = 20.0  # by which the last layer's weights are multiplied, so that scores differ


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        report = {
            **machine(options.device),
            **{name: measured(name, options) for name in KINDS},
        }
    print(json.dumps(report, indent=2))


def measured(name: str, options: Any) -> dict[str, Any]:
    """Measure one network."""
    torch.manual_seed(0)
    plain = network(name).eval()
    last = [key for key in plain.state_dict() if key.endswith("weight")][-1]
    plain.state_dict()[last].mul_(SHARP)
    kind = KINDS[name]
    transforms = kind.weights.transforms()
    quick = {p: Predictor(plain, name, p, options.device) for p in ("float32", "bfloat16")}
    plain = plain.to(options.device)
    frames = film(kind.frames, 0)
    forms: dict[str, Any] = {
        "plain": {
            "pictures": lambda _: transforms(torch.from_numpy(frames).permute(0, 3, 1, 2)),
            "network": lambda seen: plain(seen[None].to(options.device))[0].softmax(0).cpu(),
        },
        **{
            precision: {
                "pictures": lambda _: torch.stack([small(each, transforms) for each in frames]),
                "network": lambda seen, each=each: each(seen),
            }
            for precision, each in quick.items()
        },
    }
    return {
        "frames": kind.frames,
        "ms_a_clip": turns(forms, options.rounds, options.device, 1),
        "bfloat16": changed(quick, transforms, kind.frames),
    }


def changed(quick: dict[str, Predictor], transforms: Any, count: int) -> dict[str, Any]:
    """Say what bfloat16 changes in some clips' scores."""
    scores = {name: list[Any]() for name in quick}
    for seed in range(CLIPS):
        seen = torch.stack([small(each, transforms) for each in film(count, seed)])
        for name, each in quick.items():
            scores[name].append(each(seen))
    one, other = (np.array(scores[name]) for name in ("float32", "bfloat16"))
    return {
        "clips": CLIPS,
        "scores_off": round(float(abs(one - other).max()), 4),
        "labels_changed": int((one.argmax(1) != other.argmax(1)).sum()),
    }


def film(count: int, seed: int) -> Any:
    """Make a clip (count, 256, 340, 3) of blots that drift."""
    random = np.random.default_rng(seed)
    blots = random.integers(0, 256, (12, 24, 3), np.uint8)
    wide = Image.fromarray(blots).resize((2 * SIZE[0], SIZE[1]), Image.Resampling.BICUBIC)
    pace = int(random.integers(1, 5))
    return np.stack([np.roll(wide, -pace * n, 1)[:, : SIZE[0]] for n in range(count)])


if __name__ == "__main__":
    main()
