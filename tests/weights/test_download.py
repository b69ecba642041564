"""Fetching from a real server that breaks off, forgets, lies and changes its mind."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time

import pytest

from muybridge import download
from muybridge.errors import WeightsError

DATA = bytes(range(256)) * 12_000  # 3 MB
SUM = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server(serving, monkeypatch):
    """A server that gives DATA."""
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    serving.data = DATA
    return serving


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "model.pkl"


def fetch(server, target, sha256=SUM, **options):
    download.fetch([server.url], target, sha256, **options)


def left(target):
    """What stands in the folder, but for the lock."""
    return sorted(p.name for p in target.parent.iterdir() if not p.name.endswith(".lock"))


def test_a_file_is_fetched_whole_and_nothing_is_left_beside_it(server, target):
    fetch(server, target)
    assert target.read_bytes() == DATA
    assert left(target) == ["model.pkl"]
    assert server.asked == [""]


def test_a_file_that_is_there_is_not_asked_for(server, target):
    target.parent.mkdir()
    target.write_bytes(b"here")
    fetch(server, target)
    assert (target.read_bytes(), server.asked) == (b"here", [])


def test_it_goes_on_where_the_connection_broke_off(server, target):
    server.break_after = [1_000_000, 0, 1_000_000, 500_000, *[10] * 6]
    fetch(server, target)
    assert target.read_bytes() == DATA
    assert server.asked[:3] == ["", "bytes=1000000-", "bytes=1000000-"]
    assert server.asked[3:6] == ["bytes=2000000-", "bytes=2500000-", "bytes=2500010-"]


def test_another_process_goes_on_where_one_was_stopped(server, target):
    server.break_after = [1_000_000, *[0] * 9]
    with pytest.raises(
        WeightsError, match=r"broke off after 1,000,000 of 3,072,000 bytes; tried 5"
    ):
        fetch(server, target)
    assert left(target) == ["model.pkl.part", "model.pkl.version"]
    server.break_after = []
    fetch(server, target)
    assert (target.read_bytes(), server.asked[-1]) == (DATA, "bytes=1000000-")


def test_a_server_that_ignores_ranges_is_fetched_from_the_start(server, target):
    server.ranges, server.break_after = False, [1_000_000, 2_000_000]
    fetch(server, target)
    assert target.read_bytes() == DATA


def test_a_server_that_names_no_version_is_fetched_from_the_start(server, target):
    server.sums, server.break_after = False, [1_000_000]
    fetch(server, target)
    assert (target.read_bytes(), server.asked) == (DATA, ["", ""])


def test_a_file_that_changes_between_two_tries_is_fetched_anew(server, target):
    server.break_after = [1_000_000]

    def change() -> None:
        server.data, server.version = DATA[::-1], '"two"'

    server.between = change
    fetch(server, target, sha256="")
    assert target.read_bytes() == DATA[::-1]


def test_a_file_that_changes_is_noticed_even_if_the_server_does_not_mind(server, target):
    server.break_after, server.conditions = [1_000_000], False

    def change() -> None:
        server.data, server.version = DATA[::-1], '"two"'

    server.between = change
    fetch(server, target, sha256="")
    assert target.read_bytes() == DATA[::-1]


def test_a_version_that_is_no_longer_named_is_not_gone_on_from(server, target):
    server.break_after = [1_000_000, 2_000_000]

    def change() -> None:
        server.version, server.sums = '"two"', False

    server.between = change
    fetch(server, target)
    assert server.asked == ["", "bytes=1000000-", ""]


def test_a_part_that_is_whole_is_taken(server, target):
    target.parent.mkdir()
    download.Part(target).data.write_bytes(DATA)
    download.Part(target).version.write_text(server.version)
    fetch(server, target)
    assert (target.read_bytes(), left(target)) == (DATA, ["model.pkl"])
    assert server.asked == [f"bytes={len(DATA)}-"]


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server, target):
    target.parent.mkdir()
    download.Part(target).data.write_bytes(DATA + b"more")
    download.Part(target).version.write_text(server.version)
    fetch(server, target)
    assert target.read_bytes() == DATA


def test_wrong_bytes_are_refused_and_not_kept(server, target):
    server.data = DATA[:-1] + b"x"
    found = hashlib.sha256(server.data).hexdigest()
    with pytest.raises(WeightsError, match=f"sha256 {found}, and {SUM} is published"):
        fetch(server, target)
    assert left(target) == []


def test_first_digits_of_the_sum_are_held_to_as_well(server, target):
    with pytest.raises(WeightsError, match="and 00000000 is published"):
        fetch(server, target, sha256="00000000")
    fetch(server, target, sha256=SUM[:8])
    assert target.read_bytes() == DATA


def test_what_fails_the_callers_check_is_not_kept(server, target):
    def check(path) -> None:
        raise WeightsError(f"no model in {path.stat().st_size} bytes")

    with pytest.raises(WeightsError, match="no model in 3072000 bytes"):
        fetch(server, target, check=check)
    assert left(target) == []


@pytest.mark.parametrize("code", [403, 404, 410])
def test_an_answer_that_will_not_change_is_not_asked_for_again(server, target, code):
    server.codes = [code] * 9
    with pytest.raises(WeightsError, match=f"model.pkl cannot be fetched\n.*answers {code}"):
        fetch(server, target)
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_an_answer_that_may_change_is_asked_for_again(server, target, code):
    server.codes = [code] * 3
    fetch(server, target)
    assert len(server.asked) == 4


def test_the_second_address_is_tried_if_the_first_fails(server, target):
    server.codes = [404]
    download.fetch([server.url, server.url + "?again"], target, SUM)
    assert target.read_bytes() == DATA


def test_without_a_network_every_address_is_named(server, target):
    urls = ["http://127.0.0.1:9/one", "http://nowhere.invalid/two"]
    with pytest.raises(WeightsError) as caught:
        download.fetch(urls, target)
    lines = str(caught.value).splitlines()
    assert lines[0] == "model.pkl cannot be fetched"
    assert "127.0.0.1:9/one: [Errno 111] Connection refused; tried 5 times" in lines[1]
    assert "nowhere.invalid/two" in lines[2]


def test_progress_is_told_up_to_the_end(server, target):
    told = list[tuple[int, int]]()
    fetch(server, target, report=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def started(server, target):
    """Fetch in a process of its own."""
    code = "import sys; from muybridge import download; from pathlib import Path; "
    code += "download.WAIT_S = 0.01; "
    code += "download.fetch([sys.argv[1]], Path(sys.argv[2]), sys.argv[3])"
    return subprocess.Popen([sys.executable, "-c", code, server.url, str(target), SUM])


def test_processes_that_want_the_same_file_fetch_it_once(server, target):
    server.break_after = [1_000_000]
    server.between = lambda: time.sleep(0.5)  # by then all of them are there
    assert [one.wait() for one in [started(server, target) for _ in range(3)]] == [0, 0, 0]
    assert server.asked == ["", "bytes=1000000-"]
    assert target.read_bytes() == DATA


def test_a_process_that_is_killed_holds_nobody_up(server, target):
    server.break_after = [1_000_000]
    server.between = lambda: time.sleep(60)
    killed = started(server, target)
    while download.Part(target).size() < 1_000_000:
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    server.between = lambda: None
    fetch(server, target)
    assert (target.read_bytes(), server.asked) == (DATA, ["", "bytes=1000000-"])
