"""Print a query's answer: as a table for people, as CSV, JSON or Parquet for programs."""

from __future__ import annotations

import base64
import csv
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import rich.box
import rich.markup
import rich.table
from rich.console import Console

from muybridge.errors import InputError

MOST_ROWS = 50
WIDE = 1000  # characters a line where no terminal sets a limit


def show(table: rich.table.Table) -> None:
    """Print a table as wide as it needs, unless a terminal sets a limit."""
    Console(highlight=False, width=None if Console().is_terminal else WIDE).print(table)


def _table(answer: pa.Table) -> None:
    shown = rich.table.Table(*answer.column_names, box=rich.box.SIMPLE_HEAD)
    for row in answer.slice(0, MOST_ROWS).to_pylist():
        shown.add_row(*(_short(value) for value in row.values()))
    show(shown)
    if len(answer) > MOST_ROWS:
        print(f"… and {len(answer) - MOST_ROWS:,} more rows: --format csv gives all")


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and len(value) > 4:
        return f"[{', '.join(map(_short, value[:3]))}, … {len(value)}]"
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    return rich.markup.escape(str(value))


def _text(value: object) -> str:
    """Write what JSON has no form for: bytes as base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _json(answer: pa.Table) -> None:
    json.dump(answer.to_pylist(), sys.stdout, default=_text, indent=1)
    sys.stdout.write("\n")


def _csv(answer: pa.Table) -> None:
    rows = csv.writer(sys.stdout)
    rows.writerow(answer.column_names)
    for row in answer.to_pylist():
        rows.writerow(_text(value) if isinstance(value, bytes) else value for value in row.values())


def _parquet(answer: pa.Table) -> None:
    if sys.stdout.isatty():
        raise InputError("--format parquet writes bytes: send them to a file with > FILE")
    pq.write_table(answer, sys.stdout.buffer)


WRITERS = {"table": _table, "csv": _csv, "json": _json, "parquet": _parquet}
