"""Who counts as a person, and who as the same one."""

import numpy as np
import pytest
from PIL import Image

from muybridge.models.blazepose import checkpoint
from muybridge.models.blazepose.find import Limits, agreement, distinct, find, read, similar
from muybridge.models.blazepose.postprocess import NOBODY, People
from muybridge.models.blazepose.preprocess import tiles

LIMITS = Limits()


@pytest.fixture(scope="module")
def model():
    if absent := checkpoint.missing():
        pytest.skip(absent[0])
    return checkpoint.load()


@pytest.fixture(scope="module")
def skier(data):
    return np.asarray(Image.open(data / "coco_keypoints" / "000000000785.jpg").convert("RGB"))


def person(x, width=40.0, height=100.0, clarity=0.9):
    """Somebody whose joints lie on a diagonal of the box."""
    line = np.linspace(0, 1, 33)
    joints = np.stack([x + width * line, height * line, 0 * line + 1], 1)
    return People(
        joints=joints[None],
        joints3d=np.zeros((1, 33, 4)),
        presence=np.ones(1),
        clarity=np.array([clarity]),
        box=np.array([[x, 0, x + width, height]]),
        region=np.array([[x + width / 2, height / 2, 150.0, 0]]),
    )


def test_joints_agree_by_how_near_they_are_for_the_bodys_size():
    one = person(0).joints
    assert agreement(one, one).tolist() == [1]
    assert agreement(one, one + np.array([10, 0, 0]))[0] == pytest.approx(
        np.exp(-0.5)
    )  # a tenth of 100
    assert agreement(one, NOBODY.joints).shape == (0,)


def test_two_regions_are_similar_if_place_size_and_turn_are():
    here = np.array([100.0, 100, 50, 0])
    others = here + np.array([[5, 5, 5, 0.1], [30, 0, 0, 0], [0, 0, 40, 0], [0, 0, 0, 2], [0] * 4])
    assert similar(here, others).tolist() == [True, False, False, False, True]


def test_somebody_known_is_not_found_again():
    assert len(distinct(person(3), np.array([0.9]), person(0), LIMITS)) == 0
    assert len(distinct(person(300), np.array([0.9]), person(0), LIMITS)) == 1


def test_a_part_of_a_body_is_nobody_new_but_a_clear_person_before_another_is():
    behind = person(0, width=100, height=200)
    before = person(10, width=40, height=80)
    assert len(distinct(before, np.array([0.6]), behind, LIMITS)) == 0
    assert len(distinct(before, np.array([0.9]), behind, LIMITS)) == 1


def test_a_skier_is_found_once_over_all_tiles(model, skier):
    squares = tiles(640, 425, (1.0, 0.5), 0.35)
    found = find(model, skier, squares, NOBODY, LIMITS)
    assert len(found) == 1
    assert found.box[0] == pytest.approx([280, 44, 499, 388], abs=25)  # as annotated by COCO
    assert len(find(model, skier, squares, found, LIMITS)) == 0


def test_reading_again_where_somebody_was_found_says_the_same(model, skier):
    found = find(model, skier, tiles(640, 425, (1.0,)), NOBODY, LIMITS)
    again = read(model, skier, found.region)
    assert agreement(found.joints, again.joints)[0] > 0.9
    assert len(read(model, skier, np.empty((0, 4), np.float32))) == 0


def test_nobody_is_found_in_noise(model):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    assert len(find(model, noise, tiles(320, 240, (1.0, 0.5)), NOBODY, LIMITS)) == 0
