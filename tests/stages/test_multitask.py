"""People read on real video by the multi-task network in its published forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from muybridge import graph as graphs
from muybridge.columns import GIVEN, check
from muybridge.errors import ClipError
from muybridge.labels import LABELS
from muybridge.models.multitask.preprocess import MARGIN, crop, normalised, squares
from muybridge.stages.decode import decode
from muybridge.stages.looking import PEOPLE
from muybridge.stages.multitask import KINDS, Options, load, multitask, running
from muybridge.store import tables
from muybridge.video.clips import clips
from muybridge.video.probe import probe

from .conftest import part

pytestmark = pytest.mark.golden
SIGN = "intel_people/asl_gestures/want.mkv"
FRAMES = 12
OPTIONS = Options(batch=5)


@pytest.fixture(scope="module", params=KINDS)
def model(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def predictor(model: str, official: Callable[[str], Any]) -> Any:
    return load(model, official(model), OPTIONS)


@pytest.fixture(scope="module")
def clip(data) -> dict[str, Any]:
    """Some frames of a real video, a quarter of a second apart, and two people in them."""
    whole = part(clips(probe(str(data / SIGN)), SIGN, SIGN)[0], slice(0, FRAMES))
    (made,) = graphs.apply(graphs.load((decode(),), GIVEN), [whole])
    frame = np.repeat(np.arange(FRAMES, dtype=np.int32), 2)[:-3]  # one leaves before the last
    box = np.where(np.arange(len(frame))[:, None] % 2, (300, 60, 420, 300), (60, 20, 280, 400))
    track = (np.arange(len(frame)) % 2).astype(np.int32)
    return {
        **made,
        "times": np.arange(FRAMES) / 4,
        "frame_seen": np.ones(FRAMES, bool),
        "person_frame": frame,
        "person_track": track,
        "person_score": np.ones(len(frame), np.float32),
        "person_box": (box + 3.0 * frame[:, None]).astype(np.float32),
    }


def read(predictor: Any, model: str, clip: dict[str, Any], options: Options = OPTIONS) -> Any:
    return running(predictor, KINDS[model], options)([clip])[0]


@pytest.fixture(scope="module")
def done(predictor, model, clip) -> dict[str, Any]:
    return {**clip, **read(predictor, model, clip)}


def test_the_stage_runs_in_a_graph_and_makes_rows(model, official, clip):
    given = (*GIVEN, *PEOPLE, "width", "height", "frames")
    made = (multitask(model, official(model), OPTIONS),)
    graphs.ready(made, given)
    (ran,) = graphs.apply(graphs.load(made, given), [clip])
    assert ran["error"] == ""
    check(ran, made[0].writes)
    rows = tables.rows(ran)
    people = len(clip["person_frame"])
    assert rows["keypoints"].num_rows == rows["moments"].num_rows == people
    assert rows["joints3d"].num_rows == (people if model == "spnet_ntu" else 0)
    label_set = rows["moments"]["label_set"][0].as_py()
    assert len(rows["moments"]["scores"][0]) == len(LABELS[label_set])


def test_joints_and_scores_are_the_networks_own(predictor, model, official, clip, done):
    """One person's first window, made by hand of crops, through the network as it is published."""
    from muybridge import weights

    kind, network = KINDS[model], weights.load(model, official(model))
    rows = np.flatnonzero(clip["person_track"] == 0)[:8]
    boxes = squares(clip["person_box"].astype(float), MARGIN)
    frames = {row: p for r, ps in clip["frames"].chunks(4) for row, p in zip(r, ps, strict=True)}
    crops = np.stack([crop(frames[clip["person_frame"][row]], boxes[row]) for row in rows])
    with torch.inference_mode():
        poses, scores = network(normalised(torch.from_numpy(crops))[None])
    joints = done[f"{kind.skeleton.name}_joints"][rows]
    side = boxes[rows, 2:3] - boxes[rows, :1]
    for axis in (0, 1):
        wanted = boxes[rows, axis : axis + 1] + poses[-1][0, ..., axis].numpy() * side
        assert joints[..., axis] == pytest.approx(wanted, abs=0.01)
    assert joints[..., 2] == pytest.approx(poses[-1][0, ..., -1].clamp(0, 1).numpy(), abs=1e-4)
    alone = {**clip, **{n: clip[n][rows] for n in PEOPLE[1:]}}
    made = read(predictor, model, {**alone, "times": np.arange(FRAMES) * kind.apart})
    assert made[kind.scores] == pytest.approx(
        np.tile(scores[-1][0].softmax(1).numpy(), (8, 1)), abs=1e-4
    )


def test_joints_in_space_are_about_the_hips_as_the_picture_shows_them(model, done):
    if model != "spnet_ntu":
        pytest.skip("it knows no depth")
    space, flat = done["pa17_joints3d"], done["pa17_joints"]
    hips = KINDS[model].skeleton.index("mid_hip")
    assert not space[:, hips, :3].any()
    for one, other in zip(space[..., :2], (flat - flat[:, hips])[..., :2], strict=True):
        scale = (one * other).sum() / (other * other).sum()
        assert scale > 0
        assert one == pytest.approx(scale * other, abs=1e-3)


@pytest.fixture
def looked(predictor, monkeypatch) -> list[int]:
    """How many crops the network looks at, each time it does."""
    counts = list[int]()
    look = predictor.look

    def counting(crops: np.ndarray) -> Any:
        counts.append(len(crops))
        return look(crops)

    monkeypatch.setattr(predictor, "look", counting)
    return counts


def test_each_crop_is_looked_at_once_however_many_windows_overlap(predictor, model, clip, looked):
    read(predictor, model, clip, Options(stride=1, batch=5))
    assert sum(looked) == len(clip["person_frame"])
    assert max(looked) == 5


def test_where_no_joints_are_wanted_only_moments_of_windows_are_looked_at(
    predictor, model, official, clip, looked
):
    often = {**clip, "times": clip["times"] / 4}  # sixteen frames a second
    options = Options(batch=5, joints=False)
    made, whole = (read(predictor, model, often, each) for each in (options, OPTIONS))
    people = len(clip["person_frame"])
    assert sum(looked) - people < 0.5 * people
    assert list(made) == [KINDS[model].scores]
    assert made[KINDS[model].scores] == pytest.approx(whole[KINDS[model].scores], abs=1e-4)
    assert multitask(model, official(model), options).writes == (KINDS[model].scores,)


def test_people_are_read_apart(predictor, model, clip, done):
    for track in (0, 1):
        mine = clip["person_track"] == track
        alone = read(predictor, model, {**clip, **{n: clip[n][mine] for n in PEOPLE[1:]}})
        for name in KINDS[model].writes:
            assert alone[name] == pytest.approx(done[name][mine], abs=1e-4), name


def test_who_is_seen_once_has_an_answer_and_nobody_has_none(predictor, model, clip):
    one = read(predictor, model, {**clip, **{n: clip[n][:1] for n in PEOPLE[1:]}})
    assert one[KINDS[model].scores].sum(1) == pytest.approx([1], abs=1e-4)
    nobody = {**clip, **{n: clip[n][:0] for n in PEOPLE[1:]}}
    check({**nobody, **read(predictor, model, nobody)}, KINDS[model].writes)


def test_who_cannot_be_decoded_again_is_told(predictor, model, clip, monkeypatch):
    monkeypatch.setattr(clip["frames"], "chunks", lambda *_: iter(()))
    with pytest.raises(ClipError, match="could not be decoded again"):
        read(predictor, model, clip)
