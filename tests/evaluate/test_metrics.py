"""Scores against annotated people, on cases small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.evaluate.metrics import coco_keypoints
from muybridge.geometry.similarity import SIGMAS, oks


def annotated(x, joints=17, id=1, image=1):
    """Somebody 100 x 200 pixels tall with so many joints annotated."""
    values = [[x + 5 * j, 10 * j, 2 if j < joints else 0] for j in range(17)]
    return {
        "id": id,
        "image_id": image,
        "category_id": 1,
        "keypoints": [v for joint in values for v in joint],
        "num_keypoints": joints,
        "bbox": [x, 0, 100, 200],
        "area": 10_000.0,
        "iscrowd": 0,
    }


def found(one, by=0.0, score=0.9):
    """A result as far to the right of somebody annotated as ``by`` pixels."""
    joints = np.array(one["keypoints"], float).reshape(17, 3) + np.array([by, 0, 0])
    return {
        "image_id": one["image_id"],
        "category_id": 1,
        "keypoints": joints.ravel().tolist(),
        "score": score,
    }


def truth(*people):
    return {
        "info": {},
        "images": [{"id": 1, "width": 640, "height": 480}],
        "annotations": list(people),
        "categories": [{"id": 1, "name": "person"}],
    }


def joints(one):
    return np.array(one["keypoints"], float).reshape(1, 17, 3)


def alike(ours, true):
    """Compare with somebody annotated, of an area of 10,000: joints not annotated count nothing."""
    return oks(ours[..., :2], true, np.array([1e4]), true[..., 2] > 0)


def test_the_same_joints_are_wholly_alike():
    one = joints(annotated(0))
    assert alike(one, one)[0] == pytest.approx([1])


def test_a_joint_off_by_its_spread_counts_exp_minus_a_half():
    one = joints(annotated(0, joints=1))  # only the nose is annotated
    off = one[..., :2].copy()
    off[0, 0, 0] += SIGMAS[0] * 100  # the square root of the area
    assert alike(off, one)[0] == pytest.approx([np.exp(-0.5)])


def test_somebody_without_annotated_joints_is_alike_to_nobody():
    one = joints(annotated(0, joints=0))
    assert alike(one, one).tolist() == [[0]]
    assert alike(one[:0], one).shape == (0, 1)


def test_our_similarity_is_the_one_cocoeval_matches_by():
    one = annotated(0)
    for by in (12, 18):
        similar = alike(joints(found(one, by)), joints(one))
        assert coco_keypoints(truth(one), [found(one, by)])["right"] == int(similar[0, 0] >= 0.5)


def test_two_found_of_three_and_one_ghost():
    people = [annotated(0), annotated(200, id=2), annotated(400, id=3)]
    results = [found(people[0]), found(people[1], 1), found(people[2], 90, score=0.3)]
    report = coco_keypoints(truth(*people), results)
    assert (report["people"], report["found"], report["right"]) == (3, 3, 2)
    assert report["recall"] == pytest.approx(2 / 3)
    assert report["precision"] == pytest.approx(2 / 3)
    assert 0.6 < report["ap50"] < 0.7


def test_people_without_annotated_joints_neither_help_nor_harm():
    people = [annotated(0), annotated(300, joints=0, id=2)]
    report = coco_keypoints(truth(*people), [found(people[0])])
    assert (report["recall"], report["precision"], report["ap50"]) == (1, 1, pytest.approx(1))


def test_nobody_found_scores_nothing():
    report = coco_keypoints(truth(annotated(0)), [])
    assert (report["people"], report["recall"], report["precision"]) == (1, 0, 0)
