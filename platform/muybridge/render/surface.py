"""Paint the body surface that DensePose saw over a picture: the parts, or where U and V are.

Each of the eight sorts of parts has its hue. The body's left side is darker than its right, and of
the two halves into which trunk and limbs are cut one is paler.
"""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]
Show = Literal["densepose", "uv"]

# by part number from 1: what it is, L(eft) or R(ight), and which of two halves
PARTS: tuple[tuple[str, str, int], ...] = (
    ("trunk", "R", 0), ("trunk", "R", 1), ("hand", "R", 0), ("hand", "L", 0),
    ("foot", "L", 0), ("foot", "R", 0),
    ("upper leg", "R", 0), ("upper leg", "L", 0), ("upper leg", "R", 1), ("upper leg", "L", 1),
    ("lower leg", "R", 0), ("lower leg", "L", 0), ("lower leg", "R", 1), ("lower leg", "L", 1),
    ("upper arm", "L", 0), ("upper arm", "R", 0), ("upper arm", "L", 1), ("upper arm", "R", 1),
    ("lower arm", "L", 0), ("lower arm", "R", 0), ("lower arm", "L", 1), ("lower arm", "R", 1),
    ("head", "R", 0), ("head", "L", 0),
)  # fmt: skip
HUES = {  # 0 to 1; what lies side by side on a body lies apart here
    "trunk": 0.62, "upper arm": 0.07, "lower arm": 0.38, "hand": 0.88, "upper leg": 0.76,
    "lower leg": 0.16, "foot": 0.0, "head": 0.5,
}  # fmt: skip
COVER = 0.7  # share of the paint
LOW, HIGH = np.array((20, 120, 255)), np.array((255, 170, 0))  # the colours of U = 0 and U = 1
DARK = 0.35  # of the colour at V = 0


def _colour(sort: str, side: str, half: int) -> tuple[int, ...]:
    saturation, value = (0.5 if half else 0.95), (1.0 if side == "R" else 0.66)
    return tuple(round(255 * c) for c in colorsys.hsv_to_rgb(HUES[sort], saturation, value))


COLOURS = np.array([(0, 0, 0), *(_colour(*part) for part in PARTS)], np.uint8)


@dataclass(frozen=True)
class Surface:
    """Hold one person's surface: ``box`` (4,) int, ``parts`` (h, w) and ``uv`` (h, w, 2) uint8."""

    track: int
    box: NDArray[np.int64]
    parts: Bytes
    uv: Bytes


def read(track: int, box: Sequence[int], parts: bytes, uv: bytes) -> Surface:
    """Read a surface as the table ``densepose`` holds it."""
    pictures = [np.asarray(Image.open(io.BytesIO(each))) for each in (parts, uv)]
    return Surface(track, np.array(box), *pictures)


def paint(picture: Bytes, surfaces: Sequence[Surface], show: Show) -> Bytes:
    """Paint surfaces over a copy of a picture (H, W, 3) RGB, the nearest person last."""
    painted = picture.copy()
    for surface in sorted(surfaces, key=lambda surface: int(surface.box[3])):
        below, part, uv = inside(painted, surface)
        over = part > 0
        colours = COLOURS[part[over]] if show == "densepose" else spread(uv[over])
        below[over] = (below[over] * (1 - COVER) + colours * COVER).round()
    return painted


def spread(uv: Bytes) -> NDArray[np.float64]:
    """Give the colour of U and V (N, 2): from one colour to another along U, lighter along V."""
    u, v = (uv.astype(float) / 255).T[..., None]
    return (LOW + (HIGH - LOW) * u) * (DARK + (1 - DARK) * v)


def inside(picture: Bytes, surface: Surface) -> tuple[Bytes, Bytes, Bytes]:
    """Cut a surface's box out of a picture, without a copy, and its parts and U, V beside it."""
    left, top = surface.box[:2]
    height, width = surface.parts.shape
    rows = slice(max(-top, 0), max(min(height, picture.shape[0] - top), 0))
    columns = slice(max(-left, 0), max(min(width, picture.shape[1] - left), 0))
    below = picture[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    return below, surface.parts[rows, columns], surface.uv[rows, columns]
