"""The product finds in pictures what the plain networks find in crops, for any people and views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from muybridge.geometry.cameras import Camera
from muybridge.models.triangulation import predict, swift
from muybridge.models.triangulation.model import Algebraic, Config
from muybridge.models.triangulation.predict import AlgebraicPredictor, VolumetricPredictor
from muybridge.models.triangulation.preprocess import bent, normalised
from muybridge.models.triangulation.volumetric import Space, Volumetric, located

SMALL = Config(blocks=(1, 1, 1, 1))
PERSON = np.array([0.2, -0.1, 0.9])
SIZE = (320, 240)


def camera(angle, **more):
    """Stand 4 m from the world's upright axis and look at a point 0.9 m above the ground."""
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[-sine, cosine, 0], [0, 0, -1], [-cosine, -sine, 0]])
    matrix = np.array([[300.0, 0, 160.5], [0, 300, 120.5], [0, 0, 1]])
    translation = np.array([0, 0.9, 4.0])
    return Camera("one", SIZE, matrix, np.zeros(5), rotation, translation)


CAMERAS = [camera(angle) for angle in (0.1, 1.3, 2.9)]
PICTURES = list(np.random.default_rng(0).integers(0, 256, (3, 240, 320, 3), np.uint8))
BOXES = np.array([[[90.2, 50, 230, 190.4]] * 3, [[150.0, 20, 220, 200]] * 3])


def lively(network):
    """Let norms know other numbers than 0 and 1, heatmaps differ and views be trusted unequally."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.05)
            module.running_var.uniform_(0.8, 1.2)
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.normal_(module.bias, 0, 0.05)
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, 0, 0.3)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def algebraic_one():
    torch.manual_seed(0)
    return lively(Algebraic(SMALL))


@pytest.fixture(scope="module")
def volumetric_one():
    torch.manual_seed(0)
    return lively(Volumetric(SMALL, Space(cells=32)))


@pytest.fixture(scope="module")
def everybody(algebraic_one):
    return AlgebraicPredictor(algebraic_one)(PICTURES, CAMERAS, BOXES)


def plain(network, boxes, *more):
    """Do for one person with the network itself what the product does."""
    (seen,) = predict.shown(PICTURES, CAMERAS, boxes[None])
    with torch.inference_mode():
        return network(normalised(seen.crops)[None], seen.projections[None], *more), seen


def test_people_are_found_as_by_the_plain_network(algebraic_one, everybody):
    for number, boxes in enumerate(BOXES):
        found, _ = plain(algebraic_one, boxes)
        off = np.abs(everybody.points[number] - found.points[0].numpy())
        assert off.max() < 1e-4
        assert np.abs(everybody.confidences[number] - found.confidences[0].numpy()).max() < 1e-5
    assert np.ptp(everybody.confidences, 1).max() > 1e-3


def test_points_seen_again_lie_where_they_were_seen_if_the_views_agree(monkeypatch, algebraic_one):
    """Heatmaps painted where each view shows a point give that point, in the world's metres.

    A cell's place rounds to 4 pixels of the crop: the points' error is a few centimetres.
    """
    wanted = PERSON + np.array([[0, 0, 0], [0.3, 0, 0.2], [0, 0.2, -0.4]])

    def painted(self, crops):
        (seen,) = predict.shown(PICTURES, CAMERAS, BOXES[:1])
        heat = torch.zeros(3, 3, 96, 96)
        for view, matrix in enumerate(seen.projections.numpy()):
            places = wanted @ matrix[:, :3].T + matrix[:, 3]
            cells = np.rint(places[:, :2] / places[:, 2:] / 4).astype(int)
            heat[view, range(3), cells[:, 1], cells[:, 0]] = 1
        return heat, torch.ones(3, 3)

    monkeypatch.setattr(swift.Looking, "forward", painted)
    predictor = AlgebraicPredictor(algebraic_one)
    predictor.joints = 3
    found = predictor(PICTURES, CAMERAS, BOXES[:1])
    assert np.linalg.norm(found.points[0] - wanted, axis=-1).max() < 0.02
    seen = np.stack([each.project(wanted) for each in CAMERAS])
    assert np.abs(found.places[0] - seen).max() < 4 * 140 / 384
    assert np.allclose(found.confidences, 1 / 3, atol=1e-4)


def test_a_lens_bends_where_joints_are_seen_and_nothing_else(algebraic_one):
    lens = np.array([-0.3, 0.05, 0, 0, 0])
    bending = [replace(each, distortion=lens) for each in CAMERAS]
    found = AlgebraicPredictor(algebraic_one)(PICTURES, bending, BOXES)
    straight = [predict.straightened(*each) for each in zip(PICTURES, bending, strict=True)]
    wanted = AlgebraicPredictor(algebraic_one)(straight, CAMERAS, BOXES)
    assert np.allclose(found.points, wanted.points, atol=1e-9)
    for view, each in enumerate(bending):
        shown = bent(wanted.places[:, view], each)
        assert np.allclose(found.places[:, view], shown, atol=1e-6)
        assert np.allclose(each.undistort(shown), wanted.places[:, view], atol=1e-6)
    assert np.abs(found.places - wanted.places).max() > 0.03


def test_a_view_that_does_not_show_a_person_does_not_count(algebraic_one, everybody):
    boxes = BOXES.copy()
    boxes[0, 1], boxes[1, :2] = np.nan, np.nan
    found = AlgebraicPredictor(algebraic_one)(PICTURES, CAMERAS, boxes)
    pair = [PICTURES[0], PICTURES[2]], [CAMERAS[0], CAMERAS[2]]
    wanted = AlgebraicPredictor(algebraic_one)(*pair, BOXES[:1, [0, 2]])
    assert np.allclose(found.points[0], wanted.points[0], atol=1e-9)
    assert np.isnan(found.places[0, 1]).all()
    assert not found.confidences[0, 1].any()
    assert np.isnan(found.points[1]).all()
    assert np.isnan(found.places[1]).all()
    assert not found.confidences[1].any()
    assert np.isfinite(everybody.points).all()


def test_where_nobody_is_nobody_is_found(algebraic_one, volumetric_one):
    nobody = BOXES[:0]
    found = AlgebraicPredictor(algebraic_one)(PICTURES, CAMERAS, nobody)
    assert found.points.shape == (0, 17, 3)
    assert found.places.shape == (0, 3, 17, 2)
    cubes = VolumetricPredictor(volumetric_one)
    points, spread = cubes(PICTURES, CAMERAS, nobody, np.empty((0, 3)))
    assert (points.shape, spread.shape) == ((0, 17, 3), (0, 17))


@pytest.mark.parametrize("up", [(0, 0, 1), (0, -1, 0)])
def test_people_are_found_in_cubes_as_by_the_plain_network(volumetric_one, up):
    volumetric_one.network.last.weight.data.mul_(10)
    centres = np.stack([PERSON, [np.nan] * 3])
    found, spread = VolumetricPredictor(volumetric_one)(PICTURES, CAMERAS, BOXES, centres, up)
    axes = torch.from_numpy(predict.upright(up)).float()
    wanted, _ = plain(volumetric_one, BOXES[0], torch.from_numpy(centres[:1]), axes)
    volumetric_one.network.last.weight.data.div_(10)
    assert np.abs(found[0] - wanted[0].numpy()).max() < 1e-4
    assert np.isnan(found[1]).all()
    assert np.isnan(spread[1]).all()
    assert ((spread[0] > 0) & (spread[0] < 2.5 / 2)).all()
    assert np.abs(found[0] - PERSON).max() > 1e-3


@pytest.mark.parametrize("apart", [0, 4])
def test_a_joints_spread_is_how_far_the_likely_cells_lie_apart(apart):
    """Two cells, so many steps apart along each axis, are as likely: half of it off the middle."""
    logits = torch.full((1, 1, 8, 8, 8), -1e4)
    logits[0, 0, 2, 2, 2] = logits[0, 0, 2 + apart, 2 + apart, 2 + apart] = 0
    place, space = torch.tensor([9.0, -9, 1]), Space(cells=8, side=0.7)
    point, spread = located(
        lambda cube: logits,
        torch.zeros(2, 32, 4, 4), None, torch.zeros(2, 3, 4), place, None, space,
    )  # fmt: skip
    assert point[0].tolist() == pytest.approx((place - 0.15 + apart * 0.05).tolist(), abs=1e-6)
    assert float(spread[0]) == pytest.approx(apart * 0.05, abs=1e-6)


@pytest.mark.parametrize("up", [(0, 0, 2), (0, -1, 0), (1, 0, 0), (1, 1, 1)])
def test_a_cubes_last_axis_is_upright_and_its_axes_are_right_handed(up):
    axes = predict.upright(up)
    assert np.allclose(axes.T @ axes, np.eye(3))
    assert np.linalg.det(axes) == pytest.approx(1)
    assert axes[:, 2] @ up == pytest.approx(np.linalg.norm(up))


def test_the_world_upright_is_the_cubes_where_z_is_up():
    assert np.array_equal(predict.upright((0, 0, 1)), np.eye(3))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_given_network_stays_as_it_is(algebraic_one, volumetric_one, precision):
    for network, kind in (
        (algebraic_one, AlgebraicPredictor),
        (volumetric_one, VolumetricPredictor),
    ):
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        kind(network, precision)
        after = network.state_dict()
        assert all(
            torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype
            for name in before
        )


@pytest.mark.golden
@pytest.mark.parametrize(("precision", "limit"), [("float32", 0.2), ("bfloat16", 60)])
def test_folded_and_fused_the_joints_are_the_authors(algebraic_pack, algebraic, precision, limit):
    pack = algebraic_pack
    looking = swift.Looking(algebraic, getattr(torch, precision)).eval()
    given = pack.given("images").flip(-1)
    with torch.inference_mode():
        heat, trust = looking(given.flatten(0, 1))
        shape = given.shape[:2]
        found = predict.triangulated(
            heat.unflatten(0, shape),
            trust.unflatten(0, shape),
            pack.projections("proj_matrices"),
            given.shape[2:4],
        )
    off = pack.off("keypoints_3d_float64", found.points * 1000)
    print(precision, off)
    assert off < limit
