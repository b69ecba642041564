"""What an upload may be before it is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from muybridge.errors import VideoError
from muybridge.run.api import refuse_playlist


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile /etc/passwd\n",
        '<?xml version="1.0"?><MPD profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\n",
    ],
)
def test_a_list_of_other_files_is_refused_by_its_senders_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "upload.mp4"
    path.write_text(text)
    with pytest.raises(VideoError, match=r"^walk.mp4: it is a playlist; send the video itself$"):
        refuse_playlist(path, "walk.mp4")


@pytest.mark.parametrize("head", [b"", b"\0\0\0\x18ftypisom v=0 <mpd", b"\x1aE\xdf\xa3"])
def test_a_video_is_not_taken_for_one(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "upload.mp4"
    path.write_bytes(head)
    refuse_playlist(path, "walk.mp4")


def test_every_real_video_passes(data: Path) -> None:
    videos = [path for end in ("mp4", "mkv", "webm", "avi") for path in data.rglob(f"*.{end}")]
    assert len(videos) > 10
    for path in videos:
        refuse_playlist(path, path.name)
