"""What torch.save writes, now and formerly, and what attackers make of it."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from muybridge.checkpoints import filled, kind, read
from muybridge.errors import CheckpointError
from muybridge.models.openpose.checkpoint import LAYOUTS

TENSORS = {
    "a.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "a.bias": torch.tensor(2.5, dtype=torch.float16),
    "b": torch.arange(3),
}
ZIP, STREAM = True, False


class Reduced:
    """Pickle as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture(params=[ZIP, STREAM], ids=["zip", "stream"])
def saved(request, tmp_path):
    """Save something in one of torch's two ways."""

    def save(held: Any) -> Path:
        path = tmp_path / "model.pth"
        torch.save(held, path, _use_new_zipfile_serialization=request.param)
        return path

    return save


def same(tensors):
    assert list(tensors) == list(TENSORS)
    return all(
        torch.equal(tensors[n], t) and tensors[n].dtype == t.dtype for n, t in TENSORS.items()
    )


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda t: t,
        lambda t: OrderedDict(t),
        lambda t: {"state_dict": t, "epoch": 3, "best": 0.5},
        lambda t: {"model": t, "optimizer": {"lr": [1e-3], "step": torch.zeros(2)}},
        lambda t: {n: torch.nn.Parameter(x) if x.is_floating_point() else x for n, x in t.items()},
    ],
    ids=["flat", "ordered", "state_dict", "model", "parameters"],
)
def test_tensors_come_out_as_they_went_in(saved, wrapped):
    path = saved(wrapped(TENSORS))
    assert same(read(path))
    assert not any(tensor.requires_grad for tensor in read(path).values())


def test_a_state_dict_of_a_module_is_read(saved):
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    tensors = read(saved(module.state_dict()))
    assert list(tensors) == list(module.state_dict())


def test_the_two_kinds_are_told_apart(tmp_path):
    path = tmp_path / "model.pth"
    for way, name in ((ZIP, "torch zip"), (STREAM, "torch legacy")):
        torch.save(TENSORS, path, _use_new_zipfile_serialization=way)
        assert kind(path) == name


def test_a_call_is_refused_by_name_and_never_made(saved, tmp_path):
    trace = tmp_path / "trace"
    for held in (
        Reduced(os.system, f"touch {trace}"),
        {"a": Reduced(os.system, f"touch {trace}")},
        {"a": np.array([Reduced(os.system, f"touch {trace}")], object)},
    ):
        with pytest.raises(CheckpointError, match=r"refused: it asks for (posix\.system|numpy)"):
            read(saved(held))
    assert not trace.exists()


def test_a_whole_module_is_refused_by_name(saved):
    with pytest.raises(CheckpointError, match=r"asks for torch\.nn\.modules\.linear\.Linear"):
        read(saved(torch.nn.Linear(1, 1)))


def test_other_tensors_than_plain_ones_are_refused(saved):
    with pytest.raises(CheckpointError, match="refused"):
        read(saved({"a": torch.eye(2).to_sparse()}))


@pytest.mark.parametrize("dtype", [torch.bool, torch.complex64])
def test_tensors_of_no_numbers_are_refused(saved, dtype):
    with pytest.raises(CheckpointError):
        read(saved({"a": torch.ones(2).to(dtype)}))


def test_numbers_that_are_not_finite_are_refused(saved):
    with pytest.raises(CheckpointError, match="a: not all numbers are finite"):
        read(saved({"a": torch.tensor([1, float("nan")])}))


def test_a_small_storage_seen_as_a_huge_tensor_is_refused(saved):
    huge = torch.zeros(1).expand(1 << 20, 1 << 19)
    with pytest.raises(CheckpointError, match=r"claim 2,199,023,255,552 bytes and the file has"):
        read(saved({"a": huge}))


def test_many_tensors_over_one_storage_are_refused(saved):
    base = torch.zeros(5000)
    with pytest.raises(CheckpointError, match="refused: its tensors claim"):
        read(saved({str(n): base for n in range(100)}))


def test_a_storage_that_claims_more_than_there_is_is_refused(saved):
    path = saved({"a": torch.zeros(300)})
    whole = path.read_bytes()
    claim = b"M" + (300).to_bytes(2, "little")
    assert whole.count(claim) == 2  # first of the storage, then in the tensor's shape
    if whole.startswith(b"PK"):
        pickled = io.BytesIO()
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(pickled, "w") as new:
            for info in old.infolist():
                data = old.read(info).replace(claim, b"J\xff\xff\xff\x7f", 1)
                new.writestr(info.filename, data)
        path.write_bytes(pickled.getvalue())
    else:
        path.write_bytes(whole.replace(claim, b"J\xff\xff\xff\x7f", 1))
    with pytest.raises(CheckpointError, match="claim 8,589,934,588 bytes"):
        read(path)


def test_a_storage_that_claims_more_than_its_own_part_of_the_archive_is_refused(tmp_path):
    path = tmp_path / "model.pth"
    torch.save({"a": torch.zeros(300), "b": torch.zeros(4000)}, path)
    archive = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(archive, "w") as new:
        for info in old.infolist():
            claim = b"M" + (300).to_bytes(2, "little")
            longer = b"M" + (1000).to_bytes(2, "little")
            new.writestr(info.filename, old.read(info).replace(claim, longer))
    path.write_bytes(archive.getvalue())
    with pytest.raises(CheckpointError, match="claim 4,000 bytes and the file has 1,200"):
        read(path)


def test_a_compressed_archive_is_refused(tmp_path):
    path = tmp_path / "model.pth"
    torch.save({"a": torch.zeros(1 << 20)}, path)
    bomb = tmp_path / "bomb.pth"
    with (
        zipfile.ZipFile(path) as old,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    assert bomb.stat().st_size < 10_000
    with pytest.raises(CheckpointError, match="refused: parts of it are compressed"):
        read(bomb)


def test_an_archive_of_something_else_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "notes.zip", "w") as archive:
        archive.writestr("notes.txt", "not a model")
    with pytest.raises(CheckpointError, match="a zip archive, but not one that torch"):
        read(tmp_path / "notes.zip")


def test_a_file_that_is_cut_off_says_so(saved):
    path = saved({"a": torch.arange(3.0)})
    whole = path.read_bytes()
    for length in range(14, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"cut off|claim|refused"):
            read(path)


def test_a_file_with_one_wrong_byte_is_read_or_refused_and_nothing_else(saved):
    path = saved({"a": torch.arange(3.0)})
    whole = path.read_bytes()
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x15]) + whole[at + 1 :])
        try:
            read(path)
        except CheckpointError:
            continue


def test_a_reference_outside_the_file_is_refused_in_a_plain_pickle(tmp_path):
    class Pickler(pickle.Pickler):
        def persistent_id(self, held):
            return "secret" if held == "there" else None

    with (tmp_path / "model.pkl").open("wb") as file:
        Pickler(file, 2).dump({"a": "there"})
    with pytest.raises(CheckpointError, match="refers to what stands outside"):
        read(tmp_path / "model.pkl")


@pytest.mark.golden
def test_a_file_in_the_ports_form_fills_openpose(golden, synthetic, saved):
    theirs = synthetic(golden / "openpose_coco" / "manifest.json")
    tensors = OrderedDict((name, torch.from_numpy(array)) for name, array in theirs.items())
    state = filled(read(saved(tensors)), LAYOUTS["openpose_coco"]).state_dict()
    assert state.keys() == tensors.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in tensors.items())
