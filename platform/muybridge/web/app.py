"""The HTTP face: uploads in, rows out. Knows neither Ray nor models; a function does the work."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pyarrow as pa
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from muybridge.web import refusal, schema
from muybridge.web.answer import Analyze, Answer, Places
from muybridge.web.guard import Guard
from muybridge.web.page import PAGE

ABOUT = "Turns a video or a picture into tables about the people in it."
ANALYZE = """Send a video or a picture as the form's field `file`; get the rows of every table.

With `Accept: application/x-ndjson` the rows come a line a clip, as soon as each is ready: lines
`{"tables": …}`, then one `{"summary": …}`, or one `{"error": …}` if the rest cannot be had.
`fps` and `tables` may stand in the query or in the form."""


async def _always() -> bool:
    return True


def create(
    analyze: Analyze,
    tables: Mapping[str, pa.Schema],
    *,
    api_key: str | None = None,
    max_bytes: int = 1 << 30,
    max_requests: int = 32,
    folder: Path | None = None,
    ready: Callable[[], Awaitable[bool]] = _always,
) -> FastAPI:
    """Make the application.

    ``analyze`` takes the uploaded file, the name its sender gave it and the wanted frames a second,
    and yields clip by clip a mapping from table names to tables; ``tables`` has their schemas.
    ``ready`` tells whether it can work now. Uploads lie in ``folder`` while they are needed.
    """
    app = FastAPI(title="Muybridge", summary=ABOUT, redoc_url=None)
    app.add_exception_handler(HTTPException, refusal.answer)
    app.add_exception_handler(Exception, refusal.surprise)
    if api_key is not None:
        app.add_middleware(Guard, api_key=api_key)
    where = folder or Path(tempfile.gettempdir())
    answer = Answer(analyze, Places(max_requests), tuple(tables), where, max_bytes)

    @app.post("/v1/analyze", description=ANALYZE, openapi_extra=schema.analyze(tables))
    async def analyze_video(request: Request) -> Response:
        return _Run(answer)

    @app.get("/healthz", description="Say that the server is alive; needs no API key.")
    async def alive() -> dict[str, bool]:
        return {"alive": True}

    @app.get("/readyz", description="Say whether the models are loaded; needs no API key.")
    async def is_ready() -> Response:
        if await ready():
            return JSONResponse({"ready": True})
        headers = {"Retry-After": str(refusal.RETRY_AFTER_S)}
        return JSONResponse({"ready": False}, 503, headers)

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE)

    return app


class _Run(Response):
    """Answer with whatever an ASGI application sends."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
