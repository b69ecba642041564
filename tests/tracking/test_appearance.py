"""Appearance: colours by body part tell people apart, whatever the light."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.tracking.appearance import DARK, DIMENSIONS, NOT_SAME, PARTS, describe, distance
from muybridge.tracking.associate import recognition
from muybridge.tracking.track import Tracker

from .puppets import box, clothes, empty, paint, stand

LENGTH = 100.0
RED = {"shirt": (200, 30, 30), "sleeves": (200, 30, 30), "trousers": (30, 30, 120)}
RED |= {"socks": (30, 30, 120), "hair": (60, 40, 20)}
GREEN = RED | {"shirt": (30, 150, 60), "sleeves": (30, 150, 60), "trousers": (200, 190, 150)}


def look(worn, light=1.0, x=60.0, noise=0.0, score=1.0):
    """Describe one puppet in a picture of its own: (1, D)."""
    joints = stand(x, 110, LENGTH)
    picture = paint(empty(120, 120), joints, LENGTH, worn) * light
    picture = picture + np.random.default_rng(0).normal(0, noise, picture.shape)
    joints[:, 2] = score
    pixels = np.clip(picture, 0, 255).astype(np.uint8)
    return describe(pixels, joints[None], box(joints, LENGTH)[None])


def test_nobody_has_no_appearance():
    nobody = describe(empty(9, 9), np.empty((0, 17, 3)), np.empty((0, 4)))
    assert nobody.shape == (0, DIMENSIONS)
    assert distance(nobody, look(RED)).shape == (0, 1)


def test_parts_have_the_colours_that_were_painted_in_proportion_to_lightness():
    parts = look(RED).reshape(len(PARTS), 3)
    red, blue = [43.16, 62.95, 45.16], [18.14, 31.88, -50.66]  # CIELab by OpenCV 5's cvtColor
    for name, colour in (("torso", red), ("upper arms", red), ("thighs", blue), ("shins", blue)):
        relative = (50 + DARK) / (colour[0] + DARK)
        expected = [colour[0], colour[1] * relative, colour[2] * relative]
        assert parts[PARTS.index(name)] == pytest.approx(expected, abs=0.3)


def test_white_grey_and_black_have_no_hue():
    for value in (0, 128, 255):
        torso = look(dict.fromkeys(RED, (value, value, value))).reshape(-1, 3)[1]
        assert torso[1:] == pytest.approx([0, 0], abs=0.05)
    assert torso[0] == pytest.approx(100, abs=0.01)


def test_the_same_clothes_are_the_same_and_others_are_not():
    assert distance(look(RED), look(RED)).item() == pytest.approx(0, abs=1e-5)
    assert distance(look(RED), look(GREEN)).item() > NOT_SAME


@pytest.mark.parametrize("light", [0.8, 1.25])
def test_light_and_noise_change_little(light):
    assert distance(look(RED), look(RED, light, noise=6)).item() < NOT_SAME


def test_parts_that_are_not_seen_are_unknown_and_do_not_count():
    joints = stand(60, 110, LENGTH)
    joints[13:, 2] = 0.1  # neither knees nor ankles
    picture = paint(empty(120, 120), joints, LENGTH, RED)
    half = describe(picture, joints[None], box(joints, LENGTH)[None])
    known = np.isfinite(half.reshape(len(PARTS), 3)).all(axis=1)
    assert known.tolist() == [True, True, True, False, False]
    assert distance(half, look(RED)).item() == pytest.approx(0, abs=1e-5)


def test_with_fewer_than_two_parts_in_common_there_is_no_distance_and_no_evidence():
    nothing = look(RED, score=0.1)
    assert np.isnan(nothing).all()
    assert np.isnan(distance(nothing, look(RED))).all()
    assert recognition(nothing, look(RED)).tolist() == [[0.0]]


def test_who_stands_behind_is_not_given_the_colours_of_who_stands_before():
    far, near = stand(60, 105, LENGTH), stand(60, 112, LENGTH)
    picture = paint(paint(empty(120, 120), far, LENGTH, GREEN), near, LENGTH, RED)
    boxes = np.stack([box(far, LENGTH), box(near, LENGTH)])
    behind, before = describe(picture, np.stack([far, near]), boxes)
    assert np.isnan(behind.reshape(-1, 3)[PARTS.index("torso")]).all()
    assert distance(before[None], look(RED)).item() < 0.1


def test_who_is_outside_the_picture_has_no_appearance():
    assert np.isnan(look(RED, x=-300.0)).all()


@pytest.mark.parametrize(("rate", "seeds"), [(8, 2), (30, 1)])
def test_two_painted_people_are_kept_apart_when_one_was_behind_the_other_for_two_seconds(
    rate, seeds
):
    """One comes, stands behind the other, and goes back; nobody sees them while they are hidden."""
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        worn, tracker, had = [clothes(random), clothes(random)], Tracker(), [set(), set()]
        for time in np.arange(0, 6, 1 / rate):
            away = np.interp(time, [0, 2, 4, 6], [70, 0, 0, 70])
            people = [stand(100, 97, 80), stand(100 + away, 95, 80)]
            picture = paint(empty(200, 110), people[1], 80, worn[1])
            picture = paint(picture, people[0], 80, worn[0])
            seen = people if away > 12 else people[:1]
            noisy = np.stack([p + random.normal(0, 1, p.shape) * [1, 1, 0] for p in seen])
            boxes = np.stack([box(p, 80) for p in noisy])
            ids = tracker.update(float(time), boxes, appearance=describe(picture, noisy, boxes))
            for at, id in enumerate(ids.tolist()):
                had[at].add(id)
        assert had == [{0}, {1}], seed
