"""FISTA: recorded runs, options, memory, and xinit as it was after an error."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import optim
import torch7
from tests.support import golden

CASES = [case for case in golden.cases("optim/other.json") if case["kind"] == "FistaLS"]


class Lasso:
    """f = |Ax - b|^2 / 2 and g = a |x|_1."""

    def __init__(self, A: Any, b: Any, a: float):
        self.A, self.b, self.a = np.array(A), np.array(b), a
        self.calls: list[str] = []

    def f(self, x: np.ndarray, mode: str = "") -> Any:
        self.calls.append(f"f {mode}".strip())
        r = self.A @ x - self.b
        value = 0.5 * (r * r).sum()
        return (value, self.A.T @ r, r) if mode == "dx" else (value, r)

    def g(self, x: np.ndarray) -> float:
        self.calls.append("g")
        return self.a * np.abs(x).sum()

    def pl(self, x: np.ndarray, L: float) -> None:
        self.calls.append("pl")
        x[...] = np.sign(x) * np.maximum(np.abs(x) - self.a / L, 0)

    def run(self, x: np.ndarray, params: Any = None, **replaced: Any) -> Any:
        functions = {"f": self.f, "g": self.g, "pl": self.pl} | replaced
        return optim.FistaLS(functions["f"], functions["g"], functions["pl"], x, params)


def problem(shape: tuple[int, ...] = (3,)) -> Lasso:
    A = np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 0.25], [-1.0, 0.0, 1.0], [0.5, -0.5, 1.5]])
    b = np.linspace(-1, 2, 4 * math.prod(shape) // 3).reshape(4, *shape[1:])
    return Lasso(A, b, 0.125)


@pytest.fixture
def float_by_default() -> Iterator[None]:
    torch7.setdefaulttensortype("torch.FloatTensor")
    yield
    torch7.setdefaulttensortype("torch.DoubleTensor")


# -- against Torch


@pytest.mark.parametrize("case", CASES, ids=["fista", "ista", "options", "search fails"])
def test_recorded_run(case: dict[str, Any]) -> None:
    recorded, params = golden.decode(case["problem"]), dict(case["params"])
    lasso = Lasso(recorded["A"], recorded["b"], recorded["lambda"])
    xinit = np.ones(lasso.A.shape[1])
    y, history = lasso.run(xinit, params)
    np.testing.assert_allclose(y, golden.decode(case["x"]), rtol=1e-12)
    np.testing.assert_allclose(xinit, golden.decode(case["xinit_after"]), rtol=1e-12)
    assert y is params["y"]
    assert sorted(params) == case["params_keys_after"]
    assert params["L"] == case["L_after"]
    for got, want in zip(history, case["history"], strict=True):
        assert sorted(got) == sorted(want)
        assert (got["nline"], got["L"]) == (want["nline"], want["L"])
        assert [type(got[key]) for key in ("nline", "F", "Fply", "Gply", "Q")] == [int, float, float, float, float]
        for key in ("F", "Fply", "Gply", "Q"):
            assert got[key] == pytest.approx(want[key], rel=1e-12, abs=1e-15)


# -- the algorithm


@pytest.mark.parametrize("fista", [False, True])
def test_it_finds_the_minimum(fista: bool) -> None:
    lasso, x = problem(), np.zeros(3)
    y, history = lasso.run(x, {"doFistaUpdate": fista, "errthres": 0, "maxiter": 500})
    slope = lasso.A.T @ (lasso.A @ y - lasso.b)  # is -a sign(x), where x is 0 not beyond a
    np.testing.assert_allclose(slope[y != 0], -0.125 * np.sign(y[y != 0]), atol=1e-6)
    assert (np.abs(slope[y == 0]) <= 0.125).all()
    assert history[-1]["F"] == lasso.f(y)[0] + lasso.g(y)


def test_iterations_by_their_formula() -> None:
    lasso, t, xk, y, L = problem(), 1.0, np.zeros(3), np.zeros(3), 8.0
    got, history = lasso.run(np.zeros(3), {"doFistaUpdate": True, "L": L, "maxiter": 4, "errthres": 0})
    for entry in history:
        fy, slope, _ = lasso.f(y, "dx")
        before, xk = xk, y - slope / L
        lasso.pl(xk, L)
        d = xk - y
        assert entry["Q"] == pytest.approx(fy + slope @ d + L / 2 * d @ d, rel=1e-13)
        after = (1 + math.sqrt(1 + 4 * t * t)) / 2
        y, t = xk + (t - 1) / after * (xk - before), after
        assert entry["Fply"] == pytest.approx(lasso.f(y)[0], rel=1e-13)
        assert entry["Gply"] == pytest.approx(lasso.g(y), rel=1e-13)
        assert entry["F"] == entry["Fply"] + entry["Gply"]
    np.testing.assert_allclose(got, y, rtol=1e-13)


def test_the_start_does_not_matter() -> None:
    want, history = problem().run(np.zeros(3))
    got, same = problem().run(np.array([5.0, -7.0, np.nan]))
    assert got.tolist() == want.tolist()
    assert same == history


def test_the_order_of_calls() -> None:
    lasso = problem()
    lasso.run(np.zeros(3), {"L": 2, "Lstep": 2, "maxiter": 2, "errthres": 0})
    assert lasso.calls == ["g", "f dx", "pl", "f", "pl", "f", "f", "g", "f dx", "pl", "f", "f", "g"]


@pytest.mark.parametrize("fista", [False, True])
def test_a_line_search_that_fails_goes_back(fista: bool) -> None:
    """To x of the last iteration, which ISTA does not remember: to 0."""
    lasso, x, params = (
        problem(),
        np.ones(3),
        {"doFistaUpdate": fista, "L": 8, "maxiter": 3, "errthres": 0, "maxline": 0},
    )
    params["verbose"] = True
    values = iter([math.inf] * 3)

    def f(x: np.ndarray, mode: str = "") -> Any:
        if len(lasso.calls) > 10 and lasso.calls[-1] == "pl":
            lasso.calls.append("failing")
            return next(values)
        return lasso.f(x, mode)

    y, history = lasso.run(x, params, f=f)
    assert [entry["nline"] for entry in history] == [1, 1, 1]
    last = history[1]["xk"] if fista else np.zeros(3)
    assert history[2]["xk"].tolist() == last.tolist()
    assert (y == 0).all() == (not fista)
    assert params["L"] == 8  # the trial after which nothing is left does not raise it


# -- options


def test_without_params_or_with_all_absent() -> None:
    want = problem().run(np.zeros(3), {})
    names = ("L", "Lstep", "maxiter", "maxline", "errthres", "doFistaUpdate", "verbose", "xkm", "y", "ply")
    for params in (None, dict.fromkeys(names), dict.fromkeys(names, False), torch7.Table({})):
        got = problem().run(np.zeros(3), params)
        assert got[0].tolist() == want[0].tolist()
        assert got[1] == want[1]


def test_L_and_its_steps() -> None:
    _, history = problem().run(np.zeros(3), {"L": 0.5, "Lstep": 3, "maxiter": 1})
    (entry,) = history
    assert entry["L"] == 0.5 * 3 ** (entry["nline"] - 1)
    assert entry["nline"] > 1


def test_the_last_L_is_where_the_next_call_starts() -> None:
    params: dict[str, Any] = {}
    problem().run(np.zeros(3), params)
    assert problem().run(np.zeros(3), params)[1][0]["nline"] == 1


@pytest.mark.parametrize(("maxiter", "iterations"), [(1, 1), (3, 3), (2.5, 3)])
def test_maxiter(maxiter: float, iterations: int) -> None:
    assert len(problem().run(np.zeros(3), {"maxiter": maxiter, "errthres": 0})[1]) == iterations
    assert len(problem().run(np.zeros(3), {"errthres": -1})[1]) == 50


@pytest.mark.parametrize(("maxline", "trials"), [(0, 1), (2, 3), (20, 21)])
def test_maxline(maxline: int, trials: int) -> None:
    never = problem()
    _, history = never.run(np.zeros(3), {"maxline": maxline, "Lstep": 1, "L": 1e-9})
    assert [entry["nline"] for entry in history] == [trials, trials]


def test_errthres() -> None:
    _, history = problem().run(np.zeros(3), {"errthres": 0.01})
    changes = [abs(a["F"] - b["F"]) for a, b in itertools.pairwise(history)]
    assert changes[-1] <= 0.01 < min(changes[:-1])


def test_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    _, history = problem().run(np.zeros(3), {"verbose": True, "maxiter": 2, "L": 2, "Lstep": 2})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["nline=0", "nline=1", "iter=0", "nline=0", "iter=1"]
    number = r"-?[0-9.]+(e[+-]\d+)?"
    names = ("L", "fply", "Q", "fy", "Q2", "Q3")
    assert all(re.fullmatch(r"nline=\d" + "".join(f" {n}={number}" for n in names), lines[i]) for i in (0, 1, 3))
    assert re.fullmatch(rf"iter=0 eold=inf enew={number}", lines[2])
    assert lines[4] == f"iter=1 eold={history[0]['F']:g} enew={history[1]['F']:g}"
    assert lines[0].startswith("nline=0 L=2 fply=")
    for entry in history:
        assert entry["xk"].tolist() == entry["y"].tolist()
        assert entry["F"] == problem().f(entry["y"])[0] + problem().g(entry["y"])
    problem().run(np.zeros(3))
    assert capsys.readouterr().out == ""


# -- memory and types


def test_memory_is_used_again() -> None:
    params: dict[str, Any] = {"doFistaUpdate": True}
    first, _ = problem().run(np.zeros(3), params)
    want, memory = first.copy(), [params[key] for key in ("xkm", "y", "ply")]
    second, _ = problem().run(np.zeros(3), params)
    assert second is first
    np.testing.assert_allclose(second, want, atol=0.05)
    assert all(params[key] is array for key, array in zip(("xkm", "y", "ply"), memory))
    problem((3, 2)).run(np.zeros((3, 2)), params)
    assert params["y"].shape == params["xkm"].shape == params["ply"].shape == (3, 2)


@pytest.mark.parametrize("fista", [False, True])
def test_any_shape(fista: bool) -> None:
    whole = np.zeros((2, 6))
    x = whole[:, ::2].T
    y, _ = problem((3, 2)).run(x, {"doFistaUpdate": fista})
    want, _ = problem((3, 2)).run(np.zeros((3, 2)), {"doFistaUpdate": fista})
    assert y.tolist() == want.tolist() == x.tolist()
    assert (whole[:, 1::2] == 0).all()


@pytest.mark.parametrize("fista", [False, True])
def test_memory_is_of_the_default_type(fista: bool) -> None:
    x, params = np.zeros(3, np.float32), {"doFistaUpdate": fista}
    y, _ = problem().run(x, params)
    assert (y.dtype, x.dtype) == (np.float64, np.float32)
    want, _ = problem().run(np.zeros(3), {"doFistaUpdate": fista})
    np.testing.assert_allclose(y, want, rtol=1e-5)
    assert x.tolist() == np.float32(y).tolist()


@pytest.mark.parametrize("fista", [False, True])
def test_float(fista: bool, float_by_default: None) -> None:
    lasso, params = problem(), {"doFistaUpdate": fista}
    lasso.A, lasso.b = np.float32(lasso.A), np.float32(lasso.b)
    y, _ = lasso.run(np.zeros(3, np.float32), params)
    assert y.dtype == params["xkm"].dtype == params["ply"].dtype == np.float32
    slope = lasso.A.T @ (lasso.A @ y - lasso.b)
    np.testing.assert_allclose(slope, -0.125 * np.sign(y), atol=0.1)


def test_given_memory_keeps_its_type() -> None:
    params = {key: np.ones(5, np.float32) for key in ("xkm", "y", "ply")}
    lasso = problem()
    lasso.A, lasso.b = np.float32(lasso.A), np.float32(lasso.b)
    y, _ = lasso.run(np.zeros(3), params)
    assert (y.shape, y.dtype) == ((3,), np.float32)


def test_what_functions_may_return() -> None:
    lasso = problem()
    want, history = lasso.run(np.zeros(3))

    def f(x: np.ndarray, mode: str = "") -> Any:
        result = lasso.f(x, mode)
        return list(result) if mode else np.array([result[0]])

    def pl(x: np.ndarray, L: float) -> np.ndarray:
        lasso.pl(x, L)
        return x

    got, same = lasso.run(np.zeros(3), f=f, g=lambda x: (lasso.g(x), None), pl=pl)
    assert got.tolist() == want.tolist()
    assert same == history


# -- errors


@pytest.mark.parametrize(
    ("params", "error", "text"),
    [
        (3, TypeError, "expected params to be a mapping such as a dict, got 3"),
        ({"L": "1"}, TypeError, "expected L to be a number, got '1'"),
        ({"L": 0}, ValueError, "expected L > 0, Lstep >= 1 and maxiter > 0, got 0.0, 1.5 and 50.0"),
        ({"L": math.nan}, ValueError, "expected L > 0, Lstep >= 1 and maxiter > 0, got nan, 1.5 and 50.0"),
        ({"Lstep": 0.5}, ValueError, "expected L > 0, Lstep >= 1 and maxiter > 0, got 0.1, 0.5 and 50.0"),
        ({"maxiter": 0}, ValueError, "expected L > 0, Lstep >= 1 and maxiter > 0, got 0.1, 1.5 and 0.0"),
        ({"maxline": None, "errthres": []}, TypeError, "expected errthres to be a number, got a list of length 0"),
        ({"y": [1.0]}, TypeError, "expected params.y to be a floating ndarray, got a list of length 1"),
        ({"xkm": np.arange(3)}, TypeError, "expected params.xkm to be a floating ndarray, got int64 of shape (3,)"),
    ],
)
def test_params_that_are_refused(params: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^optim.FistaLS: {re.escape(text)}$"):
        problem().run(np.zeros(3), params)


def test_xinit_that_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^optim\.FistaLS: expected xinit to be a floating ndarray of one dimension"):
        problem().run([0.0, 0.0, 0.0])  # type: ignore[arg-type]
    frozen = np.zeros(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match=r"^optim\.FistaLS: xinit is changed in place, but is a read-only array$"):
        problem().run(frozen)
    with pytest.raises(
        ValueError, match=r"^optim\.FistaLS: params\.ply is changed in place, but is a read-only array$"
    ):
        problem().run(np.zeros(3), {"ply": frozen})
    params: dict[str, Any] = {}
    y, _ = problem().run(np.zeros(3), params)
    before = y.copy()
    with pytest.raises(ValueError, match=r"^optim\.FistaLS: xinit shares memory with params\.y; give a copy of it$"):
        problem().run(y, params)
    assert y.tolist() == before.tolist()


@pytest.mark.parametrize("name", ["f", "g", "pl"])
def test_what_cannot_be_called(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^optim\.FistaLS: expected {name} to be callable, got 3$"):
        problem().run(np.zeros(3), **{name: 3})


def slope(result: Any) -> Any:
    return lambda x, mode="": result if mode else 1.0


@pytest.mark.parametrize(
    ("replaced", "error", "text"),
    [
        ({"f": slope(1.0)}, TypeError, "expected f(x, 'dx') to return (f, df/dx), got 1.0"),
        ({"f": slope((1.0,))}, TypeError, "expected f(x, 'dx') to return (f, df/dx), got a tuple of length 1"),
        ({"f": slope((1.0, [0.0]))}, TypeError, "expected f(x, 'dx') to return (f, df/dx), got a tuple of length 2"),
        ({"f": slope(("1", np.ones(3)))}, TypeError, "expected f to return a number, or a number as its first result"),
        ({"f": slope((1.0, np.ones(4)))}, ValueError, "y is float64 of shape (3,), but the gradient is float64 of"),
        ({"f": slope((1.0, np.ones(3, np.float32)))}, ValueError, "y is float64 of shape (3,), but the gradient is"),
        ({"f": lambda x, mode="": (1.0, np.ones(3)) if mode else None}, TypeError, "expected f to return a number"),
        ({"g": lambda x: None}, TypeError, "expected g to return a number, or a number as its first result, got None"),
        ({"pl": lambda x, L: x * 0.5}, TypeError, "expected pl to change its argument in place, but it returned"),
    ],
)
def test_functions_that_return_something_else(replaced: Any, error: type[Exception], text: str) -> None:
    x = np.ones(3)
    with pytest.raises(error, match=f"^optim.FistaLS: {re.escape(text)}"):
        problem().run(x, **replaced)
    assert x.tolist() == [1, 1, 1]


@pytest.mark.parametrize("call", range(1, 20))
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_xinit_is_as_it_was_after_an_error(call: int, error: type[BaseException]) -> None:
    lasso, x, params = problem(), np.array([1.0, 2.0, 3.0]), {"errthres": 0}

    def counted(function: Any) -> Any:
        def counting(*args: Any) -> Any:
            result = function(*args)
            if len(lasso.calls) == call:
                raise error
            return result

        return counting

    with pytest.raises(error):
        lasso.run(x, params, f=counted(lasso.f), g=counted(lasso.g), pl=counted(lasso.pl))
    assert x.tolist() == [1, 2, 3]
    assert "L" not in params


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite(value: float) -> None:
    lasso, x, params = problem(), np.array([1.0, 2.0, 3.0]), {"L": 8}

    def f(x: np.ndarray, mode: str = "") -> Any:
        result = lasso.f(x, mode)
        return result if lasso.calls.count("f dx") < 2 else (value, *result[1:])

    def bent(x: np.ndarray, mode: str = "") -> Any:
        fx, *more = lasso.f(x, mode)
        return (fx, np.array([0, value, value])) if mode else (fx, *more)

    with pytest.raises(FloatingPointError, match=f"^optim.FistaLS: in iteration 2 the loss is {value}; x keeps"):
        lasso.run(x, params, f=f)
    with pytest.raises(
        FloatingPointError, match=r"^optim\.FistaLS: in iteration 1 the gradient has 2 (NaN|infinite) of"
    ):
        lasso.run(x, params, f=bent)
    assert x.tolist() == [1, 2, 3]
    assert params["L"] == 8


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_trials_and_penalties_that_are_not_finite(value: float) -> None:
    lasso, x = problem(), np.ones(3)

    def f(x: np.ndarray, mode: str = "") -> Any:
        return value if lasso.calls[-1] == "pl" else lasso.f(x, mode)

    with pytest.raises(FloatingPointError, match=f"^optim.FistaLS: in iteration 1 the loss is {value}; x keeps"):
        lasso.run(x, f=f)
    with pytest.raises(FloatingPointError, match=f"^optim.FistaLS: at the start the loss is {value}; x keeps"):
        lasso.run(x, g=lambda x: value)
    assert x.tolist() == [1, 1, 1]


def test_an_infinite_trial_raises_L_and_g_may_be_infinite_off_its_set() -> None:
    lasso = problem()

    def walled(x: np.ndarray, mode: str = "") -> Any:
        return math.inf if not mode and np.abs(x).max() > 3 else lasso.f(x, mode)

    x = np.zeros(3)
    _, history = lasso.run(x, {"maxiter": 200, "errthres": 1e-12}, f=walled)
    want, _ = lasso.run(np.zeros(3), {"maxiter": 200, "errthres": 1e-12})
    np.testing.assert_allclose(x, want, atol=1e-3)
    assert history[0]["nline"] > 1
    positive, _ = lasso.run(
        np.zeros(3),
        {"doFistaUpdate": True, "maxiter": 200},
        g=lambda x: 0.0 if (x > 0).all() else math.inf,
        pl=lambda x, L: np.maximum(x, 1e-3, out=x),
    )
    assert (positive >= 0).all()


def test_ignoring_what_is_not_finite() -> None:
    lasso, x = problem(), np.ones(3)
    with optim.nonfinite("ignore"):
        _, history = lasso.run(x, {"maxiter": 2, "maxline": 3}, g=lambda x: math.nan)
    assert all(math.isnan(entry["F"]) for entry in history)
    assert [len(history), history[0]["nline"]] == [2, 4]
