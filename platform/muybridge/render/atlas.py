"""Gather a person's texture: the colour of each place on the body, over all frames of a video.

The layout is the usual one of DensePose textures: 24 cells of 200 by 200, four across and six down,
part by part down the columns; in a cell U goes to the right and V up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from muybridge.errors import InputError
from muybridge.render.overlay import Source, indexed, nothing, opened, pictures
from muybridge.render.surface import Surface, inside
from muybridge.video.process import Decoder

CELL, ACROSS, DOWN = 200, 4, 6
SHAPE = (DOWN * CELL, ACROSS * CELL)


@dataclass(frozen=True)
class Atlas:
    """Hold a texture: ``colours`` (1200, 800, 3) RGB uint8, means where ``seen`` (1200, 800) > 0.

    ``seen`` counts the pixels that each place was seen with.
    """

    colours: NDArray[np.uint8]
    seen: NDArray[np.int64]

    @property
    def coverage(self) -> float:
        """Say which share of all places was seen."""
        return float((self.seen > 0).mean())

    def save(self, path: Path) -> None:
        """Write it as PNG; what was not seen is transparent."""
        cover = np.where(self.seen > 0, 255, 0).astype(np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.dstack([self.colours, cover])).save(path, "PNG")


def atlas(
    out: str,
    video: str,
    track: int | None = None,
    endpoint: str | None = None,
    progress: Callable[[int, int], None] = nothing,
) -> Atlas:
    """Gather the texture of one person of a video, by their number; the only one if None.

    ``progress`` is told frames done and of how many.
    """
    source = opened(out, video, endpoint)
    whose = _whose(source, track)
    first, last = source.surfaces.tracks()[whose]
    with Decoder() as decoder:
        index = indexed(decoder, source.name, source.row)

        def seen() -> Iterator[tuple[NDArray[np.uint8], Surface]]:
            for done, (frame, _, picture) in enumerate(pictures(decoder, index, first, last + 1)):
                for surface in source.surfaces.at(frame):
                    if surface.track == whose:
                        yield picture, surface
                progress(done + 1, last + 1 - first)

        return gather(seen())


def gather(seen: Iterable[tuple[NDArray[np.uint8], Surface]]) -> Atlas:
    """Average the colours of surfaces in their pictures (H, W, 3) RGB, place by place."""
    total, count = np.zeros((3, SHAPE[0] * SHAPE[1])), np.zeros(SHAPE[0] * SHAPE[1], np.int64)
    for picture, surface in seen:
        pixels, parts, uv = inside(picture, surface)
        over = parts > 0
        at = places(parts[over], uv[over])
        count += np.bincount(at, minlength=len(count))
        for channel, sums in zip(pixels[over].T, total, strict=True):
            sums += np.bincount(at, channel, len(count))
    mean = (total / np.maximum(count, 1)).round().astype(np.uint8)
    return Atlas(mean.T.reshape(*SHAPE, 3), count.reshape(SHAPE))


def places(parts: NDArray[np.uint8], uv: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Find the place of parts (N,) 1 to 24 and U, V (N, 2) in the flattened texture: (N,)."""
    across, down = np.divmod(parts.astype(np.int64) - 1, DOWN)
    u, v = uv.astype(np.int64).T
    column = across * CELL + u * (CELL - 1) // 255
    row = down * CELL + (255 - v) * (CELL - 1) // 255
    return row * SHAPE[1] + column


def _whose(source: Source, track: int | None) -> int:
    """Say whose texture is meant, or raise InputError with whose there are."""
    there = list(source.surfaces.tracks())
    if track is None and len(there) == 1:
        return there[0]
    if track in there:
        return track
    asked = "no track was named" if track is None else f"track {track} was asked for"
    if not there:
        raise InputError(
            f"{source.name}: the output holds no surfaces of it; index it with --graph densepose"
        )
    raise InputError(
        f"{source.name}: {asked}; there are surfaces of {', '.join(map(str, there))}: "
        "name one with --track"
    )
