"""Indexing as a job on a cluster that asks for a token."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import muybridge

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]
ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def head(tmp_path_factory) -> Iterator[dict[str, str]]:
    """A local head with token authentication on; yields the environment that reaches it."""
    port, dashboard = free_port(), free_port()
    env = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
        "RAY_TMPDIR": str(tmp_path_factory.mktemp("ray")),
    }
    command = ["ray", "start", "--head", f"--port={port}", f"--dashboard-port={dashboard}"]
    command += ["--num-cpus=4", "--dashboard-agent-listen-port=0", "--block"]
    with subprocess.Popen(
        command, env=env, start_new_session=True, stdout=subprocess.PIPE, text=True
    ) as ray:
        for line in ray.stdout:
            if "--block" in line or "Ray runtime started" in line:
                break
        yield env | {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}"}
        os.killpg(ray.pid, 15)


@pytest.fixture
def videos(data, tmp_path) -> Path:
    (tmp_path / "videos").mkdir()
    shutil.copy(data / "intel_people/asl_gestures/again.mkv", tmp_path / "videos")
    return tmp_path / "videos"


def run(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def test_submit_sends_the_job_and_follows_its_log(head, videos, tmp_path):
    out = tmp_path / "out"
    command = ["muybridge", "submit", str(videos), "--out", str(out), "--fps", "2"]
    done = run(command, head)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 videos, 1 people" in done.stdout
    assert len(muybridge.open(out).people) > 0


def test_submit_without_the_token_is_told_what_to_do(head, videos, tmp_path):
    stranger = {**head, "RAY_AUTH_TOKEN": "f" * 64}
    done = run(["muybridge", "submit", str(videos), "--out", str(tmp_path / "out")], stranger)
    assert done.returncode == 2
    assert "RAY_AUTH_TOKEN" in done.stderr


def test_a_job_that_fails_is_told_by_the_exit_code(head, tmp_path):
    done = run(["muybridge", "submit", str(tmp_path / "none"), "--out", str(tmp_path / "o")], head)
    assert done.returncode == 1
    assert "no such file or folder" in done.stdout


def test_jobs_index_runs_under_ray_job_submit(head, videos, tmp_path):
    out = tmp_path / "out"
    command = ["ray", "job", "submit", "--address", head["RAY_API_SERVER_ADDRESS"]]
    command += ["--runtime-env-json", '{"env_vars": {"PYTHONPATH": "platform"}}']
    command += ["--", sys.executable, str(ROOT / "jobs/index.py")]
    done = run([*command, str(videos), "--out", str(out), "--fps", "2"], head)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(muybridge.open(out).people) > 0
