"""The sources hold to the house style as far as tools can tell."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMMANDS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_tools_find_nothing(name):
    tool = Path(sys.executable).parent / COMMANDS[name][0]
    if not tool.exists():
        pytest.skip(f"{tool.name} is not installed")
    done = subprocess.run(
        [tool, *COMMANDS[name][1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
