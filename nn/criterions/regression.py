"""Losses of numbers against numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from torch7 import memory
from torch7.memory import scratch

from ..criterion import Criterion


class MSECriterion(Criterion):
    """The mean squared error: loss = 1/n sum_i (x_i - t_i)^2 over all n elements; without `sizeAverage`, the sum.

    Input and target of any shapes with the same number of elements, which ValueError asks for otherwise; both of the
    criterion's type. The gradient is 2/n (x - t), or 2 (x - t).

    >>> mse = MSECriterion()
    >>> x, target = np.array([1.0, 2.0]), np.array([1.0, 4.0])
    >>> mse.forward(x, target)
    2.0
    >>> mse.backward(x, target)
    array([ 0., -2.])
    """

    sizeAverage: Any = None

    def __init__(self, sizeAverage: bool | None = True):
        super().__init__()
        self.sizeAverage = True if sizeAverage is None else sizeAverage

    def updateOutput(self, input: Any, target: Any) -> float:
        x, t = self._paired(input, target)
        difference = np.subtract(x, t, out=scratch(x.shape, x.dtype)).reshape(-1)
        loss = np.dot(difference, difference).item() / (x.size if self.sizeAverage else 1)
        self.output = self._keep(loss, x.dtype)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        x, t = self._paired(input, target)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        np.subtract(x, t, out=self.gradInput)
        self.gradInput *= 2 / x.size if self.sizeAverage else 2
        return self.gradInput
