"""What is done in real clips, in all of the picture and by each person, by a network of chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from muybridge import graph as graphs
from muybridge.columns import GIVEN, check
from muybridge.errors import ClipError
from muybridge.models.kinetics.model import KINDS
from muybridge.models.kinetics.predict import Predictor
from muybridge.models.kinetics.preprocess import around, cut, small
from muybridge.run.actions import actions
from muybridge.run.identities import linked
from muybridge.stages.action import WRITES, Options, action, load, running
from muybridge.stages.decode import decode
from muybridge.stages.looking import PEOPLE
from muybridge.store import tables
from muybridge.video.clips import clips
from muybridge.video.probe import probe

from .conftest import part

FILM = "action_clips/kinetics_arm_wrestling.mp4"
FRAMES = 60
NAME = "r3d_18"


@pytest.fixture(scope="module")
def predictor(official) -> Predictor:
    return load(NAME, official(NAME), Options())


@pytest.fixture(scope="module")
def clip(data) -> dict[str, Any]:
    """Two seconds of a real clip, and two people in them, one of whom comes late."""
    whole = part(clips(probe(str(data / FILM)), FILM, FILM)[0], slice(0, FRAMES))
    (made,) = graphs.apply(graphs.load((decode(),), GIVEN), [whole])
    frame = np.concatenate([np.arange(FRAMES), np.arange(20, FRAMES)])
    track = np.repeat([0, 1], [FRAMES, FRAMES - 20])
    order = np.lexsort((track, frame))
    box = np.where(track[:, None] == 0, (10, 20, 130, 200), (120, 30, 260, 210)) + frame[:, None]
    return {
        **made,
        "times": np.arange(FRAMES) / 30,
        "frame_seen": np.ones(FRAMES, bool),
        "person_frame": frame[order].astype(np.int32),
        "person_track": track[order].astype(np.int32),
        "person_score": np.ones(len(frame), np.float32),
        "person_box": box[order].astype(np.float32),
    }


@pytest.fixture(scope="module")
def done(predictor, clip) -> dict[str, Any]:
    return {**clip, **running(predictor, NAME, Options())([clip])[0]}


def test_the_stage_runs_in_a_graph_and_makes_rows(official, clip):
    given = (*GIVEN, *PEOPLE, "frames")
    made = (action(NAME, official(NAME)),)
    graphs.ready(made, given)
    (ran,) = graphs.apply(graphs.load(made, given), [clip])
    assert ran["error"] == ""
    check(ran, WRITES)
    moments = tables.rows(ran)["moments"]
    assert set(moments["system"].to_pylist()) == {NAME}
    assert set(moments["track_id"].to_pylist()) == {None, 0, 1}


def test_windows_are_judged_as_by_torchvision_at_fifteen_frames_a_second(predictor, clip, done):
    """The picture's first window and a person's, made by hand."""
    kind, rows = KINDS[NAME], np.arange(0, 32, 2)
    taken = {
        r: p.copy() for rs, ps in clip["frames"].chunks(4) for r, p in zip(rs, ps, strict=True)
    }
    mine = np.flatnonzero(clip["person_track"] == 0)
    regions = around(clip["person_box"][mine], clip["times"], predictor.transforms)
    views = {
        -1: torch.stack([small(taken[row], predictor.transforms) for row in rows]),
        0: torch.stack([small(cut(taken[r], regions[r]), predictor.transforms) for r in rows]),
    }
    for track, seen in views.items():
        first = np.flatnonzero(done["kinetics_track"] == track)[0]
        assert done["kinetics_frame"][first] == 0
        assert done["kinetics_scores"][first] == pytest.approx(predictor(seen), abs=1e-6)
    assert abs(predictor(views[0]) - predictor(views[-1])).max() > 1e-5
    step = kind.frames // 2 * kind.apart
    whole = done["kinetics_frame"][done["kinetics_track"] == -1]
    assert np.diff(clip["times"][whole]) == pytest.approx(np.full(len(whole) - 1, step), abs=0.02)


def test_people_are_judged_apart(predictor, clip, done):
    late = clip["person_track"] == 1
    alone = {**clip, **{name: clip[name][late] for name in PEOPLE[1:]}}
    made = running(predictor, NAME, Options())([alone])[0]
    for track in (-1, 1):
        one, other = (each["kinetics_track"] == track for each in (made, done))
        assert np.array_equal(made["kinetics_frame"][one], done["kinetics_frame"][other])
        assert made["kinetics_scores"][one] == pytest.approx(
            done["kinetics_scores"][other], abs=1e-6
        )


def test_where_nobody_is_the_picture_still_tells(predictor, clip, done):
    nobody = {**clip, **{name: clip[name][:0] for name in PEOPLE[1:]}}
    made = {**nobody, **running(predictor, NAME, Options())([nobody])[0]}
    check(made, WRITES)
    whole = done["kinetics_track"] == -1
    assert made["kinetics_scores"] == pytest.approx(done["kinetics_scores"][whole], abs=1e-6)
    unseen = {**nobody, "frame_seen": np.zeros(FRAMES, bool)}
    assert len(running(predictor, NAME, Options())([unseen])[0]["kinetics_frame"]) == 0


def test_a_picture_has_an_answer(predictor, clip):
    one = {**clip, **{name: clip[name][:1] for name in PEOPLE[1:]}}
    one["frame_seen"] = np.arange(FRAMES) == 0
    made = running(predictor, NAME, Options())([one])[0]
    assert made["kinetics_track"].tolist() == [-1, 0]
    assert made["kinetics_scores"].sum(1) == pytest.approx([1, 1], abs=1e-4)


def test_what_cannot_be_decoded_again_is_told(predictor, clip, monkeypatch):
    monkeypatch.setattr(clip["frames"], "chunks", lambda *_: iter(()))
    with pytest.raises(ClipError, match="could not be decoded again"):
        running(predictor, NAME, Options())([clip])


def test_segments_are_of_the_picture_and_of_people(done):
    sure = np.zeros_like(done["kinetics_scores"])
    sure[done["kinetics_track"] == -1, 7] = sure[done["kinetics_track"] == 1, 5] = 0.9
    rows = tables.rows({**done, "kinetics_scores": sure})
    (part,) = linked([(done["core"], rows)])
    made = actions([part["moments"]]).to_pylist()
    labels = KINDS[NAME].labels
    assert [(row["track_id"], row["label"]) for row in made] == [(1, labels[5]), (None, labels[7])]
    assert {row["label_set"] for row in made} == {"kinetics400"}
    assert len(made[0]["labels"]) == 3
