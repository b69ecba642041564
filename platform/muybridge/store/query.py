"""Read an output: its tables as Arrow, or SQL over them by name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs

from muybridge.errors import InputError, OutputError
from muybridge.store.ledger import MANIFEST
from muybridge.store.objects import Objects, at
from muybridge.store.tables import SCHEMAS


@dataclass(frozen=True)
class Output:
    """Be an output opened for reading: ``output.people`` is a table, ``output.query(sql)`` asks."""

    objects: Objects
    endpoint: str = ""

    @property
    def tables(self) -> list[str]:
        """Name the tables there are."""
        return list(SCHEMAS)

    def __getattr__(self, name: str) -> pa.Table:
        if name not in SCHEMAS:
            raise AttributeError(f"no table {name!r}; there are {', '.join(SCHEMAS)}")
        return self.parts(name).to_table()

    def parts(self, name: str) -> ds.Dataset:
        """Open the committed parts of a table without reading them; there may be none."""
        keys = sorted(e.key for e in self.objects.list(f"{name}/") if e.key.endswith(".parquet"))
        system, root = _system(self.objects.root, self.endpoint)
        paths = [f"{root}/{key}" for key in keys]
        return ds.dataset(paths, SCHEMAS[name], format="parquet", filesystem=system)

    def query(self, sql: str) -> pa.Table:
        """Run SQL (DuckDB's) over the tables by name."""
        with duckdb.connect() as connection:
            connection.execute("SET python_enable_replacements = false")
            for name in SCHEMAS:
                connection.register(name, self.parts(name))
            try:
                answer = connection.sql(sql)
                return pa.table({}) if answer is None else answer.to_arrow_table()
            except duckdb.Error as error:
                raise InputError(f"{sql}\n{error}\n{_existing(sql, str(error))}") from error


def open(out: str, endpoint: str | None = None) -> Output:
    """Open an output, a folder or s3://…, for reading; raise OutputError if it is none."""
    if not is_output(out, endpoint):
        raise OutputError(f"{out}: is no output of muybridge (it has no {MANIFEST})")
    return Output(at(out, endpoint), endpoint or os.environ.get("AWS_ENDPOINT_URL", ""))


def is_output(out: str, endpoint: str | None = None) -> bool:
    """Tell whether a folder, or s3://…, is an output."""
    return at(out, endpoint).exists(MANIFEST)


def query(out: str, sql: str, endpoint: str | None = None) -> pa.Table:
    """Run SQL over the tables of an output by name."""
    return open(out, endpoint).query(sql)


def _system(root: str, endpoint: str) -> tuple[fs.FileSystem, str]:
    if not root.startswith("s3://"):
        return fs.LocalFileSystem(), root
    if not endpoint:
        return fs.S3FileSystem(), root.removeprefix("s3://")
    url = urlsplit(endpoint)
    system = fs.S3FileSystem(scheme=url.scheme, endpoint_override=url.netloc + url.path)
    return system, root.removeprefix("s3://")


def _existing(sql: str, message: str) -> str:
    """Say what can be asked for, when what was asked for does not exist."""
    if "Catalog Error" in message:
        return f"The tables are {', '.join(SCHEMAS)}."
    if "Binder Error" in message:
        asked = [name for name in SCHEMAS if name in sql]
        return "\n".join(f"{name} has {', '.join(SCHEMAS[name].names)}" for name in asked)
    return ""
