"""Decode the frames of clips: the stage that most graphs begin with."""

from __future__ import annotations

from collections.abc import Sequence

from muybridge.columns import Clip
from muybridge.graph import Run, Stage
from muybridge.video.process import Decoder

READS = (
    "uri", "source", "size", "tag", "stream", "decoder", "width", "height", "rotation",
    "frame_index", "pts", "times",
)  # fmt: skip


def decode(timeout_s: float = 60.0) -> Stage:
    """Give each clip its ``frames``, decoded in a child process while later stages look at them.

    A file that cannot be read shows when its first frame is asked for. ``timeout_s`` is the longest
    that the decoder may be silent.
    """

    def load() -> Run:
        decoder = Decoder(timeout_s)

        def run(clips: Sequence[Clip]) -> list[Clip]:
            return [{"frames": decoder.frames(clip)} for clip in clips]

        return run

    return Stage("decode", load, reads=READS, writes=("frames",))
