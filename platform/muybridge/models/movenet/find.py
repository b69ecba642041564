"""Find people in a picture: the whole of it, tiles of it, and closely where somebody is expected.

MultiPose finds; a network that reads one person then reads each, and the two must agree on whom:
in a box shared by two people, a reader of one person reads the wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry import boxes
from muybridge.geometry.similarity import joint_similarity, mean_similarity, oks
from muybridge.models.movenet import preprocess
from muybridge.models.movenet.postprocess import Array, People, concatenate, person_score
from muybridge.models.movenet.preprocess import Picture

Flags = NDArray[np.bool_]

CLOSE_SIDE = 256  # pixels of the input for a tile, and for one person's surroundings
CLOSE = 1.5  # side of the square looked at closely, in lengths of the longer side of the box
BEST = 5  # joints by which somebody is judged
EDGE = 2  # pixels of a tile's input from its border at which a box counts as cut off


class Networks(Protocol):
    """What finds everybody in inputs (H, W, 3), and reads the one person of square crops."""

    side: int

    def find(self, pictures: Sequence[Picture], threshold: float) -> list[People]: ...
    def read(self, crops: Sequence[Picture], guides: Array) -> Array: ...


@dataclass(frozen=True)
class Limits:
    """Say from which score on something counts as a person, and when two are one; all 0 to 1."""

    centre: float = 0.2  # of anybody, and enough for who is followed ...
    followed: float = 0.15  # ... with this evidence
    new: float = 0.3  # centre of somebody new ...
    evidence: float = 0.33  # ... with this evidence ...
    clear: float = 0.4  # ... or of a lower centre or seen in a tile only, with this evidence
    same_joints: float = 0.5  # OKS from which two detections are one person
    same_look: float = 0.7  # ... or if the network saw both of them at once
    same_box: float = 0.7  # intersection over union from which they are
    inside: float = 0.85  # part of the smaller box in the larger from which they are ...
    inside_joints: float = 0.25  # ... if the OKS is this, too
    agree: float = 0.5  # OKS from which the pose model has read the person who was found
    overlap: float = 0.3  # intersection over union from which somebody is where expected


def find(net: Networks, pictures: Sequence[Picture], longer: int, threshold: float) -> list[People]:
    """Find people in whole pictures (H, W, 3), seen with ``longer`` pixels on the longer side."""
    inputs, regions = [], []
    for picture in pictures:
        region, size = preprocess.whole(picture.shape[1], picture.shape[0], longer)
        inputs.append(preprocess.cut(picture, region, size))
        regions.append(region)
    found = net.find(inputs, threshold)
    return [
        _placed(people, region, one, picture)
        for people, region, one, picture in zip(found, regions, inputs, pictures, strict=True)
    ]


def find_in_tiles(net: Networks, picture: Picture, squares: Array, threshold: float) -> People:
    """Find people in squares (N, 4) of a picture, but for those cut off by an inner edge."""
    size = (CLOSE_SIDE, CLOSE_SIDE)
    inputs = [preprocess.cut(picture, square, size) for square in squares]
    parts = []
    for people, square, one in zip(net.find(inputs, threshold), squares, inputs, strict=True):
        people = people[~_cut_off(people.box, square, picture)]
        parts.append(_placed(people, square, one, picture))
    return concatenate(parts)


def _cut_off(box: Array, square: Array, picture: Picture) -> Flags:
    """Say which boxes (N, 4) of an input touch an edge that lies within the picture."""
    height, width = picture.shape[:2]
    low = (box[:, :2] <= EDGE) & (square[:2] > 0)
    high = (box[:, 2:] >= CLOSE_SIDE - EDGE) & (square[2:] < np.array([width, height]))
    return np.any(low | high, axis=1)


def find_close(net: Networks, picture: Picture, expected: Array, limits: Limits) -> People:
    """Look closely at where people are expected, by their boxes (N, 4): those who are there."""
    size = (CLOSE_SIDE, CLOSE_SIDE)
    squares = preprocess.squares(expected, CLOSE)
    inputs = [preprocess.cut(picture, square, size) for square in squares]
    parts = []
    for row, (people, one) in enumerate(zip(net.find(inputs, limits.centre), inputs, strict=True)):
        people = _placed(people, squares[row], one, picture)
        shared = boxes.iou(expected[row : row + 1], people.box)[0]
        if len(people) and shared.max() >= limits.overlap:
            parts.append(people[shared.argmax()[None]])
    return concatenate(parts)


def _placed(people: People, region: Array, one: Picture, picture: Picture) -> People:
    """Bring people from an input's pixels to those of the picture."""
    size = one.shape[0], one.shape[1]
    corners = preprocess.place(people.box.reshape(-1, 2, 2), region, size).reshape(-1, 4)
    joints = people.joints.copy()
    joints[..., :2] = preprocess.place(joints[..., :2], region, size)
    box = boxes.clip(corners, picture.shape[1], picture.shape[0]).astype(np.float32)
    return replace(people, box=box, joints=joints)


def read(
    net: Networks, pictures: Sequence[Picture], found: Sequence[People], limits: Limits
) -> list[Array]:
    """Read the joints (P, 17, 3) of the people found in each picture, in its pixels.

    Where the pose model reads somebody else than was found, the joints nearest to those found are
    taken from its maps.
    """
    squares = [preprocess.squares(one.box) for one in found]
    crops = [
        preprocess.cut(picture, square, (net.side, net.side))
        for picture, some in zip(pictures, squares, strict=True)
        for square in some
    ]
    around = np.concatenate([np.empty((0, 4), np.float32), *squares])[:, None, None]
    everyone = concatenate(list(found))
    low, side = around[..., :2], around[..., 2:3] - around[..., :1]
    guides = (everyone.joints[:, None, :, :2] - low) / side * net.side
    both = net.read(crops, guides[:, 0])
    both[..., :2] = both[..., :2] / net.side * side + low
    same = agree(both[:, 0], everyone, limits)
    joints = np.where(same[:, None, None], both[:, 0], both[:, 1])
    ends = np.cumsum([len(some) for some in squares]).tolist()
    return [joints[end - len(some) : end] for end, some in zip(ends, squares, strict=True)]


def similarity(first: People, second: People) -> Array:
    """Rate how alike people (N) are to others (M) by their joints: OKS (N, M)."""
    return oks(first.joints, second.joints, boxes.area(second.box), second.joints[..., 2])


def duplicates(first: People, second: People, limits: Limits) -> Flags:
    """Say which detections (N) are the same person as which others (M): (N, M)."""
    alike = similarity(first, second)
    inside = boxes.containment(first.box, second.box) > limits.inside
    return (
        (alike > limits.same_joints)
        | (boxes.iou(first.box, second.box) > limits.same_box)
        | (inside & (alike > limits.inside_joints))
    )


def suppress(
    people: People, look: NDArray[np.int64], limits: Limits
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Choose the best of those detections that are one person: rows (N,), and how many each has.

    Two of one whole ``look`` (P,) at the picture, 0 or 1, are different people to the network: of
    these more is asked.
    """
    repeats = duplicates(people, people, limits)
    own = (look[:, None] == look) & (look < 2)
    repeats = np.where(own, similarity(people, people) > limits.same_look, repeats)
    order = np.argsort(-people.score * person_score(people.joints), kind="stable")
    kept, free = list[int](), np.ones(len(people), bool)
    votes = list[int]()
    for row in order.tolist():
        if free[row]:
            mine = free & (repeats[:, row] | repeats[row])
            mine[row] = True
            kept.append(row)
            votes.append(int(mine.sum()))
            free &= ~mine
    return np.array(kept, np.intp), np.array(votes, np.int64)


def agree(read: Array, found: People, limits: Limits) -> Flags:
    """Say whether the joints read (P, 17, 3) are those of the people found."""
    alike = joint_similarity(read, found.joints, boxes.area(found.box))
    return mean_similarity(alike, found.joints[..., 2]) >= limits.agree


def evidence(found: People, read: Array) -> Array:
    """Rate people (P,) by what two networks see alike: joints as found, and as read (P, 17, 3).

    It is the mean over the five best joints of the geometric mean of both scores, times how well
    their places agree. Who is half hidden or cut off by the edge has five joints; a hand or a
    bottle may have a high score by one of the networks, not by both.
    """
    alike = joint_similarity(found.joints, read, np.maximum(boxes.area(found.box), 1))
    shared = np.sqrt(found.joints[..., 2] * read[..., 2]) * alike
    return np.sort(shared, axis=1)[:, -BEST:].mean(1)


def is_new(centre: Array, evidence: Array, confirmed: Flags, limits: Limits) -> Flags:
    """Say which people (P,) may begin a track; more is asked of those whom one tile alone shows."""
    usual = (centre >= limits.new) & (evidence >= limits.evidence) & confirmed
    return usual | ((centre >= limits.centre) & (evidence >= limits.clear))


def borrowed(people: People) -> Flags:
    """Say which people are made of others' joints: most of theirs lie on those of two and more.

    A person who lies across three seated ones has no joints of their own.
    """
    made = np.zeros(len(people), bool)
    if len(people) < 3:
        return made
    size = np.sqrt(np.maximum(boxes.area(people.box), 1))
    for row in range(len(people)):
        clear = people.joints[row, :, 2] > 0.2
        others = np.flatnonzero(
            (np.arange(len(people)) != row) & (people.score > people.score[row])
        )
        if not clear.any() or not len(others):
            continue
        away = np.linalg.norm(people.joints[others, :, :2] - people.joints[row, :, :2], axis=2)
        on = (away < 0.05 * np.minimum(size[others], size[row])[:, None]) & clear
        owners = on.any(1).sum()
        made[row] = owners >= 2 and on.any(0).sum() >= 0.75 * clear.sum()
    return made
