"""Poolings of sequences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from torch7 import memory

from ..checks import numbers
from ..kernels.masks import kept
from ..kernels.pooling import Places, largest
from ..kernels.sweeps import Shape, Sweep, sweep
from .pooling import IndexedPooling


class TemporalPooling(IndexedPooling):
    """Poolings of frames: the second last dimension is time, the last one has the numbers of a frame."""

    AXES = "TF"
    ROWWISE = False  # the rows of a sequence are its frames

    def _input(self, input: Any) -> np.ndarray:
        return self._of_dimensions(input, 2, "a sequence")


class TemporalMaxPooling(TemporalPooling):
    """The largest number of every window of frames: y[t, f] = max x[t dW + k, f], k < kW.

    Input (T, F) or (N, T, F), windows of kW frames in steps of dW (kW, where None); output of
    floor((T - kW) / dW) + 1 frames. `indices` has the k of the maxima, which, unlike other indices, count from 0: the
    first one of equal numbers. nan is no maximum: a window of nan and -inf only gives -inf, and the index -1. Raises
    ValueError for a sequence shorter than kW and for an input of other dimensions.

    >>> m = TemporalMaxPooling(2)
    >>> m.forward(np.array([[1.0, 9], [3, 4], [8, 6], [7, 6]]))
    array([[3., 9.],
           [8., 6.]])
    >>> m.indices
    array([[1, 0],
           [0, 0]])
    """

    def __init__(self, kW: int, dW: int | None = None):
        super().__init__()
        self.kW = kW
        self.dW = kW if dW is None else dW

    def _sweep(self, x: np.ndarray) -> Sweep:
        kW, dW = self._numbers("kW", "dW")
        if min(kW, dW) < 1 or x.shape[-2] < kW:
            raise ValueError(
                f"nn.TemporalMaxPooling: expected a sequence of at least kW frames, and kW and dW of at least 1, got "
                f"shape {x.shape}, kW = {kW}, dW = {dW}"
            )
        return sweep(x.shape[-2], kW, dW)

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self._input(input)
        frames, n = self._sweep(x), x.shape[-1]
        shape = (*x.shape[:-2], frames.count, n)
        self.output = memory.resized(self.output, shape, x.dtype)
        self.indices = memory.resized(self.indices, shape, np.dtype(np.int64))
        places = Places(self._planes(self.indices), none=-1)
        largest(self._planes(x), [frames, Sweep(n, 1, count=n)], self._planes(self.output), places)
        return self.output

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x = self._input(input)
        frames, n = self._sweep(x), x.shape[-1]
        shape = (*x.shape[:-2], frames.count, n)
        indices, g = self._planes(self._indices(shape)), self._planes(self._gradient(gradOutput, shape))
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        self.gradInput.fill(0)
        out = self._planes(self.gradInput)
        for k in range(frames.kernel):
            windows, elements = frames.taps(k)
            seen = out[:, elements]
            seen += kept(g[:, windows], indices[:, windows] == k, memory.scratch(seen.shape, seen.dtype))
        return self.gradInput


class TemporalDynamicKMaxPooling(TemporalPooling):
    """The k largest numbers of every feature, in the order of time, with k = max(minK, ceil(factor T)).

    Input (T, F) or (N, T, F), output (k, F) or (N, k, F). `indices` has the frames they are from, counted from 1; the
    first ones of equal numbers (in sequences of more than 11 frames Torch takes any); nan counts as the largest. Raises
    ValueError for a sequence of fewer than k frames and for an input of other dimensions.

    Kalchbrenner, Grefenstette, Blunsom, "A convolutional neural network for modelling sentences", ACL (2014).

    >>> TemporalDynamicKMaxPooling(2).forward(np.array([[3.0], [1], [4], [2]]))
    array([[3.],
           [4.]])
    """

    def __init__(self, minK: int, factor: float | None = 0):
        super().__init__()
        self.minK = minK
        self.factor = 0 if factor is None else factor

    def _shape(self, x: np.ndarray) -> Shape:
        frames = x.shape[-2]
        numbers(self, factor=self.factor)
        k = max(*self._numbers("minK"), math.ceil(self.factor * frames))
        if not 1 <= k <= frames:
            raise ValueError(
                f"nn.TemporalDynamicKMaxPooling: expected a sequence of k = {k} frames or more, got {frames}"
            )
        return (*x.shape[:-2], k, x.shape[-1])

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self._input(input)
        shape = self._shape(x)
        self.output = memory.resized(self.output, shape, x.dtype)
        self.indices = memory.resized(self.indices, shape, np.dtype(np.int64))
        frames = _largest_frames(self._planes(x), shape[-2])
        np.add(frames, 1, out=self._planes(self.indices))
        np.copyto(self._planes(self.output), np.take_along_axis(self._planes(x), frames, 1))
        return self.output

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x = self._input(input)
        shape = self._shape(x)
        positions = (self._indices(shape) - 1) * shape[-1] + np.arange(1, shape[-1] + 1)
        return self._send_back(x, gradOutput, shape, positions)


def _largest_frames(x: np.ndarray, k: int) -> np.ndarray:
    """The frames (N, k, F) of the k largest numbers of every feature of x (N, T, F), counted from 0, in order."""
    x = np.ascontiguousarray(x.swapaxes(1, 2))
    x[np.isnan(x)] = np.inf
    least = np.partition(x, x.shape[2] - k)[..., x.shape[2] - k, None]
    taken, equal = x > least, x == least
    room = k - taken.sum(2, keepdims=True)
    taken |= equal & (equal.cumsum(2) <= room)
    return taken.nonzero()[2].reshape(*x.shape[:2], k).swapaxes(1, 2)
