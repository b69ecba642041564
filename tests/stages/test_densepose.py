"""Body surfaces read on real video, with the authors' network and synthetic weights."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from muybridge import graph as graphs
from muybridge.columns import GIVEN, check
from muybridge.stages.decode import decode
from muybridge.stages.densepose import SURFACE, Surfaces, densepose, png
from muybridge.stages.detect import Options, detect
from muybridge.stages.looking import PEOPLE
from muybridge.store import tables
from muybridge.video.clips import clips
from muybridge.video.probe import probe

from .conftest import part

NAME = "densepose_rcnn_R_50_FPN_s1x"
SIGN = "intel_people/asl_gestures/want.mkv"
QUICK = Options(size=64, batch=2)


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture(scope="module")
def clip(data) -> dict:
    whole = clips(probe(str(data / SIGN)), SIGN, SIGN)[0]
    return part(whole, slice(0, 3))


@pytest.fixture(scope="module")
def few(confident, clip) -> Options:
    """Options with which a few people are found in each frame."""
    return replace(QUICK, min_score=confident([clip], QUICK.size))


@pytest.fixture(scope="module")
def alone(official, clip, few) -> dict:
    stages = (decode(), densepose(NAME, official(NAME), few))
    graphs.ready(stages, GIVEN)
    return graphs.apply(graphs.load(stages, GIVEN), [clip])[0]


@pytest.mark.golden
def test_one_pass_finds_people_and_reads_their_surface(alone):
    assert alone["error"] == ""
    check(alone, (*PEOPLE, *SURFACE))
    assert set(alone["person_frame"].tolist()) == {0, 1, 2}
    assert alone["densepose_model"] == NAME


@pytest.mark.golden
def test_pictures_fill_their_integer_boxes(alone):
    for box, parts, uv in zip(
        *(alone[f"densepose_{name}"] for name in ("box", "parts", "uv")), strict=True
    ):
        size = tuple(np.maximum(box[2:] - box[:2], 1)[::-1])
        assert opened(parts).shape == size
        assert opened(uv).shape == (*size, 2)
        assert opened(parts).max() <= 24
        assert (opened(uv)[opened(parts) == 0] == 0).all()
    assert any(opened(parts).any() for parts in alone["densepose_parts"])


@pytest.mark.golden
def test_two_stages_see_what_one_does(alone, official, clip, few):
    given = official(NAME)
    stages = (decode(), detect(NAME, given, few), densepose(NAME, given, few, own=False))
    (done,) = graphs.apply(graphs.load(stages, GIVEN), [clip])
    assert done["error"] == ""
    check(done, (*PEOPLE, *SURFACE))
    ours, theirs = (tables.rows(each)["densepose"] for each in (done, alone))
    keys = [("frame", "ascending"), ("track_id", "ascending")]
    ours, theirs = ours.sort_by(keys), theirs.sort_by(keys)
    assert ours.num_rows == theirs.num_rows > 0
    for side in tables.SIDES:
        assert np.abs(np.asarray(ours[side]) - np.asarray(theirs[side])).max() <= 1
    assert agreement(ours, theirs) > 0.99


def agreement(ours, theirs) -> float:
    """Say at which share of pixels two tables have the same part, where boxes are as large."""
    pairs = zip(ours["parts"].to_pylist(), theirs["parts"].to_pylist(), strict=True)
    shown = [(opened(a), opened(b)) for a, b in pairs]
    return float(np.mean([(a == b).mean() for a, b in shown if a.shape == b.shape]))


@pytest.mark.golden
def test_a_clip_with_nobody_is_not_even_decoded_again(official):
    class Untouchable:
        shape = (2, 8, 8, 3)

        def chunks(self, *span):
            raise AssertionError("nobody is there")

    run = densepose(NAME, official(NAME), QUICK, own=False).load()
    nobody = {"person_frame": np.empty(0, np.int32), "person_box": np.empty((0, 4), np.float32)}
    (done,) = run([{**nobody, "frames": Untouchable()}])
    check({**nobody, **done}, SURFACE)
    assert done["densepose_box"].shape == (0, 4)


def test_pictures_are_kept_as_png_of_one_and_two_channels():
    parts = np.arange(12, dtype=np.uint8).reshape(3, 4)
    uv = np.stack([parts, 255 - parts], -1)
    assert Image.open(io.BytesIO(png(parts))).mode == "L"
    assert Image.open(io.BytesIO(png(uv))).mode == "LA"
    assert np.array_equal(opened(png(parts)), parts)
    assert np.array_equal(opened(png(uv)), uv)


def test_no_surface_makes_empty_columns():
    check({"densepose_model": "", **Surfaces().columns()}, SURFACE)


def test_the_identity_tells_two_ways_of_looking_apart():
    one = densepose(NAME, None, Options())
    other = densepose(NAME, None, Options(precision="bfloat16"))
    assert one.identity != other.identity
    assert one.reads != densepose(NAME, None, own=False).reads
