"""Normalization by the neighbours of an element along dimension 2, and its gradient."""

from __future__ import annotations

import numpy as np

from torch7.blocks import each
from torch7.memory import scratch

from .elementary import power


def window_sums(x: np.ndarray, reach: int, out: np.ndarray) -> None:
    """out[:, c] = sum of x[:, d] over all d with |c - d| <= reach.

    >>> out = np.empty((1, 4))
    >>> window_sums(np.array([[1.0, 10, 100, 1000]]), 1, out)
    >>> out
    array([[  11.,  111., 1110., 1100.]])
    """
    np.copyto(out, x)
    for away in range(1, min(reach, x.shape[1] - 1) + 1):
        out[:, away:] += x[:, :-away]
        out[:, :-away] += x[:, away:]


def _inverse_power(x: np.ndarray, beta: float, out: np.ndarray) -> None:
    """out = x ** -beta."""
    if beta == 0.75:  # the usual one, by roots
        root = np.sqrt(x, out=scratch(x.shape, x.dtype))
        np.sqrt(root, out=out)
        out *= root
        np.divide(1, out, out=out)
    else:
        power(x, -beta, out)


@np.errstate(all="ignore")  # what is not finite goes through, as in Torch
def normalized(
    x: np.ndarray, reach: int, alpha: float, beta: float, k: float, scale: np.ndarray, out: np.ndarray
) -> None:
    """out = x * scale ** -beta, where scale = k + alpha * (the sums of x ** 2 within reach)."""

    def block(x: np.ndarray, scale: np.ndarray, y: np.ndarray) -> None:
        window_sums(np.multiply(x, x, out=y), reach, scale)
        scale *= alpha
        scale += k
        _inverse_power(scale, beta, y)
        y *= x

    each(block, x, scale, out)


@np.errstate(all="ignore")
def gradient(
    x: np.ndarray, g: np.ndarray, reach: int, alpha: float, beta: float, scale: np.ndarray, out: np.ndarray
) -> None:
    """The gradient of `normalized` with respect to x in out."""

    def block(x: np.ndarray, g: np.ndarray, scale: np.ndarray, y: np.ndarray) -> None:
        _inverse_power(scale, beta, y)
        y *= g
        ratio, sums = scratch((2, *y.shape), y.dtype)
        np.multiply(y, x, out=ratio)
        ratio /= scale
        window_sums(ratio, reach, sums)
        sums *= x
        sums *= 2 * alpha * beta
        y -= sums

    each(block, x, g, scale, out)
