"""Modules that exchange, drop, add and repeat dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import whole

from .. import utils
from ..checks import fitted, shaped
from ..kernels.layout import copy_turned
from ..kernels.reduction import sum_along
from ..module import Module
from .along import front_axis


class _InputDims(Module):
    """A module that may be told how many dimensions an input has that is not a batch."""

    numInputDims: int | None = None

    def setNumInputDims(self, numInputDims: int | None) -> Any:
        """Sets how many dimensions one input has that is not a batch; what comes before them is the batch."""
        self.numInputDims = numInputDims
        return self


class Transpose(_InputDims):
    """Exchanges pairs of dimensions, one pair after the other, and copies the result.

    `Transpose([1, 2], [2, 3])` takes (a, b, c) to (b, a, c) and that to (b, c, a). Dimensions count from 1; with
    setNumInputDims(n) the first of the last n is 1. The output is contiguous. Raises IndexError when there is no such
    dimension, and TypeError for what is no pair.

    >>> Transpose([1, 2]).forward(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    array([[1., 4.],
           [2., 5.],
           [3., 6.]])
    """

    def __init__(self, *permutations: Any):
        super().__init__()
        self.permutations = list(permutations)

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Row-wise when the rows stay where they are."""
        return self.numInputDims is not None or all(min(pair) > 1 for pair in self.permutations)

    def _turned(self, x: np.ndarray, pairs: Iterable[Any]) -> np.ndarray:
        """x with its dimensions exchanged, without a copy."""
        offset = 0 if self.numInputDims is None else x.ndim - self.numInputDims
        for pair in pairs:
            if not torch7.is_table(pair) or len(pair) != 2:
                raise TypeError(f"nn.Transpose: expected pairs of dimensions such as [1, 2], got {pair!r:.80}")
            x = x.swapaxes(*(front_axis(dimension + offset, x.ndim, "nn.Transpose") for dimension in pair))
        return x

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        turned = self._turned(self.typed(input), self.permutations)
        self.output = out = memory.resized(self.output, turned.shape, turned.dtype)
        copy_turned(turned, out)
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        shape = self._turned(self.typed(input), self.permutations).shape
        turned = self._turned(shaped(self, gradOutput, shape), reversed(self.permutations))
        self.gradInput = out = memory.resized(self.gradInput, turned.shape, turned.dtype)
        copy_turned(turned, out)
        return out


class Squeeze(_InputDims):
    """The input without its dimensions of size 1, or without dimension `dim` if that has size 1, seen without a copy.

    Input (1, 3, 1, 2) gives (3, 2); Squeeze(3) gives (1, 3, 2). With `numInputDims`, an input of one dimension more
    is a batch, which stays even if it is one of 1, and `dim` does not count it. A single number stays a vector of one,
    for which Torch has an error. Raises IndexError when there is no dimension `dim`.

    >>> Squeeze().forward(np.zeros((1, 3, 1, 2))).shape
    (3, 2)
    >>> Squeeze(1, 2).forward(np.zeros((4, 1, 2))).shape
    (4, 2)
    """

    dim: int | None = None

    def __init__(self, dim: int | None = None, numInputDims: int | None = None):
        super().__init__()
        self.dim = dim
        self.setNumInputDims(numInputDims)

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Row-wise when a batch of 1 keeps its dimension."""
        return self.numInputDims is not None or (self.dim is not None and self.dim > 1)

    def _shape(self, x: np.ndarray) -> tuple[int, ...]:
        """The output's shape."""
        batch = self.numInputDims is not None and x.ndim == self.numInputDims + 1
        if self.dim is None:
            left = tuple(n for i, n in enumerate(x.shape) if n != 1 or (i == 0 and batch))
        else:
            along = front_axis(self.dim + batch, x.ndim, "nn.Squeeze")
            left = x.shape if x.shape[along] != 1 else x.shape[:along] + x.shape[along + 1 :]
        return left or (1,)

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self.typed(input)
        self.output = out = x.reshape(self._shape(x))
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        self.gradInput = out = fitted(self, gradOutput, self.typed(input)).view()
        return out


class Unsqueeze(_InputDims):
    """The input with one more dimension, of size 1, at `pos`, seen without a copy.

    Unsqueeze(2) takes (a, b) to (a, 1, b). With `numInputDims`, dimensions before the last `numInputDims` are a batch
    and not counted; without, the first input decides on it, as in Torch. Raises ValueError for an input of fewer
    dimensions than that, IndexError for a position that is not next to one of them, TypeError when `pos` is missing.

    >>> Unsqueeze(2).forward(np.zeros((3, 4))).shape
    (3, 1, 4)
    >>> Unsqueeze(1, 1).forward(np.zeros((3, 4))).shape
    (3, 1, 4)
    """

    def __init__(self, pos: int | None = None, numInputDims: int | None = None):
        super().__init__()
        if pos is None:
            raise TypeError("nn.Unsqueeze: expected the position of the dimension to insert")
        self.pos = whole(pos, "nn.Unsqueeze", "position")
        self.setNumInputDims(numInputDims)

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Whether the new dimension surely comes after that of the rows."""
        return self.pos > 1

    def _getActualPosition(self, input: np.ndarray) -> int:
        """The position of the new dimension in a batch or in a single input, counted from 1."""
        if self.numInputDims is None:
            self.numInputDims = input.ndim
        offset = input.ndim - self.numInputDims
        if offset < 0:
            raise ValueError(
                f"nn.Unsqueeze: expected an input of {self.numInputDims} dimensions or more, got shape {input.shape}"
            )
        if not 1 <= self.pos + offset <= input.ndim + 1:
            raise IndexError(
                f"nn.Unsqueeze: no position {self.pos} for a new dimension in an input of shape {input.shape} "
                f"with {self.numInputDims} dimensions that are no batch"
            )
        return self.pos + offset

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self.typed(input)
        self.output = out = utils.addSingletonDimension(x, self._getActualPosition(x))
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        self.gradInput = out = fitted(self, gradOutput, self.typed(input)).view()
        return out

    def __str__(self) -> str:
        return f"{torch7.typename(self)}(dim {self.pos})"


class Replicate(Module):
    """The input `nf` times along a new dimension `dim`; the gradient is the sum over that dimension.

    Replicate(2) takes (a, b) to (2, a, b), Replicate(2, 2) to (a, 2, b). With `ndim`, an input of more dimensions is
    a batch, and `dim` does not count its first dimension. The output is a view of the input, with a stride of 0: who
    changes one copy changes all. Raises ValueError for a `dim` or `nf` below 1, IndexError for a `dim` that is not
    next to a dimension of the input.

    >>> Replicate(2).forward(np.array([1.0, 2.0]))
    array([[1., 2.],
           [1., 2.]])
    """

    dim: int | None = None  # nil in the first files, and then 1
    ndim: int | None = None

    def __init__(self, nf: int, dim: int | None = 1, ndim: int | None = None):
        super().__init__()
        self.nfeatures = whole(nf, "nn.Replicate", "number of copies")
        self.dim = 1 if dim is None else whole(dim, "nn.Replicate", "dimension")
        self.ndim = ndim
        if self.dim < 1:
            raise ValueError(f"nn.Replicate: expected a dimension from 1 up, got {dim}")

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Whether the new dimension comes after that of the rows of a batch."""
        return self.ndim is not None or (self.dim is not None and self.dim > 1)

    def _new_axis(self, x: np.ndarray) -> int:
        """The numpy axis of the copies in the output."""
        batch = self.ndim is not None and x.ndim > self.ndim
        return front_axis((1 if self.dim is None else self.dim) + batch, x.ndim + 1, "nn.Replicate")

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self.typed(input)
        at = self._new_axis(x)
        if self.nfeatures < 1:
            raise ValueError(f"nn.Replicate: expected a number of copies from 1 up, got {self.nfeatures}")
        sizes, strides = list(x.shape), list(memory.strides(x))
        sizes.insert(at, self.nfeatures)
        strides.insert(at, 0)
        self.output = out = memory.view_of(memory.storage(x), memory.offset(x), sizes, strides)
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        x = self.typed(input)
        at = self._new_axis(x)
        g = shaped(self, gradOutput, (*x.shape[:at], self.nfeatures, *x.shape[at:]))
        self.gradInput = out = memory.resized(self.gradInput, x.shape, x.dtype)
        sum_along(g, at, out)
        return out
