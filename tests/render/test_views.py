"""A session is drawn as all of its views, with joints where each camera shows them, and from all
around."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from muybridge.cli import app
from muybridge.errors import InputError
from muybridge.geometry.cameras import Camera
from muybridge.geometry.skeletons import BODY18
from muybridge.render.views import ASIDE, Grid, views

from .conftest import pictures, times, written

SIZE = (320, 240)
FRAMES = 10
RATE = 10
LENS = np.array([-0.8, 0, 0, 0, 0])
MATRIX = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])
# z is up in the world; both cameras are level, 2.5 m from its origin, a metre high
FRONT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
SIDE = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
AT = np.array([0.0, 1.0, 2.5])
NAME = "/sessions/SESSIONS.toml#stand"


def camera(name: str, rotation: np.ndarray) -> Camera:
    return Camera(name, SIZE, MATRIX, LENS, rotation, AT)


CAMERAS = [camera("front", FRONT), camera("side", SIDE)]


def film(path: Path, count: int = FRAMES, first: int = 0) -> Path:
    """Write frames of a gray that tells their number: ten levels each, in 10 frames a second."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(first, first + count):
            gray = np.full((SIZE[1], SIZE[0], 3), 60 + 10 * number, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="rgb24")))
        file.mux(stream.encode(None))
    return path


def person() -> np.ndarray:
    """Somebody who stands at the world's origin with arms spread (18, 3)."""
    at = {
        **{"mid_hip": (0, 1.0), "spine": (0, 1.2), "neck": (0, 1.5), "head": (0, 1.7)},
        **{"left_hip": (0.1, 1.0), "left_knee": (0.1, 0.5), "left_ankle": (0.1, 0.1)},
        **{"left_big_toe": (0.1, 0.0), "left_shoulder": (0.2, 1.5)},
        **{"left_elbow": (0.5, 1.5), "left_wrist": (0.8, 1.5)},
    }
    at |= {name.replace("left", "right"): (-x, z) for name, (x, z) in at.items()}
    return np.array([(at[name][0], 0.0, at[name][1]) for name in BODY18.joints])


@pytest.fixture
def session(tmp_path):
    """Make an output of a session: its videos' files, offsets, and in which frames somebody is."""

    def make(files: list[Path], offsets: tuple[float, ...] = (0, 0), seen=range(FRAMES)) -> str:
        cameras = [
            {"video_id": f"v{i}", "session_id": "s", "uri": NAME, "view": each.name, "position": i}
            | {"offset_s": offsets[i], "width": SIZE[0], "height": SIZE[1]}
            | {
                name: getattr(each, name).ravel().tolist()
                for name in ("matrix", "distortion", "rotation", "translation")
            }
            for i, each in enumerate(CAMERAS)
        ]
        videos = [
            {"video_id": f"v{i}", "uri": str(file), "frames": FRAMES, "frames_analysed": FRAMES}
            | {"duration_s": 1.0}
            for i, file in enumerate(files)
        ]
        x, y, z = person().T.tolist()
        joints = [
            {"video_id": "s", "frame": frame, "time_s": frame / RATE, "track_id": 0}
            | {"system": "blazepose", "skeleton": "body18", "space": "world"}
            | {"x": x, "y": y, "z": z, "score": [0.9] * 18, "error": [2.0] * 18}
            for frame in seen
        ]
        rows = {"sessions": cameras, "videos": videos, "joints3d": joints}
        return written(tmp_path / "out", rows)

    return make


def drawn(out: str, tmp_path: Path) -> tuple[list[np.ndarray], np.ndarray, list[float]]:
    """Draw a session: each view's pictures (T, H, W, 3), those in space, and times."""
    made = tmp_path / "views.mp4"
    views(out, "stand", made)
    shown, (wide, high) = pictures(made), SIZE
    grid = Grid([SIZE, SIZE])
    assert (grid.columns, grid.rows, grid.cell) == (2, 1, SIZE)
    panels = [shown[:, :high, i * wide : (i + 1) * wide] for i in range(2)]
    return panels, shown[:, :high, 2 * wide :], times(made)


def test_joints_are_projected_back_through_each_lens(session, tmp_path):
    files = [film(tmp_path / f"{each.name}.mp4") for each in CAMERAS]
    panels, _, shown = drawn(session(files), tmp_path)
    assert shown == pytest.approx(np.arange(FRAMES) / RATE, abs=1e-4)
    wrist = person()[BODY18.index("left_wrist")]
    for panel, each in zip(panels, CAMERAS, strict=True):
        without = replace(each, distortion=np.zeros(5))
        if each.name == "front":
            assert np.linalg.norm(each.project(wrist) - without.project(wrist)) > 8
            assert around(panel[5], without.project(wrist)).max() < 130
        assert around(panel[5], each.project(wrist)).max() > 200, each.name  # a white disc


def around(picture: np.ndarray, place: np.ndarray) -> np.ndarray:
    x, y = np.floor(place.ravel()).astype(int)
    return picture[y - 1 : y + 2, x - 1 : x + 2]


def test_frames_of_other_views_are_those_nearest_in_time(session, tmp_path):
    files = [film(tmp_path / "front.mp4"), film(tmp_path / "side.mp4")]
    (front, side), *_ = drawn(session(files, (0, 0.32)), tmp_path)
    level = [panel[:, 60:80, 5:15].mean((1, 2, 3)) for panel in (front, side)]
    assert level[0] == pytest.approx(60 + 10 * np.arange(FRAMES), abs=4)
    assert level[1][3:] == pytest.approx(60 + 10 * np.arange(FRAMES - 3), abs=4)
    assert level[1][:2].max() < 45  # before the view begins it is dark


def test_a_camera_circles_around_people_who_stand_upright_on_a_grid(session, tmp_path):
    files = [film(tmp_path / f"{each.name}.mp4") for each in CAMERAS]
    _, space, _ = drawn(session(files, seen=range(5)), tmp_path)
    bright = (space.astype(int).min(-1) > 190)[:, : SIZE[1] * 4 // 5]
    assert bright[:5].sum((1, 2)).min() > 100
    assert bright[6:].sum((1, 2)).max() < 0.2 * bright[:5].sum((1, 2)).min()
    assert space.shape[2] == round(ASIDE * SIZE[1])
    rows, columns = np.nonzero(bright[0])
    spread = np.ptp(rows), np.ptp(columns)
    assert spread[0] > 0.5 * SIZE[1]
    later = np.nonzero(bright[4])[1]
    assert np.ptp(later) < spread[1]  # the spread arms turn away


def test_nobody_in_the_world_leaves_the_views(session, tmp_path):
    files = [film(tmp_path / f"{each.name}.mp4") for each in CAMERAS]
    (front, _), space, _ = drawn(session(files, seen=()), tmp_path)
    assert front[:, 60:200].std((1, 2, 3)).max() < 4
    assert space[:, : SIZE[1] // 2].std((1, 2)).max() < 4


def test_a_session_is_drawn_so_unless_something_else_is_said(session, tmp_path):
    files = [film(tmp_path / f"{each.name}.mp4") for each in CAMERAS]
    words = ["render", session(files), "stand", "-o", str(tmp_path / "o.mp4")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert done.output.strip().startswith("views:")


def test_an_output_without_sessions_says_what_to_do(tmp_path):
    out = written(tmp_path / "out", {"videos": [{"video_id": "v", "uri": "/walk.mp4"}]})
    with pytest.raises(InputError, match="index --sessions"):
        views(out, "walk.mp4", tmp_path / "o.mp4")


@pytest.mark.parametrize(
    ("given", "columns", "cell"),
    [
        ([(1920, 1080)] * 4, 2, (675, 379)),
        ([(1088, 1920)] * 4, 4, (360, 636)),
        ([(640, 480)] * 3, 2, (614, 460)),
    ],
)
def test_views_are_laid_out_as_large_as_they_fit(given, columns, cell):
    grid = Grid(given)
    assert (grid.columns, grid.cell) == (columns, cell)
    width, height = grid.columns * grid.cell[0] + grid.space[0], grid.space[1]
    assert width <= 1920
    assert height <= 1080
