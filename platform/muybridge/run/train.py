"""Train a network on one worker or many, on Ray Train.

Each worker has a copy of the network and every epoch its share of the rows; gradients are averaged.
It reads its own examples, in threads, while it learns from those before: pictures never cross the
object store. After every epoch the state is kept in the output: a worker that dies, or a run that
was cut off, goes on from there. What is taught and how is the ``Course``; nothing here knows a
model.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import ray.train.torch
import torch
from torch import Tensor, nn

from muybridge.errors import InputError, OutputError

Row = Mapping[str, Any]
Example = Any
Metrics = dict[str, float]
Optimiser = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]

STATE = "state.pt"
ATTEMPTS = 3  # times that dead workers are replaced
READERS = 4  # threads of a worker that read examples


@dataclass(frozen=True)
class Course:
    """Say what is taught, to be carried to the workers.

    ``make`` makes the network with what it is taught by: called with a list of examples, it returns
    losses by name. ``read`` makes an example of a row, or None of one that cannot be used;
    ``optimiser`` takes the parameters that are to be learnt. ``batch`` examples a worker make a
    step.

    Networks that learn against each other take turns: ``optimiser`` is then several, by the names
    of the parts that they move. With each batch every part makes a step, in this order, and what
    ``make`` made is called with the examples and the part's name; it returns that part's losses,
    under names that no other part uses.
    """

    make: Callable[[], nn.Module]
    read: Callable[[Row], Example | None]
    optimiser: Optimiser | Mapping[str, Optimiser]
    epochs: int
    batch: int = 8
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """Hold what was learnt: the network's tensors, and each epoch's mean losses.

    An epoch's metrics are its losses by name, their sum under ``loss``, or where parts take turns
    under each part's name, ``epoch`` (from 1), and ``examples``, how many were learnt from in all
    workers together.
    """

    tensors: dict[str, Tensor]
    epochs: tuple[Metrics, ...]


def train(
    course: Course, rows: Sequence[Row], out: Path, *, workers: int = 1, gpu: bool = False
) -> Trained:
    """Run a course over rows, on the Ray that is connected; go on where ``out`` left off.

    OutputError says that ``out`` holds a run of another network. A row of which ``read`` makes None
    costs itself only.
    """
    if len(rows) < workers:
        raise InputError(f"{workers} workers cannot learn from {len(rows)} examples; give more")
    trainer = ray.train.torch.TorchTrainer(
        _learn,
        train_loop_config={"course": course, "rows": list(rows)},
        scaling_config=ray.train.ScalingConfig(num_workers=workers, use_gpu=gpu),
        run_config=ray.train.RunConfig(
            name=out.name,
            storage_path=str(out.resolve().parent),
            failure_config=ray.train.FailureConfig(max_failures=ATTEMPTS),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=2),
        ),
    )
    try:
        kept = trainer.fit().checkpoint
    except ray.train.TrainingFailedError as error:
        raise _cause(error) from error
    with kept.as_directory() as folder:
        state = _state(Path(folder))
    return Trained(state["tensors"], tuple(state["epochs"]))


def batches(course: Course, rows: Sequence[Row]) -> Iterator[list[Example]]:
    """Read rows batch by batch, one ahead; where none of a batch can be read the last comes again.

    So all workers take as many steps, which averaging gradients asks for.
    """
    starts = range(0, len(rows), course.batch)
    last = list[Example]()
    with ThreadPoolExecutor(READERS) as readers:
        ahead = [readers.submit(course.read, row) for row in rows[: course.batch]]
        for start in starts:
            now = ahead
            following = rows[start + course.batch : start + 2 * course.batch]
            ahead = [readers.submit(course.read, row) for row in following]
            read = [example for each in now if (example := each.result()) is not None]
            last = read or last
            if not last:
                raise InputError(f"none of the first {len(now)} examples can be read")
            yield last


def _learn(given: Mapping[str, Any]) -> None:
    """Be one worker: learn epoch by epoch, and report after each."""
    course: Course = given["course"]
    torch.manual_seed(course.seed)
    lessons = course.make()
    taught = ray.train.torch.prepare_model(
        lessons, parallel_strategy_kwargs={"find_unused_parameters": True}
    )
    optimisers = _optimisers(course, lessons)
    done = _resume(lessons, optimisers)  # now that the network is on its device
    context = ray.train.get_context()
    for epoch in range(len(done) + 1, course.epochs + 1):
        torch.manual_seed(course.seed + 1000 * epoch + context.get_world_rank())
        rows = _share(given["rows"], course.seed + epoch, context)
        means = _epoch(taught, optimisers, batches(course, rows))
        done = [*done, {"epoch": epoch, **means}]
        _report(lessons, optimisers, done)


def _optimisers(course: Course, lessons: nn.Module) -> dict[str, torch.optim.Optimizer]:
    """Make the optimiser of each part that takes turns; of the whole, under "", if none does."""
    if not isinstance(course.optimiser, Mapping):
        return {"": course.optimiser(_learnt(lessons))}
    parts = {name: lessons.get_submodule(name) for name in course.optimiser}
    return {name: course.optimiser[name](_learnt(part)) for name, part in parts.items()}


def _learnt(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _epoch(
    taught: nn.Module,
    optimisers: Mapping[str, torch.optim.Optimizer],
    lots: Iterable[list[Example]],
) -> Metrics:
    """Learn from every batch once; return the mean losses of all workers together."""
    totals = defaultdict[str, float](float)
    taught.train()
    for examples in lots:
        for part, optimiser in optimisers.items():
            losses = taught(examples, part) if part else taught(examples)
            loss = sum(losses.values(), torch.zeros(()))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            for name, value in {**losses, part or "loss": loss}.items():
                totals[name] += float(value.detach()) * len(examples)
        totals["examples"] += len(examples)
    return _together(totals)


def _share(rows: Sequence[Row], seed: int, context: Any) -> list[Row]:
    """Draw an order of all rows, and take this worker's part; all workers get as many."""
    world, rank = context.get_world_size(), context.get_world_rank()
    order = np.random.default_rng(seed).permutation(len(rows))
    return [rows[i] for i in order[rank::world][: len(rows) // world]]


def _together(totals: Mapping[str, float]) -> Metrics:
    """Add up what the workers have, and divide losses by the number of examples."""
    names = sorted(totals)
    sums = torch.tensor([totals[name] for name in names], dtype=torch.float64)
    if torch.distributed.is_initialized():
        on = ray.train.torch.get_device()
        sums = sums.to(on, torch.float32)
        torch.distributed.all_reduce(sums)
    added = dict(zip(names, sums.tolist(), strict=True))
    count = added.pop("examples", 0.0)
    return {"examples": count, **{name: value / count for name, value in added.items()}}


def _report(
    lessons: nn.Module,
    optimisers: Mapping[str, torch.optim.Optimizer],
    done: Sequence[Metrics],
) -> None:
    """Tell how the last epoch went; the first worker keeps the state."""
    with tempfile.TemporaryDirectory() as folder:
        if ray.train.get_context().get_world_rank() == 0:
            state = {
                "tensors": lessons.state_dict(),
                "optimisers": {part: each.state_dict() for part, each in optimisers.items()},
                "epochs": list(done),
            }
            torch.save(state, Path(folder) / STATE)
        ray.train.report(done[-1], checkpoint=ray.train.Checkpoint.from_directory(folder))


def _resume(lessons: nn.Module, optimisers: Mapping[str, torch.optim.Optimizer]) -> list[Metrics]:
    """Take up the last state there is; return the metrics of the epochs that made it."""
    kept = ray.train.get_checkpoint()
    if kept is None:
        return []
    with kept.as_directory() as folder:
        state = _state(Path(folder))
    try:
        lessons.load_state_dict(state["tensors"])
        if set(state["optimisers"]) != set(optimisers):
            raise KeyError(f"it has optimisers of {sorted(state['optimisers'])}")
        for part, optimiser in optimisers.items():
            optimiser.load_state_dict(state["optimisers"][part])
    except (RuntimeError, ValueError, KeyError) as error:
        raise OutputError(
            f"the output holds a run of another network or optimiser ({error}); give another --out"
        ) from error
    return state["epochs"]


def _state(folder: Path) -> dict[str, Any]:
    return torch.load(folder / STATE, map_location="cpu", weights_only=True)


def _cause(error: Exception) -> Exception:
    """Find what a worker raised on purpose; else the failure itself."""
    failures = getattr(error, "worker_failures", {})
    for failure in failures.values():
        cause = getattr(failure, "cause", failure)
        if isinstance(cause, InputError | OutputError):
            return cause
    return error
