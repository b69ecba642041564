"""Judge the classifier of motion that ships on sequences held out and on real clips, as JSON.

python tests/benchmarks/action.py DATA --network FILE [--windows 8192] [--rounds 7] [--clips]

DATA holds cmu_mocap_joints/train.npz; FILE is what jobs/train.py action wrote, taught without every
fourth sequence of a kind (the default is the one that ships). Windows are drawn from those, by
virtual cameras that err, and lifted. "sure" is the share of windows that a segment may open with,
"right where sure" how many of these have their label. "tracks" are as long as a short clip, go
through the lifter and the segments as in the product, and are told apart by what was done: the
share of them of which something right is said, and of their seconds how many have a wrong label.
--clips has the default graph see every real clip under DATA and keeps what it says. Speed is CPU
time, the best of some rounds: what a core classifies, cutting and turning the windows included.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from muybridge import graphs
from muybridge.errors import VideoError
from muybridge.evaluate.actions import (
    ANY,
    APIECES,
    AS_IS,
    NOISE,
    SEATED,
    SIGNALS,
    STILL,
    Drawer,
    held_out,
    report,
)
from muybridge.labels import OTHER
from muybridge.models.action import predict
from muybridge.models.action.preprocess import STRIDE, features, windows
from muybridge.models.lifter import predict as lifter
from muybridge.models.lifter import virtual
from muybridge.models.lifter.preprocess import SEEN, Track
from muybridge.run import identities, local
from muybridge.run.actions import RULES, actions
from muybridge.store import tables
from muybridge.tracking.segments import covered, segments
from muybridge.video.clips import clips
from muybridge.video.probe import probe

SECONDS, FPS = 600, 30  # of a track whose windows are cut
COUNT, LASTS_S = 64, 5  # of the tracks that are judged
CUT = [SEEN.index(name) for name in SEEN if name.endswith(("ankle", "toe"))]
CLEAN = replace(NOISE, toeless=1.0, absent=0.1, ends=0.0)
TRACKS = {  # what is right to say, the kinds of motion, their bodies, and joints that are not seen
    "walking": ("walking", ("walking", "walking_extra"), AS_IS, []),
    "walking, 0.7 to 1.4 times as fast": (
        "walking", ("walking", "walking_extra"), replace(AS_IS, tempo=0.5), []),
    "running": ("running", ("running",), AS_IS, []),
    "jumping": ("jumping", ("jumping",), AS_IS, []),
    "standing": ("standing", SIGNALS, STILL, []),
    "signals with the arms": ("standing", SIGNALS, AS_IS, []),
    "sitting": ("", ANY, SEATED, []),
    "limbs that move each by itself": ("", ANY, APIECES, []),
    "walking, cut off at the knees": ("", ("walking", "walking_extra"), AS_IS, CUT),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--network", type=Path, default=predict.SHIPPED)
    parser.add_argument("--windows", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clips", action="store_true")
    options = parser.parse_args()
    network = predict.load(options.network)
    held = held_out(virtual.read(options.data / "cmu_mocap_joints" / "train.npz"), 0)[1]
    drawer = Drawer(held, lifter.load())
    seen, labels = drawer(7, options.windows)
    scores = network.scores(seen)
    made = {
        "held_out": report(scores, labels, RULES["motion"].opens),
        "calibration": calibration(scores, labels),
        "tracks": {name: judged(network, held, *row) for name, row in TRACKS.items()},
        "clips": said_of_clips(options.data) if options.clips else {},
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


def judged(
    network: predict.Folded,
    motion: virtual.Motion,
    right: str,
    kinds: tuple[str, ...],
    bodies: virtual.Bodies,
    hidden: list[int],
) -> dict[str, float]:
    """Say of how many tracks something right was said, and of how many seconds something wrong."""
    taps, lifts = LASTS_S * FPS, lifter.load()
    views = virtual.views(
        motion.only(set(kinds)), np.random.default_rng(5), COUNT, taps, CLEAN, bodies
    )
    times, found, wrong = np.arange(taps) / FPS, 0, 0.0
    for places, seen in zip(views.places, views.seen, strict=True):
        joints = np.concatenate([places * 800, seen[..., None] * 0.8], 2)
        joints[:, hidden] = 0
        joints3d = lifter.lift(lifts, Track(times, joints))
        scores, spans = predict.classified(network, times, joints3d)
        made = segments(times, covered(spans, scores, taps), RULES["motion"])
        said = [(network.labels[s.label], times[s.last] - times[s.first]) for s in made]
        found += any(label == right for label, _ in said)
        wrong += sum(length for label, length in said if label not in (right, OTHER))
    return {
        "right_said": round(found / COUNT, 2),
        "seconds_wrong": round(wrong / COUNT / LASTS_S, 3),
    }


def said_of_clips(data: Path) -> dict[str, list[str]]:
    """Say what the default graph's table of actions has of each clip with people under DATA."""
    folders = ("action_clips", "decord_fixtures", "intel_people", "pose2sim_balancing",
               "sam2_people", "sports2d_walk")  # fmt: skip
    made = {}
    for path in sorted(path for folder in folders for path in (data / folder).rglob("*.*")):
        if path.suffix in (".mp4", ".mkv", ".avi", ".mov"):
            try:
                made[str(path.relative_to(data))] = said_of(path)
            except VideoError as error:
                made[str(path.relative_to(data))] = [f"not a video: {type(error).__name__}"]
    return made


def said_of(path: Path) -> list[str]:
    """Say who does what from when to when in a video, as the table ``actions`` has it."""
    given = [{**clip, "source": str(path)} for clip in clips(probe(str(path)), str(path), "v")]
    done = local.run(graphs.build(), given)
    parts = identities.linked((clip["core"], tables.rows(clip)) for clip in done)
    rows = actions([part["moments"] for part in parts if "moments" in part]).to_pylist()
    return [
        "{track_id}: {label} {first_time_s:.1f} to {last_time_s:.1f} s, {score:.2f}".format(**row)
        for row in rows
        if row["label_set"] == "motion"
    ]


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
