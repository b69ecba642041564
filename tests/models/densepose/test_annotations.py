"""Reading COCO DensePose annotations, good and bad."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pycocotools import mask as coder

from muybridge.errors import InputError
from muybridge.models.densepose.annotations import drawn, person, read


def coded(rows):
    parts = np.zeros((256, 256), np.uint8, order="F")
    parts[rows] = 1
    code = coder.encode(parts)
    return {"size": [256, 256], "counts": code["counts"].decode()}


def record(number=1, **changes):
    return {
        "id": number,
        "image_id": 7,
        "bbox": [10, 20, 30, 40],
        "dp_masks": [coded(slice(0, 64)), [], coded(slice(32, 96))],
        "dp_x": [1.5, 2],
        "dp_y": [3, 256],
        "dp_I": [1.0, 24.0],
        "dp_U": [0, 0.5],
        "dp_V": [1, 0.25],
    } | changes


def written(tmp_path, annotations, images=({"id": 7, "file_name": "a.jpg"},)):
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"images": list(images), "annotations": annotations}))
    return path


def test_a_record_becomes_a_person():
    found = person(record())
    np.testing.assert_array_equal(found.box, [10, 20, 40, 60])
    np.testing.assert_array_equal(found.part, [1, 24])
    np.testing.assert_array_equal(found.v, np.float32([1, 0.25]))


def test_a_later_part_lies_on_top_and_one_not_drawn_leaves_its_number_out():
    found = drawn(record()["dp_masks"])
    assert [found[row, 0] for row in (0, 31, 32, 95, 96)] == [1, 1, 3, 3, 0]
    assert not drawn([]).any()


def test_everything_wrong_with_a_record_is_said_at_once():
    bad = record(5, dp_U=[0, 1.5], dp_I=[1, 2.5], bbox=[0, 0, 0, 4], dp_y=[1])
    with pytest.raises(InputError) as caught:
        person(bad)
    for part in ("annotation 5", "dp_U leaves 0 to 1", "dp_I is not whole", "bbox", "dp_y 1"):
        assert part in str(caught.value)


@pytest.mark.parametrize("key", ["dp_x", "dp_I", "dp_masks", "bbox", "image_id"])
def test_a_missing_field_is_named(key):
    bad = record()
    del bad[key]
    with pytest.raises(InputError, match=f"{key} is missing"):
        person(bad)


@pytest.mark.parametrize(
    "masks", [7, [{"size": [9, 9], "counts": "x"}], [{"size": [256, 256]}], [3], [[]] * 15]
)
def test_masks_that_are_none_are_refused(masks):
    with pytest.raises(InputError, match="mask"):
        person(record(dp_masks=masks))


def test_numbers_that_are_none_are_refused():
    with pytest.raises(InputError, match="dp_x is no list of finite numbers"):
        person(record(dp_x=[1, "left"]))
    with pytest.raises(InputError, match="dp_y is no list of finite numbers"):
        person(record(dp_y=[1, float("nan")]))


def test_a_bad_record_costs_itself_only(tmp_path):
    bad = record(2)
    del bad["dp_V"]
    boxed = {"id": 3, "image_id": 7, "bbox": [0, 0, 5, 5]}
    found = read(written(tmp_path, [record(1), bad, boxed, record(4)]))
    assert [len(each.people) for each in found.pictures] == [2]
    assert found.pictures[0].file == "a.jpg"
    assert len(found.skipped) == 1
    assert "annotation 2" in found.skipped[0]


def test_pictures_of_people_without_annotations_are_passed_over(tmp_path):
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}]
    others = [{"id": 3, "image_id": 8, "bbox": [0, 0, 5, 5]}, record(4, image_id=9)]
    found = read(written(tmp_path, [record(1), *others], images))
    assert [each.file for each in found.pictures] == ["a.jpg"]
    assert found.skipped == ("picture 9: annotated, but not among the images",)


def test_a_file_with_nobody_annotated_says_what_is_wanted(tmp_path):
    with pytest.raises(InputError, match="nobody in it has DensePose annotations"):
        read(written(tmp_path, []))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"images": []}', "\0\1"])
def test_a_file_that_is_no_annotation_file_is_named(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"a\.json"):
        read(path)
    with pytest.raises(InputError, match=r"gone\.json"):
        read(tmp_path / "gone.json")
