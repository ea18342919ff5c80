"""What holds for every optimizer: tables, memory, types and errors."""

from __future__ import annotations

import collections
import copy
import re
import tracemalloc
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import optim
import torch7
from torch7.blocks import BLOCK

# Each optimizer with options that use all of its code.
CONFIGS: dict[str, list[dict[str, Any]]] = {
    "sgd": [
        {"learningRate": 0.1},
        {"learningRate": 0.1, "learningRateDecay": 0.1, "momentum": 0.9, "weightDecay": 0.01},
        {"learningRate": 0.1, "momentum": 0.5, "dampening": 0, "nesterov": True},
    ],
    "adam": [{"learningRate": 0.1}, {"beta1": 0.5, "beta2": 0.9, "weightDecay": 0.1, "learningRateDecay": 0.5}],
    "rmsprop": [{"learningRate": 0.1}, {"alpha": 0.9, "weightDecay": 0.1, "initialMean": 1, "epsilon": 1e-3}],
    "adamax": [{"learningRate": 0.1}, {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3, "weightDecay": 0.1}],
    "adagrad": [{"learningRate": 0.5}, {"learningRate": 0.5, "learningRateDecay": 0.5, "weightDecay": 0.1}],
    "adadelta": [{}, {"rho": 0.5, "eps": 1e-3, "weightDecay": 0.1}],
    "asgd": [{"eta0": 0.1}, {"eta0": 0.2, "lambda": 0.1, "alpha": 0.5, "t0": 2}],
    "nag": [{"learningRate": 0.1}, {"momentum": 0.5, "learningRateDecay": 0.5, "weightDecay": 0.1}],
    "rprop": [{}, {"stepsize": 0.5, "etaplus": 1.5, "etaminus": 0.25, "stepsizemax": 1, "niter": 2}],
}
every_optimizer = pytest.mark.parametrize("name", CONFIGS)
decaying = pytest.mark.parametrize("name", [name for name in CONFIGS if name not in ("asgd", "rprop")])  # weightDecay
RATE = dict.fromkeys(CONFIGS, "learningRate") | {"adadelta": "rho", "asgd": "eta0", "rprop": "etaplus"}
STATE = {  # an array of each one's state
    **dict.fromkeys(("sgd", "nag"), "dfdx"),
    **dict.fromkeys(("adam", "adamax", "rmsprop"), "m"),
    **dict.fromkeys(("adagrad", "adadelta"), "paramVariance"),
    "asgd": "ax",
    "rprop": "delta",
}
every_case = pytest.mark.parametrize(
    ("name", "config"), [(name, config) for name, configs in CONFIGS.items() for config in configs]
)
Opfunc = Callable[[np.ndarray], Any]


class Fields(MutableMapping[str, Any]):
    """A mapping that is no dict."""

    def __init__(self, fields: dict[str, Any]):
        self.fields = dict(fields)

    def __getitem__(self, key: str) -> Any:
        return self.fields[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.fields[key] = value

    def __delitem__(self, key: str) -> None:
        del self.fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)


def bowl(x: np.ndarray) -> tuple[float, np.ndarray]:
    """The sum of x^2 / 2 + x, with a new gradient at every call."""
    return float((x * x / 2 + x).sum()), x + 1


def run(name: str, x: np.ndarray, config: Any, state: Any = None, steps: int = 5, opfunc: Opfunc = bowl) -> np.ndarray:
    for _ in range(steps):
        x, *_ = getattr(optim, name)(opfunc, x, config, state)
    return x


def start(n: int, dtype: Any = np.float64) -> np.ndarray:
    return np.linspace(-2, 3, n).astype(dtype)


# -- tables


def test_index() -> None:
    assert optim.__all__ == sorted(optim.__all__)
    assert all(callable(getattr(optim, name)) for name in optim.__all__)
    assert set(CONFIGS) <= set(optim.__all__)


@every_case
@pytest.mark.parametrize("kind", [torch7.Table, Fields, collections.OrderedDict, collections.UserDict])
def test_any_mapping_serves(name: str, config: dict[str, Any], kind: Any) -> None:
    plain, other = dict(config), kind(config)
    expected = run(name, start(7), plain)
    np.testing.assert_array_equal(run(name, start(7), other), expected)
    assert set(other) == set(plain)
    np.testing.assert_array_equal(run(name, start(7), kind(config), kind({})), expected)


@every_case
def test_state_defaults_to_config_and_an_empty_state_is_used(name: str, config: dict[str, Any]) -> None:
    shared, separate = dict(config), dict(config)
    state: dict[str, Any] = {}
    np.testing.assert_array_equal(run(name, start(7), shared), run(name, start(7), separate, state))
    written = {"eta0", "lambda", "alpha", "t0"} if name == "asgd" else set()
    assert separate.items() >= config.items()
    assert set(separate) == {*config, *written}
    assert set(shared) == {*config, *state, *written}
    assert state


@every_case
def test_none_is_absent(name: str, config: dict[str, Any]) -> None:
    expected = dict(config)
    run(name, start(3), expected)
    absent = dict.fromkeys([*expected, "momentum", "dampening", "nesterov", "learningRates", "weightDecays", "alpha"])
    got = run(name, start(3), absent | config, dict.fromkeys(expected))
    np.testing.assert_array_equal(got, run(name, start(3), dict(config)))


@every_optimizer
def test_false_is_absent_too(name: str) -> None:
    """As in Lua, where `false or 0.01` is 0.01."""
    off = dict.fromkeys(
        ["learningRate", "weightDecay", "momentum", "alpha", "beta1", "epsilon", "learningRates"], False
    )
    np.testing.assert_array_equal(run(name, start(3), off), run(name, start(3), {}))


@every_optimizer
def test_without_config(name: str) -> None:
    x, expected = start(3), start(3)
    fx = getattr(optim, name)(bowl, x)
    assert fx[0] is x
    assert fx[1] == [bowl(start(3))[0]]
    getattr(optim, name)(bowl, expected, {})
    np.testing.assert_array_equal(x, expected)


@every_case
def test_copied_state_resumes_exactly_and_apart(name: str, config: dict[str, Any]) -> None:
    x = start(7)
    state: dict[str, Any] = {}
    run(name, x, config, state, steps=3)
    x2, state2 = x.copy(), copy.deepcopy(state)
    state2 = {key: float(value) if isinstance(value, int) else value for key, value in state2.items()}  # as in a file
    np.testing.assert_array_equal(run(name, x2, config, state2), run(name, x, config, state))
    assert all(np.array_equal(state[key], state2[key]) for key in state)


@every_optimizer
@pytest.mark.parametrize("what", ["config", "state"])
@pytest.mark.parametrize(
    ("table", "got"),
    [
        ([], "a list of length 0: an empty table"),
        ([1], "a list of length 1"),
        (3, "3"),
        ("a", "'a'"),
        (np.zeros(3), "float64 of shape (3,)"),
        (dict, "a type"),
    ],
)
def test_what_is_no_mapping(name: str, what: str, table: Any, got: str) -> None:
    with pytest.raises(
        TypeError, match=re.escape(f"optim.{name}: expected {what} to be a mapping such as a dict, got {got}")
    ):
        getattr(optim, name)(bowl, start(3), **{what: table})


@every_optimizer
@pytest.mark.parametrize("value", ["0.1", True, np.zeros(1), 1j])
def test_options_that_are_no_numbers(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"optim\.{name}: expected {RATE[name]} to be a number, got "):
        getattr(optim, name)(bowl, start(3), {RATE[name]: value})


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in ("adadelta", "rprop")])
def test_a_learning_rate_of_zero_is_no_absent_one(name: str) -> None:
    np.testing.assert_array_equal(run(name, start(3), {RATE[name]: 0}), start(3))


@pytest.mark.parametrize(
    ("name", "counter"), [("sgd", "evalCounter"), ("nag", "evalCounter"), ("adagrad", "evalCounter"), ("adam", "t")]
)
def test_counters(name: str, counter: str) -> None:
    with pytest.raises(ValueError, match=rf"optim\.{name}: expected state\.{counter} to be a whole number, got 1\.5"):
        getattr(optim, name)(bowl, start(3), {}, {counter: 1.5})
    with pytest.raises(ValueError, match=rf"optim\.{name}: learningRateDecay -0\.25 divides by 0 after 4 steps"):
        getattr(optim, name)(bowl, start(3), {"learningRateDecay": -0.25}, {counter: 4})


# -- memory


@every_case
@hypothesis.given(n=st.integers(1, 40), step=st.sampled_from([-2, -1, 2, 3]))
@hypothesis.settings(max_examples=10, deadline=None)
def test_views_move_in_place(name: str, config: dict[str, Any], n: int, step: int) -> None:
    whole = np.full(n * 3, 7.0)
    view = whole[::step][:n]
    view[...] = start(n)
    assert run(name, view, dict(config)) is view
    np.testing.assert_array_equal(view, run(name, start(n), dict(config)))
    view[...] = 7
    np.testing.assert_array_equal(whole, np.full(n * 3, 7.0))


@every_case
@pytest.mark.parametrize("shape", [(0,), (1,), (6, 5), (5, 0), (2, 3, 4)])
def test_any_shape(name: str, config: dict[str, Any], shape: tuple[int, ...]) -> None:
    n = int(np.prod(shape))
    expected = run(name, start(n), dict(config))
    got = run(name, start(n).reshape(shape), dict(config))
    np.testing.assert_array_equal(got, expected.reshape(shape))
    across = np.asfortranarray(start(n).reshape(shape))
    np.testing.assert_array_equal(run(name, across, dict(config)), got)


@every_case
@pytest.mark.parametrize("shape", [(BLOCK // 2 + 17,), (BLOCK // 400, 203), (2, BLOCK // 4 + 3)])
def test_more_than_one_block(name: str, config: dict[str, Any], shape: tuple[int, ...]) -> None:
    """An element's way does not depend on the block it is in."""
    x = np.empty(shape)
    x.reshape(-1)[:] = np.resize(start(5), x.size)
    expected = np.resize(run(name, start(5), dict(config)), x.size).reshape(shape)
    np.testing.assert_array_equal(run(name, x, dict(config)), expected)


@every_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_allocation_after_the_first_step(name: str, config: dict[str, Any], dtype: Any) -> None:
    x, gradient, config = np.ones(300_000, dtype), np.ones(300_000, dtype), dict(config)

    def opfunc(x: np.ndarray) -> tuple[float, np.ndarray]:
        gradient.fill(0.5)
        return 0.0, gradient

    run(name, x, config, opfunc=opfunc, steps=1)
    buffers = {key: value for key, value in config.items() if isinstance(value, np.ndarray)}

    def peak() -> int:
        tracemalloc.start()
        try:
            run(name, x, config, opfunc=opfunc, steps=3)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # bytes, of which other threads may add some; one array of a block's length has 262144 or more
    assert min(peak() for _ in range(3)) < 20_000
    assert all(config[key] is value for key, value in buffers.items())


@decaying
@pytest.mark.parametrize("decay", [0, 0.5])
def test_weight_decay_changes_the_callers_gradient(name: str, decay: float) -> None:
    gradient = np.ones(3)
    run(name, start(3), {"weightDecay": decay}, opfunc=lambda x: (0.0, gradient), steps=1)
    np.testing.assert_array_equal(gradient, 1 + decay * start(3))


@every_case
def test_the_gradient_may_be_x_itself(name: str, config: dict[str, Any]) -> None:
    if name in ("asgd", "nag", "rprop"):
        pytest.skip("x changes before the gradient is read, as in Torch")
    config = {key: value for key, value in config.items() if key not in ("weightDecay", "nesterov")}
    got = run(name, start(4), dict(config), opfunc=lambda x: (0.0, x))
    np.testing.assert_array_equal(got, run(name, start(4), dict(config), opfunc=lambda x: (0.0, x.copy())))


@every_optimizer
def test_overflows_come_about_silently(name: str) -> None:
    """A warning that is an error, as in these tests, would stop a step halfway."""
    gradient = np.array([1e30, -1e30, 0], np.float32)
    x = run(name, start(3, np.float32), {}, opfunc=lambda x: (0.0, gradient.copy()), steps=2)
    assert x.dtype == np.float32


# -- types


@every_case
@hypothesis.given(n=st.integers(1, 60), seed=st.integers(0, 2**32 - 1))
@hypothesis.settings(max_examples=10, deadline=None)
def test_float_follows_double(name: str, config: dict[str, Any], n: int, seed: int) -> None:
    x = np.random.RandomState(seed).uniform(-2, 2, n).astype(np.float32)
    double, config32 = run(name, x.astype(np.float64), dict(config)), dict(config)
    single = run(name, x, config32)
    assert single is x
    assert single.dtype == np.float32
    assert all(v.dtype in (np.float32, np.uint8) for v in config32.values() if isinstance(v, np.ndarray))
    # where the gradient x + 1 is next to nothing, the adaptive ones divide one rounding error by another
    safe = np.abs(x + 1) > (0.05 if name != "rprop" else 1)
    np.testing.assert_allclose(single[safe], double[safe], rtol=1e-4, atol=1e-4)


@every_optimizer
def test_numpy_numbers_as_options_keep_the_type(name: str) -> None:
    config = {"learningRate": np.float64(0.1), "weightDecay": np.float32(0.5)}
    x = run(name, start(3, np.float32), config)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, run(name, start(3, np.float32), {"learningRate": 0.1, "weightDecay": 0.5}))


@every_optimizer
@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.array(2.0), np.int64(2)])
def test_f_is_a_python_float(name: str, value: Any) -> None:
    f = getattr(optim, name)(lambda x: (value, x.copy()), start(3))[1][0]
    assert type(f) is float
    assert f == 2


@every_optimizer
def test_f_that_is_no_number_passes(name: str) -> None:
    assert getattr(optim, name)(lambda x: (None, x.copy(), "more"), start(3))[1] == [None]


@every_optimizer
def test_opfunc_may_be_a_method_and_return_a_list(name: str) -> None:
    class Model:
        def feval(self, x: np.ndarray) -> list[Any]:
            return [1.0, x + 1]

    np.testing.assert_array_equal(run(name, start(3), {}, opfunc=Model().feval), run(name, start(3), {}))


# -- errors


def raises(error: type[Exception], name: str, text: str) -> Any:
    return pytest.raises(error, match=re.escape(f"optim.{name}: {text}"))


@every_optimizer
@pytest.mark.parametrize(
    ("x", "got"),
    [
        ([1.0, 2.0], "a list of length 2"),
        (np.arange(3), "int64 of shape (3,)"),
        (np.array(1.0), "float64 of shape ()"),
        (np.zeros(2).view(torch7.Storage), "float64 of shape (2,)"),
        (None, "None"),
    ],
)
def test_x_that_is_no_floating_array(name: str, x: Any, got: str) -> None:
    with raises(TypeError, name, f"expected x to be a floating ndarray of one dimension or more, got {got}"):
        getattr(optim, name)(bowl, x, {})


@every_optimizer
@pytest.mark.parametrize(
    ("gradient", "got"),
    [
        (np.zeros(4), "float64 of shape (4,)"),
        (np.zeros((3, 1)), "float64 of shape (3, 1)"),
        (np.zeros(3, np.float32), "float32 of shape (3,)"),
        (np.zeros(1), "float64 of shape (1,)"),
    ],
)
def test_gradient_that_does_not_fit(name: str, gradient: np.ndarray, got: str) -> None:
    x, config = start(3), dict(CONFIGS[name][1])
    with raises(ValueError, name, f"x is float64 of shape (3,), but the gradient is {got}"):
        getattr(optim, name)(lambda x: (0.0, gradient), x, config)
    np.testing.assert_array_equal(x, start(3))


@every_optimizer
@pytest.mark.parametrize(
    ("result", "text"),
    [
        (1.0, "expected opfunc to return (f, df/dx), got 1.0"),
        (np.zeros(2), "expected opfunc to return (f, df/dx), got float64 of shape (2,)"),
        ((1.0,), "expected opfunc to return (f, df/dx), got a tuple of length 1"),
        ((1.0, [1.0, 2.0, 3.0]), "expected opfunc to return df/dx as an ndarray, got a list of length 3"),
        ((1.0, None), "expected opfunc to return df/dx as an ndarray, got None"),
    ],
)
def test_opfunc_that_returns_something_else(name: str, result: Any, text: str) -> None:
    with raises(TypeError, name, text):
        getattr(optim, name)(lambda x: result, start(3))


@every_optimizer
def test_opfunc_that_cannot_be_called(name: str) -> None:
    with raises(TypeError, name, "expected opfunc to be callable, got 3"):
        getattr(optim, name)(3, start(3))


@every_optimizer
def test_errors_of_opfunc_pass_and_leave_x(name: str) -> None:
    def opfunc(x: np.ndarray) -> Any:
        raise KeyboardInterrupt

    x = start(3)
    with pytest.raises(KeyboardInterrupt):
        getattr(optim, name)(opfunc, x, {})
    np.testing.assert_array_equal(x, start(3))


@pytest.mark.parametrize(("name", "key"), [*STATE.items(), ("adam", "v"), ("adam", "denom")])
def test_state_of_another_x(name: str, key: str) -> None:
    x, config, gradient = start(3), CONFIGS[name][1], np.ones(3)
    for old, got in (
        (np.zeros(2), "float64 of shape (2,)"),
        (np.zeros(3, np.float32), "float32 of shape (3,)"),
        (5, "5"),
    ):
        with raises(ValueError, name, f"x is float64 of shape (3,), but state.{key} is {got}"):
            getattr(optim, name)(lambda x: (0.0, gradient), x, config, {key: old})
    np.testing.assert_array_equal(x, start(3))
    np.testing.assert_array_equal(gradient, np.ones(3))


@every_optimizer
def test_read_only_arrays(name: str) -> None:
    frozen, config = np.ones(3), CONFIGS[name][1]
    frozen.flags.writeable = False
    with raises(ValueError, name, "x is changed in place, but is a read-only array"):
        getattr(optim, name)(bowl, frozen, config)
    key = STATE[name]
    with raises(ValueError, name, f"state.{key} is changed in place, but is a read-only array"):
        getattr(optim, name)(bowl, start(3), config, {key: frozen})


@every_optimizer
def test_read_only_gradients(name: str) -> None:
    frozen = np.ones(3)
    frozen.flags.writeable = False
    changes = {"rprop": {}} | {n: {"weightDecay": 0.1} for n in CONFIGS if n not in ("asgd", "rprop")}
    if name in changes:
        with raises(
            ValueError, name, "the gradient, with these options, is changed in place, but is a read-only array"
        ):
            getattr(optim, name)(lambda x: (0.0, frozen), start(3), changes[name], {})
    if name != "rprop":  # without weight decay it is only read
        run(name, start(3), {}, opfunc=lambda x: (0.0, frozen))
