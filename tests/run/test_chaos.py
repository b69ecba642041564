"""Kill the driver, its workers, whole nodes, at random moments: nothing is lost, nothing is twice.

The truth is a run that was left alone: every part that a plain reader can see at any moment, and
every part at the end, must be byte for byte one of its parts. tests/benchmarks/chaos.py is the long
form of this.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from muybridge.store.tables import SCHEMAS

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1500)]

# shards of a few seconds, so that there are several of them to be cut off between
INDEX = """
import sys
from muybridge import cli
from muybridge.store import plan
plan.SHARD_S = 5.0
cli.app(["index", "--pose-model", "lightning", *sys.argv[1:]])
"""
KILLS = os.environ.get("MUYBRIDGE_CHAOS", "1 1 1")
DRIVER_KILLS, WORKER_KILLS, NODE_KILLS = map(int, KILLS.split())


@pytest.fixture(scope="module")
def videos(data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for clip in sorted((data / "intel_people/asl_gestures").glob("*.mkv"))[:6]:
        shutil.copy(clip, folder)
    shutil.copy(data / "sam2_people/05_default_juggle.mp4", folder)
    shutil.copy(data / "decord_fixtures/corrupted.mp4", folder)
    return folder


def start(videos: Path, out: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-c", INDEX, str(videos), "--out", str(out), "--fps", "6", *more]
    return subprocess.Popen(
        [*command, "--progress", "lines"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(videos: Path, out: Path, *more: str) -> float:
    began = time.monotonic()
    run = start(videos, out, *more)
    _, said = run.communicate(timeout=600)
    assert run.returncode == 0, said
    return time.monotonic() - began


def parts(out: Path) -> dict[str, bytes]:
    found = {}
    for name in SCHEMAS:
        for path in (out / name).glob("*.parquet"):
            with suppress(FileNotFoundError):  # the test itself cleans up between runs
                found[f"{name}/{path.name}"] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def truth(videos, tmp_path_factory) -> tuple[dict[str, bytes], float]:
    """The parts of a run that was left alone, and how long it took."""
    out = tmp_path_factory.mktemp("truth")
    took = finish(videos, out)
    made = parts(out)
    assert len({name.split("/")[1] for name in made}) >= 3, "too few shards to be cut between"
    return made, took


@pytest.fixture
def out(truth, tmp_path) -> Iterator[Path]:
    """An output that is watched: whatever a reader can see at any moment must be true."""
    folder = tmp_path / "out"
    lies, over = [], threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            lies.extend(name for name, data in parts(folder).items() if truth[0].get(name) != data)

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield folder
    over.set()
    watcher.join()
    assert lies == []


def session(pid: int) -> dict[int, str]:
    """Name the processes of a session: Ray's all stay in the session that started it."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if os.getsid(int(folder.name)) == pid:
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except (ProcessLookupError, FileNotFoundError):
                continue
    return found


def wait_until_gone(pid: int) -> None:
    for _ in range(200):
        if not session(pid):
            return
        time.sleep(0.1)
    for left in session(pid):
        os.kill(left, signal.SIGKILL)


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_driver_loses_nothing(videos, out, truth):
    chance = random.Random(7)
    for _ in range(DRIVER_KILLS):
        run = start(videos, out)
        time.sleep(chance.uniform(0.3, 1.0) * truth[1])
        run.kill()
        run.wait()
        wait_until_gone(run.pid)
    finish(videos, out)
    assert parts(out) == truth[0]


def test_killed_workers_lose_nothing_and_the_run_goes_on(videos, out, truth):
    chance = random.Random(11)
    killed = 0
    while killed < WORKER_KILLS:
        shutil.rmtree(out, ignore_errors=True)
        run = start(videos, out)
        said = threading.Thread(target=lambda run=run: run.stderr.read())
        said.start()
        while run.poll() is None:
            time.sleep(chance.uniform(1.0, 3.0))
            workers = [pid for pid, line in session(run.pid).items() if "MapWorker" in line]
            if workers and killed < WORKER_KILLS:
                killed += kill(chance.choice(workers))
        said.join()
        assert run.returncode == 0
        wait_until_gone(run.pid)
        assert parts(out) == truth[0]


def test_a_lost_node_loses_nothing(videos, out, truth):
    from ray.cluster_utils import Cluster

    chance = random.Random(13)
    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    try:
        for _ in range(NODE_KILLS):
            node = nodes.add_node(num_cpus=2)
            run = start(videos, out, "--address", nodes.address)
            time.sleep(chance.uniform(0.4, 0.9) * truth[1])
            nodes.remove_node(node, allow_graceful=False)
            nodes.add_node(num_cpus=1)
            _, said = run.communicate(timeout=300)
            assert run.returncode == 0, said
            assert parts(out) == truth[0]
            shutil.rmtree(out)
        finish(videos, out, "--address", nodes.address)
    finally:
        nodes.shutdown()
    assert parts(out) == truth[0]
