"""The HTTP face: uploads in, rows out. Knows neither Ray nor models; a function does the work."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path

import pyarrow as pa
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from muybridge.web import refusal, schema
from muybridge.web.answer import Answer, Places, Tables
from muybridge.web.cameras import Cameras, cameras
from muybridge.web.guard import Guard
from muybridge.web.page import PAGE
from muybridge.web.upload import Upload

Analyze = Callable[[Path, str, float | None], AsyncGenerator[Tables, None]]
Triangulate = Callable[[Cameras, float | None], AsyncGenerator[Tables, None]]
ABOUT = "Turns a video or a picture into tables about the people in it."
ANALYZE = """Send a video or a picture as the form's field `file`; get the rows of every table.

With `Accept: application/x-ndjson` the rows come a line a clip, as soon as each is ready: lines
`{"tables": …}`, then one `{"summary": …}`, or one `{"error": …}` if the rest cannot be had.
`fps` and `tables` may stand in the query or in the form."""
TRIANGULATE = """Send synchronised pictures or short videos of several cameras with a calibration;
get the rows of every table: one number a person in all views, and their joints in the world.

The form's file `calibration` is as Pose2Sim, Qualisys, Human3.6M or OpenCV write it; OpenCV's has
one camera, so there may be several. Each other file's field is called like the camera it is of:
`curl -F calibration=@Calib.toml -F cam_01=@1.mp4 -F cam_02=@2.mp4 …`. `offsets` is JSON, seconds to
add to a view's times, `{"cam_02": 0.25}`; what is not given is found from how people move."""


async def _always() -> bool:
    return True


def create(
    analyze: Analyze,
    triangulate: Triangulate,
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
    and yields clip by clip a mapping from table names to tables; ``triangulate`` does with what was
    sent of several cameras, and the frames a second. ``tables`` has the schemas.
    ``ready`` tells whether it can work now. Uploads lie in ``folder`` while they are needed.
    """
    app = FastAPI(title="Muybridge", summary=ABOUT, redoc_url=None)
    app.add_exception_handler(HTTPException, refusal.answer)
    app.add_exception_handler(Exception, refusal.surprise)
    if api_key is not None:
        app.add_middleware(Guard, api_key=api_key)
    where = folder or Path(tempfile.gettempdir())
    places = Places(max_requests)

    def one(upload: Upload, fps: float | None) -> AsyncGenerator[Tables, None]:
        file = upload.only()
        return analyze(file.path, file.name, fps)

    def several(upload: Upload, fps: float | None) -> AsyncGenerator[Tables, None]:
        return triangulate(cameras(upload), fps)

    @app.post("/v1/analyze", description=ANALYZE, openapi_extra=schema.post(tables, schema.ONE))
    async def analyze_video(request: Request) -> Response:
        return _Run(Answer(one, places, tuple(tables), where, max_bytes))

    @app.post(
        "/v1/triangulate",
        description=TRIANGULATE,
        openapi_extra=schema.post(tables, schema.SEVERAL),
    )
    async def triangulate_views(request: Request) -> Response:
        return _Run(Answer(several, places, tuple(tables), where, max_bytes))

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
