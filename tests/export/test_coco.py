"""COCO keypoints, read by pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from muybridge.export.write import export
from muybridge.geometry.skeletons import BLAZEPOSE33

from .conftest import HEIGHT, WIDTH, clip, flat

JOINTS = (  # as COCO's own annotations list them
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle"
)


def coco(out: str, path: Path) -> COCO:
    (_,) = export(out, "json", output=path)
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(path)


def test_joints_stand_in_the_order_of_coco_under_their_frames(output, tmp_path):
    seen = clip([0, 3, 4], number=7, blazepose_joints=flat(3))
    read = coco(output(seen), tmp_path / "one.json")
    (category,) = read.loadCats(read.getCatIds("person"))
    assert category["keypoints"] == JOINTS.split()
    assert [14, 16] in category["skeleton"]  # left knee and left ankle, counted from 1
    assert sorted(read.getImgIds()) == [0, 3, 4]
    picture = read.loadImgs(3)[0]
    assert (picture["width"], picture["height"]) == (WIDTH, HEIGHT)
    assert picture["file_name"] == "walk_000003.jpg"
    (found,) = read.loadAnns(read.getAnnIds(imgIds=3))
    assert (found["track_id"], found["num_keypoints"]) == (7, 17)
    assert (found["bbox"], found["area"]) == ([100, 50, 200, 400], 80000)
    knee = BLAZEPOSE33.joints.index("left_knee")
    at = np.array(found["keypoints"]).reshape(17, 3)[JOINTS.split().index("left_knee")]
    assert at.tolist() == [110.5 + 5 * knee, 60.25 + 10 * knee, 2]


def test_joints_that_are_unsure_lost_or_outside_are_marked(output, tmp_path):
    joints = flat(1)
    nose, eye, ear = BLAZEPOSE33.index("nose", "left_eye", "left_ear")
    joints[0, nose, 2], joints[0, eye, 2], joints[0, ear, 0] = 0.1, 0, WIDTH + 1
    read = coco(output(clip([0], blazepose_joints=joints)), tmp_path / "one.json")
    (found,) = read.loadAnns(read.getAnnIds())
    points = dict(zip(JOINTS.split(), np.reshape(found["keypoints"], (17, 3)), strict=True))
    assert points["nose"].tolist() == [110.5, 60.25, 1]
    assert points["left_eye"].tolist() == points["left_ear"].tolist() == [0, 0, 0]
    assert found["num_keypoints"] == 15


def test_each_of_two_people_has_their_own_box(output, tmp_path):
    other = clip([0], number=1, blazepose_joints=flat(1), person_box=[[7, 8, 17, 28]])
    out = output(clip([0], blazepose_joints=flat(1)), other)
    first, second = export(out, "json", output=tmp_path)
    boxes = [json.loads(file.path.read_text())["annotations"][0] for file in (first, second)]
    assert [box["bbox"] for box in boxes] == [[100, 50, 200, 400], [7, 8, 10, 20]]


def test_other_systems_give_the_same_joints(output, tmp_path):
    ones = np.stack([np.arange(25.0), np.arange(25.0), np.full(25, 0.9)], axis=1)[None]
    out = output(clip([0], body25_joints=ones))
    read = coco(out, tmp_path / "one.json")
    (found,) = read.loadAnns(read.getAnnIds())
    # of BODY_25: nose 0, eyes 16 15, ears 18 17, shoulders 5 2, elbows 6 3, wrists 7 4, …
    x = np.reshape(found["keypoints"], (17, 3))[:, 0]
    assert x.tolist() == [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11]


def test_pycocotools_scores_the_file_against_itself_as_perfect(output, tmp_path):
    read = coco(output(clip(range(4), blazepose_joints=flat(4))), tmp_path / "one.json")
    results = json.loads((tmp_path / "one.json").read_text())["annotations"]
    with contextlib.redirect_stdout(io.StringIO()):
        judge = COCOeval(read, read.loadRes(results), "keypoints")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert judge.stats[0] == pytest.approx(1)
