"""TRC, read back by the rules of OpenSim's reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from muybridge.export.write import export
from muybridge.geometry.skeletons import BODY18
from muybridge.geometry.smpl import JOINTS49

from .conftest import clip, lifted, standing

KEYS = (
    "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"
)


def opensim(path: Path) -> tuple[dict[str, str], list[str], np.ndarray, np.ndarray]:
    """Read metadata, markers, times (N,) and places (N, J, 3) as OpenSim 4 does.

    Empty cells count, but the one after a line's last tab; every line of numbers must be full.
    """
    lines = [line.split("\t") for line in path.read_text().split("\n")]
    lines = [line[:-1] if line[-1] == "" else line for line in lines]
    lines = [line for line in lines if line]
    assert lines[0][0] == "PathFileType"
    keys, values, labels, axes = ([cell for cell in line if cell] for line in lines[1:5])
    assert keys == KEYS.split()
    assert labels[:2] == ["Frame#", "Time"]
    markers, about = labels[2:], dict(zip(keys, values, strict=True))
    assert len(markers) == int(about["NumMarkers"])
    assert axes == [f"{axis}{i + 1}" for i in range(len(markers)) for axis in "XYZ"]
    rows = lines[5:]
    assert len(rows) == int(about["NumFrames"])
    assert {len(row) for row in rows} == {2 + 3 * len(markers)}
    assert [row[0] for row in rows] == [str(i + 1) for i in range(len(rows))]
    numbers = np.array([[float(cell or "nan") for cell in row[1:]] for row in rows])
    return about, markers, numbers[:, 0], numbers[:, 1:].reshape(len(rows), -1, 3)


def trc(out: str, tmp_path: Path, **who):
    (file,) = export(out, "trc", output=tmp_path / "one.trc", **who)
    return *opensim(tmp_path / "one.trc"), file.told


def test_who_faces_the_camera_looks_along_x_with_y_up_and_their_right_at_z(output, tmp_path):
    places = standing(3)
    places[:, BODY18.index("left_big_toe", "right_big_toe"), 2] = -0.2  # towards the camera
    about, markers, times, read, _ = trc(
        output(clip([30, 31, 32], lifter_joints3d=lifted(places))), tmp_path
    )
    assert (about["DataRate"], about["CameraRate"], about["Units"]) == ("30", "30", "m")
    assert markers == list(BODY18.joints)
    assert times == pytest.approx([1, 31 / 30, 32 / 30], abs=1e-6)
    at = dict(zip(markers, read[0], strict=True))
    assert at["left_big_toe"] == pytest.approx([0.2, -0.9, -0.1])
    assert at["right_wrist"] == pytest.approx([0, 0.5, 0.7])


def test_what_was_not_found_is_empty(output, tmp_path):
    joints = lifted(standing(3))
    last = BODY18.index("right_wrist")
    assert last == [17]  # the last cell of a line, which OpenSim misses without a tab
    joints[1, last, 3] = 0
    *_, read, told = trc(output(clip([0, 1, 4], lifter_joints3d=joints)), tmp_path)
    assert "5 frames at 30 a second, 2 of them without the person and left empty" in told
    empty = np.isnan(read).all(2)
    assert (np.isnan(read).any(2) == empty).all()
    assert empty[[2, 3]].all()
    assert np.argwhere(empty[[0, 1, 4]]).tolist() == [[1, 17]]


@pytest.mark.golden
def test_a_body_has_49_markers_where_the_camera_sees_them(moved, output, tmp_path):
    person = moved(5)
    seen = clip(range(5), lifter_joints3d=lifted(standing(5)), **person.columns)
    _, markers, _, read, _ = trc(output(seen), tmp_path)
    assert markers == list(JOINTS49)
    x, y, z = np.moveaxis(person.joints49, 2, 0)
    assert read == pytest.approx(np.stack([-z, -y, -x], axis=2), abs=1e-5)
