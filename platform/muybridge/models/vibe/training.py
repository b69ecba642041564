"""Teach VIBE's generator what is known of people in videos, and to move them as people move.

The generator reads features, which the backbone has made of pictures beforehand. The discriminator
is shown what it makes beside windows of motion capture, and both learn in turns: the generator to
meet the labels and to pass, the discriminator to tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam

from muybridge.checkpoints import Layout, Tensors, renamed
from muybridge.models.vibe.checkpoint import GENERATOR
from muybridge.models.vibe.discriminator import BODY, Discriminator
from muybridge.models.vibe.examples import Example, Motions
from muybridge.models.vibe.losses import (
    Labels,
    Predicted,
    Weights,
    discriminator_losses,
    label_losses,
    motion_loss,
)
from muybridge.models.vibe.model import Bodies, Generator, Regressor
from muybridge.models.vibe.postprocess import projected

TURNS = ("generator", "discriminator")  # of each batch, in this order
RATES = (5e-5, 1e-4)  # how fast they learn, in the article


class Lessons(nn.Module):
    """Teach generator and discriminator in turns: windows of features in, losses out.

    ``joints`` finds the 49 joints (N, 49, 3) of shapes (N, 10) and rotations (N, 24, 3, 3), as
    ``geometry.smpl.Joints`` does.
    """

    def __init__(
        self,
        generator: Generator,
        joints: nn.Module,
        motions: Motions,
        discriminator: Discriminator | None = None,
        weights: Weights = Weights(),
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator or Discriminator()
        self.joints = joints
        self.motions = motions
        self.weights = weights

    def forward(self, examples: Sequence[Example], part: str) -> dict[str, Tensor]:
        """Return the losses of ``generator`` or ``discriminator`` over windows, one or more."""
        features, labels = together(examples, self.generator.encoder.linear.weight.device)
        if part == "discriminator":
            return self.told_apart(features)
        bodies, _ = self.generator(features)
        predicted = seen(bodies, self.joints)
        with fixed(self.discriminator):
            judged = self.discriminator(predicted.theta[..., BODY])
        losses = label_losses(predicted, labels, self.weights)
        return {**losses, "motion": motion_loss(judged, self.weights)}

    def told_apart(self, features: Tensor) -> dict[str, Tensor]:
        """Show the discriminator what the generator makes now, beside as many real motions."""
        with torch.no_grad():
            made = self.generator(features)[0].theta[..., BODY]
        real = self.motions.draw(len(made)).to(made)
        judge = self.discriminator
        return discriminator_losses(judge(real), judge(made), self.weights)


def optimisers(
    generator: float = RATES[0], discriminator: float = RATES[1]
) -> Mapping[str, partial[Adam]]:
    """Say how both learn, in the order of their turns; the rates are the article's."""
    rates = (generator, discriminator)
    return {part: partial(Adam, lr=rate) for part, rate in zip(TURNS, rates, strict=True)}


def begun(regressor: Regressor) -> Generator:
    """Make a generator that begins with what the regressor of single pictures knows, SPIN's."""
    generator = Generator()
    generator.regressor.load_state_dict(regressor.state_dict())
    return generator


def authors(tensors: Tensors) -> Tensors:
    """Give a trained generator's tensors their authors' names, as its published file has them."""
    table = tuple((ours, theirs) for theirs, ours in GENERATOR.table)
    return renamed(tensors, Layout(Generator, table))


@contextmanager
def fixed(network: nn.Module) -> Iterator[None]:
    """Let gradients pass through a network and not into it."""
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in learnt:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learnt:
            parameter.requires_grad_(True)


def seen(bodies: Bodies, joints: nn.Module) -> Predicted:
    """Say where bodies (N, T) have their joints, in space and in their crops."""
    theta = bodies.theta
    points = joints(bodies.betas.flatten(0, 1), bodies.rotations.flatten(0, 1))
    flat = projected(points, bodies.camera.flatten(0, 1))
    shape = (*theta.shape[:2], *points.shape[1:2])
    return Predicted(theta, flat.reshape(*shape, 2), points.reshape(*shape, 3))


def together(examples: Sequence[Example], device: torch.device) -> tuple[Tensor, Labels]:
    """Put windows together: features (N, T, 2048), and what is known of them."""
    names = ("features", *(field.name for field in fields(Labels)))
    first, *rest = (
        torch.from_numpy(np.stack([example[name] for example in examples])).to(device)
        for name in names
    )
    return first, Labels(*rest)
