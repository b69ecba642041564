"""Tables of people are compared with the labels that are named as their videos."""

from __future__ import annotations

import pytest

from muybridge.errors import InputError
from muybridge.evaluate.motchallenge import read
from muybridge.evaluate.tracking_report import tracking

from .test_tracking import TRACKEVAL


def video(name: str, id: str = "a", analysed: int = 4) -> dict[str, object]:
    return {"video_id": id, "uri": f"/videos/{name}", "frames": 4, "frames_analysed": analysed}


def person(frame: int, track: int, left: float = 0, video: str = "a") -> dict[str, object]:
    box = {"left": left, "top": 0, "right": left + 10, "bottom": 20}
    return {"video_id": video, "frame": frame, "track_id": track, **box}


@pytest.fixture
def labels(tmp_path):
    """One person who stands still for four frames."""
    file = tmp_path / "walk.txt"
    file.write_text("".join(f"{frame},1,0,0,10,20,1,1,1\n" for frame in range(1, 5)))
    return file


def test_the_labels_frames_are_those_of_the_table_one_later(write_output, labels):
    out = write_output("out", videos=[video("walk.mp4")], people=[person(f, 7) for f in range(4)])
    report = tracking(out, labels)
    assert report["sequences"]["walk"]["HOTA"] == pytest.approx(1)
    assert report["all"] == report["sequences"]["walk"]
    heads, values, _ = (line.split() for line in report["text"].splitlines())
    assert heads[:3] == ["IDF1", "IDP", "IDR"]
    assert values == ["walk", *["100.0"] * 8, "0", "0", "0", "0", "4"]


def test_several_sequences_get_a_row_for_all(write_output, labels):
    labels.with_name("run.txt").write_text("1,1,0,0,10,20\n")
    people = [*(person(f, 7) for f in range(4)), person(0, 7, left=90, video="b")]
    videos = [video("walk.mp4"), video("run.mov", "b")]
    report = tracking(write_output("out", videos=videos, people=people), labels.parent)
    assert {name: each["misses"] for name, each in report["sequences"].items()} == {
        "walk": 0,
        "run": 1,
    }
    assert (report["all"]["misses"], report["all"]["labelled"]) == (1, 5)
    assert [line.split()[0] for line in report["text"].splitlines()[1:4]] == ["all", "run", "walk"]


def test_a_trackers_results_in_tables_measure_as_they_do_in_files(write_output, data):
    folder, people = data / "mot15_tud", []
    for name in TRACKEVAL.keys() - {"all"}:
        found = read(folder / "results" / f"{name}.txt").tracks
        rows = zip(found.frames.tolist(), found.ids.tolist(), found.boxes.tolist(), strict=True)
        for frame, track, box in rows:
            sides = dict(zip(("left", "top", "right", "bottom"), box, strict=True))
            people.append({"video_id": name, "frame": frame, "track_id": track, **sides})
    videos = [video(f"{name}.mp4", name) for name in TRACKEVAL.keys() - {"all"}]
    report = tracking(write_output("out", videos=videos, people=people), folder)
    for name, wanted in TRACKEVAL.items():
        got = {**report["sequences"], "all": report["all"]}[name]
        assert {key: got[key] for key in wanted} == pytest.approx(wanted, abs=1e-5)


def test_frames_that_were_not_looked_at_are_told(write_output, labels):
    out = write_output("out", videos=[video("walk.mp4", analysed=2)], people=[person(0, 7)])
    assert "walk: only 2 of 4 frames were looked at" in tracking(out, labels)["text"]


def test_labels_of_no_video_or_of_two_are_refused(write_output, labels):
    with pytest.raises(InputError, match="has labels of walk, but the videos are none"):
        tracking(write_output("none"), labels)
    with pytest.raises(InputError, match=r"but the videos are run; name the labels"):
        tracking(write_output("run", videos=[video("run.mp4")]), labels)
    two = [video("walk.mp4"), video("b/walk.mp4", "b")]
    with pytest.raises(InputError, match=r"labels of walk may be of /videos/b/walk.mp4, /videos/w"):
        tracking(write_output("two", videos=two), labels)
