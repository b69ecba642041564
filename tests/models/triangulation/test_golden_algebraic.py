"""The algebraic network gives the authors' numbers, seam by seam."""

from __future__ import annotations

import pytest
import torch

from muybridge.models.triangulation.model import centre, linear, normed, spread
from muybridge.models.triangulation.preprocess import normalised

pytestmark = pytest.mark.golden


@pytest.fixture(scope="module", autouse=True)
def _without_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def pack(algebraic_pack):
    return algebraic_pack


@pytest.fixture(scope="module")
def pictures(pack):
    """The pack's pictures, turned from its blue, green, red into ours, and what is read of them."""
    given = pack.given("images").flip(-1)
    return normalised(given.flatten(0, 1)).unflatten(0, given.shape[:2])


@pytest.fixture(scope="module")
def maps(algebraic, pictures):
    return algebraic.backbone.maps(pictures.flatten(0, 1))


def test_the_backbone_gives_the_authors_maps(pack, algebraic, maps):
    features = algebraic.backbone.features(maps)
    assert pack.off("layer4_view0", maps[0, pack.outputs["layer4_view0_channels"]]) < 1e-4
    assert pack.off("features_view0", features[0, pack.outputs["features_view0_channels"]]) < 1e-4


def test_heatmaps_and_confidences_are_the_authors(pack, algebraic, maps):
    shape, joints = pack.inputs["images"].shape[:2], pack.outputs["heatmap_joints"]
    heat = algebraic.backbone.heat(maps).unflatten(0, shape)
    trust = algebraic.confidences(maps).unflatten(0, shape)
    assert pack.off("heatmaps_raw", heat[:, :, joints]) < 1e-5
    assert pack.off("heatmaps", spread(heat)[:, :, joints]) < 1e-5
    assert pack.off("confidences_before_norm", trust) < 2e-5
    assert pack.off("confidences", normed(trust)) < 2e-5


def test_joints_are_the_authors(pack, algebraic, pictures):
    """The authors' own float32 is 0.04 mm off their float64, and ours is nearer."""
    found = algebraic(pictures, pack.projections("proj_matrices"))
    assert pack.off("keypoints_2d", found.places) < 1e-3
    assert pack.off("confidences", found.confidences) < 2e-5
    assert pack.off("keypoints_3d_float64", found.points * 1000) < 0.02
    assert pack.off("keypoints_3d", found.points * 1000) < 0.2


def test_points_are_the_authors_to_a_millionth_of_a_millimetre(pack):
    places, trust = (pack.given(f"dlt_{name}")[None] for name in ("points", "confidences"))
    projections = pack.projections("dlt_proj")[None]
    weighted = linear(places, projections, trust)[0] * 1000
    alike = linear(places, projections, torch.ones_like(trust))[0] * 1000
    assert pack.off("dlt_weighted_float64", weighted) < 1e-6
    assert pack.off("dlt_unweighted_float64", alike) < 1e-6
    assert pack.off("dlt_weighted", weighted) < 0.2


def test_centres_of_mass_are_the_authors(pack):
    heat = pack.given("softargmax_heatmaps")
    assert pack.off("softargmax_x100", centre(spread(heat))) < 1e-4
    assert pack.off("softargmax_x1", centre(spread(heat, 1))) < 1e-4
    assert pack.off("relu_centre_of_mass", centre(heat.relu())) < 1e-4


def test_the_network_has_as_many_numbers_as_published(pack, algebraic):
    learned = sum(each.numel() for each in algebraic.parameters())
    assert learned == pack.manifest["parameter_count"] == 79_521_890
