"""Labels of boxes are read in the forms of MOTChallenge, and what is none is named."""

from __future__ import annotations

import pytest

from muybridge.errors import InputError
from muybridge.evaluate.motchallenge import read, sequences


def test_frames_count_from_0_and_boxes_get_their_corners(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("1,7,10,20,30,40,1,1,1\n\n3,8,0.5,0,1,1,1,-1,-1\n")
    labels = read(file)
    assert labels.tracks.frames.tolist() == [0, 2]
    assert labels.tracks.ids.tolist() == [7, 8]
    assert labels.tracks.boxes.tolist() == [[10, 20, 40, 60], [0.5, 0, 1.5, 1]]
    assert labels.counted.all()


def test_what_is_marked_or_no_pedestrian_does_not_count(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("1,1,0,0,9,9,0,1,1\n1,2,0,0,9,9,1,3,1\n1,3,0,0,9,9,1,8,1\n1,4,0,0,9,9,1,1,0\n")
    labels = read(file)
    assert labels.counted.tolist() == [False, False, False, True]
    assert labels.distractor.tolist() == [False, False, True, False]


def test_places_in_the_world_are_no_classes(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("1,1,0,0,9,9,1,3.5,8,0\n2,1,0,0,9,9\n")  # MOT15, and the least there can be
    assert read(file).counted.tolist() == [True, True]


def test_nobody_is_labelled_in_an_empty_file(tmp_path):
    (tmp_path / "a.txt").write_text("")
    assert read(tmp_path / "a.txt").tracks.boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("frame,id,left\n1,1,0,0,9,9\n", "line 1: frame,id,left"),
        ("1,1,0,0,nine,9\n", "line 1: 1,1,0,0,nine,9"),
        ("0,1,0,0,9,9\n", "line 1: 0,1,0,0,9,9"),
        ("1,1,0,0,9,9\n1,2,0,0,9,9\n1,1,5,5,9,9\n", "line 3: frame 1 has id 1 already in line 1"),
    ],
)
def test_lines_that_are_no_labels_are_named(text, said, tmp_path):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError, match="frame,id,left,top,width,height") as error:
        read(tmp_path / "a.txt")
    assert said in str(error.value)


def test_sequences_are_named_after_their_folder_or_file(tmp_path):
    (tmp_path / "walk" / "gt").mkdir(parents=True)
    for name in ("walk/gt/gt.txt", "run.txt"):
        (tmp_path / name).write_text("1,1,0,0,9,9\n")
    assert list(sequences(tmp_path)) == ["run", "walk"]
    assert list(sequences(tmp_path / "walk" / "gt" / "gt.txt")) == ["walk"]
    assert list(sequences(tmp_path / "run.txt")) == ["run"]


def test_a_folder_without_labels_and_one_with_two_of_a_name_are_refused(tmp_path):
    with pytest.raises(InputError, match="no labels there"):
        sequences(tmp_path)
    (tmp_path / "walk" / "gt").mkdir(parents=True)
    for name in ("walk/gt/gt.txt", "walk.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(InputError, match="more than one file for walk"):
        sequences(tmp_path)
