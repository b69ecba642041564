"""Links: one person keeps one number across the clips of a video."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.tracking.link import Linker, in_core, link
from muybridge.tracking.track import Tracker

RATE = 25.0
AFTER = 4  # frames after the core that a clip sees as well


def clip(frame, box, first, last):
    """Track the rows whose frames lie in a clip's core and just after it, on their own."""
    here = (frame >= first) & (frame < last + AFTER)
    frame, box = frame[here], box[here]
    tracker, ids = Tracker(), np.empty(len(frame), np.int32)
    for number in np.unique(frame):
        at = frame == number
        ids[at] = tracker.update(number / RATE, box[at])
    return frame, frame / RATE, ids, box, np.array([first, last])


def cut(frame, box, length):
    return [clip(frame, box, at, at + length) for at in range(0, int(frame.max()) + 1, length)]


def linked(clips):
    """The numbers of all core rows, in order of frames."""
    return np.concatenate(
        [ids[in_core(c[0], c[4])] for ids, c in zip(link(clips), clips, strict=True)]
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
    seen = [*range(15), *range(70, 80)]
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


def test_a_gap_of_a_whole_clip_makes_somebody_new():
    first, _, third = cut(*walk(range(120), 0), 40)
    assert sorted(set(linked([first, third]).tolist())) == [0, 1]


@pytest.mark.parametrize("length", [10, 25, 60])
def test_a_street_cut_into_clips_has_the_same_numbers_as_in_one_go(street, length):
    frame, box = street.frame, street.box
    whole = clip(frame, box, 0, int(frame.max()) + 1)
    ids = linked(cut(frame, box, length))
    pairs = set(zip(ids.tolist(), whole[2].tolist(), strict=True))
    assert len(pairs) == len(set(ids.tolist())) == len(set(whole[2].tolist()))
