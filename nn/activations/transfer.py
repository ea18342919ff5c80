"""Smooth transfer functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from torch7 import memory
from torch7.blocks import each
from torch7.dims import axis
from torch7.memory import scratch

from ..checks import fitted, number
from ..kernels import elementary as kernels
from ..kernels.masks import chosen, room
from ..module import Module
from .elementwise import Elementwise, Pointwise


class Sigmoid(Pointwise):
    """The logistic function: f(x) = 1 / (1 + exp(-x)), f'(x) = f(x) (1 - f(x)).

    >>> Sigmoid().forward(np.array([-40.0, 0.0, 1.0]))
    array([4.24835426e-18, 5.00000000e-01, 7.31058579e-01])
    """

    USES_OUTPUT = True

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        kernels.sigmoid(x, out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.subtract(1, y, out=out)
        out *= g
        out *= y


class LogSigmoid(Pointwise):
    """The logarithm of the logistic function: f(x) = -log(1 + exp(-x)), f'(x) = 1 - exp(f(x)).

    Computed as min(x, 0) - log(1 + exp(-|x|)), without overflow.

    >>> LogSigmoid().forward(np.array([-1000.0, 0.0, 1.0])).round(4)
    array([-1.000e+03, -6.931e-01, -3.133e-01])
    """

    USES_OUTPUT = True
    BUFFERS = ("buffer",)  # Torch's, in files

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        rounding, zeros = scratch((2, *x.shape), x.dtype)
        zeros.fill(0)  # numpy is faster with an array than with one number
        kernels.corner(x, rounding)
        np.minimum(x, zeros, out=out)
        out -= rounding

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        slope = np.exp(y, out=scratch(y.shape, y.dtype))
        np.subtract(1, slope, out=slope)
        np.multiply(g, slope, out=out)


class Tanh(Pointwise):
    """The hyperbolic tangent: f(x) = tanh(x), f'(x) = 1 - f(x)^2.

    >>> Tanh().forward(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.7616])
    """

    USES_OUTPUT = SAME_SHAPE = True

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.tanh(x, out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.multiply(y, y, out=out)
        np.subtract(1, out, out=out)
        out *= g


class TanhShrink(Elementwise):
    """What the hyperbolic tangent leaves: f(x) = x - tanh(x), f'(x) = tanh(x)^2.

    >>> TanhShrink().forward(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.2384])
    """

    USES_OUTPUT = SAME_SHAPE = True

    def __init__(self) -> None:
        super().__init__()
        self.tanh = Tanh()

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.subtract(x, self.tanh.updateOutput(x), out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        th = self.tanh.output.reshape(x.shape)
        slope = np.multiply(th, th, out=scratch(x.shape, x.dtype))
        np.subtract(1, slope, out=slope)
        np.subtract(g, np.multiply(g, slope, out=slope), out=out)


class SoftPlus(Pointwise):
    """A smooth rectifier: f(x) = log(1 + exp(beta x)) / beta, f'(x) = 1 - exp(-beta f(x)).

    The larger beta, the sharper the bend at 0. Where beta x (beta f(x) for the derivative) is above the field
    `threshold`, 20, the function is the identity. Raises TypeError when beta is no number.

    >>> SoftPlus().forward(np.array([-1.0, 0.0, 1.0, 30.0])).round(4)
    array([ 0.3133,  0.6931,  1.3133, 30.    ])
    """

    USES_OUTPUT = True

    def __init__(self, beta: float | None = 1):
        super().__init__()
        self.beta = number(self, beta, 1)
        self.threshold = 20

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        kernels.softplus(x, self.beta, self.threshold, out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        slope = np.multiply(y, -self.beta, out=scratch(y.shape, y.dtype))
        linear = np.less(slope, -self.threshold, out=room(y))
        np.exp(slope, out=slope)
        np.subtract(1, slope, out=slope)
        if linear.any():
            chosen(linear, 1, slope, slope)
        np.multiply(g, slope, out=out)


class SoftSign(Pointwise):
    """A bounded function with slow tails: f(x) = x / (1 + |x|), f'(x) = 1 / (1 + |x|)^2.

    >>> SoftSign().forward(np.array([-3.0, 0.0, 1.0]))
    array([-0.75,  0.  ,  0.5 ])
    """

    BUFFERS = ("temp", "tempgrad")  # Torch's, in files

    def _denominator(self, x: np.ndarray) -> np.ndarray:
        d = np.abs(x, out=scratch(x.shape, x.dtype))
        d += 1
        return d

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.divide(x, self._denominator(x), out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        d = self._denominator(x)
        d *= d
        np.divide(g, d, out=out)


class GatedLinearUnit(Module):
    """Gates one half of the input by the other: y = a / (1 + exp(-b)) for the halves a and b of x along `dim`.

    Input of any shape, with an even size in dimension `dim`, counted from 1 (the last one without `dim`); this size
    is halved in the output. Raises IndexError when there is no such dimension and ValueError for an odd size.

    Dauphin et al., "Language modeling with gated convolutional networks", ICML 2017.

    >>> GatedLinearUnit().forward(np.array([[2.0, 3.0, 0.0, 1000.0]]))
    array([[1., 3.]])
    """

    dim: Any = None

    def __init__(self, dim: int | None = None):
        super().__init__()
        self.dim = None if dim is None else number(self, dim)

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Whether it is not the rows that are halved."""
        return self.dim != 1

    def _halves(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dim = x.ndim if self.dim is None else self.dim
        if dim < 1:
            raise IndexError(f"nn.GatedLinearUnit: expected a dimension of 1 or more, got {dim}")
        along = axis(dim, x.ndim, who="nn.GatedLinearUnit")
        half, odd = divmod(x.shape[along], 2)
        if odd:
            raise ValueError(f"nn.GatedLinearUnit: expected an even size in dimension {dim}, got shape {x.shape}")
        before = (slice(None),) * along
        return x[(*before, slice(half))], x[(*before, slice(half, None))]

    @np.errstate(all="ignore")
    def updateOutput(self, input: Any) -> np.ndarray:
        a, b = self._halves(self.typed(input))
        self.output = memory.resized(self.output, a.shape, a.dtype)
        each(self._gate, a, b, self.output)
        return self.output

    def _gate(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
        gate = scratch(b.shape, b.dtype)
        kernels.sigmoid(b, gate)
        np.multiply(a, gate, out=out)

    def _gradient(self, a: np.ndarray, b: np.ndarray, g: np.ndarray, da: np.ndarray, db: np.ndarray) -> None:
        gate = scratch(b.shape, b.dtype)
        kernels.sigmoid(b, gate)
        np.subtract(1, gate, out=db)
        np.multiply(g, gate, out=da)
        db *= da
        db *= a

    @np.errstate(all="ignore")
    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x = self.typed(input)
        a, b = self._halves(x)
        g = fitted(self, gradOutput, a)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        each(self._gradient, a, b, g, *self._halves(self.gradInput))
        return self.gradInput
