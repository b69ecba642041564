"""Teaching a DensePose network the surface of annotated people."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coder

from muybridge import checkpoints, weights
from muybridge.models.densepose import annotations
from muybridge.models.densepose.checkpoint import LAYOUTS
from muybridge.models.densepose.config import VARIANTS
from muybridge.models.densepose.config import Config as Network
from muybridge.models.densepose.model import DensePose
from muybridge.models.densepose.preprocess import batch
from muybridge.models.densepose.teacher import Config as Small
from muybridge.models.densepose.teacher import Teacher
from muybridge.models.densepose.training import (
    Config,
    Lessons,
    authors,
    boxes,
    drawn_points,
    example,
    forget,
    rows,
)

JOB = Path(__file__).parents[3] / "jobs" / "train.py"
NETWORK = Network(min_size=64, max_size=64, width=32, layers=1, pooled=7)


def record(number=1, image=1, points=12):
    draw = np.random.default_rng(number)
    body = np.zeros((256, 256), np.uint8, order="F")
    body[64:192] = 1
    code = {"size": [256, 256], "counts": coder.encode(body)["counts"].decode()}
    place = draw.uniform(0, 256, (2, points)).round(2).tolist()
    uv = draw.uniform(0, 1, (2, points)).round(3).tolist()
    return {
        "id": number,
        "image_id": image,
        "bbox": [10, 10, 40, 50],
        "dp_masks": [[], code],
        **dict(zip(("dp_x", "dp_y", "dp_U", "dp_V"), [*place, *uv], strict=True)),
        "dp_I": draw.integers(1, 25, points).tolist(),
    }


@pytest.fixture
def somebody():
    return annotations.person(record())


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (64, 80, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return DensePose(NETWORK)


def learnt(module):
    return any(p.grad is not None and p.grad.any() for p in module.parameters())


@pytest.mark.parametrize("backbone", [True, False])
def test_the_surface_is_learnt_the_backbone_if_asked_and_the_detector_never(
    network, picture, somebody, backbone
):
    network.zero_grad()
    lessons = Lessons(network, Config(backbone=backbone))
    wanted = {name for name, p in network.named_parameters() if p.requires_grad}
    kinds = {name.split(".")[0] for name in wanted}
    assert kinds == {"decoder", "head", "predictor"} | ({"backbone"} if backbone else set())
    losses = lessons([(picture, [somebody]), (picture[:40], [somebody, somebody])])
    assert set(losses) == {"u", "v", "fine", "coarse"}
    sum(losses.values()).backward()
    assert all(learnt(part) for part in (network.decoder, network.head, network.predictor))
    assert learnt(network.backbone) == backbone
    assert not any(learnt(part) for part in (network.region_head, network.person_head))


def test_a_picture_with_nobody_teaches_nothing_and_harms_nobody(network, picture, somebody):
    lessons = Lessons(network, Config(backbone=False, move=0))
    torch.manual_seed(0)
    alone = lessons([(picture, [somebody])])["fine"]
    torch.manual_seed(0)
    beside = lessons([(picture, [somebody]), (picture, [])])["fine"]
    torch.testing.assert_close(alone, beside)
    assert sum(lessons([(picture, [])]).values()).item() == 0


def test_what_is_shown_is_learnt(picture, somebody):
    torch.manual_seed(0)
    lessons = Lessons(DensePose(NETWORK), Config(backbone=False, move=0))
    forget(lessons.network)
    optimiser = torch.optim.Adam([p for p in lessons.parameters() if p.requires_grad], 1e-3)
    totals = []
    for _ in range(12):
        total = sum(lessons([(picture, [somebody])]).values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(total.item())
    assert min(totals[-3:]) < totals[0] / 2


def test_a_teacher_gives_more_to_learn_from_and_does_not_learn(network, picture, somebody):
    lessons = Lessons(network, Config(backbone=False), Teacher(Small(side=16, width=8)))
    network.zero_grad()
    sum(lessons([(picture, [somebody])]).values()).backward()
    assert learnt(network.head)
    assert not learnt(lessons.teacher)


def test_annotated_boxes_are_brought_to_the_networks_pixels(somebody):
    picture = np.zeros((50, 81, 3), np.uint8)
    given = batch([picture, picture], NETWORK)
    found = boxes(given, [(picture, [somebody]), (picture, [])])
    height, width = given.sizes[0]
    scale = torch.tensor([width / 81, height / 50] * 2)
    torch.testing.assert_close(found, torch.from_numpy(somebody.box)[None] * scale)


def test_as_many_points_are_drawn_as_asked_each_with_its_values(somebody):
    assert drawn_points(somebody, 12) is somebody
    some = drawn_points(somebody, 5)
    at = [somebody.x.tolist().index(x) for x in some.x.tolist()]
    assert len(set(at)) == 5
    np.testing.assert_array_equal(some.v, somebody.v[at])


def test_rows_name_pictures_and_one_that_cannot_be_read_is_none(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    images = [{"id": i, "file_name": f"{name}.png"} for i, name in enumerate("abc")]
    content = {"images": images, "annotations": [record(i, i) for i in range(3)]}
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(content))
    found = [example(row) for row in rows(annotations.read(path), tmp_path)]
    np.testing.assert_array_equal(found[0][0], picture)
    assert len(found[0][1]) == 1
    assert found[1:] == [None, None]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_trained_network_is_written_under_its_authors_names(name):
    with torch.device("meta"):
        tensors = DensePose(VARIANTS[name]).state_dict()
    theirs = authors(tensors, LAYOUTS[name])
    assert "roi_heads.densepose_predictor.u_lowres.weight" in theirs
    back = checkpoints.renamed(theirs, LAYOUTS[name])
    assert {key: id(value) for key, value in back.items()} == {
        key: id(value) for key, value in tensors.items()
    }


@pytest.mark.golden
@pytest.mark.ray
@pytest.mark.slow
def test_the_job_trains_a_teacher_then_a_network_that_loads_like_a_published_one(
    golden, synthetic, tmp_path
):
    name = "densepose_rcnn_R_50_FPN_s1x"
    start = tmp_path / "start.pkl"
    tensors = synthetic(golden / "densepose_r50_fpn" / "manifest.json")
    start.write_bytes(pickle.dumps({"model": tensors}, protocol=2))
    colours = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    broken = {key: value for key, value in record(2).items() if key != "dp_U"}
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "gone.png"}]
    given = {"images": images, "annotations": [record(), broken, record(3, 2)]}
    (tmp_path / "given.json").write_text(json.dumps(given))

    def train(command, *options):
        inputs = [str(tmp_path), str(tmp_path / "given.json"), "--out", str(tmp_path / command)]
        done = subprocess.run(
            [sys.executable, JOB, command, *inputs, "--epochs", "1", *options],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    done = train("teacher")
    assert "left out: annotation 2" in done.stderr
    assert "gone.png: no such file" in done.stderr
    teacher = tmp_path / "teacher" / "teacher.safetensors"
    done = train(
        "densepose",
        "--weights",
        str(start),
        "--teacher",
        str(teacher),
        "--no-backbone",
        "--batch=1",
    )
    assert "epoch 1" in done.stdout
    assert "examples 1" in done.stdout
    network = weights.load(name, tmp_path / "densepose" / f"{name}.safetensors")
    before = checkpoints.filled(checkpoints.read(start), LAYOUTS[name])
    assert not torch.equal(network.predictor.u.weight, before.predictor.u.weight)
    assert torch.equal(network.person_head.first.weight, before.person_head.first.weight)
