"""Bodies read on real video, with the authors' networks and a body in their published forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muybridge import graph as graphs
from muybridge.columns import GIVEN, check
from muybridge.errors import ClipError
from muybridge.stages import vibe as stages
from muybridge.stages.decode import decode
from muybridge.stages.looking import PEOPLE
from muybridge.stages.vibe import WRITES, Models, Options, load, running, vibe
from muybridge.store import tables
from muybridge.video.clips import clips
from muybridge.video.probe import probe

from .conftest import part

pytestmark = pytest.mark.golden
NAMES = ("spin", "vibe_wo_3dpw", "smpl_neutral", "smpl_regressor_extra")
SIGN = "intel_people/asl_gestures/want.mkv"
FRAMES = 6


@pytest.fixture(scope="module")
def folder(official: Callable[[str], Path]) -> Path:
    (folder,) = {official(name).parent for name in NAMES}
    return folder


@pytest.fixture(scope="module")
def models(folder) -> Models:
    return load("vibe_wo_3dpw", "smpl_neutral", folder, "float32")


@pytest.fixture(scope="module")
def clip(data) -> dict[str, Any]:
    """Some frames of a real video, and two people whose boxes go a little their ways."""
    whole = part(clips(probe(str(data / SIGN)), SIGN, SIGN)[0], slice(0, FRAMES))
    (made,) = graphs.apply(graphs.load((decode(),), GIVEN), [whole])
    frame = np.repeat(np.arange(FRAMES, dtype=np.int32), 2)[:-1]  # one leaves before the last
    shift = 3.0 * frame[:, None]
    box = np.where(np.arange(len(frame))[:, None] % 2, (300, 60, 420, 300), (60, 20, 280, 400))
    return {
        **made,
        "frame_seen": np.ones(FRAMES, bool),
        "person_frame": frame,
        "person_track": (np.arange(len(frame)) % 2).astype(np.int32),
        "person_score": np.ones(len(frame), np.float32),
        "person_box": (box + shift).astype(np.float32),
    }


def read(models: Models, clip: dict[str, Any], options: Options) -> dict[str, Any]:
    return running(models, options)([clip])[0]


@pytest.fixture(scope="module")
def done(models, clip) -> dict[str, Any]:
    return {**clip, **read(models, clip, Options())}


def counted(models: Models, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the crops that go through the backbone from now on."""
    looked = list[int]()
    features = models.predictor.features

    def counting(crops: np.ndarray) -> Any:
        looked.append(len(crops))
        return features(crops)

    monkeypatch.setattr(models.predictor, "features", counting)
    return looked


def test_the_stage_runs_in_a_graph_and_writes_what_it_says(folder, clip):
    given = (*GIVEN, *PEOPLE, "width", "height", "frames")
    made = (vibe(given=folder),)
    graphs.ready(made, given)
    (ran,) = graphs.apply(graphs.load(made, given), [clip])
    assert ran["error"] == ""
    check(ran, WRITES)
    rows = tables.rows(ran)["bodies"]
    assert rows.num_rows == len(clip["person_frame"])
    assert set(rows["model"].to_pylist()) == {"vibe_wo_3dpw"}


def test_joints_lie_in_the_picture_where_the_crop_s_camera_has_them(models, done):
    """Two ways into the picture: the weak camera, and 49 joints moved before a real one."""
    assert done["smpl_focal"] == pytest.approx(np.hypot(done["width"], done["height"]))
    joints = done["smpl_joints3d"] + done["smpl_translation"][:, None]
    middle = np.array([done["width"], done["height"]]) / 2
    scale, shift = np.split(done["smpl_camera"][:, None], 2, axis=2)
    weak = (done["smpl_joints3d"][..., :2] + shift) * scale * middle + middle
    far = replace(Options(), focal=1e6)
    moved = read(models, done, far)
    joints = moved["smpl_joints3d"] + moved["smpl_translation"][:, None]
    seen = 1e6 * joints[..., :2] / joints[..., 2:] + middle
    assert seen == pytest.approx(weak, abs=0.1)


def test_each_picture_of_a_person_is_read_once(models, clip, monkeypatch):
    looked = counted(models, monkeypatch)
    read(models, clip, Options(batch=4))
    assert looked == [4, 4, 3]


def test_frames_that_two_clips_share_are_read_once(models, clip, done, monkeypatch):
    later = clip["person_frame"] >= 2
    overlapping = {**clip, **{name: clip[name][later] for name in PEOPLE[1:]}}
    wanted = read(models, overlapping, Options())
    looked, run = counted(models, monkeypatch), running(models, Options())
    run([clip])
    (made,) = run([overlapping])
    assert looked == [11]
    for name in WRITES[2:]:
        assert made[name] == pytest.approx(wanted[name], abs=1e-4), name
    run([{**overlapping, "video_id": "another"}])
    assert looked == [11, 7]


def test_who_is_in_the_clip_besides_changes_nobody_s_body(models, done):
    """Not even by how many crops go through the network together, but for the last digits."""
    rows = done["person_track"] == 1
    alone = {n: done[n][rows] for n in PEOPLE[1:]}
    made = read(models, {**done, **alone}, Options(batch=3))
    for name in WRITES[2:]:
        assert made[name] == pytest.approx(done[name][rows], abs=1e-4), name


def test_who_was_seen_before_changes_what_is_read(models, done):
    later = done["person_frame"] > 2
    made = read(models, {**done, **{n: done[n][later] for n in PEOPLE[1:]}}, Options())
    away = np.linalg.norm(made["smpl_joints3d"] - done["smpl_joints3d"][later], axis=2)
    assert away.max() > 1e-3  # the encoder has a memory


def test_a_person_who_is_still_is_looked_at_once(models, clip, monkeypatch):
    looked = counted(models, monkeypatch)
    read(models, clip, Options(still=256))
    assert looked == [2]  # one of each
    looked.clear()
    read(models, clip, Options(still=1e-3))
    assert looked == [len(clip["person_frame"])]


def test_rotations_are_smoothed_if_that_is_wanted(models, done):
    smooth = read(models, done, Options(smooth=True))
    rows = done["person_track"] == 0
    jump = [np.abs(np.diff(made["smpl_rotations"][rows], axis=0)).sum() for made in (done, smooth)]
    assert jump[1] < jump[0]
    assert (smooth["smpl_betas"] == done["smpl_betas"]).all()


def test_bodies_are_refined_by_the_joints_in_the_picture(models, done):
    """BODY_25's joints are the first 25 of the 49: seen eight pixels beside the bodies' own."""
    rows = done["person_track"] == 0
    one = {**done, **{name: done[name][rows] for name in PEOPLE[1:]}}
    beside = pixels({name: done[name][rows] for name in WRITES[2:]}, done)[:, :25] + 8
    score = np.full((*beside.shape[:2], 1), 0.9)
    one["body25_joints"] = np.concatenate([beside, score], 2).astype(np.float32)
    run = running(models, Options(refine=True), "body25_joints")
    (made,) = run([one])
    off = np.linalg.norm(pixels(made, one)[:, :25] - beside, axis=2)
    assert off.mean() < 0.5 * np.hypot(8, 8)
    assert not np.array_equal(made["smpl_rotations"], done["smpl_rotations"][rows])
    flat = made["smpl_camera"][:, :2] * made["smpl_translation"][:, 2:]
    size = np.array([one["width"], one["height"]])
    assert flat * size / 2 == pytest.approx(np.repeat(made["smpl_focal"][:, None], 2, 1), rel=1e-4)


def pixels(made: dict[str, Any], clip: dict[str, Any]) -> np.ndarray:
    """Project the 49 joints of bodies into the picture."""
    joints = made["smpl_joints3d"] + made["smpl_translation"][:, None]
    middle = np.array([clip["width"], clip["height"]]) / 2
    return made["smpl_focal"][:, None, None] * joints[..., :2] / joints[..., 2:] + middle


def test_nobody_has_no_body(models, clip):
    nobody = {name: clip[name][:0] for name in PEOPLE[1:]}
    made = read(models, {**clip, **nobody}, Options())
    assert {name: made[name].shape for name in WRITES[2:4]} == {
        "smpl_betas": (0, 10),
        "smpl_rotations": (0, 24, 3),
    }


def test_people_in_frames_that_cannot_be_decoded_again_are_told(models, clip):
    frames = clip["person_frame"].copy()
    frames[-1] = FRAMES + 3
    with pytest.raises(ClipError, match="1 of them are in frames that could not be decoded"):
        read(models, {**clip, "person_frame": frames}, Options())


def test_another_body_or_option_is_another_identity(folder):
    one = vibe(given=folder).identity
    assert set(one) >= {*NAMES, "focal", "smooth", "still"}
    assert vibe(given=folder, options=Options(smooth=True)).identity != one


def test_what_is_missing_is_said_of_each_file(monkeypatch, tmp_path):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    said = vibe().missing()
    assert [text.split()[0] for text in said] == list(stages.files("vibe_wo_3dpw", "smpl_neutral"))
    assert "smpl.is.tue.mpg.de" in "".join(said) or "smplify.is.tue.mpg.de" in "".join(said)
