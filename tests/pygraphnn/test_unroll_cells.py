"""The cells of the library with all their options, unrolled by every engine, against a loop over clones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from pygraphnn import Unroll, gModule
from pygraphnn.unroll.planned import PlannedEngine
from tests.support.nested import assert_same
from tests.support.unrolling import looped, ran

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "lookup": ("lstm", {"input": "lookup"}),
    "vectors": ("lstm", {"input": "vectors", "output": "linear"}),
    "hidden": ("lstm", {"input": "vectors", "output": "h"}),
    "peepholes": ("lstm", {"peepholes": "output"}),
    "Graves' peepholes": ("lstm", {"peepholes": "diagonal"}),
    "residual": ("lstm", {"residual": True, "n": 3}),
    "dropout": ("lstm", {"dropout": 0.5, "residual": True, "input": "lookup"}),
    "gru on embeddings": ("gru", {"input": "lookup", "dropout": 0.3}),
    "gru, hidden": ("gru", {"input": "vectors", "output": "h", "residual": True}),
    "IRNN": ("rnn", {"activation": "relu", "recurrent_init": "identity", "input": "vectors"}),
    "logistic": ("rnn", {"activation": "sigmoid", "output": "linear"}),
}
V, H, T, B = 5, 4, 6, 3


@pytest.fixture(params=OPTIONS)
def option(request: pytest.FixtureRequest) -> str:
    return request.param


def made(option: str) -> Any:
    torch7.manualSeed(1)
    name, options = OPTIONS[option]
    options = {"n": 2, **options}
    return getattr(pygraphnn, name)(V, H, **options)


def input_of(option: str, step: Any) -> list[Any]:
    draw = np.random.default_rng(0)
    vectors = OPTIONS[option][1].get("input") == "vectors"
    x = draw.normal(size=(T, B, V)) if vectors else draw.integers(1, V + 1, (T, B))
    return [x, *(draw.normal(size=s.shape) for s in pygraphnn.initial_states(step, B))]


@pytest.mark.parametrize("training", [True, False])
def test_a_loop_over_clones(engine, option, training):
    step, other = made(option), made(option)
    net, x = Unroll(step), input_of(option, step)
    for each in (net, other):
        each.training() if training else each.evaluate()
    got = ran(net, x)
    assert_same(got, looped(other, x), **CLOSE)
    assert all(gradient.any() for gradient in got.gradients)
    if issubclass(engine, PlannedEngine):
        (runs,) = net._run.engines.values()
        assert runs.reason == ""


def test_single_columns_between_others(engine):
    """Widths at which a column of the batch lies 16 or 64 bytes from its neighbours."""
    for width in (2, 8):
        x, s = nn.Identity()(), nn.Identity()()
        a, b = nn.SplitTable(2)(nn.Reshape(2, width)(nn.CAddTable()([x, s]))).split(2)
        new = nn.JoinTable(2)([nn.Sigmoid()(a), nn.Narrow(2, 1, width)(nn.Tanh()(b))])
        step = gModule([x, s], [new, nn.Sigmoid()(nn.Select(2, 1)(nn.Reshape(2 * width)(new)))])
        draw = np.random.default_rng(width)
        given = [draw.normal(size=(3, 17, 2 * width)), draw.normal(size=(17, 2 * width))]
        assert_same(ran(Unroll(step.clone()), given), looped(step, given), **CLOSE)


def test_indices_that_several_modules_read(engine):
    torch7.manualSeed(1)
    x, h = nn.Identity()(), nn.Identity()()
    total = nn.CAddTable()([nn.Linear(4, 3)(nn.OneHot(4)(x)), nn.LookupTable(4, 3)(x), h])
    new = nn.Tanh()(total)
    step = gModule([x, h], [new, nn.Identity()(new)])
    draw = np.random.default_rng(0)
    given = [draw.integers(1, 5, (5, 2)).astype(float), draw.normal(size=(2, 3))]
    assert_same(ran(Unroll(step.clone()), given), looped(step, given), **CLOSE)


def test_errors_tell_the_step_and_the_module(engine):
    net = Unroll(pygraphnn.rnn(4, 3))
    x = np.ones((5, 2), int)
    net.forward([x, np.zeros((2, 3))])
    x[3, 1] = 5
    with pytest.raises(IndexError, match=r"nn.OneHot: indices count from 1 and go up to 4, got 5") as error:
        net.forward([x, np.zeros((2, 3))])
    assert any("In time step 4" in note for note in error.value.__notes__)
    x[3, 1] = 4
    assert np.isfinite(net.forward([x, np.zeros((2, 3))])[1]).all()


def test_a_module_that_reads_something_twice(engine):
    x, s = nn.Identity()(), nn.Identity()()
    part = nn.Narrow(2, 1, 1)(x)
    a, b = nn.Identity()([part, nn.Identity()(part)]).split(2)
    c, d = nn.MapTable(nn.Tanh())([s, nn.Identity()(s)]).split(2)
    new = nn.CMulTable()([c, nn.AddConstant(1)(d)])
    step = gModule([x, s], [new, nn.CMulTable()([a, nn.Square()(b)])])
    draw = np.random.default_rng(0)
    given = [draw.normal(size=(3, 2, 2)), draw.normal(size=(2, 1))]
    assert_same(ran(Unroll(step.clone()), given), looped(step, given), **CLOSE)
