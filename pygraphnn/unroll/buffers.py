"""Where the values of all time steps lie in memory."""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np

from torch7 import memory


class Kind(enum.Enum):
    """What a buffer has room for; each time step sees (B, width)."""

    STACK = "all time steps"
    STATE = "all time steps and the one before them: written at t + 1, read at t"
    STEP = "one time step"
    CARRY = "two time steps in turn"
    ROW = "one row, the same for all"


class Buffer:
    """Columns for the rows of a batch; the arrays are in a Memory. `home` is the buffer whose array it has."""

    def __init__(self, kind: Kind, width: int, dtype: np.dtype, number: int):
        self.kind, self.width, self.dtype, self.number = kind, width, dtype, number
        self.home = self


class Where(NamedTuple):
    """Columns of a buffer, from `offset` on, of the time step t + shift."""

    buffer: Buffer
    offset: int = 0
    shift: int = 0

    def at(self, start: int) -> Where:
        """The place of a part that begins at this column."""
        return Where(self.buffer, self.offset + start, self.shift)


class Memory:
    """The arrays of some buffers, for up to `steps` time steps of `rows` rows; some may be there already."""

    def __init__(self, buffers: list[Buffer], steps: int, rows: int, there: dict[Buffer, np.ndarray] | None = None):
        lengths = {Kind.STACK: steps, Kind.STATE: steps + 1, Kind.STEP: 1, Kind.CARRY: 2}
        made = dict(there or {})
        for b in buffers:
            if b.home is b and b not in made:
                shape = (1, 1, b.width) if b.kind is Kind.ROW else (lengths[b.kind], rows, b.width)
                made[b] = memory.zeros(shape, b.dtype)
        self.arrays = [made[b.home] for b in buffers]

    def __getitem__(self, where: Where) -> np.ndarray:
        """The columns of the buffer from `offset` on, all time steps."""
        array = self.arrays[where.buffer.number]
        return array[..., where.offset :] if where.offset else array

    def at(self, where: Where, width: int, t: int) -> np.ndarray:
        """(B, width) of time step t."""
        buffer, offset, shift = where
        array = self.arrays[buffer.number]
        array = array[{Kind.STEP: 0, Kind.ROW: 0, Kind.CARRY: (t + shift) & 1}.get(buffer.kind, t + shift)]
        return array if width == buffer.width else array[..., offset : offset + width]

    def steps(self, where: Where, width: int, steps: int) -> np.ndarray:
        """(T, B, width) of the first time steps."""
        array = self.arrays[where.buffer.number][where.shift : where.shift + steps]
        return array if width == where.buffer.width else array[..., where.offset : where.offset + width]

    def rows(self, where: Where, width: int, steps: int) -> np.ndarray:
        """(T * B, width): all time steps below each other."""
        if where.buffer.kind is Kind.ROW:
            return self.at(where, width, 0)
        array = self.arrays[where.buffer.number][where.shift : where.shift + steps].reshape(-1, where.buffer.width)
        return array if width == where.buffer.width else array[..., where.offset : where.offset + width]
