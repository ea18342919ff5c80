"""Sums and products with one parameter per element or per tensor, or with a constant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dtypes import sizes_of

from ..activations.elementwise import Elementwise


def _stdv(stdv: float | None, size: int) -> float:
    return 1 / math.sqrt(size) if stdv is None else stdv * math.sqrt(3)


class Add(Elementwise):
    """Adds a bias: y_i = x_i + b_i, or y_i = x_i + b with `scalar`.

    Input: one of the bias's own shape, or a batch (N, ...) of such; of any shape with `scalar`. The bias is drawn from
    uniform(-s, s), s = 1 / sqrt(inputSize). Raises ValueError for an input of another size.

    >>> add = Add(2)
    >>> add.bias[...] = [1, 2]
    >>> add.forward(np.zeros((3, 2)))
    array([[1., 2.],
           [1., 2.],
           [1., 2.]])
    """

    scalar: Any = None  # nil in Torch, and so not in its files, unless it was asked for

    def __init__(self, inputSize: int | Sequence[int], scalar: bool = False):
        super().__init__()
        self.scalar = scalar
        shape = (1,) if scalar else sizes_of([inputSize])
        self.bias = memory.empty(shape)
        self.gradBias = memory.zeros(shape)
        self._ones = torch7.ones(1)  # Torch's own backward works with it
        self.reset()

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Whether rows of any number can only be a batch: the bias is one row."""
        return self.bias.ndim == 1

    def reset(self, stdv: float | None = None) -> None:
        """Draws the bias from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(inputSize)."""
        s = _stdv(stdv, self.bias.shape[0])
        torch7.uniform_(self.bias, -s, s)

    def _fitting(self, x: np.ndarray) -> np.ndarray:
        """The bias in a shape that can be added to x."""
        if self.scalar:
            return self.bias.reshape(())
        if x.shape == self.bias.shape:
            return self.bias
        if math.prod(x.shape[1:]) != self.bias.size:
            raise ValueError(
                f"{torch7.typename(self)}: expected an input of shape {self.bias.shape} or a batch of such, "
                f"got shape {x.shape}"
            )
        return self.bias.reshape(x.shape[1:])

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.add(x, self._fitting(x), out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.copyto(out, g)

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        total = gradOutput.reshape(-1, self.gradBias.size).sum(0)
        self.gradBias += scale * total.reshape(self.gradBias.shape)


class Mul(Elementwise):
    """Multiplies by one learned number: y = w x, for an input of any shape; w is drawn from uniform(-1, 1).

    >>> mul = Mul()
    >>> mul.weight[...] = 3
    >>> mul.forward(np.array([1.0, 2.0]))
    array([3., 6.])
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = memory.empty((1,))
        self.gradWeight = memory.zeros((1,))
        self.reset()

    def reset(self, stdv: float | None = None) -> None:
        """Draws the weight from uniform(-s, s) with s = stdv * sqrt(3), or 1."""
        s = _stdv(stdv, 1)
        torch7.uniform_(self.weight, -s, s)

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.multiply(x, self.weight[0], out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.multiply(g, self.weight[0], out=out)

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        self.gradWeight[0] += scale * np.dot(input.reshape(-1), gradOutput.reshape(-1))


class MulConstant(Elementwise):
    """Multiplies by a number: y = c x, for an input of any shape.

    In place the input is divided by c again on the way back. Raises TypeError when c is no number.

    >>> MulConstant(2).forward(np.array([1.0, 2.0]))
    array([2., 4.])
    """

    def __init__(self, constant_scalar: float, inplace: bool = False):
        super().__init__()
        self.constant_scalar = self.number(constant_scalar)
        self.inplace = self.flag(inplace)

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.multiply(x, self.constant_scalar, out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.multiply(g, self.constant_scalar, out=out)

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        gradInput = super().updateGradInput(input, gradOutput)
        if self.inplace and gradInput is not None:
            with np.errstate(divide="ignore", invalid="ignore"):  # what was multiplied by 0 is nan now, as in Torch
                np.divide(input, self.constant_scalar, out=input)
        return gradInput


class AddConstant(Elementwise):
    """Adds a constant: y = x + c.

    c is a number, for an input of any shape, or a vector (n), for an input (n) or (N, n), and is then converted with
    the module. In place c is subtracted from the input again on the way back. Raises TypeError when c is neither,
    ValueError when the input does not fit the vector.

    >>> AddConstant(2).forward(np.array([1.0, 2.0]))
    array([3., 4.])
    >>> AddConstant(np.array([5.0, 6.0])).forward(np.zeros((1, 2)))
    array([[5., 6.]])
    """

    def __init__(self, constant_scalar: float | np.ndarray, inplace: bool = False):
        super().__init__()
        self.constant_scalar: Any = constant_scalar
        if not torch7.isTensor(constant_scalar):
            self.constant_scalar = self.number(constant_scalar)
        self.inplace = self.flag(inplace)

    def _constant(self, x: np.ndarray) -> Any:
        c = self.constant_scalar
        if isinstance(c, np.ndarray):
            c = self.typed(c)
            if x.ndim not in (1, 2) or c.shape != x.shape[-1:]:
                raise ValueError(
                    f"{torch7.typename(self)}: expected a vector or a matrix that fits a constant of shape {c.shape}, "
                    f"got shape {x.shape}"
                )
        return c

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.add(x, self._constant(x), out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.copyto(out, g)

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        gradInput = super().updateGradInput(input, gradOutput)
        if self.inplace and gradInput is not None:
            np.subtract(input, self._constant(input), out=input)
        return gradInput
