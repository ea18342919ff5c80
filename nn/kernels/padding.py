"""Tensors made larger or smaller at their borders, and the gradients on the way back.

What happens along one axis is a list of parts: a slice of the result, and the slice of the source that goes there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Part = tuple[slice, slice | None]  # where to, and where from: None means zeros


def _downwards(first: int, count: int) -> slice:
    """The slice that takes `count` elements downwards from `first`."""
    last = first - count
    return slice(first, None if last < 0 else last, -1)


def parts(n: int, before: int, after: int, mode: str) -> list[Part]:
    """The parts of an axis of n elements with more (or, when negative, fewer) elements before and after.

    `mode` tells what is there besides the source: "zero", "reflect" (the source mirrored at its outermost element,
    which is not repeated) or "replicate" (its outermost element). The source's own part, if any, comes first.

    >>> padded(np.arange(1, 5), [parts(4, 2, 1, "reflect")], np.empty(7, int))
    array([3, 2, 1, 2, 3, 4, 3])
    """
    size = n + before + after
    start, stop = max(before, 0), min(before + n, size)
    found: list[Part] = []
    if start < stop:
        found.append((slice(start, stop), slice(start - before, stop - before)))
    sources: dict[str, Callable[[int, int, int], slice | None]] = {
        "zero": lambda mirrored, count, outermost: None,
        "reflect": lambda mirrored, count, outermost: _downwards(mirrored, count),
        "replicate": lambda mirrored, count, outermost: slice(outermost, outermost + 1),
    }
    if before > 0:
        count = min(before, size)
        found.append((slice(0, count), sources[mode](before, count, 0)))
    if after > 0:
        begin = max(before + n, 0)
        found.append((slice(begin, size), sources[mode](2 * (n - 1) - (begin - before), size - begin, n - 1)))
    return found


def padded(x: np.ndarray, axes: Sequence[Sequence[Part]], out: np.ndarray) -> np.ndarray:
    """Fills out from x, whose last axes consist of the given parts. Returns out."""
    _fill(x, out, axes, x.ndim - len(axes))
    return out


def _fill(x: np.ndarray, out: np.ndarray, axes: Sequence[Sequence[Part]], axis: int) -> None:
    if not axes:
        out[...] = x
        return
    before = (slice(None),) * axis
    for target, source in axes[0]:
        if source is None:
            out[(*before, target)] = 0
        else:
            _fill(x[(*before, source)], out[(*before, target)], axes[1:], axis + 1)


def padded_gradient(g: np.ndarray, axes: Sequence[Sequence[Part]], out: np.ndarray) -> np.ndarray:
    """Adds up in out what the elements of g owe to each element of the source of `padded`. Returns out."""
    if all(any(source == slice(0, n) for _, source in parts) for parts, n in zip(axes, out.shape[-len(axes) :])):
        _collect(g, out, axes, out.ndim - len(axes), True)
    else:
        out.fill(0)
        _collect(g, out, axes, out.ndim - len(axes), False)
    return out


def _collect(g: np.ndarray, out: np.ndarray, axes: Sequence[Sequence[Part]], axis: int, first: bool) -> None:
    """`first`: nothing was written to out yet."""
    if not axes:
        if first:
            out[...] = g
        else:
            out += g
        return
    before = (slice(None),) * axis
    for i, (target, source) in enumerate(axes[0]):
        if source is None:
            continue
        part, place = g[(*before, target)], out[(*before, source)]
        if part.shape[axis] > place.shape[axis]:
            part = np.add.reduce(part, axis, keepdims=True)
        _collect(part, place, axes[1:], axis + 1, first and i == 0)
