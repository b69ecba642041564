"""The losses DensePose is trained by: against the authors' numbers, and by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from muybridge.models.densepose.annotations import Person, person
from muybridge.models.densepose.config import VARIANTS
from muybridge.models.densepose.losses import (
    LEGACY,
    Sampling,
    Weights,
    drawn,
    learnable,
    losses,
    published,
    sampled,
    sampling,
    surprise,
    targets,
)
from muybridge.models.densepose.surface import Charts

# name in the pack, what its noise is called there, loss weights, maps beyond the first four
CASES = (
    ("s1x", "s1x", Weights(), ()),
    ("legacy", "legacy", LEGACY, ()),
    ("s1x_iid_iso", "s1x", Weights(), ("sigma_2",)),
    ("s1x_indep_aniso", "s1x", Weights(), ("sigma_2", "kappa_u", "kappa_v")),
)
NAMES = {"u": "U", "v": "V", "uv": "UV", "fine": "I", "coarse": "S"}  # ours, the pack's
NOISE = {  # spread and middle of the pack's predictions
    "coarse_segm": (1.5, 0.0),
    "fine_segm": (1.5, 0.0),
    "u": (0.5, 0.5),
    "v": (0.5, 0.5),
    "sigma_2": (0.7, 0.0),
    "kappa_u": (0.7, 0.0),
    "kappa_v": (0.7, 0.0),
}


class Pack:
    """The pack's numbers about losses."""

    def __init__(self, folder, fill):
        self.given = np.load(folder / "inputs.npz")
        self.units = np.load(folder / "outputs_units.npz")
        self.limits = json.loads((folder / "tolerance.json").read_text())
        self.seed = json.loads((folder / "manifest.json").read_text())["seed"]
        records = json.loads((folder / "annotations.json").read_text())
        self.people = [person({**r, "image_id": 0, "bbox": [0, 0, 1, 1]}) for r in records]
        self.fill = fill

    def boxes(self, kind):
        return torch.from_numpy(
            np.concatenate([self.given[f"unit.loss.{kind}_boxes_image{i}"] for i in (0, 1)])
        )

    def annotated(self):
        indices = [self.given[f"unit.loss.annotation_index_image{i}"] for i in (0, 1)]
        return [None if i < 0 else self.people[i] for i in np.concatenate(indices)]

    def targets(self):
        return targets(self.annotated(), self.boxes("gt"), self.boxes("proposal"))

    def noise(self, name, shape):
        spread, middle = NOISE[name.rsplit(".", 1)[1]]
        gain = math.sqrt(math.prod(shape[1:]))
        made = np.float32(spread) * self.fill(name, shape, seed=self.seed, gain=gain)
        return torch.from_numpy(np.float32(middle) + made).requires_grad_()

    def near(self, key, found):
        found, wanted = np.asarray(found), self.units[key]
        limit = self.limits.get(key, {"float64": 0, "rms": np.sqrt((wanted**2).mean())})
        most = max(10 * limit["float64"], 1e-5 * limit["rms"], 1e-7)
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= most, key


@pytest.fixture(scope="module")
def pack(golden, synthetic_fill):
    return Pack(golden / "densepose_r50_fpn", synthetic_fill)


def charts(maps):
    nothing = torch.empty(0)
    rest = (maps.get(name, nothing) for name in ("sigma_2", "kappa_u", "kappa_v"))
    return Charts(maps["coarse_segm"], maps["fine_segm"], maps["u"], maps["v"], *rest)


@pytest.mark.golden
def test_hand_drawn_parts_are_decoded_as_the_authors_do(pack):
    found = np.stack([each.drawn for each in pack.people])
    np.testing.assert_array_equal(found, pack.units["unit.annotation.segmentation"])


@pytest.mark.golden
def test_points_lie_between_the_same_cells_as_the_authors(pack):
    known, units = pack.targets(), pack.units
    points = sampling(known, 112)
    np.testing.assert_array_equal(known.row, units["unit.loss.annotated_box_index"])
    np.testing.assert_array_equal(known.box, units["unit.loss.point_box_index"])
    np.testing.assert_array_equal(points.inside, units["unit.loss.point_valid_112"] > 0)
    for name, cells in (("lo", points.low), ("hi", points.high)):
        for axis, letter in enumerate("xy"):
            wanted = units[f"unit.loss.point_{letter}_{name}_112"]
            np.testing.assert_array_equal(cells[:, axis], wanted)
    x, y = points.share.unbind(1)
    for row, below in (("lo", 1 - y), ("hi", y)):
        for column, beside in (("lo", 1 - x), ("hi", x)):
            pack.near(f"unit.loss.point_w_y{row}_x{column}_112", below * beside)


@pytest.mark.golden
@pytest.mark.parametrize("side", [56, 112])
def test_hand_drawn_parts_are_brought_to_the_same_cells(pack, side):
    wanted = pack.units[f"unit.loss.coarse_gt_resampled_{side}"]
    np.testing.assert_array_equal(drawn(pack.targets(), side), wanted)


@pytest.mark.golden
@pytest.mark.parametrize(("tag", "source", "weights", "more"), CASES, ids=lambda x: str(x))
def test_losses_and_gradients_are_the_authors(pack, tag, source, weights, more):
    side, coarse = (56, 15) if tag == "legacy" else (112, 2)
    names = ("coarse_segm", "fine_segm", "u", "v", *more)
    boxes = len(pack.boxes("gt"))
    maps = {
        name: pack.noise(
            f"golden.loss.{source}.{name}",
            (boxes, coarse if name == "coarse_segm" else 25, side, side),
        )
        for name in names
    }
    found = losses(charts(maps), pack.targets(), weights)
    for name, loss in found.items():
        pack.near(f"unit.loss.{tag}.loss_densepose_{NAMES[name]}", loss.detach())
    sum(found.values()).backward()
    for name in names:
        gradient = maps[name].grad
        pack.near(f"unit.loss.{tag}.grad_norm_{name}", gradient.norm())
        if f"unit.loss.{tag}.grad_index_{name}" in pack.units:
            at = torch.from_numpy(pack.units[f"unit.loss.{tag}.grad_index_{name}"])
            pack.near(f"unit.loss.{tag}.grad_value_{name}", gradient.flatten()[at])


@pytest.mark.golden
def test_only_annotated_boxes_near_their_truth_are_learnt_from(pack):
    for image in (0, 1):
        given = pack.given
        truth = torch.from_numpy(given[f"unit.loss.gt_boxes_image{image}"])
        name = ("unit.loss", "unit.filter")[image]
        boxes = torch.from_numpy(given[f"{name}.proposal_boxes_image{image}"])
        indices = given[f"unit.loss.annotation_index_image{image}"]
        people = [None if i < 0 else pack.people[i] for i in indices]
        kept = boxes[learnable(boxes, truth, people)]
        np.testing.assert_array_equal(kept, pack.units[f"unit.filter.kept_boxes_image{image}"])
    pack.near("unit.filter.iou_image1", box_iou(boxes, truth).diagonal())


def made(points, picture=(0.0, 0.0, 256.0, 256.0)):
    """Somebody with points (x, y, part, u, v), drawn as part 1 in the upper half of the box."""
    x, y, part, u, v = np.array(points, np.float32).reshape(-1, 5).T
    upper = np.zeros((256, 256), np.uint8)
    upper[:128] = 1
    return Person(np.array(picture, np.float32), upper, x, y, part.astype(np.int64), u, v)


def flat(boxes, side=4, **values):
    """Charts that say the same everywhere."""
    channels = {"coarse_segm": 2, "fine_segm": 25, "u": 25, "v": 25}
    return charts(
        {
            name: torch.full((boxes, count, side, side), values.get(name, 0.0)).requires_grad_()
            for name, count in channels.items()
        }
    )


BOX = torch.tensor([[0.0, 0.0, 256.0, 256.0]])


def test_one_point_costs_what_a_hand_calculation_says():
    known = targets([made([(128, 128, 3, 0.25, 0.75)])], BOX, BOX)
    found = losses(flat(1, u=0.5, v=0.5), known)
    assert found["u"].item() == pytest.approx(0.01 * 0.5 * 0.25**2)
    assert found["v"].item() == pytest.approx(0.01 * 0.5 * 0.25**2)
    assert found["fine"].item() == pytest.approx(math.log(25))
    assert found["coarse"].item() == pytest.approx(5 * math.log(2))


def test_many_points_add_up_in_u_and_v_and_are_averaged_in_parts():
    points = [(10, 20, 3, 0.0, 0.5), (200, 20, 24, 1.0, 0.5), (100, 220, 1, 0.5, 0.5)]
    found = losses(flat(1, u=0.5, v=0.5), targets([made(points)], BOX, BOX))
    assert found["u"].item() == pytest.approx(0.01 * 2 * 0.5 * 0.25)
    assert found["v"].item() == 0
    assert found["fine"].item() == pytest.approx(math.log(25))


def test_a_point_of_the_background_teaches_the_part_but_no_coordinates():
    known = targets([made([(128, 128, 0, 0.9, 0.9)])], BOX, BOX)
    found = losses(flat(1), known)
    assert found["u"].item() == 0
    assert found["fine"].item() == pytest.approx(math.log(25))


def test_a_point_outside_of_the_box_the_head_was_given_counts_nothing():
    right = torch.tensor([[128.0, 0.0, 256.0, 256.0]])
    known = targets([made([(64, 128, 3, 1.0, 1.0)])], BOX, right)
    assert losses(flat(1), known)["u"].item() == 0


def test_the_segmentation_is_taken_from_where_the_box_lies():
    """Only the lower half is given to the head, where nothing was drawn."""
    lower = torch.tensor([[0.0, 128.0, 256.0, 256.0]])
    assert not drawn(targets([made([])], BOX, lower), 4).any()
    assert drawn(targets([made([])], BOX, BOX), 4).sum() == 8


@pytest.mark.parametrize("people", [[], [None], [None, None]])
def test_nobody_annotated_costs_nothing_and_teaches_nothing(people):
    boxes = BOX.repeat(len(people), 1)
    predicted = flat(len(people))
    found = losses(predicted, targets(people, boxes, boxes))
    total = sum(found.values())
    assert total.item() == 0
    total.backward()
    assert not predicted.fine.grad.any()


def test_values_between_cells_are_weighed_by_distance():
    maps = torch.arange(4.0).reshape(1, 1, 2, 2)
    points = Sampling(
        torch.tensor([True]),
        torch.tensor([[0, 0]]),
        torch.tensor([[1, 1]]),
        torch.tensor([[0.25, 0.5]]),
    )
    assert sampled(maps, torch.tensor([0]), points).item() == pytest.approx(1.25)


def test_each_kind_of_network_has_the_weights_it_was_published_with():
    names = ("s1x", "s1x_legacy", "WC1_s1x", "DL_WC2M_s1x")
    found = [published(VARIANTS[f"densepose_rcnn_R_50_FPN_{name}"]).uv for name in names]
    assert found == [0.01, 0.1, 0.0005, 0.0005]


def test_misses_are_as_unlikely_as_a_gaussian_says():
    miss = torch.tensor([[0.3, -0.2], [0.0, 0.1]])
    variance, along = torch.tensor([0.5, 0.1]), torch.tensor([[0.4, 0.1], [0.0, 0.0]])
    found = surprise(miss, variance, along)
    covariance = variance[:, None, None] * torch.eye(2) + along[:, :, None] * along[:, None]
    exact = torch.distributions.MultivariateNormal(torch.zeros(2), covariance).log_prob(miss)
    # the published loss has log(2 pi) once where a Gaussian of two values has it twice
    torch.testing.assert_close(found, -exact - 0.5 * math.log(2 * math.pi))
