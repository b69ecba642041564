"""How the tensors of the published files become the networks'.

SPIN's file is HMR's: the backbone and a regressor of its own. VIBE's file is the generator's alone,
with a body model in it that is left out. The mean body stands in both, and in a file by itself.
"""

from __future__ import annotations

from muybridge.checkpoints import Completion, Layout, Tensors
from muybridge.models.vibe.model import Generator, Hmr, Mean

# fmt: off
BACKBONE = (
    # theirs                     ours
    ("conv1",                    "backbone.conv1"),
    ("bn1",                      "backbone.bn1"),
    ("layer{}.{}.conv{}",        "backbone.layer{}.{}.conv{}"),
    ("layer{}.{}.bn{}",          "backbone.layer{}.{}.bn{}"),
    ("layer{}.0.downsample.{}",  "backbone.layer{}.0.downsample.{}"),
)
REGRESSOR = (
    ("fc1",                      "regressor.first"),
    ("fc2",                      "regressor.second"),
    ("decpose",                  "regressor.pose"),
    ("decshape",                 "regressor.shape"),
    ("deccam",                   "regressor.camera"),
    ("init_pose",                "regressor.mean.pose"),
    ("init_shape",               "regressor.mean.shape"),
    ("init_cam",                 "regressor.mean.camera"),
)
ENCODER = (
    ("encoder.gru",              "encoder.gru"),
    ("encoder.linear",           "encoder.linear"),
)
MEAN = (
    ("pose",                     "pose"),
    ("shape",                    "shape"),
    ("cam",                      "camera"),
)
COUNTS = tuple(  # how many batches a norm has seen: it has learnt from none since
    f"{norm}.num_batches_tracked" for norm in ("bn1", "layer{}.{}.bn{}", "layer{}.0.downsample.1")
)
# fmt: on
INSIDE = tuple((f"regressor.{theirs}", ours) for theirs, ours in REGRESSOR)


def lacking(tensors: Tensors) -> bool:
    """Tell whether a network has a head, and lacks some of the mean body that it starts from."""
    ends = {name.rpartition(".")[2] for name in tensors}
    headed = any(name.endswith("fc1.weight") for name in tensors)
    return headed and not ends.issuperset(f"init_{part}" for part, _ in MEAN)


def completed(tensors: Tensors, mean: Tensors) -> Tensors:
    """Add the mean body to a network's tensors where their file lacks it, all under their names."""
    start = next((n.removesuffix("fc1.weight") for n in tensors if n.endswith("fc1.weight")), "")
    body = {f"{start}init_{name}": values[None] for name, values in mean.items()}
    return {**body, **tensors}


WHOLE = Completion("smpl_mean_params", lacking, completed)
HMR = Layout(Hmr, BACKBONE + REGRESSOR, COUNTS, completion=WHOLE)
GENERATOR = Layout(
    Generator, ENCODER + INSIDE, ("regressor.smpl", "regressor.smpl.{}"), completion=WHOLE
)
LAYOUTS = {
    "spin": HMR,
    "vibe_wo_3dpw": GENERATOR,
    "vibe_w_3dpw": GENERATOR,
    "smpl_mean_params": Layout(Mean, MEAN),
}
