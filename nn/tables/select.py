"""Modules that take a part of a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import axis, position

from ..checks import fitted, tensor
from ..module import Module


class _Part(Module):
    """A part of the input, seen without a copy. The gradient is zero everywhere else.

    Torch copies the part; a module that works in place should not follow directly, as it would change the input.
    """

    dimension: int

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Only a dimension after the first, counted from the front, is surely not that of the rows."""
        return self.dimension > 1

    def _index(self, input: np.ndarray) -> tuple[Any, ...]:
        """The numpy index of the part."""
        raise TypeError(f"{torch7.typename(self)}: the part to take has to be defined")

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        self.output = out = input[self._index(input)]
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        index = self._index(input)
        self.gradInput = out = memory.resized(self.gradInput, input.shape, input.dtype)
        out.fill(0)
        part = out[index]
        part[...] = fitted(self, gradOutput, part)
        return out


class Select(_Part):
    """The slice at `index` of `dimension`, which goes away: y = x[..., index, ...].

    Both count from 1, or from the end when negative. Input (a, b, c) with dimension 2 gives (a, c); the output is a
    view of the input. Raises IndexError when there is no such dimension or index, ValueError for a vector, of which
    a slice would be a number, and TypeError for a tensor of another type.

    >>> Select(2, -1).forward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([2., 4.])
    """

    def __init__(self, dimension: int, index: int):
        super().__init__()
        self.dimension = dimension
        self.index = index

    def _index(self, input: np.ndarray) -> tuple[Any, ...]:
        x = self.typed(input)
        along = axis(self.dimension, x.ndim, who="nn.Select")
        if x.ndim < 2:
            raise ValueError(f"nn.Select: expected two dimensions or more, got shape {x.shape}")
        return (slice(None),) * along + (position(self.index, x.shape[along], "nn.Select"),)


class Narrow(_Part):
    """`length` slices of `dimension` from `offset` on: y = x[..., offset to offset + length - 1, ...].

    Both count from 1; a negative dimension counts from the last, a length of -1 reaches to the last slice, -2 to the
    last but one. A negative offset does what it does in Torch: the first n - length slices of n, whatever it is.
    The output is a view of the input, of any type. Raises IndexError for what is out of range.

    >>> Narrow(1, 2, 2).forward(np.array([1.0, 2.0, 3.0, 4.0]))
    array([2., 3.])
    >>> Narrow(1, 2, -1).forward(np.array([1.0, 2.0, 3.0, 4.0]))
    array([2., 3., 4.])
    """

    def __init__(self, dimension: int, offset: int, length: int = 1):
        super().__init__()
        self.dimension = dimension
        self.index = offset  # Torch's name of the field
        self.length = length

    def _index(self, input: np.ndarray) -> tuple[Any, ...]:
        along = axis(self.dimension, tensor(self, input).ndim, who="nn.Narrow")
        size, first, length = input.shape[along], self.index, self.length
        if length < 0:
            length += size - first + 2
        if first < 0:
            first, length = 1, size - length
        if first < 1 or length < 1 or first + length - 1 > size:
            raise IndexError(
                f"nn.Narrow: {self.length} slices from {self.index} on (counted from 1) are out of range of {size}"
            )
        return (slice(None),) * along + (slice(first - 1, first - 1 + length),)
