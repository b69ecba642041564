"""What tells one DensePose network from another, and the table of the published ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

# What a network says about the spread of its surface coordinates: nothing, one variance a pixel
# and part (WC1), or a full covariance (WC2).
Confidence = Literal["none", "isotropic", "anisotropic"]
Head = Literal["stack", "deeplab"]


@dataclass(frozen=True)
class Config:
    """Describe a chart-based DensePose R-CNN and how it is run; the defaults are s1x.

    ``decoder`` adds up the pyramid at stride 4 and people are cut out there at ``pooled`` squared
    cells; without it they are cut out of the level that fits their size.
    """

    depth: Literal[50, 101] = 50
    decoder: bool = True
    head: Head = "stack"
    width: int = 512  # channels of the head
    layers: int = 8  # convolutions of the head
    pooled: int = 28
    coarse_channels: int = 2
    confidence: Confidence = "none"
    segment_confidence: bool = False

    min_size: int = 800  # pixels of a picture's shorter side as the network sees it
    max_size: int = 1333  # pixels that its longer side must not exceed
    proposals_per_level: int = 1000  # before those that overlap are dropped
    proposals: int = 1000  # after it
    proposal_overlap: float = 0.7
    min_score: float = 0.05
    detection_overlap: float = 0.5
    detections: int = 100


LEGACY = Config(decoder=False, pooled=14, coarse_channels=15)


def _variants() -> dict[str, Config]:
    table: dict[str, Config] = {}
    depths: tuple[Literal[50, 101], ...] = (50, 101)
    heads: tuple[tuple[str, Head], ...] = (("", "stack"), ("DL_", "deeplab"))
    spreads: tuple[tuple[str, Confidence, bool], ...] = (
        ("", "none", False),
        ("WC1_", "isotropic", False),
        ("WC2_", "anisotropic", False),
        ("WC1M_", "isotropic", True),
        ("WC2M_", "anisotropic", True),
    )
    for depth in depths:
        start = f"densepose_rcnn_R_{depth}_FPN_"
        table[f"{start}s1x_legacy"] = replace(LEGACY, depth=depth)
        for head_word, head in heads:
            for word, confidence, segments in spreads:
                table[f"{start}{head_word}{word}s1x"] = Config(
                    depth=depth, head=head, confidence=confidence, segment_confidence=segments
                )
    return table


VARIANTS = _variants()
