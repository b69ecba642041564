"""Files of bodies that are not what they should be, and what is said of each."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muybridge import weights
from muybridge.errors import WeightsError
from muybridge.geometry.smpl import VERTICES, Body

pytestmark = pytest.mark.golden


def load(folder: Path, held: dict[str, Any], name: str = "smpl_neutral") -> Body:
    (folder / "body.pkl").write_bytes(pickle.dumps(held, 2))
    return weights.load(name, folder / "body.pkl")  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["smpl_neutral", "smpl_male", "smpl_female"])
def test_a_body_is_read_from_a_pickle_or_an_archive(tmp_path, smpl_pack, name):
    np.savez(tmp_path / "body.npz", **smpl_pack.body)
    for body in (
        load(tmp_path, smpl_pack.body, name),
        weights.load(name, tmp_path / "body.npz"),
    ):
        assert np.array_equal(body.template, smpl_pack.body["v_template"])
        assert np.array_equal(body.faces, smpl_pack.body["f"])
        assert not any(value.requires_grad for value in body.buffers())


@pytest.mark.parametrize(
    "file", ["SMPL_MALE.pkl", "SMPL_MALE.npz", "basicmodel_m_lbs_10_207_0_v1.1.0.pkl"]
)
def test_a_folder_may_have_it_under_any_name_that_it_is_known_by(tmp_path, smpl_pack, file):
    if file.endswith("npz"):
        np.savez(tmp_path / file, **smpl_pack.body)
    else:
        (tmp_path / file).write_bytes(pickle.dumps(smpl_pack.body, 2))
    assert weights.missing("smpl_male", tmp_path) == []
    assert isinstance(weights.load("smpl_male", tmp_path), Body)
    assert weights.named(tmp_path / file) == "smpl_male"


def test_all_that_is_wrong_with_a_body_is_said_at_once(tmp_path, smpl_pack):
    faulty = dict(smpl_pack.body)
    del faulty["posedirs"]
    faulty["weights"] = faulty["weights"][:, :22]
    faulty["f"] = faulty["f"].copy()
    faulty["f"][5, 1] = VERTICES
    faulty["kintree_table"] = faulty["kintree_table"][:, ::-1].copy()
    with pytest.raises(WeightsError) as refused:
        load(tmp_path, faulty)
    said = str(refused.value)
    assert "pose_directions" in said
    assert "(6890, 22)" in said
    assert f"f: corners are numbered 0 to {VERTICES}, of {VERTICES} vertices" in said
    assert "kintree_table: its joints hang together otherwise" in said


def test_a_body_of_another_model_is_refused(tmp_path, smpl_pack):
    bigger = np.zeros((10475, 3))  # SMPL-X has so many vertices
    with pytest.raises(WeightsError, match=r"\(10475, 3\)"):
        load(tmp_path, {**smpl_pack.body, "v_template": bigger})


def test_a_regressor_of_another_size_is_refused(tmp_path):
    np.save(tmp_path / "J_regressor_extra.npy", np.zeros((17, VERTICES)))
    with pytest.raises(WeightsError, match=r"\(17, 6890\)"):
        weights.load("smpl_regressor_extra", tmp_path)


def test_what_nobody_may_hand_on_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    (said,) = weights.missing("smpl_neutral")
    for part in (
        *("smpl_neutral", "cannot be fetched", "register at https://smplify.is.tue.mpg.de"),
        *(str(tmp_path), "SMPL_NEUTRAL.pkl", "--weights FOLDER"),
    ):
        assert part in said
    with pytest.raises(WeightsError, match="register at"):
        weights.fetch("smpl_neutral", accept=True)
