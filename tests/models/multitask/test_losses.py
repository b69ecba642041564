"""What the multi-task network is trained by, on numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from muybridge.models.multitask.losses import (
    UNKNOWN,
    Labels,
    Weights,
    action_loss,
    losses,
    pose_loss,
    visible_loss,
)

ONLY = Weights(cross=0)
NAN = math.nan


def joints(*rows):
    return torch.tensor([[rows]])  # one clip of one frame


def test_a_miss_counts_by_its_size_and_its_square():
    found = joints([0.5, 0.5, 0.9], [0.2, 0.9, 0.9])
    wanted = joints([0.4, 0.5, 1.0], [0.2, 0.7, 1.0])
    assert pose_loss(found, wanted, ONLY).item() == pytest.approx((0.1 + 0.01 + 0.2 + 0.04) / 2)


def test_cross_entropy_of_little_weight_is_added():
    found, wanted = joints([0.25, 1.0, 1.0]), joints([0.25, 1.0, 1.0])
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert pose_loss(found, wanted).item() == pytest.approx(0.01 * entropy, abs=1e-6)


@pytest.mark.parametrize("row", [[0.9, 0.9, 0.0], [NAN, NAN, 1.0]])
def test_joints_that_are_not_seen_or_not_known_are_not_asked_for(row):
    found = torch.tensor([[[[0.5, 0.5, 0.9], [0.1, 0.2, 0.9]]]], requires_grad=True)
    loss = pose_loss(found, joints([0.4, 0.5, 1.0], row), ONLY)
    assert loss.item() == pytest.approx(0.11)
    loss.backward()
    assert found.grad.isfinite().all()
    assert found.grad[0, 0, 1].tolist() == [0, 0, 0]


def test_a_joint_known_in_the_picture_alone_is_asked_for_there():
    found, wanted = joints([0.5, 0.5, 0.3, 0.9]), joints([0.4, 0.5, NAN, 1.0])
    assert pose_loss(found, wanted, ONLY).item() == pytest.approx(0.11)


def test_where_nothing_is_known_the_loss_is_0_and_gradients_pass():
    found = torch.full((1, 1, 2, 3), 0.5, requires_grad=True)
    scores = torch.zeros(2, 3, requires_grad=True)
    loss = pose_loss(found, joints([NAN, NAN, 0.0], [NAN, NAN, 0.0]))
    loss = loss + action_loss(scores, torch.tensor([UNKNOWN, UNKNOWN]))
    loss.backward()
    assert loss.item() == 0
    assert not found.grad.any()
    assert not scores.grad.any()


def test_how_visible_joints_are_is_asked_for_also_beyond_what_rounding_allows():
    found, wanted = joints([0, 0, 0.8], [0, 0, 1.0000001]), joints([0, 0, 1.0], [0, 0, 0.0])
    loss = visible_loss(found, wanted, Weights(visible=1)).item()
    assert loss == pytest.approx((-math.log(0.8) - math.log(1e-6)) / 2, rel=1e-2)


def test_only_clips_whose_action_is_known_count():
    scores = torch.tensor([[0.0, 0.0], [0.0, math.log(3)], [5.0, 0.0]])
    loss = action_loss(scores, torch.tensor([0, 1, UNKNOWN]), Weights(action=1))
    assert loss.item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)


def test_every_block_and_every_head_is_asked():
    right, wrong = joints([0.4, 0.5, 0.9]), joints([0.5, 0.5, 0.9])
    one, two = torch.zeros(1, 2), torch.zeros(1, 3)
    labels = Labels(joints([0.4, 0.5, 1.0]), torch.tensor([[0, 2]]))
    found = losses([wrong, right], [[one, two], [one, two]], labels, Weights(1, 0, 1, 1))
    assert found["pose"].item() == pytest.approx(0.11 / 2)
    assert found["action"].item() == pytest.approx((math.log(2) + math.log(3)) / 2)
    assert found["visible"].item() == pytest.approx(-math.log(0.9))
