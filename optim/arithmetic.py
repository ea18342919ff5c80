"""Torch's fused updates of an array in place, rounded in Torch's order."""

from __future__ import annotations

import numpy as np

from torch7.memory import scratch


def add(y: np.ndarray, a: float, x: np.ndarray) -> None:
    """y = y + a x in place.

    Torch leaves this to BLAS, which keeps y as it is when a is 0, even where x is not finite.

    >>> y = np.array([1.0, 2.0])
    >>> add(y, 0.5, np.array([4.0, 8.0]))
    >>> y
    array([3., 6.])
    """
    if a == 1:
        y += x
    elif a != 0:
        y += np.multiply(x, a, out=scratch(y.shape, y.dtype))


def addcmul(y: np.ndarray, a: float, x1: np.ndarray, x2: np.ndarray) -> None:
    """y = y + (a x1) x2 in place, elementwise.

    >>> y = np.array([1.0, 2.0])
    >>> addcmul(y, 0.5, np.array([4.0, 8.0]), np.array([1.0, -1.0]))
    >>> y
    array([ 3., -2.])
    """
    product = np.multiply(x1, a, out=scratch(y.shape, y.dtype))
    product *= x2
    y += product


def addcdiv(y: np.ndarray, a: float, x1: np.ndarray, x2: np.ndarray) -> None:
    """y = y + (a x1) / x2 in place, elementwise.

    >>> y = np.array([1.0, 2.0])
    >>> addcdiv(y, 0.5, np.array([4.0, 8.0]), np.array([1.0, -2.0]))
    >>> y
    array([3., 0.])
    """
    quotient = np.multiply(x1, a, out=scratch(y.shape, y.dtype))
    quotient /= x2
    y += quotient


def product(factors: np.ndarray, x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """factors * x in the type of x, where the factors may be of another."""
    np.copyto(out, factors, casting="same_kind")
    out *= x
    return out
