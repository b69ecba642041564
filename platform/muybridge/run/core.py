"""A pool behind an endpoint: one replica, its models, and the clips that wait for them."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.columns import Clip
from muybridge.errors import MuybridgeError
from muybridge.graph import Graph, divided, gathered, load
from muybridge.retry import ATTEMPTS
from muybridge.run import isolated
from muybridge.run.attempts import through
from muybridge.run.pools import most_clips
from muybridge.run.scratch import Scratch

COPIES = 4


class ElsewhereError(MuybridgeError):
    """Say that the upload lies on another node and must be sent along."""


@dataclass(frozen=True)
class Upload:
    """Name an uploaded file by its path where it came in; ``content`` (N,) uint8 is a reference."""

    path: str
    content: Any = None


class Core:
    """Hold a pool's models and lead clips through them.

    The models run in a thread of their own, so that the replica answers while they do.
    """

    def __init__(self, stages: Graph, given: tuple[str, ...], drop: frozenset[str]) -> None:
        within, across, written = divided(stages, given)
        self._within, self._across = (within, given), (across, written)
        self._drop, self._copies = drop, Copies()
        self._batches = self._run(*self._within, most_clips(stages))
        self._together = self._run(*self._across, 1)

    async def __call__(self, clip: Clip, uploads: Sequence[Upload], suspect: bool = False) -> Clip:
        """Lead a clip of an upload through the pool; a replica died over a ``suspect`` one.

        A session's clip, of an upload for each of its views, goes through what works across views.
        """
        async with AsyncExitStack() as held:
            sources = [
                await held.enter_async_context(self._copies.held(upload)) for upload in uploads
            ]
            if "views" not in clip:
                clip = {**clip, "source": sources[0], "tag": ""}  # a copy has another time
                run, graph = self._batches, self._within
            else:
                pairs = zip(clip["views"], sources, strict=True)
                clip = gathered(
                    [clip], [{**view, "source": source, "tag": ""} for view, source in pairs]
                )[0]
                run, graph = self._together, self._across
            if suspect:
                return await asyncio.to_thread(
                    isolated.apply, *graph, self._drop, clip, 1, ATTEMPTS
                )
            return await run.apply(clip)

    def _run(self, stages: Graph, given: tuple[str, ...], most: int) -> Batches:
        loaded = load(stages, given)

        def run(clips: Sequence[Clip]) -> list[Clip]:
            done = through(loaded, clips)
            return [{k: v for k, v in clip.items() if k not in self._drop} for clip in done]

        return Batches(run, most)


class Batches:
    """Lead clips through ``run`` in batches: a batch is what waits when ``run`` is free.

    No clip waits for others to come, and one whose caller has gone away is left out.
    """

    def __init__(self, run: Callable[[Sequence[Clip]], Sequence[Clip]], most: int) -> None:
        self._run, self._most = run, most
        self._waiting: deque[tuple[Clip, asyncio.Future[Clip]]] = deque()
        self._thread = ThreadPoolExecutor(1)
        self._working: asyncio.Task[None] | None = None

    async def apply(self, clip: Clip) -> Clip:
        """Wait for the models and give the clip with what they wrote."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((clip, answer))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._next():
            clips = [clip for clip, _ in batch]
            try:
                done = await loop.run_in_executor(self._thread, self._run, clips)
            except Exception as error:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), clip in zip(batch, done, strict=True):
                if not answer.done():
                    answer.set_result(clip)

    def _next(self) -> list[tuple[Clip, asyncio.Future[Clip]]]:
        batch = list[tuple[Clip, asyncio.Future[Clip]]]()
        while self._waiting and len(batch) < self._most:
            clip, answer = self._waiting.popleft()
            if not answer.done():
                batch.append((clip, answer))
        return batch


class Copies:
    """Keep local copies of uploads that came in on another node: those in use, and the last few."""

    def __init__(self) -> None:
        self._users: Counter[Path] = Counter()
        self._copies: OrderedDict[Path, None] = OrderedDict()

    @asynccontextmanager
    async def held(self, upload: Upload) -> AsyncIterator[str]:
        """Give the path of the upload on this node, and keep the file while it is used."""
        if os.path.exists(upload.path):
            yield upload.path
            return
        if upload.content is None:
            raise ElsewhereError(upload.path)
        copy = self._folder.path / "-".join(Path(upload.path).parts[-2:])
        self._users[copy] += 1
        try:
            if not copy.exists():
                await asyncio.to_thread(_write, copy, await upload.content)
            self._copies[copy] = None
            self._copies.move_to_end(copy)
            yield str(copy)
        finally:
            self._users[copy] -= 1
            self._forget()

    @cached_property
    def _folder(self) -> Scratch:
        return Scratch()

    def _forget(self) -> None:
        idle = [copy for copy in self._copies if not self._users[copy]]
        for copy in idle[: max(0, len(idle) - COPIES)]:
            copy.unlink(missing_ok=True)
            del self._copies[copy], self._users[copy]


def _write(path: Path, content: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    part = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
    content.tofile(part)
    part.rename(path)
