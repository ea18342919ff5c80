"""Torch's fused updates of an array in place, rounded in Torch's order, and the cutting of long arrays into blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from torch7.memory import scratch

# Elements updated at a time: the few arrays of one update then stay in the processor's cache.
BLOCK = 65536


def blocks(x: np.ndarray, *others: np.ndarray | None) -> Iterator[list[Any]]:
    """The arrays, all of x's shape or None, cut alike along their first dimension into parts of about BLOCK elements.

    >>> [part.shape for (part,) in blocks(np.zeros(100000))]
    [(65536,), (34464,)]
    """
    rows = max(1, BLOCK * len(x) // max(1, x.size))
    for start in range(0, len(x), rows):
        yield [None if a is None else a[start : start + rows] for a in (x, *others)]


def add(y: np.ndarray, a: float, x: np.ndarray) -> None:
    """y = y + a x in place.

    Torch leaves this to BLAS, which keeps y as it is when a is 0, even where x is not finite.

    >>> y = np.array([1.0, 2.0])
    >>> add(y, 0.5, np.array([4.0, 8.0]))
    >>> y
    array([3., 6.])
    """
    if a != 0:
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
