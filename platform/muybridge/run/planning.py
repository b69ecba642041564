"""Plan a corpus: probe what is new on all workers, cut it into clips, keep that with the output.

Sessions of synchronised videos are planned beside single videos. A transient error is retried a few
times at once, and one that an outage may cause for ``retry.OUTAGE_S`` more, in all of a run.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import ray

from muybridge.errors import OUTAGE, VideoError, is_transient, kind_of
from muybridge.retry import log, outage_delays, retried
from muybridge.run import sessions
from muybridge.run.cluster import workers
from muybridge.run.sessions import Session
from muybridge.store.inputs import Input, fingerprint, locate, relocate, video_id
from muybridge.store.plan import Plan, PlannedVideo
from muybridge.video.clips import DecoderName, clips
from muybridge.video.probe import VideoIndex
from muybridge.video.process import Decoder

MOST = 16  # videos a task: enough to outweigh what a task costs
IMPOSSIBLE = {"directory": "is a directory", "special": "is not a regular file"}
AHEAD = 4  # tasks a CPU that may wait


def update(
    plan: Plan,
    items: Sequence[Input | Session],
    fps: float | None,
    endpoint: str | None,
    report: Callable[[int, int], None],
    *,
    decoder: DecoderName = "pyav",
    retry_errors: bool = False,
) -> None:
    """Bring the plan up to the inputs: new ones into new shards, changed ones where they were.

    What met a transient error before is planned again, with ``retry_errors`` what met any. A video
    that was planned well stays as it is while it cannot be looked at. ``report`` is told how many
    videos of how many are probed.
    """
    session_of = {item.input.uri: item for item in items if isinstance(item, Session)}
    known = [item.input if isinstance(item, Session) else item for item in items]
    changes = plan.changes(known, retry_errors)
    total = len(changes.new) + len(changes.changed)
    done = 0

    def found(some: Sequence[Input]) -> Iterator[PlannedVideo]:
        nonlocal done
        planned = [session_of.get(item.uri, item) for item in some]
        for video in probed(planned, fps, endpoint, decoder):
            done += 1
            report(done, total)
            yield video

    if changes.changed:
        plan.replace(_worth(plan, found(changes.changed)))
    if changes.new:
        plan.add(found(changes.new))


def _worth(plan: Plan, videos: Iterable[PlannedVideo]) -> Iterator[PlannedVideo]:
    """Leave out those that were planned well and cannot be looked at for now."""
    for video in videos:
        if _transient(video) and not plan.known[video.input.uri].errors:
            log.warning("%s; the rows made of it before stay", video.error or video.input.uri)
        else:
            yield video


def probed(
    items: Sequence[Input | Session],
    fps: float | None,
    endpoint: str | None,
    decoder: DecoderName = "pyav",
) -> Iterator[PlannedVideo]:
    """Probe videos on the cluster, a few batches ahead, and yield them in the order given."""
    remote = ray.remote(num_cpus=1)(_probe_batch)
    rest = iter(items)
    ahead = AHEAD * workers()
    size = min(MOST, max(1, len(items) // ahead))
    running: deque[tuple[Sequence[Input | Session], ray.ObjectRef[list[PlannedVideo]]]] = deque()
    delays = outage_delays(1.0)
    while True:
        while len(running) < ahead and (some := list(islice(rest, size))):
            running.append((some, remote.remote(some, fps, endpoint, decoder)))
        if not running:
            return
        batch, answer = running.popleft()
        videos = ray.get(answer)
        attempt = 0
        while failed := [at for at, video in enumerate(videos) if _outage(batch[at], video)]:
            attempt, delay_s = attempt + 1, next(delays, 0.0)
            if delay_s:
                first, count = videos[failed[0]].error, len(failed)
                log.warning("%s; trying %d of the videos again in %.0f s", first, count, delay_s)
                time.sleep(delay_s)
            elif attempt > 1:  # the run has waited long enough, and the outage may be over by now
                break
            again = remote.remote([batch[at] for at in failed], fps, endpoint, decoder)
            for at, video in zip(failed, ray.get(again), strict=True):
                videos[at] = video
        yield from videos


def _outage(item: Input | Session, video: PlannedVideo) -> bool:
    """Tell whether an outage may keep a video from being read, not only what it is itself."""
    kinds = set(video.errors.split(",")) & set(OUTAGE)
    if isinstance(item, Input):
        if not item.uri.startswith("s3://"):  # where refused credentials concern all videos
            kinds.discard("denied")
        if item.tag in ("", "missing"):  # it was not there when it was listed, or is on the web
            kinds.discard("missing")
    return bool(kinds)


def _transient(video: PlannedVideo) -> bool:
    return any(map(is_transient, video.errors.split(",")))


def _probe_batch(
    items: Sequence[Input | Session],
    fps: float | None,
    endpoint: str | None,
    decoder_name: DecoderName,
) -> list[PlannedVideo]:
    with Decoder() as decoder:
        return [probe(decoder, item, fps, endpoint, decoder_name) for item in items]


def probe(
    decoder: Decoder,
    item: Input | Session,
    fps: float | None,
    endpoint: str | None,
    decoder_name: DecoderName = "pyav",
) -> PlannedVideo:
    """Make what the plan holds of a video or a session; what cannot be read has its error.

    Clips are to be decoded with ``decoder_name``.
    """
    if isinstance(item, Session):
        views = [_index(decoder, view.input, endpoint) for view in item.views]
        return sessions.planned(item, views, fps, decoder_name)
    found = _index(decoder, item, endpoint)
    if isinstance(found, VideoIndex):
        # what was read, which may have been written to since it was listed
        seen = Input(item.uri, found.size, found.tag) if item.tag else item
        try:
            name = video_id(item.uri, fingerprint(seen, unreadable=False))
        except OSError as error:
            found = VideoError(kind_of(error), item.uri, error.strerror or str(error))
        else:
            made = clips(found, item.uri, name, fps, decoder_name)
            return PlannedVideo(seen, name, found.info(), made)
    name = video_id(item.uri, fingerprint(item))
    return PlannedVideo(item, name, error_kind=found.kind, error=str(found))


def _index(decoder: Decoder, item: Input, endpoint: str | None) -> VideoIndex | VideoError:
    """Index a video, or say why that cannot be."""
    if item.tag in IMPOSSIBLE:
        return VideoError("unreadable", item.uri, IMPOSSIBLE[item.tag])
    find = locate

    def once() -> VideoIndex:
        nonlocal find
        source, find = find(item.uri, endpoint), relocate
        return decoder.probe(source, item.uri)

    try:
        return retried(once)
    except VideoError as error:
        return error
