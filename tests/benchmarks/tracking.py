"""Compare the tracker with SORT, ByteTrack and OC-SORT of the package `trackers`, as JSON.

python tests/benchmarks/tracking.py --trackers-python PYTHON [--seeds N] [--first SEED]

PYTHON is the interpreter of an environment with `pip install trackers`. Everybody gets the same
detections: from the truth of `mot15_tud` (people marked by hand) and of crowds made here, 20 % are
dropped, all are moved by 5 % of their size, false ones are added. In the crowds, people whose box
is covered to more than 60 % by a nearer one are not detected at all. With scores, the weak are
among the false and the covered. A rival is told the frame rate; its parameters are in its name.
Figures are means over seeds of each scene; IDF1 and MOTA in percent, at an IoU of 0.5. Every
tracker's output is also taken without tracks of fewer than three detections ("lasting"), as one
who works offline can have it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from muybridge.geometry import boxes as geometry
from muybridge.tracking.track import Tracker

Boxes = list[np.ndarray]
DATA = Path(os.environ.get("MUYBRIDGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
STREETS = ("TUD-Campus", "TUD-Stadtmitte")
STREET_RATE = 25.0
STREET_SIZE = 640, 480
WIDTH, HEIGHT = 960, 540
CROWDS = [(5, 8.0), (12, 8.0), (25, 8.0), (12, 30.0)]  # people, frames a second
GAMES = [(8, 8.0), (8, 30.0)]
WALK = 3.0, (0.0, 0.7, 1.3, 2.5)  # seconds from turn to turn, and speeds in m/s
PLAY = 1.0, (0.0, 1.5, 3.0, 5.0)
SECONDS = 20
COVERED = 0.6  # part of a box covered by a nearer one from which nobody is detected
# CIELab: people differ by 1.3, one person by 0.6, much as in real videos (see appearance.NOT_SAME)
COLOURS = [30, -12, -12], [70, 12, 12]
LASTING = 3  # detections of a track that is not taken for a false one


@dataclass(frozen=True)
class Truth:
    """Hold who is where in a picture (width, height).

    For each frame there are boxes (N, 4), identities (N,) and the part covered (N,).
    """

    rate: float
    picture: tuple[int, int]
    boxes: Boxes
    person: list[np.ndarray]
    covered: list[np.ndarray]


@dataclass(frozen=True)
class Scene:
    """Hold what detectors see of a truth: for each frame boxes (N, 4), scores and looks (N, D)."""

    truth: Truth
    boxes: Boxes
    scores: list[np.ndarray]
    looks: list[np.ndarray]


def street(file: Path) -> Truth:
    """Read people marked by hand, in MOT Challenge columns."""
    table = np.loadtxt(file, delimiter=",")
    frames = [table[table[:, 0] == at] for at in range(1, int(table[:, 0].max()) + 1)]
    boxes = [np.concatenate([f[:, 2:4], f[:, 2:4] + f[:, 4:6]], axis=1) for f in frames]
    covered = [cover(box) for box in boxes]
    return Truth(STREET_RATE, STREET_SIZE, boxes, [f[:, 1].astype(int) for f in frames], covered)


def crowd(
    people: int,
    rate: float,
    random: np.random.Generator,
    manner: tuple[float, tuple[float, ...]] = WALK,
) -> Truth:
    """Let people move about on a floor seen from above their heads; some stop and turn."""
    every, speeds = manner
    steps = int(SECONDS * rate)
    place = random.uniform([0, 0], [12, 6], (people, 2))  # metres on the floor
    tall = random.uniform(1.5, 1.95, people)
    aim = np.zeros((people, 2))
    velocity = np.zeros((people, 2))
    boxes = []
    for step in range(steps):
        turning = (random.random(people) < 1 / (every * rate)) | (step == 0)
        speed = random.choice(speeds, people, p=[0.2, 0.3, 0.4, 0.1])
        course = random.uniform(0, 2 * np.pi, people)
        fresh = speed[:, None] * np.stack([np.cos(course), 0.5 * np.sin(course)], 1)
        aim = np.where(turning[:, None], fresh, aim)
        aim = np.where((place < 0) | (place > [12, 6]), np.sign([6, 3] - place) * np.abs(aim), aim)
        velocity += (aim - velocity) * min(1, 6 / every / rate)
        place = place + velocity / rate
        scale = 110 / (1 + place[:, 1].clip(-0.5) / 6)  # pixels a metre: 6 m off is half as large
        left = WIDTH / 2 + (place[:, 0] - 6) * scale * 0.75
        foot = 100 + 380 * scale / 110
        swing = 0.33 + 0.08 * np.sin(step / rate * 6 + np.arange(people))
        half = tall * scale * swing / 2
        boxes.append(np.stack([left - half, foot - tall * scale, left + half, foot], axis=1))
    covered = [cover(box) for box in boxes]
    return Truth(rate, (WIDTH, HEIGHT), boxes, [np.arange(people)] * steps, covered)


def cover(boxes: np.ndarray) -> np.ndarray:
    """Say which part (N,) of each box somebody nearer, with lower feet, covers."""
    nearer = boxes[None, :, 3] > boxes[:, None, 3]
    shared = geometry.intersection(boxes, boxes) * nearer
    return shared.max(axis=1, initial=0) / geometry.area(boxes)


def detect(truth: Truth, hidden: float, random: np.random.Generator) -> Scene:
    """Drop 20 % of the detections and those hidden, move the rest by 5 %, add false ones."""
    colours = random.uniform(*COLOURS, (1000, 5, 3))
    everyone = np.concatenate(truth.boxes)
    seen, scores, looks = [], [], []
    false = 0.05 * len(everyone) / len(truth.boxes)  # one for every twenty people
    for boxes, person, covered in zip(truth.boxes, truth.person, truth.covered, strict=True):
        kept = (random.random(len(boxes)) > 0.2) & (covered <= hidden)
        size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        moved = boxes + np.tile(random.normal(0, 0.05, (len(boxes), 2)), 2) * size
        grown = np.concatenate([1 - (g := random.normal(0, 0.025, (len(boxes), 2))), 1 + g], 1)
        middle = np.tile((moved[:, :2] + moved[:, 2:]) / 2, 2)
        moved = (middle + (moved - middle) * np.abs(grown))[kept]
        wrong = everyone[random.integers(len(everyone), size=random.poisson(false))]
        wrong = wrong + np.tile(random.uniform(-200, 200, (len(wrong), 2)), 2)
        seen.append(np.concatenate([moved, wrong]))
        score = random.normal(0.85 - 0.4 * covered[kept], 0.08)
        scores.append(np.concatenate([score, random.normal(0.4, 0.15, len(wrong))]).clip(0.1, 1))
        here = colours[person[kept]] + random.normal(0, 5, (kept.sum(), 5, 3))
        there = random.uniform(*COLOURS, (len(wrong), 5, 3))
        looks.append(np.concatenate([here, there]).reshape(-1, 15))
    return Scene(truth, seen, scores, looks)


def ours(scene: Scene, scores: bool, looks: bool) -> np.ndarray:
    """Number the boxes of a scene."""
    tracker = Tracker(picture=scene.truth.picture)
    ids = [
        tracker.update(
            at / scene.truth.rate,
            scene.boxes[at],
            scores=scene.scores[at] if scores else None,
            appearance=scene.looks[at] if looks else None,
        )
        for at in range(len(scene.boxes))
    ]
    return np.concatenate(ids)


def rivals(python: str, scenes: list[Scene], scores: bool) -> dict[str, list[np.ndarray]]:
    """Number the boxes of scenes with the rivals: for every variant, for every scene (N,)."""
    given = [
        {
            "rate": scene.truth.rate,
            "boxes": [box.tolist() for box in scene.boxes],
            "scores": [s.tolist() if scores else None for s in scene.scores],
        }
        for scene in scenes
    ]
    command = [python, str(Path(__file__).with_name("rival_trackers.py"))]
    run = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr)
    return {name: [np.array(i) for i in ids] for name, ids in json.loads(run.stdout).items()}


def lasting(ids: np.ndarray) -> np.ndarray:
    """Take from (N,) the numbers of tracks that were hardly seen."""
    numbers, counts = np.unique(ids, return_counts=True)
    return np.where(np.isin(ids, numbers[counts >= LASTING]), ids, -1)


def judge(scene: Scene, ids: np.ndarray) -> dict[str, float]:
    """Measure IDF1 (Ristani 2016), switches and MOTA (Bernardin 2008) at an IoU of 0.5."""
    held: dict[int, int] = {}  # whom a person was last matched with
    switches = misses = false = matches = 0
    together: dict[tuple[int, int], int] = {}
    parts = np.split(ids, np.cumsum([len(box) for box in scene.boxes])[:-1])
    for truth, person, box, mine in zip(
        scene.truth.boxes, scene.truth.person, scene.boxes, parts, strict=True
    ):
        box, mine = box[mine >= 0], mine[mine >= 0]
        overlap = geometry.iou(truth, box)
        for row, column in np.argwhere(overlap >= 0.5).tolist():
            pair = int(person[row]), int(mine[column])
            together[pair] = together.get(pair, 0) + 1
        stays = np.array([[held.get(int(p)) == m for m in mine.tolist()] for p in person.tolist()])
        value = np.where(overlap >= 0.5, overlap + 10 * stays.reshape(overlap.shape), 0)
        rows, columns = linear_sum_assignment(value, maximize=True)
        good = value[rows, columns] > 0
        for row, column in zip(rows[good].tolist(), columns[good].tolist(), strict=True):
            who, number = int(person[row]), int(mine[column])
            switches += held.get(who, number) != number
            held[who] = number
        matches += int(good.sum())
        misses += len(truth) - int(good.sum())
        false += len(box) - int(good.sum())
    true, answered = matches + misses, matches + false
    people, numbers = (sorted({pair[i] for pair in together}) for i in (0, 1))
    count = np.zeros((len(people), len(numbers)))
    for (who, number), many in together.items():
        count[people.index(who), numbers.index(number)] = many
    rows, columns = linear_sum_assignment(count, maximize=True)
    return {
        "IDF1": 200 * count[rows, columns].sum() / (true + answered),
        "switches": switches,
        "MOTA": 100 * (1 - (misses + false + switches) / true),
    }


def compare(scenes: list[Scene], python: str | None, scores: bool) -> dict[str, Any]:
    """Track scenes in every manner and average the figures."""
    named = {"ours": [ours(s, scores, False) for s in scenes]}
    named["ours, with appearance"] = [ours(s, scores, True) for s in scenes]
    named |= rivals(python, scenes, scores) if python else {}
    table = {}
    for name, each in named.items():
        for ending, change in (("", np.asarray), (", lasting", lasting)):
            told = [judge(s, change(ids)) for s, ids in zip(scenes, each, strict=True)]
            table[name + ending] = {
                key: round(float(np.mean([t[key] for t in told])), 2) for key in told[0]
            }
    return table


def materials(seeds: range) -> dict[str, list[Scene]]:
    """Make all scenes: one a seed from each street, one for every third seed of each crowd."""
    made = {}
    for name in STREETS:
        truth = street(DATA / "mot15_tud" / name / "gt" / "gt.txt")
        made[name] = [detect(truth, np.inf, np.random.default_rng([s, 0])) for s in seeds]
    seeds = seeds[::3]
    for people, rate in CROWDS:
        randoms = [np.random.default_rng([s, people, int(rate)]) for s in seeds]
        made[f"crowd of {people}, {rate:.0f} a second"] = [
            detect(crowd(people, rate, random), COVERED, random) for random in randoms
        ]
    for people, rate in GAMES:
        randoms = [np.random.default_rng([s, people, int(rate), 1]) for s in seeds]
        made[f"game of {people}, {rate:.0f} a second"] = [
            detect(crowd(people, rate, random, PLAY), COVERED, random) for random in randoms
        ]
    return made


def cost(people: int) -> float:
    """Time an update in microseconds, with as many people, all described."""
    random = np.random.default_rng(0)
    corner = random.uniform(0, 2000, (people, 2))
    box = np.concatenate([corner, corner + np.array([60, 150])], axis=1)
    look = random.uniform(0, 50, (people, 15))
    tracker, spent = Tracker(), []
    for at in range(200):
        before = time.perf_counter()
        tracker.update(at / 8, box + random.normal(0, 3, 4), appearance=look)
        spent.append(time.perf_counter() - before)
    return round(1e6 * float(np.median(spent)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trackers-python")
    parser.add_argument("--seeds", type=int, default=7)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--only", default="", help="scenes whose names begin so")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    report: dict[str, Any] = {"seeds": [seeds.start, seeds.stop - 1]}
    for name, scenes in materials(seeds).items():
        if name.startswith(options.only):
            report[name] = {
                said: compare(scenes, options.trackers_python, scores)
                for said, scores in (("without scores", False), ("with scores", True))
            }
    report["microseconds an update"] = {str(n): cost(n) for n in (5, 20)}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
