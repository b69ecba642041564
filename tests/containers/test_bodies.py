"""Body models as their authors pickle them: chumpy's arrays, a sparse matrix, Python 2's names."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

from muybridge.checkpoints import read
from muybridge.containers.bodies import DEEPEST, KEPT
from muybridge.errors import CheckpointError

Make = Callable[..., Any]
VERTICES = 7
PYTHON2 = Path(__file__).parent / "python2"


@pytest.fixture
def chumpy(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make an object of a class that a pickle will name so, with a state."""

    kinds = dict[str, type]()

    def make(name: str, **state: Any) -> Any:
        module, _, called = name.rpartition(".")
        if name not in kinds:
            kinds[name] = type(called, (), {"__module__": module})
            stub = ModuleType(module)
            setattr(stub, called, kinds[name])
            monkeypatch.setitem(sys.modules, module, stub)
            if "chumpy" not in sys.modules:
                monkeypatch.setitem(sys.modules, "chumpy", ModuleType("chumpy"))
        made = kinds[name]()
        made.__dict__ |= state
        return made

    return make


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def body(**others: Any) -> dict[str, Any]:
    """Give a small body's arrays, plain ones, and what such files hold besides."""
    return {
        "v_template": numbers(VERTICES, 3),
        "shapedirs": numbers(VERTICES, 3, 12),
        "posedirs": numbers(VERTICES, 3, 207),
        "J_regressor": numbers(24, VERTICES),
        "weights": numbers(VERTICES, 24),
        "kintree_table": np.array([[2**32 - 1, 0], [0, 1]], np.uint32),
        "f": np.array([[0, 1, 2]], np.uint32),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        "J": numbers(24, 3),
        **others,
    }


def written(path: Path, held: Any, protocol: int = 2) -> dict[str, torch.Tensor]:
    path.write_bytes(pickle.dumps(held, protocol))
    return read(path)


def test_a_body_of_plain_arrays_is_read_and_the_rest_left_out(tmp_path):
    held = body()
    found = written(tmp_path / "body.pkl", held)
    assert set(found) == set(KEPT)
    for name in ("v_template", "posedirs", "weights"):
        assert np.array_equal(found[name], held[name])
    assert np.array_equal(found["shapedirs"], held["shapedirs"][..., :10])


def test_nobody_s_parent_is_minus_one(tmp_path):
    found = written(tmp_path / "body.pkl", body())
    assert found["kintree_table"].tolist() == [[-1, 0], [0, 1]]
    assert found["f"].dtype == torch.int64


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_what_python_2_and_chumpy_themselves_wrote_is_read(protocol):
    """The files are written by ``write.py`` beside them."""

    def counted(*shape: int) -> list[Any]:
        return (np.arange(np.prod(shape)).reshape(shape) / 8).tolist()

    found = {n: t.tolist() for n, t in read(PYTHON2 / f"body{protocol}.pkl").items()}
    assert found == {
        "v_template": counted(5, 3),
        "shapedirs": np.array(counted(5, 3, 6))[..., :4].tolist(),
        "posedirs": (-np.array(counted(5, 3, 2))).tolist(),
        "J_regressor": np.eye(3, 5).tolist(),
        "weights": counted(5, 2),
        "kintree_table": [[-1, 0, 0], [0, 1, 2]],
        "f": [[0, 1, 2], [2, 3, 4]],
    }


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_a_file_of_python_2_with_one_wrong_byte_is_read_or_refused(tmp_path, protocol):
    whole = (PYTHON2 / f"body{protocol}.pkl").read_bytes()
    path = tmp_path / "body.pkl"
    for at in range(0, len(whole), 13):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x15]) + whole[at + 1 :])
        try:
            read(path)
        except CheckpointError:
            continue


def test_a_file_of_python_2_that_is_cut_off_says_so(tmp_path):
    whole = (PYTHON2 / "body0.pkl").read_bytes()
    path = tmp_path / "body.pkl"
    for length in range(8, len(whole) - 1, 101):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="cut off"):
            read(path)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_arrays_of_chumpy_and_a_sparse_regressor_are_read(tmp_path, chumpy, protocol):
    held = body()
    regressor = np.where(numbers(24, VERTICES, seed=1) > 0.5, held["J_regressor"], 0)
    all_shapes = numbers(VERTICES, 3, 300)
    picked = chumpy(
        "chumpy.reordering.Select",
        a=chumpy("chumpy.ch.Ch", x=all_shapes, _dirty_vars=set()),
        idxs=np.arange(all_shapes.size).reshape(all_shapes.shape)[..., :10].ravel(),
        preferred_shape=(VERTICES, 3, 10),
    )
    stated = body(
        v_template=chumpy("chumpy.ch.Ch", x=held["v_template"], _itr=None),
        shapedirs=picked,
        J_regressor=scipy.sparse.csc_matrix(regressor),
    )
    found = written(tmp_path / "body.pkl", stated, protocol)
    assert np.array_equal(found["v_template"], held["v_template"])
    assert np.array_equal(found["shapedirs"], all_shapes[..., :10])
    assert np.array_equal(found["J_regressor"], regressor)


def test_a_sparse_matrix_under_scipy_s_old_name_is_read(tmp_path, chumpy):
    regressor = scipy.sparse.csc_matrix(np.eye(24, VERTICES))
    old = chumpy(
        "scipy.sparse.csc.csc_matrix",
        data=regressor.data,
        indices=regressor.indices,
        indptr=regressor.indptr,
        _shape=regressor.shape,
    )
    found = written(tmp_path / "body.pkl", body(J_regressor=old))
    assert np.array_equal(found["J_regressor"], np.eye(24, VERTICES))


def test_chumpy_is_neither_needed_nor_imported(tmp_path, chumpy, monkeypatch):
    held = body(v_template=chumpy("chumpy.ch.Ch", x=numbers(VERTICES, 3)))
    path = tmp_path / "body.pkl"
    path.write_bytes(pickle.dumps(held, 2))
    for name in ("chumpy.ch", "chumpy"):
        monkeypatch.delitem(sys.modules, name)
    assert read(path)["v_template"].shape == (VERTICES, 3)
    assert "chumpy" not in sys.modules


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_what_would_compute_is_left_out_and_refused_where_it_is_needed(tmp_path, chumpy, protocol):
    sum_ = chumpy("chumpy.ch_ops.add", a=1, b=2)
    assert "J" not in written(tmp_path / "body.pkl", body(J=sum_), protocol)
    with pytest.raises(CheckpointError, match=r"v_template: .*compute it \(chumpy\.ch_ops\.add\)"):
        written(tmp_path / "body.pkl", body(v_template=sum_), protocol)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_body_that_would_run_something_is_refused(tmp_path, protocol):
    class Evil:
        def __reduce__(self) -> Any:
            return (print, ("run",))

    with pytest.raises(CheckpointError, match=r"refused: it asks for (builtins|__builtin__).print"):
        written(tmp_path / "body.pkl", body(extra=Evil()), protocol)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"cos\nsystem\n(S'touch trace'\ntR.", r"asks for os\.system"),
        (b"(dp0\nS'v_template'\n(S'touch trace'\nios\nsystem\ns.", "instruction INST"),
        (b"cchumpy.utils\nsource\n(S'touch trace'\ntR.", r"asks for chumpy\.utils\.source"),
        (b"ccopy_reg\n_reconstructor\n(cnumpy\ndtype\nc__builtin__\nobject\nNtR.", "broken"),
        (
            b"ccopy_reg\n_reconstructor\n(c__builtin__\nbytes\nc__builtin__\nobject\nNtR.",
            "no file does",
        ),
        (b"c__builtin__\nobject\n(tR.", "only named"),
        (b"(dp0\nS'v_template'\nS'no end", "broken"),
    ],
)
def test_what_text_could_run_is_refused(tmp_path, text, said):
    (tmp_path / "body.pkl").write_bytes(text)
    with pytest.raises(CheckpointError, match=said):
        read(tmp_path / "body.pkl")


def test_an_array_that_is_made_of_itself_is_refused(tmp_path, chumpy):
    loops = {
        "chumpy.ch.Ch": ("x", {}),
        "chumpy.reordering.Select": ("idxs", {"a": np.zeros(3)}),
        "scipy.sparse.csc.csc_matrix": ("data", {"_shape": (1, 1)}),
    }
    for name, (itself, state) in loops.items():
        loop = chumpy(name, **state)
        loop.__dict__[itself] = loop
        with pytest.raises(CheckpointError, match=r"weights: refused: it is made of others"):
            written(tmp_path / "body.pkl", body(weights=loop))


def test_a_regressor_whose_columns_do_not_add_up_is_refused(tmp_path, chumpy):
    name = "scipy.sparse.csc.csc_matrix"
    good = {
        "data": np.ones(2),
        "indices": np.array([0, 5]),
        "indptr": np.array([0, 1, 2]),
        "_shape": (24, 2),
    }
    faults: list[tuple[dict[str, Any], str]] = [
        ({"indices": np.array([0, 24])}, "outside its 24 rows"),
        ({"indptr": np.array([0, 2, 1])}, "do not add up"),
        ({"_shape": (1 << 20, 1 << 20)}, "claims 1048576 rows"),
        ({"_shape": (float("inf"), 2)}, "is broken"),
        ({"data": "no"}, "an array is wanted"),
    ]
    for fault, said in faults:
        with pytest.raises(CheckpointError, match=f"J_regressor.*{said}"):
            written(tmp_path / "body.pkl", body(J_regressor=chumpy(name, **(good | fault))))


def test_an_array_picked_out_of_itself_without_end_is_refused(tmp_path, chumpy):
    value: Any = numbers(VERTICES, 3)
    for _ in range(DEEPEST + 2):
        value = chumpy("chumpy.ch.Ch", x=value)
    with pytest.raises(CheckpointError, match=r"v_template.*made of others"):
        written(tmp_path / "body.pkl", body(v_template=value))


def test_numbers_picked_beyond_an_array_are_refused(tmp_path, chumpy):
    picked = chumpy("chumpy.reordering.Select", a=np.zeros(3), idxs=np.array([3]))
    with pytest.raises(CheckpointError, match="v_template is broken"):
        written(tmp_path / "body.pkl", body(v_template=picked))


def test_a_body_of_words_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="weights: it is a str, and an array is wanted"):
        written(tmp_path / "body.pkl", body(weights="many"))
