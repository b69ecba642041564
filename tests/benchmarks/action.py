"""Judge the classifier of motion that ships on sequences held out, and how fast it is, as JSON.

python tests/benchmarks/action.py MOTION --network FILE [--windows 8192] [--rounds 7]

MOTION is cmu_mocap_joints/train.npz; FILE is what jobs/train.py action wrote, taught without every
fourth sequence of a kind (the default is the one that ships). Windows are drawn from those, by
virtual cameras that err, and lifted. "sure" is the share of windows that a segment may open with,
"right where sure" how many of these have their label. Speed is CPU time, the best of some rounds:
what a core classifies in a second, cutting and turning the windows included.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.evaluate.actions import Drawer, held_out, report
from muybridge.models.action import predict
from muybridge.models.action.preprocess import STRIDE, features, windows
from muybridge.models.lifter import predict as lifter
from muybridge.models.lifter import virtual
from muybridge.run.actions import RULES

SECONDS, FPS = 600, 30  # of a track whose windows are cut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("motion", type=Path)
    parser.add_argument("--network", type=Path, default=predict.SHIPPED)
    parser.add_argument("--windows", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    network = predict.load(options.network)
    drawer = Drawer(held_out(virtual.read(options.motion), 0)[1], lifter.load())
    seen, labels = drawer(7, options.windows)
    scores = network.scores(seen)
    made = {
        "held_out": report(scores, labels, RULES["motion"].opens),
        "calibration": calibration(scores, labels),
        "speed": speed(network, options.rounds),
    }
    print(json.dumps(made, indent=2))


def calibration(scores: Any, labels: Any) -> dict[str, Any]:
    """Say by how sure it is how often it is right, and how far apart both are on the mean."""
    best, right = scores.max(1), scores.argmax(1) == labels
    edges = (0, 0.5, 0.7, 0.8, 0.9, 1.01)
    bins = [(best >= low) & (best < high) for low, high in pairwise(edges)]
    rows = [
        {
            "score": round(float(best[each].mean()), 3),
            "right": round(float(right[each].mean()), 3),
            "share": round(float(each.mean()), 3),
        }
        for each in bins
        if each.any()
    ]
    error = sum(row["share"] * abs(row["score"] - row["right"]) for row in rows)
    return {"bins": rows, "expected_error": round(error, 3)}


def speed(network: predict.Folded, rounds: int) -> dict[str, float]:
    """Measure CPU microseconds a window, and of what part of real time a person takes."""
    count = SECONDS * FPS
    joints = np.random.default_rng(0).normal(0, 0.3, (count, 18, 4))
    joints[..., 3] = 1
    times, best = np.arange(count) / FPS, np.inf
    for _ in range(rounds):
        before = time.process_time()
        cut, _ = windows(times, joints)
        network.scores(features(cut))
        best = min(best, time.process_time() - before)
    return {
        "us_a_window": round(best / len(cut) * 1e6, 1),
        "cpu_seconds_an_hour_of_a_person": round(best / len(cut) * 3600 / STRIDE, 2),
    }


if __name__ == "__main__":
    main()
