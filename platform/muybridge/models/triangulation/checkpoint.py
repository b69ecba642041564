"""How the tensors of the published files become the networks'.

Files are plain state dicts, of which the authors take ``module.`` from every name. The backbone's
own file may know more joints than are wanted: the first ones are kept.
"""

from __future__ import annotations

from muybridge.checkpoints import Layout, Tensors
from muybridge.models.triangulation.model import Algebraic, Backbone, Config

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


BACKBONE = under("backbone", "backbone", RESNET)
ALGEBRAIC = BACKBONE + under("backbone.alg_confidences", "confidences", CONFIDENCES)
LAYOUTS = {
    "human36m_alg_10-04-2019": Layout(Algebraic, ALGEBRAIC, prepared=bare),
    "pose_resnet_4.5_pixels_human36m": Layout(Backbone, RESNET, prepared=first_joints),
}
