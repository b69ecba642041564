"""Links: one person keeps one number across the clips of a video."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.tracking.link import Linker, in_core, link
from muybridge.tracking.track import Tracker

RATE = 25.0
STREET = 640, 480  # pixels of both real scenes
AFTER = 4  # frames after the core that a clip sees as well


def clip(frame, box, first, last, picture=None):
    """Track the rows whose frames lie in a clip's core and just after it, on their own."""
    here = (frame >= first) & (frame < last + AFTER)
    frame, box = frame[here], box[here]
    tracker, ids = Tracker(picture=picture), np.empty(len(frame), np.int32)
    for number in np.unique(frame):
        at = frame == number
        ids[at] = tracker.update(number / RATE, box[at])
    return frame, frame / RATE, ids, box, np.array([first, last])


def cut(frame, box, length, picture=None):
    return [
        clip(frame, box, at, at + length, picture) for at in range(0, int(frame.max()) + 1, length)
    ]


def linked(clips, picture=None):
    """The numbers of all core rows, in order of frames."""
    return np.concatenate(
        [ids[in_core(c[0], c[4])] for ids, c in zip(link(clips, picture), clips, strict=True)]
    )


def walk(frames, start, speed=2.0):
    """One person's rows: frames (P,) and boxes (P, 4) of somebody who walks to the right."""
    frames = np.asarray(frames, np.int64)
    left = start + speed * frames
    return frames, np.stack([left, 0 * left, left + 40, 0 * left + 100], axis=1)


def scene(*people):
    frame = np.concatenate([f for f, _ in people])
    box = np.concatenate([b for _, b in people])
    order = np.argsort(frame, kind="stable")
    return frame[order], box[order]


def test_a_video_without_people_has_no_numbers():
    nothing = walk([], 0)
    assert linked([clip(*nothing, 0, 10), clip(*nothing, 10, 20)]).tolist() == []


def test_one_who_stays_keeps_one_number():
    assert linked(cut(*walk(range(60), 0), 20)).tolist() == [0] * 60


def test_people_are_numbered_in_order_of_appearance_over_all_clips():
    frame, box = scene(walk(range(60), 0), walk(range(30, 60), 500), walk(range(5, 60), 900))
    ids = linked(cut(frame, box, 20))
    assert [ids[box[:, 0] - 2 * frame == left].tolist()[0] for left in (0, 900, 500)] == [0, 1, 2]
    assert len(set(ids.tolist())) == 3


def test_one_who_is_hidden_at_the_cut_keeps_the_number():
    seen = [*range(15), *range(27, 40)]  # hidden from before the cut at 20 until after the overlap
    assert set(linked(cut(*walk(seen, 0), 20)).tolist()) == {0}


def test_one_who_comes_back_after_two_seconds_is_somebody_new():
    seen = [*range(10), *range(70, 80)]
    assert sorted(set(linked(cut(*walk(seen, 0), 20)).tolist())) == [0, 1]


def test_one_who_appears_only_after_the_core_belongs_to_the_next_clip():
    first, second = cut(*walk(range(21, 40), 0), 20)
    linker = Linker()
    assert linker.next(*first).tolist() == [-1, -1, -1]  # frames 21 to 23
    assert linker.next(*second).tolist() == [0] * 19


def test_two_clips_that_number_the_same_people_otherwise_are_put_right():
    frame, box = scene(walk(range(40), 0), walk(range(40), 600))
    first, second = cut(frame, box, 20)
    turned = (*second[:2], 1 - second[2], *second[3:])
    assert linked([first, turned]).tolist() == [0, 1] * 40


def test_a_gap_of_a_whole_clip_of_four_seconds_makes_somebody_new():
    first, _, third = cut(*walk(range(300), 0), 100)
    assert sorted(set(linked([first, third]).tolist())) == [0, 1]


def test_one_who_lasted_and_was_occluded_over_the_cut_for_two_seconds_keeps_the_number():
    seen = [*range(40), *range(90, 120)]
    assert set(linked(cut(*walk(seen, 0), 60)).tolist()) == {0}


def dressed(given, colours):
    """Give a clip's rows the appearance (D,) of whom they show: by the box's top."""
    looks = np.stack([colours[int(top)] for top in given[3][:, 1]])
    return (*given, looks)


def test_appearance_says_who_is_who_of_two_who_were_occluded_over_the_cut():
    """They meet, hide each other from 1.4 to 2.6 s, and turn back: motion would have them pass."""
    frames = np.array([*range(35), *range(65, 100)])
    turned = np.minimum(frames, 100 - frames)
    left, right = (walk(frames, 0)[0], walk(turned, 0)[1]), (frames, walk(turned, 200, -2.0)[1])
    right[1][:, [1, 3]] += 1.0  # the top tells who it is
    clips = cut(*scene(left, right), 50)
    colours = {0: np.full(15, 30.0), 1: np.full(15, 60.0)}
    ids = linked([dressed(one, colours) for one in clips])
    top = np.concatenate([one[3][in_core(one[0], one[4]), 1] for one in clips])
    assert [set(ids[top == at].tolist()) for at in (0, 1)] == [{0}, {1}]


@pytest.mark.parametrize("length", [10, 25, 60])
def test_a_street_cut_into_clips_has_the_same_numbers_as_in_one_go(street, length):
    frame, box = street.frame, street.box
    whole = clip(frame, box, 0, int(frame.max()) + 1, STREET)
    ids = linked(cut(frame, box, length, STREET), STREET)
    pairs = set(zip(ids.tolist(), whole[2].tolist(), strict=True))
    assert len(pairs) == len(set(ids.tolist())) == len(set(whole[2].tolist()))
