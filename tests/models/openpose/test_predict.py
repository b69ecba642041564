"""From pictures to people, at several sizes and scales, with the small real network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from muybridge.models.openpose import mobilenet
from muybridge.models.openpose.predict import Options, ready, see


@pytest.fixture(scope="module")
def network(data: Path) -> nn.Module:
    return ready(mobilenet.load(data / "weights" / "openpose_mobilenet_v2_small"), "float32")


@pytest.fixture(scope="module")
def skier(data: Path) -> torch.Tensor:
    """A picture (1, H, W, 3) of one woman."""
    image = Image.open(data / "coco_keypoints" / "000000000785.jpg").convert("RGB")
    return torch.tensor(np.asarray(image))[None]


def alike(one: Any, other: Any) -> float:
    """Give the median distance, in pixels, of the joints that two single people have."""
    assert len(one.joints) == len(other.joints) == 1
    both = (one.joints[0, :, 2] > 0) & (other.joints[0, :, 2] > 0)
    assert both.sum() >= 10
    distance = np.linalg.norm(one.joints[0, both, :2] - other.joints[0, both, :2], axis=1)
    return float(np.median(distance))


@pytest.mark.parametrize("options", [Options(height=256), Options(scales=2), Options(scales=3)])
def test_somebody_is_at_the_same_place_at_other_sizes_and_scales(network, skier, options):
    (usual,), (other,) = see(network, skier, Options()), see(network, skier, options)
    assert alike(usual, other) < 5


def test_bfloat16_moves_joints_by_less_than_two_pixels(data, network, skier):
    folder = data / "weights" / "openpose_mobilenet_v2_small"
    coarse = ready(mobilenet.load(folder), "bfloat16")
    (usual,), (other,) = see(network, skier, Options()), see(coarse, skier, Options())
    assert alike(usual, other) < 2


def test_pictures_are_seen_each_for_itself(network, skier):
    together = see(network, torch.cat([skier, torch.zeros_like(skier), skier]), Options(height=128))
    (alone,) = see(network, skier, Options(height=128))
    assert [len(one.joints) for one in together] == [len(alone.joints), 0, len(alone.joints)]
    for one in (together[0], together[2]):
        assert one.joints == pytest.approx(alone.joints, abs=0.05)
