"""What is special about sgd, nag and asgd, beyond the recorded runs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import optim


def steps(config: dict[str, Any], gradients: list[Any], x: Any = (0.0, 0.0), dtype: Any = np.float64) -> np.ndarray:
    """x after one step with each of the gradients."""
    x = np.array(x, dtype)
    queue = [np.array(gradient, dtype) for gradient in reversed(gradients)]
    for _ in gradients:
        optim.sgd(lambda x: (0.0, queue.pop()), x, config)
    return x


def test_the_first_velocity_is_not_damped() -> None:
    config: dict[str, Any] = {"learningRate": 1, "momentum": 0.5, "dampening": 0.75}
    assert steps(config, [[4, 8]]).tolist() == [-4, -8]
    assert config["dfdx"].tolist() == [4, 8]
    assert steps(config, [[4, 8]]).tolist() == [-3, -6]  # 0.5 * 4 + (1 - 0.75) * 4


def test_dampening_defaults_to_the_momentum() -> None:
    given = steps({"momentum": 0.75, "dampening": 0.75}, [[4, 8], [1, 2]])
    assert steps({"momentum": 0.75}, [[4, 8], [1, 2]]).tolist() == given.tolist()
    assert steps({"momentum": 0.75, "dampening": 0}, [[4, 8], [1, 2]]).tolist() != given.tolist()


def test_the_velocity_is_a_copy_of_the_gradient() -> None:
    gradient, config = np.ones(2), {"momentum": 0.5}
    optim.sgd(lambda x: (0.0, gradient), np.zeros(2), config)
    gradient.fill(9)
    assert config["dfdx"].tolist() == [1, 1]  # type: ignore[attr-defined]


def test_nesterov_looks_ahead_and_changes_the_gradient() -> None:
    gradient = np.array([4.0, 8.0])
    config = {"learningRate": 1, "momentum": 0.5, "dampening": 0, "nesterov": True}
    x, _ = optim.sgd(lambda x: (0.0, gradient), np.zeros(2), config)
    assert gradient.tolist() == [6, 12]
    assert x.tolist() == [-6, -12]


@pytest.mark.parametrize(
    ("config", "got"),
    [
        ({}, "momentum 0.0 and dampening 0.0"),
        ({"momentum": 0.9}, "momentum 0.9 and dampening 0.9"),
        ({"momentum": -0.5, "dampening": 0}, "momentum -0.5 and dampening 0.0"),
    ],
)
def test_nesterov_needs_momentum_and_no_dampening(config: dict[str, Any], got: str) -> None:
    message = f"^optim.sgd: Nesterov momentum requires a momentum and zero dampening, got {got}$"
    with pytest.raises(ValueError, match=message):
        steps(config | {"nesterov": True}, [[1, 1]])
    steps(config | {"nesterov": False}, [[1, 1]])


def test_individual_weight_decays_count_only_without_weight_decay() -> None:
    decays = np.array([0.5, 0.25])
    both: dict[str, Any] = {"learningRate": 1, "weightDecay": 0.5, "weightDecays": decays}
    assert steps(both, [[0, 0]], [8, 8]).tolist() == [4, 4]
    assert "decayParameters" not in both
    alone: dict[str, Any] = {"learningRate": 1, "weightDecays": decays}
    assert steps(alone, [[0, 0]], [8, 8]).tolist() == [4, 6]
    assert alone["decayParameters"].tolist() == [4, 2]


def test_individual_weight_decays_change_the_callers_gradient() -> None:
    gradient = np.zeros(2)
    optim.sgd(lambda x: (0.0, gradient), np.array([8.0, 8.0]), {"weightDecays": np.array([0.5, 0.25])})
    assert gradient.tolist() == [4, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_individual_vectors_of_any_type_and_shape(dtype: Any) -> None:
    vector = np.array([[2, 4]], dtype)
    config: dict[str, Any] = {"learningRate": 0.5, "learningRates": vector, "weightDecays": vector}
    x = steps(config, [[1, 1]], [1, 1], np.float32)
    assert x.dtype == config["deltaParameters"].dtype == config["decayParameters"].dtype == np.float32
    assert x.tolist() == [1 - 0.5 * 2 * 3, 1 - 0.5 * 4 * 5]


@pytest.mark.parametrize("key", ["learningRates", "weightDecays"])
def test_individual_vectors_that_do_not_fit(key: str) -> None:
    with pytest.raises(
        ValueError, match=rf"optim\.sgd: expected {key} to have one number for each of the 2 elements of x"
    ):
        steps({key: np.ones(3)}, [[1, 1]])
    for value in ([1.0, 1.0], 0.5, np.array(["a", "b"])):
        with pytest.raises(TypeError, match=rf"optim\.sgd: expected {key} to be an ndarray of numbers, got "):
            steps({key: value}, [[1, 1]])


def test_the_counter_anneals_and_is_there_for_the_function() -> None:
    config: dict[str, Any] = {"learningRate": 8, "learningRateDecay": 1}
    seen = []

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        seen.append(config["evalCounter"])
        return 0.0, np.ones(1)

    x = np.zeros(1)
    moved = [optim.sgd(opfunc, x, config)[0].item() for _ in range(3)]
    assert seen == [0, 1, 2]
    assert moved == pytest.approx([-8, -12, -12 - 8 / 3], rel=1e-15)


def test_a_rate_of_zero_keeps_x_even_from_infinity() -> None:
    with optim.nonfinite("ignore"):
        assert steps({"learningRate": 0}, [[np.inf, np.nan]], [1, 2]).tolist() == [1, 2]


def test_nesterov_with_a_read_only_gradient() -> None:
    frozen, config = np.ones(2), {"momentum": 0.5, "dampening": 0, "nesterov": True, "dfdx": np.ones(2)}
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match=r"^optim\.sgd: the gradient, with these options, is changed in place"):
        optim.sgd(lambda x: (0.0, frozen), np.zeros(2), config)
    assert config["dfdx"].tolist() == [1, 1]  # type: ignore[attr-defined]


# -- nag


def test_nag_looks_ahead_and_comes_back_after_an_error() -> None:
    x, config = np.array([0.1, 0.7]), {"learningRate": 0.3, "momentum": 0.9}
    for _ in range(3):
        optim.nag(lambda x: (0.0, x * x), x, config)
    before, velocity = x.copy(), config["dfdx"].copy()  # type: ignore[attr-defined]
    for error in (KeyboardInterrupt, ValueError):

        def fails(ahead: np.ndarray, error: type = error) -> None:
            np.testing.assert_array_equal(ahead, before + 0.9 * velocity)
            raise error

        with pytest.raises(error):
            optim.nag(fails, x, config)
        np.testing.assert_array_equal(x, before)
        np.testing.assert_array_equal(config["dfdx"], velocity)


def test_nag_comes_back_from_a_buffer_that_does_not_fit() -> None:
    x, config = np.array([1.0, 2.0]), {"dfdx": np.ones(2), "learningRates": np.ones(2), "deltaParameters": np.ones(3)}
    with pytest.raises(ValueError, match=r"^optim\.nag: x is float64 .* but state\.deltaParameters is float64 of"):
        optim.nag(lambda x: (0.0, np.ones(2)), x, config)
    assert x.tolist() == [1, 2]
    assert config["dfdx"].tolist() == [1, 1]


def test_nag_whose_gradient_is_x_itself() -> None:
    """In Torch's order: the velocity sees what the step made of x."""
    x, config = np.array([4.0]), {"learningRate": 0.25, "momentum": 0.5}
    found = [(optim.nag(lambda x: (0.0, x), x, config)[0].item(), config["dfdx"].item()) for _ in range(2)]  # type: ignore[attr-defined]
    assert found == [(3, -0.75), (1.96875, -0.8671875)]


@pytest.mark.parametrize("momentum", [0, -0.5, float("nan")])
def test_nag_needs_momentum(momentum: float) -> None:
    with pytest.raises(
        ValueError, match=rf"^optim\.nag: Momentum must be positive for Nesterov Accelerated Gradient, got {momentum}"
    ):
        optim.nag(lambda x: (0.0, x), np.ones(1), {"momentum": momentum})


def test_individual_rates_of_nag() -> None:
    config = {"learningRate": 0.5, "learningRates": np.array([2, 4])}
    x, _ = optim.nag(lambda x: (0.0, np.ones(2)), np.zeros(2), config)
    assert x.tolist() == [-1, -2]
    assert config["deltaParameters"].tolist() == [2, 4]  # type: ignore[attr-defined]


def test_nag_with_the_rate_of_zero_moves_by_momentum_alone() -> None:
    x, _ = optim.nag(lambda x: (0.0, np.ones(1)), np.zeros(1), {"learningRate": 0, "dfdx": np.ones(1), "momentum": 0.5})
    assert x.tolist() == [0.5]


# -- asgd


def test_asgd_averages_from_t0_on() -> None:
    config: dict[str, Any] = {"eta0": 0.5, "lambda": 0, "t0": 2}
    x, points = np.array([8.0]), []
    for _ in range(5):
        _, _, average = optim.asgd(lambda x: (0.0, x.copy()), x, config)
        points.append(x.item())
    assert average is config["ax"]
    assert average.item() == np.mean(points[3:])


def test_asgd_writes_its_defaults_into_config_where_they_are_absent() -> None:
    config, state = {"eta0": 1, "alpha": None}, dict[str, Any]()
    optim.asgd(lambda x: (0.0, x), np.ones(1), config, state)
    assert config == {"eta0": 1, "alpha": 0.75, "lambda": 1e-4, "t0": 1e6}
    assert type(config["eta0"]) is int
    assert (state["t"], state["mu_t"]) == (1, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"eta0": 1.0, "lambda": -1.0, "alpha": 0.75},  # 1 / 0
        {"eta0": 1.0, "lambda": -3.0, "alpha": 0.75},  # a root of -2
        {"eta0": 1.0, "lambda": 1e200, "alpha": 2.0},  # out of range
        {"eta0": 1.0, "lambda": 1e200, "alpha": -2.0},
        {"eta0": float("inf"), "lambda": 0.0, "alpha": 0.75},
    ],
)
def test_asgd_whose_next_rate_would_be_no_number(options: dict[str, float]) -> None:
    x, config, state = np.ones(1), dict(options), dict[str, Any]()
    expected = "optim.asgd: no eta_t after 1 steps with lambda {lambda}, eta0 {eta0} and alpha {alpha}"
    with pytest.raises(ValueError, match=re.escape(expected.format(**options))):
        optim.asgd(lambda x: (0.0, x), x, config, state)
    assert x.tolist() == [1]
    assert (config, state) == (options, {})


def test_asgd_whose_next_rate_is_negative() -> None:
    state: dict[str, Any] = {}
    optim.asgd(lambda x: (0.0, x), np.ones(1), {"eta0": 1, "lambda": -3, "alpha": 1}, state)
    assert state["eta_t"] == -0.5
