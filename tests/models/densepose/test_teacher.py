"""The teacher that fills in what was not annotated."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge.checkpoints import write
from muybridge.errors import CheckpointError
from muybridge.models.densepose.annotations import Person
from muybridge.models.densepose.losses import targets
from muybridge.models.densepose.teacher import (
    Config,
    Lessons,
    Teacher,
    boxes,
    crops,
    grid,
    inpainted,
    moved,
    taught,
)

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "densepose_teacher.py"
SMALL = Config(side=16, width=8)
PICTURE = np.full((40, 40, 3), (255, 0, 127), np.uint8)


def somebody(points=((64, 64, 2, 0.5, 0.25), (200, 100, 3, 1, 0)), box=(4, 8, 36, 40)):
    """Somebody whose upper half is drawn as part 1, with points x, y, part, U, V."""
    x, y, part, u, v = np.array(points, np.float32).reshape(-1, 5).T
    upper = np.zeros((256, 256), np.uint8)
    upper[:128] = 1
    return Person(np.array(box, np.float32), upper, x, y, part.astype(np.int64), u, v)


def seen(people):
    return targets(people, boxes(people), boxes(people))


def test_a_crop_holds_colours_and_the_drawn_parts():
    people = [somebody()]
    found = crops([(PICTURE, people)], seen(people), 16)
    assert found.shape == (1, 18, 16, 16)
    torch.testing.assert_close(found[0, :3, 5, 5], torch.tensor([1, -1, 127 / 127.5 - 1]))
    assert found[0, 3:, 0, 0].tolist() == [0, 1] + [0] * 13
    assert found[0, 3:, 15, 0].tolist() == [1] + [0] * 14


def test_a_crop_is_black_outside_of_the_picture_and_nobody_makes_none():
    people = [somebody(box=(-40, -40, 40, 40))]
    found = crops([(PICTURE, people)], seen(people), 16)
    assert found[0, :3, 0, 0].tolist() == [-1, -1, -1]
    assert crops([(PICTURE, [])], seen([]), 16).shape == (0, 18, 16, 16)


def test_the_body_is_filled_and_annotated_points_are_kept():
    person = somebody()
    (found,) = inpainted(Teacher(SMALL).eval(), PICTURE, [person], spacing=8)
    count = len(person.x)
    for name in ("x", "y", "part", "u", "v"):
        np.testing.assert_array_equal(getattr(found, name)[:count], getattr(person, name))
    x, y = found.x[count:], found.y[count:]
    assert len(x) > 400
    assert person.drawn[y.astype(int), x.astype(int)].all()
    for near_x, near_y in zip(person.x, person.y, strict=True):
        assert (np.maximum(np.abs(x - near_x), np.abs(y - near_y)) > 4).all()
    assert found.part[count:].min() >= 1
    assert found.u.min() >= 0
    assert found.v.max() <= 1
    assert found.part.dtype == person.part.dtype


def test_nobody_drawn_and_nobody_at_all_are_not_filled():
    person = somebody()
    bare = replace(person, drawn=np.zeros_like(person.drawn))
    (found,) = inpainted(Teacher(SMALL).eval(), PICTURE, [bare])
    np.testing.assert_array_equal(found.x, person.x)
    assert inpainted(Teacher(SMALL).eval(), PICTURE, []) == []


def test_points_of_the_grid_lie_evenly_on_the_drawn_body():
    bare = grid(somebody(points=()), 64)
    assert sorted(zip(bare.x.tolist(), bare.y.tolist(), strict=True)) == [
        (x, y) for x in (32, 96, 160, 224) for y in (32, 96)
    ]


def test_boxes_move_by_no_more_than_they_may():
    torch.manual_seed(0)
    truth = torch.tensor([[10.0, 20.0, 30.0, 60.0]]).repeat(50, 1)
    change = (moved(truth, 0.1) - truth).abs().amax(0)
    assert (change <= torch.tensor([2.0, 4.0, 2.0, 4.0])).all()
    assert (change > torch.tensor([1.0, 2.0, 1.0, 2.0])).all()


def test_a_teacher_learns_the_points_it_is_shown():
    torch.manual_seed(0)
    lessons = Lessons(Teacher(SMALL))
    optimiser = torch.optim.Adam(lessons.parameters(), 0.01)
    examples = [(PICTURE, [somebody()]), (PICTURE, [somebody(), somebody()])]
    fine = []
    for _ in range(40):
        losses = lessons(examples)
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()
        fine.append(losses["fine"].item())
    assert set(losses) == {"u", "v", "fine"}
    assert fine[-1] < fine[0] / 4


def test_a_kept_teacher_is_read_and_another_file_refused(tmp_path):
    teacher = Teacher()
    write(teacher.state_dict(), tmp_path / "teacher.safetensors", {})
    found = taught(tmp_path / "teacher.safetensors")
    torch.testing.assert_close(found.charts.weight, teacher.charts.weight)
    assert not found.training
    write({"x": torch.ones(1)}, tmp_path / "other.safetensors", {})
    with pytest.raises(CheckpointError, match="do not fit"):
        taught(tmp_path / "other.safetensors")


@pytest.mark.slow
def test_a_student_of_filled_supervision_beats_one_of_points_alone():
    """Puppets with some 45 annotated points each; the judged ones were never learnt from."""
    size = ["--people", "48", "--steps", "300", "--teacher-steps", "400", "--judged", "50"]
    command = [sys.executable, BENCHMARK, "--seeds", "0", *size, "--arms", "points", "inpainted"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)["seeds"][0]
    print(json.dumps(found, indent=1))
    assert found["inpainted"]["within_10"] > 1.1 * found["points"]["within_10"]
