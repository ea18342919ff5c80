"""Functions for the tests of optimizers that evaluate many points in a call."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import optim

SCALES = np.array([1.0, 10.0, 0.3, 4.0, 2.0, 7.0])

# Fields of lbfgs' state: of every call, of one iteration, of several.
FIRST = ["dir_bufs", "stp_bufs", "tmp1", "funcEval", "nIter"]
AFTER_ONE = [*FIRST, "old_dirs", "old_stps", "d", "t", "g_old", "f_old", "Hdiag"]
FIELDS = [*AFTER_ONE, "ro", "al"]
LISTS = ["old_dirs", "old_stps", "dir_bufs", "stp_bufs"]
search_parameter = pytest.mark.parametrize("search", [{}, {"lineSearch": optim.lswolfe}], ids=["fixed", "searching"])


def valley(x: np.ndarray) -> tuple[float, np.ndarray]:
    """A bowl of unlike axes with a little wave on it, in double whatever the type of x."""
    z = x.astype(np.float64).reshape(-1)
    scales = np.resize(SCALES, z.size)
    f = float((scales * z * z / 2 + 0.3 * np.cos(2 * z)).sum())
    return f, (scales * z - 0.6 * np.sin(2 * z)).astype(x.dtype).reshape(x.shape)


def barrier(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Infinite outside of a box; the gradient there is no number."""
    if (np.abs(x) >= 1).any():
        return math.inf, np.full_like(x, math.nan)
    return float((x / 2 - np.log(1 - x * x)).sum()), 0.5 + 2 * x / (1 - x * x)


def start(n: int = 4, dtype: Any = np.float64) -> np.ndarray:
    return np.linspace(-2, 3, n).astype(dtype)


class Failing:
    """A function whose evaluation number `when` gives something else, or raises it."""

    def __init__(self, when: int, result: Any, function: Any = valley):
        self.left, self.result, self.function = when, result, function

    def __call__(self, x: np.ndarray) -> Any:
        self.left -= 1
        if self.left:
            return self.function(x)
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


class Counted:
    """A function that knows where it was asked for."""

    def __init__(self, function: Any = valley):
        self.function = function
        self.points: list[np.ndarray] = []
        self.values: list[float] = []

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = self.function(x)
        self.points.append(x.copy())
        self.values.append(f)
        return f, g
