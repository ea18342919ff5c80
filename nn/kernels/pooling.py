"""Maxima over windows, and what takes their gradients back.

Arrays here are contiguous and `(planes, *sizes)`: windows move over all axes but the first, the same for every plane.
Maxima are found axis by axis from the last to the first, so that of equal elements the first one in memory wins. The
work is done for some planes at a time: intermediate results stay in the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from torch7 import memory
from torch7.blocks import each

from .sweeps import PerThread, Phases, Spans, Sweep

Codes = tuple[np.ndarray, np.ndarray, np.ndarray]


class Places(NamedTuple):
    """What is to be written about the places of maxima: out = table[code] + first, or `none` where there is none.

    A code is the number of the maximum in its window, counted from 0 in the order of memory. Without a table, out is
    the code itself.
    """

    out: np.ndarray
    table: np.ndarray | None = None
    first: Any = None
    none: int = 0

    def write(self, codes: np.ndarray, nowhere: np.ndarray | None, out: np.ndarray) -> None:
        """Writes to a part of out."""
        if self.table is None:
            out[...] = codes
        else:
            self.table.take(codes, out=out, mode="clip")  # the default mode would make a copy
        if self.first is not None:
            out += self.first
        if nowhere is not None:
            out[nowhere] = self.none


def largest(
    x: np.ndarray,
    windows: Sequence[Sweep] | Sequence[Spans],
    out: np.ndarray,
    *places: Places,
    lowest: float = -math.inf,
) -> None:
    """Writes the maxima of all windows to `out`, and where they are to the `places`.

    The first one of equal elements is the maximum; nan, and what is not above `lowest`, never is. A window without any
    has the maximum `lowest`.

    >>> out, where = np.empty((1, 2)), np.empty((1, 2), int)
    >>> largest(np.array([[1.0, 5, 5, 2]]), [Sweep(4, 3, count=2)], out, Places(where))
    >>> out, where
    (array([[5., 5.]]), array([[1, 0]]))
    """
    find = _finder(windows, x.dtype)

    def work(x: np.ndarray, out: np.ndarray, *wheres: np.ndarray) -> None:
        out[...], codes = find(len(x))(x)
        nowhere = _nowhere(out, lowest)
        for place, where in zip(places, wheres):
            place.write(codes, nowhere, where)

    each(work, x, out, *(place.out for place in places))


def _finder(windows: Sequence[Any], dtype: np.dtype) -> Callable[[int], Any]:
    """What finds maxima and their codes in an array of so many planes."""
    if isinstance(windows[0], Spans):
        return lambda planes: lambda x: _in_spans(x, windows)
    first, *others = windows
    if first.whole and all(s.whole for s in others):
        return lambda planes: lambda x: _in_planes(x, len(windows))
    if first.inside and others and all(s.trivial for s in others):
        return lambda planes: lambda x: _in_rows(x, first)
    return PerThread(lambda planes: _InSweeps(planes, windows, dtype))


def _nowhere(out: np.ndarray, lowest: float) -> np.ndarray | None:
    """Where maxima are none because they are not above `lowest`, which is written there; None when all are."""
    if out.min() > lowest:
        return None
    nowhere = ~(out > lowest)
    out[nowhere] = lowest
    return nowhere


def _compare(
    parts: Sequence[np.ndarray],
    codes: Sequence[np.ndarray] | None,
    step: int,
    maxima: Any,
    found: Codes,
) -> None:
    """The elementwise maximum of two or more flat parts, in the last of `maxima`, one of two by turns.

    Its codes are in the first array of `found`: those of the part that it is from, plus j * step for part j.
    """
    result, more, moved = found
    best, before = parts[0], None if codes is None else codes[0]
    for j in range(1, len(parts)):
        best, last = np.fmax(best, parts[j], out=maxima[(len(parts) - 1 - j) % 2]), best
        np.not_equal(best, last, out=moved)  # also after nan, than which no number is greater
        number = result.dtype.type(j * step)
        new = result if before is None else more
        if codes is None:
            np.multiply(moved.view(np.uint8), number, out=new)
        else:
            np.multiply(np.add(codes[j], number, out=new), moved.view(np.uint8), out=new)
        if before is not None:
            np.maximum(before, new, out=result)  # the codes of a part are above those of the parts before it
        before = result


class _InSweeps:
    """Finds maxima of sweeps over so many planes, and their codes. Its views on memory are made once."""

    def __init__(self, planes: int, sweeps: Sequence[Sweep], dtype: np.dtype):
        self.phases = phases = Phases(planes, sweeps, dtype, 4)
        maxima, best = phases.results, phases.elements
        spare = list(memory.scratch((4, maxima[0].size), np.min_scalar_type(math.prod(s.kernel for s in sweeps))))
        moved = memory.scratch(maxima[0].shape, np.dtype(bool))
        codes: np.ndarray | None = None
        step = 1
        self.steps: list[Any] = []
        for axis, s in reversed([*enumerate(sweeps)]):
            if s.kernel > 1:
                parts, old = phases.parts(best, axis), codes if codes is None else phases.parts(codes, axis)
                n = parts[0].size
                found = (spare[0][:n], spare[1][:n], moved[:n])
                self.steps.append((parts, old, step, (maxima[0][:n], maxima[1][:n]), found))
                best, codes = maxima[0], spare[0]
                maxima, spare = maxima[::-1], spare[::-1]  # the next step reads these
                step *= s.kernel
        self.best = phases.windows(best)
        self.codes = np.zeros(self.best.shape, np.uint8) if codes is None else phases.windows(codes)

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.phases.split(x, -math.inf)
        for step in self.steps:
            _compare(*step)
        return self.best, self.codes


def _in_rows(x: np.ndarray, rows: Sweep) -> tuple[np.ndarray, np.ndarray]:
    """Maxima of windows along the first axis inside x, and their codes: the elements are in long runs as they are."""
    codes = np.zeros((rows.kernel, 1, 1), np.min_scalar_type(rows.kernel))
    return _greatest([x[:, elements] for _, elements in map(rows.taps, range(rows.kernel))], codes, 1)


def _in_planes(x: np.ndarray, axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Maxima of whole planes and their codes."""
    flat = x.reshape(len(x), -1)
    best = np.fmax.reduce(flat, axis=1)
    codes = (flat == best[:, None]).argmax(1)
    shape = (len(x), *(1,) * axes)
    return best.reshape(shape), codes.reshape(shape)


def _in_spans(x: np.ndarray, spans: Sequence[Spans]) -> tuple[np.ndarray, np.ndarray]:
    """Maxima of spans and their codes, in which every window counts as long as the longest one."""
    codes, step = np.zeros(x.shape, np.min_scalar_type(math.prod(s.kernel for s in spans))), 1
    for axis, s in reversed([*enumerate(spans, 1)]):
        taps = [s.taps(j) for j in range(s.kernel)]
        x, codes = _greatest([x.take(t, axis) for t in taps], [codes.take(t, axis) for t in taps], step)
        step *= s.kernel
    return x, codes


def _greatest(parts: Sequence[np.ndarray], codes: Any, step: int) -> tuple[np.ndarray, np.ndarray]:
    """The elementwise maximum of the parts and its codes, in new memory."""
    shape = parts[0].shape
    if len(parts) == 1:
        return parts[0], np.broadcast_to(codes[0], shape)
    best, result = np.empty((2, *shape), parts[0].dtype), np.empty((2, *shape), codes[0].dtype)
    _compare(parts, codes, step, best, (*result, np.empty(shape, bool)))
    return best[0], result[0]


def largest_from(x: np.ndarray, starts: np.ndarray, offsets: np.ndarray, out: np.ndarray, indices: np.ndarray) -> bool:
    """The maxima of windows that start where they like, and their positions in the plane, counted from 1.

    x is (planes, n), `starts` and the results are (planes, windows); the elements of a window are at its start plus
    each of the offsets. Tells whether all windows have a maximum: one of nan and -inf only has none.

    >>> x, out, where = np.array([[1.0, 5, 5, 2]]), np.empty((1, 2)), np.empty((1, 2), int)
    >>> largest_from(x, np.array([[0, 2]]), np.array([0, 1]), out, where), out, where
    (True, array([[5., 5.]]), array([[2, 3]]))
    """

    def work(x: np.ndarray, starts: np.ndarray, out: np.ndarray, indices: np.ndarray) -> bool:
        flat = x.reshape(-1)
        first = starts + np.arange(0, flat.size, x.shape[1])[:, None]
        codes = np.zeros((len(offsets), 1), np.min_scalar_type(len(offsets)))
        out[...], codes = _greatest([flat.take(first + k) for k in offsets], codes, 1)
        np.add(starts, offsets.take(codes) + 1, out=indices)
        return _nowhere(out, -math.inf) is None

    return all(each(work, x, starts, out, indices))


# -- to and from positions in planes


def _positions(indices: np.ndarray, size: int, who: str) -> tuple[np.ndarray, Any]:
    """The flat positions, counted from 0, of indices (planes, n) that count from 1 in their plane of `size` elements,
    and which of them are none: an array, or None when there is no 0 among the indices."""
    found = np.subtract(indices, 1, out=memory.scratch(indices.shape, indices.dtype))
    none = None
    if found.view(np.uint64).max(initial=0) >= size:  # one comparison for both ends: what is negative becomes huge
        none = indices == 0
        if not ((indices >= 0) & (indices <= size)).all():
            raise IndexError(f"{who}: indices count from 1 and go up to {size}, got {indices.min()} to {indices.max()}")
    found += np.arange(0, len(found) * size, size)[:, None]
    return found, none


def add_at(indices: np.ndarray, values: np.ndarray, out: np.ndarray, who: str) -> None:
    """out = 0, and then out[p, indices[p, i] - 1] += values[p, i]; what has the index 0 goes nowhere.

    >>> out = np.empty((1, 3))
    >>> add_at(np.array([[1, 3, 3, 0]]), np.ones((1, 4)), out, "nn.SpatialMaxPooling")
    >>> out
    array([[1., 0., 2.]])
    """

    def work(out: np.ndarray, g: np.ndarray, indices: np.ndarray) -> None:
        found, none = _positions(indices, out.shape[1], who)
        where, g = found.reshape(-1), g.reshape(-1)
        if none is not None:
            where, g = where[~none.reshape(-1)], g[~none.reshape(-1)]
        out.fill(0)
        np.add.at(out.reshape(-1), where, g)

    each(work, out, values, indices)


def put_at(indices: np.ndarray, values: np.ndarray, out: np.ndarray, who: str) -> None:
    """out = 0, and then out[p, indices[p, i] - 1] = values[p, i], the last one where there are several.

    Raises IndexError for an index out of range.
    """

    def work(out: np.ndarray, values: np.ndarray, indices: np.ndarray) -> None:
        out.fill(0)
        out.reshape(-1)[_all_positions(indices, out.shape[1], who)] = values

    each(work, out, values, indices)


def take_at(indices: np.ndarray, values: np.ndarray, out: np.ndarray, who: str) -> None:
    """out[p, i] = values[p, indices[p, i] - 1]. Raises IndexError for an index out of range."""

    def work(values: np.ndarray, out: np.ndarray, indices: np.ndarray) -> None:
        values.reshape(-1).take(_all_positions(indices, values.shape[1], who), out=out, mode="clip")

    each(work, values, out, indices)


def _all_positions(indices: np.ndarray, size: int, who: str) -> np.ndarray:
    found, none = _positions(indices, size, who)
    if none is not None:
        raise IndexError(f"{who}: an index is 0: its window had no maximum")
    return found
