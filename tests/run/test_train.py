"""Training on Ray Train: it learns, goes on after a death, and goes on after a stop."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest
import torch
from torch import nn

from muybridge.errors import InputError, OutputError
from muybridge.run.train import Course, train

pytestmark = pytest.mark.ray
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


def read(row):
    return row["x"] if row["x"] != "broken" else None


def course(epochs, **options):
    return Course(partial(Line, **options), read, partial(torch.optim.SGD, lr=0.3), epochs, batch=5)


def losses(trained):
    return [epoch["loss"] for epoch in trained.epochs]


def test_two_workers_learn_together_and_a_broken_row_costs_itself_only(cluster, tmp_path):
    rows = [*ROWS, {"x": "broken"}]
    trained = train(course(8), rows, tmp_path / "run", workers=2)
    assert [epoch["epoch"] for epoch in trained.epochs] == list(range(1, 9))
    assert all(39 <= epoch["examples"] <= 40 for epoch in trained.epochs)
    assert losses(trained)[-1] < losses(trained)[0] / 100
    assert trained.tensors["line.weight"].item() == pytest.approx(3, abs=0.2)


def test_a_run_goes_on_after_a_worker_died_and_ends_as_if_none_had(cluster, tmp_path):
    deadly = str(tmp_path / "died")
    died = train(course(5, deadly=deadly), ROWS, tmp_path / "one")
    assert os.path.exists(deadly)
    whole = train(course(5), ROWS, tmp_path / "two")
    assert losses(died) == pytest.approx(losses(whole))


def test_a_run_that_ended_is_taken_up_by_a_longer_one(cluster, tmp_path):
    first = train(course(2), ROWS, tmp_path / "run")
    more = train(course(4), ROWS, tmp_path / "run")
    assert losses(more)[:2] == losses(first)
    assert len(more.epochs) == 4
    again = train(course(4), ROWS, tmp_path / "run")
    assert losses(again) == losses(more)
    with pytest.raises(OutputError, match="another network"):
        train(course(6, width=2), ROWS, tmp_path / "run")


def test_nothing_to_learn_from_is_told(cluster, tmp_path):
    with pytest.raises(InputError, match="1 workers cannot learn from 0 examples"):
        train(course(1), [], tmp_path / "none")
    with pytest.raises(InputError, match="none of the first 2 examples can be read"):
        train(course(1), [{"x": "broken"}] * 2, tmp_path / "broken")
