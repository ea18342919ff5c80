"""What is special about lbfgs, beyond the recorded runs."""

from __future__ import annotations

import math
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optim
import torch7

from .objectives import rosenbrock
from .searching import AFTER_ONE, FIRST, LISTS, Counted, search_parameter, start, valley


def evaluated(config: dict[str, Any], function: Any = valley, x: Any = None) -> Counted:
    opfunc = Counted(function)
    optim.lbfgs(opfunc, start() if x is None else x, dict(config))
    return opfunc


@search_parameter
def test_results(search: dict[str, Any]) -> None:
    x, opfunc = start(), Counted()
    found = optim.lbfgs(opfunc, x, {"learningRate": 0.5, "maxIter": 6, **search})
    assert found[0] is x
    assert found[1][0] == opfunc.values[0]
    assert len(found[1]) == (7 if search else 6)
    assert set(found[1]) <= set(opfunc.values)
    assert (type(found[2]), found[2]) == (int, len(opfunc.points))
    assert {type(f) for f in found[1]} == {float}


def test_without_config() -> None:
    x, same = start(), start()
    assert optim.lbfgs(valley, x)[1:] == optim.lbfgs(valley, same, {}, {})[1:]
    assert x.tolist() == same.tolist()


def test_it_finds_minima() -> None:
    x, _, _ = optim.lbfgs(rosenbrock, np.zeros(2), {"maxIter": 100, "lineSearch": optim.lswolfe, "tolFun": 1e-12})
    np.testing.assert_allclose(x, 1, rtol=1e-6)
    x, _, evaluations = optim.lbfgs(valley, start(), {"maxIter": 100, "tolX": 1e-14})
    assert np.abs(valley(x)[1]).sum() <= 1e-5
    assert evaluations is not None
    assert evaluations < 40


def test_the_first_step_is_along_the_gradient() -> None:
    first, second, *_ = evaluated({"learningRate": 0.5}).points
    g = valley(first)[1]
    np.testing.assert_allclose(second, first - 0.5 / np.abs(g).sum() * g, rtol=1e-14)
    x = np.array([0.1])  # a small gradient is not made larger
    first, second, *_ = evaluated({"learningRate": 0.5}, lambda x: (float(x @ x / 2), x.copy()), x).points
    assert second.item() == pytest.approx(0.05)


def test_the_second_step_by_its_formula() -> None:
    first, second, third, *_ = evaluated({"learningRate": 0.5}).points
    s, y, g = second - first, valley(second)[1] - valley(first)[1], valley(second)[1]
    rho = 1 / (y @ s)
    left = np.eye(4) - rho * np.outer(s, y)
    H = left @ (np.eye(4) * (y @ s) / (y @ y)) @ left.T + rho * np.outer(s, s)
    np.testing.assert_allclose(third, second - 0.5 * H @ g, rtol=1e-12)


def test_pairs_without_curvature_are_left_out() -> None:
    state: dict[str, Any] = {}
    optim.lbfgs(lambda x: (float(-x @ x / 2), -x), start(), {"maxIter": 4}, state)
    assert state["old_dirs"] == state["old_stps"] == []
    assert [len(state[key]) for key in ("dir_bufs", "stp_bufs")] == [101, 101]
    assert state["Hdiag"] == 1


# -- the end, and what is told of it


CREATING = "<optim.lbfgs> \tcreating recyclable direction/step/history buffers\n"


def told(config: dict[str, Any], capsys: pytest.CaptureFixture, state: Any = None) -> tuple[str, Any]:
    found = optim.lbfgs(valley, start(), {"verbose": True, **config}, state)
    return capsys.readouterr().out, found


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"maxIter": 3}, "reached max number of iterations"),
        ({"maxEval": 3}, "max nb of function evals"),
        ({"maxIter": 3.5, "maxEval": 4}, "max nb of function evals"),
        ({"tolFun": 5}, "optimality condition below tolFun"),
        ({"learningRate": 1e-3, "tolX": 1e-2}, "step size below tolX"),
        ({"learningRate": 1e-9, "maxIter": 1, "tolX": 1}, "reached max number of iterations"),
    ],
)
def test_reasons_to_end(config: dict[str, Any], reason: str, capsys: pytest.CaptureFixture) -> None:
    assert told(config, capsys)[0] == f"{CREATING}<optim.lbfgs> \t{reason}\n"
    assert told({**config, "verbose": False}, capsys)[0] == ""


def test_it_ends_when_the_value_does_not_change(capsys: pytest.CaptureFixture) -> None:
    config = {"verbose": True, "tolX": 1e-3}
    _, values, _ = optim.lbfgs(lambda x: (1.0, np.ones(2)), np.zeros(2), config)
    assert values == [1, 1]
    text = "function value changing less than tolX"
    assert capsys.readouterr().out == f"{CREATING}<optim.lbfgs> \t{text}\n"


def test_it_ends_silently_where_it_does_not_lead_down(capsys: pytest.CaptureFixture) -> None:
    state: dict[str, Any] = {}
    out, (_, values, evaluations) = told({"tolX": 1e6}, capsys, state)
    assert (out, len(values), evaluations) == (CREATING, 1, 1)
    assert sorted(state) == sorted({*AFTER_ONE} - {"t"})  # it has not come to a step
    assert told({}, capsys, state)[1][1:] == told({}, capsys)[1][1:]  # where Torch fails


def test_an_optimal_start_has_no_third_result(capsys: pytest.CaptureFixture) -> None:
    x, opfunc, state = np.full(2, 1e-6), Counted(lambda x: (0.0, x.copy())), dict[str, Any]()
    found = optim.lbfgs(opfunc, x, {"verbose": True}, state)
    assert (found[0] is x, *found[1:]) == (True, [0.0], None)
    assert sorted(state) == ["funcEval", "nIter", "tmp1"]
    assert (state["funcEval"], state["nIter"], state["tmp1"].tolist()) == (1, 0, [1e-6, 1e-6])
    assert capsys.readouterr().out == "<optim.lbfgs> \toptimality condition below tolFun\n"


def test_no_iterations() -> None:
    x, state = start(), dict[str, Any]()
    assert optim.lbfgs(valley, x, {"maxIter": 0}, state)[1:] == ([valley(x)[0]], 1)
    assert sorted(state) == sorted(FIRST)
    assert optim.lbfgs(valley, x, {}, state)[1:] == optim.lbfgs(valley, start())[1:]


def test_maxEval_defaults_to_maxIter_and_a_quarter() -> None:
    """With a line search that takes two evaluations per iteration."""

    def twice(opfunc: Any, x: Any, t: Any, d: Any, f: Any, g: Any, gtd: Any, options: Any) -> Any:
        x += 1e-3 * d
        opfunc(x)
        return (*opfunc(x), x, 1e-3, 2)

    assert len(evaluated({"maxIter": 8, "lineSearch": twice}).points) == 11
    assert len(evaluated({"lineSearch": twice}).points) == 25
    assert len(evaluated({"maxIter": 8, "maxEval": 5, "lineSearch": twice}).points) == 5


def test_the_last_iteration_does_not_evaluate() -> None:
    x, opfunc = start(), Counted()
    _, values, evaluations = optim.lbfgs(opfunc, x, {"maxIter": 3})
    assert len(opfunc.points) == len(values) == evaluations == 3
    assert not any(np.array_equal(x, point) for point in opfunc.points)
    assert len(evaluated({"maxIter": 2.5, "maxEval": 9}).points) == 4  # but none of 2.5 is the last


# -- line search


def test_what_a_line_search_gets_and_gives() -> None:
    calls = []

    def half(*arguments: Any) -> Any:
        opfunc, x, t, d, f, g, gtd, options = arguments
        calls.append((x, t, f, gtd, options))
        np.testing.assert_allclose(gtd, g @ d, rtol=1e-13)
        assert (f, g.tolist()) == (valley(x)[0], valley(x)[1].tolist())
        x += t / 2 * d
        return (*opfunc(x), x, t / 2, 1)

    x, options, opfunc, state = start(), object(), Counted(), dict[str, Any]()
    config = {"lineSearch": half, "lineSearchOptions": options, "learningRate": 0.5, "maxIter": 5}
    _, values, evaluations = optim.lbfgs(opfunc, x, config, state)
    assert all(call[0] is x and call[4] is options for call in calls)
    assert [call[1] for call in calls[1:]] == [0.5] * 4
    assert [call[2] for call in calls] == values[:5] == opfunc.values[:5]
    assert evaluations == 6 == state["funcEval"]
    assert state["t"] == 0.25
    np.testing.assert_allclose(state["old_dirs"][-1], opfunc.points[-2] - opfunc.points[-3], rtol=1e-12)


def test_options_of_the_line_search(capsys: pytest.CaptureFixture) -> None:
    counts = [
        len(evaluated({"lineSearch": optim.lswolfe, "lineSearchOptions": options, "maxIter": 4, "maxEval": 99}).points)
        for options in (None, {"c2": 1e-3}, torch7.Table(c2=1e-3, maxIter=2))
    ]
    assert counts[0] < counts[2] < counts[1]


def test_a_line_search_may_give_another_x() -> None:
    def elsewhere(opfunc: Any, x: Any, t: Any, d: Any, f: Any, g: Any, gtd: Any, options: Any) -> Any:
        there = x + t * d
        return (*opfunc(there), there, t, 1)

    x = start()
    assert optim.lbfgs(valley, x, {"lineSearch": elsewhere, "maxIter": 4})[0] is x
    fixed = optim.lbfgs(valley, start(), {"maxIter": 4})
    np.testing.assert_allclose(x, fixed[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("result", "error", "text"),
    [
        (None, TypeError, "expected lineSearch to return (f, g, x, t, evaluations), got None"),
        (
            (1.0, np.ones(4)),
            TypeError,
            "expected lineSearch to return (f, g, x, t, evaluations), got a tuple of length 2",
        ),
        ((None, np.ones(4), None, 1.0, 1), TypeError, "expected f of lineSearch to be a number, got None"),
        ((1.0, np.ones(4), None, "1", 1), TypeError, "expected t of lineSearch to be a number, got '1'"),
        ((1.0, np.ones(4), None, 1.0, None), TypeError, "expected evaluations of lineSearch to be a number, got None"),
        ((1.0, np.ones(3), None, 1.0, 1), ValueError, "but g of lineSearch is float64 of shape (3,)"),
        ((1.0, np.ones(4), np.ones(3), 1.0, 1), ValueError, "but x of lineSearch is float64 of shape (3,)"),
        (
            (math.nan, np.ones(4), np.ones(4), 1.0, 1),
            FloatingPointError,
            "after the search of iteration 1 the loss is nan",
        ),
    ],
)
def test_line_searches_that_give_something_else(result: Any, error: type[Exception], text: str) -> None:
    def search(opfunc: Any, x: Any, *_: Any) -> Any:
        x += 1
        return result

    x, state = start(), dict[str, Any]()
    with pytest.raises(error, match=re.escape(text)) as raised:
        optim.lbfgs(valley, x, {"lineSearch": search}, state)
    assert str(raised.value).startswith("optim.lbfgs: ")
    assert x.tolist() == start().tolist()
    assert state["nIter"] == state["funcEval"] == 0


@pytest.mark.parametrize("search", ["lswolfe", 3, {"function": True}])
def test_a_line_search_that_cannot_be_called(search: Any) -> None:
    with pytest.raises(TypeError, match=r"optim\.lbfgs: expected lineSearch to be callable, got "):
        optim.lbfgs(valley, start(), {"lineSearch": search})


@pytest.mark.parametrize("search", [None, False])
def test_no_line_search(search: Any) -> None:
    x = optim.lbfgs(valley, start(), {"lineSearch": search})[0]
    np.testing.assert_array_equal(x, optim.lbfgs(valley, start())[0])


# -- arguments


@pytest.mark.parametrize("key", ["maxIter", "maxEval", "tolFun", "tolX", "nCorrection", "learningRate"])
def test_options_that_are_no_numbers(key: str) -> None:
    with pytest.raises(TypeError, match=rf"optim\.lbfgs: expected {key} to be a number, got '1'"):
        optim.lbfgs(valley, start(), {key: "1"})


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: optim.lbfgs(valley, [1.0]), TypeError, "expected x to be a floating ndarray"),  # type: ignore[arg-type]
        (lambda: optim.lbfgs(valley, start(), 3), TypeError, "expected config to be a mapping"),  # type: ignore[arg-type]
        (lambda: optim.lbfgs(3, start()), TypeError, "expected opfunc to be callable, got 3"),  # type: ignore[arg-type]
        (
            lambda: optim.lbfgs(lambda x: (None, x), start()),
            TypeError,
            "expected opfunc to return a number as f, got None",
        ),
        (lambda: optim.lbfgs(lambda x: 1.0, start()), TypeError, "expected opfunc to return (f, df/dx), got 1.0"),
    ],
)
def test_arguments_that_do_not_fit(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(f"optim.lbfgs: {text}")):
        call()


# -- arrays


@search_parameter
@pytest.mark.parametrize("shape", [(1,), (6, 5), (2, 3, 4), (0,), (3, 0)])
def test_any_shape_and_layout(shape: tuple[int, ...], search: dict[str, Any]) -> None:
    n = int(np.prod(shape))
    want = optim.lbfgs(valley, start(n), {"maxIter": 6, **search})
    x = np.zeros((*shape, 2))[..., 0]
    x[...] = start(n).reshape(shape)
    found = optim.lbfgs(valley, x, {"maxIter": 6, **search})
    assert found[0] is x
    np.testing.assert_allclose(x, want[0].reshape(shape), rtol=1e-9)
    assert found[2] == want[2]


@search_parameter
def test_float_follows_double(search: dict[str, Any]) -> None:
    config = {"maxIter": 12, "learningRate": 0.5, **search}
    single = optim.lbfgs(valley, start(40, np.float32), dict(config), state := dict[str, Any]())
    double = optim.lbfgs(valley, start(40), dict(config))
    assert single[2] == double[2]
    np.testing.assert_allclose(single[0], double[0], rtol=1e-3, atol=1e-4)
    assert {state[key].dtype for key in ("d", "g_old", "tmp1")} == {np.dtype(np.float32)}
    assert {row.dtype for key in LISTS for row in state[key]} == {np.dtype(np.float32)}
    assert state["al"].dtype == state["ro"].dtype == np.float64  # Torch's default type


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_allocation_after_the_first_call(dtype: Any) -> None:
    x, gradient = np.linspace(1, 2, 300_000, dtype=dtype), np.zeros(300_000, dtype)
    config: dict[str, Any] = {"maxIter": 4, "nCorrection": 2, "tolX": 0, "tolFun": 0}

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        np.tanh(x, out=gradient)
        return 0.0, gradient

    for _ in range(2):
        optim.lbfgs(opfunc, x, config)

    def peak() -> int:
        tracemalloc.start()
        try:
            optim.lbfgs(opfunc, x, config)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert min(peak() for _ in range(3)) < 300_000  # bytes, for numpy's conversions; an array has 1.2 or 2.4 million
