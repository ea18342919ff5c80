"""Convolutions over sequences of frames (N, T, numbers), whose numbers lie together in memory.

The frames under a window are one run of memory, a row of a matrix; its product with the weights is the output.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from torch7 import memory

from .convolution import COLUMNS
from .windows import Windows, col2im, window_view

Slices = tuple[slice, slice]


def convolve_frames(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, windows: Windows, out: np.ndarray) -> None:
    """out[n, t, o] = bias[o] + sum over k, i of weight[o, k, i] * x[n, element k of window t, i].

    x (N, T, I), weight (O, kernel * I), out (N, T', O).
    """
    for part in _parts(out.shape, weight):
        target = out[part]
        flat = target.reshape(-1, len(weight)) if target.flags.c_contiguous else None
        product = np.matmul(_rows(x, windows, part), weight.T, out=flat)
        np.add(product.reshape(target.shape), bias, out=target)


def frames_gradient(g: np.ndarray, weight: np.ndarray, windows: Windows, out: np.ndarray) -> None:
    """out (N, T, I) = the gradient of `convolve_frames` with respect to x, for the gradient g of its output."""
    out.fill(0)
    k = windows.kernel[0]
    for samples, frames in _parts(g.shape, weight):
        part = g[samples, frames]
        rows = memory.scratch((*part.shape[:2], k, out.shape[2]), g.dtype)
        np.matmul(part.reshape(-1, len(weight)), weight, out=rows.reshape(-1, weight.shape[1]))
        col2im(rows.swapaxes(1, 2), out[samples, windows.reached(frames)], windows)


def frames_weight_gradient(x: np.ndarray, g: np.ndarray, windows: Windows, grad: np.ndarray, scale: float = 1) -> None:
    """grad (O, kernel * I) += scale * the gradient of `convolve_frames` with respect to the weights."""
    found = np.empty(grad.shape, grad.dtype)
    for part in _parts(g.shape, grad):
        np.matmul(g[part].reshape(-1, len(grad)).T, _rows(x, windows, part), out=found)
        if scale != 1:
            found *= scale
        grad += found


def _parts(shape: tuple[int, ...], weight: np.ndarray) -> Iterator[Slices]:
    """So many samples, or so many frames of one, that their rows stay in the cache."""
    n, t, _ = shape
    row = weight.shape[1] * weight.itemsize
    frames = max(1, min(t, COLUMNS // row))
    samples = max(1, COLUMNS // (row * t)) if frames == t else 1
    for i in range(0, n, samples):
        for j in range(0, t, frames):
            yield slice(i, min(i + samples, n)), slice(j, min(j + frames, t))


def _rows(x: np.ndarray, windows: Windows, part: Slices) -> np.ndarray:
    samples, frames = part
    taken = x[samples, windows.reached(frames)]
    if windows.single:
        return taken.reshape(-1, x.shape[2])
    view = window_view(taken, windows, (frames.stop - frames.start,)).swapaxes(1, 2)
    rows = memory.scratch(view.shape, x.dtype)
    np.copyto(rows, view)
    return rows.reshape(-1, view.shape[2] * view.shape[3])
