"""From maps to people: as OpenPose's authors put them together, scene by scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from muybridge.models.openpose import limbs
from muybridge.models.openpose.bodies import BODY_25, COCO, Body
from muybridge.models.openpose.limbs import pairs, sampled
from muybridge.models.openpose.peaks import enlarged, peaks
from muybridge.models.openpose.postprocess import MAXIMIZED, Thresholds, assemble

BODIES = {"coco18": COCO, "body25": BODY_25}
PLACE, SCORE = 5e-3, 1e-3  # the pack's tolerances
pytestmark = pytest.mark.golden


def maps_of(pack: Any, key: str) -> torch.Tensor:
    parts = pack.inputs[f"{key}_heatmap"], pack.inputs[f"{key}_paf"]
    return torch.from_numpy(np.concatenate(parts))


def seen(pack: Any, scene: dict[str, Any]) -> tuple[torch.Tensor, Body, float, Thresholds]:
    """Take a scene's maps, its layout, its scale and the thresholds it asks for."""
    thresholds = MAXIMIZED if scene["maximize_positives"] else Thresholds()
    body = BODIES[scene["layout"]]
    return maps_of(pack, scene["key"]), body, scene["scale_net_to_output"], thresholds


@pytest.fixture(scope="module")
def scenes(pack: Any) -> Any:
    return pack("openpose_paf_assembly")


def test_layouts_are_as_published(scenes):
    for name, body in BODIES.items():
        published = scenes.manifest["layouts"][name]
        assert len(published["joints"]) == body.joints
        assert [list(pair) for pair in body.pairs] == published["pairs"]
        assert [[at, at + 1] for at in body.fields] == published["paf_channels"]


def test_thresholds_are_as_published(scenes):
    for name, ours in (("default", Thresholds()), ("maximize_positives", MAXIMIZED)):
        theirs = scenes.manifest["thresholds"][name]
        assert (ours.peak, ours.share, ours.field) == (
            theirs["nms"], theirs["inter_min_above"], theirs["inter"],
        )  # fmt: skip
        assert (ours.joints, ours.score) == (theirs["min_subset_count"], theirs["min_subset_score"])


def test_maps_are_enlarged_as_by_the_authors(scenes):
    """Cells are enlarged one by one, fields are read at points; both are rows of the whole map."""
    for name, body in BODIES.items():
        key, rows = f"{name}_00", slice(100, 160)
        maps = maps_of(scenes, key)
        _, height, width = maps.shape
        cells = functional.pad(maps[:1], (2, 2, 2, 2), mode="replicate").unfold(1, 5, 1)
        blocks = enlarged(cells.unfold(2, 5, 1).reshape(-1, 25), 0).view(height, width, 8, 8)
        nose = blocks.transpose(1, 2).reshape(height * 8, width * 8)[rows].numpy()
        want = scenes.outputs[f"{key}_upsampled_nose_rows_100_160"]
        assert nose == pytest.approx(want.reshape(nose.shape), abs=1e-5)
        y, x = torch.meshgrid(torch.arange(100, 160), torch.arange(width * 8), indexing="ij")
        points = torch.stack([x, y], -1).flatten(0, 1)[:, None].float()
        channel = torch.zeros(len(points), dtype=torch.int64)
        field = sampled(maps[body.heat :], channel, points)[:, 0, 0].view(x.shape).numpy()
        want = scenes.outputs[f"{key}_upsampled_paf0_rows_100_160"]
        assert field == pytest.approx(want.reshape(field.shape), abs=1e-5)


def test_peaks_are_the_authors_in_all_scenes(scenes):
    for scene in scenes.manifest["scenes"]:
        maps, body, scale, thresholds = seen(scenes, scene)
        got = peaks(maps[: body.joints], thresholds.peak, 0.5 / scale).numpy()
        want = scenes.outputs[f"{scene['key']}_peaks"]
        assert got[:, 0].tolist() == want[:, 0].tolist(), scene["name"]
        assert got[:, 1:3] == pytest.approx(want[:, 1:3], abs=PLACE), scene["name"]
        assert got[:, 3] == pytest.approx(want[:, 3], abs=SCORE), scene["name"]


def test_pairs_of_the_authors_peaks_are_the_authors_in_all_scenes(scenes):
    for scene in scenes.manifest["scenes"]:
        maps, body, _, thresholds = seen(scenes, scene)
        found = torch.from_numpy(scenes.outputs[f"{scene['key']}_peaks"]).float()
        got = pairs(maps[body.heat :], found, body, thresholds.field, thresholds.share)
        start = np.searchsorted(found[:, 0].numpy(), np.array(body.pairs)[got.limb, :])
        numbers = [got.limb, got.first - start[:, 0], got.second - start[:, 1]]
        listed = np.stack([*map(np.asarray, numbers), got.score.numpy()], 1)
        want = scenes.outputs[f"{scene['key']}_gpu_pairs"]
        assert len(listed) == len(want), scene["name"]
        ours, theirs = (rows[np.lexsort(rows[:, 2::-1].T)] for rows in (listed, want))
        assert ours == pytest.approx(theirs, abs=SCORE), scene["name"]


def test_people_are_the_authors_in_all_scenes(scenes):
    for scene in scenes.manifest["scenes"]:
        got = assemble(*seen(scenes, scene))
        want = scenes.outputs[f"{scene['key']}_gpu_people"]
        assert got.joints.shape == want.shape, scene["name"]
        assert ((got.joints[..., 2] > 0) == (want[..., 2] > 0)).all(), scene["name"]
        assert got.joints[..., :2] == pytest.approx(want[..., :2], abs=PLACE), scene["name"]
        assert got.joints[..., 2] == pytest.approx(want[..., 2], abs=SCORE), scene["name"]
        theirs = scenes.outputs[f"{scene['key']}_gpu_scores"]
        assert got.scores == pytest.approx(theirs, abs=SCORE), scene["name"]


def test_people_are_the_same_when_pairs_are_rated_a_few_at_a_time(scenes, monkeypatch):
    scene = max(scenes.manifest["scenes"], key=lambda scene: scene["people_true"])
    whole = assemble(*seen(scenes, scene))
    monkeypatch.setattr(limbs, "AT_ONCE", 1000)
    parts = assemble(*seen(scenes, scene))
    assert parts.joints == pytest.approx(whole.joints, abs=1e-5)


def test_maps_without_any_heat_have_nobody():
    for body in BODIES.values():
        found = assemble(torch.zeros(body.channels, 2, 3), body, 1.0)
        assert found.joints.shape == (0, body.joints, 3)
        assert found.scores.shape == (0,)


def test_as_many_true_joints_are_in_the_right_person_as_by_any_other_assembly(scenes):
    others = ("joints_right_gpu", "joints_right_cpu", "joints_right_hz")
    totals: dict[str, int] = dict.fromkeys(("ours", *others), 0)
    for scene in scenes.manifest["scenes"]:
        if scene["layout"] == "coco18":
            right = joints_right(scenes, scene)
            assert right >= scene["joints_right_gpu"], scene["name"]
            totals["ours"] += right
            for name in others:
                totals[name] += scene[name]
        else:
            assert joints_right(scenes, scene) >= scene["joints_right_gpu"], scene["name"]
    assert totals["ours"] >= max(totals.values()), totals


def joints_right(pack: Any, scene: dict[str, Any]) -> int:
    """Count true joints that the person paired with the true one has within 8 pixels.

    People are paired one to one so that most joints are right.
    """
    from scipy.optimize import linear_sum_assignment

    maps, body, scale, thresholds = seen(pack, scene)
    found = assemble(maps, body, scale, thresholds).joints
    truth = pack.inputs[f"{scene['key']}_truth"]
    if not len(found) or not len(truth):
        return 0
    place = (found[None, ..., :2] - 0.5) / scale
    distance = np.linalg.norm(place - truth[:, None, :, :2], axis=-1)
    right = (distance <= 8) & (truth[:, None, :, 2] > 0) & (found[None, ..., 2] > 0)
    table = right.sum(-1)
    rows, columns = linear_sum_assignment(-table)
    return int(table[rows, columns].sum())
