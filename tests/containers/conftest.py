"""Files as strangers make them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[[Any, int], Path]


@pytest.fixture
def pickled(tmp_path: Path) -> Make:
    """Write a pickle of something in a protocol."""

    def make(held: Any, protocol: int = 2) -> Path:
        path = tmp_path / "model.pkl"
        path.write_bytes(pickle.dumps(held, protocol))
        return path

    return make
