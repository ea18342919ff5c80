"""Layers that add up what a window sees of one plane, with one weight for the sum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7

from ..kernels.depthwise import spread_sums, window_sums
from ..kernels.windows import Shape, Windows
from .base import Weighted


class _SubSampling(Weighted):
    """What both have in common. `TRAIL` are the dimensions that have to be added at the end, for parameters and for the
    layout of windows."""

    TRAIL: Shape = ()

    def _fan_in(self) -> int:
        return math.prod(self._along("k"))

    def _forms(self, input: Any) -> tuple[np.ndarray, Windows, Shape]:
        x, windows = self.typed(input), self._windows()
        n, trail = len(self.AXES), len(self.TRAIL)
        planes, sizes = x.shape[x.ndim - 1 - trail], x.shape[x.ndim - 2 : x.ndim - 2 + n]
        if planes != self.weight.size or any(size < k for size, k in zip(sizes, windows.kernel)):
            raise ValueError(
                f"{torch7.typename(self)}: expected {self.weight.size} planes of sizes of at least {windows.kernel}, "
                f"got shape {x.shape}"
            )
        shape = (*x.shape[: x.ndim - 2], *windows.positions(sizes), *x.shape[x.ndim - 2 + n :])
        return self._batched(x), windows, shape

    def _laid(self, x: np.ndarray) -> np.ndarray:
        """x as `(lead, *sizes, trail)`; of an array that is written to, a view."""
        return x.reshape(-1, *x.shape[-2:], *self.TRAIL[1:])

    def _per_plane(self, parameter: np.ndarray) -> np.ndarray:
        return parameter.reshape(-1, *self.TRAIL)

    def _convolve(self, x: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        window_sums(self._laid(x), windows, self._laid(out))
        out *= self._per_plane(self.weight)
        out += self._per_plane(self.bias)

    def _spread(self, g: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        spread_sums(self._laid(g * self._per_plane(self.weight)), windows, self._laid(out))

    def _accumulate(self, x: np.ndarray, g: np.ndarray, windows: Windows, scale: float) -> None:
        sums = np.empty(g.shape, g.dtype)
        window_sums(self._laid(x), windows, self._laid(sums))
        others = tuple(axis for axis in range(g.ndim) if axis != g.ndim - 1 - len(self.TRAIL))
        self.gradWeight += scale * np.multiply(sums, g, out=sums).sum(others)
        self.gradBias += scale * g.sum(others)


class TemporalSubSampling(_SubSampling):
    """A weighted sum over time: y[t, i] = b[i] + w[i] * sum over k of x[dW * t + k, i], k = 0 ... kW - 1.

    Input (T, inputFrameSize), output (T', inputFrameSize) with T' = floor((T - kW) / dW) + 1; there are no batches.
    weight and bias (inputFrameSize) are drawn from uniform(-s, s), s = 1 / sqrt(kW). Raises ValueError for frames of
    another size and for a sequence shorter than kW.

    >>> layer = TemporalSubSampling(1, 2)
    >>> layer.weight[...], layer.bias[...] = 3, 0.5
    >>> layer.forward(np.array([[1.0], [2], [3]]))
    array([[ 9.5],
           [15.5]])
    """

    AXES = "W"
    PLANES = ("inputFrameSize",)
    inputFrameSize: int

    def __init__(self, inputFrameSize: int, kW: int, dW: int | None = 1):
        super().__init__()
        self._set(inputFrameSize=inputFrameSize, kW=kW)
        self._set(1, dW=dW)
        self._make_parameters((self.inputFrameSize,), (self.inputFrameSize,))

    def _forms(self, input: Any) -> tuple[np.ndarray, Windows, Shape]:
        x = self.typed(input)
        if x.ndim != 2:
            raise ValueError(f"{torch7.typename(self)}: expected a sequence, a matrix, got shape {x.shape}")
        return super()._forms(x)


class SpatialSubSampling(_SubSampling):
    """A weighted sum over windows: y[c, i, j] = b[c] + w[c] * sum over s, t of x[c, dH * i + s, dW * j + t].

    Input (nInputPlane, H, W) or (N, nInputPlane, H, W); output (nInputPlane, H', W') or (N, nInputPlane, H', W') with
    H' = floor((H - kH) / dH) + 1 and W' alike. weight and bias (nInputPlane) are drawn from uniform(-s, s),
    s = 1 / sqrt(kW * kH). Raises ValueError for another number of planes and for an image smaller than the window.

    >>> layer = SpatialSubSampling(1, 2, 1)
    >>> layer.weight[...], layer.bias[...] = 3, 0.5
    >>> layer.forward(np.array([[[1.0, 2, 3]]]))
    array([[[ 9.5, 15.5]]])
    """

    AXES = "HW"
    PLANES = ("nInputPlane",)
    TRAIL = (1, 1)
    ROWWISE = True

    def __init__(self, nInputPlane: int, kW: int, kH: int, dW: int | None = 1, dH: int | None = 1):
        super().__init__()
        self._set(nInputPlane=nInputPlane, kW=kW, kH=kH)
        self._set(1, dW=dW, dH=dH)
        self._make_parameters((self.nInputPlane,), (self.nInputPlane,))

    def _forms(self, input: Any) -> tuple[np.ndarray, Windows, Shape]:
        x = self.typed(input)
        if x.ndim not in (3, 4):
            raise ValueError(f"{torch7.typename(self)}: expected planes (3D) or a batch (4D), got shape {x.shape}")
        return super()._forms(x)
