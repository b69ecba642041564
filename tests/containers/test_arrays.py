"""Pickles of numpy arrays, as detectron2 publishes them and as attackers would."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge.checkpoints import filled, read, renamed
from muybridge.errors import CheckpointError
from muybridge.models.densepose.checkpoint import LAYOUTS

PROTOCOLS = tuple(range(pickle.HIGHEST_PROTOCOL + 1))


class Reduced:
    """Pickle as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def model(arrays):
    return {"model": arrays, "__author__": "somebody", "matching_heuristics": True}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_come_out_as_they_went_in(pickled, protocol):
    arrays = {
        "one": np.arange(6, dtype=np.float32).reshape(2, 3),
        "two": np.array(7, np.int64),
        "three": np.arange(4, dtype=np.float16),
        "columns first": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
        "part": np.arange(12, dtype=np.float32).reshape(3, 4)[::2, 1:],
    }
    tensors = read(pickled(model(arrays), protocol))
    assert list(tensors) == list(arrays)
    for name, array in arrays.items():
        assert tensors[name].dtype == torch.from_numpy(np.ascontiguousarray(array)).dtype
        assert np.array_equal(tensors[name].numpy(), array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numbers_of_the_other_order_of_bytes_mean_the_same(pickled, protocol):
    tensors = read(pickled(model({"a": np.array([1.5, -2], ">f4")}), protocol))
    assert tensors["a"].tolist() == [1.5, -2]


def test_a_scalar_of_numpy_is_a_tensor_without_axes(pickled):
    assert read(pickled(model({"a": np.float32(2.5)})))["a"].shape == ()


@pytest.mark.parametrize("held", [dict, OrderedDict])
def test_arrays_may_stand_at_the_top(pickled, held):
    assert list(read(pickled(held(a=np.zeros(2)), 2))) == ["a"]


def test_a_pickle_that_python_2_wrote_is_read(tmp_path):
    numbers = np.array([1, 2.5], np.float32)
    path = tmp_path / "model.pkl"
    path.write_bytes(
        b"\x80\x02}U\x05model}U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"K\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U\x08" + numbers.tobytes() + b"tbss."
    )
    assert pickle.loads(path.read_bytes(), encoding="latin1")["model"]["a"].tolist() == [1, 2.5]
    assert read(path)["a"].tolist() == [1, 2.5]


def test_numpy_1_and_2_call_the_same_by_two_names(pickled):
    path = pickled(model({"a": np.arange(3.0)}), 2)
    whole = path.read_bytes().replace(b"numpy._core.", b"numpy.core.")
    for name in (b"numpy.core.", b"numpy._core."):
        path.write_bytes(whole.replace(b"numpy.core.", name))
        assert read(path)["a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("function", "asked"),
    [(os.system, "posix.system"), (shutil.rmtree, "shutil.rmtree")],
)
def test_a_call_is_refused_by_name_and_never_made(pickled, tmp_path, protocol, function, asked):
    trace = tmp_path / "trace"
    call = Reduced(function, f"touch {trace}")
    for held in (call, model({"a": call}), model({"a": np.array([call, 1], object)})):
        with pytest.raises(CheckpointError, match=rf"refused: it asks for {asked}"):
            read(pickled(held, protocol))
    assert not trace.exists()


@pytest.mark.parametrize("name", ["builtins.eval", "builtins.getattr", "numpy.load", "torch.load"])
def test_other_ways_to_code_are_refused_by_name(tmp_path, name):
    module, word = name.split(".")
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x02c" + f"{module}\n{word}\n".encode() + b"X\x01\x00\x00\x00a\x85R.")
    with pytest.raises(CheckpointError, match=f"it asks for {name}"):
        read(path)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_of_objects_are_refused_also_inside_others(pickled, protocol):
    inner = np.array([{}, 1], object)
    outer = np.empty(1, object)
    outer[0] = inner
    for array in (inner, outer):
        with pytest.raises(CheckpointError, match="array of Python objects"):
            read(pickled(model({"a": array}), protocol))


@pytest.mark.parametrize(
    "array",
    [np.array(["word"]), np.array([True]), np.array([1j]), np.zeros(2, [("x", "f4")])],
    ids=lambda array: str(array.dtype),
)
def test_arrays_of_no_numbers_are_refused(pickled, array):
    with pytest.raises(CheckpointError, match="no numbers"):
        read(pickled(model({"a": array})))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_with_the_tensors_name(pickled, number):
    arrays = {"fine": np.ones(3), "bad": np.array([1, number], np.float32)}
    with pytest.raises(CheckpointError, match=r"bad: not all numbers are finite"):
        read(pickled(model(arrays)))


def test_a_shape_that_claims_more_than_there_is_is_refused(tmp_path):
    path = tmp_path / "model.pkl"
    held = pickle.dumps(model({"a": np.zeros((300, 2), np.float32)}), 2)
    shape = b"M" + struct.pack("<H", 300)
    assert shape in held
    path.write_bytes(held.replace(shape, b"J" + struct.pack("<i", 2**30)))
    with pytest.raises(CheckpointError, match=r"claims 8,589,934,592 bytes and has 2,400"):
        read(path)


def test_one_lot_of_bytes_behind_many_arrays_is_refused(pickled):
    bytes_of_all = np.zeros(1000, np.float32)
    many = {str(n): bytes_of_all for n in range(100)}
    with pytest.raises(CheckpointError, match=r"claim 400,000 bytes and the file has"):
        read(pickled(model(many)))


@pytest.mark.parametrize(
    "claim",
    [
        b"B" + struct.pack("<I", 2**32 - 1),
        b"\x8e" + struct.pack("<Q", 2**62),
        b"\x95" + b"\xff" * 8,
    ],
    ids=["bytes of 4 GB", "bytes of 4 EB", "a frame of 16 EB"],
)
def test_a_claim_of_many_bytes_takes_none(tmp_path, claim):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04" + claim + b"abc.")
    with pytest.raises(CheckpointError):
        read(path)


def test_a_place_in_the_memo_far_out_takes_no_memory(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x02}r\xff\xff\xff\x7f.")
    assert read(path) == {}


def test_tuples_within_tuples_are_no_danger(tmp_path):
    deep = b"\x80\x02})" + b"\x85" * 190_000
    for end in (b"K\x01s.", b"."):
        path = tmp_path / "model.pkl"
        path.write_bytes(deep + end)
        with pytest.raises(CheckpointError):
            read(path)


def test_endless_instructions_are_refused(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x02" + b"N0" * 600_000 + b"}.")
    with pytest.raises(CheckpointError, match="more than 1,000,000 instructions"):
        read(path)


def test_a_file_that_is_cut_off_anywhere_says_so(pickled):
    path = pickled(model({"a": np.arange(5), "b": np.arange(6, dtype=np.float32)}))
    whole = path.read_bytes()
    for length in range(2, len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"cut off|refused"):
            read(path)


def test_a_file_with_one_wrong_byte_is_read_or_refused_and_nothing_else(pickled):
    path = pickled(model({"a": np.arange(3, dtype=np.float32)}))
    whole = path.read_bytes()
    for at in range(2, len(whole)):
        for byte in (0, 46, 82, 98, 255):
            path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
            try:
                read(path)
            except CheckpointError:
                continue


def test_what_is_no_tensor_is_named(pickled):
    with pytest.raises(CheckpointError, match=r"'note' in it are no tensors"):
        read(pickled(model({"a": np.zeros(1), "note": "hello"})))
    with pytest.raises(CheckpointError, match="it holds a list"):
        read(pickled([1, 2]))


def test_nothing_is_nothing(pickled):
    assert read(pickled(model({}))) == {}


def test_the_error_names_the_file(pickled):
    path: Path = pickled(Reduced(os.system, "true"))
    with pytest.raises(CheckpointError, match=str(path)):
        read(path)


@pytest.mark.golden
@pytest.mark.parametrize("manifest", ["manifest.json", "manifest_dl.json", "manifest_legacy.json"])
def test_a_file_in_detectron2s_form_fills_densepose(golden, synthetic, pickled, manifest):
    about = json.loads((golden / "densepose_r50_fpn" / manifest).read_text())
    layout = LAYOUTS[Path(about["config"]).stem]
    theirs = synthetic(golden / "densepose_r50_fpn" / manifest)
    tensors = read(pickled({"model": theirs, "__author__": "x", "matching_heuristics": True}))
    assert all(np.array_equal(tensors[name], array) for name, array in theirs.items())
    ours = renamed(tensors, layout)
    state = filled(tensors, layout).state_dict()
    assert len(state) == len(theirs)
    assert all(torch.equal(state[name], tensor) for name, tensor in ours.items())
