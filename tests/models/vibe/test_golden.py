"""VIBE gives the authors' numbers, seam by seam, from the crops on."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from muybridge.evaluate import poses
from muybridge.geometry.rotations import (
    axis_angle_from_matrix,
    matrix_from_axis_angle,
    matrix_from_six,
)
from muybridge.geometry.smpl import FROM17, h36m
from muybridge.models.vibe import postprocess, preprocess, smoothing, tracks
from muybridge.models.vibe.model import CAMERA, POSE, SHAPE, Bodies, Vibe
from muybridge.models.vibe.predict import Predictor

from .conftest import CHECKS

pytestmark = pytest.mark.golden

HALF = (0.5, 0.5, 0, 0)  # the authors count pixels from the first one's centre
HIPS = (2, 3)  # of the 14 joints that are measured


@pytest.fixture(scope="module", autouse=True)
def _without_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def pack(vibe_pack):
    return vibe_pack


@pytest.fixture(scope="module")
def seen(pack, hmr, generator):
    """Everything between the crops and the bodies, of all frames in one sequence."""
    crops = preprocess.normalised(torch.from_numpy(pack.outputs["crop_uint8"]))
    features = torch.cat([hmr.backbone(part) for part in crops.split(5)])
    gru, _ = generator.encoder.gru(features)
    encoded, _ = generator.encoder(features)
    return SimpleNamespace(
        first=crops[:2],
        features=features,
        gru=gru,
        encoded=encoded,
        rounds=generator.regressor.rounds(encoded),
        bodies=generator.regressor(encoded),
    )


@pytest.fixture(scope="module")
def posed(body, seen):
    return body(seen.bodies.betas, seen.bodies.rotations)


@pytest.fixture(scope="module")
def points(joints, seen):
    return joints(seen.bodies.betas, seen.bodies.rotations)


def rows(key):
    """The frames that a key's name says."""
    return [int(number) for number in key.split("frames_")[1].split("_")]


def same_theta(ours, theirs):
    """Ours with the axis-angles of theirs where both turn alike, for at pi signs may differ."""
    ours, theirs = ours.clone(), torch.as_tensor(theirs)
    angles = slice(3, 75)
    mine, other = (matrices(theta[..., angles]) for theta in (ours, theirs))
    if (mine - other).abs().max() < 1e-4:
        ours[..., angles] = theirs[..., angles]
    return ours


def matrices(angles):
    return matrix_from_axis_angle(angles.unflatten(-1, (-1, 3)))


def test_every_key_of_the_pack_belongs_to_one_check_and_every_check_to_one_test(pack):
    keys = Counter(key for _, *own in CHECKS.values() for key in own)
    assert keys == Counter(list(pack.outputs))
    called = re.findall(r'pack\.check\(\s*"([^"]+)"', Path(__file__).read_text())
    assert Counter(called) == Counter(list(CHECKS))


def test_boxes_become_the_authors_matrices(pack):
    boxes = pack.inputs["bboxes"] + HALF
    pack.check("matrices", {"crop_matrix": preprocess.matrices(boxes)})


def test_people_are_cut_out_nearly_as_by_the_authors(pack):
    frames, boxes = pack.inputs["frames"], pack.inputs["bboxes"] + HALF
    crops = preprocess.crops(frames, range(len(frames)), boxes)
    pack.check("crops", {"crop_uint8": crops})
    off = np.abs(crops.astype(int) - pack.outputs["crop_uint8"]).mean((1, 2, 3))
    assert off.max() < 0.005  # a sampler that does not round positions as theirs is 0.027 off


def test_the_backbone_gives_the_authors_features(pack, seen, hmr):
    net = hmr.backbone
    x = net.maxpool(net.relu(net.bn1(net.conv1(seen.first))))
    ours = {"stem_mean": x.mean((2, 3)), "features": seen.features}
    for name in ("layer1", "layer2", "layer3", "layer4"):
        x = getattr(net, name)(x)
        ours[f"{name}_mean"] = x.mean((2, 3))
    pack.check("backbone", ours)


def test_the_encoder_gives_the_authors_features(pack, seen):
    pack.check("encoder", {"gru_out": seen.gru, "encoder_out": seen.encoded})


def test_the_regressor_gives_the_authors_bodies(pack, seen):
    in_their_order = []
    for body in seen.rounds:
        pose, shape, camera = torch.split(body, [POSE, SHAPE, CAMERA], -1)
        in_their_order.append(torch.cat([camera, pose, shape], -1))
    pack.check(
        "regressor",
        {
            "regressor_iterations": torch.stack(in_their_order),
            "rotmat": seen.bodies.rotations,
            "theta": same_theta(seen.bodies.theta, pack.outputs["theta"]),
        },
    )


def test_windows_apart_and_sequences_side_by_side_give_the_authors_bodies(
    pack, seen, hmr, generator
):
    size = pack.manifest["constants"]["chunks_vibe_batch_size"]
    predictor = Predictor(Vibe(hmr.backbone, generator))
    features = torch.from_numpy(pack.outputs["features"])
    apart, _ = predictor.bodies(features, window=size, parity=True)
    shape = pack.outputs["theta_two_sequences"].shape
    two, _ = generator(features.view(*shape[:2], -1))
    ours = {"theta_chunks_16_4": apart.theta, "theta_two_sequences": two.theta}
    pack.check(
        "windows of the encoder",
        {key: same_theta(theta, pack.outputs[key]) for key, theta in ours.items()},
    )


def test_bodies_are_the_authors(pack, posed, points):
    key = "verts_frames_0_7_13_19"
    pack.check("body", {"kp_3d": points, key: posed.vertices[rows(key)]})


def test_joints_for_measuring_are_the_authors(pack, seen, posed):
    found = h36m(posed.vertices, pack.matrix("J_regressor_h36m", 17))[:, FROM17]
    flat = postprocess.projected(found, seen.bodies.camera)
    pack.check("evaluated joints", {"kp_3d_h36m14": found, "kp_2d_h36m14": flat})


def test_joints_in_the_crop_are_the_authors(pack, seen, points):
    flat = postprocess.projected(points, seen.bodies.camera)
    pack.check("projection", {"kp_2d": flat})


def test_a_single_picture_gives_the_authors_body(pack, seen, hmr, joints):
    found = hmr.regressor(seen.features[: len(pack.outputs["spin_theta"])])
    in_space = joints(found.betas, found.rotations)
    pack.check(
        "hmr",
        {
            "spin_theta": same_theta(found.theta, pack.outputs["spin_theta"]),
            "spin_rotmat": found.rotations,
            "spin_kp_3d": in_space,
            "spin_kp_2d": postprocess.projected(in_space, found.camera),
        },
    )


def test_cameras_for_the_picture_are_the_authors_under_parity(pack):
    height, width = pack.manifest["constants"]["image_hw"]
    camera, boxes = pack.wanted("theta")[:, :3], pack.given("bboxes")
    found = postprocess.picture_camera(camera, boxes, (width, height), parity=True)
    pack.check("camera", {"orig_cam": found})


def test_joints_in_the_picture_are_the_authors_under_parity(pack):
    found = postprocess.crop_to_picture(pack.wanted("kp_2d"), pack.given("bboxes"), parity=True)
    pack.check("pixels", {"joints2d_img_coord": found})


def test_smoothed_axis_angles_give_the_authors_bodies(pack, joints, body):
    theta = pack.wanted("theta")
    betas = theta[:, 75:]
    constants = pack.manifest["constants"]
    usual = constants["smooth_min_cutoff"], constants["smooth_beta"]
    angles = smoothing.one_euro(theta[:, 3:75], *usual)
    rotations = matrices(angles)
    key = "smooth_verts_frames_7_19"
    pack.check(
        "smoothing",
        {
            "smooth_pose": angles,
            "smooth_pose_cutoff0p04_beta1p5": smoothing.one_euro(theta[:, 3:75], 0.04, 1.5),
            "smooth_joints3d": joints(betas, rotations),
            key: body(betas, rotations).vertices[rows(key)],
        },
    )
    assert usual == (smoothing.CUTOFF, smoothing.SLOPE)


def test_rotations_are_the_authors(pack):
    given = pack.given("axis_angle")
    there = matrix_from_axis_angle(given)
    back = axis_angle_from_matrix(pack.wanted("axis_angle_rotmat"))
    same = matrix_from_axis_angle(back) - matrix_from_axis_angle(pack.wanted("axis_angle_back"))
    assert same.abs().max() < 1e-5
    far = given.norm(dim=1) < 3.1  # nearer to pi an axis and its opposite mean nearly the same
    pack.check(
        "rotations",
        {
            "rot6d_rotmat": matrix_from_six(pack.given("rot6d")),
            "axis_angle_rotmat": there,
            "axis_angle_back": torch.where(far[:, None], back, pack.wanted("axis_angle_back")),
        },
    )
    assert far.sum() > 30


def test_tracks_of_joints_give_the_authors_boxes(pack):
    threshold = pack.manifest["constants"]["vis_thresh"]
    track = tracks.located(pack.inputs["kp_track"].astype(np.float64), threshold)
    before = np.zeros((track.start, 3))
    pack.check(
        "boxes",
        {
            "bbox_params": track.places,
            "bbox_start_end": (track.start, track.stop),
            "bbox_demo": track.boxes,
            "bbox_params_smooth_sigma8": np.concatenate(
                [before, tracks.steadied(track, 8, parity=True)]
            ),
        },
    )


def test_videos_are_cut_into_the_authors_windows(pack):
    names = pack.inputs["vid_names"]
    pack.check(
        "training windows",
        {f"chunks_16_stride{stride}": tracks.windows(names, 16, stride) for stride in (16, 4)},
    )


def test_joints_are_measured_as_by_the_authors(pack):
    found, true = (
        poses.rooted(pack.inputs[f"metric_{name}14"].astype(np.float64), HIPS)
        for name in ("pred", "gt")
    )
    pack.check(
        "metrics",
        {
            "metric_mpjpe_per_frame": poses.mpjpe(found, true),
            "metric_pa_mpjpe_per_frame": poses.pa_mpjpe(found, true),
            "metric_accel": poses.acceleration(found),
            "metric_accel_err": poses.acceleration_error(found, true),
        },
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_product_finds_the_authors_bodies(pack, hmr, generator, joints, precision):
    """Folded and fused, from crops to joints: within 0.02 mm, and within 5 mm in bfloat16."""
    predictor = Predictor(Vibe(hmr.backbone, generator), precision)
    found, _ = predictor.bodies(predictor.features(pack.outputs["crop_uint8"]))
    assert isinstance(found, Bodies)
    off = poses.mpjpe(
        joints(found.betas, found.rotations).numpy(), pack.outputs["kp_3d"].astype(np.float64)
    )
    assert off.mean() < {"float32": 2e-5, "bfloat16": 5e-3}[precision]
    if precision == "bfloat16":
        assert off.mean() > 1e-5  # it is another precision indeed
