"""Outputs made by hand, and awkward videos made of a real one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from muybridge.store.ledger import MANIFEST
from muybridge.store.tables import SCHEMAS, table, write
from muybridge.video.probe import probe

Box = tuple[int, int, tuple[float, float, float, float]]  # frame, track, left top right bottom


@pytest.fixture
def output(tmp_path: Path) -> Callable[..., str]:
    """Make an output that knows one video, and people in it: (frame, track, box) each."""

    def make(
        video: Path,
        boxes: Sequence[Box] = (),
        joints: bool = False,
        densepose: Sequence[dict[str, Any]] = (),
        bodies: Sequence[dict[str, Any]] = (),
        **more: Any,
    ) -> str:
        index = probe(str(video))
        row = {
            "video_id": "v",
            "uri": os.path.abspath(video),
            "frames": len(index.pts),
            "frames_analysed": len(index.pts),
            "duration_s": len(index.pts) / index.fps,
        } | more
        people = [
            {"video_id": "v", "frame": frame, "time_s": index.times[frame], "track_id": track}
            | dict(zip(("left", "top", "right", "bottom"), box, strict=True))
            for frame, track, box in boxes
        ]
        middle = [[(p["left"] + p["right"]) / 2] * 33 for p in people]
        keypoints = [
            person
            | {"system": "blazepose", "skeleton": "blazepose33", "score": [0.9] * 33}
            | {"x": x, "y": np.linspace(person["top"], person["bottom"], 33).tolist()}
            for person, x in zip(people, middle, strict=True)
        ]
        rows = {
            "videos": [row],
            "people": people,
            "keypoints": keypoints if joints else [],
            "densepose": list(densepose),
            "bodies": list(bodies),
        }
        return written(tmp_path / "out", rows)

    return make


def written(out: Path, rows: dict[str, list[dict[str, Any]]]) -> str:
    (out / MANIFEST).parent.mkdir(parents=True)
    (out / MANIFEST).write_text("{}")
    for name in SCHEMAS:
        (out / name).mkdir()
        data = write(name, table(name, rows.get(name, [])), {})
        (out / name / "part.parquet").write_bytes(data)
    return str(out)


@pytest.fixture(scope="session")
def awkward(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a second of a real clip with ffmpeg's options of one's own."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    source = data / "sam2_people" / "01_dog.mp4"
    base = tmp_path_factory.mktemp("awkward") / "base.mkv"
    small = "scale=320:180,fps=30"
    ffmpeg(
        "-i", source, "-an", "-vf", small, "-frames:v", "30", "-c:v", "libx264", "-qp", "0", base
    )

    def make(name: str, *options: str | Path, before: Sequence[str] = ()) -> Path:
        path = base.parent / name
        ffmpeg(*before, "-i", base, *options, path)
        return path

    return make


def ffmpeg(*arguments: str | Path) -> None:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60)


def turned(video: Path, path: Path) -> Path:
    """Copy a video and note that it is to be turned by 90 degrees counter-clockwise when shown."""
    options = subprocess.run(["ffmpeg", "-h", "full"], capture_output=True, text=True).stdout
    if "-display_rotation" in options:  # ffmpeg 6 and later
        ffmpeg("-display_rotation", "90", "-i", video, "-c", "copy", path)
    else:
        ffmpeg("-i", video, "-c", "copy", "-metadata:s:v:0", "rotate=90", path)
    return path


def times(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        return [float(frame.pts * frame.time_base) for frame in file.decode(video=0)]


def pictures(path: Path) -> np.ndarray:
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def sound(path: Path) -> tuple[str, Fraction]:
    """Name the sound's codec and say how many seconds of it there are."""
    with av.open(str(path)) as file:
        if not file.streams.audio:
            return "", Fraction(0)
        stream = file.streams.audio[0]
        samples = sum(frame.samples for frame in file.decode(stream))
        return stream.codec_context.codec.canonical_name, Fraction(samples, stream.rate)
