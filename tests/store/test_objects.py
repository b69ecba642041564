"""A folder and a bucket keep objects alike."""

from __future__ import annotations

import os
import pickle
import threading
import urllib.request

import pytest

from muybridge.errors import InputError
from muybridge.store.objects import ASIDE, Objects, at


@pytest.fixture(params=["folder", "bucket"])
def objects(request, tmp_path, monkeypatch) -> Objects:
    if request.param == "folder":
        return at(str(tmp_path / "out"))
    endpoint, bucket = request.getfixturevalue("s3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return at(f"s3://{bucket}/some/where")


def test_what_is_written_is_read(objects):
    objects.write("a/b.bin", b"\0one")
    objects.write("a/b.bin", b"two")
    assert objects.read("a/b.bin") == b"two"
    assert objects.exists("a/b.bin")
    assert objects.stat("a/b.bin").size == 3


def test_what_is_missing_is_not_found(objects):
    assert not objects.exists("a")
    assert list(objects.list("a/")) == []
    for ask in (objects.read, objects.fetch, objects.stat):
        with pytest.raises(FileNotFoundError):
            ask("a")


def test_only_the_first_creates(objects):
    assert objects.create("a", b"first")
    assert not objects.create("a", b"second")
    assert objects.read("a") == b"first"


def test_only_who_has_seen_the_last_version_replaces(objects):
    objects.write("a", b"1")
    _, tag = objects.fetch("a")
    assert objects.replace("a", b"2", tag)
    assert not objects.replace("a", b"3", tag)
    assert not objects.replace("b", b"3", tag)
    assert objects.fetch("a") == (b"2", objects.stat("a").tag)


def test_listing_gives_all_below_a_prefix_with_sizes(objects):
    assert list(objects.list()) == []
    for key in ("a/1", "a/b/2", "ab/3"):
        objects.write(key, key.encode())
    assert {(e.key, e.size) for e in objects.list("a/")} == {("a/1", 3), ("a/b/2", 5)}
    assert {e.key for e in objects.list()} == {"a/1", "a/b/2", "ab/3"}


def test_a_bucket_of_more_than_one_page_is_listed_and_emptied(s3):
    objects = at(f"s3://{s3[1]}", s3[0])
    for number in range(1003):
        objects.write(f"a/{number}", b"")
    keys = [entry.key for entry in objects.list("a/")]
    assert len(set(keys)) == 1003
    objects.delete(keys)
    assert list(objects.list("a/")) == []


def test_a_move_leaves_nothing_behind_and_goes_over_what_is_there(objects):
    objects.write("a", b"new")
    objects.write("b/c", b"old")
    objects.move("a", "b/c")
    assert objects.read("b/c") == b"new"
    assert not objects.exists("a")


def test_deleting_twice_does_not_matter(objects):
    objects.write("a", b"")
    objects.delete(["a", "never"])
    objects.delete(["a"])
    objects.delete([])
    assert not objects.exists("a")


def test_objects_travel_to_other_processes(objects):
    objects.write("a", b"1")
    assert pickle.loads(pickle.dumps(objects)).read("a") == b"1"


def test_of_many_that_replace_at_once_one_wins(tmp_path):
    objects = at(str(tmp_path))
    objects.write("a", b"")
    tag = objects.stat("a").tag
    won = []
    threads = [
        threading.Thread(target=lambda n=n: won.append(objects.replace("a", b"%d" % n, tag)))
        for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 15 + [True]


def test_a_file_appears_whole_and_is_written_where_nobody_looks(tmp_path, monkeypatch):
    objects = at(str(tmp_path))
    seen = []
    real = os.replace
    monkeypatch.setattr(
        os, "replace", lambda a, b: (seen.append([e.key for e in objects.list()]), real(a, b))
    )
    objects.write("people/0.parquet", b"data")
    ((aside,),) = seen
    assert aside.startswith(ASIDE)
    assert [e.key for e in objects.list()] == ["people/0.parquet"]


def test_a_bucket_s_object_is_read_by_its_url_without_credentials(s3, monkeypatch):
    objects = at(f"s3://{s3[1]}/videos", s3[0])
    objects.write("ä b.mp4", b"video")
    assert urllib.request.urlopen(objects.url("ä b.mp4")).read() == b"video"


def test_a_bucket_that_does_not_exist_is_named(s3):
    with pytest.raises(InputError, match="s3://nowhere"):
        list(at("s3://nowhere/a", s3[0]).list())
