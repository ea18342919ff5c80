"""What is special about cg, beyond the recorded runs."""

from __future__ import annotations

import copy
import math
import re
import tracemalloc
import types
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import optim
import torch7
from optim.cg import _ahead, _back, _Bounds

from .objectives import rosenbrock
from .searching import Counted, Failing, barrier, start, valley

FIELDS = ["df0", "df1", "df2", "df3", "s", "x0"]


def test_results() -> None:
    x, opfunc = start(), Counted()
    found = optim.cg(opfunc, x, {"maxEval": 30})
    assert found[0] is x
    assert found[1][0] == opfunc.values[0]
    assert found[1][-1] == valley(x)[0]
    assert found[1] == sorted(found[1], reverse=True)
    assert (type(found[2]), found[2]) == (int, len(opfunc.points))
    assert {type(f) for f in found[1]} == {float}


def test_without_config() -> None:
    x, same = start(), start()
    _, values, evaluations = optim.cg(valley, x)
    assert (values, evaluations) == optim.cg(valley, same, {}, {})[1:]
    assert x.tolist() == same.tolist()


def test_it_finds_minima() -> None:
    x, values, _ = optim.cg(rosenbrock, np.zeros(2), {"maxIter": 100})
    np.testing.assert_allclose(x, 1, rtol=1e-5)
    assert values[-1] < 1e-9


@hypothesis.given(
    st.integers(0, 10**6),
    st.fixed_dictionaries(
        {},
        optional={
            "maxIter": st.integers(1, 20),
            "maxEval": st.one_of(st.integers(0, 40), st.just(12.5)),
            "rho": st.sampled_from([1e-3, 0.05]),
            "sig": st.sampled_from([0.1, 0.9]),
            "int": st.sampled_from([0.05, 0.3]),
            "ext": st.sampled_from([1.5, 10]),
            "ratio": st.sampled_from([1, 1000]),
        },
    ),
)
@hypothesis.settings(deadline=None, max_examples=50)
def test_values_fall_whatever_the_options(seed: int, config: dict[str, Any]) -> None:
    opfunc, x = Counted(), np.random.RandomState(seed).uniform(-3, 3, 5)
    _, values, evaluations = optim.cg(opfunc, x, dict(config))
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(valley(x)[0], rel=1e-12)
    assert evaluations == len(opfunc.points)


# -- options


def evaluated(config: dict[str, Any], function: Any = valley) -> Counted:
    opfunc = Counted(function)
    optim.cg(opfunc, start(), dict(config))
    return opfunc


def test_maxEval_defaults_to_maxIter_and_a_quarter() -> None:
    assert len(evaluated({}).points) == 25
    assert len(evaluated({"maxIter": 8}).points) == 10
    assert len(evaluated({"maxIter": 8, "maxEval": 12}).points) == 12


@pytest.mark.parametrize("maxEval", [0, 1, -1])
def test_one_evaluation_moves_nowhere(maxEval: int) -> None:
    x, opfunc, state = start(), Counted(), dict[str, Any]()
    assert optim.cg(opfunc, x, {"maxEval": maxEval}, state)[1:] == (opfunc.values, 1)
    assert x.tolist() == start().tolist()
    assert sorted(state) == FIELDS


def test_a_negative_maxEval_allows_no_interpolation() -> None:
    """Its size is the limit, but the budget of a search is computed from the number itself."""
    assert 1 < len(evaluated({"maxEval": -20}).points) < 20


def test_maxIter_limits_a_search() -> None:
    unreachable = {"sig": 1e-12, "maxEval": 100}
    assert [len(evaluated(unreachable | {"maxIter": n}).points) for n in (1, 2, 3)] == [3, 4, 5]


def test_the_first_step_is_by_the_slope() -> None:
    first, second = evaluated({"maxEval": 2}).points[:2]
    g = valley(first)[1]
    np.testing.assert_allclose(second, first - g / (1 + g @ g), rtol=1e-14)


def bowl(x: np.ndarray) -> tuple[float, np.ndarray]:
    return float(x @ x) * 500, x * 1000


BOTTOM = math.sqrt(999) / 1000  # from here the first step in this bowl leads to its bottom


def test_rho_asks_for_descent() -> None:
    """A step to the bottom makes half of the descent that the slope promised."""
    for rho, found in ((0.4999, True), (0.5001, False)):
        x, values, _ = optim.cg(bowl, np.array([BOTTOM]), {"rho": rho, "maxEval": 2})
        assert len(values) == 1 + found
        assert x[0] == pytest.approx(0 if found else BOTTOM, abs=1e-12)


def test_sig_asks_for_flatness() -> None:
    exact, rough = (optim.cg(valley, start(), {"sig": sig, "maxIter": 200})[1] for sig in (1e-3, 0.9))
    assert exact[1] < rough[1]


def test_ext_limits_how_far_a_search_goes() -> None:
    flat = lambda x: (float(-np.log1p(x @ x)), -2 * x / (1 + x @ x))  # noqa: E731
    for ext in (2, 5):
        opfunc = Counted(flat)
        optim.cg(opfunc, np.array([0.01]), {"ext": ext})
        first, second, third = (float(point[0]) - 0.01 for point in opfunc.points[1:4])
        assert (second / first, third / second) == pytest.approx((ext, ext))


@pytest.mark.parametrize(
    ("points", "want"),
    [
        # the value and slope one before, and here
        ((1, -1, 3, 9), -1 + 1 / 6),  # the minimum of a parabola
        ((1, -1, 10, 9), -0.9),  # nearer to the end than int allows
        ((1, 1, 2, 9), -0.5),  # a straight line has none: half way
        ((1, -2, 1, 2), -0.5),  # the minimum of a cubic
        ((1, -1, 0, -1), -0.5),  # a straight line again
        ((1, -1, 0.5, 0.01), -0.1),  # nearer to here than int allows
    ],
)
def test_steps_back(points: tuple[float, ...], want: float) -> None:
    f3, d3, f2, d2 = points
    line: Any = types.SimpleNamespace(f=f2, d=d2)
    assert _back(line, 1, f3, d3, -1, _Bounds(0.01, 0.5, 0.1, 3)) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize(
    ("cubic", "limit", "want"),
    [
        # the value and slope one before z = 2, and at it: for the first three the minimum of the cubic is 1 further on
        ((1.5, -2, 0, -1), -1, 1),
        ((1.5, -2, 0, -1), 3.05, 1),
        ((1.5, -2, 0, -1), 2.4, 0.2),  # beyond the limit: half way
        ((1.5, -2, 0, -1), 4, 1.8),  # less far towards it than int allows
        ((0.95, -1, 0, -0.9), -1, 4),  # further than ext allows
        ((1.05, -2.1, 0, -0.1), -1, 0.1),  # nearer than int allows
        ((1, -1, 0, -1), -1, 4),  # a straight line: as far as ext allows
        ((1, -1, 0, -1), 3, 0.5),  # or half way
        ((1.5, -1, 0, -2), -1, 4),  # it curves down
    ],
)
def test_steps_ahead(cubic: tuple[float, ...], limit: float, want: float) -> None:
    f3, d3, f2, d2 = cubic
    line: Any = types.SimpleNamespace(f=f2, d=d2)
    assert _ahead(line, f3, d3, -1, 2, limit, _Bounds(0.01, 0.5, 0.1, 3)) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("inside", [0.1, 0.3])
def test_int_keeps_off_the_ends(inside: float) -> None:
    """Where the value has risen beyond measure, a search goes back by all but this part."""
    opfunc = Counted(lambda x: (float(x[0] ** 2) if x[0] > 0 else 1e12, 2 * x))
    optim.cg(opfunc, np.array([0.1]), {"int": inside})
    step = 0.2 / (1 + 0.2**2)
    np.testing.assert_allclose(opfunc.points[1:3], [[0.1 - step], [0.1 - step * inside]], rtol=1e-12)


def test_ratio_limits_the_first_step_of_a_search() -> None:
    ends = [evaluated({"ratio": ratio, "maxEval": 100, "maxIter": 50}).points for ratio in (1e-3, 100)]
    assert not all(np.array_equal(*points) for points in zip(*ends))
    np.testing.assert_array_equal(ends[0][1], ends[1][1])


def test_verbose_says_nothing(capsys: pytest.CaptureFixture) -> None:
    assert [point.tolist() for point in evaluated({"verbose": 5}).points] == [p.tolist() for p in evaluated({}).points]
    assert capsys.readouterr().out == ""


# -- the end


def test_the_first_search_that_finds_nothing_is_the_last() -> None:
    wrong = Counted(lambda x: (float(x @ x / 2), -x))  # downhill is uphill
    x = start()
    _, values, evaluations = optim.cg(wrong, x, {"maxIter": 4, "maxEval": 100})
    assert values == wrong.values[:1]
    assert evaluations == 6
    assert x.tolist() == start().tolist()


@pytest.mark.parametrize("maxEval", [20, 12.5, 0.5, -12.5])
@pytest.mark.parametrize("function", [lambda x: (0.0, np.zeros_like(x)), lambda x: (float(x @ x), np.zeros_like(x))])
def test_without_slope(function: Any, maxEval: float) -> None:
    """With a fractional maxEval Torch would never end."""
    x = start()
    _, values, evaluations = optim.cg(function, x, {"maxEval": maxEval})
    assert x.tolist() == start().tolist()
    assert evaluations <= abs(maxEval) + 1
    assert set(values) == {function(x)[0]}


@pytest.mark.parametrize("maxIter", [6, 10, 5.2])
@pytest.mark.parametrize("curvature", [0.2, 0.75, 1.4, 2.5, 5.0, 7.3, 8.75])
@pytest.mark.parametrize("quartic", [0, 0.125])
def test_it_ends_at_a_minimum(curvature: float, maxIter: float, quartic: float) -> None:
    """Where steps do not move any more Torch would never end: maxEval, 1.25 maxIter, is fractional."""

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        f = curvature * x @ x / 2 - x[0] + quartic * (x @ x) ** 2
        return float(f), curvature * x - 1 + 4 * quartic * x**3

    x = np.array([1.3])
    assert all(optim.cg(opfunc, x, {"maxIter": maxIter})[2] < 100 for _ in range(6))
    assert abs(opfunc(x)[1]) < 1e-6


def test_downhill_without_end_raises() -> None:
    x = start()
    with pytest.raises(FloatingPointError, match=r"optim\.cg: in evaluation \d+ the loss is -inf"):
        optim.cg(lambda x: (-float(x.max()) * 9, -9.0 * (x == x.max())), x, {"maxEval": 1e4, "maxIter": 1e4})
    assert x.tolist() == start().tolist()


# -- state


def test_the_state_lends_its_memory() -> None:
    x, state = start(), dict[str, Any]()
    optim.cg(valley, x, {}, state)
    assert sorted(state) == FIELDS
    assert all(state[key].shape == x.shape for key in FIELDS)
    before = {id(state[key]) for key in FIELDS}
    assert len(before) == 6
    optim.cg(valley, x, {}, state)
    assert {id(state[key]) for key in FIELDS} == before


def test_the_content_of_the_state_does_not_matter() -> None:
    ends = []
    for fill in (0.0, math.nan, 1e300):
        x = start()
        optim.cg(valley, x, {"maxEval": 9}, {key: np.full(4, fill) for key in FIELDS})
        ends.append(x.tolist())
    assert ends[0] == ends[1] == ends[2]


def test_buffers_of_another_shape_are_made_new() -> None:
    state = {key: np.zeros((3, 7)) for key in FIELDS}
    x, want = start(), start()
    optim.cg(valley, x, {}, state)
    optim.cg(valley, want, {})
    assert x.tolist() == want.tolist()
    assert state["s"].shape == (4,)


@pytest.mark.parametrize("old", [np.zeros(4, np.float32), np.zeros(7, np.float32), 5])
def test_buffers_of_another_type(old: Any) -> None:
    with pytest.raises(ValueError, match=r"optim\.cg: x is float64 of shape \(4,\), but state\.s is "):
        optim.cg(valley, start(), {}, {"s": old})


def test_fields_as_in_torch() -> None:
    """df1 is the gradient at x, df2 the one before, or that of the last trial where a search found nothing."""
    first = np.array([BOTTOM])
    for maxEval, second in ((2, first), (3, None)):
        x, state = first.copy(), dict[str, Any]()
        optim.cg(bowl, x, {"maxEval": maxEval}, state)
        assert abs(x[0]) < 1e-12
        assert state["df1"].tolist() == bowl(x)[1].tolist()
        assert state["df0"].tolist() == bowl(x if second is None else first)[1].tolist()
        assert state["x0"].tolist() == (x if second is None else first).tolist()
        assert (state["df2"].tolist() == bowl(first)[1].tolist()) == (second is not None)


@pytest.mark.parametrize("way", ["copy", "file"])
def test_saved_state_resumes_exactly(way: str, tmp_path: Path) -> None:
    x, state = start(), dict[str, Any]()
    optim.cg(valley, x, {"maxIter": 4}, state)
    saved = copy.deepcopy((x, state))
    if way == "file":
        torch7.save(tmp_path / "state.t7", [x, state])
        saved = torch7.load(tmp_path / "state.t7")
    for point, table in ((x, state), saved):
        optim.cg(valley, point, {"maxIter": 20}, table)
    np.testing.assert_array_equal(x, saved[0])
    for key in FIELDS:
        np.testing.assert_array_equal(state[key], saved[1][key])


def test_tables_of_any_kind() -> None:
    x, config = start(), torch7.Table(maxIter=8, ext=None, rho=False)
    optim.cg(valley, x, config)
    assert sorted(config) == sorted([*FIELDS, "ext", "maxIter", "rho"])
    np.testing.assert_array_equal(x, optim.cg(valley, start(), {"maxIter": 8})[0])


# -- arrays


@pytest.mark.parametrize("shape", [(1,), (6, 5), (2, 3, 4), (0,), (3, 0)])
def test_any_shape_and_layout(shape: tuple[int, ...]) -> None:
    n = int(np.prod(shape))
    want = optim.cg(valley, start(n), {"maxEval": 12})
    x = np.zeros((*shape, 2))[..., 0]
    x[...] = start(n).reshape(shape)
    found = optim.cg(valley, x, {"maxEval": 12})
    np.testing.assert_allclose(found[0], want[0].reshape(shape), rtol=1e-9)
    assert found[2] == want[2]


def test_float_follows_double() -> None:
    single = optim.cg(valley, start(40, np.float32), {"maxEval": 12})
    double = optim.cg(valley, start(40), {"maxEval": 12})
    assert single[0].dtype == np.float32
    assert single[2] == double[2]
    np.testing.assert_allclose(single[0], double[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_allocation_after_the_first_call(dtype: Any) -> None:
    x, gradient, config = np.linspace(1, 2, 300_000, dtype=dtype), np.zeros(300_000, dtype), {"maxIter": 8}

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        np.copyto(gradient, x)
        return float(np.dot(x, x)) / 2, gradient

    optim.cg(opfunc, x, config)

    def peak() -> int:
        x[:] = 1.5
        tracemalloc.start()
        try:
            optim.cg(opfunc, x, config)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert min(peak() for _ in range(3)) < 300_000  # bytes, for numpy's conversions; an array has 1.2 or 2.4 million


def test_the_gradient_may_be_x_itself() -> None:
    x, want = start(), start()
    assert (
        optim.cg(lambda x: (float(x @ x) / 2, x), x)[1:] == optim.cg(lambda x: (float(x @ x) / 2, x.copy()), want)[1:]
    )
    assert x.tolist() == want.tolist()


# -- errors


@pytest.mark.parametrize("when", [1, 2, 3, 7, 20])
@pytest.mark.parametrize(
    ("result", "error", "text"),
    [
        (
            (math.nan, np.ones(4)),
            FloatingPointError,
            "in evaluation {} the loss is nan; x keeps the values it had before",
        ),
        ((-math.inf, np.ones(4)), FloatingPointError, "in evaluation {} the loss is -inf; x keeps the values it had"),
        ((1.0, np.array([1, math.inf, 1, 1])), FloatingPointError, "in evaluation {} the gradient has 1 infinite of 4"),
        (("1", np.ones(4)), TypeError, "expected opfunc to return a number as f, got '1'"),
        ((1.0, np.ones(3)), ValueError, "x is float64 of shape (4,), but the gradient is float64 of shape (3,)"),
        (1.0, TypeError, "expected opfunc to return (f, df/dx), got 1.0"),
    ],
)
def test_errors_leave_x(when: int, result: Any, error: type[Exception], text: str) -> None:
    x, state, want = start(), dict[str, Any](), start()
    with pytest.raises(error, match=re.escape(f"optim.cg: {text.format(when)}")):
        optim.cg(Failing(when, result), x, {"maxEval": 30}, state)
    assert x.tolist() == start().tolist()
    assert optim.cg(valley, x, {}, state)[1:] == optim.cg(valley, want)[1:]
    assert x.tolist() == want.tolist()


@pytest.mark.parametrize("when", [1, 2, 9])
def test_interruptions_leave_x(when: int) -> None:
    x = start()
    with pytest.raises(KeyboardInterrupt):
        optim.cg(Failing(when, KeyboardInterrupt()), x, {})
    assert x.tolist() == start().tolist()


def test_searches_step_back_from_infinity() -> None:
    x, opfunc = np.array([0.9, -0.95]), Counted(barrier)
    _, values, _ = optim.cg(opfunc, x, {"maxIter": 60})
    assert math.inf in opfunc.values
    assert np.abs(barrier(x)[1]).max() < 1e-6
    assert values == sorted(values, reverse=True)


def test_infinity_at_the_start_raises() -> None:
    with pytest.raises(FloatingPointError, match=r"optim\.cg: in evaluation 1 the loss is inf"):
        optim.cg(barrier, np.array([2.0]))


@pytest.mark.parametrize("maxEval", [20, 12.5])
def test_nan_is_nobodys_business_when_ignored(maxEval: float) -> None:
    x = start()
    with optim.nonfinite("ignore"):
        _, values, evaluations = optim.cg(lambda x: (math.nan, np.full_like(x, math.nan)), x, {"maxEval": maxEval})
        assert x.tolist() == start().tolist()
        optim.cg(Failing(3, (math.nan, np.full(4, math.nan))), x, {"maxEval": maxEval})
    assert len(values) == 1
    assert evaluations <= maxEval + 1


@pytest.mark.parametrize("key", ["rho", "sig", "int", "ext", "maxIter", "ratio", "maxEval"])
def test_options_that_are_no_numbers(key: str) -> None:
    with pytest.raises(TypeError, match=rf"optim\.cg: expected {key} to be a number, got '1'"):
        optim.cg(valley, start(), {key: "1"})


def test_arguments_that_do_not_fit() -> None:
    with pytest.raises(TypeError, match=r"optim\.cg: expected config to be a mapping such as a dict, got 3"):
        optim.cg(valley, start(), 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"optim\.cg: expected x to be a floating ndarray"):
        optim.cg(valley, [1.0])  # type: ignore[arg-type]
