"""Modules that pair the entries of tables."""

from __future__ import annotations

from typing import Any

from torch7 import memory

from ..checks import fitted, table, tensor
from ..module import Module


class _Pairing(Module):
    """A module whose tables hold what it was given."""

    ROWWISE = True

    def __init__(self) -> None:
        super().__init__()
        self.output = []
        self.gradInput = []

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            self.output, self.gradInput = [], []  # what is in them is not the module's to convert
        return super().type(type, tensorCache)


class ZipTable(_Pairing):
    """The tables of a table the other way round: y[i][j] = x[j][i].

    Input {{a1, a2}, {b1, b2}, {c1, c2}} gives {{a1, b1, c1}, {a2, b2, c2}}; the gradient goes back in the same way.
    The entries themselves, of any kind, are handed on. A table may be shorter than the one before it, but not longer,
    as that would leave gaps: ValueError.

    >>> import numpy as np
    >>> ZipTable().forward([[np.zeros(1), np.ones(1)], [np.zeros(2), np.ones(2)]])
    [[array([0.]), array([0., 0.])], [array([1.]), array([1., 1.])]]
    """

    def _zipped(self, tables: Any, what: str) -> list[Any]:
        lengths = [len(table(self, entries, 0, f"entry of the {what}")) for entries in table(self, tables, 0, what)]
        if lengths != sorted(lengths, reverse=True):
            raise ValueError(f"nn.ZipTable: expected tables of one length, each no longer than the last, got {lengths}")
        longest = lengths[0] if lengths else 0
        return [[entries[i] for entries, n in zip(tables, lengths) if i < n] for i in range(longest)]

    def updateOutput(self, input: Any) -> list[Any]:
        self.output[:] = self._zipped(input, "input")
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> list[Any]:
        self.gradInput[:] = self._zipped(gradOutput, "gradient")
        return self.gradInput


class ZipTableOneToMany(_Pairing):
    """One entry with each of the entries of a table: y[i] = {x[1], x[2][i]}.

    Input {v, {a, b, c}} gives {{v, a}, {v, b}, {v, c}}. The entries themselves are handed on; the gradient of v, which
    has to be a tensor for that, is the sum over all pairs. Raises ValueError for an input of other than two entries.

    >>> import numpy as np
    >>> m, v = ZipTableOneToMany(), np.array([1.0])
    >>> m.forward([v, [np.zeros(2), np.ones(1)]])
    [[array([1.]), array([0., 0.])], [array([1.]), array([1.])]]
    >>> m.backward([v, [np.zeros(2), np.ones(1)]], [[np.array([2.0]), np.zeros(2)], [np.array([3.0]), np.zeros(1)]])
    [array([5.]), [array([0., 0.]), array([0.])]]
    """

    BUFFERS = ("gradInputEl",)

    def __init__(self) -> None:
        super().__init__()
        self.gradInputEl = memory.empty()

    def _parts(self, input: Any) -> tuple[Any, Any]:
        if len(table(self, input, 2)) != 2:
            raise ValueError(f"nn.ZipTableOneToMany: expected a table of 2 as input, got {len(input)}")
        return input[0], table(self, input[1], 0, "second entry of the input")

    def updateOutput(self, input: Any) -> list[Any]:
        one, many = self._parts(input)
        self.output[:] = [[one, x] for x in many]
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> list[Any]:
        one, many = self._parts(input)
        table(self, gradOutput, len(many), "gradient")
        pairs = [table(self, pair, 2, "pair of the gradient") for pair in gradOutput[: len(many)]]
        self.gradInputEl = total = memory.resized(self.gradInputEl, tensor(self, one).shape, self.typed(one).dtype)
        total.fill(0)
        for pair in pairs:
            total += fitted(self, pair[0], total)
        self.gradInput[:] = [total, [pair[1] for pair in pairs]]
        return self.gradInput
