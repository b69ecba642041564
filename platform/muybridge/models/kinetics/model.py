"""The networks, as torchvision builds and has trained them on Kinetics-400.

R3D and R(2+1)D (Tran et al., "A Closer Look at Spatiotemporal Convolutions", 2018), MViTv2-S (Li et
al., 2022), Video Swin-T (Liu et al., 2022) and S3D (Xie et al., "Rethinking Spatiotemporal Feature
Learning", 2018). What stands beside a network is how its published accuracy was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn
from torchvision.models import video
from torchvision.models.video import (
    MViT_V2_S_Weights,
    R2Plus1D_18_Weights,
    R3D_18_Weights,
    S3D_Weights,
    Swin3D_T_Weights,
)


@dataclass(frozen=True)
class Kind:
    """Describe a network: its weights, and the ``frames`` of a clip, ``apart`` seconds each."""

    weights: Any
    frames: int
    apart: float

    @property
    def labels(self) -> tuple[str, ...]:
        """Name the classes in the order of its scores."""
        return tuple(self.weights.meta["categories"])


KINDS = {
    "r3d_18": Kind(R3D_18_Weights.KINETICS400_V1, 16, 1 / 15),
    "r2plus1d_18": Kind(R2Plus1D_18_Weights.KINETICS400_V1, 16, 1 / 15),
    "mvit_v2_s": Kind(MViT_V2_S_Weights.KINETICS400_V1, 16, 2 / 15),
    "swin3d_t": Kind(Swin3D_T_Weights.KINETICS400_V1, 32, 1 / 15),
    "s3d": Kind(S3D_Weights.KINETICS400_V1, 128, 1 / 15),
}


def network(name: str) -> nn.Module:
    """Make one of the networks, without its weights."""
    built: nn.Module = getattr(video, name)(weights=None)
    return built
