"""Windows of motion are drawn by seed and kind, and sequences that are held out are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from muybridge.evaluate import actions
from muybridge.evaluate.actions import MOTION, NONE, Drawer, held_out, report
from muybridge.models.action import predict as classifying
from muybridge.models.action.preprocess import CHANNELS, MOMENTS
from muybridge.models.lifter import predict, virtual

FILE = "cmu_mocap_joints/train.npz"
JOB = Path(__file__).parents[2] / "jobs" / "train.py"


@pytest.fixture(scope="module")
def motion(data):
    return virtual.read(data / FILE)


def test_no_sequence_is_both_learnt_and_held_out(motion):
    everything = set()
    for fold in range(actions.FOLDS):
        learnt, held = held_out(motion, fold)
        mine = set(held.sequence.tolist())
        assert not mine & set(learnt.sequence.tolist())
        assert mine.isdisjoint(everything)
        everything |= mine
        assert len(learnt.joints) + len(held.joints) == len(motion.joints)
    assert everything == set(motion.sequence.tolist())


def test_a_lot_is_always_the_same_and_some_of_it_is_nothing(motion):
    drawer = Drawer(motion, predict.load())
    seen, labels = drawer(3, 40)
    again, same = drawer(3, 40)
    assert np.array_equal(seen, again)
    assert np.array_equal(labels, same)
    assert seen.shape == (40, MOMENTS, CHANNELS)
    assert 10 <= (labels == NONE).sum() < 40
    assert len(set(labels)) > 3
    moves = np.abs(seen.reshape(40, MOMENTS, -1, 6)[..., 3:]).mean((1, 2, 3))
    still = np.flatnonzero(labels == NONE)[0]
    assert moves[still] < np.median(moves[labels != NONE])


def test_a_report_says_how_often_scores_are_right():
    scores = np.full((4, len(MOTION)), 0.01, np.float32)
    for row, (label, score) in enumerate([(0, 0.9), (0, 0.9), (1, 0.6), (NONE, 0.9)]):
        scores[row, label] = score
    made = report(scores, np.array([0, 1, 1, NONE]), 0.8)
    assert made["accuracy"] == 0.75
    assert made[MOTION[1]] == 0.5
    assert made["sure"] == 0.5
    assert made["right where sure"] == 0.5


@pytest.mark.ray
@pytest.mark.slow
def test_the_job_writes_a_classifier_and_says_how_good_it_is(data, tmp_path):
    command = [sys.executable, JOB, "action", data / FILE, "--out", tmp_path]
    command += ["--lots=4", "--epochs=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "accuracy" in done.stdout
    assert classifying.load(tmp_path / "action.npz").labels == MOTION
