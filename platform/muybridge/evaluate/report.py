"""Measure what a graph or an output reaches against annotations, and write it as text."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from muybridge import graph as graphs
from muybridge.columns import Clip
from muybridge.errors import InputError
from muybridge.evaluate import coco, surface
from muybridge.evaluate import results as coco_results
from muybridge.evaluate.densepose import annotated, score
from muybridge.evaluate.metrics import coco_keypoints
from muybridge.evaluate.outputs import only, people_at, some, stems
from muybridge.evaluate.precision import NAMES
from muybridge.geometry.skeletons import COCO17, SKELETONS, Skeleton, mapping
from muybridge.graph import Graph
from muybridge.store.query import Output
from muybridge.store.tables import SYSTEMS
from muybridge.video.frames import DecodedFrames

GIVEN = ("frames", "frame_index", "pts", "times", "core", "width", "height")


def keypoints(images: Path, annotations: Path, graph: Graph) -> dict[str, Any]:
    """Run a graph on the pictures of a COCO keypoint file and score the joints it finds.

    The graph's decoding is left out: each picture is a clip of one frame. The report has what
    ``metrics.coco_keypoints`` gives and ``text``, a few lines for people.
    """
    truth = coco.labels(annotations)
    seen = looked_at(images, truth["images"], graph)
    found = [result for clip, number in seen for result in _results(clip, number)]
    return _keypoints_report(truth, found)


def output_keypoints(out: Output, annotations: Path) -> dict[str, Any]:
    """Score the joints of an output on frames of its videos that a COCO keypoint file has.

    The pictures' names say which frames they are (``coco.frame_of``), those of other videos are
    left out. The report is that of ``keypoints``. InputError says if no picture is of a video.
    """
    truth, videos = coco.labels(annotations), stems(out)
    images = _frames(truth["images"], videos, annotations)
    known = {number for own in images.values() for number in own.values()}
    truth = {
        **truth,
        "images": [image for image in truth["images"] if image["id"] in known],
        "annotations": [each for each in truth["annotations"] if each["image_id"] in known],
    }
    found = [
        coco.result(own[frame], _in_coco(joints, skeleton), score)
        for video_id, own in images.items()
        for frame, skeleton, joints, score in people_at(out, video_id, list(own))
    ]
    return _keypoints_report(truth, found)


def _frames(
    images: Sequence[Mapping[str, Any]],
    videos: Mapping[str, Sequence[Mapping[str, Any]]],
    path: Path,
) -> dict[str, dict[int, Any]]:
    """Give the ids of pictures by the id of their video and by frame."""
    made: dict[str, dict[int, Any]] = {}
    for image in images:
        name, frame = coco.frame_of(image["file_name"]) or ("", 0)
        if name in videos:
            video = only(videos[name], name)
            made.setdefault(video["video_id"], {})[frame] = image["id"]
    if not made:
        raise InputError(
            f"{path}: none of its {len(images)} pictures is named as a frame of {some(videos)}; "
            "a picture VIDEO_000012.jpg is frame 12, the first being 0"
        )
    return made


def _keypoints_report(truth: dict[str, Any], found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    report = coco_keypoints(truth, found)
    return {**report, "pictures": len(truth["images"]), "text": _keypoints_text(report)}


def looked_at(
    folder: Path, images: Sequence[Mapping[str, Any]], graph: Graph
) -> Iterator[tuple[Clip, int]]:
    """Run a graph on the pictures of a COCO file; yield each one's clip and number.

    InputError names a picture that is not there, or at which the graph failed.
    """
    loaded = graphs.load(tuple(s for s in graph if "frames" not in s.writes), GIVEN)
    for image in images:
        clip = graphs.apply(loaded, [picture_clip(folder / image["file_name"])])[0]
        if clip["error"]:
            raise InputError(f"{image['file_name']}: the graph failed: {clip['error']}")
        yield clip, image["id"]


def picture_clip(path: Path) -> dict[str, Any]:
    """Make a clip of one frame from a picture file; InputError where there is none."""
    if not path.is_file():
        raise InputError(f"the annotations name {path}, which is not there; check the folder")
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))[None]
    one = np.zeros(1, np.int64)
    return {
        "frames": DecodedFrames(pixels, one, 1),
        "frame_index": one,
        "pts": one,
        "times": np.zeros(1),
        "core": np.array([0, 1]),
        "width": pixels.shape[2],
        "height": pixels.shape[1],
    }


def coco_joints(clip: Clip) -> NDArray[np.float32]:
    """Take the joints (P, 17, 3) in COCO's order from whichever system wrote some.

    Those that the system does not know are 0, 0, 0.
    """
    for table, _, skeleton, column, *_ in SYSTEMS:
        if table == "keypoints" and column in clip:
            return _in_coco(clip[column], SKELETONS[skeleton])
    raise InputError("the graph writes no joints to score; name one that does, such as openpose")


def _in_coco(joints: NDArray[Any], skeleton: Skeleton) -> NDArray[Any]:
    number = mapping(skeleton, COCO17)
    return joints[..., number, :] * (number >= 0)[:, None]


def _results(clip: Clip, image: int) -> list[dict[str, Any]]:
    """Write a clip's people in COCO's result form."""
    pairs = zip(coco_joints(clip), clip["person_score"], strict=True)
    return [coco.result(image, person, score) for person, score in pairs]


def _keypoints_text(report: Mapping[str, Any]) -> str:
    return (
        f"{report['right']} of {report['people']} annotated people found at OKS 0.5, "
        f"{report['found']} found in all\n"
        f"recall {report['recall']:.2f}  precision {report['precision']:.2f}  "
        f"AP at OKS 0.5 {report['ap50']:.2f}  AP 0.5 to 0.95 {report['ap']:.2f}\n"
        f"({report['by']})"
    )


def densepose(results: Path, annotations: Path, folder: Path, graph: Graph = ()) -> dict[str, Any]:
    """Score surfaces against COCO DensePose annotations.

    ``results`` is a file of COCO DensePose results, or the folder of the pictures, at which
    ``graph`` looks. ``folder`` holds the official surface files (``surface.read``). The report has
    average precision and recall by measure (GPS, GPSm, IoU), ``skipped`` (a sentence for each
    record that could not be used) and ``text``.
    """
    measured = surface.read(folder)
    content, skipped = annotated(annotations)
    if results.is_dir():
        seen = looked_at(results, content["images"], graph)
        found = [one for clip, number in seen for one in coco_results.seen(clip, number)]
    else:
        found, unread = coco_results.read(results)
        skipped = [*skipped, *unread]
    scores = score(content, found, measured)
    text = _densepose_text(scores, len(found), len(content["images"]), skipped)
    return {**scores, "skipped": skipped, "text": text}


def _densepose_text(
    scores: Mapping[str, Mapping[str, float]], found: int, pictures: int, skipped: Sequence[str]
) -> str:
    """Write the scores as a table, in percent; a dash where nobody of a size is annotated."""
    lines = [f"{found} people found in {pictures} pictures", f"{'':6}" + _row(NAMES)]
    lines += [f"{name:6}" + _row(map(_percent, row.values())) for name, row in scores.items()]
    lines.append("(COCO DensePose, rules of 2019: GPS with each body part's own extent)")
    if skipped:
        lines.append(f"left out: {len(skipped)}, the first: {skipped[0]}")
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return "".join(f"{cell:>7}" for cell in cells)


def _percent(value: float) -> str:
    return f"{100 * value:.2f}" if value >= 0 else "-"


def counts(labels: Path, found: Mapping[str, Iterable[int]]) -> dict[str, Any]:
    """Compare how many people were found in frames with how many were counted by eye.

    ``labels`` is a CSV of video, frame, people_min, people_max; ``found`` gives, for each video as
    named there, the frame number of every person-in-frame. The report has ``right``, ``frames``,
    ``wrong`` (video, frame, found, least, most), ``precision``, ``error`` and ``text``: of whom is
    found in a frame the share that can be there, averaged over the frames where somebody is found,
    and by how many people frames are wrong in the mean. Both are NaN if there is no such frame.
    """
    with labels.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["video"] in found]
    seen = {video: Counter(int(frame) for frame in frames) for video, frames in found.items()}
    judged = [
        (
            r["video"],
            f := int(r["frame"]),
            seen[r["video"]][f],
            int(r["people_min"]),
            int(r["people_max"]),
        )
        for r in rows
    ]
    wrong = [row for row in judged if not row[3] <= row[2] <= row[4]]
    shares = [min(n, most) / n for _, _, n, _, most in judged if n]
    precision = float(np.mean(shares)) if shares else float("nan")
    off = [max(least - n, n - most, 0) for _, _, n, least, most in judged]
    error = float(np.mean(off)) if off else float("nan")
    lines = [
        f"{len(judged) - len(wrong)} of {len(judged)} frames have the right number of people",
        f"precision by frame {precision:.3f}  mean absolute error {error:.3f} people",
    ]
    lines += [f"  {v} frame {f}: {n} found, {a} to {b} there" for v, f, n, a, b in wrong]
    return {
        "frames": len(judged),
        "right": len(judged) - len(wrong),
        "wrong": wrong,
        "precision": precision,
        "error": error,
        "text": "\n".join(lines),
    }


def frames_of_people(videos: Any, people: Any, root: Path) -> dict[str, NDArray[np.int64]]:
    """Take each video's frames of people from two tables, by the video's path under ``root``."""
    where = dict(zip(videos["video_id"].to_pylist(), videos["uri"].to_pylist(), strict=True))
    ids, frame = np.array(people["video_id"].to_pylist()), people["frame"].to_numpy()
    return {
        str(Path(uri).resolve().relative_to(root.resolve())): frame[ids == id]
        for id, uri in where.items()
        if Path(uri).resolve().is_relative_to(root.resolve())
    }
