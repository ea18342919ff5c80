"""Probabilities of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..kernels import softmax as kernels
from ..module import Module


class _Classes(Module):
    """What the functions over classes share: the classes are along dimension 1 of an input without a batch, of one
    or three dimensions, and along dimension 2 of a batch, of two or four dimensions."""

    ROWWISE = True

    def _axis(self, x: np.ndarray) -> int:
        if not 1 <= x.ndim <= 4 or x.size == 0:
            raise ValueError(f"{torch7.typename(self)}: expected a 1D, 2D, 3D or 4D tensor, got shape {x.shape}")
        return 0 if x.ndim in (1, 3) else 1

    def _gradient(self, gradOutput: Any) -> tuple[np.ndarray, np.ndarray, int]:
        """The output, the gradient that came and the axis of the classes; `gradInput` has the right shape then."""
        y, g = self.output, self.typed(gradOutput)
        if g.shape != y.shape:
            raise ValueError(f"{torch7.typename(self)}: expected a gradient of shape {y.shape}, got shape {g.shape}")
        self.gradInput = memory.resized(self.gradInput, y.shape, y.dtype)
        return y, g, self._axis(y)


class SoftMax(_Classes):
    """Scores to probabilities: y_i = exp(x_i) / sum_j exp(x_j).

    Input (C), (N, C), (C, H, W) or (N, C, H, W), normalized over the classes C; output of the same shape. The
    gradient is y (g - sum_j g_j y_j). Raises ValueError for other numbers of dimensions and for empty tensors.

    >>> SoftMax().forward(np.log([1.0, 3.0, 4.0]))
    array([0.125, 0.375, 0.5  ])
    """

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self.typed(input)
        axis = self._axis(x)
        self.output = memory.resized(self.output, x.shape, x.dtype)
        return kernels.softmax(x, axis, self.output)

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray:
        y, g, axis = self._gradient(gradOutput)
        return kernels.softmax_gradient(y, g, axis, self.gradInput)


class LogSoftMax(_Classes):
    """Scores to logarithms of probabilities: y_i = x_i - log(sum_j exp(x_j)).

    Input (C), (N, C), (C, H, W) or (N, C, H, W), normalized over the classes C; output of the same shape. The
    gradient is g - exp(y) sum_j g_j. Raises ValueError for other numbers of dimensions and for empty tensors.

    >>> np.exp(LogSoftMax().forward(np.log([1.0, 3.0, 4.0]))).round(3)
    array([0.125, 0.375, 0.5  ])
    """

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self.typed(input)
        axis = self._axis(x)
        self.output = memory.resized(self.output, x.shape, x.dtype)
        return kernels.log_softmax(x, axis, self.output)

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray:
        y, g, axis = self._gradient(gradOutput)
        return kernels.log_softmax_gradient(y, g, axis, self.gradInput)
