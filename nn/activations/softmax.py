"""Probabilities of classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.blocks import each, small

from ..checks import shaped
from ..kernels import softmax as kernels
from ..kernels.elementary import negative
from ..module import Module


class _Classes(Module):
    """What the functions over classes share: the classes are along dimension 1 of an input without a batch, of one
    or three dimensions, and along dimension 2 of a batch, of two or four dimensions."""

    ROWWISE = True

    def function(self, x: np.ndarray, axis: int, out: np.ndarray) -> None:
        """Writes the values to out, for classes along an axis."""
        raise TypeError(f"{torch7.typename(self)}: a function over classes has to be defined")

    def derivative(self, y: np.ndarray, g: np.ndarray, axis: int, out: np.ndarray) -> None:
        """Writes the gradient to out, for the output y and its gradient g."""
        raise TypeError(f"{torch7.typename(self)}: the derivative of the function has to be defined")

    def compute(self, function: Callable[..., None], *arrays: np.ndarray) -> None:
        """Calls `function` or `derivative` with arrays, the last of which is `out`."""
        *given, out = arrays
        if out.ndim % 2 or small(out):
            function(*given, 1 - out.ndim % 2, out)
        else:  # the samples of a batch are independent of each other
            each(lambda *part: function(*part[:-1], 1, part[-1]), *arrays)

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self.typed(input)
        if not 1 <= x.ndim <= 4 or x.size == 0:
            raise ValueError(f"{torch7.typename(self)}: expected a 1D, 2D, 3D or 4D tensor, got shape {x.shape}")
        self.output = memory.resized(self.output, x.shape, x.dtype)
        self.compute(self.function, x, self.output)
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray:
        y = self.output
        g = shaped(self, gradOutput, y.shape)
        self.gradInput = memory.resized(self.gradInput, y.shape, y.dtype)
        self.compute(self.derivative, y, g, self.gradInput)
        return self.gradInput


class _SoftMax(_Classes):
    """exp(x_i) / sum_j exp(x_j)."""

    def function(self, x: np.ndarray, axis: int, out: np.ndarray) -> None:
        kernels.softmax(x, axis, out)

    def derivative(self, y: np.ndarray, g: np.ndarray, axis: int, out: np.ndarray) -> None:
        kernels.softmax_gradient(y, g, axis, out)


class _LogSoftMax(_Classes):
    """x_i - log(sum_j exp(x_j))."""

    def function(self, x: np.ndarray, axis: int, out: np.ndarray) -> None:
        kernels.log_softmax(x, axis, out)

    def derivative(self, y: np.ndarray, g: np.ndarray, axis: int, out: np.ndarray) -> None:
        kernels.log_softmax_gradient(y, g, axis, out)


class SoftMax(_SoftMax):
    """Scores to probabilities: y_i = exp(x_i) / sum_j exp(x_j).

    Input (C), (N, C), (C, H, W) or (N, C, H, W), normalized over the classes C; output of the same shape. The
    gradient is y (g - sum_j g_j y_j). Raises ValueError for other numbers of dimensions and for empty tensors.

    >>> SoftMax().forward(np.log([1.0, 3.0, 4.0]))
    array([0.125, 0.375, 0.5  ])
    """


class SpatialSoftMax(_SoftMax):
    """SoftMax at every position of a map: y_chw = exp(x_chw) / sum_j exp(x_jhw).

    Input (C, H, W) or (N, C, H, W), and whatever else SoftMax takes; output of the same shape.

    >>> SpatialSoftMax().forward(np.log([[[1.0, 4.0]], [[3.0, 4.0]]]))
    array([[[0.25, 0.5 ]],
    <BLANKLINE>
           [[0.75, 0.5 ]]])
    """


class SoftMin(_SoftMax):
    """Costs to probabilities: y_i = exp(-x_i) / sum_j exp(-x_j), the SoftMax of -x.

    Input and output as for SoftMax.

    >>> SoftMin().forward(-np.log([1.0, 3.0, 4.0]))
    array([0.125, 0.375, 0.5  ])
    """

    BUFFERS = ("mininput",)  # Torch's, in files

    def function(self, x: np.ndarray, axis: int, out: np.ndarray) -> None:
        kernels.softmax(negative(x, out), axis, out)

    def derivative(self, y: np.ndarray, g: np.ndarray, axis: int, out: np.ndarray) -> None:
        kernels.softmax_gradient(y, g, axis, out)
        negative(out, out)


class LogSoftMax(_LogSoftMax):
    """Scores to logarithms of probabilities: y_i = x_i - log(sum_j exp(x_j)).

    Input (C), (N, C), (C, H, W) or (N, C, H, W), normalized over the classes C; output of the same shape. The
    gradient is g - exp(y) sum_j g_j. Raises ValueError for other numbers of dimensions and for empty tensors.

    >>> np.exp(LogSoftMax().forward(np.log([1.0, 3.0, 4.0]))).round(3)
    array([0.125, 0.375, 0.5  ])
    """


class SpatialLogSoftMax(_LogSoftMax):
    """LogSoftMax at every position of a map: y_chw = x_chw - log(sum_j exp(x_jhw)).

    Input (C, H, W) or (N, C, H, W), and whatever else LogSoftMax takes; output of the same shape.

    >>> np.exp(SpatialLogSoftMax().forward(np.log([[[1.0, 4.0]], [[3.0, 4.0]]]))).round(3)
    array([[[0.25, 0.5 ]],
    <BLANKLINE>
           [[0.75, 0.5 ]]])
    """
