"""The networks: Faster, Mask and Keypoint R-CNN with ResNet-50 and a feature pyramid.

From Ren et al., "Faster R-CNN" (2015), He et al., "Mask R-CNN" (2017) and Lin et al., "Feature
Pyramid Networks for Object Detection" (2017), as torchvision builds and has trained them on COCO.
"""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torchvision.models.detection import FasterRCNN, KeypointRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

THINGS = 91  # classes of COCO, with the background as number 0
PERSON = 1
Network = TypeVar("Network", bound=nn.Module)


def faster() -> FasterRCNN:
    """Make the network that gives boxes."""
    return _trained_so(FasterRCNN(_backbone(), THINGS))


def mask() -> MaskRCNN:
    """Make the network that was trained on masks as well; its boxes are a little better."""
    return _trained_so(MaskRCNN(_backbone(), THINGS))


def keypoint() -> KeypointRCNN:
    """Make the network that knows only people, and gives 17 joints of each."""
    return _trained_so(KeypointRCNN(_backbone(), num_classes=2, num_keypoints=17))


def _backbone() -> nn.Module:
    return resnet_fpn_backbone(backbone_name="resnet50", weights=None)


def _trained_so(network: Network) -> Network:
    """Add nothing to a variance: so were the published weights trained."""
    for module in network.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = 0.0
    return network
