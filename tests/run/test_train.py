"""Training on Ray Train: it learns, goes on after a death, and goes on after a stop."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest
import torch
from torch import nn

from muybridge.errors import InputError, OutputError
from muybridge.run.train import Course, batches, train

pytestmark = [pytest.mark.ray, pytest.mark.slow]
ROWS = [{"x": x / 20} for x in range(40)]


class Line(nn.Module):
    """Learn y = 3 x + 1; with ``deadly`` the first worker dies once, in the third epoch."""

    def __init__(self, deadly="", width=1):
        super().__init__()
        self.line = nn.Linear(1, width)
        self.deadly = deadly
        self.epochs = 0

    def train(self, mode=True):
        self.epochs += mode
        if self.deadly and self.epochs == 3 and not os.path.exists(self.deadly):
            open(self.deadly, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().train(mode)

    def forward(self, examples):
        x = torch.tensor([[example] for example in examples])
        return {"miss": ((self.line(x) - (3 * x + 1)) ** 2).mean()}


class Game(Line):
    """Two parts against each other: one makes numbers, the other tells them from y = 3 x + 1."""

    def __init__(self, **options):
        super().__init__(**options)
        self.judge = nn.Linear(1, 1)

    def forward(self, examples, part):
        x = torch.tensor([[example] for example in examples])
        if part == "line":
            return {"made": ((self.judge(self.line(x)) - 1) ** 2).mean()}
        real, made = self.judge(3 * x + 1), self.judge(self.line(x).detach())
        return {"real": ((real - 1) ** 2).mean(), "unreal": (made**2).mean()}


def read(row):
    return row["x"] if row["x"] != "broken" else None


def course(epochs, **options):
    return Course(partial(Line, **options), read, partial(torch.optim.SGD, lr=0.3), epochs, batch=5)


TURNS = {"line": partial(torch.optim.Adam, lr=0.1), "judge": partial(torch.optim.Adam, lr=0.05)}


def game(epochs, batch=len(ROWS), turns=TURNS, **options):
    return Course(partial(Game, **options), read, turns, epochs, batch=batch)


def losses(trained):
    return [epoch["loss"] for epoch in trained.epochs]


@pytest.fixture(scope="module")
def whole(cluster, tmp_path_factory):
    """A run of five epochs by one worker, and where it is kept."""
    out = tmp_path_factory.mktemp("train") / "whole"
    return train(course(5), ROWS, out), out


def test_it_learns_and_tells_of_each_epoch(whole):
    trained, _ = whole
    assert [epoch["epoch"] for epoch in trained.epochs] == [1, 2, 3, 4, 5]
    assert [epoch["examples"] for epoch in trained.epochs] == [40] * 5
    assert losses(trained)[-1] < losses(trained)[0] / 100
    assert trained.tensors["line.weight"].item() == pytest.approx(3, abs=0.2)


def test_two_workers_learn_together_and_a_broken_row_costs_itself_only(cluster, tmp_path):
    trained = train(course(5), [*ROWS, {"x": "broken"}], tmp_path / "run", workers=2)
    assert all(39 <= epoch["examples"] <= 40 for epoch in trained.epochs)
    assert losses(trained)[-1] < losses(trained)[0] / 100


def test_a_run_goes_on_after_a_worker_died_and_ends_as_if_none_had(whole, tmp_path):
    deadly = str(tmp_path / "died")
    died = train(course(5, deadly=deadly), ROWS, tmp_path / "run")
    assert os.path.exists(deadly)
    assert losses(died) == pytest.approx(losses(whole[0]))


def test_a_run_that_ended_is_taken_up_by_a_longer_one_but_not_by_another_network(whole):
    trained, out = whole
    more = train(course(6), ROWS, out)
    assert losses(more)[:5] == losses(trained)
    assert len(more.epochs) == 6
    with pytest.raises(OutputError, match="another network"):
        train(course(7, width=2), ROWS, out)


@pytest.fixture(scope="module")
def played(cluster, tmp_path_factory):
    """Parts that took turns for five epochs, each of one batch, and where that is kept."""
    out = tmp_path_factory.mktemp("train") / "played"
    return train(game(5), ROWS, out), out


def test_parts_take_turns_each_moved_by_its_own_losses_alone(played):
    torch.manual_seed(0)
    by_hand, x = Game(), [row["x"] for row in ROWS]
    turns = [(name, TURNS[name](by_hand.get_submodule(name).parameters())) for name in TURNS]
    for epoch in played[0].epochs:
        for name, optimiser in turns:
            found = by_hand(x, name)
            by_hand.zero_grad()
            sum(found.values()).backward()
            optimiser.step()
            told = {loss: value.item() for loss, value in found.items()}
            assert {loss: epoch[loss] for loss in told} == pytest.approx(told, rel=1e-4)
            assert epoch[name] == pytest.approx(sum(told.values()), rel=1e-4)
    for name, tensor in by_hand.state_dict().items():
        torch.testing.assert_close(played[0].tensors[name], tensor, rtol=1e-4, atol=1e-5)


def test_two_workers_take_turns_as_one_does_with_batches_twice_as_large(cluster, tmp_path):
    one = train(game(2, batch=10), ROWS, tmp_path / "one")
    two = train(game(2, batch=5), ROWS, tmp_path / "two", workers=2)
    for name, tensor in one.tensors.items():
        torch.testing.assert_close(two.tensors[name], tensor, rtol=1e-4, atol=1e-5)


def test_turns_go_on_after_a_death_but_not_with_other_parts(played, tmp_path):
    trained, out = played
    deadly = str(tmp_path / "died")
    died = train(game(5, deadly=deadly), ROWS, tmp_path / "run")
    assert os.path.exists(deadly)
    assert died.epochs == trained.epochs
    assert all(torch.equal(died.tensors[name], tensor) for name, tensor in trained.tensors.items())
    with pytest.raises(OutputError, match=r"optimisers of \['judge', 'line'\]"):
        train(game(6, turns={"line": TURNS["line"]}), ROWS, out)


def test_too_little_to_learn_from_is_told(tmp_path):
    with pytest.raises(InputError, match="2 workers cannot learn from 1 examples"):
        train(course(1), ROWS[:1], tmp_path, workers=2)
    with pytest.raises(InputError, match="none of the first 2 examples can be read"):
        next(batches(course(1), [{"x": "broken"}] * 2))


def test_where_nothing_of_a_batch_can_be_read_the_one_before_comes_again():
    rows = [{"x": 1.0}] * 5 + [{"x": "broken"}] * 5 + [{"x": 2.0}, {"x": "broken"}]
    assert list(batches(course(1), rows)) == [[1.0] * 5, [1.0] * 5, [2.0]]
