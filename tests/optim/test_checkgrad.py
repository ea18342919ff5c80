"""The gradient checker: recorded checks, types and shapes, and x as it was whatever happens."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

import optim
from tests.support import golden

from .objectives import rosenbrock, rosenbrock_of_searches

CASES = [case for case in golden.cases("optim/other.json") if case["kind"] == "checkgrad"]
X = [0.5, -0.25, 2.0]


def cubes(x: np.ndarray) -> tuple[float, np.ndarray]:
    return float((x.astype(np.float64) ** 3).sum()), 3 * x**2


@pytest.mark.parametrize("case", CASES, ids=["default", "larger", "wrong"])
def test_recorded_check(case: dict[str, Any]) -> None:
    x = golden.decode(case["x"])
    error = 0 if case["objective"] == "rosenbrock" else 0.5
    eps = [] if case["eps"] is None else [case["eps"]]
    diff, dC, dC_est = optim.checkgrad(lambda x: (rosenbrock_of_searches(x), rosenbrock(x)[1] + error), x, *eps)
    assert type(diff) is float
    assert diff == pytest.approx(case["diff"], rel=1e-7)
    np.testing.assert_allclose(dC, golden.decode(case["dC"]), rtol=1e-15)
    np.testing.assert_array_equal(dC_est, golden.decode(case["dC_est"]))
    np.testing.assert_array_equal(x, golden.decode(case["x"]))


@pytest.mark.parametrize("eps", [None, False])
def test_eps_defaults_as_in_lua(eps: Any) -> None:
    want, got = optim.checkgrad(cubes, np.array(X)), optim.checkgrad(cubes, np.array(X), eps)
    assert got[0] == want[0]
    np.testing.assert_array_equal(got[2], want[2])


def test_the_points_in_order() -> None:
    points = []

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        points.append(x.tolist())
        return 0.0, np.ones(2)

    optim.checkgrad(opfunc, np.array([1.0, 2.0]), 0.25)
    assert points == [[1, 2], [1.25, 2], [0.75, 2], [1, 2.25], [1, 1.75]]


@pytest.mark.parametrize("shape", [(6,), (2, 3), (3, 1, 2), (1,)])
def test_any_shape_of_x_and_of_the_gradient(shape: tuple[int, ...]) -> None:
    x = np.linspace(-1, 2, math.prod(shape)).reshape(shape)
    diff, dC, dC_est = optim.checkgrad(lambda x: (cubes(x)[0], cubes(x)[1].reshape(-1)), x)
    assert diff < 1e-7
    assert dC.shape == dC_est.shape == shape
    np.testing.assert_array_equal(dC, 3 * x**2)
    np.testing.assert_allclose(dC_est, 3 * x**2, rtol=1e-5, atol=1e-6)


def test_views() -> None:
    whole = np.arange(12.0).reshape(3, 4)
    x, before = whole.T[::-2], whole.copy()
    diff, dC, _ = optim.checkgrad(cubes, x, 1e-4)
    assert diff < 1e-7
    np.testing.assert_array_equal(dC, 3 * x**2)
    np.testing.assert_array_equal(whole, before)


def test_float() -> None:
    x = np.array(X, np.float32)
    diff, dC, dC_est = optim.checkgrad(cubes, x, 1e-2)
    assert diff < 1e-3
    assert dC.dtype == dC_est.dtype == np.float32
    np.testing.assert_array_equal(x, np.array(X, np.float32))
    assert optim.checkgrad(cubes, 3 * x)[2][2] == 0  # the default eps is lost in the last bit of 6


def test_float_moves_from_the_rounded_point_down_twice() -> None:
    points = []

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        points.append(x.item())
        return 0.0, np.ones(1)

    x, eps = np.array([0.7], np.float32), 1e-7
    optim.checkgrad(opfunc, x, eps)
    up = np.float32(float(x[0]) + eps)
    assert points == [float(x[0]), float(up), float(np.float32(float(up) - 2 * eps))]


def test_the_gradient_may_be_of_another_floating_type() -> None:
    _, dC, dC_est = optim.checkgrad(lambda x: (cubes(x)[0], np.float32(3 * x**2)), np.array(X))
    assert dC.dtype == dC_est.dtype == np.float32


def test_a_gradient_buffer_that_is_used_again() -> None:
    buffer = np.zeros(3)

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        np.multiply(3 * x, x, out=buffer)
        return cubes(x)[0], buffer

    x = np.array(X)
    _, dC, _ = optim.checkgrad(opfunc, x)
    np.testing.assert_array_equal(dC, 3 * x**2)
    assert not np.shares_memory(dC, buffer)


@pytest.mark.parametrize("wrap", [lambda f: np.array([f]), lambda f: np.array([[f]]), np.array, np.float64])
def test_a_loss_that_is_an_array_of_one_element_or_a_buffer(wrap: Any) -> None:
    buffer = np.array(wrap(0.0))

    def opfunc(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f, g = cubes(x)
        buffer[...] = f
        return buffer, g

    want, got = optim.checkgrad(cubes, np.array(X)), optim.checkgrad(opfunc, np.array(X))
    assert got[0] == want[0]
    np.testing.assert_array_equal(got[2], want[2])


def test_nothing_is_divided_by_nothing() -> None:
    assert math.isnan(optim.checkgrad(lambda x: (1.0, np.zeros(3)), np.array(X))[0])
    diff, dC, dC_est = optim.checkgrad(lambda x: (1.0, x), np.zeros(0))
    assert math.isnan(diff)
    assert dC.shape == dC_est.shape == (0,)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_x_is_as_it_was_after_an_error(error: type[BaseException], call: int) -> None:
    x, calls = np.array(X), []

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        calls.append(1)
        if len(calls) == call:
            raise error
        return cubes(x)

    with pytest.raises(error):
        optim.checkgrad(opfunc, x)
    assert x.tolist() == X


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite(value: float) -> None:
    x = np.array(X)
    with pytest.raises(FloatingPointError, match=f"^optim.checkgrad: at x the loss is {value}; x keeps"):
        optim.checkgrad(lambda x: (value, x.copy()), x)
    with pytest.raises(FloatingPointError, match=r"^optim\.checkgrad: at x the gradient has 1 (NaN|infinite) of 3"):
        optim.checkgrad(lambda x: (1.0, np.array([0, value, 0])), x)
    moved = f"^optim.checkgrad: with element 2 of x moved the loss is {value}; x keeps"
    with pytest.raises(FloatingPointError, match=moved):
        optim.checkgrad(lambda x: (1.0 if x[1] == X[1] else value, x.copy()), x)
    with optim.nonfinite("ignore"):
        diff, _, dC_est = optim.checkgrad(lambda x: (1.0 if x[1] <= X[1] else value, x.copy()), x)
    assert math.isnan(diff)
    assert dC_est[1] == pytest.approx(value, nan_ok=True)
    assert x.tolist() == X


@pytest.mark.parametrize(
    ("eps", "error", "text"),
    [
        (0, ValueError, "expected eps to be finite and not 0, got 0.0"),
        (math.nan, ValueError, "expected eps to be finite and not 0, got nan"),
        (math.inf, ValueError, "expected eps to be finite and not 0, got inf"),
        ("1e-7", TypeError, "expected eps to be a number, got '1e-7'"),
        (True, TypeError, "expected eps to be a number, got True"),
    ],
)
def test_eps_that_is_refused(eps: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^optim.checkgrad: {re.escape(text)}$"):
        optim.checkgrad(cubes, np.array(X), eps)


@pytest.mark.parametrize(
    ("result", "error", "text"),
    [
        (1.0, TypeError, "expected opfunc to return (f, df/dx), got 1.0"),
        ((1.0,), TypeError, "expected opfunc to return (f, df/dx), got a tuple of length 1"),
        ((None, np.ones(3)), TypeError, "expected opfunc to return a number, or a number as its first result, got a"),
        ((1.0, [1.0, 2.0, 3.0]), TypeError, "expected opfunc to return df/dx as a floating ndarray, got a list"),
        ((1.0, np.arange(3)), TypeError, "expected opfunc to return df/dx as a floating ndarray, got int64 of shape"),
        ((1.0, np.ones(4)), ValueError, "x is float64 of shape (3,), but the gradient is float64 of shape (4,)"),
    ],
)
def test_function_that_returns_something_else(result: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^optim.checkgrad: {re.escape(text)}"):
        optim.checkgrad(lambda x: result, np.array(X))


def test_other_arguments_that_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^optim\.checkgrad: expected opfunc to be callable, got 3$"):
        optim.checkgrad(3, np.array(X))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^optim\.checkgrad: expected x to be a floating ndarray"):
        optim.checkgrad(cubes, X)  # type: ignore[arg-type]
    frozen = np.array(X)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match=r"^optim\.checkgrad: x is changed in place, but is a read-only array$"):
        optim.checkgrad(cubes, frozen)
