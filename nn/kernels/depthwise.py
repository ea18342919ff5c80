"""Sums over windows, with or without weights, and convolutions whose planes do not mix.

Arrays are `(lead, *sizes, trail)`, as for all windows. `weights` gives the factors of a place in the kernel, in a
shape that broadcasts with `(lead, *positions, trail)`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from torch7 import memory

from .windows import Planes, Shape, Windows, window_view

CHUNK = 1 << 20  # bytes of windows at a time: they are written and read again within the cache

Weights = Callable[[Shape], np.ndarray]


def _places(x: np.ndarray, windows: Windows, positions: Shape) -> Iterator[tuple[Shape, np.ndarray]]:
    """The places in the kernel, and what all windows over x see there."""
    view = window_view(x, windows, positions)
    for place in itertools.product(*map(range, windows.kernel)):
        taken: tuple[Any, ...] = (slice(None), *place)
        yield place, view[taken]


def window_sums(x: np.ndarray, windows: Windows, out: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """out[..., p, ...] = the sum of what window p sees of x, times the weights of the places. Returns out.

    >>> window_sums(np.arange(4.0).reshape(1, 4, 1), Windows((2,), (2,), (0,), (1,)), np.empty((1, 2, 1)))[0, :, 0]
    array([1., 5.])
    """
    out.fill(0)
    product = memory.scratch(out.shape, out.dtype)
    for place, seen in _places(x, windows, out.shape[1:-1]):
        out += seen if weights is None else np.multiply(seen, weights(place), out=product)
    return out


def spread_sums(g: np.ndarray, windows: Windows, out: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """out = the gradient of `window_sums` with respect to x, for the gradient g of its output. Returns out."""
    out.fill(0)
    product = memory.scratch(g.shape, g.dtype)
    for place, seen in _places(out, windows, g.shape[1:-1]):
        seen += g if weights is None else np.multiply(g, weights(place), out=product)
    return out


def _chunks(x: np.ndarray, windows: Windows, positions: Shape) -> Iterator[slice]:
    """So many planes at a time."""
    plane = math.prod(windows.kernel) * math.prod(positions) * x.itemsize
    step = max(1, CHUNK // plane)
    return (slice(i, min(i + step, len(x))) for i in range(0, len(x), step))


def _room(x: np.ndarray, windows: Windows, positions: Shape) -> tuple[Planes, np.ndarray]:
    """Scratch memory for planes x with their padding, and for what the windows over them see."""
    padded, columns = memory.scratches(
        [Planes.shape(len(x), x.shape[1:], 1, windows), (len(x), *windows.kernel, *positions, 1)], x.dtype
    )
    return Planes(padded, windows), columns


def _seen(x: np.ndarray, windows: Windows, positions: Shape) -> np.ndarray:
    """What the windows over planes x (planes, *sizes) see: (planes, kernel, positions), in scratch memory."""
    planes, columns = _room(x, windows, positions)
    planes.load(x[..., None]).im2col(columns)
    return columns.reshape(len(x), math.prod(windows.kernel), -1)


def convolve_planes(x: np.ndarray, weight: np.ndarray, windows: Windows, out: np.ndarray) -> None:
    """out[i, m, p] = sum over k of weight[i, m, k] * x[i, element k of window p].

    x (planes, *sizes), weight (planes, M, kernel), out (planes, M, *positions).
    """
    for chunk in _chunks(x, windows, out.shape[2:]):
        columns = _seen(x[chunk], windows, out.shape[2:])
        np.matmul(weight[chunk], columns, out=out[chunk].reshape(-1, out.shape[1], columns.shape[2]))


def spread_planes(g: np.ndarray, weight: np.ndarray, windows: Windows, out: np.ndarray) -> None:
    """out (planes, *sizes) = the gradient of `convolve_planes` with respect to x, for the gradient g of its output."""
    for chunk in _chunks(out, windows, g.shape[2:]):
        target, part = out[chunk], g[chunk]
        planes, columns = _room(target, windows, g.shape[2:])
        flat = columns.reshape(len(part), weight.shape[2], -1)
        np.matmul(weight[chunk].swapaxes(1, 2), part.reshape(len(part), g.shape[1], -1), out=flat)
        planes.array.fill(0)
        planes.col2im(columns)
        planes.store(target[..., None])


def planes_weight_gradient(x: np.ndarray, g: np.ndarray, windows: Windows, out: np.ndarray) -> None:
    """out (planes, M, kernel) = the gradient of `convolve_planes` with respect to the weights."""
    for chunk in _chunks(x, windows, g.shape[2:]):
        columns = _seen(x[chunk], windows, g.shape[2:])
        part = g[chunk].reshape(len(columns), g.shape[1], -1)
        np.matmul(part, columns.swapaxes(1, 2), out=out[chunk])
