"""The body model by hand: joints that hang together, moving as bones do, and what is shared."""

from __future__ import annotations

import torch

from muybridge.geometry.rotations import matrix_from_axis_angle
from muybridge.geometry.smpl import (
    CACHED,
    EXTRA,
    JOINTS,
    JOINTS49,
    PARENTS,
    PICKED,
    SHAPES,
    Body,
    Joints,
    joints49,
    walked,
)

VERTICES = 6890


def body() -> Body:
    """Make a body of random numbers, whose vertices go along with a few joints each."""
    draw = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    weights = torch.softmax(5 * random(VERTICES, 24), 1)
    return Body(
        random(VERTICES, 3),
        0.01 * random(VERTICES, 3, SHAPES),
        0.01 * random(VERTICES, 3, 207),
        torch.softmax(random(24, VERTICES), 1),
        weights,
        torch.zeros(4, 3, dtype=torch.int64),
    )


def turned(count: int, seed: int = 1) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return matrix_from_axis_angle(torch.randn(count, 24, 3, generator=draw, dtype=torch.float64))


def straight(count: int) -> torch.Tensor:
    return torch.eye(3, dtype=torch.float64).expand(count, 24, 3, 3)


def test_names_are_unique_and_everybody_hangs_on_somebody_before():
    assert len(set(JOINTS)) == 24
    assert len(set(JOINTS49)) == 49
    assert len(PICKED) == 21
    assert len(EXTRA) == 9
    assert all(parent < joint for joint, parent in enumerate(PARENTS))


def test_an_unbent_body_stands_as_its_shape_says():
    made, betas = body(), torch.randn(2, SHAPES, dtype=torch.float64)
    posed = made(betas, straight(2))
    shaped = made.template + (made.shape_directions @ betas.T).permute(2, 0, 1)
    assert torch.allclose(posed.vertices, shaped)
    assert torch.allclose(posed.joints, made.rest(betas))


def test_bones_keep_their_length_and_turn_as_told():
    rest, rotations = torch.randn(3, 24, 3, dtype=torch.float64), turned(3)
    world = walked(rest, rotations)
    for joint, parent in enumerate(PARENTS[1:], 1):
        bone = world[:, joint, :, 3] - world[:, parent, :, 3]
        before = rest[:, joint] - rest[:, parent]
        assert torch.allclose(bone.norm(dim=1), before.norm(dim=1))
        assert torch.allclose(bone, (world[:, parent, :, :3] @ before[..., None])[..., 0])
        assert torch.allclose(world[:, joint, :, :3], world[:, parent, :, :3] @ rotations[:, joint])


def test_turning_the_root_turns_the_whole_body_about_it():
    made, betas = body(), torch.zeros(1, SHAPES, dtype=torch.float64)
    whole = straight(1).clone()
    whole[:, 0] = turned(1)[:, 0]
    root = made.rest(betas)[:, :1]
    wanted = (made(betas, straight(1)).vertices - root) @ whole[:, 0].mT + root
    assert torch.allclose(made(betas, whole).vertices, wanted)


def test_bodies_are_the_same_alone_and_among_many():
    made, count = body(), 2 * CACHED + 3
    betas = torch.randn(count, SHAPES, dtype=torch.float64)
    many = made(betas, turned(count))
    for one in (0, CACHED, count - 1):
        alone = made(betas[one : one + 1], turned(count)[one : one + 1])
        assert torch.allclose(many.vertices[one], alone.vertices[0])
        assert torch.allclose(many.joints[one], alone.joints[0])


def test_no_bodies_are_no_bodies():
    posed = body()(torch.zeros(0, SHAPES, dtype=torch.float64), straight(0))
    assert posed.vertices.shape == (0, VERTICES, 3)
    assert posed.joints.shape == (0, 24, 3)


def test_joints_alone_are_those_of_the_whole_body():
    made, extra = body(), torch.zeros(9, VERTICES, dtype=torch.float64)
    extra[torch.arange(9), torch.arange(9) * 700] = 1
    betas, rotations = torch.randn(4, SHAPES, dtype=torch.float64), turned(4)
    wanted = joints49(made(betas, rotations), extra)
    assert torch.allclose(Joints(made, extra)(betas, rotations), wanted)


def test_joints_can_be_differentiated_through():
    joints = Joints(body(), torch.zeros(9, VERTICES, dtype=torch.float64))
    betas = torch.randn(1, SHAPES, dtype=torch.float64, requires_grad=True)
    r = (0.3 * torch.randn(1, 24, 3, dtype=torch.float64)).requires_grad_()
    pick = torch.randn(49, 3, dtype=torch.float64)

    def found(betas: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
        return (joints(betas, matrix_from_axis_angle(r)) * pick).sum()

    assert torch.autograd.gradcheck(found, (betas, r))
