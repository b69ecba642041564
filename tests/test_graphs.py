"""The product's graphs by name: what a choice makes, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from muybridge import graphs
from muybridge.columns import GIVEN
from muybridge.errors import InputError, WeightsError
from muybridge.graph import faults
from muybridge.graphs import DENSEPOSE, DETECTORS, GRAPHS, OPENPOSE, Choice, build, written
from muybridge.stages import openpose

PEOPLE = ("videos", "people", "tracks", "errors")
KEYPOINT = "keypointrcnn_resnet50_fpn"


def stages(choice: Choice) -> list[str]:
    return [stage.name for stage in build(choice)]


@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_can_be_wired(name):
    assert faults(build(Choice(name)), GIVEN) == []


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (Choice(), ["decode", "people", "lift", "act"]),
        (Choice(tables=("keypoints",)), ["decode", "people"]),
        (Choice("detect"), ["decode", "detect"]),
        (Choice("detect", detector=KEYPOINT), ["decode", "detect", "lift", "act"]),
        (Choice("openpose"), ["decode", "openpose", "lift", "act"]),
        (Choice("vibe"), ["decode", "people", "lift", "act", "vibe"]),
        (Choice("vibe", detector=DENSEPOSE), ["decode", "detect", "vibe"]),
        (Choice("action"), ["decode", "people", "lift", "act", "action"]),
        (Choice("action", tables=("tracks",)), ["decode", "people"]),
        (Choice("multitask"), ["decode", "people", "lift", "act", "multitask"]),
        (Choice("multitask", detector=DENSEPOSE), ["decode", "detect", "multitask"]),
        (Choice("multitask", tables=("people",)), ["decode", "people"]),
        (Choice("triangulation"), ["decode", "people", "lift", "act", "triangulate"]),
        (
            Choice("triangulation", detector=KEYPOINT, tables=("keypoints", "joints3d")),
            ["decode", "detect", "lift", "triangulate"],
        ),
        (Choice("triangulation", tables=("actions",)), ["decode", "people", "lift", "act"]),
        (Choice("vibe", refine=True, tables=("bodies",)), ["decode", "people", "vibe"]),
        (Choice("densepose"), ["decode", "densepose"]),
        (Choice("densepose", tables=("people",)), ["decode", "detect"]),
        (Choice("densepose", tables=("densepose",)), ["decode", "densepose"]),
        (Choice("densepose", detector=DENSEPOSE), ["decode", "densepose"]),
        (Choice("densepose", detector=KEYPOINT), ["decode", "detect", "densepose", "lift", "act"]),
        (Choice("densepose", detect_every=5), ["decode", "detect", "densepose"]),
        (Choice("densepose", detector=KEYPOINT, tables=("keypoints",)), ["decode", "detect"]),
        (Choice("detect", tables=("videos",)), ["decode", "detect"]),
    ],
)
def test_only_the_stages_that_the_tables_need_run(choice, names):
    assert stages(choice) == names
    assert faults(build(choice), GIVEN) == []


@pytest.mark.parametrize(
    ("choice", "tables"),
    [
        (Choice(), (*PEOPLE[:2], "keypoints", "joints3d", "actions", *PEOPLE[2:])),
        (Choice(tables=("people",)), PEOPLE),
        (Choice(tables=("joints3d",)), (*PEOPLE[:2], "keypoints", "joints3d", *PEOPLE[2:])),
        (Choice("detect"), PEOPLE),
        (Choice("detect", detector=KEYPOINT), written(build(Choice()))),
        (Choice(tables=("actions",)), written(build(Choice()))),
        (Choice("vibe", tables=("bodies",)), (*PEOPLE[:2], "bodies", *PEOPLE[2:])),
        (Choice("densepose", tables=("densepose",)), (*PEOPLE[:2], "densepose", *PEOPLE[2:])),
        (Choice("densepose", tables=("people",)), PEOPLE),
        (Choice("detect", tables=("errors",)), ("videos", "errors")),
    ],
)
def test_only_the_tables_wanted_and_whose_they_are_get_rows(choice, tables):
    assert written(build(choice)) == tables


def test_whom_only_actions_are_wanted_of_are_looked_at_in_windows_only():
    for tables, joints in (((), True), (("actions",), False), (("actions", "joints3d"), True)):
        (stage,) = (s for s in build(Choice("multitask", tables=tables)) if s.name == "multitask")
        assert stage.identity["joints"] is joints
        assert ("pa17_joints" in stage.writes) is (tables == ())
        assert "ntu_scores" in stage.writes


def test_fewer_tables_are_another_output():
    assert build(Choice())[1].identity != build(Choice(tables=("people",)))[1].identity


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice("trucks"), "there is no graph 'trucks'; there are people, detect"),
        (Choice(detector=KEYPOINT), "--detector: means nothing to it; it takes --pose-model"),
        (Choice("detect", model=DENSEPOSE), "--model: means nothing to it; it takes --detector"),
        (Choice("openpose", detect_every=2), "--detect-every: means nothing to it"),
        (Choice("openpose", size=370), "--size: is 370; give 32 or more pixels, in steps of 16"),
        (Choice("densepose", model="openpose_coco"), "--model: there is no 'openpose_coco'"),
        (Choice("densepose", precision="int8"), "there are float32, bfloat16"),
        (Choice("densepose", min_score=80), "--min-score: is 80; give 0 to 1"),
        (Choice("densepose", detect_every=0), "--detect-every: is 0"),
        (Choice("densepose", weights=Path("/no/where")), "--weights: there is no /no/where"),
        (Choice("vibe", body="smplx"), "--body: there is no 'smplx'; there are smpl_neutral"),
        (Choice("vibe", focal=0), "--focal: is 0; give pixels"),
        (Choice("vibe", still=-1), "--still: is -1; give grey levels"),
        (Choice("vibe", size=400), "--size: is for an R-CNN, and MoveNet finds the people"),
        (Choice("vibe", detector=DENSEPOSE, refine=True), "--refine: fits bodies to joints, and"),
        (Choice("multitask", window=12), "--window: is 12; give 8 or 16"),
        (Choice("multitask", stride=0), "--stride: is 0; give 1 or more"),
        (Choice("multitask", detect_every=2), "--detect-every: is for an R-CNN, and MoveNet"),
        (Choice("action", window=8), "--window: means nothing to it"),
        (Choice("action", model="c3d"), "--model: there is no 'c3d'; there are r3d_18"),
        (Choice("vibe", window=8), "--window: means nothing to it"),
        (Choice("triangulation", detector=DENSEPOSE), "--detector: cameras agree on people by"),
        (
            Choice("triangulation", model="resnet"),
            "there are human36m_alg_10-04-2019, human36m_vol",
        ),
        (Choice("detect", refine=True), "--refine: means nothing to it"),
        (Choice("detect", tables=("trucks",)), "--tables: there is no 'trucks'"),
        (Choice("detect", tables=("densepose",)), "--tables: densepose gets no rows from it"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(choice, said):
    with pytest.raises(InputError) as refused:
        build(choice)
    assert said in str(refused.value)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(InputError) as refused:
        build(Choice("detect", detector="yolo", size=3, detect_every=-1))
    assert str(refused.value).count("\n") == 3


def test_one_file_cannot_hold_the_weights_of_two_models(tmp_path):
    (tmp_path / "one.pkl").touch()
    with pytest.raises(InputError, match="give the folder in which they are"):
        build(Choice("densepose", detector=KEYPOINT, weights=tmp_path / "one.pkl"))


def test_missing_weights_of_all_stages_are_told_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    made = build(Choice("densepose", detector=KEYPOINT))
    missing = [text for stage in made for text in stage.missing()]
    assert [text.split()[0] for text in missing] == [KEYPOINT, DENSEPOSE]
    assert all("muybridge weights fetch" in text for text in missing)


def test_a_file_that_is_no_model_is_told_before_anything_starts(tmp_path):
    (tmp_path / "notes.pkl").write_text("not a model")
    with pytest.raises(WeightsError, match=r"notes\.pkl: this is no model file"):
        build(Choice("densepose", weights=tmp_path / "notes.pkl"))


@pytest.mark.golden
def test_the_weights_of_another_model_are_told_before_anything_starts(official):
    given = official("openpose_coco")
    with pytest.raises(WeightsError, match="tensors do not fit"):
        build(Choice("detect", detector="fasterrcnn_resnet50_fpn", weights=given))


def test_a_configuration_is_read_as_a_choice():
    said = {"graph": "densepose", "weights": "/w", "tables": ["people"], "detect_every": 3}
    wanted = Choice("densepose", weights=Path("/w"), tables=("people",), detect_every=3)
    assert graphs.choice(said) == wanted
    assert graphs.choice({}) == Choice()
    with pytest.raises(InputError, match=r"there is no grahp; there are graph, pose_model"):
        graphs.choice({"grahp": "detect"})


def test_the_program_for_a_cluster_writes_a_choice_that_can_be_built():
    program = Path(__file__).parent.parent / "deployments" / "endpoint.py"
    said = subprocess.run([sys.executable, program], check=True, capture_output=True, timeout=60)
    (application,) = json.loads(said.stdout)["applications"]
    assert application["import_path"] == "deployments.endpoint:app"
    assert build(graphs.choice(application["args"]["choice"])) is not None


def test_the_names_are_those_of_the_stages():
    assert set(OPENPOSE) == set(openpose.COLUMNS)
    assert len(DETECTORS) == len(set(DETECTORS)) == 25


def test_every_graph_is_described_with_what_it_needs():
    said = graphs.described()
    for name, kind in GRAPHS.items():
        assert f"{name}: {kind.about}" in said
        assert all(weights in said for weights in kind.needs(Choice(name)))


def test_the_default_graph_does_without_torch():
    code = (
        "import sys; from muybridge import graphs; graphs.build(); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_weights_that_a_choice_needs_are_named():
    assert graphs.needs(Choice()) == ()
    assert graphs.needs(Choice("densepose")) == (DENSEPOSE,)
    assert graphs.needs(Choice("densepose", detector=KEYPOINT)) == (DENSEPOSE, KEYPOINT)
    only = Choice("densepose", detector=KEYPOINT, tables=("people",))
    assert graphs.needs(only) == (KEYPOINT,)
    assert graphs.needs(Choice("openpose", model="openpose_mobilenet")) == ()
    with pytest.raises(InputError, match="trucks"):
        graphs.needs(Choice("trucks"))


def test_the_default_graph_is_people_and_answers_to_its_earlier_name():
    assert Choice() == Choice("people") == Choice("embedded")
    names = [stage.name for stage in build(Choice("embedded"))]
    assert names == ["decode", "people", "lift", "act"]


@pytest.mark.parametrize("model", ["thunder", "lightning"])
def test_a_pose_model_is_chosen_and_stands_in_the_identity(model):
    (stage,) = [s for s in build(Choice(pose_model=model, raw=True)) if s.name == "people"]
    assert stage.identity["pose_model"] == model
    assert stage.identity["raw"] is True
    assert model in stage.identity


def test_blazepose_reads_whom_movenet_found_and_its_joints_are_lifted():
    graph = build(Choice(pose_model="blazepose"))
    assert [stage.name for stage in graph] == ["decode", "people", "blazepose", "lift", "act"]
    assert "blazepose_joints" in graph[3].reads
    assert set(written(graph)) >= {"keypoints", "joints3d"}


def test_weights_are_refused_where_a_pose_model_comes_along(tmp_path):
    with pytest.raises(InputError, match="--weights: is for --pose-model blazepose_heavy"):
        build(Choice(weights=tmp_path))
    with pytest.raises(InputError, match="there is no 'truck'; there are thunder, lightning"):
        build(Choice(pose_model="truck"))
