from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from muybridge.errors import VideoError
from muybridge.video.probe import probe

VIDEOS = ("*.mp4", "*.avi", "*.mkv", "*.mov")


def picture(path: Path, **options: object) -> Path:
    Image.new("RGB", (64, 48), "red").save(path, **options)
    return path


def test_good_files_have_the_times_of_the_manifest(awkward):
    good = [file for file in awkward.values() if file.verdict == "ok"]
    assert len(good) == 33
    for file in good:
        times = probe(str(file.path)).times
        assert times.shape == (len(file.times),), file.path.name
        np.testing.assert_allclose(times, file.times, atol=1e-6, err_msg=file.path.name)


def test_bad_files_raise_an_error_that_names_file_and_cause(awkward):
    bad = {name: file for name, file in awkward.items() if file.verdict == "error"}
    kinds = {}
    for name, file in bad.items():
        with pytest.raises(VideoError, match=name) as caught:
            probe(str(file.path))
        assert len(caught.value.cause) > 10
        kinds[name] = caught.value.kind
    assert kinds == {
        "zero_length.mp4": "unreadable",
        "zeros.mp4": "unreadable",
        "text.mp4": "unreadable",
        "audio_only.mp4": "no_video",
        "audio_with_cover.m4a": "no_video",
        "truncated_no_index.mp4": "unreadable",
        "directory.mp4": "unreadable",
    }


def test_a_file_that_is_not_there_is_missing(tmp_path: Path):
    with pytest.raises(VideoError, match=r"none\.mp4") as caught:
        probe(str(tmp_path / "none.mp4"))
    assert caught.value.kind == "missing"


def test_the_size_is_that_of_the_picture_as_shown(awkward):
    sizes = {name: probe(str(awkward[name].path)) for name in awkward if name.startswith("rotated")}
    assert {(i.width, i.height) for i in sizes.values()} == {(640, 360)}
    assert [sizes[f"rotated_{turn}.mp4"].rotation for turn in (90, 180, 270)] == [90, 180, 270]
    squeezed = probe(str(awkward["anamorphic.mp4"].path))
    assert (squeezed.width, squeezed.height) == (640, 360)
    odd = probe(str(awkward["odd_444.mp4"].path))
    assert (odd.width, odd.height) == (321, 181)


def test_sound_is_noticed_and_the_first_video_counts(awkward):
    assert probe(str(awkward["with_audio.mp4"].path)).has_audio
    assert not probe(str(awkward["ntsc.mp4"].path)).has_audio
    assert probe(str(awkward["two_videos.mkv"].path)).width == 640


def test_decord_is_chosen_for_plain_files_only(awkward):
    plain = {name for name, f in awkward.items() if f.verdict == "ok" and "mp4" in name}
    chosen = {name for name in plain if probe(str(awkward[name].path)).plain}
    assert {"h264_bframes.mp4", "hevc.mp4", "with_audio.mp4", "vfr.mp4"} <= chosen
    assert chosen.isdisjoint(
        {"edit_list.mp4", "h264_10bit.mp4", "anamorphic.mp4", "rotated_90.mp4", "odd_444.mp4"}
    )


def test_decord_is_left_out_of_videos_it_might_hold_in_memory_whole(data: Path):
    long = probe(str(data / "intel_people/one-by-one-person-detection.mp4"))
    assert not long.plain


def test_key_frames_are_frame_numbers(awkward):
    assert probe(str(awkward["h264_bframes.mp4"].path)).keyframes.tolist() == [0, 30, 60]
    assert probe(str(awkward["edit_list.mp4"].path)).keyframes.tolist() == [15, 45]


def test_a_video_of_several_streams_has_the_published_times(data: Path):
    folder = data / "codec_fixtures"
    frames = json.loads((folder / "nasa_13013.mp4.stream0.all_frames_info.json").read_text())
    index = probe(str(folder / "nasa_13013.mp4"))
    np.testing.assert_allclose(index.times, [float(f["pts_time"]) for f in frames], atol=1e-6)
    assert (index.width, index.height, index.fps) == (320, 180, 25.0)


def test_phone_clips_say_how_they_are_turned(data: Path):
    turned = {  # the names give degrees clockwise
        degrees: probe(str(data / "decord_fixtures" / f"video_{degrees}.mov"))
        for degrees in (0, 90, 180, 270)
    }
    assert {d: index.rotation for d, index in turned.items()} == {0: 0, 90: 270, 180: 180, 270: 90}
    assert {d: (index.width, index.height) for d, index in turned.items()} == {
        0: (568, 320), 90: (320, 568), 180: (568, 320), 270: (320, 568),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["a.jpg", "b.png", "c%03d.png", "d:e.png", "wrong.mp4.txt"])
def test_a_picture_is_a_video_of_one_frame(tmp_path: Path, name: str):
    index = probe(str(picture(tmp_path / name, format="JPEG" if "jpg" in name else "PNG")))
    assert (index.width, index.height, index.times.tolist()) == (64, 48, [0.0])
    assert index.keyframes.tolist() == [0]


def test_a_photo_is_turned_as_its_exif_says(tmp_path: Path):
    exif = Image.Exif()
    exif[0x112] = 6  # the camera was held on its side: turn a quarter clockwise
    index = probe(str(picture(tmp_path / "photo.jpg", exif=exif)))
    assert (index.width, index.height, index.rotation) == (48, 64, 270)


def test_every_real_file_opens(data: Path):
    files = [path for pattern in VIDEOS for path in data.rglob(pattern)]
    assert len(files) >= 37
    for path in files:
        index = probe(str(path))
        assert len(index.pts)
        assert (np.diff(index.pts) > 0).all()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *values: object) -> None:
        pass


@pytest.fixture
def served(data: Path) -> Iterator[str]:
    handler = partial(Quiet, directory=str(data / "codec_fixtures"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_video_is_read_over_http(served: str):
    index = probe(f"{served}/h265_video.mp4?X-Amz-Signature=secret")
    assert (len(index.pts), index.plain) == (10, False)


@pytest.mark.parametrize(("name", "kind"), [("none.mp4", "missing"), ("README.md", "unreadable")])
def test_an_error_over_http_does_not_tell_the_signature(served: str, name: str, kind: str):
    with pytest.raises(VideoError, match=name) as caught:
        probe(f"{served}/{name}?X-Amz-Signature=secret")
    assert caught.value.kind == kind
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile /etc/passwd\n",
        '<?xml version="1.0"?><MPD profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\n",
    ],
)
def test_a_list_of_other_files_is_refused_before_it_is_opened(tmp_path: Path, text: str) -> None:
    path = tmp_path / "upload.mp4"
    path.write_text(text)
    with pytest.raises(VideoError, match=r"upload.mp4: it is a playlist; give the video itself$"):
        probe(str(path))


def test_a_video_that_holds_such_words_is_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "upload.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom v=0 <mpd")
    with pytest.raises(VideoError, match="not a video, or one that was cut off"):
        probe(str(path))
