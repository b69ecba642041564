"""VIBE (Kocabas et al., CVPR 2020): the body, its pose and the camera, for each frame of a track.

A backbone reads each picture by itself, a recurrent encoder what comes before it in time, and a
regressor the body from that, in rounds that start from the mean body. Without the encoder it is HMR
(Kanazawa et al. 2018) as SPIN (Kolotouros et al. 2019) trained it, whose backbone VIBE uses.

Letters: N people or sequences, T frames. A network's camera is weak perspective in the person's
crop: a scale and the body's shift in metres, x right, y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models import ResNet, resnet50
from torchvision.ops import FrozenBatchNorm2d

from muybridge.geometry.rotations import axis_angle_from_matrix, matrix_from_six

CAMERA, POSE, SHAPE = 3, 24 * 6, 10  # numbers of a body as the regressor has it
ROUNDS = 3


@dataclass(frozen=True)
class Config:
    """Give the network's sizes; the defaults are the article's.

    ``features`` is how many numbers the backbone says of a picture, ``width`` and ``layers`` are
    the recurrent network's, ``hidden`` is the regressor's width.
    """

    features: int = 2048
    width: int = 1024
    layers: int = 2
    hidden: int = 1024


@dataclass(frozen=True)
class Bodies:
    """Hold bodies, any leading shape: camera (..., 3) as scale, x and y, and what SMPL is given.

    ``rotations`` (..., 24, 3, 3) are each joint's in its parent's axes, the root's in the camera's;
    ``betas`` (..., 10) is the shape.
    """

    camera: Tensor
    rotations: Tensor
    betas: Tensor

    @property
    def theta(self) -> Tensor:
        """Write them as VIBE does: camera, 24 axis-angles in radians, betas: (..., 85)."""
        angles = axis_angle_from_matrix(self.rotations).flatten(-2)
        return torch.cat([self.camera, angles, self.betas], -1)


class Vibe(nn.Module):
    """Find bodies in crops of tracks: (N, T, 3, 224, 224), normalised, and the encoder's state."""

    def __init__(self, backbone: nn.Module, generator: Generator) -> None:
        super().__init__()
        self.backbone = backbone
        self.generator = generator

    def forward(self, crops: Tensor, state: Tensor | None = None) -> tuple[Bodies, Tensor]:
        features = self.backbone(crops.flatten(0, 1)).unflatten(0, crops.shape[:2])
        return self.generator(features, state)


class Generator(nn.Module):
    """Find bodies (N, T) from features of tracks (N, T, 2048): what VIBE trains.

    The state that comes back, given again, carries on where the frames ended.
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.regressor = Regressor(config)

    def forward(self, features: Tensor, state: Tensor | None = None) -> tuple[Bodies, Tensor]:
        encoded, state = self.encoder(features, state)
        return self.regressor(encoded), state


class Hmr(nn.Module):
    """Find the body in each crop by itself: (N, 3, 224, 224), normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = feature_extractor()
        self.regressor = Regressor()

    def forward(self, crops: Tensor) -> Bodies:
        return self.regressor(self.backbone(crops))


def feature_extractor() -> ResNet:
    """Make the backbone: a ResNet-50 up to its last mean, (N, 3, 224, 224) to (N, 2048)."""
    made = resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    made.fc = nn.Identity()
    return made


class Encoder(nn.Module):
    """Tell features (N, T, 2048) what came before: the same shape, and the state after the last.

    The state is (layers, N, width); without one nothing came before.
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.gru = nn.GRU(config.features, config.width, config.layers, batch_first=True)
        self.linear = nn.Linear(config.width, config.features)

    def forward(self, features: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        found, state = self.gru(features, state)
        return features + self.linear(found.relu()), state


class Regressor(nn.Module):
    """Find bodies from features (..., 2048), correcting the mean body a few times.

    Between the two layers there is no activation: but for dropout a round is linear.
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.mean = Mean(1)
        self.first = nn.Linear(config.features + POSE + SHAPE + CAMERA, config.hidden)
        self.second = nn.Linear(config.hidden, config.hidden)
        self.pose = nn.Linear(config.hidden, POSE)
        self.shape = nn.Linear(config.hidden, SHAPE)
        self.camera = nn.Linear(config.hidden, CAMERA)
        self.dropout = nn.Dropout()
        for layer in (self.pose, self.shape, self.camera):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)

    def forward(self, features: Tensor) -> Bodies:
        return bodies(self.rounds(features)[-1])

    def rounds(self, features: Tensor) -> list[Tensor]:
        """Give each round's pose, shape and camera side by side: (..., 157)."""
        body = self.mean()[0].expand(*features.shape[:-1], -1)
        found = []
        for _ in range(ROUNDS):
            body = body + self.correction(features, body)
            found.append(body)
        return found

    def correction(self, features: Tensor, body: Tensor) -> Tensor:
        """Say what to add to bodies (..., 157) when features (..., 2048) are seen."""
        x = self.dropout(self.first(torch.cat([features, body], -1)))
        x = self.dropout(self.second(x))
        return torch.cat([self.pose(x), self.shape(x), self.camera(x)], -1)


class Mean(nn.Module):
    """Hold the body from which the regressor starts: pose as six numbers a joint, shape, camera.

    ``rows`` are the axes before the numbers': a network's file has one, the body's own has none.
    """

    pose: Tensor
    shape: Tensor
    camera: Tensor

    def __init__(self, *rows: int) -> None:
        super().__init__()
        self.register_buffer("pose", torch.tensor([1.0, 0, 0, 1, 0, 0]).repeat(*rows, POSE // 6))
        self.register_buffer("shape", torch.zeros(*rows, SHAPE))
        self.register_buffer("camera", torch.tensor([0.9, 0, 0]).repeat(*rows, 1))

    def forward(self) -> Tensor:
        """Put all of it side by side: (..., 157)."""
        return torch.cat([self.pose, self.shape, self.camera], -1)


def bodies(numbers: Tensor) -> Bodies:
    """Read what the regressor found (..., 157)."""
    pose, shape, camera = torch.split(numbers, [POSE, SHAPE, CAMERA], -1)
    six = pose.reshape(*pose.shape[:-1], POSE // 6, 6)
    return Bodies(camera, matrix_from_six(six), shape)
