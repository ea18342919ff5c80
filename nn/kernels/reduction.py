"""Sums and extremes along an axis, and what goes back to where they came from."""

from __future__ import annotations

import math

import numpy as np

from torch7.memory import scratch

from .scatter import add_rows

PRECISE = 4096  # so many float32 numbers are summed in double precision, as Torch sums all
NARROW = 128  # shorter rows than these are too short for numpy's loops along them


def _planes(x: np.ndarray, axis: int) -> np.ndarray:
    """x in three dimensions, the axis in the middle; a view of a contiguous x."""
    return x.reshape(math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :]))


def sum_along(x: np.ndarray, axis: int, out: np.ndarray) -> None:
    """Writes the sums along an axis to the contiguous `out`, which has the other axes of x.

    A product with ones, as that is where a linear algebra library is faster than numpy's own sums.

    >>> out = np.empty(2)
    >>> sum_along(np.array([[1.0, 2.0], [3.0, 4.0]]), 0, out)
    >>> out
    array([4., 6.])
    """
    n = x.shape[axis]
    if x.dtype.kind == "f" and x.itemsize < 8 and n > PRECISE:
        np.add.reduce(x, axis, dtype=np.float64, out=out.reshape(x.shape[:axis] + x.shape[axis + 1 :]))
    elif not x.flags.c_contiguous:
        np.add.reduce(x, axis, out=out.reshape(x.shape[:axis] + x.shape[axis + 1 :]))
    else:
        planes = _planes(x, axis)
        if planes.shape[2] == 1:
            np.dot(planes[:, :, 0], np.ones(n, x.dtype), out=out.reshape(-1))
        else:
            np.matmul(np.ones((1, n), x.dtype), planes, out=out.reshape(len(planes), 1, -1))


def extremes(x: np.ndarray, axis: int, largest: bool, values: np.ndarray, places: np.ndarray) -> None:
    """Writes the largest (or smallest) numbers along an axis to `values`, and where they are to `places`.

    Both are contiguous and have the other axes of x; places count from 0. Of equal numbers the first is taken, and
    a nan before any number.

    >>> values, places = np.empty(2), np.empty(2, int)
    >>> extremes(np.array([[1.0, 3.0, 3.0], [4.0, 2.0, 0.0]]), 1, True, values, places)
    >>> values, places
    (array([3., 4.]), array([1, 0]))
    """
    planes = _planes(x, axis)
    shape = (len(planes), planes.shape[2])
    values, places = values.reshape(shape), places.reshape(shape)
    if shape[1] >= NARROW and _extremes_by_planes(planes, largest, values, places):
        return
    (np.argmax if largest else np.argmin)(planes, 1, out=places)
    values[...] = planes[np.arange(shape[0])[:, None], places, np.arange(shape[1])]


def _extremes_by_planes(planes: np.ndarray, largest: bool, values: np.ndarray, places: np.ndarray) -> bool:
    """The same by whole rows, which numpy's argmax does not do: ranks, falling along the axis, where x is extreme.

    Tells whether it could: a nan is equal to nothing.
    """
    n = planes.shape[1]
    (np.maximum if largest else np.minimum).reduce(planes, 1, out=values)
    if np.isnan(values).any():
        return False
    small = np.min_scalar_type(n)
    ranks = np.arange(n, 0, -1).astype(small)[:, None]
    found = np.equal(planes, values[:, None], out=scratch(planes.shape, np.dtype(bool))).view(np.uint8)
    marked = np.multiply(found, ranks, out=found if small == np.uint8 else scratch(planes.shape, small))
    np.subtract(n, np.maximum.reduce(marked, 1), out=places, dtype=np.int64)
    return True


def put_along(out: np.ndarray, axis: int, places: np.ndarray, values: np.ndarray) -> None:
    """out[..., places[i], ...] = values[i] along an axis of the contiguous `out`; places count from 0.

    >>> out = np.zeros((2, 3))
    >>> put_along(out, 1, np.array([2, 0]), np.array([5.0, 6.0]))
    >>> out
    array([[0., 0., 5.],
           [6., 0., 0.]])
    """
    planes = _planes(out, axis)
    shape = (len(planes), planes.shape[2])
    planes[np.arange(shape[0])[:, None], places.reshape(shape), np.arange(shape[1])] = values.reshape(shape)


def spread_along(out: np.ndarray, axis: int, chosen: np.ndarray, values: np.ndarray) -> None:
    """out = 0, then out[..., chosen[i], ...] += values[..., i, ...] for every i in order; `out` is contiguous.

    `chosen` counts from 0 and may name a slice several times.

    >>> out = np.empty((2, 3))
    >>> spread_along(out, 1, np.array([2, 0, 2]), np.array([[1.0, 2, 3], [4, 5, 6]]))
    >>> out
    array([[ 2.,  0.,  4.],
           [ 5.,  0., 10.]])
    """
    before, size, after = _planes(out, axis).shape
    rows = (np.arange(before)[:, None] * size + chosen).reshape(-1)
    out.fill(0)
    if np.bincount(chosen).max() > 1:
        add_rows(out.reshape(-1, after), rows, values.reshape(-1, after))
    elif after == 1:
        out.reshape(-1)[rows] = values.reshape(-1)
    else:
        out.reshape(-1, after)[rows] = values.reshape(-1, after)
