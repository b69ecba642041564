"""Sessions are read, planned and analysed: all views of a moment in a row, a number a person."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import httpx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import muybridge
from muybridge import graphs
from muybridge.columns import GIVEN
from muybridge.errors import InputError, VideoError
from muybridge.geometry.cameras import Camera
from muybridge.graph import Graph, Stage
from muybridge.run import commit, index, local, planning, sessions
from muybridge.run.views import View, together
from muybridge.store import tables
from muybridge.store.inputs import Input
from muybridge.tracking.offsets import Offsets
from muybridge.video.probe import VideoIndex
from muybridge.video.process import Decoder

from .ways import one_thread, served

CAMERA = {
    "size": [640, 480],
    "matrix": [[600, 0, 320], [0, 600, 240], [0, 0, 1]],
    "distortions": [0, 0, 0, 0],
    "rotation": [0, 0, 0],
}


def calibration(*names: str) -> str:
    """Write cameras that stand beside each other, as Pose2Sim does."""
    return "\n".join(
        f"[{name}]\n"
        + "\n".join(f"{key} = {json.dumps(value)}" for key, value in CAMERA.items())
        + f"\ntranslation = [{number}.0, 0.0, 3.0]\n"
        for number, name in enumerate(names)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two files that are named like videos of two of three cameras."""
    (tmp_path / "calib.toml").write_text(calibration("cam_1", "cam_2", "cam_3"))
    for number in (1, 2):
        (tmp_path / f"Walk Cam{number}.mp4").write_bytes(bytes(number))
    return tmp_path


def describe(folder: Path, *lines: str) -> str:
    file = folder / "SESSIONS.toml"
    file.write_text("[[session]]\n" + "\n".join(lines))
    return str(file)


GOOD = (
    'calibration = "calib.toml"',
    'views = { cam_1 = "Walk Cam1.mp4", cam_3 = "Walk Cam2.mp4" }',
)


def test_a_folder_is_a_session_of_the_cameras_that_its_videos_are_named_like(folder):
    (one,) = sessions.read(str(folder))
    assert [(view.camera.name, Path(view.input.uri).name) for view in one.views] == [
        ("cam_1", "Walk Cam1.mp4"),
        ("cam_2", "Walk Cam2.mp4"),
    ]
    assert [view.offset for view in one.views] == [None, None]


def test_a_calibration_may_lie_in_a_folder_of_its_own(folder):
    (folder / "calibration").mkdir()
    (folder / "calib.toml").rename(folder / "calibration" / "Calib.toml")
    assert len(sessions.read(str(folder))[0].views) == 2


def test_a_file_names_the_views_and_their_offsets(folder):
    (one,) = sessions.read(describe(folder, *GOOD, "offsets = { cam_3 = -0.5 }", 'name = "a"'))
    assert one.input.uri == f"{folder}/SESSIONS.toml#a"
    assert one.input.size == 3
    assert [(view.camera.name, view.offset) for view in one.views] == [
        ("cam_1", None),
        ("cam_3", -0.5),
    ]


def test_a_session_is_another_when_anything_of_it_changes(folder):

    def now(*more):
        (one,) = sessions.read(describe(folder, *GOOD, *more))
        return one.video_id, one.input.tag

    plain, again, late = now(), now(), now("offsets = { cam_3 = 1 }")
    (folder / "Walk Cam2.mp4").write_bytes(b"other")
    other = now()
    assert again == plain
    for of_three in zip(plain, late, other, strict=True):
        assert len(set(of_three)) == 3


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        (GOOD[1:], ["calibration: is missing"]),
        (GOOD[:1], ["views: give two or more"]),
        (("calibration = 'no.toml'", *GOOD[1:]), ["no.toml: there is no such calibration"]),
        ((*GOOD, "fps = 5"), ["fps: means nothing"]),
        ((*GOOD, "offsets = { cam_2 = 0 }"), ["no view is called cam_2"]),
        ((*GOOD, "offsets = { cam_3 = 'late' }"), ["cam_3 is 'late'; give seconds"]),
        (
            (GOOD[0], 'views = { cam_1 = "no.mp4", cam_9 = "Walk Cam2.mp4" }'),
            ["cam_1: no such file: no.mp4", "no camera is called cam_9"],
        ),
    ],
)
def test_every_fault_of_a_file_is_told(folder, lines, faults):
    with pytest.raises(InputError) as told:
        sessions.read(describe(folder, *lines))
    for fault in faults:
        assert fault in str(told.value)


@pytest.mark.parametrize("text", ["a = ", "a = 1", "session = 1"])
def test_a_file_without_sessions_is_refused(tmp_path, text):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(InputError, match=r"s\.toml: (cannot be read as TOML|holds no session)"):
        sessions.read(str(tmp_path / "s.toml"))


def test_a_folder_that_is_no_session_says_why(folder):
    (folder / "other.mp4").write_bytes(b"x")
    with pytest.raises(InputError, match="is named like no camera; the cameras are cam_1, cam_2"):
        sessions.read(str(folder))
    with pytest.raises(InputError, match="there is no such file of sessions"):
        sessions.read(str(folder / "no.toml"))


def video(frames: int, rate: int, start: int = 0, size: tuple[int, int] = (640, 480)) -> VideoIndex:
    return VideoIndex(
        source="", stream=0, container="mp4", codec="h264", width=size[0], height=size[1],
        rotation=0, time_base=Fraction(1, 1000), pts=start + np.arange(frames) * (1000 // rate),
        keyframes=np.array([0]), fps=float(rate), has_audio=False, plain=False,
    )  # fmt: skip


def planned(*found: VideoIndex | VideoError, offsets=(None, None), fps=None):
    """Plan a session of such videos, without files."""
    camera = Camera("", (640, 480), np.diag([600, 600, 1.0]), np.zeros(5), np.eye(3), np.zeros(3))
    views = [
        sessions.View(camera, Input(f"s3://b/{number}.mp4", 1, ""), offset)
        for number, offset in zip(range(len(found)), offsets, strict=True)
    ]
    return sessions.planned(sessions.session("s3://b/all", views), found, fps)


def test_cores_tile_every_view_and_lie_at_the_same_times():
    made = planned(video(500, 25), video(600, 20, start=40))
    assert len(made.clips) > 1
    for view, count in enumerate((500, 600)):
        cores = np.concatenate([clip["views"][view]["core"] for clip in made.clips])
        assert cores[0] == 0
        assert cores[-1] == count
        assert (cores[1:-1:2] == cores[2::2]).all()
    for clip in made.clips[1:]:
        starts = [
            v["times"][np.searchsorted(v["frame_index"], v["core"][0])] for v in clip["views"]
        ]
        assert 0 <= starts[1] - starts[0] < 1 / 20
    assert made.info["duration_s"] == pytest.approx(499 / 25)
    assert set(made.clips[0]) == {*GIVEN, "views"}


def test_a_given_offset_moves_the_cores():
    made = planned(video(500, 25), video(500, 25), offsets=(1.0, 3.0))
    first, second = (clip["core"] for clip in made.clips[0]["views"])
    assert second[1] == first[1] - 50  # two seconds later: what it shows then came earlier


def test_sampling_takes_the_frames_that_are_nearest_to_those_of_the_first_view():
    made = planned(video(200, 20), video(250, 25), offsets=(None, 0.1), fps=5)
    one, other = made.clips[0]["views"]
    gaps = abs(other["times"] + 0.1 - one["times"][:, None]).min(0)
    assert gaps[1:].max() <= 0.02 + 1e-9  # the first is nearest to what was before it began
    assert len(other["times"]) <= len(one["times"])


def test_a_view_that_cannot_be_read_costs_itself_only():
    broken = VideoError("damaged", "2.mp4", "is damaged")
    made = planned(video(50, 25), broken, video(50, 25), offsets=(None,) * 3)
    assert not made.error
    assert [view["error_kind"] for view in made.info["views"]] == ["", "damaged", ""]
    assert len(made.clips[0]["views"]) == 2


def test_a_session_needs_two_views_and_pictures_of_the_calibrations_shape():
    turned = video(50, 25, size=(480, 640))
    made = planned(video(50, 25), turned)
    assert made.error_kind == "views"
    assert "of 2 views 1 can be read" in made.error
    assert "pictures are 480x640, but the camera" in made.info["views"][1]["error"]
    assert not made.clips


@pytest.fixture(scope="module")
def balancing(data: Path) -> Path:
    return data / "pose2sim_balancing"


def in_one_process(folder: Path, graph: Graph, fps: float | None = None) -> tables.Tables:
    """Analyse a session without Ray."""
    (session,) = sessions.read(str(folder))
    with Decoder() as decoder:
        made = planning.probe(decoder, session, fps, None)
        given = [
            {**clip, "views": [{**view, "source": view["uri"]} for view in clip["views"]]}
            for clip in sessions.clips(made)
        ]
        done = list(local.run(graph, given))
    rows = commit.session_rows(made, [commit.clip_rows(clip) for clip in done])
    return {**rows, "tracks": tables.tracks(rows["people"])}


@pytest.fixture(scope="module")
def answer(balancing, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    index.index([], str(out), graphs.see_people(), sessions=[str(balancing)])
    return out


def near(value):
    numbers = isinstance(value, float) or (
        isinstance(value, list) and not isinstance(value[0], str)
    )
    return pytest.approx(value, abs=1e-4, rel=1e-4, nan_ok=True) if numbers else value


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_session_offline_gives_the_rows_of_one_process(balancing, answer):
    want, got = in_one_process(balancing, graphs.see_people()), muybridge.open(str(answer))
    for name in tables.SCHEMAS:
        order = [(key, "ascending") for key in tables.KEYS[name]]
        assert getattr(got, name).sort_by(order).to_pylist() == [
            {key: near(value) for key, value in row.items()} if name != "sessions" else row
            for row in want[name].sort_by(order).to_pylist()
        ], name


@pytest.fixture(scope="module")
def endpoint():
    """Be the address of a server of the default graph."""
    with served() as url:
        yield f"{url}/v1/triangulate"


def form(folder: Path, files: dict[str, bytes]):
    (file,) = (folder / "calibration").glob("*.toml")
    parts = [(camera, (f"{camera}.mp4", content)) for camera, content in files.items()]
    return [("calibration", (file.name, file.read_bytes())), *parts]


def videos(folder: Path) -> dict[str, bytes]:
    found = sorted((folder / "videos").glob("*.mp4"))
    return {file.stem.replace("cam", "cam_"): file.read_bytes() for file in found}


def by_view(made, name):
    """Give rows without what says where files were, views by their cameras' names."""
    named = {row["video_id"]: row["view"] for row in made["sessions"].to_pylist()}
    rows = [
        {**row, "video_id": named.get(row["video_id"], "session")} for row in made[name].to_pylist()
    ]
    for row in rows:
        for key in ("uri", "clip_id", "session_id"):
            row.pop(key, None)
        for key, value in row.items():  # JSON has no nan
            if isinstance(value, list):
                row[key] = [np.nan if each is None else each for each in value]
    keys = [key for key in tables.KEYS[name] if key not in ("clip_id", "session_id")]
    return sorted(rows, key=lambda row: [(row[key] is None, row[key]) for key in keys])


def agree(got, want):
    """See that all tables have the same rows, wherever the files were."""
    for name in tables.SCHEMAS:
        assert by_view(got, name) == [
            {key: near(value) for key, value in row.items()} for row in by_view(want, name)
        ], name


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_session_online_gives_the_rows_of_one_offline(balancing, answer, endpoint):
    sent = httpx.post(endpoint, files=form(balancing, videos(balancing)), timeout=300)
    assert sent.status_code == 200, sent.text
    got = {name: tables.table(name, rows) for name, rows in sent.json()["tables"].items()}
    want = {name: getattr(muybridge.open(str(answer)), name) for name in tables.SCHEMAS}
    assert got["joints3d"].num_rows
    agree(got, want)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.golden
@pytest.mark.timeout(600)
def test_a_network_across_views_gives_the_same_rows_in_every_way(balancing, official, tmp_path):
    choice = graphs.Choice("triangulation", weights=official("human36m_alg_10-04-2019"))
    graph = graphs.build(choice)
    with one_thread():
        want = in_one_process(balancing, graph, fps=1)
    index.index([], str(tmp_path), graph, sessions=[str(balancing)], fps=1)
    offline = {name: getattr(muybridge.open(str(tmp_path)), name) for name in tables.SCHEMAS}
    with served("--graph=triangulation", f"--weights={choice.weights}") as url:
        files = form(balancing, videos(balancing))
        sent = httpx.post(f"{url}/v1/triangulate?fps=1", files=files, timeout=400)
    assert sent.status_code == 200, sent.text
    online = {name: tables.table(name, rows) for name, rows in sent.json()["tables"].items()}
    learned = want["joints3d"].filter(pc.field("system") == "triangulation").to_pylist()
    assert {row["frame"] for row in learned} == {0, 60}
    assert {row["video_id"] for row in learned} == set(want["sessions"]["session_id"].to_pylist())
    assert 0b1111 in [max(row["views"]) for row in learned]
    assert not offline["errors"].num_rows
    for got in (offline, online):
        agree(got, want)


def two_views(offset: float | None) -> list[View]:
    """Two people in the second view, whom a network placed at two moments, one of them twice."""
    place = (640, 480), np.diag([600, 600, 1.0]), np.zeros(5), np.eye(3), np.zeros(3)
    cameras = {"a": Camera("one", *place), "b": Camera("two", *place)}
    joints = [[1.0] * 17] * 7
    columns = ("x", "y", "z", "score", "spread", "error")
    placed = [
        {
            **{"video_id": "b", "frame": 9, "time_s": 0.9, "track_id": track},
            **{"system": "triangulation", "skeleton": "h36m17", "space": "world"},
            **dict(zip(columns, joints, strict=False)),
            **{"views": [2] * 17, "moment": moment, "moment_s": moment / 10},
        }
        for track, moment in ((7, 3), (4, 3), (7, 3), (7, 4))
    ]
    seen = [
        {"video_id": "b", "clip_id": "c", "frame": 9, "time_s": 0.9, "track_id": track}
        for track in (4, 7)
    ]
    rows = {
        "a": tables.joined([], tables.STAGED),
        "b": {
            **tables.joined([{"people": tables.table("people", seen)}], tables.STAGED),
            "placed": pa.Table.from_pylist(placed, tables.PLACED),
        },
    }
    frames = np.arange(12)
    offsets = {"a": 0.0, "b": offset}
    return [View(n, cameras[n], late, frames, frames / 10, rows[n]) for n, late in offsets.items()]


def test_what_a_network_placed_goes_to_the_session_under_its_number_and_moment():
    made = together("all", "all.toml", two_views(0.0))
    ids = dict(zip((4, 7), made["people"]["track_id"].to_pylist(), strict=True))
    found = [
        (row["video_id"], row["frame"], row["time_s"], row["track_id"])
        for row in made["joints3d"].to_pylist()
    ]
    assert found == [("all", 3, 0.3, ids[7]), ("all", 3, 0.3, ids[4]), ("all", 4, 0.4, ids[7])]


@pytest.mark.parametrize(
    ("offset", "found", "told"), [(None, 0.2, True), (None, 0.0, False), (0.2, 0.2, False)]
)
def test_a_clock_that_is_found_to_differ_after_the_network_looked_is_told(
    monkeypatch, offset, found, told
):
    spread = np.array([np.nan, 0.01])
    late = Offsets(np.array([0, found]), spread)
    monkeypatch.setattr("muybridge.run.views.lined_up", lambda *given: late)
    errors = together("all", "all.toml", two_views(offset))["errors"].to_pylist()
    assert [(row["kind"], row["uri"]) for row in errors] == [("offset", "all.toml")] * told
    assert not told or "write offsets = { two = 0.200 } into" in errors[0]["message"]


def test_a_network_across_views_is_not_started_where_there_are_none(balancing, tmp_path):
    graph = (Stage("meet", lambda: print, ("times",), ("placed_view",), across=True),)
    with pytest.raises(InputError, match="meet works on sessions of several cameras, and none is"):
        index.index([str(balancing / "videos")], str(tmp_path / "out"), graph)


def picture(video: bytes) -> bytes:
    """Take the first picture of a video."""
    with av.open(io.BytesIO(video)) as file:
        frame = next(file.decode(video=0))
    made = io.BytesIO()
    frame.to_image().save(made, "PNG")
    return made.getvalue()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_pictures_of_one_moment_place_who_is_in_them(balancing, answer, endpoint):
    files = {camera: picture(content) for camera, content in videos(balancing).items()}
    sent = httpx.post(endpoint, files=form(balancing, files), timeout=100)
    assert sent.status_code == 200, sent.text
    got = sent.json()["tables"]
    placed = [row for row in got["joints3d"] if row["space"] == "world"]
    (him,) = (row for row in placed if max(row["views"]) == 0b1111)  # a woman is seen by two
    world = muybridge.open(str(answer)).joints3d.filter(pc.field("space") == "world")
    first = world.filter(pc.field("frame") == 0).to_pylist()
    (there,) = (row for row in first if max(row["views"]) == 0b1111)
    apart = [np.subtract(him[axis], there[axis]) for axis in "xyz"]
    assert np.linalg.norm(apart, axis=0).mean() < 0.06
    assert [row["track_id"] for row in got["people"]].count(him["track_id"]) == 4


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_session_that_cannot_be_is_refused_with_every_fault(balancing, endpoint):
    files = form(balancing, {"cam_01": b"nothing", "kitchen": b"nothing"})
    sent = httpx.post(endpoint, files=files, data={"offsets": '{"cam_09": 1}'}, timeout=100)
    assert sent.status_code == 422
    message = sent.json()["error"]["message"]
    for part in (
        "no camera is called kitchen",
        "cam_01, cam_02, cam_03",
        "no view is called cam_09",
    ):
        assert part in message
    files = form(balancing, {"cam_01": b"nothing", "cam_02": b"nothing"})
    sent = httpx.post(endpoint, files=files, timeout=100)
    assert sent.status_code == 422
    assert "of 2 views 0 can be read" in sent.json()["error"]["message"]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_real_session_has_one_man_in_all_views_near_what_was_published(
    balancing, answer, imported
):
    out = muybridge.open(str(answer))
    views = imported(Path(__file__).parent.parent / "benchmarks" / "views.py")
    published, names = views._published(balancing)
    world = out.joints3d.filter(pc.field("space") == "world").sort_by("frame")
    theirs = published[:, [names.index(name) for name in views.LIMB_JOINTS]]
    wrong = {}
    for track in world["track_id"].unique().to_pylist():  # two views show somebody else as well
        own = world.filter(pc.field("track_id") == track)
        places = np.stack([np.array(own[axis].to_pylist()) for axis in "xyz"], -1)
        ours = places[:, list(views.LIMB_JOINTS.values())]
        if own["frame"].to_pylist() == list(range(100)):
            lead = views.LEAD
            off = np.linalg.norm(ours[lead:] - theirs[: 100 - lead], axis=-1)
            wrong[track] = 1000 * off.mean()
    man = min(wrong, key=lambda track: wrong[track])
    assert wrong[man] < 40
    everywhere = set(
        zip(out.people["video_id"].to_pylist(), out.people["frame"].to_pylist(), strict=True)
    )
    him = out.people.filter(pc.field("track_id") == man)
    assert len(everywhere) == len(him) == 400
    cameras = out.sessions.sort_by("position").to_pylist()
    assert [camera["view"] for camera in cameras] == ["cam_01", "cam_02", "cam_03", "cam_04"]
    assert all(abs(camera["offset_s"]) < 1e-9 for camera in cameras)
    assert all(camera["offset_spread_s"] < 0.05 for camera in cameras[1:])


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_a_broken_view_costs_itself_and_a_late_one_is_lined_up(balancing, tmp_path):
    folder = tmp_path / "late"
    shutil.copytree(balancing / "calibration", folder / "calibration")
    videos = balancing / "videos"
    cut = ["ffmpeg", "-v", "error", "-i", videos / "cam03.mp4", "-vf", "trim=start_frame=12,"]
    cut[-1] += "setpts=PTS-STARTPTS"
    subprocess.run([*cut, "-crf", "12", folder / "cam03.mp4"], check=True)
    for name in ("cam01.mp4", "cam04.mp4"):
        shutil.copy(videos / name, folder / name)
    (folder / "cam02.mp4").write_bytes((videos / "cam02.mp4").read_bytes()[:2000])
    out = tmp_path / "out"
    index.index([], str(out), graphs.see_people(), sessions=[str(folder)])
    found = muybridge.open(str(out))
    (error,) = found.errors.to_pylist()
    assert error["uri"].endswith("cam02.mp4")
    third = next(row for row in found.sessions.to_pylist() if row["view"] == "cam_03")
    assert third["offset_s"] == pytest.approx(12 / 60, abs=0.02)
    assert third["offset_spread_s"] < 0.05
    assert pc.sum(pc.equal(found.joints3d["space"], "world")).as_py() > 90
