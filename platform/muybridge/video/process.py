"""Probe and decode in processes that can be killed, so that a bad file costs itself only."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import numpy as np

from muybridge.columns import GIVEN, Clip
from muybridge.errors import VideoError
from muybridge.video.child import SLOTS, STOP
from muybridge.video.container import named
from muybridge.video.frames import Chunk, DecodedFrames, Frames
from muybridge.video.memory import Memory
from muybridge.video.probe import VideoIndex

SLOT_BYTES = 32_000_000  # of pictures handed over at once, unless a single one is larger


class Decoder:
    """Probe videos and decode clips in child processes, one for each stream of frames in use.

    A child that sends no sign of life for ``timeout_s`` is killed. ``waited_s`` counts the seconds
    spent waiting for children, ``frames_decoded`` and ``bytes_decoded`` the pictures they sent.
    """

    def __init__(self, timeout_s: float = 60.0) -> None:
        self.timeout_s = timeout_s
        self.waited_s = 0.0
        self.frames_decoded = 0
        self.bytes_decoded = 0
        self._idle: list[_Child] = []

    def probe(self, source: str, uri: str = "") -> VideoIndex:
        """Index the video at ``source``, which errors call ``uri``, or raise VideoError."""
        with self._child() as child:
            child.send(("probe", source))
            _, index = self._receive(child, uri or named(source))
            return index

    def frames(self, clip: Clip) -> Frames:
        """Give the frames that a clip's given columns ask for; decode none before it is wanted."""
        return StreamedFrames(self, {name: clip[name] for name in GIVEN if name in clip})

    def close(self) -> None:
        """End the children that wait for work."""
        while self._idle:
            self._idle.pop().end()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def chunks(self, clip: Clip, size: int, start: int, stop: int) -> Iterator[Chunk]:
        """Decode the clip's rows from ``start`` to ``stop``: what ``Frames.chunks`` hands out.

        PyAV takes over where decord takes the process along, or hangs.
        """
        try:
            for rows, pictures in self._chunks(clip, size, start, stop):
                yield rows, pictures
                start = int(rows[-1]) + 1
        except VideoError as error:
            if clip["decoder"] != "decord" or error.kind not in ("crashed", "timeout"):
                raise
            yield from self._chunks({**clip, "decoder": "pyav"}, size, start, stop)

    def _chunks(self, clip: Clip, size: int, start: int, stop: int) -> Iterator[Chunk]:
        picture = (clip["height"], clip["width"], 3)
        size = max(1, min(size, stop - start, SLOT_BYTES // math.prod(picture)))
        with self._child() as child:
            total = SLOTS * size * math.prod(picture)
            memory = np.frombuffer(child.memory.mapped(total), np.uint8, total)
            slots = memory.reshape(SLOTS, size, *picture)
            slots.flags.writeable = False
            child.send(("frames", clip["source"], clip, size, start, stop))
            try:
                while (message := self._receive(child, clip["uri"]))[0] == "chunk":
                    _, slot, rows = message
                    self.frames_decoded += len(rows)
                    self.bytes_decoded += slots[slot, : len(rows)].nbytes
                    yield rows, slots[slot, : len(rows)]
                    child.send(slot)
            except GeneratorExit:  # nobody wants the rest
                child.send(STOP)
                with suppress(VideoError):
                    while self._receive(child, clip["uri"])[0] != "done":
                        pass
                raise

    @contextmanager
    def _child(self) -> Iterator[_Child]:
        """Lend an idle child, or a new one; it comes back unless it died."""
        child = self._idle.pop() if self._idle else _Child()
        try:
            yield child
        finally:
            if child.alive:
                self._idle.append(child)

    def _receive(self, child: _Child, uri: str) -> tuple[Any, ...]:
        """Wait for a child's answer; raise its VideoError, or one that says it hung or died."""
        begun = time.perf_counter()
        try:
            while (message := child.receive(self.timeout_s)) == ("alive",):
                pass
        except TimeoutError:
            child.kill()
            cause = f"the decoder gave no sign of life for {self.timeout_s:g} s and was ended"
            raise VideoError("timeout", uri, cause) from None
        except (EOFError, ConnectionError):
            raise VideoError("crashed", uri, child.last_words()) from None
        finally:
            self.waited_s += time.perf_counter() - begun
        if message[0] == "failed":
            raise VideoError(message[1].kind, uri, message[1].cause)
        return message


class StreamedFrames:
    """Be the frames of one clip, decoded by a child as they are asked for (``frames.Frames``).

    ``waited_s`` counts the seconds that were spent waiting for them.
    """

    def __init__(self, decoder: Decoder, clip: Clip) -> None:
        self.decoder = decoder
        self.waited_s = 0.0
        self._clip = clip

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Say how many frames the clip asked for, and their size: (T, H, W, 3)."""
        return len(self._clip["pts"]), self._clip["height"], self._clip["width"], 3

    def chunks(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[Chunk]:
        """Decode rows ``start`` to ``stop`` in chunks of at most ``size`` (``frames.Frames``)."""
        stop = min(self.shape[0], self.shape[0] if stop is None else stop)
        before = self.decoder.waited_s
        try:
            if start < stop:
                yield from self.decoder.chunks(self._clip, size, start, stop)
        finally:
            self.waited_s += self.decoder.waited_s - before

    def __reduce__(self) -> tuple[type[DecodedFrames], tuple[Any, ...]]:
        parts = [(rows, pictures.copy()) for rows, pictures in self.chunks(self.shape[0] or 1)]
        none = np.empty(0, np.int64), np.empty((0, *self.shape[1:]), np.uint8)
        rows, pictures = (np.concatenate(arrays) for arrays in zip(none, *parts, strict=True))
        return DecodedFrames, (pictures, rows, self.shape[0])


class _Child:
    """Hold one decoding process, the pipe to it and the memory shared with it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.memory = Memory()
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "muybridge.video.child",
                    str(theirs.fileno()),
                    str(self.memory.file),
                ],
                pass_fds=(theirs.fileno(), self.memory.file),
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._connection = Connection(ours.detach())
        self.alive = True

    def send(self, message: Any) -> None:
        """Send a message; that the child died shows when its answer is received."""
        with suppress(ConnectionError):
            self._connection.send(message)

    def receive(self, timeout_s: float) -> Any:
        """Wait for a message, or raise TimeoutError, EOFError or ConnectionError."""
        if not self._connection.poll(timeout_s):
            raise TimeoutError
        return self._connection.recv()

    def last_words(self) -> str:
        """Say how the process ended."""
        self.end()
        code = self._process.returncode
        how = f"of {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"the decoder's process died {how}"

    def end(self) -> None:
        """Let the process end by closing the pipe; kill it if it does not."""
        if self.alive:
            self.alive = False
            self._connection.close()
            self.memory.close()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self.end()
