"""An output is asked in SQL, or read as Arrow, and a plain reader needs none of this."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import duckdb
import pytest

from muybridge.errors import InputError, OutputError
from muybridge.store import ledger, query
from muybridge.store.objects import at
from muybridge.store.tables import SCHEMAS

live = runpy.run_path(str(Path(__file__).with_name("life.py")), run_name="life")["live"]


@pytest.fixture(params=["folder", "bucket"])
def out(request, tmp_path, monkeypatch) -> str:
    """An output of three videos of ten frames, with four people each."""
    if request.param == "folder":
        root, endpoint = str(tmp_path / "an 'odd' [name]"), ""
    else:
        endpoint, bucket = request.getfixturevalue("s3")
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        root = f"s3://{bucket}/out"
    live(root, endpoint, "1")
    return root


def ask(out: str, sql: str) -> list[dict[str, Any]]:
    return query.query(out, sql).to_pylist()


def test_tables_are_asked_by_name(out):
    assert ask(out, "select count(*) as n from people") == [{"n": 12}]
    assert ask(
        out,
        "select count(*) as n, max(len(k.x)) as joints from keypoints k join videos v"
        " using (video_id) where k.frame >= 5 and v.frames = 10",
    ) == [{"n": 6, "joints": 33}]


def test_tables_are_read_as_arrow(out):
    output = query.open(out)
    assert output.tables == list(SCHEMAS)
    assert [len(output.videos), len(output.people), len(output.tracks)] == [3, 12, 3]
    assert output.people.schema.equals(SCHEMAS["people"])
    assert output.query("select 1 as one").to_pylist() == [{"one": 1}]


def test_a_table_that_does_not_exist_is_told_with_those_that_do(out):
    with pytest.raises(InputError, match="The tables are videos, sessions, people, keypoints"):
        ask(out, "select * from peple")
    with pytest.raises(AttributeError, match="there are videos, sessions, people"):
        query.open(out).peple  # noqa: B018


def test_a_column_that_does_not_exist_is_told_with_those_that_do(out):
    with pytest.raises(InputError, match="people has video_id, clip_id, frame, time_s"):
        ask(out, "select tme from people")


def test_an_output_without_parts_has_all_tables_without_rows(tmp_path):
    ledger.start(at(str(tmp_path)), {})
    for name, schema in SCHEMAS.items():
        assert query.query(str(tmp_path), f"from {name}").schema.names == schema.names
        assert ask(str(tmp_path), f"from {name}") == []


def test_a_folder_that_is_no_output_is_refused(tmp_path):
    with pytest.raises(OutputError, match="is no output of muybridge"):
        query.open(str(tmp_path))


def test_variables_of_the_program_are_no_tables(tmp_path):
    ledger.start(at(str(tmp_path)), {})
    with pytest.raises(InputError, match="schema"):
        ask(str(tmp_path), "from schema")


def test_a_plain_reader_finds_the_parts(tmp_path):
    live(str(tmp_path), "", "1")
    count = duckdb.sql(f"select count(*) from read_parquet('{tmp_path}/people/*.parquet')")
    assert count.fetchall() == [(12,)]
