"""A store, a disk or a decoder that fails for a while changes nothing in the tables.

The truth is a run that was left alone: parts must be equal to the byte. tests/benchmarks/outages.py
does the same at many random moments.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from muybridge.store.objects import at
from muybridge.store.tables import SCHEMAS

from .faulty_s3 import BUCKET, INDEX, FaultyS3, Outage, failing, index, parts
from .test_chaos import kill, session

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
SOUND = ("again.mkv", "eat.mkv", "no.mkv")


@pytest.fixture(scope="module")
def videos(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of a few seconds, one of them damaged and one no video at all."""
    folder = tmp_path_factory.mktemp("videos")
    for name in SOUND:
        shutil.copy(data / "intel_people/asl_gestures" / name, folder)
    shutil.copy(data / "decord_fixtures/corrupted.mp4", folder)
    (folder / "text.mp4").write_text("hello")
    return folder


@pytest.fixture(scope="module")
def port(s3_endpoint: str, videos: Path) -> int:
    """Where a store is that holds the videos."""
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    client.create_bucket(Bucket=BUCKET)
    for path in videos.iterdir():
        client.upload_file(str(path), BUCKET, f"in/{path.name}")
    return int(s3_endpoint.rpartition(":")[2])


@pytest.fixture
def calm(port: int, tmp_path: Path) -> Iterator[FaultyS3]:
    with failing(port, tmp_path / "calm") as s3:
        yield s3


@pytest.fixture(scope="module")
def truth(port: int, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], int]:
    """The parts of a run that was left alone, and how many requests it took."""
    with failing(port, tmp_path_factory.mktemp("truth")) as s3:
        done = index(s3, f"s3://{BUCKET}/in/", "--out", f"s3://{BUCKET}/truth")
        assert done.returncode == 0, done.stderr
        made = parts(at(f"s3://{BUCKET}/truth", f"http://127.0.0.1:{port}"))
    assert len({name.split("/")[1] for name in made}) >= 3, "too few shards to be cut between"
    return made, s3.requests


def test_a_store_that_fails_in_every_way_changes_nothing(port, truth, tmp_path):
    made, requests = truth
    modes = ("503", "stopped", "cut", "expired", "429", "slow", "403", "500")
    outages = [
        Outage(mode, after=5 + number * (requests - 10) // len(modes), seconds=3)
        for number, mode in enumerate(modes)
    ]
    with failing(port, tmp_path / "s3", outages) as s3:
        done = index(s3, f"s3://{BUCKET}/in/", "--out", f"s3://{BUCKET}/failing")
    assert done.returncode == 0, done.stderr
    assert {outage.mode for outage in s3.met} == set(modes)
    assert parts(at(f"s3://{BUCKET}/failing", f"http://127.0.0.1:{port}")) == made


def rows(made: dict[str, bytes], name: str) -> list[str]:
    """Read the rows of a table, in an order that does not depend on shards."""
    tables = [pq.read_table(io.BytesIO(d)) for key, d in made.items() if key.startswith(f"{name}/")]
    return sorted(map(repr, pa.concat_tables(tables).to_pylist()))


def failures(made: dict[str, bytes]) -> list[tuple[str, str, str, bool]]:
    tables = [pq.read_table(io.BytesIO(d)) for key, d in made.items() if key.startswith("errors/")]
    return sorted(
        (row["uri"].rpartition("/")[2], row["stage"], row["kind"], row["transient"])
        for row in pa.concat_tables(tables).to_pylist()
    )


def test_an_outage_that_outlasts_a_run_is_told_and_mended_by_the_next_run(
    port, calm, truth, tmp_path
):
    made, _ = truth
    broken = [("corrupted.mp4", "decode", "damaged", False)]
    broken += [("text.mp4", "probe", "unreadable", False)]
    assert failures(made) == broken
    command = f"s3://{BUCKET}/in/", "--out", str(tmp_path / "out")

    with failing(port, tmp_path / "s3", [Outage("403", after=2, seconds=600)]) as s3:
        done = index(s3, *command, outage_s=1)
    assert done.returncode == 0, done.stderr
    assert "5 errors (5 transient: run again)" in done.stdout
    names = sorted([*SOUND, "corrupted.mp4", "text.mp4"])
    told = failures(parts(at(str(tmp_path / "out"))))
    assert told == [(name, "probe", "denied", True) for name in names]

    assert index(calm, *command).returncode == 0
    mended = parts(at(str(tmp_path / "out")))
    for name in SCHEMAS:
        assert rows(mended, name) == rows(made, name), name
    assert "nothing was left to do" in index(calm, *command).stdout


def started(videos: Path, out: Path, during: str) -> subprocess.Popen[str]:
    """Start a run over a folder, and come back when it is ``during`` a phase."""
    command = [sys.executable, "-c", INDEX, "120", str(videos), "--out", str(out), "--fps", "3"]
    run = subprocess.Popen(
        [*command, "--progress", "lines"], start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    assert run.stderr is not None
    for line in run.stderr:
        if line.startswith(during):
            break
    return run


def local(videos: Path, out: Path, during: str) -> subprocess.Popen[str]:
    """Start a run over a folder that may say what it likes from then on."""
    run = started(videos, out, during)
    assert run.stderr is not None
    threading.Thread(target=run.stderr.read).start()
    return run


@pytest.fixture(scope="module")
def whole(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The parts of a run over the folder that was left alone."""
    out = tmp_path_factory.mktemp("whole")
    assert local(videos, out, during="starting").wait(300) == 0
    return parts(at(str(out)))


def test_a_disk_that_goes_away_and_comes_back_and_killed_decoders_change_nothing(
    videos, whole, tmp_path
):
    folder, away = videos, tmp_path / "away"
    disk = tmp_path / "disk"
    disk.mkdir()
    out = disk / "out"
    run = local(folder, out, during="planning")
    folder.rename(away)
    time.sleep(4)
    away.rename(folder)
    killed = 0
    while run.poll() is None and killed < 2:  # a clip is given up after three
        time.sleep(0.5)
        if (out / "_muybridge/attempts").is_dir():
            alive = decoders(run.pid)
            killed += bool(alive) and kill(alive[0])
    if run.poll() is None:  # the output's disk as well
        disk.rename(away)
        time.sleep(3)
        away.rename(disk)
    assert run.wait(300) == 0
    assert killed
    assert failures(parts(at(str(out)))) == failures(whole)
    assert parts(at(str(out))) == whole


def decoders(run: int) -> list[int]:
    """Name the decoding processes of a run."""
    return [process for process, line in session(run).items() if "muybridge.video.child" in line]


@pytest.mark.parametrize("during", ["starting Ray", "planning", "analysing"])
def test_sigterm_ends_a_run_in_a_sentence_and_the_next_one_goes_on(videos, whole, tmp_path, during):
    out = tmp_path / "out"
    run = started(videos, out, during)
    assert run.stderr is not None
    began = time.monotonic()
    run.terminate()
    said = run.stderr.read()
    assert run.wait(30) == 143
    assert time.monotonic() - began < 10
    assert said.endswith("stopped; the same command takes up where this one ended\n")
    assert "***" not in said
    assert "Traceback" not in said
    held = out / "_muybridge/lock.json"
    assert not held.exists() or b"free" in held.read_bytes()
    if during == "analysing":
        assert local(videos, out, during="starting").wait(300) == 0
        assert parts(at(str(out))) == whole
