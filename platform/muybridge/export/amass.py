"""Write a moving SMPL body as npz with the names that AMASS uses.

Axes are z up, x to the camera's right and y away from it. ``poses`` (N, 72) are the axis-angles of
SMPL's 24 joints, in radians; AMASS itself has 156 numbers, of a body with fingers, and its first 66
are the same joints. ``trans`` (N, 3) are metres; a point of the body is
``rotation @ (point - pelvis) + pelvis + trans``, with the pelvis of the body at rest.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from muybridge.export.motion import Body
from muybridge.export.tracks import Track

UPWARD: NDArray[np.float64] = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # from the camera's


def data(body: Body, track: Track) -> bytes:
    """Write a body that moves; ``seen`` (N,) tells the frames that were not filled in.

    ``times`` (N,) are seconds of the video.
    """
    turns = body.rotations.copy()
    turns[:, 0] = UPWARD @ turns[:, 0]
    poses = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec().reshape(len(turns), -1)
    made = io.BytesIO()
    np.savez(
        made,
        poses=poses,
        trans=body.pelvis @ UPWARD.T - body.rest_pelvis,
        betas=body.betas,
        gender=track.rows["body"][0].as_py().rpartition("_")[2],
        mocap_framerate=track.rate,
        surface_model_type="smpl",
        times=track.times,
        seen=track.seen,
    )
    return made.getvalue()
