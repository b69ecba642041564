"""Bodies of a track come nearer to how somebody truly moved, and are never made worse."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from muybridge import weights
from muybridge.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from muybridge.geometry.skeletons import BLAZEPOSE33, BODY25, COCO17, COCO18
from muybridge.geometry.smpl import JOINTS, JOINTS49, Joints
from muybridge.models.smpl import refine
from muybridge.models.smpl.refine import Bodies, Refined, refined

FOCAL, SIZE = 1000.0, (1280, 720)
HIPS = [JOINTS49.index("left_hip"), JOINTS49.index("right_hip")]
T = 24


@pytest.fixture(scope="module")
def joints(official) -> Joints:
    """The 49 joints of the pack's body: as large as a man, limbs where ours are."""
    (folder,) = {official(name).parent for name in ("smpl_neutral", "smpl_regressor_extra")}
    body, extra = (weights.load(name, folder) for name in ("smpl_neutral", "smpl_regressor_extra"))
    return Joints(body, extra.weight)


@dataclass(frozen=True)
class Track:
    """Somebody's true bodies, a start that is off, joints (T, K, 3) as seen, and times (T,)."""

    true: Bodies
    start: Bodies
    seen: Tensor
    times: Tensor

    def part(self, rows) -> Track:
        return Track(self.true.part(rows), self.start.part(rows), self.seen[rows], self.times[rows])


def moving(times: Tensor, seed: int) -> Bodies:
    """Somebody of any shape who turns and walks by, bending knees and elbows once a second."""
    draw = torch.Generator().manual_seed(seed)
    wide, phase = (torch.randn(24, 3, 2, generator=draw) for _ in range(2))
    waves = (2 * math.pi * times[:, None, None, None] * torch.tensor([0.5, 1.2]) + phase).sin()
    turns = 0.15 * (wide * waves).sum(-1)
    for name, axis, sign in (
        *(("left_knee", 0, 1), ("right_knee", 0, 1)),
        *(("left_elbow", 1, -1), ("right_elbow", 1, 1)),
    ):
        bend = 0.7 + 0.5 * (2 * math.pi * times + phase[JOINTS.index(name), 0, 0]).sin()
        turns[:, JOINTS.index(name), axis] = sign * bend
    for name, sign in (("left_shoulder", -1), ("right_shoulder", 1)):
        turns[:, JOINTS.index(name), 2] += 0.9 * sign
    rotations = matrix_from_axis_angle(turns)
    upright = matrix_from_axis_angle(torch.tensor([math.pi, 0, 0]))
    about = torch.stack([0 * times, 0.8 * (times + seed).sin(), 0 * times], -1)
    rotations[:, 0] = upright @ matrix_from_axis_angle(about) @ rotations[:, 0]
    place = torch.stack([0.8 * times - 0.5, 0.03 * (6 * times).sin(), 6 + 0.6 * times.sin()], -1)
    return Bodies(torch.randn(10, generator=draw).expand(len(times), 10), rotations, place)


def shaken(true: Bodies, seed: int) -> Bodies:
    """The same, off by 10 degrees a joint, half of it throughout, by 4 cm, and 0.3 m in depth."""
    draw = torch.Generator().manual_seed(seed)
    count = len(true.betas)

    def off(*shape: int) -> Tensor:
        both = torch.randn(count, *shape, generator=draw), torch.randn(1, *shape, generator=draw)
        return sum(both) / math.sqrt(2)  # type: ignore[return-value]

    turns = math.radians(10) / math.sqrt(3) * off(24, 3)
    return Bodies(
        true.betas + 0.5 * off(10),
        matrix_from_axis_angle(turns) @ true.rotations,
        true.translation + torch.tensor([0.04, 0.04, 0.3]) * off(3),
    )


def track(joints: Joints, seed: int = 0, times: Tensor | None = None, skeleton=COCO17) -> Track:
    """A track whose joints are seen 4 pixels off, one in 20 anywhere, and one in 10 not at all."""
    draw = torch.Generator().manual_seed(100 + seed)
    times = torch.arange(T) / 30 if times is None else times
    true = moving(times, seed)
    theirs, ours = refine.matched(skeleton)
    seen = torch.zeros(len(times), len(skeleton.joints), 3)
    seen[:, theirs, :2] = pixels(posed(joints, true))[:, ours]
    seen[:, theirs, 2] = 0.9
    seen[..., :2] += 4 * torch.randn(seen[..., :2].shape, generator=draw)
    chance = torch.rand(seen.shape[:2], generator=draw)
    elsewhere = 300 * torch.randn(seen[..., :2].shape, generator=draw)
    seen[..., :2] += elsewhere * (chance < 0.05)[..., None]
    seen[chance > 0.9] = 0
    return Track(true, shaken(true, 200 + seed), seen, times)


def done(joints: Joints, track: Track, skeleton=COCO17, **more) -> Refined:
    """Refine a track."""
    start = track.start
    given = (start.betas, start.rotations, start.translation)
    return refined(joints, *given, track.seen, skeleton, track.times, FOCAL, SIZE, **more)


def posed(joints: Joints, bodies) -> Tensor:
    return joints(bodies.betas, bodies.rotations, bodies.translation)


def pixels(points: Tensor) -> Tensor:
    return FOCAL * points[..., :2] / points[..., 2:] + torch.tensor(SIZE) / 2


def errors(joints: Joints, bodies, true) -> tuple[float, float, float]:
    """Pixels, root-relative millimetres, and millimetres a frame squared that joints are off."""
    ours, theirs = posed(joints, bodies), posed(joints, true)
    rooted = [x - x[:, HIPS].mean(1, keepdim=True) for x in (ours, theirs)]
    off = 1e3 * (rooted[0] - rooted[1])
    shaking = off.diff(n=2, dim=0) if len(off) > 2 else torch.zeros(1, 3)
    flat = (pixels(ours) - pixels(theirs)).norm(dim=-1).mean()
    return float(flat), float(off.norm(dim=-1).mean()), float(shaking.norm(dim=-1).mean())


@pytest.mark.parametrize("seed", range(3))
def test_bodies_come_nearer_to_the_truth_in_the_picture_in_space_and_in_how_they_move(joints, seed):
    """Seen in the mean of eight: 16.5 pixels fall to 2.8, 115 mm to 40, 189 mm a frame² to 16."""
    given = track(joints, seed)
    found = done(joints, given)
    before, after = (errors(joints, x, given.true) for x in (given.start, found))
    assert after[0] < 0.3 * before[0]
    assert after[1] < 0.5 * before[1]
    assert after[2] < 0.15 * before[2]
    assert found.error_after < 0.8 * found.error_before


def test_what_moves_swiftly_is_not_smoothed_away(joints):
    """Twice as fast, joints at 2 g in the mean. Seen: 16 pixels fall to 3, 100 mm to 34."""
    given = track(joints, 1, torch.arange(T) / 15)
    given = Track(given.true, given.start, given.seen, given.times / 2)
    before, after = (errors(joints, x, given.true) for x in (given.start, done(joints, given)))
    assert after[0] < 0.25 * before[0]
    assert after[1] < 0.5 * before[1]
    assert after[2] < 0.15 * before[2]


def test_what_comes_out_are_rotations_and_one_shape(joints):
    found = done(joints, track(joints))
    identity = torch.eye(3).expand(T, 24, 3, 3)
    assert torch.allclose(found.rotations @ found.rotations.mT, identity, atol=1e-5)
    assert torch.linalg.det(found.rotations).min() > 0.99
    assert (found.betas == found.betas[0]).all()
    assert not found.betas.requires_grad


def test_a_detector_that_is_wrong_at_every_fifth_joint_does_no_harm(joints):
    given = track(joints, 3)
    draw = torch.Generator().manual_seed(0)
    wrong = torch.rand(given.seen.shape[:2], generator=draw) < 0.2
    given.seen[wrong] += torch.tensor([250.0, -150, 0])
    before, after = (errors(joints, x, given.true) for x in (given.start, done(joints, given)))
    assert after[0] < 0.5 * before[0]
    assert after[1] < 0.6 * before[1]
    assert after[2] < 0.15 * before[2]


def test_an_arm_that_is_never_seen_stays_near_the_start_and_shakes_no_more(joints):
    given = track(joints, 1)
    given.seen[:, COCO17.index("left_elbow", "left_wrist")] = math.nan
    found = done(joints, given)
    elbow, wrist = (JOINTS49.index(name) for name in ("left_elbow", "left_wrist"))
    paths = [posed(joints, x) for x in (given.start, found)]
    arms = [path[:, wrist] - path[:, elbow] for path in paths]
    assert arms[1].isfinite().all()
    assert (arms[1] - arms[0]).norm(dim=-1).mean() < 0.12
    shaking = [arm.diff(n=2, dim=0).norm(dim=-1).mean() for arm in arms]
    assert shaking[1] < 0.2 * shaking[0]


def test_frames_in_which_nothing_was_seen_go_on_as_those_around_them(joints):
    given = track(joints, 2)
    given.seen[10:14] = 0
    start = posed(joints, given.start)[10:14]
    true, found = (posed(joints, x)[10:14] for x in (given.true, done(joints, given)))
    assert (found - true).norm(dim=-1).mean() < 0.6 * (start - true).norm(dim=-1).mean()
    assert (pixels(found) - pixels(true)).norm(dim=-1).mean() < 8


def test_time_is_told_by_the_clock(joints):
    """Across three seconds in which nobody was seen somebody may have moved anyhow."""
    times = torch.arange(T) / 30 + 3.0 * (torch.arange(T) >= 12)
    given = track(joints, 1, times)
    since = Track(given.true, given.start, given.seen, times.double() + 1e6)
    found = done(joints, since)
    before, after = (errors(joints, x, given.true) for x in (given.start, found))
    assert after[0] < 0.5 * before[0]
    assert after[1] < before[1]
    blind = done(joints, Track(given.true, given.start, given.seen, torch.arange(T) / 30))
    assert after[0] < 0.7 * errors(joints, blind, given.true)[0]


def test_accelerations_are_those_of_a_stone_that_falls_whenever_it_is_looked_at():
    """By hand: 9.81/2 t² has the second derivative 9.81, and straight lines have none."""
    times = torch.tensor([0.0, 0.1, 0.3, 0.35, 1.5], dtype=torch.float64)
    points = torch.stack([9.81 / 2 * times**2, 3 * times + 1], 1)
    wanted = torch.tensor([9.81, 0.0], dtype=torch.float64).expand(3, 2)
    assert torch.allclose(refine.accelerations(points, times), wanted)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_shortest_tracks_are_refined_too(joints, count):
    given = track(joints, 4).part(slice(count))
    found = done(joints, given)
    assert found.rotations.shape == (count, 24, 3, 3)
    if count:
        assert found.error_after < 0.7 * found.error_before


@pytest.mark.parametrize("nothing", [0.0, math.nan])
def test_who_was_not_seen_stays_as_at_the_start(joints, nothing):
    given = track(joints)
    given.seen[:] = nothing
    found = done(joints, given)
    assert found.rotations is given.start.rotations
    assert found.betas is given.start.betas
    assert (found.error_before, found.error_after) == (0, 0)


def test_who_starts_behind_the_camera_stays_there(joints):
    """No picture shows them, so what was seen says nothing of them."""
    given = track(joints)
    given.start.translation[:, 2] *= -1
    found = done(joints, given)
    assert found.translation is given.start.translation
    assert found.rotations is given.start.rotations


def test_a_start_that_fits_already_is_not_made_worse(joints):
    """The true bodies, seen exactly: whatever is smoother or likelier would fit less well."""
    given = track(joints)
    theirs, ours = refine.matched(COCO17)
    given.seen[:, theirs, :2] = pixels(posed(joints, given.true))[:, ours] + 0.01
    found = done(joints, Track(given.true, given.true, given.seen, given.times))
    assert found.rotations is given.true.rotations
    assert found.error_after == found.error_before == pytest.approx(0.01 * math.sqrt(2), rel=0.02)


def test_the_error_is_what_joints_are_off_in_pixels_weighted_by_score(joints):
    """By hand: 3 and 4 pixels are 5 at two thirds of the weight; the other joint is right."""
    given = track(joints)
    nose, wrist = COCO17.index("nose", "left_wrist")
    numbers = [JOINTS49.index(name) for name in ("openpose_nose", "openpose_left_wrist")]
    given.seen[:] = 0
    given.seen[:, [nose, wrist], :2] = pixels(posed(joints, given.start))[:, numbers]
    given.seen[:, nose] += torch.tensor([3.0, 4, 0.8])
    given.seen[:, wrist, 2] = 0.4
    assert done(joints, given).error_before == pytest.approx(5 * 2 / 3, rel=1e-3)


def test_windows_of_a_long_track_meet_without_a_jump(joints, monkeypatch):
    """Cut into three, a track moves over its seams as it does elsewhere."""
    monkeypatch.setattr(refine, "AHEAD", 6)
    given = track(joints, 0, torch.arange(48) / 30)
    whole, cut = done(joints, given), done(joints, given, window=16)
    assert (cut.betas == cut.betas[0]).all()
    before = errors(joints, given.start, given.true)
    for found in (whole, cut):
        after = errors(joints, found, given.true)
        assert after[0] < 0.4 * before[0]
        assert after[1] < 0.8 * before[1]
    swift = refine.accelerations(posed(joints, cut), given.times).norm(dim=-1).mean(1)
    seams = torch.tensor([14, 15, 30, 31])  # the rows that reach over one
    assert swift[seams].mean() < 1.5 * swift.mean()


def test_windows_cover_a_track_once():
    kept = [
        frame
        for rows, held in refine.windows(700, 300)
        for frame in list(range(rows.start, rows.stop))[held : held + 300]
    ]
    assert kept == list(range(700))
    assert list(refine.windows(5, 300)) == [(slice(0, 5), 0)]


def test_the_same_comes_out_twice_also_where_gradients_are_off(joints):
    given = track(joints, 1).part(slice(8))
    first = done(joints, given)
    with torch.inference_mode():
        start = Bodies(*(x * 1 for x in vars(given.start).values()))
        second = done(joints, Track(given.true, start, given.seen * 1, given.times * 1))
    for name in ("betas", "rotations", "translation"):
        assert torch.equal(getattr(first, name), getattr(second, name))


def test_knees_and_elbows_may_bend_one_way_only():
    """By hand: shins go back and forearms to the front; 0.3 radians the other way are sin 0.3."""
    turns = torch.zeros(2, 24, 3)
    for name, axis, sign in (
        *(("left_knee", 0, 1), ("right_knee", 0, 1)),
        *(("left_elbow", 1, -1), ("right_elbow", 1, 1)),
    ):
        turns[:, JOINTS.index(name), axis] = 0.3 * sign * torch.tensor([1.0, -1])
    wrong = refine.backwards(matrix_from_axis_angle(turns))
    assert torch.allclose(wrong, torch.tensor([[0.0], [math.sin(0.3)]]).expand(2, 4))


def test_a_knee_that_starts_bent_the_wrong_way_is_put_right(joints):
    given = track(joints, 0)
    knee = JOINTS.index("left_knee")
    given.start.rotations[:, knee] = matrix_from_axis_angle(torch.tensor([-0.3, 0, 0]))
    found = done(joints, given)
    assert axis_angle_from_matrix(found.rotations[:, knee])[:, 0].min() > -0.05


@pytest.mark.parametrize("skeleton", [COCO17, COCO18, BODY25, BLAZEPOSE33])
def test_joints_are_matched_by_name(skeleton):
    theirs, ours = refine.matched(skeleton)
    names = [JOINTS49[number].removeprefix("openpose_") for number in ours]
    toes = [skeleton.joints[row].replace("foot_index", "big_toe") for row in theirs]
    assert names == toes
    lacking = 12 if skeleton is BLAZEPOSE33 else 0  # corners of eyes and mouth, and fingers
    assert len(theirs) == len(skeleton.joints) - lacking


@pytest.mark.parametrize("skeleton", [COCO18, BODY25, BLAZEPOSE33])
def test_every_systems_joints_will_do(joints, skeleton):
    given = track(joints, 1, torch.arange(12) / 30, skeleton)
    found = done(joints, given, skeleton)
    before, after = (errors(joints, x, given.true) for x in (given.start, found))
    assert after[0] < 0.6 * before[0]
    assert after[2] < 0.2 * before[2]
