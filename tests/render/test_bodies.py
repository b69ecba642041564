"""Bodies remade from the table `bodies`, drawn over video and turned to the side."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import pytest
import torch
from typer.testing import CliRunner

from muybridge import cli
from muybridge.errors import InputError, WeightsError
from muybridge.geometry.smpl import FACES, JOINTS, PARENTS, VERTICES, Body
from muybridge.render.bodies import GROUND, WINDOW, Bodies
from muybridge.render.draw import TRACKS
from muybridge.render.mesh import project
from muybridge.render.overlay import drawn, opened, overlay, still
from muybridge.store import tables

from .conftest import pictures
from .puppet import puppet

H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18")
WIDTH, HEIGHT, FOCAL = 320, 180, 300.0
UPRIGHT = (np.pi, 0.0, 0.0)  # half a turn about x: y up becomes y down, the face looks at us
AHEAD = (0.0, 0.0, 4.0)  # metres
BOX = (100.0, 40.0, 200.0, 150.0)

Make = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a body as its authors publish it, and a cache of its own."""
    made = tmp_path_factory.mktemp("bodies")
    published(made / "SMPL_NEUTRAL.pkl", puppet())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUYBRIDGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield made


@pytest.fixture
def video(awkward: Callable[..., Path]) -> Path:
    return awkward("bodies.mp4", *H264)


def published(path: Path, body: Body) -> None:
    """Write a body, filled up to the published size with vertices and faces of no extent."""

    def filled(values: torch.Tensor, axis: int = 0, size: int = VERTICES) -> np.ndarray:
        short = [(0, size - values.shape[axis] if axis == i else 0) for i in range(values.ndim)]
        return np.pad(values.numpy(), short).astype(np.uint32 if size == FACES else float)

    arrays = {
        "v_template": filled(body.template),
        "shapedirs": filled(body.shape_directions),
        "posedirs": filled(body.pose_directions),
        "J_regressor": filled(body.regressor, 1),
        "weights": filled(body.weights),
        "f": filled(body.faces, 0, FACES),
        "kintree_table": np.array([PARENTS, range(len(JOINTS))]).astype(np.uint32),
    }
    path.write_bytes(pickle.dumps(arrays, protocol=2))


def rows(*people: dict[str, Any], name: str = "smpl_neutral") -> list[dict[str, Any]]:
    """Give the rows that the store writes of people: frame, track, root, at, betas, focal."""
    said = [{"frame": 0, "track": 1, "root": UPRIGHT, "at": AHEAD} | person for person in people]
    frames = np.unique([person["frame"] for person in said])
    rotations = np.zeros((len(said), 24, 3), np.float32)
    rotations[:, 0] = [person["root"] for person in said]
    clip = {
        **{"video_id": "v", "clip_id": "v:0", "uri": "", "core": (0, 9999)},
        **{"frame_index": frames, "times": frames / 30, "frame_seen": np.ones(len(frames), bool)},
        "person_frame": np.searchsorted(frames, [person["frame"] for person in said]),
        "person_track": np.array([person["track"] for person in said]),
        "person_score": np.ones(len(said), np.float32),
        "person_box": np.tile(np.float32(BOX), (len(said), 1)),
        **{"smpl_model": "vibe_wo_3dpw", "smpl_body": name},
        "smpl_betas": np.float32([person.get("betas", [0] * 10) for person in said]),
        "smpl_rotations": np.stack(
            [person.get("rotations", own) for person, own in zip(said, rotations, strict=True)]
        ).astype(np.float32),
        "smpl_camera": np.zeros((len(said), 4), np.float32),
        "smpl_translation": np.float32([person["at"] for person in said]),
        "smpl_focal": np.float32([person.get("focal", FOCAL) for person in said]),
        "smpl_joints3d": np.zeros((len(said), 49, 3), np.float32),
    }
    return tables.rows(clip)["bodies"].to_pylist()


def frame(out: str, video: Path, folder: Path, show: Any, number: int = 0) -> np.ndarray:
    """Draw onto a grey frame, before it becomes video."""
    source = opened(out, str(video), None, folder)
    grey = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    return drawn(source, grey, number, number / 30, show)


def by_hand(at: tuple[float, ...] = AHEAD) -> np.ndarray:
    """Where the puppet's vertices stand before the camera: half a turn about x, then moved."""
    return puppet().template.numpy().astype(float) * (1, -1, -1) + at


def seen(vertices: np.ndarray) -> np.ndarray:
    """Find left, top, right, bottom in pixels, by the camera's equation."""
    at = FOCAL * vertices[:, :2] / vertices[:, 2:] + (WIDTH / 2, HEIGHT / 2)
    return np.concatenate([at.min(0), at.max(0)])


def extent(mask: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(mask)
    return np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])


def painted(picture: np.ndarray, ground: int = 100, caption: int = 25) -> np.ndarray:
    """Find pixels that are not the ground's, but for the caption at the lower left."""
    changed = (picture != ground).any(axis=2)
    changed[HEIGHT - caption :, :110] = False
    return changed


def like(one: Any, other: Any) -> bool:
    """Tell whether two colours are alike but for their brightness."""
    directions = [np.asarray(each, float) / np.linalg.norm(each) for each in (one, other)]
    return bool(directions[0] @ directions[1] > 0.99)


def inner(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Give the mean colour in the middle of a box."""
    x, y = (int(v) for v in (box[:2] + box[2:]) / 2)
    return picture[y - 3 : y + 3, x - 3 : x + 3].mean(axis=(0, 1))


@pytest.mark.golden
def test_a_table_s_numbers_become_the_bodies_that_the_authors_code_finds(
    golden, synthetic, tmp_path, monkeypatch
):
    """Eight people: at rest, bent, upside down, of unusual shape; vertices to 1e-5 m."""
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    pack = golden / "smpl_lbs"
    given, wanted = (dict(np.load(pack / f"{name}.npz")) for name in ("inputs", "outputs"))
    (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(
        pickle.dumps(packed(given, synthetic(pack / "manifest.json")), protocol=2)
    )
    people = [
        {"frame": 3, "track": n, "at": at, "betas": betas, "rotations": pose.reshape(24, 3)}
        for n, (at, betas, pose) in enumerate(
            zip(given["transl"] + np.float32(AHEAD), given["betas"], given["pose"], strict=True)
        )
    ]
    found = Bodies(dataset(rows(*people)), tmp_path).at(3)
    assert [each.track for each in found] == list(range(8))
    made = np.stack([each.mesh.vertices for each in found])
    moved = (given["transl"] + np.float32(AHEAD))[:, None]
    assert made == pytest.approx(wanted["vertices"] + moved, abs=1e-5)
    roots = np.stack([each.root for each in found])
    assert roots == pytest.approx(wanted["joints24"][:, 0] + moved[:, 0], abs=1e-5)
    assert np.array_equal(found[0].mesh.faces, given["smpl.faces"])


def packed(given: dict[str, Any], tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    """Put the arrays of a pack together as the published file has them."""
    regressor, weights = np.zeros((24, VERTICES)), np.zeros((VERTICES, 24))
    regressor[tuple(given["smpl.J_regressor_index"])] = given["smpl.J_regressor_value"]
    np.put_along_axis(weights, given["smpl.weights_index"], given["smpl.weights_value"], 1)
    return {
        "v_template": given["smpl.v_template"],
        "shapedirs": np.asarray(tensors["smpl.shapedirs"]),
        "posedirs": np.asarray(tensors["smpl.posedirs"]),
        "J_regressor": regressor,
        "weights": weights,
        "f": given["smpl.faces"],
        "kintree_table": given["smpl.kintree_table"],
    }


def dataset(made: list[dict[str, Any]]) -> ds.Dataset:
    return ds.dataset(tables.table("bodies", made))


@pytest.mark.parametrize("at", [AHEAD, (0.5, -0.2, 5.0), (1.6, 0.1, 6.0)])
def test_a_body_is_drawn_where_the_camera_s_equation_puts_it(video, output, folder, at):
    """Pixel = focal X / Z + W / 2 and focal Y / Z + H / 2, of vertices placed by hand."""
    out = output(video, bodies=rows({"at": at}))
    mask = painted(frame(out, video, folder, "mesh"))
    assert extent(mask) == pytest.approx(seen(by_hand(at)), abs=1)


def test_another_focal_length_and_another_shape_make_it_larger(video, output, folder):
    """Twice the focal length is twice as large; a puppet's first number adds 5 % each."""
    far = {"at": (0, 0, 8)}
    others = {"frame": 1, "focal": 2 * FOCAL}, {"frame": 2, "betas": [4] + [0] * 9}
    out = output(video, bodies=rows(far, *(far | other for other in others)))
    boxes = [extent(painted(frame(out, video, folder, "mesh", n))) for n in range(3)]
    tall = [box[3] - box[1] for box in boxes]
    assert tall[1] / tall[0] == pytest.approx(2, rel=0.03)
    assert tall[2] / tall[0] == pytest.approx(1.2, rel=0.03)


@pytest.mark.parametrize("track", [0, 1, len(TRACKS) + 1])
def test_a_body_has_its_track_s_colour(video, output, folder, track):
    out = output(video, bodies=rows({"track": track}))
    made = frame(out, video, folder, "mesh")
    assert like(inner(made, seen(by_hand())) - 0.15 * 100, TRACKS[track % len(TRACKS)])


@pytest.mark.parametrize("turn", [1, -1])
def test_who_is_nearer_hides_who_is_farther(video, output, folder, turn):
    near, far = {"track": 0, "at": (0.1, 0, 3.5)}, {"track": 1, "at": (0, 0, 5)}
    out = output(video, bodies=rows(*[near, far][::turn]))
    made = frame(out, video, folder, "mesh")
    assert like(inner(made, seen(by_hand(near["at"]))) - 0.15 * 100, TRACKS[0])
    aside = (
        made[HEIGHT // 2 - 25, 110] - 0.15 * 100
    )  # a farther hand, where the nearer one's is not
    assert like(aside, TRACKS[1])


def test_the_side_view_is_turned_by_90_degrees_about_the_vertical_through_the_pelvis(folder):
    """Who looks at us looks to the right then; heights stay, and four turns make a whole one."""
    (body,) = Bodies(dataset(rows({"root": (2.5, 0.4, -0.3)})), folder).at(0)
    before, after = (each.mesh.vertices - body.root for each in (body, body.turned()))
    quarter = np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]])  # y stays; what is ahead comes left
    assert np.linalg.det(quarter) == 1
    assert after == pytest.approx(before @ quarter.T, abs=1e-12)
    flat, turned = before[:, [0, 2]], after[:, [0, 2]]
    assert (flat * turned).sum(1) == pytest.approx(0, abs=1e-12)  # at a right angle
    whole = body.turned().turned().turned().turned()
    assert whole.mesh.vertices == pytest.approx(body.mesh.vertices, abs=1e-12)


def test_the_side_view_stands_beside_the_picture(video, output, folder):
    out = output(video, bodies=rows({}))
    made = frame(out, video, folder, "side")
    assert made.shape == (HEIGHT, 2 * WIDTH, 3)
    assert np.array_equal(made[:, :WIDTH], frame(out, video, folder, "mesh"))
    x, y, z = (by_hand() - AHEAD).T  # the pelvis is the puppet's origin
    box = seen(np.stack([-z, y, x], 1) + AHEAD)
    side = made[:, WIDTH:]
    filled = (np.abs(side.astype(int) - GROUND) > 0).any(axis=2)
    filled[HEIGHT - 25 :, :110] = False
    around = extent(filled)  # with the box's line, and its number above it
    assert around[[0, 2, 3]] == pytest.approx(box[[0, 2, 3]] + np.array([-1, 1, 1]), abs=1.5)
    assert like(inner(side, box) - 0.15 * GROUND, TRACKS[1])
    foot = HEIGHT // 2 + round(0.94 * FOCAL / 4)  # the toes, 0.1 m ahead, point to the right
    assert like(side[foot, WIDTH // 2 + 7] - 0.15 * GROUND, TRACKS[1])
    assert (side[foot, WIDTH // 2 - 9] == GROUND).all()


@pytest.mark.parametrize("show", ["mesh", "side"])
@pytest.mark.parametrize(
    "at", [(0, 0, 0.1), (0, 0, -4), (0.3, 0, 0.3), (0, 0, 0), (900, 0, 4), (np.nan, 0, 4)]
)
def test_who_stands_around_or_behind_the_camera_or_nowhere_spoils_nothing(
    video, output, folder, show, at
):
    out = output(video, bodies=rows({"track": 0, "at": at}, {"track": 1, "frame": 1}))
    assert frame(out, video, folder, show).shape == (HEIGHT, WIDTH * (1 + (show == "side")), 3)
    assert painted(frame(out, video, folder, "mesh", 1)).sum() > 1000


def test_nobody_leaves_only_the_caption(video, output, folder):
    out = output(video, bodies=rows({"frame": 3}))
    assert not painted(frame(out, video, folder, "mesh")).any()
    assert not painted(frame(out, video, folder, "side")[:, WIDTH:], GROUND).any()


def test_bodies_of_a_long_video_are_read_window_by_window(folder):
    numbers = (0, WINDOW - 1, WINDOW, 3 * WINDOW + 7)
    made = Bodies(dataset(rows(*({"frame": n, "track": n % 97} for n in numbers))), folder)
    assert made.any()
    for number in (*numbers, *reversed(numbers)):
        assert [each.track for each in made.at(number)] == [number % 97]
    assert made.at(1) == made.at(9999) == []
    assert not Bodies(dataset([]), folder).any()


@pytest.mark.parametrize("show", ["mesh", "side", None])
def test_a_video_comes_out_with_bodies_in_their_frames(video, output, folder, tmp_path, show):
    """Without joints and surfaces, bodies are what is shown."""
    people = [(n, 1, BOX) for n in range(10, 20)]
    out = output(video, people, bodies=rows(*({"frame": n} for n in range(10, 20))))
    made = overlay(out, str(video), tmp_path / "o.mp4", show=show, weights=folder)
    assert made.frames == 30
    movie = pictures(tmp_path / "o.mp4")
    assert movie.shape[1:] == (HEIGHT, WIDTH * (1 + (show == "side")), 3)
    changed = np.abs(movie[:, 60:100, 150:170].astype(int) - pictures(video)[:, 60:100, 150:170])
    mean = changed.mean(axis=(1, 2, 3))
    assert mean[10:20].min() > 20
    assert np.delete(mean, range(10, 20)).max() < 8


def test_between_frames_that_were_looked_at_the_nearest_one_s_bodies_are_drawn(
    video, output, folder
):
    sampled = range(0, 30, 5)
    people = [(n, 1, BOX) for n in sampled]
    out = output(video, people, frames_analysed=6, bodies=rows(*({"frame": n} for n in sampled)))
    wanted = frame(out, video, folder, "mesh", 5)[: HEIGHT - 25]
    assert np.array_equal(frame(out, video, folder, "mesh", 6)[: HEIGHT - 25], wanted)


def test_joints_come_first_and_a_still_shows_bodies_without_them(video, output, folder, tmp_path):
    people = [(n, 1, BOX) for n in range(3)]
    out = output(video, people, joints=True, bodies=rows({}))
    assert opened(out, str(video), None).shows() == "people"
    for path in (Path(out) / "keypoints").iterdir():
        path.write_bytes(tables.write("keypoints", tables.table("keypoints", []), {}))
    assert opened(out, str(video), None).shows() == "mesh"
    assert still(out, str(video), tmp_path / "s.png", weights=folder) == 0
    assert (tmp_path / "s.png").stat().st_size > 1000


@pytest.mark.parametrize("show", ["mesh", "side"])
def test_an_output_without_bodies_says_how_to_get_them(video, output, folder, tmp_path, show):
    out = output(video, [(0, 1, BOX)])
    with pytest.raises(InputError, match=rf"--show {show} was asked for.*index it with --graph"):
        overlay(out, str(video), tmp_path / "o.mp4", show=show, weights=folder)
    assert not (tmp_path / "o.mp4").exists()


def test_without_the_body_s_file_it_is_said_what_to_get_and_where_to_put_it(
    video, output, tmp_path, monkeypatch
):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    out = output(video, bodies=rows({}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError) as caught:
        overlay(out, str(video), tmp_path / "o.mp4", show="mesh", weights=tmp_path / "empty")
    for part in (
        *("smpl_neutral", "https://smplify.is.tue.mpg.de", "register"),
        *(str(tmp_path / "cache" / "weights" / "SMPL_NEUTRAL.pkl"), "--weights FOLDER"),
    ):
        assert part in str(caught.value)
    with pytest.raises(WeightsError, match=r"there is no .*nowhere"):
        overlay(out, str(video), tmp_path / "o.mp4", show="mesh", weights=tmp_path / "nowhere")
    assert not (tmp_path / "o.mp4").exists()


def test_a_table_that_names_no_body_model_is_refused(video, output, folder, tmp_path):
    np.save(tmp_path / "J_regressor_extra.npy", np.zeros((9, VERTICES), np.float32))
    out = output(video, bodies=rows({}, name="smpl_regressor_extra"))
    with pytest.raises(InputError, match="smpl_regressor_extra: is no body model"):
        overlay(out, str(video), tmp_path / "o.mp4", show="mesh", weights=tmp_path)


def test_the_command_draws_bodies(video, output, folder, tmp_path):
    out, made = output(video, bodies=rows({})), tmp_path / "o.mp4"
    given = ["render", out, str(video), "-o", str(made), "--weights", str(folder)]
    done = CliRunner().invoke(cli.app, [*given, "--show", "side"])
    assert done.exit_code == 0, done.output
    assert pictures(made).shape == (30, HEIGHT, 2 * WIDTH, 3)
    done = CliRunner().invoke(cli.app, [*given, "--show", "people"])
    assert done.exit_code != 0


def test_what_is_drawn_is_what_is_projected(folder):
    """A body's box is that of its vertices before the camera."""
    (body,) = Bodies(dataset(rows({})), folder).at(0)
    assert body.before
    assert body.person(WIDTH, HEIGHT).box == pytest.approx(
        seen(body.mesh.vertices[: len(by_hand())]), abs=1e-6
    )
    assert project(body.mesh, WIDTH, HEIGHT).shape == (VERTICES, 3)
