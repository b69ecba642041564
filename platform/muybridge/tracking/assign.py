"""Pair tracks with boxes so that the whole costs least."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.floating[Any]]

FAR = 1e6  # stands for a pair that must not be


def assign(costs: Array, apart: float = FAR) -> NDArray[np.int64]:
    """Choose pairs (K, 2) of rows and columns with the least total cost (N, M), never inf.

    ``apart`` is what a pair left apart costs: by default as many as possible are paired.
    """
    rows, columns = linear_sum_assignment(np.where(np.isfinite(costs), costs, apart))
    kept = np.isfinite(costs[rows, columns])
    return np.stack([rows[kept], columns[kept]], axis=1)
