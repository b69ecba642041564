"""Read a track's rows as joints in space, or as one body that moves.

Both are in the camera's axes (x right, y down, z forward) and in metres, at the N frames of a
constant rate. Joints in the world are turned until y is down as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from muybridge.export.tracks import Track
from muybridge.geometry.skeletons import SKELETONS

Array = NDArray[np.float64]
PELVIS = "openpose_mid_hip"  # of a body's 49 joints, the one that is its root


@dataclass(frozen=True)
class Joints:
    """Hold named joints: ``places`` (N, J, 3), not a number where one was not found."""

    names: tuple[str, ...]
    places: Array


@dataclass(frozen=True)
class Body:
    """Hold an SMPL body of one shape, ``betas`` (10,), that moves.

    ``rotations`` (N, 24, 3, 3) are each joint's in its parent's axes, the root's in the camera's;
    ``pelvis`` (N, 3) is where the root is, ``rest_pelvis`` (3,) where it is in the body at rest.
    """

    betas: Array
    rotations: Array
    pelvis: Array
    rest_pelvis: Array


def seen(track: Track) -> Joints:
    """Give the joints in space of a track's F rows: those of ``joints3d``, or a body's 49.

    Those in the world are in the calibration's axes.
    """
    places = np.stack([track.column(axis) for axis in "xyz"], axis=-1).astype(np.float64)
    if track.table == "bodies":
        from muybridge.geometry.smpl import JOINTS49

        return Joints(JOINTS49, places + track.column("translation")[:, None])
    places[track.column("score") <= 0] = np.nan
    return Joints(SKELETONS[track.rows["skeleton"][0].as_py()].joints, places)


def joints(track: Track) -> Joints:
    """Give the joints of a track at its N frames."""
    found = seen(track)
    places = found.places if track.upright is None else found.places @ track.upright.T
    return Joints(found.names, _spread(places, track))


def body(track: Track) -> Body:
    """Read rows of ``bodies`` as one body; frames in between are filled in.

    A shape moves joints at rest linearly, so the mean shape's pelvis is the mean of the pelvises,
    and the root turns about it: it lies where it lay at rest.
    """
    from muybridge.geometry.smpl import JOINTS49

    at = JOINTS49.index(PELVIS)
    rest = np.stack([track.column(axis)[:, at] for axis in "xyz"], axis=-1).astype(np.float64)
    betas = track.column("betas").astype(np.float64)
    usual = _usual(betas)
    return Body(
        betas=betas[usual].mean(0),
        rotations=_arcs(track.column("rotations").reshape(len(betas), -1, 3), track),
        pelvis=lines(_spread(rest + track.column("translation"), track)),
        rest_pelvis=rest[usual].mean(0),
    )


def lines(values: Array) -> Array:
    """Fill in what is not a number in (N, ...), along straight lines; the ends stay as they are.

    A column without any number stays so.
    """
    flat = values.reshape(len(values), -1).copy()
    for column in flat.T:
        known = np.isfinite(column)
        if known.any() and not known.all():
            column[~known] = np.interp(np.flatnonzero(~known), np.flatnonzero(known), column[known])
    return flat.reshape(values.shape)


def _spread(values: Array, track: Track) -> Array:
    """Lay values (F, ...) out over the N frames (N, ...); the others are not a number."""
    laid = np.full((len(track), *values.shape[1:]), np.nan)
    steps, first = np.unique(track.steps, return_index=True)
    laid[steps] = values[first]
    return laid


def _arcs(rotations: NDArray[Any], track: Track) -> Array:
    """Lay rotations (F, J, 3), axis-angle, out over N frames, filled in along shortest arcs.

    They come as matrices (N, J, 3, 3).
    """
    steps, first = np.unique(track.steps, return_index=True)
    joints = [Rotation.from_rotvec(turns) for turns in rotations[first].swapaxes(0, 1)]
    if len(track) > len(steps):
        joints = [Slerp(steps, joint)(np.arange(len(track))) for joint in joints]
    return np.stack([joint.as_matrix() for joint in joints], axis=1)


def _usual(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which half of the rows (F, ...) lies nearest to the median: outliers are left out."""
    distances = np.linalg.norm(values - np.median(values, axis=0), axis=1)
    return distances <= np.median(distances)
