"""Rectifiers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.blocks import each
from torch7.dtypes import sizes_of
from torch7.memory import scratch

from ..checks import fitted, number, tensor
from ..containers.sequential import Sequential
from ..containers.table_containers import ConcatTable
from ..kernels import elementary as kernels
from ..kernels.masks import chosen, kept, room
from ..layers.affine import MulConstant
from ..tables.shape import Identity
from ..tables.table import JoinTable
from .elementwise import Elementwise, Pointwise, another_input


class Threshold(Pointwise):
    """f(x) = x where x > threshold, `value` elsewhere; f'(x) = 1 or 0 accordingly, 0 at the threshold itself.

    In place it needs value <= threshold, so that the output tells what has passed. As in Torch a nan becomes `value`,
    but stays when the module works in place. Raises TypeError for arguments that are no numbers, ValueError
    for a value above the threshold in place.

    >>> Threshold(0.5, -1).forward(np.array([0.4, 0.5, 0.6]))
    array([-1. , -1. ,  0.6])
    """

    def __init__(self, threshold: float | None = 1e-6, value: float | None = 0, inplace: bool = False):
        super().__init__()
        self.threshold = number(self, threshold, 1e-6)
        self.val = number(self, value, 0)
        self.inplace = self.flag(inplace)
        self.validateParameters()

    def validateParameters(self) -> None:
        """Raises ValueError for a value above the threshold when the module works in place."""
        if self.inplace and self.val > self.threshold:
            raise ValueError(
                f"{torch7.typename(self)}: in place the value ({self.val}) must not exceed the threshold "
                f"({self.threshold})"
            )

    def _passes(self, x: np.ndarray) -> np.ndarray:
        if self.inplace:
            stopped = np.less_equal(x, self.threshold, out=room(x))
            return np.logical_not(stopped, out=stopped)
        return np.greater(x, self.threshold, out=room(x))

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        self.validateParameters()
        if self.val == self.threshold:
            kernels.at_least(x, self.val, self.inplace, out)
        else:
            chosen(self._passes(x), x, self.val, out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        kept(g, self._passes(x), out)


class ReLU(Threshold):
    """The rectifier: f(x) = max(0, x); f'(x) = 1 for x > 0, else 0.

    >>> ReLU().forward(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __init__(self, inplace: bool = False):
        super().__init__(0, 0, inplace)


class LeakyReLU(Pointwise):
    """The rectifier with a small slope below 0: f(x) = x for x > 0, else negval x; f'(x) = 1 or negval accordingly.

    A negative slope is never applied in place. LeakyReLU(True) is, as in Torch, not in place: its first argument is
    the slope, which keeps its default 0.01 then. Raises TypeError for arguments of other types.

    Maas, Hannun, Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML 2013.

    >>> LeakyReLU(0.5).forward(np.array([-1.0, 2.0]))
    array([-0.5,  2. ])
    """

    def __init__(self, negval: float | bool | None = 1 / 100, ip: bool = False):
        super().__init__()
        self.negval = number(self, None if isinstance(negval, (bool, np.bool_)) else negval, 1 / 100)
        self.inplace = self.flag(ip) and self.negval >= 0

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        kernels.leaky(x, self.negval, out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        kernels.leaky_gradient(x, self.negval, g, out)

    def __str__(self) -> str:
        return f"{torch7.typename(self)}({self.negval:g})"


class PReLU(Elementwise):
    """The rectifier with a learned slope below 0: f(x) = x for x > 0, else w x.

    Without nOutputPlane there is one weight, for inputs of any shape. With it there is a weight for every plane: the
    planes are along dimension 1 of a vector, along dimension 2 of everything else, also of a (C, H, W) without a batch.
    Weights begin with 0.25. Raises ValueError for another number of planes.

    He et al., "Delving deep into rectifiers", ICCV 2015.

    >>> m = PReLU(2)
    >>> m.weight[...] = [0.5, 0.1]
    >>> m.forward(np.array([[-1.0, -1.0], [3.0, -2.0]]))
    array([[-0.5, -0.1],
           [ 3. , -0.2]])
    """

    BUFFERS = ("gradWeightBuf", "gradWeightBuf2")  # Torch's, in files

    def __init__(self, nOutputPlane: int | None = None):
        super().__init__()
        (self.nOutputPlane,) = sizes_of([0 if nOutputPlane is None else nOutputPlane], "nn.PReLU")
        self.weight = memory.empty((self.nOutputPlane or 1,))
        self.weight.fill(0.25)
        self.gradWeight = memory.zeros(self.weight.shape)

    def compute(self, function: Callable[..., Any], *arrays: np.ndarray) -> list[Any]:
        return each(function, *arrays) if arrays[0].ndim > 1 else [function(*arrays)]

    def _slope(self, x: np.ndarray) -> np.ndarray:
        """The weights in a shape that fits x."""
        if not self.nOutputPlane:
            return self.weight[0]
        if x.ndim == 0 or x.shape[min(1, x.ndim - 1)] != self.nOutputPlane:
            raise ValueError(f"nn.PReLU: expected {self.nOutputPlane} input planes, got shape {x.shape}")
        return self.weight.reshape(-1, *(1,) * (x.ndim - 2))

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        kernels.leaky(x, self._slope(x), out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        kernels.leaky_gradient(x, self._slope(x), g, out)

    @np.errstate(all="ignore")
    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        x = self.typed(input)
        self._slope(x)  # refuses another number of planes
        self.gradWeight += scale * sum(self.compute(self._sums, x, fitted(self, gradOutput, x)))

    def _sums(self, x: np.ndarray, g: np.ndarray) -> Any:
        """The derivative with respect to every weight, summed over the rows given."""
        product = np.multiply(x, g, out=scratch(x.shape, x.dtype))
        kept(product, np.less_equal(x, 0, out=room(x)), product)
        if not self.nOutputPlane:
            return product.sum()
        rows, planes, *inner = x.shape if x.ndim > 1 else (1, x.size)
        return product.reshape(rows, planes, math.prod(inner)).sum(2).sum(0)


class RReLU(Elementwise):
    """The rectifier with a random slope below 0: f(x) = x for x > 0, else r x, r drawn from uniform(l, u) per element.

    So it is while training (the mode of a new module); in evaluate mode r = (l + u) / 2. The slopes, 1 where x > 0,
    are in `noise`. Inputs have any shape. Raises ValueError unless 0 <= l <= u, and for a backward while training
    without a forward.

    Xu et al., "Empirical evaluation of rectified activations in convolutional network", arXiv:1505.00853.

    >>> m = RReLU(0.1, 0.3)
    >>> m.evaluate()
    >>> m.forward(np.array([-1.0, 2.0]))
    array([-0.2,  2. ])
    """

    BUFFERS = ("noise",)
    noise: Any = None

    def __init__(self, l: float | None = 1 / 8, u: float | None = 1 / 3, ip: bool = False):  # noqa: E741
        super().__init__()
        self.lower = number(self, l, 1 / 8)
        self.upper = number(self, u, 1 / 3)
        if not 0 <= self.lower <= self.upper:
            raise ValueError(f"{torch7.typename(self)}: expected 0 <= l <= u, got {self.lower} and {self.upper}")
        self.noise = memory.empty()
        self.train = True
        self.inplace = self.flag(ip)

    def _mean(self, dtype: np.dtype) -> Any:
        return (dtype.type(self.lower) + dtype.type(self.upper)) / 2

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        if not self.train:
            kernels.leaky(x, self._mean(x.dtype), out)
            return
        below = x <= 0
        self.noise = memory.resized(self.noise, x.shape, x.dtype)
        self.noise.fill(1)
        self.noise[below] = torch7.uniform_(np.empty(np.count_nonzero(below), x.dtype), self.lower, self.upper)
        np.multiply(x, self.noise, out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        if not (self.train and self.upper - self.lower > 1e-6):
            kernels.leaky_gradient(x, self._mean(x.dtype), g, out)
            return
        if self.noise is None or self.noise.size != g.size:
            raise ValueError(
                f"{torch7.typename(self)}: expected a forward in training mode of {g.size} elements before the backward"
            )
        np.multiply(g, self.noise.reshape(g.shape), out=out)

    def __str__(self) -> str:
        return f"{torch7.typename(self)} (l:{self.lower:f}, u:{self.upper:f})"


class ELU(Pointwise):
    """The exponential linear unit: f(x) = x for x > 0, else alpha (exp(x) - 1); f'(x) = 1 or f(x) + alpha accordingly.

    Raises TypeError for an alpha that is no number.

    Clevert, Unterthiner, Hochreiter, "Fast and accurate deep network learning by exponential linear units (ELUs)",
    ICLR 2016.

    >>> ELU().forward(np.array([-1.0, 0.0, 2.0])).round(4)
    array([-0.6321,  0.    ,  2.    ])
    """

    USES_OUTPUT = True

    def __init__(self, alpha: float | None = 1, inplace: bool = False):
        super().__init__()
        self.alpha = number(self, alpha, 1)
        self.inplace = self.flag(inplace)

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        low, limits = scratch((2, *x.shape), x.dtype)
        limits.fill(0)  # numpy is faster with an array than with one number
        np.minimum(x, limits, out=low)
        np.exp(low, out=low)
        low -= 1
        low *= self.alpha
        np.maximum(x, limits, out=out)
        out += low  # one of the two is 0

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        slope = np.add(y, self.alpha, out=scratch(y.shape, y.dtype))
        # Torch quirk: y <= 0 counts, also where a negative alpha makes y positive.
        chosen(np.less_equal(y, 0, out=room(y)), slope, 1, slope)
        np.multiply(g, slope, out=out)

    def __str__(self) -> str:
        return f"{torch7.typename(self)} (alpha:{self.alpha:f})"


class CReLU(Sequential):
    """Keeps both signs: max(x, 0) and max(-x, 0), one after the other along the channels.

    Input of nInputDims dimensions, the first of them channels, or a batch with one dimension more; the output has twice
    as many channels. In place gradOutput is overwritten, but not the input. Raises TypeError when nInputDims is no
    number, ValueError for less than 1.

    Shang et al., "Understanding and improving convolutional neural networks via concatenated rectified linear units",
    ICML 2016.

    >>> CReLU(1).forward(np.array([[-1.0, 2.0]]))
    array([[0., 2., 1., 0.]])
    """

    def __init__(self, nInputDims: int, inplace: bool = False):
        super().__init__()
        self.nInputDims = number(self, nInputDims)
        if nInputDims < 1:
            raise ValueError(f"nn.CReLU: expected at least 1 dimension, got {nInputDims}")
        both = ConcatTable().add(Identity()).add(MulConstant(-1))
        self.add(both).add(JoinTable(2)).add(ReLU(inplace))
        self.inplace = self.modules[-1].inplace

    def _rows(self, x: np.ndarray) -> np.ndarray:
        """x with a row per sample."""
        n = len(x) if self._batch(x) else 1
        return x.reshape(n, x.size // max(1, n))

    def _batch(self, x: np.ndarray) -> bool:
        return tensor(self, x).ndim == self.nInputDims + 1

    def updateOutput(self, input: Any) -> np.ndarray:
        y = super().updateOutput(self._rows(input))
        channels = int(self._batch(input))
        before, n, after = input.shape[:channels], input.shape[channels], input.shape[channels + 1 :]
        self.output = y.reshape(*before, 2 * n, *after)
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray:
        x, g = self._rows(input), fitted(self, gradOutput, self.output)
        if g.size != 2 * x.size:
            raise another_input(self, input)
        g = g.reshape(len(x), 2 * x.shape[1])
        self.gradInput = super().updateGradInput(x, g).reshape(input.shape)
        return self.gradInput

    def backward(self, input: Any, gradOutput: Any, scale: float = 1) -> Any:
        return self.updateGradInput(input, gradOutput)

    def __str__(self) -> str:
        return "CReLU()"
