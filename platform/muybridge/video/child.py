"""Probe and decode in a process of its own: what ``process.Decoder`` starts, run with ``-m``.

It reads requests from a pipe, and writes pictures into memory shared with its parent: a ring of
slots, filled ahead while the parent works on those before. A slot's number sent by the parent means
that the slot is free again; ``STOP``, that nobody wants the rest.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from muybridge.columns import Clip
from muybridge.errors import VideoError, is_transient, kind_of
from muybridge.video.container import named
from muybridge.video.decode import Reader
from muybridge.video.memory import Memory
from muybridge.video.probe import probe

SLOTS = 3
STOP = "stop"
SIGN_OF_LIFE_S = 0.5


class _StoppedError(Exception):
    pass


class _Parent:
    """Talk with the parent: send answers and signs of life, take back free slots."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._free = list(range(SLOTS))
        self._heard = 0.0

    def request(self) -> Any:
        """Wait for the next request; what is left from the one before does not count."""
        while not isinstance(message := self._connection.recv(), tuple):
            pass
        self._free = list(range(SLOTS))
        return message

    def send(self, kind: str, *values: Any) -> None:
        self._connection.send((kind, *values))
        self._heard = time.monotonic()

    def alive(self) -> None:
        """Say from time to time that work goes on, and hear whether it should."""
        if time.monotonic() - self._heard > SIGN_OF_LIFE_S:
            self.send("alive")
            self._hear(wait=False)

    def slot(self) -> int:
        """Take a free slot, waiting until there is one."""
        self._hear(wait=not self._free)
        return self._free.pop(0)

    def _hear(self, wait: bool) -> None:
        while wait or self._connection.poll():
            message = self._connection.recv()
            if message == STOP:
                raise _StoppedError
            self._free.append(message)
            wait = False


def main(pipe: int, memory: int) -> None:
    """Answer requests until the parent closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and decides
    threading.Thread(target=_die_with, args=(os.getppid(),), daemon=True).start()
    av.logging.set_level(None)
    parent = _Parent(Connection(pipe))
    shared = Memory(memory)
    with Reader(parent.alive) as reader:
        try:
            while True:
                kind, source, *rest = parent.request()
                _answer(parent, kind, source, rest, reader, shared)
        except (EOFError, ConnectionError):
            return


def _answer(
    parent: _Parent, kind: str, source: str, rest: list[Any], reader: Reader, memory: Memory
) -> None:
    try:
        if kind == "probe":
            parent.send("index", probe(source, parent.alive))
        else:
            _fill(parent, reader, memory, *rest)
            parent.send("done")
    except _StoppedError:
        parent.send("done")
    except VideoError as error:
        parent.send("failed", error)
    except (EOFError, ConnectionError):
        raise
    except Exception as error:  # a file can upset a decoder in more ways than can be listed
        cause, kind = f"{type(error).__name__}: {error}", kind_of(error)
        kind = kind if is_transient(kind) else "damaged"
        parent.send("failed", VideoError(kind, named(source), cause))


def _fill(
    parent: _Parent, reader: Reader, memory: Memory, clip: Clip, size: int, start: int, stop: int
) -> None:
    """Decode the clip's rows from ``start`` to ``stop`` into slots of ``size`` pictures."""
    shape = (SLOTS, size, clip["height"], clip["width"], 3)
    slots = np.frombuffer(memory.mapped(math.prod(shape)), np.uint8, math.prod(shape)).reshape(
        shape
    )
    rows: list[int] = []
    slot = -1
    for row, picture in reader.read(clip, start, stop):
        if not rows:
            slot = parent.slot()
        slots[slot, len(rows)] = picture
        rows.append(row)
        if len(rows) == size:
            parent.send("chunk", slot, _array(rows))
            rows.clear()
    if rows:
        parent.send("chunk", slot, _array(rows))


def _array(rows: list[int]) -> NDArray[np.int64]:
    return np.array(rows, np.int64)


def _die_with(parent: int, exit_now: Callable[[int], Any] = os._exit) -> None:
    """End this process when its parent is gone, also while a decoder hangs."""
    while os.getppid() == parent:
        time.sleep(1)
    exit_now(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
