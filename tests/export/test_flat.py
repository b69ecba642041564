"""CSV: a line a joint of a system in a frame."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from muybridge.export.write import export
from muybridge.geometry.skeletons import BLAZEPOSE33, BODY18
from muybridge.geometry.smpl import JOINTS49

from .conftest import clip, flat, lifted, standing


def table(out: str, tmp_path: Path, **who) -> list[dict[str, str]]:
    (_,) = export(out, "csv", output=tmp_path / "one.csv", **who)
    with (tmp_path / "one.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def blazepose(count: int) -> np.ndarray:
    at = np.arange(33) / 100
    one = np.stack([at, -at, 2 * at, np.full(33, 0.5)], axis=1)
    return np.tile(one, (count, 1, 1))


def test_a_line_has_a_joint_in_the_picture_and_in_space(output, tmp_path):
    seen = clip([3, 6], blazepose_joints=flat(2), blazepose_joints3d=blazepose(2))
    lines = table(output(seen), tmp_path)
    assert len(lines) == 2 * 33
    assert [line["joint"] for line in lines[:33]] == list(BLAZEPOSE33.joints)
    assert lines[34] == {
        **{"frame": "6", "time_s": "0.2", "system": "blazepose", "joint": "left_eye_inner"},
        **{"x_px": "115.5", "y_px": "70.25", "score_px": "0.51"},
        **{"x_m": "0.01", "y_m": "-0.01", "z_m": "0.02", "score_m": "0.5"},
    }


def test_systems_follow_each_other_and_one_can_be_asked_for(output, tmp_path):
    seen = clip([0, 1], blazepose_joints=flat(2), lifter_joints3d=lifted(standing(2)))
    out = output(seen)
    lines = table(out, tmp_path)
    assert [line["system"] for line in lines] == ["blazepose"] * 66 + ["lifter"] * 36
    assert {line["x_m"] for line in lines[:66]} == {""}
    assert {line["x_px"] for line in lines[66:]} == {""}
    alone = table(out, tmp_path, system="lifter")
    assert alone == lines[66:]
    assert [line["joint"] for line in alone[:18]] == list(BODY18.joints)


def test_what_was_not_found_is_empty_and_its_score_stays(output, tmp_path):
    flats, spaces = flat(1), blazepose(1)
    flats[0, 0, 2] = spaces[0, 1, 3] = 0
    lines = table(output(clip([0], blazepose_joints=flats, blazepose_joints3d=spaces)), tmp_path)
    assert [lines[0][name] for name in ("x_px", "y_px", "score_px", "x_m")] == ["", "", "0", "0"]
    assert [lines[1][name] for name in ("x_px", "x_m", "z_m", "score_m")] == ["115.5", "", "", "0"]


@pytest.mark.golden
def test_a_body_is_where_the_camera_sees_it(moved, output, tmp_path):
    person = moved(2)
    lines = table(output(clip([0, 1], **person.columns)), tmp_path)
    assert [line["joint"] for line in lines[:49]] == list(JOINTS49)
    read = [[float(line[axis]) for axis in ("x_m", "y_m", "z_m")] for line in lines[49:]]
    assert read == pytest.approx(person.joints49[1], abs=1e-4)
    assert {line["score_m"] for line in lines} == {""}
