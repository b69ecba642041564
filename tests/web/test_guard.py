"""The API key over a real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import Served

pytestmark = pytest.mark.timeout(60)
Serve = Callable[..., Served]
KEY = "correct-horse"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"X-API-Key": KEY},
        {"Authorization": "Basic YW55Ym9keTpjb3JyZWN0LWhvcnNl"},  # anybody:correct-horse
    ],
)
def test_who_sends_the_key_is_served(serve: Serve, headers: dict[str, str]) -> None:
    assert serve(api_key=KEY).post(b"x", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": KEY},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic Y29ycmVjdC1ob3JzZQ=="},  # the key as user name
        {"X-API-Key": ""},
        {"X-API-Key": b"\xff\xfe"},
    ],
)
def test_who_does_not_know_the_key_is_refused(serve: Serve, headers: dict) -> None:
    served = serve(api_key=KEY)
    answer = served.post(b"x", headers=headers)
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["www-authenticate"]
    assert answer.json()["error"]["kind"] == "key"
    assert served.analyze.asked == []


def test_only_the_health_paths_need_no_key(serve: Serve) -> None:
    client = serve(api_key=KEY).client
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    for path in ("/", "/docs", "/openapi.json", "/healthz/", "/nowhere"):
        assert client.get(path).status_code == 401


def test_without_a_key_everybody_is_served(serve: Serve) -> None:
    assert serve().post(b"x").status_code == 200
