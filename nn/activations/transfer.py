"""Transfer functions."""

from __future__ import annotations

import numpy as np

from .elementwise import Elementwise


class Sigmoid(Elementwise):
    """The logistic function: f(x) = 1 / (1 + exp(-x)), f'(x) = f(x) (1 - f(x)).

    In this form also the small values at negative x are right to the last digits.

    >>> Sigmoid().forward(np.array([-40.0, 0.0, 1.0]))
    array([4.24835426e-18, 5.00000000e-01, 7.31058579e-01])
    """

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.negative(x, out=out)
        with np.errstate(over="ignore"):  # exp(-x) may become infinite: f(x) is 0 then
            np.exp(out, out=out)
        out += 1
        np.divide(1, out, out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.subtract(1, y, out=out)
        out *= g
        out *= y


class Tanh(Elementwise):
    """The hyperbolic tangent: f(x) = tanh(x), f'(x) = 1 - f(x)^2.

    >>> Tanh().forward(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.7616])
    """

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        np.tanh(x, out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        np.multiply(y, y, out=out)
        np.subtract(1, out, out=out)
        out *= g
