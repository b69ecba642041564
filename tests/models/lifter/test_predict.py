"""The lifter as the product runs it: what it says of tracks, and that it says it without torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from muybridge.errors import CheckpointError
from muybridge.evaluate.poses import acceleration, pa_mpjpe
from muybridge.geometry.skeletons import BODY18
from muybridge.models.lifter import predict, training, virtual
from muybridge.models.lifter.model import Config, Lifter
from muybridge.models.lifter.preprocess import OFFSETS, SEEN, STEP, TAPS, Track

LEFT_ARM = [SEEN.index(f"left_{joint}") for joint in ("elbow", "wrist")]


@pytest.fixture(scope="session")
def shipped() -> predict.Folded:
    return predict.load()


@pytest.fixture(scope="session")
def walk(data) -> tuple[np.ndarray, np.ndarray]:
    """Three seconds of real walking seen from aside: joints (90, 15, 3), truth (90, 18, 3)."""
    motion = virtual.read(data / "cmu_mocap_joints" / "train.npz").only({"walking"})
    longest = np.bincount(motion.sequence).argmax()
    joints = motion.joints[motion.sequence == longest][:180:2]
    aside = Rotation.from_euler("Y", 1.2).as_matrix()
    turned = joints @ (np.diag([1.0, -1, -1]) @ aside).T  # y down, z away from who looks
    seen, truth = (np.einsum("sj,tjc->tsc", virtual.mix(n), turned) for n in (SEEN, BODY18.joints))
    pixels = 800 * seen[..., :2] / (seen[..., 2:] + 4) + [640, 360]
    return np.concatenate([pixels, np.full((len(pixels), 15, 1), 0.9)], 2), truth - truth[:, :1]


def times(count: int) -> np.ndarray:
    return 10 + np.arange(count) * STEP


def test_folded_layers_say_what_the_network_says():
    torch.manual_seed(0)
    lifter = Lifter(Config(12, 9, 32)).eval()
    for part in lifter.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    seen = torch.randn(7, 12)
    with torch.inference_mode():
        wanted = lifter(seen).numpy()
    assert np.allclose(training.folded(lifter)(seen.numpy()), wanted, atol=1e-5)


def test_a_lifter_is_written_and_read(tmp_path):
    made = training.folded(Lifter(Config(12, 9, 32)).eval())
    training.write(made, tmp_path / "lifter.npz")
    read = predict.load(tmp_path / "lifter.npz")
    assert [w.shape for w in read.weights] == [w.shape for w in made.weights]
    assert np.allclose(read.weights[1], made.weights[1], atol=1e-3)
    (tmp_path / "other.npz").write_text("no")
    with pytest.raises(CheckpointError, match="is no lifter"):
        predict.load(tmp_path / "other.npz")


def test_real_motion_is_lifted(shipped, walk):
    seen, truth = walk
    lifted = predict.lift(shipped, Track(times(len(seen)), seen))
    assert lifted.shape == (90, 18, 4)
    assert lifted.dtype == np.float32
    assert pa_mpjpe(lifted[..., :3], truth).mean() < 0.06
    assert 1.2 < np.linalg.norm(lifted[:, BODY18.index("head")[0], :3], axis=1).mean() / 0.5 < 1.4
    assert np.abs(lifted[:, 0, :3]).max() < 0.05  # the hips' middle is the origin


def test_a_trembling_track_is_lifted_to_a_steadier_one_without_lag(shipped, walk):
    seen, truth = walk
    shaken = seen + np.random.default_rng(0).normal(0, 3, seen.shape) * [1, 1, 0]
    lifted = predict.lift(shipped, Track(times(len(seen)), shaken))[..., :3]
    alone = np.concatenate(
        [predict.lift(shipped, Track(np.zeros(1), one[None]))[..., :3] for one in shaken]
    )
    assert acceleration(lifted).mean() < 0.5 * acceleration(alone).mean()
    for name in ("left_ankle", "right_ankle"):  # which move most
        joint = BODY18.joints.index(name)
        away = [
            distance(lifted[:, joint], np.roll(truth[:, joint], lag, 0)) for lag in range(-4, 5)
        ]
        assert int(np.argmin(away)) - 4 == 0, name


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Say how far two paths (T, 3) lie apart, whatever the one between their middles."""
    one, other = (path[5:-5] - path[5:-5].mean(0) for path in (one, other))
    return float(np.linalg.norm(one - other, axis=1).mean())


def test_moments_close_by_steady_each_other_without_lag():
    times = np.array([0.0, 0.02, 0.04, 0.06, 0.08, 1.0])
    even = np.broadcast_to(times[:, None, None], (6, 18, 3)).astype(np.float32)
    there = np.ones(6, bool)
    steadied = predict.steadied(even, times, there)
    assert steadied[[2, 5]] == pytest.approx(even[[2, 5]])  # even motion stays, if not at the ends
    peak = np.zeros((6, 18, 3), np.float32)
    peak[2] = 1
    spread = predict.steadied(peak, times, there)[:, 0, 0]
    assert 0 < spread[1] < spread[2] < 1
    assert spread[1] == pytest.approx(spread[3], rel=0.1)
    there[2] = False
    assert (predict.steadied(peak, times, there)[[0, 1, 3, 4]] == 0).all()


def test_frames_of_any_rate_give_the_same_joints(shipped, walk):
    seen, _ = walk
    whole = predict.lift(shipped, Track(times(90), seen))
    half = predict.lift(shipped, Track(times(90)[::2], seen[::2]))
    assert np.linalg.norm(whole[::2, :, :3] - half[..., :3], axis=2).mean() < 0.02


def test_scores_fall_where_joints_are_missing(shipped, walk):
    seen, _ = walk
    hidden = seen.copy()
    hidden[:, LEFT_ARM] = 0
    whole, lacking = (predict.lift(shipped, Track(times(90), joints)) for joints in (seen, hidden))
    wrist, ankle = BODY18.index("left_wrist", "left_ankle")
    assert (lacking[:, wrist, 3] == 0).all()
    assert (lacking[:, ankle, 3] < whole[:, ankle, 3]).all()
    assert (lacking[:, ankle, 3] > 0.7).all()
    assert np.isfinite(lacking).all()


def test_a_joint_missing_for_a_moment_scores_less_there():
    scores = np.ones((1, TAPS, 15))
    assert predict.certainty(scores).min() == 1
    scores[0, np.abs(OFFSETS) < STEP / 2, LEFT_ARM[1]] = 0
    near = predict.certainty(scores)[0, BODY18.joints.index("left_wrist")]
    assert 0.5 < near < 1


def test_nothing_seen_is_nothing_lifted(shipped):
    lifted = predict.lift(shipped, Track(times(4), np.zeros((4, 15, 3))))
    assert (lifted == 0).all()
    assert predict.lift(shipped, Track(times(0), np.zeros((0, 15, 3)))).shape == (0, 18, 4)


def test_one_picture_is_enough(shipped, walk):
    seen, truth = walk
    lifted = predict.lift(shipped, Track(times(1), seen[40:41]))
    assert pa_mpjpe(lifted[..., :3], truth[40:41]).mean() < 0.09
