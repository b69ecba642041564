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
from muybridge.errors import VideoError
from muybridge.graph import gathered
from muybridge.retry import retried
from muybridge.run import sessions
from muybridge.run.actions import actions
from muybridge.run.commit import analysed, clip_rows, session_rows, unread, video_row
from muybridge.run.core import ElsewhereError, Upload
from muybridge.run.identities import Core, linked
from muybridge.store import tables
from muybridge.store.inputs import Input, fingerprint, video_id
from muybridge.store.plan import PlannedVideo
from muybridge.video.clips import clips
from muybridge.video.probe import VideoIndex
from muybridge.video.process import Decoder
from muybridge.web.cameras import Cameras

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
    sent = Sent(path)
    async with aclosing(_in_order(pools, ahead, [(clip, [sent]) for clip in video.clips])) as done:
        async for clip in done:
            frames += analysed(clip)
            waiting.append((clip["core"], tables.rows(clip)))
            made = next(numbered)
            people.append(made["people"])
            moments.append(made.pop("moments"))
            made.pop("appearances")
            yield made
    videos = tables.table("videos", [video_row(video, frames)])
    yield {
        "videos": videos,
        "actions": actions(moments),
        "tracks": tables.tracks(pa.concat_tables(people)),
    }


async def triangulate(
    pools: Pools, across: Pools, decoder: Decoder, ahead: int, given: Cameras, fps: float | None
) -> AsyncGenerator[tables.Tables, None]:
    """Yield the tables of a session of several cameras, once all of its clips are done.

    Each view of a clip goes through ``pools``, and then the clip through those that have stages
    ``across`` views. Raises InputError with every fault of what was sent, VideoError if fewer than
    two views can be read.
    """
    made = await asyncio.to_thread(_session, decoder, given, fps)
    if made.error:
        causes = [view["error"] for view in made.info["views"] if view["error"]]
        raise VideoError(made.error_kind, made.input.uri, "; ".join([made.error, *causes]))
    names = [view["video_id"] for view in made.info["views"]]
    files = zip(names, given.views.values(), strict=True)
    sent = {name: Sent(file.path) for name, file in files}
    clips = list(sessions.clips(made))
    views = [(view, [sent[view["video_id"]]]) for clip in clips for view in clip["views"]]
    async with aclosing(_in_order(pools, ahead, views)) as done:
        clips = gathered(clips, [view async for view in done])
    if across:
        whole = [(c, [sent[view["video_id"]] for view in c["views"]]) for c in clips]
        async with aclosing(_in_order(across, ahead, whole)) as done:
            clips = [clip async for clip in done]
    yield await asyncio.to_thread(_together, made, clips)


def _session(decoder: Decoder, given: Cameras, fps: float | None) -> PlannedVideo:
    """Plan a session of uploaded files, which go by their cameras and their senders' names."""
    files = {
        camera: Input(f"{camera}/{file.name}", file.path.stat().st_size, "")
        for camera, file in given.views.items()
    }
    session = sessions.sent(given.calibrations, files, given.offsets, given.subject)
    found = [
        _found(decoder, file.path, item.uri)
        for file, item in zip(given.views.values(), files.values(), strict=True)
    ]
    return sessions.planned(session, found, fps)


def _found(decoder: Decoder, path: Path, name: str) -> VideoIndex | VideoError:
    try:
        return retried(lambda: decoder.probe(str(path), name))
    except VideoError as error:
        return error


def _together(made: PlannedVideo, clips: Sequence[Clip]) -> tables.Tables:
    """Make a session's rows of its clips."""
    whole = session_rows(made, [clip_rows(clip) for clip in clips])
    whole["errors"] = pa.concat_tables([whole["errors"], tables.table("errors", unread(made))])
    return {**whole, "tracks": tables.tracks(whole["people"])}


def probe(decoder: Decoder, path: Path, name: str, fps: float | None) -> PlannedVideo:
    """Index an uploaded file and cut it into clips, or raise VideoError with the sender's name."""
    found = retried(lambda: decoder.probe(str(path), name))
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
    pools: Pools, ahead: int, clips: Sequence[tuple[Clip, Sequence[Sent]]]
) -> AsyncGenerator[Clip, None]:
    running = deque[asyncio.Task[Clip]]()
    rest = iter(clips)
    try:
        while True:
            while len(running) < ahead and (each := next(rest, None)) is not None:
                running.append(asyncio.create_task(_through(pools, *each)))
            if not running:
                return
            await asyncio.wait((running[0],))  # unlike `await`, sure to end when cancelled
            yield running.popleft().result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _through(pools: Pools, clip: Clip, sent: Sequence[Sent]) -> Clip:
    """Lead a clip, of so many uploads, through the pools, again if a replica dies meanwhile.

    After that the clip is suspect: a pool runs it in a process of its own and puts it into
    quarantine if that dies as well.
    """
    deaths = 0
    while True:
        try:
            uploads = [each.upload for each in sent]
            return await _call(pools, clip, uploads, suspect=deaths > 0)
        except ElsewhereError:  # noqa: PERF203
            await asyncio.to_thread(_put, sent)
        except Exception as error:
            deaths += 1
            if not _died(error) or deaths > MOST_DEATHS:
                raise


def _put(sent: Sequence[Sent]) -> None:
    for each in sent:
        each.put()


async def _call(pools: Pools, clip: Clip, uploads: Sequence[Upload], suspect: bool) -> Clip:
    responses = list[Any]()
    try:
        for pool in pools:
            before = responses[-1] if responses else clip
            responses.append(pool.remote(before, uploads, suspect))
        return await responses[-1]
    except asyncio.CancelledError:
        for response in responses:
            response.cancel()
        raise


def _died(error: BaseException | None) -> bool:
    """Tell whether a replica died, be it the one that was asked or one before it."""
    return error is not None and (isinstance(error, RayActorError) or _died(error.__cause__))
