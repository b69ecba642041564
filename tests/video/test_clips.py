from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from muybridge.columns import GIVEN, check
from muybridge.errors import InputError
from muybridge.video.clips import Span, clips, cut, sample
from muybridge.video.probe import VideoIndex

MILLIS = Fraction(1, 1000)
NONE = np.empty(0, np.int64)


def index(pts: np.ndarray, keyframes: np.ndarray, time_base: Fraction = MILLIS) -> VideoIndex:
    return VideoIndex(
        source="a.mp4", stream=0, container="mp4", codec="h264", width=4, height=2, rotation=0,
        time_base=time_base, pts=pts, keyframes=keyframes, fps=10.0, has_audio=False,
        plain=False,
    )  # fmt: skip


def seconds(count: int, per_second: int = 10) -> np.ndarray:
    return np.arange(count) * (1000 // per_second)


def test_no_frames_make_no_clip():
    assert cut(NONE, NONE, MILLIS) == []
    assert clips(index(NONE, NONE), "a.mp4", "a", None) == []


def test_one_frame_makes_one_clip():
    assert cut(np.array([7]), np.array([0]), MILLIS) == [Span(0, 1, 0, 1)]


def test_a_video_of_twelve_seconds_is_one_clip():
    assert cut(seconds(121), np.arange(0, 121, 10), MILLIS) == [Span(0, 121, 0, 121)]


def test_cores_begin_at_the_key_frame_nearest_to_eight_seconds():
    spans = cut(seconds(300), np.array([0, 30, 70, 85, 140, 200, 250]), MILLIS)
    assert [span.core_start for span in spans] == [0, 85, 140, 200]


def test_without_key_frames_near_cores_are_eight_seconds():
    spans = cut(seconds(300), np.array([0]), MILLIS)
    assert [(span.core_start, span.core_stop) for span in spans] == [
        (0, 80), (80, 160), (160, 240), (240, 300),
    ]  # fmt: skip


def test_context_reaches_a_second_beyond_the_core_on_both_sides():
    spans = cut(seconds(300), np.array([0]), MILLIS)
    assert (spans[0].start, spans[0].stop) == (0, 90)
    assert (spans[1].start, spans[1].stop) == (70, 170)
    assert (spans[-1].start, spans[-1].stop) == (230, 300)


def test_a_long_pause_between_two_frames_does_not_make_empty_clips():
    spans = cut(np.array([0, 100, 10_000_000, 10_000_100]), np.array([0]), MILLIS)
    assert [(span.core_start, span.core_stop) for span in spans] == [(0, 2), (2, 4)]


@pytest.mark.parametrize("seed", range(40))
def test_cores_tile_any_video_exactly(seed: int):
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 3000))
    pts = random.integers(-1000, 1000) + np.cumsum(random.integers(1, 200, count))
    keys = np.unique(np.append(0, random.integers(0, count, random.integers(0, 50))))
    spans = cut(pts, keys, MILLIS)
    assert [s.core_start for s in spans] == [0, *(s.core_stop for s in spans[:-1])]
    assert spans[-1].core_stop == count
    for span in spans:
        assert 0 <= span.start <= span.core_start < span.core_stop <= span.stop <= count
        assert pts[span.core_stop - 1] - pts[span.core_start] <= 12_000
        assert pts[span.core_start] - pts[span.start] <= 1000
        assert pts[span.stop - 1] - pts[span.core_stop - 1] <= 1000
        assert span.start == 0 or pts[span.core_start] - pts[span.start - 1] > 1000


def nearest(pts: np.ndarray, time_base: Fraction, fps: Fraction) -> list[int]:
    """Choose frames the slow way: look at every frame for every wanted time."""
    times = [Fraction(int(p - pts[0])) * time_base for p in pts]
    wanted = [k / fps for k in range(int(times[-1] * fps) + 1)]
    return sorted({min(range(len(pts)), key=lambda i: abs(times[i] - t)) for t in wanted})


@pytest.mark.parametrize("seed", range(12))
def test_sampled_frames_are_the_nearest_to_each_wanted_time(seed: int):
    random = np.random.default_rng(seed)
    time_base = [MILLIS, Fraction(1, 90000), Fraction(1001, 30000)][seed % 3]
    pts = random.integers(0, 9999) + np.cumsum(random.integers(1, 100, random.integers(1, 40)))
    for fps in ("0.5", "1", "7.5", "29.97"):
        got = sample(pts, time_base, float(fps))
        assert got.tolist() == nearest(pts, time_base, Fraction(fps))


def test_the_earlier_of_two_equally_near_frames_is_sampled():
    assert sample(np.array([0, 400, 600, 1000]), MILLIS, 2).tolist() == [0, 1, 3]


def test_sampling_faster_than_the_video_takes_each_frame_once():
    assert sample(seconds(5), MILLIS, 240.0).tolist() == [0, 1, 2, 3, 4]


def test_sampling_nothing_gives_nothing_and_one_frame_gives_it():
    assert sample(NONE, MILLIS, 5.0).tolist() == []
    assert sample(np.array([33]), MILLIS, 5.0).tolist() == [0]


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan")])
def test_a_rate_that_is_not_above_zero_is_refused(fps: float):
    with pytest.raises(InputError, match="fps"):
        sample(seconds(5), MILLIS, fps)


def test_clips_carry_the_given_columns():
    made = clips(index(seconds(300), np.array([0])), "s3://b/a.mp4", "a", None)
    assert len(made) == 4
    for clip in made:
        assert set(clip) == set(GIVEN)
        check(clip, GIVEN)
    assert made[1]["frame_index"].tolist() == list(range(70, 170))
    assert made[1]["core"].tolist() == [80, 160]
    assert made[1]["times"][0] == 7.0


def test_sampled_clips_keep_their_core_and_one_without_a_sample_is_left_out():
    made = clips(index(seconds(300), np.array([0])), "a.mp4", "a", 0.1)
    assert [clip["core"].tolist() for clip in made] == [[0, 80], [80, 160], [160, 240]]
    assert [clip["frame_index"].tolist() for clip in made] == [[0], [100], [200]]


def test_a_clip_is_named_by_its_video_stream_and_span():
    video = index(seconds(300), np.array([0]))
    names = [clip["clip_id"] for clip in clips(video, "a.mp4", "a", None)]
    again = [clip["clip_id"] for clip in clips(video, "elsewhere/a.mp4", "a", 5.0)]
    other = [clip["clip_id"] for clip in clips(video, "a.mp4", "b", None)]
    assert names == again
    assert len({*names, *other}) == 8
