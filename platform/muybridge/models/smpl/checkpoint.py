"""How the arrays of the published files become a body's and the regressors'."""

from __future__ import annotations

from functools import partial

from muybridge.checkpoints import Layout, Tensors
from muybridge.geometry.smpl import EXTRA, H36M17, JOINTS, PARENTS, VERTICES
from muybridge.models.smpl.model import Regressor, body

# fmt: off
TABLE = (
    # theirs        ours
    ("v_template",  "template"),
    ("shapedirs",   "shape_directions"),
    ("posedirs",    "pose_directions"),
    ("J_regressor", "regressor"),
    ("weights",     "weights"),
    ("f",           "faces"),
)
ONE = (
    ("array",       "weight"),
)
# fmt: on


def unlike(tensors: Tensors) -> list[str]:
    """List what is wrong with a body: joints that hang together otherwise, corners nowhere."""
    return [*_tree(tensors), *_corners(tensors)]


def _tree(tensors: Tensors) -> list[str]:
    if "kintree_table" not in tensors:
        return ["kintree_table: the checkpoint lacks it"]
    table = tensors["kintree_table"].tolist()
    if table == [list(PARENTS), list(range(len(JOINTS)))]:
        return []
    return [f"kintree_table: its joints hang together otherwise than SMPL's {len(JOINTS)}"]


def _corners(tensors: Tensors) -> list[str]:
    faces = tensors.get("f")
    if faces is None or not faces.numel() or 0 <= faces.min() <= faces.max() < VERTICES:
        return []
    return [f"f: corners are numbered {faces.min()} to {faces.max()}, of {VERTICES} vertices"]


SMPL = Layout(body, TABLE, ("kintree_table",), unlike)
LAYOUTS = {
    "smpl_neutral": SMPL,
    "smpl_male": SMPL,
    "smpl_female": SMPL,
    "smpl_regressor_extra": Layout(partial(Regressor, len(EXTRA)), ONE),
    "smpl_regressor_h36m": Layout(partial(Regressor, len(H36M17)), ONE),
}
