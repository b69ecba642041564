"""One run at a time writes to an output, and a dead one does not block for ever."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from muybridge.errors import LockedError
from muybridge.store import lock
from muybridge.store.objects import Objects, at

HOLD = """
import sys, time
from muybridge.store import lock
from muybridge.store.objects import at
lock.take(at(sys.argv[1]), beat_s=0.1)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(params=["folder", "bucket"])
def objects(request, tmp_path) -> Objects:
    if request.param == "folder":
        return at(str(tmp_path / "out"))
    endpoint, bucket = request.getfixturevalue("s3")
    return at(f"s3://{bucket}/out", endpoint)


def left_by_another_machine(objects: Objects, renewed: float) -> None:
    """Leave a lock as a process on another machine would."""
    held = {"host": "elsewhere", "place": "x", "pid": 7, "started": "1", "token": "t"}
    objects.write(lock.KEY, json.dumps(held | {"since": 0.0, "renewed": renewed}).encode())


def test_the_second_is_told_who_holds_the_lock(objects):
    with lock.held(objects), pytest.raises(LockedError) as told:
        lock.take(objects)
    assert f"process {os.getpid()} on {os.uname().nodename}, since 2" in str(told.value)


def test_a_released_lock_is_free(objects):
    for _ in range(3):
        with lock.held(objects) as mine:
            mine.check()


def test_a_living_process_keeps_its_lock_and_a_killed_one_loses_it_at_once(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"process {other.pid} "):
            lock.take(at(str(tmp_path)), dead_s=0.0)
        other.send_signal(signal.SIGKILL)
        other.wait()
    with lock.held(at(str(tmp_path))) as mine:
        mine.check()


def test_a_process_id_used_again_is_not_the_process_that_held_the_lock(objects):
    mine = lock.take(objects)
    mine._stop.set()
    left = json.loads(objects.read(lock.KEY))
    objects.write(lock.KEY, json.dumps(left | {"started": "long ago"}).encode())
    lock.take(objects).release()


def test_a_lock_from_another_machine_holds_for_a_minute_after_its_last_sign(objects):
    left_by_another_machine(objects, time.time() - 50)
    with pytest.raises(LockedError, match="process 7 on elsewhere"):
        lock.take(objects)
    left_by_another_machine(objects, time.time() - 61)
    lock.take(objects).release()


def test_of_many_contenders_for_a_dead_lock_one_wins(tmp_path):
    objects = at(str(tmp_path))
    left_by_another_machine(objects, 0.0)
    start, won = threading.Barrier(8), list[lock.Lock]()

    def contend() -> None:
        start.wait()
        with contextlib.suppress(LockedError):
            won.append(lock.take(objects))

    threads = [threading.Thread(target=contend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = won
    winner.check()
    winner.release()


def test_a_held_lock_is_renewed(objects):
    mine = lock.take(objects, beat_s=0.05)
    before = json.loads(objects.read(lock.KEY))["renewed"]
    time.sleep(0.5)
    assert json.loads(objects.read(lock.KEY))["renewed"] > before
    mine.check()
    mine.release()


def test_a_run_notices_that_its_lock_was_taken_and_leaves_the_new_one_alone(objects):
    mine = lock.take(objects, beat_s=0.05)
    left_by_another_machine(objects, time.time())
    deadline = time.monotonic() + 10
    while not mine.lost and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(LockedError, match=r"lost its lock.*process 7 on elsewhere"):
        mine.check()
    mine.release()
    assert json.loads(objects.read(lock.KEY))["host"] == "elsewhere"
