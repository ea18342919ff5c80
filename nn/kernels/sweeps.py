"""Windows along the axes of an array: how many there are, which elements they have, and these elements side by side."""

from __future__ import annotations

import functools
import itertools
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from torch7 import memory

Shape = tuple[int, ...]

cache = functools.lru_cache(1024)  # what only depends on sizes is asked for again and again


@dataclass(frozen=True)
class Sweep:
    """`count` windows in equal steps: number i has the positions i * stride - pad + j * dilation, j < kernel.

    Those outside 0 ... size - 1 count for nothing.
    """

    size: int
    kernel: int
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    count: int = 1

    @property
    def extent(self) -> int:
        """From the first position of a window to its last, both included."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def length(self) -> int:
        """From the first position of the first window to the last one of the last."""
        return (self.count - 1) * self.stride + self.extent

    @property
    def inside(self) -> bool:
        """Whether all positions are elements."""
        return self.pad == 0 and self.length <= self.size

    @property
    def whole(self) -> bool:
        """Whether there is one window, of all elements."""
        return self.count == 1 and self.inside and self.kernel == self.size

    @property
    def disjoint(self) -> bool:
        """Whether windows lie one after the other."""
        return self.count == 1 or self.stride >= self.extent

    def starts(self) -> np.ndarray:
        """The first position of every window."""
        return np.arange(self.count) * self.stride - self.pad

    @property
    def trivial(self) -> bool:
        """Whether every element is a window."""
        return self.kernel == self.stride == 1 and self.pad == 0 and self.count == self.size

    def taps(self, j: int) -> tuple[slice, slice]:
        """The windows that have a j-th element, and these elements."""
        return inside(self.size, j * self.dilation - self.pad, self.stride, self.count)


@cache
def inside(size: int, first: int, stride: int, count: int) -> tuple[slice, slice]:
    """Which of the positions first + i * stride, i < count, are within 0 ... size - 1: the i, and the positions.

    >>> inside(4, -1, 2, 5)
    (slice(1, 3, None), slice(1, 5, 2))
    """
    skipped = max(0, -(first // stride))
    start = first + skipped * stride
    n = max(0, min(count - skipped, -(-(size - start) // stride)))
    return slice(skipped, skipped + n), slice(start, start + n * stride, stride)


@cache
def sweep(
    size: int, kernel: int, stride: int, pad: int = 0, dilation: int = 1, *, ceil: bool = False, padded: bool = False
) -> Sweep:
    """As many windows as fit into `size` with `pad` on both sides; with `ceil` one more for what is left over.

    The last one is left out when it starts beyond the elements, if there is a pad or `padded` says that there is one
    along another axis.

    >>> sweep(5, 2, 2).count, sweep(5, 2, 2, ceil=True).count
    (2, 3)
    """
    rest = size + 2 * pad - (kernel - 1) * dilation - 1
    count = (-(-rest // stride) if ceil else rest // stride) + 1
    if (pad or padded) and (count - 1) * stride >= size + pad:
        count -= 1
    # the stride of a single window is of no consequence, and one as long as the window leaves no gaps
    return Sweep(size, kernel, stride if count != 1 else (kernel - 1) * dilation + 1, pad, dilation, count)


def mirrored(s: Sweep) -> Sweep:
    """For windows in steps of 1, those that every element is in, as windows over the windows."""
    return Sweep(s.count, s.kernel, 1, s.extent - 1 - s.pad, s.dilation, s.size)


@cache
def numbers(sweeps: tuple[Sweep, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Positions in a plane, counted from 1 row by row: those of a window's elements relative to its first one (flat),
    and those of the first elements of all windows.

    >>> numbers((Sweep(3, 2, count=2), Sweep(4, 2, 2, count=2)))
    (array([0, 1, 4, 5]), array([[1, 3],
           [5, 7]]))
    """
    within, first, step = np.zeros(1, int), np.ones((), int), 1
    for s in reversed(sweeps):
        within = np.add.outer(np.arange(s.kernel) * s.dilation * step, within).reshape(-1)
        first = np.add.outer(s.starts() * step, first)
        step *= s.size
    within.flags.writeable = first.flags.writeable = False  # every caller gets the same arrays
    return within, first


def counts(sweeps: Sequence[Sweep], dtype: np.dtype, include_pad: bool = True) -> Any:
    """How many positions an average divides by in every window: an array, or a number where they are all one.

    The pad counts or not; what is beyond it never counts. A window that starts beyond it has a negative number.
    """
    found: Any = 1
    for s in sweeps:
        first = s.starts()
        end = np.minimum(first + s.kernel, s.size + s.pad)
        if not include_pad:
            first, end = np.maximum(first, 0), np.minimum(end, s.size)
        found = np.multiply.outer(found, end - first)
    return int(found.flat[0]) if (found == found.flat[0]).all() else found.astype(dtype)


@dataclass(frozen=True)
class Spans:
    """Windows of their own lengths: number i has the positions starts[i] ... ends[i] - 1."""

    size: int
    starts: np.ndarray
    ends: np.ndarray

    @property
    def kernel(self) -> int:
        """The length of the longest."""
        return int((self.ends - self.starts).max())

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.starts)

    def taps(self, j: int) -> np.ndarray:
        """The j-th position of every window, the last one again where there are not so many."""
        return np.minimum(self.starts + j, self.ends - 1)

    def present(self, j: int) -> np.ndarray:
        """Whether windows have a j-th position."""
        return self.starts + j < self.ends

    def reversed(self) -> Spans:
        """For every position the windows that it is in, when both ends of the windows never decrease."""
        positions = np.arange(self.size)
        starts = np.searchsorted(self.ends, positions, "right")
        return Spans(self.count, starts, np.searchsorted(self.starts, positions, "right"))

    def even(self) -> Sweep | None:
        """The same as a sweep, if these windows are of one length and in equal steps."""
        kernel, stride = self.kernel, int(self.starts[1]) if self.count > 1 else self.size
        same = Sweep(self.size, kernel, stride, count=self.count)
        return (
            same
            if stride and (self.starts == same.starts()).all() and (self.ends - self.starts == kernel).all()
            else None
        )


class PerThread:
    """make(planes), kept for further calls with as many planes on the same thread."""

    def __init__(self, make: Callable[[int], Any]):
        self._make, self._local = make, threading.local()

    def __call__(self, planes: int) -> Any:
        made = vars(self._local)
        if made.get("planes") != planes:
            made.update(planes=planes, object=self._make(planes))
        return made["object"]


class Phases:
    """The elements of an array `(planes, *sizes)` with its pad, ordered so that those of windows are side by side.

    The elements of windows that move in steps of 2 or more are far apart. Along such an axis they are split into
    phases (columns 0, 2, 4... and 1, 3, 5... for a stride of 2): within a phase windows move in steps of 1, so that
    the j-th elements of all windows are one flat piece of memory. Where a row ends the piece goes on into the next:
    what follows the last window of a row is of no meaning.

    Axes are dealt with from the last to the first.
    """

    def __init__(self, planes: int, sweeps: Sequence[Sweep], dtype: np.dtype, results: int):
        self.sweeps = sweeps
        self.phases = [min(s.stride, s.extent) for s in sweeps]
        self.shape = (planes, *(-(-s.length // s.stride) for s in sweeps))  # of a phase
        self.strides = [math.prod(self.shape[axis + 1 :]) for axis in range(1, len(self.shape))]
        size = math.prod(self.phases[:-1]) * math.prod(self.shape)
        slack = sum(n * ((s.extent - 1) // s.stride) for n, s in zip(self.strides, sweeps))
        first = self.phases[-1] * size + slack
        flat = memory.scratch((first + results * (size + slack),), dtype)
        # the phases, and room for results of the size of one phase of the last axis; what is behind them is read too
        self.elements, self.results = flat[:first], list(flat[first:].reshape(results, size + slack))
        self._all = self.elements[: first - slack].reshape(*self.phases[::-1], *self.shape)
        self._places = [self._place(phase) for phase in itertools.product(*map(range, self.phases))]

    def _place(self, phase: Shape) -> tuple[tuple[slice, ...], np.ndarray]:
        """Which elements are in a phase, and where they go."""
        along = [inside(s.size, r - s.pad, s.stride, n) for r, s, n in zip(phase, self.sweeps, self.shape[1:])]
        target, source = zip(*along)
        return (slice(None), *source), self._all[phase[::-1]][(slice(None), *target)]

    def split(self, x: np.ndarray, fill: float) -> None:
        """Puts x into the phases, with `fill` around it."""
        if not all(s.inside for s in self.sweeps):
            self._all.fill(fill)
        for source, target in self._places:
            target[...] = x[source]

    def parts(self, flat: np.ndarray, axis: int) -> list[np.ndarray]:
        """The j-th elements of all windows along an axis (counted from 0), for every j; `flat` has the phases, or a
        result for the axis after it."""
        s, n = self.sweeps[axis], math.prod(self.phases[:axis]) * math.prod(self.shape)
        places = [divmod(j * s.dilation, s.stride) for j in range(s.kernel)]
        return [flat[phase * n + shift * self.strides[axis] :][:n] for shift, phase in places]

    def windows(self, flat: np.ndarray) -> np.ndarray:
        """What belongs to windows in the flat result for the first axis: (planes, *counts)."""
        result = flat[: math.prod(self.shape)].reshape(self.shape)
        return result[(slice(None), *(slice(s.count) for s in self.sweeps))]
