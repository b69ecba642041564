"""Pictures become what OpenPose's authors feed their networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from muybridge.models.openpose.model import OpenPose
from muybridge.models.openpose.preprocess import Canvas, averaged, canvases, prepared
from muybridge.models.openpose.sampling import cubic, resampled

GREY = 1 / 256  # a grey level in a network's input


@pytest.mark.golden
def test_a_picture_on_its_canvas_is_the_authors_within_two_grey_levels(pack):
    want = pack("openpose_body25")
    target = want.inputs["net_input"]
    picture = torch.from_numpy(want.inputs["image"][None, :, :, ::-1].copy())
    (canvas,) = canvases(*picture.shape[1:3], target.shape[2])
    assert canvas.scale == pytest.approx(want.manifest["scale_image_to_net"])
    got = prepared(picture, canvas, OpenPose.shades).numpy()
    assert got.shape == target.shape
    off = np.abs(got - target) / GREY
    assert off.max() <= 2
    assert (off > 0.5).mean() < 0.2


@pytest.mark.golden
def test_a_picture_resized_as_by_the_port_is_its_input_within_a_grey_level(pack):
    want = pack("openpose_coco")
    target, picture = want.inputs["net_input"], want.inputs["image"]
    size = np.array(picture.shape[:2])
    scale = 0.5 * 368 / size[0]
    rows, columns = ((torch.arange(n).double() + 0.5) / scale - 0.5 for n in np.rint(size * scale))
    channels = torch.from_numpy(picture).permute(2, 0, 1)
    small = resampled(channels, cubic(rows), cubic(columns)).round().clamp(0, 255).numpy()
    off = np.abs((target[0, :, : len(rows), : len(columns)] + 0.5) / GREY - small)
    assert off.max() <= 1
    assert (off > 0.5).mean() < 0.02
    assert (target[0, :, :, len(columns) :] == 0).all()  # what it pads is grey


@pytest.mark.golden
def test_maps_brought_back_to_the_pictures_size_are_the_ports(pack):
    want = pack("openpose_coco")
    height, width = want.inputs["image"].shape[:2]
    shown = [int(np.rint(side * 0.5 * 368 / height)) for side in (height, width)]
    for name in ("heatmap", "paf"):
        maps = torch.from_numpy(want.outputs[name][0])[want.outputs[f"full_{name}_channels"]]
        large = [(torch.arange(side).double() + 0.5) / 8 - 0.5 for side in shown]
        wide = resampled(maps, *map(cubic, large))
        full = [
            (torch.arange(side).double() + 0.5) * small / side - 0.5
            for side, small in zip((height, width), shown, strict=True)
        ]
        got = resampled(wide, *map(cubic, full)).permute(1, 2, 0).numpy()
        assert got == pytest.approx(want.outputs[f"full_{name}"], abs=1e-5)


def test_cubic_reading_is_torchs_bicubic():
    maps = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(1))
    at = [(torch.arange(8 * side).double() + 0.5) / 8 - 0.5 for side in maps.shape[1:]]
    want = functional.interpolate(maps[None], scale_factor=8, mode="bicubic")[0]
    assert torch.allclose(resampled(maps, *map(cubic, at)), want, atol=1e-6)


def test_a_canvas_has_the_rows_asked_for_and_keeps_the_pictures_shape():
    (wide,) = canvases(720, 1280, 368)
    assert (wide.height, wide.width) == (368, 656)
    assert wide.scale == pytest.approx(367 / 719)
    (tall,) = canvases(1920, 1080, 368)
    assert (tall.height, tall.width) == (368, 208)
    first, second, third = canvases(720, 1280, 368, scales=3)
    assert (first, second.back, third.back) == (wide, wide.back, wide.back)
    assert [(c.height, c.width) for c in (second, third)] == [(272, 480), (176, 320)]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 300)])
def test_the_tiniest_pictures_have_a_canvas(size):
    (canvas,) = canvases(*size, 16)
    picture = torch.full((1, *size, 3), 255, dtype=torch.uint8)
    assert torch.isfinite(prepared(picture, canvas, (1.0, 0.0))).all()
    assert canvas.back > 0


def test_the_upper_left_pixel_stays_and_what_is_not_covered_is_black():
    picture = torch.full((1, 20, 100, 3), 200, dtype=torch.uint8)
    picture[0, 0, 0] = torch.tensor([10, 20, 30], dtype=torch.uint8)
    (canvas,) = canvases(20, 100, 16)
    got = prepared(picture, canvas, (1.0, 0.0))[0]
    assert got[:, 0, 0].tolist() == [30, 20, 10]  # blue, green, red
    covered = canvas.scale * (np.array([20, 100]) - 1)
    beyond = np.floor(covered).astype(int) + 2
    assert (got[:, beyond[0] :] == 0).all()
    assert (got[:, :, beyond[1] :] == 0).all()
    assert got[0, int(covered[0]), int(covered[1])] == 200


def test_maps_of_several_scales_are_averaged_where_the_picture_has_the_same_place():
    """A slope over the picture is the same slope on every canvas, and so is their average.

    It is so within a tenth of a cell, for this cubic curve bends a straight line a little.
    """
    sizes = canvases(720, 1280, 368, scales=3)

    def slope(canvas: Canvas) -> torch.Tensor:
        y, x = ((torch.arange(n // 8) * 8 + 3.5) for n in (canvas.height, canvas.width))
        return ((y[:, None] + 2 * x) / canvas.scale)[None, None]

    maps = [slope(canvas) for canvas in sizes]
    inside = (..., slice(4, -6), slice(4, -6))  # at the border maps repeat, slopes do not
    cell = 8 / sizes[0].scale
    off = (averaged(maps, sizes) - maps[0])[inside].abs()
    assert off.max() < 0.1 * 3 * cell
    assert torch.equal(averaged(maps[:1], sizes[:1]), maps[0])
