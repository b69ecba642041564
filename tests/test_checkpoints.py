"""Renaming by table, filling exactly, and saying everything that does not fit."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from muybridge.checkpoints import Layout, filled, kind, metadata, read, renamed, write
from muybridge.errors import CheckpointError


def network() -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            first=nn.Linear(3, 4),
            blocks=nn.ModuleList([nn.BatchNorm1d(4), nn.BatchNorm1d(4)]),
            last=nn.Linear(4, 2, bias=False),
        )
    )


TABLE = (("w1", "first"), ("stage{}.norm", "blocks.{}"), ("out", "last"))
LAYOUT = Layout(network, TABLE)


@pytest.fixture
def theirs():
    """A network's tensors under its authors' names."""
    names = {"first": "w1", "blocks.0": "stage0.norm", "blocks.1": "stage1.norm", "last": "out"}
    own = network().state_dict()
    tensors = {n: torch.randn(t.shape) if t.is_floating_point() else t for n, t in own.items()}
    return {
        f"{names[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": tensor
        for name, tensor in tensors.items()
    }


def test_a_row_takes_all_tensors_of_a_module_along(theirs):
    ours = renamed(theirs, LAYOUT)
    assert list(ours) == list(network().state_dict())
    assert torch.equal(ours["blocks.1.running_mean"], theirs["stage1.norm.running_mean"])


def test_a_filled_network_holds_the_files_numbers_and_is_ready_to_run(theirs):
    model = filled(theirs, LAYOUT)
    assert torch.equal(model.first.weight, theirs["w1.weight"])
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_no_table_means_the_same_names():
    tensors = network().state_dict()
    assert renamed(tensors, Layout(network, ())) == tensors


@pytest.mark.parametrize(
    ("row", "name", "new"),
    [
        (("Mconv{}_stage{}_{}", "{}.{}.{}"), "Mconv7_stage2_L1.weight", "7.2.L1.weight"),
        (("fpn_lateral{}", "lateral.{}"), "fpn_lateral3.norm.weight", None),
        (("fpn_lateral{}", "lateral.{}"), "fpn_lateral3.bias", "lateral.3.bias"),
        (("a.{}.b", "b.{}"), "a.0.1.b.weight", None),
        (("mean", "pixel_mean"), "mean", "pixel_mean"),
        (("w.1", "x"), "wa1.weight", None),
    ],
)
def test_a_brace_stands_for_a_piece_without_dots(row, name, new):
    layout = Layout(network, (row,))
    if new is None:
        with pytest.raises(CheckpointError, match=rf"{name}: no row of the table is for it"):
            renamed({name: torch.zeros(1)}, layout)
    else:
        assert list(renamed({name: torch.zeros(1)}, layout)) == [new]


def test_of_two_rows_that_match_the_first_counts():
    layout = Layout(network, (("a.{}", "one.{}"), ("a.b", "two")))
    assert list(renamed({"a.b.weight": torch.zeros(1)}, layout)) == ["one.b.weight"]


def test_what_nobody_needs_is_left_out_if_the_layout_says_so(theirs):
    more = {**theirs, "anchors.0": torch.zeros(2), "anchors.1": torch.zeros(2)}
    assert len(renamed(more, Layout(network, TABLE, ("anchors.{}",)))) == len(theirs)
    with pytest.raises(CheckpointError, match=r"anchors\.0: no row"):
        renamed(more, LAYOUT)


def test_a_row_without_a_tensor_and_two_tensors_of_one_name_are_faults(theirs):
    with pytest.raises(CheckpointError, match="'nobody': no tensor is for this row"):
        renamed(theirs, Layout(network, (*TABLE, ("nobody", "last"))))
    with pytest.raises(CheckpointError, match=r"last\.weight: two tensors get this name"):
        renamed(
            {"a.weight": torch.zeros(1), "b.weight": torch.zeros(1)},
            Layout(network, (("{}", "last"),)),
        )


def test_every_fault_is_listed_in_the_networks_own_order(theirs):
    theirs["w1.weight"] = torch.zeros(8, 32)
    theirs["w1.bias"] = torch.tensor([1, 2, float("inf"), 4])
    del theirs["stage0.norm.weight"]
    theirs["stage1.norm.weight"] = torch.zeros(4, dtype=torch.int64)
    theirs["stranger"] = torch.zeros(1)
    theirs["out.bias"] = torch.zeros(2)
    with pytest.raises(CheckpointError) as caught:
        filled(theirs, LAYOUT)
    assert str(caught.value).splitlines() == [
        "Sequential: 6 of 15 tensors do not fit",
        "  first.weight: checkpoint (8, 32), model (4, 3)",
        "  first.bias: not all numbers are finite",
        "  blocks.0.weight: the checkpoint lacks it",
        "  blocks.1.weight: checkpoint torch.int64, model torch.float32",
        "  stranger: the model has no such tensor",
        "  out.bias: the model has no such tensor",
        "Is it the file of another variant?",
    ]


def test_ten_faults_are_written_out_and_the_rest_counted():
    with pytest.raises(CheckpointError) as caught:
        filled({}, LAYOUT)
    lines = str(caught.value).splitlines()
    assert lines[0] == "Sequential: 13 of 13 tensors do not fit"
    assert lines[10:12] == ["  blocks.1.running_mean: the checkpoint lacks it", "  … and 3 more"]


def test_half_precision_is_taken_up_in_the_networks_own(theirs):
    half = {n: t.half() if t.is_floating_point() else t for n, t in theirs.items()}
    assert filled(half, LAYOUT).first.weight.dtype == torch.float32


def test_a_tensor_is_numbers_all_finite():
    layout = Layout(lambda: nn.Linear(1, 1, bias=False), ())
    for tensor, words in (
        (torch.tensor([[float("nan")]]), "not all numbers are finite"),
        (torch.tensor([[True]]), "model torch.float32"),
        (torch.tensor([[1j]]), "model torch.float32"),
    ):
        with pytest.raises(CheckpointError, match=words):
            filled({"weight": tensor}, layout)


def test_large_numbers_are_finite():
    layout = Layout(lambda: nn.Linear(4, 1, bias=False), ())
    assert filled({"weight": torch.full((1, 4), 3e38)}, layout)


def test_safetensors_are_written_and_read_with_what_is_known(tmp_path, theirs):
    path = tmp_path / "model.safetensors"
    write(theirs, path, {"sha256": "abc"})
    assert kind(path) == "safetensors"
    assert metadata(path) == {"sha256": "abc"}
    again = read(path)
    assert again.keys() == theirs.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in theirs.items())


def test_tensors_that_share_their_numbers_are_written_as_two(tmp_path):
    shared = torch.arange(4.0)
    write({"a": shared, "b": shared[:2]}, tmp_path / "model.safetensors", {})
    assert [t.tolist() for t in read(tmp_path / "model.safetensors").values()] == [
        [0, 1, 2, 3],
        [0, 1],
    ]


def test_safetensors_cut_off_or_with_a_huge_header_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    write({"a": torch.zeros(10)}, path, {})
    whole = path.read_bytes()
    for data in (whole[:-1], whole[:40], b"\xff\xff\xff\x7f\x00\x00\x00\x00" + whole[8:]):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match="fetch it again"):
            read(path)
        with pytest.raises(CheckpointError, match="no safetensors file"):
            metadata(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\x89HDF\r\n\x1a\n", "fetch it again"),
        (b"\x1f\x8b\x08", "unpack it"),
        (b"hello world", r"it starts with b'hello wo'; can be read: torch zip, torch legacy"),
        (b"P", "no model file"),
    ],
)
def test_what_is_no_model_is_told_by_what_it_is(tmp_path, data, words):
    path = tmp_path / "model.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=words) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(CheckpointError, match="No such file"):
        read(tmp_path / "nothing.pth")
    with pytest.raises(CheckpointError, match="Is a directory"):
        read(tmp_path)


def test_a_file_larger_than_any_model_is_not_read(tmp_path):
    path = tmp_path / "model.pth"
    with path.open("wb") as file:
        file.truncate(5 << 30)  # takes no room on the disk
    with pytest.raises(CheckpointError, match="5,368,709,120 bytes, and at most"):
        read(path)
