"""The numbers that tell what follows in a file, and what Lua's values become in Python."""

from __future__ import annotations

import math

import numpy as np


class T7Error(ValueError):
    """A file that is no Torch file, is damaged, or is read in another mode than it was written in."""


NIL, NUMBER, STRING, TABLE, TORCH, BOOLEAN = range(6)
OLD_FUNCTION, OLD_RECURSIVE_FUNCTION, FUNCTION = 6, 7, 8

EXACT = 2**53  # up to here a double holds every whole number
MANY = 256  # from here on counts are checked before reading, and a table's numbers are read and written together


def number_of(x: float) -> int | float:
    """A Lua number as int when it is a whole number that a double holds exactly, else as float; -0.0 stays a float.

    >>> number_of(3.0), number_of(0.5), number_of(-0.0)
    (3, 0.5, -0.0)
    """
    if x.is_integer() and -EXACT <= x <= EXACT and (x or math.copysign(1.0, x) > 0):
        return int(x)
    return x


def numbers_of(data: np.ndarray) -> list[int | float]:
    """`number_of` of every element."""
    whole = (data == np.rint(data)) & (np.abs(data) <= EXACT) & ~((data == 0) & np.signbit(data))
    if whole.all():
        return data.astype(np.int64).tolist()
    return [int(x) if is_whole else x for x, is_whole in zip(data.tolist(), whole.tolist())]


def text_of(data: bytes) -> str | bytes:
    """A Lua string as str when it is UTF-8, else as bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
