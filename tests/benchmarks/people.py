"""Measure who is found, how steadily, and at what cost, by several systems in one run, as JSON.

python tests/benchmarks/people.py DATA WORK [--old SOURCE PYTHON] [--mediapipe PYTHON]
    [--pictures FOLDER] [--systems thunder,lightning]

DATA holds the real videos, WORK is for what comes out on the way. Systems: the default graph with
each pose model; ``--old`` an earlier checkout's, run by a Python that has what it needs; and
``--mediapipe`` mediapipe's own Pose with its defaults, which sees one person. Each runs by itself
in a process of one thread.

``pictures`` are COCO's four, a mosaic of them, and each within a grey border that makes it two and
three times as large. ``counts`` are of 103 frames of videos counted by eye. ``jitter`` is the mean
length of second differences of shoulders as a ratio to mediapipe's in the same frames, and by how
many frames smoothed wrists come later than those not smoothed. ``cost`` is CPU milliseconds
a frame at 720p with one, five and twelve people. ``--pictures`` is a folder of pictures that
nothing was tuned on, by the names in pictures.csv, which says how many people are in each, by eye.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

VIDEOS = (
    "sam2_people/05_default_juggle.mp4", "sam2_people/01_dog.mp4",
    "sports2d_walk/walk_vp9_1768x994.mp4", "intel_people/one-by-one-person-detection.mp4",
    "intel_people/bottle-detection.mp4",
    *(f"intel_people/asl_gestures/{word}.mkv" for word in (
        "again", "book", "eat", "help", "learn", "no", "please", "sister", "thanks", "walk",
        "want", "yes")),
    *(f"pose2sim_balancing/videos/cam0{n}.mp4" for n in (1, 2, 3, 4)),
)  # fmt: skip
ONE_PERSON = tuple(v for v in VIDEOS if "bottle" not in v)
SHOULDERS, WRISTS = (5, 6), (9, 10)
BLAZEPOSE_COCO = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
JUGGLE = VIDEOS[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--old", nargs=2, metavar=("SOURCE", "PYTHON"))
    parser.add_argument("--mediapipe", metavar="PYTHON")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--systems", default="thunder,lightning,blazepose")
    parser.add_argument("--run", help="for one process: the system to run")
    options = parser.parse_args()
    options.data, options.work = options.data.resolve(), options.work.resolve()
    if options.run:
        run(options.run, options.data, options.work / options.run, options.pictures)
        return
    here = Path(__file__).parents[2] / "platform"
    wanted = [(name, str(here), sys.executable) for name in options.systems.split(",")]
    wanted += [("old", *options.old)] if options.old else []
    wanted += [("mediapipe", str(here), options.mediapipe)] if options.mediapipe else []
    for name, source, python in wanted:
        given = [python, __file__, options.data, options.work, "--run", name]
        given += ["--pictures", options.pictures] if options.pictures else []
        environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
        subprocess.run([str(word) for word in given], check=True, env=environment)
    print(json.dumps(report(options.data, options.work, [name for name, *_ in wanted]), indent=1))


def run(system: str, data: Path, out: Path, folder: Path | None) -> None:
    """See all videos and pictures with one system, and write what came out."""
    out.mkdir(parents=True, exist_ok=True)
    see = mediapipe() if system == "mediapipe" else graph(system)
    for video in VIDEOS:
        seen = see(decoded(data / video), 30.0)
        np.savez(out / f"{Path(video).stem}.npz", **seen)
    pictures, cost = {}, {}
    if system != "mediapipe":
        for name, picture in still(data).items():
            pictures[name] = listed(see(picture[None], 30.0))
        for path in sorted(folder.iterdir()) if folder else ():
            picture = np.asarray(Image.open(path).convert("RGB"))
            pictures[path.name] = listed(see(picture[None], 30.0))
    frames = decoded(data / JUGGLE)[:96]
    for count in (1,) if system == "mediapipe" else (1, 5, 12):
        shown = crowd(frames, count)
        start = time.process_time()
        seen = see(shown, 24.0)
        cost[str(count)] = {
            "cpu_ms": round((time.process_time() - start) / len(shown) * 1e3, 2),
            "people_a_frame": round(len(seen["frame"]) / len(shown), 2),
        }
    (out / "stills.json").write_text(json.dumps({"pictures": pictures, "cost": cost}))


def decoded(video: Path) -> np.ndarray:
    """Decode all frames of a video (T, H, W, 3)."""
    import av

    with av.open(str(video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames)


def graph(system: str) -> Any:
    """Make what sees people in pictures with the stage of the sources that are imported."""
    from muybridge.stages import people
    from muybridge.stages.watch import Options
    from muybridge.video.frames import DecodedFrames

    blazepose = None
    if system == "blazepose":
        from muybridge.stages.blazepose import blazepose as stage

        blazepose, system = stage().load(), "lightning"
    new = system != "old"
    found = people.load(Options(pose_model=system, raw=True) if new else Options())

    def see(pictures: np.ndarray, rate: float) -> dict[str, np.ndarray]:
        count = len(pictures)
        rows = np.arange(count)
        clip = {
            "frames": DecodedFrames(pictures, rows, count), "frame_index": rows,
            "times": rows / rate, "core": np.array([0, count]),
        }  # fmt: skip
        (seen,) = found([clip])
        if blazepose:
            seen = {**seen, **blazepose([{**clip, **seen}])[0]}
        if "blazepose_joints" in seen:
            joints = seen["blazepose_joints"][:, BLAZEPOSE_COCO]
        else:
            joints = seen["movenet_joints"]
        raw = joints if new and not blazepose else joints[:0]
        if len(raw):
            joints = smoothed(rows / rate, seen)
        return {
            "raw": raw, "frame": seen["person_frame"],
            "track": seen["person_track"], "joints": joints,
            "score": seen["person_score"], "box": seen["person_box"],
        }  # fmt: skip

    return see


def smoothed(times: np.ndarray, seen: dict[str, Any]) -> np.ndarray:
    """Smooth joints as the stage does unless they are to be raw."""
    from muybridge.tracking.smooth import smooth_joints

    joints = seen["movenet_joints"].copy()
    for track in np.unique(seen["person_track"]):
        mine = seen["person_track"] == track
        box = seen["person_box"][mine]
        length = (box[:, 2:] - box[:, :2]).max(1)
        joints[mine] = smooth_joints(times[seen["person_frame"][mine]], joints[mine], length)
    return joints


def mediapipe() -> Any:
    """Make what sees one person in pictures with mediapipe's Pose, as it is by default."""
    import mediapipe as package

    def see(pictures: np.ndarray, rate: float) -> dict[str, np.ndarray]:
        height, width = pictures.shape[1:3]
        frames, joints = [], []
        with package.solutions.pose.Pose() as pose:
            for number, picture in enumerate(pictures):
                found = pose.process(picture).pose_landmarks
                if found:
                    points = [(p.x * width, p.y * height, p.visibility) for p in found.landmark]
                    frames.append(number)
                    joints.append(np.array(points)[BLAZEPOSE_COCO])
        made = np.array(joints, np.float32).reshape(-1, 17, 3)
        box = np.concatenate([made[..., :2].min(1), made[..., :2].max(1)], 1)
        none = np.zeros(len(frames), np.int32)
        return {
            "frame": np.array(frames, np.int32), "track": none, "joints": made,
            "score": none + 1.0, "box": box, "raw": made[:0],
        }  # fmt: skip

    return see


def crowd(pictures: np.ndarray, people: int) -> np.ndarray:
    """Put the middle of each picture so many times side by side, in two rows if many."""
    if people == 1:
        return pictures
    rows = 2 if people > 6 else 1
    height, width = pictures.shape[1] // rows, pictures.shape[2] * rows // people
    smaller = pictures[:, ::rows, ::rows]
    first = (smaller.shape[2] - width) // 2
    part = smaller[:, :height, first : first + width]
    return np.tile(part, (1, rows, people // rows, 1))


def listed(seen: dict[str, np.ndarray]) -> list[Any]:
    return [
        {"joints": joints.tolist(), "score": float(score)}
        for joints, score in zip(seen["joints"], seen["score"], strict=True)
    ]


def still(data: Path) -> dict[str, np.ndarray]:
    """COCO's pictures by name, within borders ("2 NAME", "3 NAME"), and their mosaic."""
    truth = json.loads((data / "coco_keypoints" / "test_coco.json").read_text())
    made, whole = {}, []
    for image in truth["images"]:
        name = image["file_name"]
        picture = np.asarray(Image.open(data / "coco_keypoints" / name).convert("RGB"))
        whole.append(picture)
        for times in (1, 2, 3):
            height, width = picture.shape[:2]
            top, left = ((times - 1) * side // 2 for side in (height, width))
            large = np.full((times * height, times * width, 3), 128, np.uint8)
            large[top : top + height, left : left + width] = picture
            made[f"{times} {name}"] = large
    height, width = (max(picture.shape[axis] for picture in whole) for axis in (0, 1))
    mosaic = np.zeros((2 * height, 2 * width, 3), np.uint8)
    for at, picture in enumerate(whole):
        top, left = at // 2 * height, at % 2 * width
        mosaic[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return {**made, "mosaic": mosaic}


def report(data: Path, work: Path, systems: list[str]) -> dict[str, Any]:
    """Compare what the systems wrote."""
    made: dict[str, Any] = {}
    for system in systems:
        still_ = json.loads((work / system / "stills.json").read_text())
        videos = {v: dict(np.load(work / system / f"{Path(v).stem}.npz")) for v in VIDEOS}
        made[system] = {"cost": still_["cost"]}
        if system != "mediapipe":
            made[system]["pictures"] = coco(data, still_["pictures"])
            made[system]["counts"] = counts(data, videos)
            made[system]["pictures not tuned on"] = unknown(still_["pictures"])
        if "mediapipe" in systems:
            made[system]["jitter"] = jitter(work, videos)
    return made


def coco(data: Path, pictures: dict[str, Any]) -> dict[str, Any]:
    """Score the four pictures, whole and within borders, and their mosaic (pycocotools)."""
    from muybridge.evaluate.metrics import coco_keypoints

    truth = json.loads((data / "coco_keypoints" / "test_coco.json").read_text())
    sizes = {image["file_name"]: (image["width"], image["height"]) for image in truth["images"]}
    places = {}
    for times in (1, 2, 3):
        for name, size in sizes.items():
            places[f"{times} {name}"] = [(times - 1) * side // 2 for side in size]
    made = {}
    for times in (1, 2, 3):
        found = [
            result(one, image["id"], places[f"{times} {image['file_name']}"])
            for image in truth["images"]
            for one in pictures[f"{times} {image['file_name']}"]
        ]
        made[f"times {times}"] = rounded(coco_keypoints(truth, found))
    moved, width, height = truth, *(max(size[axis] for size in sizes.values()) for axis in (0, 1))
    corners = {
        image["id"]: (at % 2 * width, at // 2 * height) for at, image in enumerate(truth["images"])
    }
    people = [shifted(one, corners[one["image_id"]]) for one in truth["annotations"]]
    moved = {**truth, "images": [{"id": 1}], "annotations": people}
    found = [result(one, 1, (0, 0)) for one in pictures["mosaic"]]
    return {**made, "mosaic": rounded(coco_keypoints(moved, found))}


def result(one: dict[str, Any], image: int, corner: Any) -> dict[str, Any]:
    joints = np.array(one["joints"])
    joints[:, :2] -= corner
    flat = [float(value) for value in joints.ravel()]
    return {"image_id": image, "category_id": 1, "keypoints": flat, "score": one["score"]}


def shifted(annotation: dict[str, Any], corner: tuple[int, int]) -> dict[str, Any]:
    joints = np.array(annotation["keypoints"], float).reshape(-1, 3)
    joints[:, :2] += np.array(corner) * (joints[:, 2:] > 0)
    left, top, *size = annotation["bbox"]
    box = [left + corner[0], top + corner[1], *size]
    return {**annotation, "image_id": 1, "keypoints": joints.ravel().tolist(), "bbox": box}


def rounded(scores: dict[str, Any]) -> dict[str, Any]:
    names = ("people", "found", "right", "recall", "precision", "ap50", "ap")
    return {name: round(float(scores[name]), 3) for name in names}


def counts(data: Path, videos: dict[str, Any]) -> dict[str, Any]:
    """Say in how many frames counted by eye the number of people is right."""
    with (data / "people_counts.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["video"] in videos]
    seen = {video: Counter(found["frame"].tolist()) for video, found in videos.items()}
    wrong = [
        f"{row['video']} frame {row['frame']}: {seen[row['video']][int(row['frame'])]} found"
        for row in rows
        if not int(row["people_min"])
        <= seen[row["video"]][int(row["frame"])]
        <= int(row["people_max"])
    ]
    return {"frames": len(rows), "right": len(rows) - len(wrong), "wrong": wrong}


def unknown(pictures: dict[str, Any]) -> dict[str, Any]:
    """Compare with the people counted by eye in pictures.csv."""
    with Path(__file__).with_name("pictures.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"] in pictures]
    pairs = {row["file"]: (len(pictures[row["file"]]), int(row["people"])) for row in rows}
    there = sum(truth for _, truth in pairs.values())
    return {
        "people": there,
        "found": sum(found for found, _ in pairs.values()),
        "found, at most those there": sum(min(pair) for pair in pairs.values()),
        "pictures": {name: list(pair) for name, pair in pairs.items()},
    }


def jitter(work: Path, videos: dict[str, Any]) -> dict[str, Any]:
    """Compare shoulders' second differences with mediapipe's, and find the lag of wrists."""
    made = {}
    for video in ONE_PERSON:
        theirs = dict(np.load(work / "mediapipe" / f"{Path(video).stem}.npz"))
        ours = same_person(videos[video], theirs)
        rows = np.intersect1d(theirs["frame"], np.array(sorted(ours)))
        runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
        runs = [run for run in runs if len(run) >= 10]
        if not runs:
            continue
        own = dict(zip(theirs["frame"].tolist(), theirs["joints"], strict=True))
        pairs = [(stacked(ours, run), stacked(own, run)) for run in runs]
        first, second = (sum(shaking(pair[i]) for pair in pairs) for i in (0, 1))
        made[Path(video).stem] = {
            "ratio": round(first / max(second, 1e-9), 2),
            "frames": int(sum(map(len, runs))),
        }
        if len(videos[video]["raw"]):
            raw = same_person({**videos[video], "joints": videos[video]["raw"]}, theirs)
            made[Path(video).stem]["lag"] = lag([(stacked(ours, r), stacked(raw, r)) for r in runs])
    return made


def same_person(seen: dict[str, Any], theirs: dict[str, Any]) -> dict[int, np.ndarray]:
    """Take the joints of the track that lies nearest to who mediapipe sees."""
    best, nearest = {}, np.inf
    for track in np.unique(seen["track"]):
        mine = seen["track"] == track
        own = dict(zip(seen["frame"][mine].tolist(), seen["joints"][mine], strict=True))
        pairs = [
            np.linalg.norm(own[frame][5:, :2] - joints[5:, :2], axis=1).mean()
            for frame, joints in zip(theirs["frame"].tolist(), theirs["joints"], strict=True)
            if frame in own
        ]
        if len(pairs) > 0.3 * len(theirs["frame"]) and np.median(pairs) < nearest:
            best, nearest = own, float(np.median(pairs))
    return best


def stacked(joints: dict[int, np.ndarray], rows: np.ndarray) -> np.ndarray:
    return np.stack([joints[row] for row in rows.tolist()])


def shaking(joints: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(joints[:, SHOULDERS, :2], 2, axis=0), axis=-1).sum())


def lag(pairs: list[tuple[np.ndarray, np.ndarray]]) -> int:
    """Find by how many frames the first wrists of each pair come later than the second."""
    away = {}
    for shift in range(-4, 5):
        low, high = max(shift, 0), min(shift, 0)
        parts = [
            np.linalg.norm(
                np.diff(a[low : len(a) + high, WRISTS, :2], axis=0)
                - np.diff(b[-high : len(b) - low, WRISTS, :2], axis=0),
                axis=-1,
            ).ravel()
            for a, b in pairs
        ]
        away[shift] = float(np.median(np.concatenate(parts)))
    return min(away, key=lambda shift: away[shift])


if __name__ == "__main__":
    main()
