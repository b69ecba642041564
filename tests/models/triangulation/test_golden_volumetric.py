"""The volumetric network gives the authors' numbers, seam by seam."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from muybridge.models.triangulation import volumes
from muybridge.models.triangulation.preprocess import normalised
from muybridge.models.triangulation.volumetric import small

pytestmark = pytest.mark.golden

PELVIS = 6


@pytest.fixture(scope="module", autouse=True)
def _without_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def pack(volumetric_pack):
    return volumetric_pack


@pytest.fixture(scope="module")
def pictures(pack):
    return normalised(pack.given("images")[0].flip(-1))


@pytest.fixture(scope="module")
def maps(volumetric, pictures):
    return volumetric.seen(pictures)[0]


@pytest.fixture(scope="module")
def centre(pack):
    """The pelvis, in metres."""
    return pack.given("pred_keypoints_3d")[0, PELVIS] / 1000


@pytest.fixture(scope="module")
def cells(pack, centre):
    config = pack.manifest["config"]
    return volumes.cube(
        centre.float(), torch.eye(3), config["cuboid_side"] / 1000, config["volume_size"]
    )


@pytest.fixture(scope="module")
def cube(pack, maps, cells):
    projections = small(pack.projections("proj_matrices")[0], (128, 128), maps.shape[-2:])
    return volumes.filled(maps, projections.float(), cells, "softmax")


def test_maps_are_the_authors(pack, maps):
    assert pack.off("features", maps[None]) < 1e-4


def test_the_cube_lies_where_the_authors_is(pack, centre, cells):
    assert pack.off("base_points", centre[None] * 1000) < 1e-3
    corners = cells[:: len(cells) - 1, :: len(cells) - 1, :: len(cells) - 1]
    assert pack.off("coord_volume_corners", corners * 1000) < 1e-3


def test_the_cube_holds_what_the_authors_does(pack, cube):
    assert pack.off("unprojected", cube[pack.outputs["unprojected_channels"]]) < 1e-4


def test_joints_are_as_likely_as_by_the_authors(pack, volumetric, cube):
    chosen = pack.outputs["volume_joints"]
    logits = volumetric.network(cube[None])[0]
    assert pack.off("volume_logits", logits[chosen]) < 1e-3
    assert pack.off("volumes", volumes.spread(logits)[chosen]) < 5e-5


def test_joints_are_the_authors(pack, volumetric, pictures, centre):
    found = volumetric(pictures[None], pack.projections("proj_matrices"), centre[None])
    assert pack.off("keypoints_3d", found * 1000) < 0.1
    assert pack.off("keypoints_3d_float64", found * 1000) < 0.1


def test_joints_in_a_finer_cube_are_the_authors(pack, volumetric, maps, centre):
    projections = small(pack.projections("proj_matrices")[0], (128, 128), maps.shape[-2:])
    config = pack.manifest["config"]
    cells = volumes.cube(centre.float(), torch.eye(3), config["cuboid_side"] / 1000, 64)
    cube = volumes.filled(maps, projections.float(), cells, "softmax")
    likely = volumes.spread(volumetric.network(cube[None])[0])
    assert pack.off("volumes_size64_joint6_slice32", likely[PELVIS, :, :, 32]) < 5e-5
    found = volumes.expected(likely, cells)[None]
    assert pack.off("keypoints_3d_size64", found * 1000) < 0.3


@pytest.mark.parametrize("aggregation", ["sum", "max", "softmax", "conf"])
@pytest.mark.parametrize("at_once", [volumes.AT_ONCE["cpu"], 100])
def test_views_are_brought_together_as_by_the_authors(pack, monkeypatch, aggregation, at_once):
    monkeypatch.setitem(volumes.AT_ONCE, "cpu", at_once)
    found = volumes.filled(
        pack.given("op_features")[0],
        pack.given("op_proj")[0],
        pack.given("op_coords")[0],
        aggregation,
        pack.given("op_confidences")[0],
    )
    assert pack.off(f"op_unproject_{aggregation}", found[None]) < 1e-4


def test_maps_that_are_not_square_are_read_as_by_the_authors_under_parity(pack):
    given = (
        pack.given("op_features_24x32")[0],
        pack.given("op_proj")[0],
        pack.given("op_coords")[0],
        "sum",
    )
    assert pack.off("op_unproject_24x32_sum", volumes.filled(*given)[None]) < 1e-4
    assert pack.off("op_unproject_24x32_sum", volumes.filled(*given, parity=False)[None]) > 0.1


def test_points_in_a_cube_are_the_authors(pack):
    logits, cells = pack.given("op_volume_logits")[0], pack.given("op_coords")[0]
    found = volumes.expected(volumes.spread(logits), cells)
    assert pack.off("op_softargmax_3d", found[None]) < 1e-2
    theirs = np.abs(pack.outputs["op_relu_3d"]).max()
    assert pack.off("op_relu_3d", volumes.expected(logits.relu(), cells)[None]) < 1e-6 * theirs


def test_a_cube_is_turned_as_by_the_authors(pack):
    upright = pack.given("op_coords")[0] - torch.tensor([0, 0, 900.0])
    assert pack.off("op_rotated_coords_z_0p7", upright @ volumes.turned(0.7).T) < 1e-3


def test_the_network_has_as_many_numbers_as_published(pack, volumetric):
    learned = sum(each.numel() for each in volumetric.parameters())
    assert learned == pack.manifest["parameter_count"] == 80_588_050
