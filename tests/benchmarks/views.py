"""Measure how surely people are told apart across cameras, and how well points are found, as JSON.

python tests/benchmarks/views.py DATA [--frames 40] [--rounds 2]

DATA holds ``cmu_mocap_joints`` and ``pose2sim_balancing``. People of motion capture walk about
among virtual cameras and are seen as detectors see them (tests/tracking/scenes.py). ``right``: of
pairs of detections of different views that are said to be one person, how many are; ``found``: of
pairs that are, how many are said to be; ``changes``: how often a person's number changes. Of the
real footage: how many of the man's detections have his number, and how many of others. Then: by
how much random points are missed, whose views are wrong at random, by each rule of leaving views
out; and how much lengths of the real man's limbs vary by it. Last, how far off the offsets between
clocks are that one person's motion tells, in scenes of 200 frames and of the real footage; and
millimetres between the published joints of the real man and those that the default graph sees in
the four videos, triangulated.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from muybridge import graphs
from muybridge.geometry.cameras import Camera, projected, projections, undistorted
from muybridge.geometry.similarity import own_error
from muybridge.geometry.skeletons import COCO17
from muybridge.geometry.triangulation import agreeing, consensus, linear, refine
from muybridge.run import local
from muybridge.tracking.offsets import offsets
from muybridge.tracking.views import Matcher
from muybridge.tracking.world import Sighted, matched, placed
from muybridge.video.calibration import read
from muybridge.video.clips import clips
from muybridge.video.probe import probe
from tracking.scenes import RATE, Detector, cameras, changes, detected, motions, pairs, people

HARDER = {
    "as detectors are": Detector(),
    "noise twice as large": Detector(noise=0.05),
    "a quarter overlooked": Detector(miss=0.25),
    "one false a picture": Detector(false=1.0),
}
LIMB_JOINTS = {  # of the published points, by COCO's number
    **{"LShoulder": 5, "RShoulder": 6, "LElbow": 7, "RElbow": 8, "LWrist": 9, "RWrist": 10},
    **{"LHip": 11, "RHip": 12, "LKnee": 13, "RKnee": 14, "LAnkle": 15, "RAnkle": 16},
}
LEAD = 1  # frames by which the published points lead the videos: see "by lead" in the report
LIMBS = ((11, 13), (13, 15), (12, 14), (14, 16), (5, 7), (7, 9), (6, 8), (8, 10), (11, 12), (5, 6))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    moving = motions(options.data)
    report = {
        "scenes": [
            scene(count, views, Detector(), moving, options.frames, options.rounds)
            for count in range(1, 7)
            for views in (3, 4, 5, 8)
        ],
        "harder, 4 people in 4 views": {
            name: scene(4, 4, detector, moving, options.frames, 2 * options.rounds)
            for name, detector in HARDER.items()
        },
        "real footage": footage(options.data / "pose2sim_balancing"),
        "points with wrong views, mm": wrong_views(),
        "offsets of clocks": clocks(moving),
        "from pictures alone, mm": pictures(options.data / "pose2sim_balancing"),
    }
    print(json.dumps(report, indent=1))


def scene(
    count: int,
    views: int,
    detector: Detector,
    moving: list[np.ndarray],
    frames: int,
    rounds: int,
) -> dict[str, Any]:
    """Match people in scenes of so many people and views."""
    totals, switched, spent = np.zeros(3), 0, 0.0
    for number in range(rounds):
        random = np.random.default_rng((count, views, number))
        stand = cameras(views, random)
        made = detected(people(count, frames, moving, random), stand, random, detector)
        matcher, start = Matcher(stand), time.process_time()
        found = [matcher.update(frame / RATE, seen) for frame, seen in enumerate(made.seen)]
        spent += time.process_time() - start
        totals += np.sum([pairs(*each) for each in zip(found, made.who, strict=True)], 0)
        switched += changes(found, made.who)
    matched, same, both = totals
    return {
        "people": count,
        "views": views,
        "right": round(both / matched, 4),
        "found": round(both / same, 4),
        "changes": switched,
        "person_frames": count * frames * rounds,
        "cpu_ms_a_frame": round(1000 * spent / frames / rounds, 1),
    }


def footage(folder: Path) -> dict[str, Any]:
    """Match people of the real footage, and see what each rule makes of the man's joints."""
    stand, matcher = read(folder / "calibration"), Matcher(read(folder / "calibration"))
    his, others, joints = list[int](), list[int](), np.zeros((100, 25, 4, 3))
    for frame in range(100):
        seen = _detections(folder / "openpose_json", frame)
        ids = matcher.update(frame / 60, seen)
        chosen = _detections(folder / "openpose_json_associated", frame)
        for view, right in enumerate(chosen):
            mine = (
                (seen[view] == right[:1]).all((1, 2))
                if len(right)
                else np.zeros(len(seen[view]), bool)
            )
            his += ids[view][mine].tolist()
            others += ids[view][~mine].tolist()
            joints[frame, :, view] = right[0] if len(right) else 0
    most = int(np.bincount([number for number in his if number >= 0]).argmax())
    return {
        "the man's": len(his),
        "with his number": his.count(most),
        "others'": len(others),
        "with his number though not his": others.count(most),
        "limb lengths' deviation, mm": limbs(stand, joints),
        "offsets, frames": _frames(stand, joints),
    }


def _frames(stand: tuple[Camera, ...], joints: np.ndarray) -> dict[str, list[float]]:
    """Find the offsets of cameras that run together, in frames."""
    times = np.arange(100) / 60
    found = offsets(stand, [times] * 4, [joints[:, :, view] for view in range(4)])
    return {
        "found, truly 0": (60 * found.seconds).round(2).tolist(),
        "spread": (60 * found.spread).round(2).tolist(),
    }


def clocks(moving: list[np.ndarray], rounds: int = 40, frames: int = 200) -> dict[str, float]:
    """Find the offsets of three views from one person: how far off, and whether that is told."""
    off, spread = list[float](), list[float]()
    for number in range(rounds):
        random = np.random.default_rng((7, number))
        stand, late = cameras(3, random), np.array([0, *random.uniform(-0.5, 0.5, 2)])
        made = detected(people(1, frames, moving, random), stand, random, Detector(false=0))
        joints = [
            np.stack(
                [seen[view][0] if len(seen[view]) else np.zeros((20, 3)) for seen in made.seen]
            )
            for view in range(3)
        ]
        found = offsets(stand, [np.arange(frames) / RATE - each for each in late], joints)
        off += abs(found.seconds - late)[1:].tolist()
        spread += found.spread[1:].tolist()
    sure = np.array(spread) < 0.02
    return {
        "views": len(off),
        "median_ms": round(1000 * float(np.median(off)), 1),
        "90_percent_ms": round(1000 * float(np.quantile(off, 0.9)), 1),
        "share_within_2_spreads": round(float((np.array(off) < 2 * np.array(spread)).mean()), 3),
        "share_with_spread_under_20_ms": round(float(sure.mean()), 3),
        "of_these_median_ms": round(1000 * float(np.median(np.array(off)[sure])), 1),
    }


def limbs(stand: tuple[Camera, ...], joints: np.ndarray) -> dict[str, float]:
    """Measure the standard deviation of limb lengths over the frames, for each rule and limit."""
    flat = joints.reshape(-1, len(stand), 3)
    seen, matrices = undistorted(stand, flat[..., :2]), projections(stand)
    weights = np.where(flat[..., 2] > 0.3, flat[..., 2], 0)
    report = {"all views": weights}
    for limit in (15.0, 20.0, 30.0, 50.0):
        report[f"left out above {limit:.0f} px"] = agreeing(seen, matrices, weights, limit)
        report[f"consensus within {limit:.0f} px"] = consensus(seen, matrices, weights, limit)
    return {name: _deviation(seen, matrices, kept) for name, kept in report.items()}


def _deviation(seen: np.ndarray, matrices: np.ndarray, weights: np.ndarray) -> float:
    points = refine(linear(seen, matrices, weights), seen, matrices, weights).reshape(100, 25, 3)
    lengths = [np.linalg.norm(points[:, a] - points[:, b], axis=1) for a, b in LIMBS]
    return round(float(1000 * np.nanstd(lengths, axis=1).mean()), 1)


def pictures(folder: Path) -> dict[str, Any]:
    """See the man in all four videos, place him in the world and compare with what was published.

    Beside all four views, every three and every two of them are taken: fewer rays, larger errors.
    """
    published, names = _published(folder)
    true = published[:, [names.index(name) for name in LIMB_JOINTS]]
    seen = _sighted(folder)
    made = {
        f"views {' '.join(str(view + 1) for view in some)}": _place([seen[v] for v in some], true)
        for count in (4, 3, 2)
        for some in combinations(range(4), count)
    }
    joints, _ = made["views 1 2 3 4"]
    off = 1000 * np.linalg.norm(_late(joints, LEAD) - true[: 100 - LEAD], axis=-1)
    return {
        "mean": round(float(np.nanmean(off)), 1),
        "by lead": {
            lead: round(1000 * _distance(_late(joints, lead), true[: 100 - lead]), 1)
            for lead in range(4)
        },
        **dict(zip(LIMB_JOINTS, np.nanmean(off, axis=0).round(1).tolist(), strict=True)),
        "within 1 and 2 standard deviations, an axis": {
            name: _covered(*each, true) for name, each in made.items()
        },
    }


def _late(values: np.ndarray, lead: int) -> np.ndarray:
    return values[lead:]


def _distance(ours: np.ndarray, true: np.ndarray) -> float:
    return float(np.nanmean(np.linalg.norm(ours - true, axis=-1)))


def _covered(joints: np.ndarray, std: np.ndarray, true: np.ndarray) -> list[float]:
    """Say which share of errors, axis by axis, lies within one and within two deviations."""
    away = abs(_late(joints, LEAD) - true[: 100 - LEAD]) / _late(std, LEAD)[..., None]
    away = away[np.isfinite(away)]
    return [round(float((away < bound).mean()), 3) for bound in (1, 2)]


def _place(seen: list[Sighted], true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place people seen in some views: the joints (100, 12, 3) of the man, and their deviations."""
    times = seen[0].looked
    found = placed([each.camera for each in seen], times, matched(seen, times))
    limbs, nearest = list(LIMB_JOINTS.values()), np.inf
    best = np.full((100, 12, 3), np.nan), np.full((100, 12), np.nan)
    for person in np.unique(found.person):
        joints, std = np.full((100, 12, 3), np.nan), np.full((100, 12), np.nan)
        mine = found.person == person
        joints[found.at[mine]] = found.joints[mine][:, limbs]
        own = own_error([COCO17.joints[limb] for limb in limbs])
        std[found.at[mine]] = np.hypot(found.spread[mine][:, limbs], own)
        if (away := _distance(joints, true)) < nearest:
            best, nearest = (joints, std), away
    return best


def _sighted(folder: Path) -> list[Sighted]:
    """See the man with the default graph's first stages in each view."""
    views = []
    for camera in read(folder / "calibration"):
        video = str(folder / "videos" / f"{camera.name.replace('_', '')}.mp4")
        graph = graphs.chosen(graphs.see_people(), ["keypoints"])
        (clip,) = local.run(graph, clips(probe(video), video, video))
        size = int(clip["width"]), int(clip["height"])
        times = clip["times"][clip["person_frame"]]
        views.append(
            Sighted(
                camera.cropped((0, 0, *camera.size), size),
                clip["times"],
                times,
                clip["person_track"].astype(np.int64),
                clip["movenet_joints"].astype(float),
            )
        )
    return views


def _published(folder: Path) -> tuple[np.ndarray, list[str]]:
    """Read the raw joints (100, 21, 3) in the calibration's axes, and their names."""
    (file,) = (folder / "triangulated").glob("*_0-100.trc")
    lines = file.read_text().splitlines()
    rows = np.array([line.split("\t")[2:65] for line in lines[5:] if line], float)
    return rows.reshape(100, 21, 3)[..., [2, 0, 1]], [n for n in lines[3].split("\t")[2:] if n]


def wrong_views(count: int = 2000) -> list[dict[str, Any]]:
    """Miss random points: mean of the nearest 95 %, by rule, number of views and share wrong."""
    report = []
    for views in (4, 5, 8):
        for share in (0.0, 0.05, 0.15, 0.3):
            random = np.random.default_rng((views, int(100 * share)))
            stand = cameras(views, random)
            points = random.uniform((-1, -1, 0), (1, 1, 2), (count, 3))
            seen = undistorted(stand, projected(stand, points))
            seen += random.normal(0, 5, seen.shape)
            wrong = random.random((count, views)) < share
            turn = random.uniform(0, 2 * np.pi, wrong.shape)
            away = random.uniform(50, 300, wrong.shape) * wrong
            seen += away[..., None] * np.stack([np.cos(turn), np.sin(turn)], -1)
            weights, matrices = np.ones((count, views)), projections(stand)
            kept = {
                "all": weights,
                "left out above 30 px": agreeing(seen, matrices, weights, 30.0),
                "consensus within 30 px": consensus(seen, matrices, weights, 30.0),
            }
            off = {
                name: 1000 * np.linalg.norm(_refined(seen, matrices, each) - points, axis=1)
                for name, each in kept.items()
            }
            means = {
                name: round(float(np.sort(o)[: 95 * count // 100].mean()), 1)
                for name, o in off.items()
            }
            report.append({"views": views, "share wrong": share, **means})
    return report


def _refined(seen: np.ndarray, matrices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return refine(linear(seen, matrices, weights), seen, matrices, weights)


def _detections(folder: Path, frame: int) -> list[np.ndarray]:
    """Read OpenPose's people of a frame in each view (P, 25, 3), pixel centres at +0.5."""
    found = []
    for view in sorted(folder.iterdir()):
        people_ = json.loads(sorted(view.iterdir())[frame].read_text())["people"]
        points = [p["pose_keypoints_2d"] for p in people_ if p.get("pose_keypoints_2d")]
        found.append(np.array(points, float).reshape(-1, 25, 3) + np.array([0.5, 0.5, 0]))
    return found


if __name__ == "__main__":
    main()
