"""Which steps of every row run, and in what order: the same for a whole batch, or told by lengths or a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from torch7.dims import whole_numbers
from torch7.tables import is_table

from ..nesting import form
from .nested import copied, each, made


class InOrder:
    """All steps, from the first to the last.

    An order gives sequences as they run (`taken`), the gradients of what they become likewise (`taken_gradients`), and
    puts what the run gives back to where it belongs (`put`); the arguments `old` are buffers to use again. `ends` tells
    the number of steps of every row, None for all.
    """

    ends: np.ndarray | None = None

    def taken(self, old: Any, x: Any) -> Any:
        return x

    def taken_gradients(self, old: Any, g: Any) -> Any:
        return self.taken(old, g)

    def put(self, old: Any, y: Any) -> Any:
        return y


class Reversed(InOrder):
    """All steps, from the last to the first."""

    def taken(self, old: Any, x: Any) -> Any:
        return each(lambda a: a[::-1], x)

    def put(self, old: Any, y: Any) -> Any:
        return copied(old, self.taken(None, y))


class Chosen(InOrder):
    """The steps that `kept` (T, B) tells, those of each row at the front.

    What is missing at the end of a row runs too, for nothing, on the row's last step once more (on another row's, if
    it has none), so that whatever stands at the steps left out is never read.
    """

    def __init__(self, kept: np.ndarray, reverse: bool):
        self.shape = T, B = kept.shape
        self.ends = ends = kept.sum(axis=0)
        steps = np.argsort(~(kept[::-1] if reverse else kept), axis=0, kind="stable")[: ends.max()]
        steps = T - 1 - steps if reverse else steps
        self.valid = np.arange(len(steps))[:, None] < ends
        rows = np.arange(B)
        index = np.where(self.valid, steps, steps[np.maximum(ends, 1) - 1, rows]) * B + rows
        self.order = np.where(ends > 0, index, index[0, ends.argmax()])  # (T', B), in all T * B rows of a sequence
        self.places = self.order[self.valid]

    def taken(self, old: Any, x: Any) -> Any:
        taken = made(old, x, lambda a: (*self.order.shape, *a.shape[2:]))
        each(lambda out, a: np.take(self._flat(a), self.order, 0, out, "clip"), taken, x)
        return taken

    def taken_gradients(self, old: Any, g: Any) -> Any:
        taken = self.taken(old, g)
        each(lambda a: a.__setitem__(~self.valid, 0), taken)
        return taken

    def put(self, old: Any, y: Any) -> Any:
        out = made(old, y, self._whole)
        each(self._put, out, y)
        return out

    def _whole(self, y: np.ndarray) -> tuple[int, ...]:
        """The shape of y with all steps."""
        if y.size == 0:  # such as a gradient that a first layer does not make
            return (self.shape[0], *y.shape[1:])
        if y.shape[:2] != self.order.shape:
            raise ValueError(
                f"Unroll: with lengths or a mask, expected {self.shape[1]} rows in what a step gives, got an array of "
                f"shape {y.shape[1:]}"
            )
        return (*self.shape, *y.shape[2:])

    def _put(self, out: np.ndarray, y: np.ndarray) -> None:
        if y.size:
            out.fill(0)
            self._flat(out)[self.places] = y[self.valid]

    def _flat(self, a: np.ndarray) -> np.ndarray:
        return a.reshape(-1, *a.shape[2:])


def order_of(T: int, B: int, reverse: bool, lengths: Any, who: str) -> InOrder:
    """The order for T steps of B rows; `lengths` (B), a mask (T, B) or None."""
    kept = None if lengths is None else kept_steps(lengths, T, B, who)
    if kept is None or kept.all():
        return Reversed() if reverse else InOrder()
    if not kept.any():
        raise ValueError(
            f"{who}: expected at least one step of a row, got {'mask' if lengths.ndim > 1 else 'lengths'} 0"
        )
    return Chosen(kept, reverse)


def kept_steps(lengths: Any, T: int, B: int, who: str) -> np.ndarray:
    """(T, B), True where a step runs; raises TypeError or ValueError for what is neither lengths nor a mask."""
    shape = lengths.shape if isinstance(lengths, np.ndarray) else None
    if shape not in ((B,), (T, B)):
        error = TypeError if shape is None or is_table(lengths) else ValueError
        raise error(f"{who}: expected as the last input lengths ({B},) or a mask ({T}, {B}), got {form(lengths)}")
    if len(shape) == 2:
        numbers = lengths.astype(np.int64) if lengths.dtype == bool else whole_numbers(lengths, who, "a mask")
        if not np.isin(numbers, (0, 1)).all():
            raise ValueError(f"{who}: expected 0 and 1 in a mask, got {numbers[(numbers != 0) & (numbers != 1)][0]}")
        return numbers.astype(bool)
    numbers = whole_numbers(lengths, who, "lengths")
    wrong = numbers[(numbers < 0) | (numbers > T)]
    if wrong.size:
        raise ValueError(f"{who}: expected lengths from 0 to the number of steps, {T}, got {wrong[0]}")
    return np.arange(T)[:, None] < numbers
