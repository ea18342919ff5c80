"""Modules that change the shape of a tensor and none of its values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dtypes import sizes_of
from torch7.tables import Storage

from ..checks import tensor
from ..kernels.layout import copy_turned
from ..module import Module


def _sizes(who: str, sizes: Sequence[Any]) -> Storage:
    found = sizes_of(sizes, who, least=-1)
    if found.count(-1) > 1:
        raise ValueError(f"{who}: expected at most one -1 among the sizes, got {list(found)}")
    return torch7.LongStorage(list(found))


def seen(module: Module, x: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """x with other sizes: a view on its memory where that is possible."""
    try:
        return x.reshape(sizes)
    except ValueError:
        wanted = "x".join(map(str, sizes))
        raise ValueError(f"{torch7.typename(module)}: cannot see a tensor of shape {x.shape} as {wanted}") from None


class Identity(Module):
    """Its input, of any kind, as it is: y = x. The gradient goes through in the same way.

    >>> x = np.zeros(3)
    >>> Identity().forward(x) is x
    True
    """

    ROWWISE = True

    def updateOutput(self, input: Any) -> Any:
        self.output = input
        return input

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.gradInput = gradOutput
        return gradOutput


class _Contiguous(Module):
    """A module that sees contiguous memory: what is not contiguous is copied to a buffer of its own first."""

    BUFFERS = ("_input", "_gradOutput")
    _input: Any = None
    _gradOutput: Any = None

    def _contiguous(self, x: Any, field: str) -> np.ndarray:
        """x, or a copy of it in the buffer `field`; raises TypeError for a tensor of another type."""
        if self.typed(x).flags.c_contiguous:
            return x if x.ndim else x.reshape(1)  # Torch has no tensor without dimensions
        buffer = memory.resized(getattr(self, field), x.shape, x.dtype)
        copy_turned(x, buffer)
        setattr(self, field, buffer)
        return buffer


class Contiguous(_Contiguous):
    """Its input, or a copy of it when that is not contiguous: y = x. The gradient is treated in the same way.

    Raises TypeError for a tensor of another type.

    >>> Contiguous().forward(np.zeros((2, 3)).T).flags.c_contiguous
    True
    """

    ROWWISE = True
    TRANSIENT = ("_input", "_gradOutput")  # Torch copies to the output itself, which may be an old input's memory

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        self.output = out = self._contiguous(input, "_input").view()
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        self.gradInput = out = self._contiguous(gradOutput, "_gradOutput").view()
        return out


class Collapse(_Contiguous):
    """All dimensions of a sample as one: (a, b) to (a * b), and a batch (N, a, b) to (N, a * b).

    `nInputDim` is the number of dimensions of a sample; an input of more is a batch. The output is a view of a
    contiguous input, and a copy of any other. Raises TypeError for a tensor of another type.

    >>> Collapse(2).forward(np.zeros((5, 2, 3))).shape
    (5, 6)
    >>> Collapse(2).forward(np.zeros((2, 3))).shape
    (6,)
    """

    ROWWISE = True

    def __init__(self, nInputDim: int):
        super().__init__()
        self.nInputDim = nInputDim

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self._contiguous(input, "_input")
        self.output = out = x.reshape((len(x), -1) if x.ndim > self.nInputDim else -1)
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        g = self._contiguous(gradOutput, "_gradOutput")
        self.gradInput = out = seen(self, g, tensor(self, input).shape)
        return out


class Reshape(_Contiguous):
    """The same elements in other sizes: input (*) to (sizes), or (N, *) to (N, sizes) for a batch.

    `sizes` are numbers, or one list or LongStorage of them. `batchMode`, also as last positional argument, says
    whether the input is a batch. Without it, an input is a batch unless it has as many elements as `sizes` ask for
    and its first size is not 1. The output is a view of a contiguous input, and a copy of any other.
    Raises ValueError when the number of elements does not fit, and TypeError for a tensor of another type.

    >>> Reshape(2, 3).forward(np.arange(6.0))
    array([[0., 1., 2.],
           [3., 4., 5.]])
    >>> Reshape(2, 3).forward(np.zeros((5, 6))).shape
    (5, 2, 3)
    """

    batchMode: bool | None = None

    def __init__(self, *sizes: Any, batchMode: bool | None = None):
        super().__init__()
        if sizes and isinstance(sizes[-1], bool):
            *sizes, batchMode = sizes  # type: ignore[assignment]
        self.size = _sizes("nn.Reshape", sizes)
        self.batchsize = torch7.LongStorage([0, *self.size])
        self.nelement = math.prod(self.size.tolist())
        if batchMode is not None:
            self.batchMode = batchMode

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Whether a batch stays a batch: always, unless the module was told that there is none."""
        return self.batchMode is not False

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self._contiguous(input, "_input")
        if self.batchMode is False or (self.batchMode is None and x.size == self.nelement and len(x) != 1):
            sizes = self.size
        else:
            sizes = self.batchsize
            sizes[0] = len(x)
        self.output = out = seen(self, x, sizes.tolist())
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        g = self._contiguous(gradOutput, "_gradOutput")
        self.gradInput = out = seen(self, g, tensor(self, input).shape)
        return out

    def __str__(self) -> str:
        return f"{torch7.typename(self)}({'x'.join(map(str, self.size))})"


class View(Module):
    """The input seen in other sizes, without a copy: (*) to (sizes), or (N, *) to (N, sizes).

    `sizes` are numbers, or one list or LongStorage of them; one of them may be -1 and takes what the others leave.
    What the sizes do not account for becomes a first dimension, the batch, unless it would be 1. With
    setNumInputDims(n), dimensions before the last n are a batch always, even of 1. Torch refuses an input that is
    not contiguous; here it is copied where numpy cannot view it. Raises ValueError when the elements do not fit,
    and TypeError for a tensor of another type.

    >>> View(6).forward(np.zeros((5, 2, 3))).shape
    (5, 6)
    >>> View(-1).setNumInputDims(2).forward(np.zeros((1, 2, 3))).shape
    (1, 6)
    """

    numInputDims: int | None = None

    def __init__(self, *sizes: Any):
        super().__init__()
        self.resetSize(*sizes)

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Whether a batch stays a batch: only the number of input dimensions tells one of 1 from none."""
        return self.numInputDims is not None

    def resetSize(self, *sizes: Any) -> View:
        """Sets other sizes; a LongStorage is kept, not copied."""
        given = sizes[0] if len(sizes) == 1 and torch7.typename(sizes[0]) == "torch.LongStorage" else None
        size = _sizes("nn.View", sizes)
        self.size = size if given is None else given
        self.numElements = math.prod(n for n in size.tolist() if n >= 0)
        return self

    def setNumInputDims(self, numInputDims: int | None) -> View:
        """Sets how many dimensions one input has that is not a batch."""
        self.numInputDims = numInputDims
        return self

    def _full_sizes(self, x: np.ndarray) -> list[int]:
        """The output's sizes, with a batch dimension or without."""
        sizes, dims = self.size.tolist(), self.numInputDims
        if dims is not None and x.ndim < dims:
            raise ValueError(f"nn.View: expected an input of {dims} dimensions or more, got shape {x.shape}")
        own, batch = x.size, 1
        if dims is not None:
            own, batch = math.prod(x.shape[x.ndim - dims :]), math.prod(x.shape[: x.ndim - dims])
        if self.numElements == 0 or own % self.numElements:
            raise ValueError(f"nn.View: cannot see a tensor of shape {x.shape} as {'x'.join(map(str, sizes))}")
        if -1 not in sizes:
            batch *= own // self.numElements
        return sizes if batch == 1 and (dims is None or x.ndim <= dims) else [batch, *sizes]

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self.typed(input)
        self.output = out = seen(self, x, self._full_sizes(x))
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        self.gradInput = out = seen(self, self.typed(gradOutput), tensor(self, input).shape)
        return out

    def __str__(self) -> str:
        return f"{torch7.typename(self)}({', '.join(map(str, self.size))})"
