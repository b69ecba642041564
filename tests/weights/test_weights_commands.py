"""`muybridge weights …`, as one types it."""

from __future__ import annotations

import hashlib

import pytest
import torch
from typer.testing import CliRunner

from muybridge import checkpoints
from muybridge.cli import app
from muybridge.published import FILES


def run(*words, code=0):
    done = CliRunner().invoke(app, ["weights", *map(str, words)])
    assert done.exit_code == code, done.output
    return done


def test_the_list_tells_size_terms_and_what_is_here(file, cache):
    file(terms="be good", bytes=123_000_000)
    lines = {line.split()[0]: line for line in run("list").stdout.splitlines()}
    assert set(FILES) <= set(lines)
    assert lines["tiny"].split() == ["tiny", "Tiny", "123", "MB", "MIT", "(to", "accept)", "no"]
    run("fetch", "tiny", "--accept-licence")
    assert [
        line.split()[-1] for line in run("list").stdout.splitlines() if line.startswith("tiny ")
    ] == ["yes"]
    (cache / "tiny_v1.pth").unlink()
    assert "converted" in next(x for x in run("list").stdout.splitlines() if x.startswith("tiny "))
    assert f"kept in {cache}" in run("list").stdout


def test_a_path_is_told_whether_the_file_is_there_or_not(file, cache):
    published = file()
    before = run("path", "tiny")
    assert before.stdout == f"{cache / 'tiny_v1.pth'}\n"
    assert f"it is not there yet; it is published at {published.urls[0]}" in before.stderr
    run("fetch", "tiny")
    after = run("path", "tiny")
    assert (after.stdout, after.stderr) == (before.stdout, "")


@pytest.mark.parametrize("name", ["smpl_neutral", "smpl_male", "smpl_female"])
def test_what_nobody_may_hand_on_is_listed_as_got_by_hand_and_its_path_says_how(cache, name):
    listed = next(x for x in run("list").stdout.splitlines() if x.startswith(f"{name} "))
    assert listed.split()[-2:] == ["by", "hand"]
    assert "says: muybridge weights path NAME" in run("list").stdout
    place = cache / FILES[name].file
    told = run("path", name)
    assert told.stdout == f"{place}\n"
    for said in ("register at https://smpl", f"put it to {place}", f"{name.upper()}.npz"):
        assert said in told.stderr
    assert "register at https://smpl" in run("fetch", name, "--accept-licence", code=2).stderr


@pytest.mark.parametrize("other", [*FILES["smpl_male"].others, "smpl_male.safetensors"])
def test_a_body_that_was_put_there_is_here_whatever_it_is_called(cache, other):
    cache.mkdir(parents=True)
    (cache / other).write_bytes(b"")
    listed = next(x for x in run("list").stdout.splitlines() if x.startswith("smpl_male "))
    assert listed.split()[-1] == ("converted" if other.endswith("safetensors") else "yes")
    assert run("path", "smpl_male").stdout == f"{cache / other}\n"


def test_what_is_fetched_is_said_and_fetched_once(file, serving, cache):
    file()
    assert run("fetch", "tiny").stdout == f"tiny: {cache / 'tiny.safetensors'}\n"
    run("fetch", "tiny")
    assert serving.asked == [""]


def test_a_file_with_terms_is_fetched_by_who_accepts_them(file, monkeypatch):
    file(terms="be good")
    refused = run("fetch", "tiny", code=2)
    assert "its terms: be good. To accept them and fetch it" in refused.stderr
    monkeypatch.setenv("MUYBRIDGE_ACCEPT_LICENCE", "1")
    run("fetch", "tiny")


@pytest.mark.parametrize("words", [("fetch", "tiny", "nobody"), ("path", "nobody")])
def test_a_wrong_name_lists_the_names_before_anything_is_fetched(file, serving, words):
    file()
    said = run(*words, code=2).stderr
    assert "there are no weights called 'nobody'; there are" in said
    assert all(f"  {name}\n" in said for name in FILES)
    assert serving.asked == []


@pytest.mark.parametrize("words", [("convert",), ("verify",)])
def test_a_file_whose_name_says_nothing_asks_for_one(file, tmp_path, words):
    file()
    path = tmp_path / "model.bin"
    (tmp_path / "tiny_v1.pth").rename(path)
    assert "its name does not tell which weights" in run(*words, path, code=2).stderr
    run(*words, path, "--name", "tiny", *(("-o", tmp_path / "o") if words == ("convert",) else ()))


def test_a_converted_file_holds_the_tensors_and_the_sources_sum(file, tmp_path, theirs):
    published = file()
    target = tmp_path / "out.safetensors"
    said = run("convert", tmp_path / "tiny_v1.pth", "-o", target).stdout
    assert said == f"{target}: 4 tensors of tiny, sha256 {published.sha256}\n"
    tensors = checkpoints.read(target)
    assert all(torch.equal(tensors[name], tensor) for name, tensor in theirs.items())
    assert checkpoints.metadata(target) == {
        "weights": "tiny",
        "file": "tiny_v1.pth",
        "sha256": published.sha256,
    }
    assert f"sha256   {published.sha256} (as published)" in run("verify", target).stdout


def test_verify_says_what_the_published_file_is(file, tmp_path):
    published = file()
    assert run("verify", tmp_path / "tiny_v1.pth").stdout.splitlines() == [
        "kind     torch zip",
        f"sha256   {published.sha256} (as published)",
        "tensors  4, 13 numbers, all finite",
        "fits     tiny exactly",
    ]
    file(sha256=published.sha256[:8])
    assert "(begins as published)" in run("verify", tmp_path / "tiny_v1.pth").stdout
    file(sha256="")
    assert "(what is published is not known)" in run("verify", tmp_path / "tiny_v1.pth").stdout


def test_verify_says_everything_that_is_wrong(file, tmp_path, theirs):
    published = file()
    del theirs["w2.bias"]
    path = tmp_path / "mine.pth"
    torch.save(theirs, path)
    done = run("verify", path, "--name", "tiny", code=2)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"sha256   {digest} ({published.sha256} is published)" in done.stdout
    assert "fits" not in done.stdout
    assert done.stderr.splitlines()[:3] == [
        f"error: {path} is not the published tiny_v1.pth",
        f"{path}, as tiny: Sequential: 1 of 4 tensors do not fit",
        "  last.bias: the checkpoint lacks it",
    ]


def test_a_file_that_does_not_fit_is_not_converted(file, tmp_path, theirs):
    file()
    torch.save({"w1.weight": theirs["w1.weight"]}, tmp_path / "tiny.pth")
    assert "do not fit" in run("convert", tmp_path / "tiny.pth", "-o", "x", code=2).stderr


def test_files_that_are_none_are_refused_in_a_sentence(file, tmp_path):
    file()
    (tmp_path / "tiny.pth").write_bytes(b"hello")
    for command in ("convert", "verify"):
        assert "this is no model file" in run(command, tmp_path / "tiny.pth", code=2).stderr
        assert "No such file" in run(command, tmp_path / "no" / "tiny.pth", code=2).stderr
