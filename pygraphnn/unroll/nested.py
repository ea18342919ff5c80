"""Arrays in nested tables: one function for each of them, and buffers of one form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from torch7 import memory
from torch7.tables import is_table

from ..nesting import form


def each(function: Callable[..., Any], x: Any, *others: Any) -> Any:
    """x with function(a, ...) for its arrays a and what is at their places in the others; None stays None."""
    if is_table(x):
        return [each(function, *parts) for parts in zip(x, *others)]
    return None if x is None else function(x, *others)


def leaves(x: Any) -> list[Any]:
    """The arrays in x, or whatever is there in their places."""
    if not is_table(x):
        return [x]
    found: list[Any] = []
    for part in x:
        if is_table(part):
            found += leaves(part)
        else:
            found.append(part)
    return found


def made(old: Any, like: Any, shape: Callable[[np.ndarray], tuple[int, ...]]) -> Any:
    """Buffers nested and typed as `like`, of shape(a) for each of its arrays a: those of `old` where they fit."""
    if is_table(like):
        olds = old if is_table(old) else ()
        return [made(olds[i] if i < len(olds) else None, a, shape) for i, a in enumerate(like)]
    if like is None:
        return None
    if not isinstance(like, np.ndarray):
        raise TypeError(f"Unroll: expected tensors, or tables of them, got {form(like)}")
    return memory.resized(old if isinstance(old, np.ndarray) else None, shape(like), like.dtype)


def copied(old: Any, x: Any) -> Any:
    """A copy of x, in the memory of `old` where it fits."""
    copy = made(old, x, np.shape)
    each(np.copyto, copy, x)
    return copy


def stacked(old: Any, values: Sequence[Any]) -> Any:
    """Values of one form, one per step, along a new first dimension; None, where others are not, becomes zeros."""
    like: Any = next((v for v in values if v is not None), None)
    if is_table(like):
        olds = old if is_table(old) else ()
        parts = [[None if v is None else v[i] for v in values] for i in range(len(like))]
        return [stacked(olds[i] if i < len(olds) else None, part) for i, part in enumerate(parts)]
    out = made(old, like, lambda a: (len(values), *a.shape))
    if out is not None:
        for place, value in zip(out, values):
            place[...] = 0 if value is None else value
    return out


def at(sequences: Any, t: Any) -> Any:
    """Step t, or a slice of steps, of all sequences."""
    return each(lambda a: a[t], sequences)


def nested_as(like: Any, values: Any) -> Any:
    """The values, a list, nested as the arrays in `like`."""
    rest = iter(values)
    return each(lambda _: next(rest), like)
