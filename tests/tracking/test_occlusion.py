"""Tracks survive occlusion: composed scenes of which it is known who is who."""

from __future__ import annotations

import pytest

from muybridge.tracking.track import Tracker

from .composed import SCENES, Scene, compose, walk


def track(scene: Scene, looks: bool = True) -> dict[int, set[int]]:
    """Track a scene, and give the numbers that each person had."""
    tracker, had = Tracker(), dict[int, set[int]]()
    for time, boxes, who, look in zip(
        scene.times, scene.boxes, scene.who, scene.looks, strict=True
    ):
        ids = tracker.update(float(time), boxes, appearance=look if looks else None)
        for person, id in zip(who.tolist(), ids.tolist(), strict=True):
            had.setdefault(person, set()).add(id)
    return had


def all_apart(had: dict[int, set[int]]) -> bool:
    """Say whether everybody had one number of their own all the time."""
    return len(set.union(*had.values())) == len(had) and all(len(ids) == 1 for ids in had.values())


@pytest.mark.parametrize("length", [40.0, 120.0, 600.0])
@pytest.mark.parametrize("rate", [8.0, 30.0])
@pytest.mark.parametrize("name", SCENES)
def test_with_their_appearance_people_who_hide_each_other_are_kept_apart(name, rate, length):
    for seed in range(2):
        assert all_apart(track(compose(*SCENES[name], rate, length, seed))), seed


@pytest.mark.parametrize("rate", [8.0, 30.0])
def test_two_who_cross_at_speed_are_kept_apart_by_motion_alone(rate):
    for seed in range(5):
        scene = compose([walk(0, 1.6), walk(4.8, -1.6)], [1.0, 0.9], 3, rate, seed=seed)
        assert all_apart(track(scene, looks=False)), seed
