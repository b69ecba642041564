"""Cameras: where a picture shows a point of the world, lens and all, and back.

A point of the world is first moved into the camera's axes, ``c = rotation @ p + translation``, and
divided by its depth: a, b = c_x / c_z, c_y / c_z. The lens moves it (Brown 1966; the numbers in the
order in which OpenCV writes them, k1, k2, p1, p2, k3), with r² = a² + b²:

    a' = a (1 + k1 r² + k2 r⁴ + k3 r⁶) + 2 p1 a b + p2 (r² + 2 a²)
    b' = b (1 + k1 r² + k2 r⁴ + k3 r⁶) + p1 (r² + 2 b²) + 2 p2 a b

and ``matrix @ (a', b', 1)`` are pixels. Pixels *without the lens* are ``matrix @ (a, b, 1)``: they
are linear in the point, and triangulation works on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]

ARRAYS = ("matrix", "distortion", "rotation", "translation")
STEPS = 20  # of Newton's method at most; four or five suffice for what is inside a picture
EXACT = 1e-12  # of a, b: less than 1e-8 pixels for any focal length under 10,000


@dataclass(frozen=True, eq=False)
class Camera:
    """Hold one camera: all float64, lengths in metres, ``size`` (width, height) in pixels.

    ``matrix`` (3, 3) maps to pixels whose centres lie at +0.5, ``distortion`` (5,) is k1, k2, p1,
    p2, k3; ``rotation`` (3, 3) and ``translation`` (3,) move world points into the camera's axes.
    """

    name: str
    size: tuple[int, int]
    matrix: Array
    distortion: Array
    rotation: Array
    translation: Array

    @property
    def place(self) -> Array:
        """Say where in the world the camera stands (3,)."""
        return -self.rotation.T @ self.translation

    @cached_property
    def projection(self) -> Array:
        """Give the matrix (3, 4) from world points to pixels without the lens."""
        return self.matrix @ np.column_stack([self.rotation, self.translation])

    @cached_property
    def reach(self) -> float:
        """Say up to which distance from the axis (at depth 1) the lens keeps places apart.

        Beyond the first extremum of r (1 + k1 r² + k2 r⁴ + k3 r⁶) the formula folds the world back
        into the picture, which no lens does.
        """
        k1, k2, _, _, k3 = self.distortion
        roots = np.roots(np.trim_zeros([7 * k3, 5 * k2, 3 * k1, 1], "f"))
        squared = roots.real[(abs(roots.imag) < 1e-9) & (roots.real > 0)]
        return float(np.sqrt(squared.min(initial=np.inf)))

    def world_to_camera(self, points: Array) -> Array:
        """Move points (..., 3) from the world's axes into the camera's."""
        return points @ self.rotation.T + self.translation

    def project(self, points: Array) -> Array:
        """Find the pixels (..., 2) that show world points (..., 3); nan for what no lens shows.

        That is what lies behind the camera or further out than the lens reaches.
        """
        seen = self.world_to_camera(points)
        depth = np.where(seen[..., 2:] > 0, seen[..., 2:], np.nan)
        flat = seen[..., :2] / depth
        flat = np.where(np.linalg.norm(flat, axis=-1, keepdims=True) < self.reach, flat, np.nan)
        return self._pixels(_bent(flat, self.distortion))

    def undistort(self, pixels: Array) -> Array:
        """Turn pixels (..., 2) into pixels without the lens; nan where no place is shown."""
        bent = self._flat(pixels)
        flat = _straightened(bent, self.distortion)
        shown = (abs(_bent(flat, self.distortion) - bent).max(-1) < EXACT) & (
            np.linalg.norm(flat, axis=-1) < self.reach
        )
        return self._pixels(np.where(shown[..., None], flat, np.nan))

    def rays(self, pixels: Array) -> Array:
        """Give the directions (..., 3), of length 1 in the world, in which pixels (..., 2) look."""
        flat = self._flat(self.undistort(pixels))
        ahead = np.concatenate([flat, np.ones_like(flat[..., :1])], -1) @ self.rotation
        return ahead / np.linalg.norm(ahead, axis=-1, keepdims=True)

    def cropped(self, box: ArrayLike, size: tuple[int, int]) -> Camera:
        """Give the camera of a crop: the box (4,) of the picture, scaled to a size (w, h)."""
        left, top, right, bottom = np.asarray(box, float)
        scale = size[0] / (right - left), size[1] / (bottom - top)
        moved = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]])
        return replace(self, size=size, matrix=np.diag([*scale, 1]) @ moved @ self.matrix)

    def written(self) -> dict[str, Any]:
        """Give all of it as JSON can hold it; ``Camera.read`` reads it back."""
        arrays = {name: getattr(self, name).tolist() for name in ARRAYS}
        return {"name": self.name, "size": list(self.size), **arrays}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Camera:
        """Make the camera that was ``written``."""
        width, height = written["size"]
        arrays = {name: np.array(written[name], float) for name in ARRAYS}
        return cls(name=written["name"], size=(width, height), **arrays)

    def _flat(self, pixels: Array) -> Array:
        ((fx, skew, cx), (_, fy, cy), _) = self.matrix
        b = (pixels[..., 1] - cy) / fy
        return np.stack([(pixels[..., 0] - cx - skew * b) / fx, b], -1)

    def _pixels(self, flat: Array) -> Array:
        return flat @ self.matrix[:2, :2].T + self.matrix[:2, 2]


def projections(cameras: Sequence[Camera]) -> Array:
    """Stack the matrices (V, 3, 4) from world points to pixels without the lens."""
    return np.stack([camera.projection for camera in cameras])


def undistorted(cameras: Sequence[Camera], pixels: Array) -> Array:
    """Take the lens from what V cameras saw: (..., V, 2) to (..., V, 2) pixels."""
    return np.stack([c.undistort(pixels[..., v, :]) for v, c in enumerate(cameras)], -2)


def projected(cameras: Sequence[Camera], points: Array) -> Array:
    """Show world points (..., 3) in V cameras: (..., V, 2) pixels, lens and all."""
    return np.stack([camera.project(points) for camera in cameras], -2)


def skywards(rotations: Array) -> NDArray[np.float64]:
    """Say which axis of the world points up (3,), by where most cameras' (N, 3, 3) pictures do."""
    up = -rotations[:, 1].mean(0)
    made = np.zeros(3)
    axis = int(np.argmax(abs(up)))
    made[axis] = np.sign(up[axis])
    return made


def _bent(flat: Array, distortion: Array) -> Array:
    """Move places (..., 2) at depth 1 as the lens does."""
    k1, k2, p1, p2, k3 = distortion
    a, b = flat[..., 0], flat[..., 1]
    r2 = a * a + b * b
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return np.stack(
        [
            a * radial + 2 * p1 * a * b + p2 * (r2 + 2 * a * a),
            b * radial + p1 * (r2 + 2 * b * b) + 2 * p2 * a * b,
        ],
        -1,
    )


def _straightened(bent: Array, distortion: Array) -> Array:
    """Undo what the lens does to places (..., 2), by Newton's method from where they are seen."""
    flat = bent
    for _ in range(STEPS):
        missing = bent - _bent(flat, distortion)
        if not (abs(missing) >= EXACT / 10).any():
            break
        flat = flat + _solved(_slope(flat, distortion), missing)
    return flat


def _slope(flat: Array, distortion: Array) -> tuple[Array, Array, Array]:
    """Differentiate the lens at (..., 2): its matrix is symmetric, ((aa, ab), (ab, bb))."""
    k1, k2, p1, p2, k3 = distortion
    a, b = flat[..., 0], flat[..., 1]
    r2 = a * a + b * b
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    steep = 2 * (k1 + r2 * (2 * k2 + 3 * r2 * k3))  # d radial / d a = steep a
    return (
        radial + steep * a * a + 2 * p1 * b + 6 * p2 * a,
        steep * a * b + 2 * p1 * a + 2 * p2 * b,
        radial + steep * b * b + 6 * p1 * b + 2 * p2 * a,
    )


def _solved(matrix: tuple[Array, Array, Array], right: Array) -> Array:
    """Solve symmetric 2 by 2 equations; nan where they cannot be."""
    aa, ab, bb = matrix
    determinant = aa * bb - ab * ab
    with np.errstate(divide="ignore", invalid="ignore"):
        return (
            np.stack(
                [bb * right[..., 0] - ab * right[..., 1], aa * right[..., 1] - ab * right[..., 0]],
                -1,
            )
            / determinant[..., None]
        )
