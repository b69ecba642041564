"""Two real scenes, as boxes and identities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray


class Scene:
    """Boxes (N, 4) with frame numbers from 0 (N,) and true identities (N,), in order of frames."""

    def __init__(self, file: Path) -> None:
        table = np.loadtxt(file, delimiter=",")
        table = table[np.lexsort((table[:, 1], table[:, 0]))]
        self.frame = table[:, 0].astype(np.int64) - 1
        self.person = table[:, 1].astype(np.int64)
        self.box = np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1)

    def without(self, dropped: NDArray[np.bool_]) -> Scene:
        rest = object.__new__(Scene)
        rest.frame, rest.person, rest.box = (
            values[~dropped] for values in (self.frame, self.person, self.box)
        )
        return rest


@pytest.fixture(params=["TUD-Campus", "TUD-Stadtmitte"])
def street(request: pytest.FixtureRequest, data: Path) -> Scene:
    return Scene(data / "mot15_tud" / request.param / "gt" / "gt.txt")
