"""Distances and angles between the input and learned vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..kernels.distances import near_pairs, squared_distances
from ..kernels.scatter import add_columns, add_rows
from ..module import Module
from ..parameters import initial_bound

# Torch's work space in files of these classes
WORK = (
    *("_input", "_output", "_gradOutput", "_weight", "_diagCov", "_div", "_sum", "_inputNorm", "_weightNorm"),
    *("_expand", "_expand2", "_expand3", "_expand4", "_repeat", "_repeat2", "_repeat3"),
)


class _Templates(Module):
    """A number for every pair of an input vector and one of the vectors in `weight`."""

    BUFFERS = WORK
    ROWWISE = True

    def _widths(self) -> tuple[int, int]:
        """The sizes of the input and of the output."""
        inputSize, outputSize = self.weight.shape
        return inputSize, outputSize

    def _rows(self, x: Any, width: int, what: str = "an input") -> np.ndarray:
        """x as a matrix; raises ValueError unless it is a vector or a matrix of that width."""
        x = self.typed(x)
        if x.ndim not in (1, 2) or x.shape[-1] != width:
            raise ValueError(f"{torch7.typename(self)}: expected {what} ({width}) or (N, {width}), got shape {x.shape}")
        return x if x.ndim == 2 else x[None]

    def _both(self, input: Any, gradOutput: Any) -> tuple[np.ndarray, np.ndarray]:
        """Input and gradient as matrices of as many rows."""
        inputSize, outputSize = self._widths()
        x, g = self._rows(input, inputSize), self._rows(gradOutput, outputSize, "a gradient")
        if gradOutput.shape[:-1] != input.shape[:-1]:
            raise ValueError(
                f"{torch7.typename(self)}: expected a gradient for {input.shape}, got shape {gradOutput.shape}"
            )
        if self.output.shape != gradOutput.shape:
            raise ValueError(f"{torch7.typename(self)}: expected a forward of the input before the backward")
        return x, g

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        inputSize, outputSize = self._widths()
        x = self._rows(input, inputSize)
        self.output = out = memory.resized(self.output, (*input.shape[:-1], outputSize), x.dtype)
        self._compute(x, out.reshape(-1, outputSize))
        return out

    def _compute(self, x: np.ndarray, out: np.ndarray) -> None:
        """Writes the outputs of the rows of x to out."""
        raise TypeError(f"{torch7.typename(self)}: the function of the rows has to be defined")


class _Centres(_Templates):
    """Distances to centres, which are the columns of `weight`. Their gradients are for the parameters at the last
    forward: with shared ones, another module may have made its step since."""

    TRANSIENT = ("_seen",)
    fastBackward: Any = None
    _seen: Any = None

    def __init__(self, inputSize: int, outputSize: int):
        super().__init__()
        self.weight = memory.empty((inputSize, outputSize))
        self.gradWeight = memory.zeros((inputSize, outputSize))

    def reset(self, stdv: float | None = None) -> None:
        """Draws the centres from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(inputSize)."""
        s = initial_bound(stdv, self.weight.shape[0])
        torch7.uniform_(self.weight, -s, s)

    def _now(self) -> list[np.ndarray]:
        return [getattr(self, name) for name, _ in self.PARAMETERS]

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        output = super().updateOutput(input)
        now = self._now()
        self._seen = [memory.resized(a, p.shape, p.dtype) for a, p in zip(self._seen or [None] * len(now), now)]
        for kept, parameter in zip(self._seen, now):
            kept[...] = parameter
        return output

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:
            return None
        if not self.fastBackward:
            self.updateOutput(input)
        self.gradInput = memory.resized(self.gradInput, input.shape, self.weight.dtype)
        self._pull(input, gradOutput, self.gradInput.reshape(-1, self.weight.shape[0]))
        return self.gradInput

    def _pull(self, input: Any, gradOutput: Any, out: np.ndarray) -> None:
        """Writes the gradients of the rows of the input to out."""
        raise TypeError(f"{torch7.typename(self)}: the gradient of the rows has to be defined")


class Euclidean(_Centres):
    """The distance to each of `outputSize` learned centres: y_j = |x - w_j|.

    Input (inputSize) or (N, inputSize), output (outputSize) or (N, outputSize). The centres are the columns of the
    weight (inputSize, outputSize), drawn from uniform(-s, s), s = 1 / sqrt(inputSize).
    dx = sum_j dy_j (x - w_j) / (y_j + 1e-7), dw_j = -dy_j (x - w_j) / (y_j + 1e-7), for the centres at the last
    forward; without `fastBackward` backward begins with a forward of its own.
    Raises ValueError for an input of another size.

    >>> m = Euclidean(2, 2)
    >>> m.weight[...] = [[0, 3], [0, 4]]
    >>> m.forward(np.array([3.0, 4.0]))
    array([5., 0.])
    """

    PARAMETERS = (("weight", "gradWeight"),)

    def __init__(self, inputSize: int, outputSize: int):
        super().__init__(inputSize, outputSize)
        self.fastBackward = True
        self.reset()

    def _compute(self, x: np.ndarray, out: np.ndarray) -> None:
        np.sqrt(squared_distances(x, self.weight.T), out=out, casting="same_kind")

    def _ratios(self, input: Any, gradOutput: Any) -> tuple[np.ndarray, ...]:
        """The input as rows and the centres; gradients over distances, but 0 for close pairs; these pairs, and their
        differences times their ratios."""
        x, g = self._both(input, gradOutput)
        y, (w,) = self.output.reshape(g.shape), self._seen or self._now()
        ratios = g / (y + g.dtype.type(1e-7))
        n, k = near_pairs(x, w.T, y)
        terms = ratios[n, k, None] * (x[n] - w.T[k])
        ratios[n, k] = 0
        return x, w, ratios, n, k, terms

    def _pull(self, input: Any, gradOutput: Any, out: np.ndarray) -> None:
        x, w, ratios, n, _, terms = self._ratios(input, gradOutput)
        np.multiply(x, ratios.sum(1, keepdims=True), out=out)
        out -= np.dot(ratios, w.T)
        add_rows(out, n, terms)

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        x, w, ratios, _, k, terms = self._ratios(input, gradOutput)
        grad = w * ratios.sum(0)
        grad -= np.dot(x.T, ratios)
        add_columns(grad, k, -terms.T)
        self.gradWeight += grad if scale == 1 else scale * grad


class WeightedEuclidean(_Centres):
    """The distance to each of `outputSize` learned centres, in coordinates that are scaled for each:
    y_j = |c_j (x - w_j)|.

    Input (inputSize) or (N, inputSize), output (outputSize) or (N, outputSize). The centres are the columns of the
    weight (inputSize, outputSize), drawn from uniform(-s, s), s = 1 / sqrt(inputSize); the scales, those of
    `diagCov`, begin as 1. dx = sum_j dy_j c_j^2 (x - w_j) / (y_j + 1e-7), dw_j = -dy_j c_j^2 (x - w_j) / (y_j + 1e-7),
    dc_j = dy_j c_j (x - w_j)^2 / (y_j + 1e-7); backward begins with a forward of its own, unless `fastBackward` is set.
    As in Torch the gradient of diagCov takes no notice of the `scale` of accGradParameters when the input is a vector.
    Raises ValueError for an input of another size.

    >>> m = WeightedEuclidean(2, 1)
    >>> m.weight.fill(0)
    >>> m.diagCov[...] = [[3], [2]]
    >>> m.forward(np.array([1.0, 2.0]))
    array([5.])
    """

    PARAMETERS = (("weight", "gradWeight"), ("diagCov", "gradDiagCov"))

    def __init__(self, inputSize: int, outputSize: int):
        super().__init__(inputSize, outputSize)
        self.diagCov = memory.empty((inputSize, outputSize))
        self.gradDiagCov = memory.zeros((inputSize, outputSize))
        self.reset()

    def reset(self, stdv: float | None = None) -> None:
        """Draws the centres from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(inputSize); all scales are 1."""
        super().reset(stdv)
        self.diagCov.fill(1)

    def _compute(self, x: np.ndarray, out: np.ndarray) -> None:
        np.sqrt(squared_distances(x, self.weight.T, self.diagCov.T), out=out, casting="same_kind")

    def _ratios(self, input: Any, gradOutput: Any) -> tuple[np.ndarray, ...]:
        """The input as rows, centres and scales; gradients over distances, but 0 for close pairs; these pairs, their
        differences, and these times their ratios. In double: their products are subtracted."""
        x, g = self._both(input, gradOutput)
        x, w, c = (a.astype(float, copy=False) for a in (x, *(self._seen or self._now())))
        y = self.output.reshape(g.shape).astype(float)
        ratios = g / (y + 1e-7)
        n, k = near_pairs(x, w.T, y, c.T)
        difference = x[n] - w.T[k]
        terms = ratios[n, k, None] * difference
        ratios[n, k] = 0
        return x, w, c, ratios, n, k, difference, terms

    def _pull(self, input: Any, gradOutput: Any, out: np.ndarray) -> None:
        x, w, c, ratios, n, k, _, terms = self._ratios(input, gradOutput)
        squares = c * c
        grad = x * np.dot(ratios, squares.T)
        grad -= np.dot(ratios, (squares * w).T)
        add_rows(grad, n, terms * squares.T[k])
        out[...] = grad

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        x, w, c, ratios, _, k, difference, terms = self._ratios(input, gradOutput)
        total, weighted = ratios.sum(0), np.dot(x.T, ratios)
        grad = w * total - weighted
        add_columns(grad, k, -terms.T)
        squares = np.dot((x * x).T, ratios) - w * (2 * weighted - w * total)
        add_columns(squares, k, (terms * difference).T)
        self.gradWeight += (scale * c * c * grad).astype(self.gradWeight.dtype)
        self.gradDiagCov += ((1 if input.ndim == 1 else scale) * c * squares).astype(self.gradDiagCov.dtype)

    def accUpdateGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, lr: float) -> None:
        self.defaultAccUpdateGradParameters(input, gradOutput, lr)  # shared or not


class Cosine(_Templates):
    """The cosine of the angle to each of `outputSize` learned vectors: y_j = w_j.x / (|w_j| |x|).

    Input (inputSize) or (N, inputSize), output (outputSize) or (N, outputSize). The vectors are the rows of the weight
    (outputSize, inputSize), drawn from uniform(-s, s), s = 1 / sqrt(outputSize). Norms are 1e-12 too large, so that a
    vector of zeros gives 0. dx = sum_j dy_j (w_j / (|w_j| |x|) - y_j x / |x|^2), and dw_j likewise. As in Torch the
    `scale` of accGradParameters has no effect on batches, and on vectors only on the first of the two terms.
    Raises ValueError for an input of another size.

    >>> m = Cosine(2, 2)
    >>> m.weight[...] = [[6, 8], [-4, 3]]
    >>> m.forward(np.array([3.0, 4.0]))
    array([1., 0.])
    """

    PARAMETERS = (("weight", "gradWeight"),)
    TRANSIENT = ("_lengths",)
    _lengths: Any = None  # at the last forward: with shared weights, others may have made their step since

    def __init__(self, inputSize: int, outputSize: int):
        super().__init__()
        self.weight = memory.empty((outputSize, inputSize))
        self.gradWeight = memory.zeros((outputSize, inputSize))
        self.reset()

    def reset(self, stdv: float | None = None) -> None:
        """Draws the weight from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(outputSize), as Torch has it."""
        s = initial_bound(stdv, self.weight.shape[0])
        torch7.uniform_(self.weight, -s, s)

    def _widths(self) -> tuple[int, int]:
        outputSize, inputSize = self.weight.shape
        return inputSize, outputSize

    @staticmethod
    def _norms(rows: np.ndarray) -> np.ndarray:
        return np.sqrt(np.vecdot(rows, rows)) + rows.dtype.type(1e-12)

    def _weight_norms(self) -> np.ndarray:
        return self._norms(self.weight) if self._lengths is None else self._lengths

    def _compute(self, x: np.ndarray, out: np.ndarray) -> None:
        np.dot(x, self.weight.T, out=out)
        self._lengths = self._norms(self.weight)
        out /= self._lengths
        out /= self._norms(x)[:, None]

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:
            return None
        x, g = self._both(input, gradOutput)
        self.gradInput = memory.resized(self.gradInput, input.shape, x.dtype)
        out = self.gradInput.reshape(x.shape)
        norms = self._norms(x)[:, None]
        np.dot(g / self._weight_norms(), self.weight, out=out)
        out -= x * (np.vecdot(g, self.output.reshape(g.shape))[:, None] / norms)
        out /= norms
        return self.gradInput

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        x, g = self._both(input, gradOutput)
        norms = self._weight_norms()[:, None]
        grad = np.dot(g.T, x / self._norms(x)[:, None])
        if input.ndim == 1:  # Torch quirk: no scale elsewhere
            grad *= scale
        grad -= self.weight * (np.einsum("nj,nj->j", g, self.output.reshape(g.shape))[:, None] / norms)
        grad /= norms
        self.gradWeight += grad
