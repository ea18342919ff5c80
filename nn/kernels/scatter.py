"""Sums into chosen rows."""

from __future__ import annotations

from typing import Any

import numpy as np

PAIRS: dict[np.dtype, Any] = {
    np.dtype(np.float32): np.dtype(np.complex64),
    np.dtype(np.float64): np.dtype(np.complex128),
}


def add_rows(target: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """target[rows[i]] += values[i] for every i in order; a row may come up several times.

    `rows` counts from 0. A contiguous target is indexed element by element, for which np.add.at has a fast loop that
    it lacks for rows; two real numbers go as one complex one where that is possible, with half as many indices.

    >>> target = np.zeros((3, 2))
    >>> add_rows(target, np.array([2, 0, 2]), np.array([[1.0, 2], [3, 4], [5, 6]]))
    >>> target
    array([[3., 4.],
           [0., 0.],
           [6., 8.]])
    """
    if not target.flags.c_contiguous or target.dtype != values.dtype:
        np.add.at(target, rows, values)
        return
    values = np.ascontiguousarray(values)
    if target.shape[1] % 2 == 0 and target.dtype in PAIRS:
        target, values = target.view(PAIRS[target.dtype]), values.view(PAIRS[target.dtype])
    width = target.shape[1]
    places = rows[:, None] * width + np.arange(width)
    np.add.at(target.reshape(-1), places.reshape(-1), values.reshape(-1))
