"""How torchvision's files become the networks: their tensors have the networks' own names."""

from __future__ import annotations

from functools import partial

from muybridge.checkpoints import Layout
from muybridge.models.kinetics.model import KINDS, network

LAYOUTS = {name: Layout(partial(network, name), ()) for name in KINDS}
