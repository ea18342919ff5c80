"""Weighted sums of arrays, with weights of their own for every row of a batch.

The arrays come as planes (N, P, n, Q): row, what is before the axis of the n arrays, that axis, what is after it. The
weights are (N, n), the sum is (N, P, Q).
"""

from __future__ import annotations

import numpy as np

SHORT = 16  # below this, numpy's loop over the last axis costs more than a loop over the arrays


def mixed(weights: np.ndarray, planes: np.ndarray, out: np.ndarray) -> None:
    """Writes the weighted sum to `out`.

    >>> out = np.empty((1, 1, 2))
    >>> mixed(np.array([[2.0, 3.0]]), np.array([[[[1.0, 10.0], [2.0, 20.0]]]]), out)
    >>> out
    array([[[ 8., 80.]]])
    """
    if planes.shape[3] == 1:
        np.matmul(planes[..., 0], weights[:, :, None], out=out)
    else:
        np.matmul(weights[:, None, None], planes, out=out[:, :, None])


def weight_gradient(g: np.ndarray, planes: np.ndarray, out: np.ndarray) -> None:
    """Writes the gradient of the weights to `out`, for the gradient g of the sum."""
    if planes.shape[3] == 1:
        np.matmul(g[:, None, :, 0], planes[..., 0], out=out[:, None])
    elif planes.shape[1] == 1:
        np.matmul(planes[:, 0], g[:, 0, :, None], out=out[:, :, None])
    else:
        np.einsum("bpq,bpnq->bn", g, planes, out=out)


def planes_gradient(g: np.ndarray, weights: np.ndarray, out: np.ndarray) -> None:
    """Writes the gradient of the planes to `out`, for the gradient g of the sum."""
    n, after = out.shape[2:]
    if (n if after == 1 else after) < SHORT:
        for i in range(n):
            np.multiply(g, weights[:, i, None, None], out=out[:, :, i])
    else:
        np.multiply(g[:, :, None], weights[:, None, :, None], out=out)
