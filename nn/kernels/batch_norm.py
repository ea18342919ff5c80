"""Normalization over all dimensions but the second: statistics, and the maps that follow from them.

A tensor is worked through in blocks that stay in the processor's cache, so that one pass over the memory serves
several operations. Sums within a row are made by BLAS, sums of rows in double.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from torch7 import blocks
from torch7.memory import scratch

from .broadcasting import rows_of

LONG = 32  # as many elements of a channel side by side are a row of their own


class Layout:
    """Contiguous tensors of one shape (N, C, ...) as matrices of which every row or every column is of one channel."""

    def __init__(self, shape: tuple[int, ...]):
        samples, self.channels = shape[:2]
        self.repeats = math.prod(shape[2:])
        self.count = samples * self.repeats  # elements of a channel
        self.by_rows = self.repeats >= LONG
        if self.by_rows:
            self.shape = samples * self.channels, self.repeats
        else:
            self.shape = samples, self.channels * self.repeats

    def each(self, function: Callable[..., Any], tensors: Sequence[np.ndarray], *values: np.ndarray) -> list[Any]:
        """function(*blocks, *values) for all blocks of rows of the tensors, and what it gives.

        A value per channel comes as a column for these rows, or as a row.
        """
        matrices = [t.reshape(self.shape) for t in tensors]
        values = tuple(v.astype(tensors[0].dtype) for v in values)
        with rows_of(self.shape[1]):
            if self.by_rows:
                columns = [np.tile(v, self.shape[0] // self.channels)[:, None] for v in values]
                return blocks.each(function, *matrices, *columns)
            rows = [v.repeat(self.repeats) for v in values]
            return blocks.each(lambda *parts: function(*parts, *rows), *matrices)

    def sums(self, block: np.ndarray) -> np.ndarray:
        """The sum of each row, or of each column, of a block."""
        if self.by_rows:
            return np.vecdot(block, np.ones(self.repeats, block.dtype))
        return np.add.reduce(block, 0)

    def products(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The sums of the products of two blocks."""
        return np.vecdot(a, b) if self.by_rows else self.sums(np.multiply(a, b, out=scratch(a.shape, a.dtype)))

    def total(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """The sum of each channel, in double, from the sums of all blocks."""
        if self.by_rows:
            return np.concatenate(parts).reshape(-1, self.channels).sum(0, np.float64)
        whole = parts[0] if len(parts) == 1 else np.stack(parts).sum(0, np.float64)
        return whole.reshape(self.channels, -1).sum(1, np.float64)


def _near_mean(x: np.ndarray) -> np.ndarray:
    """The channels' means over an eighth of the samples.

    They differ from those over all by no more than three standard deviations: in the squares of differences from them,
    few digits are lost.
    """
    few = x[: -(-len(x) // 8)]
    layout = Layout(few.shape)
    return (layout.total(layout.each(layout.sums, [few])) / layout.count).astype(few.dtype)


@np.errstate(all="ignore")  # what is not finite goes through, as in Torch
def normalized(
    x: np.ndarray, eps: float, weight: np.ndarray | None, bias: np.ndarray | None, out: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """out = (x - mean) / sqrt(variance + eps) * weight + bias, with mean and variance of each channel of x.

    Returns, in double: the means, the sums of squared differences from them and 1 / sqrt(variance + eps).
    """
    layout = Layout(x.shape)
    near = _near_mean(x)

    def centred(x: np.ndarray, y: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        np.subtract(x, mean, out=y)
        return layout.sums(y), layout.products(y, y)

    off, squares = (layout.total(parts) for parts in zip(*layout.each(centred, [x, out], near)))
    off /= layout.count
    squares = np.maximum(squares - layout.count * off * off, 0)
    inverse = _inverse(squares / layout.count, eps)
    factor = inverse if weight is None else inverse * weight
    layout.each(_scaled, [out], factor, (0 if bias is None else bias) - off * factor)
    return near + off, squares, inverse


def _inverse(variance: np.ndarray, eps: float) -> np.ndarray:
    variance = variance + eps
    return np.where(variance == 0, 0, 1 / np.sqrt(variance))  # constant channels, without eps


def _scaled(y: np.ndarray, factor: np.ndarray, shift: np.ndarray) -> None:
    y *= factor
    y += shift


@np.errstate(all="ignore")
def normalized_by(
    x: np.ndarray,
    mean: np.ndarray,
    inverse: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    out: np.ndarray,
) -> None:
    """out = (x - mean) * inverse * weight + bias, with one number per channel of each."""

    def mapped(x: np.ndarray, y: np.ndarray, mean: np.ndarray, factor: np.ndarray, shift: np.ndarray) -> None:
        np.subtract(x, mean, out=y)
        _scaled(y, factor, shift)

    factor = inverse if weight is None else inverse * weight
    Layout(x.shape).each(mapped, [x, out], mean, factor, np.zeros_like(mean) if bias is None else bias)


@np.errstate(all="ignore")
def slopes(
    x: np.ndarray, g: np.ndarray, mean: np.ndarray, inverse: np.ndarray, centred: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of weight and bias, in double; leaves x - mean in `centred`, if that is there."""
    layout = Layout(x.shape)

    def summed(x: np.ndarray, g: np.ndarray, *more: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        *kept, mean = more
        difference = np.subtract(x, mean, out=kept[0] if kept else None)
        return layout.products(difference, g), layout.sums(g)

    found = layout.each(summed, [x, g] if centred is None else [x, g, centred], mean)
    products, totals = (layout.total(parts) for parts in zip(*found))
    return products * inverse, totals


@np.errstate(all="ignore")
def gradient(
    g: np.ndarray,
    inverse: np.ndarray,
    weight: np.ndarray | None,
    own: tuple[np.ndarray, np.ndarray] | None,
    out: np.ndarray,
) -> None:
    """The gradient with respect to x in out.

    `own`: what `slopes` gave, where mean and inverse are x's own and change with it; out holds x - mean then.
    """
    layout = Layout(g.shape)
    factor = inverse if weight is None else inverse * weight
    if own is None:
        layout.each(lambda g, y, factor: np.multiply(g, factor, out=y), [g, out], factor)
        return

    def combined(g: np.ndarray, y: np.ndarray, factor: np.ndarray, slope: np.ndarray, shift: np.ndarray) -> None:
        y *= slope
        y += np.multiply(g, factor, out=scratch(g.shape, g.dtype))
        y += shift

    product, total = own
    slope, shift = (-factor * v / layout.count for v in (inverse * product, total))
    layout.each(combined, [g, out], factor, slope, shift)
