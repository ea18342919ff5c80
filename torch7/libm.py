"""The C library's functions on numbers and on arrays, with the same last bit for both."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

# 2048 numbers spread over the interval from 0 to 1, both ends excluded.
SPREAD = (np.arange(1, 2049) * 2654435761 % 2**32) / 2**32


def elementwise(function: Callable[[float], float], ufunc: np.ufunc, probe: np.ndarray) -> Callable[[Any], Any]:
    """`function` of the C library, for a float and for each element of a one-dimensional float64 array.

    On some processors numpy has loops of its own, which differ from the C library in the last bit. `ufunc` is used
    only if it agrees on all of `probe`; otherwise the function is called for one element after the other.
    """

    def one_by_one(x: np.ndarray) -> np.ndarray:
        return np.fromiter(map(function, x.tolist()), np.float64, x.size)

    vectorised = ufunc if np.array_equal(ufunc(probe), one_by_one(probe)) else one_by_one
    return lambda x: function(x) if isinstance(x, float) else vectorised(x)


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


log = elementwise(math.log, np.log, SPREAD)
sin = elementwise(math.sin, np.sin, 2 * math.pi * SPREAD)
cos = elementwise(math.cos, np.cos, 2 * math.pi * SPREAD)
tan = elementwise(math.tan, np.tan, math.pi * (SPREAD - 0.5))
exp = elementwise(_exp, np.exp, 100 * (SPREAD - 0.5))
