"""Read a body model as SMPL's authors publish it: a few arrays by name, among much else.

In the pickles some arrays are chumpy's, a library that differentiates, and one is a sparse matrix
of scipy's. Neither library is asked: what they would compute is taken or picked out, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.containers import pickles
from muybridge.containers.arrays import Array, never
from muybridge.containers.held import bounded
from muybridge.errors import CheckpointError

KEPT = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")
COUNTS = ("kintree_table", "f")  # joints and vertices by their numbers
SHAPES = 10  # of a body's shapes, the first of which are the most telling
DEEPEST = 8  # of arrays that are made of one another
LARGEST = 1 << 24  # numbers of a sparse matrix when it is written out

Numbers = NDArray[Any]


@dataclass
class Stated(pickles.Record):
    """Stand for an object of which only its state is looked at, by name."""

    state: dict[str, Any] = field(default_factory=dict)

    def build(self, state: Any) -> None:
        """Take the state."""
        if not isinstance(state, dict):
            raise ValueError("an object's state has no names")
        self.state = state


class Plain(Stated):
    """Stand for chumpy.ch.Ch: an array, ``x``."""


class Select(Stated):
    """Stand for chumpy.reordering.Select: the numbers ``idxs`` of an array ``a``, shaped anew."""


class Sparse(Stated):
    """Stand for scipy's csc_matrix: ``data`` at rows ``indices``, column by column."""


@dataclass
class Computed(pickles.Record):
    """Stand for what else chumpy would compute: known by its name, and worth nothing."""

    name: str

    def build(self, state: Any) -> None:
        """Leave the state."""


def computed(name: str, *arguments: Any) -> Computed:
    """Stand for any class of chumpy's; CheckpointError if it is called as a function."""
    if arguments:
        raise pickles.refused(name)
    return Computed(name)


NAMES: dict[str, Any] = {
    "chumpy.ch.Ch": Plain,
    "chumpy.reordering.Select": Select,
    "scipy.sparse.csc.csc_matrix": Sparse,
    "scipy.sparse._csc.csc_matrix": Sparse,
    f"chumpy{pickles.ANY}": computed,
    **{f"{module}._reconstructor": pickles.rebuilt for module in ("copy_reg", "copyreg")},
    **{f"{module}.object": never for module in ("__builtin__", "builtins")},
    "__builtin__.set": list,
    "builtins.set": list,
}


def is_body(held: Any) -> bool:
    """Tell whether what a file holds is a body model."""
    return isinstance(held, Mapping) and "v_template" in held


def told(held: Mapping[Any, Any], size: int) -> dict[str, Numbers]:
    """Take the arrays that make a body out of a file of so many bytes, as far as they are in it.

    Of 300 shapes the first ten are kept; joints and vertices are numbered in int64, and -1 is
    nobody's parent.
    """
    there = {name: held[name] for name in KEPT if name in held}
    found = {name: _array(name, value) for name, value in there.items()}
    bounded((found[n].nbytes for n, value in there.items() if not isinstance(value, Sparse)), size)
    if "shapedirs" in found:
        found["shapedirs"] = found["shapedirs"][..., :SHAPES]
    return found | {name: _numbered(found[name]) for name in COUNTS if name in found}


def _array(name: str, value: Any) -> Numbers:
    try:
        return _values(value)
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}") from error
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise CheckpointError(f"{name} is broken ({error}); use the official file") from error


def _values(value: Any, depth: int = 0) -> Numbers:
    """Work out the array that an array or a stand-in for one means."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, Array):
        return value.values
    if depth > DEEPEST:
        raise CheckpointError(f"refused: it is made of others, more than {DEEPEST} deep")
    if isinstance(value, Sparse):
        return _dense(value.state, depth + 1)
    if isinstance(value, Computed):
        raise CheckpointError(
            f"refused: chumpy would have to compute it ({value.name}); use the official file"
        )
    if isinstance(value, Plain):
        return _values(value.state["x"], depth + 1)
    if isinstance(value, Select):
        source, places = (_values(value.state[name], depth + 1) for name in ("a", "idxs"))
        picked = source.ravel()[places]
        return picked.reshape(value.state.get("preferred_shape", picked.shape))
    raise CheckpointError(f"it is a {type(value).__name__}, and an array is wanted")


def _dense(state: dict[str, Any], depth: int) -> Numbers:
    """Write a sparse matrix out; numbers for the same place add up."""
    rows, columns = (int(n) for n in state.get("_shape", state.get("shape", ())))
    data, at, ends = (_values(state[name], depth) for name in ("data", "indices", "indptr"))
    if not 0 <= rows * columns <= LARGEST or min(rows, columns) < 0:
        raise CheckpointError(f"refused: it claims {rows} rows and {columns} columns")
    counts = np.diff(ends.astype(np.int64))
    if len(counts) != columns or (counts < 0).any() or len(data) != len(at) or ends[0] != 0:
        raise CheckpointError("its columns do not add up; use the official file")
    if len(at) and (at.min() < 0 or at.max() >= rows):
        raise CheckpointError(f"it has numbers outside its {rows} rows; use the official file")
    dense = np.zeros((rows, columns), data.dtype)
    np.add.at(dense, (at, np.repeat(np.arange(columns), counts)), data)
    return dense


def _numbered(values: Numbers) -> Numbers:
    """Write whole numbers as int64: 4294967295, which stands for nobody, is -1."""
    if values.dtype.kind == "f":
        return values
    numbers = values.astype(np.int64)
    return np.where(numbers == np.iinfo(np.uint32).max, -1, numbers)
