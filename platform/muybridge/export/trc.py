"""Write joints as TRC (Track Row Column), which OpenSim reads as markers.

Axes are OpenSim's, x forward, y up, z to the right: forward is towards the camera, so somebody who
faces it stands as OpenSim's models do; of a world with z up they are its y, z, x. Units are metres.
Cells of joints that were not found, or of frames in which the person was not seen, are empty; times
are those of the video. Lines of numbers end with a tab, as OpenSim's own do: it would miss an empty
last cell without one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muybridge.export.motion import Joints

FORWARD: NDArray[np.float64] = np.array([[0.0, 0, -1], [0, -1, 0], [-1, 0, 0]])  # from the camera's
HEADER = (
    *("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units"),
    *("OrigDataRate", "OrigDataStartFrame", "OrigNumFrames"),
)


def text(joints: Joints, times: NDArray[np.float64], rate: float, name: str) -> str:
    """Write joints in N frames at ``times`` (N,); ``name`` is the file's."""
    frames, markers = len(times), len(joints.names)
    values = (f"{rate:.10g}", f"{rate:.10g}", frames, markers, "m", f"{rate:.10g}", 1, frames)
    places = joints.places @ FORWARD.T
    lines = [
        ("PathFileType", "4", "(X/Y/Z)", name),
        HEADER,
        values,
        ("Frame#", "Time", *(cell for marker in joints.names for cell in (marker, "", ""))),
        ("", "", *(f"{axis}{number}" for number in range(1, markers + 1) for axis in "XYZ")),
        (),
        *(
            (number, f"{time:.6f}", *map(_cell, place.ravel()), "")
            for number, (time, place) in enumerate(zip(times, places, strict=True), 1)
        ),
    ]
    return "".join("\t".join(map(str, line)) + "\n" for line in lines)


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}"
