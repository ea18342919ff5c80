"""What lbfgs remembers: from call to call, in files, and when something goes wrong."""

from __future__ import annotations

import copy
import math
import pickle
import re
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import optim
import torch7

from .searching import AFTER_ONE, FIELDS, LISTS, Counted, Failing, barrier, search_parameter, start, valley


def sizes(state: dict[str, Any]) -> list[int]:
    return [len(state[key]) for key in LISTS]


@search_parameter
def test_fields(search: dict[str, Any]) -> None:
    state: dict[str, Any] = {}
    optim.lbfgs(valley, start(), {"maxIter": 1, **search}, state)
    assert sorted(state) == sorted(AFTER_ONE)
    assert sizes(state) == [0, 0, 101, 101]
    optim.lbfgs(valley, start(), {"maxIter": 4, "learningRate": 0.1, **search}, state)
    assert sorted(state) == sorted(FIELDS)
    assert state["al"].shape == state["ro"].shape == (100,)
    assert {type(state[key]) for key in ("funcEval", "nIter")} == {int}
    assert {type(state[key]) for key in ("t", "f_old", "Hdiag")} == {float}
    assert state["nIter"] > 2


def test_config_is_the_state_unless_given() -> None:
    config: dict[str, Any] = {"maxIter": 4, "nCorrection": 2}
    optim.lbfgs(valley, start(), config)
    assert sorted(config) == sorted([*FIELDS, "maxIter", "nCorrection"])
    config = {"maxIter": 4}
    optim.lbfgs(valley, start(), config, {})
    assert config == {"maxIter": 4}


def test_counts_are_there_for_the_function() -> None:
    state: dict[str, Any] = {}
    seen = []

    def opfunc(x: np.ndarray) -> Any:
        seen.append((state["funcEval"], state["nIter"]))
        return valley(x)

    for _ in range(2):
        optim.lbfgs(opfunc, start(), {"maxIter": 3}, state)
    assert seen == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]


@pytest.mark.parametrize("nCorrection", [1, 2, 5])
def test_nCorrection_limits_the_memory(nCorrection: int) -> None:
    state: dict[str, Any] = {}
    x = start(6)
    for maxIter in (3, 2, 9, 1):
        optim.lbfgs(valley, x, {"maxIter": maxIter, "nCorrection": nCorrection, "learningRate": 0.3}, state)
        n = min(nCorrection, state["nIter"] - 1)
        assert sizes(state) == [n, n, nCorrection + 1 - n, nCorrection + 1 - n]
    rows = [id(row) for key in LISTS for row in state[key]]
    assert len(set(rows)) == 2 * nCorrection + 2


@pytest.mark.parametrize(("before", "after"), [(2, 5), (5, 2), (5, 1)])
def test_nCorrection_may_change_between_calls(before: int, after: int) -> None:
    state: dict[str, Any] = {}
    x, config = start(6), {"maxIter": 10, "learningRate": 0.3, "tolX": 0}
    optim.lbfgs(valley, x, {**config, "nCorrection": before}, state)
    optim.lbfgs(valley, x, {**config, "nCorrection": after}, state)
    assert len(state["old_dirs"]) == len(state["old_stps"]) == after
    assert state["al"].size >= after


@pytest.mark.parametrize("value", [0, -1, 2.5, math.inf, math.nan])
def test_nCorrection_that_is_no_number_of_arrays(value: float) -> None:
    with pytest.raises(ValueError, match=rf"optim\.lbfgs: expected nCorrection to be whole and positive, got {value}"):
        optim.lbfgs(valley, start(), {"nCorrection": value})


def test_buffers_stay() -> None:
    x, state = start(), dict[str, Any]()
    config = {"maxIter": 4, "nCorrection": 2, "tolX": 0}
    optim.lbfgs(valley, x, config, state)

    def memory() -> set[int]:
        return {id(row) for key in LISTS for row in state[key]} | {
            id(state[key]) for key in ("d", "g_old", "tmp1", "al")
        }

    before = memory()
    optim.lbfgs(valley, x, config, state)
    assert memory() == before


def reload(kind: str, saved: Any, path: Path) -> Any:
    if kind == "pickle":
        return pickle.loads(pickle.dumps(saved))
    if kind == "copy":
        x, state = copy.deepcopy(saved)
        return x, {key: float(value) if isinstance(value, int) else value for key, value in state.items()}
    torch7.save(path / "state.t7", list(saved))
    x, state = torch7.load(path / "state.t7")
    assert isinstance(state, torch7.Table)
    return x, state


@search_parameter
@pytest.mark.parametrize("kind", ["pickle", "copy", "file"])
@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saved_state_resumes_exactly(search: Any, kind: str, steps: int, dtype: Any, tmp_path: Path) -> None:
    config = {"maxIter": steps, "nCorrection": 3, "tolFun": 0, "tolX": 0, "learningRate": 1, **search}
    x, state = start(5, dtype), dict[str, Any]()
    saved: Any = (x.copy(), {})
    for _ in range(5):
        found = optim.lbfgs(valley, x, config, state)
        again = optim.lbfgs(valley, *saved[:1], config, saved[1])
        assert found[1:] == again[1:]
        np.testing.assert_array_equal(x, saved[0])
        for key in {*FIELDS} & {*state}:
            np.testing.assert_array_equal(state[key], saved[1][key])
        saved = reload(kind, saved, tmp_path)
    assert state["nIter"] == 5 * steps


def test_a_file_without_any_pair_resumes(tmp_path: Path) -> None:
    """Its lists are empty tables."""
    x, state = start(), dict[str, Any]()
    optim.lbfgs(valley, x, {"maxIter": 1}, state)
    other, saved = reload("file", (x, state), tmp_path)
    assert saved["old_dirs"] == []
    assert optim.lbfgs(valley, x, {}, state)[1] == optim.lbfgs(valley, other, {}, saved)[1]


def test_an_nIter_of_zero_starts_anew() -> None:
    x, state, config = start(), dict[str, Any](), {"maxIter": 6, "nCorrection": 3}
    optim.lbfgs(valley, x, config, state)
    x[:] = start()
    state["nIter"] = 0
    assert optim.lbfgs(valley, x, config, state)[1] == optim.lbfgs(valley, start(), config)[1]
    assert sizes(state) == [3, 3, 1, 1]


@pytest.mark.parametrize("missing", ["old_dirs", "old_stps", "d", "g_old", "t", "Hdiag"])
def test_a_state_that_lacks_something_starts_anew(missing: str) -> None:
    x, state = start(), dict[str, Any]()
    optim.lbfgs(valley, x, {"maxIter": 3}, state)
    x[:] = start()
    state[missing] = None
    assert optim.lbfgs(valley, x, {}, state)[1] == optim.lbfgs(valley, start())[1]


@pytest.mark.parametrize("missing", ["dir_bufs", "stp_bufs", "ro", "al", "f_old", "tmp1"])
def test_memory_that_is_missing_is_made(missing: str) -> None:
    x, state = start(), dict[str, Any]()
    optim.lbfgs(valley, x, {"maxIter": 3}, state)
    other = copy.deepcopy(state)
    del other[missing]
    assert optim.lbfgs(valley, x.copy(), {}, other)[1] == optim.lbfgs(valley, x, {}, state)[1]
    assert missing in other


@pytest.mark.parametrize("key", ["tmp1", "d", "g_old", *LISTS])
def test_state_of_another_x(key: str) -> None:
    x, state = start(6), dict[str, Any]()
    optim.lbfgs(valley, x, {"maxIter": 4, "nCorrection": 5}, state)
    before = x.copy()
    for wrong, got in ((np.zeros(2), "float64 of shape (2,)"), (np.zeros(6, np.float32), "float32 of shape (6,)")):
        bad = {**state, key: [wrong] if key in LISTS else wrong}
        what = f"an array in state.{key}" if key in LISTS else f"state.{key}"
        with pytest.raises(
            ValueError, match=re.escape(f"optim.lbfgs: x is float64 of shape (6,), but {what} is {got}")
        ):
            optim.lbfgs(valley, x, {"nCorrection": 5}, bad)
        np.testing.assert_array_equal(x, before)


def test_lists_that_are_none() -> None:
    state: dict[str, Any] = {}
    optim.lbfgs(valley, start(), {"maxIter": 4}, state)
    with pytest.raises(TypeError, match=r"optim\.lbfgs: expected state\.old_dirs to be a list of arrays, got 3"):
        optim.lbfgs(valley, start(), {}, state | {"old_dirs": 3})


@pytest.mark.parametrize("key", ["funcEval", "nIter"])
def test_counts_that_are_no_whole_numbers(key: str) -> None:
    with pytest.raises(ValueError, match=rf"optim\.lbfgs: expected state\.{key} to be a whole number, got 1\.5"):
        optim.lbfgs(valley, start(), {}, {key: 1.5})


# -- errors


def exactly(state: dict[str, Any]) -> dict[str, Any]:
    """What of the state is not only used by the way."""
    return copy.deepcopy(
        {key: state[key] for key in ("nIter", "funcEval", "d", "t", "g_old", "f_old", "Hdiag", *LISTS[:2])}
    )


@search_parameter
@pytest.mark.parametrize("when", [1, 2, 3, 6])
@pytest.mark.parametrize(
    ("result", "error"),
    [
        ((math.nan, np.ones(4)), FloatingPointError),
        ((1.0, np.ones(3)), ValueError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_what_goes_wrong_leaves_x_and_state(search: Any, when: int, result: Any, error: type[BaseException]) -> None:
    config = {"maxIter": 4, "tolFun": 0, "tolX": 0, "maxEval": 99, **search}
    x, state = start(), dict[str, Any]()
    # nothing to remember yet
    with pytest.raises(error):
        optim.lbfgs(Failing(when, result), x, config | {"maxIter": 9}, state)
    assert x.tolist() == start().tolist()
    assert (state["nIter"], state["funcEval"]) == (0, 0)
    assert optim.lbfgs(valley, x, config, state)[1:] == optim.lbfgs(valley, start(), config)[1:]
    # memory that holds all pairs
    before, memory = x.copy(), exactly(state)
    with pytest.raises(error):
        optim.lbfgs(Failing(when, result), x, config | {"maxIter": 9}, state)
    np.testing.assert_array_equal(x, before)
    for key, value in exactly(state).items():
        np.testing.assert_array_equal(value, memory[key])
    expected, untouched = start(), dict[str, Any]()
    for _ in range(2):
        found = optim.lbfgs(valley, expected, config, untouched)
    assert optim.lbfgs(valley, x, config, state)[1:] == found[1:]
    np.testing.assert_array_equal(x, expected)


@search_parameter
@hypothesis.given(when=st.integers(1, 30), nCorrection=st.integers(1, 4), first=st.integers(1, 6))
@hypothesis.settings(max_examples=40, deadline=None)
def test_what_goes_wrong_forgets_the_oldest_pairs_at_most(search: Any, when: int, nCorrection: int, first: int) -> None:
    config = {"nCorrection": nCorrection, "tolFun": 0, "tolX": 0, "maxIter": 40, "maxEval": 40, **search}
    x, state = start(), dict[str, Any]()
    optim.lbfgs(valley, x, config | {"maxIter": first}, state)
    before, memory = x.copy(), exactly(state)
    try:
        optim.lbfgs(Failing(when, KeyboardInterrupt()), x, config, state)
    except KeyboardInterrupt:
        pass
    else:
        hypothesis.reject()  # it found the minimum before
    np.testing.assert_array_equal(x, before)
    after = exactly(state)
    for key in ("nIter", "funcEval", "d", "t", "g_old", "f_old", "Hdiag"):
        np.testing.assert_array_equal(after[key], memory[key])
    for key in LISTS[:2]:
        kept = len(after[key])
        np.testing.assert_array_equal(after[key], memory[key][len(memory[key]) - kept :])
    assert sizes(state)[0] == sizes(state)[1]
    assert sizes(state)[0] + sizes(state)[2] == sizes(state)[1] + sizes(state)[3] == nCorrection + 1
    assert len({id(row) for key in LISTS for row in state[key]}) == 2 * nCorrection + 2
    optim.lbfgs(valley, x, config, state)
    assert valley(x)[0] <= valley(before)[0]


def test_errors_name_the_evaluation_of_the_state() -> None:
    x, state = start(), dict[str, Any]()
    optim.lbfgs(valley, x, {"maxIter": 3}, state)
    text = "optim.lbfgs: in evaluation 5 the gradient has 4 NaN of 4 elements; x keeps the values it had before"
    with pytest.raises(FloatingPointError, match=f"^{text}$"):
        optim.lbfgs(Failing(2, (1.0, np.full(4, math.nan))), x, {}, state)


def test_errors_in_a_search_name_the_search() -> None:
    with pytest.raises(FloatingPointError, match=r"^optim\.lswolfe: in evaluation 1 the loss is nan; x keeps"):
        optim.lbfgs(Failing(2, (math.nan, np.ones(4))), start(), {"lineSearch": optim.lswolfe})


def test_searches_step_back_from_infinity() -> None:
    x, opfunc = np.array([0.9, -0.9]), Counted(barrier)
    config = {"lineSearch": optim.lswolfe, "learningRate": 5, "maxIter": 50}
    _, values, _ = optim.lbfgs(opfunc, x, config)
    assert math.inf in opfunc.values
    assert np.abs(barrier(x)[1]).max() < 1e-4
    assert values == sorted(values, reverse=True)
    with pytest.raises(FloatingPointError, match=r"optim\.lbfgs: in evaluation 2 the loss is inf"):
        optim.lbfgs(barrier, np.array([0.9, -0.9]), {"learningRate": 5})


def test_nan_is_nobodys_business_when_ignored() -> None:
    nothing = (math.nan, np.full(4, math.nan))
    with optim.nonfinite("ignore"):
        x, values, evaluations = optim.lbfgs(Failing(2, nothing), start(), {"maxIter": 4})
        assert (len(values), evaluations) == (4, 4)
        assert np.isnan(x).all()
        x, values, evaluations = optim.lbfgs(lambda x: (math.inf, np.full_like(x, math.inf)), start(), {"maxIter": 4})
        assert values == [math.inf] * 4
