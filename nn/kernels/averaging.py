"""Averages over windows, and their gradients.

Arrays are contiguous and `(planes, *sizes)`: windows move over all axes but the first, the same for every plane. Sums
are made axis by axis, for some planes at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from torch7.blocks import each

from .sweeps import PerThread, Phases, Spans, Sweep, mirrored


def averages(x: np.ndarray, sweeps: Sequence[Sweep], divisor: Any, out: np.ndarray) -> None:
    """out = the sums over all windows, divided by a number or an array of the shape of a plane of out.

    >>> out = np.empty((1, 2))
    >>> averages(np.array([[1.0, 3, 5, 7]]), [Sweep(4, 2, 2, count=2)], 2, out)
    >>> out
    array([[2., 6.]])
    """
    with np.errstate(all="ignore"):  # between rows there are sums of no meaning; C is silent about the others too
        if all(s.whole for s in sweeps):
            sums = np.matmul(x.reshape(len(x), -1), np.ones(math.prod(x.shape[1:]), x.dtype))
            np.divide(sums.reshape(out.shape), divisor, out=out)
            return
    summing = PerThread(lambda planes: _Sums(planes, sweeps, x.dtype))

    def work(x: np.ndarray, out: np.ndarray) -> None:
        with np.errstate(all="ignore"):
            np.divide(summing(len(x))(x), divisor, out=out)

    each(work, x, out)


class _Sums:
    """Adds up what is in sweeps over so many planes, from the first axis to the last: the elements of all but the last
    are in long runs as they are. Its memory is made once."""

    def __init__(self, planes: int, sweeps: Sequence[Sweep], dtype: np.dtype):
        *others, self.last = sweeps
        shape = [planes, *(s.size for s in sweeps)]
        self.rows = []
        for axis, s in enumerate(others, 1):
            shape[axis] = s.count
            if not s.trivial:
                out = np.empty(shape, dtype)
                self.rows.append((out, s.inside, [(out[windows], elements) for windows, elements in _taps(s, axis)]))
        self.shape = (*shape[:-1], self.last.count)
        self.phases = Phases(math.prod(shape[:-1]), [self.last], dtype, 1)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        for out, inside, parts in self.rows:
            if inside:
                out[...] = x[parts[0][1]]
            else:
                out.fill(0)
            for target, elements in parts[1:] if inside else parts:
                target += x[elements]
            x = out
        return x if self.last.trivial else self._sum_last(x.reshape(-1, self.last.size)).reshape(self.shape)

    def _sum_last(self, x: np.ndarray) -> np.ndarray:
        self.phases.split(x, 0)
        first, *others = self.phases.parts(self.phases.elements, 0)
        if not others:
            return self.phases.windows(first)
        sums = self.phases.results[0]
        out = sums[: first.size]
        np.add(first, others[0], out=out)
        for part in others[1:]:
            out += part
        return self.phases.windows(sums)


def _taps(s: Sweep, axis: int) -> list[tuple[Any, Any]]:
    """The windows along an axis that have a j-th element, and these elements, for every j: indices of an array."""
    before = (slice(None),) * axis
    return [((*before, windows), (*before, elements)) for windows, elements in map(s.taps, range(s.kernel))]


def spread(g: np.ndarray, sweeps: Sequence[Sweep], divisor: Any, out: np.ndarray) -> None:
    """out = for every element the sum of g / divisor over the windows that it is in.

    >>> out = np.empty((1, 3))
    >>> spread(np.array([[2.0, 4]]), [Sweep(3, 2, count=2)], 2, out)
    >>> out
    array([[1., 3., 2.]])
    """

    def work(out: np.ndarray, g: np.ndarray) -> None:
        with np.errstate(all="ignore"):
            if all(s.whole for s in sweeps):
                out.reshape(len(out), -1)[...] = np.divide(g, divisor).reshape(len(out), 1)
            else:
                _spread(g, sweeps, divisor, out)

    if all(s.stride == 1 for s in sweeps):
        averages(np.divide(g, divisor), [mirrored(s) for s in sweeps], 1, out)
    else:
        each(work, out, g)


def _spread(g: np.ndarray, sweeps: Sequence[Sweep], divisor: Any, out: np.ndarray) -> None:
    found = np.divide(g, divisor)
    for axis in range(len(sweeps), 0, -1):
        s = sweeps[axis - 1]
        shape = (*found.shape[:axis], s.size, *found.shape[axis + 1 :])
        target = out if axis == 1 else np.empty(shape, g.dtype)
        found = _spread_along(found, axis, s, target)


def _spread_along(g: np.ndarray, axis: int, s: Sweep, out: np.ndarray) -> np.ndarray:
    """out = the sums of g over the windows along one axis that an element is in."""
    if not (s.disjoint and s.inside and s.kernel == s.stride and s.length == s.size):
        out.fill(0)
    for windows, elements in _taps(s, axis):
        if s.disjoint:
            out[elements] = g[windows]
        else:
            out[elements] += g[windows]
    return out


def span_sums(x: np.ndarray, spans: Sequence[Spans], out: np.ndarray) -> None:
    """out = the sums over windows of different lengths.

    >>> out = np.empty((1, 2))
    >>> span_sums(np.array([[1.0, 3, 5]]), [Spans(3, np.array([0, 1]), np.array([3, 3]))], out)
    >>> out
    array([[9., 8.]])
    """
    places = [[np.where(s.present(j), s.taps(j), s.size) for j in range(s.kernel)] for s in spans]

    def work(x: np.ndarray, out: np.ndarray) -> None:
        for axis, (first, *others) in enumerate(places, 1):
            nothing = np.zeros((*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.dtype)
            padded = np.concatenate((x, nothing), axis)
            x = padded.take(first, axis)
            for where in others:
                x += padded.take(where, axis)
        out[...] = x

    each(work, x, out)
