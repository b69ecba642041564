"""Calibrations of four forms give the same cameras, and a faulty one lists every fault."""

from __future__ import annotations

import copy
import json
import random

import numpy as np
import pytest

from muybridge.errors import InputError
from muybridge.geometry.cameras import projections, undistorted
from muybridge.geometry.triangulation import agreeing, linear
from muybridge.video.calibration import parse, read

# One camera, 2 m behind the origin and 1 m above it: x right, y down, z along the world's y.
TURN = [[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]
MATRIX = [[900.0, 0, 320], [0, 910, 240], [0, 0, 1]]
LENS = [-0.1, 0.02, 0.001, -0.002, 0.003]

TOML = f"""
[left]
name = "left"
size = [ 640.0, 480.0]
matrix = {MATRIX}
distortions = {LENS}
rotation = [1.5707963267948966, 0.0, 0.0]
translation = [ 0.0, 1.0, 2.0]
fisheye = false

[metadata]
adjusted = false
"""

QUALISYS = """<?xml version='1.0'?>
<calibration><cameras>
 <camera active="1" serial="left" viewrotation="0">
  <fov_video left="0" top="0" right="639" bottom="479"/>
  <transform x="0" y="-2000" z="1000" r11="1" r12="0" r13="0" r21="0" r22="0" r23="1"
   r31="0" r32="-1" r33="0"/>
  <intrinsic focalLengthU="57600" focalLengthV="58240" centerPointU="20480" centerPointV="15360"
   skew="0" radialDistortion1="-6.4" radialDistortion2="1.28" radialDistortion3="0.192"
   tangentalDistortion1="0.064" tangentalDistortion2="-0.128"/>
 </camera>
 <camera active="0" serial="off"/>
</cameras></calibration>"""

SUBJECTS = {
    "intrinsics": {
        "left": {"calibration_matrix": MATRIX, "distortion": LENS, "size": [640, 480]},
    },
    "extrinsics": {"S1": {"left": {"R": TURN, "t": [[0], [1000], [2000]]}}},
}
CAMERAS = {
    "left": {
        **{"R": TURN, "t": [0, 1000, 2000], "f": [900, 910], "c": [320, 240]},
        **{"distortion": LENS, "size": [640, 480]},
    }
}

YAML = """%YAML:1.0
---
camera_name: left
units: cm
image_width: 640
image_height: 480
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 900., 0., 320., 0., 910., 240., 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ -1.0000000000000001e-01, 2.0000000000000000e-02, 1.e-03, -2.e-03, 3.e-03 ]
R: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 1., 0., 0., 0., 0., -1., 0., 1., 0. ]
T: !!opencv-matrix
   rows: 3
   cols: 1
   dt: d
   data: [ 0., 100., 200. ]
"""

FORMS = {
    "calib.toml": TOML,
    "calib.qca.txt": QUALISYS,
    "subjects.json": json.dumps(SUBJECTS),
    "cameras.json": json.dumps(CAMERAS),
    "left.yml": YAML,
}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_the_camera(name):
    """Half a pixel is added: these forms have the first pixel's centre at 0, we at 0.5."""
    (camera,) = parse(FORMS[name], name)
    assert camera.name == "left"
    assert camera.size == (640, 480)
    assert np.allclose(camera.matrix, [[900, 0, 320.5], [0, 910, 240.5], [0, 0, 1]])
    assert np.allclose(camera.distortion, LENS)
    assert np.allclose(camera.rotation, TURN)
    assert np.allclose(camera.translation, [0, 1, 2])
    assert np.allclose(camera.place, [0, -2, 1])


@pytest.mark.parametrize("name", FORMS)
def test_the_form_is_told_by_what_is_in_the_file(name):
    assert parse(FORMS[name], "calibration.dat")[0].size == (640, 480)


def test_what_opencv_itself_writes_is_read(tmp_path):
    cv2 = pytest.importorskip("cv2")
    file = tmp_path / "right.yaml"
    storage = cv2.FileStorage(str(file), cv2.FILE_STORAGE_WRITE)
    for key, value in {
        "image_width": 640,
        "image_height": 480,
        "camera_matrix": np.array(MATRIX),
        "distortion_coefficients": np.array([LENS]),
        "R": np.array([[np.pi / 2], [0], [0]]),
        "T": np.array([[0.0], [1], [2]]),
        "units": "m",
    }.items():
        storage.write(key, value)
    storage.release()
    (camera,) = read(file)
    assert camera.name == "right"
    assert np.allclose(camera.rotation, TURN)
    assert np.allclose(camera.distortion, LENS)


def test_one_yaml_may_hold_many_cameras_and_a_folder_one_yaml_each(tmp_path):
    head, body = YAML.split("camera_name: left\nunits: cm\n")
    nested = head + "units: cm\n"
    for name in ("one", "two"):
        nested += f"{name}:\n" + "".join(f"   {line}\n" for line in body.splitlines())
        (tmp_path / f"{name}.yml").write_text(YAML.replace("camera_name: left\n", ""))
    assert [camera.name for camera in parse(nested, "all.yml")] == ["one", "two"]
    assert [camera.name for camera in read(tmp_path)] == ["one", "two"]
    (tmp_path / "three.yml").write_text(YAML.replace("left", "two"))
    with pytest.raises(InputError, match="same name: two"):
        read(tmp_path)


def test_human36m_sizes_are_known_and_a_subject_is_chosen():
    lens = {"calibration_matrix": MATRIX, "distortion": LENS}
    placed = {"R": TURN, "t": [0, 1000, 2000]}
    file = json.dumps(
        {
            "intrinsics": {"54138969": lens, "55011271": lens},
            "extrinsics": {
                "S1": {"54138969": placed, "55011271": placed},
                "S2": {"54138969": {**placed, "t": [0, 3000, 2000]}, "55011271": placed},
            },
        }
    )
    cameras = parse(file, "h36m.json", subject="S2")
    assert [camera.size for camera in cameras] == [(1000, 1002), (1000, 1000)]
    assert cameras[0].translation[1] == 3
    for subject in ("", "S3"):
        with pytest.raises(InputError, match="of S1, S2"):
            parse(file, "h36m.json", subject)


def test_units_are_read_and_never_guessed():
    metres = json.dumps({**CAMERAS, "units": "m"})
    assert np.allclose(parse(metres.replace("1000", "1").replace("2000", "2"), "")[0].place[2], 1)
    with pytest.raises(InputError, match='units are None; they must be "m", "cm" or "mm"'):
        parse(YAML.replace("units: cm\n", ""), "left.yml")
    with pytest.raises(InputError, match="units are 'inch'"):
        parse(TOML.replace("adjusted = false", 'units = "inch"'), "")
    with pytest.raises(InputError, match=r"2236 m from .*: are the units right\?"):
        parse(TOML.replace("1.0, 2.0]", "1000.0, 2000.0]"), "")
    with pytest.raises(InputError, match="are the units right"):
        parse(json.dumps(CAMERAS).replace("1000", "1").replace("2000", "2"), "")


def test_every_fault_is_listed():
    faulty = {
        "a": {"R": [[1, 0, 0], [0, 1, 0]], "t": [0, 0], "f": [-5, 900], "c": [320, 240]},
        "b": {
            **{"R": [[1, 0, 0], [0, 1, 0], [0, 0, -1]], "t": [0, 0, float("nan")]},
            **{"K": [[900, 0, 9000], [7, 900, 1], [0, 0, 1]], "size": [640, 4.5]},
            "distortion": [0, 0, 0, 0, 0, 1, 0, 0],
        },
        "c": {"t": "here", "f": [1], "c": [1, 2], "size": [640.5, 480], "distortion": [1]},
        "d": CAMERAS["left"],
    }
    with pytest.raises(InputError) as caught:
        parse(json.dumps({**faulty, "units": "mm"}), "bad.json")
    lines = str(caught.value).splitlines()
    assert lines[0] == "bad.json: the calibration (JSON) has faults"
    assert sorted(line.strip() for line in lines[1:]) == sorted(
        [
            "a: size is missing",
            "a: focal lengths are -5 x 900; they must be above 0",
            "a: rotation has shape (2, 3), not (3, 3) or (3,)",
            "a: translation has shape (2,), not (3,)",
            "b: size is 640 x 4.5; a side has 16 to 100000 pixels",
            "b: matrix is not ((fx, skew, cx), (0, fy, cy), (0, 0, 1))",
            "b: the principal point 9000 x 1 is far outside the picture",
            "b: distortion has more numbers than k1, k2, p1, p2, k3 that are not 0",
            "b: rotation is not orthonormal, or it mirrors",
            "b: translation is not finite",
            "c: size is 640.5 x 480; it must be whole pixels",
            "c: matrix is [[[1], 0, 1], [0, [1], 2], [0, 0, 1]], not numbers",
            "c: distortion has shape (), not (5,) or (4,) or (8,) or (12,) or (14,)",
            "c: rotation is missing",
            "c: translation is here, not numbers",
        ]
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no calibration we know"),
        ("hello", "no calibration we know"),
        ("{]", "cannot be read as JSON"),
        ("[left]\nsize = [", "cannot be read as TOML"),
        ("<calibration><", "cannot be read as Qualisys"),
        ("%YAML:1.0\n---\na: !!python/object:os.system []", "cannot be read as YAML"),
        ("%YAML:1.0\n---\n", "there is no camera"),
        ("{}", "there is no camera"),
        ("[metadata]\nunits = 'm'", "there is no camera"),
        (QUALISYS.replace('viewrotation="0"', 'viewrotation="90"'), "turned by 90"),
        (QUALISYS.replace('skew="0"', 'skew="nan"'), "left: skew of intrinsic is 'nan'"),
        (QUALISYS.replace("transform", "form"), "left: transform is missing"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>" + QUALISYS[22:], "entities"),
        (TOML.replace("fisheye = false", "fisheye = true"), "left: a fisheye lens"),
        (
            TOML + TOML.replace("[left]", "[right]")[: -len("\n[metadata]\nadjusted = false\n")],
            "two",
        ),
    ],
)
def test_what_cannot_be_used_is_told(text, words):
    with pytest.raises(InputError, match=words):
        parse(text, "file")


@pytest.mark.parametrize("seed", range(300))
def test_nothing_but_an_input_error_comes_of_a_file_gone_wrong(seed):
    """One value anywhere is put in place of another kind of value, or left out."""
    chance = random.Random(seed)
    whole = copy.deepcopy(chance.choice([SUBJECTS, CAMERAS]))
    part = whole
    while isinstance(part, (dict, list)) and part:
        parent, part = part, None
        key = chance.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        part = parent[key] if chance.random() < 0.8 else None
    parent[key] = chance.choice([None, "x", 7, [], {}, [1, [2]], {"a": 1}, float("inf"), True])
    try:
        cameras = parse(json.dumps(whole), "file")
    except InputError:
        return
    assert all(np.isfinite(projections(cameras)).all() for _ in cameras)


def test_a_folder_needs_one_calibration(tmp_path):
    with pytest.raises(InputError, match="no such"):
        read(tmp_path / "absent")
    with pytest.raises(InputError, match="no calibration in this folder"):
        read(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "a.json").write_text(json.dumps(CAMERAS))
    (tmp_path / "b.toml").write_text(TOML.replace("left", "ours"))
    assert read(tmp_path)[0].name == "ours"
    (tmp_path / "c.toml").write_text(TOML)
    with pytest.raises(InputError, match=r"which .*: b.toml, c.toml"):
        read(tmp_path)


def test_a_file_too_large_is_not_read(tmp_path):
    with open(tmp_path / "large.toml", "wb") as file:
        file.truncate(1 << 25)
    with pytest.raises(InputError, match="too many"):
        read(tmp_path / "large.toml")


def test_both_calibrations_of_the_real_footage_are_the_same(data):
    folder = data / "pose2sim_balancing/calibration"
    cameras = read(folder)
    assert [camera.name for camera in cameras] == [f"cam_0{number}" for number in (1, 2, 3, 4)]
    for ours, other in zip(cameras, read(folder / "Calib.qca.txt"), strict=True):
        assert ours.size == other.size == (1088, 1920)
        for part in ("matrix", "distortion", "rotation", "translation"):
            assert np.allclose(getattr(ours, part), getattr(other, part), rtol=1e-9, atol=1e-12)


BODY_25B = (
    *("Nose", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder", "LElbow", "RElbow"),
    *("LWrist", "RWrist", "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "Neck", "Head"),
    *("LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel"),
)


def associated(folder, names):
    """Read the joints of the man followed: (frames * names, 4, 3), zeros where he is not seen."""
    views = []
    for view in sorted(folder.iterdir()):
        people = [json.loads(file.read_text())["people"] for file in sorted(view.iterdir())]
        points = [p[0].get("pose_keypoints_2d") if p else None for p in people]
        views.append([np.reshape(p or [0] * 75, (25, 3)) for p in points])
    joints = np.array(views).transpose(1, 2, 0, 3)
    return joints[:, [BODY_25B.index(name) for name in names]].reshape(-1, 4, 3)


def test_the_published_joints_come_out_of_the_real_footage(data):
    """By Pose2Sim's recipe: confidence above 0.3, weighted, cameras left out above 15 pixels."""
    folder = data / "pose2sim_balancing"
    (file,) = (folder / "triangulated").glob("*_0-100.trc")
    lines = file.read_text().splitlines()
    names = [name for name in lines[3].split("\t")[2:] if name]
    rows = np.array([line.split("\t")[2:65] for line in lines[5:] if line], float)
    published = rows.reshape(-1, 3)[:, [2, 0, 1]]  # its (x, y, z) are the calibration's (y, z, x)

    cameras = read(folder / "calibration")
    joints = associated(folder / "openpose_json_associated", names)
    seen = undistorted(cameras, joints[..., :2] + 0.5)
    weights = np.where(joints[..., 2] > 0.3, joints[..., 2], 0)
    kept = agreeing(seen, projections(cameras), weights, limit=15.0)
    off = 1000 * np.linalg.norm(linear(seen, projections(cameras), kept) - published, axis=1)
    assert len(off) == 2100
    assert np.median(off) < 0.02
    assert np.quantile(off, 0.99) < 0.1
