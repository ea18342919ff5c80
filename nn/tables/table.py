"""Modules that make tables out of tensors and tensors out of tables, and those that choose from tables."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import position, whole
from torch7.dtypes import DTYPES, tostring

from .. import utils
from ..checks import described, fitted, table, tensor
from ..kernels.joining import joined, parted
from ..module import Module
from .along import Along


def _reused(old: Any) -> Any:
    """The table that held the last result, to be filled again."""
    return old if torch7.is_table(old) else []


class SplitTable(Along):
    """The slices of a tensor along `dimension`, as a table: y[i] = x[..., i, ...].

    Input (a, n, c) with dimension 2 gives n views (a, c) of the input; a vector gives n numbers. Dimensions count
    from 1, or from the last when negative; with `nInputDims`, an input of one dimension more is a batch, whose first
    dimension is not counted. Raises IndexError when there is no such dimension.

    >>> SplitTable(2).forward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    [array([1., 3.]), array([2., 4.])]
    """

    def updateOutput(self, input: np.ndarray) -> list[Any]:
        along = self._axis(tensor(self, input))
        before: tuple[Any, ...] = (slice(None),) * along
        self.output = out = _reused(self.output)
        out[:] = [input[(*before, i)] for i in range(input.shape[along])] if input.ndim > 1 else input.tolist()
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        along = self._axis(tensor(self, input))
        n = input.shape[along]
        table(self, gradOutput, n, "gradient")
        self.gradInput = out = memory.resized(self.gradInput, input.shape, input.dtype)
        if input.ndim == 1:
            if not all(torch7.type(g) == "number" for g in gradOutput[:n]):
                raise TypeError(f"nn.SplitTable: expected a table of {n} numbers as gradient of {described(input)}")
            out[...] = gradOutput[:n]
            return out
        before: tuple[Any, ...] = (slice(None),) * along
        for i in range(n):
            part = out[(*before, i)]
            part[...] = fitted(self, gradOutput[i], part)
        return out


class JoinTable(Along):
    """Tensors one after the other along `dimension`, as one tensor.

    Input n tensors, equal in all other sizes; output of the module's type, with the sum of their sizes in
    `dimension`. Dimensions count from 1, or from the last when negative; with `nInputDims`, inputs of one dimension
    more are batches, whose first dimension is not counted. Raises IndexError when there is no such dimension and
    ValueError when other sizes differ.

    >>> JoinTable(1).forward([np.array([1.0, 2.0]), np.array([3.0])])
    array([1., 2., 3.])
    """

    def __init__(self, dimension: int, nInputDims: int | None = None):
        super().__init__(dimension, nInputDims)
        self.size = torch7.LongStorage()  # Torch's work space
        self.gradInput = []

    def _axis(self, x: Any) -> int:
        """The numpy axis along which the tensors of the table x are put together."""
        return super()._axis(tensor(self, table(self, x)[0]))

    def updateOutput(self, input: Any) -> np.ndarray:
        self.output = out = joined(self.output, input, self._axis(input), DTYPES[self._type], "nn.JoinTable")
        return out

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> list[np.ndarray]:
        along = self._axis(input)
        if any(tensor(self, x).ndim <= along for x in input):
            raise ValueError(f"nn.JoinTable: expected a dimension {along + 1} in every tensor of the input")
        parts = parted(tensor(self, gradOutput), [x.shape[along] for x in input], along, "nn.JoinTable")
        old = self.gradInput
        old[len(parts) :] = [None] * (len(parts) - len(old))
        for i, part in enumerate(parts):
            x = input[i]
            old[i] = out = memory.resized(old[i], x.shape, x.dtype)
            if part.shape != out.shape:
                raise ValueError(f"nn.JoinTable: expected {x.shape} in part {i + 1} of the gradient, got {part.shape}")
            np.copyto(out, part, casting="unsafe")
        return old


def _zeros(old: Any, like: Any) -> Any:
    """Zeros, nested and shaped as `like`, in the memory of `old` where that fits; None for what is no tensor."""
    if isinstance(like, np.ndarray):
        out = memory.resized(old if isinstance(old, np.ndarray) else None, like.shape, like.dtype)
        out.fill(0)
        return out
    if torch7.is_table(like):
        rows = _reused(old)
        rows[:] = [_zeros(rows[i] if i < len(rows) else None, x) for i, x in enumerate(like)]
        return rows
    if isinstance(like, dict):
        named = old if isinstance(old, dict) else type(like)()
        fresh = {key: _zeros(named.get(key), x) for key, x in like.items()}
        named.clear()
        named.update(fresh)
        return named
    return None


class SelectTable(Module):
    """The entry at `index` of a table, as it is; the gradient of all other entries is zero.

    `index` counts from 1, or from the last entry when negative, or is a key of a table with named entries (a dict).
    Raises IndexError when there is no such entry.

    >>> SelectTable(-1).forward([np.zeros(2), np.ones(1)])
    array([1.])
    """

    ROWWISE = True

    def __init__(self, index: Any):
        super().__init__()
        self.index = index
        self.gradInput = []

    def _key(self, input: Any) -> Any:
        if torch7.is_table(input):
            if isinstance(self.index, str):
                raise IndexError(f"nn.SelectTable: no entry {self.index!r} in a table of {len(input)} without names")
            return position(self.index, len(input), "nn.SelectTable")
        if not isinstance(input, dict):
            table(self, input)
        if input.get(self.index) is None:
            raise IndexError(f"nn.SelectTable: no entry {self.index!r} among {', '.join(map(repr, input))}")
        return self.index

    def updateOutput(self, input: Any) -> Any:
        self.output = input[self._key(input)]
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        key = self._key(input)
        self.gradInput = out = _zeros(self.gradInput, input)
        out[key] = utils.recursiveCopy(out[key], gradOutput)[0]
        return out

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            self.output, self.gradInput = [], []  # the output may be a table of the caller's, not to be converted
        return super().type(type, tensorCache)

    def __str__(self) -> str:
        return f"{torch7.typename(self)}({tostring(self.index)})"


class NarrowTable(Module):
    """`length` entries of a table from `offset` on, counted from 1, or fewer where the table ends before.

    The gradient of all other entries is zero.

    >>> NarrowTable(2, 2).forward([np.zeros(1), np.ones(1), np.ones(2)])
    [array([1.]), array([1., 1.])]
    """

    ROWWISE = True

    def __init__(self, offset: int, length: int | None = 1):
        super().__init__()
        self.offset = whole(offset, "nn.NarrowTable", "offset")
        self.length = 1 if length is None else whole(length, "nn.NarrowTable", "length")
        if self.offset < 1 or self.length < 0:
            raise ValueError(f"nn.NarrowTable: expected an offset from 1 up and a length, got {offset} and {length}")
        self.output = []
        self.gradInput = []

    def _range(self, input: Any) -> range:
        """The positions of the entries, counted from 0."""
        return range(self.offset - 1, min(self.offset - 1 + self.length, len(table(self, input, 0))))

    def updateOutput(self, input: Any) -> list[Any]:
        out = self.output
        out[:] = [input[i] for i in self._range(input)]
        return out

    def updateGradInput(self, input: Any, gradOutput: Any) -> list[Any]:
        chosen = self._range(input)
        table(self, gradOutput, len(chosen), "gradient")
        out = self.gradInput
        out[len(input) :] = [None] * (len(input) - len(out))
        for i in range(len(input)):
            out[i] = gradOutput[i - chosen.start] if i in chosen else _zeros(out[i], input[i])
        return out

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            self.output, self.gradInput = [], []  # their entries may be tables of the caller's, not to be converted
        return super().type(type, tensorCache)


class FlattenTable(Module):
    """All tensors of nested tables, in order, in one table.

    The output's entries are those of the input. `input_map` is nested as the input and tells, counted from 1, where
    each of them went.

    >>> FlattenTable().forward([np.zeros(1), [np.ones(1), [np.ones(2)]]])
    [array([0.]), array([1.]), array([1., 1.])]
    """

    ROWWISE = True
    BUFFERS = ("input_map",)

    def __init__(self) -> None:
        super().__init__()
        self.output = []
        self.input_map: list[Any] = []
        self.gradInput = []

    def updateOutput(self, input: Any) -> list[Any]:
        out = self.output
        out.clear()
        self.input_map = _flatten(table(self, input, 0), out)
        return out

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        table(self, gradOutput, len(self.output), "gradient")
        self.gradInput = out = _unflatten(self.gradInput, self.input_map, gradOutput)
        return out

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            self.clearState()  # all that it holds are references
        return super().type(type, tensorCache)


def _flatten(nested: Any, flat: list[Any]) -> Any:
    """Appends what is in `nested` to `flat`; gives the places, nested in the same way."""
    if torch7.is_table(nested):
        return [_flatten(x, flat) for x in nested]
    flat.append(nested)
    return len(flat)


def _unflatten(old: Any, places: Any, flat: Any) -> Any:
    """The entries of `flat` nested as their places are, in the tables of `old`."""
    if not torch7.is_table(places):
        return flat[places - 1]
    out = _reused(old)
    out[:] = [_unflatten(out[i] if i < len(out) else None, x, flat) for i, x in enumerate(places)]
    return out
