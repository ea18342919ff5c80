"""Convolutions with weights of their own at every position: a matrix product for each, all of them in one call.

x (C, *sizes, N) has the samples of a minibatch last, weight (*positions, O, C * kernel), gradients and outputs
(*positions, O, N).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from torch7 import memory

from .windows import Planes, Shape, Windows

CHUNK = 16 << 20  # bytes of windows that are made at a time


class _Room(NamedTuple):
    """Scratch memory for x with its padding and for what the windows at some rows of positions see, and such rows."""

    planes: Planes
    columns: np.ndarray
    rows: list[slice]

    @classmethod
    def of(cls, x: Shape, weight: np.ndarray, windows: Windows) -> _Room:
        row = (*weight.shape[1:-2], weight.shape[-1], x[-1])
        step = max(1, CHUNK // max(1, math.prod(row) * weight.itemsize))
        rows = [slice(i, min(i + step, len(weight))) for i in range(0, len(weight), step)]
        shapes = [Planes.shape(x[0], x[1:-1], x[-1], windows), (rows[0].stop, *row)]
        padded, columns = memory.scratches(shapes, weight.dtype)
        return cls(Planes(padded, windows), columns, rows)

    def buffer(self, rows: slice) -> np.ndarray:
        """The columns (*positions, C * kernel, N) of these rows."""
        return self.columns[: rows.stop - rows.start]

    def as_windows(self, columns: np.ndarray) -> np.ndarray:
        """Columns seen as (C, *kernel, *positions, N)."""
        kernel = self.planes.windows.kernel
        n = len(kernel)
        *places, depth, samples = columns.shape
        shaped = columns.reshape(*places, depth // math.prod(kernel), *kernel, samples)
        return np.moveaxis(shaped, range(n), range(1 + n, 1 + 2 * n))

    def seen(self, rows: slice) -> np.ndarray:
        """The columns of these rows, filled with what the windows see."""
        columns = self.buffer(rows)
        self.planes.rows(rows).im2col(self.as_windows(columns))
        return columns


def convolve_locally(x: np.ndarray, weight: np.ndarray, windows: Windows, out: np.ndarray) -> None:
    """out[p, o, n] = sum over c, k of weight[p, o, (c, k)] * x[c, element k of window p, n]."""
    room = _Room.of(x.shape, weight, windows)
    room.planes.load(x)
    for rows in room.rows:
        np.matmul(weight[rows], room.seen(rows), out=out[rows])


def spread_locally(g: np.ndarray, weight: np.ndarray, windows: Windows, out: np.ndarray) -> None:
    """out (C, *sizes, N) = the gradient of `convolve_locally` with respect to x, for the gradient g of its output."""
    room = _Room.of(out.shape, weight, windows)
    room.planes.array.fill(0)
    for rows in room.rows:
        columns = np.matmul(weight[rows].swapaxes(-1, -2), g[rows], out=room.buffer(rows))
        room.planes.rows(rows).col2im(room.as_windows(columns))
    room.planes.store(out)


def local_weight_gradient(x: np.ndarray, g: np.ndarray, windows: Windows, grad: np.ndarray, scale: float = 1) -> None:
    """grad (*positions, O, C * kernel) += scale * the gradient of `convolve_locally` with respect to the weights."""
    room = _Room.of(x.shape, grad, windows)
    room.planes.load(x)
    for rows in room.rows:
        found = np.matmul(g[rows], room.seen(rows).swapaxes(-1, -2))
        grad[rows] += found if scale == 1 else scale * found
