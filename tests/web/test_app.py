"""The HTTP face over a real server and a plain function."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable

import httpx
import pyarrow as pa
import pytest

from muybridge.web import app

from .conftest import SCHEMAS, Counting, Served, Together, running

pytestmark = pytest.mark.timeout(60)
Serve = Callable[..., Served]
LINES = {"Accept": "application/x-ndjson"}


def eventually(true: Callable[[], bool], seconds: float = 5) -> bool:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


@pytest.mark.parametrize("clips", [1, 3])
def test_all_clips_come_as_one_document(serve: Serve, clips: int) -> None:
    served = serve()
    answer = served.post(b"x" * clips)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert [row["frame"] for row in answer.json()["tables"]["people"]] == list(range(clips))
    assert answer.json()["tables"]["errors"] == []
    assert answer.json()["summary"] == {"clips": clips, "rows": {"people": clips, "errors": 0}}


def test_a_number_that_json_lacks_becomes_null(serve: Serve) -> None:
    people = serve().post(b"xx").json()["tables"]["people"]
    assert people == [{"frame": 0, "score": 0.5}, {"frame": 1, "score": None}]


def test_a_line_comes_as_soon_as_its_clip_is_ready(serve: Serve) -> None:
    served = serve()
    files = {"file": ("walk.mp4", b"wait")}
    with served.client.stream("POST", "/v1/analyze", files=files, headers=LINES) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = answer.iter_lines()
        line = json.loads(next(lines))
        assert line["tables"]["people"] == [{"frame": 0, "score": 0.5}]
        assert served.analyze.freed == 0


def test_the_last_line_counts_the_rows(serve: Serve) -> None:
    lines = [json.loads(line) for line in serve().post(b"xx", headers=LINES).text.splitlines()]
    assert [list(line) for line in lines] == [["tables"], ["tables"], ["summary"]]
    assert lines[-1]["summary"] == {"clips": 2, "rows": {"people": 2, "errors": 0}}


def test_a_fault_after_the_first_clip_is_the_last_line(serve: Serve) -> None:
    answer = serve().post(b"late", headers=LINES)
    assert answer.status_code == 200
    assert json.loads(answer.text.splitlines()[-1]) == {
        "error": {"kind": "damaged", "message": "walk.mp4: cut off"}
    }


@pytest.mark.parametrize("headers", [{}, LINES])
def test_what_is_not_a_video_is_named_as_its_sender_named_it(serve: Serve, headers: dict) -> None:
    served = serve()
    answer = served.post(b"bad", name="my notes.mp4", headers=headers)
    assert answer.status_code == 422
    assert answer.json() == {
        "error": {"kind": "unreadable", "message": "my notes.mp4: not a video"}
    }
    assert served.stored() == 0


def test_a_surprise_tells_the_client_nothing_of_the_server(serve: Serve) -> None:
    answer = serve().post(b"surprise")
    assert answer.status_code == 500
    message = "walk.mp4: the analysis failed; the server's log says why"
    assert answer.json()["error"] == {"kind": "internal", "message": message}


def test_a_server_without_a_place_for_uploads_says_so_in_json(serve: Serve) -> None:
    served = serve()
    served.folder.rmdir()
    answer = served.post(b"x")
    assert answer.status_code == 500
    assert answer.json()["error"]["kind"] == "internal"


def test_options_stand_in_the_query_or_in_the_form(serve: Serve) -> None:
    served = serve()
    in_query = served.post(b"x", params={"fps": "2.5", "tables": "people"})
    in_form = served.post(b"x", data={"fps": "2.5", "tables": "people"})
    assert in_query.json() == in_form.json()
    assert list(in_form.json()["tables"]) == ["people"]
    assert [fps for _, _, fps in served.analyze.asked] == [2.5, 2.5]
    served.post(b"x")
    assert served.analyze.asked[-1][1:] == ("walk.mp4", None)


@pytest.mark.parametrize("fps", ["0", "-1", "nan", "inf", "fast", "1001"])
def test_a_senseless_fps_is_refused(serve: Serve, fps: str) -> None:
    served = serve()
    for options in ({"params": {"fps": fps}}, {"data": {"fps": fps}}):
        answer = served.post(b"x", **options)
        assert answer.status_code == 422
        assert answer.json()["error"]["kind"] == "fps"
    assert served.analyze.asked == []


def test_an_unknown_table_is_refused_with_the_known_ones(serve: Serve) -> None:
    answer = serve().post(b"x", params={"tables": "people,poeple"})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == (
        "there is no table 'poeple'; there are people, errors"
    )


def test_the_docs_describe_the_columns(serve: Serve) -> None:
    client = serve().client
    assert client.get("/docs").status_code == 200
    assert "v1/analyze" in client.get("/").text
    post = client.get("/openapi.json").json()["paths"]["/v1/analyze"]["post"]
    schema = post["responses"]["200"]["content"]["application/json"]["schema"]
    people = schema["properties"]["tables"]["properties"]["people"]["items"]["properties"]
    assert people == {"frame": {"type": "integer"}, "score": {"type": "number"}}
    assert "503" in post["responses"]


def test_an_unknown_path_is_told_in_json(serve: Serve) -> None:
    assert serve().client.get("/v2").json()["error"]["message"] == "Not Found"


def test_readiness_follows_the_models(serve: Serve) -> None:
    loaded = False

    async def ready() -> bool:
        return loaded

    client = serve(ready=ready).client
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    loaded = True
    assert client.get("/readyz").status_code == 200


def test_one_request_too_many_is_told_to_come_again(serve: Serve) -> None:
    served = serve(max_requests=1)
    files = {"file": ("walk.mp4", b"wait")}
    with served.client.stream("POST", "/v1/analyze", files=files, headers=LINES):
        assert eventually(lambda: len(served.analyze.asked) == 1)
        answer = served.post(b"x")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["error"]["kind"] == "busy"
        assert served.client.get("/healthz").status_code == 200
    assert eventually(lambda: served.post(b"x").status_code == 200)


@pytest.mark.parametrize("headers", [{}, LINES])
def test_a_client_that_goes_away_frees_its_work(serve: Serve, headers: dict) -> None:
    served = serve(max_requests=1)
    with pytest.raises(httpx.ReadTimeout):
        served.post(b"wait", headers=headers, timeout=0.5).read()
    assert eventually(lambda: served.analyze.freed == 1)
    assert eventually(lambda: list(served.folder.iterdir()) == [])
    assert served.post(b"x").status_code == 200


def test_a_request_that_is_cancelled_frees_its_work(tmp_path) -> None:
    analyze = Counting()
    made = app.create(analyze, Together(), SCHEMAS, folder=tmp_path, max_requests=1)

    async def cancel() -> None:
        transport = httpx.ASGITransport(made)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            post = client.post("/v1/analyze", files={"file": ("walk.mp4", b"wait")})
            request = asyncio.create_task(post)
            while not analyze.asked:
                await asyncio.sleep(0.01)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request

    asyncio.run(cancel())
    assert analyze.freed == 1
    assert list(tmp_path.iterdir()) == []


def test_whoever_has_the_whole_answer_finds_the_place_free(serve: Serve) -> None:
    served = serve(max_requests=1)
    for headers in [{}, LINES] * 20:
        assert served.post(b"x", headers=headers).status_code == 200
        assert list(served.folder.iterdir()) == []


def test_many_clients_get_their_own_rows(serve: Serve) -> None:
    served = serve()
    counts = dict[int, int]()

    def ask(clips: int) -> None:
        counts[clips] = len(served.post(b"x" * clips).json()["tables"]["people"])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {n: n for n in range(1, 17)}
    assert served.stored() == 0


def test_bytes_come_as_base64_and_the_docs_say_so(tmp_path) -> None:
    schema = {"densepose": pa.schema([pa.field("parts", pa.binary())])}

    async def analyze(path, name, fps):
        yield {"densepose": pa.table({"parts": [b"\x89PNG", None]}, schema["densepose"])}

    with running(app.create(analyze, Together(), schema, folder=tmp_path)) as url:
        answer = httpx.post(f"{url}/v1/analyze", files={"file": ("walk.mp4", b"x")}).json()
        docs = httpx.get(f"{url}/openapi.json").text
    rows = answer["tables"]["densepose"]
    assert [row["parts"] and base64.b64decode(row["parts"]) for row in rows] == [b"\x89PNG", None]
    assert '"contentEncoding":"base64"' in docs
