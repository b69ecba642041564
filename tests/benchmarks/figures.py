"""Draw clothed puppets of which part, U and V are known at every pixel.

A puppet stands before clutter, seen from the front or from behind, in any clothes; its limbs hang
at random and hide one another. Front and back, left and right are different parts, as on the real
surface, and can only be told by the face, the buttons and how the limbs hang together. A pixel's
colour says little of where on the surface it is: clothes are of random colour, with shading across
a limb, seams, light and noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muybridge.models.densepose.annotations import SQUARE, Person

SIDE = 96  # pixels of a picture
LEG, ARM = ("upper leg", "lower leg", "foot"), ("upper arm", "lower arm", "hand")
# length and width in parts of the puppet's height; degrees from straight down, and their spread;
# the garment, and where along the limb a seam is; then parts of the surface as (left, right), seen
# from the front and from behind, and the parts drawn by hand
# fmt: off
LIMBS = {
    "upper leg": (0.25, 0.11,  4, 11, 0, 0.9, (8, 7),   (10, 9),  (7, 6)),
    "lower leg": (0.23, 0.08,  0, 10, 0, 0.1, (12, 11), (14, 13), (9, 8)),
    "foot":      (0.08, 0.07, 30, 15, 1, 0.5, (5, 6),   (5, 6),   (4, 5)),
    "upper arm": (0.17, 0.08, 30, 25, 2, 0.2, (15, 16), (17, 18), (10, 11)),
    "lower arm": (0.15, 0.06, 10, 22, 3, 0.8, (19, 20), (21, 22), (12, 13)),
    "hand":      (0.08, 0.06,  0, 12, 3, 0.5, (4, 3),   (4, 3),   (3, 2)),
}
# fmt: on
SKIN = 3  # the garment that is none


@dataclass(frozen=True)
class Figure:
    """Hold a picture (H, W, 3), the puppet's annotation, and the truth: (H, W) part, U, V."""

    picture: NDArray[np.uint8]
    person: Person
    part: NDArray[np.int64]
    u: NDArray[np.float32]
    v: NDArray[np.float32]


def figure(seed: int, points: int = 100) -> Figure:
    """Draw a puppet, and annotate about so many points, spread evenly over the parts in sight."""
    random = np.random.default_rng(seed)
    canvas = Canvas(random)
    front = bool(random.random() < 0.5)
    height = random.uniform(0.72, 0.85) * SIDE
    hips = np.array([random.uniform(0.42, 0.58), random.uniform(0.5, 0.54)]) * SIDE
    lean = np.deg2rad(random.normal(0, 8))
    up = np.array([np.sin(lean), -np.cos(lean)])
    neck = hips + up * 0.3 * height
    limbs = [(chain, left) for chain in (LEG, ARM) for left in (True, False)]
    random.shuffle(limbs)
    behind = [limb for limb in limbs if limb[0] is LEG or random.random() < 0.4]

    def hang(chain: tuple[str, ...], left: bool) -> None:
        """Draw a leg or an arm, limb by limb, from the hips or the neck outwards."""
        sign = 1 if left == front else -1  # to the picture's right or left
        root, out = (hips, 0.06) if chain is LEG else (neck, 0.11)
        at = root + np.array([-up[1], up[0]]) * sign * out * height
        angle = -lean
        for name in chain:
            length, width, degrees, spread, *_ = LIMBS[name]
            angle += np.deg2rad(random.normal(degrees, spread))
            end = at + np.array([np.sin(angle) * sign, np.cos(angle)]) * length * height
            canvas.limb(at, end, width * height, name, left, front)
            at = end

    for limb in behind:
        hang(*limb)
    canvas.torso(neck, hips, 0.24 * height, front)
    canvas.head(neck + up * 0.17 * height, neck + up * 0.02 * height, 0.13 * height, front)
    for limb in limbs:
        if limb not in behind:
            hang(*limb)
    return canvas.finish(points)


class Canvas:
    """Hold what is drawn so far."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
        self.at = np.stack([x, y], axis=-1)
        self.colours = random.uniform(0.15, 0.95, (4, 3))
        self.colours[SKIN] = np.array([0.85, 0.65, 0.5]) * random.uniform(0.4, 1.1)
        self.picture = np.full((SIDE, SIDE, 3), random.uniform(0.1, 0.9, 3))
        self.part = np.zeros((SIDE, SIDE), np.int64)
        self.drawn = np.zeros((SIDE, SIDE), np.uint8)
        self.uv = np.zeros((SIDE, SIDE, 2), np.float32)
        for _ in range(12):
            start, end = random.uniform(0, SIDE, (2, 2))
            inside, *_ = self.bar(start, end, random.uniform(4, 30))
            self.picture[inside] = random.uniform(0, 1, 3)

    def bar(self, start, end, width):
        """Find the pixels in a bar, and where along and across it they lie: 0 to 1."""
        along = end - start
        length = np.hypot(*along)
        direction = along / length
        offset = self.at - start
        u = offset @ direction / length
        v = offset @ np.array([-direction[1], direction[0]]) / width + 0.5
        return (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1), u, v

    def cloth(self, inside, u, v, colour, seam):
        """Colour pixels as cloth on something round, with a dark seam."""
        shade = 0.65 + 0.35 * np.sin(np.pi * v[inside])
        shade = np.where(np.abs(u[inside] - seam) < 0.06, shade * 0.6, shade)
        self.picture[inside] = colour * shade[:, None]

    def know(self, inside, part, drawn, u, v):
        """Note what the pixels are."""
        self.part[inside], self.drawn[inside] = part, drawn
        self.uv[inside] = np.stack([u, v], axis=-1)[inside]

    def limb(self, start, end, width, name, left, front):
        """Draw a piece of a leg or an arm."""
        *_, garment, seam, before, behind, drawn = LIMBS[name]
        inside, u, v = self.bar(start, end, width)
        self.cloth(inside, u, v, self.colours[garment], seam)
        side = 0 if left else 1
        self.know(inside, (before if front else behind)[side], drawn[side], u, v)

    def torso(self, neck, hips, width, front):
        """Draw the torso; there are buttons down the front."""
        inside, u, v = self.bar(neck, hips, width)
        self.cloth(inside, u, v, self.colours[2], 0.85)
        if front:
            line = inside & (np.abs(v - 0.5) < 0.07)
            self.picture[line] = 1 - 0.5 * self.picture[line]
        self.know(inside, 2 if front else 1, 1, u, v)

    def head(self, top, chin, width, front):
        """Draw the head, its halves being parts 23 and 24; from the front there is a face."""
        inside, u, v = self.bar(top, chin, width)
        self.cloth(inside, u, v, self.colours[1] * 0.6, -1)
        if front:
            face = inside & (u > 0.35)
            self.cloth(face, u, v, self.colours[SKIN], -1)
        halves = (23, 24) if front else (24, 23)
        for half, part in zip((v < 0.5, v >= 0.5), halves, strict=True):
            self.know(inside & half, part, 14, u, v * 2 % 1)

    def finish(self, points: int) -> Figure:
        """Light the scene, and annotate the puppet."""
        random = self.random
        slope = self.at @ random.normal(0, 0.15, 2) / SIDE
        light = random.uniform(0.7, 1.15) + slope[..., None]
        noisy = self.picture * light + random.normal(0, 0.03, self.picture.shape)
        picture = (255 * np.clip(noisy, 0, 1)).astype(np.uint8)
        rows, columns = np.nonzero(self.part)
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
        return Figure(picture, self.person(box, points), self.part, *np.moveaxis(self.uv, -1, 0))

    def person(self, box, points) -> Person:
        """Annotate all drawn parts, and as many points on each part in sight."""
        size = box[2:] - box[:2]
        seen = np.unique(self.part[self.part > 0])
        chosen = []
        for part in seen:
            places = np.argwhere(self.part == part)
            count = min(len(places), max(1, round(points / len(seen))))
            chosen.append(places[self.random.choice(len(places), count, replace=False)])
        y, x = np.concatenate(chosen).T
        place = (np.stack([x, y], 1) + 0.5 - box[:2]) / size * SQUARE
        cells = (np.arange(SQUARE) + 0.5) / SQUARE
        at_x, at_y = ((box[i] + cells * size[i]).astype(int) for i in (0, 1))
        drawn = self.drawn[np.ix_(at_y, at_x)]
        u, v = self.uv[y, x].T
        return Person(box, drawn, *place.T.astype(np.float32), self.part[y, x], u, v)
