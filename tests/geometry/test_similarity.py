"""How alike joints are, and by how much networks miss them."""

import numpy as np
import pytest

from muybridge.geometry.similarity import SIGMAS, oks, own_error
from muybridge.geometry.skeletons import SKELETONS


def test_the_same_joints_are_as_alike_as_can_be_and_a_deviation_off_by_one_over_root_e():
    one = np.zeros((1, 17, 3))
    off = one.copy()
    off[0, :, 0] = SIGMAS * 10  # a body of 100 square pixels
    assert oks(one, one, np.array([100.0]), np.ones((1, 17))) == pytest.approx(1)
    assert oks(off, one, np.array([100.0]), np.ones((1, 17))) == pytest.approx(np.exp(-0.5))


def test_joints_that_do_not_count_change_nothing():
    one, counts = np.zeros((1, 17, 3)), np.ones((1, 17))
    off = one.copy()
    off[0, 0], counts[0, 0] = 1e6, 0
    assert oks(off, one, np.ones(1), counts) == pytest.approx(1)
    assert oks(off, one, np.ones(1), 0 * counts) == pytest.approx(0)
    assert oks(one[:0], one, np.ones(1), counts).shape == (0, 1)
    assert oks(one, one[:0], np.ones(0), counts[:0]).shape == (1, 0)


@pytest.mark.parametrize("name", SKELETONS)
def test_a_network_misses_each_joint_of_every_skeleton_by_a_few_centimetres(name):
    error = own_error(SKELETONS[name].joints)
    assert ((error > 0.004) & (error < 0.03)).all()


def test_hips_are_missed_by_more_than_eyes():
    eye, hip = own_error(("left_eye_inner", "mid_hip"))
    assert (eye, hip) == pytest.approx((0.2 * 0.025, 0.2 * 0.107))
