"""What is sent of several cameras comes as it was sent, or is refused with its reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import Served

pytestmark = pytest.mark.timeout(60)
Serve = Callable[..., Served]
CALIBRATION = ("calibration", ("Calib.toml", b"[cam_1]"))
FILES = [CALIBRATION, ("cam_1", ("a.mp4", b"one")), ("cam_2", ("a.mp4", b"two"))]


def post(served: Served, files, **options):
    return served.client.post("/v1/triangulate", files=files, **options)


def test_files_come_by_camera_with_their_calibration(serve: Serve) -> None:
    served = serve()
    data = {"offsets": '{"cam_2": 0.25}', "subject": "S1", "fps": "5", "tables": "people"}
    answer = post(served, FILES, data=data)
    assert answer.status_code == 200
    assert answer.json()["tables"] == {"people": [{"frame": i, "score": 0.5} for i in (0, 1)]}
    ((given, texts, fps),) = served.triangulate.asked
    assert texts == {"cam_1": "one", "cam_2": "two"}
    assert [file.name for file in given.views.values()] == ["a.mp4", "a.mp4"]
    assert given.calibrations == {"Calib.toml": "[cam_1]"}
    assert (given.offsets, given.subject, fps) == ({"cam_2": 0.25}, "S1", 5)
    assert list(served.folder.iterdir()) == []


def test_a_calibration_may_come_in_several_files(serve: Serve) -> None:
    served = serve()
    assert post(served, [*FILES, ("calibration", ("b.yml", b"%YAML"))]).status_code == 200
    assert list(served.triangulate.asked[0][0].calibrations) == ["Calib.toml", "b.yml"]


def test_each_bad_form_is_refused_with_its_reason(serve: Serve) -> None:
    served = serve(max_bytes=2 << 20)
    large = ("calibration", ("Calib.toml", b"x" * ((1 << 20) + 1)))
    for status, kind, files, data in [
        (422, "no_calibration", FILES[1:], {}),
        (422, "many_files", [*FILES, FILES[1]], {}),
        (422, "empty", [*FILES, ("cam_3", ("c.mp4", b""))], {}),
        (422, "calibration", [large, *FILES[1:]], {}),
        (422, "offsets", FILES, {"offsets": "soon"}),
        (422, "offsets", FILES, {"offsets": "[1]"}),
        (422, "fps", FILES, {"fps": "0"}),
        (413, "too_large", [*FILES, ("cam_3", ("c.mp4", b"x" * (2 << 20)))], {}),
        (422, "many_files", [CALIBRATION, *[(f"c{i}", ("c", b"x")) for i in range(64)]], {}),
    ]:
        answer = post(served, files, data=data)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (status, kind)
        assert list(served.folder.iterdir()) == []
    assert served.triangulate.asked == []


def test_what_cannot_be_placed_is_the_senders_fault(serve: Serve) -> None:
    answer = post(serve(), FILES[:2])
    assert answer.status_code == 422
    assert answer.json()["error"] == {
        "kind": "input",
        "message": "views: there is one; send two or more",
    }


def test_the_docs_describe_the_form(serve: Serve) -> None:
    post = serve().client.get("/openapi.json").json()["paths"]["/v1/triangulate"]["post"]
    form = post["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["calibration"]
    assert {"offsets", "fps", "tables"} < set(form["properties"])
