"""Pictures to network inputs: turned square crops.

A region is (centre x, centre y, side, angle): a square in pixels of the picture whose upward axis
is turned clockwise by ``angle`` radians.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from muybridge.models.blazepose.model import CROP_SIDE

Array = NDArray[np.float32]
Picture = NDArray[np.uint8]

MARGIN = 1.25  # of a region over the circle round the body
HIPS, SHOULDERS = (11, 12), (5, 6)  # of coco17


def regions(centres: Array, tops: Array) -> Array:
    """Make the regions (N, 4) round circles given by centres (N, 2) and topmost points (N, 2)."""
    up = tops - centres
    side = 2 * MARGIN * np.hypot(up[:, 0], up[:, 1])
    angle = np.arctan2(up[:, 0], -up[:, 1])
    return np.column_stack([centres, side, angle]).astype(np.float32)


def regions_of(joints: Array) -> Array:
    """Make the regions (N, 4) of people whose joints of coco17 (N, 17, 3) are known.

    The circle is round the hips' middle and holds the whole body; up is where the shoulders are.
    """
    hips, shoulders = joints[:, HIPS, :2].mean(1), joints[:, SHOULDERS, :2].mean(1)
    reach = np.linalg.norm(joints[..., :2] - hips[:, None], axis=2).max(axis=1, initial=1)
    up = shoulders - hips
    up = up / np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-6)
    return regions(hips, hips + up * reach[:, None])


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
