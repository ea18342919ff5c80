"""Arrays put one after the other, and taken apart again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import torch7
from torch7 import memory


def joined(old: Any, parts: Sequence[np.ndarray], axis: int, dtype: np.dtype, who: str) -> np.ndarray:
    """The parts one after the other along an axis, in the buffer `old` where that fits.

    >>> joined(None, [np.ones((1, 2)), np.zeros((1, 2))], 0, np.dtype(float), "nn.JoinTable")
    array([[1., 1.],
           [0., 0.]])
    """
    first = parts[0].shape
    n = 0
    try:
        for part in parts:
            n += part.shape[axis]
        out = memory.resized(old, (*first[:axis], n, *first[axis + 1 :]), dtype)
        return np.concatenate(parts, axis, out=out, casting="unsafe")  # Torch's copy converts
    except AttributeError:
        raise TypeError(f"{who}: expected tensors to put together, got a {torch7.type(part)}") from None
    except (IndexError, ValueError):
        shapes = ", ".join(str(part.shape) for part in parts)
        raise ValueError(f"{who}: expected equal sizes except in dimension {axis + 1}, got {shapes}") from None


def parted(whole: np.ndarray, sizes: Sequence[int], axis: int, who: str) -> list[np.ndarray]:
    """Views of the consecutive parts of these sizes along an axis.

    >>> parted(np.arange(5), [2, 3], 0, "nn.Concat")
    [array([0, 1]), array([2, 3, 4])]
    """
    if axis >= whole.ndim or sum(sizes) != whole.shape[axis]:
        raise ValueError(f"{who}: expected size {sum(sizes)} in dimension {axis + 1}, got shape {whole.shape}")
    before = (slice(None),) * axis
    parts = []
    start = 0
    for size in sizes:
        parts.append(whole[(*before, slice(start, start + size))])
        start += size
    return parts
