"""How the tensors of the published files are called in ours, for every published network."""

from __future__ import annotations

from functools import partial

from muybridge.checkpoints import Layout
from muybridge.models.densepose.config import VARIANTS, Config
from muybridge.models.densepose.model import DensePose
from muybridge.models.densepose.surface import RATES

Table = tuple[tuple[str, str], ...]

# Constants that some of the files carry along and the networks make themselves.
IGNORED = ("pixel_mean", "pixel_std", "proposal_generator.anchor_generator.cell_anchors.{}")

# theirs, ours
# fmt: off
DETECTOR: Table = (
    ("backbone.bottom_up.stem.conv1",               "backbone.resnet.stem.0"),
    ("backbone.bottom_up.stem.conv1.norm",          "backbone.resnet.stem.1"),
    ("backbone.bottom_up.res{}.{}.{}",              "backbone.resnet.res{}.{}.{}.0"),
    ("backbone.bottom_up.res{}.{}.{}.norm",         "backbone.resnet.res{}.{}.{}.1"),
    *((f"backbone.fpn_lateral{level + 2}",          f"backbone.pyramid.inner_blocks.{level}.0")
      for level in range(4)),
    *((f"backbone.fpn_output{level + 2}",           f"backbone.pyramid.layer_blocks.{level}.0")
      for level in range(4)),
    ("proposal_generator.rpn_head.conv",              "region_head.conv"),
    ("proposal_generator.rpn_head.objectness_logits", "region_head.logits"),
    ("proposal_generator.rpn_head.anchor_deltas",     "region_head.moves"),
    ("roi_heads.box_head.fc1",                      "person_head.first"),
    ("roi_heads.box_head.fc2",                      "person_head.second"),
    ("roi_heads.box_predictor.cls_score",           "person_head.logits"),
    ("roi_heads.box_predictor.bbox_pred",           "person_head.moves"),
)
DECODER: Table = (
    ("roi_heads.decoder.p2.0",                      "decoder.levels.0.0.0"),
    ("roi_heads.decoder.p3.0",                      "decoder.levels.1.0.0"),
    ("roi_heads.decoder.p4.0",                      "decoder.levels.2.0.0"),
    ("roi_heads.decoder.p4.2",                      "decoder.levels.2.1.0"),
    ("roi_heads.decoder.p5.0",                      "decoder.levels.3.0.0"),
    ("roi_heads.decoder.p5.2",                      "decoder.levels.3.1.0"),
    ("roi_heads.decoder.p5.4",                      "decoder.levels.3.2.0"),
    ("roi_heads.decoder.predictor",                 "decoder.last"),
)
STACK: Table = tuple(
    (f"roi_heads.densepose_head.body_conv_fcn{layer + 1}", f"head.layers.{layer}.0")
    for layer in range(8)
)
DEEPLAB: Table = (
    ("roi_heads.densepose_head.ASPP.convs.0.0",     "head.pyramid.near.0"),
    ("roi_heads.densepose_head.ASPP.convs.0.1",     "head.pyramid.near.1"),
    *((f"roi_heads.densepose_head.ASPP.convs.{number + 1}.{{}}", f"head.pyramid.far.{number}.{{}}")
      for number in range(len(RATES))),
    ("roi_heads.densepose_head.ASPP.convs.4.1",     "head.pyramid.whole.0"),
    ("roi_heads.densepose_head.ASPP.convs.4.2",     "head.pyramid.whole.1"),
    ("roi_heads.densepose_head.ASPP.project.0",     "head.pyramid.project"),
    *((f"roi_heads.densepose_head.body_conv_fcn{layer + 1}.norm", f"head.layers.{layer}.1")
      for layer in range(8)),
)
CHARTS: Table = (
    ("roi_heads.densepose_predictor.ann_index_lowres", "predictor.coarse"),
    ("roi_heads.densepose_predictor.index_uv_lowres",  "predictor.fine"),
    ("roi_heads.densepose_predictor.u_lowres",         "predictor.u"),
    ("roi_heads.densepose_predictor.v_lowres",         "predictor.v"),
)
ISOTROPIC: Table = (
    ("roi_heads.densepose_predictor.sigma_2_lowres",   "predictor.sigma_2"),
)
ANISOTROPIC: Table = (
    ("roi_heads.densepose_predictor.kappa_u_lowres",   "predictor.kappa_u"),
    ("roi_heads.densepose_predictor.kappa_v_lowres",   "predictor.kappa_v"),
)
SEGMENTS: Table = (
    ("roi_heads.densepose_predictor.fine_segm_confidence_lowres",   "predictor.fine_confidence"),
    ("roi_heads.densepose_predictor.coarse_segm_confidence_lowres", "predictor.coarse_confidence"),
)
# fmt: on


def layout(config: Config) -> Layout:
    """Say how the file of a network like this is laid out."""
    table = DETECTOR + STACK + CHARTS
    table += DECODER if config.decoder else ()
    table += DEEPLAB if config.head == "deeplab" else ()
    table += ISOTROPIC if config.confidence != "none" else ()
    table += ANISOTROPIC if config.confidence == "anisotropic" else ()
    table += SEGMENTS if config.segment_confidence else ()
    return Layout(partial(DensePose, config), table, IGNORED)


LAYOUTS = {name: layout(config) for name, config in VARIANTS.items()}
