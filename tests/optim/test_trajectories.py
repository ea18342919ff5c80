"""The optimizers against what Torch7's did: points, values and tables."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import optim
import torch7
from tests.support import golden

from .objectives import OBJECTIVES, TRAJECTORIES

CASES = [case for case in golden.cases(TRAJECTORIES) if case["optimizer"] in optim.__all__]
case_parameter = pytest.mark.parametrize("case", CASES, ids=golden.case_id)

# Relative to the largest element of the point: one that passes by 0 has no relative precision of its own there.
TOLERANCE = {np.dtype(np.float64): 1e-14, np.dtype(np.float32): 1e-6, np.dtype(np.uint8): 0}

# Searches look at sums, which BLAS rounds in its own way, and every step builds on all before it: an x0 that differs in
# its last bit leads as far away. The first evaluations do not yet.
SEARCHES = {"cg": 1e-6, "lbfgs": 1e-6}
EARLY, EARLY_TOLERANCE = 8, 1e-13


class Run:
    """The recorded run, made again; `through` is what the tables and the point go through after every step."""

    def __init__(self, case: dict[str, Any], through: Callable[[Any], Any] | None = None):
        optimizer, self.objective = getattr(optim, case["optimizer"]), OBJECTIVES[case["objective"]]
        self.x, config = golden.decode(case["x0"]), golden.decode(case["config"])
        self.config = {key: optim.lswolfe if is_function(value) else value for key, value in config.items()}
        self.state = {} if case["separate_state"] else self.config
        self.xs, self.fxs, self.thirds, self.evaluations = [], [], [], []
        for _ in range(case["steps"]):
            tables = (self.config, self.state) if case["separate_state"] else (self.config,)
            x, fx, *third = optimizer(self.evaluate, self.x, *tables)
            self.same = x is self.x
            self.xs.append(x.tolist())
            self.thirds += [third.tolist() if isinstance(third, np.ndarray) else third for third in third]
            self.fxs.append(fx)
            if through:
                lineSearch = self.config.pop("lineSearch", None)  # a function has to be given again
                self.x, self.config, self.state = (through(part) for part in (self.x, self.config, self.state))
                if lineSearch:
                    self.config["lineSearch"] = lineSearch
                if not case["separate_state"]:
                    self.state = self.config

    def evaluate(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = self.objective(x)
        self.evaluations.append({"x": x.tolist(), "f": f})
        return f, g


def is_function(value: Any) -> bool:
    return value == {"function": True} if isinstance(value, dict) else False


def tolerance(case: dict[str, Any], dtype: np.dtype) -> float:
    return max(TOLERANCE[dtype], SEARCHES.get(case["optimizer"], 0))


def assert_close(got: Any, want: Any, tolerance: float) -> None:
    want = np.asarray(want, np.float64)
    assert np.shape(got) == want.shape
    assert np.abs(np.asarray(got, np.float64) - want).max(initial=0) <= tolerance * np.abs(want).max(initial=0)


@case_parameter
def test_trajectory(case: dict[str, Any]) -> None:
    run = Run(case)
    close = tolerance(case, run.x.dtype)
    for got, want in zip(run.xs, case["x"], strict=True):
        assert_close(got, want, close)
    for got, want in zip(run.fxs, case["fx"], strict=True):
        assert [type(f) for f in got] == [float] * len(want)
        assert_close(got, want, close)
    assert run.same == case["returns_same_tensor"]
    assert bool(run.thirds) == bool(case.get("third_result"))
    for got, want in zip(run.thirds, case.get("third_result") or [], strict=True):
        if isinstance(want, (int, type(None))):
            assert (type(got), got) == (type(want), want)
        else:
            assert_close(got, want, close)


@pytest.mark.parametrize("case", [case for case in CASES if "evaluations" in case], ids=golden.case_id)
def test_every_evaluation(case: dict[str, Any]) -> None:
    run = Run(case)
    for i, (got, want) in enumerate(zip(run.evaluations, case["evaluations"], strict=True)):
        for what in ("x", "f"):
            assert_close(got[what], want[what], EARLY_TOLERANCE if i < EARLY else tolerance(case, run.x.dtype))


@case_parameter
def test_tables_afterwards(case: dict[str, Any]) -> None:
    run = Run(case)
    assert sorted(run.config) == case["config_keys_after"]
    assert sorted(run.state) == case["state_keys_after"]
    for key, recorded in case["state_after"].items():
        want = golden.decode(recorded)
        if want is None:  # Torch had not written to it yet
            continue
        if is_function(want):
            assert run.state[key] is optim.lswolfe
        elif isinstance(want, dict):  # a list
            assert_same(run.state[key], [want[str(i)] for i in range(1, len(want) + 1)], case)
        else:
            assert_same(run.state[key], want, case)


def assert_same(got: Any, want: Any, case: dict[str, Any]) -> None:
    if isinstance(want, list):
        assert isinstance(got, list)
        for one, other in zip(got, want, strict=True):
            assert_same(one, other, case)
    elif isinstance(want, np.ndarray):
        assert got.dtype == want.dtype
        assert_close(got, want, tolerance(case, want.dtype))
    elif isinstance(want, float) and case["optimizer"] in SEARCHES:
        assert_close(got, want, SEARCHES[case["optimizer"]])
    else:
        assert got == want


def fused(y: np.ndarray, a: float, x: np.ndarray) -> None:
    """y = y + a x as the recording machine's BLAS does it: rounded once instead of twice."""
    if a != 0:
        factor = Fraction(y.dtype.type(a).item())
        y[:] = [float(factor * Fraction(xi) + Fraction(yi)) for xi, yi in zip(x.tolist(), y.tolist())]


def fused_dot(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for ai, bi in zip(a.tolist(), b.tolist()):
        total = float(Fraction(ai) * Fraction(bi) + Fraction(total))
    return total


EXACT = [case for case in CASES if case["optimizer"] not in SEARCHES or case["optimizer"] == "lbfgs"]
EXACT = [case for case in EXACT if "lineSearch" not in case["config"]]  # that solves equations, too


@pytest.mark.parametrize("case", EXACT, ids=golden.case_id)
def test_trajectory_bit_for_bit(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The fusion in BLAS is the only difference there is between these optimizers and Torch's."""
    for module in ("optim.sgd", "optim.adaptive", "optim.numeric"):
        monkeypatch.setattr(importlib.import_module(module), "add", fused)
    monkeypatch.setattr(importlib.import_module("optim.lbfgs"), "dot", fused_dot)
    assert Run(case).xs == case["x"]


def through_file(part: Any, mode: str) -> Any:
    """As it comes back from a .t7 file; an empty table comes back as an empty list."""
    return torch7.deserialize(torch7.serialize(part, mode), mode) or {} if not isinstance(part, np.ndarray) else part


@case_parameter
@pytest.mark.parametrize("way", ["pickle", "binary", "ascii"])
def test_saved_state_resumes_exactly(case: dict[str, Any], way: str) -> None:
    run = Run(case, lambda part: pickle.loads(pickle.dumps(part)) if way == "pickle" else through_file(part, way))
    assert run.xs == Run(case).xs


@pytest.mark.parametrize("case", golden.cases("optim/first_updates.json"), ids=golden.case_id)
def test_first_update_of_char_rnn(case: dict[str, Any]) -> None:
    """Head of the parameters of recorded char-rnn runs, before and after their first step of rmsprop."""
    x, gradient = np.array(case["x0"]), np.array(case["gradient"], np.float64)
    optim.rmsprop(lambda x: (0.0, gradient), x, case["config"], {})
    assert x.tolist() == case["x1"]


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("sgd nesterov without momentum", {"nesterov": True}),
        ("sgd nesterov with dampening", {"nesterov": True, "momentum": 0.9, "dampening": 0.5}),
        ("nag momentum 0", {"momentum": 0}),
    ],
)
def test_recorded_errors(name: str, config: dict[str, Any]) -> None:
    (recorded,) = [case for case in golden.cases("optim/other.json") if case.get("name") == name]
    optimizer = getattr(optim, name.split()[0])
    with pytest.raises(ValueError, match=recorded["message"].partition(": ")[2]):
        optimizer(OBJECTIVES["rosenbrock"], np.ones(2), config)
