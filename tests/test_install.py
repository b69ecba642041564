"""What a newcomer installs: on every Python that is named, from wheels, without an extra."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OLDEST, NEWEST = "3.10", "3.13"


def test_pythons_are_named_alike_wherever_they_are_named():
    assert PROJECT["requires-python"] == ">=3.10,<3.14"
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    assert re.findall(r'"(3\.\d+)"', workflow)[:4] == ["3.10", "3.11", "3.12", "3.13"]
    assert f"Python {OLDEST} to {NEWEST}" in (ROOT / "README.md").read_text()


def test_nothing_pins_numpy_below_2_and_no_model_is_an_extra():
    assert "numpy>=1.26,<3" in PROJECT["dependencies"]
    assert list(PROJECT["optional-dependencies"]) == ["test"]
    assert not [name for name in PROJECT["dependencies"] if "mediapipe" in name]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_pip_knows_a_wheel_of_every_dependency(version, tmp_path):
    """Nothing is installed: pip looks which wheels it would take on Linux."""
    wheels = [
        word
        for kind in (*(f"manylinux_2_{n}" for n in range(17, 36)), "manylinux2014", "manylinux2010")
        for word in ("--platform", f"{kind}_x86_64")
    ]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"),
            *("--no-deps", "--only-binary=:all:", "--python-version", version),
            *("--implementation", "cp", "--abi", f"cp{version.replace('.', '')}"),
            *("--abi", "abi3", "--abi", "none", *wheels, "--platform", "any"),
            *("--target", str(tmp_path), *PROJECT["dependencies"]),
        ],
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **_index()},
    )  # fmt: skip
    if "NewConnectionError" in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr[-2000:]


def _index() -> dict[str, str]:
    """Keep what says where packages are, and no constraints."""
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_")
            and name != "PIP_CONSTRAINT"}  # fmt: skip
