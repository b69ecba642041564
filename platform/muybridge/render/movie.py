"""Write pictures as H.264 in MP4, each at its own time, with the sound of another file."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from muybridge.errors import InputError
from muybridge.render.sound import Sound

SUFFIXES = (".mp4", ".m4v", ".mov")
TICK = Fraction(1, 90_000)  # seconds; the smallest step between two times
QUALITY = {"preset": "veryfast", "crf": "20"}
COLOURS = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}  # BT.709


class Movie:
    """Hold an MP4 file being written; it appears under its name only when it is complete.

    ``fps`` is a hint for the encoder: every picture is shown from its own time on. ``sound_of``, a
    path or URL, lends its sound; ``origin`` is the time in seconds, in that file, that becomes 0.
    """

    def __init__(
        self, path: Path, fps: float, sound_of: str | None = None, origin: float = 0.0
    ) -> None:
        self.path = _named(path)
        self.origin = origin
        self._aside = path.with_name(f".{path.name}.part")
        self._file: Any = av.open(
            str(self._aside), "w", format="mp4", options={"movflags": "+faststart"}
        )
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = self._file.add_stream("libx264", rate=rate, options=QUALITY)
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = TICK
        self._duration = round(1 / rate / TICK)
        self._last = -1
        self._sound = Sound(sound_of, self._file, origin) if sound_of else None

    @property
    def sound(self) -> str:
        """Say what becomes of the sound: none, copied, turned into AAC, or left out and why."""
        return self._sound.fate if self._sound else "none"

    def show(self, picture: NDArray[np.uint8], seconds: float) -> None:
        """Show a picture (H, W, 3) RGB from a time on; odd sizes grow by one row or column."""
        frame = _frame(picture)
        if self._last < 0:
            self._stream.width, self._stream.height = frame.width, frame.height
            for name, value in COLOURS.items():
                setattr(self._stream.codec_context, name, value)
        self._last = max(round((seconds - self.origin) / TICK), self._last + 1)
        frame.pts, frame.time_base, frame.duration = self._last, TICK, self._duration
        if self._sound:
            self._file.mux(list(self._sound.until(seconds - self.origin)))
        self._file.mux(self._stream.encode(frame))

    def __enter__(self) -> Movie:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with closing(self._file):
                if kind is None:
                    self._finish()
            if kind is None:
                self._aside.replace(self.path)
        finally:
            self._aside.unlink(missing_ok=True)
            if self._sound:
                self._sound.close()

    def _finish(self) -> None:
        self._file.mux(self._stream.encode(None))
        if self._sound:
            self._file.mux(list(self._sound.until(float("inf"))))


def _named(path: Path) -> Path:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{path}: movies are written as MP4; name it {path.with_suffix('.mp4').name}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _frame(picture: NDArray[np.uint8]) -> Any:
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
