"""The wheel's files: found without an import, trimmed without a change."""

import subprocess
import sys

import numpy as np
import pytest

from muybridge.errors import WeightsError
from muybridge.models.blazepose import checkpoint
from muybridge.models.blazepose.model import Network

CODE = """
import sys
from muybridge.models.blazepose import checkpoint
checkpoint.load()
print([name for name in ("mediapipe", "jax", "cv2", "tensorflow") if name in sys.modules])
"""


@pytest.fixture(autouse=True)
def _installed():
    if absent := checkpoint.missing():
        pytest.skip(absent[0])


def test_loading_imports_neither_mediapipe_nor_what_it_would_bring():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_that_is_not_there_is_an_error_that_says_what_to_do():
    with pytest.raises(WeightsError, match=r"no/such\.tflite.*pip install"):
        checkpoint.path("no/such.tflite")


def test_the_trimmed_network_says_exactly_what_the_whole_one_says():
    file, kept = checkpoint.path(checkpoint.LANDMARKS), (0, 1, 3, 4)
    crop = np.random.default_rng(0).random((256, 256, 3), np.float32)
    whole = Network(file.read_bytes())(crop)
    trimmed = Network(checkpoint.trimmed(file, kept))(crop)
    assert len(whole) == 5
    for output, position in zip(trimmed, kept, strict=True):
        assert np.array_equal(output, whole[position])
