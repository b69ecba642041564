"""Reports on annotated pictures and on people counted by eye."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from muybridge.errors import InputError
from muybridge.evaluate.report import (
    coco_joints,
    counts,
    frames_of_people,
    keypoints,
    output_keypoints,
    picture_clip,
)
from muybridge.geometry.skeletons import BLAZEPOSE33, BODY25, COCO17
from muybridge.graphs import see_people


def test_eleven_of_twelve_people_in_four_pictures_are_found_with_one_mistake(data):
    folder = data / "coco_keypoints"
    report = keypoints(folder, folder / "test_coco.json", see_people())
    assert report["pictures"] == 4
    assert report["people"] == 12
    assert report["recall"] >= 0.91
    assert report["precision"] >= 0.91
    assert report["ap50"] >= 0.91
    assert report["ap"] >= 0.75
    assert "COCOeval" in report["text"]


def test_joints_of_any_system_are_brought_into_cocos_order():
    joints = np.arange(25 * 3, dtype=np.float32).reshape(1, 25, 3)
    found = coco_joints({"body25_joints": joints})
    assert found.shape == (1, 17, 3)
    assert found[0, COCO17.joints.index("left_ankle"), 0] == 3 * BODY25.joints.index("left_ankle")
    assert coco_joints({"coco17_joints": joints[:, :17]}).tolist() == joints[:, :17].tolist()
    found = coco_joints({"pa16_joints": 1 + joints[:, :16]})
    assert (found[0, : COCO17.joints.index("left_shoulder")] == 0).all()  # it has no face
    assert found[0, COCO17.joints.index("left_ankle"), 0] == 1 + 3 * 15
    with pytest.raises(InputError, match="no joints"):
        coco_joints({"person_box": joints})


def test_a_picture_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.jpg"):
        picture_clip(tmp_path / "gone.jpg")


def test_counts_are_compared_frame_by_frame_and_wrong_ones_listed(tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "video,frame,people_min,people_max,note\n"
        "a.mp4,0,0,0,\na.mp4,5,1,2,maybe two\na.mp4,9,1,1,\nb.mp4,0,1,1,not looked at\n"
    )
    report = counts(labels, {"a.mp4": [5, 5, 7]})
    assert (report["right"], report["frames"]) == (2, 3)
    assert report["wrong"] == [("a.mp4", 9, 0, 1, 1)]
    assert "a.mp4 frame 9: 0 found, 1 to 1 there" in report["text"]


def test_counts_say_precision_by_frame_and_the_mean_error(tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "video,frame,people_min,people_max\na.mp4,0,1,1\na.mp4,1,1,2\na.mp4,2,3,3\na.mp4,3,0,0\n"
    )
    report = counts(labels, {"a.mp4": [0, 1, 1, 1, 1, 2]})
    assert report["precision"] == pytest.approx((1 + 2 / 4 + 1) / 3)  # nobody is found in frame 3
    assert report["error"] == pytest.approx((0 + 2 + 2 + 0) / 4)
    assert "precision by frame 0.833  mean absolute error 1.000 people" in report["text"]
    nothing = counts(labels, {})
    assert np.isnan(nothing["precision"])
    assert np.isnan(nothing["error"])


def test_an_output_is_scored_on_the_frames_of_its_videos_that_are_labelled(write_output, tmp_path):
    joints = np.stack([10.0 * np.arange(17), 5.0 * np.arange(17), np.ones(17)])
    lists = dict(zip(("x", "y", "score"), joints.tolist(), strict=True))
    person = {"video_id": "a", "frame": 12, "track_id": 3, "score": 0.9}
    seen = {**person, "system": "keypoint_rcnn", "skeleton": "coco17", **lists}
    out = write_output(
        "out",
        videos=[{"video_id": "a", "uri": "/videos/walk.mp4"}],
        people=[person],
        keypoints=[seen, {**seen, "frame": 13}, {**seen, "system": "openpose"}],
    )
    keypoints = np.concatenate([joints[:2], [[2] * 17]]).T.ravel().tolist()
    annotated = [
        {"id": at, "image_id": at, "category_id": 1, "keypoints": keypoints} for at in range(3)
    ]
    names = ("walk_000012.jpg", "walk_000040.jpg", "run_000012.jpg")
    images = [{"id": at, "file_name": name} for at, name in enumerate(names)]
    file = tmp_path / "labels.json"
    file.write_text(json.dumps({"images": images, "annotations": annotated}))
    report = output_keypoints(out, file)
    assert (report["pictures"], report["people"]) == (2, 2)  # run is not in the output
    assert (report["found"], report["right"]) == (1, 1)  # frame 13 is not labelled
    file.write_text(json.dumps({"images": images[2:], "annotations": annotated[2:]}))
    with pytest.raises(InputError, match=r"none of its 1 pictures is named as a frame of walk"):
        output_keypoints(out, file)


@pytest.mark.parametrize("system", ["openpose", "blazepose"])
def test_a_person_of_any_skeleton_in_an_output_is_brought_into_cocos_order(
    system, write_output, tmp_path
):
    skeleton = {"openpose": BODY25, "blazepose": BLAZEPOSE33}[system]
    places = np.random.default_rng(0).uniform(0, 200, (len(skeleton.joints), 2))
    ours = dict(zip(("x", "y"), places.T.tolist(), strict=True))
    person = {"video_id": "a", "frame": 0, "track_id": 0, "score": 0.9}
    seen = {
        **person,
        "system": system,
        "skeleton": skeleton.name,
        **ours,
        "score": [1.0] * len(places),
    }
    videos = [{"video_id": "a", "uri": "/videos/walk.mp4"}]
    out = write_output("out", videos=videos, people=[person], keypoints=[seen])
    picked = places[skeleton.index(*COCO17.joints)]
    keypoints = np.concatenate([picked, np.full((17, 1), 2)], axis=1).ravel().tolist()
    record = {"id": 1, "image_id": 5, "category_id": 1, "keypoints": keypoints}
    images = [{"id": 5, "file_name": "walk_0.png"}]
    (tmp_path / "t.json").write_text(json.dumps({"images": images, "annotations": [record]}))
    assert output_keypoints(out, tmp_path / "t.json")["ap"] == pytest.approx(1)


def test_frames_of_people_are_taken_from_tables_by_the_videos_path(tmp_path):
    videos = pa.table(
        {"video_id": ["x", "y"], "uri": [str(tmp_path / "a" / "v.mp4"), "/other.mp4"]}
    )
    people = pa.table({"video_id": ["x", "y", "x"], "frame": [3, 4, 5]})
    found = frames_of_people(videos, people, tmp_path)
    assert {name: frames.tolist() for name, frames in found.items()} == {"a/v.mp4": [3, 5]}
