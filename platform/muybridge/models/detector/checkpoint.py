"""How the tensors of torchvision's own weight files become the networks'.

The files are older than the names that torchvision gives to its pyramid and to its heads now.
"""

from __future__ import annotations

from muybridge.checkpoints import Layout
from muybridge.models.detector import model

# fmt: off
SHARED = (
    # theirs                                   ours
    ("backbone.body.conv1",                    "backbone.body.conv1"),
    ("backbone.body.bn1",                      "backbone.body.bn1"),
    ("backbone.body.layer{}.{}.conv{}",        "backbone.body.layer{}.{}.conv{}"),
    ("backbone.body.layer{}.{}.bn{}",          "backbone.body.layer{}.{}.bn{}"),
    ("backbone.body.layer{}.0.downsample.{}",  "backbone.body.layer{}.0.downsample.{}"),
    ("backbone.fpn.inner_blocks.{}",           "backbone.fpn.inner_blocks.{}.0"),
    ("backbone.fpn.layer_blocks.{}",           "backbone.fpn.layer_blocks.{}.0"),
    ("rpn.head.conv",                          "rpn.head.conv.0.0"),
    ("rpn.head.cls_logits",                    "rpn.head.cls_logits"),
    ("rpn.head.bbox_pred",                     "rpn.head.bbox_pred"),
    ("roi_heads.box_head.fc{}",                "roi_heads.box_head.fc{}"),
    ("roi_heads.box_predictor.{}",             "roi_heads.box_predictor.{}"),
)
MASK = (
    ("roi_heads.mask_head.mask_fcn1",          "roi_heads.mask_head.0.0"),
    ("roi_heads.mask_head.mask_fcn2",          "roi_heads.mask_head.1.0"),
    ("roi_heads.mask_head.mask_fcn3",          "roi_heads.mask_head.2.0"),
    ("roi_heads.mask_head.mask_fcn4",          "roi_heads.mask_head.3.0"),
    ("roi_heads.mask_predictor.{}",            "roi_heads.mask_predictor.{}"),
)
KEYPOINT = (
    ("roi_heads.keypoint_head.{}",             "roi_heads.keypoint_head.{}"),
    ("roi_heads.keypoint_predictor.{}",        "roi_heads.keypoint_predictor.{}"),
)
# fmt: on
LAYOUTS = {
    "fasterrcnn_resnet50_fpn": Layout(model.faster, SHARED),
    "maskrcnn_resnet50_fpn": Layout(model.mask, SHARED + MASK),
    "keypointrcnn_resnet50_fpn": Layout(model.keypoint, SHARED + KEYPOINT),
}
