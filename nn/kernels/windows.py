"""Windows that move over one, two or three dimensions: how many there are, and what is in them.

Arrays here are `(lead, *sizes, trail)`: any first axis, the dimensions that the windows move over, any last axis.
Convolutions have planes in front and the samples of a minibatch behind, so that also small images are copied in long
runs of memory; temporal ones have samples in front and the numbers of a frame behind.

`window_view` shows the elements of all windows of an array without copying, and `col2im` adds to them. For work
on many windows `Planes` is a faster layout of the same array: it brings the padding, and numbers that are neighbours
for windows that are a step apart are neighbours in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]


class Windows(NamedTuple):
    """The sizes of a kernel and how it moves, one number for each dimension.

    Positions of the kernel begin `padding` before the first element and are `stride` apart; the elements that it
    takes at a position are `dilation` apart. Elements beyond the array are zeros; a negative padding leaves
    elements out.

    >>> Windows((3, 2), (2, 1), (1, 0), (1, 1)).positions((5, 5))
    (3, 4)
    """

    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape

    @property
    def reach(self) -> Shape:
        """From the first to the last element that the kernel takes, both included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation))

    @property
    def single(self) -> bool:
        """Whether the kernel takes one element at every place, so that the windows are the array itself."""
        return max(*self.kernel, *self.stride) == 1 and not any(self.padding)

    def padded(self, sizes: Shape) -> Shape:
        """The sizes with the padding on both sides."""
        return tuple(n + 2 * p for n, p in zip(sizes, self.padding))

    def positions(self, sizes: Shape) -> Shape:
        """How many positions the kernel has in an array of these sizes; below 1 where it does not fit in."""
        return tuple((n - r) // s + 1 for n, r, s in zip(self.padded(sizes), self.reach, self.stride))

    def sizes(self, positions: Shape) -> Shape:
        """The smallest sizes in which the kernel has that many positions."""
        return tuple((n - 1) * s + r - 2 * p for n, s, r, p in zip(positions, self.stride, self.reach, self.padding))

    def mirrored(self) -> Windows:
        """The windows over the output of a convolution of stride 1, from which its input's gradient is made."""
        padding = tuple(r - 1 - p for r, p in zip(self.reach, self.padding))
        return Windows(self.kernel, self.stride, padding, self.dilation)

    def reached(self, positions: slice) -> slice:
        """The elements in the first dimension, with its padding, that the windows at these positions take."""
        stride, reach = self.stride[0], self.reach[0]
        return slice(positions.start * stride, (positions.stop - 1) * stride + reach)


def window_view(padded: np.ndarray, windows: Windows, positions: Shape) -> np.ndarray:
    """The elements of all windows as a view `(lead, *kernel, *positions, trail)` of an array that has its padding.

    >>> x = np.arange(5.0).reshape(1, 5, 1)
    >>> window_view(x, Windows((2,), (1,), (0,), (3,)), (2,))[0, ..., 0]
    array([[0., 1.],
           [3., 4.]])
    """
    first, *steps, last = padded.strides
    assert all((n - 1) * s + r <= m for n, s, r, m in zip(positions, windows.stride, windows.reach, padded.shape[1:-1]))
    between = [d * step for d, step in zip(windows.dilation, steps)]
    apart = [s * step for s, step in zip(windows.stride, steps)]
    return np.lib.stride_tricks.as_strided(
        padded, (padded.shape[0], *windows.kernel, *positions, padded.shape[-1]), (first, *between, *apart, last)
    )


def col2im(columns: np.ndarray, padded: np.ndarray, windows: Windows) -> np.ndarray:
    """Adds every element of `columns` (lead, *kernel, *positions, trail) to the element its window takes there.

    The opposite of `columns[...] = window_view(padded, ...)`. Returns padded.

    >>> col2im(np.ones((1, 2, 3, 1)), np.zeros((1, 4, 1)), Windows((2,), (1,), (0,), (1,)))[0, :, 0]
    array([1., 2., 2., 1.])
    """
    n = len(windows.kernel)
    view = window_view(padded, windows, columns.shape[n + 1 : -1])
    for place in itertools.product(*map(range, windows.kernel)):
        taken: tuple[Any, ...] = (slice(None), *place)
        np.add(view[taken], columns[taken], out=view[taken])
    return padded


class Planes(NamedTuple):
    """An array with its padding, for windows over it.

    `array` is (lead, *sizes without the last, phases, last size / phases, trail): when the windows are s steps apart in
    the last dimension, every s-th element belongs to one of s phases, which lies together.
    """

    array: np.ndarray
    windows: Windows

    @staticmethod
    def shape(lead: int, sizes: Shape, trail: int, windows: Windows) -> Shape:
        """The shape of the array."""
        *first, last = windows.padded(sizes)
        phases = windows.stride[-1]
        return (lead, *first, phases, -(-last // phases), trail)

    @staticmethod
    def of(x: np.ndarray, windows: Windows) -> Planes | None:
        """x itself, when no padding and no phases are needed."""
        return None if any(windows.padding) or windows.stride[-1] > 1 else Planes(x[..., None, :, :], windows)

    def rows(self, positions: slice) -> Planes:
        """What the windows at these positions in the first dimension see (of more than one)."""
        return Planes(self.array[:, self.windows.reached(positions)], self.windows)

    def load(self, x: np.ndarray) -> Planes:
        """Copies x here and makes the padding zero. Returns itself."""
        if any(p > 0 for p in self.windows.padding):
            self.array.fill(0)
        for inside, taken in self._phases(x.shape[1:-1]):
            self.array[inside] = x[taken]
        return self

    def store(self, out: np.ndarray) -> None:
        """out = what is here without the padding."""
        if any(p < 0 for p in self.windows.padding):
            out.fill(0)
        for inside, taken in self._phases(out.shape[1:-1]):
            out[taken] = self.array[inside]

    def _phases(self, sizes: Shape) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """Where the elements of an array of these sizes are here, and which ones of the array these are."""
        *first, p = self.windows.padding
        before, outer = [slice(None), *map(_cut, first)], [slice(None), *(_cut(-p) for p in first)]
        phases, length = self.array.shape[-3:-1]
        for phase in range(phases):
            start = max(0, -((phase - p) // phases))
            begin = start * phases + phase - p
            count = max(0, min(length - start, -((begin - sizes[-1]) // phases)))
            stop = begin + count * phases
            yield (*before, phase, slice(start, start + count)), (*outer, slice(begin, stop, phases))

    def _views(self, positions: Shape) -> Iterator[tuple[slice, np.ndarray]]:
        """Places of the kernel in the last dimension, and the view of the windows' elements at these."""
        kernel, stride, _, dilation = self.windows
        n, s = len(kernel), stride[-1]
        for phase in range(s):
            places = [j for j in range(kernel[-1]) if j * dilation[-1] % s == phase]
            if not places:
                continue
            starts = [j * dilation[-1] // s for j in places]
            step, apart = (places[1] - places[0], starts[1] - starts[0]) if len(places) > 1 else (1, 1)
            part = Windows((*kernel[:-1], len(places)), (*stride[:-1], 1), (0,) * n, (*dilation[:-1], apart))
            view = window_view(self.array[..., phase, starts[0] :, :], part, positions)
            yield slice(places[0], places[-1] + 1, step), view

    def im2col(self, columns: np.ndarray) -> None:
        """columns (lead, *kernel, *positions, trail) = the elements of the windows at these positions."""
        n = len(self.windows.kernel)
        for places, view in self._views(columns.shape[n + 1 : -1]):
            np.copyto(columns[(slice(None),) * n + (places,)], view)

    def col2im(self, columns: np.ndarray) -> None:
        """Adds columns to the elements of the windows: the opposite of im2col."""
        n = len(self.windows.kernel)
        for places, view in self._views(columns.shape[n + 1 : -1]):
            part = columns[(slice(None),) * n + (places,)]
            for place in itertools.product(*map(range, part.shape[1 : n + 1])):
                taken: tuple[Any, ...] = (slice(None), *place)
                np.add(view[taken], part[taken], out=view[taken])


def _cut(n: int) -> slice:
    return slice(n, -n) if n > 0 else slice(None)
