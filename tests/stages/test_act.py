"""What people do is said track by track, for every row, and nobody at all is no trouble."""

from __future__ import annotations

import numpy as np

from muybridge.columns import check
from muybridge.models.action import predict
from muybridge.stages.act import JOINTS, WRITES, act


def clip(tracks: list[int], frames: int) -> dict:
    rows = [(frame, track) for frame in range(frames) for track in tracks]
    frame, track = np.array(rows, np.int32).reshape(-1, 2).T
    joints = np.random.default_rng(0).normal(0, 0.3, (len(rows), 18, 4)).astype(np.float32)
    joints[..., 3] = 0.9
    times = np.arange(frames) / 15
    return {"times": times, "person_frame": frame, "person_track": track, JOINTS: joints}


def test_every_row_gets_what_its_own_track_does():
    given = clip([3, 7], 45)
    stage = act()
    (made,) = stage.load()([given])
    check({**given, **made}, WRITES)
    scores = made[WRITES[0]]
    for track in (3, 7):
        mine = given["person_track"] == track
        found, spans = predict.classified(predict.load(), given["times"], given[JOINTS][mine])
        assert spans[0].tolist() == [0, 31]
        assert np.allclose(scores[mine][0], found[0], atol=1e-5)
        told = scores[mine].sum(1)
        assert np.allclose(told[: spans[-1, 1]], 1, atol=1e-4)
        assert (told[spans[-1, 1] :] == 0).all()
    assert stage.identity["sha256"]


def test_who_was_seen_for_a_moment_does_nothing():
    (made,) = act().load()([clip([1], 1)])
    assert (made[WRITES[0]] == 0).all()


def test_nobody_makes_an_empty_column():
    (made,) = act().load()([clip([], 5)])
    assert made[WRITES[0]].shape == (0, 5)
    assert made[WRITES[0]].dtype == np.float32
