"""Stand for numpy in pickles: for its arrays, its scalars and its kinds of number.

Numpy itself is not asked to take a pickle's state: it would make arrays of Python objects. Two
stand-ins take it instead, and what they hold becomes an array if it is one of numbers.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.containers import pickles
from muybridge.errors import CheckpointError

MOST_AXES = 8
OBJECTS = "refused: it holds an array of Python objects, and a model's arrays hold numbers"


def native(array: NDArray[Any]) -> NDArray[Any]:
    """Copy an array in this machine's order of bytes, rows first."""
    return np.array(array, array.dtype.newbyteorder("="), order="C")


def numeric(dtype: np.dtype[Any]) -> bool:
    """Tell whether an array is one of numbers that a model is made of."""
    return re.fullmatch(r"[<>|=](f[248]|i[1248]|u[124])", dtype.str) is not None


@dataclass
class Kind(pickles.Record):
    """Stand for a numpy.dtype: a code such as f4, and the order of bytes."""

    code: str
    align: bool = False
    copy: bool = False
    order: str = "<"

    def build(self, state: Any) -> None:
        """Take the order of bytes, the second item of a dtype's state."""
        self.order = state[1]

    def dtype(self) -> np.dtype[Any]:
        """Make the dtype; CheckpointError if it is not one of numbers."""
        if not re.fullmatch(r"f[248]|i[1248]|u[124]", self.code) or self.order not in "<>|=":
            raise CheckpointError(f"refused: it holds an array of kind {self.code!r}, no numbers")
        return np.dtype(self.order + self.code)


@dataclass
class Array(pickles.Record):
    """Stand for a numpy.ndarray."""

    values: NDArray[Any] = field(default_factory=lambda: np.empty(0))

    def build(self, state: Any) -> None:
        """Take version, shape, dtype, whether columns come first, and the bytes."""
        _, shape, kind, columns_first, data = state
        self.values = filled(shape, kind, data, "F" if columns_first else "C")


def filled(shape: Any, kind: Any, data: Any, order: Any) -> NDArray[Any]:
    """Make an array of bytes; CheckpointError if they are no numbers or not what shape claims."""
    if isinstance(data, str):  # as Python 2 wrote bytes
        data = data.encode("latin1")
    if not isinstance(kind, Kind) or not isinstance(data, bytes | bytearray):
        raise CheckpointError(OBJECTS)
    dtype = kind.dtype()
    if len(shape) > MOST_AXES or not all(type(n) is int and 0 <= n < 1 << 40 for n in shape):
        raise CheckpointError("refused: it holds an array of an impossible shape")
    if (claimed := math.prod(shape) * dtype.itemsize) != len(data):
        raise CheckpointError(
            f"refused: an array of shape {shape} claims {claimed:,} bytes and has {len(data):,}; "
            "nothing was loaded. Use the official file"
        )
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def empty(of: Any, shape: Any, code: Any) -> Array:
    """Stand for numpy's _reconstruct: an array that gets its state next."""
    return Array()


def scalar(kind: Any, data: Any) -> Array:
    """Stand for numpy's scalar: a number of a kind."""
    return Array(filled((), kind, data, "C"))


def from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> Array:
    """Stand for numpy's _frombuffer, which protocol 5 uses."""
    return Array(filled(shape, kind, data, order))


def encoded(text: Any, encoding: Any) -> bytes:
    """Stand for _codecs.encode, with which protocol 2 writes bytes."""
    if encoding != "latin1":
        raise ValueError(f"bytes are encoded in latin1, not {encoding!r}")
    return text.encode("latin1")


def never(*arguments: Any) -> Any:
    """Stand for what is only named, such as numpy.ndarray."""
    raise ValueError("what is only named is called")


NAMES: dict[str, Any] = {
    "collections.OrderedDict": dict,
    "_codecs.encode": encoded,
    "__builtin__.bytes": bytes,
    "numpy.dtype": Kind,
    "numpy.ndarray": never,
    **{f"numpy.{core}.multiarray._reconstruct": empty for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": scalar for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": from_buffer for core in ("core", "_core")},
}
