"""SMPL (Loper et al. 2015): a body's surface and joints from its shape and from how it is bent.

A body at rest stands with its arms out, y up, its left at +x, its face towards +z. Its shape is ten
numbers in standard deviations; how it is bent is a rotation a joint, in the axes of the joint's
parent; the root's turns the whole body, and so takes it into a camera's axes.

Letters: N bodies, V = 6890 vertices, 24 joints. Everything is in metres and differentiable.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2",
    "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar",
    "right_collar", "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
SHAPES = 10  # numbers of a shape
BENDS = 9 * (len(JOINTS) - 1)  # numbers that say how a body is bent: all rotations but the root's
VERTICES, FACES = 6890, 13776  # of the published bodies
CACHED = 8  # bodies that are skinned at once

PICKED = {  # vertices that stand for joints
    "nose": 332, "right_eye": 6260, "left_eye": 2800, "right_ear": 4071, "left_ear": 583,
    "left_big_toe": 3216, "left_small_toe": 3226, "left_heel": 3387,
    "right_big_toe": 6617, "right_small_toe": 6624, "right_heel": 6787,
    "left_thumb": 2746, "left_index": 2319, "left_middle": 2445, "left_ring": 2556,
    "left_pinky": 2673, "right_thumb": 6191, "right_index": 5782, "right_middle": 5905,
    "right_ring": 6016, "right_pinky": 6133,
}  # fmt: skip
EXTRA = (  # rows of the regressor of extra joints, by the data sets that mark them
    "right_hip_lsp", "left_hip_lsp", "neck_lsp", "top_of_head_lsp", "pelvis_mpii", "thorax_mpii",
    "spine_h36m", "jaw_h36m", "head_h36m",
)  # fmt: skip
# fmt: off
TAKEN = (
    # joint of the 49,            which of JOINTS, PICKED and EXTRA it is
    ("openpose_nose",             "nose"),
    ("openpose_neck",             "neck"),
    ("openpose_right_shoulder",   "right_shoulder"),
    ("openpose_right_elbow",      "right_elbow"),
    ("openpose_right_wrist",      "right_wrist"),
    ("openpose_left_shoulder",    "left_shoulder"),
    ("openpose_left_elbow",       "left_elbow"),
    ("openpose_left_wrist",       "left_wrist"),
    ("openpose_mid_hip",          "pelvis"),
    ("openpose_right_hip",        "right_hip"),
    ("openpose_right_knee",       "right_knee"),
    ("openpose_right_ankle",      "right_ankle"),
    ("openpose_left_hip",         "left_hip"),
    ("openpose_left_knee",        "left_knee"),
    ("openpose_left_ankle",       "left_ankle"),
    ("openpose_right_eye",        "right_eye"),
    ("openpose_left_eye",         "left_eye"),
    ("openpose_right_ear",        "right_ear"),
    ("openpose_left_ear",         "left_ear"),
    ("openpose_left_big_toe",     "left_big_toe"),
    ("openpose_left_small_toe",   "left_small_toe"),
    ("openpose_left_heel",        "left_heel"),
    ("openpose_right_big_toe",    "right_big_toe"),
    ("openpose_right_small_toe",  "right_small_toe"),
    ("openpose_right_heel",       "right_heel"),
    ("right_ankle",               "right_ankle"),
    ("right_knee",                "right_knee"),
    ("right_hip",                 "right_hip_lsp"),
    ("left_hip",                  "left_hip_lsp"),
    ("left_knee",                 "left_knee"),
    ("left_ankle",                "left_ankle"),
    ("right_wrist",               "right_wrist"),
    ("right_elbow",               "right_elbow"),
    ("right_shoulder",            "right_shoulder"),
    ("left_shoulder",             "left_shoulder"),
    ("left_elbow",                "left_elbow"),
    ("left_wrist",                "left_wrist"),
    ("neck_lsp",                  "neck_lsp"),
    ("top_of_head_lsp",           "top_of_head_lsp"),
    ("pelvis_mpii",               "pelvis_mpii"),
    ("thorax_mpii",               "thorax_mpii"),
    ("spine_h36m",                "spine_h36m"),
    ("jaw_h36m",                  "jaw_h36m"),
    ("head_h36m",                 "head_h36m"),
    ("nose",                      "nose"),
    ("left_eye",                  "left_eye"),
    ("right_eye",                 "right_eye"),
    ("left_ear",                  "left_ear"),
    ("right_ear",                 "right_ear"),
)
# fmt: on
JOINTS49 = tuple(name for name, _ in TAKEN)
JOINTS54 = (*JOINTS, *PICKED, *EXTRA)
FROM54 = tuple(JOINTS54.index(source) for _, source in TAKEN)

H36M17 = (
    "pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle",
    "spine", "neck", "jaw", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder",
    "right_elbow", "right_wrist",
)  # fmt: skip
H36M14 = (  # those that VIBE and SPIN are measured on
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist",
    "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head",
)  # fmt: skip
FROM17 = tuple(H36M17.index(name) for name in H36M14)


@dataclass(frozen=True)
class Posed:
    """Hold bodies as they stand: vertices (N, V, 3) and joints (N, 24, 3) in metres.

    The vertices' numbers lie coordinate by coordinate: ``contiguous()`` lays them out anew.
    """

    vertices: Tensor
    joints: Tensor


class Surface(nn.Module):
    """Bend points of a body: where they are at rest, and how shape and bending move them there.

    Buffers, shown as the paper has them and kept coordinate by coordinate: template (V, 3),
    shape_directions (V, 3, 10), pose_directions (V, 3, 207), and weights (V, 24), how far a point
    goes along with each joint.
    """

    template: Tensor
    shape_directions: Tensor
    pose_directions: Tensor
    weights: Tensor

    def __init__(
        self,
        template: Tensor,
        shape_directions: Tensor,
        pose_directions: Tensor,
        weights: Tensor,
    ) -> None:
        super().__init__()
        self.register_buffer("template", _turned(template))
        self.register_buffer("shape_directions", _turned(shape_directions))
        self.register_buffer("pose_directions", _turned(pose_directions))
        self.register_buffer("weights", _turned(weights))

    def bend(self, betas: Tensor, rotations: Tensor, moves: Tensor) -> Tensor:
        """Find points (N, V, 3) of shapes (N, 10), rotations (N, 24, 3, 3), moves (N, 24, 3, 4)."""
        return self.skinned(self.blended(betas, rotations), moves).transpose(1, 2)

    def blended(self, betas: Tensor, rotations: Tensor) -> Tensor:
        """Find points (N, 3, V) of bodies that are shaped, and made ready to be bent."""
        points = torch.addmm(self.template.T.flatten(), betas, _rows(self.shape_directions))
        points.addmm_(bent(rotations), _rows(self.pose_directions))
        return points.view(len(points), 3, len(self.template))

    def skinned(self, points: Tensor, moves: Tensor) -> Tensor:
        """Move points (N, 3, V) along with joints, by moves (N, 24, 3, 4) blended linearly.

        A few bodies at a time, whose matrices stay in the processor's cache.
        """
        some = zip(torch.split(points, CACHED), torch.split(moves, CACHED), strict=True)
        return torch.cat([self._skinned(*each) for each in some])

    def _skinned(self, points: Tensor, moves: Tensor) -> Tensor:
        matrices = moves.permute(0, 2, 3, 1).flatten(0, 2) @ _rows(self.weights)
        matrices = matrices.view(len(moves), 3, 4, len(self.template))  # (N, 3, 4, V)
        moved = torch.addcmul(matrices[:, :, 3], matrices[:, :, 0], points[:, None, 0])
        for axis in (1, 2):
            moved.addcmul_(matrices[:, :, axis], points[:, None, axis])
        return moved


class Body(Surface):
    """Give the surface and the joints of a body of any shape, bent in any way.

    ``regressor`` (24, V) finds the joints of a body at rest; ``faces`` (F, 3) are triangles.
    """

    regressor: Tensor
    faces: Tensor

    def __init__(
        self,
        template: Tensor,
        shape_directions: Tensor,
        pose_directions: Tensor,
        regressor: Tensor,
        weights: Tensor,
        faces: Tensor,
    ) -> None:
        super().__init__(template, shape_directions, pose_directions, weights)
        self.register_buffer("regressor", regressor)
        self.register_buffer("faces", faces)

    def forward(self, betas: Tensor, rotations: Tensor, translation: Tensor | None = None) -> Posed:
        """Pose bodies of shapes (N, 10) by rotations (N, 24, 3, 3) and translations (N, 3)."""
        rest = self.rest(betas)
        world = walked(rest, rotations)
        vertices = self.bend(betas, rotations, moves(world, rest))
        return Posed(_shifted(vertices, translation), _shifted(world[..., 3], translation))

    def rest(self, betas: Tensor) -> Tensor:
        """Find the joints (N, 24, 3) of bodies of shapes (N, 10) before they are bent."""
        start, directions = self.rest_directions()
        return start + (directions @ betas.T).permute(2, 0, 1)

    def rest_directions(self) -> tuple[Tensor, Tensor]:
        """Find the joints (24, 3) of the mean shape, and how shape moves them (24, 3, 10)."""
        directions = _rows(self.shape_directions).view(-1, len(self.template)) @ self.regressor.T
        return self.regressor @ self.template, directions.view(-1, 3, len(JOINTS)).permute(2, 1, 0)


class Joints(nn.Module):
    """Give the 49 joints of a body, bending only the vertices that they are made of.

    ``extra`` (9, V) is the regressor of the joints in ``EXTRA``.
    """

    start: Tensor
    directions: Tensor
    mixed: Tensor

    def __init__(self, body: Body, extra: Tensor) -> None:
        super().__init__()
        picked = list(PICKED.values())
        used = sorted({*picked, *extra.any(0).nonzero()[:, 0].tolist()})
        start, directions = body.rest_directions()
        self.surface = Surface(
            body.template[used],
            body.shape_directions[used],
            body.pose_directions[used],
            body.weights[used],
        )
        one = extra.new_zeros(len(picked), extra.shape[1])
        one[range(len(picked)), picked] = 1
        self.register_buffer("start", start)
        self.register_buffer("directions", directions)
        self.register_buffer("mixed", torch.cat([one, extra])[:, used])

    def forward(
        self, betas: Tensor, rotations: Tensor, translation: Tensor | None = None
    ) -> Tensor:
        """Find joints (N, 49, 3) of shapes (N, 10), rotations (N, 24, 3, 3), moved (N, 3)."""
        rest = self.start + (self.directions @ betas.T).permute(2, 0, 1)
        world = walked(rest, rotations)
        vertices = self.surface.bend(betas, rotations, moves(world, rest))
        joints = torch.cat([world[..., 3], self.mixed @ vertices], dim=1)
        return _shifted(joints[:, FROM54], translation)


def bent(rotations: Tensor) -> Tensor:
    """Say how bodies are bent: (N, 207), each rotation but the root's less the identity."""
    identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    return (rotations[:, 1:] - identity).flatten(1)


def walked(rest: Tensor, rotations: Tensor) -> Tensor:
    """Walk from the root outwards: each joint's axes and place in the world, (N, 24, 3, 4).

    ``rest`` (N, 24, 3) are the joints before they are bent, ``rotations`` (N, 24, 3, 3). Joints
    equally far from the root are walked at once.
    """
    turns, places = [rotations[:, :1]], [rest[:, :1]]
    for joints, above in LEVELS:
        parents = turns[-1][:, above]
        bones = rest[:, joints] - rest[:, [PARENTS[joint] for joint in joints]]
        places.append(places[-1][:, above] + (parents @ bones[..., None])[..., 0])
        turns.append(parents @ rotations[:, joints])
    world = torch.cat([torch.cat(turns, 1), torch.cat(places, 1)[..., None]], dim=-1)
    return world[:, IN_ORDER]


def moves(world: Tensor, rest: Tensor) -> Tensor:
    """Say how each joint (N, 24, 3, 4) moves points that are given where they are at rest."""
    turn, place = world[..., :3], world[..., 3:]
    return torch.cat([turn, place - turn @ rest[..., None]], dim=-1)


def joints54(posed: Posed, extra: Tensor) -> Tensor:
    """Put the 24 joints, 21 picked vertices and 9 extra ones together: (N, 54, 3)."""
    picked = posed.vertices[:, list(PICKED.values())]
    return torch.cat([posed.joints, picked, extra @ posed.vertices], dim=1)


def joints49(posed: Posed, extra: Tensor) -> Tensor:
    """Find the 49 joints (N, 49, 3) of whole bodies, by the regressor ``extra`` (9, V)."""
    return joints54(posed, extra)[:, FROM54]


def h36m(vertices: Tensor, regressor: Tensor) -> Tensor:
    """Find the joints of Human3.6M (N, 17, 3) of vertices (N, V, 3), by a regressor (17, V)."""
    return regressor @ vertices


def _levels() -> list[tuple[list[int], list[int]]]:
    """Sort the joints below the root by how far they are from it, with their parents' places."""
    levels, last = list[tuple[list[int], list[int]]](), [0]
    while joints := [joint for joint, parent in enumerate(PARENTS) if parent in last]:
        levels.append((joints, [last.index(PARENTS[joint]) for joint in joints]))
        last = joints
    return levels


LEVELS = _levels()
WALKED = [0, *(joint for joints, _ in LEVELS for joint in joints)]
IN_ORDER = [WALKED.index(joint) for joint in range(len(PARENTS))]


def _shifted(points: Tensor, translation: Tensor | None) -> Tensor:
    return points if translation is None else points + translation[:, None]


def _turned(values: Tensor) -> Tensor:
    """Lay numbers out so that those of one coordinate lie together, last axis first."""
    axes = tuple(reversed(range(values.ndim)))
    return values.permute(axes).contiguous().permute(axes)


def _rows(values: Tensor) -> Tensor:
    """Look at (V, …, K) numbers as K rows, coordinate by coordinate; no copy, as they lie so."""
    turned = values.permute(tuple(reversed(range(values.ndim))))
    return turned.reshape(len(turned), -1)
