"""The networks as the product runs them: the same answers with less to do.

Batch norms are folded into the convolutions before them, which read a pixel's channels side by
side. On a processor Video Swin's windows attend one by one, so that how much each token heeds each
other one stays near the core and is never written out for all windows at once.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.video.swin_transformer import ShiftedWindowAttention3d

from muybridge.convolutions import without_norms

APART = -100.0  # added to what tokens of parts that only the shift brought together heed


def swift(network: nn.Module, device: str) -> nn.Module:
    """Make a network that answers as another one does; that stays as it is."""
    made = copy.deepcopy(network).eval().requires_grad_(False)
    if torch.device(device).type == "cpu":
        attend(made)
    if any(isinstance(layer, nn.BatchNorm3d) for layer in made.modules()):
        without_norms(made).to(memory_format=torch.channels_last_3d)
    return made.to(device)


def attend(module: nn.Module) -> None:
    """Put windows that attend one by one in place of torchvision's."""
    for name, child in module.named_children():
        if isinstance(child, ShiftedWindowAttention3d):
            setattr(module, name, Windows(child))
        else:
            attend(child)


class Windows(nn.Module):
    """Do what shifted windows do (Liu et al., "Video Swin Transformer", 2022, section 3.2)."""

    def __init__(self, plain: Any) -> None:
        super().__init__()
        self.plain = plain
        self.heads = plain.num_heads
        self.held: dict[Any, tuple[Tensor, Tensor]] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Let tokens (B, T, H, W, C) heed those of their window."""
        sizes = x.shape[1:4]
        window = [min(w, n) for w, n in zip(self.plain.window_size, sizes, strict=True)]
        shift = [
            0 if n <= w else s
            for n, w, s in zip(sizes, self.plain.window_size, self.plain.shift_size, strict=True)
        ]
        missing = [-n % w for n, w in zip(sizes, window, strict=True)]
        padded = functional.pad(x, [0, 0, *(n for m in reversed(missing) for n in (0, m))])
        moved = padded.roll([-s for s in shift], (1, 2, 3))
        bias, masks = self._heed(padded.shape[1:4], window, shift, x.device)
        tokens = self.plain.qkv(cut(moved, window))  # (N, n, 3 C)
        count, length, width = tokens.shape
        parts = tokens.view(count, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        made = torch.empty(count, length, width // 3, dtype=tokens.dtype, device=x.device)
        for number in range(count):
            mask = bias if not len(masks) else bias + masks[number % len(masks)]
            one = slice(number, number + 1)
            q, k, v = (part[one] for part in parts)
            heeded = functional.scaled_dot_product_attention(q, k, v, mask.to(q.dtype)[None])
            made[one] = heeded.transpose(1, 2).flatten(2)
        back = joined(self.plain.proj(made), padded.shape[:4], window)
        back = back.roll(shift, (1, 2, 3))
        return back[:, : sizes[0], : sizes[1], : sizes[2]].contiguous()

    def _heed(
        self, sizes: Any, window: list[int], shift: list[int], device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Give what is added by place (h, n, n), and what parts windows (N, 1, n, n), or none."""
        key = (tuple(sizes), tuple(window), tuple(shift), device)
        if key not in self.held:
            masks = torch.empty(0)
            if any(shift):
                part = parted(sizes, window, shift)
                masks = APART * (part[:, None, :, None] != part[:, None, None]).float()
            bias = self.plain.get_relative_position_bias(window)[0]
            self.held[key] = bias.contiguous(), masks.to(device)
        return self.held[key]


def parted(sizes: Any, window: list[int], shift: list[int]) -> Tensor:
    """Number the parts of shifted windows (N, n) that lay beside each other before."""
    part = torch.zeros(1, *sizes, 1)
    for axis, (size, wide, moved) in enumerate(zip(sizes, window, shift, strict=True)):
        at = torch.arange(size)
        own = (at >= size - wide).int() + (at >= size - moved).int() if moved else at * 0
        part = 3 * part + own.view([-1 if axis == i else 1 for i in range(-1, 4)])
    return cut(part, window)[..., 0]


def cut(x: Tensor, window: list[int]) -> Tensor:
    """Cut (B, T, H, W, C) into windows (N, n, C)."""
    batch, *sizes, width = x.shape
    counts = [size // wide for size, wide in zip(sizes, window, strict=True)]
    axes = [n for pair in zip(counts, window, strict=True) for n in pair]
    return (
        x.reshape(batch, *axes, width).permute(0, 1, 3, 5, 2, 4, 6, 7).flatten(4, 6).flatten(0, 3)
    )


def joined(windows: Tensor, shape: Any, window: list[int]) -> Tensor:
    """Put windows (N, n, C) back together: (B, T, H, W, C)."""
    batch, *sizes = shape
    counts = [size // wide for size, wide in zip(sizes, window, strict=True)]
    apart = windows.view(batch, *counts, *window, -1)
    return apart.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(*shape, -1)
