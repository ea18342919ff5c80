"""The mixture of experts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..checks import fitted, shaped, table
from ..kernels.mixing import mixed, planes_gradient, weight_gradient
from ..module import Module
from .along import front_axis


class MixtureTable(Module):
    """A mixture of experts: y = sum over i of g[i] * e[i], in a batch with weights g of its own for every row.

    Input a table of the gater's output, (n) or (N, n), and of the experts' outputs: a table of n tensors (*) or (N, *),
    or one tensor in which dimension `dim`, counted from 1, tells the experts apart. `dim` is that of the gater without
    a batch, 1, or with one, 2, unless it is given; the first input decides on it, as in Torch. Output as one expert's.
    Raises ValueError when there is not one gater output per expert or when batches differ.

    >>> m, g = MixtureTable(), np.array([0.25, 0.75])
    >>> m.forward([g, [np.array([4.0, 8.0]), np.array([8.0, 4.0])]])
    array([7., 5.])
    >>> m.forward([g, np.array([[4.0, 8.0], [8.0, 4.0]])])
    array([7., 5.])
    """

    BUFFERS = ("_gaterView", "_expert", "_expertView", "_sum", "_expert2", "_expertView2")  # Torch's work space
    ROWWISE = True
    dim: int | None = None
    dimG: int | None = None
    table: bool | None = None

    def __init__(self, dim: int | None = None):
        super().__init__()
        self.dim = dim
        self.size = torch7.LongStorage()
        self.batchSize = 0
        self.size2 = torch7.LongStorage()
        self.backwardSetup = False
        self.gradInput = []

    def _parts(self, input: Any) -> tuple[np.ndarray, Any]:
        """The gater's output and the experts': a tensor, or a table of tensors of one shape."""
        gater, experts = self.typed(table(self, input, 2)[0]), input[1]
        if gater.ndim not in (1, 2) or gater.size == 0:
            raise ValueError(f"nn.MixtureTable: expected a gater's output of 1 or 2 dimensions, got {gater.shape}")
        if not torch7.is_table(experts):
            return gater, self.typed(experts)
        first = self.typed(table(self, experts, what="experts' outputs")[0])
        return gater, [first, *(fitted(self, x, first) for x in experts[1:])]

    def _axis(self, gater: np.ndarray, ndim: int) -> int:
        """The axis of the experts, in an array of all their outputs."""
        self.dimG = gater.ndim
        if self.dim is None:
            self.dim = gater.ndim
        return front_axis(self.dim, ndim, "nn.MixtureTable")

    def _planes(self, gater: np.ndarray, shape: tuple[int, ...], along: int) -> tuple[int, int, int, int]:
        """The sizes of an array of all outputs as (batch, what is before the experts, the experts, what is after)."""
        self.batchSize = batch = len(gater) if gater.ndim == 2 else 1
        if shape[along] != gater.shape[-1]:
            raise ValueError(
                f"nn.MixtureTable: expected one gater output per expert, got {gater.shape[-1]} for {shape[along]}"
            )
        before = math.prod(shape[:along])
        if gater.ndim == 2 and batch != (shape[0] if along else 1):
            raise ValueError(f"nn.MixtureTable: expected experts' outputs for a batch of {batch}, got shape {shape}")
        return batch, before // batch, shape[along], math.prod(shape[along + 1 :])

    def updateOutput(self, input: Any) -> np.ndarray:
        gater, experts = self._parts(input)
        if isinstance(experts, list):
            self.table = True
            return self._sum_of_table(gater, experts)
        along = self._axis(gater, experts.ndim)
        planes = self._planes(gater, experts.shape, along)
        if experts.ndim < 2:
            raise ValueError(f"nn.MixtureTable: expected vectors as experts' outputs, got shape {experts.shape}")
        shape = experts.shape[:along] + experts.shape[along + 1 :]
        self.output = out = memory.resized(self.output, shape, experts.dtype)
        batch, before, n, after = planes
        mixed(gater.reshape(batch, n), experts.reshape(planes), out.reshape(batch, before, after))
        return out

    def _table_sizes(self, gater: np.ndarray, experts: list[np.ndarray]) -> tuple[int, int]:
        """The batch and the number of elements in each row of an expert's output."""
        shape = experts[0].shape
        along = self._axis(gater, len(shape) + 1)
        batch, *_ = self._planes(gater, (*shape[:along], len(experts), *shape[along:]), along)
        return batch, experts[0].size // batch

    def _sum_of_table(self, gater: np.ndarray, experts: list[np.ndarray]) -> np.ndarray:
        rows = self._table_sizes(gater, experts)
        gates = gater.reshape(rows[0], -1)
        self.output = out = memory.resized(self.output, experts[0].shape, gater.dtype)
        total = out.reshape(rows)
        for i, expert in enumerate(experts):
            part = np.multiply(expert.reshape(rows), gates[:, i : i + 1], out=memory.scratch(rows, gater.dtype))
            np.copyto(total, part) if i == 0 else np.add(total, part, out=total)
        return out

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> list[Any]:
        gater, experts = self._parts(input)
        old = self.gradInput if len(self.gradInput) == 2 else [None, None]
        self.gradInput = [memory.resized(old[0], gater.shape, gater.dtype), old[1]]
        if isinstance(experts, list):
            self._gradients_of_table(gater, experts, gradOutput)
        else:
            self._gradients_of_tensor(gater, experts, gradOutput)
        return self.gradInput

    def _gradients_of_tensor(self, gater: np.ndarray, experts: np.ndarray, gradOutput: np.ndarray) -> None:
        along = self._axis(gater, experts.ndim)
        planes = batch, before, n, after = self._planes(gater, experts.shape, along)
        g = shaped(self, gradOutput, experts.shape[:along] + experts.shape[along + 1 :]).reshape(batch, before, after)
        grads = self.gradInput
        weight_gradient(g, experts.reshape(planes), grads[0].reshape(batch, n))
        old = grads[1] if isinstance(grads[1], np.ndarray) else None
        grads[1] = memory.resized(old, experts.shape, experts.dtype)
        planes_gradient(g, gater.reshape(batch, n), grads[1].reshape(planes))

    def _gradients_of_table(self, gater: np.ndarray, experts: list[np.ndarray], gradOutput: np.ndarray) -> None:
        rows = self._table_sizes(gater, experts)
        g = shaped(self, gradOutput, experts[0].shape).reshape(rows)
        gates, toGater = gater.reshape(rows[0], -1), self.gradInput[0].reshape(rows[0], -1)
        toExperts = self.gradInput[1] if isinstance(self.gradInput[1], list) else []
        toExperts[len(experts) :] = [None] * (len(experts) - len(toExperts))
        for i, expert in enumerate(experts):
            toExperts[i] = out = memory.resized(toExperts[i], expert.shape, expert.dtype)
            np.einsum("bk,bk->b", g, expert.reshape(rows), out=toGater[:, i])
            np.multiply(g, gates[:, i : i + 1], out=out.reshape(rows))
        self.gradInput[1] = toExperts

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            for name in MixtureTable.BUFFERS:  # views of inputs, in modules that Torch saved
                vars(self).pop(name, None)
        return super().type(type, tensorCache)
