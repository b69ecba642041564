"""Draw the people of one frame into its picture: boxes with track ids, skeletons, and a caption.

A track keeps its hue for the whole video. A limb's lightness tells its side: left is light, right
is full; so both can be told apart without seeing colours. A joint fades with its score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from muybridge.geometry.skeletons import Skeleton
from muybridge.render.layer import INK, WHITE, Colour, Layer, Points, font

Limb = tuple[Points, float, str]  # both ends (2, 2) in pixels, how sure it is (0 to 1), its side

# by Okabe and Ito: the colour-blind can tell them apart; ordered so that neighbours differ most
TRACKS: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (213, 94, 0),
    (0, 114, 178),
)
LIGHT = {"left": 0.7, "middle": 0.3, "right": 0.0}  # share of white in a limb's colour
CERTAINTY = (0.3, 0.8)  # the scores at which a joint is left out, and drawn in full


@dataclass(frozen=True)
class Person:
    """Be one person in one frame, in pixels of the picture.

    ``box`` (4,) is left, top, right, bottom; ``joints`` (J, 3) are x, y, score. Without a skeleton,
    J = 0, there is only the box. ``certainty`` are the scores of a joint that is left out, and of
    one that is drawn in full.
    """

    track: int
    box: Points
    joints: Points
    skeleton: Skeleton | None = None
    certainty: tuple[float, float] = CERTAINTY


def draw(
    picture: NDArray[np.uint8], people: Sequence[Person], caption: str, boxes: bool = True
) -> NDArray[np.uint8]:
    """Draw people, and a caption at the lower left, into a copy of a picture (H, W, 3) RGB."""
    image = Image.fromarray(picture)
    for person in sorted(people, key=lambda person: person.box[3]):  # the nearest on top
        _person(image, person, boxes)
    if caption:
        _caption(image, caption)
    return np.asarray(image)


def line_width(picture_height: float, person_height: float = np.inf) -> float:
    """Choose the width of a line in pixels: fit for the picture, and finer on small people."""
    return float(max(min(picture_height / 240, person_height / 60), 1.2))


def _person(image: Image.Image, person: Person, boxed: bool) -> None:
    box = np.asarray(person.box, float)
    width = line_width(image.height, box[3] - box[1])
    size = max(4.5 * width, 9.0)
    name, colour = f"#{person.track}", TRACKS[person.track % len(TRACKS)]
    chip = _chip(image, box, name, size)
    limbs = sorted(_limbs(person), key=lambda limb: limb[1])  # the surest on top
    points = np.concatenate([box.reshape(2, 2), chip.reshape(2, 2), *(ends for ends, *_ in limbs)])
    layer = Layer(image, points.min(0) - 3 * width, points.max(0) + 3 * width)
    if boxed:
        layer.rectangle(box, 2 * width, INK, 0.45)
        layer.rectangle(box, width, colour, 1)
    _skeleton(layer, limbs, width, colour)
    layer.label(chip, name, size, colour, 1)
    layer.lay(image)


def _skeleton(layer: Layer, limbs: Sequence[Limb], width: float, colour: Colour) -> None:
    wide = [width * min(1.3, 0.3 + _length(ends) / (8 * width)) for ends, *_ in limbs]
    for (ends, sure, _), across in zip(limbs, wide, strict=True):
        layer.line(ends, across + width, INK, 0.6 * sure)
    for (ends, sure, side), across in zip(limbs, wide, strict=True):
        layer.line(ends, across, _mixed(colour, WHITE, LIGHT[side]), sure)
    for (ends, sure, _), across in zip(limbs, wide, strict=True):
        for end in ends:
            layer.disc(end, 0.9 * across, INK, sure)
            layer.disc(end, 0.6 * across, WHITE, sure)


def _limbs(person: Person) -> Iterator[Limb]:
    if person.skeleton is None:
        return
    places, sure = person.joints[:, :2], _sure(person.joints[:, 2], *person.certainty)
    for one, other in person.skeleton.limbs:
        if faintest := min(sure[one], sure[other]):
            sides = {_side(person.skeleton.joints[joint]) for joint in (one, other)}
            yield places[[one, other]], faintest, sides.pop() if len(sides) == 1 else "middle"


def _sure(scores: Points, unseen: float, certain: float) -> list[float]:
    return np.clip((scores - unseen) / (certain - unseen), 0, 1).tolist()


def _side(joint: str) -> str:
    return next((side for side in ("left", "right") if side in joint.split("_")), "middle")


def _length(ends: Points) -> float:
    return float(np.hypot(*(ends[1] - ends[0])))


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    r, g, b = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return r, g, b


def _chip(image: Image.Image, box: Points, text: str, size: float) -> Points:
    wide, high = font(size).getlength(text) + size * 0.9, size * 1.45
    left = np.clip(box[0] - size / 8, 0, max(image.width - wide, 0))
    top = box[1] - high if box[1] >= high else max(box[1], 0)  # inside where there is no room above
    return np.array((left, top, left + wide, top + high))


def _caption(image: Image.Image, text: str) -> None:
    size = max(4.2 * line_width(image.height), 9.0)
    gap, wide, high = 0.8 * size, font(size).getlength(text) + 1.2 * size, 1.7 * size
    left, bottom = gap, image.height - gap
    box = np.array((left, bottom - high, left + wide, bottom), float)
    layer = Layer(image, box[:2] - 1.0, box[2:] + 1.0)
    layer.label(box, text, size, INK, 0.7)
    layer.lay(image)
