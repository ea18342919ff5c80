"""Poolings to an output of a given size, whatever the size of the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..kernels.averaging import averages, span_sums, spread
from ..kernels.pooling import Places, largest
from ..kernels.sweeps import Shape, Spans, Sweep
from .pooling import IndexedPooling, Pooling

LOWEST = -float(np.finfo(np.float32).max)  # below every maximum, of double tensors too


class AdaptivePooling(Pooling):
    """H x W windows over an image, one for each of as many equal parts: all elements that are in it, also partly."""

    AXES = "HW"
    W: Any
    H: Any

    def __init__(self, W: int, H: int):
        super().__init__()
        self.W, self.H = W, H

    def _edges(self, i: np.ndarray, count: int, size: int) -> np.ndarray:
        """size * i / count in float arithmetic, which decides on the windows."""
        return (i * size).astype(np.float32) / np.float32(count)

    def _spans(self, x: np.ndarray) -> list[Spans]:
        """The windows along both dimensions."""
        counts = self._along("")
        if min(counts) < 1:
            raise ValueError(f"{torch7.typename(self)}: expected sizes of at least 1, got W = {self.W}, H = {self.H}")
        found = []
        for size, count in zip(x.shape[-2:], counts):
            i = np.arange(count)
            starts, ends = np.floor(self._edges(i, count, size)), np.ceil(self._edges(i + 1, count, size))
            found.append(Spans(size, starts.astype(int), ends.astype(int)))
        return found

    def _shape(self, x: np.ndarray) -> Shape:
        return (*x.shape[:-2], *self._along(""))


def _even(spans: Sequence[Spans]) -> list[Sweep] | None:
    """The windows as sweeps, where both can be such: what is done with those is faster."""
    found = [s.even() for s in spans]
    return [s for s in found if s] if all(found) else None


class SpatialAdaptiveMaxPooling(AdaptivePooling, IndexedPooling):
    """The largest elements of H x W windows that cover an image: y[i, j] = max x[k, l], with
    floor(i h / H) <= k < ceil((i + 1) h / H) and l accordingly, for an image of h rows.

    Input (C, h, w) or (N, C, h, w), output (C, H, W) or (N, C, H, W). `indices` has the rows, then the columns of
    the maxima in their windows, counted from 1: (2, C, H, W) or (2, N, C, H, W); the first one of equal elements is
    taken. A window without a number above -3.4e38 has that maximum, indices of 0, and no gradient (Torch's goes
    elsewhere). Raises ValueError for W or H below 1 and for an input of other dimensions.

    >>> m = SpatialAdaptiveMaxPooling(2, 1)
    >>> m.forward(np.array([[[1.0, 2, 3, 4], [8, 7, 6, 5]]]))
    array([[[8., 6.]]])
    >>> m.indices[:, 0, 0]
    array([[2, 2],
           [1, 1]])
    """

    def _edges(self, i: np.ndarray, count: int, size: int) -> np.ndarray:
        return i.astype(np.float32) / np.float32(count) * np.float32(size)

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self._input(input)
        spans, shape = self._spans(x), self._shape(x)
        self.output = memory.resized(self.output, shape, x.dtype)
        self.indices = memory.resized(self.indices, (2, *shape), np.dtype(np.int64))
        kH, kW = (s.kernel for s in spans)
        rows, columns = map(self._planes, self.indices)
        places = (
            Places(rows, np.repeat(np.arange(1, kH + 1), kW)),
            Places(columns, np.tile(np.arange(1, kW + 1), kH)),
        )
        largest(self._planes(x), _even(spans) or spans, self._planes(self.output), *places, lowest=LOWEST)
        return self.output

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x = self._input(input)
        shape = self._shape(x)
        rows, columns = self._indices((2, *shape))
        y, z = (s.starts for s in self._spans(x))
        positions = (rows + (y[:, None] - 1)) * x.shape[-1] + columns + z
        positions[columns == 0] = 0
        return self._send_back(x, gradOutput, shape, positions)


class SpatialAdaptiveAveragePooling(AdaptivePooling):
    """The averages of H x W windows that cover an image: y[i, j] = 1/n sum x[k, l], with
    floor(i h / H) <= k < ceil((i + 1) h / H) and l accordingly, for an image of h rows; n elements are in a window.

    Input (C, h, w) or (N, C, h, w), output (C, H, W) or (N, C, H, W). Raises ValueError for W or H below 1 and for an
    input of other dimensions.

    >>> SpatialAdaptiveAveragePooling(2, 1).forward(np.array([[[1.0, 2, 3], [5, 6, 7]]]))
    array([[[3.5, 4.5]]])
    """

    def _windows(self, x: np.ndarray) -> tuple[list[Spans], list[Sweep] | None, Any]:
        """The windows, also as sweeps where they are such, and how many elements they have."""
        spans = self._spans(x)
        divisor = np.multiply.outer(*(s.ends - s.starts for s in spans)).astype(x.dtype)
        return spans, _even(spans), divisor

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self._input(input)
        spans, sweeps, divisor = self._windows(x)
        self.output = memory.resized(self.output, self._shape(x), x.dtype)
        out = self._planes(self.output)
        if sweeps:
            averages(self._planes(x), sweeps, divisor.item(0), out)
        else:
            span_sums(self._planes(x), spans, out)
            out /= divisor
        return self.output

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x = self._input(input)
        spans, sweeps, divisor = self._windows(x)
        g = self._planes(self._gradient(gradOutput, self._shape(x)))
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        out = self._planes(self.gradInput)
        if sweeps:
            spread(g, sweeps, divisor.item(0), out)
        else:
            span_sums(g / divisor, [s.reversed() for s in spans], out)
        return self.gradInput
