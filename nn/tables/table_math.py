"""Arithmetic on the entries of a table, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from torch7 import memory

from ..checks import fitted, table, tensor
from ..kernels.elementary import negative
from ..kernels.masks import kept, room
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
        table(self, input, n)
        grads = self.gradInput
        if len(grads) != n:
            grads[n:] = [None] * (n - len(grads))
        for i in range(n):
            x = tensor(self, input[i])
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
        n = len(table(self, input))
        if self.inplace:
            self.gradInput[:] = [gradOutput] * n
            return self.gradInput
        grads = self._gradients(input, n)
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
        negative(fitted(self, gradOutput, minus), minus)
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
        grads = self._gradients(input, len(table(self, input)))
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
        grads = self._gradients(input, len(table(self, input)))
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
        negative(below, below)
        below *= fitted(self, input[0], below)
        return grads


class _Extreme(_TableMath):
    """The largest or smallest of a table's tensors, element by element."""

    INDEX: str  # the field that tells which tensor it is
    BEATS: np.ufunc
    BETTER: np.ufunc  # of a nan and a number, the number

    def __init__(self, vals: str) -> None:
        super().__init__()
        for name in (self.INDEX, "mask", vals, "gradMaxVals"):  # the last three: work space, which Torch has to find
            setattr(self, name, memory.empty())

    def updateOutput(self, input: Any) -> np.ndarray:
        first = self.typed(table(self, input)[0])
        self.output = out = memory.resized(self.output, first.shape, first.dtype)
        winner = memory.resized(getattr(self, self.INDEX), first.shape, first.dtype)
        setattr(self, self.INDEX, winner)
        ranks = np.ones(first.shape, np.min_scalar_type(len(input)))
        np.copyto(out, first)
        for i, x in enumerate(input[1:], 2):
            x = fitted(self, x, out)
            beats = self.BEATS(x, out, out=room(out)).view(np.uint8)
            np.maximum(ranks, np.multiply(beats, ranks.dtype.type(i)), out=ranks)
            self.BETTER(x, out, out=out)
        np.copyto(winner, ranks)
        nan = np.isnan(first, out=room(first))
        if nan.any():  # a nan is beaten by none, and beats none
            out[nan], winner[nan] = np.nan, 1
        return out

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> list[np.ndarray]:
        winner = getattr(self, self.INDEX)
        grads = self._gradients(input, len(table(self, input)))
        for i, grad in enumerate(grads, 1):
            won = np.equal(fitted(self, winner, grad), i, out=room(grad))
            kept(fitted(self, gradOutput, grad), won, grad)
        return grads


class CMaxTable(_Extreme):
    """The largest of a table's tensors: y = max over i of x[i]; the gradient goes to the largest, or the first of them.

    `maxIdx` tells, for every element, which of the tensors that is, counted from 1. A nan is largest in the first
    tensor and never in another. Raises ValueError when numbers of elements differ, TypeError when types do.

    >>> m, x = CMaxTable(), [np.array([1.0, 5.0]), np.array([3.0, 5.0])]
    >>> m.forward(x)
    array([3., 5.])
    >>> m.backward(x, np.array([7.0, 8.0]))
    [array([0., 8.]), array([7., 0.])]
    """

    INDEX = "maxIdx"
    BEATS, BETTER = np.greater, np.fmax
    BUFFERS = ("maxIdx", "mask", "maxVals", "gradMaxVals", "maskByteTensor")

    def __init__(self) -> None:
        super().__init__("maxVals")


class CMinTable(_Extreme):
    """The smallest of a table's tensors: y = min over i of x[i]; `minIdx` tells which it is. In all else as CMaxTable.

    >>> CMinTable().forward([np.array([1.0, 5.0]), np.array([3.0, 2.0])])
    array([1., 2.])
    """

    INDEX = "minIdx"
    BEATS, BETTER = np.less, np.fmin
    BUFFERS = ("minIdx", "mask", "minVals", "gradMaxVals", "maskByteTensor")

    def __init__(self) -> None:
        super().__init__("minVals")


class CAddTensorTable(_TableMath):
    """One tensor added to each tensor of a table: y[i] = x[1] + x[2][i].

    Input a table of a tensor and a table of tensors with as many elements; output a table of tensors with the sizes
    of the first. The gradient of the first is the sum of all, that of the others their own. Raises ValueError when
    numbers of elements differ, TypeError when types do.

    >>> m, x = CAddTensorTable(), [np.array([1.0, 2.0]), [np.array([10.0, 20.0]), np.array([30.0, 40.0])]]
    >>> m.forward(x)
    [array([11., 22.]), array([31., 42.])]
    >>> m.backward(x, [np.array([1.0, 2.0]), np.array([3.0, 4.0])])
    [array([4., 6.]), [array([1., 2.]), array([3., 4.])]]
    """

    def _parts(self, input: Any) -> tuple[np.ndarray, Any]:
        return self.typed(table(self, input, 2)[0]), table(self, input[1], what="second entry of the input")

    def updateOutput(self, input: Any) -> list[np.ndarray]:
        first, others = self._parts(input)
        self.output = out = _buffers(self.output, len(others), first)
        for x, y in zip(others, out):
            np.add(fitted(self, x, first), first, out=y)
        return out

    def updateGradInput(self, input: Any, gradOutput: Any) -> list[Any]:
        first, others = self._parts(input)
        table(self, gradOutput, len(others), "gradient")
        old = self.gradInput or [None, None]
        total, grads = _buffers(old[:1], 1, first)[0], _buffers(old[1], len(others), first)
        for grad, g in zip(grads, gradOutput):
            np.copyto(grad, fitted(self, g, first))
        self._folded(np.add, grads, len(grads), total)
        self.gradInput[:] = [total, grads]
        return self.gradInput


def _buffers(old: Any, n: int, like: np.ndarray) -> list[np.ndarray]:
    """n buffers shaped as `like`, in the table of the old ones."""
    out = old if isinstance(old, list) else []
    out[n:] = [None] * (n - len(out))
    out[:] = [memory.resized(a, like.shape, like.dtype) for a in out]
    return out
