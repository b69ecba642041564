"""Pictures to network inputs: tiles for the detector, turned square crops for the landmarks.

A region is (centre x, centre y, side, angle): a square in pixels of the picture whose upward axis
is turned clockwise by ``angle`` radians.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from muybridge.models.blazepose.model import CROP_SIDE, DETECTOR_SIDE

Array = NDArray[np.float32]
Picture = NDArray[np.uint8]


def tiles(width: int, height: int, scales: tuple[float, ...], overlap: float = 0.5) -> Array:
    """Cover a picture with squares (N, 4): left, top, right, bottom in pixels.

    The first is the whole picture, padded to a square; then for each scale come squares whose side
    is that part of the picture's shorter side, set so that neighbours overlap by at least
    ``overlap`` of their side.
    """
    side: float = max(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    squares = [(left, top, left + side, top + side)]
    for scale in scales:
        side = scale * min(width, height)
        squares += [
            (x, y, x + side, y + side)
            for y in _starts(height, side, overlap)
            for x in _starts(width, side, overlap)
        ]
    return np.array(squares, np.float32)


def _starts(length: float, side: float, overlap: float) -> list[float]:
    count = 1 + int(np.ceil((length - side) / (side * (1 - overlap)) - 1e-6))
    return [float(at) for at in np.linspace(0, max(length - side, 0), max(count, 1))]


def detector_input(picture: Picture, squares: Array) -> Array:
    """Cut squares (N, 4) out of a picture (H, W, 3) and scale them: (N, 224, 224, 3) of -1 to 1."""
    image = Image.fromarray(picture)
    pixels = [_square(image, square) for square in squares]
    return np.array(pixels, np.float32).reshape(-1, DETECTOR_SIDE, DETECTOR_SIDE, 3) / 127.5 - 1


def _square(image: Image.Image, square: Array) -> Picture:
    left, top, right, bottom = square
    inside = (max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height))
    scale = DETECTOR_SIDE / (right - left)
    x0, y0 = round((inside[0] - left) * scale), round((inside[1] - top) * scale)
    x1, y1 = round((inside[2] - left) * scale), round((inside[3] - top) * scale)
    out = np.zeros((DETECTOR_SIDE, DETECTOR_SIDE, 3), np.uint8)
    size = (x1 - x0, y1 - y0)
    out[y0:y1, x0:x1] = image.resize(size, Image.Resampling.BILINEAR, inside, reducing_gap=1.5)
    return out


def crops(picture: Picture, regions: Array) -> Array:
    """Cut turned squares (N, 4) out of a picture (H, W, 3): (N, 256, 256, 3) of 0 to 1.

    What lies outside the picture is black. Pillow takes the whole picture once, which is cheaper
    than the part round each square.
    """
    if not len(regions):
        return np.empty((0, CROP_SIDE, CROP_SIDE, 3), np.float32)
    image = Image.fromarray(picture)
    return np.array([_crop(image, region) for region in regions], np.float32) / 255


def _crop(image: Image.Image, region: Array) -> Picture:
    step = float(region[2]) / CROP_SIDE
    cos, sin = step * np.cos(float(region[3])), step * np.sin(float(region[3]))
    x = float(region[0]) - (cos - sin) * CROP_SIDE / 2
    y = float(region[1]) - (sin + cos) * CROP_SIDE / 2
    size, bilinear = (CROP_SIDE, CROP_SIDE), Image.Resampling.BILINEAR
    turned = (cos, -sin, x, sin, cos, y)
    return np.asarray(image.transform(size, Image.Transform.AFFINE, turned, bilinear))


def crop_to_picture(points: Array, regions: Array) -> Array:
    """Map points (N, J, 2) from 0 to 1 across crops to pixels of the picture, by regions (N, 4)."""
    offset = (points - 0.5) * regions[:, None, 2:3]
    return turn(offset, regions[:, 3]) + regions[:, None, :2]


def turn(points: Array, angles: Array) -> Array:
    """Turn points (N, J, 2) clockwise (x right, y down) by angles (N,) in radians."""
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], -1)
