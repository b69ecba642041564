"""From synchronised pictures and their cameras to joints in space: as the product runs them.

Everybody has a box in each picture that shows him, nan in the others; whoever fewer than two show
is not to be found, and has nan. People are looked at one after another, so that what is held does
not grow with their number. Places are pixels of the pictures, lens and all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from muybridge.convolutions import EXACTLY
from muybridge.geometry.cameras import Camera
from muybridge.models.triangulation.model import Algebraic, triangulated
from muybridge.models.triangulation.preprocess import (
    SIDE,
    Floats,
    Picture,
    bent,
    crop,
    projection,
    squares,
    straightened,
    to_picture,
)
from muybridge.models.triangulation.swift import Cube, Looking
from muybridge.models.triangulation.volumetric import Volumetric, located, small

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class People:
    """Hold people's joints: ``points`` (P, J, 3) in metres, in the world, nan where not found.

    ``places`` (P, V, J, 2) are where each view sees them, in pixels, nan where it does not;
    ``confidences`` (P, V, J), how much each view counted, add up to 1 over the views, or are 0.
    """

    points: NDArray[np.float64]
    places: NDArray[np.float64]
    confidences: NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """Hold one person's crops (V, 384, 384, 3), and what takes metres to their pixels (V, 3, 4).

    ``views`` are the numbers of the views that show the person, ``boxes`` (V, 4) their boxes.
    """

    number: int
    views: NDArray[np.int64]
    boxes: NDArray[np.int64]
    crops: Tensor
    projections: Tensor


class AlgebraicPredictor:
    """Hold an algebraic network ready to run on a device; the one that is given stays as it is.

    ``precision`` is that of the convolutions, ``parity`` is how colours are read (``preprocess``).
    """

    @torch.no_grad()
    def __init__(
        self,
        network: Algebraic,
        precision: Precision = "float32",
        device: str = "cpu",
        parity: bool = True,
    ) -> None:
        self.device, self.joints = device, network.config.joints
        self.looking = _ready(Looking(network, getattr(torch, precision), parity), device)

    @torch.inference_mode()
    @EXACTLY
    def __call__(
        self, pictures: Sequence[Picture], cameras: Sequence[Camera], boxes: Floats
    ) -> People:
        """Find people by boxes (P, V, 4) in pictures (H, W, 3) of V cameras."""
        shape = (*boxes.shape[:2], self.joints)
        points = np.full((shape[0], self.joints, 3), np.nan)
        places, confidences = np.full((*shape, 2), np.nan), np.zeros(shape)
        for seen in shown(pictures, cameras, boxes, self.device):
            heat, trust = self.looking(seen.crops)
            found = triangulated(heat[None], trust[None], seen.projections[None], (SIDE, SIDE))
            points[seen.number] = found.points[0].cpu()
            confidences[seen.number, seen.views] = found.confidences[0].cpu()
            flat = found.places[0].double().cpu().numpy()
            for view, box, each in zip(seen.views, seen.boxes, flat, strict=True):
                places[seen.number, view] = bent(to_picture(each, box), cameras[view])
        return People(points, places, confidences)


class VolumetricPredictor:
    """Hold a volumetric network ready to run on a device; the one that is given stays as it is."""

    @torch.no_grad()
    def __init__(
        self,
        network: Volumetric,
        precision: Precision = "float32",
        device: str = "cpu",
        parity: bool = True,
    ) -> None:
        self.device, self.space = device, network.space
        self.joints = network.network.last.out_channels
        dtype = getattr(torch, precision)
        self.looking = _ready(Looking(network, dtype, parity), device)
        self.cube = _ready(Cube(network.network, dtype), device)

    @torch.inference_mode()
    @EXACTLY
    def __call__(
        self,
        pictures: Sequence[Picture],
        cameras: Sequence[Camera],
        boxes: Floats,
        centres: Floats,
        up: ArrayLike = (0, 0, 1),
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find people (P, J, 3), metres, by boxes (P, V, 4) in pictures (H, W, 3) of V cameras.

        ``centres`` (P, 3) are their hips' middles, such as the algebraic network finds; ``up`` (3,)
        is where in the world's axes the sky is: the weights were taught with z upwards. Also says
        how sure a joint's place is: its standard deviation along an axis (P, J), metres.
        """
        points = np.full((len(boxes), self.joints, 3), np.nan)
        spread = np.full(points.shape[:2], np.nan)
        turn = torch.from_numpy(upright(up))
        known = np.where(np.isfinite(centres).all(-1)[:, None, None], boxes, np.nan)
        for seen in shown(pictures, cameras, known, self.device):
            maps, trust = self.looking(seen.crops)
            smaller = small(seen.projections, (SIDE, SIDE), maps.shape[-2:])
            centre = torch.from_numpy(centres[seen.number]).to(self.device)
            found = located(self.cube, maps, trust, smaller, centre, turn, self.space)
            points[seen.number], spread[seen.number] = (each.cpu() for each in found)
        return points, spread


def shown(
    pictures: Sequence[Picture], cameras: Sequence[Camera], boxes: Floats, device: str = "cpu"
) -> Iterator[Seen]:
    """Cut people out one after another by boxes (P, V, 4): those whom two views or more show."""
    straight = [straightened(*each) for each in zip(pictures, cameras, strict=True)]
    for number, mine in enumerate(boxes):
        views = np.flatnonzero(np.isfinite(mine).all(-1))
        if len(views) < 2:
            continue
        cuts = squares(mine[views])
        pairs = list(zip(views, cuts, strict=True))
        crops = torch.from_numpy(np.stack([crop(straight[view], cut) for view, cut in pairs]))
        matrices = np.stack([projection(cameras[view], cut) for view, cut in pairs])
        yield Seen(number, views, cuts, crops.to(device), torch.from_numpy(matrices).to(device))


def upright(up: ArrayLike) -> NDArray[np.float64]:
    """Find axes (3, 3), in columns, of which the last is where ``up`` (3,) points."""
    z = np.asarray(up, np.float64) / np.linalg.norm(up)
    near = np.eye(3)[0] if abs(z[0]) < 0.9 else np.eye(3)[1]
    x = near - z * (near @ z)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z])


def _ready(part: torch.nn.Module, device: str) -> Any:
    return part.to(device).eval().requires_grad_(False)
