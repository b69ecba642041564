"""Measure the lifter: how far off it is, how steady, and how fast on one core, as JSON.

python tests/benchmarks/lifter.py DATA --left-out FILE KINDS --frame FILE [--rounds 7]

DATA holds the motion capture and the footage of four cameras. FILE of --left-out is a lifter.npz
that was taught without some KINDS of motion, with commas, on which it is then measured; that of
--frame one of a single moment (jobs/train.py lifter --taps 1). Errors are millimetres, PA-MPJPE as
a mean over frames: on virtual cameras over all 18 joints, and over those without toes, which the
article's skeleton has none of, from exact joints and from such as networks find; on the footage
over the 12 joints of the limbs, against what four cameras say: from OpenPose's joints with and
without toes, and from those of the default graph, which come a frame after what was published.
Jitter is the mean length of second differences, millimetres a frame squared. Speed is CPU time, the
best of some rounds in which all forms take turns: the published network in torch, in float32 and in
bfloat16, beside ours, which runs without torch, with and without cutting a track into windows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from footage import BODY25B, CAMERAS, FPS, LEAD, LIMBS, found, seen, triangulated

from muybridge.evaluate.poses import acceleration, pa_mpjpe
from muybridge.geometry.skeletons import BODY18, COCO17
from muybridge.models.lifter import predict, virtual
from muybridge.models.lifter.model import Config, Lifter
from muybridge.models.lifter.preprocess import SEEN, TAPS, Track, gathered, normalised, windows

VIEWS = 4096
AT_ONCE = 512
TOELESS = [i for i, name in enumerate(BODY18.joints) if "toe" not in name]
WORDS = {
    "exact": (virtual.NONE, virtual.Bodies(0, 0, 0, 0, 0, 0, 0)),
    "as found": (virtual.Faults(), virtual.Bodies()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--left-out", nargs=2, action="append", default=[])
    parser.add_argument("--frame", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shipped = predict.load()
    motion = virtual.read(options.data / "cmu_mocap_joints" / "train.npz")
    footage = options.data / "pose2sim_balancing"
    report = {
        "pa_mpjpe_mm": {
            "kinds it was taught": by_kind(shipped, motion, set(motion.kinds)),
            "kinds left out": {
                kind: error
                for path, kinds in options.left_out
                for kind, error in by_kind(
                    predict.load(Path(path)), motion, set(kinds.split(","))
                ).items()
            },
            "footage": on_footage(shipped, footage),
        },
        "jitter": jitter(shipped, options.frame, footage),
        "speed": speed(shipped, options.rounds),
    }
    print(json.dumps(report, indent=2))


def by_kind(network: predict.Folded, motion: virtual.Motion, kinds: set[str]) -> dict[str, Any]:
    """Measure views of each kind of motion, and their mean."""
    made: dict[str, Any] = {}
    for kind in sorted(kinds):
        made[kind] = {}
        for word, (faults, bodies) in WORDS.items():
            draw = np.random.default_rng(7)
            given, true = virtual.draw(motion.only({kind}), draw, VIEWS, TAPS, faults, bodies)
            found = network(given).reshape(true.shape)
            for also, joints in (("", slice(None)), (", without toes", TOELESS)):
                error = float(pa_mpjpe(found[:, joints], true[:, joints]).mean()) * 1e3
                made[kind][word + also] = round(error, 1)
    words = next(iter(made.values()))
    means = {w: round(float(np.mean([e[w] for e in made.values()])), 1) for w in words}
    return {**made, "mean": means}


def on_footage(network: predict.Folded, folder: Path) -> dict[str, dict[str, float]]:
    """Measure each camera of the footage by itself, and their mean, for three kinds of joints."""
    true = triangulated(folder)
    forms: dict[str, Callable[[str], tuple[Any, Any]]] = {
        "OpenPose's joints": lambda c: (lifted(network, folder, c), true),
        "OpenPose's joints, without toes": lambda c: (
            predict.lift(network, toeless(track_of(folder, c)))[:, LIMBS, :3],
            true,
        ),
        "the default graph's joints": lambda c: by_default(network, folder, c, true),
    }
    made = {}
    for name, pair in forms.items():
        errors = {c: float(pa_mpjpe(*pair(c)).mean()) * 1e3 for c in CAMERAS}
        errors["mean"] = float(np.mean(list(errors.values())))
        made[name] = {camera: round(error, 1) for camera, error in errors.items()}
    return made


def toeless(track: Track) -> Track:
    joints = track.joints.copy()
    joints[:, [i for i, name in enumerate(SEEN) if name.endswith("toe")]] = 0
    return Track(track.times, joints)


def by_default(
    network: predict.Folded, folder: Path, camera: str, true: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lift what the default graph sees, and give the truth of the same moments: (T, 12, 3) each."""
    frames, times, joints = found(folder, camera)
    made = predict.lift(network, Track(times, gathered(joints, COCO17, 0.3)))[:, LIMBS, :3]
    rows = frames - LEAD
    known = (rows >= 0) & (rows < len(true))
    return made[known], true[rows[known]]


def lifted(network: predict.Folded, folder: Path, camera: str, taps: int = TAPS) -> np.ndarray:
    """Lift what a camera sees: (T, 12, 3). A network of one moment sees the window's middle."""
    track = track_of(folder, camera)
    if taps == TAPS:
        return predict.lift(network, track)[:, LIMBS, :3]
    places, scores = (part[:, TAPS // 2, None] for part in windows(track))
    return network(normalised(places, scores > 0)).reshape(len(places), -1, 3)[:, LIMBS]


def track_of(folder: Path, camera: str) -> Track:
    joints = gathered(seen(folder, camera), BODY25B, 0.2)
    return Track(np.arange(len(joints)) / FPS, joints)


def jitter(network: predict.Folded, frame: Path | None, folder: Path) -> dict[str, float]:
    """Say how joints tremble on the footage: of windows, of single moments, and the ratio."""
    forms = {"window": (network, TAPS)}
    if frame:
        forms["frame by frame"] = (predict.load(frame), 1)
    made = {
        name: float(np.mean([acceleration(lifted(n, folder, c, taps)).mean() for c in CAMERAS]))
        for name, (n, taps) in forms.items()
    }
    made = {name: value * 1e3 for name, value in made.items()}
    made["triangulated"] = float(acceleration(triangulated(folder)).mean()) * 1e3
    if frame:
        made["ratio"] = made["window"] / made["frame by frame"]
    return {name: round(value, 2) for name, value in made.items()}


def speed(network: predict.Folded, rounds: int) -> dict[str, Any]:
    """Give poses a CPU second of each form, and the ratio to the published network's."""
    draw = np.random.default_rng(0)
    given = draw.normal(size=(AT_ONCE, len(network.weights[0]))).astype(np.float32)
    track = Track(np.arange(AT_ONCE) / 30, draw.uniform(1, 900, (AT_ONCE, 15, 3)))
    published = Lifter(Config()).eval()
    theirs = torch.randn(AT_ONCE, 32)
    half = Lifter(Config()).eval().bfloat16()
    forms: dict[str, Callable[[], Any]] = {
        "published, float32": lambda: published(theirs),
        "published, bfloat16": lambda: half(theirs.bfloat16()),
        "ours": lambda: network(given),
        "ours, from a track": lambda: predict.lift(network, track),
    }
    best = dict.fromkeys(forms, np.inf)
    with torch.inference_mode():
        for _ in range(rounds):
            for name, run in forms.items():
                start = time.process_time()
                for _ in range(4):
                    run()
                best[name] = min(best[name], (time.process_time() - start) / 4)
    poses = {name: round(AT_ONCE / seconds) for name, seconds in best.items()}
    base = poses["published, float32"]
    multiplications = sum(int(w.size) for w in network.weights)
    return {
        "poses_a_second": poses,
        "ratio": {name: round(value / base, 2) for name, value in poses.items()},
        "multiplications_a_pose": {
            "published": sum(p.numel() for p in published.parameters() if p.ndim == 2),
            "ours": multiplications,
        },
    }


if __name__ == "__main__":
    main()
