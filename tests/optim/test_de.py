"""Differential evolution: recorded searches, sizes that go together, order of calls, and errors."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest

import optim
import torch7
from tests.support import golden

from .objectives import rosenbrock_of_searches

CASES = golden.cases("optim/other.json")
SMALL = {"popsize": 6, "scaleFactor": 0.5, "crossoverRate": 0.9, "maxFEs": 60}


def sphere(x: np.ndarray) -> float:
    return float((x * x).sum())


def search(config: dict[str, Any], x: Any = (0.0, 0.0), opfunc: Any = sphere, dtype: Any = np.float64) -> Any:
    return optim.de(opfunc, np.array(x, dtype), SMALL | config)


def points_of(config: dict[str, Any], opfunc: Any = sphere, **more: Any) -> list[list[float]]:
    """The points at which the function is called."""
    points: list[list[float]] = []

    def recording(x: np.ndarray) -> Any:
        points.append(x.tolist())
        return opfunc(x)

    search(config, opfunc=recording, **more)
    return points


@pytest.mark.parametrize("case", [case for case in CASES if case["kind"] == "de"], ids=["given", "defaults"])
def test_recorded_search(case: dict[str, Any]) -> None:
    x, state = golden.decode(case["x0"]), torch7.getRNGState().copy()
    before = x.copy()
    best, f = optim.de(rosenbrock_of_searches, x, golden.decode(case["config"]))
    np.testing.assert_array_equal(best, golden.decode(case["x"]))
    np.testing.assert_array_equal(f, golden.decode(case["fhist"]))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(torch7.getRNGState(), state)


def test_recorded_error() -> None:
    (case,) = [case for case in CASES if case["kind"] == "de_error"]
    with pytest.raises(ValueError, match=r"expected maxFEs to be a multiple of popsize 20, or one more, got 90"):
        optim.de(rosenbrock_of_searches, golden.decode(case["x0"]), golden.decode(case["config"]))


@pytest.mark.parametrize("popsize", [3, 5, 8])
def test_how_often_the_function_is_called(popsize: int) -> None:
    """Torch runs whole generations until there were maxFEs - 1 calls or more, and has room for maxFEs values."""
    for maxFEs in range(1, 30):
        calls = popsize
        while calls + 1 < maxFEs:
            calls += popsize
        config = {"popsize": popsize, "maxFEs": maxFEs}
        if calls > maxFEs:
            with pytest.raises(ValueError, match="expected maxFEs to be a multiple of popsize"):
                search(config)
        else:
            _, f = search(config)
            assert f.shape == (maxFEs,)
            assert np.isfinite(f[:calls]).all()
            assert np.isnan(f[calls:]).all()
            assert len(points_of(config)) == calls


def test_popsize_is_ten_for_each_element_and_the_region_30_around_0() -> None:
    config = {"popsize": None, "maxFEs": 30}
    with pytest.raises(ValueError, match="a multiple of popsize 20"):
        search(config)
    points = np.array(points_of(config, x=(5.0, 5.0, 5.0)))
    assert points.shape == (30, 3)
    assert -30 <= points.min() < -25
    assert 25 < points.max() < 30


def test_the_region() -> None:
    points = np.array(points_of({"minRegion": 2, "maxRegion": 3, "maxFEs": 6}))
    assert ((points >= 2) & (points < 3)).all()


def test_the_first_best_point_is_the_one_of_the_greatest_value() -> None:
    points, (best, f) = points_of({"maxFEs": 6}), search({"maxFEs": 6})
    assert best.tolist() == points[int(f.argmax())]


def test_without_crossover_only_the_drawn_point_changes_as_a_whole() -> None:
    """Torch compares the number of the point with the drawn element: from the third on, all children are copies."""
    points = np.array(points_of({"crossoverRate": 0, "maxFEs": 12}))
    assert (points[2:6] == points[8:]).all()
    assert set((points[:2] == points[6:8]).sum(axis=1).tolist()) <= {0, 2}
    points = np.array(points_of({"crossoverRate": 0, "maxFEs": 12}, x=(0.0,)))  # of one element the first is drawn
    assert (points[6:] != points[:6]).ravel().tolist() == [True, *[False] * 5]


def test_with_full_crossover_children_are_the_best_plus_a_difference() -> None:
    points = np.array(points_of({"crossoverRate": 1, "scaleFactor": 0, "maxFEs": 12}))
    best, _ = search({"maxFEs": 6})
    assert (points[6:] == best).all()


def test_children_replace_their_parents_only_if_not_greater() -> None:
    config = {"maxFEs": 18, "crossoverRate": 1, "scaleFactor": 1}
    growing = itertools.count()
    first, flat, worse = (points_of(config, opfunc=f) for f in (sphere, lambda x: 0, lambda x: next(growing)))
    assert first[:6] == flat[:6] == worse[:6]
    # where all values are the same, children are of the first point and replace all their parents; where every value
    # is greater than the last, the first population stays and children are of its last point
    pairs = [np.subtract(a, b) for a in worse[:6] for b in worse[:6]]
    assert all(np.isclose(np.subtract(child, worse[5]), pairs).all(1).any() for child in worse[6:])
    assert not all(np.isclose(np.subtract(child, flat[0]), pairs).all(1).any() for child in flat[6:])


def test_the_same_call_finds_the_same_whatever_the_seed() -> None:
    torch7.manualSeed(1)
    first = points_of({})
    torch7.manualSeed(2)
    assert points_of({}) == first


def test_it_finds_the_minimum() -> None:
    best, f = search({"popsize": 20, "maxFEs": 2000}, opfunc=lambda x: float(((x - 3) ** 2).sum()))
    np.testing.assert_allclose(best, [3, 3], atol=1e-6)
    assert f[-20:].max() < 1e-6


@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 4)])
def test_points_have_one_dimension(shape: tuple[int, ...]) -> None:
    points = points_of({}, x=np.ones(shape))
    best, f = search({}, x=np.ones(shape))
    assert np.array(points).shape == (60, 4)
    assert best.shape == (4,)
    assert f.shape == (60,)
    assert points == points_of({}, x=np.ones(4))


def test_float_rounds_only_what_it_keeps() -> None:
    """Children are computed in double from the rounded points."""
    points = points_of({"crossoverRate": 1, "scaleFactor": 1 / 3, "maxFEs": 12}, dtype=np.float32)
    best, f = search({"crossoverRate": 1, "scaleFactor": 1 / 3, "maxFEs": 12}, dtype=np.float32)
    assert best.dtype == f.dtype == np.float32
    first = np.array(points[:6])
    worst = first[(first.astype(np.float32) ** 2).sum(axis=1).argmax()]
    children = {np.float32(e) for a in first for b in first for e in (worst + 1 / 3 * (a - b)).tolist()}
    assert {np.float32(e) for point in points[6:] for e in point} <= children


def test_the_function_may_return_a_gradient_or_an_array_of_one_element() -> None:
    want = search({})
    for result in (lambda x: (sphere(x), x), lambda x: [sphere(x)], lambda x: np.array([sphere(x)])):
        got = search({}, opfunc=result)
        assert [a.tolist() for a in got] == [a.tolist() for a in want]


def test_x_may_be_read_only_and_tables_stay_as_they_are() -> None:
    x, config, state = np.ones(2), torch7.Table(SMALL), {"popsize": 5}
    x.flags.writeable = False
    best, f = optim.de(sphere, x, config, state)
    assert best is not x
    assert (dict(config), state) == (SMALL, {"popsize": 5})
    assert f.tolist() == search({})[1].tolist()


def test_infinity_is_a_penalty() -> None:
    best, f = search({"maxFEs": 1000, "popsize": 20}, opfunc=lambda x: math.inf if x[0] < 1 else sphere(x))
    assert np.isinf(f).any()
    np.testing.assert_allclose(best, [1, 0], atol=1e-3)
    assert np.isinf(search({}, opfunc=lambda x: 1e300, dtype=np.float32)[1]).all()


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_what_is_not_finite(value: float) -> None:
    calls: list[Any] = []

    def opfunc(x: np.ndarray) -> float:
        calls.append(x)
        return value if len(calls) == 17 else 1.0

    message = f"optim.de: in evaluation 17 the loss is {value}; x keeps the values it had before"
    with pytest.raises(FloatingPointError, match=re.escape(message)):
        search({}, opfunc=opfunc)
    calls.clear()
    with optim.nonfinite("ignore"):
        _, f = search({}, opfunc=opfunc)
    assert f.tolist() == pytest.approx([*[1.0] * 16, value, *[1.0] * 43], nan_ok=True)


@pytest.mark.parametrize(
    ("config", "error", "text"),
    [
        ({"maxFEs": None}, TypeError, "expected config.maxFEs to be a whole number, got None"),
        ({"maxFEs": False}, TypeError, "expected config.maxFEs to be a whole number, got None"),
        ({"maxFEs": 60.5}, ValueError, "expected config.maxFEs to be a whole number, got 60.5"),
        ({"maxFEs": math.inf}, ValueError, "expected config.maxFEs to be a whole number, got inf"),
        ({"maxFEs": "60"}, TypeError, "expected maxFEs to be a number, got '60'"),
        ({"popsize": 5.5}, ValueError, "expected config.popsize to be a whole number, got 5.5"),
        ({"popsize": 2}, ValueError, "expected a popsize of at least 3, so that each has two others, got 2"),
        ({"popsize": 70}, ValueError, "expected maxFEs to be a multiple of popsize 70, or one more, got 60"),
        ({"scaleFactor": None}, TypeError, "expected scaleFactor to be a number, got None"),
        ({"crossoverRate": None}, TypeError, "expected crossoverRate to be a number, got None"),
        ({"crossoverRate": "0.9"}, TypeError, "expected crossoverRate to be a number, got '0.9'"),
        ({"minRegion": [1]}, TypeError, "expected minRegion to be a number, got a list of length 1"),
    ],
)
def test_options_that_are_refused(config: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^optim.de: {re.escape(text)}$"):
        search(config, opfunc=lambda x: pytest.fail("called"))


def test_sizes_may_be_floats_that_are_whole() -> None:
    assert search({"popsize": 6.0, "maxFEs": 60.0})[1].tolist() == search({})[1].tolist()


@pytest.mark.parametrize("result", [None, "1", [], (None, 1), np.zeros(2), 1j, {}])
def test_function_that_returns_no_number(result: Any) -> None:
    with pytest.raises(TypeError, match=r"^optim\.de: expected opfunc to return a number, or a number as its first"):
        search({}, opfunc=lambda x: result)


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        ([1.0], TypeError, "expected x to be a floating ndarray of one dimension or more, got a list of length 1"),
        (np.zeros(2, np.float16), TypeError, "expected x to be of float32 or float64, got float16 of shape (2,)"),
        (np.zeros((0,)), ValueError, "expected x to have elements, got float64 of shape (0,)"),
    ],
)
def test_x_that_is_refused(x: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^optim.de: {re.escape(text)}$"):
        optim.de(sphere, x, SMALL)


def test_other_arguments_that_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^optim\.de: expected opfunc to be callable, got 3$"):
        optim.de(3, np.zeros(2), SMALL)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^optim\.de: expected config to be a mapping such as a dict, got 3$"):
        optim.de(sphere, np.zeros(2), 3)  # type: ignore[arg-type]
