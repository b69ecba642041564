"""The clips of a plan that are still to be done, as a source of rows for Ray Data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from muybridge.run import offline, sessions
from muybridge.run.commit import todo
from muybridge.store.ledger import Ledger


class Planned(Datasource):  # type: ignore[misc]
    """Read the clips of shards that are not staged yet, one task a shard, one block a clip."""

    def __init__(
        self, ledger: Ledger, shards: Mapping[str, tuple[frozenset[str], set[str]]]
    ) -> None:
        self._ledger, self._shards = ledger, shards

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [
            ReadTask(_reader(self._ledger, shard, *which), unknown)
            for shard, which in self._shards.items()
        ]


def _reader(
    ledger: Ledger, shard: str, videos: frozenset[str], staged: set[str]
) -> Callable[[], Iterator[pa.Table]]:
    def read() -> Iterator[pa.Table]:
        for video in todo(ledger, shard, videos):
            for clip in sessions.clips(video):
                if clip["clip_id"] not in staged:
                    yield pa.Table.from_pylist([offline.pack({**clip, "shard": shard})])

    return read
