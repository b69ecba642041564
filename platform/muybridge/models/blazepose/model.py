"""BlazePose's landmark network, which reads one person's joints from a crop.

From Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking" (2020) and the model
card of BlazePose GHUM 3D.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muybridge.litert import Network

Array = NDArray[np.float32]

CROP_SIDE = 256  # pixels of the square input


class BlazePose:
    """Hold the network; it reads crops one by one."""

    def __init__(self, content: bytes) -> None:
        self.network = Network(content)

    def __call__(self, crops: Array) -> tuple[Array, Array, Array]:
        """Read crops (N, 256, 256, 3) of 0 to 1: points, heat maps, world.

        Points (N, 39, 5) are x, y, z in pixels of the crop, then the logits of being visible and
        of being there. Heat maps (N, 64, 64, 39) are the points' logits. World (N, 39, 3) is in
        metres from the hips' middle, turned as the crop is.
        """
        raw = [self.network(crop) for crop in crops]
        points = np.array([r[0] for r in raw], np.float32).reshape(-1, 39, 5)
        heat = np.array([r[1] for r in raw], np.float32).reshape(-1, 64, 64, 39)
        return points, heat, np.array([r[2] for r in raw], np.float32).reshape(-1, 39, 3)
