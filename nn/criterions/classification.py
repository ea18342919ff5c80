"""Losses of classes: labels count from 1."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import positions, whole_numbers

from ..activations.softmax import LogSoftMax
from ..criterion import Criterion

EPS = 1e-12  # keeps the logarithms of BCECriterion finite


class _Weighted(Criterion):
    """What losses with a weight for each class, or none, have in common; their length is the number of weights."""

    sizeAverage: Any = None
    weights: Any = None

    def __init__(self, weights: np.ndarray | None = None, sizeAverage: bool | None = True):
        super().__init__()
        self.sizeAverage = True if sizeAverage is None else sizeAverage
        if weights is not None:
            if not torch7.isTensor(weights) or weights.ndim != 1:
                got = f"shape {weights.shape}" if torch7.isTensor(weights) else f"a {torch7.type(weights)}"
                raise ValueError(f"{torch7.typename(self)}: expected a one-dimensional tensor of weights, got {got}")
            self.weights = weights

    def __len__(self) -> int:
        return 0 if self.weights is None else len(self.weights)

    def __bool__(self) -> bool:
        return True  # a criterion without weights is still a criterion


class ClassNLLCriterion(_Weighted):
    """The negative log likelihood of the right classes: loss = -sum_n w[t_n] x[n, t_n] / sum_n w[t_n].

    Input: logarithms of probabilities, as LogSoftMax gives them, (C) or (N, C). Target: the label 1..C, or (N) labels,
    of any integer or floating type. `weights` (C) weighs the classes, all the same without it. Without `sizeAverage`
    the loss is the sum, not divided by the weights. Rows whose label is `ignoreIndex` do not count; when none
    counts the loss is 0. The gradient is -w[t_n] / sum_n w[t_n], or -w[t_n], at the labels, and 0 elsewhere.

    Raises IndexError for a label below 1 or above C, ValueError for shapes that do not belong together and for
    labels that are not whole.

    >>> nll = ClassNLLCriterion()
    >>> x = np.log([[0.5, 0.5], [0.75, 0.25]])
    >>> round(nll.forward(x, np.array([1, 2])), 4)  # -(log 0.5 + log 0.25) / 2
    1.0397
    >>> nll.backward(x, np.array([1, 2]))
    array([[-0.5,  0. ],
           [ 0. , -0.5]])
    """

    ignoreIndex: Any = -100  # as in files of before there was one
    total_weight_tensor: Any = None
    target: Any = None

    def __init__(
        self,
        weights: np.ndarray | None = None,
        sizeAverage: bool | None = True,
        ignoreIndex: int | None = -100,
    ):
        super().__init__(weights, sizeAverage)
        self.ignoreIndex = -100 if ignoreIndex is None else ignoreIndex
        self.output_tensor = memory.zeros((1,))
        self.total_weight_tensor = torch7.ones(1)
        self.target = memory.zeros((1,), np.int64)

    def _matrix(self, input: Any, target: Any) -> np.ndarray:
        """The input as a matrix, with as many labels in `target` as it has rows."""
        x = self.typed(input)
        if x.ndim not in (1, 2) or x.size == 0:
            raise ValueError(f"{torch7.typename(self)}: expected a vector or a matrix, got shape {x.shape}")
        x = np.atleast_2d(x)
        labels = np.atleast_1d(whole_numbers(target, str(torch7.typename(self)), "labels"))
        if labels.shape != x.shape[:1]:
            raise ValueError(
                f"{torch7.typename(self)}: expected {len(x)} labels for an input of shape {input.shape}, "
                f"got labels of shape {labels.shape}"
            )
        self.target = memory.resized(self.target, labels.shape, labels.dtype)
        self.target[...] = labels
        return x

    def _counted(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
        """The rows that count, the positions of their classes, and these classes' weights."""
        rows = np.flatnonzero(self.target != self.ignoreIndex)
        classes = positions(self.target[rows], x.shape[1], str(torch7.typename(self)), "labels")
        if self.weights is None:
            return rows, classes, None
        weights = self.typed(self.weights)
        if weights.size != x.shape[1]:
            raise ValueError(
                f"{torch7.typename(self)}: expected {weights.size} classes, one for each weight, got shape {x.shape}"
            )
        return rows, classes, weights[classes]

    def updateOutput(self, input: Any, target: Any) -> float:
        x = self._matrix(input, target)
        rows, classes, weights = self._counted(x)
        right = x[rows, classes]
        total = float(len(rows) if weights is None else weights.sum())
        loss = 0.0 - float(right.sum() if weights is None else np.dot(right, weights))
        self.total_weight_tensor = memory.resized(self.total_weight_tensor, (1,), x.dtype)
        self.total_weight_tensor[0] = total
        self.output = self._keep(loss / total if self.sizeAverage and total else loss, x.dtype)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        x = self._matrix(input, target)
        rows, classes, weights = self._counted(x)
        self.gradInput = memory.resized(self.gradInput, input.shape, x.dtype)
        self.gradInput.fill(0)
        total = self.total_weight_tensor.item()  # the forward's, as in Torch
        if total > 0:
            share = -1 / total if self.sizeAverage else -1
            np.atleast_2d(self.gradInput)[rows, classes] = share if weights is None else share * weights
        return self.gradInput


class CrossEntropyCriterion(Criterion):
    """The negative log likelihood of the right classes from scores: LogSoftMax followed by ClassNLLCriterion.

    Input: scores (C) or (N, C). Dimensions of size 1 are dropped from the input and from the labels; the gradient has
    the input's shape. Arguments, targets and errors are those of ClassNLLCriterion.

    >>> round(CrossEntropyCriterion().forward(np.log([1.0, 3.0, 4.0]), 3), 4)  # -log 0.5
    0.6931
    """

    sizeAverage: Any = None
    oldSizeAverage: Any = None

    def __init__(self, weights: np.ndarray | None = None, sizeAverage: bool | None = True):
        super().__init__()
        self.lsm = LogSoftMax()
        self.nll = ClassNLLCriterion(weights, sizeAverage)
        self.sizeAverage = self.oldSizeAverage = self.nll.sizeAverage

    def _prepared(self, input: Any, target: Any) -> tuple[np.ndarray, Any]:
        """Input and labels without dimensions of size 1; a changed `sizeAverage` reaches the inner criterion."""
        if self.sizeAverage != self.oldSizeAverage:  # only a change: scripts may have set the inner one's
            self.nll.sizeAverage = self.sizeAverage
        self.oldSizeAverage = self.sizeAverage
        return _squeezed(self.typed(input)), _squeezed(target) if isinstance(target, np.ndarray) else target

    def updateOutput(self, input: Any, target: Any) -> float:
        x, labels = self._prepared(input, target)
        self.output = self.nll.updateOutput(self.lsm.updateOutput(x), labels)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        x, labels = self._prepared(input, target)
        gradient = self.nll.updateGradInput(self.lsm.output, labels)
        self.gradInput = self.lsm.updateGradInput(x, gradient).reshape(input.shape)
        return self.gradInput


def _squeezed(x: np.ndarray) -> np.ndarray:
    """x without dimensions of size 1; one of them stays when there are no others."""
    return np.atleast_1d(x.squeeze())


class BCECriterion(_Weighted):
    """The binary cross entropy: loss = -1/n sum_i w_i (t_i log(x_i) + (1 - t_i) log(1 - x_i)).

    Input: probabilities, as Sigmoid gives them, in any shape; target: as many numbers from 0 to 1. `weights` (n) for an
    input (n), or (D) for targets (N, D). Without `sizeAverage` the sum. The gradient is
    -1/n w (t - x) / (x (1 - x)). 1e-12 is added to x and to 1 - x, so that 0 and 1 have finite losses.

    Raises ValueError for an input below 0 or above 1, and for shapes that do not belong together.

    >>> bce = BCECriterion()
    >>> round(bce.forward(np.array([0.5, 0.75]), np.array([1.0, 0.0])), 4)  # -(log 0.5 + log 0.25) / 2
    1.0397
    """

    def _terms(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray, Any]:
        """Input, target and weights in double, in which Torch computes the loss for any type."""
        x, t = (a.astype(np.float64, copy=False) for a in self._paired(input, target))
        weights: Any = 1
        if self.weights is not None:
            weights = self.typed(self.weights)
            if target.ndim > 2 or weights.size != target.shape[-1]:
                raise ValueError(
                    f"{torch7.typename(self)}: expected a target that fits {weights.size} weights, "
                    f"got shape {target.shape}"
                )
            weights = np.broadcast_to(weights, target.shape).reshape(x.shape).astype(np.float64)
        return x, t, weights

    def updateOutput(self, input: Any, target: Any) -> float:
        x, t, weights = self._terms(input, target)
        if not (x.min() >= 0 and x.max() <= 1):
            wrong = x[~((x >= 0) & (x <= 1))][0]
            raise ValueError(f"{torch7.typename(self)}: expected an input between 0 and 1, got {wrong}")
        terms = np.log(x + EPS) * t + np.log(1 - x + EPS) * (1 - t)
        loss = 0.0 - float((terms * weights).sum())
        self.output = self._keep(loss / x.size if self.sizeAverage else loss, input.dtype)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        x, t, weights = self._terms(input, target)
        self.gradInput = memory.resized(self.gradInput, x.shape, input.dtype)
        share = -1 / x.size if self.sizeAverage else -1
        self.gradInput[...] = share * weights * (t - x) / ((1 - x + EPS) * (x + EPS))
        return self.gradInput
