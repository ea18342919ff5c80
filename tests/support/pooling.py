"""Poolings by definition, in plain loops."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

INF, NAN = math.inf, math.nan


def windows(size: int, k: int, d: int, pad: int, dil: int, ceil: bool, padded: bool) -> list[list[int]]:
    """The positions in every window, those outside left out."""
    reach = dil * (k - 1) + 1
    count = (math.ceil if ceil else math.floor)((size + 2 * pad - reach) / d) + 1
    if padded and (count - 1) * d >= size + pad:
        count -= 1
    found = ([i * d - pad + j * dil for j in range(k)] for i in range(count))
    return [[p for p in window if 0 <= p < size] for window in found]


def maximum(plane: np.ndarray, along: list[list[list[int]]]) -> tuple[np.ndarray, np.ndarray]:
    """The largest elements and their positions, counted from 1: an element has to be greater than those before."""
    shape = tuple(map(len, along))
    out, where = np.full(shape, -INF), np.zeros(shape, np.int64)
    for i in np.ndindex(*shape):
        for at in itertools.product(*(a[n] for a, n in zip(along, i))):
            if plane[at] > out[i]:
                out[i], where[i] = plane[at], np.ravel_multi_index(at, plane.shape) + 1
    return out, where


def scattered(x: np.ndarray, where: np.ndarray, g: np.ndarray, n: int) -> np.ndarray:
    """g at the places `where` in the planes of x, of n dimensions."""
    out = np.zeros(x.shape).reshape(-1, math.prod(x.shape[-n:]))
    for plane, w, v in zip(out, where.reshape(len(out), -1), g.reshape(len(out), -1)):
        for i, value in zip(w, v):
            if i:
                plane[i - 1] += value
    return out.reshape(x.shape)


def over_planes(x: np.ndarray, n: int, function: Any) -> list[np.ndarray]:
    """What function gives for every plane of n dimensions, put together."""
    planes = [function(p) for p in x.reshape(-1, *x.shape[x.ndim - n :])]
    parts = zip(*planes) if isinstance(planes[0], tuple) else [planes]
    return [np.stack(part).reshape(*x.shape[: x.ndim - n], *part[0].shape) for part in map(list, parts)]
