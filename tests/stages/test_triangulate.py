"""People of a real session placed in the world: cut out of which pictures, and what comes out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from muybridge import graphs
from muybridge.columns import PLACING, check
from muybridge.geometry.cameras import Camera
from muybridge.geometry.skeletons import COCO17
from muybridge.geometry.triangulation import triangulate as placed
from muybridge.models.triangulation.model import Algebraic, Config
from muybridge.models.triangulation.predict import (
    AlgebraicPredictor,
    People,
    VolumetricPredictor,
)
from muybridge.run import local, planning, sessions
from muybridge.stages import triangulate
from muybridge.store import tables
from muybridge.video.frames import DecodedFrames
from muybridge.video.process import Decoder

SOURCE = "movenet_joints"
FPS = 4
HIPS = COCO17.index("left_hip", "right_hip")


@pytest.fixture(scope="module")
def clip(data, loaded) -> Any:
    """What the stage gets of the man who balances: four views, eight moments."""
    (session,) = sessions.read(str(data / "pose2sim_balancing"))
    with Decoder() as decoder:
        made = planning.probe(decoder, session, FPS, None)
    (given,) = sessions.clips(made)
    views = [{**view, "source": view["uri"]} for view in given["views"]]
    graph = graphs.chosen(graphs.see_people(), ["keypoints"])
    (done,) = local.run(graph, [{**given, "views": views}])
    return {**done, "views": [the_man(view) for view in done["views"]]}


def the_man(view: Any) -> Any:
    """Leave out who stands in the background."""
    box, track = view["person_box"], view["person_track"]
    height = box[:, 3] - box[:, 1]
    tallest = max(set(track.tolist()), key=lambda one: np.median(height[track == one]))
    return kept(view, track == tallest)


def kept(view: Any, rows: Any) -> Any:
    """Keep some people of a view."""
    return {**view, **{n: view[n][rows] for n in view if n.startswith(("person", "movenet"))}}


@pytest.fixture(scope="module")
def decoder():
    with Decoder() as decoder:
        yield decoder


def without(view, moments):
    """Take people out of a view at some moments."""
    return kept(view, ~np.isin(view["person_frame"], moments))


def middles(boxes):
    return np.stack([boxes[..., [0, 2]].mean(-1), boxes[..., [1, 3]].mean(-1)], -1)


class Boxes(AlgebraicPredictor):
    """Place all joints where the middles of a person's boxes lie, and keep what was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __call__(self, pictures: Any, cameras: Any, boxes: Any) -> People:
        copies = [picture.copy() for picture in pictures]
        self.asked.append((copies, [camera.name for camera in cameras], boxes))
        middle = middles(boxes)
        flat = np.stack([c.undistort(middle[:, v]) for v, c in enumerate(cameras)], 1)
        sure = np.isfinite(flat).all(-1).astype(float)
        matrices = np.stack([camera.projection for camera in cameras])
        points = placed(np.nan_to_num(flat), matrices, sure).points
        places = np.repeat(middle[:, :, None], 17, 2)
        return People(np.repeat(points[:, None], 17, 1), places, np.zeros(places.shape[:3]))


class Cubes(VolumetricPredictor):
    """Find everybody's joints in the middle of their cube, and keep what was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __call__(self, pictures: Any, cameras: Any, boxes: Any, centres: Any, up: Any = ()) -> Any:
        self.asked.append((centres, up))
        points = np.repeat(centres[:, None], 17, 1)
        return points, np.full(points.shape[:2], 0.1)


@pytest.fixture(scope="module")
def answer(clip, decoder):
    boxes = Boxes()
    made = triangulate.place(boxes, decoder, clip, SOURCE)
    check({**clip, **made}, PLACING)
    return boxes, made


def test_everybody_is_cut_out_of_the_frames_of_that_moment(clip, answer):
    boxes, made = answer
    moments = sorted(set(made["placed_moment"].tolist()))
    assert moments == list(range(len(clip["views"][0]["times"])))
    assert len(boxes.asked) == len(moments)
    with Decoder() as other:
        for moment, (pictures, names, _) in zip(moments, boxes.asked, strict=True):
            for name, picture in zip(names, pictures, strict=True):
                (view,) = (v for v in clip["views"] if camera_of(clip, v).name == name)
                ((_, wanted),) = other.frames(view).chunks(1, moment, moment + 1)
                assert np.array_equal(picture, wanted[0])


def camera_of(clip, view) -> Camera:
    return Camera.read(clip["cameras"][view["video_id"]]["camera"])


def test_the_man_stands_where_his_boxes_meet_and_is_known_by_a_row_of_his(clip, answer):
    _, made = answer
    him = made["placed_views"][:, 0] == 0b1111
    assert him.sum() == len(set(made["placed_moment"].tolist()))
    for view, row, moment, joints in zip(
        *(made[f"placed_{name}"][him] for name in ("view", "person", "moment", "joints3d")),
        strict=True,
    ):
        one = clip["views"][view]
        assert one["person_frame"][row] == moment
        seen = camera_of(clip, one).project(joints[:1, :3].astype(float))[0]
        middle = middles(one["person_box"][row])
        assert np.linalg.norm(seen - middle) < 0.3 * np.ptp(one["person_box"][row][1::2])
        assert (joints[:, 3] == 1).all()
    assert (made["placed_error"][him] > 0).all()
    assert np.isnan(made["placed_spread"]).all()


def test_who_is_seen_by_two_cameras_is_cut_out_of_those_two(clip, decoder):
    """At the third moment two cameras see nobody, at the fourth all but one."""
    gone = [(), (3,), (2, 3), (2, 3)]
    views = [without(view, at) for view, at in zip(clip["views"], gone, strict=True)]
    boxes = Boxes()
    made = triangulate.place(boxes, decoder, {**clip, "views": views}, SOURCE)
    of = dict(zip(made["placed_moment"].tolist(), made["placed_views"][:, 0].tolist(), strict=True))
    assert of == {0: 15, 1: 15, 2: 3, 4: 15, 5: 15, 6: 15}
    assert [len(names) for _, names, _ in boxes.asked] == [4, 4, 2, 4, 4, 4]


def test_rows_lie_beside_those_of_the_view_and_tell_the_moment(clip, answer):
    _, made = answer
    rows = tables.rows({**clip, **made, "error": ""})["placed"].to_pylist()
    assert len(rows) == len(made["placed_view"])
    for row, view, person in zip(rows, made["placed_view"], made["placed_person"], strict=True):
        one = clip["views"][view]
        assert row["video_id"] == one["video_id"]
        assert row["track_id"] == one["person_track"][person]
        assert row["frame"] == one["frame_index"][one["person_frame"][person]]
        assert [row["system"], row["skeleton"]] == ["triangulation", "h36m17"]
        assert row["space"] == "world"
        assert len(row["x"]) == 17


def test_a_cube_stands_upright_about_the_middle_of_the_hips(clip, decoder):
    cubes = Cubes()
    made = triangulate.place(cubes, decoder, clip, SOURCE)
    check({**clip, **made}, PLACING)
    him = made["placed_views"][:, 0] == 0b1111
    for view, row, joints in zip(
        *(made[f"placed_{name}"][him] for name in ("view", "person", "joints3d")), strict=True
    ):
        one = clip["views"][view]
        middle = one[SOURCE][row][HIPS, :2].mean(0)
        seen = camera_of(clip, one).project(joints[:1, :3].astype(float))[0]
        assert np.linalg.norm(seen - middle) < 60
    assert all(np.array_equal(up, (0, 0, 1)) for _, up in cubes.asked)
    assert np.allclose(made["placed_spread"], 0.1)
    assert np.isnan(made["placed_error"]).all()


def test_a_picture_that_is_lost_and_a_view_that_failed_are_left_out(clip, decoder):
    class Damaged(Decoder):
        def frames(self, view: Any) -> Any:
            if view["video_id"] != clip["views"][1]["video_id"]:
                return super().frames(view)
            parts = [(rows, p.copy()) for rows, p in super().frames(view).chunks(8)]
            rows, pictures = (np.concatenate(each) for each in zip(*parts, strict=True))
            return DecodedFrames(np.delete(pictures, 2, 0), np.delete(rows, 2), len(rows))

    with Damaged() as damaged:
        made = triangulate.place(Boxes(), damaged, clip, SOURCE)
    at = made["placed_moment"]
    assert made["placed_views"][at == 2, 0].tolist() == [0b1101]
    assert 0b1111 in made["placed_views"][at == 3, 0]
    failed = [{**view, "error": "x" if n == 0 else ""} for n, view in enumerate(clip["views"])]
    made = triangulate.place(Boxes(), decoder, {**clip, "views": failed}, SOURCE)
    assert set(made["placed_views"][:, 0].tolist()) == {0b1110}
    failed = [{**view, "error": "x" if n else ""} for n, view in enumerate(clip["views"])]
    made = triangulate.place(Boxes(), decoder, {**clip, "views": failed}, SOURCE)
    assert not len(made["placed_view"])


def test_a_clock_that_is_known_to_differ_moves_the_pictures(clip, decoder):
    """The third camera is told to be a quarter of a second late: its pictures are the next ones."""
    third = clip["views"][2]["video_id"]
    late = {**clip["cameras"], third: {**clip["cameras"][third], "late": -0.25}}
    boxes = Boxes()
    triangulate.place(boxes, decoder, {**clip, "cameras": late}, SOURCE)
    plain = Boxes()
    triangulate.place(plain, decoder, clip, SOURCE)
    name = camera_of(clip, clip["views"][2]).name
    moved, wanted = (
        [pictures[names.index(name)] for pictures, names, _ in each.asked if name in names]
        for each in (boxes, plain)
    )
    pairs = zip(moved, wanted[1:], strict=False)
    assert all(np.array_equal(one, other) for one, other in pairs)
    assert not any(np.array_equal(one, other) for one, other in pairwise(wanted))


def cut(clip, first: int, stop: int):
    """Answer for some frames only; the second view for those before them, but for the end."""
    views = list[Any]()
    for number, view in enumerate(clip["views"]):
        edges = [edge - (number == 1) if 0 < edge < 7 else edge for edge in (first, stop)]
        frames = view["frame_index"]
        views.append({**view, "core": np.array([frames[edges[0]], frames[edges[1] - 1] + 1])})
    return {**clip, "views": views}


def test_clips_that_share_frames_place_each_moment_once(clip, answer, decoder):
    parts = [
        triangulate.place(Boxes(), decoder, cut(clip, *span), SOURCE) for span in ((0, 3), (3, 7))
    ]
    assert [part["placed_moment"].tolist() for part in parts] == [[0, 1, 2], [3, 4, 5, 6]]
    ours = np.concatenate([part["placed_joints3d"] for part in parts])
    assert np.abs(ours - answer[1]["placed_joints3d"]).max() < 1e-6


def test_whom_the_first_view_does_not_show_is_known_by_a_row_within_anothers_core(clip, decoder):
    first, *others = clip["views"]
    part = cut({**clip, "views": [without(first, range(7)), *others]}, 0, 3)
    made = triangulate.place(Boxes(), decoder, part, SOURCE)
    assert made["placed_moment"].tolist() == [0, 1, 2]
    assert made["placed_view"].tolist() == [1, 1, 2]
    assert set(made["placed_views"][:, 0].tolist()) == {0b1110}


def test_nobody_in_the_views_is_nobody_in_the_world(clip, decoder):
    nobody = [without(view, range(7)) for view in clip["views"]]
    made = triangulate.place(Boxes(), decoder, {**clip, "views": nobody}, SOURCE)
    check({**clip, **made}, PLACING)
    assert not len(made["placed_view"])


def test_the_networks_answer_is_what_stands_in_the_columns(clip, decoder):
    torch.manual_seed(0)
    predictor = AlgebraicPredictor(Algebraic(Config(blocks=(1, 1, 1, 1))).eval())
    boxes = Boxes()
    triangulate.place(boxes, decoder, clip, SOURCE)
    made = triangulate.place(predictor, decoder, clip, SOURCE)
    pictures, names, asked = boxes.asked[0]
    cameras = {camera_of(clip, view).name: camera_of(clip, view) for view in clip["views"]}
    wanted = predictor(pictures, [cameras[name] for name in names], asked)
    ours = made["placed_joints3d"][made["placed_moment"] == 0][..., :3]
    assert np.allclose(ours, wanted.points, atol=1e-4)


def test_the_stage_is_one_across_views_and_says_what_it_misses(tmp_path):
    made = triangulate.triangulate(given=tmp_path)
    assert made.across
    (told,) = made.missing()
    assert "human36m_alg_10-04-2019" in told
    assert made.identity["precision"] == "float32"
