"""What a client is told when a request cannot be served: a status, a word and a sentence."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

RETRY_AFTER_S = 5


class Refusal(HTTPException):
    """Refuse a request: HTTP ``status``, ``kind`` to group by, ``message`` for a person."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
        super().__init__(status, message, headers)
        self.kind = kind


def body(kind: str, message: str) -> dict[str, dict[str, str]]:
    """Make the JSON in which every fault is told."""
    return {"error": {"kind": kind, "message": message}}


async def answer(request: Request, error: Exception) -> Response:
    """Turn a refusal, or any other HTTP error, into a JSON response."""
    assert isinstance(error, HTTPException)
    kind = error.kind if isinstance(error, Refusal) else "http"
    return JSONResponse(body(kind, error.detail), error.status_code, error.headers)


async def surprise(request: Request, error: Exception) -> Response:
    """Turn what nobody expected into a JSON response that tells nothing of the server."""
    return JSONResponse(body("internal", "the server failed; its log says why"), 500)
