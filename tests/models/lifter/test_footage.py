"""The lifter that ships, on real people whom it has never seen."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.evaluate.poses import acceleration, pa_mpjpe
from muybridge.models.lifter import predict
from muybridge.models.lifter.preprocess import SEEN, Track, gathered

from ...benchmarks.footage import BODY25B, CAMERAS, FPS, LIMBS, seen, triangulated


@pytest.fixture(scope="module")
def lifted(data) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Limbs' joints (T, 12, 3) from each camera's joints: as a track, and frame by frame."""
    network, folder = predict.load(), data / "pose2sim_balancing"
    made = {}
    for camera in CAMERAS:
        joints = gathered(seen(folder, camera), BODY25B, 0.2)
        times = np.arange(len(joints)) / FPS
        alone = [predict.lift(network, Track(times[:1], one[None])) for one in joints]
        whole = predict.lift(network, Track(times, joints))
        made[camera] = whole[:, LIMBS, :3], np.concatenate(alone)[:, LIMBS, :3]
    return made


def test_a_man_seen_by_one_camera_is_lifted_to_what_four_see(data, lifted):
    true = triangulated(data / "pose2sim_balancing")
    errors = {camera: pa_mpjpe(whole, true).mean() for camera, (whole, _) in lifted.items()}
    assert np.mean(list(errors.values())) < 0.07
    assert max(errors.values()) < 0.08


def test_feet_are_optional(data):
    """Without toes a man is lifted as well as with them: the default graph sees none."""
    network, folder = predict.load(), data / "pose2sim_balancing"
    errors = []
    for camera in CAMERAS:
        joints = gathered(seen(folder, camera), BODY25B, 0.2)
        joints[:, [number for number, name in enumerate(SEEN) if name.endswith("toe")]] = 0
        made = predict.lift(network, Track(np.arange(len(joints)) / FPS, joints))
        errors.append(pa_mpjpe(made[:, LIMBS, :3], triangulated(folder)).mean())
    assert np.mean(errors) < 0.07


def test_a_track_is_lifted_to_less_than_half_the_jitter_of_its_frames(lifted):
    shaken = [[acceleration(joints).mean() for joints in pair] for pair in lifted.values()]
    whole, alone = np.mean(shaken, 0)
    assert whole < 0.5 * alone
