"""Functions that cut off: what is large (HardTanh and its like) or what is small (the shrinking ones)."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7.memory import scratch

from ..checks import number
from ..kernels import elementary as kernels
from ..kernels.masks import BOOL, chosen, dropped, kept, room
from .elementwise import Pointwise


class _Clipping(Pointwise):
    """f(x) = x between two limits, else the nearer one; f'(x) = 1 strictly between them, else 0."""

    def limits(self) -> tuple[float, float]:
        """The lower and the upper limit."""
        raise TypeError(f"{torch7.typename(self)}: the limits have to be defined")

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        low, high = self.limits()
        kernels.clipped(x, low, high, np.nan if self.inplace else high, out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        low, high = self.limits()
        below, above = scratch((2, *x.shape), BOOL)
        outside = np.less_equal(x, low, out=below)
        outside |= np.greater_equal(x, high, out=above)
        dropped(g, outside, out)


class HardTanh(_Clipping):
    """Cuts off at two limits: f(x) = min(max(x, min_value), max_value); f'(x) = 1 between the limits, 0 at and beyond.

    As in Torch a nan becomes max_value, but stays when the module works in place. Raises TypeError for limits that
    are no numbers, ValueError unless max_value > min_value.

    >>> HardTanh().forward(np.array([-3.0, 0.5, 2.0]))
    array([-1. ,  0.5,  1. ])
    """

    min_val: Any = -1
    max_val: Any = 1

    def __init__(self, min_value: float | None = -1, max_value: float | None = 1, inplace: bool = False):
        super().__init__()
        self.min_val = number(self, min_value, -1)
        self.max_val = number(self, max_value, 1)
        self.inplace = self.flag(inplace)
        if not self.max_val > self.min_val:
            raise ValueError(
                f"{torch7.typename(self)}: expected max_value above min_value, got {self.max_val} and {self.min_val}"
            )

    def limits(self) -> tuple[float, float]:
        return self.min_val, self.max_val


class Clamp(HardTanh):
    """HardTanh under another name, never in place.

    >>> Clamp(0, 10).forward(np.array([-3.0, 0.5, 20.0]))
    array([ 0. ,  0.5, 10. ])
    """

    def __init__(self, min_value: float | None = -1, max_value: float | None = 1):
        super().__init__(min_value, max_value)


class ReLU6(_Clipping):
    """The rectifier with an upper limit: f(x) = min(max(x, 0), 6); f'(x) = 1 for 0 < x < 6, else 0.

    As in Torch a nan becomes 6, but stays when the module works in place.

    >>> ReLU6().forward(np.array([-1.0, 2.0, 7.0]))
    array([0., 2., 6.])
    """

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = self.flag(inplace)

    def limits(self) -> tuple[float, float]:
        return 0, 6


class _Shrinking(Pointwise):
    """f'(x) = 1 where |x| > lambda, else 0; the function is 0 there."""

    def __init__(self, lam: float | None = 0.5):
        super().__init__()
        setattr(self, "lambda", number(self, lam, 0.5))  # Torch's name of the field is a keyword here

    def _passes(self, x: np.ndarray) -> np.ndarray:
        size = np.abs(x, out=scratch(x.shape, x.dtype))
        return np.greater(size, getattr(self, "lambda"), out=room(x))

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        kept(g, self._passes(x), out)


class HardShrink(_Shrinking):
    """Sets small values to zero: f(x) = x where |x| > lam, else 0; f'(x) = 1 or 0 accordingly.

    The limit is kept in the field `lambda`. Raises TypeError when it is no number.

    >>> HardShrink().forward(np.array([-2.0, 0.25, 0.5, 0.75]))
    array([-2.  ,  0.  ,  0.  ,  0.75])
    """

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        kept(x, self._passes(x), out)


class SoftShrink(_Shrinking):
    """Shrinks towards zero: f(x) = x - lam for x > lam, x + lam for x < -lam, else 0; f'(x) = 1, 1 or 0 accordingly.

    The width is kept in the field `lambda`. Raises TypeError when it is no number.

    >>> SoftShrink().forward(np.array([-2.0, 0.25, 0.5, 0.75]))
    array([-1.5 ,  0.  ,  0.  ,  0.25])
    """

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        width = getattr(self, "lambda")
        if width < 0:  # a step of -2 lam between two lines
            chosen(x > width, x - width, x + width, out)
        else:
            np.subtract(x, np.clip(x, -width, width, out=scratch(x.shape, x.dtype)), out=out)
        kernels.replace_nan(out, 0)
