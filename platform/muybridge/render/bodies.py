"""Remake the bodies of a video from their few numbers, frame by frame, and turn them.

Meshes are not stored: a body is its shape, its rotations and where it stands, and the surface that
these bend comes from the body model's own file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.dataset as ds
from numpy.typing import NDArray

from muybridge.errors import InputError
from muybridge.render.draw import TRACKS, Person, draw
from muybridge.render.mesh import NEAR, Bytes, Mesh, Reals, paint, project

if TYPE_CHECKING:
    from muybridge.geometry.smpl import Body

WINDOW = 256  # frames whose numbers are held at a time
COLUMNS = ("frame", "track_id", "body", "betas", "rotations", "translation", "focal")
GROUND = 32  # of 255, the grey that turned bodies stand before


@dataclass(frozen=True)
class Stood:
    """Be one person's body as it stands before the camera; ``root`` (3,) is its pelvis, metres."""

    track: int
    mesh: Mesh
    root: Reals

    def turned(self) -> Stood:
        """Turn it by 90° about the vertical through its root: seen from the picture's left.

        Who looks into the camera looks to the right then.
        """
        x, y, z = (self.mesh.vertices - self.root).T
        vertices = np.stack([-z, y, x], axis=1) + self.root
        return replace(self, mesh=replace(self.mesh, vertices=vertices))

    def person(self, width: int, height: int) -> Person:
        """Be a box around what of it is before the camera, in a picture of this size."""
        seen = project(self.mesh, width, height)[:, :2]
        around = np.concatenate([np.nanmin(seen, axis=0), np.nanmax(seen, axis=0)])
        return Person(self.track, around, np.zeros((0, 3)))

    @property
    def before(self) -> bool:
        """Tell whether any of it is before the camera."""
        return bool((self.mesh.vertices[:, 2] > NEAR).any())


class Bodies:
    """Give the bodies of one video frame by frame; ``rows`` are those of its table ``bodies``.

    ``weights`` is the file or folder in which the user has body models, beside the cache.
    """

    def __init__(self, rows: ds.Dataset, weights: Path | None = None) -> None:
        self._rows, self._weights = rows, weights
        self._models: dict[str, Body] = {}
        self._window, self._held = -1, dict[int, list[dict[str, Any]]]()

    def any(self) -> bool:
        """Say whether there is a body in any frame."""
        return self._rows.head(1).num_rows > 0

    def load(self) -> None:
        """Read the body models that the rows name, or raise WeightsError with how to get them."""
        for name in self._rows.to_table(["body"])["body"].unique().to_pylist():
            self._model(name)

    def at(self, frame: int) -> list[Stood]:
        """Remake the bodies seen in a frame."""
        if frame // WINDOW != self._window:
            self._window, self._held = frame // WINDOW, {}
            number = ds.field("frame")
            near = (number >= self._window * WINDOW) & (number < (self._window + 1) * WINDOW)
            for row in self._rows.to_table(list(COLUMNS), filter=near).to_pylist():
                self._held.setdefault(row["frame"], []).append(row)
        rows = self._held.get(frame, [])
        names = dict.fromkeys(row["body"] for row in rows)
        alike = [[row for row in rows if row["body"] == name] for name in names]
        models = [self._model(name) for name in names]
        return [each for two in zip(models, alike, strict=True) for each in stand(*two)]

    def _model(self, name: str) -> Body:
        if name not in self._models:
            from muybridge import weights
            from muybridge.geometry.smpl import Body

            made = weights.load(name, self._weights)
            if not isinstance(made, Body):
                raise InputError(f"{name}: is no body model, but the output's bodies name it")
            self._models[name] = made
        return self._models[name]


def stand(body: Body, rows: Sequence[Mapping[str, Any]]) -> list[Stood]:
    """Bend a body by rows of the table ``bodies``."""
    import torch

    from muybridge.geometry.rotations import matrix_from_axis_angle

    def numbers(name: str) -> torch.Tensor:
        return torch.tensor([row[name] for row in rows], dtype=body.template.dtype)

    with torch.inference_mode():
        rotations = matrix_from_axis_angle(numbers("rotations").view(len(rows), -1, 3))
        posed = body(numbers("betas"), rotations, numbers("translation"))
    faces = body.faces.numpy()
    vertices, roots = (part.double().numpy() for part in (posed.vertices, posed.joints[:, 0]))
    return [
        Stood(
            row["track_id"],
            Mesh(points, faces, row["focal"], TRACKS[row["track_id"] % len(TRACKS)]),
            root,
        )
        for row, points, root in zip(rows, vertices, roots, strict=True)
    ]


def from_the_side(bodies: Sequence[Stood], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Draw bodies turned by 90°, each where it stands, on a plain ground of a picture's shape."""
    ground: Bytes = np.full(shape, GROUND, np.uint8)
    turned = [each for body in bodies if (each := body.turned()).before]
    people = [body.person(shape[1], shape[0]) for body in turned]
    return draw(paint(ground, [body.mesh for body in turned]), people, "turned by 90°")
