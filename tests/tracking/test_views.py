"""People are told apart across cameras and from frame to frame, whoever is overlooked."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from muybridge.geometry.cameras import projected
from muybridge.tracking.views import MEMORY, Matcher, _packed
from muybridge.video.calibration import read

from .scenes import cameras, changes, detected, motions, pairs, people

CAMERAS = cameras(4, np.random.default_rng(0))


@pytest.fixture(scope="module")
def body(data):
    """A man who stands at the origin (20, 3)."""
    return motions(data)[0][0]


def shown(*bodies, views=(0, 1, 2, 3)):
    """See bodies exactly, in the views named and in no other."""
    seen = []
    for view, camera in enumerate(CAMERAS):
        pixels = projected([camera], np.reshape(bodies, (-1, 20, 3)))[..., 0, :]
        joints = np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1)
        seen.append(joints if view in views else joints[:0])
    return seen


def told(ids):
    return [each.tolist() for each in ids]


def test_nobody_is_nobody():
    nobody = [np.zeros((0, 20, 3))] * 4
    assert told(Matcher(CAMERAS).update(0.0, nobody)) == [[]] * 4


def test_one_person_is_one_in_all_views(body):
    assert told(Matcher(CAMERAS).update(0.0, shown(body))) == [[0]] * 4


def test_people_are_told_apart_in_whatever_order_they_are_seen(body):
    """Three stand so close that one's hand is where another's might be."""
    three = [body + np.array([0, y, 0]) for y in (-0.7, 0, 0.7)]
    orders = list(permutations(range(3)))[1:5]
    seen = [view[list(order)] for view, order in zip(shown(*three), orders, strict=True)]
    ids = Matcher(CAMERAS).update(0.0, seen)
    names = {tuple(ids[v][orders[v].index(one)] for v in range(4)) for one in range(3)}
    assert names == {(0,) * 4, (1,) * 4, (2,) * 4}


def test_who_is_seen_by_one_view_only_is_nobody_until_known(body):
    matcher = Matcher(CAMERAS)
    assert told(matcher.update(0.0, shown(body, views=(1,)))) == [[], [-1], [], []]
    assert told(matcher.update(0.1, shown(body, views=(1, 2)))) == [[], [0], [0], []]
    assert told(matcher.update(0.2, shown(body, views=(3,)))) == [[], [], [], [0]]


def test_a_detection_that_is_elsewhere_is_left_alone(body):
    seen = shown(body)
    seen[2] = np.concatenate([shown(body + np.array([2, 1, 0]))[2], seen[2]])
    assert told(Matcher(CAMERAS).update(0.0, seen)) == [[0], [0], [-1, 0], [0]]


def test_rays_that_meet_in_a_body_of_no_human_size_are_no_person(body):
    assert told(Matcher(CAMERAS).update(0.0, shown(0.1 * body))) == [[-1]] * 4
    assert told(Matcher(CAMERAS).update(0.0, shown(3 * body))) == [[-1]] * 4


def test_two_views_from_nearly_one_place_do_not_make_a_person(body):
    """From 2° apart it is not told how far off somebody is; a third view tells."""
    from_middle = Rotation.from_rotvec([0, 0, np.radians(2)]).as_matrix()
    beside = replace(CAMERAS[0], rotation=CAMERAS[0].rotation @ from_middle)
    near = [CAMERAS[0], beside, CAMERAS[1]]
    seen = [np.insert(projected([camera], body[None])[..., 0, :], 2, 1, -1) for camera in near]
    assert told(Matcher(near).update(0.0, [*seen[:2], seen[2][:0]])) == [[-1], [-1], []]
    assert told(Matcher(near).update(0.0, seen)) == [[0]] * 3


def test_rays_that_would_meet_behind_the_cameras_are_no_person(body):
    """The cameras are turned about, and see where their rays' other ends would meet in a body."""
    turned, seen = [], []
    for camera in CAMERAS:
        rotation = np.diag([-1.0, 1, -1]) @ camera.rotation
        turned.append(replace(camera, rotation=rotation, translation=-rotation @ camera.place))
        mirrored = 2 * camera.place - body[None]
        seen.append(np.insert(projected([turned[-1]], mirrored)[..., 0, :], 2, 1, -1))
    assert np.isfinite(seen).all()
    assert told(Matcher(turned).update(0.0, seen)) == [[-1]] * 4


def test_joints_without_a_score_do_not_count(body):
    seen = shown(body)
    for view, at in enumerate((0, 5, 10, 15)):
        seen[view][:, at : at + 5] = 0
    assert told(Matcher(CAMERAS).update(0.0, seen)) == [[0]] * 4
    seen[0][:, :17] = 0
    assert told(Matcher(CAMERAS).update(0.0, seen)) == [[-1], [0], [0], [0]]


def test_who_walks_on_unseen_is_known_again_for_a_while(body):
    """At 4 m/s, away for 0.6 s; and for longer than is remembered."""
    matcher, step = Matcher(CAMERAS), np.array([4.0, 0, 0])
    for time in np.arange(10) / 10:
        ids = matcher.update(time, shown(body + step * (time - 1)))
    assert told(ids) == [[0]] * 4
    assert told(matcher.update(1.5, shown(body + step * 0.5))) == [[0]] * 4
    assert told(matcher.update(1.6 + MEMORY, shown(body))) == [[1]] * 4


def test_the_choice_explains_most_together_not_first():
    """The best set of all would take one from each of two others that explain more together."""
    members = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], bool)
    worth = np.array([[1.0, -1], [1.5, -1], [1.0, -1]])
    assert _packed(members, worth) == [(0, 0), (2, 0)]
    # and nobody known is given twice
    assert _packed(members[[0, 2]], np.array([[0.1, 1], [0.2, 1.05]])) == [(0, 1), (1, 0)]


@pytest.mark.parametrize(("count", "views"), [(1, 4), (2, 3), (4, 4), (6, 3), (6, 5)])
def test_people_who_move_are_told_apart_as_detectors_see_them(data, count, views):
    """With noise, misses, people hidden by others and people who are not there."""
    random = np.random.default_rng(100 * count + views)
    stand = cameras(views, random)
    scene = detected(people(count, 30, motions(data), random), stand, random)
    matcher = Matcher(stand)
    found = [matcher.update(frame / 30, seen) for frame, seen in enumerate(scene.seen)]
    for ids in found:
        assert all(len(set(view[view >= 0])) == (view >= 0).sum() for view in ids)
    matched, same, both = np.sum([pairs(*each) for each in zip(found, scene.who, strict=True)], 0)
    assert both / matched >= 0.97
    assert both / same >= 0.97
    assert changes(found, scene.who) <= 1


def test_the_man_of_the_real_footage_is_one_in_all_views_and_frames(data):
    """Another stands behind in two of them; Pose2Sim's own choice says who is who."""
    folder = data / "pose2sim_balancing"
    matcher = Matcher(read(folder / "calibration"))
    his, others = [], []
    for frame in range(100):
        seen, chosen = (
            [_people(folder / part / f"cam0{view}", frame) for view in (1, 2, 3, 4)]
            for part in ("openpose_json", "openpose_json_associated")
        )
        ids = matcher.update(frame / 60, [view + np.array([0.5, 0.5, 0]) for view in seen])
        for joints, right, each in zip(seen, chosen, ids, strict=True):
            mine = [len(right) and bool((one == right[0]).all()) for one in joints]
            his += each[np.array(mine, bool)].tolist()
            others += each[~np.array(mine, bool)].tolist()
    assert len(his) == 399
    assert len(set(his)) == 1
    assert len(others) == 202
    assert others.count(his[0]) <= 1


def _people(folder, frame):
    file = sorted(folder.iterdir())[frame]
    points = [p.get("pose_keypoints_2d", ()) for p in json.loads(file.read_text())["people"]]
    return np.array([p for p in points if p], float).reshape(-1, 25, 3)
