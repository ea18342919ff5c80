"""The softmax functions along one axis and their gradients; sums are made in double, as in Torch.

Numbers that are not finite give nan silently, as in C.
"""

from __future__ import annotations

import numpy as np

from torch7.memory import scratch


def _total(x: np.ndarray, axis: int) -> np.ndarray:
    return np.add.reduce(x, axis, np.float64, keepdims=True)


@np.errstate(all="ignore")
def softmax(x: np.ndarray, axis: int, out: np.ndarray) -> np.ndarray:
    """out = exp(x) / sum(exp(x)); no exponent is above 0, so that nothing overflows. Returns out."""
    np.subtract(x, np.maximum.reduce(x, axis, keepdims=True), out=out)
    np.exp(out, out=out)
    out *= (1 / _total(out, axis)).astype(x.dtype, copy=False)
    return out


@np.errstate(all="ignore")
def softmax_gradient(y: np.ndarray, g: np.ndarray, axis: int, out: np.ndarray) -> np.ndarray:
    """out = y * (g - sum(g * y)) for the output y. Returns out."""
    np.multiply(g, y, out=out)
    np.subtract(g, _total(out, axis).astype(y.dtype, copy=False), out=out)
    out *= y
    return out


@np.errstate(all="ignore")
def log_softmax(x: np.ndarray, axis: int, out: np.ndarray, powers: np.ndarray | None = None) -> np.ndarray:
    """out = x - log(sum(exp(x))). Returns out.

    Computed as (x - max) - log(sum(exp(x - max))): two terms of one sign, whose difference loses no digits.
    `powers`, where it is given, keeps exp(x - max).
    """
    np.subtract(x, np.maximum.reduce(x, axis, keepdims=True), out=out)
    powers = np.exp(out, out=scratch(out.shape, out.dtype) if powers is None else powers)
    out -= np.log(_total(powers, axis)).astype(x.dtype, copy=False)
    return out


@np.errstate(all="ignore")
def log_softmax_gradient(y: np.ndarray, g: np.ndarray, axis: int, out: np.ndarray) -> np.ndarray:
    """out = g - exp(y) * sum(g) for the output y. Returns out."""
    total = _total(g, axis).astype(y.dtype, copy=False)
    np.exp(y, out=out)
    out *= total
    return np.subtract(g, out, out=out)
