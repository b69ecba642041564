"""Time forms of the same work step by step, turn by turn, and read golden packs.

On a processor what counts is CPU time; on a graphics processor it is the time until all is done.
"""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

Form = Mapping[str, Callable[[Any], Any]]  # each step takes what the one before it gave


def turns(forms: Mapping[str, Form], rounds: int, device: str, share: int) -> dict[str, Any]:
    """Give milliseconds of each step of each form, the least of some rounds, by ``share``.

    ``ratio`` compares all steps together with those of the first form.
    """
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in forms}
    for _ in range(rounds + 1):
        for name, form in forms.items():
            rows[name].append(_timed(form, device))
    least = {
        name: {step: min(row[step] for row in mine[1:]) / share for step in mine[0]}
        for name, mine in rows.items()
    }
    whole = {name: sum(steps.values()) for name, steps in least.items()}
    first = next(iter(whole.values()))
    return {
        name: {
            **{step: round(ms, 3) for step, ms in steps.items()},
            "total": round(whole[name], 3),
            "ratio": round(whole[name] / first, 3),
        }
        for name, steps in least.items()
    }


def _timed(form: Form, device: str) -> dict[str, float]:
    spent, x = {}, None
    for name, step in form.items():
        start = _now(device)
        x = step(x)
        spent[name] = (_now(device) - start) * 1e3
    return spent


def _now(device: str) -> float:
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def machine(device: str) -> dict[str, Any]:
    """Say on what it ran."""
    name = torch.cuda.get_device_name() if device == "cuda" else "one core"
    return {"device": name, "torch": torch.__version__}


def pack(folder: Path, ending: str = "") -> tuple[Any, Any, Any, dict[str, torch.Tensor]]:
    """Read a golden pack: its manifest, inputs, outputs, and the tensors that it says."""
    spec: Any = importlib.util.spec_from_file_location(
        "fill", folder.parent / "synthetic_weights.py"
    )
    rule: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    path = folder / f"manifest{ending}.json"
    tensors = {name: torch.from_numpy(t) for name, t in rule.state_dict(path).items()}
    arrays = [dict(np.load(folder / f"{name}{ending}.npz")) for name in ("inputs", "outputs")]
    return json.loads(path.read_text()), *arrays, tensors


def blurred(count: int, side: int) -> Any:
    """Make pictures (count, side, side, 3) of soft blots, as smooth as photographs are."""
    blots = np.random.default_rng(0).integers(0, 256, (count, 12, 12, 3), np.uint8)
    grown = [Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC) for each in blots]
    return np.stack([np.asarray(each) for each in grown])


def worst(pairs: Sequence[tuple[Any, Any]]) -> float:
    """Say how far numbers are from others at most."""
    each = [np.abs(np.asarray(a, float) - np.asarray(b, float)).max() for a, b in pairs]
    return float(max(each))
