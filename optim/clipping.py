"""Gradients that are too large, made smaller."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7
from torch7.blocks import each
from torch7.memory import scratch

from .common import described, positive


def clip_by_value(gradient: np.ndarray, limit: float) -> int:
    """Clamps every element to [-limit, limit], in place, and returns how many were outside.

    g = min(max(g, -limit), limit): what char-rnn does with its `-grad_clip`, Torch's `gradient:clamp(-limit, limit)`.
    It changes the gradient's direction. NaN stays NaN, infinity becomes the limit.

    Raises TypeError for what is no floating array that can be changed, ValueError for a limit that is not positive.

    >>> gradient = np.array([0.5, -7.0, 30.0])
    >>> clip_by_value(gradient, 5), gradient
    (2, array([ 0.5, -5. ,  5. ]))
    """
    _checked("optim.clip_by_value", gradient)
    limit = positive("optim.clip_by_value", "limit", limit)

    def clip(part: np.ndarray) -> int:
        outside = scratch(part.shape, np.dtype(bool))
        count = sum(
            int(np.count_nonzero(compare(part, bound, out=outside)))
            for compare, bound in ((np.greater, limit), (np.less, -limit))
        )
        if count:
            np.clip(part, -limit, limit, out=part)
        return count

    return sum(each(clip, gradient))


def clip_by_norm(gradient: np.ndarray, limit: float) -> float:
    """Scales the gradient to the length `limit` where it is longer, in place, and returns the length it had.

    g = g min(1, limit / |g|) with the Euclidean norm: Algorithm 1 of Pascanu et al. It keeps the gradient's direction.
    A gradient that is not finite has no direction: it stays as it is for the optimizer to find.

    Raises TypeError for what is no floating array that can be changed, ValueError for a limit that is not positive.

    Source: R. Pascanu, T. Mikolov and Y. Bengio, On the difficulty of training recurrent neural networks, 2013.

    >>> gradient = np.array([30.0, -40.0])
    >>> clip_by_norm(gradient, 5), gradient
    (50.0, array([ 3., -4.]))
    >>> clip_by_norm(gradient, 5), gradient
    (5.0, array([ 3., -4.]))
    """
    _checked("optim.clip_by_norm", gradient)
    limit = positive("optim.clip_by_norm", "limit", limit)
    norm = _norm(gradient)
    if limit < norm < math.inf:
        each(lambda part: np.multiply(part, limit / norm, out=part), gradient)
    return norm


def _norm(a: np.ndarray) -> float:
    """The Euclidean norm, summed in double as Torch does it."""
    with np.errstate(over="ignore"):
        norm = math.sqrt(sum(each(_squares, a)))
    if norm != math.inf:
        return norm
    largest = max(each(lambda part: float(np.abs(part).max()), a))  # an exploding gradient's squares are out of range
    return largest if largest == math.inf else largest * math.sqrt(sum(each(lambda part: _squares(part / largest), a)))


def _squares(part: np.ndarray) -> float:
    doubles = np.multiply(part, part, out=scratch(part.shape, np.dtype(np.float64)), dtype=np.float64)
    return float(doubles.sum())


def _checked(name: str, gradient: Any) -> None:
    if not torch7.isTensor(gradient) or gradient.dtype.kind != "f" or not gradient.flags.writeable:
        raise TypeError(f"{name}: expected the gradient as a floating ndarray to be changed, got {described(gradient)}")
