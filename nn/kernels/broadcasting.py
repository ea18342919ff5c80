"""Operations between a matrix and a column, made faster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def rows_of(length: int) -> Iterator[None]:
    """Within it, numpy's functions on rows of this length and a column take one row after the other.

    numpy gathers shorter rows in a buffer of 8192 elements, together with their numbers from the column, each
    repeated. That pays for short rows only.

    >>> with rows_of(1000):
    ...     np.ones((2, 1000)) * np.array([[1], [2]]) @ np.ones(1000)
    array([1000., 2000.])
    """
    with np.errstate():  # at whose end the size of the buffer is what it was
        if length >= 256:
            np.setbufsize(16)
        yield
