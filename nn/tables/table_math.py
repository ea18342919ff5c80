"""Arithmetic on the entries of a table, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from torch7 import memory

from ..checks import fitted, table
from ..module import Module


class _TableMath(Module):
    """A function of the tensors of a table, with as many elements each; the output has the first one's sizes."""

    ROWWISE = True

    def __init__(self) -> None:
        super().__init__()
        self.gradInput = []

    def _folded(self, ufunc: np.ufunc, input: Any, n: int, out: np.ndarray) -> np.ndarray:
        """ufunc(ufunc(input[1], input[2]), input[3])... of the first n entries, in `out`."""
        total = input[0]
        for i in range(1, n):
            total = ufunc(total, fitted(self, input[i], out), out=out)
        if total is not out:
            np.copyto(out, total)
        return out

    def _gradients(self, input: Any, n: int) -> list[np.ndarray]:
        """The table of gradients, with a buffer for each of the first n entries of the input."""
        grads = self.gradInput
        if len(grads) != n:
            grads[n:] = [None] * (n - len(grads))
        for i in range(n):
            x = input[i]
            grads[i] = memory.resized(grads[i], x.shape, x.dtype)
        return grads


class CAddTable(_TableMath):
    """The sum of a table's tensors: y = x[1] + ... + x[n]; dx[i] = dy.

    With `inplace`, the sum is made in x[1], and every gradient is the output's own.
    Raises ValueError when numbers of elements differ, TypeError when types do.

    >>> CAddTable().forward([np.array([1.0, 2.0]), np.array([3.0, 5.0])])
    array([4., 7.])
    """

    inplace: Any = False  # nil, and so not in the file, in modules that Torch made without it

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = inplace

    def updateOutput(self, input: Any) -> np.ndarray:
        first = self.typed(table(self, input)[0])
        self.output = out = first if self.inplace else memory.resized(self.output, first.shape, first.dtype)
        return self._folded(np.add, input, len(input), out)

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> list[np.ndarray]:
        if self.inplace:
            self.gradInput[:] = [gradOutput] * len(input)
            return self.gradInput
        grads = self._gradients(input, len(input))
        for grad in grads:
            np.copyto(grad, fitted(self, gradOutput, grad))
        return grads


class CSubTable(_TableMath):
    """The difference of two tensors: y = x[1] - x[2]; dx[1] = dy, dx[2] = -dy.

    Raises ValueError when numbers of elements differ, TypeError when types do.

    >>> CSubTable().forward([np.array([1.0, 2.0]), np.array([3.0, 5.0])])
    array([-2., -3.])
    """

    def updateOutput(self, input: Any) -> np.ndarray:
        first = self.typed(table(self, input, 2)[0])
        self.output = out = memory.resized(self.output, first.shape, first.dtype)
        return self._folded(np.subtract, input, 2, out)

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> list[np.ndarray]:
        plus, minus = grads = self._gradients(input, 2)
        np.copyto(plus, fitted(self, gradOutput, plus))
        np.negative(fitted(self, gradOutput, minus), out=minus)
        return grads


class CMulTable(_TableMath):
    """The product of a table's tensors: y = x[1] * ... * x[n]; dx[i] = dy * (the product of all others).

    Raises ValueError when numbers of elements differ, TypeError when types do.

    >>> CMulTable().forward([np.array([1.0, 2.0]), np.array([3.0, 5.0])])
    array([ 3., 10.])
    """

    BUFFERS = ("tout",)
    tout: Any = None

    def updateOutput(self, input: Any) -> np.ndarray:
        first = self.typed(table(self, input)[0])
        self.output = out = memory.resized(self.output, first.shape, first.dtype)
        return self._folded(np.multiply, input, len(input), out)

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> list[np.ndarray]:
        grads = self._gradients(input, len(input))
        for i, grad in enumerate(grads):
            product = fitted(self, gradOutput, grad)
            for j in range(len(input)):
                if j != i:
                    product = np.multiply(product, fitted(self, input[j], grad), out=grad)
            if product is not grad:
                np.copyto(grad, product)
        return grads

    @np.errstate(divide="ignore", invalid="ignore")
    def updateGradInput_efficient(self, input: Any, gradOutput: np.ndarray) -> list[np.ndarray]:
        """The same with one division in place of n - 1 products: dx[i] = dy * (y / x[i]); no x may have a zero."""
        grads = self._gradients(input, len(input))
        self.tout = memory.resized(self.tout, self.output.shape, self.output.dtype)
        for x, grad in zip(input, grads):
            np.divide(self.output, fitted(self, x, self.output), out=self.tout)
            np.multiply(fitted(self, gradOutput, grad), self.tout.reshape(grad.shape), out=grad)
        return grads


class CDivTable(_TableMath):
    """The quotient of two tensors: y = x[1] / x[2]; dx[1] = dy / x[2], dx[2] = -dy * x[1] / x[2]^2.

    A division by zero gives inf or nan. Raises ValueError when numbers of elements differ, TypeError when types do.

    >>> CDivTable().forward([np.array([1.0, 2.0]), np.array([4.0, 5.0])])
    array([0.25, 0.4 ])
    """

    @np.errstate(divide="ignore", invalid="ignore")
    def updateOutput(self, input: Any) -> np.ndarray:
        first = self.typed(table(self, input, 2)[0])
        self.output = out = memory.resized(self.output, first.shape, first.dtype)
        return self._folded(np.divide, input, 2, out)

    @np.errstate(divide="ignore", invalid="ignore")
    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> list[np.ndarray]:
        above, below = grads = self._gradients(input, 2)
        np.divide(fitted(self, gradOutput, above), fitted(self, input[1], above), out=above)
        np.divide(fitted(self, above, below), input[1], out=below)
        np.negative(below, out=below)
        below *= fitted(self, input[0], below)
        return grads
