"""What tests share: the real inputs, and a Ray cluster."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .keras_files import arrays, save

ROOT = Path(__file__).parent.parent
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    os.environ[name] = "test"  # before Ray starts, so that its workers have them too
os.environ["AWS_DEFAULT_REGION"] = "us-east-1"


@pytest.fixture(scope="session")
def data() -> Path:
    """Real videos and labels, read where they lie."""
    folder = Path(os.environ.get("MUYBRIDGE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real inputs at {folder}; set MUYBRIDGE_DATA")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """Outputs of the authors' code, one folder a system, read where they lie."""
    folder = Path(os.environ.get("MUYBRIDGE_GOLDEN", ROOT.parent / "shared" / "golden"))
    if not folder.is_dir():
        pytest.skip(f"no golden packs at {folder}; set MUYBRIDGE_GOLDEN")
    return folder


@pytest.fixture(scope="session")
def people_benchmark() -> ModuleType:
    """The benchmark of who is found, which composes pictures."""
    return _imported(ROOT / "tests" / "benchmarks" / "people.py")


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def imported() -> Callable[[Path], ModuleType]:
    """Import a file that is in no package, such as a benchmark, by its path."""
    return _imported


@pytest.fixture(scope="session")
def _filling(golden: Path) -> ModuleType:
    """The rule by which golden packs fill weights; it lies beside them."""
    return _imported(golden / "synthetic_weights.py")


@pytest.fixture(scope="session")
def synthetic(_filling: ModuleType) -> Callable[[Path], dict[str, Any]]:
    """Give every tensor that a pack's manifest lists: names and arrays."""
    return _filling.state_dict


@pytest.fixture(scope="session")
def synthetic_fill(_filling: ModuleType) -> Callable[..., Any]:
    """Give one tensor: ``synthetic_fill(name, shape, seed=..., gain=..., value=...)``."""
    return _filling.fill


@pytest.fixture(scope="session")
def official(
    golden: Path,
    synthetic: Callable[[Path], dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Path]]:
    """Write a file of synthetic weights in the form of the published one, by the weights' name.

    All lie in one folder under the published names. What is converted goes to a cache of its own.
    """
    folder, before = tmp_path_factory.mktemp("official"), os.environ.get("MUYBRIDGE_CACHE", "")
    os.environ["MUYBRIDGE_CACHE"] = str(tmp_path_factory.mktemp("cache"))

    def write(name: str) -> Path:
        import torch

        from muybridge.published import FILES

        path = folder / FILES[name].file
        if path.exists():
            return path
        if name in BODIES:
            _body(path, golden / "vibe", synthetic(golden / "vibe" / "manifest.json"))
            return path
        if name in SPNET:
            manifest = golden / "multitask_pose_action" / SPNET[name]
            tensors = synthetic(manifest)
            return save(path, arrays(json.loads(manifest.read_text()), tensors))
        if name in VIDEO:
            made = chance(name)
        else:
            made = synthetic(golden / PACKS[name]) if name in PACKS else leaning(name)
        if path.suffix == ".pkl":
            path.write_bytes(pickle.dumps({"model": made, "__author__": "nobody"}, 2))
        else:
            torch.save({key: torch.as_tensor(value) for key, value in made.items()}, path)
        return path

    yield write
    os.environ["MUYBRIDGE_CACHE"] = before


@pytest.fixture(scope="session")
def confident(official: Callable[[str], Path]) -> Callable[..., float]:
    """Find the score that two people of each frame of clips reach, as a detector sees them.

    With synthetic weights a hundred are found in every picture: that would take long.
    """

    def score(
        clips: Sequence[dict[str, Any]], size: int, name: str = "densepose_rcnn_R_50_FPN_s1x"
    ) -> float:
        from muybridge import graph
        from muybridge.columns import GIVEN
        from muybridge.stages.decode import decode
        from muybridge.stages.detect import Options, detect

        stages = (decode(), detect(name, official(name), Options(size=size, min_score=0)))
        done = graph.apply(graph.load(stages, GIVEN), clips)
        best = [
            sorted(clip["person_score"][clip["person_frame"] == row])[-2]
            for clip in done
            for row in set(clip["person_frame"].tolist())
        ]
        return float(min(best)) - 1e-4

    return score


PACKS = {
    "densepose_rcnn_R_50_FPN_s1x": "densepose_r50_fpn/manifest.json",
    "openpose_coco": "openpose_coco/manifest.json",
    "human36m_alg_10-04-2019": "triangulation_algebraic/manifest.json",
    "human36m_vol_softmax_10-08-2019": "triangulation_volumetric/manifest.json",
}


VIDEO = ("r3d_18", "s3d")
SPNET = {"spnet_ntu": "manifest.json", "spnet_penn": "manifest_2d.json"}
BODIES = ("spin", "vibe_wo_3dpw", "smpl_neutral", "smpl_regressor_extra")


def _body(path: Path, pack: Path, tensors: dict[str, Any]) -> None:
    """Write one of the files that VIBE needs, as they are published, with a pack's numbers."""
    import numpy as np
    import torch

    given = np.load(pack / "inputs.npz")
    mean = {f"init_{name}": torch.as_tensor(given[f"init_{name}"])[None] for name in MEAN}

    def only(*starts: str) -> dict[str, Any]:
        names = [name for name in tensors if name.startswith(starts)]
        return {name.removeprefix("hmr."): torch.as_tensor(tensors[name]) for name in names}

    def matrix(name: str, rows: int) -> Any:
        made = np.zeros((rows, len(given["smpl.v_template"])))
        made[tuple(given[f"smpl.{name}_index"])] = given[f"smpl.{name}_value"]
        return made

    if path.name.startswith("spin"):
        torch.save({"model": {**only("hmr."), **mean}}, path)
    elif path.name.startswith("vibe"):
        inside = {f"regressor.{name}": value for name, value in mean.items()}
        network = {**only("encoder.", "regressor."), **inside}
        torch.save({"gen_state_dict": network, "performance": 56.56}, path)
    elif path.suffix == ".npy":
        np.save(path, matrix("J_regressor_extra", 9))
    else:
        weights = np.zeros((len(given["smpl.v_template"]), 24))
        np.put_along_axis(weights, given["smpl.weights_index"], given["smpl.weights_value"], 1)
        body = {
            "v_template": given["smpl.v_template"],
            "shapedirs": tensors["smpl.shapedirs"],
            "posedirs": tensors["smpl.posedirs"],
            "J_regressor": matrix("J_regressor", 24),
            "weights": weights,
            "f": given["smpl.faces"],
            "kintree_table": given["smpl.kintree_table"],
        }
        path.write_bytes(pickle.dumps(body, 2))


MEAN = ("pose", "shape", "cam")


def chance(name: str) -> dict[str, Any]:
    """Make tensors of one of torchvision's video networks at random, its answers far apart."""
    import torch

    from muybridge.models.kinetics.model import network

    torch.manual_seed(1)
    tensors = network(name).state_dict()
    last = next(key for key in reversed(tensors) if key.endswith("weight"))
    return {**tensors, last: tensors[last] * 20}


def leaning(name: str) -> dict[str, Any]:
    """Make tensors of one of torchvision's R-CNNs, with a leaning towards people."""
    import torch

    from muybridge.checkpoints import Layout, renamed
    from muybridge.models.detector.checkpoint import LAYOUTS

    torch.manual_seed(1)
    tensors = LAYOUTS[name].network().state_dict()
    for ours, values in tensors.items():
        if ours.endswith("running_var"):  # so small that what is added to it would show
            tensors[ours.replace("running_var", "weight")] = values.uniform_(1e-3, 2e-3).sqrt()
    weight, bias = (
        tensors[f"roi_heads.box_predictor.cls_score.{part}"] for part in ("weight", "bias")
    )
    weight[[number for number in range(len(weight)) if number != 1]] = 0
    bias[1] = 5
    back = tuple((ours, theirs) for theirs, ours in LAYOUTS[name].table)
    return renamed(tensors, Layout(LAYOUTS[name].network, back))


@pytest.fixture(scope="session")
def awkward_folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """44 awkward files made from a real clip, and ``manifest.tsv``: what must come out of each."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg to make awkward videos with")
    folder = tmp_path_factory.mktemp("awkward")
    script, source = data / "make_awkward_videos.sh", data / "sam2_people/05_default_juggle.mp4"
    subprocess.run(["bash", script, source, folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray of its own with eight logical CPUs."""
    import ray

    ray.init(address="local", num_cpus=8, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray
    ray.shutdown()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 of its own, spoken to over HTTP."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str) -> tuple[str, str]:
    """An S3 endpoint, and the name of an empty bucket in it."""
    import uuid

    import boto3

    bucket = f"test-{uuid.uuid4().hex[:8]}"
    boto3.client("s3", endpoint_url=s3_endpoint).create_bucket(Bucket=bucket)
    return s3_endpoint, bucket
