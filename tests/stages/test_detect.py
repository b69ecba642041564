"""People found by R-CNNs: from files in their published form, on real video, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge import graph as graphs
from muybridge.columns import GIVEN, check
from muybridge.errors import GraphError
from muybridge.graphs import DETECTORS as NAMES
from muybridge.stages.decode import decode
from muybridge.stages.detect import DETECTORS, Found, Options, detect, see, writes
from muybridge.video.clips import clips
from muybridge.video.frames import DecodedFrames
from muybridge.video.probe import probe

from .conftest import part

SIGN = "intel_people/asl_gestures/want.mkv"
QUICK = Options(size=96, min_score=0.1)
RCNNS = ("keypointrcnn_resnet50_fpn", "densepose_rcnn_R_50_FPN_s1x")


def clip(frames: int, lost: tuple[int, ...] = ()) -> dict:
    """Make a clip of pictures 100 wide and high, each as grey as its number."""
    rows = np.array([row for row in range(frames) if row not in lost], np.int64)
    pictures = np.tile(rows.astype(np.uint8)[:, None, None, None], (1, 100, 100, 3))
    number = np.arange(frames)
    held = DecodedFrames(pictures, rows, frames)
    return {"frames": held, "frame_index": number, "times": number / 10, "core": [0, frames]}


def walker(seen: list[int]):
    """Make a detector that sees one person a pixel further in each picture, and notes which."""

    def look(pictures):
        shades = [int(picture[0, 0, 0]) for picture in pictures]
        seen.extend(shades)
        boxes = [np.array([[n, 10.0, n + 20.0, 90.0]], np.float32) for n in shades]
        one = np.array([0.9], np.float32)
        return [Found(box, one, np.full((1, 17, 3), 0.5, np.float32)) for box in boxes]

    return look


def nobody(pictures):
    none = np.empty((0, 4), np.float32)
    return [Found(none, none[:, 0], np.empty((0, 17, 3), np.float32)) for _ in pictures]


def columns(made: dict, *names: str) -> list[list]:
    return [made[name].tolist() for name in names]


def test_every_frame_is_looked_at_a_few_at_a_time():
    seen: list[int] = []
    made = see(walker(seen), clip(7, lost=(3,)), Options(batch=4))
    assert seen == [0, 1, 2, 4, 5, 6]
    assert columns(made, "person_frame", "person_track") == [seen, [0] * 6]
    assert made["frame_seen"].tolist() == [True] * 3 + [False] + [True] * 3


def test_every_third_frame_and_the_last_are_looked_at_and_the_others_filled():
    seen: list[int] = []
    made = see(walker(seen), clip(9), Options(every=3))
    assert seen == [0, 3, 6, 8]
    assert made["person_frame"].tolist() == list(range(9))
    assert made["person_box"][:, 0] == pytest.approx(np.arange(9))
    assert made["person_score"] == pytest.approx(np.full(9, 0.9))
    assert made["frame_seen"].all()


@pytest.mark.parametrize("every", [1, 4])
def test_nobody_makes_empty_columns(every):
    made = see(nobody, clip(6), Options(every=every))
    check({**clip(6), **made}, writes("keypointrcnn_resnet50_fpn"))
    assert len(made["person_frame"]) == 0


def test_a_clip_without_a_frame_that_decodes_has_nobody():
    made = see(walker([]), clip(3, lost=(0, 1, 2)), Options())
    assert made["frame_seen"].tolist() == [False] * 3
    assert len(made["person_box"]) == 0


def test_who_scores_less_than_asked_is_left_out():
    assert len(see(walker([]), clip(3), Options(min_score=0.95))["person_frame"]) == 0


def test_who_walks_out_of_the_picture_between_two_looks_is_not_carried_past_its_edge():
    def look(pictures):
        found = nobody(pictures)
        for at, picture in enumerate(pictures):
            if (n := int(picture[0, 0, 0])) <= 4:
                box = np.array([[66.0 + 6 * n, 0, 84 + 6 * n, 50]], np.float32)
                found[at] = Found(box, np.ones(1, np.float32), np.zeros((1, 17, 3), np.float32))
        return found

    made = see(look, clip(10), Options(every=4))
    assert made["person_frame"].tolist() == list(range(6))  # at 6 they would start at 102
    assert made["person_box"].max() == 100


def test_every_detector_has_its_loader():
    assert sorted(DETECTORS) == sorted(NAMES)


def test_weights_that_are_not_here_are_told_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    with pytest.raises(GraphError, match="muybridge weights fetch fasterrcnn_resnet50_fpn"):
        graphs.ready((decode(), detect("fasterrcnn_resnet50_fpn")), GIVEN)


@pytest.mark.golden
@pytest.mark.parametrize("name", RCNNS)
def test_a_detector_from_its_published_file_sees_people_on_real_video(name, official, data):
    stages = (decode(), detect(name, official(name), QUICK))
    graphs.ready(stages, GIVEN)
    loaded = graphs.load(stages, GIVEN)
    whole = clips(probe(str(data / SIGN)), SIGN, SIGN)[0]
    every, third = (part(whole, slice(0, 5)), part(whole, slice(0, 0 + 1)))
    for given, frames in ((every, 5), (third, 1)):
        (done,) = graphs.apply(loaded, [given])
        assert done["error"] == ""
        check(done, writes(name))
        assert set(done["person_frame"].tolist()) == set(range(frames))
        assert (done["person_score"] >= QUICK.min_score).all()
    if "keypoint" in name:
        assert (done["coco17_joints"][..., 2] > 0).all()


@pytest.mark.golden
def test_the_identity_has_the_weights_sum_and_every_option(official):
    name = "fasterrcnn_resnet50_fpn"
    identity = detect(name, official(name), Options(every=5, precision="bfloat16")).identity
    assert identity["weights"] == name
    assert len(identity["sha256"]) == 64
    assert {
        "every": 5,
        "precision": "bfloat16",
        "batch": 4,
        "size": 800,
    }.items() <= identity.items()
