"""Measure MoveNet's networks on one core by each way to run them, in one process, as JSON.

python tests/benchmarks/movenet.py [--rounds 5] [--openvino FOLDER] [--device cuda]

Ways: LiteRT, torch, torch.compile, and OpenVINO (a folder that holds the package) in float32 and
bfloat16. CPU milliseconds a picture, the least of some rounds in which all ways take turns;
``ratio`` is to LiteRT's. With ``--device cuda``: frames a second of 720p with one,
five and twenty people in float32 and bfloat16, pictures cut on the CPU before.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from muybridge.litert import resize
from muybridge.models.movenet import checkpoint, preprocess
from muybridge.models.movenet.batched import Torch
from muybridge.models.movenet.optimized import LiteRT

INPUTS = {"multipose": (224, 384), "thunder": (256, 256), "lightning": (192, 192)}
PEOPLE = (1, 5, 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--openvino", default="")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.device == "cuda":
        made = {str(kind).split(".")[1]: gpu(kind) for kind in (torch.float32, torch.bfloat16)}
        print(json.dumps({"device": torch.cuda.get_device_name(), **made}, indent=1))
        return
    sys.path[:0] = [options.openvino] if options.openvino else []
    report = {name: compare(ways(name, options.openvino), options.rounds) for name in INPUTS}
    print(json.dumps({"torch": torch.__version__, "cpu_ms": report}, indent=1))


def ways(name: str, openvino: str) -> dict[str, Callable[[], Any]]:
    """Make a call of a network by each way, all with the same picture."""
    size = INPUTS[name]
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    lite, plain = LiteRT("thunder"), Torch("thunder", "cpu")._load(name)
    given = torch.tensor(picture).permute(2, 0, 1)[None].float()
    compiled = torch.compile(plain)
    made: dict[str, Callable[[], Any]] = {
        "litert": lambda: lite.maps(name, picture),
        "torch": lambda: inferred(plain, given),
        "torch.compile": lambda: inferred(compiled, given),
    }
    if openvino:
        import openvino as ov

        core = ov.Core()
        file = Path(tempfile.mkdtemp()) / f"{name}.tflite"
        file.write_bytes(resize(checkpoint.read(name), *size))
        for precision in ("f32", "bf16"):
            hints = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision}
            model = core.compile_model(core.read_model(file), "CPU", hints)
            made[f"openvino {precision}"] = lambda model=model: model(
                [picture[None].astype(np.int32)]
            )
    return made


@torch.inference_mode()
def inferred(network: Callable[[torch.Tensor], Any], given: torch.Tensor) -> Any:
    return network(given)


def compare(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Time all calls in turn; the first of each is not counted."""
    for call in calls.values():
        call()
    spent = dict.fromkeys(calls, np.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            for _ in range(5):
                call()
            spent[name] = min(spent[name], (time.process_time() - start) / 5)
    return {
        name: {"ms": round(1000 * took, 2), "ratio": round(took / spent["litert"], 2)}
        for name, took in spent.items()
    }


def gpu(kind: torch.dtype) -> dict[str, float]:
    """Count the frames a second that are seen with so many people, reading each in each frame."""
    random, made = np.random.default_rng(0), {}
    for people in PEOPLE:
        net = Torch("thunder", "cuda", kind)
        picture = random.integers(0, 256, (720, 1280, 3)).astype(np.uint8)
        region, size = preprocess.whole(1280, 720, 384)
        inputs = [preprocess.cut(picture, region, size)] * 16
        crops = [preprocess.cut(picture, np.array([0, 0, 500, 500], np.float32), (256, 256))]
        crops, guides = crops * (64 * people), np.zeros((64 * people, 17, 2), np.float32)
        for _ in range(2):
            torch.cuda.synchronize()
            start = time.perf_counter()
            net.find(inputs, 0.2)
            net.read(crops, guides)
            torch.cuda.synchronize()
            took = time.perf_counter() - start
        made[f"frames a second, {people} people"] = round(64 / took, 1)
    return made


if __name__ == "__main__":
    main()
