"""Images and volumes in other sizes: repeated elements, linear interpolation, and the gradients on the way back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from torch7.memory import scratch

BAND = 64  # rows of a matrix of weights that are used at a time, when there are many


def _rows(a: np.ndarray, scale: int, dims: int) -> np.ndarray:
    """a, of (..., H * scale, W * scale), as (..., H, scale, W * scale), and so on for `dims` axes."""
    split = [n for size in a.shape[-dims:-1] for n in (size // scale, scale)]
    return a.reshape(*a.shape[:-dims], *split, a.shape[-1])


def repeated(x: np.ndarray, scale: int, dims: int, out: np.ndarray) -> np.ndarray:
    """Fills out with every element of x, `scale` times along each of the last `dims` axes. Returns out.

    >>> repeated(np.array([[1.0, 2.0]]), 2, 2, np.empty((2, 4)))
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]])
    """
    rows = scratch((*x.shape[:-1], x.shape[-1] * scale), x.dtype)
    for i in range(scale):
        rows[..., i::scale] = x
    _rows(out, scale, dims)[...] = np.expand_dims(rows, tuple(range(-2 * (dims - 1), 0, 2)))
    return out


def repeated_gradient(g: np.ndarray, scale: int, dims: int, out: np.ndarray) -> np.ndarray:
    """Adds up in out the elements of g that `repeated` made from one; scale is 2 or more. Returns out."""
    rows = scratch((*out.shape[:-1], g.shape[-1]), g.dtype)
    offsets = itertools.product(range(scale), repeat=dims - 1)
    copies = _rows(g, scale, dims)
    _total([copies[(Ellipsis, *(n for i in at for n in (slice(None), i)), slice(None))] for at in offsets], rows)
    return _total([rows[..., i::scale] for i in range(scale)], out)


def _total(terms: Sequence[np.ndarray], out: np.ndarray) -> np.ndarray:
    np.add(terms[0], terms[1], out=out)
    for term in terms[2:]:
        out += term
    return out


@lru_cache(maxsize=16)
def weights(n: int, m: int, dtype: np.dtype) -> np.ndarray:
    """The (m, n) matrix that interpolates n numbers linearly at m places from the first to the last of them.

    The places are single precision numbers, as in Torch, whatever the type of the matrix.

    >>> weights(2, 3, np.dtype(float))
    array([[1. , 0. ],
           [0.5, 0.5],
           [0. , 1. ]])
    """
    step = np.float32(n - 1) / np.float32(m - 1) if m > 1 else np.float32(0)
    places = step * np.arange(m, dtype=np.float32)
    below = places.astype(int)
    above = (places - below.astype(np.float32)).astype(dtype)
    matrix = np.zeros((m, n), dtype)
    matrix[np.arange(m), below] = 1 - above
    matrix[np.arange(m), np.minimum(below + 1, n - 1)] += above
    matrix.flags.writeable = False
    return matrix


def interpolated(x: np.ndarray, dims: int, out: np.ndarray) -> np.ndarray:
    """Fills out from x by linear interpolation along the last `dims` axes; the others are alike. Returns out.

    >>> interpolated(np.array([[1.0, 3.0]]), 1, np.empty((1, 3)))
    array([[1., 2., 3.]])
    """
    sizes = zip(x.shape[-dims:], out.shape[-dims:])
    return _multiplied(x, [None if n == m else weights(n, m, x.dtype) for n, m in sizes], out)


def interpolated_gradient(g: np.ndarray, dims: int, out: np.ndarray) -> np.ndarray:
    """Fills out with the gradient with respect to x of `interpolated`. Returns out."""
    sizes = zip(out.shape[-dims:], g.shape[-dims:])
    return _multiplied(g, [None if n == m else weights(n, m, g.dtype).T for n, m in sizes], out)


def _multiplied(x: np.ndarray, matrices: Sequence[np.ndarray | None], out: np.ndarray) -> np.ndarray:
    """x with every vector along its last axes multiplied by the axis's matrix, if it has one."""
    steps = [(i - len(matrices), matrix) for i, matrix in enumerate(matrices) if matrix is not None]
    if out.size < x.size:  # what is smaller in between is less work
        steps.reverse()
    if not steps:
        np.copyto(out, x)
        return out
    shapes = [list(x.shape)]
    for axis, matrix in steps:
        shapes.append([*shapes[-1]])
        shapes[-1][axis] = len(matrix)
    lengths = [math.prod(shape) for shape in shapes[1:-1]]
    rooms = np.split(scratch((sum(lengths),), x.dtype), np.cumsum(lengths))
    for (axis, matrix), shape, room in zip(steps, shapes[1:], rooms):
        result = out if shape is shapes[-1] else room.reshape(shape)
        _along(x, axis, matrix, result)
        x = result
    return out


def _along(x: np.ndarray, axis: int, matrix: np.ndarray, out: np.ndarray) -> None:
    """out = x with every vector along one axis, counted from the end, multiplied by the matrix."""
    m, n = matrix.shape
    if axis == -1:
        x, out = x.reshape(-1, n), out.reshape(-1, m)
        for rows, columns in _bands(matrix):
            np.matmul(x[:, columns], matrix[rows, columns].T, out=out[:, rows])
    else:
        inner = math.prod(x.shape[axis + 1 :])
        x, out = x.reshape(-1, n, inner), out.reshape(-1, m, inner)
        for rows, columns in _bands(matrix):
            np.matmul(matrix[rows, columns], x[:, columns], out=out[:, rows])


def _bands(matrix: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Blocks of rows of the matrix, each with the columns in which there is something else than zeros."""
    m, n = matrix.shape
    if m <= 2 * BAND:
        yield slice(m), slice(n)
        return
    for start in range(0, m, BAND):
        rows = slice(start, start + BAND)
        found = np.flatnonzero(matrix[rows].any(0))
        yield rows, slice(found[0], found[-1] + 1) if found.size else slice(1)
