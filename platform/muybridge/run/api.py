"""What stands between the HTTP face and the pools: an upload in, tables out, clip by clip."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from ray.exceptions import RayActorError

from muybridge.columns import Clip
from muybridge.run.actions import actions
from muybridge.run.commit import analysed, video_row
from muybridge.run.core import ElsewhereError, Upload
from muybridge.run.identities import Core, linked
from muybridge.store import tables
from muybridge.store.inputs import Input, fingerprint, video_id
from muybridge.store.plan import PlannedVideo
from muybridge.video.clips import clips
from muybridge.video.process import Decoder

MOST_DEATHS = 10  # of replicas with one clip under way; it alone can cause but one
Pools = Sequence[Any]  # handles of ray.serve, which is not imported before its settings stand


async def analyze(
    pools: Pools, decoder: Decoder, ahead: int, path: Path, name: str, fps: float | None
) -> AsyncGenerator[tables.Tables, None]:
    """Yield the tables of each clip of an upload in order, then those of the video as a whole.

    ``ahead`` clips are under way at a time; they are cancelled when the generator is closed.
    """
    video = await asyncio.to_thread(probe, decoder, path, name, fps)
    waiting = deque[tuple[Core, tables.Tables]]()
    numbered = linked(_each(waiting))
    frames = 0
    people, moments = [tables.SCHEMAS["people"].empty_table()], list[pa.Table]()
    async with aclosing(_in_order(pools, ahead, video.clips, Sent(path))) as done:
        async for clip in done:
            frames += analysed(clip)
            waiting.append((clip["core"], tables.rows(clip)))
            made = next(numbered)
            people.append(made["people"])
            moments.append(made.pop("moments"))
            yield made
    videos = tables.table("videos", [video_row(video, frames)])
    yield {
        "videos": videos,
        "actions": actions(moments),
        "tracks": tables.tracks(pa.concat_tables(people)),
    }


def probe(decoder: Decoder, path: Path, name: str, fps: float | None) -> PlannedVideo:
    """Index an uploaded file and cut it into clips, or raise VideoError with the sender's name."""
    found = decoder.probe(str(path), name)
    size = path.stat().st_size
    identity = video_id(name, fingerprint(Input(str(path), size, "")))
    video = Input(name, size, "")
    return PlannedVideo(video, identity, found.info(), clips(found, name, identity, fps))


def _each(waiting: deque[Any]) -> Iterator[Any]:
    while waiting:
        yield waiting.popleft()


class Sent:
    """Hold an upload that the pools open where it lies, or get sent once if they cannot."""

    def __init__(self, path: Path) -> None:
        self.upload = Upload(str(path))

    def put(self) -> None:
        """Put the file's bytes into the object store, for pools on other nodes."""
        if self.upload.content is None:
            content = ray.put(np.memmap(self.upload.path, np.uint8, "r"))
            self.upload = Upload(self.upload.path, content)


async def _in_order(
    pools: Pools, ahead: int, clips: Sequence[Clip], sent: Sent
) -> AsyncGenerator[Clip, None]:
    running = deque[asyncio.Task[Clip]]()
    rest = iter(clips)
    try:
        while True:
            while len(running) < ahead and (clip := next(rest, None)) is not None:
                running.append(asyncio.create_task(_through(pools, clip, sent)))
            if not running:
                return
            await asyncio.wait((running[0],))  # unlike `await`, sure to end when cancelled
            yield running.popleft().result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _through(pools: Pools, clip: Clip, sent: Sent) -> Clip:
    """Lead a clip through the pools, again if a replica dies meanwhile.

    After that the clip is suspect: a pool runs it in a process of its own and puts it into
    quarantine if that dies as well.
    """
    deaths = 0
    while True:
        try:
            return await _call(pools, clip, sent.upload, suspect=deaths > 0)
        except ElsewhereError:  # noqa: PERF203
            await asyncio.to_thread(sent.put)
        except Exception as error:
            deaths += 1
            if not _died(error) or deaths > MOST_DEATHS:
                raise


async def _call(pools: Pools, clip: Clip, upload: Upload, suspect: bool) -> Clip:
    responses = list[Any]()
    try:
        for pool in pools:
            before = responses[-1] if responses else clip
            responses.append(pool.remote(before, upload, suspect))
        return await responses[-1]
    except asyncio.CancelledError:
        for response in responses:
            response.cancel()
        raise


def _died(error: BaseException | None) -> bool:
    """Tell whether a replica died, be it the one that was asked or one before it."""
    return error is not None and (isinstance(error, RayActorError) or _died(error.__cause__))
