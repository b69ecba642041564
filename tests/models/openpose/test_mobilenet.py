"""A real, small OpenPose: its own numbers, and real people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge.errors import CheckpointError
from muybridge.geometry.similarity import oks
from muybridge.geometry.skeletons import COCO17, COCO18, mapping
from muybridge.models.openpose import mobilenet
from muybridge.models.openpose.bodies import COCO
from muybridge.models.openpose.postprocess import assemble

LIMBS = slice(5, 17)  # of COCO's joints, without the face


@pytest.fixture(scope="session")
def folder(data: Path) -> Path:
    return data / "weights" / "openpose_mobilenet_v2_small"


def test_the_graph_gives_tensorflows_maps(folder):
    check = np.load(folder / "check.npz")
    with torch.inference_mode():
        maps = mobilenet.load(folder)(torch.from_numpy(check["x"]).permute(0, 3, 1, 2))
    assert maps.permute(0, 2, 3, 1).numpy() == pytest.approx(check["y"], abs=1e-5)


def test_pictures_side_by_side_do_not_change_each_other(folder):
    network = mobilenet.load(folder)
    pictures = torch.rand(3, 3, 32, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        together = network(pictures)
        alone = torch.cat([network(picture[None]) for picture in pictures])
    assert torch.allclose(together, alone, atol=1e-5)


def test_as_many_people_are_found_in_real_maps_as_are_annotated(data, folder):
    truth = json.loads((data / "coco_keypoints" / "test_coco.json").read_text())
    maps = np.load(folder / "maps_of_coco_keypoints.npz")
    order = mapping(COCO18, COCO17)
    best: dict[str, list[float]] = {}
    for image in truth["images"]:
        people = [
            row
            for row in truth["annotations"]
            if row["image_id"] == image["id"] and row["num_keypoints"]
        ]
        one = torch.from_numpy(maps[image["file_name"]].astype(np.float32)).permute(2, 0, 1)
        scale = min(image["height"], image["width"]) / 368  # the short side had 368 pixels
        found = assemble(one, COCO, scale)
        assert len(found.joints) == len(people), image["file_name"]
        true = np.array([row["keypoints"] for row in people], float).reshape(-1, 17, 3)
        true[:, : LIMBS.start] = 0
        area = np.array([row["area"] for row in people], float)
        alike = oks(found.joints[:, order].astype(float), true, area, true[..., 2] > 0)
        best[image["file_name"]] = alike.max(axis=0).round(2).tolist()
    print("best OKS over the limbs' joints of each person annotated:", best)
    assert sorted(map(len, best.values())) == [1, 2, 4, 5]
    assert np.mean(np.concatenate(list(best.values()))) > 0.55


def test_a_folder_without_the_files_is_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match=r"give the folder with graph\.json and weights\.npz"):
        mobilenet.load(tmp_path)


def test_a_graph_with_unknown_operations_is_refused_by_name(tmp_path):
    rows = [{"op": "Relu"}, {"op": "PyFunc"}]
    (tmp_path / "graph.json").write_text(json.dumps({"ops": rows}))
    np.savez(tmp_path / "weights.npz", a=np.zeros(1))
    with pytest.raises(CheckpointError, match="PyFunc"):
        mobilenet.load(tmp_path)
