"""What losses have in common: means or sums, pairs of tensors, labels and weights."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import whole_numbers

from ..checks import described, table
from ..criterion import Criterion


def total(x: np.ndarray) -> float:
    """The sum of all numbers, made in double."""
    return float(np.add.reduce(x, None, np.float64))


class AveragedLoss(Criterion):
    """A loss that is a sum, divided by a count where the field `sizeAverage` says so at the time of the call."""

    sizeAverage: Any = None

    def __init__(self, sizeAverage: bool | None = True):
        super().__init__()
        self.sizeAverage = True if sizeAverage is None else sizeAverage

    def _mean(self, loss: float, n: int) -> float:
        return loss / n if self.sizeAverage else loss

    def _share(self, n: int) -> float:
        """The factor of gradients that belongs to `_mean`."""
        return 1 / n if self.sizeAverage else 1


class ElementwiseLoss(AveragedLoss):
    """A sum, or mean, over the elements of an input and a target: a class writes `_total` and `_gradient`."""

    def _total(self, x: np.ndarray, t: np.ndarray) -> float:
        """The sum of the losses of all elements."""
        raise TypeError(f"{torch7.typename(self)}: the loss has to be defined")

    def _gradient(self, x: np.ndarray, t: np.ndarray, share: float, out: np.ndarray) -> None:
        """out = share * the derivative of the loss of every element."""
        raise TypeError(f"{torch7.typename(self)}: the derivative of the loss has to be defined")

    def updateOutput(self, input: Any, target: Any) -> float:
        x, t = self._paired(input, target)
        self.output = self._keep(self._mean(self._total(x, t), x.size), x.dtype)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        x, t = self._paired(input, target)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        self._gradient(x, t, self._share(x.size), self.gradInput)
        return self.gradInput


def weights_given(criterion: Criterion, weights: Any) -> Any:
    """The weights for a constructor: None or a vector."""
    if weights is None or (torch7.isTensor(weights) and weights.ndim == 1):
        return weights
    got = f"shape {weights.shape}" if torch7.isTensor(weights) else f"a {torch7.type(weights)}"
    raise ValueError(f"{torch7.typename(criterion)}: expected a one-dimensional tensor of weights, got {got}")


class WeightedLoss(AveragedLoss):
    """A loss with a weight for each class, or none; its length is the number of weights."""

    weights: Any = None

    def __init__(self, weights: np.ndarray | None = None, sizeAverage: bool | None = True):
        super().__init__(sizeAverage)
        if weights_given(self, weights) is not None:
            self.weights = weights

    def __len__(self) -> int:
        return 0 if self.weights is None else len(self.weights)

    def __bool__(self) -> bool:
        return True  # a criterion without weights is still a criterion

    def _weights_of(self, target: np.ndarray, x: np.ndarray) -> Any:
        """The weight of every element of x, or None: weights go with the last dimension of a target (n) or (N, n)."""
        if self.weights is None:
            return None
        weights = self.typed(self.weights)
        if target.ndim > 2 or weights.size != target.shape[-1]:
            raise ValueError(
                f"{torch7.typename(self)}: expected a target that fits {weights.size} weights, got shape {target.shape}"
            )
        return np.broadcast_to(weights, target.shape).reshape(x.shape)


def weights_per_class(criterion: Criterion, weights: Any, classes: int, x: np.ndarray) -> np.ndarray:
    """The weights, if there is one of the criterion's type for each class of x."""
    weights = criterion.typed(weights)
    if weights.size == classes:
        return weights
    raise ValueError(
        f"{torch7.typename(criterion)}: expected {weights.size} classes, one for each weight, got shape {x.shape}"
    )


def matrix(criterion: Criterion, input: Any) -> np.ndarray:
    """The input, a vector or a matrix, as a matrix."""
    x = criterion.typed(input)
    if x.ndim not in (1, 2) or x.size == 0:
        raise ValueError(f"{torch7.typename(criterion)}: expected a vector or a matrix, got shape {x.shape}")
    return np.atleast_2d(x)


def whole_labels(criterion: Criterion, target: Any) -> np.ndarray:
    """The labels, a number or a tensor, as whole numbers that count from 1."""
    if torch7.is_table(target):
        raise TypeError(
            f"{torch7.typename(criterion)}: expected a label or a tensor of labels, got {described(target)}"
        )
    return whole_numbers(target, str(torch7.typename(criterion)), "labels")


def row_labels(criterion: Criterion, target: Any, input: np.ndarray, rows: int) -> np.ndarray:
    """The labels of the rows of a matrix, as whole numbers that count from 1: `target` is one label or a vector."""
    labels = np.atleast_1d(whole_labels(criterion, target))
    if labels.shape == (rows,):
        return labels
    raise ValueError(
        f"{torch7.typename(criterion)}: expected {rows} labels for an input of shape {input.shape}, "
        f"got labels of shape {labels.shape}"
    )


def two_inputs(criterion: Criterion, input: Any) -> tuple[np.ndarray, np.ndarray]:
    """The two tensors of an input table, of the criterion's type and with equally many elements."""
    a, b = (criterion.typed(x) for x in table(criterion, input, 2)[:2])
    if a.size != b.size or a.size == 0:
        raise ValueError(
            f"{torch7.typename(criterion)}: expected two tensors of the same number of elements (not 0), "
            f"got shapes {a.shape} and {b.shape}"
        )
    return a, b


def signs(criterion: Criterion, target: Any, n: int) -> np.ndarray:
    """The target, a number or a tensor of any type, as a vector of n numbers: 1 for alike, -1 for different."""
    y = np.asarray(None if torch7.is_table(target) else target)
    if y.dtype.kind not in "iuf":
        raise TypeError(f"{torch7.typename(criterion)}: expected 1 or -1 as target, got {target!r:.80}")
    if y.size != n:
        raise ValueError(f"{torch7.typename(criterion)}: expected a target of {n} numbers, got shape {y.shape}")
    return y.reshape(n)
