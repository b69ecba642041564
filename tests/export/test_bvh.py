"""BVH: what is written, read back by a reader of its own, puts joints where they were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from muybridge.errors import InputError
from muybridge.export.write import export
from muybridge.geometry.skeletons import BODY18
from muybridge.geometry.smpl import JOINTS

from .biovision import Motion, about, read
from .conftest import clip, lifted, standing

UP = (1, -1, -1)  # from the camera's axes to y up and z out of the picture
MM = 1e-3


def at(made: Motion, names: Sequence[str]) -> np.ndarray:
    """Say where joints are (N, J, 3), by name."""
    return made.places()[:, [made.names.index(name) for name in names]]


def bvh(out: str, tmp_path: Path, weights: Path | None = None, **who):
    path = tmp_path / "one.bvh"
    (file,) = export(out, "bvh", output=path, weights=weights, **who)
    return read(path), file.told


@pytest.mark.golden
@pytest.mark.parametrize("wild", [0.3, 1.5])
def test_the_joints_of_a_body_come_back_within_a_millimetre(moved, output, folder, tmp_path, wild):
    person = moved(20, wild=wild, betas=np.linspace(-2, 2, 10))
    made, _ = bvh(output(clip(range(20), **person.columns)), tmp_path, folder)
    assert sorted(made.names) == sorted(JOINTS)
    assert made.frame_time == pytest.approx(1 / 30, abs=1e-8)
    away = np.linalg.norm(at(made, JOINTS) - person.joints * UP, axis=2)
    assert away.max() < MM


@pytest.mark.golden
def test_a_shape_that_wavers_makes_one_body_of_the_usual_shape(moved, output, folder, tmp_path):
    waver = np.random.default_rng(1).normal(0, 0.2, (20, 10))
    person = moved(20, betas=waver)
    made, _ = bvh(output(clip(range(20), **person.columns)), tmp_path, folder)
    away = np.linalg.norm(at(made, JOINTS) - person.joints * UP, axis=2)
    alone = np.linalg.norm(person.joints - moved(20).joints, axis=2)  # beside the mean shape
    assert np.median(away) < np.median(alone)


@pytest.mark.golden
def test_frames_without_the_person_are_filled_in(moved, output, folder, tmp_path):
    person = moved(4, wild=0)
    made, told = bvh(output(clip([5, 6, 8, 12], **person.columns)), tmp_path, folder)
    assert "8 frames at 30 a second, 4 of them without the person and filled in" in told
    places = at(made, JOINTS)
    wanted = person.joints * UP
    assert places[[0, 1, 3, 7]] == pytest.approx(wanted, abs=MM)
    assert places[2] == pytest.approx((wanted[1] + wanted[2]) / 2, abs=MM)


@pytest.mark.golden
def test_a_body_that_spins_never_jumps_by_a_turn(moved, output, folder, tmp_path):
    person = moved(90, wild=0)
    spin = np.array([about(1, angle) for angle in np.linspace(0, 6 * np.pi, 90)])
    flip = np.diag([1.0, -1.0, -1.0])
    person.columns["smpl_rotations"][:, 0] = Rotation.from_matrix(flip @ spin).as_rotvec()
    made, _ = bvh(output(clip(range(90), **person.columns)), tmp_path, folder)
    assert np.abs(np.diff(made.values[:, 3:], axis=0)).max() == pytest.approx(3 * 360 / 89, abs=0.1)


def test_a_file_has_what_blender_looks_for(output, tmp_path):
    out = output(clip(range(3), lifter_joints3d=lifted(standing(3))))
    made, _ = bvh(out, tmp_path)
    assert len(set(made.names)) == len(made.names)
    assert [joint.channels[:3] for joint in made.joints if joint.parent < 0] == [
        ["Xposition", "Yposition", "Zposition"]
    ]
    assert all(len(joint.channels) == 3 for joint in made.joints[1:])
    parents = {joint.parent for joint in made.joints}
    for number, joint in enumerate(made.joints):
        assert (joint.end is None) == (number in parents), joint.name
        assert joint.end is None or np.linalg.norm(joint.end) > 0.01
    lines = (tmp_path / "one.bvh").read_text().splitlines()
    assert lines[0] == "HIERARCHY"
    assert "Frames: 3" in lines
    assert "Frame Time: 0.03333333" in lines


def limbs(count: int, seed: int) -> np.ndarray:
    """Bend somebody upright at every joint, by half a radian or so: (N, 18, 3) in camera axes."""
    random, rest = np.random.default_rng(seed), standing(1)[0]
    parents = {BODY18.joints[b]: BODY18.joints[a] for a, b in BODY18.limbs}
    places = {name: np.tile(rest[i], (count, 1)) for i, name in enumerate(BODY18.joints)}
    turned = {}

    def turn(name: str, above: np.ndarray) -> np.ndarray:
        if name not in turned:
            angles = random.normal(0, 0.4, (count, 3))
            own = [about(0, a) @ about(1, b) @ about(2, c) for a, b, c in angles]
            turned[name] = above @ np.array(own)
        return turned[name]

    still = np.tile(np.eye(3), (count, 1, 1))
    for name in BODY18.joints[1:]:
        parent = parents[name]
        above = turned.get(parents.get(parent, ""), still)
        alone = {"spine": "trunk", "head": "nape"}.get(name, parent)  # turn by themselves
        bone = rest[BODY18.joints.index(name)] - rest[BODY18.joints.index(parent)]
        places[name] = places[parent] + turn(alone, above) @ bone
    return np.stack([places[name] for name in BODY18.joints], axis=1)


def test_joints_in_space_come_back_from_bones(output, tmp_path):
    places = limbs(30, seed=3)
    made, told = bvh(output(clip(range(30), lifter_joints3d=lifted(places))), tmp_path)
    away = np.linalg.norm(at(made, BODY18.joints) - places * UP, axis=2)
    assert away.max() < MM
    assert "joints within 0 mm of bones of constant length" in told


def test_bones_of_noisy_joints_have_their_median_lengths(output, tmp_path):
    noisy = standing(40) + np.random.default_rng(0).normal(0, 0.02, (40, 18, 3))
    made, told = bvh(output(clip(range(40), lifter_joints3d=lifted(noisy))), tmp_path)
    wrist, elbow = (made.names.index(name) for name in ("left_wrist", "left_elbow"))
    seen = noisy[:, BODY18.index("left_wrist")[0]] - noisy[:, BODY18.index("left_elbow")[0]]
    median = np.median(np.linalg.norm(seen, axis=1))
    assert np.linalg.norm(made.joints[wrist].offset) == pytest.approx(median, abs=1e-5)
    bones = np.linalg.norm(made.places()[:, wrist] - made.places()[:, elbow], axis=1)
    assert bones == pytest.approx(np.full(40, median), abs=1e-5)
    away = np.linalg.norm(at(made, BODY18.joints) - noisy * UP, axis=2)
    assert f"within {1000 * np.median(away):.0f} mm" in told


def test_one_frame_is_a_file_of_one_frame(output, tmp_path):
    made, _ = bvh(output(clip([7], lifter_joints3d=lifted(standing(1)))), tmp_path)
    assert len(made.values) == 1


def test_a_joint_that_was_never_found_is_left_out(output, tmp_path):
    joints = lifted(standing(5))
    lost = BODY18.index("left_ankle", "left_big_toe")
    joints[:, lost, 3] = 0
    made, _ = bvh(output(clip(range(5), lifter_joints3d=joints)), tmp_path)
    assert "left_knee" in made.names
    assert {"left_ankle", "left_big_toe"}.isdisjoint(made.names)


def test_bones_without_hips_are_refused(output, tmp_path):
    joints = lifted(standing(5))
    joints[:, BODY18.index("mid_hip", "left_hip"), 3] = 0
    out = output(clip(range(5), lifter_joints3d=joints))
    with pytest.raises(InputError, match=r"begin at the hips.*TRC and CSV hold any joints"):
        bvh(out, tmp_path)
