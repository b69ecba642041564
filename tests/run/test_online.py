"""The endpoint as users get it: a program on real Serve, asked over real HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest

from muybridge import graphs
from muybridge.errors import InputError
from muybridge.run import api, local, online
from muybridge.run.identities import linked
from muybridge.store import tables
from muybridge.video.process import Decoder

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]
PROGRAM = Path(__file__).parent / "serve_toy.py"
KEY = "correct-horse"
LINES = {"Accept": "application/x-ndjson"}
FPS, SECONDS = 5, 32


@dataclass
class Server:
    process: subprocess.Popen[str]
    client: httpx.Client
    log: Path
    video: bytes = field(repr=False)

    def post(self, name: str = "walk.mkv", **options: Any) -> httpx.Response:
        files = {"file": (name, self.video)}
        return self.client.post("/v1/analyze", files=files, **options)

    def runs(self, name: str) -> list[int]:
        """List the process of each time a clip of that file was taken up."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [int(line.split()[0]) for line in lines if line.split()[1] == name]


def film(path: Path, seconds: int = SECONDS) -> Path:
    """Make a tiny film with a key frame about every 8 s: 4 clips in 32 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 8 * FPS
        for number in range(seconds * FPS):
            picture = np.full((32, 32, 3), number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


def start(folder: Path, seconds: float, pools: list[dict], **options: Any) -> Server:
    """Start the program and wait until it says where it listens."""
    video, key = film(folder / "walk.mkv").read_bytes(), folder / "key"
    key.write_text(KEY + "\n")
    toy = {"seconds": seconds, "log": str(folder / "log")}
    given = {"toy": toy, "key": str(key), "pools": pools, **options}
    port = online.unused_port()
    command = [sys.executable, str(PROGRAM), str(port), json.dumps(given)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
    assert process.stdout
    url = process.stdout.readline().strip()
    assert url == f"http://127.0.0.1:{port}"
    client = httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=60)
    return Server(process, client, folder / "log", video)


def stop(server: Server) -> int:
    """Send Ctrl-C; after half a minute, kill."""
    server.client.close()
    server.process.send_signal(signal.SIGINT)
    try:
        return server.process.wait(30)
    finally:
        server.process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One pool of two replicas; a clip takes 0.3 s."""
    pool = {"stages": ["count", "joints"], "cpus": 0.2, "smallest": 2, "largest": 2}
    limits = {"max_upload_bytes": 1 << 20, "max_requests": 16}
    started = start(tmp_path_factory.mktemp("one"), 0.3, [pool], limits=limits)
    yield started
    stop(started)


def frames(answer: httpx.Response) -> list[int]:
    """List the frames in which somebody is seen."""
    assert answer.status_code == 200, answer.text
    return [row["frame"] for row in answer.json()["tables"]["people"]]


EVERY_FRAME = list(range(FPS * SECONDS))


def test_every_frame_is_answered_once_and_in_order(server: Server) -> None:
    answer = server.post()
    assert frames(answer) == EVERY_FRAME
    found = answer.json()["tables"]
    assert found["errors"] == []
    assert {row["track_id"] for row in found["people"]} == {0}
    (video,) = found["videos"]
    assert (video["uri"], video["frames"], video["frames_analysed"]) == ("walk.mkv", 160, 160)
    (track,) = found["tracks"]
    assert (track["first_frame"], track["last_frame"], track["frames_seen"]) == (0, 159, 160)
    assert len(found["keypoints"]) == 160


def test_the_wanted_frames_a_second_are_looked_at(server: Server) -> None:
    assert frames(server.post(params={"fps": 1})) == EVERY_FRAME[::FPS]


def test_lines_come_clip_by_clip(server: Server) -> None:
    files = {"file": ("walk.mkv", server.video)}
    came, seen = [], []
    with server.client.stream("POST", "/v1/analyze", files=files, headers=LINES) as answer:
        for line in answer.iter_lines():
            came.append(time.monotonic())
            seen.append(json.loads(line))
    assert [next(iter(line)) for line in seen] == ["tables"] * 5 + ["summary"]
    clips = [[row["frame"] for row in line["tables"]["people"]] for line in seen[:4]]
    assert [frame for clip in clips for frame in clip] == EVERY_FRAME
    assert min(map(len, clips)) > 30
    assert came[-1] - came[0] > 0.25  # four clips of 0.3 s on two replicas


def test_what_is_no_video_is_refused_by_its_name(server: Server) -> None:
    answer = server.client.post("/v1/analyze", files={"file": ("notes.mp4", b"not a video\n")})
    assert answer.status_code == 422
    assert answer.json()["error"]["kind"] == "unreadable"
    assert answer.json()["error"]["message"].startswith("notes.mp4: ")


def test_too_large_a_file_is_refused(server: Server) -> None:
    files = {"file": ("long.mp4", b"\0" * (50 << 20))}
    assert server.client.post("/v1/analyze", files=files).status_code == 413


def test_the_key_guards_all_but_the_health_paths(server: Server) -> None:
    with httpx.Client(base_url=server.client.base_url) as stranger:
        assert stranger.get("/healthz").status_code == 200
        assert stranger.get("/readyz").json() == {"ready": True}
        assert stranger.get("/docs").status_code == 401
        assert stranger.post("/v1/analyze", files={"file": ("a", b"x")}).status_code == 401


def at_once(server: Server, clients: int, **options: Any) -> tuple[list[Any], Callable[[], None]]:
    """Let clients ask at the same time; give their answers and a function that waits for them."""
    answers: list[Any] = [None] * clients

    def ask(at: int) -> None:
        answers[at] = server.post(**options)

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(clients)]
    for thread in threads:
        thread.start()
    return answers, lambda: [thread.join() for thread in threads]


def test_too_many_requests_are_told_to_come_again(server: Server) -> None:
    answers, join = at_once(server, 40)
    join()
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 16
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert int(refused.headers["retry-after"]) > 0
    assert frames(server.post()) == EVERY_FRAME


@pytest.mark.parametrize("headers", [{}, LINES])
def test_clients_that_go_away_free_their_work(
    server: Server, tmp_path: Path, headers: dict
) -> None:
    long = film(tmp_path / "long.mkv", 20 * 8).read_bytes()
    freed = 0
    for number in range(3):
        name = f"gone-{number}-{len(headers)}.mkv"
        files = {"file": (name, long)}
        with pytest.raises(httpx.ReadTimeout):
            server.client.post("/v1/analyze", files=files, headers=headers, timeout=0.25)
        freed += settled(server, name) < 20
    assert freed == 3


def settled(server: Server, name: str) -> int:
    """Count the clips of an upload that were taken up, once no more are."""
    before, count = -1, len(server.runs(name))
    while before < count:
        time.sleep(2.0)  # longer than a clip takes
        before, count = count, len(server.runs(name))
    return count


def test_no_request_is_lost_when_a_replica_is_killed(server: Server) -> None:
    answers, join = at_once(server, 8, name="killed.mkv")
    for _ in range(2):
        time.sleep(0.8)
        os.kill(server.runs("killed.mkv")[-1], signal.SIGKILL)
    join()
    assert [frames(answer) == EVERY_FRAME for answer in answers] == [True] * 8
    assert {row["kind"] for answer in answers for row in answer.json()["tables"]["errors"]} == set()


def test_a_clip_that_kills_its_replica_is_put_into_quarantine_alone(server: Server) -> None:
    answers, join = at_once(server, 2, name="good.mkv")
    poison = server.post("poison.mkv", params={"tables": "people,errors"}).json()["tables"]
    join()
    assert [row["kind"] for row in poison["errors"]] == ["quarantined"] * 4
    assert {row["attempts"] for row in poison["errors"]} == {3}
    assert poison["people"] == []
    assert [frames(answer) == EVERY_FRAME for answer in answers] == [True] * 2


def test_pools_of_their_own_give_the_same_rows_and_ctrl_c_ends_it(
    server: Server, tmp_path: Path
) -> None:
    pools = [{"stages": [name], "cpus": 0.2, "largest": 1} for name in ("count", "joints")]
    other = start(tmp_path, 0.0, pools)
    try:
        other.video = server.video
        assert other.post().json()["tables"] == server.post().json()["tables"]
    finally:
        code = stop(other)
    assert code == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(other.client.base_url)


def test_an_address_in_use_is_refused_before_anything_starts(server: Server) -> None:
    with pytest.raises(InputError, match="cannot listen on 127"):
        online.check_free("127.0.0.1", server.client.base_url.port or 0)


def test_an_api_key_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        online.read_key(tmp_path / "empty")
    with pytest.raises(InputError, match="cannot be read"):
        online.read_key(tmp_path / "missing")
    assert online.read_key(None) is None


def test_the_command_serves_the_rows_that_the_graph_gives_in_one_process(
    data: Path, tmp_path: Path
) -> None:
    video = data / "intel_people" / "asl_gestures" / "again.mkv"
    expected = in_one_process(video)
    port = online.unused_port()
    command = [sys.executable, "-m", "muybridge", "serve", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert process.stdout
        assert f"http://127.0.0.1:{port}" in process.stdout.readline()
        files = {"file": (video.name, video.read_bytes())}
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/analyze", files=files, timeout=120)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert len(expected["people"]) >= 70
    for name, rows in expected.items():
        got = answer.json()["tables"][name]
        assert len(got) == len(rows)
        for ours, theirs in zip(got, rows, strict=True):
            assert ours == {key: near(value) for key, value in theirs.items()}


def near(value: Any) -> Any:
    """Allow numbers to differ by what batches of other sizes change."""
    if isinstance(value, float) or (isinstance(value, list) and value):
        return pytest.approx(value, rel=1e-4, abs=1e-4)
    return value


def in_one_process(video: Path) -> dict[str, list[dict[str, Any]]]:
    """Make the rows of a video with ``run.local``."""
    graph = graphs.see_people()
    if missing := [text for stage in graph for text in stage.missing()]:
        pytest.skip("; ".join(missing))
    with Decoder() as decoder:
        planned = api.probe(decoder, video, video.name, None)
    given = ({**clip, "source": str(video)} for clip in planned.clips)
    clips = list(local.run(graph, given))
    made = tables.joined(linked((clip["core"], tables.rows(clip)) for clip in clips))
    return {name: made[name].to_pylist() for name in ("people", "keypoints", "joints3d", "errors")}
