"""Convolutions over one, two or three dimensions and their gradients, as products of matrices.

Tensors are `(N, planes, *sizes)`. The elements under all windows of a few samples are copied to the columns of a
matrix (im2col), whose product with the weights is the output. The columns are made for so few samples, or so few rows
of one sample, that they stay in the cache; images too small to give long runs of memory are laid out with their samples
side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from torch7 import memory

from .windows import Planes, Shape, Windows

COLUMNS = 4 << 20  # bytes of columns that are made at a time
RUN = 160  # elements that are copied in one go, when a row of positions has less than a quarter of that


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, windows: Windows, out: np.ndarray) -> None:
    """out[n, o, p] = bias[o] + sum over c, k of weight[o, c, k] * x[n, c, element k of window p].

    x (N, C, *sizes), weight (O, C, *kernel) or (O, C * kernel), out (N, O, *positions).
    """
    x, windows = _thinned(x, windows, out.shape)
    matrix = weight.reshape(len(weight), -1)
    room = _Room.of(x, out, windows)
    for samples in room.samples():
        planes = room.loaded(x[samples])
        for rows in room.rows():
            columns = room.columns(planes, rows)
            target = out[samples, :, rows]
            if len(target) == 1 and out.flags.c_contiguous:
                product = np.matmul(matrix, columns, out=target[0].reshape(len(matrix), -1))
                if bias is not None:
                    product += bias[:, None]
            else:
                product = np.matmul(matrix, columns, out=room.product(target.shape))
                _copy_out(_shaped(product, target), bias, target)


def weight_gradient(x: np.ndarray, g: np.ndarray, windows: Windows, grad: np.ndarray, scale: float = 1) -> None:
    """grad += scale times the gradient of `convolve` with respect to the weights, for the gradient g of its output.

    grad has the weights' shape, (O, C, *kernel) or (O, C * kernel).
    """
    x, windows = _thinned(x, windows, g.shape)
    room = _Room.of(x, g, windows)
    for samples in room.samples():
        planes = room.loaded(x[samples])
        for rows in room.rows():
            columns = room.columns(planes, rows)
            part = np.matmul(room.gradient(g[samples, :, rows]), columns.T, out=room.weights())
            if scale != 1:
                part *= scale
            grad += part.reshape(grad.shape)


def bias_gradient(g: np.ndarray, grad: np.ndarray, scale: float = 1) -> None:
    """grad += scale * the sums over the planes of g (N, O, *positions)."""
    total = g.sum((0, *range(2, g.ndim)))
    grad += total if scale == 1 else scale * total


def spread(g: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, windows: Windows, out: np.ndarray) -> None:
    """out = the gradient of `convolve` with respect to x, for the gradient g of its output: the transposed convolution.

    g (N, O, *positions), weight (O, C, *kernel) or (O, C * kernel), out (N, C, *sizes); bias (C) is added.
    """
    target, thinned = _thinned(out, windows, g.shape)
    if thinned != windows:
        out.fill(0)
    if max(thinned.stride) == 1 and _gathering_pays(g.shape, target.shape, thinned):
        weight = weight.reshape(len(weight), out.shape[1], *windows.kernel)
        mirrored = np.flip(weight, tuple(range(2, weight.ndim))).swapaxes(0, 1)
        convolve(g, np.ascontiguousarray(mirrored), None, thinned.mirrored(), target)
    else:
        _scatter(g, weight.reshape(len(weight), -1), thinned, target)
    if bias is not None:
        out += bias.reshape(-1, *[1] * len(windows.kernel))


def _thinned(x: np.ndarray, windows: Windows, outer: Shape) -> tuple[np.ndarray, Windows]:
    """x without what a kernel of size 1 never sees because of its stride, and windows of stride 1 there."""
    taken, strides = [slice(None)] * 2, []
    for k, s, p, n in zip(windows.kernel, windows.stride, windows.padding, outer[2:]):
        thin = k == 1 and s > 1 and p == 0
        taken.append(slice(0, (n - 1) * s + 1, s) if thin else slice(None))
        strides.append(1 if thin else s)
    return x[tuple(taken)], windows._replace(stride=tuple(strides))


def _gathering_pays(outer: Shape, inner: Shape, windows: Windows) -> bool:
    """Whether windows over the gradient cost less time than adding to windows.

    Both are estimated in ns for an element of the kernel: the product, and the copy or the addition.
    """
    o, c = outer[1], inner[1]
    gathered = math.prod(inner[2:]) * o * (c / 75 + 0.2)
    return windows.single or gathered < math.prod(outer[2:]) * c * (o / 75 + 0.5)


def _scatter(g: np.ndarray, matrix: np.ndarray, windows: Windows, out: np.ndarray) -> None:
    room = _Room.of(out, g, windows)
    for samples in room.samples():
        target = np.moveaxis(out[samples], 0, -1)
        direct = Planes.of(target, windows) if target.shape[-1] == 1 else None
        planes = room.planes(target.shape[-1]) if direct is None else direct
        planes.array.fill(0)
        for rows in room.rows():
            gradient = room.gradient(g[samples, :, rows])
            columns = room.column_buffer(rows, target.shape[-1])
            np.matmul(matrix.T, gradient, out=columns.reshape(matrix.shape[1], -1))
            room.seen(planes, rows).col2im(columns)
        if direct is None:
            planes.store(target)


def _shaped(product: np.ndarray, target: np.ndarray) -> np.ndarray:
    """A product (planes, positions * samples) in the shape of target (samples, planes, *positions)."""
    n, *shape = target.shape
    return np.moveaxis(product.reshape(*shape, n), -1, 0)


def _copy_out(product: np.ndarray, bias: np.ndarray | None, target: np.ndarray) -> None:
    if bias is None:
        np.copyto(target, product)
    else:
        np.add(product, bias.reshape(-1, *[1] * (target.ndim - 2)), out=target)


class _Room(NamedTuple):
    """How the work is cut, into so many samples and rows of positions at a time, and the memory for such a block."""

    windows: Windows
    inner: Shape  # (N, C, *sizes)
    outer: Shape  # (N, O, *positions)
    lanes: int
    height: int
    pieces: list[np.ndarray]

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, windows: Windows) -> _Room:
        (n, c, *sizes), (_, o, first, *rest) = x.shape, y.shape
        depth, across = c * math.prod(windows.kernel), math.prod(rest)
        row = depth * across * x.itemsize
        run = first * across // 4 if windows.single else y.shape[-1]  # a kernel of one element needs no copies
        lanes = max(1, min(n, _side_by_side(run), COLUMNS // max(row, 1)))
        height = max(1, min(first, COLUMNS // max(row * lanes, 1))) if len(sizes) > 1 else first
        columns = height * across * lanes
        planes = math.prod(Planes.shape(c, tuple(sizes), lanes, windows))
        pieces = memory.scratches([(planes,), (depth * columns,), (o * columns,), (o * depth,)], x.dtype)
        return cls(windows, x.shape, y.shape, lanes, height, pieces)

    def samples(self) -> Iterator[slice]:
        return _steps(self.inner[0], self.lanes)

    def rows(self) -> Iterator[slice]:
        return _steps(self.outer[2], self.height)

    def planes(self, lanes: int) -> Planes:
        """Memory for so many samples."""
        _, c, *sizes = self.inner
        return Planes(_fit(self.pieces[0], Planes.shape(c, tuple(sizes), lanes, self.windows)), self.windows)

    def loaded(self, x: np.ndarray) -> Planes:
        """The samples x (n, C, *sizes) as planes (C, *sizes, n)."""
        x = np.moveaxis(x, 0, -1)
        direct = Planes.of(x, self.windows) if x.shape[-1] == 1 else None
        return self.planes(x.shape[-1]).load(x) if direct is None else direct

    def seen(self, planes: Planes, rows: slice) -> Planes:
        return planes if self.height == self.outer[2] else planes.rows(rows)

    def column_buffer(self, rows: slice, lanes: int) -> np.ndarray:
        positions = (rows.stop - rows.start, *self.outer[3:])
        return _fit(self.pieces[1], (self.inner[1], *self.windows.kernel, *positions, lanes))

    def columns(self, planes: Planes, rows: slice) -> np.ndarray:
        """The matrix (C * kernel, positions * n) of what the windows at these rows of positions see."""
        planes = self.seen(planes, rows)
        if self.windows.single and planes.array.flags.c_contiguous:
            return planes.array.reshape(len(planes.array), -1)
        columns = self.column_buffer(rows, planes.array.shape[-1])
        planes.im2col(columns)
        return columns.reshape(len(columns) * math.prod(self.windows.kernel), -1)

    def product(self, shape: Shape) -> np.ndarray:
        n, o, *positions = shape
        return _fit(self.pieces[2], (o, math.prod(positions) * n))

    def gradient(self, g: np.ndarray) -> np.ndarray:
        """g (n, O, *positions) as the matrix (O, positions * n)."""
        if len(g) == 1:
            return g[0].reshape(g.shape[1], -1)
        matrix = self.product(g.shape)
        _shaped(matrix, g)[...] = g
        return matrix

    def weights(self) -> np.ndarray:
        return _fit(self.pieces[3], (self.outer[1], self.inner[1] * math.prod(self.windows.kernel)))


def _side_by_side(run: int) -> int:
    """How many samples with runs of elements of this length make a long run, side by side: 8, 16, ... or one alone."""
    lanes = 1 << max(0, math.ceil(math.log2(RUN / max(run, 1))))
    return lanes if lanes >= 8 else 1  # to bring fewer together costs more than it saves


def _steps(n: int, step: int) -> Iterator[slice]:
    return (slice(i, min(i + step, n)) for i in range(0, n, step))


def _fit(flat: np.ndarray, shape: Shape) -> np.ndarray:
    return flat[: math.prod(shape)].reshape(shape)
