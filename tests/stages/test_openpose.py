"""People seen by OpenPose in clips: what is written, and who is who in real videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from muybridge import graph as graphs
from muybridge.columns import GIVEN, check
from muybridge.errors import InputError
from muybridge.models.openpose.bodies import BODY_25, COCO
from muybridge.models.openpose.predict import Options
from muybridge.stages.decode import decode
from muybridge.stages.openpose import COLUMNS, MOBILENET, framed, openpose, running
from muybridge.video.clips import clips
from muybridge.video.frames import DecodedFrames
from muybridge.video.probe import probe

from .conftest import part

JUGGLE = "sam2_people/05_default_juggle.mp4"
WALK = "sports2d_walk/walk_vp9_1768x994.mp4"


class White(nn.Module):
    """Be a network that sees somebody's whole body standing in each white pixel's column."""

    body = COCO
    shades = (1 / 255, 0.0)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(1))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        maps = torch.zeros(len(pictures), COCO.channels, *(n // 8 for n in pictures.shape[2:]))
        for one, picture in zip(maps, pictures, strict=True):
            for column in np.unique((picture.amax(0) > 0.5).nonzero()[:, 1] // 8).tolist():
                self.stand(one, column)
        return maps

    def stand(self, maps: torch.Tensor, column: int) -> None:
        """Put neck, shoulder and elbow under each other, and what joins them."""
        for row, joint in ((2, 1), (6, 2), (10, 3)):
            maps[joint, row, column] = 0.9
            maps[joint, row + 1, column] = maps[joint, row, column + 1] = (
                0.3  # one pixel is highest
            )
        for limb, rows in ((0, slice(1, 8)), (2, slice(5, 12))):
            maps[COCO.heat + COCO.fields[limb] + 1, rows, column - 1 : column + 2] = 1


def clip(pictures: np.ndarray, core: tuple[int, int] | None = None) -> dict[str, Any]:
    """A clip of these pictures (T, H, W, 3), 25 a second."""
    rows = np.arange(len(pictures))
    frames = DecodedFrames(pictures, rows, len(rows))
    start, stop = core or (0, len(rows))
    return {
        "frames": frames,
        "frame_index": rows,
        "times": rows / 25,
        "core": np.array([start, stop]),
    }


def dots(*columns: int, frames: int = 3) -> np.ndarray:
    """Black pictures with white dots, a pixel further to the right in each."""
    pictures = np.zeros((frames, 128, 256, 3), np.uint8)
    for at in range(frames):
        for column in columns:
            pictures[at, 60:62, column + at : column + at + 2] = 255
    return pictures


@pytest.fixture(scope="module")
def see() -> Callable[..., list[Any]]:
    run = running(White(), "coco18_joints", Options(height=128))

    def look(*given: dict[str, Any]) -> list[Any]:
        done = run(given)
        stage = openpose(MOBILENET)
        for before, columns in zip(given, done, strict=True):
            check({**before, **columns}, stage.writes)
        return list(done)

    return look


def test_nobody_in_the_pictures_is_nobody_in_the_columns(see):
    (done,) = see(clip(dots()))
    assert len(done["person_frame"]) == 0
    assert done["coco18_joints"].shape == (0, 18, 3)
    assert done["frame_seen"].all()


def test_a_clip_without_a_frame_that_decodes_has_nobody(see):
    nothing = DecodedFrames(np.empty((0, 128, 256, 3), np.uint8), np.empty(0, np.int64), 3)
    (done,) = see({**clip(dots()), "frames": nothing})
    assert done["frame_seen"].tolist() == [False] * 3
    assert len(done["person_box"]) == 0


def test_one_person_has_one_track_and_joints_where_they_are(see):
    (done,) = see(clip(dots(100, frames=6)))
    assert done["person_frame"].tolist() == list(range(6))
    assert set(done["person_track"].tolist()) == {0}
    joints = done["coco18_joints"][0]
    assert np.flatnonzero(joints[:, 2]).tolist() == [1, 2, 3]
    assert joints[1:4, 0] == pytest.approx([100.0] * 3, abs=6)
    assert joints[1:4, 1] == pytest.approx([20, 52, 84], abs=4)
    assert (joints[[0, 4]] == 0).all()
    left, top, right, bottom = done["person_box"][0]
    assert left < 100 < right
    assert top < 20 < 84 < bottom


def test_two_people_in_two_clips_are_two_tracks_in_each(see):
    one, two, none = see(clip(dots(40, 200)), clip(dots(40, 120, 200)), clip(dots()))
    assert np.bincount(one["person_track"]).tolist() == [3, 3]
    assert np.bincount(two["person_track"]).tolist() == [3, 3, 3]
    assert len(none["person_track"]) == 0


def test_only_the_core_and_two_frames_after_it_are_looked_at(see):
    (done,) = see(clip(dots(100, frames=9), core=(2, 5)))
    assert np.flatnonzero(done["frame_seen"]).tolist() == [2, 3, 4, 5, 6]
    assert sorted(set(done["person_frame"].tolist())) == [2, 3, 4, 5, 6]


def test_a_box_is_drawn_round_the_joints_found_and_stays_in_the_picture():
    joints = np.zeros((2, 3, 3), np.float32)
    joints[0, :2] = [[100, 50, 1], [140, 150, 0.5]]
    joints[1, 2] = [3, 4, 1]
    boxes = framed(joints, 200, 155)
    assert boxes[0].tolist() == [90, 40, 150, 155]  # a tenth of 100 more, cut at the bottom
    assert boxes[1].tolist() == [3, 4, 3, 4]
    assert framed(np.zeros((0, 3, 3), np.float32), 10, 10).shape == (0, 4)


def test_weights_of_another_name_are_refused_with_the_names_there_are():
    with pytest.raises(InputError, match="openpose_body25, openpose_coco"):
        openpose("openpose_hand")


@pytest.mark.parametrize("name", COLUMNS)
def test_what_is_missing_is_said_before_anything_starts(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    stage = openpose(name)
    assert len(stage.missing()) == 1
    assert name in stage.missing()[0]
    assert stage.identity["model"] == name
    joints = {"coco18_joints": COCO, "body25_joints": BODY_25}[stage.writes[-1]].joints
    assert joints == (25 if "25" in name else 18)


@pytest.fixture(scope="module")
def analyse(data: Path) -> Callable[..., dict[str, Any]]:
    folder = data / "weights" / "openpose_mobilenet_v2_small"
    stage = openpose(MOBILENET, folder)
    assert stage.missing() == []
    assert all(len(stage.identity[name]) == 64 for name in ("graph.json", "weights.npz"))
    loaded = graphs.load((decode(), stage), GIVEN)

    def run(name: str, frames: slice) -> dict[str, Any]:
        (done,) = graphs.apply(
            loaded, [part(clips(probe(str(data / name)), name, name)[0], frames)]
        )
        assert done["error"] == ""
        return done

    return run


def test_a_man_who_juggles_is_one_track_though_his_legs_come_and_go(analyse):
    done = analyse(JUGGLE, slice(0, 12))
    assert done["person_frame"].tolist() == list(range(12))
    assert set(done["person_track"].tolist()) == {0}
    found = done["coco18_joints"][..., 2] > 0
    assert found.any(axis=0)[8:14].sum() >= 4
    neck = done["coco18_joints"][:, 1]
    assert neck[:, 0] == pytest.approx(np.full(12, 720), abs=30)  # by eye
    assert neck[:, 1] == pytest.approx(np.full(12, 175), abs=30)


def test_a_man_and_a_woman_who_walks_keep_their_numbers(analyse):
    done = analyse(WALK, slice(76, 84))
    tracks = np.bincount(done["person_track"])
    assert sorted(tracks.tolist())[-2:] == [8, 8]
