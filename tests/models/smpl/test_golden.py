"""The body model gives its authors' numbers, seam by seam, on the pack's body."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge import weights
from muybridge.geometry import smpl
from muybridge.geometry.rotations import matrix_from_axis_angle
from muybridge.geometry.smpl import FROM17, Body, Joints, h36m, joints49, joints54, moves, walked

pytestmark = pytest.mark.golden
EXACT = 1e-6  # metres; the pack's own float32 is 4e-7 off float64


@pytest.fixture(scope="module")
def folder(smpl_pack, tmp_path_factory) -> Path:
    """All files of the body, as they are published."""
    made = tmp_path_factory.mktemp("smpl")
    (made / "SMPL_NEUTRAL.pkl").write_bytes(pickle.dumps(smpl_pack.body, 2))
    np.save(made / "J_regressor_extra.npy", smpl_pack.matrix("J_regressor_extra", 9))
    np.save(made / "J_regressor_h36m.npy", smpl_pack.matrix("J_regressor_h36m", 17))
    return made


@pytest.fixture(scope="module")
def body(folder) -> Body:
    return weights.load("smpl_neutral", folder).double()  # type: ignore[return-value]


@pytest.fixture(scope="module")
def extra(folder) -> torch.Tensor:
    return weights.load("smpl_regressor_extra", folder).double().weight  # type: ignore[union-attr,return-value]


@pytest.fixture(scope="module")
def given(smpl_pack) -> tuple[torch.Tensor, torch.Tensor]:
    """Shapes (8, 10) and rotations (8, 24, 3, 3)."""
    rotations = matrix_from_axis_angle(smpl_pack.given("pose").view(8, 24, 3))
    return smpl_pack.given("betas"), rotations


def off(found: torch.Tensor, wanted: torch.Tensor) -> float:
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max())


def test_rotations_and_how_bodies_are_bent(smpl_pack, given):
    assert off(given[1], smpl_pack.wanted("rotmat")) < EXACT
    assert off(smpl.bent(given[1]), smpl_pack.wanted("pose_feature")) < EXACT


def test_shape_and_bending_move_the_vertices_at_rest(smpl_pack, body, given):
    betas, rotations = (part[[1, 6]] for part in given)
    straight = torch.eye(3, dtype=betas.dtype).expand(2, 24, 3, 3)
    shaped = body.blended(betas, straight).mT
    assert off(shaped, smpl_pack.wanted("v_shaped_case1_and_6")) < EXACT
    posed = body.blended(betas, rotations).mT
    assert off(posed[0], smpl_pack.wanted("v_posed_case1")) < EXACT


def test_joints_at_rest_and_how_each_moves_the_skin(smpl_pack, body, given):
    rest = body.rest(given[0])
    assert off(rest, smpl_pack.wanted("rest_joints")) < EXACT
    found = moves(walked(rest, given[1]), rest)
    assert off(found, smpl_pack.wanted("joint_transforms")[:, :, :3]) < EXACT


def test_joints_and_vertices(smpl_pack, body, extra, given):
    posed = body(*given)
    assert off(posed.joints, smpl_pack.wanted("joints24")) < EXACT
    assert off(posed.vertices, smpl_pack.wanted("vertices")) < EXACT
    assert off(posed.vertices[1], smpl_pack.wanted("vertices_rotmat_case1")) < EXACT
    assert off(joints54(posed, extra)[:, :45], smpl_pack.wanted("joints45")) < EXACT
    assert off(joints54(posed, extra)[:, 45:], smpl_pack.wanted("extra9")) < EXACT
    assert off(joints49(posed, extra), smpl_pack.wanted("joints49")) < EXACT


def test_a_translation_moves_all_of_it(smpl_pack, body, extra, given):
    posed = body(*given, smpl_pack.given("transl"))
    assert off(joints49(posed, extra), smpl_pack.wanted("joints49_transl")) < EXACT
    assert off(posed.vertices[1], smpl_pack.wanted("vertices_transl_case1")) < EXACT


def test_the_joints_of_human36m(smpl_pack, folder, body, given):
    regressor = weights.load("smpl_regressor_h36m", folder).double().weight  # type: ignore[union-attr]
    found = h36m(body(*given).vertices, regressor)
    assert off(found, smpl_pack.wanted("h36m17")) < EXACT
    assert off(found[:, FROM17], smpl_pack.wanted("h36m14")) < EXACT


def test_49_joints_without_the_rest_of_the_body_are_the_same(smpl_pack, body, extra, given):
    found = Joints(body, extra)(*given, smpl_pack.given("transl"))
    assert off(found, smpl_pack.wanted("joints49_transl")) < EXACT


def test_float32_is_as_exact_as_the_authors(smpl_pack, folder, given):
    plain: Body = weights.load("smpl_neutral", folder)  # type: ignore[assignment]
    posed = plain(*(part.float() for part in given))
    assert posed.vertices.dtype == torch.float32
    assert off(posed.vertices.double(), smpl_pack.wanted("vertices")) < 1e-5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics processor here")
def test_a_graphics_processor_gives_the_same(smpl_pack, folder, given):
    body: Body = weights.load("smpl_neutral", folder).cuda()  # type: ignore[assignment]
    posed = body(*(part.float().cuda() for part in given))
    assert off(posed.vertices.double().cpu(), smpl_pack.wanted("vertices")) < 1e-5
