"""The optimizers against what Torch7's did: points, values and tables."""

from __future__ import annotations

import importlib
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import optim
from tests.support import golden

from .objectives import OBJECTIVES, TRAJECTORIES

CASES = [case for case in golden.cases(TRAJECTORIES) if case["optimizer"] in optim.__all__]
case_parameter = pytest.mark.parametrize("case", CASES, ids=golden.case_id)

# Relative to the largest element of the point: one that passes by 0 has no relative precision of its own there.
TOLERANCE = {np.dtype(np.float64): 1e-14, np.dtype(np.float32): 1e-6}


class Run:
    """The recorded run, made again; `resume` pickles the tables and the point after every step."""

    def __init__(self, case: dict[str, Any], resume: bool = False):
        optimizer, opfunc = getattr(optim, case["optimizer"]), OBJECTIVES[case["objective"]]
        self.x, self.config = golden.decode(case["x0"]), golden.decode(case["config"])
        self.state = {} if case["separate_state"] else self.config
        self.xs, self.fxs = [], []
        for _ in range(case["steps"]):
            tables = (self.config, self.state) if case["separate_state"] else (self.config,)
            x, fx = optimizer(opfunc, self.x, *tables)
            self.same = x is self.x
            self.xs.append(x.tolist())
            self.fxs.append(fx)
            if resume:
                self.x, self.config, self.state = pickle.loads(pickle.dumps((self.x, self.config, self.state)))


def assert_close(got: Any, want: Any, dtype: np.dtype) -> None:
    want = np.asarray(want, np.float64)
    assert np.abs(np.asarray(got, np.float64) - want).max() <= TOLERANCE[dtype] * np.abs(want).max()


@case_parameter
def test_trajectory(case: dict[str, Any]) -> None:
    run = Run(case)
    for got, want in zip(run.xs, case["x"], strict=True):
        assert_close(got, want, run.x.dtype)
    for got, want in zip(run.fxs, case["fx"], strict=True):
        assert len(got) == len(want) == 1
        assert type(got[0]) is float
        assert_close(got, want, run.x.dtype)
    assert run.same == case["returns_same_tensor"]
    assert case.get("third_result") is None  # as many results as Run unpacks


@case_parameter
def test_tables_afterwards(case: dict[str, Any]) -> None:
    run = Run(case)
    assert sorted(run.config) == case["config_keys_after"]
    assert sorted(run.state) == case["state_keys_after"]
    for key, recorded in case["state_after"].items():
        want = golden.decode(recorded)
        if isinstance(want, np.ndarray):
            assert run.state[key].dtype == want.dtype
            assert run.state[key].shape == want.shape
            assert_close(run.state[key], want, want.dtype)
        else:
            assert run.state[key] == want


def fused(y: np.ndarray, a: float, x: np.ndarray) -> None:
    """y = y + a x as the recording machine's BLAS does it: from four elements on, rounded once instead of twice."""
    if len(y) < 4:
        y += a * x
    elif a != 0:
        factor = Fraction(y.dtype.type(a).item())
        y[:] = [float(factor * Fraction(xi) + Fraction(yi)) for xi, yi in zip(x.tolist(), y.tolist())]


@case_parameter
def test_trajectory_bit_for_bit(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The fusion in BLAS is the only difference there is between these optimizers and Torch's."""
    for module in ("optim.sgd", "optim.adaptive"):
        monkeypatch.setattr(importlib.import_module(module), "add", fused)
    assert Run(case).xs == case["x"]


@case_parameter
def test_saved_state_resumes_exactly(case: dict[str, Any]) -> None:
    assert Run(case, resume=True).xs == Run(case).xs


@pytest.mark.parametrize("case", golden.cases("optim/first_updates.json"), ids=golden.case_id)
def test_first_update_of_char_rnn(case: dict[str, Any]) -> None:
    """Head of the parameters of recorded char-rnn runs, before and after their first step of rmsprop."""
    x, gradient = np.array(case["x0"]), np.array(case["gradient"], np.float64)
    optim.rmsprop(lambda x: (0.0, gradient), x, case["config"], {})
    assert x.tolist() == case["x1"]


@pytest.mark.parametrize("name", ["sgd nesterov without momentum", "sgd nesterov with dampening"])
def test_recorded_errors(name: str) -> None:
    (recorded,) = [case for case in golden.cases("optim/other.json") if case.get("name") == name]
    config: dict[str, Any] = {"nesterov": True}
    if name.endswith("with dampening"):
        config |= {"momentum": 0.9, "dampening": 0.5}
    with pytest.raises(ValueError, match=recorded["message"].partition(": ")[2]):
        optim.sgd(OBJECTIVES["rosenbrock"], np.ones(2), config)
