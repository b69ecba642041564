"""The demo's clip needs no camera and no network."""

from __future__ import annotations

import importlib.util
from itertools import pairwise

import av
import numpy as np
import pytest

from muybridge import demo
from muybridge.errors import InputError

pytest.importorskip("matplotlib")


def test_the_clip_is_h264_of_the_length_asked_for(tmp_path):
    path = demo.clip(tmp_path / "new" / "demo.mp4", seconds=0.4)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert stream.codec_context.codec.canonical_name == "h264"
        assert (stream.width, stream.height) == demo.SIZE
        assert [frame.time for frame in file.decode(stream)] == pytest.approx(
            [frame / demo.FPS for frame in range(10)]
        )


def test_the_camera_moves_smoothly_and_never_leaves_the_portrait():
    picture = demo.portrait()
    views = [np.asarray(demo.view(picture, i / 100)).astype(int) for i in range(4)]
    steps = [np.abs(b - a).mean() for a, b in pairwise(views)]
    assert min(steps) > 0
    assert max(steps) < 8
    corners = [
        np.asarray(demo.view(picture, i / 8))[[0, 0, -1, -1], [0, -1, 0, -1]] for i in range(8)
    ]
    assert np.min(np.max(corners, axis=-1)) > 0  # black is what lies outside


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(demo, "find_spec", lambda name: importlib.util.find_spec(name + "_absent"))
    with pytest.raises(InputError, match=r"pip install matplotlib"):
        demo.portrait()
