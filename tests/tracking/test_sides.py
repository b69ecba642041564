"""Left and right stay what they are over time, and backs of heads have no faces."""

import numpy as np
import pytest

from muybridge.geometry.skeletons import COCO17
from muybridge.tracking.sides import FACE, HIDDEN, hide_faces, keep_sides

LENGTH = 400.0  # pixels of the body
LEGS = {
    side: COCO17.index(f"{side}_hip", f"{side}_knee", f"{side}_ankle") for side in ("left", "right")
}


def walker(frames: int = 90, rate: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    """Somebody who walks to the right and is seen from the side: times, joints; legs cross."""
    times = np.arange(frames) / rate
    joints = np.zeros((frames, 17, 3))
    joints[..., 0], joints[..., 2] = (100 + 100 * times)[:, None], 0.8
    joints[..., 1] = np.linspace(0, LENGTH, 17)
    swing = 0.2 * LENGTH * np.sin(2 * np.pi * times)
    for side, sign in (("left", 1), ("right", -1)):
        for joint, share in zip(LEGS[side], (0.02, 0.5, 1.0), strict=True):
            joints[:, joint, 0] += sign * share * swing
            joints[:, joint, 1] = LENGTH * (0.5 + 0.25 * LEGS[side].index(joint))
    return times, joints


def exchanged(joints: np.ndarray, rows: slice) -> np.ndarray:
    """The same with the legs' sides exchanged at some frames, as a network may have it."""
    made = joints.copy()
    made[rows, LEGS["left"]], made[rows, LEGS["right"]] = (
        joints[rows, LEGS["right"]], joints[rows, LEGS["left"]],
    )  # fmt: skip
    return made


def length(joints: np.ndarray) -> np.ndarray:
    return np.full(len(joints), LENGTH)


def test_legs_that_cross_are_left_as_they_are():
    times, joints = walker()
    assert np.array_equal(keep_sides(times, joints, length(joints)), joints)


@pytest.mark.parametrize("rows", [slice(5, 6), slice(4, 9), slice(36, 41), slice(84, 90)])
def test_sides_that_were_exchanged_for_a_while_are_put_right(rows):
    times, joints = walker()
    wrong = exchanged(joints, rows)
    assert not np.array_equal(wrong, joints)
    apart = abs(joints[:, LEGS["left"][2], 0] - joints[:, LEGS["right"][2], 0]) > 0.15 * LENGTH
    assert apart[rows].any()
    assert np.array_equal(keep_sides(times, wrong, length(joints))[apart], joints[apart])


def test_after_a_long_gap_the_network_is_believed():
    times, joints = walker(20)
    wrong = exchanged(joints, slice(10, 20))
    times[10:] += 1.0
    assert np.array_equal(keep_sides(times, wrong, length(joints)), wrong)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_one_frame_stay_what_they_are(count):
    times, joints = walker(count)
    assert np.array_equal(keep_sides(times, joints, length(joints)), joints)


def body(facing: float, nose: float) -> np.ndarray:
    """Somebody 40 pixels wide whose left is on the right (1) or on the left (-1)."""
    joints = np.ones((1, 17, 3))
    for name, x, y in (("ear", 8, 20), ("eye", 4, 18), ("shoulder", 20, 50), ("hip", 15, 110)):
        for side, sign in (("left", 1), ("right", -1)):
            joints[0, COCO17.index(f"{side}_{name}")[0], :2] = 100 + sign * facing * x, y
    joints[0, 0, :2] = nose, 20
    return joints


def test_a_face_is_hidden_on_the_back_of_a_head_alone():
    assert hide_faces(body(1, 100))[0, FACE, 2].tolist() == [1, 1, 1]
    assert hide_faces(body(-1, 100))[0, FACE, 2].tolist() == [HIDDEN] * 3
    assert hide_faces(body(-1, 120))[0, FACE, 2].tolist() == [1, 1, 1]  # turned to the side
    assert hide_faces(body(-1, 100)[:0]).shape == (0, 17, 3)
