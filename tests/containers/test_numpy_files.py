"""Numpy's own files, as strangers make them."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from muybridge.checkpoints import kind, read
from muybridge.errors import CheckpointError


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i4", "|u1", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_one_array_is_read_whatever_its_order(tmp_path, dtype, order):
    values = np.arange(6).reshape(2, 3).astype(dtype, order=order)
    np.save(tmp_path / "a.npy", values)
    assert kind(tmp_path / "a.npy") == "npy"
    assert np.array_equal(read(tmp_path / "a.npy")["array"], values)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_is_read_by_name(tmp_path, save):
    held = {"pose": np.arange(144.0), "cam": np.float32([0.9, 0, 0])}
    save(tmp_path / "mean.npz", **held)
    assert kind(tmp_path / "mean.npz") == "npz"
    found = read(tmp_path / "mean.npz")
    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in held.items()
    }


def test_of_a_body_model_only_what_makes_the_body_is_read(tmp_path):
    held = {"v_template": np.zeros((4, 3)), "J": np.array(["words"], object)}
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **held, allow_pickle=np.True_)
    assert list(read(tmp_path / "SMPL_NEUTRAL.npz")) == ["v_template"]


def test_arrays_of_objects_are_refused_unread(tmp_path):
    np.savez(tmp_path / "a.npz", good=np.zeros(2), bad=np.array([{}], object))
    with pytest.raises(CheckpointError, match="bad: refused: it holds an array of kind object"):
        read(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", np.array([print], object))
    with pytest.raises(CheckpointError, match="refused: it holds an array of kind object"):
        read(tmp_path / "a.npy")


def test_an_array_that_claims_more_than_there_is_is_refused(tmp_path):
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    np.lib.format.write_array_header_1_0(stream, header)
    (tmp_path / "a.npy").write_bytes(stream.getvalue())
    with pytest.raises(CheckpointError, match="cut off, or not the official file"):
        read(tmp_path / "a.npy")


def test_an_archive_that_unpacks_to_much_is_refused_before_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("muybridge.containers.numpy_files.LARGEST", 1000)
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(100_000))
    with pytest.raises(CheckpointError, match="at most 1,000 are read"):
        read(tmp_path / "bomb.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_a_file_that_is_cut_off_anywhere_says_so(tmp_path, name):
    path = tmp_path / name
    (np.save if name.endswith("npy") else np.savez)(path, np.arange(5.0))
    whole = path.read_bytes()
    for length in range(8, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"cut off|broken|no model file"):
            read(path)


def test_another_archive_is_none_of_numpy_s(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("data.txt", "hello")
    assert kind(tmp_path / "a.zip") == "torch zip"
