"""What the published files fill: a body of the published size, and a regressor of joints."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from muybridge.geometry.smpl import BENDS, FACES, JOINTS, SHAPES, VERTICES, Body


class Regressor(nn.Module):
    """Find joints as weighted means of vertices; ``weight`` is (joints, V)."""

    weight: Tensor

    def __init__(self, joints: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(joints, VERTICES))

    def forward(self, vertices: Tensor) -> Tensor:
        """Find joints (N, J, 3) of vertices (N, V, 3), in metres."""
        return self.weight @ vertices


def body() -> Body:
    """Make a body of the published size, all zeros."""
    return Body(
        template=torch.zeros(VERTICES, 3),
        shape_directions=torch.zeros(VERTICES, 3, SHAPES),
        pose_directions=torch.zeros(VERTICES, 3, BENDS),
        regressor=torch.zeros(len(JOINTS), VERTICES),
        weights=torch.zeros(VERTICES, len(JOINTS)),
        faces=torch.zeros(FACES, 3, dtype=torch.int64),
    )
