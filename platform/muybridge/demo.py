"""Make a short clip of a person without a camera or a network: a slow move over a portrait.

The portrait is of Rear Admiral Grace Hopper, in the public domain, and comes with matplotlib.
"""

from __future__ import annotations

from importlib.util import find_spec
from math import cos, pi, sin
from pathlib import Path

import numpy as np
from PIL import Image

from muybridge.errors import InputError
from muybridge.render.movie import Movie

SIZE = (640, 720)  # pixels
FPS = 25
PORTRAIT = "mpl-data/sample_data/grace_hopper.jpg"


def clip(path: Path, seconds: float = 4.0) -> Path:
    """Write the clip as H.264 in MP4: the camera sways, comes nearer, and goes back."""
    picture = portrait()
    frames = max(round(seconds * FPS), 1)
    with Movie(path, FPS) as movie:
        for number in range(frames):
            movie.show(np.asarray(view(picture, number / frames)), number / FPS)
    return path


def portrait() -> Image.Image:
    """Open the portrait that matplotlib brings."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise InputError(
            "the demo needs the portrait that comes with matplotlib, which is not installed; "
            "install it: pip install matplotlib"
        )
    return Image.open(Path(found.origin).parent / PORTRAIT).convert("RGB")


def view(picture: Image.Image, phase: float) -> Image.Image:
    """Look at a part of the picture; ``phase`` goes from 0 to 1 and 1 is where 0 was."""
    width, height = SIZE
    widest = min(picture.width / width, picture.height / height)
    scale = widest * (0.95 + 0.05 * cos(2 * pi * phase))  # picture pixels for a pixel of the view
    x = picture.width / 2 + 0.9 * (picture.width - scale * width) / 2 * sin(2 * pi * phase)
    corner = (x - scale * width / 2, 0.0)
    turn = (scale, 0.0, corner[0], 0.0, scale, corner[1])
    return picture.transform(SIZE, Image.Transform.AFFINE, turn, Image.Resampling.BICUBIC)
