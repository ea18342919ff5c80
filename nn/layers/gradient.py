"""Layers that let their input through and change the gradient, or look at both."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..checks import fitted, number
from ..module import Module


class GradientReversal(Module):
    """y = x, with a gradient of the opposite sign: dx = -lambda dy.

    What comes before it learns to make what comes after it fail. Input of any shape; the output is the input itself.
    The factor is kept in the field `lambda`.

    Ganin, Lempitsky, "Unsupervised domain adaptation by backpropagation", ICML 2015.

    >>> m = GradientReversal(0.5)
    >>> m.forward(np.array([3.0]))
    array([3.])
    >>> m.backward(np.array([3.0]), np.array([4.0]))
    array([-2.])
    """

    ROWWISE = True
    torch_version = 2

    def __init__(self, lambda_: float | None = 1):
        super().__init__()
        self.setLambda(1 if lambda_ is None else lambda_)

    def setLambda(self, lambda_: float) -> None:
        """Sets the factor."""
        setattr(self, "lambda", float(number(self, lambda_)))  # Torch's name of the field is a keyword here

    def updateOutput(self, input: Any) -> np.ndarray:
        self.output = self.typed(input)
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        g = fitted(self, gradOutput, self.typed(input))
        self.gradInput = memory.resized(self.gradInput, g.shape, g.dtype)
        return np.multiply(g, -getattr(self, "lambda"), out=self.gradInput)

    def torch_loaded(self, version: int) -> None:
        """Version 1 had no factor."""
        super().torch_loaded(version)
        if version < 2:
            self.setLambda(1)


class L1Penalty(Module):
    """y = x, with the gradient of a penalty on large values added: dx = dy + m sign(x), for the loss m sum |x|.

    m is l1weight, divided by the number of elements with sizeAverage. The loss of the last forward is in the field
    `loss`. Without provideOutput the gradient is that of the penalty alone. Input of any shape; the output is the input
    itself. Raises TypeError when l1weight is no number.

    >>> m = L1Penalty(0.5)
    >>> m.forward(np.array([-2.0, 0.0, 3.0])), m.loss
    (array([-2.,  0.,  3.]), 2.5)
    >>> m.backward(np.array([-2.0, 0.0, 3.0]), np.ones(3))
    array([0.5, 1. , 1.5])
    """

    loss: Any = None
    sizeAverage: Any = False
    provideOutput: Any = False  # what its absence in a file means

    def __init__(self, l1weight: float, sizeAverage: bool = False, provideOutput: bool | None = True):
        super().__init__()
        self.l1weight = float(number(self, l1weight))
        self.sizeAverage = bool(sizeAverage)
        self.provideOutput = True if provideOutput is None else bool(provideOutput)

    def _factor(self, x: np.ndarray) -> float:
        return self.l1weight / max(1, x.size) if self.sizeAverage else self.l1weight

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self.typed(input)
        total = np.add.reduce(np.abs(x), None, np.float64)  # in double, as in Torch
        self.loss = self._factor(x) * float(total)
        self.output = x
        return x

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x = self.typed(input)
        g = fitted(self, gradOutput, x) if self.provideOutput else 0
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        np.sign(x, out=self.gradInput)
        self.gradInput *= self._factor(x)
        self.gradInput += g
        return self.gradInput


class ZeroGrad(Module):
    """y = x, with a gradient of zero: nothing before it learns from what comes after it.

    Input of any shape; the output is the input itself.

    >>> m = ZeroGrad()
    >>> m.forward(np.array([3.0]))
    array([3.])
    >>> m.backward(np.array([3.0]), np.array([4.0]))
    array([0.])
    """

    ROWWISE = True

    def updateOutput(self, input: Any) -> np.ndarray:
        self.output = self.typed(input)
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray:
        x = self.typed(input)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        self.gradInput.fill(0)
        return self.gradInput


class PrintSize(Module):
    """y = x, of any kind, and prints the size of what goes through, forward and backward, after `prefix`.

    Of a table it prints the sizes of what is in it, of None "missing size".

    >>> m = PrintSize("here")
    >>> y = m.forward(np.zeros((2, 3)))
    here:input
    (2, 3)
    >>> g = m.backward(np.zeros((2, 3)), [np.zeros(4), None])
    here:gradOutput
    [(4,), 'missing size']
    """

    def __init__(self, prefix: str | None = None):
        super().__init__()
        self.prefix = "PrintSize" if prefix is None else prefix

    def _size(self, x: Any) -> Any:
        if torch7.is_table(x):
            return [self._size(part) for part in x]
        return "missing size" if x is None else np.shape(x)

    def updateOutput(self, input: Any) -> Any:
        print(f"{self.prefix}:input\n{self._size(input)}")
        self.output = input
        return input

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        print(f"{self.prefix}:gradOutput\n{self._size(gradOutput)}")
        self.gradInput = gradOutput
        return gradOutput
