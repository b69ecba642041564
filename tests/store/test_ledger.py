"""A run may die anywhere: what readers see is whole, and the next run makes the same bytes."""

from __future__ import annotations

import itertools
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from muybridge import retry
from muybridge.errors import LockedError, OutputError, StoreError
from muybridge.store import ledger, lock, tables
from muybridge.store.inputs import Input
from muybridge.store.ledger import Ledger
from muybridge.store.objects import PRIVATE, Objects, at
from muybridge.store.plan import Plan

LIFE = Path(__file__).with_name("life.py")
life = runpy.run_path(str(LIFE), run_name="life")
live: Callable[[str, str, str], list[str]] = life["live"]
IDENTITY = {"graph": "two frames a clip"}


def die(root: str, endpoint: str, version: str, at_change: int) -> bool:
    """Run in a process that kills itself at a change of the store; say whether it came that far."""
    arguments = [root, endpoint, version, str(at_change)]
    run = subprocess.run([sys.executable, str(LIFE), *arguments], capture_output=True, text=True)
    assert run.returncode in (0, -signal.SIGKILL), run.stderr
    return run.returncode != 0


def public(objects: Objects) -> dict[str, bytes]:
    """Read everything that a plain reader would find."""
    keys = [entry.key for entry in objects.list()]
    return {key: objects.read(key) for key in keys if not key.startswith(PRIVATE)}


def left_over(objects: Objects) -> list[str]:
    folders = ("staging/", "prepared/", "attempts/", "tmp/")
    return [e.key for folder in folders for e in objects.list(PRIVATE + folder)]


def committed(objects: Objects) -> set[str]:
    """Name the videos that a record speaks for."""
    return {name for record in Ledger(objects).records().values() for name in record["videos"]}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """The tables of a run left alone, by what the second video holds."""
    found = {}
    root = str(tmp_path_factory.mktemp("undisturbed") / "out")
    for version in ("1", "2"):
        live(root, "", version)
        found[version] = public(at(root))
    return found


def kill_and_finish(
    root: str, endpoint: str, versions: tuple[str, str], change: int, whole: Any
) -> bool:
    """Kill a run at one change, look at what a reader sees, let the next run finish; look again."""
    objects = at(root, endpoint or None)
    before = public(objects)
    died = die(root, endpoint, versions[1], change)
    seen = public(objects)
    names = committed(objects)
    if names and names == set(whole_videos(whole[versions[1]])):
        old, new = before, whole[versions[1]]
        assert all(data in (old.get(key), new[key]) for key, data in seen.items())
    else:
        assert seen == before, "a part of an uncommitted shard is visible"
    live(root, endpoint, versions[1])
    assert public(objects) == whole[versions[1]]
    assert left_over(objects) == []
    return died


def whole_videos(parts: dict[str, bytes]) -> list[str]:
    import io

    return pq.read_table(io.BytesIO(parts["videos/000000.parquet"]))["video_id"].to_pylist()


@pytest.mark.parametrize("versions", [("", "1"), ("1", "2")], ids=["new", "changed"])
def test_a_run_killed_at_any_change_of_a_folder_ends_as_one_left_alone(
    tmp_path, undisturbed, versions
):
    for change in itertools.count(4, 9):
        root = str(tmp_path / f"out{change}")
        if versions[0]:
            live(root, "", versions[0])
        if not kill_and_finish(root, "", versions, change, undisturbed):
            break
    assert change > 60


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("versions", [("", "1"), ("1", "2")], ids=["new", "changed"])
def test_a_run_killed_at_each_single_change_of_a_folder_ends_as_one_left_alone(
    tmp_path, undisturbed, versions
):
    for change in itertools.count(1):
        root = str(tmp_path / f"out{change}")
        if versions[0]:
            live(root, "", versions[0])
        if not kill_and_finish(root, "", versions, change, undisturbed):
            break


@pytest.mark.parametrize("versions", [("", "1"), ("1", "2")], ids=["new", "changed"])
def test_a_run_killed_at_any_change_of_a_bucket_ends_as_one_left_alone(s3, undisturbed, versions):
    endpoint, bucket = s3
    for change in itertools.count(2, 5):
        root = f"s3://{bucket}/out{change}"
        if versions[0]:
            live(root, endpoint, versions[0])
        if not kill_and_finish(root, endpoint, versions, change, undisturbed):
            break
    assert change > 30


def test_a_run_killed_again_and_again_gets_to_the_end(tmp_path, undisturbed):
    root = str(tmp_path)
    kills = list(itertools.takewhile(lambda at: die(root, "", "1", at), range(20, 900, 25)))
    assert len(kills) >= 3
    assert public(at(root)) == undisturbed["1"]


@pytest.fixture
def finished(tmp_path) -> Iterator[str]:
    live(str(tmp_path), "", "1")
    return str(tmp_path)


def test_a_finished_run_has_nothing_to_do(finished):
    assert live(finished, "", "1") == []


def test_only_the_changed_video_is_worked_on_again(finished):
    worked = live(finished, "", "2")
    assert worked == [f"{life['video_id']('/b.mp4', '2')}-{number}" for number in (0, 1)]


def test_a_changed_video_replaces_its_old_rows_and_leaves_the_others(finished):
    old = pq.read_table(f"{finished}/people").to_pylist()
    live(finished, "", "2")
    new = pq.read_table(f"{finished}/people").to_pylist()
    gone, came = life["video_id"]("/b.mp4", "1"), life["video_id"]("/b.mp4", "2")
    assert {row["video_id"] for row in old} - {row["video_id"] for row in new} == {gone}
    assert {row["video_id"] for row in new} - {row["video_id"] for row in old} == {came}
    assert [r for r in new if r["video_id"] != came] == [r for r in old if r["video_id"] != gone]


def test_an_added_video_leaves_the_parts_that_are_there_untouched(finished):
    objects = at(finished)
    before = public(objects)
    plan, book = Plan(objects), ledger.start(objects, IDENTITY)
    (shard,) = plan.add([life["planned"](Input("/d.mp4", 1, "1"))])
    clips = plan.load(shard)[0].clips
    book.commit(shard, tables.joined(tables.rows(life["analysed"](clip)) for clip in clips))
    assert {key: public(objects)[key] for key in before} == before
    assert shard == "000001"
    assert book.pending(plan.shards()) == {}


def test_a_shard_with_nobody_and_no_readable_video_still_has_every_part(tmp_path):
    objects = at(str(tmp_path))
    plan, book = Plan(objects), ledger.start(objects, IDENTITY)
    bad = life["PlannedVideo"](Input("/x.mp4", 0, "1"), "x", error_kind="empty", error="no frame")
    row = {"video_id": "x", "uri": "/x.mp4", "stage": "probe", "kind": "empty"}
    book.commit(plan.add([bad])[0], tables.joined([{"errors": tables.table("errors", [row])}]))
    assert sorted(public(objects)) == sorted(f"{name}/000000.parquet" for name in tables.SCHEMAS)
    (row,) = pq.read_table(f"{tmp_path}/errors").to_pylist()
    assert (row["uri"], row["stage"], row["kind"]) == ("/x.mp4", "probe", "empty")


def test_rows_of_videos_that_were_not_to_be_done_are_refused(finished):
    objects = at(finished)
    plan = Plan(objects)
    (video, *_) = plan.load("000000")
    rows = tables.rows(life["analysed"](video.clips[0]))
    with pytest.raises(OutputError, match=video.video_id):
        Ledger(objects).commit("000000", rows)


def test_another_graph_is_refused_with_what_differs(tmp_path):
    objects = at(str(tmp_path))
    ledger.start(objects, {"graph": {"stages": ["people"], "threshold": 0.5}, "weights": "abc"})
    ledger.start(objects, {"graph": {"stages": ["people"], "threshold": 0.5}, "weights": "abc"})
    with pytest.raises(OutputError) as told:
        ledger.start(objects, {"graph": {"stages": ["people"], "threshold": 0.6}, "fps": 5})
    assert "graph.threshold: made with 0.5, now 0.6" in str(told.value)
    assert 'weights: made with "abc", now null' in str(told.value)
    assert "fps: made with null, now 5" in str(told.value)
    assert "stages" not in str(told.value)


def test_another_schema_version_is_refused(tmp_path, monkeypatch):
    ledger.start(at(str(tmp_path)), IDENTITY)
    before = tables.VERSION
    monkeypatch.setattr(tables, "VERSION", "99")
    with pytest.raises(OutputError, match=f'schema: made with "{before}", now "99"'):
        ledger.start(at(str(tmp_path)), IDENTITY)


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="not made by muybridge"):
        ledger.start(at(str(tmp_path)), IDENTITY)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_attempts_are_counted_within_one_run_until_the_clip_is_staged(tmp_path):
    book = ledger.start(at(str(tmp_path)), IDENTITY)
    assert [book.attempt("0", "clip", "first") for _ in range(3)] == [1, 2, 3]
    assert book.attempt("0", "clip", "second") == 1
    book.stage("0", "clip", tables.joined([]))
    assert book.attempt("0", "clip", "second") == 1
    assert book.staged("0") == {"clip"}


def test_staged_rows_come_back_as_they_were(tmp_path):
    book = ledger.start(at(str(tmp_path)), IDENTITY)
    made = tables.rows(life["analysed"](life["clip"]("v", 0)))
    book.stage("0", "v-0", made)
    assert book.load_staged("0", "v-0") == made


def test_a_second_run_on_the_same_output_stops_at_once(finished):
    with lock.held(at(finished)), pytest.raises(LockedError, match="another run holds it"):
        live(finished, "", "1")


def stopped_commit(
    book: Ledger, shard: str, made: Any, before: Callable[[str], bool], monkeypatch: Any
) -> tuple[threading.Thread, threading.Event, list[BaseException]]:
    """Begin a commit in a thread that stops before it writes a key, until the event is set."""
    stopped, go, ended = threading.Event(), threading.Event(), list[BaseException]()
    real = type(book.objects).write

    def write(self: Objects, key: str, data: bytes) -> None:
        if threading.current_thread().name == "overtaken" and before(key):
            stopped.set()
            assert go.wait(30)
        real(self, key, data)

    def commit() -> None:
        try:
            book.commit(shard, made)
        except LockedError as error:
            ended.append(error)

    monkeypatch.setattr(type(book.objects), "write", write)
    thread = threading.Thread(target=commit, name="overtaken")
    thread.start()
    assert stopped.wait(30)
    return thread, go, ended


def ready_to_commit(root: str) -> tuple[Ledger, str, Callable[[Ledger], Any], dict[str, Any]]:
    """Stage all clips of three videos: the ledger, the shard, its rows, the plan's shards."""
    objects = at(root)
    book, plan = ledger.start(objects, IDENTITY), Plan(objects)
    (shard,) = plan.add([life["planned"](Input(f"/{name}.mp4", 1, "1")) for name in "abc"])
    videos = plan.load(shard)
    for video in videos:
        for clip in video.clips:
            book.stage(shard, clip["clip_id"], tables.rows(life["analysed"](clip)))

    def made(of: Ledger) -> Any:
        parts = [of.load_staged(shard, c["clip_id"]) for video in videos for c in video.clips]
        ids = [{"video_id": video.video_id, "frames": 10} for video in videos]
        return tables.joined([*parts, {"videos": tables.table("videos", ids)}])

    return book, shard, made, plan.shards()


@pytest.mark.parametrize("key", [ledger.COMMITS, ledger.PREPARED, ledger.PREPARED + "000000/"])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_commit_that_wakes_after_another_run_has_recovered_is_refused(
    tmp_path, monkeypatch, key, late
):
    book, shard, made, shards = ready_to_commit(str(tmp_path))
    first = lock.take(book.objects)
    overtaken = replace(book, token=first.token)
    thread, go, ended = stopped_commit(
        overtaken, shard, made(book), lambda k: k.startswith(key), monkeypatch
    )
    book.objects.delete([lock.KEY])  # as after a minute without a sign of life
    with lock.held(book.objects) as second:
        other = replace(book, token=second.token)
        other.recover(shards)
        assert other.pending(shards) == shards
        if late:
            other.commit(shard, made(other))
        go.set()
        thread.join()
        assert "overtaken" in str(ended[0])
        if not late:
            other.commit(shard, made(other))
    assert book.pending(shards) == {}
    whole = public(book.objects)
    assert len(pq.read_table(f"{tmp_path}/people")) == 3 * 2 * 2
    with lock.held(book.objects):
        book.recover(shards)
        assert book.pending(shards) == {}
    assert public(book.objects) == whole
    assert left_over(book.objects) == []
    first.release()


def test_a_record_counts_only_with_its_parts(finished):
    objects = at(finished)
    book, shards = ledger.start(objects, IDENTITY), Plan(objects).shards()
    assert book.pending(shards) == {}
    objects.delete(["people/000000.parquet"])
    assert book.pending(shards) == shards
    objects.write("people/000000.parquet", b"another")
    assert book.pending(shards) == shards


def test_a_commit_begun_before_by_the_same_run_is_finished(tmp_path, monkeypatch):
    book, shard, made, shards = ready_to_commit(str(tmp_path))
    with lock.held(book.objects) as held:
        mine = replace(book, token=held.token)
        assert mine.finished(shard) == {}
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "_publish", lambda *_: exec("raise KeyboardInterrupt"))
            with pytest.raises(KeyboardInterrupt):
                mine.commit(shard, made(mine))
        assert public(book.objects) == {}
        assert mine.finished(shard)["videos"] == sorted(shards[shard])
        assert mine.pending(shards) == {}
        assert replace(mine, token="another").finished(shard) == {}


def with_error(clip: dict[str, Any], kind: str) -> Any:
    failed = {"error": "boom", "error_stage": "decode", "error_kind": kind}
    more = {"error_attempts": 3, "error_traceback": "", "frame_seen": []}
    return tables.rows({**clip, **failed, **more})


def test_only_the_clips_with_transient_errors_are_done_again(tmp_path):
    book, shard, made, shards = ready_to_commit(str(tmp_path))
    a, b, c = Plan(book.objects).load(shard)
    book.objects.delete([f"{ledger.STAGING}{shard}/{v.clips[0]['clip_id']}" for v in (a, b)])
    book.stage(shard, a.clips[0]["clip_id"], with_error(a.clips[0], "unavailable"))
    book.stage(shard, b.clips[0]["clip_id"], with_error(b.clips[0], "damaged"))
    everything = {clip["clip_id"] for video in (a, b, c) for clip in video.clips}
    assert book.staged(shard) == everything - {a.clips[0]["clip_id"]}
    record = book.commit(shard, made(book))
    assert record["transient"] == [a.key]
    assert record["permanent"] == sorted(v.key for v in (a, b, c))  # each lacks a frame
    assert record["tables"]["errors"]["transient"] == 1

    with lock.held(book.objects):  # the next run
        book.recover(shards)
        assert book.pending(shards) == {shard: frozenset([a.key])}
        assert book.staged(shard) == {a.clips[1]["clip_id"]}
        again = replace(book, retry_errors=True)
        assert again.pending(shards) == shards

        book.stage(shard, a.clips[0]["clip_id"], tables.rows(life["analysed"](a.clips[0])))
        parts = [book.load_staged(shard, clip["clip_id"]) for clip in a.clips]
        ids = {"videos": tables.table("videos", [{"video_id": a.video_id, "frames": 10}])}
        record = book.commit(shard, tables.joined([*parts, ids]))
    assert record["transient"] == []
    assert book.pending(shards) == {}
    assert left_over(book.objects) == []
    found = pq.read_table(f"{tmp_path}/people")["video_id"].to_pylist()
    assert {v.video_id: found.count(v.video_id) for v in (a, b, c)} == {
        a.video_id: 4, b.video_id: 2, c.video_id: 4
    }  # fmt: skip


def test_a_folder_that_has_gone_is_waited_for_and_not_made_again(tmp_path, monkeypatch):
    root, away = tmp_path / "out", tmp_path / "away"
    book = ledger.start(at(str(root)), IDENTITY)
    root.rename(away)
    threading.Timer(1.5, lambda: away.rename(root)).start()
    book.stage("0", "clip", tables.joined([]))
    assert book.staged("0") == {"clip"}
    assert not away.exists()
    root.rename(away)
    monkeypatch.setattr(retry, "PATIENCE_S", 0.1)
    with pytest.raises(StoreError, match="is its disk still mounted"):
        book.stage("0", "other", tables.joined([]))
    assert not root.exists()


def test_what_another_run_has_cleaned_up_while_it_was_written_is_written_again(tmp_path):
    """The other one has taken the lock; that this run was overtaken shows when it commits."""
    book = ledger.start(at(str(tmp_path)), IDENTITY)
    real, cleaned = os.fsync, []

    def fsync(file: int) -> None:
        real(file)
        if not cleaned:
            cleaned.extend(entry.key for entry in book.objects.list(ledger.ASIDE))
            book.objects.delete(cleaned)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        book.stage("0", "clip", tables.joined([]))
    assert len(cleaned) == 1
    assert book.staged("0") == {"clip"}
