"""Keypoint labels of any tool are read, and scored as COCO's own."""

from __future__ import annotations

import json

import pytest

from muybridge.errors import InputError
from muybridge.evaluate.coco import frame_of, labels
from muybridge.evaluate.metrics import coco_keypoints

JOINTS = [value for joint in range(17) for value in (10 * joint, 5 * joint, 2)]


def content(person: int = 1, **record):
    """One picture with one person, whose record has nothing that can be left out."""
    return {
        "images": [{"id": 1, "file_name": "a_000000.jpg"}],
        "annotations": [
            {"id": 0, "image_id": 1, "category_id": person, "keypoints": JOINTS, **record}
        ],
        "categories": [{"id": person, "name": "person"}],
    }


@pytest.fixture
def read(tmp_path):
    def write(value):
        (tmp_path / "t.json").write_text(value if isinstance(value, str) else json.dumps(value))
        return labels(tmp_path / "t.json")

    return write


def found(truth):
    return [
        {"image_id": each["image_id"], "category_id": 1, "keypoints": JOINTS, "score": 1.0}
        for each in truth["annotations"]
    ]


@pytest.mark.parametrize("number", [0, 1, 2, 77])
def test_the_category_of_people_may_have_any_number(read, number):
    truth = read(content(number))
    assert coco_keypoints(truth, found(truth))["recall"] == 1


def test_other_categories_are_left_out(read):
    both = content(2)
    both["categories"].insert(0, {"id": 1, "name": "dog"})
    both["annotations"].append({"id": 5, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9]})
    assert [each["category_id"] for each in read(both)["annotations"]] == [1]


def test_one_category_is_that_of_people_by_any_name_and_of_several_one_must_be(read):
    named = content(3)
    named["categories"][0]["name"] = "athlete"
    assert len(read(named)["annotations"]) == 1
    named["categories"].append({"id": 4, "name": "ball"})
    with pytest.raises(InputError, match="athlete, ball is named person"):
        read(named)
    del named["categories"]
    assert len(read(named)["annotations"]) == 1


def test_what_is_left_out_is_worked_out(read):
    (person,) = read(content())["annotations"]
    assert person["num_keypoints"] == 17
    assert person["bbox"] == [0, 0, 160, 80]  # round the joints
    assert person["area"] == 160 * 80
    assert person["iscrowd"] == 0
    (boxed,) = read(content(bbox=[0, 0, 20, 30]))["annotations"]
    assert boxed["area"] == 600


def test_what_is_given_is_kept(read):
    given = {"num_keypoints": 3, "bbox": [1, 2, 3, 4], "area": 5.5, "iscrowd": 1}
    (person,) = read(content(**given))["annotations"]
    assert {key: person[key] for key in given} == given


def test_somebody_without_keypoints_counts_for_nothing(read):
    bare = content()
    del bare["annotations"][0]["keypoints"]
    truth = read(bare)
    assert truth["annotations"][0]["num_keypoints"] == 0
    assert coco_keypoints(truth, [])["people"] == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "is no file of COCO keypoints"),
        ("[]", "is no file of COCO keypoints"),
        ({"images": []}, "KeyError: 'annotations'"),
        (content(keypoints=[1, 2, 3]), "annotation 0: 3 keypoint values, not 51"),
        ({**content(), "images": [{"id": 1}]}, "picture 1: no file_name"),
    ],
)
def test_files_that_are_none_are_refused_in_a_sentence(read, value, said):
    with pytest.raises(InputError, match=said):
        read(value)


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("walk_000012.jpg", ("walk", 12)),
        ("a/b/walk_0.png", ("walk", 0)),
        ("walk/00012.jpg", ("walk", 12)),
        ("two_words_7.jpg", ("two_words", 7)),
        ("000000000785.jpg", None),
        ("walk.jpg", None),
    ],
)
def test_a_pictures_name_says_of_which_video_and_frame_it_is(name, frame):
    assert frame_of(name) == frame
