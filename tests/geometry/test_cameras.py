"""A camera shows points of the world where its matrices and its lens put them, and back."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.geometry.cameras import Camera, projected, projections, undistorted

# a quarter turn about x: the world's z, up, is the camera's -y, and it looks along the world's y
UPRIGHT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
MATRIX = np.array([[1000.0, 0, 320], [0, 1100, 240], [0, 0, 1]])
LENSES = {
    "none": [0, 0, 0, 0, 0],
    "mild": [-0.05, 0.14, 6e-4, 7e-4, 0],
    "barrel": [-0.35, 0.15, 1e-3, -2e-3, -0.03],
    "cushion": [0.3, 0.1, 0, 0, 0.05],
}


def camera(lens="none", **changes):
    given = {
        "name": "one",
        "size": (640, 480),
        "matrix": MATRIX,
        "distortion": np.array(LENSES[lens], float),
        "rotation": UPRIGHT,
        "translation": np.array([0, 1.5, 2.0]),
    }
    return Camera(**{**given, **changes})


def test_a_point_falls_where_it_does_by_hand():
    """At (1, 8, 2.5): the camera sees it 1 right, 1 up and 10 ahead of itself."""
    assert np.allclose(camera().world_to_camera(np.array([1, 8, 2.5])), [1, -1, 10])
    assert np.allclose(camera().project(np.array([1, 8, 2.5])), [320 + 100, 240 - 110])


def test_a_lens_moves_what_lies_off_the_axis_as_brown_has_it():
    """At a = b = 0.1, r² is 0.02: radial 1.004, tangential 2·1e-3·0.01 and 1e-3·(0.02 + 0.02)."""
    lens = camera(distortion=np.array([0.2, 0, 1e-3, 0, 0]), rotation=np.eye(3))
    seen = lens.project(np.array([1, 1, 10.0]) - lens.translation)
    assert np.allclose(seen, [320 + 1000 * (0.1004 + 2e-5), 240 + 1100 * (0.1004 + 4e-5)])


def test_a_camera_stands_where_its_rays_come_from():
    assert np.allclose(camera().place, [0, -2, 1.5])
    assert np.allclose(camera().rays(np.array([320.0, 240])), [0, 1, 0])


@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize("shape", [(0, 2), (2,), (40, 50, 2)])
def test_what_a_lens_did_is_undone(lens, shape):
    """Up to the corners of the picture, to a thousandth of a millionth of a pixel."""
    one = camera(lens)
    pixels = np.random.default_rng(0).uniform((0, 0), (640, 480), shape)
    straight = one.undistort(pixels)
    rays = one.place + 5 * one.rays(pixels)
    assert np.allclose(one.project(rays), pixels, rtol=0, atol=1e-9)
    linear = np.concatenate([rays, np.ones_like(rays[..., :1])], -1) @ one.projection.T
    assert np.allclose(linear[..., :2] / linear[..., 2:], straight, rtol=0, atol=1e-9)


def test_undistorted_pixels_are_those_of_opencv():
    """cv2.undistortPoints iterates to its own tolerance, told here to be 1e-12."""
    cv2 = pytest.importorskip("cv2")
    one = camera("barrel")
    pixels = np.random.default_rng(1).uniform((0, 0), (640, 480), (50, 2))
    enough = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    theirs = cv2.undistortPointsIter(
        pixels[:, None], MATRIX, one.distortion, np.eye(3), MATRIX, enough
    )
    assert np.allclose(one.undistort(pixels), theirs[:, 0], atol=1e-6)


def test_what_lies_behind_is_not_shown():
    assert np.isnan(camera().project(np.array([[0, -3.0, 1.5], [0, -2, 1.5]]))).all()


def test_a_lens_does_not_fold_the_world_back_into_the_picture():
    """With k1 = -0.3, r (1 - 0.3 r²) turns at r = 1.054; 1.6 would be shown at 0.37."""
    barrel = camera(distortion=np.array([-0.3, 0, 0, 0, 0]), rotation=np.eye(3))
    assert barrel.reach == pytest.approx(1 / 0.9**0.5)
    places = np.array([[1.05, 0, 1], [1.06, 0, 1], [1.6, 0, 1]]) - barrel.translation
    assert np.isfinite(barrel.project(places)).all(-1).tolist() == [True, False, False]


def test_a_pixel_that_shows_no_place_has_none():
    """The same lens shows nothing further out than 0.7027, where it turns."""
    barrel = camera(distortion=np.array([-0.3, 0, 0, 0, 0]))
    pixels = np.array([[320 + 1000 * 0.702, 240], [320 + 1000 * 0.704, 240], [np.nan, 240]])
    assert np.isfinite(barrel.undistort(pixels)).all(-1).tolist() == [True, False, False]


@pytest.mark.parametrize("lens", ["none", "barrel"])
def test_a_crop_shows_the_same_things_in_its_own_pixels(lens):
    """A box from (100, 50) of 200 by 100 pixels, shown half as wide and twice as high."""
    whole, points = camera(lens), np.random.default_rng(2).uniform((-1, 8, 0), (1, 9, 2), (9, 3))
    part = whole.cropped((100, 50, 300, 150), (100, 200))
    assert part.size == (100, 200)
    assert np.allclose(part.project(points), (whole.project(points) - [100, 50]) * [0.5, 2])
    assert np.allclose(part.rays(part.project(points)), whole.rays(whole.project(points)))


def test_a_skewed_matrix_is_undone_too():
    skewed = camera("mild", matrix=MATRIX + np.diag([7, 0], 1))
    point = np.array([0.5, 8, 2.0])
    ray = skewed.rays(skewed.project(point))
    assert np.allclose(ray, (point - skewed.place) / np.linalg.norm(point - skewed.place))


@pytest.mark.parametrize("count", [1, 3])
def test_many_cameras_are_asked_at_once(count):
    cameras = [camera(lens) for lens in list(LENSES)[:count]]
    points = np.random.default_rng(3).uniform((-1, 8, 0), (1, 9, 2), (4, 5, 3))
    seen = projected(cameras, points)
    assert seen.shape == (4, 5, count, 2)
    straight = undistorted(cameras, seen)
    linear = np.einsum("vij,abj->abvi", projections(cameras), np.insert(points, 3, 1, -1))
    assert np.allclose(linear[..., :2] / linear[..., 2:], straight)
