"""A folder of real videos becomes tables; doing it again does only what is missing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import muybridge
from muybridge import graphs
from muybridge.errors import LockedError, OutputError
from muybridge.run import planning
from muybridge.run.index import index
from muybridge.run.pools import parse
from muybridge.run.report import Progress
from muybridge.store import lock
from muybridge.store.objects import at
from muybridge.store.tables import SCHEMAS

pytestmark = pytest.mark.ray
GRAPH = graphs.see_people(graphs.Choice(pose_model="lightning"))
FPS = 4


@pytest.fixture
def videos(data, tmp_path) -> Path:
    """Three short real clips of one person each."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("again", "book", "walk"):
        shutil.copy(data / "intel_people/asl_gestures" / f"{name}.mkv", folder)
    return folder


def parts(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for name in SCHEMAS
        for path in sorted((out / name).glob("*.parquet"))
    }


def test_a_folder_of_videos_becomes_tables_that_readers_need_no_library_for(
    cluster, videos, tmp_path
):
    out = tmp_path / "out"
    heard: list[Progress] = []
    summary = index([str(videos)], str(out), GRAPH, fps=FPS, report=heard.append)
    assert summary.rows["videos"] == summary.rows["tracks"] == 3
    assert summary.errors == 0
    assert 0 < summary.efficiency <= 1
    assert (heard[-1].videos, heard[-1].videos_total, heard[-1].errors) == (3, 3, 0)
    assert heard[-1].seconds == pytest.approx(heard[-1].seconds_total)
    for name, schema in SCHEMAS.items():
        found = pq.read_table(out / name).schema.remove_metadata()
        assert found.equals(schema.remove_metadata()), name
    people = muybridge.open(out).query("select distinct video_id, track_id from people")
    assert len(people) == 3


def test_doing_it_again_does_nothing_and_adding_a_video_does_only_that(
    cluster, videos, tmp_path, data
):
    out = tmp_path / "out"
    index([str(videos)], str(out), GRAPH, fps=FPS)
    before = parts(out)
    assert index([str(videos)], str(out), GRAPH, fps=FPS).clips == 0
    assert parts(out) == before
    shutil.copy(data / "intel_people/asl_gestures/yes.mkv", videos)
    added = index([str(videos)], str(out), GRAPH, fps=FPS)
    assert (added.clips, added.rows["videos"]) == (1, 4)
    after = parts(out)
    assert {name: after[name] for name in before} == before


def test_a_changed_video_takes_the_place_of_its_old_rows(cluster, videos, tmp_path, data):
    out = tmp_path / "out"
    index([str(videos)], str(out), GRAPH, fps=FPS)
    changed = videos / "book.mkv"
    shutil.copy(data / "intel_people/asl_gestures/yes.mkv", changed)
    summary = index([str(videos)], str(out), GRAPH, fps=FPS)
    assert (summary.clips, summary.rows["videos"]) == (1, 3)
    fresh = tmp_path / "fresh"
    index([str(videos)], str(fresh), GRAPH, fps=FPS)
    assert parts(out) == parts(fresh)


def test_another_graph_or_sampling_on_the_same_output_is_refused(cluster, videos, tmp_path):
    out = tmp_path / "out"
    index([str(videos / "again.mkv")], str(out), GRAPH, fps=FPS)
    with pytest.raises(OutputError, match=r"fps: made with 4(\.0)?, now 2"):
        index([str(videos)], str(out), GRAPH, fps=2)


def test_a_second_run_on_the_same_output_stops_at_once(cluster, videos, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with lock.held(at(str(out))), pytest.raises(LockedError, match="cannot write"):
        index([str(videos)], str(out), GRAPH, fps=FPS)


def test_pools_apart_write_the_same_tables_as_one(cluster, videos, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    index([str(videos)], str(one), GRAPH, fps=FPS)
    pools = parse("decode:cpus=0.5 | people+lift+act:largest=2")
    index([str(videos)], str(two), GRAPH, fps=FPS, pools=pools)
    assert parts(one) == parts(two)


def test_an_output_on_s3_is_the_same_as_one_in_a_folder(cluster, videos, tmp_path, s3):
    import boto3

    endpoint, bucket = s3
    client = boto3.client("s3", endpoint_url=endpoint)
    for video in videos.iterdir():
        client.upload_file(str(video), bucket, f"videos/{video.name}")
    out = f"s3://{bucket}/out"
    first = index([f"s3://{bucket}/videos/"], out, GRAPH, fps=FPS, endpoint=endpoint)
    again = index([f"s3://{bucket}/videos/"], out, GRAPH, fps=FPS, endpoint=endpoint)
    local = index([str(videos)], str(tmp_path / "out"), GRAPH, fps=FPS)
    assert first.rows == again.rows == local.rows
    assert again.clips == 0
    sql = 'select frame, time_s, track_id, score, "left", top from people order by all'
    assert (
        muybridge.open(out, endpoint).query(sql).to_pylist()
        == muybridge.open(tmp_path / "out").query(sql).to_pylist()
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_awkward_files_cost_only_themselves(awkward_folder, videos, tmp_path):
    out = tmp_path / "out"
    given = [awkward_folder, videos, awkward_folder / "wrong_extension.txt"]
    command = [sys.executable, "-m", "muybridge", "index", *map(str, given)]
    command += ["--out", str(out), "--progress", "json"]
    done = subprocess.run([*command, "--fps", "2"], capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stderr.strip().splitlines()[-1])
    assert last["videos"] == last["videos_total"] == 48  # with the base clip and three more
    lines = (awkward_folder / "manifest.tsv").read_text().splitlines()
    verdict = dict(line.split("\t")[:2] for line in lines)
    found = muybridge.open(out)
    wrong = {Path(row["uri"]).name for row in found.query("select uri from errors").to_pylist()}
    good = {
        Path(row["uri"]).name
        for row in found.query("select uri from videos where frames_analysed > 0").to_pylist()
    }
    assert {name for name, word in verdict.items() if word == "error"} <= wrong
    assert {name for name, word in verdict.items() if word == "ok"} <= good - wrong
    assert wrong <= {name for name, word in verdict.items() if word != "ok"}
    whole = found.query("select uri, count(*) n from errors where clip_id = '' group by uri")
    assert set(whole["n"].to_pylist()) == {1}
    strict = subprocess.run(
        [*command, "--fps", "2", "--strict"], capture_output=True, text=True, timeout=120
    )
    assert strict.returncode == 3


def test_a_file_replaced_after_it_was_planned_is_never_kept_under_its_old_id(
    cluster, videos, tmp_path, monkeypatch
):
    out, (again, book, _) = tmp_path / "out", sorted(videos.iterdir())
    real = planning.update

    def replaced(*given: Any, **more: Any) -> None:
        real(*given, **more)
        shutil.copy(book, again)

    with monkeypatch.context() as patch:
        patch.setattr(planning, "update", replaced)
        summary = index([str(videos)], str(out), GRAPH, fps=FPS)
    assert (summary.errors, summary.transient) == (1, 1)
    tables = muybridge.open(out)
    (error,) = tables.errors.to_pylist()
    assert (error["kind"], error["transient"]) == ("changed", True)
    old = error["video_id"]
    assert old not in tables.people["video_id"].to_pylist()

    summary = index([str(videos)], str(out), GRAPH, fps=FPS)
    assert (summary.clips, summary.errors, summary.rows["videos"]) == (1, 0, 3)
    counts = "select count(*) n from people join videos using (video_id) group by uri order by uri"
    found = [row["n"] for row in muybridge.open(out).query(counts).to_pylist()]
    assert found[0] == found[1], "both files hold the same video by now"
    assert old not in muybridge.open(out).videos["video_id"].to_pylist()


def test_permanent_errors_are_final_until_they_are_to_be_retried(cluster, data, tmp_path):
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    shutil.copy(data / "decord_fixtures/corrupted.mp4", videos)
    (videos / "text.mp4").write_text("hello")
    summary = index([str(videos)], str(out), GRAPH, fps=FPS)
    assert (summary.errors, summary.transient) == (2, 0)
    before = parts(out)
    assert index([str(videos)], str(out), GRAPH, fps=FPS).clips == 0
    tried = index([str(videos)], str(out), GRAPH, fps=FPS, retry_errors=True)
    assert (tried.clips, tried.errors) == (1, 2)
    assert parts(out) == before
