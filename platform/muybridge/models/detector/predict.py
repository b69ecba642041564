"""From pictures to people: boxes, scores, and joints where the network gives them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from muybridge.models.detector.model import PERSON

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]
Precision = Literal["float32", "bfloat16"]
LONGER = 1333 / 800  # the most that the longer side may have, for each pixel of the shorter


@dataclass(frozen=True)
class Found:
    """Hold the people of a picture, best first: boxes (N, 4) in its pixels, scores (N,).

    ``joints`` (N, 17, 3) are x, y in pixels and a score; (N, 0, 3) from a network without joints.
    """

    boxes: Floats
    scores: Floats
    joints: Floats


class Predictor:
    """Hold a network ready to run on a device.

    ``size`` is how many pixels the network sees of a picture's shorter side.
    """

    def __init__(
        self,
        network: FasterRCNN,
        precision: Precision = "float32",
        device: str = "cpu",
        size: int = 800,
    ) -> None:
        network.transform.min_size = (size,)
        network.transform.max_size = round(size * LONGER)
        if network.roi_heads.has_mask():
            network.roi_heads.mask_roi_pool = None  # nobody wants masks, and they cost
        self.network = network.eval().to(device, memory_format=torch.channels_last)
        self.device = device
        self.half = precision == "bfloat16"


@torch.inference_mode()
def detect(predictor: Predictor, pictures: Sequence[Picture]) -> list[Found]:
    """Find the people in RGB pictures (H, W, 3) of any sizes."""
    if not pictures:
        return []
    given = [torch.tensor(picture, device=predictor.device) for picture in pictures]
    kind = predictor.device.partition(":")[0]
    with torch.autocast(kind, torch.bfloat16) if predictor.half else nullcontext():
        answers = predictor.network([each.permute(2, 0, 1).float() / 255 for each in given])
    return [_people(answer) for answer in answers]


def _people(answer: dict[str, Tensor]) -> Found:
    people = answer["labels"] == PERSON
    joints = answer["boxes"].new_zeros(len(people), 0, 3)
    if "keypoints" in answer:  # their scores are logits
        sure = answer["keypoints_scores"].sigmoid()[..., None]
        joints = torch.cat([answer["keypoints"][..., :2], sure], dim=2)
    return Found(*(_array(x[people]) for x in (answer["boxes"], answer["scores"], joints)))


def _array(values: Tensor) -> Floats:
    return values.float().cpu().numpy()
