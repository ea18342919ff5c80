"""lswolfe and polyinterp: recorded results, conditions, limits and errors."""

from __future__ import annotations

import math
import re
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import optim
from optim.linesearch import _off_the_ends, _Point
from tests.support import golden

from .objectives import OBJECTIVES, rosenbrock

OTHER = golden.load("optim/other.json")["cases"]
POLYNOMIALS = [case for case in OTHER if case["kind"] == "polyinterp"]
SEARCHES = [case for case in OTHER if case["kind"] == "lswolfe"]
nan, inf = math.nan, math.inf


# -- polyinterp


@pytest.mark.parametrize("case", POLYNOMIALS, ids=lambda case: f"{case['points']['data']}, {case['bounds']}")
def test_recorded_polynomials(case: dict[str, Any]) -> None:
    found = optim.polyinterp(golden.decode(case["points"]), *case["bounds"])
    if case["fmin"] is None:
        assert type(found) is float
        assert found == pytest.approx(case["minPos"], rel=1e-15)
    else:
        assert [type(number) for number in found] == [float, float]
        assert found == pytest.approx((case["minPos"], case["fmin"]), rel=1e-14)


def rows(polynomial: np.polynomial.Polynomial, *positions: float) -> np.ndarray:
    slope = polynomial.deriv()
    return np.array([[x, polynomial(x), slope(x)] for x in positions])


coefficients = st.floats(-5, 5).map(lambda a: round(a, 2))


@hypothesis.given(st.lists(coefficients, min_size=4, max_size=4), st.floats(0.1, 3), st.floats(-3, 3))
@hypothesis.settings(deadline=None)
def test_the_lowest_place_within_bounds(coefs: list[float], width: float, left: float) -> None:
    cubic = np.polynomial.Polynomial(coefs)
    hypothesis.assume(any(abs(a) > 0.1 for a in coefs[1:]))
    position, value = optim.polyinterp(rows(cubic, left, left + width), left - 1, left + width + 1)  # type: ignore[misc]
    grid = cubic(np.linspace(left - 1, left + width + 1, 1000))
    assert left - 1 <= position <= left + width + 1
    assert value == pytest.approx(cubic(position), rel=1e-6, abs=1e-6)
    assert value <= grid.min() + 1e-6 * np.abs(grid).max()


def test_more_points_make_higher_degrees() -> None:
    quartic = np.polynomial.Polynomial([1, 2, -3, 0, 1])
    want = min(quartic.deriv().roots().real, key=quartic)
    for positions in ((-2, 0, 1), (-2, 0.5, 1, 2)):
        found = optim.polyinterp(rows(quartic, *positions))
        assert found == pytest.approx((want, quartic(want)), rel=1e-9)


def test_one_point_has_a_straight_line() -> None:
    point = np.array([[2.0, 5.0, 3.0]])
    assert optim.polyinterp(point) == (2, pytest.approx(5))
    assert optim.polyinterp(point, 1, 4) == (1, pytest.approx(2))
    assert optim.polyinterp(point, 1) == (1, pytest.approx(2))
    assert optim.polyinterp(point, None, 1) == (1.5, inf)  # nothing is within bounds


def test_the_middle_where_the_bounds_leave_nothing() -> None:
    assert optim.polyinterp(np.array([[0.0, 1.0, -2.0], [2.0, 3.0, 4.0]]), 5, 4) == (4.5, inf)


def test_the_order_of_two_points_does_not_matter() -> None:
    points = np.array([[0.0, 1.0, -2.0], [2.0, 3.0, 4.0]])
    assert optim.polyinterp(points) == optim.polyinterp(points[::-1])


@pytest.mark.parametrize(
    ("points", "want"),
    [
        ([[1, 2, 1], [3, 0, -1]], 3),  # the minimum is beyond
        ([[1, 0, 1], [3, 0, 1]], 3 - 2 * (1 + math.sqrt(3) - 2) / (2 * math.sqrt(3))),
        ([[1, 0, 1], [3, 2, 1]], 1),  # a straight line: the minimum is at -inf
        ([[1, 0, 2], [3, 3, 2]], 2),  # a cubic without one
        ([[0, 1, -1], [4, inf, 2]], 0),  # Lua's min and max pass NaN by
        ([[0, 1, -1], [4, inf, nan]], 2),
        ([[0, nan, -1], [4, 1, 1]], 2),
        ([[2, 1, -1], [2, 1, 1]], 2),  # the same position
        ([[2, 1, -1], [2, 3, 1]], 2),
        ([[0, 1e200, -1e200], [1, 1e200, 1e200]], 0),  # too large to multiply
    ],
)
def test_two_points_where_arithmetic_ends(points: list[list[float]], want: float) -> None:
    assert optim.polyinterp(np.array(points, float)) == pytest.approx(want)


def test_single_precision_rounds_bounds() -> None:
    points = np.array([[0, 1, -1], [0.05, 0.95, -1]], np.float32)
    above = float(np.float32(0.1))
    assert optim.polyinterp(points, 0, 0.1)[0] == float(np.float32(0.05))  # type: ignore[index]
    position, value = optim.polyinterp(points, 0, above)  # type: ignore[misc]
    assert position == above > 0.1
    assert value == pytest.approx(0.9, rel=1e-5)


@pytest.mark.parametrize(
    ("points", "text"),
    [
        ([[1, 2, 3], [1, 4, 5]], "expected points at different positions, got equal ones"),
        ([[1, 2, 0], [3, 2, 0]], "the polynomial through these points is constant, and has no minimum"),
        ([[1, 2, 1e-13], [3, 2, 1e-13]], "the polynomial through these points is constant, and has no minimum"),
        ([[1, 2, 0], [3, nan, 0]], "no polynomial with finite coefficients goes through these points"),
        ([[1, 2, 0], [3, inf, 0]], "no polynomial with finite coefficients goes through these points"),
        ([[1e200, 2, 0], [3, 4, 0]], "no polynomial with finite coefficients goes through these points"),
        ([[0, 1e308, -1e308], [1, -1e308, 1e308]], "no polynomial with finite coefficients goes through these points"),
    ],
)
def test_points_without_a_polynomial(points: list[list[float]], text: str) -> None:
    with pytest.raises(ValueError, match=f"^optim.polyinterp: {text}$"):
        optim.polyinterp(np.array(points, float), -5, 5)


@pytest.mark.parametrize(
    ("points", "error", "text"),
    [
        ([[1.0, 2.0, 3.0]], TypeError, "expected points to be a floating ndarray, got a list of length 1"),
        (np.array([[1, 2, 3]]), TypeError, "expected points to be a floating ndarray, got int64 of shape (1, 3)"),
        (np.ones((2, 2)), ValueError, "expected rows (position, value, derivative), got float64 of shape (2, 2)"),
        (np.ones(3), ValueError, "expected rows (position, value, derivative), got float64 of shape (3,)"),
        (np.ones((0, 3)), ValueError, "expected rows (position, value, derivative), got float64 of shape (0, 3)"),
    ],
)
def test_what_is_no_points(points: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(f"optim.polyinterp: {text}")):
        optim.polyinterp(points)


@pytest.mark.parametrize("bound", ["1", True, [1]])
def test_bounds_that_are_no_numbers(bound: Any) -> None:
    points = np.array([[0.0, 1.0, -2.0], [2.0, 3.0, 4.0]])
    with pytest.raises(TypeError, match=r"optim\.polyinterp: expected xminBound to be a number, got "):
        optim.polyinterp(points, bound)
    with pytest.raises(TypeError, match=r"optim\.polyinterp: expected xmaxBound to be a number, got "):
        optim.polyinterp(points, 0, bound)


# -- lswolfe


@pytest.mark.parametrize("case", SEARCHES, ids=lambda case: case["objective"])
def test_recorded_searches(case: dict[str, Any]) -> None:
    evaluations = []

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = OBJECTIVES[case["objective"]](x)
        evaluations.append((x.tolist(), f))
        return f, g

    x = golden.decode(case["x0"])
    f, g = opfunc(x)
    found = optim.lswolfe(opfunc, x, case["t0"], -g, f, g, -g.dot(g), {})
    assert [type(number) for number in found] == [float, np.ndarray, np.ndarray, float, int]
    assert found[2] is x
    assert (found[0], found[3], found[4]) == (pytest.approx(case["f"]), pytest.approx(case["t"]), case["nevals"])
    np.testing.assert_allclose(found[1], golden.decode(case["g"]), rtol=1e-13)
    np.testing.assert_allclose(x, golden.decode(case["x"]), rtol=1e-14)
    for (x, f), want in zip(evaluations, case["evaluations"], strict=True):
        np.testing.assert_allclose([*x, f], [*want["x"], want["f"]], rtol=1e-14)


def bumpy(x: np.ndarray) -> tuple[float, np.ndarray]:
    """A bowl with waves on it."""
    return float((0.1 * x * x + np.sin(3 * x)).sum()), 0.2 * x + 3 * np.cos(3 * x)


def search(opfunc: Any, x: Any, t: float = 1.0, options: Any = None, g: Any = None) -> Any:
    """lswolfe along the negative gradient."""
    f, gradient = bumpy(x) if opfunc is None else opfunc(x)
    d = -gradient
    return optim.lswolfe(opfunc or bumpy, x, t, d, f, gradient if g is None else g, -float((d * d).sum()), options)


@hypothesis.given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=5),
    st.floats(-4, 2),
    st.sampled_from([1e-4, 0.1]),
    st.sampled_from([0.9, 0.2]),
    st.booleans(),
)
@hypothesis.settings(deadline=None)
def test_wolfe_conditions(start: list[float], power: float, c1: float, c2: float, shared: bool) -> None:
    memory = np.zeros(len(start))

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = bumpy(x)
        np.copyto(memory, g)
        return f, memory if shared else g

    x0 = np.array(start)
    x = x0.copy()
    f0, g0 = bumpy(x0)
    hypothesis.assume(abs(g0).max() > 1e-3)
    d, gtd = -g0, -float(g0 @ g0)
    f, g, same, t, n = optim.lswolfe(opfunc, x, 10**power, d, f0, opfunc(x)[1], gtd, {"c1": c1, "c2": c2, "tolX": 0})
    assert same is x
    np.testing.assert_array_equal(x, x0 + t * d)
    assert f == bumpy(x)[0]
    if t > 0:
        np.testing.assert_array_equal(g, bumpy(x)[1])
    if n <= 20:  # maxIter was not reached
        assert f <= f0 + c1 * t * gtd
        assert abs(g @ d) <= -c2 * gtd


def test_the_gradient_is_an_array_of_its_own() -> None:
    memory = np.zeros(1)

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        memory[:] = x
        return float(x @ x / 2), memory

    for t in (0.5, 1e-3, 1.5):
        _, g, x, _, _ = search(opfunc, np.array([3.0]), t, {"c2": 0.5})
        assert not np.shares_memory(g, memory)
        assert g.tolist() == x.tolist()


@pytest.mark.parametrize("shared", [False, True])
def test_a_gradient_that_opfunc_writes_again_is_used_as_in_torch(shared: bool) -> None:
    """The first gradient is copied after the first evaluation, when it may be that of the first trial."""
    memory, seen = np.zeros(1), []

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        seen.append(x.item())
        np.copyto(memory, x)
        return float(x @ x / 2), memory if shared else memory.copy()

    search(opfunc, np.array([3.0]), 1.5, {"c1": 0.4, "maxIter": 1})
    points = np.array([[0, 4.5, 4.5 if shared else -9], [1.5, 1.125, 4.5]])
    assert seen[:2] == [3, -1.5]
    assert seen[2:] == pytest.approx([3 - 3 * optim.polyinterp(points)], abs=1e-12)


def test_first_trial_satisfies_the_conditions() -> None:
    assert search(rosenbrock, np.array([-1.2, 1.0]), 1e-3)[4] == 1


def test_a_tighter_c2_takes_longer() -> None:
    loose, tight = (search(None, np.array([1.0, 2.0]), 1e-3, {"c2": c2}) for c2 in (0.9, 1e-4))
    assert tight[4] > loose[4]
    assert abs(tight[1] @ -bumpy(np.array([1.0, 2.0]))[1]) < abs(loose[1] @ -bumpy(np.array([1.0, 2.0]))[1])


def test_c1_asks_for_more_descent() -> None:
    x = np.array([3.0])
    bowl = lambda x: (float(x @ x / 2), x.copy())  # noqa: E731
    assert search(bowl, x.copy(), 1.5)[4] == 1
    f, _, _, t, n = search(bowl, x.copy(), 1.5, {"c1": 0.4})
    assert n > 1
    assert f <= 4.5 - 0.4 * t * 9


def test_tolX_ends_the_search() -> None:
    exact = {"c2": 0, "maxIter": 100}
    free, bound = (search(None, np.array([1.0, 2.0]), 1.0, exact | {"tolX": tolX}) for tolX in (1e-12, 1.0))
    assert bound[4] < free[4]


@pytest.mark.parametrize("maxIter", [0, 1, 2, 5])
@pytest.mark.parametrize("t", [1e-6, 1.0, 50.0])
def test_maxIter_ends_the_search_at_the_best_point(maxIter: int, t: float, capsys: pytest.CaptureFixture) -> None:
    seen = []

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        seen.append(bumpy(x)[0])
        return bumpy(x)

    x = np.array([1.0, 2.0])
    options = {"c2": 1e-9, "maxIter": maxIter, "tolX": 0, "verbose": True}
    f, g, x, _, n = search(opfunc, x, t, options)
    assert n == maxIter + 1 == len(seen) - 1
    assert f == bumpy(x)[0] <= seen[0]
    np.testing.assert_array_equal(g, bumpy(x)[1])
    assert capsys.readouterr().out == "<optim.lswolfe> \treached max number of iterations\n"
    search(None, x, t, options | {"verbose": False})
    assert capsys.readouterr().out == ""


def test_maxIter_without_end() -> None:
    assert search(None, np.array([1.0, 2.0]), 1e-9, {"maxIter": inf})[4] > 5


@pytest.mark.parametrize("gradient", [1.0, nan, -inf])
def test_steps_back_from_infinity(gradient: float) -> None:
    def barrier(x: np.ndarray) -> tuple[float, np.ndarray]:
        if abs(x[0]) >= 1:
            return inf, np.array([gradient])
        return -math.log(1 - x[0] ** 2) + x[0] / 2, np.array([2 * x[0] / (1 - x[0] ** 2) + 0.5])

    for t in (0.1, 3.0, 1e6):
        f, g, x, _, _ = search(barrier, np.array([0.9]), t, {"maxIter": 40})
        assert abs(x[0]) < 1
        assert f == barrier(x)[0] < barrier(np.array([0.9]))[0]
        np.testing.assert_array_equal(g, barrier(x)[1])


def scripted(*trials: tuple[float, float], **options: Any) -> tuple[Any, list[float]]:
    """What the search gives from value 0 and slope -1, when trials have these values and slopes; and their t."""
    seen: list[float] = []

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        seen.append(x.item())
        f, slope = trials[len(seen) - 1]
        return f, np.array([slope], float)

    return optim.lswolfe(opfunc, np.zeros(1), 1, np.ones(1), 0, -np.ones(1), -1, options), seen


def test_the_first_extrapolation_may_go_up_as_in_torch() -> None:
    """Only from the second on is a value that is not below the last one too high."""
    (f, _, _, t, _), seen = scripted((-10, -1), (-9, -1), (-8, -1), (-11, 0))
    assert 1 < seen[1] < seen[2]
    assert seen[1] < seen[3] == t < seen[2]
    assert f == -11


def test_a_trial_above_the_lowest_is_not_taken() -> None:
    (f, _, _, t, n), seen = scripted((-10, 5), (-5, 0.5), (-11, 0))
    assert 0 < seen[1] < seen[2] == t < 1
    assert (f, n) == (-11, 3)


def test_the_start_is_the_best_where_the_last_extrapolation_went_up() -> None:
    (f, g, x, t, n), _ = scripted((-10, -2), (100, 3), maxIter=1)
    assert (f, g.tolist(), x.tolist(), t, n) == (0, [-1], [0], 0, 2)


@pytest.mark.parametrize(
    ("t", "crowded", "want"),
    [
        (1.5, True, (1.5, False)),
        (1.05, False, (1.05, True)),
        (1.05, True, (1.1, False)),
        (1.95, True, (1.9, False)),
        (1.0, False, (1.1, False)),
        (2.0, False, (1.9, False)),
    ],
)
def test_pushed_off_the_ends(t: float, crowded: bool, want: tuple[float, bool]) -> None:
    ends = [_Point(end, 0, np.zeros(1), 0) for end in (2.0, 1.0)]
    assert _off_the_ends(t, ends, crowded) == (pytest.approx(want[0]), want[1])


def test_goes_on_where_nothing_tells_how_far() -> None:
    """On a plain as good as level; Torch fails there."""
    seen = []

    def plain(x: np.ndarray) -> tuple[float, np.ndarray]:
        seen.append(x.item())
        return 1.0, np.array([1e-13])

    x = np.array([0.0])
    f, _, _, _, n = optim.lswolfe(
        plain, x, 1.0, np.array([-1.0]), 1.0, np.array([1e-13]), -1e-13, {"maxIter": 1, "c1": -1}
    )
    assert (f, n) == (1, 2)
    np.testing.assert_allclose(seen, [-1, -1.01])


def test_single_precision_rounds_what_is_kept() -> None:
    x = np.array([1.0, 2.0], np.float32)
    seen = []

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = bumpy(x.astype(float))
        seen.append(f)
        return f, g.astype(np.float32)

    f, g, x, t, _ = search(opfunc, x, 0.7, {"c2": 0.01})
    assert (g.dtype, x.dtype) == (np.float32, np.float32)
    assert (f, t) == (float(np.float32(f)), float(np.float32(t)))
    assert f in [float(np.float32(value)) for value in seen]
    assert f not in seen


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_shape_and_layout(dtype: Any) -> None:
    flat = np.linspace(-2, 2, 12).astype(dtype)
    want = search(None, flat.copy(), 0.3, {"c2": 0.1})
    across = np.asfortranarray(flat.reshape(3, 4))
    f, g, x, t, n = search(None, across, 0.3, {"c2": 0.1})
    assert x is across
    assert (f, t, n) == (pytest.approx(want[0], rel=1e-6), pytest.approx(want[3], rel=1e-4), want[4])
    np.testing.assert_allclose(x.reshape(-1), want[2], rtol=1e-4)
    np.testing.assert_allclose(g.reshape(-1), want[1], rtol=1e-2, atol=1e-4)


class Failing:
    """bumpy, whose evaluation number `when` gives something else, or raises it."""

    def __init__(self, when: int, result: Any):
        self.when, self.result = when, result

    def __call__(self, x: np.ndarray) -> Any:
        self.when -= 1
        if self.when:
            return bumpy(x)
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


@pytest.mark.parametrize("when", [2, 3, 5])
@pytest.mark.parametrize(
    ("result", "error", "text"),
    [
        ((nan, np.ones(2)), FloatingPointError, "in evaluation {} the loss is nan; x keeps the values it had before"),
        ((-inf, np.ones(2)), FloatingPointError, "in evaluation {} the loss is -inf; x keeps the values it had before"),
        ((1.0, np.array([1, nan])), FloatingPointError, "in evaluation {} the gradient has 1 NaN of 2 elements"),
        ((None, np.ones(2)), TypeError, "expected opfunc to return a number as f, got None"),
        ((1.0, np.ones(3)), ValueError, "x is float64 of shape (2,), but the gradient is float64 of shape (3,)"),
    ],
)
def test_errors_leave_x(when: int, result: Any, error: type[Exception], text: str) -> None:
    x = np.array([1.0, 2.0])
    with pytest.raises(error, match=re.escape(f"optim.lswolfe: {text.format(when - 1)}")):
        search(Failing(when, result), x, 1e-6, {"c2": 1e-9})
    assert x.tolist() == [1, 2]


def test_interruptions_leave_x() -> None:
    x = np.array([1.0, 2.0])
    with pytest.raises(KeyboardInterrupt):
        search(Failing(4, KeyboardInterrupt()), x, 1e-6, {"c2": 1e-9})
    assert x.tolist() == [1, 2]


def test_nan_is_nobodys_business_when_ignored() -> None:
    x = np.array([1.0, 2.0])
    with optim.nonfinite("ignore"):
        assert search(Failing(2, (nan, np.full(2, nan))), x, 1.0, {"maxIter": 0})[4] == 1
        with pytest.raises(
            ValueError, match=r"optim\.polyinterp: no polynomial with finite coefficients"
        ):  # as in Torch
            search(Failing(2, (nan, np.full(2, nan))), np.array([1.0, 2.0]))


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"d": np.ones(3)}, ValueError, "x is float64 of shape (2,), but d is float64 of shape (3,)"),
        ({"d": None}, ValueError, "x is float64 of shape (2,), but d is None"),
        ({"g": np.ones(2, np.float32)}, ValueError, "but the first gradient is float32 of shape (2,)"),
        ({"t": "1"}, TypeError, "expected t to be a number, got '1'"),
        ({"f": None}, TypeError, "expected f to be a number, got None"),
        ({"gtd": np.ones(2)}, TypeError, "expected gtd to be a number, got float64 of shape (2,)"),
        ({"options": 3}, TypeError, "to be a mapping such as a dict, got 3"),
        ({"options": {"c1": "1"}}, TypeError, "expected c1 to be a number, got '1'"),
        ({"options": {"maxIter": 2.5}}, ValueError, "expected maxIter to be a whole number, got 2.5"),
        ({"options": {"maxIter": -1}}, ValueError, "expected maxIter to be a whole number, got -1.0"),
        ({"options": {"maxIter": nan}}, ValueError, "expected maxIter to be a whole number, got nan"),
        ({"x": np.ones(2, int)}, TypeError, "expected x to be a floating ndarray of one dimension or more"),
        ({"opfunc": 3}, TypeError, "expected opfunc to be callable, got 3"),
    ],
)
def test_arguments_that_do_not_fit(changes: dict[str, Any], error: type[Exception], text: str) -> None:
    x = np.array([1.0, 2.0])
    f, g = bumpy(x)
    arguments: dict[str, Any] = {"opfunc": bumpy, "x": x, "t": 1.0, "d": -g, "f": f, "g": g, "gtd": -float(g @ g)}
    with pytest.raises(error, match=re.escape(text)) as raised:
        optim.lswolfe(**arguments | changes)
    assert str(raised.value).startswith("optim.lswolfe: ")
    assert x.tolist() == [1, 2]


def test_numbers_may_be_numpys() -> None:
    x = np.array([1.0, 2.0], np.float32)
    f, g = bumpy(x)
    found = optim.lswolfe(
        bumpy, x, np.float64(0.1), -g, np.float64(f), g, np.float64(-(g @ g)), {"c2": np.float64(0.5)}
    )  # type: ignore[arg-type]
    assert found[1].dtype == np.float32
    assert type(found[0]) is type(found[3]) is float
