"""Surfaces painted over pictures, and gathered into a texture: made by hand, on real video."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from muybridge.errors import InputError
from muybridge.render.atlas import ACROSS, CELL, DOWN, atlas, gather, places
from muybridge.render.overlay import overlay
from muybridge.render.surface import COLOURS, COVER, Surface, paint, read, spread

from .conftest import pictures

H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18")
BOX = (100, 40, 160, 112)  # left, top, right, bottom


def surface(left: int = 2, top: int = 1, part: int = 5, track: int = 0) -> Surface:
    """A surface of three by four pixels, all of one part but the first, which is none."""
    parts = np.full((3, 4), part, np.uint8)
    parts[0, 0] = 0
    uv = np.stack([np.full((3, 4), 255), np.full((3, 4), 0)], -1).astype(np.uint8)
    return Surface(track, np.array([left, top, left + 4, top + 3]), parts, uv)


def grey() -> np.ndarray:
    return np.full((8, 10, 3), 128, np.uint8)


def png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def parts_and_uv() -> tuple[np.ndarray, np.ndarray]:
    """All 24 parts as six rows of four in a box of 60 by 72, with U to the right and V up."""
    parts = np.repeat(np.repeat(np.arange(1, 25, dtype=np.uint8).reshape(6, 4), 12, 0), 15, 1)
    u = np.tile(np.linspace(0, 255, 15).astype(np.uint8), (72, 4))
    v = np.tile(np.linspace(255, 0, 12).astype(np.uint8), 6)[:, None].repeat(60, 1)
    return parts, np.stack([u, v], -1)


def rows(frames: range, track: int = 1) -> list[dict]:
    parts, uv = parts_and_uv()
    sides = dict(zip(("left", "top", "right", "bottom"), BOX, strict=True))
    one = {"video_id": "v", "track_id": track, "parts": png(parts), "uv": png(uv), **sides}
    return [
        {**one, "frame": n, "time_s": n / 30, "system": "densepose", "model": "x"} for n in frames
    ]


def people(frames: range, track: int = 1) -> list[tuple]:
    return [(n, track, tuple(map(float, BOX))) for n in frames]


def test_no_surface_leaves_the_picture_as_it_is_and_never_draws_on_the_one_given():
    picture = grey()
    assert (paint(picture, [], "densepose") == 128).all()
    paint(picture, [surface()], "densepose")
    assert (picture == 128).all()


def test_a_part_has_its_colour_where_it_is_and_nothing_else_changes():
    painted = paint(grey(), [surface(part=5)], "densepose").astype(float)
    mixed = 128 * (1 - COVER) + COLOURS[5] * COVER
    assert painted[2, 3] == pytest.approx(mixed, abs=0.51)
    changed = (painted != 128).any(axis=2)
    assert changed.sum() == 11
    assert changed[1:4, 2:6].sum() == 11
    assert not changed[1, 2]


def test_many_people_are_painted_the_nearest_on_top():
    far, near = surface(part=5, top=0), surface(part=9, top=1)
    for order in ((far, near), (near, far)):
        painted = paint(grey(), order, "densepose")
        assert painted[2, 4, 0] == pytest.approx(
            (128 * (1 - COVER) + COLOURS[5, 0] * COVER) * (1 - COVER) + COLOURS[9, 0] * COVER, abs=1
        )


@pytest.mark.parametrize(("left", "top"), [(-2, -1), (8, 6), (-9, -9), (50, 50)])
def test_a_surface_may_reach_past_the_picture(left, top):
    painted = paint(grey(), [surface(left, top)], "densepose")
    assert painted.shape == (8, 10, 3)
    if (left, top) == (-2, -1):
        assert (painted[:2, :2] != 128).any(axis=2).all()
        assert (painted[2:, 2:] == 128).all()


def test_the_24_parts_can_be_told_apart():
    colours = COLOURS[1:].astype(float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    assert np.where(np.eye(24, dtype=bool), 999, apart).min() > 40


def test_u_goes_from_one_colour_to_another_and_v_from_dark_to_light():
    corners = spread(np.array([[0, 0], [0, 255], [255, 0], [255, 255]], np.uint8))
    assert corners[0].sum() < corners[1].sum()
    assert corners[2].sum() < corners[3].sum()
    assert np.abs(corners[1] - corners[3]).max() > 150


def test_a_table_s_pictures_are_read_back():
    parts, uv = parts_and_uv()
    made = read(3, BOX, png(parts), png(uv))
    assert np.array_equal(made.parts, parts)
    assert np.array_equal(made.uv, uv)


def test_nothing_seen_makes_an_empty_texture():
    made = gather([])
    assert made.colours.shape == (DOWN * CELL, ACROSS * CELL, 3)
    assert made.coverage == 0


def test_a_place_in_the_texture_follows_from_part_u_and_v():
    at = places(np.array([1, 2, 7, 24], np.uint8), np.array([[0, 255]] * 3 + [[255, 0]], np.uint8))
    rows, columns = np.divmod(at, ACROSS * CELL)
    assert rows.tolist() == [0, CELL, 0, DOWN * CELL - 1]
    assert columns.tolist() == [0, 0, CELL, ACROSS * CELL - 1]


def test_a_texture_is_the_mean_over_frames_and_says_what_was_seen():
    dark, light = grey(), grey() + 60
    made = gather([(dark, surface()), (light, surface())])
    place = np.unravel_index(places(np.array([5]), np.array([[255, 0]])), made.seen.shape)
    assert made.seen[place] == 22  # eleven pixels at one place, twice
    assert made.colours[place].tolist() == [[158, 158, 158]]
    assert made.seen.sum() == 22


@pytest.mark.parametrize("show", ["densepose", "uv", None])
def test_surfaces_are_painted_over_the_video_in_their_frames(awkward, output, tmp_path, show):
    video = awkward("surface.mp4", *H264)
    span = range(10, 20)
    out = output(video, people(span), densepose=rows(span))
    made = overlay(out, str(video), tmp_path / "o.mp4", show=show)
    assert made.frames == 30
    changed = np.abs(pictures(tmp_path / "o.mp4").astype(int) - pictures(video))[:, 50:100, 110:150]
    mean = changed.mean(axis=(1, 2, 3))
    assert mean[10:20].min() > 20
    assert np.delete(mean, range(10, 20)).max() < 8


def test_people_are_shown_where_there_are_joints_unless_surfaces_are_asked_for(
    awkward, output, tmp_path
):
    video = awkward("both.mp4", *H264)
    out = output(video, people(range(30)), joints=True, densepose=rows(range(30)))
    drawn = []
    for show in (None, "densepose"):
        overlay(out, str(video), tmp_path / "o.mp4", show=show)
        drawn.append(pictures(tmp_path / "o.mp4")[5, 60:100, 102:120].astype(int))
    plain = pictures(video)[5, 60:100, 102:120]
    assert np.abs(drawn[0] - plain).mean() < 10
    assert np.abs(drawn[1] - plain).mean() > 20


def test_an_output_without_surfaces_says_how_to_get_them(awkward, output, tmp_path):
    video = awkward("none.mp4", *H264)
    out = output(video, people(range(3)))
    with pytest.raises(InputError, match="--graph densepose"):
        overlay(out, str(video), tmp_path / "o.mp4", show="uv")
    with pytest.raises(InputError, match="--graph densepose"):
        atlas(out, str(video))


def test_the_texture_of_a_person_is_gathered_from_the_video(awkward, output, tmp_path):
    video = awkward("atlas.mp4", *H264)
    out = output(video, people(range(5, 9)), densepose=rows(range(5, 9)))
    told: list[tuple[int, int]] = []
    made = atlas(out, str(video), progress=lambda *at: told.append(at))
    assert told[-1] == (4, 4)
    box = pictures(video)[5:9, BOX[1] : BOX[3], BOX[0] : BOX[2]].astype(float)
    parts, _ = parts_and_uv()
    for part in (1, 24):
        cell = np.divmod(part - 1, DOWN)
        piece = (
            slice(cell[1] * CELL, (cell[1] + 1) * CELL),
            slice(cell[0] * CELL, (cell[0] + 1) * CELL),
        )
        seen = made.seen[piece] > 0
        assert seen.sum() == 15 * 12
        want = box[:, parts == part].mean()
        assert made.colours[piece][seen].mean() == pytest.approx(want, abs=6)
    made.save(tmp_path / "made" / "atlas.png")
    assert Image.open(tmp_path / "made" / "atlas.png").mode == "RGBA"


def test_of_several_people_one_must_be_named(awkward, output, tmp_path):
    video = awkward("two.mp4", *H264)
    both = rows(range(3), 1) + rows(range(3), 4)
    out = output(video, people(range(3)) + people(range(3), 4), densepose=both)
    with pytest.raises(InputError, match="surfaces of 1, 4: name one with --track"):
        atlas(out, str(video))
    with pytest.raises(InputError, match="track 7 was asked for"):
        atlas(out, str(video), 7)
    assert atlas(out, str(video), 4).coverage > 0
