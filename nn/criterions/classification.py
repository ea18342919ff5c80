"""Losses of probabilities of classes: labels count from 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import positions
from torch7.memory import scratch

from ..activations.softmax import LogSoftMax
from ..activations.transfer import Sigmoid
from ..checks import fitted, number
from ..criterion import Criterion
from ..kernels.softmax import log_softmax
from .base import ElementwiseLoss, WeightedLoss, matrix, row_labels, total, weights_per_class, whole_labels

EPS = 1e-12  # keeps the logarithms of BCECriterion finite
DOUBLE = np.dtype(np.float64)


class _Likelihood(WeightedLoss):
    """Minus the sum, or weighted mean, of the numbers at the right classes; classes are the second dimension."""

    ignoreIndex: Any = None
    output_tensor: Any = None
    total_weight_tensor: Any = None
    target: Any = None

    def __init__(self, weights: np.ndarray | None = None, sizeAverage: bool | None = True):
        super().__init__(weights, sizeAverage)
        self.output_tensor = memory.zeros((1,))
        self.total_weight_tensor = torch7.ones(1)
        self.target = memory.zeros((1,), np.int64)

    def _checked(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
        """The input with its classes in the second dimension, and a label for each position around it."""
        raise TypeError(f"{torch7.typename(self)}: the shapes of input and target have to be defined")

    def _right(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray, Any]:
        """The input, where in its memory the right classes are (of the labels that count), and their weights."""
        x, labels = self._checked(input, target)
        self.target = memory.resized(self.target, labels.shape, labels.dtype)
        self.target[...] = labels
        classes, inner = x.shape[1], math.prod(x.shape[2:])
        first = np.arange(0, x.size, classes * inner)
        if inner > 1:
            first = np.add.outer(first, np.arange(inner)).reshape(-1)
        labels = labels.reshape(-1)
        if self.ignoreIndex is not None and (ignored := labels == self.ignoreIndex).any():
            labels, first = labels[~ignored], first[~ignored]
        right = positions(labels, classes, str(torch7.typename(self)), "labels")
        weights = None if self.weights is None else weights_per_class(self, self.weights, classes, x)[right]
        return x, first + right * inner, weights

    def updateOutput(self, input: Any, target: Any) -> float:
        x, places, weights = self._right(input, target)
        right = x.reshape(-1)[places]
        weight = float(len(places) if weights is None else weights.sum())
        loss = 0.0 - float(right.sum() if weights is None else np.dot(right, weights))
        self.total_weight_tensor = memory.resized(self.total_weight_tensor, (1,), x.dtype)
        self.total_weight_tensor[0] = weight
        self.output = self._keep(loss / weight if self.sizeAverage and weight else loss, x.dtype)
        return self.output

    def _steps(self, input: Any, target: Any) -> tuple[np.ndarray, Any]:
        """Where the gradient is not zero, and what it is there, after forward: Torch takes its sum of weights."""
        x, places, weights = self._right(input, target)
        weight = self.total_weight_tensor.item()
        if not weight > 0:
            return places[:0], 0
        step = x.dtype.type(-1 / weight if self.sizeAverage else -1)
        return places, step if weights is None else step * weights

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        places, steps = self._steps(input, target)
        self.gradInput = memory.resized(self.gradInput, input.shape, input.dtype)
        self.gradInput.fill(0)
        np.put(self.gradInput, places, steps)
        return self.gradInput


class ClassNLLCriterion(_Likelihood):
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

    def __init__(
        self,
        weights: np.ndarray | None = None,
        sizeAverage: bool | None = True,
        ignoreIndex: int | None = -100,
    ):
        super().__init__(weights, sizeAverage)
        self.ignoreIndex = number(self, ignoreIndex, -100)

    def _checked(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
        x = matrix(self, input)
        return x, row_labels(self, target, input, len(x))


class SpatialClassNLLCriterion(_Likelihood):
    """The negative log likelihood of the right class of every point: -sum w[t] x[n, t, h, w] / sum w[t].

    Input: logarithms of probabilities (N, C, H, W), as SpatialLogSoftMax gives them. Target: labels 1..C (N, H, W), of
    any integer or floating type; no label is ignored. `weights`, `sizeAverage` and the gradient are those of
    ClassNLLCriterion.

    Raises IndexError for a label below 1 or above C, ValueError for shapes that do not belong together and for
    labels that are not whole.

    >>> nll = SpatialClassNLLCriterion()
    >>> x = np.log([[[[0.5, 0.75]], [[0.5, 0.25]]]])  # one image of two classes, one high and two wide
    >>> round(nll.forward(x, np.array([[[1, 2]]])), 4)  # -(log 0.5 + log 0.25) / 2
    1.0397
    >>> nll.backward(x, np.array([[[1, 2]]]))
    array([[[[-0.5,  0. ]],
            [[ 0. , -0.5]]]])
    """

    def _checked(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
        x = self.typed(input)
        labels = whole_labels(self, target)
        if x.ndim != 4 or x.size == 0 or labels.shape != (len(x), *x.shape[2:]):
            raise ValueError(
                f"{torch7.typename(self)}: expected an input (N, C, H, W) and labels (N, H, W), "
                f"got shapes {x.shape} and {labels.shape}"
            )
        return x, labels


class CrossEntropyCriterion(Criterion):
    """The negative log likelihood of the right classes from scores: LogSoftMax followed by ClassNLLCriterion.

    Input: scores (C) or (N, C). Dimensions of size 1 are dropped from the input and from the labels; the gradient has
    the input's shape. Arguments, targets and errors are those of ClassNLLCriterion.

    >>> round(CrossEntropyCriterion().forward(np.log([1.0, 3.0, 4.0]), 3), 4)  # -log 0.5
    0.6931
    """

    TRANSIENT = ("_powers",)
    sizeAverage: Any = None
    oldSizeAverage: Any = None
    _powers: Any = None  # exp(x - max) of the last forward, from which the gradient needs no second exp

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
        rows = matrix(self, x)
        self._powers = memory.resized(self._powers, rows.shape, x.dtype)
        self.lsm.output = memory.resized(self.lsm.output, x.shape, x.dtype)
        log_softmax(rows, 1, np.atleast_2d(self.lsm.output), self._powers)
        self.output = self.nll.updateOutput(self.lsm.output, labels)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        x, labels = self._prepared(input, target)
        logs = fitted(self, self.lsm.output, x)
        places, steps = self.nll._steps(logs, labels)
        # the gradient of LogSoftMax for one number g in each row: g at the label, less g times all probabilities
        powers = np.atleast_2d(np.exp(logs)) if self._powers is None else self._powers
        scale = np.zeros(len(powers), x.dtype)
        scale[places // x.shape[-1]] = steps
        scale /= -np.add.reduce(powers, 1, np.float64)
        self.gradInput = memory.resized(self.gradInput, input.shape, x.dtype)
        np.multiply(powers, scale[:, None], out=self.gradInput.reshape(powers.shape))
        self.gradInput.reshape(-1)[places] += steps
        return self.gradInput


def _squeezed(x: np.ndarray) -> np.ndarray:
    """x without dimensions of size 1; one of them stays when there are no others."""
    return np.atleast_1d(x.squeeze())


class BCECriterion(WeightedLoss, ElementwiseLoss):
    """The binary cross entropy: loss = -1/n sum_i w_i (t_i log(x_i) + (1 - t_i) log(1 - x_i)).

    Input: probabilities, as Sigmoid gives them, in any shape; target: as many numbers from 0 to 1. `weights` (n) for an
    input (n), or (D) for targets (N, D). Without `sizeAverage` the sum. The gradient is
    -1/n w (t - x) / (x (1 - x)). 1e-12 is added to x and to 1 - x, so that 0 and 1 have finite losses.

    Raises ValueError for an input below 0 or above 1, and for shapes that do not belong together.

    >>> bce = BCECriterion()
    >>> round(bce.forward(np.array([0.5, 0.75]), np.array([1.0, 0.0])), 4)  # -(log 0.5 + log 0.25) / 2
    1.0397
    """

    def _weighed(self, values: np.ndarray, target: np.ndarray, x: np.ndarray) -> np.ndarray:
        weights = self._weights_of(target, x)
        if weights is not None:
            values *= weights.reshape(values.shape)
        return values

    def updateOutput(self, input: Any, target: Any) -> float:
        x, t = self._paired(input, target)
        if not (x.min() >= 0 and x.max() <= 1):
            wrong = x[~((x >= 0) & (x <= 1))][0]
            raise ValueError(f"{torch7.typename(self)}: expected an input between 0 and 1, got {wrong}")
        right, wrong = scratch((2, *x.shape), DOUBLE)  # Torch computes in double for any type
        np.log(np.add(x, EPS, out=right, dtype=DOUBLE), out=right)
        np.subtract(1, x, out=wrong, dtype=DOUBLE)
        wrong += EPS
        np.log(wrong, out=wrong)
        right -= wrong
        right *= t
        right += wrong  # t log(x) + (1 - t) log(1 - x)
        loss = 0.0 - total(self._weighed(right, target, x))
        self.output = self._keep(self._mean(loss, x.size), x.dtype)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        x, t = self._paired(input, target)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        below, other = scratch((2, *x.shape), DOUBLE)
        np.subtract(1, x, out=below, dtype=DOUBLE)
        below += EPS
        below *= np.add(x, EPS, out=other, dtype=DOUBLE)
        np.subtract(x, t, out=other, dtype=DOUBLE)
        other /= below
        other *= self._share(x.size)
        self.gradInput[...] = self._weighed(other, target, x)
        return self.gradInput


class MultiLabelSoftMarginCriterion(WeightedLoss, ElementwiseLoss):
    """The binary cross entropy of scores: loss = -1/n sum_i w_i (t_i log(s_i) + (1 - t_i) log(1 - s_i)).

    s = 1 / (1 + exp(-x)). Input: scores in any shape; target: as many numbers from 0 to 1, usually (N, C) with 1 for
    every label that an input has. `weights` (n) for targets (n), or (C) for targets (N, C). Without `sizeAverage` the
    sum. The gradient is w (s - t) / n, or w (s - t); backward uses the s of the last forward. Scores of any size
    have finite losses.

    Raises ValueError for shapes that do not belong together, TypeError for other types.

    >>> c = MultiLabelSoftMarginCriterion()
    >>> x, target = np.array([[0.0, np.log(3.0)]]), np.array([[1.0, 0.0]])  # probabilities 0.5 and 0.75
    >>> round(c.forward(x, target), 4)  # -(log 0.5 + log 0.25) / 2
    1.0397
    >>> c.backward(x, target)
    array([[-0.25 ,  0.375]])
    """

    sigmoid: Any = None

    def __init__(self, weights: np.ndarray | None = None, sizeAverage: bool | None = True):
        super().__init__(weights, sizeAverage)
        self.sigmoid = Sigmoid()

    def torch_loaded(self, version: int) -> None:
        """Completes a criterion read from a file: until September 2016 it was made of a Sigmoid and a BCECriterion."""
        inner = vars(self).pop("nll", None)
        if inner is not None:
            self.sigmoid = vars(self).pop("lsm")
            self.weights, self.sizeAverage = inner.weights, inner.sizeAverage

    def updateOutput(self, input: Any, target: Any) -> float:
        x, t = self._paired(input, target)
        s = self.sigmoid.updateOutput(x)
        weights = self._weights_of(target, x)
        losses, work = scratch((2, *x.shape), x.dtype)
        # max(x, 0) - x t + log(1 + exp(-|x|)), where the last is -log(max(s, 1 - s))
        np.subtract(1, s, out=work)
        np.maximum(s, work, out=work)
        np.log(work, out=work)
        np.clip(x, 0, np.inf, out=losses)
        losses -= work
        losses -= np.multiply(x, t, out=work)
        if weights is not None:
            losses *= weights
        self.output = self._mean(total(losses), x.size)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        x, t = self._paired(input, target)
        weights = self._weights_of(target, x)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        np.subtract(fitted(self, self.sigmoid.output, x), t, out=self.gradInput)
        if weights is not None:
            self.gradInput *= weights
        self.gradInput *= self._share(x.size)
        return self.gradInput
