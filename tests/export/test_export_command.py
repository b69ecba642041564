"""What one types to export, and what one reads."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.geometry.skeletons import BODY18

from .biovision import read
from .conftest import clip, flat, lifted, muybridge, standing

FORMATS = ("bvh", "npz", "trc", "json", "csv")


def person(frames=range(4), number=0, video="v", **columns):
    """Somebody whose joints are seen in the picture and lifted."""
    count = len(frames)
    made = {"blazepose_joints": flat(count), "lifter_joints3d": lifted(standing(count))}
    return clip(frames, number, video, **{**made, **columns})


@pytest.fixture
def crowd(output):
    """Two videos, with two people and one in them."""
    return output(
        person(),
        person(range(5, 9), number=3),
        person(video="w"),
        v={},
        w={"uri": "s3://films/run.mp4"},
    )


def test_every_person_of_every_video_has_a_file(crowd, tmp_path):
    code, said = muybridge("export", crowd, "--format", "trc", "-o", tmp_path / "new" / "files")
    assert code == 0
    names = ["walk_track0.trc", "walk_track3.trc", "run_track0.trc"]
    assert sorted(path.name for path in (tmp_path / "new" / "files").iterdir()) == sorted(names)
    for line, name in zip(said.splitlines(), names, strict=True):
        assert line.startswith("trc: ")
        assert f"{name} (by lifter, 4 frames at 30 a second" in line


@pytest.mark.parametrize("form", ["bvh", "trc", "json", "csv"])
def test_one_person_is_written_here_or_to_the_file_that_is_named(
    form, crowd, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    who = ("export", crowd, "--format", form, "--video", "walk.mkv", "--track", 3)
    assert muybridge(*who)[0] == 0
    assert muybridge(*who, "--output", f"deep/down.{form}")[0] == 0
    first, second = (tmp_path / name for name in (f"walk_track3.{form}", f"deep/down.{form}"))
    same = [path.read_text().replace(path.name, "") for path in (first, second)]
    assert same[0] == same[1]


def test_a_file_for_several_people_is_refused_and_they_are_listed(crowd, tmp_path):
    code, said = muybridge("export", crowd, "--format", "bvh", "-o", tmp_path / "one.bvh")
    assert code == 2
    assert "a file holds one person, and 3 are meant" in said
    assert "/videos/walk.mkv, track 3 by lifter: seen in 4 of the frames 5 to 8" in said
    assert not (tmp_path / "one.bvh").exists()


REFUSED = {
    "track": (["--track", "9"], "nobody fits --track 9; there are", "walk.mkv, track 3 by lifter"),
    "system": (["--system", "openpose"], "nobody fits --system openpose", "track 0 by lifter"),
    "video": (["--video", "swim.mkv"], "swim.mkv: not in the output", "s3://films/run.mp4"),
    "name": (["-o", "one.csv"], "one.csv is named as csv, and bvh was asked for", "name it .bvh"),
    "ending": (["-o", "new/v1.2"], "named as 2, and bvh was asked for", "or a folder"),
    "place": (["-o", "taken/new"], "taken/new/walk_track0.bvh: cannot be written", "--output"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_there_is_said_with_what_there_is(what, crowd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file, where a folder is wanted")
    options, *parts = REFUSED[what]
    code, said = muybridge("export", crowd, "--format", "bvh", *options)
    assert code == 2
    assert all(part in said for part in parts), said


def test_npz_without_bodies_says_which_graph_sees_them(crowd):
    code, said = muybridge("export", crowd, "--format", "npz")
    assert code == 2
    assert "made of bodies, where the output holds nobody" in said
    assert "--graph vibe" in said


@pytest.mark.parametrize("form", FORMATS)
def test_an_output_without_people_or_videos_says_so(form, output):
    code, said = muybridge("export", output(clip([])), "--format", form)
    assert code == 2
    assert "the output holds nobody" in said


def test_an_output_without_videos_says_so(output, tmp_path):
    out = output(gone={})
    for part in (tmp_path / "out" / "videos").iterdir():
        part.unlink()
    code, said = muybridge("export", out, "--format", "csv")
    assert code == 2
    assert "holds no video; add one with: muybridge index" in said


def test_somebody_who_cannot_be_written_is_told_and_costs_nobody_else(output, tmp_path):
    hipless = lifted(standing(4))
    hipless[:, BODY18.index("mid_hip", "left_hip"), 3] = 0
    out = output(person(), person(number=1, lifter_joints3d=hipless))
    code, said = muybridge("export", out, "--format", "bvh", "-o", tmp_path)
    assert code == 0
    assert f"left out: {tmp_path}/walk_track1.bvh (bones begin at the hips" in said
    assert (tmp_path / "walk_track0.bvh").exists()
    assert not (tmp_path / "walk_track1.bvh").exists()
    code, said = muybridge("export", out, "--format", "bvh", "-o", tmp_path, "--track", 1)
    assert code == 2
    assert "nothing could be written" in said


def test_videos_of_the_same_name_are_told_apart(output, tmp_path):
    out = output(person(), person(video="w"), v={}, w={"uri": "/other/walk.mp4"})
    assert muybridge("export", out, "--format", "csv", "-o", tmp_path)[0] == 0
    made = sorted(path.name for path in tmp_path.glob("*.csv"))
    assert made == ["walk_v_track0.csv", "walk_w_track0.csv"]


def test_a_folder_may_have_a_dot_in_its_name_if_it_is_there(output, tmp_path):
    folder = tmp_path / "v1.2"
    folder.mkdir()
    assert muybridge("export", output(person()), "--format", "csv", "-o", folder)[0] == 0
    assert [path.name for path in folder.iterdir()] == ["walk_track0.csv"]


@pytest.mark.parametrize("form", ["bvh", "trc"])
def test_it_is_told_that_lifted_joints_stay_in_place_and_how_long_gaps_are(form, output, tmp_path):
    out = output(person([0, 1, 3, 7, 8]))
    said = muybridge("export", out, "--format", form, "-o", tmp_path)[1]
    assert "4 of them without the person and" in said
    assert "at most 3 in a row" in said
    assert "the hips stay in place" in said


def test_frames_that_were_looked_at_now_and_then_follow_at_that_rate(output, tmp_path):
    out = output(person([0, 3, 6, 12]), fps=10.0)
    path = tmp_path / "one.bvh"
    code, said = muybridge("export", out, "--format", "bvh", "-o", path)
    assert code == 0
    assert "5 frames at 10 a second, 1 of them without the person" in said
    made = read(path)
    assert (len(made.values), made.frame_time) == (5, 0.1)


def test_frames_at_uneven_times_are_laid_out_at_a_constant_rate(output, tmp_path):
    places = standing(4) + np.arange(4)[:, None, None]
    joints = {"lifter_joints3d": lifted(places), "times": np.array([2.0, 2.04, 2.16, 2.2])}
    out = output(person(**joints), v={"start_s": 2.0, "fps": 20.0})
    path = tmp_path / "one.trc"
    code, said = muybridge("export", out, "--format", "trc", "-o", path)
    assert code == 0
    assert "5 frames at 20 a second, 1 of them without the person" in said
    rows = [line.split("\t") for line in path.read_text().splitlines()[6:]]
    assert [row[1] for row in rows] == ["2.000000", "2.050000", "2.100000", "2.150000", "2.200000"]
    assert [row[3] for row in rows] == ["0.000000", "-1.000000", "", "-2.000000", "-3.000000"]


@pytest.mark.golden
def test_bones_of_a_body_that_is_not_here_say_how_to_get_it(moved, output, tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    out = output(person(**moved(4).columns))
    who = ("export", out, "--format", "bvh", "-o", tmp_path)
    code, said = muybridge(*who)
    assert code == 2
    assert "bones need the body: smpl_neutral" in said
    assert "https://smpl" in said
    assert "or export joints without a body: --system lifter" in said
    code, said = muybridge(*who, "--system", "lifter")
    assert code == 0
    assert "by lifter" in said


@pytest.mark.golden
def test_bones_of_a_body_are_made_with_the_body_that_is_given(moved, output, folder, tmp_path):
    seen = person(**moved(4).columns), person(number=1, **moved(4).columns)
    who = ("export", output(*seen), "--format", "bvh", "-o", tmp_path, "--weights")
    said = muybridge(*who, folder)[1]
    assert said.count("by vibe, 4 frames") == 2
    assert "in place" not in said
    assert "by vibe, 4 frames" in muybridge(*who, folder / "SMPL_NEUTRAL.pkl", "--track", 1)[1]
