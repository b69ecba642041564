"""Read labels of people's boxes and numbers as MOTChallenge writes them.

A line is ``frame,id,left,top,width,height,conf,class,visibility``; frames count from 1, and what
does not count has a ``conf`` of 0. MOT15 has ten values: instead of a class a place in the world.
Boxes are taken as they stand: MOTChallenge counts pixels from 1 and many tools from 0, and its own
evaluation moves neither.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from muybridge.errors import InputError, listed

FORM = "frame,id,left,top,width,height,conf,class,visibility"
FEWEST, WITH_CLASS = 6, 9  # values of a line
PEOPLE = (1, -1)  # classes: a pedestrian; not said
DISTRACTORS = (2, 7, 8, 12)  # classes: on a vehicle, static, distractor, reflection
MAX_FAULTS = 10  # in a message


@dataclass(frozen=True)
class Tracks:
    """Hold boxes (N, 4) of left, top, right, bottom, their frames (N,), and whose they are (N,)."""

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes: NDArray[np.float64]

    def part(self, chosen: NDArray[np.bool_]) -> Tracks:
        """Keep the chosen rows (N,)."""
        return Tracks(self.frames[chosen], self.ids[chosen], self.boxes[chosen])


@dataclass(frozen=True)
class Labels:
    """Hold all the boxes of a sequence's labels; frames count from 0.

    ``counted`` (N,) says who is to be found, and ``distractor`` (N,) who is so like a person that
    finding them is no mistake.
    """

    tracks: Tracks
    counted: NDArray[np.bool_]
    distractor: NDArray[np.bool_]


def sequences(path: Path) -> dict[str, Labels]:
    """Read a file, or each SEQUENCE/gt/gt.txt and SEQUENCE.txt of a folder, by the sequence's name.

    InputError says what cannot be read, or that nothing is there.
    """
    files = [path] if path.is_file() else sorted([*path.rglob("gt/gt.txt"), *path.glob("*.txt")])
    if not files:
        raise InputError(
            f"{path}: no labels there; give gt.txt, or a folder with SEQUENCE/gt/gt.txt"
        )
    names = [_name(file.absolute()) for file in files]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{path}: more than one file for {', '.join(twice)}; leave one of each")
    return {name: read(file) for name, file in zip(names, files, strict=True)}


def _name(file: Path) -> str:
    """Name a file's sequence: after its folder in MOTChallenge's layout, else after the file."""
    return file.parent.parent.name if file.parts[-2:] == ("gt", "gt.txt") else file.stem


def read(file: Path) -> Labels:
    """Read the labels of one sequence; InputError lists the lines that are none."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}; give lines of {FORM}") from error
    rows = {number: _values(line) for number, line in enumerate(lines, 1) if line.strip()}
    faults = [f"line {number}: {lines[number - 1][:80]}" for number in rows if not rows[number]]
    faults = faults or _twice(rows)
    if faults:
        title = f"{file}: {len(faults)} of {len(rows)} lines are not {FORM}, a person once a frame"
        raise InputError(listed(title, faults[:MAX_FAULTS]))
    return _labels(np.array(list(rows.values()), np.float64).reshape(-1, WITH_CLASS))


def _values(line: str) -> list[float]:
    """Read the numbers of a line, with -1 for what it does not say; none if it is no label."""
    try:
        values = [float(value) for value in line.rstrip(", ").split(",")]
    except ValueError:
        return []
    if len(values) < FEWEST or not all(math.isfinite(value) for value in values) or values[0] < 1:
        return []
    if len(values) > WITH_CLASS:  # MOT15's places in the world
        values = values[: WITH_CLASS - 2]
    return values + [-1.0] * (WITH_CLASS - len(values))


def _twice(rows: dict[int, list[float]]) -> list[str]:
    seen: dict[tuple[float, ...], int] = {}
    return [
        f"line {number}: frame {row[0]:g} has id {row[1]:g} already in line {first}"
        for number, row in rows.items()
        if (first := seen.setdefault((row[0], row[1]), number)) != number
    ]


def _labels(values: NDArray[np.float64]) -> Labels:
    """Sort what lines say (N, 9)."""
    boxes = np.concatenate([values[:, 2:4], values[:, 2:4] + values[:, 4:6]], axis=1)
    tracks = Tracks(values[:, 0].astype(np.int64) - 1, values[:, 1].astype(np.int64), boxes)
    counted = (values[:, 6] != 0) & np.isin(values[:, 7], PEOPLE)
    return Labels(tracks, counted, np.isin(values[:, 7], DISTRACTORS))
