"""From pictures to a pyramid of features: a ResNet and the feature pyramid on top of it.

He et al., "Deep Residual Learning" (2016) and Lin et al., "Feature Pyramid Networks" (2017). Batch
norm is frozen, and a block that halves the size does so in its first 1x1 convolution, as the first
published ResNets did.
"""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, FeaturePyramidNetwork, FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # blocks of each stage by depth
STRIDES = (4, 8, 16, 32, 64)  # pixels a cell of p2 to p6


def convolution(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, activation: bool = True
) -> Conv2dNormActivation:
    """Make a convolution followed by frozen batch norm and, unless told not to, a ReLU."""
    last = nn.ReLU if activation else None
    return Conv2dNormActivation(
        inputs, outputs, kernel, stride, norm_layer=FrozenBatchNorm2d, activation_layer=last
    )


class ResNet(nn.Module):
    """Turn normalised pictures (N, 3, H, W) into maps at strides 4, 8, 16 and 32."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.stem = convolution(3, 64, 7, 2)
        first, second, third, fourth = BLOCKS[depth]
        self.res2 = stage(64, 64, first, stride=1)
        self.res3 = stage(256, 128, second, stride=2)
        self.res4 = stage(512, 256, third, stride=2)
        self.res5 = stage(1024, 512, fourth, stride=2)

    def forward(self, pictures: Tensor) -> OrderedDict[str, Tensor]:
        """Return the four maps by name: (N, 256, H / 4, W / 4) to (N, 2048, H / 32, W / 32)."""
        x = F.max_pool2d(self.stem(pictures), kernel_size=3, stride=2, padding=1)
        maps: OrderedDict[str, Tensor] = OrderedDict()
        for name in ("res2", "res3", "res4", "res5"):
            x = getattr(self, name)(x)
            maps[name] = x
        return maps


def stage(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    """Make the blocks that work at one size; the first brings the map to it."""
    rest = (Block(4 * width, width) for _ in range(blocks - 1))
    return nn.Sequential(Block(inputs, width, stride), *rest)


class Block(nn.Module):
    """Add to a map (N, inputs, H, W) what three convolutions find in it: (N, 4 width, ., .)."""

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = convolution(inputs, width, 1, stride)
        self.conv2 = convolution(width, width, 3)
        self.conv3 = convolution(width, outputs, 1, activation=False)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = convolution(inputs, outputs, 1, stride, activation=False)

    def forward(self, x: Tensor) -> Tensor:
        found = self.conv3(self.conv2(self.conv1(x)))
        return F.relu_(found + self.shortcut(x))


class Backbone(nn.Module):
    """Turn normalised pictures (N, 3, H, W) into five maps p2 to p6 of 256 channels each.

    H and W are multiples of 32; a cell of a map stands for ``STRIDES`` pixels.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.resnet = ResNet(depth)
        widths = [256, 512, 1024, 2048]
        self.pyramid = FeaturePyramidNetwork(widths, 256, extra_blocks=LastLevelMaxPool())

    def forward(self, pictures: Tensor) -> list[Tensor]:
        return list(self.pyramid(self.resnet(pictures)).values())
