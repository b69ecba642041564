"""The API key: who does not know it gets no further than the health paths."""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from muybridge.web import refusal

OPEN_PATHS = ("/healthz", "/readyz")
MESSAGE = (
    "this endpoint needs its API key: send 'Authorization: Bearer KEY' or 'X-API-Key: KEY' "
    "(a browser asks for a password: give the key, with any user name)"
)


class Guard:
    """Let through who sends the key; answer everybody else before their body is read."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self._app = app
        self._api_key = api_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["path"] in OPEN_PATHS
            or self._knows(Headers(scope=scope))
        ):
            await self._app(scope, receive, send)
        else:
            headers = {"WWW-Authenticate": 'Bearer, Basic realm="muybridge"'}
            await JSONResponse(refusal.body("key", MESSAGE), 401, headers)(scope, receive, send)

    def _knows(self, headers: Headers) -> bool:
        return any(hmac.compare_digest(sent, self._api_key) for sent in _keys(headers))


def _keys(headers: Headers) -> list[bytes]:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    found = [headers["x-api-key"].encode("latin-1")] if "x-api-key" in headers else []
    if scheme.lower() == "bearer":
        found.append(value.strip().encode("latin-1"))
    if scheme.lower() == "basic":
        found.append(_password(value))
    return found


def _password(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
