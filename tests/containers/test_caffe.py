"""Caffe models, written field by field."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from muybridge.checkpoints import filled, read
from muybridge.errors import CheckpointError
from muybridge.models.openpose.checkpoint import LAYOUTS


def integer(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def piece(number: int, data: bytes) -> bytes:
    return integer(number << 3 | 2) + integer(len(data)) + data


def number(field: int, value: int) -> bytes:
    return integer(field << 3) + integer(value)


def blob(array, old=False, packed=True):
    data = np.asarray(array, "<f4")
    if old:
        shape = (1,) * (4 - data.ndim) + data.shape
        sizes = b"".join(number(n, size) for n, size in enumerate(shape, start=1))
    elif packed:
        sizes = piece(7, piece(1, b"".join(integer(size) for size in data.shape)))
    else:
        sizes = piece(7, b"".join(number(1, size) for size in data.shape))
    if packed:
        return piece(5, data.tobytes()) + sizes
    return b"".join(integer(5 << 3 | 5) + struct.pack("<f", x) for x in data.flat) + sizes


def layer(name, kind, *blobs, ends=b""):
    head = piece(1, name) + piece(2, kind) + ends
    return piece(100, head + b"".join(piece(7, b) for b in blobs))


def old_layer(name, *blobs):
    return piece(2, piece(4, name) + number(5, 4) + b"".join(piece(6, b) for b in blobs))


@pytest.fixture
def model(tmp_path):
    """Write a net of these layers."""

    def write(*layers: bytes, name: bytes = b"a net") -> Path:
        path = tmp_path / "model.caffemodel"
        path.write_bytes(piece(1, name) + b"".join(layers))
        return path

    return write


WEIGHT = np.arange(2 * 3 * 1 * 2, dtype=np.float32).reshape(2, 3, 1, 2)
BIAS = np.array([0.5, -2], np.float32)


@pytest.mark.parametrize("packed", [True, False])
def test_blobs_become_weight_and_bias(model, packed):
    tensors = read(
        model(
            layer(b"data", b"Input"),
            layer(b"conv1", b"Convolution", blob(WEIGHT, False, packed), blob(BIAS, False, packed)),
            layer(b"prelu1", b"PReLU", blob(BIAS, False, packed)),
        )
    )
    assert list(tensors) == ["conv1.weight", "conv1.bias", "prelu1.weight"]
    assert np.array_equal(tensors["conv1.weight"], WEIGHT)
    assert np.array_equal(tensors["conv1.bias"], BIAS)


def test_layers_and_shapes_as_caffe_wrote_them_first(model):
    tensors = read(model(old_layer(b"conv1", blob(WEIGHT, old=True), blob(BIAS, old=True))))
    assert np.array_equal(tensors["conv1.weight"], WEIGHT)
    assert np.array_equal(tensors["conv1.bias"], BIAS)


def test_a_net_of_any_length_of_name_is_known(model):
    for length in range(1, 200, 3):
        path = model(layer(b"c", b"PReLU", blob(BIAS)), name=b"n" * length)
        assert list(read(path)) == ["c.weight"]


def test_what_training_left_behind_is_passed_over(model):
    weight = blob(BIAS) + piece(6, BIAS.tobytes())  # the gradient
    net = piece(
        100, piece(1, b"c") + number(10, 1) + integer(5 << 3 | 5) + b"abcd" + piece(7, weight)
    )
    assert np.array_equal(read(model(net))["c.weight"], BIAS)


def test_a_model_without_weights_says_so(model):
    with pytest.raises(CheckpointError, match="without weights"):
        read(model(layer(b"conv1", b"Convolution")))


def test_a_layer_that_is_not_understood_is_named(model):
    with pytest.raises(CheckpointError, match="layer 'bn' has 3 blobs"):
        read(model(layer(b"bn", b"BatchNorm", blob(BIAS), blob(BIAS), blob(BIAS))))
    with pytest.raises(CheckpointError, match="two layers in it are called 'c'"):
        read(model(layer(b"c", b"PReLU", blob(BIAS)), layer(b"c", b"PReLU", blob(BIAS))))


@pytest.mark.parametrize(
    "shape", [(2**40,), (2**62, 4), (3,), (0,), (2, 1, 1, 1, 1, 1, 1, 1, 1)], ids=str
)
def test_a_shape_that_is_not_that_of_the_numbers_is_refused(model, shape):
    sizes = piece(7, piece(1, b"".join(integer(size) for size in shape)))
    with pytest.raises(CheckpointError, match=r"layer 'c' claims a weight .* 8 bytes"):
        read(model(layer(b"c", b"PReLU", piece(5, BIAS.tobytes()) + sizes)))


def test_lengths_that_reach_beyond_the_file_are_refused(tmp_path):
    path = tmp_path / "model.caffemodel"
    for claim in (200, 2**31, 2**62):
        path.write_bytes(piece(1, b"net") + integer(100 << 3 | 2) + integer(claim) + b"abc")
        with pytest.raises(CheckpointError, match="cut off"):
            read(path)


def test_a_file_that_is_cut_off_says_so(model):
    path = model(layer(b"c", b"Convolution", blob(WEIGHT), blob(BIAS)))
    whole = path.read_bytes()
    for length in range(8, len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"cut off|no Caffe model"):
            read(path)


def test_a_file_with_one_wrong_byte_is_read_or_refused_and_nothing_else(model):
    path = model(layer(b"c", b"PReLU", blob(BIAS)))
    whole = path.read_bytes()
    for at in range(len(whole)):
        for byte in (0, 1, 0x7F, 0x80, 0xFF):
            path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
            try:
                read(path)
            except CheckpointError:
                continue


def test_numbers_that_are_not_finite_are_refused(model):
    with pytest.raises(CheckpointError, match=r"c\.weight: not all numbers are finite"):
        read(model(layer(b"c", b"PReLU", blob([1, float("nan")]))))


def trained(tensors, old):
    """Write tensors as Caffe does after training: with inputs, outputs and rates of learning."""
    names = dict.fromkeys(name.rpartition(".")[0] for name in tensors)
    for name in names:
        blobs = [
            blob(tensors[f"{name}.{leaf}"], old)
            for leaf in ("weight", "bias")
            if f"{name}.{leaf}" in tensors
        ]
        kind = b"Convolution" if len(blobs) == 2 else b"PReLU"
        rates = piece(6, integer(3 << 3 | 5) + struct.pack("<f", 1)) * len(blobs)
        ends = piece(3, b"before") + piece(4, name.encode()) + rates
        called = name.encode()
        yield old_layer(called, *blobs) if old else layer(called, kind, *blobs, ends=ends)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("pack", "name", "old"),
    [
        ("openpose_coco", "openpose_coco_caffe", False),
        ("openpose_coco", "openpose_coco_caffe", True),
        ("openpose_body25", "openpose_body25", False),
    ],
)
def test_a_file_in_caffes_form_fills_openpose(golden, synthetic, model, pack, name, old):
    theirs = synthetic(golden / pack / "manifest.json")
    path = model(*trained(theirs, old))
    state = filled(read(path), LAYOUTS[name]).state_dict()
    assert state.keys() == theirs.keys()
    assert all(np.array_equal(state[name], array) for name, array in theirs.items())
