"""Joints of every 2-D system are lifted, track by track."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.columns import check
from muybridge.geometry.skeletons import SKELETONS
from muybridge.stages.lift import COLUMN, SOURCES, lift


def clip(source: str, people: list[tuple[int, int]]) -> dict:
    """Make a clip of (frame, track) rows whose joints are drawn at random round their own place."""
    rng = np.random.default_rng(0)
    count = len(SKELETONS[SOURCES[source][0]].joints)
    joints = rng.uniform(0, 100, (len(people), count, 3)).astype(np.float32)
    joints[..., 2] = 0.9
    frame, track = np.array(people, np.int32).reshape(-1, 2).T
    times = np.arange(10) / 30
    return {"times": times, "person_frame": frame, "person_track": track, source: joints}


@pytest.mark.parametrize("source", SOURCES)
def test_every_system_is_lifted(source):
    given = clip(source, [(0, 0), (1, 0), (1, 1), (2, 1)])
    stage = lift(source)
    (made,) = stage.load()([given])
    check({**given, **made}, (COLUMN,))
    assert made[COLUMN].shape == (4, 18, 4)
    assert (made[COLUMN][:, 1:, :3] != 0).any(2).all()
    assert stage.missing() == ()
    assert stage.identity["sha256"]


def test_nobody_makes_an_empty_column():
    (made,) = lift("coco17_joints").load()([clip("coco17_joints", [])])
    assert made[COLUMN].shape == (0, 18, 4)
    assert made[COLUMN].dtype == np.float32


def test_a_person_is_lifted_as_if_alone():
    both = clip("body25_joints", [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)])
    run = lift("body25_joints").load()
    kept = both["person_track"] == 0
    alone = {
        "times": both["times"],
        **{k: both[k][kept] for k in ("person_frame", "person_track", "body25_joints")},
    }
    (one,), (other,) = run([both]), run([alone])
    assert np.allclose(one[COLUMN][kept], other[COLUMN], atol=1e-5)


def test_joints_that_are_not_sure_are_not_used():
    given = clip("coco17_joints", [(0, 0)])
    given["coco17_joints"][..., 2] = 0.2
    (made,) = lift("coco17_joints").load()([given])
    assert (made[COLUMN] == 0).all()
