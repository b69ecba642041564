"""How the authors' files, and their port's, fill OpenPose's networks: by the same names."""

from __future__ import annotations

from muybridge.checkpoints import Layout
from muybridge.models.openpose.model import OpenPoseBody25, OpenPoseCoco

LAYOUTS = {
    "openpose_coco": Layout(OpenPoseCoco, ()),  # body_pose_model.pth
    "openpose_coco_caffe": Layout(OpenPoseCoco, ()),  # pose_iter_440000.caffemodel
    "openpose_body25": Layout(OpenPoseBody25, ()),  # pose_iter_584000.caffemodel
}
