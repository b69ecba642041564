"""How the tensors of the published files become the networks'.

Files are plain state dicts, of which the authors take ``module.`` from every name. The backbone's
own file may know more joints than are wanted: the first ones are kept.
"""

from __future__ import annotations

from itertools import pairwise

from muybridge.checkpoints import Layout, Tensors
from muybridge.models.triangulation.model import Algebraic, Backbone, Config
from muybridge.models.triangulation.volumetric import WIDTHS, Volumetric

# fmt: off
RESNET = (
    # theirs                         ours
    ("conv1",                        "stem.0"),
    ("bn1",                          "stem.1"),
    *((f"layer{n + 1}.{{}}.{part}",  f"stages.{n}.{{}}.{part}")
      for n in range(4) for part in ("conv{}", "bn{}")),
    *((f"layer{n + 1}.0.downsample.{{}}", f"stages.{n}.0.downsample.{{}}") for n in range(4)),
    ("deconv_layers.{}",             "upsampling.{}"),
    ("final_layer",                  "heatmaps"),
)
CONFIDENCES = (
    ("features.{}",                  "features.{}"),
    ("head.{}",                      "head.{}"),
)
RESIDUAL = (
    ("res_branch.{}",                "branch.{}"),
)
WIDER = (
    *RESIDUAL,
    ("skip_con.{}",                  "shortcut.{}"),
)
BASIC = (
    ("block.{}",                     "{}"),
)
# fmt: on
Table = tuple[tuple[str, str], ...]


def under(theirs: str, ours: str, rows: Table) -> Table:
    """Put both names of rows under modules."""
    return tuple((f"{theirs}.{old}", f"{ours}.{new}") for old, new in rows)


def bare(tensors: Tensors) -> Tensors:
    """Take from the names what training on several GPUs at once puts before them."""
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def first_joints(tensors: Tensors) -> Tensors:
    """Leave out the heatmaps of a backbone's file that are of further joints."""
    kept = {f"final_layer.{part}" for part in ("weight", "bias")}
    joints = Config().joints
    return {n: t[:joints] if n in kept else t for n, t in bare(tensors).items()}


def v2v() -> Table:
    """Give the rows for the network in the cube; theirs has a module for each size, from 1 on."""
    rows = under("front_layers.0", "front.0", BASIC)
    rows += under("front_layers.1", "front.1", WIDER)
    for layer in (2, 3):
        rows += under(f"front_layers.{layer}", f"front.{layer}", RESIDUAL)
    inside = under("mid_res", "smallest", RESIDUAL)
    for level, (large, less) in enumerate(pairwise(WIDTHS)):
        kind = RESIDUAL if large == less else WIDER
        inside += under(f"encoder_res{level + 1}", f"encoders.{level}", kind)
        inside += under(f"skip_res{level + 1}", f"skips.{level}", RESIDUAL)
        inside += under(f"decoder_res{level + 1}", f"decoders.{level}", RESIDUAL)
        inside += under(f"decoder_upsample{level + 1}", f"upsampling.{level}", BASIC)
    rows += under("encoder_decoder", "middle", inside)
    rows += under("back_layers.0", "back.0", RESIDUAL)
    for layer in (1, 2):
        rows += under(f"back_layers.{layer}", f"back.{layer}", BASIC)
    return (*rows, ("output_layer", "last"))


BACKBONE = under("backbone", "backbone", RESNET)
ALGEBRAIC = BACKBONE + under("backbone.alg_confidences", "confidences", CONFIDENCES)
VOLUMETRIC = (*BACKBONE, ("process_features.0", "narrow"), *under("volume_net", "network", v2v()))
LAYOUTS = {
    "human36m_alg_10-04-2019": Layout(Algebraic, ALGEBRAIC, prepared=bare),
    "human36m_vol_softmax_10-08-2019": Layout(Volumetric, VOLUMETRIC, prepared=bare),
    "pose_resnet_4.5_pixels_human36m": Layout(Backbone, RESNET, prepared=first_joints),
}
