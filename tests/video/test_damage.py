"""No frame that damage has reached is handed out, as far as a decoder can know."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from muybridge.errors import VideoError
from muybridge.video.decode import Reader
from muybridge.video.probe import probe

from .conftest import whole

WRONG = 2.0  # grey levels, in the mean over a picture, that can be seen
# frames in a hundred shown that may be wrong in a way that no decoder knows: most codecs have no
# checksums; without the rule of key frames there are 29, 31 and 12
UNKNOWN = {"h264.mp4": 6, "h264_open_gop.mkv": 4, "mpeg4.avi": 2}


def coded(path: Path, *options: str) -> list[np.ndarray]:
    """Make a video of 45 frames with key frames 15 apart; give its pictures."""
    source = "testsrc2=s=320x180:r=15:d=3"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-an"]
    subprocess.run([*command, "-g", "15", *options, path], check=True)
    with av.open(path) as container:
        return [f.to_ndarray(format="rgb24").astype(int) for f in container.decode(video=0)]


MADE = {
    "h264.mp4": ("-c:v", "libx264", "-bf", "2"),
    "h264_open_gop.mkv": ("-c:v", "libx264", "-bf", "3", "-x264-params", "open-gop=1"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-bf", "2", "-b:v", "800k"),
}


@pytest.mark.parametrize("name", MADE)
def test_frames_with_flipped_bits_and_those_made_from_them_are_left_out(
    awkward_folder, tmp_path, name
):
    truth = coded(tmp_path / name, *MADE[name])
    data, chance = (tmp_path / name).read_bytes(), random.Random(name)
    middle = range(len(data) // 10, len(data) * 9 // 10)
    shown, wrong, first = 0, 0, 0
    for number in range(12):
        broken = bytearray(data)
        for _ in range(2):
            broken[chance.choice(middle)] ^= 1 << chance.randrange(8)
        path = tmp_path / f"{number}_{name}"
        path.write_bytes(broken)
        try:
            clip = whole(probe(str(path)))
            with Reader() as reader:
                for row, picture in reader.read(clip, 0, len(clip["pts"])):
                    far = np.abs(truth[row] - picture).mean()
                    shown, wrong, first = shown + 1, wrong + (far > WRONG), first + (row < 15)
        except VideoError:
            continue
    assert shown > 100
    assert first > 15, "what stands before the damage is shown"
    assert 100 * wrong <= UNKNOWN[name] * shown


def test_nothing_is_left_out_of_sound_files(awkward_folder, tmp_path):
    for name, options in MADE.items():
        truth = coded(tmp_path / name, *options)
        clip = whole(probe(str(tmp_path / name)))
        with Reader() as reader:
            assert [row for row, _ in reader.read(clip, 0, 45)] == list(range(len(truth))), name


def test_damage_ends_at_the_next_key_frame_wherever_reading_begins(awkward):
    """Rows 30 to 59 of this file are one group of pictures, whose first is damaged."""
    clip = whole(probe(str(awkward["damaged_middle.mp4"].path)))
    sound = [*range(30), *range(60, 90)]
    for start in (0, 20, 31, 45, 59, 61):
        with Reader() as reader:
            rows = [row for row, _ in reader.read(clip, start, 90)]
        assert rows == [row for row in sound if row >= start]
