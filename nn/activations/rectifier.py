"""Rectifiers."""

from __future__ import annotations

import numpy as np

import torch7

from .elementwise import Elementwise


class Threshold(Elementwise):
    """f(x) = x where x > threshold, `value` elsewhere; f'(x) = 1 or 0 accordingly, 0 at the threshold itself.

    In place it needs value <= threshold, so that the output tells what has passed. As in Torch a nan becomes `value`,
    but stays when the module works in place. Raises TypeError for arguments that are no numbers, ValueError
    for a value above the threshold in place.

    >>> Threshold(0.5, -1).forward(np.array([0.4, 0.5, 0.6]))
    array([-1. , -1. ,  0.6])
    """

    def __init__(self, threshold: float | None = 1e-6, value: float | None = 0, inplace: bool = False):
        super().__init__()
        self.threshold = self.number(1e-6 if threshold is None else threshold)
        self.val = self.number(0 if value is None else value)
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
        return ~(x <= self.threshold) if self.inplace else x > self.threshold

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        self.validateParameters()
        if self.val == self.threshold:
            larger = np.maximum if self.inplace else np.fmax  # maximum keeps a nan, fmax does not
            larger(x, self.threshold, out=out)
        else:
            stopped = ~self._passes(x)
            np.copyto(out, x)
            np.putmask(out, stopped, self.val)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        # A mask of bits: a product would make 0 times an infinite gradient nan.
        mask = np.negative(self._passes(x).view(np.int8))
        bits = f"i{g.itemsize}"
        np.bitwise_and(g.view(bits), mask, out=out.view(bits))


class ReLU(Threshold):
    """The rectifier: f(x) = max(0, x); f'(x) = 1 for x > 0, else 0.

    >>> ReLU().forward(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __init__(self, inplace: bool = False):
        super().__init__(0, 0, inplace)
