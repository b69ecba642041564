"""Draw smooth shapes on a part of a picture: too large by some times, then reduced."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Points = NDArray[np.float64]

INK: Colour = (14, 16, 22)
WHITE: Colour = (255, 255, 255)


class Layer:
    """Hold an enlarged part of a picture, drawn on in the picture's own pixels.

    Colours and how much they cover (``alpha``, 0 to 1) are kept apart, because reducing them
    together is three times as slow. What is drawn later replaces what is below it.
    """

    def __init__(self, image: Image.Image, low: Points, high: Points) -> None:
        self.corner = np.floor(np.clip(low, 0, image.size)).astype(int)
        self.size = np.ceil(np.clip(high, 0, image.size)).astype(int) - self.corner
        self.scale = 3 if image.height < 600 else 2
        size = tuple(np.maximum(self.size, 1) * self.scale)
        self._layers = Image.new("RGB", size, INK), Image.new("L", size, 0)
        self._pens = [ImageDraw.Draw(layer) for layer in self._layers]

    def line(self, ends: Points, width: float, colour: Colour, alpha: float) -> None:
        """Draw a line with round ends between two points (2, 2)."""
        for pen, paint in self._paints(colour, alpha):
            pen.line(self._at(ends), paint, round(width * self.scale))
        for end in ends:
            self.disc(end, width / 2, colour, alpha)

    def disc(self, centre: Points, radius: float, colour: Colour, alpha: float) -> None:
        """Draw a filled circle."""
        x, y = self._at(centre)
        r = radius * self.scale
        for pen, paint in self._paints(colour, alpha):
            pen.ellipse((x - r, y - r, x + r, y + r), paint)

    def rectangle(self, box: Points, width: float, colour: Colour, alpha: float) -> None:
        """Draw a rectangle whose line lies around ``box``, with slightly rounded corners."""
        edges = self._at(box.reshape(2, 2) + np.array([[-width / 2], [width / 2]]))
        line, round_by = round(width * self.scale), 2 * width * self.scale
        for pen, paint in self._paints(colour, alpha):
            pen.rounded_rectangle(edges, round_by, outline=paint, width=line)

    def label(self, box: Points, text: str, size: float, colour: Colour, alpha: float) -> None:
        """Write text in the middle of a filled rectangle with rounded corners."""
        for pen, paint in self._paints(colour, alpha):
            pen.rounded_rectangle(self._at(box.reshape(2, 2)), size * self.scale / 4, paint)
        x, y = self._at(box.reshape(2, 2).mean(0))
        ink = INK if np.dot(colour, (0.299, 0.587, 0.114)) > 110 else WHITE
        for pen, paint in self._paints(ink, 1):
            pen.text((x, y), text, paint, font(size * self.scale), anchor="mm")

    def lay(self, image: Image.Image) -> None:
        """Reduce the layer to the picture's size and lay it over the picture."""
        if self.size.all():
            colours, cover = (layer.reduce(self.scale) for layer in self._layers)
            image.paste(colours, tuple(self.corner), cover)

    def _paints(self, colour: Colour, alpha: float) -> Iterator[tuple[Any, Colour | int]]:
        return zip(self._pens, (colour, round(255 * alpha)), strict=True)

    def _at(self, points: Points) -> list[float]:
        return ((points - self.corner) * self.scale).ravel().tolist()


@lru_cache
def font(size: float) -> ImageFont.FreeTypeFont:
    """Open the font that comes with Pillow, ``size`` pixels high."""
    opened = ImageFont.load_default(size)
    assert isinstance(opened, ImageFont.FreeTypeFont)
    return opened
