"""What tests of measures share: outputs made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import muybridge
from muybridge.store import ledger as ledgers
from muybridge.store import tables
from muybridge.store.inputs import Input
from muybridge.store.objects import at
from muybridge.store.plan import Plan, PlannedVideo
from muybridge.store.query import Output

Rows = Sequence[Mapping[str, Any]]
Write = Callable[..., Output]


@pytest.fixture
def write_output(tmp_path: Path) -> Write:
    """Write an output with these rows of its tables: ``write_output("out", videos=[...], ...)``."""

    def write(name: str, **rows: Rows) -> Output:
        folder = str(tmp_path / name)
        ledger = ledgers.start(at(folder), {})
        ids = sorted({"a", *(row["video_id"] for row in rows.get("videos", []))})
        planned = [PlannedVideo(Input(f"/{each}.mp4", 1, "1"), each) for each in ids]
        (shard,) = Plan(ledger.objects).add(planned)
        ledger.commit(
            shard, {each: tables.table(each, rows.get(each, [])) for each in tables.SCHEMAS}
        )
        return muybridge.open(folder)

    return write
