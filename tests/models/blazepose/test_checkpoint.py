"""The network's file: it comes along, or is the user's; trimmed without a change."""

import numpy as np
import pytest

from muybridge.errors import WeightsError
from muybridge.litert import Network, trim
from muybridge.models.blazepose import checkpoint


def test_the_full_network_comes_along_as_its_card_says():
    card = checkpoint.path("blazepose", None).with_name("MODEL_CARD.md").read_text()
    assert checkpoint.missing("blazepose", None) == []
    assert checkpoint.identity("blazepose")["blazepose"] in card


def test_the_heavy_one_is_missing_until_it_is_brought(tmp_path):
    assert "npm package @mediapipe/pose" in checkpoint.missing("blazepose_heavy", None)[0]
    with pytest.raises(WeightsError, match="name the file with --weights"):
        checkpoint.load("blazepose_heavy", tmp_path)
    file = tmp_path / "pose_landmark_heavy.tflite"
    file.write_bytes(checkpoint.path("blazepose", None).read_bytes())
    for given in (tmp_path, file):
        assert checkpoint.missing("blazepose_heavy", given) == []
    assert checkpoint.identity("blazepose_heavy", file)


def test_the_trimmed_network_gives_exactly_what_the_whole_one_gives():
    file, kept = checkpoint.path("blazepose", None), (0, 1, 3, 4)
    crop = np.random.default_rng(0).random((256, 256, 3), np.float32)
    whole, trimmed = Network(file.read_bytes())(crop), Network(trim(file.read_bytes(), kept))(crop)
    assert len(whole) == 5
    for output, position in zip(trimmed, kept, strict=True):
        assert np.array_equal(output, whole[position])
