"""One graph, three ways to run it, one answer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

import muybridge
from muybridge import graphs
from muybridge.columns import Clip
from muybridge.run import commit, identities, index, local, planning
from muybridge.run.actions import actions
from muybridge.store import tables
from muybridge.store.inputs import inputs
from muybridge.store.tables import SCHEMAS
from muybridge.video.process import Decoder

from .ways import near, served

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]
Tables = dict[str, pa.Table]


def in_one_process(video: Path) -> Tables:
    """Run the clips one after the other, without Ray."""
    (item,) = inputs([str(video)])
    with Decoder() as decoder:
        planned = planning.probe(decoder, item, None, None)
        given = [{**clip, "source": str(video)} for clip in planned.clips]
        clips = list(local.run(graphs.see_people(), given))
    parts = list(identities.linked((clip["core"], rows(clip)) for clip in clips))
    made = tables.joined(parts)
    row = commit.video_row(planned, sum(int(clip["frame_seen"].sum()) for clip in clips))
    return {
        **made,
        "actions": actions(part["moments"] for part in parts),
        "videos": tables.table("videos", [row]),
        "tracks": tables.tracks(made["people"]),
    }


def rows(clip: Clip) -> Tables:
    assert not clip["error"], clip["error"]
    return tables.rows(clip)


def offline(video: Path, out: Path) -> Tables:
    index.index([str(video)], str(out), graphs.see_people())
    found = muybridge.open(out)
    return {name: getattr(found, name) for name in SCHEMAS}


def endpoint(video: Path) -> Tables:
    files = {"file": (str(video), video.read_bytes())}  # by its path: the same video_id
    with served() as url:
        answer = httpx.post(f"{url}/v1/analyze", files=files, timeout=200).json()
    return {name: tables.table(name, answer["tables"][name]) for name in SCHEMAS}


@pytest.fixture(scope="module")
def video(data: Path) -> Path:
    """A real clip of eight seconds and a half, so that it is cut in two and linked again."""
    return data / "sam2_people/05_default_juggle.mp4"


@pytest.fixture(scope="module")
def answers(video: Path, tmp_path_factory: Any) -> dict[str, Tables]:
    return {
        "local": in_one_process(video),
        "offline": offline(video, tmp_path_factory.mktemp("out")),
        "online": endpoint(video),
    }


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("way", ["offline", "online"])
def test_the_rows_are_those_of_one_process(answers, way, name):
    want, got = (
        answers[which][name].sort_by([(key, "ascending") for key in tables.KEYS[name]])
        for which in ("local", way)
    )
    assert got.schema.remove_metadata() == want.schema.remove_metadata()
    assert got.num_rows == want.num_rows
    for column, field in zip(got.column_names, got.schema, strict=True):
        assert got[column].to_pylist() == near(field, want[column].to_pylist(), 1e-4), column


def test_there_is_something_to_agree_on(answers):
    counts = {name: answers["local"][name].num_rows for name in SCHEMAS}
    assert counts["people"] == counts["keypoints"] > 200
    systems = answers["local"]["joints3d"]["system"].to_pylist()
    assert Counter(systems) == {"lifter": counts["people"]}
    assert (counts["videos"], counts["tracks"], counts["errors"]) == (1, 1, 0)
