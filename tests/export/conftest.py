"""Outputs with people in them, written by the store from clips made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from muybridge import weights
from muybridge.cli import app
from muybridge.geometry.skeletons import BLAZEPOSE33, BODY18
from muybridge.geometry.smpl import JOINTS49, Body
from muybridge.store import tables
from muybridge.store.ledger import MANIFEST

WIDTH, HEIGHT = 640, 480
VIDEO = {"uri": "/videos/walk.mkv", "fps": 30.0, "start_s": 0.0, "width": WIDTH, "height": HEIGHT}
Clip = dict[str, Any]


def muybridge(*words: object) -> tuple[int, str]:
    """Run a command, and give its exit code and what it said."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def clip(frames: Sequence[int], number: int = 0, video: str = "v", **columns: Any) -> Clip:
    """Make an analysed clip of one person, seen in some frames of a video of 30 a second."""
    count = len(frames)
    given = {
        **{"video_id": video, "clip_id": f"{video}:{number}", "uri": "", "core": (0, 9999)},
        **{"frame_index": np.array(frames), "times": np.array(frames) / 30},
        **{"frame_seen": np.ones(count, bool), "person_frame": np.arange(count)},
        "person_track": np.full(count, number, np.int32),
        "person_score": np.full(count, 0.75, np.float32),
        "person_box": np.tile(np.float32([100, 50, 300, 450]), (count, 1)),
    }
    for name, value in columns.items():
        exact = isinstance(value, str) or name == "times"
        given[name] = value if exact else np.asarray(value, np.float32)
    return given


def flat(count: int) -> np.ndarray:
    """Joints as BlazePose sees them in `count` pictures (F, 33, 3): each at a place of its own."""
    at = np.arange(len(BLAZEPOSE33.joints))
    one = np.stack([110.5 + 5 * at, 60.25 + 10 * at, 0.5 + at / 100], axis=1)
    return np.tile(one, (count, 1, 1))


def lifted(places: np.ndarray) -> np.ndarray:
    """Joints as the lifter writes them (F, 18, 4), all of them found."""
    return np.concatenate([places, np.full((*places.shape[:2], 1), 0.9)], axis=2)


def standing(count: int) -> np.ndarray:
    """Somebody upright before the camera (F, 18, 3), their left to the picture's right; metres."""
    at = {
        **{"mid_hip": (0, 0), "spine": (0, -0.25), "neck": (0, -0.5), "head": (0, -0.7)},
        **{"left_hip": (0.1, 0), "left_knee": (0.1, 0.4), "left_ankle": (0.1, 0.8)},
        **{"left_big_toe": (0.1, 0.9), "left_shoulder": (0.2, -0.5)},
        **{"left_elbow": (0.45, -0.5), "left_wrist": (0.7, -0.5)},
    }
    at |= {name.replace("left", "right"): (-x, y) for name, (x, y) in at.items()}
    return np.tile([(*at[name], 0.0) for name in BODY18.joints], (count, 1, 1))


@pytest.fixture
def output(tmp_path: Path) -> Callable[..., str]:
    """Make an output of clips, and of videos: their rows by their ids, one walk.mkv by default."""

    def make(
        *clips: Clip,
        fps: float | None = None,
        more: Mapping[str, pa.Table] | None = None,
        **videos: dict[str, Any],
    ) -> str:
        out = tmp_path / "out"
        (out / MANIFEST).parent.mkdir(parents=True)
        (out / MANIFEST).write_text(json.dumps({"fps": fps}))
        known = [{"video_id": name, **VIDEO, **row} for name, row in videos.items()]
        made = tables.joined([tables.rows(each) for each in clips])
        made["videos"] = tables.table("videos", known or [{"video_id": "v", **VIDEO}])
        made |= more or {}
        for name, rows in made.items():
            (out / name).mkdir()
            (out / name / "part.parquet").write_bytes(tables.write(name, rows, {}))
        return str(out)

    return make


@pytest.fixture(scope="session")
def folder(official: Callable[[str], Path]) -> Iterator[Path]:
    """A folder with SMPL's body in the form in which it is published, and a cache of its own."""
    official("smpl_regressor_extra")
    return official("smpl_neutral").parent


@pytest.fixture(scope="session")
def body(folder: Path) -> Body:
    return weights.load("smpl_neutral", folder)


class Moved:
    """A body that moves before the camera, and where its joints really are (F, 24, 3), metres."""

    def __init__(self, body: Body, turns: Rotation, at: np.ndarray, betas: np.ndarray) -> None:
        from muybridge.geometry.smpl import joints49

        count = len(at)
        matrices = torch.tensor(turns.as_matrix().reshape(count, 24, 3, 3), dtype=torch.float32)
        shapes = torch.tensor(np.broadcast_to(betas, (count, 10)), dtype=torch.float32)
        posed = body(shapes, matrices)
        extra = torch.zeros(9, len(body.template))
        self.joints = posed.joints.double().numpy() + at[:, None]
        self.joints49 = joints49(posed, extra).double().numpy() + at[:, None]
        self.columns = {
            **{"smpl_model": "vibe_wo_3dpw", "smpl_body": "smpl_neutral"},
            "smpl_betas": shapes.numpy(),
            "smpl_rotations": turns.as_rotvec().reshape(count, 24, 3),
            "smpl_camera": np.zeros((count, 4)),
            "smpl_translation": at,
            "smpl_focal": np.full(count, 800.0),
            "smpl_joints3d": self.joints49 - at[:, None],
        }
        assert len(JOINTS49) == self.joints49.shape[1]


@pytest.fixture(scope="session")
def moved(body: Body) -> Callable[..., Moved]:
    """Make a body that moves at random, smoothly or not, in `count` frames."""

    def make(count: int, wild: float = 0.3, seed: int = 0, betas: Any = 0.0) -> Moved:
        random = np.random.default_rng(seed)
        turns = random.normal(0, wild, (count, 24, 3))
        turned = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(count, 24, 3, 3)
        turned[:, 0] = np.diag([1.0, -1.0, -1.0]) @ turned[:, 0]  # upright, facing the camera
        at = np.stack([np.linspace(-1, 1, count), np.full(count, 0.1), np.full(count, 4.0)], 1)
        return Moved(body, Rotation.from_matrix(turned.reshape(-1, 3, 3)), at, np.float32(betas))

    return make
