"""NaN and infinity go through plans as through the modules one by one, to the same places and without a warning."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from pygraphnn import Fused, Unroll, gModule
from pygraphnn.unroll.planned import PlannedEngine
from tests.support.nested import assert_same, copied, leaves
from tests.support.unrolling import elman, looped, nested_state, peephole, ran, random_like

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
BAD = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
STEPS: dict[str, tuple[Callable[[], Any], dict[int, int] | None]] = {
    "lstm": (lambda: pygraphnn.lstm(3, 4, input="vectors"), None),
    "gru": (lambda: pygraphnn.gru(3, 4, input="vectors"), None),
    "peephole": (lambda: peephole(3, 4), None),
    "elman": (elman, None),
    "nested": (nested_state, {1: 2}),
}


def functions() -> Any:
    """[x, h] -> [x + h, ...]: the functions that plans know, of both, and some that they do not."""
    x, h = nn.Identity()(), nn.Identity()()
    total = nn.CAddTable()([x, h])
    outputs = [module()(total) for module in (nn.ReLU, nn.Square, nn.ELU, nn.Exp, nn.SoftMax, nn.Abs)]
    outputs += [nn.MulConstant(0)(x), nn.AddConstant(1)(h), nn.ReLU()(nn.MulConstant(0)(h))]
    outputs += [module()([nn.Tanh()(x), h]) for module in (nn.CMulTable, nn.CDivTable, nn.CSubTable)]
    return gModule([x, h], [nn.Sigmoid()(total), *outputs])


def in_place() -> Any:
    """[x, h] -> [(x + h)+, ...], where a rectifier that works in place leaves a nan as it is."""
    x, h = nn.Identity()(), nn.Identity()()
    new = nn.ReLU(True)(nn.CAddTable()([x, h]))
    return gModule([x, h], [new, nn.CMulTable()([new, nn.ReLU()(nn.MulConstant(2)(x))])])


STEPS |= {"functions": (functions, None), "in place": (in_place, None)}
SIZES = {"functions": (4, 4), "in place": (4, 4)}
PLACES: dict[str, Callable[[Any, list[Any], list[Any]], None]] = {
    "sequence": lambda bad, sequences, _: sequences[0][1, 1].__setitem__(0, bad),
    "state": lambda bad, _, states: states[0][1].__setitem__(0, bad),
}


@pytest.fixture(params=BAD)
def bad(request: pytest.FixtureRequest) -> float:
    return BAD[request.param]


@pytest.fixture(params=STEPS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def made(name: str) -> tuple[Any, list[Any], list[np.ndarray], list[np.ndarray]]:
    """A step, an input for it unrolled, and the sequences and states in that."""
    torch7.manualSeed(1)
    step, draw = STEPS[name][0](), np.random.default_rng(0)
    width, size = SIZES.get(name, (3, 4))
    sequences = [draw.normal(size=(4, 3, width)) for _ in range(2 if name == "nested" else 1)]
    states = [draw.normal(size=(3, size)) for _ in range(2 if name == "nested" else step.nInputs - 1)]
    x = [[states[0], [states[1]]], sequences] if name == "nested" else [*sequences, *states]
    return step, x, sequences, states


def quietly(function: Callable[..., Any], *args: Any) -> Any:
    """What a function gives while numpy warns: modules may, plans do not, as tests of the others show."""
    with np.errstate(all="ignore"):
        return function(*args)


def assert_alike(engine: Any, name: str, step: Any, x: Any) -> None:
    """Fails unless the step unrolled gives what a loop gives, where not all is finite."""
    states = STEPS[name][1]
    net = Unroll(step.clone(), states)
    got = ran(net, x) if issubclass(engine, PlannedEngine) else quietly(ran, net, x)
    want = quietly(looped, step, x, states)
    assert_same(got, want, **CLOSE)
    if issubclass(engine, PlannedEngine):
        assert next(iter(net._run.engines.values())).reason == ""


@pytest.mark.parametrize("place", PLACES)
def test_in_inputs(engine, name, place, bad):
    step, x, sequences, states = made(name)
    PLACES[place](bad, sequences, states)
    assert_alike(engine, name, step, x)


@pytest.mark.parametrize("which", [0, 1], ids=["weight", "bias"])
def test_in_parameters(engine, name, which, bad):
    step, x, *_ = made(name)
    if step.parameters()[0]:
        step.parameters()[0][which].flat[0] = bad
        assert_alike(engine, name, step, x)


def test_in_gradients(engine, name, bad):
    """Also where the derivative is zero."""
    step, x, *_ = made(name)
    results = []
    for net in (Unroll(step.clone(), STEPS[name][1]), None):
        if net is None:
            net = Unroll(step.clone(), STEPS[name][1])
            net._engine = lambda: pygraphnn.unroll.planned.StepwiseEngine
        g = random_like(net.forward(x), 3)
        for a in leaves(g):
            a[..., 1, 0] = bad
        net.zeroGradParameters()
        results.append(copied([quietly(net.backward, x, g), net.parameters()[1]]))
    assert_same(*results, **CLOSE)


@pytest.mark.parametrize("compiled", [False, True], ids=["numpy", "compiled"])
@pytest.mark.parametrize("place", PLACES)
def test_fused(name, place, bad, compiled, monkeypatch):
    monkeypatch.setattr(Fused, "compiled", compiled)
    step, x, sequences, states = made(name)
    PLACES[place](bad, sequences, states)
    x = [x[0], [a[1] for a in x[1]]] if name == "nested" else [x[0][1], *x[1:]]
    want = quietly(ran, step.clone(), copied(x))
    net = Fused(step)
    got = ran(net, x)
    assert_same(got, want, **CLOSE)
    assert net.reason == ""


def test_a_column_that_an_index_tells(engine):
    """Plans look a one-hot row's column up, so that a nan in another one, times zero, is not added."""
    step = pygraphnn.rnn(4, 3)
    step.parameters()[0][0][:, 1] = np.nan  # of index 2
    x = np.array([[1, 2], [3, 1]])
    output = Unroll(step).forward([x, np.zeros((2, 3))])[1]
    looked_up = issubclass(engine, PlannedEngine)
    assert np.isfinite(output[:, 0]).all() == looked_up
    assert np.isnan(output[:, 1]).all()


def test_overflow_does_not_warn(engine):
    x, h = nn.Identity()(), nn.Identity()()
    step = gModule([x, h], [nn.MulConstant(1e300)(nn.CAddTable()([x, h])), nn.CMulTable()([x, h])])
    given = [np.full((3, 2, 2), 1e10), np.ones((2, 2))]
    net = Unroll(step)
    if issubclass(engine, PlannedEngine):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = ran(net, given)
    else:
        got = quietly(ran, net, given)
    assert np.isinf(got.output[0]).all()


@pytest.mark.parametrize("kind", [Unroll, Fused])
def test_sums_of_gradients_do_not_warn(engine, kind, monkeypatch):
    """Infinity and minus infinity arrive at one input."""
    monkeypatch.setattr(Fused, "compiled", False)
    x, h = nn.Identity()(), nn.Identity()()
    step = gModule([x, h], [nn.Tanh()(h), nn.Identity()(x), nn.Identity()(x)])
    net, given = kind(step), [np.ones((3, 2, 2)) if kind is Unroll else np.ones((2, 2)), np.ones((2, 2))]
    g = random_like(net.forward(given), 3)
    g[1][...], g[2][...] = np.inf, -np.inf
    planned = kind is Fused or issubclass(engine, PlannedEngine)
    gradient, _ = net.backward(given, g) if planned else quietly(net.backward, given, g)
    assert np.isnan(gradient).all()
