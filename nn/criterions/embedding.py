"""Losses of distances and of pairs: 1 says that two inputs are alike, -1 that they are not."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.memory import scratch

from ..checks import fitted, number, table
from ..criterion import Criterion
from ..kernels.elementary import log_one_and_exp, negative, one_and_exp
from ..kernels.masks import kept
from .base import AveragedLoss, signs, total, two_inputs

EPSILON = 1e-12  # in the squares of lengths: the cosine with a vector of zeros is 0


class _Pair(Criterion):
    """A loss of two tensors, with a gradient for each."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.gradInput = [memory.empty(), memory.empty()]

    def _buffers(self, a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
        """gradInput in the shapes of a and b."""
        if not torch7.is_table(self.gradInput):  # in files, where Torch returns its gradients without keeping them
            self.gradInput = [None, None]
        self.gradInput[:] = [memory.resized(g, x.shape, x.dtype) for g, x in zip(self.gradInput, (a, b))]
        return self.gradInput


class HingeEmbeddingCriterion(AveragedLoss):
    """The hinge loss of distances: 1/n sum_i of x_i where t_i = 1, and of max(0, margin - x_i) where t_i = -1.

    Input: distances in any shape, such as PairwiseDistance gives them; target: as many numbers 1 (alike) or -1
    (different), of any type, or one number for an input of one element. Where the target is neither, both terms count.
    The field `sizeAverage` is True; set to False the loss is the sum. The gradient is t/n, and 0 where t = -1
    and x > margin.

    Raises ValueError for different numbers of elements, TypeError for other types. See Hadsell et al., "Dimensionality
    reduction by learning an invariant mapping" (2006).

    >>> c = HingeEmbeddingCriterion()
    >>> x, target = np.array([0.5, 0.25, 2.0, 0.0]), np.array([1, -1, -1, 1])
    >>> c.forward(x, target)  # (0.5 + 0.75 + 0 + 0) / 4
    0.3125
    >>> c.backward(x, target)
    array([ 0.25, -0.25,  0.  ,  0.25])
    """

    margin: Any = 1
    sizeAverage: Any = True  # as in files of before there was one

    def __init__(self, margin: float | None = 1):
        super().__init__()
        self.margin = number(self, margin, 1)

    def updateOutput(self, input: Any, target: Any) -> float:
        x, y = self._distances(input, target)
        terms = scratch(x.shape, x.dtype)
        loss = total(kept(x, y != -1, terms))
        np.subtract(self.margin, x, out=terms)
        np.clip(terms, 0, np.inf, out=terms)
        loss += total(kept(terms, y != 1, terms))
        self.output = self._mean(loss, x.size)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> np.ndarray:
        x, y = self._distances(input, target)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        counted = x > self.margin
        counted &= y == -1
        np.logical_not(counted, out=counted)
        np.multiply(y, counted, out=self.gradInput, casting="unsafe")
        self.gradInput *= self._share(x.size)
        return self.gradInput

    def _distances(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
        x = self.typed(input)
        if x.size == 0:
            raise ValueError(f"{torch7.typename(self)}: expected distances, got shape {x.shape}")
        return x, signs(self, target, x.size).reshape(x.shape)


class L1HingeEmbeddingCriterion(_Pair):
    """The hinge loss of the distance of two inputs: d = sum_i |a_i - b_i| for target 1, max(0, margin - d) for -1.

    Input: [a, b], with as many elements each; target: the number 1 (alike) or -1 (different), or a tensor of this one
    number, which Torch would take for 1 whatever it holds. The gradients are the signs s of a - b and -s; -s and s for
    target -1, or 0 where d > margin. Where a and b are equal the sign is drawn: one random number per such element.

    Raises ValueError for different numbers of elements, TypeError for other types.

    >>> c = L1HingeEmbeddingCriterion(4)
    >>> x = [np.array([1.0, 2.0]), np.array([2.0, 0.0])]
    >>> c.forward(x, 1), c.forward(x, -1)
    (3.0, 1.0)
    >>> c.backward(x, -1)
    [array([ 1., -1.]), array([-1.,  1.])]
    """

    margin: Any = 1

    def __init__(self, margin: float | None = 1):
        super().__init__()
        self.margin = number(self, margin, 1)

    def updateOutput(self, input: Any, target: Any) -> float:
        a, b = two_inputs(self, input)
        difference = np.subtract(a, b.reshape(a.shape), out=scratch(a.shape, a.dtype))
        distance = total(np.abs(difference, out=difference))
        self.output = max(0.0, self.margin - distance) if signs(self, target, 1)[0] == -1 else distance
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> list[np.ndarray]:
        a, b = two_inputs(self, input)
        first, second = grads = self._buffers(a, b)
        np.subtract(a, b.reshape(a.shape), out=first)
        distance = total(np.abs(first, out=scratch(a.shape, a.dtype)))
        _random_signs(first)
        if signs(self, target, 1)[0] == -1:
            if distance > self.margin:
                first.fill(0)
            else:
                negative(first, first)
        np.subtract(0, first.reshape(b.shape), out=second)
        return grads


def _random_signs(x: np.ndarray) -> None:
    """Makes every number of x 1 or -1, its sign; where it has none, as one random number says."""
    drawn = ~((x > 0) | (x < 0))
    n = np.count_nonzero(drawn)
    np.sign(x, out=x)
    if n:
        x[drawn] = 2 * torch7.random_(np.empty(n, x.dtype), 1, 2) - 3


class CosineEmbeddingCriterion(_Pair, AveragedLoss):
    """The loss of the cosine of two inputs: 1 - cos(a, b) for target 1, max(0, cos(a, b) - margin) for target -1.

    Input: [a, b], vectors (D) or batches (N, D); target: 1 (alike) or -1 (different), a number for vectors, a tensor
    of N of them, of any type, for batches. 1e-12 is added to the squares of the lengths. The field `sizeAverage` is
    True: the losses of the rows are averaged; set to False they are summed. The gradients are those of the cosine,
    with the sign of the loss, and 0 for rows without loss. For any other target the loss is the cosine.

    Raises ValueError for shapes that do not belong together, TypeError for other types.

    >>> c = CosineEmbeddingCriterion()
    >>> x = [np.array([3.0, 4.0]), np.array([4.0, 3.0])]
    >>> round(c.forward(x, 1), 4), round(c.forward(x, -1), 4)  # the cosine is 24/25
    (0.04, 0.96)
    >>> [g.round(4) for g in c.backward(x, -1)]
    [array([ 0.0448, -0.0336]), array([-0.0336,  0.0448])]
    """

    margin: Any = 0

    def __init__(self, margin: float | None = 0):
        super().__init__()
        self.margin = number(self, margin, 0)

    def _rows(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        a, b = (self.typed(x) for x in table(self, input, 2)[:2])
        if a.ndim not in (1, 2) or a.shape != b.shape or a.size == 0:
            raise ValueError(
                f"{torch7.typename(self)}: expected two vectors, or two matrices, of the same shape, "
                f"got shapes {a.shape} and {b.shape}"
            )
        a, b = np.atleast_2d(a), np.atleast_2d(b)
        return a, b, signs(self, target, len(a))

    def _losses(self, a: np.ndarray, b: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The loss of every row: the cosine, with the margin, as the target wants it."""
        cosines = np.vecdot(a, b) * _length(a) * _length(b)
        return np.where(y == 1, 1 - cosines, np.where(y == -1, np.maximum(cosines - self.margin, 0), cosines))

    def updateOutput(self, input: Any, target: Any) -> float:
        a, b, y = self._rows(input, target)
        self.output = self._mean(total(self._losses(a, b, y)), len(y))
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> list[np.ndarray]:
        a, b, y = self._rows(input, target)
        grads = self._buffers(*input[:2])
        direction = np.where(y == 1, -1.0, 1.0) * self._share(len(y))
        direction[self._losses(a, b, y) <= 0] = 0
        over_a, over_b = _length(a), _length(b)
        scale = (direction * over_a * over_b).astype(a.dtype)
        projected = scale * np.vecdot(a, b)
        for x, other, over, grad in ((a, b, over_a, grads[0]), (b, a, over_b, grads[1])):
            # scale (other - x <a, b> / |x|^2)
            grad = grad.reshape(x.shape)
            np.multiply(other, scale[:, None], out=grad)
            grad -= np.multiply(x, (projected * over * over)[:, None], out=scratch(x.shape, x.dtype))
        return grads

    def type(self, type: str, tensorCache: dict[Any, Any] | None = None) -> Any:
        """Converts all tensors of the criterion to `type` ("torch.FloatTensor")."""
        super().type(type, tensorCache)
        self._idx = memory.empty((0,), np.uint8)  # where files have Torch's buffer of comparisons, of bytes in any type
        return self


def _length(x: np.ndarray) -> np.ndarray:
    """1 / |x| for every row."""
    return 1 / np.sqrt(np.vecdot(x, x) + EPSILON)


class MarginRankingCriterion(_Pair, AveragedLoss):
    """The hinge loss of an order: loss = 1/n sum_i max(0, margin - t_i (a_i - b_i)).

    Input: [a, b], scores of as many elements each; target: 1 where a is to be the larger, -1 where b is, a tensor with
    as many elements, or a number for inputs of one element. The field `sizeAverage` is True: n is the first size of the
    target (for a batch of rows the sum over each row counts); set to False the loss is the sum. The gradients are -t/n
    and t/n, or 0 where the order holds by more than the margin.

    Raises ValueError for different numbers of elements, TypeError for other types.

    >>> c = MarginRankingCriterion()
    >>> x, target = [np.array([1.0, 2.0]), np.array([0.5, 0.5])], np.array([1.0, -1.0])
    >>> c.forward(x, target)  # (0.5 + 2.5) / 2
    1.5
    >>> c.backward(x, target)
    [array([-0.5,  0.5]), array([ 0.5, -0.5])]
    >>> c.forward([np.array([1.0]), np.array([0.5])], 1)
    0.5
    """

    margin: Any = 1

    def __init__(self, margin: float | None = 1):
        super().__init__()
        self.margin = number(self, margin, 1)
        self.gradInput = [memory.empty((1,)), memory.empty((1,))]

    def _missing(self, input: Any, target: Any) -> tuple[np.ndarray, Any, int]:
        """How much is missing to the margin (negative: nothing), the target in this shape, and the number of rows."""
        a, b = two_inputs(self, input)
        if isinstance(target, np.ndarray) and target.ndim:
            y, rows = fitted(self, target, a), len(target)
        else:
            y, rows = signs(self, target, a.size).item(), 1
        z = np.subtract(b.reshape(a.shape), a, out=scratch(a.shape, a.dtype))
        z *= y
        z += self.margin
        return z, y, rows

    def updateOutput(self, input: Any, target: Any) -> float:
        z, _, rows = self._missing(input, target)
        self.output = self._mean(total(np.clip(z, 0, np.inf, out=z)), rows)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> list[np.ndarray]:
        z, y, rows = self._missing(input, target)
        first, second = grads = self._buffers(*input[:2])
        np.greater_equal(z, 0, out=first)
        first *= y
        first *= -self._share(rows)
        np.subtract(0, first.reshape(second.shape), out=second)
        return grads


class DistanceRatioCriterion(_Pair, AveragedLoss):
    """The loss of triplets: loss = 1/n sum_i -log(exp(-a_i) / (exp(-a_i) + exp(-b_i))).

    That is the mean of log(1 + exp(a_i - b_i)). Input: [a, b], the distances of pairs that are alike and of pairs that
    are not, with as many elements and the same first size n; there is no target. Without `sizeAverage` the loss is the
    sum. The gradients are g/n and -g/n with g = 1 / (1 + exp(b - a)). Loss and gradients are finite also for distances
    that Torch's exponentials cannot hold.

    Raises ValueError for other sizes, TypeError for other types. See https://arxiv.org/abs/1610.00243.

    >>> c = DistanceRatioCriterion()
    >>> x = [np.array([0.0]), np.array([np.log(3.0)])]
    >>> round(c.forward(x), 4)  # log(1 + 1/3)
    0.2877
    >>> c.backward(x)
    [array([0.25]), array([-0.25])]
    """

    def _distances(self, input: Any) -> tuple[np.ndarray, np.ndarray]:
        a, b = two_inputs(self, input)
        if len(input) == 2 and a.shape[0] == b.shape[0]:
            return a, b
        shapes = ", ".join(str(x.shape) for x in input)
        raise ValueError(f"{torch7.typename(self)}: expected two tensors of the same first size, got shapes {shapes}")

    def updateOutput(self, input: Any, target: Any = None) -> float:
        a, b = self._distances(input)
        z, out, work = scratch((3, *a.shape), a.dtype)
        np.subtract(a, b.reshape(a.shape), out=z)
        self.output = self._mean(total(log_one_and_exp(z, out, work)), len(a))
        return self.output

    def updateGradInput(self, input: Any, target: Any = None) -> list[np.ndarray]:
        a, b = self._distances(input)
        first, second = grads = self._buffers(a, b)
        np.subtract(b.reshape(a.shape), a, out=first)
        np.divide(self._share(len(a)), one_and_exp(first, first), out=first)
        negative(first.reshape(b.shape), second)
        return grads
