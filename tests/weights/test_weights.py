"""Finding weights where the user says, in the cache, at a server; converting them once."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from muybridge import checkpoints, weights
from muybridge.errors import CheckpointError, WeightsError
from muybridge.graphs import Choice, build
from muybridge.models.kinetics.model import network
from muybridge.published import FILES


def holds(model, theirs):
    names = {"first": "w1", "last": "w2"}
    return all(
        torch.equal(tensor, theirs[f"{names[n.split('.')[0]]}.{n.split('.')[1]}"])
        for n, tensor in model.state_dict().items()
    )


def left(cache):
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock"))


def test_weights_that_are_not_here_are_missing_and_it_is_told_how_to_get_them(file):
    file(bytes=0)
    assert weights.missing("tiny") == [
        "tiny (MIT) is not here; fetch it with: muybridge weights fetch tiny"
    ]
    assert weights.identity("tiny") == {}


def test_provided_weights_are_fetched_and_converted_once(file, serving, cache, theirs):
    published = file()
    weights.provide(["tiny", "tiny"])
    assert left(cache) == ["tiny.safetensors", "tiny_v1.pth"]
    assert weights.missing("tiny") == []
    assert weights.identity("tiny") == {"weights": "tiny", "sha256": published.sha256}
    assert holds(weights.load("tiny"), theirs)
    weights.provide(["tiny"])
    assert serving.asked == [""]
    about = checkpoints.metadata(published.converted)
    assert about["file"] == "tiny_v1.pth"
    assert about["sha256"] == published.sha256
    assert checkpoints.read(published.converted).keys() == theirs.keys()


def test_loading_fetches_what_is_not_here(file, theirs):
    file()
    assert holds(weights.load("tiny"), theirs)


def test_the_converted_file_is_enough(file, cache, theirs):
    published = file()
    weights.provide(["tiny"])
    published.cached.unlink()
    assert holds(weights.load("tiny"), theirs)
    assert weights.identity("tiny")["sha256"] == published.sha256


def test_a_converted_file_is_not_made_or_summed_up_again(file, monkeypatch):
    published = file()
    weights.provide(["tiny"])
    before = published.converted.stat().st_mtime_ns
    monkeypatch.setattr(checkpoints, "write", None)
    monkeypatch.setattr("muybridge.download.sha256_of", None)
    assert weights.identity("tiny")["sha256"] == published.sha256
    weights.load("tiny")
    assert published.converted.stat().st_mtime_ns == before


@pytest.mark.parametrize("write", [torch.save, lambda held, path: dump(held, path)])
def test_what_the_user_gives_comes_first(file, cache, theirs, tmp_path, write):
    file()
    weights.provide(["tiny"])
    mine = {name: tensor + 1 for name, tensor in theirs.items()}
    given = tmp_path / "mine" / "any name"
    given.parent.mkdir()
    write(mine, given)
    digest = hashlib.sha256(given.read_bytes()).hexdigest()
    assert weights.missing("tiny", given) == []
    assert weights.identity("tiny", given) == {"weights": "tiny", "sha256": digest}
    assert holds(weights.load("tiny", given), mine)
    assert holds(weights.load("tiny"), theirs)


def dump(held, path):
    path.write_bytes(pickle.dumps({"model": {n: np.array(t) for n, t in held.items()}}, 2))


def test_a_file_that_changes_is_converted_anew(file, theirs, tmp_path):
    file()
    given = tmp_path / "tiny_v1.pth"
    weights.load("tiny", given)
    mine = {name: tensor + 1 for name, tensor in theirs.items()}
    torch.save(mine, given)
    os.utime(given, ns=(1, 1))
    assert holds(weights.load("tiny", given), mine)
    digest = hashlib.sha256(given.read_bytes()).hexdigest()
    assert weights.identity("tiny", given)["sha256"] == digest


def test_a_folder_may_hold_published_or_converted_files(file, theirs, tmp_path, cache):
    published = file()
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "tiny_v1.pth").rename(folder / "tiny_v1.pth")
    assert holds(weights.load("tiny", folder), theirs)
    weights.export(folder / "tiny_v1.pth", "tiny", folder / "tiny.safetensors")
    (folder / "tiny_v1.pth").unlink()
    assert holds(weights.load("tiny", folder), theirs)
    assert weights.identity("tiny", folder)["sha256"] == published.sha256


def test_what_a_folder_holds_comes_before_the_cache(file, theirs, tmp_path):
    file()
    weights.provide(["tiny"])
    mine = {name: tensor + 1 for name, tensor in theirs.items()}
    torch.save(mine, tmp_path / "tiny_v1.pth")
    assert holds(weights.load("tiny", tmp_path), mine)


def test_what_a_folder_lacks_is_looked_for_in_the_cache(file, theirs, tmp_path):
    file()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert len(weights.missing("tiny", empty)) == 1
    weights.provide(["tiny"])
    assert weights.missing("tiny", empty) == []
    assert holds(weights.load("tiny", empty), theirs)


def test_a_path_that_is_not_there_is_a_fault_even_if_the_cache_has_the_file(file, tmp_path):
    file()
    weights.provide(["tiny"])
    nowhere = tmp_path / "nowhere"
    (said,) = weights.missing("tiny", nowhere)
    assert said == f"tiny: there is no {nowhere}; give tiny_v1.pth or its folder"
    with pytest.raises(WeightsError, match="there is no"):
        weights.load("tiny", nowhere)


def test_another_file_under_the_published_ones_name_in_the_cache_is_refused(file, cache, theirs):
    published = file()
    cache.mkdir(parents=True)
    torch.save({name: tensor + 1 for name, tensor in theirs.items()}, published.cached)
    (said,) = weights.missing("tiny")
    assert "is not the published file: its sha256 is" in said
    assert f"and {published.sha256} is published" in said
    with pytest.raises(WeightsError, match="is not the published file"):
        weights.load("tiny")
    assert left(cache) == ["tiny_v1.pth"]


def test_a_file_of_an_unknown_sum_is_taken_as_it_is(file, theirs):
    file(sha256="")
    assert holds(weights.load("tiny"), theirs)
    assert len(weights.identity("tiny")["sha256"]) == 64


def test_a_converted_file_of_other_weights_is_refused(file, theirs, tmp_path):
    file()
    other = tmp_path / "other.safetensors"
    checkpoints.write(theirs, other, {"weights": "openpose_coco", "sha256": "abc"})
    for use in (weights.load, weights.identity):
        with pytest.raises(WeightsError, match="holds openpose_coco, and tiny is wanted"):
            use("tiny", other)
    assert "holds openpose_coco" in weights.missing("tiny", other)[0]


def test_safetensors_of_the_users_own_are_taken(file, theirs, tmp_path):
    file()
    checkpoints.write(theirs, tmp_path / "mine.safetensors", {})
    assert holds(weights.load("tiny", tmp_path / "mine.safetensors"), theirs)


def test_weights_that_do_not_fit_name_the_file_and_every_fault(file, theirs, tmp_path):
    file()
    del theirs["w2.bias"]
    theirs["w1.weight"] = torch.zeros(1)
    torch.save(theirs, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError) as caught:
        weights.load("tiny", tmp_path / "bad.pth")
    assert str(caught.value).splitlines()[:3] == [
        f"{tmp_path / 'bad.pth'}, as tiny: Sequential: 2 of 4 tensors do not fit",
        "  first.weight: checkpoint (1,), model (3, 2)",
        "  last.bias: the checkpoint lacks it",
    ]


def test_terms_are_told_and_nothing_is_fetched_before_they_are_accepted(file, serving, monkeypatch):
    file(terms="be good")
    accept = "its terms: be good. To accept them and fetch it: "
    accept += "muybridge weights fetch tiny --accept-licence"
    assert accept in weights.missing("tiny")[0]
    for use in (lambda: weights.provide(["tiny"]), lambda: weights.load("tiny")):
        with pytest.raises(WeightsError, match=accept):
            use()
    assert serving.asked == []
    monkeypatch.setenv(weights.ACCEPT, "false")
    with pytest.raises(WeightsError, match=accept):
        weights.load("tiny")
    monkeypatch.setenv(weights.ACCEPT, "1")
    weights.load("tiny")
    assert serving.asked == [""]


def test_terms_may_be_accepted_by_a_word(file, serving):
    file(terms="be good")
    weights.provide(["tiny"], accept=True)
    assert weights.missing("tiny") == []


def test_a_page_instead_of_the_file_is_not_kept(file, serving, cache):
    file(sha256="")
    serving.data = b"<!DOCTYPE html><html>please log in</html>"
    with pytest.raises(WeightsError, match="this is no model but a web page"):
        weights.provide(["tiny"])
    assert left(cache) == []


def test_without_a_network_it_is_told_what_to_do_by_hand(file, serving):
    published = file(urls=("http://127.0.0.1:9/tiny_v1.pth",))
    with pytest.raises(WeightsError) as caught:
        weights.load("tiny")
    text = str(caught.value)
    assert "http://127.0.0.1:9/tiny_v1.pth: [Errno 111] Connection refused" in text
    assert f"get it elsewhere and put it to {published.cached}, or name it with --weights" in text
    assert "muybridge weights verify FILE --name tiny" in text


def test_everything_that_cannot_be_had_is_told_at_once(file, serving):
    serving.codes = [404]
    file()
    with pytest.raises(WeightsError) as caught:
        weights.provide(["tiny", "openpose_coco", "openpose_body25"])
    text = str(caught.value)
    assert "answers 404" in text
    assert "weights fetch openpose_coco --accept-licence" in text
    assert "weights fetch openpose_body25 --accept-licence" in text


def test_where_nothing_can_be_kept_what_is_given_is_loaded_all_the_same(
    file, theirs, tmp_path, monkeypatch
):
    file()
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "a file"))
    assert holds(weights.load("tiny", tmp_path / "tiny_v1.pth"), theirs)
    with pytest.raises(WeightsError, match=r"cannot be kept in .*; set MUYBRIDGE_CACHE"):
        weights.provide(["tiny"], tmp_path / "tiny_v1.pth")
    with pytest.raises(WeightsError, match=r"cannot be kept in .*; set MUYBRIDGE_CACHE"):
        weights.load("tiny")


def test_processes_that_convert_the_same_file_do_not_get_in_each_others_way(tmp_path, cache):
    given, name = tmp_path / "given.pth", "fasterrcnn_resnet50_fpn"
    tensors = {str(number): torch.randn(1 << 20) for number in range(20)}
    torch.save(tensors, given)
    code = "import sys; from muybridge import weights; from pathlib import Path; "
    code += "weights.convert(sys.argv[1], Path(sys.argv[2]))"
    runs = [subprocess.Popen([sys.executable, "-c", code, name, str(given)]) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    (converted,) = (path for path in cache.iterdir() if not path.name.endswith(".lock"))
    again = checkpoints.read(converted)
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())


def test_a_video_network_is_fetched_from_where_torchvision_publishes_it(
    serving, cache, tmp_path, monkeypatch
):
    torch.manual_seed(0)
    own = network("s3d").state_dict()
    torch.save(own, tmp_path / "s3d.pth")
    serving.data = (tmp_path / "s3d.pth").read_bytes()
    digits = hashlib.sha256(serving.data).hexdigest()[:8]
    published = dataclasses.replace(FILES["s3d"], urls=(serving.url,), sha256=digits)
    monkeypatch.setitem(FILES, "s3d", published)
    graph = build(Choice("action", model="s3d", tables=("actions",)))
    assert "s3d" in "".join(text for stage in graph for text in stage.missing())
    loaded = weights.load("s3d")
    assert serving.asked == [""]
    assert all(torch.equal(own[name], tensor) for name, tensor in loaded.state_dict().items())
    assert not any(stage.missing() for stage in graph if stage.name == "action")
    weights.load("s3d")
    assert serving.asked == [""]
