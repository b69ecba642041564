"""Plan a corpus: probe what is new on all workers, cut it into clips, keep that with the output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import ray

from muybridge.errors import VideoError
from muybridge.run.cluster import workers
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
    inputs: Sequence[Input],
    fps: float | None,
    endpoint: str | None,
    report: Callable[[int, int], None],
) -> None:
    """Bring the plan up to the inputs: new ones into new shards, changed ones where they were.

    ``report`` is told how many videos of how many are probed.
    """
    changes = plan.changes(inputs)
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
        plan.replace(counted(probed(changes.changed, fps, endpoint)))
    if changes.new:
        plan.add(counted(probed(changes.new, fps, endpoint)))


def probed(
    inputs: Sequence[Input], fps: float | None, endpoint: str | None
) -> Iterator[PlannedVideo]:
    """Probe videos on the cluster, a few batches ahead, and yield them in the order given."""
    remote = ray.remote(num_cpus=1)(_probe_batch)
    rest = iter(inputs)
    ahead = AHEAD * workers()
    size = min(MOST, max(1, len(inputs) // ahead))
    running: deque[ray.ObjectRef[list[PlannedVideo]]] = deque()
    while True:
        while len(running) < ahead and (batch := list(islice(rest, size))):
            running.append(remote.remote(batch, fps, endpoint))
        if not running:
            return
        yield from ray.get(running.popleft())


def _probe_batch(
    inputs: Sequence[Input], fps: float | None, endpoint: str | None
) -> list[PlannedVideo]:
    with Decoder() as decoder:
        return [probe(decoder, item, fps, endpoint) for item in inputs]


def probe(decoder: Decoder, item: Input, fps: float | None, endpoint: str | None) -> PlannedVideo:
    """Make what the plan holds of one video; what cannot be read is planned with its error."""
    name = video_id(item.uri, fingerprint(item))
    try:
        if item.tag in IMPOSSIBLE:
            raise VideoError("unreadable", item.uri, IMPOSSIBLE[item.tag])
        found = decoder.probe(locate(item.uri, endpoint), item.uri)
        return PlannedVideo(item, name, info(found), clips(found, item.uri, name, fps))
    except VideoError as error:
        return PlannedVideo(item, name, error_kind=error.kind, error=str(error))


def info(found: VideoIndex) -> dict[str, Any]:
    """Tell the columns of the table ``videos`` that a probe knows."""
    last_s = 1 / found.fps if found.fps else 0.0  # how long the last frame is shown
    return {
        "container": found.container,
        "codec": found.codec,
        "width": found.width,
        "height": found.height,
        "rotation": found.rotation,
        "frames": len(found.pts),
        "fps": found.fps,
        "start_s": float(found.times[0]),
        "duration_s": float(found.times[-1] - found.times[0]) + last_s,
        "has_audio": found.has_audio,
    }
