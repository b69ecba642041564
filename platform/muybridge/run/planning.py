"""Plan a corpus: probe what is new on all workers, cut it into clips, keep that with the output.

Sessions of synchronised videos are planned beside single videos.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import ray

from muybridge.errors import VideoError
from muybridge.run import sessions
from muybridge.run.cluster import workers
from muybridge.run.sessions import Session
from muybridge.store.inputs import Input, fingerprint, locate, video_id
from muybridge.store.plan import Plan, PlannedVideo
from muybridge.video.clips import clips
from muybridge.video.probe import VideoIndex
from muybridge.video.process import Decoder

MOST = 16  # videos a task: enough to outweigh what a task costs
AHEAD = 4  # tasks a CPU that may wait
IMPOSSIBLE = {"directory": "is a directory", "missing": "no such file"}


def update(
    plan: Plan,
    items: Sequence[Input | Session],
    fps: float | None,
    endpoint: str | None,
    report: Callable[[int, int], None],
) -> None:
    """Bring the plan up to the inputs: new ones into new shards, changed ones where they were.

    ``report`` is told how many videos of how many are probed.
    """
    together = {item.input.uri: item for item in items if isinstance(item, Session)}
    known = [item.input if isinstance(item, Session) else item for item in items]

    def held(item: Input) -> str:
        session = together.get(item.uri)
        return session.fingerprint if session else fingerprint(item)

    def found(some: Sequence[Input]) -> Iterator[PlannedVideo]:
        return counted(probed([together.get(item.uri, item) for item in some], fps, endpoint))

    changes = plan.changes(known, held)
    total = len(changes.new) + len(changes.changed)
    done = 0

    def counted(videos: Iterable[PlannedVideo]) -> Iterator[PlannedVideo]:
        nonlocal done
        for video in videos:
            done += 1
            report(done, total)
            yield video

    if changes.touched:
        plan.touch(changes.touched)
    if changes.changed:
        plan.replace(found(changes.changed))
    if changes.new:
        plan.add(found(changes.new))


def probed(
    items: Sequence[Input | Session], fps: float | None, endpoint: str | None
) -> Iterator[PlannedVideo]:
    """Probe videos on the cluster, a few batches ahead, and yield them in the order given."""
    remote = ray.remote(num_cpus=1)(_probe_batch)
    rest = iter(items)
    ahead = AHEAD * workers()
    size = min(MOST, max(1, len(items) // ahead))
    running: deque[ray.ObjectRef[list[PlannedVideo]]] = deque()
    while True:
        while len(running) < ahead and (batch := list(islice(rest, size))):
            running.append(remote.remote(batch, fps, endpoint))
        if not running:
            return
        yield from ray.get(running.popleft())


def _probe_batch(
    items: Sequence[Input | Session], fps: float | None, endpoint: str | None
) -> list[PlannedVideo]:
    with Decoder() as decoder:
        return [probe(decoder, item, fps, endpoint) for item in items]


def probe(
    decoder: Decoder, item: Input | Session, fps: float | None, endpoint: str | None
) -> PlannedVideo:
    """Make what the plan holds of a video or a session; what cannot be read has its error."""
    if isinstance(item, Session):
        found = [_index(decoder, view.input, endpoint) for view in item.views]
        return sessions.planned(item, found, fps)
    name, index = video_id(item.uri, fingerprint(item)), _index(decoder, item, endpoint)
    if isinstance(index, VideoError):
        return PlannedVideo(item, name, error_kind=index.kind, error=str(index))
    return PlannedVideo(item, name, index.info(), clips(index, item.uri, name, fps))


def _index(decoder: Decoder, item: Input, endpoint: str | None) -> VideoIndex | VideoError:
    """Index a video, or say why that cannot be."""
    try:
        if item.tag in IMPOSSIBLE:
            raise VideoError("unreadable", item.uri, IMPOSSIBLE[item.tag])
        return decoder.probe(locate(item.uri, endpoint), item.uri)
    except VideoError as error:
        return error
