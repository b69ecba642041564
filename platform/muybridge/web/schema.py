"""What the endpoint's documentation says: the tables' columns as JSON schemas, and the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from muybridge.web.answer import LINES

ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"kind": {"type": "string"}, "message": {"type": "string"}},
        }
    },
    "example": {"error": {"kind": "unreadable", "message": "walk.mp4: not a video"}},
}
REFUSALS = {
    400: "The form cannot be read.",
    401: "The API key is missing or wrong.",
    413: "What was sent is larger than this server takes.",
    415: "The body is not multipart/form-data.",
    422: "A file is not what it should be, or an option has no such value.",
    503: "Too many requests are under way; try again after the seconds in Retry-After.",
}
FILE = {"type": "string", "format": "binary"}
OPTIONS = {
    "fps": {
        "type": "number",
        "description": "Frames a second to look at; every frame if left out.",
        "example": 5,
    },
    "tables": {
        "type": "string",
        "description": "Names of tables, with commas; all of them if left out.",
        "example": "people,keypoints",
    },
}
ONE = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {**FILE, "description": "A video or a picture."}, **OPTIONS},
}
SEVERAL = {
    "type": "object",
    "required": ["calibration"],
    "properties": {
        "calibration": {**FILE, "description": "The cameras, by their names."},
        "offsets": {
            "type": "string",
            "description": "JSON: seconds to add to a view's times, by camera; else found.",
            "example": '{"cam_02": 0.25}',
        },
        "subject": {
            "type": "string",
            "description": "Whose cameras are meant, where a calibration has several subjects.",
        },
        **OPTIONS,
    },
    "additionalProperties": {
        **FILE,
        "description": "A video or a picture of the camera so called.",
    },
}


def post(tables: Mapping[str, pa.Schema], form: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a request with a form in OpenAPI, and every table's columns with their units."""
    rows = {name: {"type": "array", "items": _row(schema)} for name, schema in tables.items()}
    document = _object({"tables": _object(rows), "summary": _summary(tables)})
    line = {"oneOf": [_object({"tables": _object(rows)}), _object({"summary": {}}), ERROR]}
    content = {"application/json": {"schema": document}, LINES: {"schema": line}}
    return {
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": dict(form)}},
        },
        "responses": {
            "200": {"description": "The rows of every table asked for.", "content": content},
            **{
                str(status): {
                    "description": text,
                    "content": {"application/json": {"schema": ERROR}},
                }
                for status, text in REFUSALS.items()
            },
        },
    }


def _summary(tables: Mapping[str, pa.Schema]) -> dict[str, Any]:
    counts = _object({name: {"type": "integer"} for name in tables})
    return _object({"clips": {"type": "integer"}, "rows": counts})


def _row(schema: pa.Schema) -> dict[str, Any]:
    return _object({column.name: _column(column) for column in schema})


def _column(column: pa.Field) -> dict[str, Any]:
    notes = {key.decode(): value.decode() for key, value in (column.metadata or {}).items()}
    text = "; ".join(f"{key}: {value}" for key, value in notes.items() if value)
    return {**_type(column.type), **({"description": text} if text else {})}


def _type(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return {"type": "array", "items": _type(kind.value_type)}
    if pa.types.is_floating(kind):
        return {"type": "number"}
    if pa.types.is_boolean(kind):
        return {"type": "boolean"}
    if pa.types.is_binary(kind):
        return {"type": "string", "contentEncoding": "base64"}
    return {"type": "integer" if pa.types.is_integer(kind) else "string"}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties)}
