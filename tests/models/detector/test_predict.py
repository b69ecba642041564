"""torchvision's R-CNNs from files in their official form, against torchvision's own loading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import detection
from torchvision.models.detection._utils import overwrite_eps

from muybridge import checkpoints
from muybridge.checkpoints import Tensors
from muybridge.models.detector.checkpoint import LAYOUTS
from muybridge.models.detector.predict import Predictor, detect

SIZE = 160  # pixels of the shorter side: small, to be quick


@pytest.fixture(scope="module")
def picture(data: Path) -> np.ndarray:
    return np.asarray(Image.open(sorted((data / "coco_keypoints").glob("*.jpg"))[0]).convert("RGB"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_file_in_the_official_form_gives_what_torchvision_gives(name, picture, official):
    tensors = checkpoints.read(official(name))
    network = checkpoints.filled(tensors, LAYOUTS[name])
    (found,) = detect(Predictor(network, size=SIZE), [picture])
    want = torchvisions(name, tensors, picture)
    best = (want["labels"] == 1).nonzero()[:20, 0]
    assert len(best) == 20
    # channels-last sums otherwise, and these weights make much of it
    assert found.boxes[:20] == pytest.approx(want["boxes"][best].numpy(), abs=0.5)
    assert found.scores[:20] == pytest.approx(want["scores"][best].numpy(), abs=1e-3)
    assert found.joints.shape == (len(found.boxes), 17 if "keypoint" in name else 0, 3)
    if "keypoint" in name:
        joints = want["keypoints"][best, :, :2].numpy()
        assert found.joints[:20, :, :2] == pytest.approx(joints, abs=1)
        assert ((found.joints[..., 2] >= 0) & (found.joints[..., 2] <= 1)).all()


def torchvisions(name: str, tensors: Tensors, picture: np.ndarray) -> dict[str, torch.Tensor]:
    """Let torchvision build and load the network, as it does for its published weights."""
    network = getattr(detection, name)(weights=None, weights_backbone=None, min_size=SIZE)
    network.load_state_dict(dict(tensors), strict=False)  # batch norms that count, unlike frozen
    overwrite_eps(network, 0.0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 0.0
    with torch.inference_mode():
        return network.eval()([torch.tensor(picture).permute(2, 0, 1) / 255])[0]


def test_no_picture_gives_nothing_and_many_give_one_answer_each(picture, official):
    name = "keypointrcnn_resnet50_fpn"
    network = checkpoints.filled(checkpoints.read(official(name)), LAYOUTS[name])
    predictor = Predictor(network, size=SIZE)
    assert detect(predictor, []) == []
    one, other = detect(predictor, [picture, picture])
    assert one.boxes == pytest.approx(other.boxes)


def test_half_precision_gives_nearly_the_same(picture, official):
    name = "fasterrcnn_resnet50_fpn"
    tensors = checkpoints.read(official(name))
    full, half = (
        detect(Predictor(checkpoints.filled(tensors, LAYOUTS[name]), kind, size=SIZE), [picture])[0]
        for kind in ("float32", "bfloat16")
    )
    assert half.boxes.dtype == np.float32
    assert half.scores[:1] == pytest.approx(full.scores[:1], abs=0.05)


def test_pictures_of_different_sizes_are_answered_each_in_its_own_pixels(picture, official):
    name = "fasterrcnn_resnet50_fpn"
    network = checkpoints.filled(checkpoints.read(official(name)), LAYOUTS[name])
    pictures = [picture, picture[:101, :203], picture[:, ::3].copy()]
    for seen, found in zip(pictures, detect(Predictor(network, size=SIZE), pictures), strict=True):
        height, width = seen.shape[:2]
        assert len(found.boxes) > 0
        assert (found.boxes >= 0).all()
        assert (found.boxes <= [width, height, width, height]).all()
        assert found.boxes[:, 2].max() > 0.8 * width


@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn"])
def test_nobody_is_nothing_found(name, picture, official):
    tensors = checkpoints.read(official(name))
    tensors["roi_heads.box_predictor.cls_score.bias"][1] = -100
    network = checkpoints.filled(tensors, LAYOUTS[name])
    (found,) = detect(Predictor(network, size=SIZE), [picture])
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)
    assert found.joints.shape == (0, 17 if "keypoint" in name else 0, 3)
