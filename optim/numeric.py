"""What searches compute with: Lua's numbers, for which nothing is an error, and sums over arrays made in double."""

from __future__ import annotations

import math

import numpy as np

from torch7.blocks import each
from torch7.memory import scratch

from .arithmetic import add

_DOUBLE = np.dtype(np.float64)
quiet = np.errstate(all="ignore")
"""Decorates what may meet infinity and NaN on its way, and go on."""


def divide(a: float, b: float) -> float:
    """a / b, by 0 too.

    >>> divide(1, 0), divide(-1, 0), divide(0, 0)
    (inf, -inf, nan)
    """
    if b:
        return a / b
    return math.copysign(math.inf, a) * math.copysign(1, b) if a and a == a else math.nan


def sqrt(a: float) -> float:
    """The root of a, NaN where a is negative.

    >>> sqrt(4.0), sqrt(-4.0)
    (2.0, nan)
    """
    return math.sqrt(a) if a >= 0 else math.nan


def smaller(a: float, b: float) -> float:
    """LuaJIT's math.min, which gives the second number where one is NaN.

    >>> smaller(math.nan, 1), smaller(1, math.nan)
    (1, nan)
    """
    return a if a < b else b


def larger(a: float, b: float) -> float:
    """LuaJIT's math.max, which gives the second number where one is NaN."""
    return a if a > b else b


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """The sum of a b, in double whatever their type.

    >>> dot(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    11.0
    """
    return sum(each(_part_dot, a, b))


@quiet
def _part_dot(a: np.ndarray, b: np.ndarray) -> float:
    if a.dtype == b.dtype == _DOUBLE:
        return float(np.vdot(a, b))
    return float(np.multiply(a, b, out=scratch(a.shape, _DOUBLE), dtype=_DOUBLE).sum())


def norm1(a: np.ndarray, factor: float, out: np.ndarray) -> float:
    """The sum of |factor a|, in double whatever their type; |factor a| itself goes to `out`.

    >>> out = np.zeros(2)
    >>> norm1(np.array([1.0, -2.0]), 2, out), out
    (6.0, array([2., 4.]))
    """
    scale(a, factor, out)
    return sum(each(_part_norm1, out))


@quiet
def _part_norm1(a: np.ndarray) -> float:
    return float(np.abs(a, out=a).sum(dtype=_DOUBLE))


def scale(a: np.ndarray, factor: float, out: np.ndarray) -> None:
    """out = factor a."""
    each(quiet(lambda a, out: np.multiply(a, factor, out=out)), a, out)


def move(x: np.ndarray, t: float, d: np.ndarray) -> None:
    """x = x + t d in place."""
    each(quiet(lambda x, d: add(x, t, d)), x, d)


def subtract(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a - b."""
    each(quiet(lambda a, b, out: np.subtract(a, b, out=out)), a, b, out)
