"""Awkward files made from a real clip, a number in each frame, and what must come out of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muybridge.video.probe import VideoIndex


@dataclass(frozen=True)
class Awkward:
    """One file of the manifest: ``numbers`` burnt into its frames, ``times`` in seconds."""

    path: Path
    verdict: str
    numbers: list[int]
    times: list[float]


@pytest.fixture(scope="session")
def awkward(awkward_folder: Path) -> dict[str, Awkward]:
    """The 44 files, by name."""
    manifest = (awkward_folder / "manifest.tsv").read_text()
    rows = [line.split("\t") for line in manifest.splitlines()]
    return {
        name: Awkward(awkward_folder / name, verdict, _list(numbers, int), _list(times, float))
        for name, verdict, numbers, times, _ in rows
    }


def _list(text: str, kind: Any) -> list[Any]:
    return [] if text == "-" else [kind(part) for part in text.split(",")]


def whole(index: VideoIndex) -> dict[str, Any]:
    """Make one clip of all frames of a video."""
    frames = np.arange(len(index.pts))
    return {
        "uri": Path(index.source).name,
        "source": index.source,
        "stream": index.stream,
        "size": index.size,
        "tag": index.tag,
        "decoder": "pyav",
        "width": index.width,
        "height": index.height,
        "rotation": index.rotation,
        "frame_index": frames,
        "pts": index.pts,
        "times": index.times,
    }


def burnt_number(picture: np.ndarray) -> int:
    """Read the number in the ten squares along the top edge."""
    side = picture.shape[1] / 16
    middles = picture[int(side / 2), (side * (np.arange(10) + 0.5)).astype(int)]
    return int(((middles.mean(axis=1) > 127) << np.arange(10)).sum())
