"""Sums and products with one parameter per element or per tensor, or with a constant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dtypes import DTYPES, sizes_of
from torch7.memory import scratch

from ..activations.elementwise import Elementwise
from ..checks import described, fitted, number, tensor
from ..module import Module
from ..parameters import initial_bound


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
        s = initial_bound(stdv, self.bias.shape[0])
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
        total = fitted(self, gradOutput, input).reshape(-1, self.gradBias.size).sum(0)
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
        s = initial_bound(stdv, 1)
        torch7.uniform_(self.weight, -s, s)

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.multiply(x, self.weight[0], out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.multiply(g, self.weight[0], out=out)

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        self.gradWeight[0] += scale * np.dot(input.reshape(-1), fitted(self, gradOutput, input).reshape(-1))


class MulConstant(Elementwise):
    """Multiplies by a number: y = c x, for an input of any shape.

    In place the input is divided by c again on the way back. Raises TypeError when c is no number.

    >>> MulConstant(2).forward(np.array([1.0, 2.0]))
    array([2., 4.])
    """

    def __init__(self, constant_scalar: float, inplace: bool = False):
        super().__init__()
        self.constant_scalar = number(self, constant_scalar)
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
    the module. In place c is subtracted from the input again on the way back. forward raises TypeError when c is
    neither, ValueError when the input does not fit the vector.

    >>> AddConstant(2).forward(np.array([1.0, 2.0]))
    array([3., 4.])
    >>> AddConstant(np.array([5.0, 6.0])).forward(np.zeros((1, 2)))
    array([[5., 6.]])
    """

    def __init__(self, constant_scalar: float | np.ndarray, inplace: bool = False):
        super().__init__()
        self.constant_scalar: Any = constant_scalar
        if isinstance(constant_scalar, np.generic):
            self.constant_scalar = constant_scalar.item()
        self.inplace = self.flag(inplace)

    def _constant(self, x: np.ndarray) -> Any:
        if not isinstance(self.constant_scalar, np.ndarray):
            return number(self, self.constant_scalar)
        c = self.typed(self.constant_scalar)
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


class _Componentwise(Elementwise):
    """A parameter for every component, or for every slice of components where its size is 1.

    The parameter fits an input of as many elements; else one of as many dimensions, whose sizes are the parameter's
    or where the parameter's are 1; else one that is a batch of as many elements each; a single element fits any input.
    """

    BUFFERS = (  # Torch's work space
        *("_input", "_output", "_weight", "_bias", "_gradWeight", "_gradBias", "_gradOutput", "_gradInput"),
        *("_expand", "_repeat", "_sum"),
    )

    def __init__(self, *sizes: Any):
        super().__init__()
        shape = sizes_of(sizes, f"{torch7.typename(self)}")
        self.size = torch7.LongStorage(list(shape))
        ((name, grad),) = self.PARAMETERS
        setattr(self, name, memory.empty(shape))
        setattr(self, grad, memory.zeros(shape))
        self.reset()

    @property
    def _parameter(self) -> np.ndarray:
        return getattr(self, self.PARAMETERS[0][0])

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Whether all rows are treated alike."""
        shape = self._parameter.shape
        return len(shape) == 1 or shape[0] == 1

    def reset(self, stdv: float | None = None) -> None:
        """Draws the parameter from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(its number of elements)."""
        s = initial_bound(stdv, self._parameter.size)
        torch7.uniform_(self._parameter, -s, s)

    def _fitting(self, x: np.ndarray) -> np.ndarray:
        """The parameter in a shape that can be expanded to that of x."""
        p = self._parameter
        if p.size == 1:
            return p.reshape(())
        if p.size == x.size:
            return p.reshape(x.shape)
        if p.ndim == x.ndim:
            if all(n in (1, m) for n, m in zip(p.shape, x.shape)):
                return p
        elif p.size == math.prod(x.shape[1:]):
            return p.reshape(x.shape[1:])
        raise ValueError(
            f"{torch7.typename(self)}: expected an input that sizes {p.shape} can be expanded to, or a batch of "
            f"{p.size} elements each, got shape {x.shape}"
        )

    def _expanded(self, x: np.ndarray) -> tuple[int, ...]:
        """The parameter's sizes in as many dimensions as x has."""
        shape = self._fitting(x).shape
        return (1,) * (x.ndim - len(shape)) + shape

    def _summed(self, terms: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The sums of the terms that belong to one element of the parameter, in the parameter's shape."""
        axes = tuple(d for d, n in enumerate(shape) if n == 1)
        return np.add.reduce(terms, axes).reshape(self._parameter.shape)


class CAdd(_Componentwise):
    """Adds a learned tensor: y = x + b, where b is expanded along its dimensions of size 1.

    `CAdd(3, 4)` has a bias of these sizes and takes an input of 12 elements, or a batch (N, ...) of 12 each; an input
    of as many dimensions as the bias fits when their sizes are equal, or the bias's is 1; a bias of one element fits
    any input. The sizes may be one LongStorage. The bias is drawn from uniform(-s, s),
    s = 1 / sqrt(its number of elements).
    Raises ValueError for an input that does not fit.

    >>> m = CAdd(1, 2)
    >>> m.bias[...] = [[1, 2]]
    >>> m.forward(np.zeros((2, 2)))
    array([[1., 2.],
           [1., 2.]])
    """

    PARAMETERS = (("bias", "gradBias"),)

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.add(x, self._fitting(x), out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.copyto(out, g)

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        self.gradBias += scale * self._summed(fitted(self, gradOutput, input), self._expanded(input))


class CMul(_Componentwise):
    """Multiplies by a learned tensor: y = x * w, where w is expanded along its dimensions of size 1.

    `CMul(3, 4)` has a weight of these sizes and takes an input of 12 elements, or a batch (N, ...) of 12 each; an
    input of as many dimensions as the weight fits when their sizes are equal, or the weight's is 1; a weight of one
    element fits any input. The sizes may be one LongStorage. The weight is drawn from uniform(-s, s),
    s = 1 / sqrt(its number of elements).
    Raises ValueError for an input that does not fit.

    >>> m = CMul(2)
    >>> m.weight[...] = [1, 10]
    >>> m.forward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[ 1., 20.],
           [ 3., 40.]])
    """

    PARAMETERS = (("weight", "gradWeight"),)

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.multiply(x, self._fitting(x), out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.multiply(g, self._fitting(x), out=out)

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        shape, g = self._expanded(input), fitted(self, gradOutput, input)
        own = max((d for d, n in enumerate(shape) if n != 1), default=-1) + 1
        if own == input.ndim:
            terms = np.multiply(input, g, out=scratch(input.shape, input.dtype))
        else:  # the last dimensions are summed at once
            lead = input.shape[:own]
            terms = np.vecdot(input.reshape(*lead, -1), g.reshape(*lead, -1))
        self.gradWeight += scale * self._summed(terms, shape[:own])


class Constant(Module):
    """A constant, whatever the input: y = value; the gradient with respect to the input is zero.

    value is a tensor, or a number, which becomes a tensor of one element. With `nInputDim`, an input of more
    dimensions is a batch, and the output has the value once for each of its N samples: (N, ...).
    Raises TypeError when the value is neither.

    >>> Constant(np.array([1.0, 2.0]), 1).forward(np.zeros((2, 5)))
    array([[1., 2.],
           [1., 2.]])
    """

    nInputDim: int | None = None

    def __init__(self, value: Any, nInputDim: int | None = None):
        if torch7.type(value) == "number":
            value = np.array([value], torch7.default_dtype())
        if not isinstance(value, np.ndarray):
            raise TypeError(f"nn.Constant: expected a number or a tensor, got {described(value)}")
        self.value = value
        self.nInputDim = nInputDim
        super().__init__()

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Row-wise when it has one row for every row of the input."""
        return self.nInputDim is not None

    def updateOutput(self, input: Any) -> np.ndarray:
        shape = self.value.shape
        if self.nInputDim is not None and tensor(self, input).ndim > self.nInputDim:
            shape = (len(input), *shape)
        self.output = memory.resized(self.output, shape, DTYPES[self._type])
        self.output[...] = self.value
        return self.output

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> np.ndarray:
        self.gradInput = memory.resized(self.gradInput, tensor(self, input).shape, DTYPES[self._type])
        self.gradInput.fill(0)
        return self.gradInput
