"""Updates that scripts of the time wrote by hand are calls of the optimizers, as the page on them says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optim

Update = Callable[[np.ndarray, np.ndarray, dict[str, Any]], np.ndarray]
LR, A, B2, E = 0.05, 0.8, 0.999, 1e-8


def sgdm(x: np.ndarray, dx: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    memory["v"] = A * memory.get("v", 0) + LR * dx
    return x - memory["v"]


def sgdmom(x: np.ndarray, dx: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    old = memory.get("v", 0)
    memory["v"] = A * old - LR * dx
    return x - A * old + (1 + A) * memory["v"]


def rmsprop(x: np.ndarray, dx: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    memory["m"] = A * memory.get("m", 0) + (1 - A) * dx**2
    return x - LR * dx / (np.sqrt(memory["m"]) + E)


def adagrad(x: np.ndarray, dx: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    memory["m"] = memory.get("m", 0) + dx**2
    return x - LR * dx / (np.sqrt(memory["m"]) + 1e-10)


def adam(x: np.ndarray, dx: np.ndarray, memory: dict[str, Any]) -> np.ndarray:
    t = memory["t"] = memory.get("t", 0) + 1
    memory["m"] = A * memory.get("m", 0) + (1 - A) * dx
    memory["v"] = B2 * memory.get("v", 0) + (1 - B2) * dx**2
    return x - LR * math.sqrt(1 - B2**t) / (1 - A**t) * memory["m"] / (np.sqrt(memory["v"]) + E)


@pytest.mark.parametrize(
    ("by_hand", "function", "options"),
    [
        (sgdm, optim.sgd, {"momentum": A, "dampening": 0}),
        (sgdmom, optim.sgd, {"momentum": A, "dampening": 0, "nesterov": True}),
        (rmsprop, optim.rmsprop, {"alpha": A, "epsilon": E}),
        (adagrad, optim.adagrad, {}),
        (adam, optim.adam, {"beta1": A, "beta2": B2, "epsilon": E}),
    ],
)
def test_by_hand(by_hand: Update, function: Any, options: dict[str, Any]) -> None:
    x, config, memory = np.array([1.0, -2.0, 0.5]), {"learningRate": LR, **options}, dict[str, Any]()
    want = x.copy()
    for _ in range(20):
        function(lambda x: (0.0, np.sin(3 * x) + x), x, config)
        want = by_hand(want, np.sin(3 * want) + want, memory)
        np.testing.assert_allclose(x, want, rtol=1e-12)


def test_norms_by_hand() -> None:
    g = np.array([3.0, -40.0, 0.5])
    norm = np.linalg.norm(g)
    want = g * (5 / norm) if norm > 5 else g
    assert optim.clip_by_norm(g, 5) == pytest.approx(norm)
    np.testing.assert_allclose(g, want, rtol=1e-14)


@pytest.mark.parametrize(("decay", "last"), [(2, 4), (1.15, 14)])
def test_rates_of_zarembas_lstm(decay: float, last: int) -> None:
    """Divided at the end of every epoch after `max_epoch`."""
    rate = 1.0
    for epoch in range(1, 30):
        assert optim.exponential_decay(1, epoch - 1, 1 / decay, after=last + 1) == pytest.approx(rate, rel=1e-13)
        if epoch > last:
            rate /= decay


def test_rates_of_torch_rnn() -> None:
    """Its epochs count from 1, and the one that begins is looked at."""
    rate = 2e-3
    for finished in range(1, 30):
        if (finished + 1) % 5 == 0:
            rate *= 0.5
        assert optim.step_decay(2e-3, finished + 1, every=5, factor=0.5) == rate
