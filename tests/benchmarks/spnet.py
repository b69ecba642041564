"""Measure the multi-task network on tracks: steps, and what precision changes, as JSON.

python tests/benchmarks/spnet.py PACKS [--device cuda] [--rounds 3] [--frames 32]

PACKS is the folder of the golden packs, whose weights are used. A track's crops are looked at and
its clips judged, each beginning two frames after the one before. Steps are milliseconds a frame:
"plain" runs the network on every clip, as the article has it, eager, float32; "plain once" looks at
each crop once. ``parity`` is how far poses (0 to 1) and classes are from the authors' over all
blocks. ``bfloat16`` says what it changes: joints in millimetres of a crop two metres wide, and the
share of clips whose likeliest class is another; the weights are synthetic, and trained ones may
round otherwise.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from turns import blurred, machine, pack, turns, worst

from muybridge import checkpoints
from muybridge.models.multitask.checkpoint import layout
from muybridge.models.multitask.model import NTU, PENN, Config, Spnet
from muybridge.models.multitask.predict import Predictor
from muybridge.models.multitask.preprocess import SIDE, normalised, windows
from muybridge.models.multitask.training import Lessons

NETWORKS: dict[str, tuple[str, Config]] = {"ntu": ("", NTU), "penn": ("_2d", PENN)}
LENGTH, STRIDE = 8, 2
DEEP = 2000.0  # mm of a crop's side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packs", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--train", action="store_true", help="on a graphics processor: teach too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        report = {
            **machine(options.device),
            "frames": options.frames,
            "stride": STRIDE,
            **{name: measured(name, options) for name in NETWORKS},
        }
    if options.train:
        report["training"] = {str(clips): learning(clips, options) for clips in (2, 8)}
    print(json.dumps(report, indent=2))


def learning(clips: int, options: Any) -> dict[str, float]:
    """Teach the NTU network full-size clips of noise, so many a step: how fast, how much memory."""
    torch.manual_seed(0)
    lessons = Lessons(Spnet(NTU)).to(options.device)
    optimiser = torch.optim.RMSprop(lessons.parameters(), 1e-3)
    joints = np.random.default_rng(0).uniform(0.2, 0.8, (LENGTH, 17, 4)).astype(np.float32)
    joints[..., 3] = 1
    example = {"frames": blurred(LENGTH, SIDE), "joints": joints, "actions": np.array([3])}
    losses, spent = list[float](), list[float]()
    torch.cuda.reset_peak_memory_stats()
    for _ in range(8):
        start = time.perf_counter()
        optimiser.zero_grad()
        loss = torch.stack(list(lessons([example] * clips).values())).sum()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        spent.append(time.perf_counter() - start)
    return {
        "clips_a_second": round(clips / float(np.median(spent[2:])), 2),
        "memory_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2),
        "first_loss": round(losses[0], 3),
        "last_loss": round(losses[-1], 3),
    }


def measured(name: str, options: Any) -> dict[str, Any]:
    """Measure one of the published networks."""
    ending, config = NETWORKS[name]
    _, given, wanted, tensors = pack(options.packs / "multitask_pose_action", ending)
    network: Any = checkpoints.filled(tensors, layout(config))
    network = network.eval()
    quick = {
        precision: Predictor(network, precision, options.device)
        for precision in ("float32", "bfloat16")
    }
    network = network.to(options.device)
    crops = blurred(options.frames, SIDE)
    pictures = torch.from_numpy(crops).to(options.device)
    clips = windows(options.frames, LENGTH, STRIDE)
    forms: dict[str, Any] = {
        "plain": {
            "look and judge": lambda _: [
                network(normalised(pictures[clip])[None])[1][-1][0].cpu() for clip in clips
            ]
        },
        "plain once": {
            "look": lambda _: network.look(normalised(pictures)).glances,
            "judge": lambda glances: network.judge(
                [type(g)(g.joints[clips], g.appearance[clips]) for g in glances]
            )[-1][0].cpu(),
        },
    }
    forms |= {
        precision: {
            "look": lambda _, each=each: each.look(crops),
            "judge": lambda seen, each=each: each.judge(seen, clips),
        }
        for precision, each in quick.items()
    }
    return {
        "ms_a_frame": turns(forms, options.rounds, options.device, options.frames),
        "parity": parity(network, given["frames"], wanted, options.device),
        "bfloat16": changed(quick, crops),
    }


def parity(network: Any, frames: Any, wanted: Any, device: str) -> dict[str, float]:
    """Say how far all blocks' poses and classes are from the authors'."""
    poses, scores = network(normalised(torch.from_numpy(frames).to(device))[None])
    found = [head.softmax(1).cpu() for block in scores for head in block]
    return {
        "poses": worst([(p.cpu(), wanted[f"pose_{i:02d}"]) for i, p in enumerate(poses)]),
        "classes": worst([(c, wanted[f"action_{i:02d}"]) for i, c in enumerate(found)]),
    }


def changed(quick: dict[str, Predictor], crops: Any) -> dict[str, float]:
    """Say what bfloat16 changes in joints and classes."""
    clips = windows(len(crops), LENGTH, 1)
    seen = {name: each.look(crops) for name, each in quick.items()}
    classes = {name: each.judge(seen[name], clips)[0].argmax(1) for name, each in quick.items()}
    axes = slice(0, seen["float32"].poses.shape[-1] - 1)
    both = [seen[name].poses[..., axes] for name in ("bfloat16", "float32")]
    off = DEEP * np.linalg.norm(both[0] - both[1], axis=-1)
    return {
        "joints_off_mm_mean": round(float(off.mean()), 3),
        "joints_off_mm_most": round(float(off.max()), 2),
        "clips": len(clips),
        "labels_changed": round(float((classes["bfloat16"] != classes["float32"]).mean()), 4),
    }


if __name__ == "__main__":
    main()
