"""Who may import whom, read from the sources."""

import ast
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent.parent / "platform" / "muybridge"
FILES = sorted(SOURCES.rglob("*.py"))

# A part may use itself and the parts named here.
# fmt: off
MAY_USE = {
    "errors": (),
    "retry": ("errors",),
    "columns": ("errors",),
    "labels": (),
    "convolutions": (),
    "litert": (),
    "device": (),
    "geometry": ("errors",),
    "graph": ("columns", "errors"),
    "containers": ("errors",),
    "checkpoints": ("containers", "errors"),
    "models": ("checkpoints", "convolutions", "columns", "errors", "geometry", "labels", "litert"),
    "download": ("errors",),
    "published": ("errors",),
    "weights": ("checkpoints", "download", "errors", "models", "published"),
    "video": ("columns", "errors", "geometry"),
    "tracking": ("columns", "errors", "geometry"),
    "store": ("columns", "errors", "retry"),
    "stages": (
        *("columns", "device", "errors", "geometry", "graph", "models", "tracking", "video"),
        "weights",
    ),
    "graphs": ("columns", "errors", "graph", "models", "published", "stages", "store", "weights"),
    "web": ("errors",),
    "render": ("columns", "errors", "geometry", "store", "video", "weights"),
    "export": ("errors", "geometry", "render", "store", "weights"),
    "evaluate": (
        *("columns", "containers", "errors", "geometry", "graph", "graphs", "labels", "models"),
        *("run", "store", "video"),
    ),
    "run": (
        *("columns", "errors", "geometry", "graph", "labels", "retry", "store", "tracking"),
        *("video", "web"),
    ),
}
# fmt: on
TOP = {
    "__init__",
    "__main__",
    "answers",
    "cli",
    "demo",
    "doctor",
    "progress",
    "terminal",
    "weights_commands",
}  # fmt: skip
DOORS = {
    "ray": {"run"},
    "decord": {"video"},
    "av": {"video", "render", "demo"},
    "boto3": {"store"},
    "requests": {"video"},
    "tenacity": {"retry"},
    "duckdb": {"store"},
    "h5py": {"containers"},
    "ai_edge_litert": {"litert"},
    "fastapi": {"web", "run"},
}


def part(path: Path) -> str:
    return path.relative_to(SOURCES).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module imported anywhere in a file, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(str(node.module))
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCES)))
def test_a_part_uses_only_what_stands_below_it(path):
    if part(path) in TOP:
        return
    used = {name.split(".")[1] for name in imports(path) if name.startswith("muybridge.")}
    assert used - {part(path), *MAY_USE[part(path)]} == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCES)))
def test_a_library_with_one_door_is_imported_nowhere_else(path):
    used = {name.split(".")[0] for name in imports(path)}
    assert [lib for lib in DOORS if lib in used and part(path) not in DOORS[lib] | {"doctor"}] == []


def test_models_do_not_know_each_other():
    for path in (SOURCES / "models").rglob("*.py"):
        mine = path.relative_to(SOURCES / "models").parts[0]
        others = {n.split(".")[2] for n in imports(path) if n.startswith("muybridge.models.")}
        assert others <= {mine}, path


def test_platform_is_no_package():
    """An importable ``platform`` would shadow the standard library's, and ray would not import."""
    assert not (SOURCES.parent / "__init__.py").exists()


def test_packages_hold_nothing_but_a_docstring():
    for path in SOURCES.rglob("__init__.py"):
        if path.parent == SOURCES:
            continue
        body = ast.parse(path.read_text()).body
        assert all(isinstance(node, ast.Expr) for node in body), path
