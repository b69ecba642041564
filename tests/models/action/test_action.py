"""Tracks are cut and turned as said, and a classifier is the same folded, written and read."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from muybridge.errors import CheckpointError
from muybridge.geometry.skeletons import BODY18
from muybridge.labels import LABELS
from muybridge.models.action import predict, training
from muybridge.models.action.model import Classifier
from muybridge.models.action.preprocess import (
    CHANNELS,
    HIPS,
    LEGS,
    MOMENTS,
    STEP,
    features,
    windows,
)


def track(seconds: float, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Make times (T,) and joints (T, 18, 4) that move along x by 1 m a second."""
    times = np.arange(round(seconds * fps)) / fps
    joints = np.random.default_rng(0).normal(size=(1, 18, 4)).repeat(len(times), 0)
    joints[..., 0] += times[:, None]
    joints[..., 3] = 1
    return times, joints


@pytest.mark.parametrize("fps", [15, 24, 60])
def test_windows_are_as_long_at_every_frame_rate(fps):
    times, joints = track(4, fps)
    made, spans = windows(times, joints)
    assert made.shape == (len(spans), MOMENTS, 18, 3)
    assert np.allclose(np.diff(made[..., 0], axis=1), STEP, atol=1e-4)
    assert np.abs(np.diff(times[spans[:, 0]]) - 0.25).max() <= 1 / fps
    lengths = times[np.minimum(spans[:, 1], len(times) - 1)] - times[spans[:, 0]]
    assert np.abs(lengths - (MOMENTS - 1) * STEP).max() <= 2 / fps


def test_what_was_hardly_seen_makes_no_window():
    times, joints = track(4, 30)
    assert len(windows(times, joints * (np.arange(120) < 1)[:, None, None])[0]) == 0
    assert len(windows(times[:0], joints[:0])[0]) == 0
    gone = (times > 1) & (times < 3)
    made, spans = windows(times, np.where(gone[:, None, None], 0, joints))
    assert len(made) < len(windows(times, joints)[0])
    assert features(made).shape == (len(spans), MOMENTS, CHANNELS)


TOES = ("left_big_toe", "right_big_toe")
ARM = ("left_elbow", "left_wrist")


@pytest.mark.parametrize(
    ("hidden", "told"),
    [
        (TOES, True),
        ((*TOES, *ARM), True),
        ((*TOES, *ARM, "right_wrist"), False),
        ((*TOES, "left_ankle"), True),
        ((*TOES, "left_ankle", "right_ankle"), False),  # cut off at the knees
    ],
)
def test_who_is_not_seen_whole_makes_no_window(hidden, told):
    times, joints = track(4, 30)
    joints[:, BODY18.index(*hidden), 3] = 0.1
    assert bool(len(windows(times, joints)[0])) is told


def test_it_does_not_matter_from_where_one_looks():
    times, joints = track(3, 30)
    joints[..., :3] += np.random.default_rng(1).normal(0, 0.05, (len(times), 18, 3))
    angle = 1.1
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    turned = np.concatenate([joints[..., :3] @ turn.T, joints[..., 3:]], -1)
    one, other = (features(windows(times, each)[0]) for each in (joints, turned))
    assert np.allclose(one, other, atol=1e-3)
    across = one.reshape(*one.shape[:2], 18, 6)[:, :, HIPS[0]].mean(1) - one.reshape(
        *one.shape[:2], 18, 6
    )[:, :, HIPS[1]].mean(1)
    assert (across[:, 0] > 0).all()
    assert np.abs(across[:, 2]).max() < 1e-3


def test_a_folded_classifier_answers_as_the_one_that_learnt_and_after_writing(tmp_path):
    torch.manual_seed(0)
    classifier = Classifier().eval()
    classifier.norm.running_mean.normal_()
    classifier.norm.running_var.uniform_(0.5, 2)
    seen = np.random.default_rng(0).normal(size=(5, MOMENTS, CHANNELS)).astype(np.float32)
    with torch.inference_mode():
        wanted = (classifier(torch.from_numpy(seen)) / 1.5).softmax(1).numpy()
    network = training.folded(classifier, 1.5)
    assert np.allclose(network.scores(seen), wanted, atol=1e-5)
    path = tmp_path / "action.npz"
    training.write(network, path)
    again = predict.load(path)
    assert again.labels == LABELS["motion"]
    assert np.allclose(again.scores(seen), wanted, atol=5e-3)
    path.write_text("nothing")
    with pytest.raises(CheckpointError, match="is no classifier"):
        predict.load(path)


def test_a_temperature_makes_scores_as_sure_as_they_are_right():
    """Answers drawn by the softmax of numbers, which are then made 3 times as large."""
    draw = np.random.default_rng(0)
    true = draw.normal(0, 2, (20_000, 8)).astype(np.float32)
    chances = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    labels = (chances.cumsum(1) > draw.random((len(true), 1))).argmax(1)
    assert training.temperature(true * 3, labels) == pytest.approx(3, rel=0.05)


def test_the_one_that_comes_along_can_be_read_and_names_its_labels():
    network = predict.load()
    assert network.labels == LABELS["motion"]
    times, joints = track(4, 30)
    scores, spans = predict.classified(network, times, joints)
    assert scores.shape == (len(spans), len(LABELS["motion"]))
    assert np.allclose(scores.sum(1), 1, atol=1e-5)


def test_who_does_not_move_the_legs_neither_walks_nor_runs_nor_jumps():
    labels = LABELS["motion"]
    walks = SimpleNamespace(labels=labels, scores=lambda seen: np.eye(len(labels))[[0] * len(seen)])
    times, joints = track(4, 30)
    joints[..., 0] -= times[:, None]
    scores, _ = predict.classified(walks, times, joints)
    assert (scores[:, 0] == 0).all()
    assert np.allclose(scores.sum(1), 1, atol=1e-5)
    joints[:, LEGS, 1] += 0.2 * np.sin(6 * times)[:, None]
    scores, _ = predict.classified(walks, times, joints)
    assert (scores[:, 0] == 1).all()


def test_learning_makes_the_loss_smaller():
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    labels = draw.integers(0, len(LABELS["motion"]), 64)
    seen = draw.normal(size=(64, MOMENTS, CHANNELS)).astype(np.float32)
    seen[np.arange(64), :, labels] += 3
    lessons = training.Lessons(Classifier())
    optimiser = torch.optim.Adam(lessons.parameters(), 3e-3)
    told = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = lessons([(seen, labels)])["label"]
        loss.backward()
        optimiser.step()
        told.append(loss.item())
    assert told[-1] < 0.6 * told[0]
