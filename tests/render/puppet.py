"""A body model made by hand: closed capsules around the bones of a person who stands at rest."""

from __future__ import annotations

import numpy as np
import torch

from muybridge.geometry.smpl import JOINTS, PARENTS, SHAPES, Body

# at rest, in metres: y up, the body's left at +x, the face towards +z; left stands for both sides
LEFT = {
    "hip": (0.09, -0.09, 0.0), "knee": (0.10, -0.48, 0.0), "ankle": (0.09, -0.88, -0.03),
    "foot": (0.11, -0.94, 0.10), "collar": (0.08, 0.36, 0.0), "shoulder": (0.18, 0.40, 0.0),
    "elbow": (0.45, 0.40, -0.02), "wrist": (0.71, 0.40, -0.01), "hand": (0.79, 0.40, 0.0),
}  # fmt: skip
MIDDLE = {
    "pelvis": (0.0, 0.0, 0.0), "spine1": (0.0, 0.12, -0.02), "spine2": (0.0, 0.25, -0.01),
    "spine3": (0.0, 0.31, 0.0), "neck": (0.0, 0.50, -0.02), "head": (0.0, 0.58, 0.03),
}  # fmt: skip
THICK = {  # radius of what leads to a joint
    "spine1": 0.14, "spine2": 0.13, "spine3": 0.14, "neck": 0.08, "head": 0.06, "hip": 0.10,
    "collar": 0.09, "knee": 0.085, "ankle": 0.055, "foot": 0.045, "shoulder": 0.075,
    "elbow": 0.05, "wrist": 0.04, "hand": 0.045,
}  # fmt: skip
TOP = (0.0, 0.68, 0.03)  # of the head


def puppet(rings: int = 12, sides: int = 16) -> Body:
    """Make the body: one capsule a bone, bent with the joint at which the bone begins."""
    at = np.array([place(name) for name in JOINTS])
    bones = [(p, at[p], at[j], THICK[bare(JOINTS[j])]) for j, p in enumerate(PARENTS) if p >= 0]
    head = JOINTS.index("head")
    parts = [
        capsule(*ends, thick, rings, sides)
        for _, *ends, thick in [*bones, (head, at[head], TOP, 0.1)]
    ]
    owners = [*(bone[0] for bone in bones), head]
    sizes = [len(points) for points, _ in parts]
    starts = np.cumsum(sizes) - sizes
    template = np.concatenate([points for points, _ in parts])
    faces = np.concatenate([each + n for (_, each), n in zip(parts, starts, strict=True)])
    weights = np.eye(len(JOINTS))[np.repeat(owners, sizes)]
    shapes = np.zeros((*template.shape, SHAPES))
    shapes[..., 0] = 0.05 * template  # the first number of a shape is size
    numbers = (
        template,
        shapes,
        np.zeros((*template.shape, 207)),
        at @ np.linalg.pinv(template),
        weights,
    )
    return Body(*(torch.tensor(each, dtype=torch.float32) for each in numbers), torch.tensor(faces))


def bare(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


def place(joint: str) -> np.ndarray:
    where = np.array(LEFT.get(bare(joint), MIDDLE.get(joint)))
    return where * (-1, 1, 1) if joint.startswith("right_") else where


def capsule(
    start: np.ndarray, end: np.ndarray, radius: float, rings: int = 12, sides: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """Close a tube with round ends: vertices (V, 3), faces (F, 3), outward counter-clockwise."""
    along = np.asarray(end, float) - start
    length = np.linalg.norm(along)
    along /= length
    across = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    across /= np.linalg.norm(across)
    other = np.cross(along, across)
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings)
    height = radius * np.sin(angle) + np.where(angle > 0, length, 0)
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(turn)[:, None] * across + np.sin(turn)[:, None] * other
    points = start + height[:, None, None] * along + radius * np.cos(angle)[:, None, None] * ring
    n = np.arange((rings - 1) * sides).reshape(rings - 1, sides)
    a, b = n.ravel(), np.roll(n, -1, 1).ravel()
    faces = [np.stack([a, b, b + sides], 1), np.stack([a, b + sides, a + sides], 1)]
    return points.reshape(-1, 3), np.concatenate(faces)
