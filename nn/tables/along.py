"""What modules that work along a dimension have in common."""

from __future__ import annotations

import numpy as np

from torch7.dims import axis

from ..checks import named
from ..module import Module


def front_axis(dimension: int, ndim: int, who: str) -> int:
    """The numpy axis of a `dimension` that Torch counts from the front only.

    >>> front_axis(2, 3, "nn.Transpose")
    1
    """
    found = axis(dimension, ndim, who=who)
    if dimension < 0:
        raise IndexError(f"{who}: dimension {dimension} out of range of {ndim}D tensor (it is counted from 1)")
    return found


class Along(Module):
    """A module that works along `dimension`, counted from 1, or from the last when negative.

    With `nInputDims`, an input of one dimension more is a batch, whose first dimension is not counted.
    """

    nInputDims: int | None = None

    def __init__(self, dimension: int, nInputDims: int | None = None):
        super().__init__()
        self.dimension = dimension
        self.nInputDims = nInputDims

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Whether `dimension` of a batch is surely not that of its rows."""
        return self.dimension > 1 or (self.nInputDims is not None and 1 <= abs(self.dimension) <= self.nInputDims)

    def _axis(self, x: np.ndarray) -> int:
        """The numpy axis of the dimension in x; raises IndexError when there is none."""
        return axis(self.dimension, x.ndim, self.nInputDims, named(self))

    def _getPositiveDimension(self, input: np.ndarray) -> int:
        """The dimension of `input`, counted from 1, that the module works along."""
        return self._axis(input) + 1
