"""Torch's storages seen from numpy: buffers that are used again, and views that know what they share."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from .dtypes import default_dtype, sizes_of

Shape = tuple[int, ...]


def empty(shape: Shape = (0,), dtype: Any = None) -> np.ndarray:
    """A new array of undefined content, a view on a one-dimensional storage of its own."""
    shape = _whole(shape)
    return np.empty(math.prod(shape), default_dtype() if dtype is None else dtype).reshape(shape)


def _whole(shape: Shape) -> Shape:
    """The shape in Python's integers: sizes may be any whole numbers, such as the 2.0 that 4 / 2 gives."""
    return shape if all(n.__class__ is int and n >= 0 for n in shape) else sizes_of(shape)


def resized(old: np.ndarray | None, shape: Shape, dtype: Any) -> np.ndarray:
    """`old` when it has this shape and dtype already, else a new buffer: how every output and gradient is made.

    The content is undefined where the buffer is new, and the last one where it is not.
    """
    if old is not None and old.shape == shape and old.dtype == dtype:
        return old
    return empty(shape, dtype)


def zeros(shape: Shape, dtype: Any = None) -> np.ndarray:
    """A new array of zeros, a view on a one-dimensional storage of its own."""
    shape = _whole(shape)
    return np.zeros(math.prod(shape), default_dtype() if dtype is None else dtype).reshape(shape)


_local = threading.local()


def scratch(shape: Shape, dtype: np.dtype) -> np.ndarray:
    """Memory for a result that is used up before the caller returns; the next call gets the same memory."""
    pool = _local.__dict__.setdefault("pool", {})
    n = math.prod(shape)
    flat = pool.get(dtype)
    if flat is None or flat.size < n:
        flat = pool[dtype] = np.empty(n, dtype)
    return flat[:n].reshape(shape)


def scratches(shapes: Sequence[Shape], dtype: np.dtype) -> list[np.ndarray]:
    """`scratch` for several arrays that are needed together; each begins on a cache line of its own."""
    line = max(1, 64 // dtype.itemsize)
    sizes = [math.prod(shape) for shape in shapes]
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + -(-size // line) * line)
    flat = scratch((starts[-1],), dtype)
    return [flat[start : start + size].reshape(shape) for start, size, shape in zip(starts, sizes, shapes)]


def owner(a: np.ndarray) -> np.ndarray:
    """The array at the end of the chain of bases: two arrays share memory as Torch means it when their owner is one."""
    link = a.base
    while link is not None:
        if isinstance(link, np.ndarray):
            a = link
        link = getattr(link, "base", None)  # as_strided puts an object that is no array into the chain
    return a


def storage(a: np.ndarray) -> np.ndarray:
    """The whole memory of a's owner as a one-dimensional array of a's dtype."""
    whole = owner(a)
    if whole.flags.c_contiguous:
        flat = whole.reshape(-1)
    else:  # a.T + 1 is the owner of memory in another order, and foreign memory may have holes
        upwards = whole[tuple(slice(None, None, -1 if step < 0 else None) for step in whole.strides)]
        span = 1 + sum((n - 1) * step for n, step in zip(upwards.shape, strides(upwards)))
        flat = np.lib.stride_tricks.as_strided(upwards, (span,), (whole.itemsize,))
    return flat if flat.dtype == a.dtype else flat.view(a.dtype)


def offset(a: np.ndarray) -> int:
    """Where a begins in its storage, in elements counted from 0."""
    if a.size == 0:
        return 0
    whole = owner(a)
    backwards = sum((n - 1) * step for n, step in zip(whole.shape, whole.strides) if step < 0)
    return (_address(a) - _address(whole) - backwards) // a.itemsize


def _address(a: np.ndarray) -> int:
    return a.__array_interface__["data"][0]


def strides(a: np.ndarray) -> Shape:
    """The strides of a in elements, as Torch counts them."""
    return tuple(s // a.itemsize for s in a.strides)


def view_of(flat: np.ndarray, start: int, shape: Sequence[int], steps: Sequence[int]) -> np.ndarray:
    """A view on the one-dimensional `flat` from element `start` (counted from 0), with strides in elements.

    Raises ValueError when the view would leave the memory: numpy does not look at the strides of a view on an
    empty array.
    """
    shape, steps = tuple(shape), tuple(steps)
    if len(shape) != len(steps) or any(n < 0 for n in shape):
        raise ValueError(f"torch7: no view with sizes {shape} and strides {steps}")
    if 0 in shape or not shape:
        return empty(shape or (0,), flat.dtype)
    reach = [(n - 1) * s for n, s in zip(shape, steps)]
    first, last = start + sum(r for r in reach if r < 0), start + sum(r for r in reach if r > 0)
    if first < 0 or last >= flat.size:
        raise ValueError(
            f"torch7: a view of sizes {shape} and strides {steps} at {start} reaches outside a storage of {flat.size}"
        )
    return np.ndarray(shape, flat.dtype, flat, start * flat.itemsize, [s * flat.itemsize for s in steps])


def alias(a: np.ndarray) -> np.ndarray:
    """A second array object on the same memory: what Torch's `set` gives."""
    return a.view()
