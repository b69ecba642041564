from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from muybridge.video.clips import sample
from muybridge.video.decode import Reader
from muybridge.video.probe import probe

from .conftest import burnt_number, whole

DAMAGED = {  # frames that can be had, by row, and how the number burnt in follows from the row
    "truncated_faststart.mp4": (range(30), 0),
    "damaged_middle.mp4": ((*range(30), *range(60, 90)), 0),  # up to the next key frame
    "starts_mid_gop.ts": (range(29, 89), 1),
    "size_change.ts": (range(90), 0),
}


def numbers(reader: Reader, clip: dict[str, Any], start: int, stop: int) -> list[tuple[int, int]]:
    found = []
    for row, picture in reader.read(clip, start, stop):
        assert picture.shape == (clip["height"], clip["width"], 3)
        assert picture.dtype == np.uint8
        found.append((row, burnt_number(picture)))
    return found


def test_good_files_come_out_frame_exact_in_sequence(awkward):
    for name, file in awkward.items():
        if file.verdict == "ok":
            clip = whole(probe(str(file.path)))
            with Reader() as reader:
                found = numbers(reader, clip, 0, len(clip["pts"]))
            assert found == list(enumerate(file.numbers)), name


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
def test_good_files_come_out_frame_exact_at_random(awkward, decoder: str):
    for name, file in awkward.items():
        if file.verdict == "ok":
            index = probe(str(file.path))
            clip = whole(index) | {"decoder": decoder if index.plain else "pyav"}
            draw = random.Random(name)
            with Reader() as reader:
                for start in draw.choices(range(len(file.numbers)), k=8):
                    stop = min(start + 3, len(file.numbers))
                    wanted = list(enumerate(file.numbers[start:stop], start))
                    assert numbers(reader, clip, start, stop) == wanted, name


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_give_what_can_be_had_and_never_a_wrong_frame(awkward, name: str):
    rows, offset = DAMAGED[name]
    clip = whole(probe(str(awkward[name].path)))
    with Reader() as reader:
        found = numbers(reader, clip, 0, len(clip["pts"]))
        assert {number - row for row, number in found} == {offset}
        assert len(found) >= len(rows) - 10
        assert {row for row, _ in found} <= set(rows)
        for start in (len(clip["pts"]) - 5, 20, 45, 0):
            for row, number in numbers(reader, clip, start, min(start + 3, len(clip["pts"]))):
                assert number == row + offset


def test_every_real_file_gives_its_first_middle_and_last_frame(data: Path):
    files = [p for pattern in ("*.mp4", "*.avi", "*.mkv", "*.mov") for p in data.rglob(pattern)]
    for path in files:
        clip = whole(probe(str(path)))
        last = len(clip["pts"]) - 1
        with Reader() as reader:
            for row in {0, last // 2, last} - ({last} if path.name == "corrupted.mp4" else set()):
                pictures = [(r, p.shape) for r, p in reader.read(clip, row, row + 1)]
                assert pictures == [(row, (clip["height"], clip["width"], 3))], path.name


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv", "h264_bframes.mp4", "mpeg4_bframes.avi"])
def test_sampling_takes_the_frames_shown_nearest_to_each_time(awkward, name: str):
    file = awkward[name]
    clip = whole(index := probe(str(file.path)))
    rows = sample(index.pts, index.time_base, 7.0)
    clip = {**clip, **{c: clip[c][rows] for c in ("frame_index", "pts", "times")}}
    times = np.array(file.times) - file.times[0]
    wanted = [abs(times - k / 7).argmin() for k in range(int(times[-1] * 7) + 1)]
    with Reader() as reader:
        shown = [number for _, number in numbers(reader, clip, 0, len(rows))]
    assert shown == [file.numbers[frame] for frame in wanted]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("leading.mp4", "-c:v libx265 -x265-params log-level=error:keyint=30:open-gop=1:bframes=3"),
        ("leading_h264.mp4", "-c:v libx264 -bf 3 -b_strategy 0 -g 15 -x264-params open-gop=1"),
        ("h264.avi", "-c:v libx264 -bf 3 -g 30"),
        ("hidden.webm", "-c:v libvpx -b:v 500k -auto-alt-ref 1 -lag-in-frames 16 -cpu-used 5"),
    ],
)
def test_frames_shown_before_their_key_frame_come_out_exact(
    awkward, tmp_path: Path, name: str, options: str
):
    base, path = awkward["h264_bframes.mp4"].path, tmp_path / name
    make = ["ffmpeg", "-v", "error", "-i", base, "-preset", "ultrafast", *options.split(), path]
    if name.endswith("webm"):
        make = [part for part in make if part not in ("-preset", "ultrafast")]
    subprocess.run(make, check=True)
    clip = whole(probe(str(path)))
    with Reader() as reader:
        assert numbers(reader, clip, 0, 90) == [(n, n) for n in range(90)]
        for row in random.Random(0).sample(range(90), 25):
            assert numbers(reader, clip, row, row + 1) == [(row, row)]


def test_where_decord_gives_up_pyav_gives_what_can_be_had(data: Path):
    index = probe(str(data / "decord_fixtures/corrupted.mp4"))
    assert index.plain
    with Reader() as reader:
        rows = [row for row, _ in reader.read({**whole(index), "decoder": "decord"}, 0, 50)]
    assert rows == list(range(29))  # 29 is predicted from 30, and so on: no key frame follows


def test_both_decoders_show_the_same_colours(data: Path):
    for name in ("bt709_full_range.mp4", "h265_video.mp4", "nasa_13013.mp4"):
        clip = whole(probe(str(data / "codec_fixtures" / name)))
        with Reader() as reader:
            shown = {
                decoder: [p.copy() for _, p in reader.read({**clip, "decoder": decoder}, 0, 4)]
                for decoder in ("decord", "pyav")  # where decord cannot, PyAV takes over
            }
        assert np.abs(np.subtract(shown["decord"], shown["pyav"], dtype=int)).max() <= 2


def test_a_picture_comes_out_as_it_is(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with Reader() as reader:
        (shown,) = reader.read(whole(probe(str(tmp_path / "a.png"))), 0, 1)
    assert shown[0] == 0
    assert (shown[1] == pixels).all()


def test_reading_on_does_not_start_again(awkward):
    clip = whole(probe(str(awkward["h264_one_keyframe.mp4"].path)))
    for decoder in ("pyav", "decord"):
        packets = [0]

        def count(packets: list[int] = packets) -> None:
            packets[0] += 1

        with Reader(count) as reader:
            for start in range(0, 90, 10):
                assert len(list(reader.read({**clip, "decoder": decoder}, start, start + 10))) == 10
        assert packets[0] <= 91
