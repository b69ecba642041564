"""What the user names becomes a list of videos."""

from __future__ import annotations

import os
import urllib.request

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from muybridge.errors import InputError
from muybridge.store.inputs import Input, fingerprint, inputs, locate, video_id
from muybridge.store.objects import at


@pytest.fixture
def folder(tmp_path):
    for name in ("b.mp4", "a.MOV", "deep/er/c.webm", "p.jpg", "notes.txt", ".hidden.mp4"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return tmp_path


def names(found, folder):
    return [os.path.relpath(item.uri, folder) for item in found]


def test_a_folder_gives_all_that_is_named_like_a_video_or_picture_sorted(folder):
    assert names(inputs([str(folder)]), folder) == ["a.MOV", "b.mp4", "deep/er/c.webm", "p.jpg"]


def test_an_empty_folder_gives_nothing(tmp_path):
    assert inputs([str(tmp_path)]) == []


def test_nothing_asked_for_gives_nothing():
    assert inputs([]) == []


def test_a_file_asked_for_by_name_is_taken_whatever_its_name(folder):
    (item,) = inputs([str(folder / "notes.txt")])
    assert item == Input(
        str(folder / "notes.txt"), 9, str((folder / "notes.txt").stat().st_mtime_ns)
    )


def test_a_pattern_gives_what_it_matches_and_each_video_once(folder):
    assert names(inputs([f"{folder}/*.mp4", f"{folder}/b*"]), folder) == ["b.mp4"]
    assert names(inputs([f"{folder}/**/*.webm"]), folder) == ["deep/er/c.webm"]


def test_a_relative_path_is_the_same_video_as_its_absolute_one(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert inputs(["b.mp4"]) == inputs([str(folder / "b.mp4")])


def test_all_that_does_not_exist_is_named_at_once(folder):
    with pytest.raises(InputError) as told:
        inputs([str(folder), f"{folder}/x.mp4", f"{folder}/*.avi"])
    assert f"{folder}/x.mp4" in str(told.value)
    assert f"{folder}/*.avi" in str(told.value)


def test_a_folder_named_like_a_video_is_an_input_that_cannot_be_a_video(folder):
    (folder / "deep/x.mp4").mkdir()
    (item,) = [item for item in inputs([str(folder)]) if item.uri.endswith("x.mp4")]
    assert item.tag == "directory"
    assert fingerprint(item) == "0-directory"


def test_a_link_in_a_circle_ends(folder):
    (folder / "deep/round").symlink_to(folder)
    assert len(inputs([str(folder)])) == 4


def test_a_link_to_nowhere_is_an_input_that_is_missing(folder):
    (folder / "gone.mp4").symlink_to(folder / "nowhere")
    assert [i.tag for i in inputs([str(folder)]) if i.uri.endswith("gone.mp4")] == ["missing"]


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl", "list.parquet"])
def test_a_manifest_names_videos_relative_to_itself(folder, name):
    file = folder / name
    if name.endswith(".csv"):
        file.write_text("id,uri\n1,b.mp4\n2,not/there.mp4\n")
    elif name.endswith(".jsonl"):
        file.write_text('{"uri": "b.mp4"}\n\n{"uri": "not/there.mp4"}\n')
    else:
        pq.write_table(pa.table({"uri": ["b.mp4", "not/there.mp4"]}), file)
    found = inputs([str(file)])
    assert names(found, folder) == ["b.mp4", "not/there.mp4"]
    assert found[1].tag == "missing"


def test_a_manifest_without_uris_is_refused(folder):
    (folder / "list.csv").write_text("name\nb.mp4\n")
    with pytest.raises(InputError, match="needs a column `uri`"):
        inputs([str(folder / "list.csv")])


def test_a_bucket_is_listed_by_prefix_name_and_pattern(s3):
    endpoint, bucket = s3
    objects = at(f"s3://{bucket}", endpoint)
    for key in ("videos/a.mp4", "videos/deep/b.mkv", "videos/c.txt", "other/d.mp4"):
        objects.write(key, key.encode())

    def found(uri):
        return [i.uri.removeprefix(f"s3://{bucket}/") for i in inputs([uri], endpoint)]

    assert found(f"s3://{bucket}/videos") == ["videos/a.mp4", "videos/deep/b.mkv"]
    assert found(f"s3://{bucket}") == ["other/d.mp4", "videos/a.mp4", "videos/deep/b.mkv"]
    assert found(f"s3://{bucket}/videos/c.txt") == ["videos/c.txt"]
    assert found(f"s3://{bucket}/*/*.mp4") == ["other/d.mp4", "videos/a.mp4"]
    with pytest.raises(InputError, match="none"):
        found(f"s3://{bucket}/none")


def test_a_video_in_a_bucket_is_opened_by_url_and_others_as_they_are(s3):
    endpoint, bucket = s3
    at(f"s3://{bucket}", endpoint).write("videos/a.mp4", b"video")
    url = locate(f"s3://{bucket}/videos/a.mp4", endpoint)
    assert urllib.request.urlopen(url).read() == b"video"
    assert locate("/a/b.mp4") == "/a/b.mp4"
    assert locate("https://host/b.mp4") == "https://host/b.mp4"


def test_a_fingerprint_follows_what_a_file_holds_not_when_it_was_written(folder):
    (before,) = inputs([str(folder / "b.mp4")])
    os.utime(folder / "b.mp4", (1, 1))
    held = fingerprint(before)
    (touched,) = inputs([str(folder / "b.mp4")])
    assert touched != before
    assert fingerprint(touched) == held
    (folder / "b.mp4").write_bytes(b"B.mp4")
    (changed,) = inputs([str(folder / "b.mp4")])
    assert fingerprint(changed) != held


def test_a_file_that_cannot_be_read_still_has_a_fingerprint(tmp_path):
    assert fingerprint(Input(str(tmp_path / "x.mp4"), 3, "1")) == "unreadable-2"


def test_a_video_is_named_by_place_and_content():
    assert video_id("/a.mp4", "1") == video_id("/a.mp4", "1")
    assert len({video_id(uri, held) for uri in ("/a", "/b") for held in ("1", "2")}) == 4
