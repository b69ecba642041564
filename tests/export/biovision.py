"""Read BVH as its description has it, and walk its bones: nothing here knows the exporter.

A channel's rotation turns what the channels after it have turned, so that the first in the line is
the outermost; a joint's place is its parent's, and its offset turned with the parent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass
class Joint:
    name: str
    parent: int
    offset: np.ndarray
    channels: list[str]
    end: np.ndarray | None = None


@dataclass
class Motion:
    joints: list[Joint]
    frame_time: float
    values: np.ndarray  # (N, all channels)

    @property
    def names(self) -> list[str]:
        return [joint.name for joint in self.joints]

    def places(self) -> np.ndarray:
        """Walk from the root: (N, J, 3)."""
        return np.stack([self._places(line) for line in self.values])

    def _places(self, line: np.ndarray) -> np.ndarray:
        rest, turns, places = list(line), [], []
        for joint in self.joints:
            turn, offset = np.eye(3), joint.offset.copy()
            for channel in joint.channels:
                value, axis = rest.pop(0), "XYZ".index(channel[0])
                if channel.endswith("position"):
                    offset[axis] += value
                else:
                    turn = turn @ about(axis, np.radians(value))
            if joint.parent < 0:
                places.append(offset)
                turns.append(turn)
            else:
                places.append(places[joint.parent] + turns[joint.parent] @ offset)
                turns.append(turns[joint.parent] @ turn)
        assert not rest
        return np.stack(places)


def about(axis: int, angle: float) -> np.ndarray:
    """Turn about x, y or z, counter-clockwise seen from its tip."""
    one, other = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[one, one] = turn[other, other] = np.cos(angle)
    turn[other, one], turn[one, other] = np.sin(angle), -np.sin(angle)
    return turn


def read(path: Path) -> Motion:
    words = iter(path.read_text().split())
    assert next(words) == "HIERARCHY"
    assert next(words) == "ROOT"
    joints: list[Joint] = []
    _joint(words, joints, -1)
    assert [next(words), next(words)] == ["MOTION", "Frames:"]
    frames = int(next(words))
    assert [next(words), next(words)] == ["Frame", "Time:"]
    frame_time = float(next(words))
    values = np.array([float(word) for word in words])
    return Motion(joints, frame_time, values.reshape(frames, sum(len(j.channels) for j in joints)))


def _joint(words, joints: list[Joint], parent: int) -> None:
    joint = Joint(next(words), parent, np.zeros(3), [])
    joints.append(joint)
    here = len(joints) - 1
    assert next(words) == "{"
    while (word := next(words)) != "}":
        if word == "OFFSET":
            joint.offset = _three(words)
        elif word == "CHANNELS":
            joint.channels = [next(words) for _ in range(int(next(words)))]
        elif word == "JOINT":
            _joint(words, joints, here)
        else:
            assert [word, next(words), next(words), next(words)] == ["End", "Site", "{", "OFFSET"]
            joint.end = _three(words)
            assert next(words) == "}"


def _three(words) -> np.ndarray:
    return np.array([float(next(words)) for _ in range(3)])
