"""Paint dressed puppets along COCO's joints into small pictures."""

from __future__ import annotations

import numpy as np

from muybridge.geometry.boxes import around

# x, y in body lengths from between the feet, as one sees somebody who faces the camera
# fmt: off
STANDING = np.array([
    [0, -0.90], [0.02, -0.92], [-0.02, -0.92], [0.04, -0.91], [-0.04, -0.91],  # nose, eyes, ears
    [0.11, -0.80], [-0.11, -0.80], [0.14, -0.63], [-0.14, -0.63], [0.15, -0.47], [-0.15, -0.47],
    [0.07, -0.48], [-0.07, -0.48], [0.07, -0.26], [-0.07, -0.26], [0.07, -0.03], [-0.07, -0.03],
])
LIMBS = {  # garment: pairs of joints and the width in body lengths
    "trousers": ([(11, 13), (12, 14)], 0.10),
    "socks": ([(13, 15), (14, 16)], 0.07),
    "shirt": ([(5, 11), (6, 12), (5, 12), (6, 11)], 0.14),
    "sleeves": ([(5, 7), (6, 8)], 0.06),
    "hair": ([(3, 4)], 0.14),
}
# fmt: on
Clothes = dict[str, tuple[int, int, int]]


def clothes(random: np.random.Generator) -> Clothes:
    """Dress somebody in colours of their own."""
    return {name: tuple(random.integers(20, 236, 3).tolist()) for name in LIMBS}  # type: ignore[misc]


def stand(x: float, y: float, length: float) -> np.ndarray:
    """Stand somebody with the feet at x, y in pixels: joints (17, 3), all seen."""
    return np.concatenate([STANDING * length + [x, y], np.ones((17, 1))], axis=1)


def box(joints: np.ndarray, length: float) -> np.ndarray:
    """Draw the box (4,) round somebody so long."""
    return around(joints[None, :, :2])[0] + np.array([-0.05, -0.08, 0.05, 0.03]) * length


def empty(width: int, height: int, grey: int = 128) -> np.ndarray:
    return np.full((height, width, 3), grey, np.uint8)


def paint(picture: np.ndarray, joints: np.ndarray, length: float, worn: Clothes) -> np.ndarray:
    """Paint one puppet over a picture (H, W, 3)."""
    painted = picture.copy()
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
    for garment, (pairs, width) in LIMBS.items():
        for first, second in pairs:
            start, along = joints[first, :2], joints[second, :2] - joints[first, :2]
            share = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / (along @ along)
            share = np.clip(share, 0, 1)
            away = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
            painted[away <= width * length / 2] = worn[garment]
    return painted
