"""What several cameras saw becomes joints in the world, whatever their clocks and rates are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from muybridge.geometry.cameras import projected
from muybridge.tracking.world import Sighted, lined_up, matched, named, placed

from .scenes import cameras, motions, people

CAMERAS = cameras(4, np.random.default_rng(3))
FRAMES = 60
TIMES = np.arange(FRAMES) / 30


def walk(seconds: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Give joints (F, P, J, 3) of frames at any times, along straight lines."""
    at = np.clip(seconds * 30, 0, len(joints) - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(joints) - 1)
    share = (at - low)[:, None, None, None]
    return (1 - share) * joints[low] + share * joints[high]


def sighted(view: int, joints: np.ndarray, times: np.ndarray, late: float = 0.0) -> Sighted:
    """See people (F, P, J, 3) exactly at a view's own times, whose clock is ``late``."""
    seen = walk(times + late, joints)
    pixels = projected([CAMERAS[view]], seen)[..., 0, :]
    shown = np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1)
    frames, persons = shown.shape[:2]
    return Sighted(
        CAMERAS[view],
        times,
        np.repeat(times, persons),
        np.tile(np.arange(persons), frames) + 10 * view,
        shown.reshape(frames * persons, *shown.shape[2:]),
    )


@pytest.fixture(scope="module")
def two(data):
    return people(2, FRAMES, motions(data), np.random.default_rng(1))


def off(found, joints):
    """Measure how far placed joints are from those of the nearest true person, in metres."""
    true = joints[found.at]
    distances = np.linalg.norm(found.joints[:, None] - true, axis=-1)
    return np.nanmean(distances, axis=-1).min(1)


def test_exact_views_give_the_joints_back(two):
    views = [sighted(view, two, TIMES) for view in range(4)]
    found = placed(CAMERAS, TIMES, matched(views, TIMES))
    assert np.unique(found.person).tolist() == [0, 1]
    assert len(found.at) == 2 * FRAMES
    assert off(found, two).max() < 0.01  # smoothing gives way a little where limbs are fast
    assert found.used.all()
    assert np.nanmedian(found.error) < 2
    assert (found.score == 1).all()


def test_views_of_other_rates_and_clocks_are_put_to_the_times_of_the_first(two):
    own = [np.arange(int(2 * rate)) / rate + start for rate, start in ((30, 0), (25, 0.013))]
    views = [sighted(view, two, own[view % 2]) for view in range(4)]
    found = placed(CAMERAS, TIMES, matched(views, TIMES))
    inside = found.at < FRAMES - 3
    assert off(found, two)[inside].max() < 0.02
    assert found.used[inside].all(-1).mean() > 0.95


def test_people_without_joints_are_nobody_whom_another_view_knows(two):
    views = [replace(v, joints=v.joints[:, :0]) for v in (sighted(n, two, TIMES) for n in range(3))]
    late = lined_up(views, [None] * 3)
    assert late.seconds.tolist() == [0, 0, 0]
    who = matched(views, TIMES)
    assert all((person == -1).all() for person in who.person)
    assert not len(placed(CAMERAS[:3], TIMES, who).at)


def test_views_put_to_no_times_are_wrong_by_what_people_move(two):
    """The same without taking their clocks into account, to see that it matters."""
    late = 0.2
    views = [sighted(view, two, TIMES, late * (view % 2)) for view in range(4)]
    wrong = placed(CAMERAS, TIMES, matched(views, TIMES))
    right = [view.later(late * (n % 2)) for n, view in enumerate(views)]
    found = placed(CAMERAS, TIMES, matched(right, TIMES))
    inside = (found.at > 6) & (found.at < FRAMES - 6)
    assert np.median(off(found, two)[inside]) < 0.01
    assert np.median(off(wrong, two)) > 3 * np.median(off(found, two)[inside])


def test_clocks_that_differ_are_found_and_those_that_agree_are_left(data):
    one = people(1, 180, motions(data), np.random.default_rng(5))
    times = np.arange(180) / 30
    late = (0.0, 0.3, 0.0, 0.0)
    views = [sighted(view, one, times, each) for view, each in enumerate(late)]
    found = lined_up(views, [None] * 4)
    assert found.seconds.tolist() == pytest.approx(late, abs=0.02)
    assert found.seconds[2:].tolist() == [0, 0]
    given = lined_up(views, [1.0, 1.3, None, None])
    assert given.seconds[1] == pytest.approx(0.3)
    assert np.isnan(given.spread[:2]).all()
    assert np.isfinite(given.spread[2:]).all()


def test_nobody_gives_nothing(two):
    views = [sighted(view, two[:, :0], TIMES) for view in range(4)]
    found = placed(CAMERAS, TIMES, matched(views, TIMES))
    assert len(found.at) == 0
    assert found.joints.shape == (0, 20, 3)
    assert lined_up(views, [None] * 4).seconds.tolist() == [0, 0, 0, 0]


def test_who_is_seen_by_one_camera_only_is_nobody_in_the_world(two):
    views = [sighted(view, two[:, : 2 if view == 1 else 1], TIMES) for view in range(4)]
    who = matched(views, TIMES)
    assert np.unique(who.person[1]).tolist() == [-1, 0]
    found = placed(CAMERAS, TIMES, who)
    assert np.unique(found.person).tolist() == [0]
    ids = named(views[1], TIMES, who.at[1], who.row[1], who.person[1])
    assert ids[views[1].tracks == 10].tolist() == [0] * FRAMES
    assert ids[views[1].tracks == 11].tolist() == [-1] * FRAMES


def test_a_large_picture_gives_what_a_small_one_gives(two):
    """Reprojection errors are judged in pixels of one size, whatever the camera's are."""
    noise = np.random.default_rng(2).normal(0, 4, (4, 2 * FRAMES, 20, 2))
    small = [sighted(view, two, TIMES) for view in range(4)]
    small = [
        replace(view, joints=view.joints + np.concatenate([more, 0 * more[..., :1]], -1))
        for view, more in zip(small, noise, strict=True)
    ]
    large = [
        replace(
            view,
            camera=view.camera.cropped((0, 0, *view.camera.size), (3840, 2160)),
            joints=view.joints * [3, 3, 1],
        )
        for view in small
    ]
    one = placed(CAMERAS, TIMES, matched(small, TIMES))
    other = placed([view.camera for view in large], TIMES, matched(large, TIMES))
    np.testing.assert_allclose(other.joints, one.joints, atol=1e-6)
    np.testing.assert_allclose(other.error, 3 * one.error, rtol=1e-6)


def test_a_row_between_matched_ones_is_who_its_track_is(two):
    view = sighted(0, two, np.arange(120) / 60)
    at = np.repeat(np.arange(0, FRAMES, 2), 2)
    row = np.searchsorted(view.times, TIMES[at]) + np.tile([0, 1], FRAMES // 2)
    person = np.tile([5, 7], FRAMES // 2)
    who = named(view, TIMES, at, row, person)
    assert who.tolist() == [5, 7] * 120
    person[view.tracks[row] == 1] = 5  # both the same: one of them is not
    who = named(view, TIMES, at, row, person).reshape(120, 2)
    assert ((who == 5).sum(1) == 1).all()


def test_detectors_noise_is_told_by_the_spread(data):
    random = np.random.default_rng(7)
    one = people(1, FRAMES, motions(data), random)
    views = [sighted(view, one, TIMES) for view in range(4)]
    noise = [random.normal(0, 6, (FRAMES, 20, 2)) for _ in views]
    noisy = [
        replace(view, joints=view.joints + np.concatenate([more, 0 * more[..., :1]], -1))
        for view, more in zip(views, noise, strict=True)
    ]
    found = placed(CAMERAS, TIMES, matched(noisy, TIMES))
    wrong = np.linalg.norm(found.joints - one[found.at, 0], axis=-1)
    told = np.sqrt(3) * found.spread
    assert 0.5 < np.sqrt((wrong**2).mean()) / np.sqrt((told**2).mean()) < 1.5
