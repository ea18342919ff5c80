"""Unrolled networks that keep only the states between segments, and compute the rest again in backward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import Unroll, gModule
from pygraphnn.unroll.stepwise import StepwiseEngine
from tests.support.nested import assert_same, copied
from tests.support.unrolling import CASES, made, ran, random_like

pytestmark = pytest.mark.usefixtures("engine")
T, B = 7, 3
CLOSE = {"rtol": 1e-12, "atol": 1e-13}  # sums over time are those of segments


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def pair(name: str, segment: int) -> tuple[Any, Any, Any]:
    """The network as a whole and in segments, and an input."""
    nets = [Unroll(made(name), CASES[name].states, segment=n) for n in (None, segment)]
    return *nets, CASES[name].input(np.random.default_rng(0), T, B)


@pytest.mark.parametrize("segment", [1, 3, 7])
@pytest.mark.parametrize("training", [True, False])
def test_the_same_numbers(name, segment, training):
    whole, net, x = pair(name, segment)
    if not training:
        whole.evaluate()
        net.evaluate()
    for seed in (3, 4):
        want = ran(whole, x, seed)
        assert_same(ran(net, x, seed), want, **CLOSE)
        assert_same([net.output, net.gradInput], want[:2], **CLOSE)  # backward has left the output as it was


def test_random_numbers_go_on_where_forward_left_them(name):
    whole, net, x = pair(name, 2)
    drawn = []
    for each in (whole, net):
        torch7.manualSeed(5)
        g = random_like(each.forward(x), 1)
        drawn.append(torch7.random())
        each.backward(x, g)
        drawn.append(torch7.random())
    assert drawn[:2] == drawn[2:]


def test_gradients_one_after_the_other(name):
    whole, net, x = pair(name, 3)
    want = ran(whole, x)
    torch7.manualSeed(3)
    g = random_like(net.forward(x), 3)
    net.zeroGradParameters()
    gradInput = copied(net.updateGradInput(x, g))
    assert not any(a.any() for a in net.parameters()[1])
    net.accGradParameters(x, g, 0.5)
    net.accGradParameters(x, g, 0.5)
    assert_same(gradInput, want.gradInput, **CLOSE)
    assert_same(net.parameters()[1], want.gradients, **CLOSE)
    assert_same(net.gradInput, want.gradInput, **CLOSE)


def test_backward_twice(name):
    whole, net, x = pair(name, 3)
    want = ran(whole, x)
    ran(net, x)
    net.zeroGradParameters()
    assert_same(net.backward(x, random_like(net.output, 3)), want.gradInput, **CLOSE)
    assert_same(net.parameters()[1], want.gradients, **CLOSE)


def test_what_is_learned_in_forward_is_learned_once():
    whole, net, x = pair("batch normalization", 2)
    for each in (whole, net):
        ran(each, x)
    (one,), _ = whole.findModules("nn.BatchNormalization")
    (other,), _ = net.findModules("nn.BatchNormalization")
    assert_same([other.running_mean, other.running_var], [one.running_mean, one.running_var], **CLOSE)
    assert one.running_mean.any()


def test_an_error_in_backward_leaves_random_numbers_and_statistics(monkeypatch):
    _, net, x = pair("batch normalization", 2)
    (normalization,), _ = net.findModules("nn.BatchNormalization")
    g = random_like(net.forward(x), 1)
    random, mean = torch7.getRNGState(), normalization.running_mean.copy()

    def stop(*args: Any) -> None:
        torch7.random()
        raise KeyboardInterrupt

    monkeypatch.setattr("nn.BatchNormalization._backward", stop)
    with pytest.raises(KeyboardInterrupt):
        net.backward(x, g)
    assert_same([torch7.getRNGState(), normalization.running_mean], [random, mean])
    monkeypatch.undo()
    again = copied(net.backward(x, g))
    torch7.setRNGState(random)
    assert_same(net.backward(x, g), again)


def test_memory_is_that_of_a_segment(engine):
    """Ten segments need no more clones, or room, than one, in training and in evaluate mode."""
    made_of = []
    for T in (4, 40):
        net = Unroll(made("elman"), segment=4)
        for mode in (net.training, net.evaluate):
            mode()
            ran(net, CASES["elman"].input(np.random.default_rng(0), T, B))
            (runs,) = net._run.engines.values()
            made_of.append(len(runs.clones.clones) if engine is StepwiseEngine else runs.engine.room)
    assert made_of == [4] * 4


def test_inside_of_a_graph():
    """A graph computes the gradients one after the other."""
    whole, net, (x, h) = pair("elman", 2)
    graphs = []
    for each in (whole, net):
        a, b = nn.Identity()(), nn.Identity()()
        graphs.append(gModule([a, b], [each([a, b])]))
    assert_same(ran(graphs[1], [x, h]), ran(graphs[0], [x, h]), **CLOSE)
