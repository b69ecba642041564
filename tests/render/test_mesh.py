"""Triangles over a picture: which pixels they cover, which of them is seen, how they look."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.render.mesh import (
    COVER,
    NEAR,
    SAMPLES,
    STEPS,
    Mesh,
    across,
    light,
    nearest,
    normals,
    paint,
    project,
    snapped,
)

from .puppet import capsule

WIDTH, HEIGHT = 40, 30
RED, BLUE = (255, 0, 0), (0, 0, 255)


def covered(triangles: np.ndarray, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Number of the triangle (N, 3, 3) of x, y, nearness seen at each pixel, -1 where none is."""
    x, y, number = nearest(snapped(triangles[..., :2]), triangles[..., 2], width, height)
    found = np.full((height, width), -1)
    found[y, x] = number
    return found


def inside(triangle: np.ndarray) -> np.ndarray:
    """By the definition: the pixels whose centres are on the same side of all three edges."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    corners = snapped(triangle[:, :2]) / STEPS
    sides = []
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, 0), strict=True):
        sides.append((bx - ax) * (y - ay) - (by - ay) * (x - ax))
    return np.all(np.array(sides) >= 0, 0) | np.all(np.array(sides) <= 0, 0)


def square(z: float, half: float = 0.1, x: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Two triangles that look into the camera, ``half`` metres to each side of (x, 0, z)."""
    corners = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], float) * half
    return corners + np.array([x, 0, z]), np.array([(0, 2, 1), (0, 3, 2)])


def mesh(z: float, colour=RED, focal: float = 100.0, **more: float) -> Mesh:
    return Mesh(*square(z, **more), focal, colour)


def grey(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def test_a_triangle_covers_exactly_the_pixels_whose_centres_lie_in_it():
    random = np.random.default_rng(0)
    for _ in range(200):
        triangle = np.column_stack([random.uniform(-20, 60, (3, 2)), np.ones(3)])
        assert np.array_equal(covered(triangle[None]) == 0, inside(triangle))


def test_a_triangle_by_hand():
    triangle = np.array([[(1.5, 1.5, 1), (4.5, 1.5, 1), (1.5, 4.5, 1)]], float)
    rows = [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 1)]
    assert np.argwhere(covered(triangle) == 0).tolist() == [list(pixel) for pixel in rows]


def test_triangles_that_share_an_edge_leave_no_pixel_between_them():
    random = np.random.default_rng(1)
    corners = [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)]
    for _ in range(50):
        middle = (random.uniform(1, WIDTH - 1), random.uniform(1, HEIGHT - 1))
        fan = [(corners[i], corners[(i + 1) % 4], middle) for i in range(4)]
        triangles = np.concatenate([np.array(fan, float), np.ones((4, 3, 1))], axis=2)
        assert (covered(triangles) >= 0).all()


@pytest.mark.parametrize(
    "points", [[(5, 5)] * 3, [(1, 1), (9, 9), (5, 5)], [(3, 4)] * 2 + [(9, 4)]]
)
def test_triangles_without_area_cover_nothing(points):
    assert (covered(np.array([[(*point, 1) for point in points]], float)) == -1).all()


def test_no_triangle_covers_nothing():
    assert (covered(np.zeros((0, 3, 3))) == -1).all()


def test_the_nearer_wins_wherever_it_stands_in_the_list():
    far = np.array([(0, 0, 1), (40, 0, 1), (0, 30, 1)], float)
    near = np.array([(0, 0, 2), (20, 0, 2), (0, 15, 2)], float)
    for triangles, number in (([far, near], 1), ([near, far], 0)):
        found = covered(np.array(triangles))
        assert (found[inside(near)] == number).all()
        assert (found[inside(far) & ~inside(near)] == 1 - number).all()


def test_triangles_that_pass_through_each_other_meet_where_they_are_equally_near():
    left = np.array([(0, 0, 2), (40, 0, 1), (0, 60, 2)], float)  # 2 - x / 40
    right = np.array([(0, 0, 1), (40, 0, 2), (0, 60, 1)], float)  # 1 + x / 40
    found = covered(np.array([left, right]))
    assert (found[:10, :20] == 0).all()
    assert (found[:10, 20:30] == 1).all()


def test_what_is_linear_across_a_triangle_is_found_at_its_pixels():
    corners = np.array([[(2.25, 3.5), (30.75, 6.0), (11.5, 25.25)]])
    at = snapped(corners)
    values = 3 * corners[..., 0] - 2 * corners[..., 1] + 7
    x, y, number = nearest(at, np.ones((1, 3)), WIDTH, HEIGHT)
    wanted = 3 * (x + 0.5) - 2 * (y + 0.5) + 7
    assert len(x) > 100
    assert across(at, values, x, y, number) == pytest.approx(wanted, abs=1e-9)


def test_a_point_is_seen_where_the_camera_s_equation_puts_it():
    """Pixel = focal * X / Z + W / 2 and focal * Y / Z + H / 2, by hand."""
    vertices = np.array([(0, 0, 5), (0.5, -0.25, 2), (1, 1, 0), (1, 1, -3)], float)
    seen = project(Mesh(vertices, np.zeros((0, 3), int), 100, RED), 64, 48)
    assert seen[:2].tolist() == [[32, 24, 20], [57, 11.5, 50]]
    assert np.isnan(seen[2:]).all()


def test_what_is_painted_lies_where_it_is_projected_to_less_than_a_tenth_of_a_pixel():
    """A square of 0.3 m, 4 m away at 500 pixels, is 75 pixels wide; its middle lies 18.75 right."""
    ground = np.zeros((120, 160, 3), np.uint8)
    made = paint(ground, [Mesh(*square(4.0, 0.3, x=0.15), 500.0, (255, 255, 255))])
    share = made[..., 0] / made.max()
    y, x = np.mgrid[:120, :160] + 0.5
    assert (share * x).sum() / share.sum() == pytest.approx(80 + 18.75, abs=0.1)
    assert (share * y).sum() / share.sum() == pytest.approx(60, abs=0.1)
    assert share.sum() == pytest.approx(75**2, rel=0.01)


def test_outlines_are_smooth():
    """An edge at a quarter of a pixel leaves half of its samples: a pixel half covered."""
    half = 0.1 * 2.025 / 2  # at 100 pixels, 1 m away: from 20 - 10.125 to 20 + 10.125
    made = paint(np.zeros((HEIGHT, WIDTH, 3), np.uint8), [mesh(1.0, half=half)])[15, :, 0]
    assert SAMPLES == 2
    assert made[8] == 0
    assert made[9] == 0  # the edge at 9.875 lies right of both its samples, 9.25 and 9.75
    assert made[10] == made[20] > 0
    half = 0.1 * 2.1 / 2  # now at 9.5: one sample of two
    made = paint(np.zeros((HEIGHT, WIDTH, 3), np.uint8), [mesh(1.0, half=half)])[15, :, 0]
    assert made[9] == pytest.approx(made[20] / 2, abs=1)


def test_nobody_leaves_the_picture_as_it_is_and_the_one_given_is_never_drawn_on():
    picture = grey()
    assert np.array_equal(paint(picture, []), picture)
    assert not np.array_equal(paint(picture, [mesh(1.0)]), picture)
    assert (picture == 100).all()


def test_only_what_is_covered_changes_and_the_picture_shines_through():
    made = paint(grey(), [mesh(1.0)]).astype(int)  # 20 pixels wide and high
    changed = (made != 100).any(axis=2)
    assert changed.sum() == 400
    assert changed[5:25, 10:30].all()
    assert made[15, 20, 1] == round(100 * (1 - COVER))  # red has no green: what shines through


def test_of_many_people_the_nearer_hides_the_farther_in_any_order():
    near, far = mesh(1.0, RED), mesh(1.5, BLUE, half=0.2)
    for order in ([near, far], [far, near]):
        made = paint(np.zeros((HEIGHT, WIDTH, 3), np.uint8), order)
        assert made[15, 20, 0] > 100
        assert made[15, 20, 2] == 0
        assert made[15, 8, 2] > 100
        assert made[15, 8, 0] == 0


def test_who_is_larger_by_a_longer_lens_is_not_nearer():
    """At the same depth and scale, twice the focal length and twice the depth are as near."""
    one, other = mesh(1.0, RED, focal=100.0), mesh(2.2, BLUE, focal=200.0, half=0.4)
    assert paint(grey(), [one, other])[15, 20, 0] > paint(grey(), [one, other])[15, 20, 2]


@pytest.mark.parametrize(
    "where",
    [
        (0.0, 0.0, -2.0),  # behind the camera
        (0.0, 0.0, NEAR / 2),
        (5.0, 0.0, 1.0),  # beside the picture
        (0.0, -5.0, 1.0),
        (1e9, 0.0, 1.0),
        (np.nan, 0.0, 1.0),
    ],
)
def test_what_cannot_be_seen_is_not_drawn_and_hurts_nobody(where):
    vertices, faces = square(0.0)
    hidden = Mesh(vertices + np.array(where), faces, 100.0, BLUE)
    assert np.array_equal(paint(grey(), [hidden]), grey())
    assert np.array_equal(paint(grey(), [hidden, mesh(1.0)]), paint(grey(), [mesh(1.0)]))


def test_a_body_that_reaches_past_the_picture_and_behind_the_camera_is_drawn_as_far_as_it_is_seen():
    middle = np.array([1.05, 0, 0.3])
    vertices, faces = capsule(middle, middle + np.array([0, 1e-9, 0]), 1.0, rings=40, sides=60)
    before = (vertices[faces][..., 2] > NEAR).all(axis=1)
    assert set(before) == {True, False}
    whole, part = (
        paint(grey(), [Mesh(vertices, each, 20.0, RED)]) for each in (faces, faces[before])
    )
    assert (whole != 100).any(axis=2).sum() > 50
    assert np.array_equal(whole != 100, part != 100)


def test_one_triangle_right_before_the_camera_fills_the_picture():
    vertices, faces = square(0.2, half=2.0)
    made = paint(grey(1280, 720), [Mesh(vertices, faces, 5000.0, RED)])
    assert (made[..., 1] == round(100 * (1 - COVER))).all()


def test_of_a_closed_body_only_what_looks_at_the_camera_is_seen():
    vertices, faces = capsule(np.array([-0.5, 0.1, 4]), np.array([0.4, -0.2, 3]), 0.4)
    ball = Mesh(vertices, faces, 30.0, RED)
    corners = project(ball, WIDTH, HEIGHT)[faces]
    at = snapped(SAMPLES * corners[..., :2])
    x, y, number = nearest(at, corners[..., 2], SAMPLES * WIDTH, SAMPLES * HEIGHT)
    a, b, c = (vertices[faces[np.unique(number), i]] for i in range(3))
    assert ((np.cross(b - a, c - a) * a).sum(axis=1) < 0).all()  # against the line of sight
    seen = np.zeros((HEIGHT, WIDTH), bool)
    seen[y // SAMPLES, x // SAMPLES] = True
    assert seen.sum() > 100
    assert np.array_equal((paint(grey(), [ball]) != 100).any(axis=2), seen)


def test_normals_point_outward_from_a_round_body():
    vertices, faces = capsule(np.zeros(3), np.array([0, 1e-9, 0]), 0.5, rings=24, sides=32)
    found = normals(vertices, faces)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)
    assert (found * vertices).sum(1).min() > 0.98 * 0.5


def test_light_falls_from_the_upper_left_before_the_picture():
    vertices, faces = capsule(np.zeros(3), np.array([0, 1e-9, 0]), 0.5, rings=24, sides=32)
    bright = light(Mesh(vertices + np.array([0, 0, 3]), faces, 100, RED))
    x, y, z = vertices[bright.argmax()]
    assert x < 0
    assert y < 0
    assert z < 0
    assert bright.max() <= 1
    assert bright.min() < 0.4
