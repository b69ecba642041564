"""Know the body's surface as COCO DensePose measures it: where points are, and how far apart."""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from scipy.spatial import cKDTree

from muybridge.containers import arrays, pickles
from muybridge.errors import CheckpointError, InputError, listed

Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]

VERTICES, UNIQUE, DISTANCES = "SMPL_subdiv.mat", "SMPL_SUBDIV_TRANSFORM.mat", "Pdist_matrix.pkl"
SOURCE = "https://dl.fbaipublicfiles.com/densepose/data/"


@dataclass(frozen=True)
class Surface:
    """Hold V vertices of the body's surface, and distances along it between W of them.

    ``uv`` (V, 2) are surface coordinates, 0 to 1, on body part ``part`` (V,), 1 to 24. A seam's
    vertices lie on two parts: ``unique`` (V,) says which of the W each is. ``distances`` are metres
    between W (W - 1) / 2 pairs: of 1 and 0, of 2 and 0, 2 and 1, of 3 and 0 and so on.
    """

    uv: Numbers
    part: Whole
    unique: Whole
    distances: NDArray[np.float32]

    def nearest(self, part: Whole, uv: Numbers) -> Whole:
        """Find the vertices (P,) nearest to surface coordinates (P, 2) on parts (P,).

        Where the part is none of the surface's, it is vertex 0.
        """
        found = np.zeros(len(part), np.int64)
        for number in np.unique(part):
            if number in self._trees:
                vertices, tree = self._trees[number]
                found[part == number] = vertices[tree.query(uv[part == number])[1]]
        return found

    @cached_property
    def _trees(self) -> dict[int, tuple[Whole, cKDTree]]:
        """Keep the vertices of each part, and what finds the nearest of them."""
        vertices = {int(n): np.flatnonzero(self.part == n) for n in np.unique(self.part)}
        return {number: (own, cKDTree(self.uv[own])) for number, own in vertices.items()}

    def distance(self, first: Whole, second: Whole) -> Numbers:
        """Measure metres (P,) along the surface between pairs of vertices (P,)."""
        one, other = self.unique[first], self.unique[second]
        far, near = np.maximum(one, other), np.minimum(one, other)
        at = far * (far - 1) // 2 + near
        return np.where(far == near, 0.0, self.distances[np.where(far == near, 0, at)])


def read(folder: Path) -> Surface:
    """Read the surface that COCO DensePose is measured on, from its three official files.

    InputError says which of them are not there and where to get them, or what is wrong with one.
    Nothing in the files is run.
    """
    names = (VERTICES, UNIQUE, DISTANCES)
    absent = [f"{name}  from {SOURCE}{name}" for name in names if not (folder / name).is_file()]
    if absent:
        title = f"{folder} lacks files that the body's surface is measured with; put there"
        raise InputError(listed(title, absent))
    table = _matrix(folder / VERTICES, ("U_subdiv", "V_subdiv", "Part_ID_subdiv"))
    unique = _matrix(folder / UNIQUE, ("index",))["index"].astype(np.int64) - 1
    surface = Surface(
        np.stack([table["U_subdiv"], table["V_subdiv"]], axis=1),
        table["Part_ID_subdiv"].astype(np.int64),
        unique,
        _distances(folder / DISTANCES),
    )
    if faults := _faults(surface):
        raise InputError(listed(f"{folder}: the files do not belong together; fetch anew", faults))
    return surface


def _matrix(path: Path, names: tuple[str, ...]) -> dict[str, Numbers]:
    """Read vectors (V,) of a Matlab file."""
    try:
        content = loadmat(str(path), variable_names=names)
        return {name: np.asarray(content[name], np.float64).reshape(-1) for name in names}
    except (MatReadError, OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        wanted = ", ".join(names)
        raise InputError(
            f"{path}: is no Matlab file with {wanted} ({error}); fetch it from {SOURCE}{path.name}"
        ) from error


def _distances(path: Path) -> NDArray[np.float32]:
    """Read the one array of a pickle as a vector, without running what the pickle says."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            held = pickles.load(data, arrays.NAMES)
    except (CheckpointError, OSError, ValueError) as error:
        raise InputError(f"{path}: {error}; fetch it from {SOURCE}{path.name}") from error
    if not isinstance(held, arrays.Array):
        raise InputError(f"{path}: holds no array; fetch it from {SOURCE}{path.name}")
    return held.values.reshape(-1).astype(np.float32, copy=False)


def _faults(surface: Surface) -> list[str]:
    """List what shows that the three files are not of one surface."""
    vertices, pairs = len(surface.part), len(surface.distances)
    counts = {"coordinates": len(surface.uv), "indices": len(surface.unique)}
    faults = [f"{n} {name} for {vertices} parts" for name, n in counts.items() if n != vertices]
    distinct = (1 + math.isqrt(1 + 8 * pairs)) // 2
    if distinct * (distinct - 1) // 2 != pairs:
        faults.append(f"{pairs:,} distances are not those between all pairs of vertices")
    if surface.unique.min(initial=0) < 0 or surface.unique.max(initial=0) >= distinct:
        last = surface.unique.max(initial=0) + 1
        faults.append(f"the indices go to {last:,} and there are distances of {distinct:,}")
    return faults
