"""The doctor tells what is there and what to do, and survives whatever it looks at."""

from __future__ import annotations

import shutil

import pytest

from muybridge import doctor
from muybridge.doctor import Line, able, check


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return check()


def test_every_question_is_answered_once(lines):
    names = [line.name for line in lines]
    assert len(set(names)) == len(names)
    asked = {"python", "numpy", "ray", "cpu", "decoders", "encoder", "stage people", "weights"}
    assert asked <= set(names)


def test_what_is_not_ok_says_what_to_do(lines):
    assert [line.name for line in lines if not line.ok and not line.advice] == []


def test_a_check_that_breaks_becomes_a_line_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr(doctor, "_machine", lambda: 1 // 0)
    broken = next(line for line in check() if line.name == "machine")
    assert not broken.ok
    assert "ZeroDivisionError" in broken.found


@pytest.mark.parametrize(("numpy", "fits"), [("1.26.4", False), ("2.1.0", True)])
def test_pyarrow_26_with_numpy_1_is_found_out(monkeypatch, numpy, fits):
    monkeypatch.setattr(doctor, "_version", {"numpy": numpy, "pyarrow": "26.0.0"}.get)
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "pyarrow"))
    assert all(line.ok for line in doctor._packages()) == fits


@pytest.mark.parametrize(
    ("found", "ok", "said"),
    [
        ("cuda", True, "cuda: "),
        ("mps", True, "mps: Apple"),
        ("cpu", False, "cpu: torch sees no GPU"),
    ],
)
def test_the_device_is_what_torch_has_where_there_may_be_a_gpu(found, ok, said, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(doctor, "device", lambda: found)
    (line,) = doctor._device()
    assert (line.ok, line.needed) == (ok, False)
    assert line.found.startswith(said)


def test_torch_is_not_asked_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.Path, "exists", lambda path: False)
    monkeypatch.setattr(doctor.platform, "system", lambda: "Linux")
    monkeypatch.setattr(doctor, "device", lambda: 1 // 0)
    (line,) = doctor._device()
    assert line.ok
    assert line.found == "cpu; there is no GPU"


def test_only_what_is_needed_decides():
    wanting = Line("s3", False, "no credentials", "set them", needed=False)
    assert able([wanting])
    assert not able([wanting, Line("stage people", False, "missing: 1", "install it")])


def test_bodies_that_are_not_here_say_where_to_get_one_and_where_to_put_it(monkeypatch, tmp_path):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    (line,) = doctor._bodies()
    assert not line.ok
    assert not line.needed
    assert "register at https://smplify.is.tue.mpg.de" in line.advice
    assert f"put it to {tmp_path / 'weights' / 'SMPL_NEUTRAL.pkl'}" in line.advice


@pytest.mark.golden
def test_bodies_that_are_here_are_read(monkeypatch, tmp_path, official):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    (tmp_path / "weights").mkdir()
    shutil.copy(official("smpl_neutral"), tmp_path / "weights" / "SMPL_NEUTRAL.pkl")
    (tmp_path / "weights" / "SMPL_MALE.npz").write_bytes(b"PK\x03\x04 cut off")
    good, bad = doctor._bodies()
    assert good.ok
    assert good.name == "smpl_neutral"
    assert not bad.ok
    assert "SMPL_MALE.npz" in bad.advice


def test_secrets_are_never_told(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "verysecret")
    (line,) = doctor._s3()
    assert line.ok
    assert "AKIAEXAMPLE" not in str(line)
    assert "verysecret" not in str(line)


def test_an_output_that_does_not_exist_yet_is_measured_where_it_would_be(tmp_path):
    (line,) = doctor._disk(str(tmp_path / "not" / "yet"))
    assert line.found.endswith(f"free at {tmp_path}")
