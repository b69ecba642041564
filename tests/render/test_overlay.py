"""An overlay is the video with people drawn on: same frames, same times, same sound."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from muybridge.errors import InputError, OutputError
from muybridge.render.overlay import overlay, still

from .conftest import pictures, sound, times, turned

BOX = (100.0, 40.0, 200.0, 150.0)
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18")
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1")


def changed(overlay, video):
    """Say how much each frame's box edge differs from the video's own: (T,)."""
    ours, theirs = pictures(overlay).astype(int), pictures(video).astype(int)
    return np.abs(ours - theirs)[:, 60:140, 98:102].mean(axis=(1, 2, 3))


def test_every_frame_is_there_at_its_own_time_and_boxes_are_drawn_where_people_are(
    awkward, output, tmp_path
):
    video = awkward("plain.mp4", *H264, "-bf", "3")
    out = output(video, [(frame, 1, BOX) for frame in range(10, 20)], joints=True)
    made = overlay(out, str(video), tmp_path / "o.mp4")
    assert (made.frames, made.frames_indexed, made.sound) == (30, 30, "none")
    assert times(tmp_path / "o.mp4") == pytest.approx(times(video), abs=1e-4)
    difference = changed(tmp_path / "o.mp4", video)
    assert difference[10:20].min() > 20
    assert np.delete(difference, range(10, 20)).max() < 8


def test_nobody_leaves_only_the_caption(awkward, output, tmp_path):
    video = awkward("nobody.mp4", *H264)
    overlay(output(video), str(video), tmp_path / "o.mp4")
    assert changed(tmp_path / "o.mp4", video).max() < 8
    caption = np.abs(pictures(tmp_path / "o.mp4").astype(int) - pictures(video))[:, 160:175, 10:60]
    assert caption.mean() > 20


def test_many_people_in_one_frame_are_drawn(awkward, output, tmp_path):
    video = awkward("many.mp4", *H264)
    crowd = [(3, i, (i * 6.0, 20.0, i * 6.0 + 5, 160.0)) for i in range(50)]
    overlay(output(video, crowd, joints=True), str(video), tmp_path / "o.mp4")
    difference = np.abs(pictures(tmp_path / "o.mp4").astype(int) - pictures(video))[:, 30:150]
    assert difference[3].mean() > 5 * difference[10].mean()


def test_variable_frame_rates_keep_their_times(awkward, output, tmp_path):
    uneven = "select='not(eq(mod(n,5),1)+eq(mod(n,7),3))'"
    video = awkward("vfr.mkv", "-vf", uneven, "-fps_mode", "vfr", *H264)
    overlay(output(video), str(video), tmp_path / "o.mp4")
    steps = set(np.round(np.diff(times(video)), 3))
    assert len(steps) > 1
    assert times(tmp_path / "o.mp4") == pytest.approx(times(video), abs=1e-3)


def test_a_file_that_starts_late_makes_a_movie_that_starts_at_once(awkward, output, tmp_path):
    video = awkward("late.ts", *H264, "-output_ts_offset", "50")
    overlay(output(video), str(video), tmp_path / "o.mp4")
    assert times(video)[0] > 50
    late = np.array(times(video)) - times(video)[0]
    assert times(tmp_path / "o.mp4") == pytest.approx(late, abs=1e-4)


def test_a_turned_video_comes_out_upright(awkward, output, tmp_path):
    side = awkward("side.mp4", "-vf", "transpose=1", *H264)
    video = turned(side, side.with_name("turned.mp4"))  # as phones write it
    assert pictures(side).shape == pictures(video).shape == (30, 320, 180, 3)
    overlay(output(video, [(5, 0, BOX)]), str(video), tmp_path / "o.mp4")
    upright = awkward("upright.mp4", *H264)
    assert pictures(tmp_path / "o.mp4").shape == (30, 180, 320, 3)
    assert changed(tmp_path / "o.mp4", upright)[6:].max() < 12
    assert changed(tmp_path / "o.mp4", upright)[5] > 20


def test_oblong_pixels_become_square(awkward, output, tmp_path):
    video = awkward("anamorphic.mp4", "-vf", "scale=180:180,setsar=16/9", *H264)
    overlay(output(video), str(video), tmp_path / "o.mp4")
    assert pictures(tmp_path / "o.mp4").shape[1:3] == (180, 320)


def test_odd_sizes_grow_by_a_row_and_a_column(awkward, output, tmp_path):
    video = awkward("odd.mkv", "-vf", "scale=161:91", "-pix_fmt", "yuv444p", *H264)
    overlay(output(video), str(video), tmp_path / "o.mp4")
    assert pictures(tmp_path / "o.mp4").shape[1:3] == (92, 162)


@pytest.mark.parametrize(
    ("name", "codec", "fate", "becomes"),
    [
        ("aac.mp4", "aac", "copied", "aac"),
        ("aac.ts", "aac", "copied", "aac"),
        ("mp3.mkv", "libmp3lame", "copied", "mp3"),
        ("pcm.avi", "pcm_s16le", "AAC instead of pcm_s16le", "aac"),
        ("vorbis.mkv", "libvorbis", "AAC instead of vorbis", "aac"),
    ],
)
def test_sound_is_copied_or_turned_into_aac(awkward, output, tmp_path, name, codec, fate, becomes):
    video = awkward(name, *H264, "-c:a", codec, before=TONE)
    made = overlay(output(video), str(video), tmp_path / "o.mp4")
    assert made.sound == fate
    kind, seconds = sound(tmp_path / "o.mp4")
    assert kind == becomes
    assert float(seconds) == pytest.approx(float(sound(video)[1]), abs=0.08)
    assert len(times(tmp_path / "o.mp4")) == 30


def test_where_frames_were_left_out_the_nearest_looked_at_stands_for_them(
    awkward, output, tmp_path
):
    video = awkward("sampled.mp4", *H264)
    sampled = [(frame, 1, BOX) for frame in (0, 5, 10)]  # and nobody at 15, 20, 25
    out = output(video, sampled, frames_analysed=6)
    overlay(out, str(video), tmp_path / "o.mp4")
    drawn = changed(tmp_path / "o.mp4", video) > 20
    assert drawn[:13].all()
    assert not drawn[14:].any()


def test_a_file_name_is_enough_where_it_is_the_only_one(awkward, output, tmp_path):
    video = awkward("alone.mp4", *H264)
    assert overlay(output(video), "alone.mp4", tmp_path / "o.mp4").frames == 30


def test_progress_counts_frames(awkward, output, tmp_path):
    video, told = awkward("told.mp4", *H264), []
    overlay(output(video), str(video), tmp_path / "o.mp4", progress=lambda *at: told.append(at))
    assert told == [(frame, 30) for frame in range(1, 31)]


def test_a_video_that_is_not_in_the_output_is_named_with_what_is_there(awkward, output, tmp_path):
    video = awkward("there.mp4", *H264)
    with pytest.raises(InputError, match=r"other\.mp4: not in the output.*there\.mp4"):
        overlay(output(video), "other.mp4", tmp_path / "o.mp4")


def test_a_video_that_has_changed_is_refused(awkward, output, tmp_path):
    video = awkward("changed.mp4", *H264)
    with pytest.raises(InputError, match="has 30 frames, but 31 were indexed"):
        overlay(output(video, frames=31), str(video), tmp_path / "o.mp4")


def test_what_is_no_output_is_refused(tmp_path):
    with pytest.raises(OutputError):
        overlay(str(tmp_path), "v.mp4", tmp_path / "o.mp4")


def test_the_video_is_never_written_over(awkward, output, tmp_path):
    video = awkward("itself.mp4", *H264)
    before = video.read_bytes()
    with pytest.raises(InputError, match="is the video itself"):
        overlay(output(video), str(video), video)
    assert video.read_bytes() == before


def test_other_formats_than_mp4_are_refused(awkward, output, tmp_path):
    video = awkward("format.mp4", *H264)
    with pytest.raises(InputError, match=r"name it o\.mp4"):
        overlay(output(video), str(video), tmp_path / "o.webm")


def test_a_movie_that_fails_leaves_no_file_behind(awkward, output, tmp_path):
    video = awkward("fails.mp4", *H264)
    target = tmp_path / "made"
    with pytest.raises(ZeroDivisionError):
        overlay(output(video), str(video), target / "o.mp4", progress=lambda *at: 1 // 0)
    assert list(target.iterdir()) == []


def test_a_still_shows_the_frame_on_which_most_can_be_seen(awkward, output, tmp_path):
    video = awkward("still.mp4", *H264)
    out = output(video, [(4, 0, BOX), (9, 0, BOX), (9, 1, BOX), (12, 0, BOX)], joints=True)
    assert still(out, str(video), tmp_path / "s.png") == 9
    picture = np.asarray(Image.open(tmp_path / "s.png")).astype(int)
    assert np.abs(picture - pictures(video)[9])[60:140, 98:102].mean() > 20


def test_a_still_of_nobody_is_the_first_frame(awkward, output, tmp_path):
    video = awkward("still0.mp4", *H264)
    assert still(output(video), str(video), tmp_path / "s.png") == 0
