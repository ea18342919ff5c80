"""Linear maps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.memory import scratch

from ..module import Module


class Linear(Module):
    """A linear map: y = W x + b, for one vector x or for every row of a matrix.

    Input (inputSize) or (N, inputSize), output (outputSize) or (N, outputSize); weight (outputSize, inputSize),
    bias (outputSize), or none with `bias=False`. Both are drawn from uniform(-s, s), s = 1 / sqrt(inputSize).
    Raises ValueError for an input of another width or with other than one or two dimensions.

    >>> torch7.manualSeed(1)
    >>> l = Linear(3, 2)
    >>> l.weight[...] = [[1, 0, 2], [0, 1, 0]]
    >>> l.bias[...] = [0.5, -1]
    >>> l.forward(np.array([1.0, 2.0, 3.0]))
    array([7.5, 1. ])
    """

    BUFFERS = ("addBuffer",)
    ROWWISE = True
    addBuffer: Any = None

    def __init__(self, inputSize: int, outputSize: int, bias: bool = True):
        super().__init__()
        self.weight = memory.empty((outputSize, inputSize))
        self.gradWeight = memory.zeros((outputSize, inputSize))
        if bias:
            self.bias = memory.empty((outputSize,))
            self.gradBias = memory.zeros((outputSize,))
        self.reset()

    def noBias(self) -> Linear:
        """Drops the bias."""
        self.bias = self.gradBias = None
        return self

    def reset(self, stdv: float | None = None) -> Linear:
        """Draws weight and bias from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(inputSize)."""
        s = 1 / math.sqrt(self.weight.shape[1]) if stdv is None else stdv * math.sqrt(3)
        torch7.uniform_(self.weight, -s, s)
        if self.bias is not None:
            torch7.uniform_(self.bias, -s, s)
        return self

    def _checked(self, x: Any, width: int, what: str) -> np.ndarray:
        x = self.typed(x)
        if x.ndim not in (1, 2) or x.shape[-1] != width:
            raise ValueError(
                f"{torch7.typename(self)}: expected {width} {what} columns (a vector or a matrix), got shape {x.shape}"
            )
        return x

    def _ones(self, n: int, dtype: np.dtype) -> np.ndarray:
        if self.addBuffer is None or self.addBuffer.shape != (n,) or self.addBuffer.dtype != dtype:
            self.addBuffer = memory.resized(self.addBuffer, (n,), dtype)
            self.addBuffer.fill(1)
        return self.addBuffer

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        weight = self.weight
        x = self._checked(input, weight.shape[1], "input")
        self.output = out = memory.resized(self.output, (*x.shape[:-1], weight.shape[0]), x.dtype)
        np.dot(x, weight.T, out=out)
        if self.bias is not None:
            out += self.bias
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        g = self._checked(gradOutput, self.weight.shape[0], "gradient")
        self.gradInput = out = memory.resized(self.gradInput, input.shape, g.dtype)
        return np.dot(g, self.weight, out=out)

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        g = gradOutput
        grad = scratch(self.gradWeight.shape, g.dtype)
        if g.ndim == 1:
            np.multiply(g[:, None], input, out=grad)
        else:
            np.dot(g.T, input, out=grad)
        if scale != 1:
            grad *= scale
        self.gradWeight += grad
        if self.bias is not None:
            if g.ndim == 2:
                g = np.dot(self._ones(len(g), g.dtype), g, out=scratch(self.gradBias.shape, g.dtype))
            self.gradBias += g if scale == 1 else scale * g

    def sharedAccUpdateGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, lr: float) -> None:
        self.defaultAccUpdateGradParameters(input, gradOutput, lr)

    def __str__(self) -> str:
        out, width = self.weight.shape
        return f"{torch7.typename(self)}({width} -> {out})" + ("" if self.bias is not None else " without bias")
