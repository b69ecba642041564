"""Draw bodies as triangles over a picture: the nearest hides the others, light shows their form.

Corners lie on a grid of 1/256 pixel, so that whether the centre of a pixel lies in a triangle is
decided exactly: triangles that share an edge leave no pixel between them. Each row of pixels that a
triangle crosses is a span between two of its edges; all spans of all triangles are found at once,
then the nearest triangle at each pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

STEPS = 256  # in a pixel, along each axis
NEAR = 0.1  # metres; triangles that reach nearer to the camera are left out
OFF = 2.0**20  # pixels; triangles that reach further from the picture are left out
SAMPLES = 2  # along each axis of a pixel, so that outlines are smooth
COVER = 0.85  # share of the paint
SHADOW = 0.25  # of the light where least of it falls
LIGHT = np.array([-0.35, -0.6, -0.72])  # where it comes from: left, above, before the picture
AT_ONCE = 1 << 22  # pixels of triangles; bounds memory for a body right before the camera


@dataclass(frozen=True)
class Mesh:
    """Be a surface before the camera: ``vertices`` (V, 3) in metres, ``faces`` (F, 3) numbers.

    It is closed: the vertices of a face run counter-clockwise as seen from outside, and nobody
    looks at it from inside. ``focal`` is in pixels, and the camera looks at the picture's middle.
    ``colour`` is RGB, 0 to 255.
    """

    vertices: Reals
    faces: Integers
    focal: float
    colour: tuple[int, int, int]


def paint(picture: Bytes, meshes: Sequence[Mesh]) -> Bytes:
    """Paint surfaces over a copy of a picture (H, W, 3) RGB."""
    painted = picture.copy()
    height, width = picture.shape[:2]
    corners = [project(mesh, width, height)[mesh.faces] for mesh in meshes]
    drawn = [np.flatnonzero(_drawable(each)) for each in corners]
    if not sum(map(len, drawn)):
        return painted
    triangles = np.concatenate([each[rows] for each, rows in zip(corners, drawn, strict=True)])
    at = snapped(SAMPLES * triangles[..., :2])
    low, high = _around(at, width, height)
    at -= low * (SAMPLES * STEPS)
    part = painted[low[1] : high[1], low[0] : high[0]]
    x, y, number = nearest(at, triangles[..., 2], *(SAMPLES * (high - low)))
    lights = [light(mesh)[mesh.faces[rows]] for mesh, rows in zip(meshes, drawn, strict=True)]
    bright = across(at, np.concatenate(lights), x, y, number).clip(0, 1)
    colours = np.repeat([mesh.colour for mesh in meshes], [len(rows) for rows in drawn], axis=0)
    _mix(part, x // SAMPLES, y // SAMPLES, colours[number] * bright[:, None])
    return painted


def project(mesh: Mesh, width: float, height: float) -> Reals:
    """See vertices in a picture: (V, 3), x and y in pixels, and pixels that a metre takes there.

    What is not before the camera is not a number.
    """
    scale = mesh.focal / np.where(mesh.vertices[:, 2] > NEAR, mesh.vertices[:, 2], np.nan)
    x, y = mesh.vertices[:, 0] * scale + width / 2, mesh.vertices[:, 1] * scale + height / 2
    return np.stack([x, y, scale], axis=1)


def light(mesh: Mesh) -> Reals:
    """Say how bright each vertex is: (V,) from ``SHADOW`` to 1."""
    falls = normals(mesh.vertices, mesh.faces) @ (LIGHT / np.linalg.norm(LIGHT))
    return SHADOW + (1 - SHADOW) * (0.5 + 0.5 * falls) ** 2


def normals(vertices: Reals, faces: Integers) -> Reals:
    """Find which way is outward at vertices (V, 3): unit vectors, 0 where no face is."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    outward = np.cross(b - a, c - a)  # as long as the face is large
    corner = faces.ravel()
    sums = [np.bincount(corner, np.repeat(axis, 3), len(vertices)) for axis in outward.T]
    total = np.stack(sums, axis=1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def snapped(points: Reals) -> Integers:
    """Move points in pixels to the nearest place of the grid, in steps of it."""
    return np.rint(points * STEPS).astype(np.int64)


def nearest(
    at: Integers, nearness: Reals, width: int, height: int
) -> tuple[Integers, Integers, Integers]:
    """Find which triangle is seen at the pixels where there is one: x, y, its number, (M,) each.

    ``at`` (N, 3, 2) are corners in steps; ``nearness`` (N, 3) grows towards the camera there, and
    is linear across the picture.
    """
    first, right, down = _plane(at, nearness)
    reach, owner = np.full(width * height, -np.inf), np.full(width * height, -1)
    for number, y, left, count in _spans(at, width, height):
        pixel = _numbered(y * width + left, count)
        start = first[number] + (down[number] - right[number] * width) * y  # at pixel 0
        near = np.repeat(start, count) + np.repeat(right[number], count) * pixel
        np.maximum.at(reach, pixel, near)
        wins = near == reach[pixel]
        owner[pixel[wins]] = np.repeat(number, count)[wins]
    pixel = np.flatnonzero(owner >= 0)
    y, x = np.divmod(pixel, width)
    return x, y, owner[pixel]


def across(at: Integers, values: Reals, x: Integers, y: Integers, number: Integers) -> Reals:
    """Give at pixels x, y of triangles called ``number`` (M,) what has ``values`` (N, 3) there."""
    first, right, down = (part[number] for part in _plane(at, values))
    return first + right * x + down * y


def _drawable(corners: Reals) -> NDArray[np.bool_]:
    """Tell triangles (F, 3, 3) that are before the camera, look at it and are not far off: (F,).

    Those that look away are half of a closed surface, and hidden by the other half.
    """
    near = (np.abs(corners[..., :2]) < OFF).all(axis=(1, 2))
    return near & (_doubled_area(corners) < 0)


def _around(at: Integers, width: int, height: int) -> tuple[Integers, Integers]:
    """Find the part of a picture in which triangles are: x, y of two of its corners, in pixels."""
    pixel, size = SAMPLES * STEPS, (width, height)
    low, high = at.min(axis=(0, 1)) // pixel, -(-at.max(axis=(0, 1)) // pixel)
    return np.clip(low, 0, size), np.clip(high, 0, size)


def _spans(at: Integers, width: int, height: int) -> Iterator[tuple[Integers, ...]]:
    """Give the spans of pixels that triangles cover: whose, in which row, from where, how many.

    Their pixels come some millions at a time.
    """
    centre = STEPS // 2
    area = _doubled_area(at)
    beside = (at[..., 0].max(axis=1) < 0) | (at[..., 0].min(axis=1) > width * STEPS)
    at = np.where((area < 0)[:, None, None], at[:, ::-1], at)  # all turn alike
    first = np.maximum(-((centre - at[..., 1].min(axis=1)) // STEPS), 0)
    last = np.minimum((at[..., 1].max(axis=1) - centre) // STEPS, height - 1)
    rows = np.where((area == 0) | beside, 0, np.maximum(last - first + 1, 0))
    number, row = np.repeat(np.arange(len(at)), rows), _numbered(first, rows)
    left, right = np.zeros(len(row), np.int64), np.full(len(row), width - 1)
    for i in range(3):
        (x0, y0), (x1, y1) = at[:, i].T, at[:, (i + 1) % 3].T
        # a pixel's centre x, y is inside where (y1 - y0) (x - x0) <= (x1 - x0) (y - y0)
        fixed = (x1 - x0) * (centre - y0) + (y1 - y0) * (x0 - centre)
        rest = fixed[number] + (STEPS * (x1 - x0))[number] * row
        rise = (STEPS * (y1 - y0))[number]
        falls, climbs = rise > 0, rise < 0
        right[falls] = np.minimum(right[falls], rest[falls] // rise[falls])
        left[climbs] = np.maximum(left[climbs], -(rest[climbs] // -rise[climbs]))
    count = np.maximum(right - left + 1, 0)
    parts = 1 + int(count.sum()) // AT_ONCE
    for some in np.array_split(np.arange(len(row)), parts):
        yield number[some], row[some], left[some], count[some]


def _numbered(first: Integers, counts: Integers) -> Integers:
    """Count on from each first number, so many times: 3, 4, 5, 8, 9 of 3 and 8, 3 and 2."""
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(first - before, counts)


def _doubled_area(at: NDArray[Any]) -> NDArray[Any]:
    """Measure triangles by x and y of their corners, (N, 3, 2 or more): (N,) twice their areas.

    It is below 0 where the corners run counter-clockwise in the picture, whose y points down.
    """
    (ax, bx, cx), (ay, by, cy) = at[..., 0].T, at[..., 1].T
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


def _plane(at: Integers, values: Reals) -> tuple[Reals, Reals, Reals]:
    """Spread values (N, 3) at corners: at the middle of pixel 0, 0, then what a pixel adds."""
    area = _doubled_area(at) / STEPS
    area[area == 0] = np.inf
    (ax, ay), (bx, by), (cx, cy) = at[:, 0].T, at[:, 1].T, at[:, 2].T
    b, c = values[:, 1] - values[:, 0], values[:, 2] - values[:, 0]
    right = (b * (cy - ay) - c * (by - ay)) / area
    down = (c * (bx - ax) - b * (cx - ax)) / area
    return values[:, 0] + right * (0.5 - ax / STEPS) + down * (0.5 - ay / STEPS), right, down


def _mix(picture: Bytes, x: Integers, y: Integers, colours: Reals) -> None:
    """Lay the colours (M, 3) of samples over the pixels x, y (M,) that they are part of."""
    height, width = picture.shape[:2]
    place, pixels, share = y * width + x, height * width, COVER / SAMPLES**2
    kept = 1 - share * np.bincount(place, minlength=pixels)
    for channel, values in enumerate(colours.T):
        mixed = picture[..., channel].ravel() * kept + share * np.bincount(place, values, pixels)
        picture[..., channel] = np.rint(mixed).reshape(height, width)
