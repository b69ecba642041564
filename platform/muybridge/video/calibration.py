"""Read where cameras stand and what their lenses do, from files that other programs wrote.

Four forms are told apart by what is in them, not by their names:

* **TOML** as Pose2Sim and aniposelib write it: a table a camera with ``size``, ``matrix`` (3, 3),
  ``distortions`` (4 or 5), ``rotation`` (Rodrigues' vector or 3 by 3) and ``translation``. Metres,
  unless ``[metadata]`` has ``units``.
* **Qualisys' XML** (``.qca.txt``): millimetres, 64ths of a pixel; a camera's axes there are x
  right, y up, z backward. What it has of distortion is divided by 64 too, as Pose2Sim does:
  Qualisys documents no formula.
* **JSON** in the manner of Human3.6M. Either ``{"intrinsics": {camera: {"calibration_matrix",
  "distortion"}}, "extrinsics": {subject: {camera: {"R", "t"}}}}``, or ``{camera: {"R", "t", "f",
  "c"}}``, with ``"K"`` or ``"calibration_matrix"`` in place of ``f`` and ``c`` if you like. A
  camera has ``"size": [width, height]``, which may be left out for the four of Human3.6M, known by
  their numbers. Millimetres, unless ``"units"`` stands beside them.
* **YAML** as OpenCV's FileStorage writes it (``%YAML:1.0``): ``camera_matrix``,
  ``distortion_coefficients``, ``image_width``, ``image_height``, ``R`` (3 by 3 or a vector), ``T``,
  and ``units``, which must be there, for OpenCV's programs use whatever a chessboard was measured
  in. One camera a file, named ``camera_name`` or like the file; or one mapping a camera.

``units`` are "m", "cm" or "mm". All forms move world points by ``R @ point + t``. All of them put
the centre of the first pixel at (0, 0), as OpenCV does, where we have (0.5, 0.5): half a pixel is
added to every principal point here, and nowhere else.
"""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from muybridge.errors import InputError, listed
from muybridge.geometry.cameras import Camera

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Array = NDArray[np.floating[Any]]
Given = Mapping[str, Any]  # one camera: size, matrix, distortion, rotation, translation, units

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}
LARGEST = 1 << 24  # bytes of a file
SIDE = 16, 100_000  # pixels that a picture's side may have
CROOKED = 1e-3  # by which a rotation's entries may be off, from having been printed
APART = 0.02, 200.0  # metres that cameras stand apart; beyond, the units are wrong
HUMAN36M = {
    "54138969": (1000, 1002),
    "55011271": (1000, 1000),
    "58860488": (1000, 1000),
    "60457274": (1000, 1002),
}
HALF_PIXEL = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
FLIPPED = np.diag([1.0, -1, -1])  # Qualisys' axes of a camera to ours


def read(path: Path, subject: str = "") -> tuple[Camera, ...]:
    """Read the cameras of a file; or of a folder, where TOML comes before the other forms.

    A folder may hold one file of a form, but a YAML for every camera. ``subject`` chooses among
    those of a JSON. Raises InputError with every fault.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such calibration")
    if not path.is_dir():
        return parse(_text(path), path.name, subject)
    files = (file for file in sorted(path.iterdir()) if file.suffix.lower() in SUFFIXES)
    return among({file.name: _text(file) for file in files}, str(path), subject)


def parse(text: str, name: str, subject: str = "") -> tuple[Camera, ...]:
    """Read the cameras from a file's text; ``name`` is the file's, for errors."""
    form = form_of(text)
    if not form:
        raise InputError(f"{name}: this is no calibration we know: {KNOWN}")
    faults: list[str] = []
    try:
        given = FORMS[form](text, Path(name).stem, subject, faults)
    except UNREADABLE as error:
        raise InputError(f"{name}: cannot be read as {form}: {error}") from error
    cameras = [_camera(key, value, faults) for key, value in given.items()]
    if not given and not faults:
        faults.append("there is no camera in it")
    if not faults:
        faults += _misplaced(cameras)
    if faults:
        raise InputError(listed(f"{name}: the calibration ({form}) has faults", faults))
    return tuple(cameras)


def among(texts: Mapping[str, str], place: str, subject: str = "") -> tuple[Camera, ...]:
    """Read the cameras from those of a folder's files, by name, that are calibrations."""
    forms = {name: form_of(text) for name, text in texts.items()}
    for form in FORMS:
        names = [name for name, its in forms.items() if its == form]
        if form == "YAML":
            cameras = [camera for name in names for camera in parse(texts[name], name, subject)]
            twice = {c.name for c in cameras if [d.name for d in cameras].count(c.name) > 1}
            if twice:
                raise InputError(f"{place}: cameras of the same name: {', '.join(sorted(twice))}")
            if cameras:
                return tuple(cameras)
        elif len(names) > 1:
            which = ", ".join(names)
            raise InputError(f"{place}: which is the calibration: {which}? Name one of them.")
        elif names:
            return parse(texts[names[0]], names[0], subject)
    raise InputError(f"{place}: no calibration in this folder; {KNOWN}")


def _text(path: Path) -> str:
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path}: {path.stat().st_size} bytes are too many for a calibration")
    return path.read_text("utf-8", errors="replace")


def form_of(text: str) -> str:
    """Tell a form by how the text begins, and by the words that it must hold."""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("%YAML"):
        return "YAML"
    if start.startswith("<"):
        return "Qualisys" if "<calibration" in text else ""
    if start.startswith("{"):
        return "JSON"
    return "TOML" if re.search(r"^\s*\[[^\[\]]+\]\s*(#.*)?$", text, re.MULTILINE) else ""


def _toml(text: str, name: str, subject: str, faults: list[str]) -> dict[str, Given]:
    tables = tomllib.loads(text)
    units = _mapping(tables.get("metadata")).get("units", "m")
    found: dict[str, Given] = {}
    for key, table in tables.items():
        if key == "metadata" or not isinstance(table, Mapping):
            continue
        if table.get("fisheye"):
            faults.append(f"{key}: a fisheye lens, of which we know no formula")
        title = str(table.get("name", key))
        if title in found:
            faults.append(f"{title}: two cameras of this name")
        found[title] = {**table, "distortion": table.get("distortions"), "units": units}
    return found


def _qualisys(text: str, name: str, subject: str, faults: list[str]) -> dict[str, Given]:
    found: dict[str, Given] = {}
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        faults.append("it declares entities, which no calibration needs")
        return found
    for number, camera in enumerate(ElementTree.fromstring(text).iter("camera"), 1):
        if camera.get("active", "1") == "0":
            continue
        key = camera.get("serial") or f"camera {number}"
        if key in found:
            faults.append(f"{key}: two cameras of this name")
        if camera.get("viewrotation", "0") != "0":
            faults.append(f"{key}: the view is turned by {camera.get('viewrotation')} degrees")
        if numbers := _attributes(camera, key, faults):
            found[key] = _from_qualisys(numbers)
    return found


NUMBER = r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*"
QUALISYS = {
    "fov_video": ("left", "right", "top", "bottom"),
    "transform": (*"xyz", *(f"r{i}{j}" for i in range(1, 4) for j in range(1, 4))),
    "intrinsic": (
        *("focalLengthU", "focalLengthV", "centerPointU", "centerPointV", "skew"),
        *("radialDistortion1", "radialDistortion2", "radialDistortion3"),
        *("tangentalDistortion1", "tangentalDistortion2"),
    ),
}


def _attributes(camera: ElementTree.Element, key: str, faults: list[str]) -> dict[str, float]:
    """Read every number of a camera in Qualisys' form; nothing where one is missing."""
    numbers, before = dict[str, float](), len(faults)
    for tag, names in QUALISYS.items():
        element = camera.find(tag)
        if element is None:
            faults.append(f"{key}: {tag} is missing")
            continue
        for name in names:
            written = element.get(name, "")
            if re.fullmatch(NUMBER, written):
                numbers[name] = float(written)
            else:
                faults.append(f"{key}: {name} of {tag} is {written!r}, not a number")
    return numbers if len(faults) == before else {}


def _from_qualisys(n: dict[str, float]) -> Given:
    turn = FLIPPED @ np.array([[n[f"r{i}{j}"] for j in range(1, 4)] for i in range(1, 4)])
    fx, fy, skew = n["focalLengthU"] / 64, n["focalLengthV"] / 64, n["skew"] / 64
    cx, cy = n["centerPointU"] / 64 - n["left"], n["centerPointV"] / 64 - n["top"]
    k1, k2, k3 = (n[f"radialDistortion{i}"] / 64 for i in (1, 2, 3))
    return {
        "size": [n["right"] - n["left"] + 1, n["bottom"] - n["top"] + 1],
        "matrix": [[fx, skew, cx], [0, fy, cy], [0, 0, 1]],
        "distortion": [k1, k2, n["tangentalDistortion1"] / 64, n["tangentalDistortion2"] / 64, k3],
        "rotation": turn.tolist(),
        "translation": (-turn @ [n["x"], n["y"], n["z"]]).tolist(),
        "units": "mm",
    }


def _json(text: str, name: str, subject: str, faults: list[str]) -> dict[str, Given]:
    whole = json.loads(text)
    units = whole.pop("units", "mm")
    lenses, places = whole.get("intrinsics"), whole.get("extrinsics")
    if isinstance(lenses, Mapping) and isinstance(places, Mapping):
        cameras = _of_subject(lenses, places, subject, faults)
    else:
        cameras = {key: value for key, value in whole.items() if isinstance(value, Mapping)}
    return {key: {**_from_json(key, value), "units": units} for key, value in cameras.items()}


def _of_subject(lenses: Given, places: Given, subject: str, faults: list[str]) -> dict[str, Given]:
    """Join what each camera is with where it stood for a subject, who needs no name if alone."""
    subject = subject or (next(iter(places)) if len(places) == 1 else "")
    if subject not in places:
        faults.append(f"which subject? {subject or 'none'} was named, of {', '.join(places)}")
        return {}
    placed = _mapping(places[subject])
    faults += [f"{key}: no intrinsics" for key in placed if key not in lenses]
    faults += [f"{key}: no extrinsics" for key in lenses if key not in placed]
    both = [key for key in placed if key in lenses]
    return {key: {**_mapping(lenses[key]), **_mapping(placed[key])} for key in both}


def _mapping(value: Any) -> Given:
    """Give a mapping as it is, and an empty one for anything else: all will be missing."""
    return value if isinstance(value, Mapping) else {}


def _pair(value: Any) -> tuple[Any, Any]:
    """Give two numbers, also where they stand in a column; what is no pair as it is, twice."""
    if not isinstance(value, list) or len(value) != 2:
        return value, value
    first, second = (row[0] if isinstance(row, list) and len(row) == 1 else row for row in value)
    return first, second


def _from_json(key: str, camera: Given) -> Given:
    matrix = camera.get("K", camera.get("calibration_matrix"))
    if matrix is None and "f" in camera and "c" in camera:
        (fx, fy), (cx, cy) = _pair(camera["f"]), _pair(camera["c"])
        matrix = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    return {
        "size": camera.get("size", HUMAN36M.get(key)),
        "matrix": matrix,
        "distortion": camera.get("distortion", [0, 0, 0, 0, 0]),
        "rotation": camera.get("R"),
        "translation": camera.get("t"),
    }


FILE_STORAGE = type("FileStorage", (yaml.SafeLoader,), {})  # knows OpenCV's tag besides


def _matrix(loader: yaml.SafeLoader, node: yaml.nodes.MappingNode) -> Any:
    """Read OpenCV's matrix as rows, or as it stands where its numbers do not fill them."""
    held = loader.construct_mapping(node, deep=True)
    data, rows, columns = held.get("data", []), held.get("rows", 0), held.get("cols", 0)
    full = isinstance(data, list) and rows and columns and len(data) == rows * columns
    return [data[at : at + columns] for at in range(0, len(data), columns)] if full else data


yaml.add_constructor("tag:yaml.org,2002:opencv-matrix", _matrix, FILE_STORAGE)


def _yaml(text: str, name: str, subject: str, faults: list[str]) -> dict[str, Given]:
    whole = yaml.load(re.sub(r"^\ufeff?\s*%YAML.*", "", text, count=1), FILE_STORAGE)
    if not isinstance(whole, Mapping):
        return {}
    if "camera_matrix" in whole:
        return {str(whole.get("camera_name", name)): _from_yaml(whole)}
    units = {"units": whole["units"]} if "units" in whole else {}
    return {
        str(key): _from_yaml({**units, **value})
        for key, value in whole.items()
        if isinstance(value, Mapping)
    }


def _from_yaml(camera: Given) -> Given:
    return {
        "size": [camera.get("image_width"), camera.get("image_height")],
        "matrix": camera.get("camera_matrix"),
        "distortion": camera.get("distortion_coefficients"),
        "rotation": camera.get("R"),
        "translation": camera.get("T"),
        "units": camera.get("units"),
    }


# In the order in which they are looked for in a folder.
FORMS: dict[str, Callable[[str, str, str, list[str]], dict[str, Given]]] = {
    "TOML": _toml,
    "Qualisys": _qualisys,
    "JSON": _json,
    "YAML": _yaml,
}
SUFFIXES = (".toml", ".txt", ".xml", ".json", ".yml", ".yaml")
KNOWN = "TOML (Pose2Sim), Qualisys' .qca.txt, JSON (Human3.6M) and OpenCV's YAML are"
UNREADABLE = (
    *(tomllib.TOMLDecodeError, ElementTree.ParseError, json.JSONDecodeError, yaml.YAMLError),
    *(RecursionError, AttributeError),
)


def _camera(name: str, given: Given, faults: list[str]) -> Camera:
    """Make a camera, and list all that is wrong with it."""
    own: list[str] = []
    size = _numbers(given, "size", own, (2,))
    if np.isfinite(size).all() and not ((size >= SIDE[0]) & (size <= SIDE[1])).all():
        own.append(f"size is {_written(size)}; a side has {SIDE[0]} to {SIDE[1]} pixels")
    elif (np.isfinite(size) & (size != np.round(size))).any():
        own.append(f"size is {_written(size)}; it must be whole pixels")
    unit = UNITS.get(str(given.get("units")), np.nan)
    if np.isnan(unit):
        own.append(f'units are {given.get("units")!r}; they must be "m", "cm" or "mm"')
    matrix = _numbers(given, "matrix", own, (3, 3))
    if np.isfinite(matrix).all():
        own += _wrong_matrix(matrix, size)
    made = Camera(
        name,
        (int(size[0]), int(size[1])) if np.isfinite(size).all() else (0, 0),
        matrix + HALF_PIXEL,
        _distortion(given, own),
        _rotation(given, own),
        unit * _numbers(given, "translation", own, (3,)),
    )
    faults += [f"{name}: {fault}" for fault in own]
    return made


def _numbers(given: Given, key: str, faults: list[str], *shapes: tuple[int, ...]) -> Array:
    """Read numbers of one of the shapes, columns and rows being vectors; nan where they are not."""
    value = given.get(key)
    if value is None:
        faults.append(f"{key} is missing")
        return np.full(shapes[0], np.nan)
    try:
        numbers = np.squeeze(np.array(value, np.float64))
    except (TypeError, ValueError):
        faults.append(f"{key} is {str(value)[:60]}, not numbers")
        return np.full(shapes[0], np.nan)
    if numbers.shape in shapes:
        if not np.isfinite(numbers).all():
            faults.append(f"{key} is not finite")
        return numbers
    accepted = " or ".join(str(shape) for shape in shapes)
    faults.append(f"{key} has shape {numbers.shape}, not {accepted}")
    return np.full(shapes[0], np.nan)


def _wrong_matrix(matrix: Array, size: Array) -> list[str]:
    faults = []
    if not (np.diagonal(matrix)[:2] > 0).all():
        faults.append(
            f"focal lengths are {_written(np.diagonal(matrix)[:2])}; they must be above 0"
        )
    if matrix[1, 0] != 0 or (matrix[2] != [0, 0, 1]).any():
        faults.append("matrix is not ((fx, skew, cx), (0, fy, cy), (0, 0, 1))")
    if np.isfinite(size).all() and (abs(matrix[:2, 2] - size / 2) > size).any():
        faults.append(f"the principal point {_written(matrix[:2, 2])} is far outside the picture")
    return faults


def _distortion(given: Given, faults: list[str]) -> Array:
    """Read k1, k2, p1, p2, k3; more of OpenCV's numbers are accepted where they are 0."""
    numbers = _numbers(given, "distortion", faults, (5,), (4,), (8,), (12,), (14,))
    if (numbers[5:] != 0).any():
        faults.append("distortion has more numbers than k1, k2, p1, p2, k3 that are not 0")
    return np.pad(numbers, (0, 1))[:5]


def _rotation(given: Given, faults: list[str]) -> Array:
    """Read a rotation, as a matrix or as Rodrigues' vector, and free it of what printing did."""
    numbers = _numbers(given, "rotation", faults, (3, 3), (3,))
    if not np.isfinite(numbers).all():
        return np.full((3, 3), np.nan)
    if numbers.shape == (3,):
        return Rotation.from_rotvec(numbers).as_matrix()
    if abs(numbers @ numbers.T - np.eye(3)).max() > CROOKED or np.linalg.det(numbers) < 0:
        faults.append("rotation is not orthonormal, or it mirrors")
        return np.full((3, 3), np.nan)
    return Rotation.from_matrix(numbers).as_matrix()


def _misplaced(cameras: list[Camera]) -> list[str]:
    """Say so if the cameras stand so near or far that the units must be wrong."""
    places = np.array([np.zeros(3)] + [camera.place for camera in cameras])
    span = np.linalg.norm(places[:, None] - places, axis=-1)[-len(cameras) :].max()
    if span == 0 or APART[0] <= span <= APART[1]:
        return []
    return [f"cameras stand {span:.4g} m from the origin and each other: are the units right?"]


def _written(numbers: Array) -> str:
    return " x ".join(f"{number:g}" for number in numbers)
