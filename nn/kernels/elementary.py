"""Elementwise functions that several modules share. `out` may be the input, but not `work`."""

from __future__ import annotations

import numpy as np

from torch7.memory import scratch

from .masks import chosen, room


def negative(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """out = -x. Returns out. (numpy 2.4's np.negative takes wrong numbers where elements are 16 or 64 bytes apart.)"""
    return np.multiply(x, -1, out=out)


def sigmoid(x: np.ndarray, out: np.ndarray) -> None:
    """out = 1 / (1 + exp(-x)). In this form also the small values at negative x are right to the last digits.

    exp(-x) may become infinite, the result is 0 then: the caller has numpy keep silent about it.
    """
    np.exp(negative(x, out), out=out)
    out += 1
    np.divide(1, out, out=out)


def one_and_exp(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """out = 1 + exp(x), for what is to be divided by it: infinite where exp(x) is. Returns out.

    >>> 1 / one_and_exp(np.array([0.0, 1000.0]), np.empty(2))
    array([0.5, 0. ])
    """
    with np.errstate(over="ignore"):
        np.exp(x, out=out)
    out += 1
    return out


def corner(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """out = log(1 + exp(-|x|)), by which log(1 + exp(x)) rounds the corner of max(x, 0). Returns out."""
    np.exp(np.copysign(x, -1, out=out), out=out)
    out += 1
    return np.log(out, out=out)


def log_one_and_exp(x: np.ndarray, out: np.ndarray, work: np.ndarray) -> np.ndarray:
    """out = log(1 + exp(x)) for an x of any size; `work` is overwritten. Returns out.

    >>> log_one_and_exp(np.array([0.0, 1000.0]), np.empty(2), np.empty(2)).round(4)
    array([6.931e-01, 1.000e+03])
    """
    corner(x, work)
    np.clip(x, 0, np.inf, out=out)  # much faster than np.maximum with a number
    out += work
    return out


def softplus(x: np.ndarray, beta: float, threshold: float, out: np.ndarray) -> None:
    """out = log(1 + exp(beta x)) / beta, but x where beta x > threshold.

    log(1 + e) is log(u) for the rounded sum u = 1 + e, with the rounding error e - (u - 1) over the slope u added:
    right to the last digits, and much faster than np.log1p.
    """
    e, u, error = scratch((3, *x.shape), x.dtype)
    limit = min(threshold, 80)  # beyond, out = x to the last digit of any type, and exp would overflow
    np.multiply(x, beta, out=e)
    linear = np.greater(e, limit, out=room(x))
    some = linear.any()
    if some:
        np.minimum(e, limit, out=e)
    np.exp(e, out=e)
    np.add(e, 1, out=u)
    np.subtract(u, 1, out=error)
    np.subtract(e, error, out=error)
    error /= u
    np.log(u, out=u)
    u += error
    np.divide(u, beta, out=u)
    chosen(linear, x, u, out) if some else np.copyto(out, u)


def power(x: np.ndarray, p: float, out: np.ndarray) -> None:
    """out = x to the power of p; small powers are products and roots, as in Torch."""
    if p == 0:
        out.fill(1)
    elif p in (1, 2):
        np.copyto(out, x) if p == 1 else np.multiply(x, x, out=out)
    elif p == 3:
        np.multiply(x, np.multiply(x, x, out=scratch(x.shape, x.dtype)), out=out)
    elif p in (0.5, -0.5, -1, -2):
        np.sqrt(x, out=out) if abs(p) == 0.5 else power(x, -p, out)
        if p != 0.5:
            np.divide(1, out, out=out)
    else:
        np.power(x, p, out=out)


def at_least(x: np.ndarray, limit: float, keep_nan: bool, out: np.ndarray) -> None:
    """out = x where x > limit, else the limit, which also a nan becomes unless it is kept."""
    limits = scratch(x.shape, x.dtype)  # numpy is faster with an array than with one number
    limits.fill(limit)
    (np.maximum if keep_nan else np.fmax)(x, limits, out=out)


def clipped(x: np.ndarray, low: float, high: float, nan: float, out: np.ndarray) -> None:
    """out = x between low and high, else the nearer limit; a nan becomes `nan`."""
    np.clip(x, low, high, out=out)
    replace_nan(out, nan)


def replace_nan(x: np.ndarray, value: float) -> None:
    """x = value where it is nan."""
    undefined = np.isnan(x, out=room(x))
    if undefined.any():
        np.putmask(x, undefined, value)


def leaky(x: np.ndarray, slope: np.ndarray | float, out: np.ndarray) -> None:
    """out = x where x > 0, else slope * x; the slope is a number or fits x."""
    product = scratch(x.shape, x.dtype)
    if np.min(slope) > 0 and np.max(slope) <= 1:
        np.multiply(x, slope, out=product)
        np.maximum(x, product, out=out)
    else:
        leaky_gradient(x, slope, x, out)


def leaky_gradient(x: np.ndarray, slope: np.ndarray | float, g: np.ndarray, out: np.ndarray) -> None:
    """out = g where x > 0, else slope * g."""
    factor = scratch(x.shape, x.dtype)
    chosen(np.greater(x, 0, out=room(x)), 1, slope, factor)
    np.multiply(g, factor, out=out)
