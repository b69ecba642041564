"""Points are found from where cameras show them, and views that are wrong do no harm."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from muybridge.geometry import triangulation
from muybridge.geometry.triangulation import (
    agreeing,
    consensus,
    covariance,
    distances,
    linear,
    refine,
    shown,
    triangulate,
)

RULES = {"leaving out": agreeing, "consensus": consensus}


def ring(views):
    """Stand cameras on most of a circle of 4 m about the origin, all looking at it: (V, 3, 4)."""
    made = []
    for turn in 1.7 * np.pi * np.arange(views) / views:
        sine, cosine = np.sin(turn), np.cos(turn)
        rotation = np.array([[-sine, cosine, 0], [0, 0, -1], [-cosine, -sine, 0]])
        matrix = np.array([[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]])
        made.append(matrix @ np.column_stack([rotation, [0, 0, 4]]))
    return np.array(made)


def scene(views, count, noise=0.0, seed=0):
    """Make points within a metre of the origin, and what is seen of them."""
    random = np.random.default_rng(seed)
    points = random.uniform(-1, 1, (count, 3))
    seen = shown(points, ring(views)) + random.normal(0, noise or 1e-300, (count, views, 2))
    return points, seen, random


def test_two_cameras_at_right_angles_by_hand():
    """One looks along x, one along y; each shows the point where its other two axes have it."""
    first = np.array([[0, 1.0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 2]])
    second = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 2]])
    seen = np.array([[[0.1 / 2.5, 0.2 / 2.5], [0.5 / 2.1, 0.2 / 2.1]]])
    found = linear(seen, np.stack([first, second]), np.ones((1, 2)))
    assert np.allclose(found, [[0.5, 0.1, 0.2]])


@pytest.mark.parametrize("count", [0, 1, 50])
@pytest.mark.parametrize("views", [2, 3, 8])
def test_what_is_shown_exactly_is_found_exactly(views, count):
    points, seen, _ = scene(views, count)
    found = triangulate(seen, ring(views), np.ones((count, views)))
    assert np.allclose(found.points, points, rtol=0, atol=1e-9)
    assert found.used.all()
    assert found.used.shape == found.errors.shape == (count, views)
    assert found.covariance.shape == (count, 3, 3)
    assert (found.errors < 1e-6).all()


def test_each_point_may_have_projections_of_its_own():
    points, seen, random = scene(3, 6)
    shift = random.normal(size=(6, 3))
    move = np.tile(np.eye(4), (6, 1, 1))
    move[:, :3, 3] = -shift
    own = ring(3) @ move[:, None]
    found = triangulate(seen, own, np.ones((6, 3)))
    assert np.allclose(found.points, points + shift)
    bent = seen.copy()
    bent[2, 1] += 300
    for rule in RULES.values():
        kept = rule(bent, own, np.ones((6, 3)), 15.0)
        assert np.allclose(kept, rule(bent, ring(3), np.ones((6, 3)), 15.0))


def test_a_view_without_weight_or_without_a_pixel_does_not_count():
    points, seen, _ = scene(4, 3)
    weights = np.ones((3, 4))
    seen[0, 0], weights[0, 0] = 1e4, 0
    seen[1, 2] = np.nan
    found = triangulate(seen, ring(4), weights)
    assert np.allclose(found.points, points)
    assert found.used.tolist() == [[False, True, True, True], [True, True, False, True], [True] * 4]
    assert np.isnan(found.errors[1, 2])


def test_fewer_than_two_views_make_no_point():
    _, seen, _ = scene(3, 2)
    found = triangulate(seen, ring(3), np.array([[0, 1.0, 0], [0, 0, 0]]))
    assert np.isnan(found.points).all()
    assert np.isnan(found.errors).all()
    assert np.isnan(found.covariance).all()
    assert not found.used.any()


def test_two_views_that_disagree_make_no_point():
    """One shows the point 100 pixels above where the other's line passes."""
    _, seen, _ = scene(3, 1)
    seen[0, 0, 1] -= 100
    found = triangulate(seen, ring(3), np.array([[1.0, 1, 0]]))
    assert np.isnan(found.points).all()
    assert not found.used.any()


def test_what_would_lie_behind_a_camera_is_no_point():
    """Both look along x from y = -1 and 1, and their lines meet 1 m behind them."""
    left, right = (np.array([[0, 1.0, 0, y], [0, 0, 1, 0], [1, 0, 0, 0]]) for y in (1, -1))
    seen = np.array([[[-1.0, 0], [1, 0]]])
    assert np.allclose(linear(seen, np.stack([left, right]), np.ones((1, 2))), [[-1, 0, 0]])
    assert np.isnan(triangulate(seen, np.stack([left, right]), np.ones((1, 2))).points).all()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("views", [4, 5, 8])
def test_one_wrong_view_is_left_out(rule, views):
    points, seen, random = scene(views, 200, noise=1)
    wrong = random.integers(0, views, 200)
    turn = random.uniform(0, 2 * np.pi, 200)
    seen[np.arange(200), wrong] += 200 * np.stack([np.cos(turn), np.sin(turn)], -1)
    found = triangulate(seen, ring(views), np.ones((200, views)), 15.0, rule)
    right = np.ones((200, views), bool)
    right[np.arange(200), wrong] = False
    # along its epipolar lines a wrong view agrees with a wrong point; of the rest, all are found
    assert (found.used == right).all(1).mean() > 0.93
    assert np.median(np.linalg.norm(found.points - points, axis=1)) < 0.006


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_views_that_agree_are_all_kept(rule):
    _, seen, _ = scene(6, 100, noise=2)
    weights = np.random.default_rng(1).uniform(0.2, 1, (100, 6))
    assert (rule(seen, ring(6), weights, 30.0) == weights).all()


def test_refining_finds_what_a_general_solver_finds():
    """scipy's, on Huber's loss of the weighted distances, started from the same points."""
    points, seen, random = scene(4, 12, noise=3)
    seen[::2, 0] += 40
    weights = random.uniform(0.4, 1, (12, 4))
    start = linear(seen, ring(4), weights)
    found = refine(start, seen, ring(4), weights, huber=5.0)
    for at in range(12):
        one = slice(at, at + 1)

        def far(x, one=one):
            return (weights[one] * distances(x[None], seen[one], ring(4)))[0]

        best = least_squares(far, start[at], loss="huber", f_scale=5.0, xtol=1e-14, ftol=1e-14)
        assert np.allclose(found[at], best.x, atol=1e-5)
    assert (
        np.linalg.norm(found - points, axis=1).mean()
        < np.linalg.norm(start - points, axis=1).mean()
    )


@pytest.mark.parametrize("views", [2, 3, 8])
def test_points_lie_as_far_off_as_their_covariance_says(views):
    """The squared distance in standard deviations is on average 3 for three dimensions."""
    points, seen, _ = scene(views, 4000, noise=triangulation.NOISE)
    weights = np.ones((4000, views))
    found = refine(linear(seen, ring(views), weights), seen, ring(views), weights)
    off = found - points
    spread = covariance(found, seen, ring(views), weights)
    squared = np.einsum("ni,nij,nj->n", off, np.linalg.inv(spread), off)
    assert np.mean(squared) == pytest.approx(3, rel=0.15)


def test_a_weight_of_a_half_is_noise_twice_as_large():
    """So that all views at a half leave the points as they are and make them half as sure."""
    points, seen, _ = scene(4, 5)
    whole, half = (covariance(points, seen, ring(4), np.full((5, 4), w)) for w in (1, 0.5))
    assert np.allclose(half, 4 * whole)
    normal = np.linalg.inv(covariance(points, seen, ring(4), np.array([[1, 1, 1, 0.5]] * 5)))
    without = np.linalg.inv(covariance(points, seen, ring(4), np.array([[1, 1, 1, 0.0]] * 5)))
    last = np.linalg.inv(whole) / (4 + 5) - without / (4 + 3)  # what the fourth view tells alone
    assert np.allclose(normal / (4 + 5), without / (4 + 3) + last / 4)


def test_noise_beyond_what_was_known_before_shows_in_the_covariance():
    spreads = []
    for noise in (triangulation.NOISE, 3 * triangulation.NOISE):
        points, seen, _ = scene(8, 500, noise=noise)
        spreads.append(covariance(points, seen, ring(8), np.ones((500, 8))).trace(axis1=1, axis2=2))
    # 13 residuals tell of 9 times the variance, 4 still of the old
    assert np.mean(spreads[1]) / np.mean(spreads[0]) == pytest.approx(
        (4 + 9 * 16) / (4 + 16), rel=0.1
    )


def test_two_cameras_that_face_each_other_cannot_say_how_far_off_a_point_between_them_is():
    two = ring(2)
    turned = two[:1] @ np.diag([-1.0, -1, 1, 1])
    seen = np.full((1, 2, 2), 500.0)
    facing = np.concatenate([two[:1], turned])
    spread = covariance(np.zeros((1, 3)), seen, facing, np.ones((1, 2)))
    assert np.isnan(spread).all() or spread.max() > 1e6


@pytest.fixture
def pack(golden):
    """Points, confidences and projections of the authors, and what they made of them."""
    folder = golden / "triangulation_algebraic"
    given, wanted = np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")
    seen, weights = given["dlt_points"].swapaxes(0, 1), given["dlt_confidences"].T
    return seen, given["dlt_proj"], weights, wanted


@pytest.mark.golden
def test_linear_triangulation_is_that_of_the_authors(pack):
    seen, matrices, weights, wanted = pack
    found = linear(seen, matrices, weights)
    assert abs(found - wanted["dlt_weighted_float64"]).max() < 1e-6
    even = linear(seen, matrices, np.ones_like(weights))
    assert abs(even - wanted["dlt_unweighted_float64"]).max() < 1e-6
    half = distances(found, seen, matrices) / 2  # the authors' error is half the distance
    assert abs(half - wanted["reprojection_error"]).max() < 1e-6


@pytest.mark.golden
def test_consensus_and_refining_are_those_of_the_authors(pack):
    """Their limit is 15 of half distances, and Huber's bend is at 1 of them: 30 and 2 of ours."""
    seen, matrices, weights, wanted = pack
    kept = consensus(seen, matrices, np.ones_like(weights), 30.0)
    found = refine(linear(seen, matrices, kept), seen, matrices, kept, huber=2.0)
    same = wanted["ransac_seed_independent"]
    assert same.any()
    assert ((kept > 0) == wanted["ransac_inliers"])[same].all()
    assert abs(found - wanted["ransac_points"])[same].max() < 1e-2
