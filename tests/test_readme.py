"""Every command and every piece of Python in README.md is run, as it stands there."""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


LINES = [line for block in blocks("bash") for line in block.strip().splitlines()]
SETUP = [line for line in LINES if "pip install" in line]
SERVE = [line for line in LINES if " serve" in line]
CURL = [line for line in LINES if line.startswith("curl")]
REST = [line for line in LINES if line not in SETUP + SERVE + CURL]


@pytest.fixture(scope="module")
def place(data, tmp_path_factory) -> Path:
    """A folder as a user has it: real clips, several cameras', and the commands in .venv/bin."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "VIDEOS").mkdir()
    for name in ("walk", "yes"):
        shutil.copy(data / f"intel_people/asl_gestures/{name}.mkv", folder / "VIDEOS")
    shutil.copytree(data / "pose2sim_balancing", folder / "SESSION")
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(BIN)
    return folder


def run(line: str, place: Path, **env: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=place,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **env},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_first_line_ends_in_the_command_that_indexes(place):
    (line,) = (line for line in SETUP if "muybridge index" in line)
    assert line.startswith("python3 -m venv .venv && .venv/bin/pip install -e . && ")
    said = run(line.split(" && ")[-1], place)
    assert "2 videos, 2 people" in said


def test_the_second_line_is_what_continuous_integration_runs():
    (line,) = (line for line in SETUP if "pytest" in line)
    called = (ROOT / ".ci/run").read_text().splitlines()[-1]
    assert called.replace("install -q", "install") == line


@pytest.mark.parametrize("line", [line for line in REST if "s3://" not in line])
def test_commands_do_what_they_say(place, line):
    assert run(line, place)


def test_commands_on_s3_do_what_they_say(place, s3):
    import boto3

    endpoint, bucket = s3
    client = boto3.client("s3", endpoint_url=endpoint)
    for video in (place / "VIDEOS").iterdir():
        client.upload_file(str(video), bucket, f"videos/{video.name}")
    lines = [line.replace("s3://bucket/", f"s3://{bucket}/") for line in REST if "s3://" in line]
    said = [run(line, place, AWS_ENDPOINT_URL=endpoint) for line in lines]
    assert "2 videos, 2 people" in said[0]


@pytest.mark.parametrize("code", blocks("python"))
def test_pieces_of_python_run(place, code):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_the_endpoint_answers_as_shown(place):
    (line,) = SERVE
    with subprocess.Popen(
        ["bash", "-c", f"exec {line}"], cwd=place, start_new_session=True, stderr=subprocess.PIPE
    ) as server:
        try:
            ready = next(curl for curl in CURL if "readyz" in curl).split()[-1]
            wait_for(ready)
            said = [run(f"{curl} -sS --fail", place) for curl in CURL]
        finally:
            server.terminate()
            began = time.monotonic()
            told = server.communicate(timeout=60)[1].decode()
    assert time.monotonic() - began < 10
    assert server.returncode == 143
    assert told.endswith("stopped\n")
    assert "Traceback" not in told
    assert all('"people"' in answer for answer in said[:2])


def wait_for(url: str) -> None:
    until = time.monotonic() + 120
    while not answers(url):
        assert time.monotonic() < until, f"{url} did not answer within two minutes"
        time.sleep(1)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1)
    except OSError:
        return False
    return True
