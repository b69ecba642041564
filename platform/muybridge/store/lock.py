"""Let one run at a time write to an output, and let a dead one's lock not block for ever."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from muybridge.errors import LockedError
from muybridge.store.objects import PRIVATE, Objects

KEY = PRIVATE + "lock.json"
BEAT_S = 10.0
DEAD_S = 60.0


class Lock:
    """Hold the lock of an output and renew it every ten seconds until it is released."""

    def __init__(self, objects: Objects, mine: dict[str, Any], tag: str, beat_s: float) -> None:
        self.objects = objects
        self.lost = ""
        self._mine = mine
        self._tag = tag
        self._beat_s = beat_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lock", daemon=True)
        self._thread.start()

    @property
    def token(self) -> str:
        """Be what tells this hold of the lock from every other."""
        return str(self._mine["token"])

    def check(self) -> None:
        """Raise LockedError if another run has taken the lock."""
        if self.lost:
            raise LockedError(f"{self.objects.root}: this run has lost its lock: {self.lost}")

    def release(self) -> None:
        """Stop renewing and leave the lock free, unless another run holds it by now."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join()
        if not self.lost:
            self.objects.replace(KEY, _text({"free": self._mine["token"]}), self._tag)

    def _renew(self) -> None:
        while not self.lost and not self._stop.wait(self._beat_s):
            with suppress(Exception):  # the store may answer next time; nobody else can write, too
                self._beat()

    def _beat(self) -> None:
        data = _text({**self._mine, "renewed": time.time()})
        if self.objects.replace(KEY, data, self._tag):
            now, tag = self.objects.fetch(KEY)
            self.lost = "" if now == data else _holder(json.loads(now))
            self._tag = tag
        else:
            self.lost = _holder(_read(self.objects)[0])


def token(objects: Objects) -> str:
    """Read the token of whoever holds the lock of an output; "" if nobody does."""
    try:
        return str(_read(objects)[0].get("token", ""))
    except FileNotFoundError:
        return ""


def take(objects: Objects, beat_s: float = BEAT_S, dead_s: float = DEAD_S) -> Lock:
    """Take the lock of an output, or raise LockedError that names who holds it.

    The lock of a run that is gone is taken over: at once if it ran here, after ``dead_s`` without a
    renewal if it ran on another machine. Of several that try, one gets it.
    """
    now = time.time()
    mine = {**_self(), "token": uuid.uuid4().hex, "since": now, "renewed": now}
    if not objects.create(KEY, _text(mine)):
        other, tag = _read(objects)
        if not _dead(other, dead_s) or not objects.replace(KEY, _text(mine), tag):
            raise LockedError(
                f"{objects.root}: cannot write, {_holder(_read(objects)[0])}; wait for it to end,"
                f" or stop it: its lock is free {dead_s:.0f} s after its last sign of life"
            )
    now_held, tag = _read(objects)
    if now_held.get("token") != mine["token"]:
        raise LockedError(f"{objects.root}: cannot write, {_holder(now_held)}")
    return Lock(objects, mine, tag, beat_s)


@contextmanager
def held(objects: Objects) -> Iterator[Lock]:
    """Hold the lock of an output for as long as the block runs."""
    lock = take(objects)
    try:
        yield lock
    finally:
        lock.release()


def _dead(other: dict[str, Any], dead_s: float) -> bool:
    if "free" in other:
        return True
    if other["place"] == _place():
        return _started(other["pid"]) != other["started"]
    return time.time() - other["renewed"] > dead_s


def _self() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": platform.node(), "pid": pid, "place": _place(), "started": _started(pid)}


def _place() -> str:
    """Tell apart where process ids mean different things: machines, starts of them, containers."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def _started(pid: int) -> str:
    """Say when a process started, so that a process id used again is not mistaken; "" if none."""
    with suppress(OSError):
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if status[0] in "ZX" else status[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"


def _read(objects: Objects) -> tuple[dict[str, Any], str]:
    data, tag = objects.fetch(KEY)
    return json.loads(data), tag


def _holder(other: dict[str, Any]) -> str:
    if "free" in other:
        return "another run has taken and released it in the meantime"
    since = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(other["since"]))
    return f"another run holds it: process {other['pid']} on {other['host']}, since {since}"


def _text(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
