"""What tests of layers with sparse inputs compare with: dense vectors, and nn.Linear on them."""

from __future__ import annotations

from typing import Any

import numpy as np

import nn

from .nested import assert_same

IN, OUT = 6, 3

# three sparse vectors, with keys that count from 1; the key 4 comes up twice
KEYS = [[1, 4, 4], [], [6, 2]]
VALUES = [np.array([0.5, 2, -1]), np.empty(0), np.array([-1.0, 3])]


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def dense(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    """An nn.Linear with these parameters."""
    m = nn.Linear(IN, len(bias))
    m.weight[...], m.bias[...] = weight, bias
    m.zeroGradParameters()
    return m


def filled(keys: list[Any], values: list[Any]) -> np.ndarray:
    """Dense vectors with these values at these keys; what comes up twice is summed."""
    x = np.zeros((len(keys), IN))
    for row, k, v in zip(x, keys, values):
        np.add.at(row, np.asarray(k, int) - 1, v)
    return x


def close(got: Any, want: Any) -> None:
    assert_same(got, want, rtol=1e-12, atol=1e-14)
