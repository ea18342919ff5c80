"""The only places where Torch's counting from 1 becomes numpy's counting from 0."""

from __future__ import annotations

from typing import Any

import numpy as np


def whole(number: Any, who: str = "torch7", what: str = "index") -> int:
    """A whole number of any type, such as the 2.0 that 4 / 2 gives, as an int; ValueError for a fraction and TypeError
    for anything else.

    >>> whole(4 / 2)
    2
    """
    if isinstance(number, (int, np.integer)) or (isinstance(number, (float, np.floating)) and number.is_integer()):
        return int(number)
    error = ValueError if isinstance(number, (float, np.floating)) else TypeError
    raise error(f"{who}: expected a whole number as {what}, got {number!r:.80}")


def axis(dimension: int, ndim: int, nInputDims: int | None = None, who: str = "torch7") -> int:
    """The numpy axis of Torch's `dimension`, counted from 1, or from the end when negative.

    With `nInputDims`, an input of one dimension more is a batch, and a positive `dimension` does not count
    the batch's own dimension. Raises IndexError when there is no such dimension.

    >>> axis(1, 2), axis(-1, 3), axis(1, 3, nInputDims=2)
    (0, 2, 1)
    """
    found = dimension = dimension if dimension.__class__ is int else whole(dimension, who, "dimension")
    if dimension < 0:
        found = ndim + dimension + 1
    elif nInputDims is not None and ndim == nInputDims + 1:
        found = dimension + 1
    if not 1 <= found <= ndim or dimension == 0:
        raise IndexError(f"{who}: dimension {dimension} out of range of {ndim}D tensor (dimensions count from 1)")
    return found - 1


def position(index: int, size: int, who: str = "torch7") -> int:
    """The position in an array of `size` elements of Torch's `index`, counted from 1, or from the end when negative.

    >>> position(1, 5), position(-1, 5)
    (0, 4)
    """
    index = whole(index, who)
    found = index - 1 if index > 0 else size + index
    if index == 0 or not 0 <= found < size:
        raise IndexError(f"{who}: index {index} out of range of {size} elements (indices count from 1)")
    return found


def positions(indices: Any, size: int, who: str = "torch7", what: str = "indices") -> np.ndarray:
    """The positions of whole numbers 1 to `size`: `position` for a number or array of data, without negative ones.

    >>> positions(np.array([1.0, 5.0]), 5)
    array([0, 4])
    """
    found = np.asarray(whole_numbers(indices, who, what) - 1)
    below = found.view(np.uint64)  # one comparison for both ends: what is negative becomes huge
    if below.size and below.max() >= size:
        wrong = int(found[below >= size].flat[0]) + 1
        raise IndexError(f"{who}: {what} count from 1 and go up to {size}, got {wrong}")
    return found


def whole_numbers(numbers: Any, who: str = "torch7", what: str = "indices") -> np.ndarray:
    """A number or an array of any integer or floating type as an int64 array; ValueError when one is not whole.

    >>> whole_numbers(3.0), whole_numbers(np.array([1, 2], np.int16))
    (array(3), array([1, 2]))
    """
    a = np.asarray(numbers)
    if a.dtype.kind in "iu":
        return a.astype(np.int64, copy=False)
    if a.dtype.kind != "f":
        raise TypeError(f"{who}: expected whole numbers as {what}, got {numbers!r:.80}")
    with np.errstate(invalid="ignore"):  # numpy warns of a cast of nan, which is about to be refused
        converted = a.astype(np.int64)
    if not (converted == a).all():
        raise ValueError(f"{who}: expected whole numbers as {what}, got {a[converted != a].flat[0]}")
    return converted
