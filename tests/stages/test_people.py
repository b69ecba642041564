"""People seen in real videos: how many, who is who, and what is written about them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from muybridge import graph as graphs
from muybridge.columns import GIVEN, check
from muybridge.evaluate.report import counts
from muybridge.geometry.skeletons import BLAZEPOSE33, COCO17
from muybridge.graphs import see_people
from muybridge.stages import blazepose
from muybridge.stages.people import WRITES, frames_in, people
from muybridge.video.frames import DecodedFrames

from .conftest import seen

JUGGLE = "sam2_people/05_default_juggle.mp4"
DOG = "sam2_people/01_dog.mp4"
WALK = "sports2d_walk/walk_vp9_1768x994.mp4"
ROOM = "intel_people/one-by-one-person-detection.mp4"
BOTTLES = "intel_people/bottle-detection.mp4"
SIGN = "intel_people/asl_gestures/want.mkv"


def picture(pixels: np.ndarray) -> dict[str, object]:
    """A clip of one frame (H, W, 3)."""
    one = np.zeros(1, np.int64)
    frames = DecodedFrames(pixels[None], one, 1)
    return {"frames": frames, "frame_index": one, "times": np.zeros(1), "core": np.array([0, 1])}


@pytest.fixture(scope="module")
def juggle(analyse):
    return analyse(JUGGLE, frames=slice(0, 40))[0]


def test_one_man_is_seen_in_every_frame_under_one_number(juggle):
    assert juggle["person_frame"].tolist() == list(range(40))
    assert set(juggle["person_track"].tolist()) == {0}
    assert juggle["frame_seen"].all()


def test_what_is_written_is_as_declared(juggle):
    check(juggle, WRITES)


def test_joints_are_where_they_must_be_on_a_man_who_stands(juggle):
    joints, box = juggle["movenet_joints"], juggle["person_box"]
    nose, hip, ankle = (joints[:, at] for at in COCO17.index("nose", "left_hip", "left_ankle"))
    assert (nose[:, 1] < hip[:, 1]).all()
    assert (hip[:, 1] < ankle[:, 1]).all()
    assert ((joints[:, :, 2] >= 0) & (joints[:, :, 2] <= 1)).all()
    assert (box[:, :2] <= nose[:, :2]).all()
    assert (nose[:, :2] <= box[:, 2:]).all()
    assert (box[:, 2:] <= [1280, 720]).all()


def test_blazepose_reads_his_feet_and_has_him_as_high_in_metres_as_a_man(juggle):
    made = blazepose.blazepose().load()([juggle])[0]
    check({**juggle, **made}, blazepose.WRITES)
    heel, ankle = (
        made["blazepose_joints"][:, BLAZEPOSE33.index(j)[0]] for j in ("left_heel", "left_ankle")
    )
    assert (heel[:, 1] > ankle[:, 1]).mean() > 0.9
    joints = made["blazepose_joints3d"]
    hips = joints[:, BLAZEPOSE33.index("left_hip", "right_hip"), :3].mean(axis=1)
    assert hips == pytest.approx(np.zeros((40, 3)), abs=1e-4)
    down = joints[:, BLAZEPOSE33.index("left_heel")[0], 1] - joints[:, 0, 1]  # nose to heel
    assert 1.2 < np.median(down) < 1.8


def test_a_clip_gives_the_same_alone_and_among_others(analyse, loaded, juggle):
    other = analyse(SIGN, frames=slice(0, 5))[0]
    given = [{name: clip[name] for name in GIVEN} for clip in (other, juggle, other)]
    _, again, _ = graphs.apply(loaded, given)
    for name in WRITES:
        assert np.array_equal(again[name], juggle[name], equal_nan=True)


def test_only_the_core_and_a_few_frames_after_it_are_looked_at(loaded, juggle):
    given = {name: juggle[name] for name in GIVEN} | {"core": np.array([10, 20])}
    (clip,) = graphs.apply(loaded, [given])
    assert np.flatnonzero(clip["frame_seen"]).tolist() == list(range(10, 22))


def test_frames_that_could_not_be_decoded_are_not_seen_and_the_rest_is(loaded, juggle):
    _, pixels = next(iter(juggle["frames"].chunks(16)))
    left = np.array([0, 1, 2, 9, 10])
    clip = {name: juggle[name][:12] for name in ("frame_index", "times")}
    clip |= {"core": np.array([0, 12]), "frames": DecodedFrames(pixels[left].copy(), left, 12)}
    (done,) = graphs.apply([(s, run) for s, run in loaded if s.name == "people"], [clip])
    assert np.flatnonzero(done["frame_seen"]).tolist() == left.tolist()
    assert done["person_frame"].tolist() == left.tolist()
    assert set(done["person_track"].tolist()) == {0}


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_nobody_is_seen_in_an_empty_picture(loaded, shade):
    _, run = loaded[1]
    (done,) = run([picture(np.full((120, 200, 3), shade, np.uint8))])
    check({**picture(np.zeros((120, 200, 3), np.uint8)), **done}, WRITES)
    assert done["person_frame"].shape == (0,)
    assert done["frame_seen"].tolist() == [True]


def test_a_clip_without_a_frame_that_decodes_has_nobody(loaded):
    _, run = loaded[1]
    nothing = DecodedFrames(np.empty((0, 100, 100, 3), np.uint8), np.empty(0, np.int64), 3)
    rows = np.arange(3)
    clip = {"frames": nothing, "frame_index": rows, "times": rows / 30, "core": np.array([0, 3])}
    (done,) = run([clip])
    assert done["frame_seen"].tolist() == [False] * 3
    assert len(done["person_box"]) == 0


def test_a_small_dark_man_and_a_woman_who_walks_are_both_seen(analyse):
    (done,) = analyse(WALK, frames=slice(70, 90))
    assert np.bincount(done["person_frame"]).tolist() == [2] * 20


def test_somebody_who_comes_in_is_seen_before_the_next_look_and_gone_when_out(analyse):
    (done,) = analyse(ROOM, frames=slice(0, 90))
    first = int(done["person_frame"].min())
    assert 60 <= first <= 72  # half the body is in by frame 70, by eye
    assert done["person_frame"].tolist() == list(range(first, 90))


def test_nobody_is_seen_among_bottles_and_hands(analyse):
    assert len(analyse(BOTTLES, fps=4.0)[0]["person_frame"]) == 0


def test_one_frame_a_second_is_enough_to_see_and_know_somebody(analyse):
    frames, ids = seen(analyse(JUGGLE, fps=1.0))
    assert frames.tolist() == list(range(0, 247, 24))
    assert set(ids.tolist()) == {0}


def test_a_single_picture_of_a_signer_shows_one_person(analyse):
    (done,) = analyse(SIGN, frames=slice(25, 26))
    assert done["person_track"].tolist() == [0]


@pytest.mark.parametrize(("rate", "frames"), [(1, 1), (10, 5), (24, 12), (30, 15), (240, 16)])
def test_a_span_is_half_a_second_and_at_most_sixteen_frames(rate, frames):
    assert frames_in(np.arange(100) / rate, 0.5, 16) == frames
    assert frames_in(np.zeros(1), 0.5, 16) == 1


def test_the_identity_names_both_networks_and_the_options():
    identity = people().identity
    assert len(identity["multipose"]) == len(identity["thunder"]) == 64
    assert identity["limits"]["evidence"] == 0.33
    assert not identity["raw"]


def test_the_default_graph_has_no_fault():
    assert graphs.faults(see_people(), GIVEN) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_number_of_people_is_right_in_102_of_103_frames_and_each_keeps_one_number(
    analyse, data: Path
):
    labels = data / "people_counts.csv"
    with labels.open(newline="") as file:
        videos = dict.fromkeys(row["video"] for row in csv.DictReader(file))
    found = {video: seen(analyse(video)) for video in videos}
    report = counts(labels, {video: frames for video, (frames, _) in found.items()})
    assert report["frames"] == 103
    assert report["right"] >= 102, report["text"]
    assert len(found[BOTTLES][0]) == 0
    for video in (JUGGLE, DOG, *(v for v in videos if "asl_gestures" in v)):
        assert set(found[video][1].tolist()) == {0}, video


@pytest.mark.slow
def test_people_in_company_and_from_afar_are_found(data: Path, people_benchmark):
    """Twelve people in a mosaic of four pictures, and within grey borders: small as they are."""
    see = people_benchmark.graph("thunder")
    pictures = people_benchmark.still(data)
    seen = {name: people_benchmark.listed(see(p[None], 30.0)) for name, p in pictures.items()}
    scores = people_benchmark.coco(data, seen)
    assert scores["mosaic"]["right"] >= 11
    assert scores["times 2"]["right"] >= 10
    assert scores["times 3"]["right"] >= 8
    assert scores["times 3"]["found"] <= 13
