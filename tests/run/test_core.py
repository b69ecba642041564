"""Batches that wait for the models, copies of uploads, folders of dead processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muybridge.columns import Clip
from muybridge.run import scratch
from muybridge.run.core import COPIES, Batches, Copies, ElsewhereError, Upload

pytestmark = pytest.mark.timeout(60)


class Slow:
    """Run batches one after the other, each when told to; note them."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Semaphore(0)

    def __call__(self, clips: Sequence[Clip]) -> list[Clip]:
        self.batches.append([clip["n"] for clip in clips])
        assert self.go.acquire(timeout=10)
        if any(clip["n"] == 13 for clip in clips):
            raise MemoryError("13")
        return [{"n": clip["n"], "doubled": 2 * clip["n"]} for clip in clips]


async def waiting(batches: Batches, numbers: Sequence[int]) -> list[asyncio.Task[Clip]]:
    tasks = [asyncio.create_task(batches.apply({"n": n})) for n in numbers]
    await asyncio.sleep(0.05)
    return tasks


def test_a_batch_is_what_waits_when_the_models_are_free() -> None:
    async def ask() -> list[Clip]:
        batches = Batches(slow, most=4)
        tasks = await waiting(batches, range(7))
        slow.go.release(3)
        return await asyncio.gather(*tasks)

    slow = Slow()
    assert [clip["doubled"] for clip in asyncio.run(ask())] == [0, 2, 4, 6, 8, 10, 12]
    assert slow.batches == [[0, 1, 2, 3], [4, 5, 6]]


def test_a_lone_clip_waits_for_nobody() -> None:
    slow = Slow()
    slow.go.release()
    assert asyncio.run(Batches(slow, most=4).apply({"n": 3})) == {"n": 3, "doubled": 6}


def test_a_clip_whose_caller_is_gone_is_left_out() -> None:
    async def ask() -> None:
        batches = Batches(slow, most=1)
        first, second, third = await waiting(batches, [1, 2, 3])
        second.cancel()
        slow.go.release(2)
        assert (await first)["doubled"] == 2
        assert (await third)["doubled"] == 6

    slow = Slow()
    asyncio.run(ask())
    assert slow.batches == [[1], [3]]


def test_a_batch_that_fails_leaves_the_next_alone() -> None:
    async def ask() -> None:
        batches = Batches(slow, most=1)
        bad, good = await waiting(batches, [13, 1])
        slow.go.release(2)
        with pytest.raises(MemoryError):
            await bad
        assert (await good)["doubled"] == 2

    slow = Slow()
    asyncio.run(ask())


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let copies lie in a folder of the test."""
    monkeypatch.setattr(scratch.Scratch.__init__, "__defaults__", (tmp_path,))
    return tmp_path


async def content(value: bytes) -> Any:
    """Be a reference that can be awaited, as the object store's."""
    return np.frombuffer(value, np.uint8)


def test_an_upload_on_this_node_is_opened_where_it_lies(tmp_path: Path) -> None:
    async def ask() -> str:
        async with Copies().held(Upload(str(tmp_path))) as source:
            return source

    assert asyncio.run(ask()) == str(tmp_path)


def test_an_upload_on_another_node_is_asked_for() -> None:
    async def ask() -> None:
        async with Copies().held(Upload("/nowhere/upload-1/upload.mkv")):
            pass

    with pytest.raises(ElsewhereError):
        asyncio.run(ask())


def test_an_upload_from_another_node_is_copied_once_and_forgotten_later(elsewhere: Path) -> None:
    async def ask() -> None:
        copies = Copies()
        for number in range(COPIES + 3):
            path = f"/nowhere/upload-{number}/upload.mkv"
            for _ in range(2):
                async with copies.held(Upload(path, content(b"%d" % number))) as source:
                    assert Path(source).read_bytes() == b"%d" % number
                    assert source.endswith(".mkv")
            held = [f for f in elsewhere.rglob("*") if f.is_file() and f.suffix == ".mkv"]
            assert len(held) <= COPIES + 1

    with pytest.warns(RuntimeWarning, match="never awaited"):  # the copy is made once
        asyncio.run(ask())


def test_a_copy_in_use_is_kept(elsewhere: Path) -> None:
    async def ask() -> None:
        copies = Copies()
        async with copies.held(Upload("/nowhere/a/upload.mkv", content(b"a"))) as source:
            for number in range(COPIES + 3):
                upload = Upload(f"/nowhere/{number}/upload.mkv", content(b"x"))
                async with copies.held(upload):
                    pass
            assert Path(source).read_bytes() == b"a"

    asyncio.run(ask())


def test_the_folder_of_a_dead_process_is_removed_and_that_of_a_living_one_kept(
    tmp_path: Path,
) -> None:
    living = scratch.Scratch(tmp_path)
    program = (
        "import os, pathlib, signal; from muybridge.run.scratch import Scratch\n"
        f"folder = Scratch(pathlib.Path({str(tmp_path)!r})).path\n"
        "(folder / 'upload').write_bytes(b'x'); print(folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    dead = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    left = Path(dead.stdout.strip())
    assert os.listdir(left) == ["upload"]
    newer = scratch.Scratch(tmp_path)
    assert not left.exists()
    assert living.path.is_dir()
    newer.close()
    living.close()
    assert list(tmp_path.iterdir()) == []
