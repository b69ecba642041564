"""torchvision's video networks answer as torchvision's own code does, and see people whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from muybridge.labels import KINETICS, named
from muybridge.models.kinetics.model import KINDS, network
from muybridge.models.kinetics.predict import Predictor
from muybridge.models.kinetics.preprocess import around, cut, small, together


def pictures(count: int, height: int = 72, width: int = 96) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("name", KINDS)
def test_pictures_are_prepared_as_by_torchvisions_transforms(name):
    transforms = KINDS[name].weights.transforms()
    given = pictures(3)
    ours = together(torch.stack([small(each, transforms) for each in given]), transforms)
    theirs = transforms(torch.from_numpy(given).permute(0, 3, 1, 2))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", KINDS)
def test_scores_are_torchvisions(name):
    kind = KINDS[name]
    torch.manual_seed(0)
    plain = network(name).eval()
    before = {key: value.clone() for key, value in plain.state_dict().items()}
    given = pictures(min(kind.frames, 32))
    clip = torch.stack([small(each, kind.weights.transforms()) for each in given])
    ours = Predictor(plain, name)(clip)
    with torch.inference_mode():
        seen = kind.weights.transforms()(torch.from_numpy(given).permute(0, 3, 1, 2))
        theirs = plain(seen[None])[0].softmax(0).numpy()
    assert ours.shape == (400,)
    assert ours == pytest.approx(theirs, abs=1e-5)
    after = plain.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_bfloat16_is_near():
    torch.manual_seed(0)
    plain = network("s3d")
    clip = torch.stack([small(e, KINDS["s3d"].weights.transforms()) for e in pictures(16)])
    one, other = (Predictor(plain, "s3d", precision)(clip) for precision in ("float32", "bfloat16"))
    assert one == pytest.approx(other, abs=1e-3)
    assert other.dtype == np.float32


def test_all_have_the_same_labels():
    assert {kind.labels for kind in KINDS.values()} == {named(KINETICS)}
    assert len(named(KINETICS)) == 400


@pytest.mark.parametrize("name", ["r3d_18", "mvit_v2_s", "s3d"])
def test_a_person_is_seen_whole_in_the_middle_wherever_they_are(name):
    transforms = KINDS[name].weights.transforms()
    boxes = np.array([[10.0, 20, 50, 60], [150, 20, 190, 60], [180, 90, 220, 130]])
    regions = around(boxes, np.array([0, 1.0, 2.0]), transforms)
    for box, region in zip(boxes.astype(int), regions, strict=True):
        picture = np.zeros((120, 200, 3), np.uint8)
        picture[box[1] : box[3], box[0] : box[2]] = 255
        seen = small(cut(picture, region), transforms)[0].numpy()
        inside = picture[box[1] : box[3], box[0] : box[2]].size / 3 / 40 / 40
        assert (seen > 127).mean() == pytest.approx(inside, abs=0.05)


def test_a_region_does_not_pump_with_the_box():
    boxes = np.array([[0.0, 0, 40, 40], [0, 0, 60, 30], [0, 0, 40, 40], [0, 0, 20, 20]])
    times = np.array([0, 0.1, 0.2, 5.0])
    sides = np.diff(around(boxes, times, KINDS["mvit_v2_s"].weights.transforms())[:, [0, 2]])
    assert sides.ravel().tolist() == pytest.approx([60 * 256 / 224] * 3 + [20 * 256 / 224], abs=1)
