"""CMA-ES: recorded searches, options, random numbers, when it ends, and errors."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import optim
import torch7
from tests.support import golden

from .objectives import rosenbrock_of_searches

CASES = golden.cases("optim/other.json")
SMALL = {"sigma": 0.5, "verb_disp": 0, "maxEval": 60}


def sphere(x: np.ndarray) -> float:
    return float((x.astype(np.float64) ** 2).sum())


def search(config: dict[str, Any], x: Any = (1.0, -2.0), opfunc: Any = sphere, dtype: Any = np.float64) -> Any:
    torch7.manualSeed(5)
    return optim.cmaes(opfunc, np.array(x, dtype), SMALL | config)


def points_of(config: dict[str, Any], opfunc: Any = sphere, **more: Any) -> list[np.ndarray]:
    """The points at which the function is called."""
    points = []

    def recording(x: np.ndarray) -> Any:
        points.append(x.copy())
        return opfunc(x)

    search(config, opfunc=recording, **more)
    return points


@pytest.fixture
def float_by_default() -> Iterator[None]:
    torch7.setdefaulttensortype("torch.FloatTensor")
    yield
    torch7.setdefaulttensortype("torch.DoubleTensor")


# -- against Torch


@pytest.mark.parametrize("case", [case for case in CASES if case["kind"] == "cmaes"], ids=["short", "options"])
def test_recorded_search(case: dict[str, Any]) -> None:
    points, x = [], golden.decode(case["x0"])
    before = x.copy()

    def opfunc(x: np.ndarray) -> tuple[float, None]:
        points.append(x.tolist())
        return rosenbrock_of_searches(x), None

    torch7.manualSeed(case["seed"])
    best, f, count = optim.cmaes(opfunc, x, golden.decode(case["config"]))
    np.testing.assert_allclose(points, [evaluation["x"] for evaluation in case["evaluations"]], rtol=1e-12)
    np.testing.assert_allclose(best, golden.decode(case["x"]), rtol=1e-12)
    np.testing.assert_allclose(f, case["fhist"], rtol=1e-12)
    assert count == case["counteval"]
    assert {type(value) for value in [*f, count]} == {float, int}
    np.testing.assert_array_equal(x, before)


def test_recorded_error() -> None:
    (case,) = [case for case in CASES if case.get("name") == "cmaes without verb_disp"]
    assert "verb_modulo" in case["message"]
    with pytest.raises(TypeError, match=r"expected verb_disp to be the number of generations from one printed line to"):
        search({"verb_disp": None})


def literal_search(x: np.ndarray, sigma: float, popsize: int, generations: int) -> list[list[float]]:
    """The points, computed one number at a time."""
    N, mean = len(x), x.copy()
    mu = popsize // 2
    w = [math.log(popsize / 2 + 0.5) - math.log(i + 1) for i in range(mu)]
    w = [v / sum(w) for v in w]
    mueff = 1 / sum(v * v for v in w)
    cc, cs = (4 + mueff / N) / (N + 4 + 2 * mueff / N), (mueff + 2) / (N + mueff + 5)
    c1 = 2 / ((N + 1.3) ** 2 + mueff)
    cmu = min(1 - c1, 2 * (mueff - 2 + 1 / mueff) / ((N + 2) ** 2 + mueff))
    damps = 2 * mueff / popsize + 0.3 + cs
    C, B, D, pc, ps, at = np.eye(N), np.eye(N), np.ones(N), np.zeros(N), np.zeros(N), 0
    points = [x.tolist()]
    for generation in range(generations):
        if generation * popsize - at > popsize / (c1 + cmu) / N / 10:
            at = generation * popsize
            squares, B = np.linalg.eigh(C, UPLO="U")
            D = np.sqrt(squares)
        drawn = [mean + sigma * B @ (D * torch7.randn(N)) for _ in range(popsize)]
        points += [p.tolist() for p in drawn]
        steps = [p - mean for p in sorted(drawn, key=sphere)[:mu]]
        move = sum(v * s for v, s in zip(w, steps))
        mean = mean + move
        ps = (1 - cs) * ps + math.sqrt(cs * (2 - cs) * mueff) / sigma * (B @ ((B.T @ move) / D))
        hsig = ps @ ps / (1 - (1 - cs) ** (2 * (generation + 1))) / N < 2 + 4 / (N + 1)
        pc = (1 - cc) * pc + hsig * math.sqrt(cc * (2 - cc) * mueff) / sigma * move
        C = (1 - c1 - cmu + (1 - hsig) * c1 * cc * (2 - cc)) * C + c1 * np.outer(pc, pc)
        C += cmu * sum(v * np.outer(s, s) for v, s in zip(w, steps)) / sigma**2
        sigma *= math.exp(min(0.6, cs / damps * (ps @ ps / N - 1) / 2))
    return points


@pytest.mark.parametrize("popsize", [2, 3, 6, 7, 12, 13])
@pytest.mark.parametrize("x", [[0.5], [1.0, -2.0], [3.0, 0.0]])
def test_points_by_the_formulas(popsize: int, x: list[float]) -> None:
    """An odd popsize counts whole in the logarithm of the weights, and rounded down as their number."""
    points = points_of({"popsize": popsize, "maxEval": 12 * popsize, "sigma": 0.25}, x=x)
    torch7.manualSeed(5)
    want = literal_search(np.array(x), 0.25, popsize, 12)
    np.testing.assert_allclose(points, want[: len(points)], rtol=1e-7, atol=1e-9)
    assert len(points) > 6 * popsize


# -- options


def test_popsize_grows_with_the_logarithm_of_the_dimensions() -> None:
    for n, popsize in ((1, 4), (2, 6), (3, 7), (10, 10), (20, 12)):
        _, _, count = search({"maxEval": 1}, x=np.ones(n))
        assert count == popsize


def test_sigma_is_the_standard_deviation() -> None:
    points = np.array(points_of({"popsize": 2000, "maxEval": 1, "sigma": 0.125}, x=np.ones(3))[1:])
    np.testing.assert_allclose(points.std(axis=0), 0.125, rtol=0.1)
    np.testing.assert_allclose(points.mean(axis=0), 1, atol=0.02)


@pytest.mark.parametrize(("maxEval", "count"), [(0, 6), (60, 60), (61, 66), (12.5, 18)])
def test_maxEval(maxEval: float, count: int) -> None:
    _, f, got = search({"maxEval": maxEval})
    assert got == count
    assert len(f) == count // 6 + 2


def test_maxEval_defaults_to_1000_times_the_square_of_the_dimensions() -> None:
    noise = iter(range(10**6))
    for n in (1, 2):
        count = search({"maxEval": None}, x=np.ones(n), opfunc=lambda x: next(noise) % 7 + sphere(x) / 10)[2]
        assert 1000 * n * n <= count < 1000 * n * n + 6


def test_the_function_value_before_the_least_of_each_generation_and_the_best() -> None:
    values: list[float] = []

    def opfunc(x: np.ndarray) -> float:
        values.append(sphere(x))
        return values[-1]

    points = points_of({}, opfunc=opfunc)
    values.clear()
    best, f, _ = search({}, opfunc=opfunc)
    assert f == [values[0], *[min(values[i : i + 6]) for i in range(1, 61, 6)], min(values[1:])]
    assert best.tolist() == points[values.index(f[-1])].tolist()


def test_ftarget_and_min_iterations() -> None:
    _, f, count = search({"ftarget": 1.0, "maxEval": 600})
    assert f[-1] == f[-2] <= 1 < min(f[:-2])
    assert count == 6 * (len(f) - 2)
    assert search({"ftarget": 1.0, "maxEval": 600, "min_iterations": 0})[2] == count
    assert search({"ftarget": 1.0, "maxEval": 600, "min_iterations": 50})[2] == 300
    assert search({"ftarget": 100})[2] == 6


def test_it_finds_the_minimum() -> None:
    torch7.manualSeed(1)
    config = {"sigma": 0.5, "verb_disp": 0}
    best, f, count = optim.cmaes(rosenbrock_of_searches, np.zeros(5), config)
    np.testing.assert_allclose(best, np.ones(5), atol=1e-5)
    assert f[-1] < 1e-10
    assert count < 5000


def test_a_flat_function_ends_it() -> None:
    assert search({}, opfunc=lambda x: 3.0)[1:] == ([3.0, 3.0, 3.0], 6)


def test_a_sharp_function_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    search({"maxEval": 1e5, "verb_disp": 1e5}, opfunc=lambda x: 1e6 * np.abs(x).sum() ** 0.1)
    assert "termination by\ttolx\t=\t1e-11" in capsys.readouterr().out


def test_a_long_valley_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    search({"maxEval": 1e5, "verb_disp": 1e5}, opfunc=lambda x: 1e20 * x[0] ** 2 + 1e4 * x[1] ** 2 + x[1])
    assert "termination by\tcondition\t=\t10000000" in capsys.readouterr().out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_distribution_is_left(dtype: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Where rounding errors take the smallest eigenvalue below 0, Torch goes on with NaN."""

    def ridge(x: np.ndarray) -> float:
        return 1e30 * float(x[0]) ** 2 + float(x[1])

    config = {"maxEval": 1e4, "verb_disp": 1e6, "min_iterations": 10**6, "popsize": 10, "sigma": 1}
    best, f, count = search(config, opfunc=ridge, x=(1.0, 1.0), dtype=dtype)
    assert np.isfinite(best).all()
    assert np.isfinite(f).all()
    assert count == 10 * (len(f) - 2) > 100
    assert "termination by\tcondition\t=" in capsys.readouterr().out


def test_points_that_overflow_end_it() -> None:
    config = {"verb_disp": 0, "min_iterations": 10**6}
    best, f, count = search(config, opfunc=lambda x: 1 / (1 + abs(float(x[0]))), dtype=np.float32)
    assert abs(best[0]) > 1e37
    assert f[-1] < 1e-37
    assert count == 6 * (len(f) - 2)


# -- random numbers, types, tables


def test_numbers_are_drawn_from_the_global_generator() -> None:
    (_, first, *rest) = points_of({"sigma": 2})
    torch7.manualSeed(5)
    assert first.tolist() == [1 + 2 * torch7.normal(), -2 + 2 * torch7.normal()]
    search({})
    after = torch7.random()
    torch7.manualSeed(5)
    for _ in range(60 * 2):
        torch7.normal()
    assert torch7.random() == after
    assert len(rest) == 59


def test_a_generation_is_drawn_before_its_first_evaluation() -> None:
    def drawing(x: np.ndarray) -> float:
        torch7.random()
        return sphere(x)

    plain, drawn = points_of({}), points_of({}, opfunc=drawing)
    torch7.manualSeed(5)
    torch7.random()
    assert drawn[1].tolist() == [1 + 0.5 * torch7.normal(), -2 + 0.5 * torch7.normal()]
    assert len(plain) == len(drawn)
    assert not np.array_equal(plain, drawn)


@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 4, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_points_have_the_shape_and_type_of_x(shape: tuple[int, ...], dtype: Any) -> None:
    x = np.linspace(-1, 1, 8).reshape(*shape[::-1], 2)[..., 0].T
    points = points_of({}, x=x, dtype=dtype)
    assert {(p.shape, p.dtype) for p in points} == {(shape, np.dtype(dtype))}
    best, _, _ = search({}, x=x, dtype=dtype)
    assert (best.shape, best.dtype) == ((4,), dtype)
    flat = points_of({}, x=x.reshape(-1), dtype=dtype)
    np.testing.assert_array_equal([p.reshape(-1) for p in points], flat)


def test_float_follows_double() -> None:
    single, double = points_of({}, dtype=np.float32), points_of({})
    np.testing.assert_allclose(single[:31], double[:31], atol=1e-4)


def test_values_are_kept_in_the_default_type(float_by_default: None) -> None:
    _, f, _ = search({})
    assert f[1] == float(np.float32(f[1]))
    assert f[0] == 5
    assert search({}, opfunc=lambda x: 1e300)[1] == [1e300] + [math.inf] * 11


def test_state_takes_the_place_of_config() -> None:
    want = search({})[1]
    torch7.manualSeed(5)
    x, state = np.array([1.0, -2.0]), torch7.Table(SMALL)
    x.flags.writeable = False
    assert optim.cmaes(sphere, x, {"sigma": "unused"}, state)[1] == want
    assert dict(state) == SMALL
    with pytest.raises(TypeError, match=r"^optim\.cmaes: expected verb_disp"):
        optim.cmaes(sphere, x, SMALL, {})


def test_none_is_absent() -> None:
    want = search({"maxEval": None}, opfunc=rosenbrock_of_searches)
    absent = dict.fromkeys(("popsize", "ftarget", "min_iterations", "maxEval"))
    for config in (absent, dict.fromkeys(absent, False)):
        assert search(config, opfunc=rosenbrock_of_searches)[1:] == want[1:]


def test_the_function_may_return_a_gradient_or_an_array_of_one_element() -> None:
    want = search({})[1]
    for result in (lambda x: (sphere(x), x), lambda x: [sphere(x)], lambda x: np.array([[sphere(x)]])):
        assert search({}, opfunc=result)[1] == want


def test_a_function_that_changes_its_point_changes_the_population() -> None:
    def clamping(x: np.ndarray) -> float:
        np.clip(x, 0.5, None, out=x)
        return sphere(x)

    best, _, _ = search({}, opfunc=clamping)
    assert best.min() >= 0.5


# -- printing


def test_printing(capsys: pytest.CaptureFixture[str]) -> None:
    best, f, _ = search({"verb_disp": 3, "maxEval": 120})
    lines = capsys.readouterr().out.splitlines()
    header = "evals:\t ax-ratio max(std)   f-value"
    assert [i for i, line in enumerate(lines) if line == header] == [0]
    generations = [1, 2, 3, 6, 9, 12, 15, 18]
    for line, generation in zip(lines[1:], generations):
        start, value = rf"{6 * generation}:  +\d+\.\d  [ \d.e+-]+ ", torch7.dtypes.tostring(f[generation])
        assert re.fullmatch(start + re.escape(value), line), line
    assert lines[1].startswith("6:     1.0  ")
    assert lines[9:11] == ["termination by\tevals\t=\t120", f"best f-value =\t{f[-1]:.14g}"]
    found = f.index(f[-1])
    end = f"best found at iteration: \t{found}\t , total iterations: \t20"
    assert lines[11:] == ["solution = ", *str(best).splitlines(), end]


def test_every_ten_lines_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    search({"verb_disp": 1, "maxEval": 126})
    lines = capsys.readouterr().out.splitlines()
    assert [i for i, line in enumerate(lines) if line.startswith("evals")] == [0, 10, 21]


def test_no_printing(capsys: pytest.CaptureFixture[str]) -> None:
    search({})
    assert capsys.readouterr().out == ""


# -- errors


def test_infinity_is_a_penalty() -> None:
    best, f, _ = search({"maxEval": 1500}, opfunc=lambda x: math.inf if x[0] < 0.5 else sphere(x))
    np.testing.assert_allclose(best, [0.5, 0], atol=0.05)
    assert np.isfinite(f).all()
    _, f, count = search({}, opfunc=lambda x: math.inf)
    assert (f, count) == ([math.inf] * 12, 60)


@pytest.mark.parametrize("value", [math.nan, -math.inf])
@pytest.mark.parametrize("evaluation", [1, 2, 17])
def test_what_is_not_finite(value: float, evaluation: int) -> None:
    calls: list[Any] = []

    def opfunc(x: np.ndarray) -> float:
        calls.append(x)
        return value if len(calls) == evaluation else sphere(x)

    message = f"optim.cmaes: in evaluation {evaluation} the loss is {value}; x keeps the values it had before"
    with pytest.raises(FloatingPointError, match=f"^{re.escape(message)}$"):
        search({}, opfunc=opfunc)
    calls.clear()
    with optim.nonfinite("ignore"):
        best, f, count = search({}, opfunc=opfunc)
    assert count == 60
    assert np.isfinite(best).all()
    assert np.isnan(f).sum() == (math.isnan(value) and evaluation == 1)


@pytest.mark.parametrize(
    ("config", "error", "text"),
    [
        ({"sigma": None}, TypeError, "expected sigma to be a number, got None"),
        ({"sigma": "0.5"}, TypeError, "expected sigma to be a number, got '0.5'"),
        ({"sigma": 0}, ValueError, "expected sigma to be positive and finite, got 0.0"),
        ({"sigma": -1}, ValueError, "expected sigma to be positive and finite, got -1.0"),
        ({"sigma": math.nan}, ValueError, "expected sigma to be positive and finite, got nan"),
        ({"sigma": math.inf}, ValueError, "expected sigma to be positive and finite, got inf"),
        ({"popsize": 1}, ValueError, "expected a popsize of at least 2, got 1"),
        ({"popsize": 7.5}, ValueError, "expected config.popsize to be a whole number, got 7.5"),
        ({"popsize": "8"}, TypeError, "expected popsize to be a number, got '8'"),
        ({"maxEval": "60"}, TypeError, "expected maxEval to be a number, got '60'"),
        ({"ftarget": []}, TypeError, "expected ftarget to be a number, got a list of length 0"),
        ({"min_iterations": True}, TypeError, "expected min_iterations to be a number, got True"),
        ({"verb_disp": "0"}, TypeError, "expected verb_disp to be a number, got '0'"),
    ],
)
def test_options_that_are_refused(config: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^optim.cmaes: {re.escape(text)}$"):
        search(config, opfunc=lambda x: pytest.fail("called"))


@pytest.mark.parametrize("result", [None, "1", [], (None, 1), np.zeros(2), 1j, {}])
def test_function_that_returns_no_number(result: Any) -> None:
    with pytest.raises(TypeError, match=r"^optim\.cmaes: expected opfunc to return a number, or a number as its first"):
        search({}, opfunc=lambda x: result)


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        ([1.0], TypeError, "expected x to be a floating ndarray of one dimension or more, got a list of length 1"),
        (np.zeros(2, np.float16), TypeError, "expected x to be of float32 or float64, got float16 of shape (2,)"),
        (np.zeros((2, 0)), ValueError, "expected x to have elements, got float64 of shape (2, 0)"),
    ],
)
def test_x_that_is_refused(x: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^optim.cmaes: {re.escape(text)}$"):
        optim.cmaes(sphere, x, SMALL)
