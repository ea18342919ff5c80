"""Copies into another order of the dimensions."""

from __future__ import annotations

import math

import numpy as np

WAYS, REACH = 8, 4096  # a processor's nearest cache holds so many lines whose addresses differ by multiples of this


def copy_turned(x: np.ndarray, out: np.ndarray) -> None:
    """out[...] = x, for an x whose neighbours along the last axis are far apart in memory.

    When they are a large power of two apart, few of them fit into the cache at a time: then no more are copied at once.

    >>> out = np.empty((3, 2))
    >>> copy_turned(np.arange(6.0).reshape(2, 3).T, out)
    >>> out
    array([[0., 3.],
           [1., 4.],
           [2., 5.]])
    """
    step = abs(x.strides[-1]) if x.ndim > 1 else 0
    block = WAYS * REACH // math.gcd(step, REACH)
    if step == 0 or block > 8 * WAYS:
        block = max(x.shape[-1], 1)
    for first in range(0, x.shape[-1], block):
        np.copyto(out[..., first : first + block], x[..., first : first + block])
