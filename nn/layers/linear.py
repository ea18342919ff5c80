"""Linear maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import positions
from torch7.memory import scratch

from ..checks import described, shaped, table, tensor
from ..containers.sequential import Sequential
from ..containers.table_containers import ParallelTable
from ..kernels.scatter import add_rows
from ..module import Module
from ..parameters import Slot, initial_bound
from ..tables.shape import Identity
from .lookup import LookupTable
from .pair import MM


class Linear(Module):
    """A linear map: y = W x + b, for one vector x or for every row of a matrix.

    Input (inputSize) or (N, inputSize), output (outputSize) or (N, outputSize); weight (outputSize, inputSize),
    bias (outputSize), or none with `bias=False`. Both are drawn from uniform(-s, s), s = 1 / sqrt(inputSize).
    Raises ValueError for an input of another width or with other than one or two dimensions.

    >>> torch7.manualSeed(1)
    >>> l = Linear(3, 2)
    >>> l.weight[...] = [[1, 0, 2], [0, 1, 0]]
    >>> l.bias[...] = [0.5, -1]
    >>> l.forward(np.array([1.0, 2.0, 3.0]))
    array([7.5, 1. ])
    """

    BUFFERS: tuple[str, ...] = ("addBuffer",)
    ROWWISE = True
    addBuffer: Any = None

    def __init__(self, inputSize: int, outputSize: int, bias: bool = True):
        super().__init__()
        self.weight = memory.empty((outputSize, inputSize))
        self.gradWeight = memory.zeros((outputSize, inputSize))
        if bias is None or bias:
            self.bias = memory.empty((outputSize,))
            self.gradBias = memory.zeros((outputSize,))
        self.reset()

    def noBias(self) -> Linear:
        """Drops the bias."""
        self.bias = self.gradBias = None
        return self

    def reset(self, stdv: float | None = None) -> Linear:
        """Draws weight and bias from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(inputSize)."""
        s = initial_bound(stdv, self.weight.shape[1])
        torch7.uniform_(self.weight, -s, s)
        if self.bias is not None:
            torch7.uniform_(self.bias, -s, s)
        return self

    def _checked(self, x: Any, width: int, what: str) -> np.ndarray:
        x = self.typed(x)
        if x.ndim not in (1, 2) or x.shape[-1] != width:
            raise ValueError(
                f"{torch7.typename(self)}: expected {width} {what} columns (a vector or a matrix), got shape {x.shape}"
            )
        return x

    def _gradient(self, input: np.ndarray, gradOutput: Any) -> np.ndarray:
        """gradOutput, if it is one for the output of this input."""
        g = self._checked(gradOutput, len(self.weight), "gradient")
        if g.shape[:-1] != input.shape[:-1]:
            shape = (*input.shape[:-1], len(self.weight))
            raise ValueError(f"{torch7.typename(self)}: expected a gradient of shape {shape}, got shape {g.shape}")
        return g

    def updateAddBuffer(self, input: np.ndarray) -> None:
        """Makes `addBuffer` a vector of as many ones as the input has rows."""
        n, dtype = len(input), self.weight.dtype
        if self.addBuffer is None or self.addBuffer.shape != (n,) or self.addBuffer.dtype != dtype:
            self.addBuffer = memory.resized(self.addBuffer, (n,), dtype)
            self.addBuffer.fill(1)

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        weight = self.weight
        x = self._checked(input, weight.shape[1], "input")
        self.output = out = memory.resized(self.output, (*x.shape[:-1], weight.shape[0]), x.dtype)
        np.dot(x, weight.T, out=out)
        if self.bias is not None:
            out += self.bias
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        g = self._gradient(input, gradOutput)
        self.gradInput = out = memory.resized(self.gradInput, input.shape, g.dtype)
        return np.dot(g, self.weight, out=out)

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        self._accumulate(self.gradWeight, input, gradOutput, scale)

    def _accumulate(self, gradWeight: np.ndarray, input: np.ndarray, gradOutput: np.ndarray, scale: float) -> None:
        g = self._gradient(input, gradOutput)
        grad = scratch(gradWeight.shape, g.dtype)
        if g.ndim == 1:
            np.multiply(g[:, None], input, out=grad)
        else:
            np.dot(g.T, input, out=grad)
        if scale != 1:
            grad *= scale
        gradWeight += grad
        if self.bias is not None:
            if g.ndim == 2:
                self.updateAddBuffer(input)
                g = np.dot(self.addBuffer, g, out=scratch(self.gradBias.shape, g.dtype))
            self.gradBias += g if scale == 1 else scale * g

    def sharedAccUpdateGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, lr: float) -> None:
        self.defaultAccUpdateGradParameters(input, gradOutput, lr)

    def __str__(self) -> str:
        out, width = self.weight.shape
        return f"{torch7.typename(self)}({width} -> {out})" + ("" if self.bias is not None else " without bias")


class Bilinear(Module):
    """A number for every pair of vectors and every weight matrix: y_k = x1^T W_k x2 + b_k.

    Input a table of (N, inputSize1) and (N, inputSize2), output (N, outputSize); weight (outputSize, inputSize1,
    inputSize2), bias (outputSize), or none with `bias=False`. Both are drawn from uniform(-s, s),
    s = 1 / sqrt(inputSize1). As in Torch the weight's gradient grows by its full value whatever the `scale` of
    accGradParameters, which may not be negative; backwardUpdate takes the step that was asked for.
    Raises ValueError for inputs of other sizes, or sizes that are no whole numbers above 0.

    >>> m = Bilinear(2, 2, 1, False)
    >>> m.weight[...] = [[[1, 2], [0, 3]]]
    >>> m.forward([np.array([[1.0, 1.0]]), np.array([[1.0, 10.0]])])
    array([[51.]])
    """

    BUFFERS = ("buff1", "buff2")  # Torch's work space
    ROWWISE = True
    BLOCK = 1 << 18  # elements of a product for a part of the outputs: it stays in the cache

    def __init__(self, inputSize1: int, inputSize2: int, outputSize: int, bias: bool = True):
        super().__init__()
        shape = (outputSize, inputSize1, inputSize2)
        if not all(torch7.type(n) == "number" and n == int(n) and n > 0 for n in shape):
            raise ValueError(f"nn.Bilinear: expected whole numbers above 0 as sizes, got {shape}")
        self.weight = memory.empty(shape)
        self.gradWeight = memory.zeros(shape)
        if bias is None or bias:
            self.bias = memory.empty((outputSize,))
            self.gradBias = memory.zeros((outputSize,))
        self.gradInput = [memory.empty(), memory.empty()]
        self.reset()

    def reset(self, stdv: float | None = None) -> Bilinear:
        """Draws weight and bias from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(inputSize1)."""
        if stdv is not None and not stdv > 0:
            raise ValueError(f"nn.Bilinear: expected a standard deviation above 0, got {stdv}")
        s = initial_bound(stdv, self.weight.shape[1])
        torch7.uniform_(self.weight, -s, s)
        if self.bias is not None:
            torch7.uniform_(self.bias, -s, s)
        return self

    def _checked(self, input: Any, *gradients: Any) -> tuple[np.ndarray, np.ndarray]:
        """The two inputs, which fit each other, the weight and the gradient that may be given."""
        x1, x2 = map(self.typed, table(self, input, 2)[:2])
        out, *widths = self.weight.shape
        if len(input) != 2 or x1.ndim != 2 or x1.shape[1:] + x2.shape[1:] != tuple(widths) or len(x1) != len(x2):
            shapes = ", ".join(described(x) for x in input)
            raise ValueError(f"nn.Bilinear: expected inputs (N, {widths[0]}) and (N, {widths[1]}), got {shapes}")
        for g in gradients:
            if self.typed(g).shape != (len(x1), out):
                raise ValueError(f"nn.Bilinear: expected a gradient of shape {(len(x1), out)}, got {g.shape}")
        return x1, x2

    def _parts(self, n: int) -> Iterator[slice]:
        """The outputs, in parts for which products of n rows are not too big."""
        out, a, b = self.weight.shape
        step = max(1, self.BLOCK // (max(n, b) * a))
        return (slice(k, k + step) for k in range(0, out, step))

    def _products(self, x2: np.ndarray, part: slice) -> np.ndarray:
        """W_k x2 for every row and every output of a part: (N, part, inputSize1)."""
        weight = self.weight[part]
        flat = weight.reshape(-1, weight.shape[2])
        out = scratch((len(x2), len(flat)), x2.dtype)
        return np.dot(x2, flat.T, out=out).reshape(len(x2), *weight.shape[:2])

    def updateOutput(self, input: Any) -> np.ndarray:
        x1, x2 = self._checked(input)
        self.output = out = memory.resized(self.output, (len(x1), len(self.weight)), x1.dtype)
        for part in self._parts(len(x1)):
            np.matmul(self._products(x2, part), x1[:, :, None], out=out[:, part, None])
        if self.bias is not None:
            out += self.bias
        return out

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        if self.gradInput is None:
            return None
        x1, x2 = self._checked(input, gradOutput)
        old = self.gradInput or [None, None]
        self.gradInput = grads = [memory.resized(a, x.shape, x.dtype) for a, x in zip(old, (x1, x2))]
        for grad in grads:
            grad.fill(0)
        for part in self._parts(len(x1)):
            grads[0] += np.matmul(gradOutput[:, None, part], self._products(x2, part))[:, 0]
            grads[1] += np.dot(self._weighted(x1, gradOutput[:, part]), self.weight[part].reshape(-1, x2.shape[1]))
        return grads

    @staticmethod
    def _weighted(x1: np.ndarray, g: np.ndarray) -> np.ndarray:
        """g_k x1 for every row and every output of a part: (N, part * inputSize1)."""
        out = scratch((*g.shape, x1.shape[1]), x1.dtype)
        return np.multiply(g[:, :, None], x1[:, None, :], out=out).reshape(len(x1), -1)

    def accGradParameters(self, input: Any, gradOutput: np.ndarray, scale: float = 1) -> None:
        if scale < 0:
            raise ValueError(f"nn.Bilinear: expected a scale from 0 up, got {scale}")
        self._accumulate(self.gradWeight, self.gradBias, input, gradOutput, 1, scale)  # Torch quirk: 1

    def defaultAccUpdateGradParameters(self, input: Any, gradOutput: np.ndarray, lr: float) -> None:
        self._accumulate(self.weight, self.bias, input, gradOutput, -lr, -lr)

    def sharedAccUpdateGradParameters(self, input: Any, gradOutput: np.ndarray, lr: float) -> None:
        self.defaultAccUpdateGradParameters(input, gradOutput, lr)

    def _accumulate(
        self, weight: np.ndarray, bias: Any, input: Any, gradOutput: np.ndarray, scale: float, biasScale: float
    ) -> None:
        x1, x2 = self._checked(input, gradOutput)
        for part in self._parts(len(x1)):
            grad = np.dot(self._weighted(x1, gradOutput[:, part]).T, x2)
            if scale != 1:
                grad *= scale
            weight[part] += grad.reshape(weight[part].shape)
        if bias is not None:
            bias += biasScale * gradOutput.sum(0)

    def __str__(self) -> str:
        out, a, b = self.weight.shape
        return f"{torch7.typename(self)}({a}x{b} -> {out}) " + ("" if self.bias is not None else " without bias")


class PartialLinear(Module):
    """A linear map of which only some outputs are computed: y = W[p] x + b[p] for the outputs p of a partition.

    Input (N, inputsize), output (N, k) for a partition of k outputs, set by `setPartition`; all of them, as nn.Linear,
    at first and after `resetPartition`. The weight (outputsize, inputsize) is that of the LookupTable in `network`,
    drawn from a normal distribution with deviation 1; the bias (1, outputsize), none with `bias=False`, begins as 0.
    Outputs that are not in the partition get no gradient. Raises IndexError for an output that does not exist and
    ValueError for an input of another shape.

    >>> m = PartialLinear(2, 3)
    >>> m.parameters()[0][0][...] = [[1, 0], [0, 1], [1, 1]]
    >>> m.setPartition(np.array([3, 1]))
    >>> m.forward(np.array([[2.0, 5.0]]))
    array([[7., 2.]])
    """

    BUFFERS = ("addBuffer", "buffer")  # Torch's work space
    ROWWISE = True

    def __init__(self, inputsize: int, outputsize: int, bias: bool = True):
        super().__init__()
        pair = ParallelTable().add(Identity()).add(LookupTable(outputsize, inputsize))
        self.network = Sequential().add(pair).add(MM(False, True))
        if bias is None or bias:
            self.bias = memory.zeros((1, outputsize))
            self.gradBias = memory.zeros((1, outputsize))
        self.inputsize = inputsize
        self.outputsize = outputsize
        self.allcolumns = torch7.range(1, outputsize)
        self.resetPartition()

    def setPartition(self, indices: np.ndarray) -> None:
        """Sets which outputs are computed: their numbers, from 1 on, in the order of the output."""
        if tensor(self, indices).ndim != 1:
            raise ValueError(f"nn.PartialLinear: expected a vector of outputs, got shape {indices.shape}")
        positions(indices, self.outputsize, "nn.PartialLinear", "outputs")
        self.partition = indices.astype(self.allcolumns.dtype)

    def resetPartition(self) -> None:
        """Lets all outputs be computed."""
        self.partition = self.allcolumns

    @property
    def _table(self) -> Any:
        """The module that holds the weight."""
        return self.network.modules[0].modules[1]

    def _rows(self) -> Any:
        """An index of the rows of the weight that are used."""
        if self.partition is self.allcolumns:
            return slice(None)
        return positions(self.partition, self.outputsize, "nn.PartialLinear", "outputs")

    def slots(self) -> Iterator[Slot]:
        yield self._table, "weight", "gradWeight"
        if self.bias is not None:
            yield self, "bias", "gradBias"

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x, rows = self.typed(input), self._rows()
        if x.ndim != 2 or x.shape[1] != self.inputsize:
            raise ValueError(f"nn.PartialLinear: expected an input (N, {self.inputsize}), got shape {x.shape}")
        weight = self._table.weight[rows]
        self.output = out = memory.resized(self.output, (len(x), len(weight)), x.dtype)
        np.dot(x, weight.T, out=out)
        if self.bias is not None:
            out += self.bias[:, rows]
        return out

    def _gradient(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        return shaped(self, gradOutput, (len(input), self.partition.size))

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:
            return None
        g = self._gradient(input, gradOutput)
        self.gradInput = out = memory.resized(self.gradInput, input.shape, g.dtype)
        return np.dot(g, self._table.weight[self._rows()], out=out)

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        self._accumulate(self._table.gradWeight, self.gradBias, input, gradOutput, scale)

    def accUpdateGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, lr: float) -> None:
        self._accumulate(self._table.weight, self.bias, input, gradOutput, -lr)

    defaultAccUpdateGradParameters = sharedAccUpdateGradParameters = accUpdateGradParameters

    def _accumulate(
        self, weight: np.ndarray, bias: Any, input: np.ndarray, gradOutput: np.ndarray, scale: float
    ) -> None:
        g, rows = self._gradient(input, gradOutput), self._rows()
        whole = isinstance(rows, slice)
        grad = np.dot(g.T, input, out=scratch(weight.shape, g.dtype) if whole else None)
        if scale != 1:
            grad *= scale
        if whole:
            weight += grad
        else:
            add_rows(weight, rows, grad)
        if bias is not None:
            np.add.at(bias[0], rows, scale * g.sum(0))

    def share(self, mlp: Any, *names: str) -> Any:
        self._table.share(mlp._table, *names)
        return super().share(mlp, *names)

    def clearState(self) -> PartialLinear:
        self.network.clearState()  # as Torch saves it, with buffers
        return super().clearState()

    def __str__(self) -> str:
        text = f"{torch7.typename(self)}({self.inputsize} -> {self.outputsize})"
        return text + ("" if self.bias is not None else " without bias")
