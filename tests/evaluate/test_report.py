"""Reports on annotated pictures and on people counted by eye."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from muybridge.errors import InputError
from muybridge.evaluate.report import coco_joints, counts, frames_of_people, keypoints, picture_clip
from muybridge.geometry.skeletons import BODY25, COCO17
from muybridge.graphs import see_people
from muybridge.models.blazepose import checkpoint


def test_ten_of_twelve_people_in_four_pictures_are_found_with_one_mistake(data):
    if absent := checkpoint.missing():
        pytest.skip(absent[0])
    folder = data / "coco_keypoints"
    report = keypoints(folder, folder / "test_coco.json", see_people())
    assert report["pictures"] == 4
    assert report["people"] == 12
    assert report["recall"] >= 0.8
    assert report["precision"] >= 0.8
    assert report["ap50"] >= 0.75
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


def test_frames_of_people_are_taken_from_tables_by_the_videos_path(tmp_path):
    videos = pa.table(
        {"video_id": ["x", "y"], "uri": [str(tmp_path / "a" / "v.mp4"), "/other.mp4"]}
    )
    people = pa.table({"video_id": ["x", "y", "x"], "frame": [3, 4, 5]})
    found = frames_of_people(videos, people, tmp_path)
    assert {name: frames.tolist() for name, frames in found.items()} == {"a/v.mp4": [3, 5]}
