"""How the layers of the published Keras files become the network's.

Pyramids that go down are called dp, those that go up up; act counts action blocks. A file holds
the fixed kernels of the soft-argmax as well, of a size that goes with the pictures': they are left
out, for places are computed without them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

from muybridge import checkpoints
from muybridge.checkpoints import Layout, Tensors, renamed
from muybridge.errors import CheckpointError
from muybridge.models.multitask.model import NTU, PENN, Config, Spnet

# fmt: off
RESIDUAL = (
    # theirs            ours
    ("bn1",             "norm"),
    ("conv1",           "narrow"),
    ("bn2",             "inner_norm"),
    ("conv2",           "convolution"),
    ("shortcut_conv",   "shortcut"),
)
SEPARABLE = (
    ("bn1",             "norm"),
    ("conv1.depthwise", "convolution.depthwise"),
    ("conv1.pointwise", "convolution.pointwise"),
)
PROJECTED = (
    *SEPARABLE,
    ("shortcut_conv",   "shortcut"),
)
PREDICTION = (
    ("bn1",                     "norm"),
    ("conv1.depthwise",         "second.depthwise"),
    ("conv1.pointwise",         "second.pointwise"),
    ("bn2",                     "second_norm"),
    ("heatmaps_conv1",          "heat"),
    ("heatmaps_fw_maps",        "more"),
    ("heatmaps_conv2",          "heat_back"),
)
DEPTH = (
    ("depthmaps_conv1",         "depth"),
    ("depthmaps_conv2",         "depth_back"),
)
ONWARD = ("more", "heat_back", "depth_back")
ACTION = (
    ("p_conv0a",                "short"),
    ("p_conv0b",                "middle"),
    ("p_conv0c",                "wide"),
    ("v_conv0",                 "appearance"),
    ("pred_bn1",                "norm"),
    ("pred_conv1",              "convolution"),
    ("pred_bn2",                "pooled_norm"),
    ("pred_conv2h{}",           "heads.{}"),
    ("pred_conv3",              "back"),
)
# fmt: on
Table = tuple[tuple[str, str], ...]
WAYS = (  # which pyramids go down, and how theirs and ours are called
    (True, "dp{}", "_du{}", "down{}_{}"),
    (False, "up{}", "_uu{}", "up{}_{}"),
)
FIXED = tuple(
    f"{{}}_xy{number}_{axis}{part}"
    for number in ("", "2")
    for axis in "xy"
    for part in ("", ".depthwise", ".pointwise")
)


def table(config: Config) -> Table:
    """Give the rows for a network's file: of several that fit a name the first counts."""
    rows = [("conv1", "stem.first"), *_under("res{}_", "stem.residuals.{}", RESIDUAL)]
    for down, way, level, ours in WAYS:
        places = [place for place in config.places if place[0] % 2 == down]
        acts = [place for place in config.acts if place[0] % 2 == down]
        if not places:
            continue
        if set(acts) - {config.acts[0]}:
            rows += _under(f"{way}{level}_action_r0_", f"steps.{ours}", SEPARABLE)
        rows += _under(f"{way}{level}_r0_", f"units.{ours}.step", PROJECTED)
        rows += _under(f"{way}_pb{{}}_r1_", f"units.{ours}.prediction.first", SEPARABLE)
        prediction = (*PREDICTION, *(DEPTH if config.dimensions == 3 else ()))
        if places == [config.places[-1]]:  # nothing follows the last block
            prediction = tuple(row for row in prediction if row[1] not in ONWARD)
        if config.replica and acts:
            prediction += tuple(
                (f"{theirs}_replica", f"own_{maps}")
                for theirs, maps in prediction
                if maps in ("heat", "depth")
            )
        rows += _under(f"{way}_pb{{}}_", f"units.{ours}.prediction", prediction)
    rows += _under("act{}_action_r1_", "actions.{}.pose", RESIDUAL)
    rows += _under("act{}_action_r2_", "actions.{}.both", RESIDUAL)
    return tuple(rows + _under("act{}_action_", "actions.{}", ACTION))


def layout(config: Config) -> Layout:
    """Say how the tensors of a network's file become it."""
    return Layout(partial(Spnet, config), table(config), FIXED)


def authors(tensors: Tensors, config: Config) -> Tensors:
    """Give a trained network's tensors their authors' names."""
    rows = tuple((ours, theirs) for theirs, ours in table(config))
    return renamed(tensors, Layout(partial(Spnet, config), rows))


def about(config: Config) -> dict[str, str]:
    """Say what a file must tell so that ``load`` can make a network of any sizes of it."""
    return {"config": json.dumps(asdict(config))}


def load(path: Path) -> Spnet:
    """Make the network that a file of trained weights holds, whatever its sizes."""
    told = checkpoints.metadata(path).get("config")
    if told is None:
        raise CheckpointError(f"{path}: it does not tell the network's sizes; train it anew")
    try:
        given: dict[str, Any] = json.loads(told)
        given |= {name: tuple(v) for name, v in given.items() if isinstance(v, list)}
        config = Config(**given)
    except (TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: its sizes cannot be read: {error}") from error
    return cast(Spnet, checkpoints.filled(checkpoints.read(path), layout(config)))


def _under(theirs: str, ours: str, rows: Table) -> list[tuple[str, str]]:
    return [(theirs + old, f"{ours}.{new}") for old, new in rows]


LAYOUTS = {"spnet_ntu": layout(NTU), "spnet_penn": layout(PENN)}
