"""Turn collections of video into tables about the people in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from muybridge.store.query import Output


def open(out: str | Path, endpoint: str | None = None) -> Output:
    """Open the tables that `muybridge index` wrote: ``open(out).query("select …")``, ``.people``.

    ``out`` is a folder or s3://bucket/prefix, ``endpoint`` the URL of another S3 than Amazon's.
    """
    from muybridge.store import query

    return query.open(str(out), endpoint)
