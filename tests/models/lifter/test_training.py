"""A lifter learns from virtual cameras."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from muybridge import checkpoints
from muybridge.models.lifter import predict, training

FILE = "cmu_mocap_joints/train.npz"


def learnt(lessons: training.Lessons, lots: list[training.Lot], steps: int) -> list[float]:
    optimiser = training.decaying(lessons.parameters(), 2e-3, steps)
    losses = []
    for step in range(steps):
        loss = lessons.train()([lots[step % len(lots)]])["distance"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert optimiser.param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)
    return losses


@pytest.fixture(scope="module")
def lots(data) -> list[training.Lot]:
    return [training.lot(data / FILE, frozenset(), 1, {"seed": seed}) for seed in range(8)]


def test_a_row_is_always_the_same_views_and_kinds_can_be_left_out(data, lots):
    again = training.lot(data / FILE, frozenset(), 1, {"seed": 3})
    assert np.array_equal(again[0], lots[3][0])
    other = training.lot(data / FILE, frozenset({"walking_extra"}), 1, {"seed": 3})
    assert not np.array_equal(other[0], lots[3][0])


def test_the_distance_falls(lots):
    torch.manual_seed(0)
    losses = learnt(training.started(1, None), lots, 40)
    assert np.mean(losses[-8:]) < 0.6 * losses[0]


def test_a_lifter_of_a_window_begins_with_what_one_of_a_moment_knows(lots, tmp_path, data):
    torch.manual_seed(0)
    moment = training.started(1, None)
    learnt(moment, lots, 60)
    checkpoints.write(moment.lifter.state_dict(), tmp_path / "lifter.safetensors", {})
    begun = training.started(27, tmp_path / "lifter.safetensors").eval()
    fresh = training.started(27, None).eval()
    window = training.lot(data / FILE, frozenset(), 27, {"seed": 99})
    with torch.inference_mode():
        assert begun([window])["distance"] < 0.75 * fresh([window])["distance"]
    again = training.started(1, tmp_path / "lifter.safetensors").eval()
    with torch.inference_mode():
        same = again([lots[0]])["distance"], moment.eval()([lots[0]])["distance"]
    assert same[0] == pytest.approx(same[1].item(), abs=1e-3)


def test_an_optimiser_that_is_taken_up_goes_on_with_its_rate():
    part = torch.nn.Linear(1, 1)
    one, other = (training.decaying(part.parameters(), 1.0, 10) for _ in range(2))
    for _ in range(4):
        part(torch.ones(1, 1)).sum().backward()
        one.step()
    other.load_state_dict(one.state_dict())
    for optimiser in (one, other):
        optimiser.step()
    assert other.param_groups[0]["lr"] == one.param_groups[0]["lr"]


def test_the_one_that_ships_can_be_taught_on(lots, data):
    """Batch norms are made anew: it says the same, and learns from there."""
    lessons = training.started(27, predict.SHIPPED, data / FILE)
    seen, truth = training.lot(data / FILE, frozenset(), 27, {"seed": 5})
    shipped = predict.load()
    with torch.inference_mode():
        again = lessons.lifter.eval()(torch.from_numpy(seen)).numpy()
        taught = lessons.train()([(seen, truth)])["distance"]
    assert np.allclose(again, shipped(seen), atol=1e-4)
    away = np.linalg.norm(shipped(seen).reshape(truth.shape) - truth, axis=2).mean()
    assert taught == pytest.approx(away, rel=0.15)
