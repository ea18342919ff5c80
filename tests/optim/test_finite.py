"""Losses and gradients that are not finite."""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
import pytest

import nn
import optim
import torch7
from optim.common import beside
from optim.finite import finite

from .test_contract import every_case, every_optimizer, run, start

NAN, INF = float("nan"), float("inf")


def message(call: Any) -> str:
    with pytest.raises(FloatingPointError) as caught:
        call()
    return str(caught.value)


@every_case
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_nothing_changes(name: str, config: dict[str, Any], bad: float, where: str) -> None:
    config = {**config, "niter": 1}
    x, state = start(5), dict[str, Any]()
    run(name, x, config, state, steps=3)
    before, saved, returned = x.copy(), copy.deepcopy(state), np.ones(5)
    if where == "gradient":
        returned[2] = bad
    gradient = returned.copy()
    got = message(lambda: getattr(optim, name)(lambda x: (bad if where == "loss" else 1.0, gradient), x, config, state))
    kind = "1 NaN" if bad != bad else "1 infinite"
    problem = f"the loss is {bad}" if where == "loss" else f"the gradient has {kind} of 5 elements"
    assert got == f"optim.{name}: in step 4 {problem}; x keeps the values it had before"
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(gradient, returned)
    assert state.keys() == saved.keys()
    for key, value in saved.items():
        np.testing.assert_array_equal(state[key], value)
    # and training can go on
    run(name, x, config, state)
    assert np.isfinite(x).all()


@every_optimizer
def test_the_first_step(name: str) -> None:
    x = start(3)
    got = message(lambda: getattr(optim, name)(lambda x: (1.0, np.array([INF, 0, NAN])), x, {}))
    assert got.startswith(f"optim.{name}: in step 1 the gradient has 1 NaN and 1 infinite of 3 elements; ")
    np.testing.assert_array_equal(x, start(3))


@every_optimizer
def test_ignored_where_told_so(name: str) -> None:
    x = start(3)
    with optim.nonfinite("ignore"):
        getattr(optim, name)(lambda x: (NAN, np.full(3, NAN)), x, {})
    if name == "rprop":  # the sign of NaN is 0
        np.testing.assert_array_equal(x, start(3))
    else:
        assert np.isnan(x).all()
    message(lambda: getattr(optim, name)(lambda x: (NAN, np.zeros(3)), start(3), {}))


def test_loss_gradient_and_x_are_all_told() -> None:
    x = np.array([NAN, 1.0])
    got = message(lambda: optim.sgd(lambda x: (INF, np.array([NAN, NAN])), x))
    assert got.startswith("optim.sgd: in step 1 the loss is inf and the gradient has 2 NaN of 2 elements")
    assert " and x itself has 1 NaN of 2 elements; " in got


def test_a_loss_that_is_no_number_is_nobodys_business() -> None:
    assert optim.sgd(lambda x: (np.array([NAN]), np.zeros(2)), np.zeros(2))[1][0].shape == (1,)


# -- which tensor


def network() -> tuple[nn.Module, np.ndarray, np.ndarray]:
    net = nn.Sequential().add(nn.Linear(2, 3)).add(nn.Tanh()).add(nn.Linear(3, 1))
    return net, *net.getParameters()


def test_the_first_tensor_of_a_module() -> None:
    net, x, gradient = network()
    gradient.fill(0)
    net.get(3).gradWeight[0, 1] = NAN
    net.get(3).gradBias[0] = INF
    with optim.nonfinite(tensors=net):
        got = message(lambda: optim.rmsprop(lambda x: (1.0, gradient), x, {}))
    assert got == (
        "optim.rmsprop: in step 1 the gradient has 1 NaN and 1 infinite of 13 elements, first in tensor 3, "
        "gradWeight of nn.Linear; x keeps the values it had before"
    )


def test_a_module_that_has_lost_a_gradient() -> None:
    """Scripts of the time took gradients away from what they saved."""
    net, x, gradient = network()
    gradient.fill(0)
    gradient[-1] = NAN
    net.get(1).gradWeight = None
    with optim.nonfinite(tensors=net):
        assert ", first in tensor 4, gradBias of" in message(lambda: optim.sgd(lambda x: (1.0, gradient), x))


@pytest.mark.parametrize("kind", [list, tuple, dict, torch7.Table])
def test_the_first_tensor_of_a_collection(kind: Any) -> None:
    gradient = np.array([0.0, 1.0, NAN, NAN])
    parts = [gradient[:2], gradient[2:3], gradient[3:]]
    tensors = kind(zip("abc", parts) if issubclass(kind, dict) else parts)
    with optim.nonfinite(tensors=tensors):
        got = message(lambda: optim.sgd(lambda x: (1.0, gradient), np.zeros(4)))
    assert (", first in b;" if issubclass(kind, dict) else ", first in tensor 2;") in got


def test_no_tensor_when_all_of_them_are_finite() -> None:
    with optim.nonfinite(tensors=[np.zeros(2)]):
        assert "first" not in message(lambda: optim.sgd(lambda x: (1.0, np.array([NAN])), np.zeros(1)))


@pytest.mark.parametrize("tensors", [3, "abc", np.zeros(3), [1.0], {"a": None}, torch7.Table(a=nn.Linear(1, 1))])
def test_tensors_that_name_nothing(tensors: Any) -> None:
    with (
        pytest.raises(TypeError, match=r"^optim\.nonfinite: expected tensors to be a module, a list of gradients or"),
        optim.nonfinite(tensors=tensors),
    ):
        pass


def test_other_actions() -> None:
    with (
        pytest.raises(ValueError, match=r"^optim\.nonfinite: expected the action 'raise' or 'ignore', got 'warn'"),
        optim.nonfinite("warn"),
    ):
        pass


def test_blocks_nest_and_are_the_threads_own() -> None:
    def nan() -> Any:
        return optim.sgd(lambda x: (NAN, np.zeros(2)), np.zeros(2))

    found: list[str] = []
    with optim.nonfinite("ignore"):
        nan()
        with optim.nonfinite():
            message(nan)
        nan()
        thread = threading.Thread(target=lambda: found.append(message(nan)))
        thread.start()
        thread.join()
    message(nan)
    assert len(found) == 1


# -- how it is found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("position", [0, 17, 99])
def test_finite(dtype: Any, position: int, small_blocks: int) -> None:
    a = np.full(100, np.finfo(dtype).max, dtype)
    assert finite(a)
    for bad in (NAN, INF, -INF):
        a[position] = bad
        assert not finite(a)
        assert not finite(a.reshape(10, 10).T)


def test_what_is_beside_an_array_goes_with_it() -> None:
    from optim import common

    a = np.zeros(3)
    beside(a)["steps"] = 3
    key, count = id(a), len(common._beside)
    assert beside(a) == {"steps": 3}
    assert beside(a.copy()) == {}
    del a
    assert key not in common._beside
    assert len(common._beside) == count - 1


def test_steps_are_counted_from_the_making_of_the_state() -> None:
    """RMSprop's state has no counter in Torch, and a file has none."""
    x, state = start(3), dict[str, Any]()
    run("rmsprop", x, {}, state, steps=5)
    again = copy.deepcopy(state)
    for table, step in ((state, 6), (again, 1)):
        got = message(lambda table=table: optim.rmsprop(lambda x: (NAN, np.zeros(3)), x, {}, table))
        assert got.startswith(f"optim.rmsprop: in step {step} ")
