"""What is special about the optimizers that adapt their steps, beyond the recorded runs."""

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


@pytest.mark.parametrize("beta1", [1, -1, float("nan")])
def test_adamax_beta1_without_a_step_size(beta1: float) -> None:
    with pytest.raises(ValueError, match=r"optim\.adamax: expected \|beta1\| < 1, got "):
        optim.adamax(const(1.0), np.zeros(1), {"beta1": beta1})


def test_adamax_remembers_the_largest_gradient() -> None:
    state: dict[str, Any] = {}
    for g in (4.0, 1.0):
        optim.adamax(const(g), np.zeros(1), {"beta2": 0.5, "epsilon": 0}, state)
    assert state["u"].tolist() == [[2]]
    assert state["max"].tolist() == [[2], [1]]


def test_adamax_of_zero_gradients_stands_still() -> None:
    for dtype in (np.float32, np.float64):
        x, _ = optim.adamax(lambda x: (0.0, np.zeros_like(x)), np.ones(2, dtype), {})
        assert x.tolist() == [1, 1]


def test_adagrad_by_its_formula() -> None:
    x, state, config = np.zeros(1), dict[str, Any](), {"learningRate": 0.5, "learningRateDecay": 1}
    want = squares = 0.0
    for n, g in enumerate([3.0, -4.0]):
        optim.adagrad(const(g), x, config, state)
        squares += g * g
        want -= 0.5 / (1 + n) * g / (np.sqrt(squares) + 1e-10)
        np.testing.assert_allclose([x[0], state["paramVariance"][0]], [want, squares], rtol=1e-14)
    assert state["evalCounter"] == 2


def test_adadelta_by_its_formula() -> None:
    x, state, config = np.zeros(1), dict[str, Any](), {"rho": 0.75, "eps": 0.25}
    want = squares = steps = 0.0
    for g in (3.0, -4.0, 0.5):
        optim.adadelta(const(g), x, config, state)
        squares = 0.75 * squares + 0.25 * g * g
        step = np.sqrt(steps + 0.25) / np.sqrt(squares + 0.25) * g
        want, steps = want - step, 0.75 * steps + 0.25 * step * step
        got = [x[0], state["paramVariance"][0], state["delta"][0], state["accDelta"][0]]
        np.testing.assert_allclose(got, [want, squares, step, steps], rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "key", "others"),
    [
        ("adagrad", "paramVariance", ["paramStd"]),
        ("adadelta", "paramVariance", ["paramStd", "delta", "accDelta"]),
        ("rprop", "delta", ["stepsize", "sign", "psign", "nsign", "zsign", "dminmax"]),
    ],
)
def test_buffers_are_renewed_together(name: str, key: str, others: list[str]) -> None:
    state: dict[str, Any] = {other: np.full(7, 9.0) for other in others}
    getattr(optim, name)(const(1.0, 2.0), np.zeros(2), {}, state)
    fresh: dict[str, Any] = {}
    getattr(optim, name)(const(1.0, 2.0), np.zeros(2), {}, fresh)
    for k in (key, *others):
        np.testing.assert_array_equal(state[k], fresh[k])


# -- rprop


def test_rprop_goes_by_signs() -> None:
    config: dict[str, Any] = {"stepsize": 1, "etaplus": 2, "etaminus": 0.25, "stepsizemax": 3, "stepsizemin": 0.5}
    x, state, points = np.zeros(1), dict[str, Any](), []
    for g in (1e-3, 7.0, 1.0, -1.0, -1.0, -1.0, 2.0):
        optim.rprop(const(g), x, config, state)
        points.append(x.item())
    # steps of 1, 2 and at most 3; none where the sign changes, to 0.75; then 0.75, 1.5; none, to 0.375 but at least 0.5
    assert points == [-1, -3, -6, -6, -5.25, -3.75, -3.75]
    assert state["stepsize"].tolist() == [0.5]
    assert [state[key].tolist() for key in ("psign", "nsign", "zsign", "dminmax")] == [[0], [1], [0], [1]]


def test_rprop_sets_the_callers_gradient_to_0_where_its_sign_changed() -> None:
    gradient, state = np.array([1.0, 2.0]), dict[str, Any]()
    for sign in (1, -1):
        gradient[0] = sign
        optim.rprop(lambda x: (0.0, gradient), np.zeros(2), {}, state)
    assert gradient.tolist() == [0, 2]


def test_rprop_takes_niter_steps() -> None:
    x, seen = np.array([8.0]), []

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        seen.append(x.item())
        return x.item() ** 2, 2 * x

    _, f = optim.rprop(opfunc, x, {"niter": 3, "stepsize": 1, "etaplus": 1})
    assert f == [64, 49, 36] == [point**2 for point in seen]
    assert x.tolist() == [5]
    assert optim.rprop(opfunc, x, {"niter": 0}) == (x, [])


def test_rprop_one_table_keeps_the_array_of_step_sizes() -> None:
    config: dict[str, Any] = {"stepsize": 0.5}
    for _ in range(2):
        optim.rprop(const(1.0), np.zeros(1), config)
    assert config["stepsize"].tolist() == [0.6]


@pytest.mark.parametrize("separate", [False, True])
def test_rprop_step_sizes_that_were_taken_away_begin_anew(separate: bool) -> None:
    config: dict[str, Any] = {"stepsize": 0.5}
    state = {} if separate else config
    x = np.zeros(1)
    for _ in range(3):
        optim.rprop(const(1.0), x, config, state)
    before = x.copy()
    del state["stepsize"]
    optim.rprop(const(1.0), x, config, state)
    size = 1.2 * (0.5 if separate else 0.1)
    assert state["stepsize"].tolist() == [size]
    np.testing.assert_array_equal(x, before - size)


@pytest.mark.parametrize("niter", [1.5, float("inf")])
def test_rprop_steps_that_are_no_whole_number(niter: float) -> None:
    with pytest.raises(ValueError, match=rf"^optim\.rprop: expected niter to be a whole number, got {niter}"):
        optim.rprop(const(1.0), np.zeros(1), {"niter": niter})


def test_an_error_in_a_later_step_of_rprop_keeps_the_earlier_ones() -> None:
    gradients = [np.ones(1), np.array([np.nan])]
    x, state = np.zeros(1), dict[str, Any]()
    with pytest.raises(FloatingPointError, match=r"^optim\.rprop: in step 2 the gradient has 1 NaN of 1 elements"):
        optim.rprop(lambda x: (0.0, gradients.pop(0)), x, {"niter": 2}, state)
    assert x.tolist() == [-0.1]
