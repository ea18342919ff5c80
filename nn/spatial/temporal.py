"""Convolutions over sequences of frames."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7

from ..kernels.frames import convolve_frames, frames_gradient, frames_weight_gradient
from ..kernels.windows import Windows
from .base import Weighted


class TemporalConvolution(Weighted):
    """A convolution over a sequence of frames: y[t] = b + sum over k of W_k x[dW * t + k], k = 0 ... kW - 1.

    Input (T, inputFrameSize) or (N, T, inputFrameSize); output (T', outputFrameSize) or (N, T', outputFrameSize) with
    T' = floor((T - kW) / dW) + 1. weight (outputFrameSize, inputFrameSize * kW) holds the matrices W_k side by side,
    bias (outputFrameSize); both are drawn from uniform(-s, s), s = 1 / sqrt(kW * inputFrameSize). Raises ValueError for
    frames of another size and for a sequence shorter than kW.

    >>> conv = TemporalConvolution(1, 1, 2)
    >>> conv.weight[...] = [[1, 10]]
    >>> conv.bias[...] = 0.5
    >>> conv.forward(np.array([[1.0], [2], [3]]))
    array([[21.5],
           [32.5]])
    """

    AXES = "W"
    PLANES = ("inputFrameSize", "outputFrameSize")
    inputFrameSize: int
    outputFrameSize: int

    def __init__(self, inputFrameSize: int, outputFrameSize: int, kW: int, dW: int | None = 1):
        super().__init__()
        self._set(inputFrameSize=inputFrameSize, outputFrameSize=outputFrameSize, kW=kW)
        self._set(1, dW=dW)
        self._make_parameters((self.outputFrameSize, self.inputFrameSize * self.kW), (self.outputFrameSize,))

    def _forms(self, input: Any) -> tuple[np.ndarray, Windows, tuple[int, ...]]:
        x, windows = self.typed(input), self._windows()
        if x.ndim not in (2, 3) or x.shape[-1] != self.inputFrameSize or x.shape[-2] < self.kW:
            raise ValueError(
                f"{torch7.typename(self)}: expected a sequence (or a batch) of at least {self.kW} frames of "
                f"{self.inputFrameSize} numbers, got shape {x.shape}"
            )
        shape = (*x.shape[:-2], *windows.positions(x.shape[-2:-1]), self.outputFrameSize)
        return self._batched(x), windows, shape

    def _convolve(self, x: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        convolve_frames(x, self.weight, self.bias, windows, out)

    def _spread(self, g: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        frames_gradient(g, self.weight, windows, out)

    def _accumulate(self, x: np.ndarray, g: np.ndarray, windows: Windows, scale: float) -> None:
        frames_weight_gradient(x, g, windows, self.gradWeight, scale)
        self.gradBias += scale * g.sum((0, 1))

    def sharedAccUpdateGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, lr: float) -> None:
        self.defaultAccUpdateGradParameters(input, gradOutput, lr)
