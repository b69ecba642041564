"""Convolve faster, on one core: the same numbers but for rounding.

Batch norm that learns no more only scales and shifts channels, so it is folded into the convolution
before it; a ReLU and an addition after it are done while the result is still near the core.

After that a processor is busy with nothing but a network's multiplications, so the way to be faster
is to need fewer. A picture is cut into tiles that overlap; each tile and the kernel are transformed
so that their convolution becomes products, a matrix product for each of the transform's values; and
what comes out is transformed back. Kernels of 3 x 3 use Winograd's F(4 x 4, 3 x 3), from Lavin and
Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), those of 7 x 7 Fourier's. The
transformed kernels take more memory than the kernels: 4 times for 3 x 3, and 6 times for 7 x 7.
"""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import Bottleneck
from torchvision.ops import FrozenBatchNorm2d

AT_ONCE = 1 << 21  # values of the transform held at a time, so that they stay near the core
WIDE = 1 << 14  # channels in times channels out from which a 3 x 3 kernel gains

# A GPU's convolutions would otherwise keep only 10 bits of a float32.
EXACTLY = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
NORMS = (FrozenBatchNorm2d, nn.BatchNorm2d)
# oneDNN's convolutions go over the result once, where separate steps do so two or three times.
ONE_PASS = torch.backends.mkldnn.is_available() and hasattr(  # type: ignore[no-untyped-call]
    torch.ops.mkldnn, "_convolution_pointwise_"
)


class Fused(nn.Module):
    """Convolve a map, add another to the result if there is one, and apply a ReLU if asked to.

    It does what ``layers`` do, a convolution with what follows it. The map that is added is
    overwritten.
    """

    def __init__(self, *layers: nn.Module, tiled: bool = False) -> None:
        super().__init__()
        convolution = folded(*layers)
        self.convolution = quickened(convolution) if tiled else convolution
        self.relu = any(isinstance(layer, nn.ReLU) for layer in layers)

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        if ONE_PASS and x.device.type == "cpu" and isinstance(self.convolution, nn.Conv2d):
            return self._one_pass(x, added)
        x = self.convolution(x)
        if added is not None:
            x = added.add_(x)
        return functional.relu_(x) if self.relu else x

    def _one_pass(self, x: Tensor, added: Tensor | None) -> Tensor:
        own: Any = self.convolution
        place = (own.padding, own.stride, own.dilation, own.groups)
        relu = "relu" if self.relu else None
        if added is None:
            return torch.ops.mkldnn._convolution_pointwise(
                x, own.weight, own.bias, *place, relu or "none", [], ""
            )
        return torch.ops.mkldnn._convolution_pointwise_.binary(
            added, x, own.weight, own.bias, *place, "add", 1.0, relu, [], ""
        )


class FusedBlock(nn.Module):
    """Do what a ResNet's block does, in four passes over memory; the third has the last ReLU.

    The map that it is given is overwritten, unless the shortcut convolves it.
    """

    def __init__(self, first: Fused, second: Fused, third: Fused, shortcut: nn.Module) -> None:
        super().__init__()
        self.first, self.second, self.third, self.shortcut = first, second, third, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.third(self.second(self.first(x)), self.shortcut(x))


def fused_bottleneck(block: Bottleneck) -> FusedBlock:
    """Fuse a block; only a stage's first gets a map that somebody else needs: that one projects."""
    relu, old = block.relu, block.downsample
    return FusedBlock(
        Fused(block.conv1, block.bn1, relu),
        Fused(block.conv2, block.bn2, relu),
        Fused(block.conv3, block.bn3, relu),
        nn.Identity() if old is None else Fused(*old),
    )


def folded(*layers: nn.Module) -> nn.Conv2d:
    """Return one convolution that does what one and the batch norm after it do in eval mode."""
    old: Any = layers[0]
    norm: Any = next((layer for layer in layers if isinstance(layer, NORMS)), None)
    if norm is None:
        return old
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    new = nn.Conv2d(old.in_channels, old.out_channels, old.kernel_size, old.stride, old.padding)
    new.weight = nn.Parameter(old.weight * scale[:, None, None, None])
    shift = norm.running_mean if old.bias is None else norm.running_mean - old.bias
    new.bias = nn.Parameter(norm.bias - shift * scale)
    return new


class Tiled(nn.Module):
    """Convolve by tiles of ``side``, whose inner ``step`` becomes output; kernels have K x K.

    ``kernels`` (F, channels in, channels out) are transformed, F values each.
    """

    bias: Tensor
    kernels: Tensor

    def __init__(self, layer: nn.Conv2d, side: int) -> None:
        super().__init__()
        self.side, self.step = side, side - layer.kernel_size[0] + 1
        self.margin = layer.kernel_size[0] // 2
        bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias.detach()
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        number, channels, height, width = x.shape
        down, across = -(-height // self.step), -(-width // self.step)
        right, bottom = (
            count * self.step + self.margin - size
            for count, size in ((across, width), (down, height))
        )
        x = functional.pad(x.permute(0, 2, 3, 1), (0, 0, self.margin, right, self.margin, bottom))
        rows = max(AT_ONCE // (number * across * self.kernels.shape[0] * channels), 1)
        parts = [
            self._convolved(x[:, first * self.step : last * self.step + 2 * self.margin])
            for first in range(0, down, rows)
            if (last := min(first + rows, down))
        ]
        return torch.cat(parts, 1)[:, :height, :width].permute(0, 3, 1, 2)

    def _convolved(self, x: Tensor) -> Tensor:
        """Convolve D rows of A tiles, (N, ..., C): (N, step D, step A, channels out)."""
        side, step = self.side, self.step
        tiles = x.unfold(1, side, step).unfold(2, side, step).permute(0, 1, 2, 4, 5, 3)
        number, down, across, *_, channels = tiles.shape
        values = self.transformed(tiles.reshape(-1, side, side, channels))  # (tiles, F, C)
        products = torch.bmm(values.transpose(0, 1), self.kernels).transpose(0, 1)
        out = self.back(products).view(number, down, across, step, step, -1) + self.bias
        return out.transpose(2, 3).reshape(number, down * step, across * step, -1)

    @abstractmethod
    def transformed(self, tiles: Tensor) -> Tensor:
        """Transform tiles (M, side, side, C): (M, F, C)."""

    @abstractmethod
    def back(self, products: Tensor) -> Tensor:
        """Transform values (M, F, C) back: (M, step, step, C)."""


class Winograd(Tiled):
    """Convolve 3 x 3 by tiles of 6 x 6: polynomials known at five points and at infinity."""

    points = (0.0, 0.7, -0.7, 1.4, -1.4)
    there: Tensor
    again: Tensor

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__(layer, len(self.points) + 1)
        kernel, there, again = _cook(self.points, self.step)
        own = layer.weight.detach().double()
        weight = torch.einsum("ai,ocij,bj->abco", kernel, own, kernel)
        self.register_buffer("kernels", weight.flatten(0, 1).float().contiguous())
        self.register_buffer("there", torch.kron(there, there).float())
        self.register_buffer("again", torch.kron(again, again).float())

    def transformed(self, tiles: Tensor) -> Tensor:
        return torch.matmul(self.there, tiles.flatten(1, 2))

    def back(self, products: Tensor) -> Tensor:
        return torch.matmul(self.again, products)


def _cook(points: tuple[float, ...], outputs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Make Toom and Cook's matrices: of the kernel (n, r), of the tile (n, n), and back (m, n).

    With n values, m = ``outputs`` and r = n - m + 1 the convolution of a tile d with a kernel g is
    ``back @ ((kernel @ g) * (tile @ d))``. Rows are scaled so that the tile's have at most 1.
    """
    size = len(points) + 1

    def powers(count: int) -> Tensor:
        table = torch.tensor(points, dtype=torch.float64)[:, None] ** torch.arange(count)
        return torch.cat([table, torch.eye(count, dtype=torch.float64)[-1:]])

    tile = torch.linalg.inv(powers(size)).T
    scale = tile.abs().amax(1, keepdim=True)
    return powers(size - outputs + 1) * scale, tile / scale, powers(outputs).T


class Fourier(Tiled):
    """Convolve 7 x 7 by tiles of 16 x 16: the transform's half, for the rest mirrors it."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__(layer, 16)
        weight = torch.fft.rfft2(layer.weight.detach(), s=(self.side, self.side)).conj()
        self.register_buffer("kernels", weight.permute(2, 3, 1, 0).flatten(0, 1).resolve_conj())

    def transformed(self, tiles: Tensor) -> Tensor:
        return torch.fft.rfft2(tiles, dim=(1, 2)).flatten(1, 2)

    def back(self, products: Tensor) -> Tensor:
        values = products.reshape(len(products), self.side, -1, products.shape[-1])
        tiles = torch.fft.irfft2(values, s=(self.side, self.side), dim=(1, 2))
        return tiles[:, : self.step, : self.step]


def quickened(layer: nn.Conv2d) -> nn.Module:
    """Have a convolution that gains by it convolve by tiles; for float32 on a processor."""
    if layer.stride == layer.dilation == (1, 1):
        if layer.kernel_size == (7, 7):
            return Fourier(layer)
        if layer.kernel_size == (3, 3) and layer.in_channels * layer.out_channels >= WIDE:
            return Winograd(layer)
    return layer


def without_norms(network: nn.Module) -> Any:
    """Fold every batch norm that follows a convolution in a sequence into it, in place."""
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for number, (layer, norm) in enumerate(pairwise(module)):
                norms = isinstance(norm, nn.BatchNorm2d | nn.BatchNorm3d)
                transposed = isinstance(layer, nn.ConvTranspose2d | nn.ConvTranspose3d)
                if norms and (transposed or isinstance(layer, nn.Conv2d | nn.Conv3d)):
                    fused: Any = fuse_conv_bn_eval
                    module[number] = fused(layer, norm, transposed)
                    module[number + 1] = nn.Identity()
    return network
