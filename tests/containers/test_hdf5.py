"""Keras's weights in HDF5, written array by array, and what such files must not do."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from muybridge.checkpoints import kind, read
from muybridge.errors import CheckpointError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.hdf5"


def save(path, layers, cut=False):
    """Write layers of arrays as Keras does; ``cut`` names them in two attributes."""
    with h5py.File(path, "w") as file:
        names = [name.encode() for name in layers]
        if cut:
            file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:1], names[1:]
        else:
            file.attrs["layer_names"] = names
        for layer, arrays in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}".encode() for name in arrays]
            for name, values in arrays.items():
                group[f"{layer}/{name}"] = values


def numbers(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def norm():
    names = ("gamma:0", "beta:0", "moving_mean:0", "moving_variance:0")
    return {name: numbers(2) + i for i, name in enumerate(names)}


@pytest.mark.parametrize("cut", [False, True])
def test_arrays_get_torchs_names_and_order_of_axes(path, cut):
    separable = {
        "depthwise_kernel:0": numbers(3, 5, 4, 1),
        "pointwise_kernel:0": numbers(1, 1, 4, 2),
    }
    layers = {
        "a": {"kernel:0": numbers(3, 5, 4, 2), "bias:0": numbers(2)},
        "input": {},
        "b": separable,
        "c": norm(),
        "d": {"kernel:0": numbers(3, 2)},
    }
    save(path, layers, cut)
    found = read(path)
    assert kind(path) == "hdf5"
    assert list(found) == [
        *("a.weight", "a.bias", "b.depthwise.weight", "b.pointwise.weight"),
        *("c.weight", "c.bias", "c.running_mean", "c.running_var", "d.weight"),
    ]
    assert found["a.weight"].shape == (2, 4, 3, 5)
    assert found["a.weight"][1, 2, 0, 4] == layers["a"]["kernel:0"][0, 4, 2, 1]
    assert found["b.depthwise.weight"].shape == (4, 1, 3, 5)
    assert found["b.depthwise.weight"][3, 0, 2, 1] == separable["depthwise_kernel:0"][2, 1, 3, 0]
    assert found["b.pointwise.weight"].shape == (2, 4, 1, 1)
    assert found["c.running_var"].tolist() == [3, 4]
    assert found["d.weight"].shape == (2, 3)


def test_a_name_written_as_text_and_a_kind_not_known_are_read_as_they_are(path):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["a"]
        group = file.create_group("a")
        group.attrs["weight_names"] = ["a/alpha:0"]
        group["a/alpha:0"] = numbers(3)
    assert read(path)["a.alpha"].tolist() == [0, 1, 2]


def test_a_file_without_layers_is_none_of_keras(path):
    with h5py.File(path, "w") as file:
        file["x"] = numbers(3)
    with pytest.raises(CheckpointError, match="without layer_names"):
        read(path)


def test_a_file_that_is_cut_off_is_told(path):
    save(path, {"a": {"kernel:0": numbers(3, 3, 4, 4)}})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="broken or cut off"):
        read(path)


def replaced(path, make):
    """Write a file in which something else stands for layer a's array."""
    save(path, {"a": {"kernel:0": numbers(1, 1, 2, 2)}})
    with h5py.File(path, "a") as file:
        del file["a/a/kernel:0"]
        make(file["a/a"])


def elsewhere(path):
    """Make links and arrays that lead into another file."""
    other = str(path.with_name("other.hdf5"))
    with h5py.File(other, "w") as file:
        file["x"] = numbers(1, 1, 2, 2)
    layout = h5py.VirtualLayout((1, 1, 2, 2), np.float32)
    layout[:] = h5py.VirtualSource(other, "x", (1, 1, 2, 2))
    name = "kernel:0"

    def virtual(group):
        group.create_virtual_dataset(name, layout)

    def external(group):
        place = [(other, 0, 16)]
        group.create_dataset(name, (1, 1, 2, 2), np.float32, external=place)

    def link(group):
        group[name] = h5py.ExternalLink(other, "x")

    def soft(group):
        group[name] = h5py.SoftLink("/a")

    return {"virtual": virtual, "external": external, "link": link, "soft": soft}


@pytest.mark.parametrize("way", ["virtual", "external", "link", "soft"])
def test_nothing_is_read_from_elsewhere(path, way):
    replaced(path, elsewhere(path)[way])
    with pytest.raises(CheckpointError, match="refused: 'a/kernel:0'"):
        read(path)


def objects(group):
    group.create_dataset("kernel:0", (2,), h5py.string_dtype())


def references(group):
    group.create_dataset("kernel:0", (2,), h5py.ref_dtype)


def huge(group):  # takes no room in the file
    group.create_dataset("kernel:0", (1 << 20, 1 << 20), np.float32, chunks=(8, 8))


def packed(group):
    group.create_dataset("kernel:0", data=np.zeros((1000, 1000)), compression="gzip")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (objects, "of kind object, no numbers"),
        (references, "of kind object, no numbers"),
        (huge, "its tensors claim 4,398,046,511,104 bytes"),
        (packed, "its tensors claim 8,000,000 bytes"),
        (lambda group: group.create_group("kernel:0"), "is no dataset"),
        (lambda group: None, "is not there"),
    ],
)
def test_what_is_no_array_of_numbers_or_claims_too_much_is_refused(path, make, words):
    replaced(path, make)
    with pytest.raises(CheckpointError, match=words):
        read(path)


def test_names_that_are_none_or_given_twice_are_refused(path):
    save(path, {"a": {"kernel:0": numbers(2, 2)}})
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = [b"a", b"a"]
    with pytest.raises(CheckpointError, match=r"two arrays in it are called 'a\.weight'"):
        read(path)
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = numbers(2)
    with pytest.raises(CheckpointError, match="layer_names in it is of kind float32, no names"):
        read(path)
