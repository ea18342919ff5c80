"""Distances between rows of two matrices."""

from __future__ import annotations

import numpy as np

CLOSE = 1e-3  # of the squared norms: below it, the difference of their products has lost too many digits
TIE = 1e4  # roundings of the smallest distance that another one is larger by, for it to be looked at more closely
BLOCK = 1 << 18  # elements of a block of differences: it stays in the cache


def squared_distances(x: np.ndarray, centres: np.ndarray, scales: np.ndarray | None = None) -> np.ndarray:
    """sum_j (scales[k, j] (x[n, j] - centres[k, j]))^2 for every n and k, in double; all scales are 1 without them.

    Computed as |x|^2 - 2 x.c + |c|^2, which is one matrix product; for points close to each other, from their
    difference.

    >>> squared_distances(np.array([[0.0, 3.0], [4.0, 0.0]]), np.array([[0.0, 0.0]]))
    array([[ 9.],
           [16.]])
    """
    x, c = np.ascontiguousarray(x, float), np.ascontiguousarray(centres, float)
    weighted = c if scales is None else c * np.square(scales, dtype=float)
    norms = _squared_norms(x, c, scales)
    found = np.dot(x, -2 * weighted.T)
    found += norms
    near = _near(found, norms)
    step = max(1, BLOCK // x.shape[1])
    for start in range(0, len(near[0]), step):
        n, k = (places[start : start + step] for places in near)
        difference = x[n] - c[k]
        if scales is not None:
            difference *= scales[k]
        found[n, k] = np.vecdot(difference, difference)
    return found


def _squared_norms(x: np.ndarray, c: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
    """|x|^2 + |c|^2 for every pair."""
    if scales is None:
        return np.vecdot(x, x)[:, None] + np.vecdot(c, c)
    squares = np.square(scales, dtype=float)
    norms = np.dot(x * x, squares.T)
    norms += np.vecdot(c, c * squares)
    return norms


def _near(squares: np.ndarray, norms: np.ndarray) -> tuple[np.ndarray, ...]:
    """The pairs n and k that are close to each other, or whose distance is no number."""
    norms *= CLOSE
    return np.nonzero(~(squares >= norms))


def near_pairs(
    x: np.ndarray, centres: np.ndarray, found: np.ndarray, scales: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    """n and k of the points that are so close to each other, at the distances `found`, that multiples of them are not
    to be subtracted from each other.

    >>> near_pairs(np.array([[1.0], [5.0]]), np.array([[1.0], [2.0]]), np.array([[0.0, 1.0], [4.0, 3.0]]))
    (array([0]), array([0]))
    """
    return _near(np.square(found, dtype=float), _squared_norms(x, centres, scales).astype(float, copy=False))


def nearest(x: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every n, the first k at the smallest distance, and its square.

    Distances are compared as numbers of x's type: what is rounded to one number is a tie.

    >>> nearest(np.array([[0.0], [7.0]]), np.array([[1.0], [-1.0], [5.0]]))
    (array([0, 2]), array([1., 4.]))
    """
    squares = squared_distances(x, centres)
    least = squares.min(1, keepdims=True)
    tied = np.flatnonzero((squares <= least * (1 + TIE * np.finfo(x.dtype).eps)).sum(1) > 1)
    step = max(1, BLOCK // centres.size)
    for start in range(0, len(tied), step):
        rows = tied[start : start + step]
        terms = np.square(x[rows, None] - centres).astype(float)
        sums = np.add.accumulate(terms, 2)[..., -1]  # the order of the terms decides on the last digit
        squares[rows] = np.square(np.sqrt(sums.astype(x.dtype)))
    found = squares.argmin(1)
    return found, np.take_along_axis(squares, found[:, None], 1)[:, 0]
