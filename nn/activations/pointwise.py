"""Powers, logarithms and their like."""

from __future__ import annotations

from typing import Any

import numpy as np

from torch7.memory import scratch

from ..checks import number
from ..kernels import elementary as kernels
from ..kernels.masks import chosen, dropped, room
from .elementwise import Pointwise


class Abs(Pointwise):
    """The absolute value: f(x) = |x|; f'(x) = 1 for x >= 0, else -1.

    >>> m = Abs()
    >>> m.forward(np.array([-2.0, 0.0, 3.0]))
    array([2., 0., 3.])
    >>> m.backward(np.array([-2.0, 0.0, 3.0]), np.ones(3))
    array([-1.,  1.,  1.])
    """

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.abs(x, out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        sign = scratch(x.shape, x.dtype)
        chosen(np.greater_equal(x, 0, out=room(x)), 1, -1, sign)
        np.multiply(g, sign, out=out)


class Exp(Pointwise):
    """The exponential function: f(x) = exp(x) = f'(x).

    >>> Exp().forward(np.array([0.0, 1.0])).round(4)
    array([1.    , 2.7183])
    """

    USES_OUTPUT = True

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.exp(x, out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.multiply(y, g, out=out)


class Log(Pointwise):
    """The natural logarithm: f(x) = log(x), f'(x) = 1 / x; -inf at 0 and nan below.

    >>> Log().forward(np.array([1.0, 10.0])).round(4)
    array([0.    , 2.3026])
    """

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.log(x, out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.divide(g, x, out=out)


class Power(Pointwise):
    """A power: f(x) = x^p, f'(x) = p x^(p-1); nan for fractional powers of negative numbers.

    Raises TypeError when p is no number.

    >>> m = Power(3)
    >>> m.forward(np.array([2.0, -1.0]))
    array([ 8., -1.])
    >>> m.backward(np.array([2.0, -1.0]), np.ones(2))
    array([12.,  3.])
    """

    def __init__(self, p: float | None = None):
        super().__init__()
        self.pow = number(self, p)

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        kernels.power(x, self.pow, out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        slope = np.empty_like(x)
        kernels.power(x, self.pow - 1, slope)
        slope *= g
        np.multiply(slope, self.pow, out=out)


class Square(Pointwise):
    """The square: f(x) = x^2, f'(x) = 2 x.

    >>> Square().forward(np.array([2.0, -3.0]))
    array([4., 9.])
    """

    SAME_SHAPE = True

    def __init__(self, args: Any = None):  # Torch's constructor takes an argument and ignores it
        super().__init__()

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.multiply(x, x, out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.multiply(g, x, out=out)
        out += out


class Sqrt(Pointwise):
    """The square root: f(x) = sqrt(x), f'(x) = 1 / (2 f(x)), but 0 at x = 0; nan below 0.

    `eps` is kept in the field of that name and, as in Torch, plays no part. Raises TypeError when it is no number.

    >>> m = Sqrt()
    >>> m.forward(np.array([0.0, 4.0]))
    array([0., 2.])
    >>> m.backward(np.array([0.0, 4.0]), np.ones(2))
    array([0.  , 0.25])
    """

    USES_OUTPUT = SAME_SHAPE = True
    eps: Any = 0

    def __init__(self, b: float | None = 0):
        super().__init__()
        self.eps = number(self, b, 0)

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.sqrt(x, out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.divide(g, y, out=out)
        out *= 0.5
        dropped(out, np.equal(y, 0, out=room(y)), out)
