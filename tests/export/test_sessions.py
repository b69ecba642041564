"""Sessions of several cameras: joints in the world, told upright where a format has a floor."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.geometry.skeletons import BODY18
from muybridge.store import tables

from .conftest import lifted, standing
from .test_bvh import at, bvh
from .test_flat import table
from .test_trc import trc

Z_UP = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]])  # to a camera's axes, y down
Y_UP = np.array([[-1.0, 0, 0], [0, -1, 0], [0, 0, -1]])  # either turns x from right to left
FRAMES = range(4, 9)
URI = "/sessions/SESSIONS.toml#walk"


def world(turn: np.ndarray) -> np.ndarray:
    """Somebody who walks over the floor (F, 18, 3), in axes that `turn` makes a camera's."""
    steps = 0.1 * np.arange(len(FRAMES))[:, None, None] * [0, 0, -1.0]
    return (standing(len(FRAMES)) + steps) @ turn


@pytest.fixture
def session(output):
    """Make an output of a session of two level cameras that look along the world's axes."""

    def make(turn: np.ndarray) -> str:
        aside = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
        views = [
            {"video_id": f"v{i}", "session_id": "s", "uri": URI, "view": f"cam{i}", "position": i}
            | {"rotation": rotation.ravel().tolist()}
            for i, rotation in enumerate((turn, aside @ turn))
        ]
        places = world(turn)
        count = len(FRAMES)
        rows = {
            **{"video_id": ["s"] * count, "frame": list(FRAMES), "track_id": [0] * count},
            **{"time_s": np.array(FRAMES) / 30, "system": ["blazepose"] * count},
            **{"skeleton": ["body18"] * count, "space": ["world"] * count},
            **{name: tables.lists(places[..., i]) for i, name in enumerate("xyz")},
            "score": tables.lists(lifted(places)[..., 3]),
        }
        more = {
            "sessions": tables.table("sessions", views),
            "joints3d": tables.filled("joints3d", rows, count),
        }
        return output(more=more, **{f"v{i}": {"uri": f"/sessions/cam{i}.mp4"} for i in range(2)})

    return make


@pytest.mark.parametrize("turn", [Z_UP, Y_UP], ids=["z up", "y up"])
def test_trc_has_the_floor_below_and_says_nothing_of_hips_that_stay(session, tmp_path, turn):
    _, markers, times, read, told = trc(session(turn), tmp_path, video="walk")
    assert markers == list(BODY18.joints)
    assert times == pytest.approx(np.array(FRAMES) / 30, abs=1e-6)
    head, toe = (read[:, markers.index(name)] for name in ("head", "left_big_toe"))
    assert head[:, 1] - toe[:, 1] == pytest.approx(np.full(len(FRAMES), 1.6), abs=1e-5)
    assert abs(np.diff(read[:, :, [0, 2]], axis=0)).sum(2) == pytest.approx(0.1, abs=1e-5)
    assert "stay in place" not in told


def test_trc_of_a_world_with_z_up_has_its_y_z_x(session, tmp_path):
    *_, read, _ = trc(session(Z_UP), tmp_path)
    assert read == pytest.approx(world(Z_UP)[..., [1, 2, 0]], abs=1e-6)


def test_bvh_walks_over_the_floor(session, tmp_path):
    made, told = bvh(session(Z_UP), tmp_path)
    hips, head = np.moveaxis(at(made, ["mid_hip", "head"]), 1, 0)
    assert np.linalg.norm(np.diff(hips, axis=0), axis=1) == pytest.approx(0.1, abs=2e-3)
    assert (head - hips)[:, 1] == pytest.approx(0.7, abs=0.05)
    assert "stay in place" not in told


def test_csv_has_the_calibrations_own_axes(session, tmp_path):
    lines = table(session(Z_UP), tmp_path)
    read = np.array([[float(line[f"{axis}_m"]) for axis in "xyz"] for line in lines])
    assert read.reshape(len(FRAMES), -1, 3) == pytest.approx(world(Z_UP), abs=1e-4)
    assert {line["x_px"] for line in lines} == {""}


@pytest.mark.parametrize("name", [URI, "walk"])
def test_a_session_is_found_by_its_address_and_by_its_name(session, tmp_path, name):
    assert table(session(Z_UP), tmp_path, video=name)
