"""Losses that want the right answer ahead of others by a margin, and classes as corners of a simplex."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import positions
from torch7.memory import scratch

from ..checks import number
from ..kernels.elementary import log_one_and_exp, negative, one_and_exp
from ..kernels.scatter import add_rows
from .base import (
    AveragedLoss,
    ElementwiseLoss,
    matrix,
    row_labels,
    total,
    weights_given,
    weights_per_class,
    whole_labels,
)
from .regression import MSECriterion

BLOCK = 1 << 17  # numbers at a time, where there are more than fit into the cache


class MarginCriterion(ElementwiseLoss):
    """The hinge loss of two classes: loss = 1/n sum_i max(0, margin - t_i x_i).

    Input: scores in any shape; target: as many numbers 1 or -1. The field `sizeAverage` is True; set to False the loss
    is the sum. The gradient is -t/n where t x < margin, else 0.

    Raises ValueError for different numbers of elements, TypeError for other types.

    >>> c = MarginCriterion()
    >>> x, target = np.array([0.5, 2.0, 0.5, -3.0]), np.array([1.0, 1.0, -1.0, -1.0])
    >>> c.forward(x, target)  # (0.5 + 0 + 1.5 + 0) / 4
    0.5
    >>> c.backward(x, target)
    array([-0.25,  0.  ,  0.25,  0.  ])
    """

    margin: Any = 1

    def __init__(self, margin: float | None = 1):
        super().__init__()
        self.margin = number(self, margin, 1)

    def _total(self, x: np.ndarray, t: np.ndarray) -> float:
        z = np.multiply(x, t, out=scratch(x.shape, x.dtype))
        np.subtract(self.margin, z, out=z)
        return total(np.fmax(z, 0, out=z))  # nan counts 0, as in Torch

    def _gradient(self, x: np.ndarray, t: np.ndarray, share: float, out: np.ndarray) -> None:
        np.multiply(x, t, out=out)
        np.less(out, self.margin, out=out)
        out *= t
        out *= share
        np.subtract(0, out, out=out)  # no -0


class SoftMarginCriterion(ElementwiseLoss):
    """The logistic loss of two classes: loss = 1/n sum_i log(1 + exp(-t_i x_i)).

    Input: scores in any shape; target: as many numbers 1 or -1. The field `sizeAverage` is True; set to False the loss
    is the sum. The gradient is -t/n / (1 + exp(t x)). Both are finite also where Torch's are not, at t x below -709
    (or -88 for the gradient in single precision).

    Raises ValueError for different numbers of elements, TypeError for other types.

    >>> c = SoftMarginCriterion()
    >>> x, target = np.array([0.0, np.log(3.0)]), np.array([1.0, -1.0])
    >>> round(c.forward(x, target), 4)  # (log 2 + log 4) / 2
    1.0397
    >>> c.backward(x, target)
    array([-0.25 ,  0.375])
    """

    def __init__(self) -> None:
        super().__init__()

    def _total(self, x: np.ndarray, t: np.ndarray) -> float:
        z, out, work = scratch((3, *x.shape), x.dtype)
        negative(np.multiply(x, t, out=z), z)
        return total(log_one_and_exp(z, out, work))

    def _gradient(self, x: np.ndarray, t: np.ndarray, share: float, out: np.ndarray) -> None:
        one_and_exp(np.multiply(x, t, out=out), out)
        np.divide(t, out, out=out)
        out *= -share


class MultiMarginCriterion(AveragedLoss):
    """The hinge loss of many classes: 1/N sum_n 1/C sum_{c != t_n} w[t_n] max(0, margin - x[n, t_n] + x[n, c])^p.

    Input: scores (C) or (N, C). Target: the label 1..C, or (N) labels, of any integer or floating type. `p` is 1 or 2;
    `weights` (C) weighs the classes. The field `sizeAverage` is True; set to False the losses of the rows are summed.
    The gradient at a wrong class within the margin is w/(N C), or 2 w/(N C) times the rest for p = 2; at the right
    class minus the sum of those.

    Raises IndexError for a label below 1 or above C, ValueError for another p and for shapes that do not belong
    together.

    >>> c = MultiMarginCriterion()
    >>> x = np.array([[3.0, 2.5, 1.0, 4.0]])
    >>> c.forward(x, 1)  # (0.5 + 0 + 2) / 4
    0.625
    >>> c.backward(x, 1)
    array([[-0.5 ,  0.25,  0.  ,  0.25]])
    """

    p: Any = 1
    margin: Any = 1
    weights: Any = None

    def __init__(self, p: int | None = 1, weights: np.ndarray | None = None, margin: float | None = 1):
        super().__init__()
        self.p = number(self, p, 1)
        if self.p not in (1, 2):
            raise ValueError(f"{torch7.typename(self)}: expected 1 or 2 as p, got {p}")
        self.margin = number(self, margin, 1)
        if weights_given(self, weights) is not None:
            self.weights = weights

    def _margins(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray, Any]:
        """How far each class is within the margin (0 at the right one), the right classes, and their weights."""
        x = matrix(self, input)
        n, classes = x.shape
        right = positions(row_labels(self, target, input, n), classes, str(torch7.typename(self)), "labels")
        rows = np.arange(n)
        z = np.add(x, (self.margin - x[rows, right])[:, None], out=scratch(x.shape, x.dtype))
        z[rows, right] = 0
        if self.weights is None:
            return z, right, None
        return z, right, weights_per_class(self, self.weights, classes, x)[right]

    def updateOutput(self, input: Any, target: Any) -> float:
        z, _, weights = self._margins(input, target)
        np.fmax(z, 0, out=z)  # nan counts 0, as in Torch
        if self.p == 2:
            z *= z
        if weights is not None:
            z *= weights[:, None]
        n, classes = z.shape
        self.output = self._keep(self._mean(total(z) / classes, n), z.dtype)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        z, right, weights = self._margins(input, target)
        n, classes = z.shape
        self.gradInput = memory.resized(self.gradInput, input.shape, z.dtype)
        out = np.atleast_2d(self.gradInput)
        if self.p == 2:
            np.fmax(z, 0, out=out)
        else:
            np.greater(z, 0, out=out)
        share = self.p * self._share(n) / classes
        out *= share if weights is None else (share * weights)[:, None]
        out[np.arange(n), right] = -np.add.reduce(out, 1)
        return self.gradInput


class MultiLabelMarginCriterion(AveragedLoss):
    """The hinge loss of several labels: 1/N sum_n 1/C sum_{j in t_n} sum_{c not in t_n} max(0, 1 - x[n, j] + x[n, c]).

    Input: scores (C) or (N, C). Target: in the same shape labels 1..C, of any integer or floating type, of which those
    before the first 0 count: [3, 1, 0, 4] means classes 3 and 1. A label that is there twice counts twice. The field
    `sizeAverage` is True; set to False the losses of the rows are summed. After forward, `isTarget` is 1 at the labels
    and 0 elsewhere. The gradient is 1/(N C) at a wrong class, and -1/(N C) at a right one, for each such pair within
    the margin.

    Raises IndexError for a label below 0 or above C, ValueError for shapes that do not belong together and labels
    that are not whole.

    >>> c = MultiLabelMarginCriterion()
    >>> x = np.array([0.0, 2.0, 1.5, 0.5])
    >>> c.forward(x, np.array([2, 1, 0, 0]))  # (0.5 + 0 + 2.5 + 1.5) / 4
    1.125
    >>> c.backward(x, np.array([2, 1, 0, 0]))
    array([-0.5 , -0.25,  0.5 ,  0.25])
    """

    isTarget: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.isTarget = memory.empty()

    def _labels(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The input as a matrix, and for every label that counts its row and its class."""
        x, who = matrix(self, input), str(torch7.typename(self))
        labels = whole_labels(self, target)
        if labels.shape != input.shape:
            raise ValueError(
                f"{who}: expected labels of the input's shape {input.shape}, got labels of shape {labels.shape}"
            )
        classes = x.shape[1]
        if labels.min() < 0 or labels.max() > classes:
            wrong = labels[(labels < 0) | (labels > classes)][0]
            raise IndexError(f"{who}: labels count from 1 (a 0 ends them) and go up to {classes}, got {wrong}")
        labels = np.atleast_2d(labels)
        ends = labels == 0
        counts = np.where(ends.any(1), ends.argmax(1), classes)
        rows, places = np.nonzero(np.arange(counts.max()) < counts[:, None])
        return x, rows, positions(labels[rows, places], classes, who, "labels")

    def updateOutput(self, input: Any, target: Any) -> float:
        x, rows, right = self._labels(input, target)
        self.isTarget = memory.resized(self.isTarget, input.shape, x.dtype)
        self.isTarget.fill(0)
        np.atleast_2d(self.isTarget)[rows, right] = 1
        loss = sum(total(np.fmax(z, 0, out=z)) for _, z in _pairs(x, rows, right))
        self.output = self._keep(self._mean(loss / x.shape[1], len(x)), x.dtype)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        x, rows, right = self._labels(input, target)
        self.gradInput = memory.resized(self.gradInput, input.shape, x.dtype)
        out = np.atleast_2d(self.gradInput)
        out.fill(0)
        for block, z in _pairs(x, rows, right):
            np.greater(z, 0, out=z)
            add_rows(out, rows[block], z)
            np.subtract.at(out, (rows[block], right[block]), np.add.reduce(z, 1))
        out *= self._share(len(x)) / x.shape[1]
        return self.gradInput


def _pairs(x: np.ndarray, rows: np.ndarray, right: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """(which labels, 1 - x[label] + x[other class]) for blocks of labels; -inf at classes that are labels too."""
    n, classes = x.shape
    step = min(max(1, BLOCK // classes), len(rows))
    work = scratch((n + step, classes), x.dtype)
    others, room = work[:n], work[n:]
    others[...] = x
    others[rows, right] = -np.inf
    ahead = (1 - x[rows, right])[:, None]
    for start in range(0, len(rows), step or 1):
        block = slice(start, start + step)
        z = np.take(others, rows[block], 0, out=room[: len(rows[block])], mode="clip")
        z += ahead[block]
        yield block, z


class ClassSimplexCriterion(MSECriterion):
    """The mean squared error to the corner of a simplex that stands for the class: 1/n sum_i (x_i - s[t]_i)^2.

    The `nClasses` corners s, rows of the field `simplex`, are unit vectors of `nClasses` dimensions, all at one
    distance from one another; the last dimension is always 0. Input: (nClasses) or (N, nClasses); target: a label from
    1 on, or (N) labels, of any integer or floating type. `sizeAverage` is a field, as of MSECriterion. backward uses
    the target of the last forward. See
    https://arxiv.org/abs/1506.08230.

    Raises IndexError for a label below 1 or above nClasses, ValueError for nClasses below 2 and for shapes that do not
    belong together.

    >>> c = ClassSimplexCriterion(3)
    >>> c.simplex.round(4)
    array([[ 1.   ,  0.   ,  0.   ],
           [-0.5  ,  0.866,  0.   ],
           [-0.5  , -0.866,  0.   ]])
    >>> round(c.forward(np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), np.array([1, 2])), 4)  # (1.5^2 + 0.75) / 6
    0.5
    >>> c.getTopPrediction(np.array([[1.0, 0.0, 0.0], [-0.5, -1.0, 0.0]]))
    array([1, 3])
    """

    def __init__(self, nClasses: int):
        super().__init__()
        if torch7.type(nClasses) != "number" or nClasses != nClasses // 1 or nClasses < 2:
            raise ValueError(f"{torch7.typename(self)}: expected a whole number of classes, 2 or more, got {nClasses}")
        self.nClasses = int(nClasses)
        self.simplex = _simplex(self.nClasses)
        self._target = memory.empty((self.nClasses,))

    def updateOutput(self, input: Any, target: Any) -> float:
        right = positions(whole_labels(self, target), self.nClasses, str(torch7.typename(self)), "labels")
        if right.ndim > 1:
            raise ValueError(f"{torch7.typename(self)}: expected a label or a vector of labels, got {right.shape}")
        corners = self.typed(self.simplex)
        self._target = memory.resized(self._target, (*right.shape, self.nClasses), corners.dtype)
        np.take(corners, right, 0, out=self._target, mode="clip")
        return super().updateOutput(input, self._target)

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        return super().updateGradInput(input, self._target)

    def getPredictions(self, input: np.ndarray) -> np.ndarray:
        """The score of every class, (N, nClasses), for an input (N, nClasses), or (nClasses) as one row of it."""
        x = matrix(self, input)
        if x.shape[1] != self.nClasses:
            raise ValueError(
                f"{torch7.typename(self)}: expected {self.nClasses} input columns, got shape {input.shape}"
            )
        return x @ self.simplex.T

    def getTopPrediction(self, input: np.ndarray) -> np.ndarray:
        """The label with the highest score for each row of the input, (N)."""
        return self.getPredictions(input).argmax(1) + 1


def _simplex(n: int) -> np.ndarray:
    """n points in n dimensions with the origin in their middle, each at distance 1 from it; one triangle of numbers.

    Point k is the first that has a coordinate k; its own is sqrt(n (n - k) / ((n - 1) (n - k + 1))), that of all later
    points -1/(n - k) times this.
    """
    k = np.arange(1, n)
    own = np.sqrt(n * (n - k) / ((n - 1) * (n - k + 1)))
    corners = memory.zeros((n, n))
    corners[:, :-1] = np.tril(np.broadcast_to(-own / (n - k), (n, n - 1)), -1)
    np.fill_diagonal(corners[:, :-1], own)
    return corners
