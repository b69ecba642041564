"""Surfaces found against surfaces annotated: the authors' numbers, and small cases by hand."""

from __future__ import annotations

import base64
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coder
from scipy.io import savemat
from typer.testing import CliRunner

from muybridge.cli import app
from muybridge.errors import InputError
from muybridge.evaluate import report, results
from muybridge.evaluate.densepose import Found, annotated, compare, gps, score
from muybridge.evaluate.precision import NAMES
from muybridge.evaluate.surface import Surface, read
from muybridge.graph import Stage


class Case:
    """The pack's made-up surface, people and detections."""

    def __init__(self, folder: Path) -> None:
        self.given = np.load(folder / "inputs.npz")
        self.units = np.load(folder / "outputs_units.npz")
        case = json.loads((folder / "gps_case.json").read_text())
        self.content = {"images": case["images"], "annotations": case["ground_truth"]}
        self.found = [
            Found(d["image_id"], np.array(d["bbox"]), d["score"], self.iuv(number))
            for number, d in enumerate(case["detections"])
        ]

    def iuv(self, number):
        return self.given[f"unit.gps.detection_{number}_iuv"]

    def surface(self):
        distances = self.given["unit.gps.distances"]
        below = distances[np.tril_indices(len(distances), -1)]
        uv, part = self.given["unit.gps.vertex_uv"].T, self.given["unit.gps.vertex_part"]
        return Surface(uv, part, np.arange(len(part)), below)

    def near(self, key, found):
        wanted = self.units[key]
        most = max(1e-5 * np.sqrt((wanted**2).mean()), 1e-7)
        assert np.shape(found) == wanted.shape
        assert np.abs(np.asarray(found) - wanted).max() <= most, key

    def written(self, folder: Path) -> tuple[Path, Path]:
        """The case in files of COCO's form: results, annotations."""
        records = [
            {
                "image_id": f.image,
                "category_id": 1,
                "bbox": f.box.tolist(),
                "score": f.score,
                "uv_shape": list(f.iuv.shape),
                "uv_data": png(f.iuv.transpose(1, 2, 0)),
            }
            for f in self.found
        ]
        paths = folder / "results.json", folder / "annotations.json"
        for path, content in zip(paths, (records, self.content), strict=True):
            path.write_text(json.dumps(content))
        return paths


def official(surface: Surface, folder: Path) -> Path:
    """Write a surface in files of the official form."""
    table = {
        "U_subdiv": surface.uv[:, :1],
        "V_subdiv": surface.uv[:, 1:],
        "Part_ID_subdiv": surface.part[:, None],
    }
    savemat(folder / "SMPL_subdiv.mat", table)
    savemat(folder / "SMPL_SUBDIV_TRANSFORM.mat", {"index": surface.unique[:, None] + 1})
    pairs = pickle.dumps(surface.distances[:, None], protocol=2)
    (folder / "Pdist_matrix.pkl").write_bytes(pairs)
    return folder


def png(array) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.fixture(scope="module")
def case(golden):
    return Case(golden / "densepose_r50_fpn")


@pytest.mark.golden
def test_each_pair_of_people_is_as_alike_as_the_authors_say(case):
    pictures = compare(case.content, case.found, case.surface())
    for image, picture in zip(case.content["images"], pictures, strict=True):
        name = f"unit.gps.image{image['id']}"
        case.near(f"{name}_gps", picture.measures["GPS"])
        case.near(f"{name}_mask_iou", picture.measures["IoU"])
        case.near(f"{name}_box_iou", picture.boxes)


@pytest.mark.golden
def test_precision_and_recall_are_the_authors(case):
    found = score(case.content, case.found, case.surface())
    assert tuple(case.units["unit.gps.stats_names"]) == NAMES
    for measure, values in found.items():
        case.near(f"unit.gps.stats_{measure.lower()}", list(values.values()))


@pytest.mark.golden
def test_files_of_the_official_forms_give_the_same(case, tmp_path):
    found = report.densepose(*case.written(tmp_path), official(case.surface(), tmp_path))
    for measure in ("GPS", "GPSm", "IoU"):
        case.near(f"unit.gps.stats_{measure.lower()}", list(found[measure].values()))
    assert found["skipped"] == []


@pytest.mark.golden
def test_the_command_prints_a_table(case, tmp_path):
    files = [str(path) for path in case.written(tmp_path)]
    command = [
        "evaluate",
        "densepose",
        *files,
        "--surface",
        str(official(case.surface(), tmp_path)),
    ]
    printed = CliRunner().invoke(app, command)
    assert printed.exit_code == 0, printed.output
    ap = 100 * case.units["unit.gps.stats_gps"][0]
    assert f"GPS     {ap:.2f}" in printed.output
    assert "AP50" in printed.output


def load_painter():
    """What sees one person in each picture: part 1 at U and V 0 all over."""

    def run(clips):
        one = np.zeros((40, 40, 2), np.uint8)
        found = {
            "person_box": np.array([[10, 10, 50, 50]], np.float32),
            "person_score": np.array([0.5], np.float32),
            "densepose_parts": np.array([base64.b64decode(png(one[..., 0] + 1))], object),
            "densepose_uv": np.array([base64.b64decode(png(one))], object),
        }
        return [found for _ in clips]

    return run


def test_pictures_are_looked_at_by_the_graph(tmp_path):
    official(SURFACE, tmp_path)
    Image.new("RGB", (100, 100)).save(tmp_path / "a.png")
    given = content(truth(dp_masks=[], dp_I=[1], dp_x=[0], dp_y=[0], dp_U=[0], dp_V=[0]))
    given["images"][0]["file_name"] = "a.png"
    (tmp_path / "annotations.json").write_text(json.dumps(given))
    writes = ("person_box", "person_score", "densepose_parts", "densepose_uv")
    painter = (Stage("painter", load_painter, ("frames",), writes),)
    found = report.densepose(tmp_path, tmp_path / "annotations.json", tmp_path, painter)
    assert found["GPS"]["AP"] == 1
    assert "1 people found in 1 pictures" in found["text"]


# A surface of two parts with two vertices each; 0.351 m is the torso's extent (parts 1 and 2).
SURFACE = Surface(
    np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]),
    np.array([1, 1, 2, 2]),
    np.arange(4),
    np.array([0.351, 1.0, 1.0, 1.0, 1.0, 0.0], np.float32),
)


def truth(number=1, **changes):
    points = {"dp_x": [0, 255], "dp_y": [0, 255], "dp_I": [1, 1], "dp_U": [0, 1], "dp_V": [0, 1]}
    box = {"bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0}
    square = [10, 10, 50, 10, 50, 50, 10, 50]
    return {"id": number, "image_id": 1, "segmentation": [square], **box, **points} | changes


def somebody(part=1, uv=0, box=(10, 10, 41, 41), score=0.9):
    iuv = np.full((3, int(box[3]), int(box[2])), uv, np.uint8)
    iuv[0] = part
    return Found(1, np.array(box, float), score, iuv)


def content(*records):
    return {"images": [{"id": 1, "width": 100, "height": 100}], "annotations": list(records)}


def test_gps_is_the_mean_over_points_of_how_near_they_are():
    """One point is met, the other is as far off as the part is large."""
    assert gps(somebody(), truth(), SURFACE) == pytest.approx((1 + np.exp(-0.5)) / 2)


def test_gps_of_points_on_the_background_or_outside_is_nothing():
    assert gps(somebody(part=0), truth(), SURFACE) == 0
    assert gps(somebody(box=(60, 60, 20, 20)), truth(), SURFACE) == 0
    small = somebody(box=(10, 10, 5, 5))
    assert gps(small, truth(), SURFACE) == pytest.approx(0.5)


def test_points_that_lie_on_no_part_are_not_asked_for():
    assert gps(somebody(), truth(dp_I=[1, 0]), SURFACE) == 1
    assert gps(somebody(), truth(dp_I=[0, 0]), SURFACE) == 0


def test_nobody_annotated_gives_minus_one_and_nobody_found_zero():
    assert score(content(), [], SURFACE)["GPS"]["AP"] == -1
    assert score(content(), [somebody()], SURFACE)["GPS"]["AR"] == -1
    assert score(content(truth()), [], SURFACE)["GPS"] == {
        name: -1 if name.endswith("l") else 0 for name in NAMES
    }


def test_a_perfect_find_scores_one_and_a_second_on_the_same_person_costs_precision():
    met = truth(dp_I=[1], dp_x=[0], dp_y=[0], dp_U=[0], dp_V=[0])
    assert score(content(met), [somebody()], SURFACE)["GPS"]["AP"] == pytest.approx(1)
    twice = [somebody(score=0.5), somebody(score=0.9)]
    assert score(content(met), twice, SURFACE)["GPS"]["AP"] == pytest.approx(1)
    other = truth(2, bbox=[60, 60, 20, 20], area=1200)
    assert score(content(met, other), twice, SURFACE)["GPS"]["AP"] == pytest.approx(51 / 101)


def test_whoever_is_found_where_nobody_counts_does_not_count():
    met = truth(dp_I=[1], dp_x=[0], dp_y=[0], dp_U=[0], dp_V=[0])
    bare = {"id": 2, "image_id": 1, "bbox": [60, 60, 30, 30], "area": 900}
    there = somebody(box=(60, 60, 30, 30), score=0.99)
    beside = somebody(box=(70, 70, 30, 30), score=0.99)
    assert score(content(met, bare), [somebody(), there], SURFACE)["GPS"]["AP"] == 1
    assert score(content(met, bare), [somebody(), beside], SURFACE)["GPS"]["AP"] == 0.5


def test_whoever_is_found_in_an_ignored_region_does_not_count():
    met = truth(dp_I=[1], dp_x=[0], dp_y=[0], dp_U=[0], dp_V=[0])
    given = content(met)
    there = [somebody(), somebody(box=(60, 60, 20, 20), score=0.99)]
    assert score(given, there, SURFACE)["GPS"]["AP"] == 0.5
    region = {"ignore_regions_x": [[55, 90, 90, 55]], "ignore_regions_y": [[55, 55, 90, 90]]}
    given["images"] = [{**given["images"][0], **region}]
    assert score(given, there, SURFACE)["GPS"]["AP"] == 1


def test_surface_files_that_are_not_there_are_named_with_where_to_get_them(tmp_path):
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    for name in ("SMPL_subdiv.mat", "SMPL_SUBDIV_TRANSFORM.mat", "Pdist_matrix.pkl"):
        assert f"https://dl.fbaipublicfiles.com/densepose/data/{name}" in str(caught.value)


class Hostile:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps(Hostile()), pickle.dumps([1])])
def test_a_pickle_that_is_no_array_is_refused_and_not_run(tmp_path, capsys, data):
    vertices = np.ones((2, 1))
    names = ("U_subdiv", "V_subdiv", "Part_ID_subdiv")
    savemat(tmp_path / "SMPL_subdiv.mat", dict.fromkeys(names, vertices))
    savemat(tmp_path / "SMPL_SUBDIV_TRANSFORM.mat", {"index": vertices})
    (tmp_path / "Pdist_matrix.pkl").write_bytes(data)
    with pytest.raises(InputError, match=r"Pdist_matrix\.pkl"):
        read(tmp_path)
    assert capsys.readouterr().out == ""


def test_surface_files_that_do_not_belong_together_are_told(tmp_path):
    names = ("U_subdiv", "V_subdiv", "Part_ID_subdiv")
    savemat(tmp_path / "SMPL_subdiv.mat", dict.fromkeys(names, np.ones((3, 1))))
    savemat(tmp_path / "SMPL_SUBDIV_TRANSFORM.mat", {"index": np.array([[1], [4]])})
    pairs = np.zeros((3, 1), np.float32)
    (tmp_path / "Pdist_matrix.pkl").write_bytes(pickle.dumps(pairs, protocol=2))
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert "2 indices for 3 parts" in str(caught.value)
    assert "the indices go to 4 and there are distances of 3" in str(caught.value)
    (tmp_path / "SMPL_subdiv.mat").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no Matlab file with U_subdiv"):
        read(tmp_path)


def test_a_bad_result_costs_itself_only(tmp_path):
    good = {
        "image_id": 1,
        "bbox": [0, 0, 2, 3],
        "score": 0.5,
        "uv_shape": [3, 3, 2],
        "uv_data": png(np.zeros((3, 2, 3), np.uint8)),
    }
    bad = [
        {**good, "uv_data": "%%"},
        {**good, "uv_shape": [3, 2, 2]},
        {**good, "bbox": [0, 0]},
        {"image_id": 1},
        7,
    ]
    path = tmp_path / "results.json"
    path.write_text(json.dumps([good, *bad]))
    found, skipped = results.read(path)
    assert len(found) == 1
    assert len(skipped) == len(bad)
    assert "result 4: bbox and score and uv_shape and uv_data missing" in skipped
    path.write_text(json.dumps(bad))
    with pytest.raises(InputError, match="none of 5 results can be used"):
        results.read(path)
    path.write_text("{}")
    with pytest.raises(InputError, match="holds no list but a dict"):
        results.read(path)


def test_a_bad_annotation_costs_itself_only(tmp_path):
    path = tmp_path / "annotations.json"
    broken = truth(2)
    del broken["dp_U"]
    given = content(truth(1, dp_masks=[]), broken, {"id": 3, "image_id": 1})
    given["images"].append({"id": 7})
    path.write_text(json.dumps(given))
    kept, told = annotated(path)
    assert [record["id"] for record in kept["annotations"]] == [1, 2]
    assert [image["id"] for image in kept["images"]] == [1]
    assert "picture 7: width and height missing" in told
    assert "annotation 3: bbox and area missing" in told
    assert "annotation 2" in told[2]


def test_whoever_is_found_at_somebody_whose_points_are_of_no_use_does_not_count(tmp_path):
    path = tmp_path / "annotations.json"
    met = truth(1, dp_masks=[], dp_I=[1], dp_x=[0], dp_y=[0], dp_U=[0], dp_V=[0])
    broken = truth(2, dp_masks=[], dp_I=[99, 1], bbox=[60, 60, 30, 30])
    path.write_text(json.dumps(content(met, broken)))
    kept, _ = annotated(path)
    found = [somebody(), somebody(box=(60, 60, 30, 30), score=0.99)]
    assert score(kept, found, SURFACE)["GPS"]["AP"] == 1


def forms():
    """The square from 10 to 50 in all forms in which COCO codes masks."""
    square = np.zeros((100, 100), np.uint8, order="F")
    square[10:50, 10:50] = 1
    code = coder.encode(square)
    flat = square.ravel(order="F")
    ends = np.flatnonzero(np.diff(flat, prepend=0, append=0))
    counts = np.diff([0, *ends, flat.size]).tolist()
    body = coder.encode(np.ones((256, 256), np.uint8, order="F"))
    return {
        "polygon": {"segmentation": [[10, 10, 50, 10, 50, 50, 10, 50]]},
        "runs": {"segmentation": {"size": [100, 100], "counts": counts}},
        "compressed": {"segmentation": {**code, "counts": code["counts"].decode()}},
        "drawn": {"dp_masks": [{**body, "counts": body["counts"].decode()}]},
    }


@pytest.mark.parametrize("form", forms())
def test_masks_of_all_forms_overlap_alike(form):
    found = somebody(box=(10, 10, 40, 20))
    (picture,) = compare(content(truth(**forms()[form])), [found], SURFACE)
    assert picture.measures["IoU"].item() == pytest.approx(0.5)
    (none,) = compare(content(truth(segmentation=[])), [found], SURFACE)
    assert none.measures["IoU"].item() == 0


def test_of_somebody_in_a_crowd_the_part_in_the_crowd_is_what_overlaps():
    (picture,) = compare(content(truth(iscrowd=1)), [somebody(box=(10, 10, 40, 20))], SURFACE)
    assert picture.measures["IoU"].item() == 1
    assert picture.uncounted.tolist() == [True]


def test_the_people_of_a_clip_are_taken_as_found():
    one = np.zeros((3, 2), np.uint8)
    two = np.zeros((3, 2, 2), np.uint8)
    clip = {
        "person_box": np.array([[5.5, 6, 7.75, 9.25]], np.float32),
        "person_score": np.array([0.5], np.float32),
        "densepose_parts": np.array([base64.b64decode(png(one + 3))], object),
        "densepose_uv": np.array([base64.b64decode(png(two + 9))], object),
    }
    (found,) = results.seen(clip, 4)
    assert found.image == 4
    assert found.box.tolist() == [5.5, 6, 2.25, 3.25]
    assert found.iuv.shape == (3, 3, 2)
    assert found.iuv[:, 0, 0].tolist() == [3, 9, 9]
    assert results.seen({name: column[:0] for name, column in clip.items()}, 4) == []
