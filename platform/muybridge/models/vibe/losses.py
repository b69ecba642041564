"""The losses VIBE is trained by: what is known of people, and that they move as people do.

They are the article's (Kocabas et al., CVPR 2020, section 3): squared misses of joints, rotations
and shape, and the least-squares game between the generator and the motion discriminator. All come
multiplied by their weights.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from muybridge.geometry.rotations import matrix_from_axis_angle

SCORED = slice(25, 39)  # of the 49 joints: the 14 that are compared in space
HIPS = slice(2, 4)  # of those 14: their middle is where the rest is measured from
POSE, SHAPE = slice(3, 75), slice(75, 85)  # of theta: camera 3, axis-angles 72, betas 10


@dataclass(frozen=True)
class Weights:
    """Weigh the losses; the defaults are the article's."""

    joints_2d: float = 300.0
    joints_3d: float = 300.0
    pose: float = 60.0
    shape: float = 0.06
    motion: float = 0.5


@dataclass(frozen=True)
class Predicted:
    """Hold what a generator makes of N sequences of T frames.

    ``theta`` (N, T, 85) is the camera, 24 axis-angles in radians, and betas; ``joints_2d``
    (N, T, 49, 2) reach from -1 to 1 over the person's crop; ``joints_3d`` (N, T, 49, 3) are metres.
    """

    theta: Tensor
    joints_2d: Tensor
    joints_3d: Tensor


@dataclass(frozen=True)
class Labels:
    """Hold what is known of N sequences of T frames, as ``Predicted`` has it.

    ``joints_2d`` (N, T, 49, 3) has a third number: how sure it is, 0 where nothing is known.
    ``has_joints`` and ``has_body`` (N, T) say in which frames ``joints_3d`` and ``theta`` are
    known; elsewhere their numbers mean nothing. The camera in ``theta`` is not looked at.
    """

    joints_2d: Tensor
    joints_3d: Tensor
    theta: Tensor
    has_joints: Tensor
    has_body: Tensor


def label_losses(
    predicted: Predicted, labels: Labels, weights: Weights = Weights()
) -> dict[str, Tensor]:
    """Compare to what is known; a loss of which no frame knows anything is 0."""
    points, sure = labels.joints_2d[..., :2], labels.joints_2d[..., 2:]
    has_joints, has_body = labels.has_joints > 0, labels.has_body > 0
    found, wanted = predicted.theta[has_body], labels.theta[has_body]
    joints = centred(predicted.joints_3d[has_joints]), centred(labels.joints_3d[has_joints])
    return {
        "joints_2d": weights.joints_2d * (sure * (predicted.joints_2d - points) ** 2).mean(),
        "joints_3d": weights.joints_3d * miss(*joints),
        "pose": weights.pose * miss(matrices(found), matrices(wanted)),
        "shape": weights.shape * miss(found[..., SHAPE], wanted[..., SHAPE]),
    }


def motion_loss(made: Tensor, weights: Weights = Weights()) -> Tensor:
    """Say how far made-up motions (scores (N, 1)) are from passing as real: the generator's."""
    return weights.motion * ((made - 1) ** 2).sum() / len(made)


def discriminator_losses(
    real: Tensor, made: Tensor, weights: Weights = Weights()
) -> dict[str, Tensor]:
    """Say how far the discriminator is from telling real from made-up: scores (N, 1), (M, 1)."""
    return {
        "real": weights.motion * ((real - 1) ** 2).sum() / len(real),
        "made": weights.motion * (made**2).sum() / len(made),
    }


def centred(joints: Tensor) -> Tensor:
    """Take the 14 joints that are compared, from the hips' middle: (M, 49, 3) to (M, 14, 3)."""
    scored = joints[:, SCORED]
    return scored - scored[:, HIPS].mean(1, keepdim=True)


def matrices(theta: Tensor) -> Tensor:
    """Turn the axis-angles in theta (M, 85) into matrices (M, 24, 3, 3)."""
    return matrix_from_axis_angle(theta[:, POSE].reshape(-1, 24, 3))


def miss(found: Tensor, wanted: Tensor) -> Tensor:
    """Give the mean squared difference; of nothing it is 0, and gradients still pass."""
    return ((found - wanted) ** 2).sum() / max(wanted.numel(), 1)
