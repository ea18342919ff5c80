"""Layers on pairs of vectors or matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.memory import scratch

from ..checks import described, fitted, shaped, table
from ..kernels.elementary import negative
from ..module import Module

Pair = tuple[np.ndarray, np.ndarray]


class _Pair(Module):
    """A function of a table of two tensors of the module's type."""

    def __init__(self) -> None:
        super().__init__()
        self.gradInput = [memory.empty(), memory.empty()]

    def _pair(self, input: Any) -> Pair:
        """The two tensors; raises ValueError for a table of another length."""
        if len(table(self, input, 2)) != 2:
            raise ValueError(f"{torch7.typename(self)}: expected a pair of tensors, got a table of {len(input)}")
        return self.typed(input[0]), self.typed(input[1])

    def _unfit(self, input: Any, wanted: str) -> ValueError:
        """The error for tensors whose shapes do not go together."""
        return ValueError(f"{torch7.typename(self)}: expected {wanted}, got {' and '.join(map(described, input))}")

    def _gradients(self, a: np.ndarray, b: np.ndarray) -> Any:
        """The table of gradients, with buffers for both tensors."""
        old = self.gradInput
        if len(old) != 2:
            old[:] = [None, None]
        old[0] = memory.resized(old[0], a.shape, a.dtype)
        old[1] = memory.resized(old[1], b.shape, b.dtype)
        return old


class _Rows(_Pair):
    """A number for every pair of rows: of two vectors or of two matrices, which have one shape."""

    ROWWISE = True

    def _rows(self, input: Any) -> Pair:
        """Both tensors as matrices; raises ValueError when they have not one shape, of one or two dimensions."""
        x1, x2 = self._pair(input)
        if x1.shape != x2.shape or x1.ndim not in (1, 2):
            raise self._unfit(input, "two vectors or two matrices of one shape")
        return (x1[None], x2[None]) if x1.ndim == 1 else (x1, x2)

    def _gradient_rows(self, input: Any) -> Any:
        """The buffers for the gradients, seen as matrices."""
        grads = self._gradients(*input)
        return [a[None] if a.ndim == 1 else a for a in grads]


class DotProduct(_Rows):
    """The dot product of two vectors: y = sum_j x1_j x2_j; dx1 = dy x2, dx2 = dy x1.

    Input a table of two tensors (N, n) or (n); output (N) or (1). Raises ValueError when the shapes differ.

    >>> DotProduct().forward([np.array([1.0, 2.0]), np.array([3.0, 4.0])])
    array([11.])
    """

    BUFFERS = ("buffer",)  # Torch's work space

    def updateOutput(self, input: Any) -> np.ndarray:
        x1, x2 = self._rows(input)
        self.output = memory.resized(self.output, (len(x1),), x1.dtype)
        return np.vecdot(x1, x2, out=self.output)

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        x1, x2 = self._rows(input)
        g = fitted(self, gradOutput, x1[:, 0])[:, None]
        first, second = self._gradient_rows(input)
        np.multiply(x2, g, out=first)
        np.multiply(x1, g, out=second)
        return self.gradInput


class CosineDistance(_Rows):
    """The cosine of the angle between two vectors: y = x1.x2 / (|x1| |x2|); 1 for the same direction.

    Input a table of two tensors (N, n) or (n); output (N) or (1). The squared norms are 1e-12 too large, so that a
    vector of zeros gives 0. dx1 = dy (x2 / (|x1| |x2|) - y x1 / |x1|^2), and dx2 likewise.
    Raises ValueError when the shapes differ.

    >>> CosineDistance().forward([np.array([3.0, 4.0]), np.array([4.0, 3.0])]).round(9)
    array([0.96])
    """

    BUFFERS = ("buffer", "w1", "w22", "w", "w32", "ones")  # Torch's work space

    def _factors(self, x1: np.ndarray, x2: np.ndarray) -> tuple[np.ndarray, ...]:
        """Per row 1 / |x1|^2, 1 / |x2|^2 and 1 / (|x1| |x2|)."""
        over1, over2 = 1 / (np.vecdot(x1, x1) + 1e-12), 1 / (np.vecdot(x2, x2) + 1e-12)
        return over1, over2, np.sqrt(over1 * over2)

    def updateOutput(self, input: Any) -> np.ndarray:
        x1, x2 = self._rows(input)
        self.output = out = memory.resized(self.output, (len(x1),), x1.dtype)
        np.vecdot(x1, x2, out=out)
        out *= self._factors(x1, x2)[2]
        return out

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        x1, x2 = self._rows(input)
        g = fitted(self, gradOutput, x1[:, 0])
        over1, over2, over = self._factors(x1, x2)
        cosine = g * np.vecdot(x1, x2) * over
        straight = (g * over)[:, None]
        for out, own, other, factor in zip(self._gradient_rows(input), (x1, x2), (x2, x1), (over1, over2)):
            back = np.multiply(own, (cosine * factor)[:, None], out=scratch(own.shape, own.dtype))
            np.multiply(other, straight, out=out)
            out -= back
        return self.gradInput


def _power(x: np.ndarray, p: float) -> None:
    """x = x^p in place; squares and cubes are products, which is many times as fast."""
    if p == 2:
        x *= x
    elif p == 3:
        x *= np.multiply(x, x, out=scratch(x.shape, x.dtype))
    elif p != 1:
        np.power(x, p, out=x)


class PairwiseDistance(_Rows):
    """The distance of two vectors in the p-norm: y = (sum_j |x1_j - x2_j|^p)^(1/p).

    Input a table of two tensors (N, n) or (n); output (N) or (1). With d = x1 - x2,
    dx1 = dy d |d|^(p-2) / (y + 1e-6)^(p-1) for p from 2 up, and dx2 = -dx1. Torch leaves the |d|^(p-2) out for p
    below 2. For p = 1, dx1 = dy sign(d), where a random sign is drawn for every difference of 0.
    Raises ValueError when the shapes differ.

    >>> PairwiseDistance(2).forward([np.array([[1.0, 2.0]]), np.array([[4.0, 6.0]])])
    array([5.])
    """

    BUFFERS = ("diff", "outExpand", "grad", "ones")
    diff: Any = None

    def __init__(self, p: float = 2):
        super().__init__()
        self.gradInput = []
        self.diff = memory.empty()
        self.norm = 2 if p is None else p

    def updateOutput(self, input: Any) -> np.ndarray:
        x1, x2 = self._rows(input)
        p = self.norm
        self.output = out = memory.resized(self.output, (len(x1),), x1.dtype)
        self.diff = diff = memory.resized(self.diff, x1.shape, x1.dtype)
        np.subtract(x1, x2, out=diff)
        if p == 2:
            return np.sqrt(np.vecdot(diff, diff, out=out), out=out)
        np.abs(diff, out=diff)
        _power(diff, p)
        np.add.reduce(diff, 1, out=out)
        return np.power(out, 1 / p if p else np.inf, out=out)

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        x1, x2 = self._rows(input)
        g = shaped(self, gradOutput, (len(x1),))
        if len(self.output) != len(g):
            raise ValueError("nn.PairwiseDistance: expected a forward of the input before the backward")
        p = self.norm
        first, second = self._gradient_rows(input)
        np.subtract(x1, x2, out=first)
        if p == 1:
            self._signs(first)
        else:
            if p > 2:
                self.diff = power = memory.resized(self.diff, first.shape, first.dtype)
                _power(np.abs(first, out=power), p - 2)
                first *= power
            g = g * np.power(self.output + first.dtype.type(1e-6), -(p - 1))
        first *= g[:, None]
        negative(first, second)
        return self.gradInput

    @staticmethod
    def _signs(x: np.ndarray) -> None:
        """Replaces every element by its sign, a 0 by a random one."""
        zeros = np.flatnonzero(x == 0)
        np.copysign(1, x, out=x)  # np.sign is ten times as slow in place
        if zeros.size:
            x.reshape(-1)[zeros] = 2 * torch7.random_(np.empty(zeros.size), 1, 2) - 3


class MM(_Pair):
    """The product of two matrices, Y = A B, or of the matrices of two batches.

    Input a table of (n, k) and (k, m), or of (N, n, k) and (N, k, m); output (n, m) or (N, n, m). `transA` and
    `transB` transpose the matrices first. dA = dY B^T, dB = A^T dY. Raises ValueError when the sizes do not match.

    >>> MM(False, True).forward([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])])
    array([[11., 17.]])
    """

    def __init__(self, transA: bool = False, transB: bool = False):
        super().__init__()
        self.transA = transA or False
        self.transB = transB or False

    def _factors(self, input: Any) -> Pair:
        """The matrices as they are multiplied."""
        a, b = self._pair(input)
        if a.ndim not in (2, 3) or b.ndim != a.ndim:
            raise self._unfit(input, "two matrices or two batches of matrices")
        a = a.swapaxes(-1, -2) if self.transA else a
        b = b.swapaxes(-1, -2) if self.transB else b
        if a.shape[-1] != b.shape[-2] or a.shape[:-2] != b.shape[:-2]:
            raise self._unfit(input, "matrices whose sizes match")
        return a, b

    def updateOutput(self, input: Any) -> np.ndarray:
        a, b = self._factors(input)
        self.output = memory.resized(self.output, (*a.shape[:-1], b.shape[-1]), a.dtype)
        return np.matmul(a, b, out=self.output)

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        a, b = self._factors(input)
        g = shaped(self, gradOutput, (*a.shape[:-1], b.shape[-1]))
        first, second = self._gradients(*input)
        np.matmul(g, b.swapaxes(-1, -2), out=first.swapaxes(-1, -2) if self.transA else first)
        np.matmul(a.swapaxes(-1, -2), g, out=second.swapaxes(-1, -2) if self.transB else second)
        return self.gradInput


class MV(_Pair):
    """The product of a matrix and a vector, y = M v, or of those of two batches.

    Input a table of (n, m) and (m), or of (N, n, m) and (N, m); output (n) or (N, n). `trans` transposes the matrix
    first. dM = dy v^T, dv = M^T dy. Raises ValueError when the sizes do not match.

    >>> MV().forward([np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 10.0])])
    array([21., 43.])
    """

    def __init__(self, trans: bool = False):
        super().__init__()
        self.trans = trans or False
        if not isinstance(self.trans, (bool, np.bool_)):
            raise TypeError(f"nn.MV: expected True or False for trans, got {trans!r:.80}")

    def _factors(self, input: Any) -> Pair:
        """The matrix as it is multiplied, and the vector."""
        m, v = self._pair(input)
        if m.ndim not in (2, 3) or v.ndim != m.ndim - 1:
            raise self._unfit(input, "a matrix and a vector, or batches of them")
        m = m.swapaxes(-1, -2) if self.trans else m
        if m.shape[-1] != v.shape[-1] or m.shape[:-2] != v.shape[:-1]:
            raise self._unfit(input, "a matrix and a vector whose sizes match")
        return m, v

    def updateOutput(self, input: Any) -> np.ndarray:
        m, v = self._factors(input)
        self.output = out = memory.resized(self.output, m.shape[:-1], m.dtype)
        np.matmul(m, v[..., None], out=out[..., None])
        return out

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        m, v = self._factors(input)
        g = shaped(self, gradOutput, m.shape[:-1])
        first, second = self._gradients(*input)
        np.multiply(g[..., None], v[..., None, :], out=first.swapaxes(-1, -2) if self.trans else first)
        np.matmul(m.swapaxes(-1, -2), g[..., None], out=second[..., None])
        return self.gradInput
