"""Windows of motion are drawn by seed and kind, and sequences that are held out are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from muybridge.evaluate import actions
from muybridge.evaluate.actions import MOTION, NONE, STANDING, Drawer, held_out, report, stands
from muybridge.geometry.skeletons import BODY18
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
    assert seen.shape == (len(labels), MOMENTS, CHANNELS)
    assert 30 <= len(labels) <= 40  # who nearly stands is left out
    assert 8 <= (labels == NONE).sum() < 30
    assert len(set(labels)) > 3
    moves = np.abs(seen.reshape(len(seen), MOMENTS, -1, 6)[..., 3:]).mean((1, 2, 3))
    assert np.median(moves[labels == STANDING]) < np.median(moves[labels == 0])


def body(**moved: tuple[float, float, float]) -> np.ndarray:
    """Make somebody who stands (1, 3, 18, 3), y down, toes to -z, with some joints elsewhere."""
    made = np.zeros((1, 3, 18, 3))
    places = {"neck": (0, -0.5, 0)}
    for side, x in (("left", 0.1), ("right", -0.1)):
        for name, y in (("hip", 0), ("knee", 0.4), ("ankle", 0.8)):
            places[f"{side}_{name}"] = (x, y, 0)
    for name, where in (places | moved).items():
        made[:, :, BODY18.joints.index(name)] = where
    return made


def test_who_stands_has_both_feet_where_they_were_and_legs_and_trunk_straight():
    assert stands(body()).all()
    assert not stands(body(left_knee=(0.1, 0.2, -0.3), left_ankle=(0.1, 0.5, 0))).any()  # a leg up
    seated = {f"{side}_knee": (0, 0, -0.4) for side in ("left", "right")}
    seated |= {f"{side}_ankle": (0, 0.4, -0.4) for side in ("left", "right")}
    assert not stands(body(**seated)).any()
    assert not stands(body(neck=(0, 0, -0.5))).any()  # bent over
    assert not stands(body(left_ankle=(0.1, 0.7, -0.4), right_ankle=(-0.1, 0.7, 0.4))).any()
    walks = body()
    walks[:, 0, BODY18.joints.index("left_ankle"), 2] += 0.3
    assert not stands(walks).any()
    assert stands(np.zeros((0, 3, 18, 3))).shape == (0,)


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
