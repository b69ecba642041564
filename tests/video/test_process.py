from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from muybridge.columns import check
from muybridge.errors import VideoError
from muybridge.graph import Stage, apply, load
from muybridge.stages.decode import READS, decode
from muybridge.video.clips import clips
from muybridge.video.process import Decoder

from .conftest import burnt_number


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    with Decoder(timeout_s=20) as made:
        yield made


@pytest.fixture
def fifo(tmp_path: Path) -> str:
    """A file that can be opened and never delivers."""
    os.mkfifo(tmp_path / "hangs.mp4")
    return str(tmp_path / "hangs.mp4")


def clip_of(decoder: Decoder, path: Path) -> dict:
    (clip,) = clips(decoder.probe(str(path)), path.name, "v", None)
    return clip


OTHERS: list[int] = []  # children of decoders that other tests have not let go of yet


@pytest.fixture(autouse=True)
def others() -> None:
    OTHERS[:] = []
    OTHERS[:] = children()


def children() -> list[int]:
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [
        int(child)
        for child in listed.split()
        if b"muybridge.video.child" in Path(f"/proc/{child}/cmdline").read_bytes()
        and int(child) not in OTHERS
    ]


def numbers(frames, *span) -> list[tuple[int, int]]:
    return [
        (int(row), burnt_number(picture))
        for rows, pictures in frames.chunks(8, *span)
        for row, picture in zip(rows, pictures, strict=True)
    ]


def test_frames_come_from_another_process_exact_and_in_order(decoder, awkward):
    for name in ("h264_bframes.mp4", "rotated_90.mp4", "vfr.mkv", "one_frame.mp4", "tiny.mp4"):
        file = awkward[name]
        clip = clip_of(decoder, file.path)
        frames = decoder.frames(clip)
        assert frames.shape == (len(file.numbers), clip["height"], clip["width"], 3)
        assert numbers(frames) == list(enumerate(file.numbers)), name


def test_a_part_of_the_frames_can_be_asked_for(decoder, awkward):
    frames = decoder.frames(clip_of(decoder, awkward["h264_bframes.mp4"].path))
    assert numbers(frames, 40, 57) == [(n, n) for n in range(40, 57)]
    assert [len(rows) for rows, _ in frames.chunks(8, 40, 57)] == [8, 8, 1]
    assert numbers(frames, 90) == numbers(frames, 7, 7) == []
    assert numbers(frames, 88, 200) == [(88, 88), (89, 89)]


def test_who_stops_looking_early_can_look_again(decoder, awkward):
    frames = decoder.frames(clip_of(decoder, awkward["h264_bframes.mp4"].path))
    for _ in range(5):
        chunks = frames.chunks(4)
        next(chunks)
        chunks.close()
    assert len(numbers(frames)) == 90
    assert len(children()) == 1


def test_two_clips_can_be_read_in_turns(decoder, awkward):
    one = decoder.frames(clip_of(decoder, awkward["h264_bframes.mp4"].path))
    two = decoder.frames(clip_of(decoder, awkward["vp9.webm"].path))
    for (rows, a), (_, b) in zip(one.chunks(16), two.chunks(16), strict=True):
        assert [burnt_number(p) for p in a] == [burnt_number(p) for p in b] == rows.tolist()


def test_pictures_cannot_be_written_to(decoder, awkward):
    _, pictures = next(decoder.frames(clip_of(decoder, awkward["tiny.mp4"].path)).chunks(4))
    with pytest.raises(ValueError, match="read-only"):
        pictures[0] = 0


def test_pickled_frames_are_decoded(decoder, awkward):
    for name, rows in (("tiny.mp4", range(90)), ("starts_mid_gop.ts", range(29, 89))):
        frames = decoder.frames(clip_of(decoder, awkward[name].path))
        copy = pickle.loads(pickle.dumps(frames))
        assert copy.shape == frames.shape
        assert copy.rows.tolist() == list(rows)
        assert numbers(copy) == numbers(frames)


def test_waiting_and_what_came_are_counted(decoder, awkward):
    numbers(decoder.frames(clip_of(decoder, awkward["tiny.mp4"].path)))
    assert (decoder.frames_decoded, decoder.bytes_decoded) == (90, 90 * 64 * 36 * 3)
    assert decoder.waited_s > 0


def test_an_error_names_the_file_as_the_user_did(decoder, awkward):
    with pytest.raises(VideoError) as caught:
        decoder.probe(str(awkward["text.mp4"].path), "s3://bucket/text.mp4")
    assert caught.value.kind == "unreadable"
    assert str(caught.value).startswith("s3://bucket/text.mp4: ")
    assert len(decoder.probe(str(awkward["tiny.mp4"].path)).pts) == 90


def test_a_file_that_hangs_costs_itself_only(fifo, awkward):
    with Decoder(timeout_s=3) as decoder:
        clip = clip_of(decoder, awkward["tiny.mp4"].path)
        with pytest.raises(VideoError, match=r"hangs.mp4: .* 3 s") as caught:
            decoder.probe(fifo)
        assert caught.value.kind == "timeout"
        with pytest.raises(VideoError, match="no sign of life"):
            list(decoder.frames({**clip, "source": fifo}).chunks(8))
        assert len(numbers(decoder.frames(clip))) == 90


def test_a_decoder_that_crashes_costs_its_file_only(decoder, awkward):
    frames = decoder.frames(clip_of(decoder, awkward["h264_bframes.mp4"].path))
    chunks = frames.chunks(2)
    next(chunks)
    for child in children():
        os.kill(child, signal.SIGSEGV)
    with pytest.raises(VideoError, match=r"h264_bframes.mp4: .* SIGSEGV") as caught:
        list(chunks)
    assert caught.value.kind == "crashed"
    assert len(numbers(frames)) == 90


def test_where_decord_takes_its_process_along_pyav_takes_over(decoder, awkward):
    clip = clip_of(decoder, awkward["h264_bframes.mp4"].path)
    frames = decoder.frames({**clip, "decoder": "decord"})
    chunks = frames.chunks(2)
    found = [int(row) for row in next(chunks)[0]]
    for child in children():
        os.kill(child, signal.SIGABRT)
    found += [int(row) for rows, _ in chunks for row in rows]
    assert found == list(range(90))


def test_a_file_written_to_since_it_was_planned_is_not_decoded(decoder, awkward, tmp_path):
    path = tmp_path / "a.mp4"
    shutil.copy(awkward["h264_bframes.mp4"].path, path)
    clip = clip_of(decoder, path)
    for reader in ("pyav", "decord"):
        assert len(numbers(decoder.frames({**clip, "decoder": reader}))) == 90
    os.utime(path, (1, 1))
    for reader in ("pyav", "decord"):
        with pytest.raises(VideoError, match="since it was planned") as caught:
            numbers(decoder.frames({**clip, "decoder": reader}))
        assert caught.value.kind == "changed"
    assert len(numbers(decoder.frames({**clip, "tag": ""}))) == 90  # nothing is known of it


def test_children_end_with_their_decoder(awkward):
    with Decoder() as decoder:
        decoder.probe(str(awkward["tiny.mp4"].path))
        assert len(children()) == 1
    assert children() == []


@pytest.mark.parametrize("hangs", [False, True])
def test_a_child_ends_when_its_parent_is_killed(awkward, fifo, hangs: bool):
    code = f"""
import os, threading, time
from pathlib import Path
from muybridge.video.process import Decoder
decoder = Decoder()
decoder.probe({str(awkward["tiny.mp4"].path)!r})
if {hangs}:
    threading.Thread(target=decoder.probe, args=({fifo!r},), daemon=True).start()
    time.sleep(1)
print(*[p for t in os.listdir("/proc/self/task")
        for p in Path(f"/proc/self/task/{{t}}/children").read_text().split()], flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent:
        found = [int(child) for child in parent.stdout.readline().split()]
        assert found
        parent.kill()
    until = time.monotonic() + 10
    while any(map(running, found)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(running, found))


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def used(process: int) -> tuple[float, int]:
    """Say what a process holds: MiB of memory, and file descriptors."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(os.listdir(f"/proc/{process}/fd"))


def test_two_hundred_opens_leave_memory_and_descriptors_flat(decoder, awkward):
    good = [
        awkward[name].path
        for name in ("tiny.mp4", "odd_420.webm", "mpeg4_bframes.avi", "odd_444.mp4", "mjpeg.avi")
    ]
    seen = []
    for opened in range(200):
        clip = clip_of(decoder, good[opened % len(good)])
        assert len(next(decoder.frames(clip).chunks(2, 40, 42))[0]) == 2
        with pytest.raises(VideoError):
            decoder.probe(str(awkward["text.mp4"].path))
        if opened in (49, 199):
            seen.append([used(process) for process in (os.getpid(), *children())])
    for (memory, files), (memory_later, files_later) in zip(*seen, strict=True):
        assert files_later <= files
        assert memory_later < memory + 10


def test_the_stage_gives_frames_and_an_unreadable_file_fails_in_it(decoder, awkward):
    good = clip_of(decoder, awkward["tiny.mp4"].path)
    bad = {**good, "source": str(awkward["text.mp4"].path), "uri": "text.mp4"}

    def count(clips):
        return [{"frame_seen": looked_at(clip["frames"])} for clip in clips]

    look = Stage("look", lambda: count, reads=("frames",), writes=("frame_seen",))
    done = apply(load((decode(), look), READS), [good, bad])
    check(done[0], ("frames", "frame_seen"))
    assert done[0]["frame_seen"].all()
    assert [clip["error_stage"] for clip in done] == ["", "decode"]
    assert done[1]["error_kind"] == "unreadable"
    assert "text.mp4" in done[1]["error"]


def looked_at(frames) -> np.ndarray:
    seen = np.zeros(frames.shape[0], bool)
    for rows, _ in frames.chunks(16):
        seen[rows] = True
    return seen
