"""Modules that take a part of a tensor, or make a tensor a part of a larger one."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import axis, position, positions, whole
from torch7.dtypes import DTYPES

from ..checks import described, fitted, shaped, table, tensor
from ..kernels.reduction import spread_along
from ..module import Module
from .along import front_axis


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

    def __init__(self, dimension: int, offset: int, length: int | None = 1):
        super().__init__()
        self.dimension = whole(dimension, "nn.Narrow", "dimension")
        self.index = whole(offset, "nn.Narrow", "offset")  # Torch's name of the field
        self.length = 1 if length is None else whole(length, "nn.Narrow", "length")

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


class Index(Module):
    """The slices of a tensor that a vector of indices names, along `dimension`: y[..., i, ...] = x[..., index[i], ...].

    Input a table of a tensor (a, n, c) and a vector (m) of indices from 1 to n, of any type that holds whole numbers;
    output (a, m, c) for `dimension` 2, counted from 1. The gradient of a slice named several times is the sum; that of
    the indices is zero. Raises IndexError for a dimension or an index out of range, ValueError for indices that
    are no vector.

    >>> Index(2).forward([np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([2, 2, 1])])
    array([[2., 2., 1.],
           [4., 4., 3.]])
    """

    def __init__(self, dimension: int):
        super().__init__()
        self.dimension = dimension
        self.gradInput = [self.gradInput, memory.empty()]

    def _parts(self, input: Any) -> tuple[np.ndarray, int, np.ndarray]:
        """The tensor, the axis, and the positions along it, counted from 0."""
        x = self.typed(table(self, input, 2)[0])
        along = front_axis(self.dimension, x.ndim, "nn.Index")
        chosen = positions(tensor(self, input[1]), x.shape[along], "nn.Index")
        if chosen.ndim != 1 or chosen.size == 0:
            raise ValueError(f"nn.Index: expected a vector of indices, got shape {chosen.shape}")
        return x, along, chosen

    def updateOutput(self, input: Any) -> np.ndarray:
        x, along, chosen = self._parts(input)
        self.output = out = memory.resized(self.output, (*x.shape[:along], len(chosen), *x.shape[along + 1 :]), x.dtype)
        return x.take(chosen, along, out, "clip")  # they were checked; "raise" would make another copy

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        x, along, chosen = self._parts(input)
        g = shaped(self, gradOutput, (*x.shape[:along], len(chosen), *x.shape[along + 1 :]))
        grads = self.gradInput
        grads[:] = [memory.resized(old, like.shape, x.dtype) for old, like in zip(grads, (x, chosen))]
        spread_along(grads[0], along, chosen, g)
        grads[1].fill(0)
        return grads

    def clearState(self) -> Any:
        dtype = DTYPES[self._type]
        super().clearState()
        self.gradInput = [memory.empty((0,), dtype), memory.empty((0,), dtype)]  # Torch writes into these
        return self


class MaskedSelect(Module):
    """The elements of a tensor where a mask is 1, in order, as a vector.

    Input a table of a tensor and a mask with as many elements, of Torch's ByteTensor or any other type of integers
    or booleans, all 0 or 1. The gradient is zero elsewhere, and that of the mask a ByteTensor of zeros. Raises
    ValueError for other numbers of elements or other numbers in the mask, TypeError for other types.

    >>> m, x = MaskedSelect(), [np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1, 0], [0, 1]], np.uint8)]
    >>> m.forward(x)
    array([1., 4.])
    >>> m.backward(x, np.array([5.0, 6.0]))
    [array([[5., 0.],
           [0., 6.]]), array([[0, 0],
           [0, 0]], dtype=uint8)]
    """

    # Torch's work space, which it does not make when it is missing, and the buffers of the gradients.
    BUFFERS = ("_maskIndices", "_maskIndexBuffer", "_maskIndexBufferCPU", "_gradBuffer", "_gradMask")

    def __init__(self) -> None:
        super().__init__()
        self._maskIndices = memory.empty((0,), DTYPES["torch.LongTensor"])
        self._maskIndexBuffer = memory.empty((0,), DTYPES["torch.LongTensor"])
        self._maskIndexBufferCPU = memory.empty((0,), DTYPES["torch.FloatTensor"])
        self._gradBuffer = memory.empty()
        self._gradMask = memory.empty((0,), DTYPES["torch.ByteTensor"])

    def _parts(self, input: Any) -> tuple[np.ndarray, np.ndarray]:
        """The tensor, and where in it the mask is 1: positions counted from 0, row by row."""
        x, mask = self.typed(table(self, input, 2)[0]), tensor(self, input[1])
        if mask.dtype.kind not in "bui":
            raise TypeError(f"nn.MaskedSelect: expected a torch.ByteTensor as mask, got {described(mask)}")
        if mask.size != x.size:
            raise ValueError(f"nn.MaskedSelect: expected a mask of shape {x.shape}, got shape {mask.shape}")
        chosen = mask != 0
        if mask.dtype.kind != "b" and not np.array_equal(chosen, mask):
            raise ValueError("nn.MaskedSelect: expected a mask of zeros and ones")
        return x, np.flatnonzero(chosen)

    def updateOutput(self, input: Any) -> np.ndarray:
        x, places = self._parts(input)
        self.output = out = memory.resized(self.output, places.shape, x.dtype)
        return x.reshape(-1).take(places, None, out, "clip")

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        x, places = self._parts(input)
        self._gradBuffer = grad = memory.resized(self._gradBuffer, x.shape, x.dtype)
        self._gradMask = memory.resized(self._gradMask, input[1].shape, DTYPES["torch.ByteTensor"])
        self._gradMask.fill(0)
        grad.fill(0)
        grad.reshape(-1)[places] = shaped(self, gradOutput, places.shape)
        self.gradInput = [grad, self._gradMask]
        return self.gradInput

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is None:
            return self._type
        keep = ("_maskIndices", "_maskIndexBuffer", "_maskIndexBufferCPU", "_gradMask")
        kept = {name: vars(self).pop(name) for name in keep if name in vars(self)}
        self.gradInput = memory.empty((0,), self._gradBuffer.dtype)
        super().type(type, tensorCache)
        vars(self).update(kept)  # their types are always the same
        return self


class Padding(Module):
    """`pad` slices of `value` more along a dimension: after the last one, or before the first for a negative `pad`.

    With `index` n they come before the slice n, or, for a positive `pad`, before the one after the nth from the end:
    1 is the very end, 2 leaves one slice after them. Dimensions count from 1; with `nInputDim`, an input of another
    number of dimensions is a batch, and `dim` does not count its first dimension. The output has the module's type,
    whatever the input's. Raises IndexError when there is no such dimension or index.

    >>> Padding(1, 2).forward(np.array([1.0, 2.0, 3.0]))
    array([1., 2., 3., 0., 0.])
    >>> Padding(1, -1, 1, 9, 2).forward(np.array([1.0, 2.0, 3.0]))
    array([1., 9., 2., 3.])
    """

    nInputDim: int | None = None

    def __init__(
        self, dim: int, pad: int, nInputDim: int | None = None, value: float | None = 0, index: int | None = 1
    ):
        super().__init__()
        self.value = 0 if value is None else value
        self.index = 1 if index is None else whole(index, "nn.Padding")
        self.dim = whole(dim, "nn.Padding", "dimension")
        self.pad = whole(pad, "nn.Padding", "padding")
        self.nInputDim = nInputDim
        self.outputSize = torch7.LongStorage()

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Whether the dimension of a batch is surely not that of its rows."""
        return self.dim > 1 or self.nInputDim is not None

    def _axis(self, x: np.ndarray) -> int:
        batch = self.nInputDim is not None and x.ndim != self.nInputDim
        return front_axis(self.dim + batch, x.ndim, "nn.Padding")

    def _pieces(self, x: np.ndarray, padded: np.ndarray, along: int) -> tuple[Any, np.ndarray]:
        """Views of the pieces before and after the padding, of x and `padded` in pairs, and of the padding itself."""
        size, n = x.shape[along], abs(self.pad)
        first = size - self.index + 1 if self.pad > 0 else self.index - 1
        if not 0 <= first <= size:
            raise IndexError(f"nn.Padding: index {self.index} out of range of {size} slices (indices count from 1)")
        x, padded = x.swapaxes(0, along), padded.swapaxes(0, along)
        pairs = (x[:first], padded[:first]), (x[first:], padded[first + n :])
        return pairs, padded[first : first + n]

    def _padded_shape(self, x: np.ndarray, along: int) -> tuple[int, ...]:
        return (*x.shape[:along], x.shape[along] + abs(self.pad), *x.shape[along + 1 :])

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        along = self._axis(tensor(self, input))
        shape = self._padded_shape(input, along)
        out = memory.resized(self.output, shape, DTYPES[self._type])
        pairs, padding = self._pieces(input, out, along)
        for part, copy in pairs:
            np.copyto(copy, part, casting="unsafe")  # Torch's copy converts
        padding.fill(self.value)
        self.output, self.outputSize = out, torch7.LongStorage(list(shape))
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        along = self._axis(self.typed(input))
        g = shaped(self, gradOutput, self._padded_shape(input, along))
        self.gradInput = out = memory.resized(self.gradInput, input.shape, input.dtype)
        for part, copy in self._pieces(out, g, along)[0]:
            np.copyto(part, copy)
        return out
