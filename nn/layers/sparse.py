"""Linear maps of sparse vectors, of which only the elements that are not zero are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import positions

from ..checks import described
from ..kernels.scatter import add_columns, column_places
from ..module import Module
from ..parameters import initial_bound

NO_LAST_INPUT, ONE_LAST_INPUT, ACC_MULTIPLE_TIMES = 0, 1, 2


def _flat(a: np.ndarray) -> Any:
    """Something that reads and writes the elements of a by their place, row by row."""
    return a.reshape(-1) if a.flags.c_contiguous else a.flat


class SparseLinear(Module):
    """A linear map of sparse vectors: y = W x + b.

    A vector is a tensor (n, 2) of pairs of an index, from 1 to inputSize, and the value there; an index may come up
    several times, and one that is out of range is none if its value is 0. Input one vector, or a table of N vectors,
    or as in old versions a tensor (N, n, 2); output (outputSize) or (N, outputSize). weight (outputSize, inputSize)
    and bias (outputSize) are drawn from uniform(-s, s), s = 1 / sqrt(inputSize), the bias then times 1e-6.

    updateParameters and zeroGradParameters change only the columns of the weight that came up, as long as there was
    one backward since the last zeroGradParameters. `weightDecay` times the weight is added to the gradient, to all of
    it. gradInput is an empty table, or with `doGradInput` holds all inputSize pairs of each vector's dense gradient.
    Raises IndexError for an index out of range and ValueError for inputs of other shapes.

    >>> m = SparseLinear(4, 1)
    >>> m.weight[...], m.bias[...] = [[1, 2, 3, 4]], 0
    >>> m.forward([np.array([[2.0, 10.0]]), np.array([[1.0, 1.0], [4.0, 1.0]])])
    array([[20.],
           [ 5.]])
    """

    BUFFERS = ("formatted_input",)  # Torch's work space
    TRANSIENT = ("_pairs",)
    _pairs: Any = None
    weightDecay: float = 0
    doGradInput: Any = False
    legacyMode: Any = None
    lastInput: Any = None
    sparseUpdate: int = NO_LAST_INPUT

    def __init__(self, inputSize: int, outputSize: int, doGradInput: bool = False):
        super().__init__()
        if doGradInput is not None and not isinstance(doGradInput, (bool, np.bool_)):
            raise TypeError(f"nn.SparseLinear: expected True or False for doGradInput, got {doGradInput!r:.80}")
        self.weightDecay = 0
        self.doGradInput = bool(doGradInput)
        self.weight = memory.empty((outputSize, inputSize))
        self.bias = memory.empty((outputSize,))
        self.gradWeight = memory.zeros((outputSize, inputSize))
        self.gradBias = memory.zeros((outputSize,))
        self.sparseUpdate = NO_LAST_INPUT
        self.gradInput = []
        self.reset()

    def reset(self, stdv: float | None = None) -> None:
        """Draws weight and bias from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(inputSize)."""
        s = initial_bound(stdv, self.weight.shape[1])
        torch7.uniform_(self.weight, -s, s)
        torch7.uniform_(self.bias, -s, s)
        self.bias *= 0.000001

    def reshapeInput(self, input: Any) -> tuple[Any, bool, bool]:
        """The input as a table of vectors, or in the form of old versions, whether it is a batch, and whether it is
        of that form."""
        if torch7.is_table(input):
            return input, True, False
        return (input, True, True) if self.typed(input).ndim == 3 else ([input], False, False)

    def _entries(self, input: Any) -> tuple[np.ndarray, int]:
        """Vector (from 1), index and value of every element that is given, and how many vectors there are."""
        vectors, _, legacy = self.reshapeInput(input)
        for x in vectors:
            if self.typed(x).shape[1:] != (2,):
                raise ValueError(f"nn.SparseLinear: expected pairs of index and value (n, 2), got {described(x)}")
        entries = np.empty((sum(map(len, vectors)), 3), self.weight.dtype)
        entries[:, 0] = np.repeat(np.arange(1, len(vectors) + 1), [len(x) for x in vectors])
        if len(vectors):
            entries[:, 1:] = vectors.reshape(-1, 2) if legacy else np.concatenate(vectors)
        return entries, len(vectors)

    def _nonzero(self, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vectors and columns, counted from 0, and values of what is not zero."""
        entries = entries[entries[:, 2] != 0]
        columns = positions(entries[:, 1], self.weight.shape[1], "nn.SparseLinear")
        return entries[:, 0].astype(np.intp) - 1, columns, entries[:, 2]

    def updateOutput(self, input: Any) -> np.ndarray:
        if self.sparseUpdate == ONE_LAST_INPUT:
            self.sparseUpdate = ACC_MULTIPLE_TIMES
        _, batch, self.legacyMode = self.reshapeInput(input)
        entries, n = self._entries(input)
        outputSize = len(self.bias)
        shape = (n, outputSize) if batch and n else (outputSize,)
        self.output = out = memory.resized(self.output, shape, self.weight.dtype)
        out[...] = self.bias
        vectors, columns, values = self._nonzero(entries)
        if len(vectors):
            terms = self.weight.take(columns, 1)
            terms *= values
            starts = np.concatenate(([0], np.flatnonzero(np.diff(vectors)) + 1))
            out.reshape(-1, outputSize)[vectors[starts]] += np.add.reduceat(terms, starts, 1).T
        return out

    def _gradient(self, gradOutput: Any) -> np.ndarray:
        """The gradient of the output, which it has to fit."""
        g = self.typed(gradOutput)
        if g.size != self.output.size or g.shape[-1:] != self.output.shape[-1:]:
            raise ValueError(f"nn.SparseLinear: expected a gradient {self.output.shape}, got shape {g.shape}")
        return g.reshape(-1, len(self.bias))

    def accGradParameters(self, input: Any, gradOutput: np.ndarray, scale: float = 1) -> None:
        entries, _ = self._entries(input)
        g = self._gradient(gradOutput)
        if self.sparseUpdate == NO_LAST_INPUT:
            self.sparseUpdate = ONE_LAST_INPUT
            self.lastInput = input.copy() if self.legacyMode else entries  # as Torch has it
        elif self.sparseUpdate == ONE_LAST_INPUT:
            self.sparseUpdate = ACC_MULTIPLE_TIMES
        vectors, columns, values = self._nonzero(entries)
        terms = np.ascontiguousarray(g.T).take(vectors, 1)
        terms *= values if scale == 1 else scale * values
        add_columns(self.gradWeight, columns, terms)
        self.gradBias += scale * g.sum(0)
        if self.weightDecay:
            self.gradWeight += self.weightDecay * self.weight

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        n = self.weight.shape[1]
        if not self.doGradInput:
            self.gradInput = []
            if self.legacyMode:  # undefined in Torch
                self.gradInput = self._pairs = memory.resized(self._pairs, input.shape, input.dtype)
                self.gradInput.fill(0)
            return self.gradInput
        g = self._gradient(gradOutput)
        self._pairs = pairs = memory.resized(self._pairs, (len(g), n, 2), g.dtype)
        pairs[..., 0] = np.arange(1, n + 1)
        pairs[..., 1] = np.dot(g, self.weight)
        self.gradInput = pairs if self.legacyMode else list(pairs)
        return self.gradInput

    def _is_sparse(self) -> bool:
        """Whether only the columns of `lastInput` can have a gradient."""
        return self.lastInput is not None and self.sparseUpdate == ONE_LAST_INPUT

    def _used(self) -> Iterator[Any]:
        """The places of these columns in weight and gradWeight seen as vectors."""
        pairs = self.lastInput[..., -2:].reshape(-1, 2)
        columns = np.sort(positions(pairs[pairs[:, 1] != 0, 0], self.weight.shape[1], "nn.SparseLinear"))
        columns = columns[np.diff(columns, prepend=-1) > 0]
        return (places for _, places in column_places(self.weight.shape, columns))

    def updateParameters(self, learningRate: float) -> None:
        if not self._is_sparse():
            return super().updateParameters(learningRate)
        weight, grad = _flat(self.weight), _flat(self.gradWeight)
        for places in self._used():
            weight[places] -= learningRate * grad[places]
        if self.lastInput[..., -1].any():  # Torch quirk: without a value the bias stays too
            self.bias -= learningRate * self.gradBias

    def zeroGradParameters(self) -> None:
        if self._is_sparse():
            grad = _flat(self.gradWeight)
            for places in self._used():
                grad[places] = 0
            self.gradBias.fill(0)
        else:
            super().zeroGradParameters()
        self.sparseUpdate = NO_LAST_INPUT

    def clearState(self) -> SparseLinear:
        if self.sparseUpdate == ONE_LAST_INPUT:
            self.sparseUpdate = ACC_MULTIPLE_TIMES  # what was used is forgotten
        super().clearState()
        self.lastInput = None
        return self
