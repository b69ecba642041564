"""Drawing is a pure function from a picture and people to a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from muybridge.geometry.skeletons import COCO17
from muybridge.render.draw import CERTAINTY, TRACKS, Person, draw, line_width
from muybridge.render.rows import seen
from muybridge.store.tables import table

NO_JOINTS = np.zeros((0, 3))


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def boxed(track: int, *box: float) -> Person:
    return Person(track, np.array(box), NO_JOINTS)


def standing(score: float) -> Person:
    """Somebody whose left arm goes down at x = 60 and right arm at x = 40, from y = 20 to 80."""
    joints = np.zeros((17, 3))
    for x, side in ((60, "left"), (40, "right")):
        for y, joint in ((20, "shoulder"), (50, "elbow"), (80, "wrist")):
            joints[COCO17.joints.index(f"{side}_{joint}")] = x, y, score
    return Person(0, np.array((5.0, 5.0, 95.0, 95.0)), joints, COCO17)


def test_nobody_and_no_caption_leave_the_picture_as_it_is():
    assert (draw(grey(48, 64), [], "") == 128).all()


def test_the_picture_given_is_not_drawn_on():
    picture = grey(48, 64)
    draw(picture, [boxed(1, 10, 10, 40, 40)], "0:00.000")
    assert (picture == 128).all()


@pytest.mark.parametrize("size", [(48, 64), (49, 63), (1080, 607)])
def test_the_size_stays(size):
    assert draw(grey(*size), [boxed(1, 10, 10, 40, 40)], "0:00.000").shape == (*size, 3)


def test_a_box_has_its_tracks_colour_on_the_edge_and_the_picture_inside_and_outside():
    picture = draw(grey(400, 400), [boxed(1, 100, 100, 300, 300)], "")
    assert np.abs(picture[200, 100].astype(int) - TRACKS[1]).max() <= 2
    assert np.abs(picture[300, 200].astype(int) - TRACKS[1]).max() <= 2
    assert (picture[110:290, 110:290] == 128).all()
    assert (picture[:70] == 128).all()
    assert (picture[310:] == 128).all()


def test_a_track_keeps_its_colour_and_neighbours_have_others():
    def edge(track: int) -> tuple[int, ...]:
        drawn = draw(grey(400, 400), [boxed(track, 100, 100, 300, 300)], "")
        return tuple(drawn[200, 100].tolist())

    assert edge(3) == edge(3)
    assert len({edge(track) for track in range(len(TRACKS))}) == len(TRACKS)
    assert edge(3) == edge(3 + len(TRACKS))


def test_the_label_stands_above_the_box_or_inside_where_there_is_no_room():
    above = draw(grey(400, 400), [boxed(1, 100, 100, 300, 300)], "")
    assert (above[85:95, 102:110] != 128).any()
    inside = draw(grey(400, 400), [boxed(1, 100, 0, 300, 300)], "")
    assert (inside[4:10, 104:110] != 128).any()


def test_left_limbs_are_lighter_than_right_ones():
    picture = draw(grey(100, 100), [standing(0.9)], "").astype(int)
    assert picture[35, 60].sum() > picture[35, 40].sum() + 60


def test_joints_fade_with_their_score():
    strong, weak, none = (
        np.abs(draw(grey(100, 100), [standing(score)], "").astype(int)[20:80, 35:65] - 128).sum()
        for score in (0.9, 0.5, 0.1)
    )
    assert strong > weak > none == 0


def test_scores_that_are_heights_of_peaks_are_drawn_from_lower_on():
    faint, heights = standing(0.25), replace(standing(0.25), certainty=(0.05, 0.4))
    nobody = replace(faint, skeleton=None)
    without, left_out, drawn = (draw(grey(200, 200), [p], "") for p in (nobody, faint, heights))
    assert np.array_equal(left_out, without)
    assert not np.array_equal(drawn, without)


def test_rows_of_openpose_are_drawn_as_heights_of_peaks():
    said = {"video_id": "v", "frame": 0, "time_s": 0.0, "track_id": 0}
    joints = {"x": [1.0] * 18, "y": [1.0] * 18, "score": [0.2] * 18}
    keypoints = [{**said, "system": "openpose", "skeleton": "coco18", **joints}]
    people = table("people", [{**said, "left": 0, "top": 0, "right": 9, "bottom": 9}])
    video = {"video_id": "v", "frames": 1, "frames_analysed": 1}
    person = seen(video, people, table("keypoints", keypoints)).at(0, 0.0)[1][0]
    assert person.certainty[0] < 0.2 < person.certainty[1]
    assert seen(video, people, table("keypoints", [])).at(0, 0.0)[1][0].certainty == CERTAINTY


@pytest.mark.parametrize(
    "box", [(-50, -50, 500, 500), (90, 90, 130, 130), (200, 200, 300, 300), (10, 10, 10, 10)]
)
def test_boxes_may_reach_past_the_picture(box):
    assert draw(grey(100, 100), [boxed(2, *box)], "").shape == (100, 100, 3)


def test_joints_far_outside_cost_nothing_and_do_no_harm():
    person = standing(0.9)
    far = person.joints + np.array((1e5, 0, 0))
    drawn = draw(grey(100, 100), [Person(0, person.box, far, COCO17)], "")
    assert (drawn[20:80, 35:65] == 128).all()


def test_a_hundred_people_are_drawn():
    crowd = [boxed(i, 10 * (i % 10), 10 * (i // 10), 10 * (i % 10) + 8, 99) for i in range(100)]
    assert (draw(grey(100, 100), crowd, "") != 128).any()


def test_lines_grow_with_the_picture_and_are_finer_on_small_people():
    assert line_width(2160) > line_width(720) > line_width(120)
    assert line_width(2160, 100) < line_width(2160, 2000)


def test_the_caption_stands_at_the_lower_left():
    picture = draw(grey(200, 300), [], "0:03.480   frame 87")
    assert (picture[170:195, 10:100] != 128).any()
    assert (picture[:150] == 128).all()
    assert (picture[:, 250:] == 128).all()
