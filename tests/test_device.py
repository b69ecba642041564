"""One place says where networks run, and nobody else asks torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from muybridge.device import device

SOURCES = Path(__file__).parent.parent / "platform" / "muybridge"
ASKED = {("cuda", "is_available"), ("mps", "is_available"), ("mps", "is_built")}


@pytest.mark.parametrize(
    ("cuda", "mps", "best", "without_mps"),
    [
        (True, True, "cuda", "cuda"),
        (True, False, "cuda", "cuda"),
        (False, True, "mps", "cpu"),
        (False, False, "cpu", "cpu"),
    ],
)
def test_cuda_comes_before_mps_and_mps_before_the_cpu(cuda, mps, best, without_mps, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device() == best
    assert device(mps=False) == without_mps


def asks(path: Path) -> list[str]:
    """Where a file asks torch for a device: ``torch.cuda.is_available`` and the like."""
    return [
        f"{path.relative_to(SOURCES)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and (node.value.attr, node.attr) in ASKED
    ]


def test_nobody_else_asks_torch_what_there_is():
    found = {place.split(":")[0] for path in SOURCES.rglob("*.py") for place in asks(path)}
    assert found == {"device.py"}


def test_the_module_and_the_default_graph_do_without_torch():
    code = (
        "import sys, muybridge.device, muybridge.doctor; from muybridge import graphs; "
        "graphs.see_people(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
