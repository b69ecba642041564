"""Each system gives the same rows in one process, on Ray Data and on Ray Serve.

Networks are the real ones with synthetic weights from files in their published form; the video is
real, looked at twice a second, and seen small, so that it is quick.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import muybridge
from muybridge import graphs
from muybridge.errors import OutputError
from muybridge.graphs import DENSEPOSE, Choice
from muybridge.run import identities, index, local, planning
from muybridge.run.actions import actions
from muybridge.store import tables
from muybridge.store.inputs import inputs
from muybridge.video.process import Decoder

from .ways import near, one_thread, served

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.golden, pytest.mark.timeout(600)]
Tables = dict[str, pa.Table]
FPS = 2
CHOICES = {
    "faster": Choice("detect", detector="fasterrcnn_resnet50_fpn", size=96),
    "mask": Choice("detect", detector="maskrcnn_resnet50_fpn", size=96),
    "keypoint": Choice("detect", detector="keypointrcnn_resnet50_fpn", size=96),
    "every": Choice("detect", detector=DENSEPOSE, size=64, detect_every=2),
    "openpose": Choice("openpose", model="openpose_coco", size=96),
    "densepose": Choice("densepose", size=64),
    "vibe": Choice("vibe", detector="fasterrcnn_resnet50_fpn", size=96),
    "action": Choice("action", detector="fasterrcnn_resnet50_fpn", size=96),
    "multitask": Choice("multitask", detector="fasterrcnn_resnet50_fpn", size=96),
}
NAMES = (
    "errors",
    "people",
    "keypoints",
    "joints3d",
    "densepose",
    "bodies",
    "actions",
)  # what went wrong tells most


def planned(video: Path) -> list[dict[str, Any]]:
    (item,) = inputs([str(video)])
    with Decoder() as decoder:
        clips = planning.probe(decoder, item, FPS, None).clips
    return [{**clip, "source": str(video)} for clip in clips]


def in_one_process(video: Path, choice: Choice) -> Tables:
    """Run the clips one after the other, without Ray."""
    clips = list(local.run(graphs.build(choice), planned(video)))
    assert [clip["error"] for clip in clips] == [""] * len(clips)
    parts = list(identities.linked((clip["core"], tables.rows(clip)) for clip in clips))
    return {**tables.joined(parts), "actions": actions([part["moments"] for part in parts])}


def offline(video: Path, choice: Choice, out: Path) -> Tables:
    index.index([str(video)], str(out), graphs.build(choice), fps=FPS)
    found = muybridge.open(out)
    return {name: getattr(found, name) for name in NAMES}


def endpoint(video: Path, choice: Choice) -> Tables:
    files = {"file": (str(video), video.read_bytes())}  # by its path: the same video_id
    with served(*options(choice)) as url:
        answer = httpx.post(f"{url}/v1/analyze?fps={FPS}", files=files, timeout=400)
    answer = answer.json()["tables"]
    for row in answer["densepose"]:
        row |= {name: base64.b64decode(row[name]) for name in ("parts", "uv")}
    return {name: tables.table(name, answer[name]) for name in NAMES}


def options(choice: Choice) -> list[str]:
    """Write a choice as one types it."""
    said = {name: value for name, value in vars(choice).items() if value not in (None, ())}
    return [f"--{name.replace('_', '-')}={value}" for name, value in said.items()]


def weights(choice: Choice, official: Callable[[str], Path]) -> Path:
    """Write the files that a choice needs; give the file, or the folder of several."""
    files = [official(name) for name in graphs.needs(choice)]
    return files[0] if len(files) == 1 else files[0].parent


@pytest.fixture(scope="module")
def video(data: Path) -> Path:
    return data / "intel_people/asl_gestures/want.mkv"


@pytest.fixture(scope="module", params=CHOICES)
def answers(
    request: Any,
    video: Path,
    official: Callable[[str], Path],
    confident: Callable[..., float],
    tmp_path_factory: Any,
) -> dict[str, Tables]:
    choice = CHOICES[request.param]
    name = choice.detector or choice.model or DENSEPOSE
    given = replace(choice, weights=weights(choice, official))
    with one_thread():
        if choice.graph != "openpose":
            given = replace(given, min_score=confident(planned(video), choice.size, name))
        one = in_one_process(video, given)
    out = tmp_path_factory.mktemp(request.param)
    return {"local": one, "offline": offline(video, given, out), "online": endpoint(video, given)}


@pytest.mark.parametrize("way", ["offline", "online"])
def test_the_rows_are_those_of_one_process(answers, way):
    assert answers["local"]["people"].num_rows > 0
    for name in NAMES:
        want, got = (
            answers[which][name].sort_by([(key, "ascending") for key in tables.KEYS[name]])
            for which in ("local", way)
        )
        assert got.num_rows == want.num_rows, name
        for field in got.schema:
            same(field, got[field.name].to_pylist(), want[field.name].to_pylist())


def same(field: pa.Field, ours: list[Any], theirs: list[Any]) -> None:
    """Compare a column: numbers nearly, pictures pixel by pixel, all else exactly."""
    if pa.types.is_binary(field.type):
        pairs = [(picture(a), picture(b)) for a, b in zip(ours, theirs, strict=True)]
        assert all(a.shape == b.shape for a, b in pairs)
        apart = [np.ravel(a != b) for a, b in pairs]
        assert not apart or np.concatenate(apart).mean() < 1e-3, field.name
        return
    assert ours == near(field, theirs, 1e-3), field.name


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_each_system_writes_its_own_rows(answers, request):
    which = request.node.callspec.params["answers"]
    found = {name for name in NAMES if answers["local"][name].num_rows}
    lifted = {"keypoints", "joints3d"}
    more = {
        **{"keypoint": lifted, "openpose": lifted},
        **{"densepose": {"densepose"}, "vibe": {"bodies"}, "action": {"actions"}},
        "multitask": lifted | {"actions"},
    }
    assert found == {"people"} | more.get(which, set())


def test_other_weights_or_options_on_the_same_output_are_refused_and_rows_say_which_made_them(
    video, official, tmp_path
):
    choice = replace(CHOICES["faster"], weights=official("fasterrcnn_resnet50_fpn"))
    choice = replace(choice, min_score=0.5)
    index.index([str(video)], str(tmp_path), graphs.build(choice), fps=FPS)
    (part,) = (tmp_path / "people").glob("*.parquet")
    made = json.loads(pq.read_schema(part).metadata[b"muybridge.run"])
    stage = made["graph"]["detect"]
    assert stage["weights"] == "fasterrcnn_resnet50_fpn"
    assert len(stage["sha256"]) == 64
    other = torch.load(choice.weights)
    other["rpn.head.conv.bias"][0] += 1
    torch.save(other, tmp_path.parent / "other.pth")
    for another, said in (
        (replace(choice, weights=tmp_path.parent / "other.pth"), "sha256"),
        (replace(choice, precision="bfloat16"), "precision"),
        (replace(choice, detect_every=2), "every"),
    ):
        with pytest.raises(OutputError, match=said):
            index.index([str(video)], str(tmp_path), graphs.build(another), fps=FPS)
