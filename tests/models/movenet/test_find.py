"""Who counts as a person, and who is the same as somebody else."""

import numpy as np
import pytest

from muybridge.models.movenet import find
from muybridge.models.movenet.find import Limits
from muybridge.models.movenet.postprocess import NOBODY, People, concatenate, person_score

LIMITS = Limits()


def person(left: float = 0, top: float = 0, size: float = 100, score: float = 0.8) -> People:
    """Somebody whose joints stand in a column of two, all as sure as ``score``."""
    joints = np.zeros((1, 17, 3), np.float32)
    joints[0, :, 0] = left + size * (0.3 + 0.4 * (np.arange(17) % 2))
    joints[0, :, 1] = top + size * np.linspace(0.05, 0.95, 17)
    joints[0, :, 2] = score
    box = np.array([[left, top, left + size, top + size]], np.float32)
    return People(box, joints, np.array([score], np.float32))


def test_two_networks_that_see_the_same_joints_are_evidence_and_one_alone_is_not():
    one = person()
    assert find.evidence(one, one.joints) == pytest.approx(0.8)
    elsewhere = one.joints + np.array([60, 0, 0], np.float32)
    assert find.evidence(one, elsewhere)[0] < 0.1
    unsure = one.joints * np.array([1, 1, 0.05], np.float32)
    assert find.evidence(one, unsure)[0] < 0.2
    assert find.evidence(NOBODY, NOBODY.joints).shape == (0,)


def test_who_is_half_outside_the_picture_is_judged_by_what_is_inside():
    one = person()
    half = one.joints.copy()
    half[0, 6:, 2] = 0.02  # below the edge
    assert find.evidence(one, half) == pytest.approx(0.8)


def test_more_is_asked_of_who_is_shown_by_one_tile_alone():
    centre, evidence = np.full(2, 0.5), np.full(2, 0.36)
    assert find.is_new(centre, evidence, np.array([True, False]), LIMITS).tolist() == [True, False]
    assert find.is_new(centre, evidence + 0.1, np.zeros(2, bool), LIMITS).tolist() == [True] * 2
    assert not find.is_new(np.array([0.1]), np.array([0.9]), np.ones(1, bool), LIMITS)[0]


def test_the_best_of_two_detections_of_one_person_is_kept_and_counted():
    people = concatenate([person(score=0.5), person(2, 1, score=0.9), person(300)])
    kept, votes = find.suppress(people, np.array([0, 2, 2]), LIMITS)
    assert sorted(zip(kept.tolist(), votes.tolist(), strict=True)) == [(1, 2), (2, 1)]
    assert len(find.suppress(NOBODY, np.zeros(0, np.int64), LIMITS)[0]) == 0


def test_two_whom_one_look_tells_apart_stay_two_unless_all_their_joints_agree():
    near = concatenate([person(), person(12)])
    assert find.similarity(*[near[[row]] for row in (0, 1)])[0, 0] > LIMITS.same_joints
    assert len(find.suppress(near, np.array([0, 0]), LIMITS)[0]) == 2
    assert len(find.suppress(near, np.array([0, 1]), LIMITS)[0]) == 1
    same = concatenate([person(), person(1)])
    assert len(find.suppress(same, np.array([0, 0]), LIMITS)[0]) == 1


def test_a_body_made_of_the_joints_of_others_is_no_person():
    one, other, third = person(0), person(100), person(200)
    joints = np.concatenate([one.joints[:, :9], other.joints[:, 9:]], axis=1)
    joints[..., 2] = 0.5
    across = People(np.array([[0, 0, 200, 100]], np.float32), joints, np.float32([0.5]))
    people = concatenate([one, other, third, across])
    assert find.borrowed(people).tolist() == [False, False, False, True]
    assert find.borrowed(people[:3]).tolist() == [False] * 3


def test_a_person_scores_the_mean_of_the_joints_that_count():
    one = person()
    one.joints[0, 5:, 2] = 0.1
    assert person_score(one.joints) == pytest.approx(0.8)
    one.joints[..., 2] = 0.1
    assert person_score(one.joints).tolist() == [0.0]


class Blind:
    """Networks that find nobody and read everything in the middle of the square."""

    side = 192

    def find(self, pictures, threshold):
        return [NOBODY for _ in pictures]

    def read(self, crops, guides):
        both = np.full((len(crops), 2, 17, 3), 96, np.float32)
        both[:, 1, :, :2] = guides
        both[..., 2] = 0.7
        return both


def test_where_the_pose_model_reads_somebody_else_the_joints_found_lead_it():
    one, picture = person(100, 100), np.zeros((400, 400, 3), np.uint8)
    (read, none) = find.read(Blind(), [picture, picture], [one, NOBODY], LIMITS)
    assert read[0, :, :2] == pytest.approx(one.joints[0, :, :2], abs=1e-3)
    assert none.shape == (0, 17, 3)


def test_nobody_is_found_closely_where_nobody_is():
    picture = np.zeros((400, 400, 3), np.uint8)
    assert len(find.find_close(Blind(), picture, person().box, LIMITS)) == 0
    assert len(find.find_close(Blind(), picture, NOBODY.box, LIMITS)) == 0
    squares = np.array([[0, 0, 400, 400]], np.float32)
    assert len(find.find_in_tiles(Blind(), picture, squares, 0.3)) == 0
