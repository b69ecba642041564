"""The three networks: their files, sizes and maps."""

from __future__ import annotations

from dataclasses import dataclass

STRIDE = 4  # pixels of the input a cell of the maps
STEP = 32  # an input's sides are multiples of so many pixels
JOINTS = 17


@dataclass(frozen=True)
class Config:
    """Describe one network: its file, the side of its published input, the maps that it draws."""

    file: str
    side: int
    maps: tuple[str, ...]


# fmt: off
CONFIGS = {
    "multipose": Config("multipose.tflite", 256, (
        "box_scale", "box_offset", "center", "kpt_heatmap", "kpt_regress", "kpt_offset")),
    "thunder":   Config("thunder.tflite",   256, (
        "center", "kpt_heatmap", "kpt_regress", "kpt_offset")),
    "lightning": Config("lightning.tflite", 192, (
        "center", "kpt_heatmap", "kpt_regress", "kpt_offset")),
}
# fmt: on
