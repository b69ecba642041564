"""Virtual cameras: bodies stay bodies, cameras see what is there, faults are as large as said."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.errors import InputError
from muybridge.geometry.skeletons import BODY18
from muybridge.models.lifter import virtual
from muybridge.models.lifter.preprocess import SEEN, TAPS
from muybridge.models.lifter.virtual import NAMES, NONE, PARENTS, Bodies, Faults, Motion

PLAIN = Bodies(0, 0, 0, 0, 0, 0, 0)
UP = np.array([0.0, 1, 0])


def still() -> np.ndarray:
    """Make a body (20, 3) that stands upright, in metres, y up, looking to +z, left at +x."""
    made = np.zeros((20, 3), np.float32)
    steps = {
        "l_hip": (0.1, 0, 0), "r_hip": (-0.1, 0, 0),
        "l_knee": (0, -0.4, 0), "r_knee": (0, -0.4, 0),
        "l_ankle": (0, -0.4, 0), "r_ankle": (0, -0.4, 0),
        "l_toe": (0, 0, 0.15), "r_toe": (0, 0, 0.15),
        "lower_back": (0, 0.12, 0), "spine": (0, 0.12, 0), "spine1": (0, 0, 0),
        "neck1": (0, 0.18, 0), "head": (0, 0.1, 0),
        "l_shoulder": (0.2, 0.1, 0), "r_shoulder": (-0.2, 0.1, 0),
        "l_elbow": (0.25, 0, 0), "r_elbow": (-0.25, 0, 0),
        "l_wrist": (0.2, 0, 0), "r_wrist": (-0.2, 0, 0),
    }  # fmt: skip
    for joint in range(1, 20):
        made[joint] = made[PARENTS[joint]] + steps[NAMES[joint]]
    return made


@pytest.fixture
def motion() -> Motion:
    """Two sequences: a body that stands, and one that rises by a metre a second."""
    rising = still() + UP * (np.arange(120) / 60)[:, None, None]
    joints = np.concatenate([np.tile(still(), (120, 1, 1)), rising]).astype(np.float32)
    return Motion(joints, np.repeat([0, 1], 120), ("standing", "rising"))


def lengths(joints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(joints[..., 1:, :] - joints[..., PARENTS[1:], :], axis=-1)


def test_truth_has_the_proportions_of_the_body_that_was_seen(motion):
    _, truth = virtual.draw(motion, np.random.default_rng(0), 64, faults=NONE, bodies=PLAIN)
    assert truth.shape == (64, 18, 3)
    assert np.abs(truth[:, 0]).max() == 0
    knee, ankle = (BODY18.index(f"left_{joint}")[0] for joint in ("knee", "ankle"))
    assert np.allclose(np.linalg.norm(truth[:, knee] - truth[:, ankle], axis=1), 0.4, atol=1e-5)
    elbow, wrist = (BODY18.index(f"left_{joint}")[0] for joint in ("elbow", "wrist"))
    forearm = np.linalg.norm(truth[:, elbow] - truth[:, wrist], axis=1)
    assert np.allclose(forearm, 0.2 * 1.32, atol=1e-5)


def test_heads_are_up_in_the_picture_and_left_is_left(motion):
    """Cameras are held upright: y points down, and x to the right of who looks."""
    _, truth = virtual.draw(motion, np.random.default_rng(1), 256, faults=NONE, bodies=PLAIN)
    head, left, right, nose = (
        truth[:, BODY18.joints.index(name)]
        for name in ("head", "left_shoulder", "right_shoulder", "left_big_toe")
    )
    assert (head[:, 1] < -0.2).all()
    away = (nose - truth[:, BODY18.joints.index("left_ankle")])[:, 2]  # toes point to the camera
    facing = away < -0.1
    assert facing.any()
    assert ((left - right)[facing, 0] > 0).all()  # who faces us has the left hand at our right


def test_what_is_seen_is_the_truth_projected(motion):
    """From afar the picture is the truth without depth, up to scale and shift."""
    seen, truth = virtual.draw(motion, np.random.default_rng(2), 400, faults=NONE, bodies=PLAIN)
    places = seen.reshape(-1, TAPS, 15, 3)[:, TAPS // 2, :, :2]
    names = [name for name in SEEN if name != "head"]
    ours = places[:, [SEEN.index(name) for name in names]]
    flat = truth[:, BODY18.index(*names), :2]
    ours, flat = (x - x.mean(1, keepdims=True) for x in (ours, flat))
    cosine = (ours * flat).sum((1, 2)) / np.sqrt((ours**2).sum((1, 2)) * (flat**2).sum((1, 2)))
    assert np.median(cosine) > 0.99
    assert cosine.min() > 0.9


def test_bodies_differ_in_proportions_but_not_from_side_to_side(motion):
    joints = np.tile(motion.joints[:1], (50, 3, 1, 1))
    varied = virtual.varied(joints, np.random.default_rng(3), Bodies(0.1, 0, 0, 0, 0, 0, 0))
    bones = lengths(varied)
    assert np.allclose(bones[:, 0], bones[:, 2])
    left, right = NAMES.index("l_knee") - 1, NAMES.index("r_knee") - 1
    assert np.allclose(bones[..., left], bones[..., right], atol=1e-6)
    assert 0.02 < bones[:, 0, left].std() < 0.06  # a tenth of 0.4 m


def test_bent_bodies_keep_their_bones(motion):
    joints = np.tile(motion.joints[:1], (50, TAPS, 1, 1))
    bent = virtual.varied(joints, np.random.default_rng(4), Bodies(0, 0.4, 1, 0, 0, 0, 0))
    assert np.allclose(lengths(bent), lengths(joints) * virtual.PROPORTIONS, atol=1e-4)
    assert np.abs(bent - bent[:1]).max() > 0.2


def bones(count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Make bones (count, 3, 19, 3) of bodies that stand, and axes to their left (count, 3, 3)."""
    joints = np.tile(still(), (count, 3, 1, 1))
    return joints[:, :, 1:] - joints[:, :, PARENTS[1:]], virtual.trunk(joints)[..., 0]


def place(bones: np.ndarray, name: str) -> np.ndarray:
    """Give the place (count, 3) of a joint in the first moment of bones."""
    return (virtual.ANCESTRY @ bones)[:, 0, NAMES.index(name)]


def test_who_stoops_has_the_head_in_front_and_stands_on_one_leg_at_least_often():
    stooped = virtual.stooped(*bones(), np.random.default_rng(0))
    head, left, right = (place(stooped, name) for name in ("head", "l_ankle", "r_ankle"))
    assert (head[:, 2] > 0).all()
    assert (head[:, 1] >= -1e-5).all()  # level at most
    behind = np.stack([left[:, 2], right[:, 2]], 1) < -1e-5
    assert 0.1 < behind.mean() < 0.4  # one leg in four
    assert np.allclose(np.linalg.norm(stooped, axis=3), np.linalg.norm(bones()[0], axis=3))


def test_who_sits_has_the_knees_in_front_of_the_hips_and_the_feet_below_them():
    seated = virtual.seated(*bones(), np.random.default_rng(0))
    hip, knee, ankle = (place(seated, f"l_{name}") for name in ("hip", "knee", "ankle"))
    assert ((knee - hip)[:, 2] > 0.25).all()  # of a thigh of 0.4 m
    assert np.allclose(ankle - knee, (0, -0.4, 0), atol=1e-6)


@pytest.mark.parametrize(("more", "found"), [(1.0, 1.0), (-1.0, 0.0), (9.0, virtual.FLEXED)])
def test_a_knee_bends_backward_only_and_no_further_than_it_can(more, found):
    body, _ = bones(1)
    leg = virtual.LEGS[0]
    turn = virtual.flexion(body, leg, np.full((1, 1), more))
    shank = (turn @ body[:, :, leg[1] - 1, :, None])[0, 0, :, 0]
    assert np.allclose(shank, (0, -0.4 * np.cos(found), -0.4 * np.sin(found)), atol=1e-5)


def test_who_holds_still_may_move_the_arms():
    walking = np.tile(still(), (40, 31, 1, 1))
    walking[..., 2] += np.sin(np.arange(31) / 3)[:, None] * (np.arange(20) % 3 - 1) * 0.2
    held = virtual.held(walking, np.random.default_rng(0), 1.0)
    moved = np.ptp(held, axis=1).max(-1) / np.ptp(walking, axis=1).max(-1).clip(1e-9)
    ankle, wrist = NAMES.index("l_ankle"), NAMES.index("l_wrist")
    assert moved[:, ankle].max() < 2 * virtual.STILL
    assert 0.3 < (moved[:, wrist] > 0.5).mean() < 0.9
    assert np.array_equal(virtual.held(walking, np.random.default_rng(0), 0.0), walking)


def test_truth_is_turned_so_that_the_camera_looks_straight_at_the_body():
    aside = np.array([[1.0, 0, 3], [0, -2, 5], [0, 0, 4]])
    turned = np.einsum("ni,nij->nj", aside, virtual.towards(aside))
    assert np.allclose(turned[:, :2], 0, atol=1e-6)
    assert np.allclose(turned[:, 2], np.linalg.norm(aside, axis=1))
    assert np.allclose(virtual.towards(aside)[2], np.eye(3))


def test_a_limb_from_another_body_hangs_on_this_one(motion):
    """Arms that are raised on a body turned round are raised on one that is not."""
    raised = still()
    raised[NAMES.index("l_elbow")] = raised[NAMES.index("l_shoulder")] + (0, 0.25, 0)
    raised[NAMES.index("l_wrist")] = raised[NAMES.index("l_elbow")] + (0, 0.2, 0)
    turned = raised * np.array([-1, 1, -1], np.float32)  # half a turn about the vertical
    joints = np.stack([np.tile(still(), (2, 1, 1)), np.tile(turned, (2, 1, 1))])
    rng = np.random.default_rng(6)
    found = {
        tuple(np.round(virtual.mixed(joints, rng, 1.0)[0, 0, NAMES.index("l_wrist")], 4).tolist())
        for _ in range(30)
    }
    lowered, lifted = still()[NAMES.index("l_wrist")], raised[NAMES.index("l_wrist")]
    assert found == {tuple(np.round(x, 4).tolist()) for x in (lowered, lifted)}


def test_motion_goes_back_and_forth_at_the_ends_of_a_sequence(motion):
    joints, _ = virtual.moments(motion.only({"rising"}), np.random.default_rng(7), 200, 41, 0.0)
    height = joints[:, :, 0, 1]
    assert height.min() >= -1e-5
    assert height.max() <= 119 / 60 + 1e-5
    step = np.abs(np.diff(height, axis=1))
    assert step.max() < 1.01 / 30  # a metre a second, moments a thirtieth apart


def test_rare_kinds_of_motion_are_drawn_more_often_than_they_are():
    sequence = np.repeat([0, 1], [900, 100])
    motion = Motion(np.zeros((1000, 20, 3), np.float32), sequence, ("much", "little"))
    assert motion.share[sequence == 1].sum() == pytest.approx(0.25)  # 10 of 30 + 10
    assert len(motion.only({"little"}).joints) == 100


def test_faults_are_as_large_as_said(motion):
    shape = (4000, 3, 15, 2)
    moved = virtual.trembling(
        np.random.default_rng(8), shape, Faults(0.02, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    )
    assert moved.std() == pytest.approx(0.02 / np.sqrt(3), rel=0.05)  # even from 0 to 0.02
    assert (virtual.trembling(np.random.default_rng(8), shape, NONE) == 0).all()
    smooth = virtual.trembling(np.random.default_rng(8), shape, Faults(0.02, 0, 0, 0.1, 1, 0.4))
    assert (smooth == 0).all(axis=(1, 2, 3)).mean() == pytest.approx(0.4, abs=0.05)
    assert virtual.present(np.random.default_rng(9), shape[:3], NONE).all()
    toeless = Faults(0, 0, 0, 0, 0, 0, 0, 0, 0.4, 0)
    seen = virtual.present(np.random.default_rng(9), shape[:3], toeless)
    assert 0.55 < seen[:, 0, SEEN.index("left_big_toe")].mean() < 0.65
    assert seen[:, :, SEEN.index("left_knee")].all()


def test_some_views_are_exact(motion):
    """Of a body that stands still, an exact view is the same in every moment."""
    faults = Faults(absent=0, cut=0, toeless=0, ends=0, exact=0.3)
    seen, _ = virtual.draw(
        motion.only({"standing"}), np.random.default_rng(10), 4000, faults=faults, bodies=PLAIN
    )
    same = np.ptp(seen.reshape(len(seen), TAPS, -1), axis=1).max(1) < 1e-4
    assert same.mean() == pytest.approx(0.3, abs=0.05)


def test_the_same_seed_draws_the_same_views(motion):
    one, other = (virtual.draw(motion, np.random.default_rng(5), 8) for _ in range(2))
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])
    assert one[0].shape == (8, TAPS * 45)
    assert one[0].dtype == one[1].dtype == np.float32


def test_a_file_that_is_no_motion_is_refused(tmp_path):
    path = tmp_path / "motion.npz"
    path.write_text("no")
    with pytest.raises(InputError, match="cannot be read as motion"):
        virtual.read(path)
    np.savez(
        path,
        names=np.array(["hip"]),
        joints=np.zeros((3, 1, 3)),
        sequences=np.array(["walking/1"]),
        lengths=np.array([3]),
    )
    with pytest.raises(InputError, match="has the joints hip in 3 frames"):
        virtual.read(path)


def test_real_motion_is_read(data):
    motion = virtual.read(data / "cmu_mocap_joints" / "train.npz")
    assert len(set(motion.kinds)) == 8
    assert len(motion.joints) == len(motion.sequence)
    walking = motion.only({"walking"})
    assert 0 < len(walking.joints) < len(motion.joints)
