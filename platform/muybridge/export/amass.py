"""Write a moving SMPL body as npz, with the names, sizes and axes that AMASS uses.

Axes are z up, x to the camera's right and y away from it; the camera is the origin. ``poses``
(N, 156) are the axis-angles of SMPL-H's 52 joints, in radians. The first 22 are SMPL's too; its two
hands are the first joint of each hand's fingers, as those who make SMPL's poses of AMASS take it
(VIBE), and the other fingers are straight. ``betas`` (16,) are SMPL's 10 numbers and zeros.
``trans`` (N, 3) are metres; a point of the body is ``rotation @ (point - pelvis) + pelvis +
trans``, with the pelvis of the body at rest.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from muybridge.export.motion import Body
from muybridge.export.tracks import Track

JOINTS, SHAPES = 52, 16
PLACES = (*range(22), 22, 37)  # of SMPL's 24 joints among them
UPWARD: NDArray[np.float64] = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # from the camera's


def data(body: Body, track: Track) -> bytes:
    """Write a body that moves; ``seen`` (N,) tells the frames that were not filled in.

    ``times`` (N,) are seconds of the video.
    """
    turns = body.rotations.copy()
    turns[:, 0] = UPWARD @ turns[:, 0]
    poses = np.zeros((len(turns), JOINTS, 3))
    poses[:, PLACES] = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)
    made = io.BytesIO()
    np.savez(
        made,
        poses=poses.reshape(len(turns), -1),
        trans=body.pelvis @ UPWARD.T - body.rest_pelvis,
        betas=np.pad(body.betas, (0, SHAPES - len(body.betas))),
        gender=track.rows["body"][0].as_py().rpartition("_")[2],
        mocap_framerate=track.rate,
        times=track.times,
        seen=track.seen,
    )
    return made.getvalue()
