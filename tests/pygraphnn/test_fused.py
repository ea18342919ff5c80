"""Graphs that run in few calls, against the same graphs module by module."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from pygraphnn import Fused, clone_many_times, gModule
from tests.support.nested import assert_same, copied

CLOSE = {"rtol": 1e-12, "atol": 1e-13}
STEPS = {
    "lstm": lambda: pygraphnn.lstm(5, 4, 2),
    "gru": lambda: pygraphnn.gru(5, 4, 2),
    "rnn": lambda: pygraphnn.rnn(5, 4, 2),
    "peepholes": lambda: pygraphnn.lstm(5, 4, peepholes="diagonal"),
    "dropout": lambda: pygraphnn.lstm(5, 4, 2, 0.5),
}


@pytest.fixture(params=[False, True], ids=["numpy", "compiled"], autouse=True)
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fused, "compiled", request.param)


@pytest.fixture(params=STEPS)
def step(request: pytest.FixtureRequest) -> Any:
    torch7.manualSeed(1)
    return STEPS[request.param]()


def input_of(step: Any, B: int = 3, seed: int = 0) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.integers(1, 6, B), *(draw.normal(size=s.shape) for s in pygraphnn.initial_states(step, B))]


def ran(net: Any, x: Any, seed: int = 1) -> list[Any]:
    """Output, gradient of the input and gradients of the parameters."""
    torch7.manualSeed(seed)
    y = copied(net.forward(x))
    net.zeroGradParameters()
    g = net.backward(x, [np.random.default_rng(seed).normal(size=a.shape) for a in y])
    return copied([y, g[1:], net.parameters()[1]])


def test_computes_what_the_graph_computes(step):
    net = Fused(step.clone())
    for seed in range(3):
        x = input_of(step, 3 + seed % 2, seed)
        assert_same(ran(net, x), ran(step, x), **CLOSE)
    assert net.reason == ""


def test_evaluate_mode_and_a_backward_in_it(step):
    net, x = Fused(step.clone()), input_of(step)
    ran(net, x)
    net.evaluate()
    step.evaluate()
    assert_same(ran(net, x), ran(step, x), **CLOSE)
    net.training()
    step.training()
    assert_same(ran(net, x), ran(step, x), **CLOSE)


def test_two_backwards_of_one_forward(step):
    net, x = Fused(step), input_of(step)
    want = ran(net, x)
    g = [np.random.default_rng(1).normal(size=a.shape) for a in want[0]]
    assert_same(net.backward(x, g)[1:], want[1], **CLOSE)
    assert_same(net.parameters()[1], [2 * a for a in want[2]], **CLOSE)


def test_clones_through_time_share_one_plan(step):
    results = []
    for net in (Fused(step.clone()), step):
        net.forward(input_of(step))
        clones = clone_many_times(net, 4)
        torch7.manualSeed(2)
        states, given = input_of(step)[1:], []
        for t, clone in enumerate(clones):
            given.append([np.array([1 + t, 2, 3]), *states])
            *states, y = clone.forward(given[-1])
        net.zeroGradParameters()
        d = [np.zeros_like(s) for s in states]
        for x, clone in zip(reversed(given), reversed(clones)):
            _, *d = clone.backward(x, [*d, np.ones_like(y)])
        results.append(copied([y, d, net.parameters()[1]]))
        if isinstance(net, Fused):
            assert len({id(clone._plans) for clone in clones}) == 1
            assert len({id(clone._engine) for clone in clones}) == 4
    assert_same(*results, **CLOSE)


def test_parameters_may_move(step):
    net, x = Fused(step), input_of(step)
    before = ran(net, x)
    params, gradients = net.getParameters()
    assert_same(ran(net, x), before, **CLOSE)
    assert_same(gradients, np.concatenate([g.ravel() for g in before[2]]), **CLOSE)
    params *= 2
    assert not np.allclose(ran(net, x)[0][-1], before[0][-1])


def test_single_precision(step):
    net, x = Fused(step), input_of(step)
    want = ran(net, x)
    net.float()
    got = ran(net, [x[0], *(s.astype("f4") for s in x[1:])])
    assert got[0][-1].dtype == np.float32
    for a, b in zip(got[0], want[0]):
        if not any("Dropout" in torch7.typename(m) for m in net.listModules()):
            np.testing.assert_allclose(a, b, 1e-4, 1e-5)


@pytest.mark.parametrize("how", ["pickle", "deepcopy", "clone", "t7"])
def test_copies(step, how, tmp_path):
    net, x = Fused(step), input_of(step)
    want = ran(net, x)
    if how == "t7":
        torch7.save(tmp_path / "net.t7", net)
    ways = {
        "pickle": lambda: pickle.loads(pickle.dumps(net)),
        "deepcopy": lambda: copy.deepcopy(net),
        "clone": net.clone,
        "t7": lambda: torch7.load(tmp_path / "net.t7"),
    }
    other = ways[how]()
    for parameter in net.parameters()[0]:
        parameter += 1  # the copy has its own
    assert_same(ran(other, x), want, **CLOSE)


def test_options_are_seen_after_clear_state():
    x = nn.Identity()()
    net = Fused(gModule([x], [nn.MulConstant(2)(nn.Tanh()(x))]))
    ones = np.ones((1, 1))
    before = net.forward(ones).copy()
    net.findModules("nn.MulConstant")[0][0].constant_scalar = 4
    assert_same(net.clearState().forward(ones), 2 * before)


def test_what_cannot_be_planned_runs_module_by_module():
    x = nn.Identity()()
    net = Fused(gModule([x], [nn.Tanh()(nn.Sum(1)(x))]))
    assert_same(net.forward(np.ones((3, 2))), np.tanh(np.full(2, 3.0)))
    assert net.reason == "a module makes something else than a row for every row of the batch"
    assert_same(net.backward(np.ones((3, 2)), np.ones(2)), np.full((3, 2), 1 - np.tanh(3) ** 2), **CLOSE)


def test_errors_are_the_modules_own():
    step = pygraphnn.rnn(5, 4)
    net = Fused(step)
    with pytest.raises(ValueError, match=r"nn.Linear: expected 4 input columns") as error:
        net.forward([np.array([1, 2]), np.ones((2, 3))])
    assert any(note.startswith("In ") for note in error.value.__notes__)
    net.forward([np.array([1, 2]), np.ones((2, 4))])
    with pytest.raises(IndexError, match=r"nn.OneHot: indices count from 1 and go up to 5, got 6"):
        net.forward([np.array([1, 6]), np.ones((2, 4))])
    with pytest.raises(TypeError, match=r"Fused: expected an nn.gModule, got a nn.Tanh"):
        Fused(nn.Tanh())


def test_prints_its_graph():
    assert str(Fused(pygraphnn.rnn(5, 4))) == "Fused @ nn.gModule"


def test_indices_that_several_modules_read():
    x, h = nn.Identity()(), nn.Identity()()
    total = nn.CAddTable()([nn.Linear(4, 3)(nn.OneHot(4)(x)), nn.LookupTable(4, 3)(x), h])
    step = gModule([x, h], [nn.Tanh()(total)])
    given = [np.array([1.0, 4, 4]), np.ones((3, 3))]
    results = []
    for net in (Fused(step.clone()), step):
        y = net.forward(given).copy()
        net.zeroGradParameters()
        net.backward(given, np.ones((3, 3)))
        results.append(copied([y, net.parameters()[1]]))
    assert_same(*results, **CLOSE)
    assert results[0][1][2].any()
