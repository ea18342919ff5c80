"""Sums into chosen rows, and rows that come up several times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from torch7.memory import scratch

BLOCK = 1 << 16  # elements at a time where every one has an index of its own
OFTEN = 8  # how often rows have to come up on average for sorting them to pay


def add_rows(target: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """target[rows[i]] += values[i] for every i; a row may come up several times. `rows` counts from 0.

    The last occurrences of all rows are added at once, then those before them, and so on. As soon as the rows left
    come up often, their values are sorted and summed in blocks first. The order of a sum's terms is not that of i.

    >>> target = np.zeros((3, 2))
    >>> add_rows(target, np.array([2, 0, 2]), np.array([[1.0, 2], [3, 4], [5, 6]]))
    >>> target
    array([[3., 4.],
           [0., 0.],
           [6., 8.]])
    """
    left = np.arange(len(rows))
    while left.size:
        last = _last(rows[left], len(target))
        distinct = int(np.count_nonzero(last))
        if left.size >= OFTEN * distinct:
            return _add(target, *_sums(rows, values, left, left.size // (2 * distinct)))
        # what is overwritten by a row's last occurrence does no harm: rather a few too many than a choice
        now = left if 4 * distinct >= 3 * left.size else left[last]
        _add(target, rows[now], values if now.size == len(rows) else values[now])
        left = left[~last]


def add_columns(target: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
    """target[:, columns[i]] += values[:, i] for every i; a column may come up several times. Columns count from 0.

    >>> target = np.zeros((2, 3))
    >>> add_columns(target, np.array([2, 0, 2]), np.array([[1.0, 2, 3], [4, 5, 6]]))
    >>> target
    array([[ 2.,  0.,  4.],
           [ 5.,  0., 10.]])
    """
    if not target.flags.c_contiguous:
        return np.add.at(target.T, columns, values.T)
    flat = target.reshape(-1)
    for rows, places in column_places(target.shape, columns):
        np.add.at(flat, places.reshape(-1), values[rows].reshape(-1))


def column_places(shape: tuple[int, ...], columns: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Where the elements of columns are in a flat matrix, for some rows at a time: row by row, as they lie in memory.

    >>> [(rows.start, places.tolist()) for rows, places in column_places((2, 3), np.array([2, 0]))]
    [(0, [[2, 0], [5, 3]])]
    """
    step = max(1, BLOCK // max(1, len(columns)))
    for start in range(0, shape[0], step):
        rows = slice(start, min(start + step, shape[0]))
        yield rows, columns + shape[1] * np.arange(rows.start, rows.stop)[:, None]


def rounds(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Positions in `rows` (numbers below `size`), in groups in which no row comes up twice: all first occurrences,
    then all second ones, and so on.

    >>> [group.tolist() for group in rounds(np.array([2, 0, 2, 2, 1]), 3)]
    [[0, 1, 4], [2], [3]]
    """
    left = np.arange(len(rows))
    while left.size:
        first = _last(rows[left][::-1], size)[::-1]
        yield left[first]
        left = left[~first]


def _last(rows: np.ndarray, size: int) -> np.ndarray:
    """Whether each of `rows` is its row's last occurrence."""
    where = scratch((size,), np.dtype(np.intp))
    numbered = np.arange(len(rows))
    where[rows] = numbered  # of several values for one place, the last one stays
    return where[rows] == numbered


def _add(target: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """target[rows[i]] += values[i] for the last occurrence of every row; the other ones are overwritten by it."""
    if target.flags.c_contiguous:  # take would copy another one as a whole
        total = _taken(target, rows)
    else:
        total = target[rows]
    total += values
    target[rows] = total


def _taken(a: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """a[rows] in scratch memory, but not that in which the caller may have numbers; the mode is one in which take does
    not make a copy of its own."""
    size = len(rows) * a.shape[1] * a.itemsize
    out = scratch((size,), np.dtype(np.uint8)).view(a.dtype).reshape(len(rows), a.shape[1])
    return a.take(rows, 0, out, mode="clip")


def _sums(rows: np.ndarray, values: np.ndarray, left: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows that come up at `left`, once each, and the sums of their values.

    The values of each row are laid out behind each other, filled up with zeros to whole blocks of a power of two, up to
    `most` values. The blocks are summed first, and then their sums.
    """
    block = 1 << (most.bit_length() - 1)
    key = rows[left]
    order = np.argsort(key.astype(np.min_scalar_type(key.max())), kind="stable")  # short numbers sort in linear time
    key = key[order]
    starts = np.concatenate(([0], np.flatnonzero(key[1:] != key[:-1]) + 1))
    counts = np.diff(starts, append=len(key))
    blocks = -(-counts // block)
    ends = np.cumsum(blocks) * block
    places = np.arange(len(key)) + np.repeat(ends - blocks * block - starts, counts)
    sources = np.full(ends[-1], -1)
    sources[places] = left[order]
    padded = _taken(np.ascontiguousarray(values), sources)
    padded[sources < 0] = 0
    sums = np.matmul(np.ones((1, block), values.dtype), padded.reshape(-1, block, values.shape[1]))
    return key[starts], np.add.reduceat(sums[:, 0], np.cumsum(blocks) - blocks)
