"""Compiled code for what is done with whole rows: softmax, sums into chosen rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import nn

from .numba_code import HEAD, kernel

# what the methods `function` and `derivative` do with a row; sums are made in double
EXPONENTIALS = """
        top = x[row, 0]
        for j in range(x.shape[1]):
            top = x[row, j] if x[row, j] > top else top
        for j in range(x.shape[1]):
            out[row, j] = exp(x[row, j] - top)
        total = 0.0
        for j in range(x.shape[1]):
            total += out[row, j]
"""
LOG_SOFTMAX = f"""{EXPONENTIALS}
        rest = number(numpy.log(total))
        for j in range(x.shape[1]):
            out[row, j] = (x[row, j] - top) - rest
"""
LOG_SOFTMAX_GRADIENT = """
        total = 0.0
        for j in range(y.shape[1]):
            total += g[row, j]
        factor = number(total)
        for j in range(y.shape[1]):
            out[row, j] = g[row, j] - exp(y[row, j]) * factor
"""
SOFTMAX = f"""{EXPONENTIALS}
        factor = number(1 / total)
        for j in range(x.shape[1]):
            out[row, j] *= factor
"""
SOFTMAX_GRADIENT = """
        total = 0.0
        for j in range(y.shape[1]):
            total += g[row, j] * y[row, j]
        mean = number(total)
        for j in range(y.shape[1]):
            out[row, j] = (g[row, j] - mean) * y[row, j]
"""
CLASSES = {
    nn.LogSoftMax: {"function": LOG_SOFTMAX, "derivative": LOG_SOFTMAX_GRADIENT},
    nn.SoftMax: {"function": SOFTMAX, "derivative": SOFTMAX_GRADIENT},
}
ARGUMENTS = {"function": "x, axis, out", "derivative": "y, g, axis, out"}

# the columns of the table lie together, as in a transposed weight; some of them at a time stay in the cache
ADD_FEW = """import numba

@numba.njit(cache={cache}, error_model="numpy", nogil=True)
def kernel(table, rows, values):
    for start in range(0, table.shape[1], 16):
        for i in range(len(rows)):
            row = rows[i]
            for j in range(start, min(start + 16, table.shape[1])):
                table[row, j] += values[i, j]
"""
ADD_MANY = """import numba

@numba.njit(cache={cache}, error_model="numpy", nogil=True)
def kernel(table, rows, values):
    for i in range(len(rows)):
        row = rows[i]
        for j in range(table.shape[1]):
            table[row, j] += values[i, j]
"""


def classes(module: Any, name: str, dtype: np.dtype) -> Callable[..., None]:
    """`function` or `derivative` of a softmax, compiled, for classes in the second of two dimensions."""
    head = HEAD.format(dtype=dtype.name, cache="{cache}", arguments=ARGUMENTS[name], constants="")
    return kernel(f"{head}    for row in range(out.shape[0]):{CLASSES[type(module)][name]}")


def add_rows(table: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """nn.kernels.scatter.add_rows, compiled."""
    if len(rows) <= len(table):
        return kernel(ADD_FEW)(table, rows, values)
    total = np.zeros(table.shape, table.dtype)
    kernel(ADD_MANY)(total, rows, values)
    table += total
