"""SPNet: joints in each picture and the action of a clip, refined block by block.

Luvizon, Picard and Tabia, "Multi-task Deep Learning for Real-Time 3D Human Pose Estimation and
Action Recognition" (PAMI 2020). A stem makes maps of each picture by itself. Pyramids go down to
smaller maps and up again; at each of their levels a prediction block finds the joints anew, and
what it found goes back into the maps. From joints and what the maps say at them an action block
finds, over time, what is done, and that too goes into the next one.

Maps never depend on actions: ``look`` is needed once a picture, however many clips it is in, and
``judge`` reads clips from what was seen.

Letters: N pictures, M clips, T frames, J joints, D dimensions, H and W of maps. Pictures have sides
that the smallest map's cell divides: 64 pixels with four levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-3  # of batch norm, as Keras has it
MOMENTUM = 0.1  # of the running statistics, while the network learns
LONG = 16  # frames from which action blocks halve time
STRIDE = 8  # pixels of a cell of the stem's maps


@dataclass(frozen=True)
class Config:
    """Give the network's sizes; the defaults are those of NTU, with joints in space.

    ``actions`` are how many each head tells apart; ``acting`` are the pyramids, from 1, in which
    actions are looked for. ``entry`` is how many maps the first convolution makes, ``growth`` how
    many more each level has. With ``replica`` actions read joints of their own. ``sharpness`` is by
    what heat is multiplied before the softmax.
    """

    joints: int = 17
    dimensions: int = 3
    actions: tuple[int, ...] = (60,)
    pyramids: int = 2
    acting: tuple[int, ...] = (1, 2)
    levels: int = 4
    entry: int = 64
    growth: int = 96
    kernel: int = 5
    pose_features: int = 192
    visual_features: int = 192
    replica: bool = False
    sharpness: float = 1.0

    @property
    def places(self) -> list[tuple[int, int]]:
        """List pyramid and level of the prediction blocks, in their order."""
        down, up = range(1, self.levels), range(self.levels - 2, -1, -1)
        pyramids = range(1, self.pyramids + 1)
        return [(number, level) for number in pyramids for level in (down if number % 2 else up)]

    @property
    def acts(self) -> list[tuple[int, int]]:
        """List pyramid and level of the action blocks, in their order."""
        return [place for place in self.places if place[0] in self.acting]

    def width(self, level: int) -> int:
        """Say how many maps a level has."""
        return self.growth * (3 + level)


NTU = Config()
PENN = Config(16, 2, (15,), 6, (5, 6), pose_features=160, visual_features=160, replica=True)
SMALL = Config(  # for pictures of 64 x 64 pixels and little time
    16, 2, (3,), levels=3, entry=16, growth=12, kernel=3, pose_features=32, visual_features=32
)


@dataclass(frozen=True)
class Glance:
    """Hold what an action block needs of pictures.

    ``joints`` (N, J, D) are places times how visible they are, ``appearance`` (N, J, C) is what
    the maps say there.
    """

    joints: Tensor
    appearance: Tensor

    def apart(self, size: Sequence[int]) -> Glance:
        """Cut pictures into clips of (M, T)."""
        parts = (self.joints, self.appearance)
        return Glance(*(part.view(*size, *part.shape[1:]) for part in parts))


@dataclass(frozen=True)
class Looked:
    """Hold what is seen in pictures, the last block's being the best.

    ``poses`` are (N, J, D + 1) a prediction block: places from 0 to 1 over the picture, the depth's
    middle at 0.5, and how visible they are. ``glances`` are an action block's each.
    """

    poses: list[Tensor]
    glances: list[Glance]


@dataclass(frozen=True)
class Maps:
    """Hold a prediction block's maps (N, J, H, W), of heat and of depth before the sigmoid."""

    heat: Tensor
    depth: Tensor | None


class Spnet(nn.Module):
    """Find joints in clips (M, T, 3, H, W), from -1 to 1, and what is done in them.

    Returns poses (M, T, J, D + 1), block by block, and the classes' scores (M, A) before the
    softmax, action block by action block, a head each.
    """

    def __init__(self, config: Config = NTU) -> None:
        super().__init__()
        self.config = config
        self.stem = Stem(config.entry, config.growth)
        self.units = nn.ModuleDict()
        level = 0
        for place in config.places:
            self.units[named(place)] = Unit(config, level, place)
            level = place[1]
        acts = config.acts
        self.steps = nn.ModuleDict({named(place): step(config) for place in acts[1:]})
        self.actions = nn.ModuleDict(
            {f"{n}": ActionBlock(config, n, place[1]) for n, place in enumerate(acts, 1)}
        )

    def forward(self, clips: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        looked = self.look(clips.flatten(0, 1))
        size = clips.shape[:2]
        poses = [pose.view(*size, *pose.shape[1:]) for pose in looked.poses]
        return poses, self.judge([glance.apart(size) for glance in looked.glances])

    def look(self, pictures: Tensor) -> Looked:
        """Find joints in pictures (N, 3, H, W), and what actions are judged by."""
        x = self.stem(pictures)
        level, first, lateral = 0, {0: x}, {0: x}
        poses, glances = list[Tensor](), list[Glance]()
        for place in self.config.places:
            unit, (number, now) = cast(Unit, self.units[named(place)]), place
            x = unit.step(halved(x) if now > level else doubled(x))
            level = now
            kept = first.setdefault(level, x)
            x, maps, own = unit.prediction(x + lateral[level] if level in lateral else x)
            lateral[level] = x
            pose, where = placed(maps, self.config.sharpness)
            poses.append(pose)
            if number in self.config.acting:
                if own is not maps:
                    pose, where = placed(own, self.config.sharpness)
                glances.append(glance(pose, where, kept))
        return Looked(poses, glances)

    def judge(self, glances: Sequence[Glance]) -> list[list[Tensor]]:
        """Say what is done in clips, by glances whose pictures are (M, T)."""
        x, lateral, scores = None, dict[int, Tensor](), list[list[Tensor]]()
        blocks = zip(self.config.acts, self.actions.values(), glances, strict=True)
        for place, block, seen in blocks:
            level = place[1]
            if x is not None:
                x = self.steps[named(place)](x)
                x = x + lateral[level] if level in lateral else x
            x, found = block(seen, x)
            lateral[level] = x
            scores.append([most_and_least(each) for each in found])
        return scores


class Stem(nn.Module):
    """Make maps (N, 3 growth, H / 8, W / 8) of pictures (N, 3, H, W)."""

    def __init__(self, entry: int, growth: int) -> None:
        super().__init__()
        self.first = conv(3, entry, (7, 7), 2)
        widths = (entry, growth, growth * 2, growth * 2, growth * 3, growth * 3)
        self.residuals = nn.ModuleList(
            Residual(inputs, outputs, 2) for inputs, outputs in pairwise(widths)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.residuals[0](self.first(functional.pad(pictures, (2, 3, 2, 3))))
        x = functional.max_pool2d(x, 3, 2, ceil_mode=True)  # what is added lies right and below
        x = halved(self.residuals[2](self.residuals[1](x)))
        return self.residuals[4](self.residuals[3](x))


class Unit(nn.Module):
    """Come from the level before to another one, and find joints there."""

    def __init__(self, config: Config, before: int, place: tuple[int, int]) -> None:
        super().__init__()
        width = config.width(place[1])
        self.step = SeparableResidual(config.width(before), width, config.kernel)
        replica = config.replica and place[0] in config.acting
        last = place == config.places[-1]
        self.prediction = PredictionBlock(config, width, replica, last)


class PredictionBlock(nn.Module):
    """Find joints in maps (N, C, H, W), and put what was found into them.

    Returns the maps, those of the joints, and those of the joints as actions read them. The last
    block puts nothing back.
    """

    def __init__(self, config: Config, width: int, replica: bool, last: bool) -> None:
        super().__init__()
        joints, deep = config.joints, config.dimensions == 3
        self.first = SeparableResidual(width, width, config.kernel)
        self.norm = Norm(width)
        self.second = Separable(width, width, config.kernel)
        self.second_norm = Norm(width)
        self.heat = conv(width, joints)
        self.depth = conv(width, joints) if deep else None
        self.own_heat = conv(width, joints) if replica else None
        self.own_depth = conv(width, joints) if replica and deep else None
        self.more = None if last else conv(width, joints)
        self.heat_back = None if last else conv(joints * 2, width)
        self.depth_back = conv(joints, width) if deep and not last else None

    def forward(self, x: Tensor) -> tuple[Tensor, Maps, Maps]:
        first = self.first(x)
        second = self.second(self.norm(first).relu())
        seen = self.second_norm(second).relu()
        maps = Maps(self.heat(seen), self.depth(seen) if self.depth else None)
        own = maps
        if self.own_heat:
            own = Maps(self.own_heat(seen), self.own_depth(seen) if self.own_depth else None)
        return self.back(first + second, seen, maps), maps, own

    def back(self, x: Tensor, seen: Tensor, maps: Maps) -> Tensor:
        """Add to maps what was found."""
        if self.more and self.heat_back:
            x = x + self.heat_back(torch.cat([self.more(seen), maps.heat], 1).relu())
        if self.depth_back:
            x = x + self.depth_back(maps.depth)
        return x


class ActionBlock(nn.Module):
    """Find what is done, from glances (M, T) and what the block before found (M, C, T', J').

    Returns what the next one is given, and each head's maps (M, A, T' / 2, J' / 2). Tensors are
    pictures of time by joints.
    """

    def __init__(self, config: Config, number: int, level: int) -> None:
        super().__init__()
        pose, visual = config.pose_features, config.visual_features
        width = max(pose, visual)
        dimensions = config.dimensions
        self.short = conv(dimensions, pose // 16, (3, 1))
        self.middle = conv(dimensions, pose // 8, (3, 3))
        self.wide = conv(dimensions, pose // 4, (3, 5))
        self.pose = Residual(pose // 16 + pose // 8 + pose // 4, pose, 2)
        self.appearance = conv(config.width(level), visual)
        self.both = Residual(pose + visual + (width if number > 1 else 0), width, 4)
        self.norm = Norm(width)
        self.convolution = conv(width, width, (3, 3))
        self.pooled_norm = Norm(width)
        self.heads = nn.ModuleList(conv(width, count, (3, 3)) for count in config.actions)
        last = number == len(config.acts)
        self.back = None if last else conv(sum(config.actions), width, (3, 3))

    def forward(self, seen: Glance, before: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        joints, appearance = (x.permute(0, 3, 1, 2) for x in (seen.joints, seen.appearance))
        pose = torch.cat([self.short(joints), self.middle(joints), self.wide(joints)], 1)
        parts = [shrunk(self.pose(pose)), shrunk(self.appearance(appearance))]
        whole = self.both(torch.cat(parts if before is None else [*parts, before], 1))
        more = self.convolution(self.norm(whole).relu())
        pooled = functional.max_pool2d(more, 2) - functional.max_pool2d(-more, 2)
        pooled = self.pooled_norm(pooled).relu()
        found = [head(pooled) for head in self.heads]
        whole = whole + more
        if self.back:
            whole = whole + self.back(doubled(torch.cat(found, 1)).relu())
        return whole, found


class Residual(nn.Module):
    """Convolve 3 x 3 on maps made fewer by ``divisor``, and add what comes in."""

    def __init__(self, inputs: int, outputs: int, divisor: int) -> None:
        super().__init__()
        inner = outputs // divisor
        self.norm = Norm(inputs)
        self.narrow = conv(inputs, inner)
        self.inner_norm = Norm(inner)
        self.convolution = conv(inner, outputs, (3, 3))
        self.shortcut = None if inputs == outputs else conv(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        active = self.norm(x).relu()
        added = self.shortcut(active) if self.shortcut else x
        return added + self.convolution(self.inner_norm(self.narrow(active)).relu())


class SeparableResidual(nn.Module):
    """Convolve each map by itself, then mix them, and add what comes in."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.norm = Norm(inputs)
        self.convolution = Separable(inputs, outputs, kernel)
        self.shortcut = None if inputs == outputs else conv(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        active = self.norm(x).relu()
        added = self.shortcut(active) if self.shortcut else x
        return added + self.convolution(active)


class Separable(nn.Module):
    """Convolve each map by itself, then mix them."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = conv(inputs, inputs, (kernel, kernel), groups=inputs)
        self.pointwise = conv(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class Norm(nn.Module):
    """Do what batch norm does; unlike torch's it does not count batches, as Keras has no count."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        seen = (self.running_mean, self.running_var)
        return functional.batch_norm(x, *seen, self.weight, self.bias, self.training, MOMENTUM, EPS)


def step(config: Config) -> SeparableResidual:
    """Make what an action block's result passes on its way to the next."""
    width = max(config.pose_features, config.visual_features)
    return SeparableResidual(width, width, 3)


def named(place: tuple[int, int]) -> str:
    """Name a pyramid's level, as modules are named: by which way it goes, and by its numbers."""
    return f"{'down' if place[0] % 2 else 'up'}{place[0]}_{place[1]}"


def conv(
    inputs: int, outputs: int, kernel: tuple[int, int] = (1, 1), stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Make a convolution that keeps the size; with a stride the caller adds the border."""
    border = (kernel[0] // 2, kernel[1] // 2) if stride == 1 else (0, 0)
    return nn.Conv2d(inputs, outputs, kernel, stride, border, groups=groups, bias=False)


def halved(x: Tensor) -> Tensor:
    """Take the largest of each 2 x 2."""
    return functional.max_pool2d(x, 2)


def doubled(x: Tensor) -> Tensor:
    """Repeat each cell 2 x 2 times."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def shrunk(x: Tensor) -> Tensor:
    """Halve joints, and time where clips are long: (M, C, T, J) to (M, C, T', J').

    Both are first filled up with zeros, so that they can be halved once more.
    """
    frames, joints = x.shape[2:]
    stride = 2 if frames >= LONG else 1
    down, across = -frames % (2 * stride), -joints % 4
    x = functional.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
    if stride == 1:  # the window of the last frame reaches beyond the clip
        x = functional.pad(x, (0, 0, 0, 1), value=-torch.inf)
    return functional.max_pool2d(x, 2, (stride, 2))


def probabilities(heat: Tensor, sharpness: float = 1.0) -> Tensor:
    """Say where a joint may be, by its heat (N, J, H, W): each map adds up to 1."""
    return (heat * sharpness).flatten(2).softmax(2).view_as(heat)


def placed(maps: Maps, sharpness: float) -> tuple[Tensor, Tensor]:
    """Find joints (N, J, D + 1) in maps, and say where they may be (N, J, H, W).

    A place is the mean of the cells', whose first is at 0 and whose last is at 1.
    """
    where = probabilities(maps.heat.float(), sharpness)
    height, width = where.shape[2:]
    across, down = (torch.linspace(0, 1, n, device=where.device) for n in (width, height))
    found = [where.sum(2) @ across, where.sum(3) @ down]
    if maps.depth is not None:
        found.append((maps.depth.float().sigmoid() * where).sum((2, 3)))
    visible = 4 * functional.avg_pool2d(where, 2, 1).amax((2, 3))
    return torch.stack([*found, visible], 2), where


def glance(pose: Tensor, where: Tensor, maps: Tensor) -> Glance:
    """Take what actions are judged by: joints (N, J, D + 1), and maps (N, C, H, W) at them."""
    appearance = where.to(maps.dtype).flatten(2) @ maps.flatten(2).mT
    return Glance(pose[..., :-1] * pose[..., -1:], appearance)


def most_and_least(maps: Tensor) -> Tensor:
    """Score classes by the highest and the lowest of their maps (M, A, T, J): (M, A)."""
    return maps.amax((2, 3)) + maps.amin((2, 3))
