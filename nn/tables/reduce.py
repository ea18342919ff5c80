"""Modules that reduce a dimension to one number."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import positions

from ..checks import fitted, shaped
from ..kernels.reduction import extremes, put_along, sum_along
from .along import Along


def _without(shape: tuple[int, ...], along: int) -> tuple[int, ...]:
    """The shape without an axis; that of a vector becomes a vector of one, as Torch has no numbers as tensors."""
    return shape[:along] + shape[along + 1 :] or (1,)


class _Extreme(Along):
    """The largest or smallest number along a dimension."""

    BUFFERS = ("_indices", "_output")
    LARGEST: bool
    _indices: Any = None
    _output: Any = None

    def __init__(self, dimension: int | None = 1, nInputDims: int | None = None):
        super().__init__(1 if dimension is None else dimension, nInputDims)

    def _lazyInit(self) -> None:
        """Makes the tensors that the first forward needs."""
        if self._output is None:
            self._output = memory.empty((0,), self.output.dtype)
        if self._indices is None:
            self._indices = memory.empty((0,), np.dtype(np.int64))

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self.typed(input)
        along = self._axis(x)
        if x.shape[along] == 0:
            raise ValueError(f"{torch7.typename(self)}: expected numbers along the dimension, got shape {x.shape}")
        self._lazyInit()
        kept = (*x.shape[:along], 1, *x.shape[along + 1 :])
        self._output = memory.resized(self._output, kept, x.dtype)
        self._indices = memory.resized(self._indices, kept, np.dtype(np.int64))
        extremes(x, along, self.LARGEST, self._output, self._indices)
        self._indices += 1
        self.output = out = self._output.reshape(_without(x.shape, along))
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        x = self.typed(input)
        along = self._axis(x)
        g = shaped(self, gradOutput, _without(x.shape, along))
        self._lazyInit()
        if self._indices.size != g.size:
            raise ValueError(f"{torch7.typename(self)}: expected the input of the last forward, got shape {x.shape}")
        places = positions(self._indices, x.shape[along], torch7.typename(self) or "")
        self.gradInput = out = memory.resized(self.gradInput, x.shape, x.dtype)
        out.fill(0)
        put_along(out, along, places, g)
        return out

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            self._indices = None  # its type is always the same
        return super().type(type, tensorCache)


class Max(_Extreme):
    """The largest number along a dimension: y[a, c] = max over b of x[a, b, c].

    Input (a, b, c) and `dimension` 2 give (a, c); a vector gives a vector of one. Dimensions count from 1, or from
    the last when negative; with `nInputDims`, an input of one dimension more is a batch, whose first dimension is not
    counted. `_indices`, with a dimension of 1 in that place, tells where the numbers are, counted from 1: the whole
    gradient goes there. Of equal numbers it is the first. Raises IndexError when there is no such dimension.

    >>> m = Max(2)
    >>> m.forward(np.array([[1.0, 3.0, 3.0], [4.0, 2.0, 0.0]]))
    array([3., 4.])
    >>> m.backward(np.array([[1.0, 3.0, 3.0], [4.0, 2.0, 0.0]]), np.array([5.0, 6.0]))
    array([[0., 5., 0.],
           [6., 0., 0.]])
    """

    LARGEST = True


class Min(_Extreme):
    """The smallest number along a dimension: y[a, c] = min over b of x[a, b, c]; in all else as Max.

    >>> Min(1).forward(np.array([[1.0, 3.0], [4.0, 2.0]]))
    array([1., 2.])
    """

    LARGEST = False


class Sum(Along):
    """The sum along a dimension: y[a, c] = sum over b of x[a, b, c]; dx[a, b, c] = dy[a, c].

    Input (a, b, c) and `dimension` 2 give (a, c); a vector gives a vector of one. Dimensions count from 1, or from
    the last when negative; with `nInputDims`, an input of one dimension more is a batch, whose first dimension is not
    counted. With `sizeAverage` it is the mean; with `squeeze=False` the output keeps a dimension of 1: (a, 1, c).
    Raises IndexError when there is no such dimension, TypeError for a `squeeze` that is neither True nor False.

    >>> Sum(2).forward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([3., 7.])
    >>> Sum(1, sizeAverage=True, squeeze=False).forward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[2., 3.]])
    """

    BUFFERS = ("_gradOutput",)  # Torch's work space, in modules that it saved
    _gradOutput: Any = None
    sizeAverage: Any = False
    squeeze: Any = None  # nil in files of the years before there was a choice, and then as True

    def __init__(
        self,
        dimension: int | None = 1,
        nInputDims: int | None = None,
        sizeAverage: bool = False,
        squeeze: bool | None = True,
    ):
        super().__init__(1 if dimension is None else dimension, nInputDims)
        self.sizeAverage = bool(sizeAverage)
        if squeeze is not None and not isinstance(squeeze, (bool, np.bool_)):
            raise TypeError(f"{torch7.typename(self)}: expected True or False for squeeze, got {squeeze!r:.80}")
        self.squeeze = squeeze is None or bool(squeeze)

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self.typed(input)
        along = self._axis(x)
        if x.shape[along] == 0:
            raise ValueError(f"{torch7.typename(self)}: expected numbers along the dimension, got shape {x.shape}")
        drop = self.squeeze is None or self.squeeze
        shape = _without(x.shape, along) if drop else (*x.shape[:along], 1, *x.shape[along + 1 :])
        old = self.output if isinstance(self.output, np.ndarray) else None  # a number, in the first files
        self.output = out = memory.resized(old, shape, x.dtype)
        sum_along(x, along, out)
        if self.sizeAverage:
            out /= x.shape[along]
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        x = self.typed(input)
        along = self._axis(x)
        self.gradInput = out = memory.resized(self.gradInput, x.shape, x.dtype)
        first = out[(slice(None),) * along + (slice(0, 1),)]
        g = fitted(self, gradOutput, first)
        if self.sizeAverage:
            g = np.divide(g, x.shape[along], out=memory.scratch(g.shape, g.dtype))
        np.copyto(out, g)
        return out


class Mean(Sum):
    """The mean along a dimension: Sum with `sizeAverage`, which see for the dimensions.

    >>> Mean(1).forward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([2., 3.])
    """

    sizeAverage: Any = True  # in files of the years when it was a class of its own

    def __init__(self, dimension: int | None = 1, nInputDims: int | None = None):
        super().__init__(dimension, nInputDims, True)
