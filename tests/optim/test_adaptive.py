"""What is special about adam and rmsprop, beyond the recorded runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import optim


def const(*gradient: float) -> Any:
    return lambda x: (0.0, np.array(gradient))


def test_adams_first_step_is_the_learning_rate() -> None:
    x, _ = optim.adam(const(3.0, -1e-3), np.zeros(2), {"learningRate": 0.5, "epsilon": 0})
    np.testing.assert_allclose(x, [-0.5, 0.5], rtol=1e-14)


def test_adam_by_its_formula() -> None:
    x, state, config = np.zeros(1), dict[str, Any](), {"learningRate": 0.25, "learningRateDecay": 2, "epsilon": 0.5}
    m = v = want = 0.0
    for t, g in enumerate([3.0, -2.0, 0.5], 1):
        optim.adam(const(g), x, config, state)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = 0.25 / (1 + (t - 1) * 2) * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        want -= rate * m / (np.sqrt(v) + 0.5)
        assert state["t"] == t
        np.testing.assert_allclose([x[0], state["m"][0], state["v"][0]], [want, m, v], rtol=1e-13)


@pytest.mark.parametrize(("beta1", "beta2"), [(1, 0.9), (-1, 0.9), (2, 0.9), (0.5, 1.5), (float("nan"), 0.9)])
def test_betas_without_a_step_size(beta1: float, beta2: float) -> None:
    with pytest.raises(ValueError, match=r"optim\.adam: expected \|beta1\| < 1 and \|beta2\| <= 1, got "):
        optim.adam(const(1.0), np.zeros(1), {"beta1": beta1, "beta2": beta2})


def test_beta2_of_one_stands_still() -> None:
    assert optim.adam(const(1.0), np.ones(1), {"beta2": 1})[0].tolist() == [1]


def test_rmsprop_starts_from_the_initial_mean() -> None:
    config: dict[str, Any] = {"learningRate": 1, "alpha": 0.75, "initialMean": 4, "epsilon": 0.5}
    x, _ = optim.rmsprop(const(2.0, 0.0), np.zeros(2), config)
    assert config["m"].tolist() == [4, 3]
    assert config["tmp"].tolist() == [2.5, np.sqrt(3) + 0.5]
    assert x.tolist() == [-2 / 2.5, 0]
    optim.rmsprop(const(0.0, 0.0), x, config)
    assert config["m"].tolist() == [3, 2.25]  # the initial mean counts once


def test_rmsprop_renews_tmp_with_m_and_makes_a_missing_one() -> None:
    config: dict[str, Any] = {"m": None, "tmp": np.zeros(7)}
    optim.rmsprop(const(1.0, 2.0), np.zeros(2), config)
    m = config["m"].copy()
    del config["tmp"]
    optim.rmsprop(const(1.0, 2.0), np.zeros(2), config)
    assert config["tmp"].shape == (2,)
    np.testing.assert_allclose(config["m"], 0.99 * m + 0.01 * np.array([1.0, 4.0]), rtol=1e-14)


def test_rmsprop_does_not_mind_the_scale_of_the_gradient() -> None:
    """What lets char-rnn leave out the division by the sequence length."""
    ends = [optim.rmsprop(const(scale, -3 * scale), np.zeros(2), {})[0] for scale in (1.0, 1024.0)]
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-6)
    np.testing.assert_allclose(ends[0], [-0.1, 0.1], rtol=1e-6)
