"""Losses of numbers against numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.memory import scratch

from .. import utils
from ..checks import tensor
from ..criterion import Criterion
from .base import ElementwiseLoss, total


def _difference(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.subtract(x, t, out=scratch(x.shape, x.dtype))


class MSECriterion(ElementwiseLoss):
    """The mean squared error: loss = 1/n sum_i (x_i - t_i)^2 over all n elements; without `sizeAverage`, the sum.

    Input and target of any shapes with the same number of elements, which ValueError asks for otherwise; both of the
    criterion's type. The gradient is 2/n (x - t), or 2 (x - t).

    >>> mse = MSECriterion()
    >>> x, target = np.array([1.0, 2.0]), np.array([1.0, 4.0])
    >>> mse.forward(x, target)
    2.0
    >>> mse.backward(x, target)
    array([ 0., -2.])
    """

    def _total(self, x: np.ndarray, t: np.ndarray) -> float:
        difference = _difference(x, t).reshape(-1)
        return np.dot(difference, difference).item()

    def _gradient(self, x: np.ndarray, t: np.ndarray, share: float, out: np.ndarray) -> None:
        np.subtract(x, t, out=out)
        out *= 2 * share


class AbsCriterion(ElementwiseLoss):
    """The mean absolute error: loss = 1/n sum_i |x_i - t_i| over all n elements; without `sizeAverage`, the sum.

    Shapes, types and errors are those of MSECriterion. The gradient is 1/n where x >= t, also where they are equal,
    and -1/n elsewhere; or 1 and -1.

    >>> c = AbsCriterion()
    >>> x, target = np.array([1.0, 2.0]), np.array([1.0, 4.0])
    >>> c.forward(x, target)
    1.0
    >>> c.backward(x, target)
    array([ 0.5, -0.5])
    """

    def _total(self, x: np.ndarray, t: np.ndarray) -> float:
        difference = _difference(x, t)
        return total(np.abs(difference, out=difference))

    def _gradient(self, x: np.ndarray, t: np.ndarray, share: float, out: np.ndarray) -> None:
        np.greater_equal(x, t, out=out)
        out *= 2 * share
        out -= share


class SmoothL1Criterion(ElementwiseLoss):
    """Squared near the target, absolute far from it: loss = 1/n sum_i f(x_i - t_i), without `sizeAverage` the sum.

    f(z) = z^2 / 2 where |z| < 1, else |z| - 1/2. Shapes, types and errors are those of MSECriterion. The gradient is
    1/n times x - t cut to the range from -1 to 1. See Girshick, "Fast R-CNN" (2015).

    >>> c = SmoothL1Criterion(False)
    >>> x, target = np.array([1.0, 1.5]), np.array([4.0, 1.0])
    >>> c.forward(x, target)  # 2.5 + 0.125
    2.625
    >>> c.backward(x, target)
    array([-1. ,  0.5])
    """

    def _total(self, x: np.ndarray, t: np.ndarray) -> float:
        z, cut = scratch((2, x.size), x.dtype)
        np.subtract(x, t, out=z.reshape(x.shape))
        np.clip(z, -1, 1, out=cut)
        return np.dot(cut, z).item() - np.dot(cut, cut).item() / 2  # f(z) = cut (z - cut / 2) on both sides of 1

    def _gradient(self, x: np.ndarray, t: np.ndarray, share: float, out: np.ndarray) -> None:
        np.subtract(x, t, out=out)
        np.clip(out, -1, 1, out=out)
        out *= share


class WeightedMSECriterion(MSECriterion):
    """The mean squared error to a weighted target: loss = 1/n sum_i (x_i - w_i t_i)^2.

    As in Torch the weights multiply the target, not the error. `w` is copied; it has the size of the input, or of one
    row when the input has one dimension more: (N, D) and (D). The target has as many elements as the input and may be
    of any type. The field `sizeAverage` is True; set to False the loss is the sum. The gradient is 2/n (x - w t).

    Raises ValueError for sizes that do not belong together.

    >>> c = WeightedMSECriterion(np.array([1.0, 0.5]))
    >>> x, target = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 8.0]])
    >>> c.forward(x, target)  # (0 + 1 + 0 + 0) / 4
    0.25
    >>> c.backward(x, target)
    array([[0. , 0.5],
           [0. , 0. ]])
    """

    weight: Any = None
    buffer: Any = None

    def __init__(self, w: np.ndarray):
        super().__init__()
        self.weight = tensor(self, w).copy()

    def _paired(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
        x, t, w = self.typed(input), tensor(self, target), self.typed(self.weight)
        shape = x.shape[1:] if x.ndim - 1 == w.ndim else x.shape
        if x.size == 0 or t.size != x.size or w.size != np.prod(shape):
            raise ValueError(
                f"{torch7.typename(self)}: expected an input, a target and weights (of the input or of its rows) of "
                f"the same number of elements (not 0), got shapes {x.shape}, {t.shape} and {w.shape}"
            )
        self.buffer = memory.resized(self.buffer, x.shape, x.dtype)
        np.copyto(self.buffer, t.reshape(x.shape), casting="unsafe")
        self.buffer *= w.reshape(shape)
        return x, self.buffer


class SpatialAutoCropMSECriterion(MSECriterion):
    """The mean squared error to the middle of a larger target: loss = 1/n sum_i (x_i - cropped t_i)^2.

    Input: (C, h, w) or (N, C, h, w); target: the same with H >= h and W >= w, of which the h x w in the middle count
    (from row floor((H - h) / 2) + 1 on, columns likewise). Without `sizeAverage` the loss is the sum.

    The gradient is MSECriterion's. Torch's backward refuses the target of forward and wants it already cropped; here
    it takes either.

    Raises ValueError for other shapes, TypeError for other types.

    >>> c = SpatialAutoCropMSECriterion()
    >>> target = np.arange(16.0).reshape(1, 4, 4)
    >>> x = np.array([[[5.0, 6.0], [9.0, 12.0]]])
    >>> c.forward(x, target)
    1.0
    >>> c.backward(x, target)
    array([[[0., 0.], [0., 1.]]])
    """

    def _paired(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
        x, t = self.typed(input), self.typed(target)
        (h, w), around = x.shape[-2:] if x.ndim > 1 else (0, 0), [b - a for a, b in zip(x.shape, t.shape)]
        if x.size == 0 or x.ndim not in (3, 4) or t.ndim != x.ndim or any(around[:-2]) or min(around) < 0:
            raise ValueError(
                f"{torch7.typename(self)}: expected an input of 3 or 4 dimensions and a target with as many planes, "
                f"as high and wide or more, got shapes {x.shape} and {t.shape}"
            )
        top, left = around[-2] // 2, around[-1] // 2
        return x, t[..., top : top + h, left : left + w]


class DistKLDivCriterion(ElementwiseLoss):
    """The Kullback-Leibler divergence of distributions: loss = 1/n sum_i t_i (log(t_i) - x_i) over all n elements.

    Input: logarithms of probabilities, as LogSoftMax gives them, in any shape; target: probabilities in the same
    shape. Where the target is 0 (or negative) there is no loss. The field `sizeAverage` is True; set to False the loss
    is the sum. The gradient is -t/n, or -t. The mean is over all elements, not over the rows.

    Raises ValueError for different shapes, TypeError for other types.

    >>> c = DistKLDivCriterion()
    >>> x, target = np.log(np.array([0.25, 0.5, 0.25])), np.array([0.5, 0.5, 0.0])
    >>> round(c.forward(x, target), 4)  # 0.5 log(2) / 3
    0.1155
    >>> c.backward(x, target)
    array([-0.16666667, -0.16666667,  0.        ])
    """

    def __init__(self) -> None:
        super().__init__()

    def _paired(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
        x, t = super()._paired(input, target)
        if input.shape != target.shape:
            raise ValueError(
                f"{torch7.typename(self)}: expected an input and a target of the same shape, "
                f"got shapes {input.shape} and {target.shape}"
            )
        return x, t

    def _total(self, x: np.ndarray, t: np.ndarray) -> float:
        likely = t > 0
        if not likely.all():
            x, t = x[likely], t[likely]
        terms = np.log(t, out=scratch(t.shape, t.dtype))
        terms -= x
        return np.dot(terms.reshape(-1), t.reshape(-1)).item()

    def _gradient(self, x: np.ndarray, t: np.ndarray, share: float, out: np.ndarray) -> None:
        np.fmax(t, 0, out=out)
        out *= share
        np.subtract(0, out, out=out)  # no -0


class L1Cost(Criterion):
    """The sum of absolute values, to keep an input sparse: loss = sum_i |x_i|.

    Input of any shape; there is no target. The gradient is the sign of x, 0 where x is 0.

    >>> c = L1Cost()
    >>> c.forward(np.array([1.0, -2.0, 0.0]))
    3.0
    >>> c.backward(np.array([1.0, -2.0, 0.0]))
    array([ 1., -1.,  0.])
    """

    def updateOutput(self, input: Any, target: Any = None) -> float:
        x = self.typed(input)
        self.output = self._keep(total(np.abs(x, out=scratch(x.shape, x.dtype))), x.dtype)
        return self.output

    def updateGradInput(self, input: Any, target: Any = None) -> np.ndarray:
        x = self.typed(input)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        # np.sign(x), but 0 at nan as in Torch
        above, below = (x > 0).view(np.int8), (x < 0).view(np.int8)
        return np.subtract(above, below, out=self.gradInput, casting="unsafe")

    def clearState(self) -> L1Cost:
        """Empties the buffers, to save a small file."""
        return utils.clear(self, "gradInput", "output_tensor")
