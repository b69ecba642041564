"""What planning makes of a video that cannot be read, for a moment or for good."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from muybridge.run import planning
from muybridge.store.inputs import Input, fingerprint, inputs, video_id
from muybridge.store.plan import PlannedVideo
from muybridge.video.process import Decoder


@pytest.fixture
def video(awkward_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(awkward_folder / "h264_bframes.mp4", tmp_path / "a.mp4"))


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    with Decoder(timeout_s=3) as made:
        yield made


def listed(path: Path) -> Input:
    (item,) = inputs([str(path)])
    return item


def probed(decoder: Decoder, item: Input) -> PlannedVideo:
    return planning.probe(decoder, item, None, None)


def test_a_probe_killed_once_is_done_again(decoder, video):
    decoder.probe(str(video))  # start a child
    child = decoder._idle[0]._process.pid
    os.kill(child, signal.SIGSTOP)
    threading.Timer(0.3, lambda: os.kill(child, signal.SIGKILL)).start()
    planned = probed(decoder, listed(video))
    assert (planned.error, len(planned.clips), planned.key) == ("", 1, planned.video_id)


def test_a_probe_that_hangs_once_is_done_again(decoder, video):
    decoder.probe(str(video))
    os.kill(decoder._idle[0]._process.pid, signal.SIGSTOP)
    assert probed(decoder, listed(video)).error == ""


def test_a_file_that_is_away_for_a_moment_is_found(decoder, video):
    item, away = listed(video), video.with_name("away")
    video.rename(away)
    threading.Timer(0.3, lambda: away.rename(video)).start()
    planned = probed(decoder, item)
    assert (planned.error, planned.input) == ("", item)


def test_a_file_that_stays_away_is_a_transient_error(decoder, video):
    item = listed(video)
    video.unlink()
    planned = probed(decoder, item)
    assert (planned.error_kind, planned.errors, planned.clips) == ("missing", "missing", ())
    assert planned.key == f"{planned.video_id}:missing"
    assert "No such file" in planned.error


@pytest.mark.parametrize(
    ("content", "kind", "sentence"),
    [(b"", "unreadable", "zero bytes"), (b"hello", "unreadable", "not a video")],
)
def test_what_is_no_video_is_a_permanent_error_at_once(decoder, video, content, kind, sentence):
    video.write_bytes(content)
    began = time.monotonic()
    planned = probed(decoder, listed(video))
    assert (planned.error_kind, planned.clips) == (kind, ())
    assert sentence in planned.error
    assert time.monotonic() - began < 2


def test_a_folder_named_like_a_video_is_a_permanent_error(decoder, tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    planned = probed(decoder, Input(str(tmp_path / "folder.mp4"), 0, "directory"))
    assert planned.error_kind == "unreadable"


def test_a_file_replaced_after_it_was_listed_is_planned_as_what_it_is(
    decoder, video, awkward_folder
):
    item = listed(video)
    before = video_id(item.uri, fingerprint(item))
    shutil.copy(awkward_folder / "tiny.mp4", video)
    planned = probed(decoder, item)
    now = listed(video)
    assert planned.input == now
    assert planned.video_id == video_id(now.uri, fingerprint(now)) != before
    assert planned.info["width"] == 64
    assert (planned.clips[0]["size"], planned.clips[0]["tag"]) == now[1:]


def test_decord_reads_only_what_it_is_known_to_be_right_on(decoder, video, awkward_folder):
    def readers(path: Path) -> set[str]:
        made = planning.probe(decoder, listed(path), None, None, "decord")
        return {clip["decoder"] for clip in made.clips}

    assert readers(video) == {"decord"}
    assert readers(awkward_folder / "mpeg4_bframes.avi") == {"pyav"}
    assert {clip["decoder"] for clip in probed(decoder, listed(video)).clips} == {"pyav"}


@pytest.mark.parametrize(
    ("uri", "tag", "kind", "waited"),
    [
        ("s3://b/a.mp4", "etag", "unavailable", True),
        ("s3://b/a.mp4", "etag", "denied", True),
        ("s3://b/a.mp4", "etag", "missing", True),
        ("s3://b/a.mp4", "missing", "missing", False),
        ("http://h/a.mp4", "", "unavailable", True),
        ("http://h/a.mp4", "", "missing", False),
        ("http://h/a.mp4", "", "denied", False),
        ("/a.mp4", "1", "missing", True),
        ("/a.mp4", "missing", "missing", False),
        ("/a.mp4", "1", "denied", False),
        ("/a.mp4", "1", "timeout", False),
        ("/a.mp4", "1", "unreadable", False),
        ("/a.mp4", "1", "", False),
    ],
)
def test_a_run_waits_for_outages_and_not_for_dead_links(uri, tag, kind, waited):
    item = Input(uri, 1, tag)
    video = PlannedVideo(item, "v", error_kind=kind, error=kind and "x")
    assert planning._outage(item, video) is waited


def test_what_might_be_read_without_end_is_not_read(decoder, tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    items = inputs([str(tmp_path)])
    assert [item.tag for item in items] == ["special", "special"]
    for item in items:
        planned = probed(decoder, item)
        assert (planned.error_kind, planned.errors) == ("unreadable", "unreadable")
        assert "is not a regular file" in planned.error
