"""Compare decoding in a child process with decoding in this one: CPU milliseconds a frame, as JSON.

python tests/benchmarks/decode.py VIDEO [--decoder decord]
"""

from __future__ import annotations

import argparse
import json
import resource
from collections.abc import Callable
from typing import Any

import numpy as np

from muybridge.video.decode import Reader
from muybridge.video.probe import VideoIndex, probe
from muybridge.video.process import Decoder

SIZE = 8  # frames looked at together


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video")
    parser.add_argument("--decoder", choices=("decord", "pyav"), default="pyav")
    parser.add_argument("--passes", type=int, default=4)
    options = parser.parse_args()
    index = probe(options.video)
    clip = {**_clip(index), "decoder": options.decoder}
    here, _ = _a_pass(_in_process, clip, options.passes)
    child, start = _a_pass(_in_child, clip, options.passes)
    report = {
        "video": options.video,
        "decoder": clip["decoder"],
        "frames": len(index.pts),
        "in_process_cpu_ms": round(here / len(index.pts) * 1e3, 3),
        "child_cpu_ms": round(child / len(index.pts) * 1e3, 3),
        "hand_over": round(child / here - 1, 3),
        "child_start_cpu_s": round(start, 3),
    }
    print(json.dumps(report, indent=2))


def _a_pass(work: Callable[[Any, int], None], clip: Any, passes: int) -> tuple[float, float]:
    """Measure CPU seconds of one pass over the video, and of what comes before the first."""
    one, many = _cost(lambda: work(clip, 1)), _cost(lambda: work(clip, 1 + passes))
    each = (many - one) / passes
    return each, one - each


def _in_process(clip: dict[str, Any], passes: int) -> None:
    chunk = np.empty((SIZE, clip["height"], clip["width"], 3), np.uint8)
    with Reader() as reader:
        for _ in range(passes):
            for row, picture in reader.read(clip, 0, len(clip["pts"])):
                chunk[row % SIZE] = picture


def _in_child(clip: dict[str, Any], passes: int) -> None:
    with Decoder() as decoder:
        for _ in range(passes):
            for _ in decoder.frames(clip).chunks(SIZE):
                pass


def _cost(work: Callable[[], None]) -> float:
    """Measure CPU seconds of this process and of the children that ended meanwhile."""
    before = _spent()
    work()
    return _spent() - before


def _spent() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _clip(index: VideoIndex) -> dict[str, Any]:
    names = ("source", "size", "tag", "stream", "width", "height", "rotation", "pts", "times")
    frames = np.arange(len(index.pts))
    return {"uri": index.source, "frame_index": frames, **{n: getattr(index, n) for n in names}}


if __name__ == "__main__":
    main()
