"""OpenPose's networks: VGG's front, then stages that look at the features and at the last maps.

From Cao et al., "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields"
(2019), and, for the 18 joints of COCO, their paper of 2017. Layers bear their official names, so
that the authors' files fit as they are. Convolutions have a bias and keep the size; no activation
comes after the last one of a branch.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from muybridge.models.openpose.bodies import BODY_25, COCO, Body

STRIDE = 8  # pixels of the input to a cell of the maps
FEATURES = 128
# a convolution: its name, channels in and out, side of its kernel
Layer = tuple[str, int, int, int]
# fmt: off
FRONT: tuple[tuple[Layer, ...], ...] = (  # halved between
    (("conv1_1", 3, 64, 3), ("conv1_2", 64, 64, 3)),
    (("conv2_1", 64, 128, 3), ("conv2_2", 128, 128, 3)),
    (("conv3_1", 128, 256, 3), ("conv3_2", 256, 256, 3), ("conv3_3", 256, 256, 3),
     ("conv3_4", 256, 256, 3)),
    (("conv4_1", 256, 512, 3), ("conv4_2", 512, 512, 3), ("conv4_3_CPM", 512, 256, 3),
     ("conv4_4_CPM", 256, FEATURES, 3)),
)
# fmt: on


class OpenPose(nn.Module):
    """Be what both networks share: layers by their official names, and the front.

    Pictures (N, 3, H, W) in, B, G, R, from -0.5 to 0.5, sides multiples of 16; maps
    (N, channels of the body, H / 8, W / 8) out.
    """

    body: Body
    shades = (1 / 256, -0.5)  # factor and offset that make input of grey levels

    def __init__(self, layers: Iterable[Layer], slopes: frozenset[str] = frozenset()) -> None:
        super().__init__()
        for name, inward, outward, kernel in layers:
            self.add_module(name, nn.Conv2d(inward, outward, kernel, padding=kernel // 2))
            if name in slopes:
                self.add_module(slope(name), nn.PReLU(outward))

    def layer(self, name: str, x: Tensor) -> Tensor:
        """Convolve, and apply the layer's PReLU if it has one, else ReLU."""
        x = self.get_submodule(name)(x)
        activation = self._modules.get(slope(name))
        return functional.relu_(x) if activation is None else activation(x)

    def front(self, x: Tensor) -> Tensor:
        """Give features (N, 128, H / 8, W / 8)."""
        for at, block in enumerate(FRONT):
            x = functional.max_pool2d(x, 2) if at else x
            for name, *_ in block:
                x = self.layer(name, x)
        return x


def slope(name: str) -> str:
    """Name the PReLU after a convolution."""
    return name.replace("conv", "prelu")


class OpenPoseCoco(OpenPose):
    """Find the 18 joints of COCO: six stages of two branches, for fields (L1) and heat (L2)."""

    body = COCO
    stages = 6

    def __init__(self) -> None:
        super().__init__(
            [
                *(layer for block in FRONT for layer in block),
                *(layer for at in range(1, self.stages + 1) for layer in _coco_stage(at)),
            ]
        )

    def forward(self, pictures: Tensor) -> Tensor:
        features = x = self.front(pictures)
        for stage in range(1, self.stages + 1):
            fields, heat = self.branch(stage, "L1", x), self.branch(stage, "L2", x)
            x = torch.cat((fields, heat, features), 1)
        return torch.cat((heat, fields), 1)

    def branch(self, stage: int, name: str, x: Tensor) -> Tensor:
        """Give the maps of one branch of a stage (from 1)."""
        *names, last = [layer for layer, *_ in _coco_branch(stage, name)]
        for layer in names:
            x = self.layer(layer, x)
        return self.get_submodule(last)(x)


def _coco_stage(stage: int) -> list[Layer]:
    return _coco_branch(stage, "L1") + _coco_branch(stage, "L2")


def _coco_branch(stage: int, branch: str) -> list[Layer]:
    outward = {"L1": 2 * len(COCO.pairs), "L2": COCO.heat}[branch]
    if stage == 1:
        wide = [(f"conv5_{n}_CPM_{branch}", FEATURES, FEATURES, 3) for n in (1, 2, 3)]
        middle = (f"conv5_4_CPM_{branch}", FEATURES, 512, 1)
        return [*wide, middle, (f"conv5_5_CPM_{branch}", 512, outward, 1)]
    names = [f"Mconv{n}_stage{stage}_{branch}" for n in range(1, 8)]
    inward = [COCO.channels + FEATURES] + 6 * [FEATURES]
    outwards, kernels = 6 * [FEATURES] + [outward], 5 * [7] + 2 * [1]
    return list(zip(names, inward, outwards, kernels, strict=True))


class OpenPoseBody25(OpenPose):
    """Find 25 joints with feet: four stages for fields (L2), then two for heat (L1)."""

    body = BODY_25
    order = (("L2", 0), ("L2", 1), ("L2", 2), ("L2", 3), ("L1", 0), ("L1", 1))

    def __init__(self) -> None:
        front = [layer for block in FRONT for layer in block]
        stages = [layer for branch, at in self.order for layer in _dense_stage(branch, at)]
        bare = {f"Mconv7_stage{at}_{branch}" for branch, at in self.order}
        curved = [name for name, *_ in (*front[9:], *stages) if name not in bare]
        super().__init__([*front, *stages], frozenset(curved))

    def forward(self, pictures: Tensor) -> Tensor:
        features = x = self.front(pictures)
        for at in range(4):
            fields = self.stage("L2", at, x)
            x = torch.cat((features, fields), 1)
        heat = self.stage("L1", 0, x)
        heat = self.stage("L1", 1, torch.cat((features, heat, fields), 1))
        return torch.cat((heat, fields), 1)

    def stage(self, branch: str, at: int, x: Tensor) -> Tensor:
        """Give the maps of a stage: five blocks of three convolutions whose outputs are joined."""
        for block in range(1, 6):
            parts = []
            for part in range(3):
                x = self.layer(f"Mconv{block}_stage{at}_{branch}_{part}", x)
                parts.append(x)
            x = torch.cat(parts, 1)
        x = self.layer(f"Mconv6_stage{at}_{branch}", x)
        return self.get_submodule(f"Mconv7_stage{at}_{branch}")(x)


def _dense_stage(branch: str, at: int) -> list[Layer]:
    fields = 2 * len(BODY_25.pairs)
    inward = FEATURES + (fields if (branch, at) != ("L2", 0) else 0)
    inward += BODY_25.heat if (branch, at) == ("L1", 1) else 0
    width, middle = (128, 512) if at else (96, 256)
    layers: list[Layer] = []
    for block in range(1, 6):
        for part in range(3):
            layers.append((f"Mconv{block}_stage{at}_{branch}_{part}", inward, width, 3))
            inward = width
        inward = 3 * width
    outward = fields if branch == "L2" else BODY_25.heat
    last = f"Mconv7_stage{at}_{branch}"
    return [*layers, (f"Mconv6_stage{at}_{branch}", inward, middle, 1), (last, middle, outward, 1)]
