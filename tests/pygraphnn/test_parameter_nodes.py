"""Nodes without an input that hold parameters (class nnop.Parameters), as a package of operators without state has."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import clone_many_times, gModule
from tests.support.graph_golden import structure
from tests.support.nested import assert_same, copied
from tests.support.t7 import again


@torch7.register("nnop.Parameters")
class Parameters(nn.Module):
    """Its output is its weight, whatever comes in."""

    def __init__(self, *sizes: int):
        super().__init__()
        self.weight, self.gradWeight = torch7.uniform_(np.zeros(sizes), -1, 1), np.zeros(sizes)

    def updateOutput(self, input: Any) -> Any:
        assert input == []  # as in Torch
        self.output = self.weight
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        assert input == []
        return None

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        assert input == []
        self.gradWeight += scale * gradOutput


@torch7.register("nnop.Linear")
class Operator(nn.Module):
    """[x, weight, bias] -> x weight^T + bias."""

    def updateOutput(self, input: Any) -> Any:
        x, weight, bias = input
        self.output = x @ weight.T + bias
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        x, weight, _ = input
        self.gradInput = [gradOutput @ weight, gradOutput.T @ x, gradOutput.sum(0)]
        return self.gradInput


def net() -> tuple[Any, Any, Any]:
    """Two operators with the same parameters, and these."""
    x, weight, bias = nn.Identity()(), Parameters(3, 3)(), Parameters(3)()
    h = nn.Tanh()(Operator()([x, weight, bias]))
    return gModule([x], [Operator()([h, weight, bias])]), weight.data.module, bias.data.module


X = np.random.default_rng(0).normal(size=(4, 3))
G = np.random.default_rng(1).normal(size=(4, 3))


def passed(g: Any, dtype: Any = np.float64) -> Any:
    g.zeroGradParameters()
    output = copied(g.forward(X.astype(dtype)))
    return output, copied(g.backward(X.astype(dtype), G.astype(dtype))), copied(g.parameters()[1])


def test_it_computes_what_modules_with_shared_parameters_do():
    torch7.manualSeed(1)
    g, weight, bias = net()
    linear = nn.Linear(3, 3)
    linear.weight[...], linear.bias[...] = weight.weight, bias.weight
    twin = linear.clone("weight", "bias", "gradWeight", "gradBias")
    plain = nn.Sequential().add(linear).add(nn.Tanh()).add(twin)
    plain.zeroGradParameters()
    output, gradInput, _ = passed(g)
    np.testing.assert_allclose(output, plain.forward(X), rtol=1e-13)
    np.testing.assert_allclose(gradInput, plain.backward(X, G), rtol=1e-13)
    np.testing.assert_allclose(weight.gradWeight, linear.gradWeight, rtol=1e-13)
    np.testing.assert_allclose(bias.gradWeight, linear.gradBias, rtol=1e-13)


def test_they_are_parameters_of_the_graph():
    g, weight, bias = net()
    assert {weight, bias} <= set(g.modules)
    params, gradParams = g.getParameters()
    assert params.size == gradParams.size == 12
    passed(g)
    before = params.copy()
    g.updateParameters(0.5)
    np.testing.assert_allclose(params, before - 0.5 * gradParams, rtol=1e-14)
    assert np.shares_memory(weight.weight, params)
    assert np.shares_memory(bias.weight, params)


@pytest.mark.parametrize("has_run", [False, True])
@pytest.mark.parametrize(
    "way",
    [
        lambda g: g.clone(),
        copy.deepcopy,
        lambda g: pickle.loads(pickle.dumps(g)),
        again,
        lambda g: again(g, "ascii"),
        lambda g: g.clearState(),
        lambda g: clone_many_times(g, 2)[1],
        lambda g: again(again(g).clearState()),
    ],
)
def test_copies_give_the_same(way, has_run):
    torch7.manualSeed(1)
    g = net()[0]
    torch7.manualSeed(1)
    want = passed(net()[0])
    if has_run:
        passed(g)
    got = way(g)
    assert structure(got) == structure(g)
    assert_same(passed(got), want)


def test_single_precision():
    g = net()[0]
    want = passed(g)
    got = passed(g.float(), np.float32)
    assert got[0].dtype == np.float32
    assert_same([a.astype(np.float64) for a in got[:2]], list(want[:2]), rtol=1e-4, atol=1e-5)


def test_beside_several_inputs():
    x, y, p = nn.Identity()(), nn.Identity()(), Parameters(4, 3)()
    g = gModule([x, y], [nn.CAddTable()([x, p]), nn.CMulTable()([y, p])])
    weight = p.data.module.weight
    assert_same(g.forward([X, G]), [X + weight, G * weight])
    gradInput = g.backward([X, G], [G, X])
    assert_same(gradInput, [G, X * weight])
    np.testing.assert_allclose(p.data.module.gradWeight, G + X * G, rtol=1e-14)


def test_it_is_told_by_its_class_alone():
    class Source(nn.Module):
        """As good a source, but not the class that may be one."""

    x = nn.Identity()()
    with pytest.raises(ValueError, match=r"Expected nnop\.Parameters node, found : Source"):
        gModule([x], [nn.CAddTable()([x, Source()()])])


def test_it_has_no_list_of_inputs():
    g, weight, _ = net()
    passed(g)
    node = next(node for node in g.forwardnodes if node.data.module is weight)
    assert "input" not in node.data
    assert "input" not in node.label()
    weight.updateOutput = lambda x: 1 / 0
    with pytest.raises(ZeroDivisionError) as error:
        g.forward(X)
    assert error.value.__notes__[0].endswith(", with input none")


class TestVerbose:
    def lines(self, capsys: Any) -> list[str]:
        return capsys.readouterr().out.split(" V : ")[1:]

    def test_every_node_as_soon_as_it_ran(self, capsys):
        g = net()[0]
        g.verbose = True
        g.forward(X)
        want = [node.label() + "\n" for node in g.forwardnodes]
        assert self.lines(capsys) == want
        g.updateGradInput(X, G)
        seen = self.lines(capsys)
        assert len(seen) == len(g.backwardnodes)
        for text, node in zip(seen, g.backwardnodes):  # of the same nodes, the output first
            assert text.split("\\l")[-1] == node.label().split("\\l")[-1] + "\n"
        assert "gradOutput = {Tensor[4x3]}" in seen[0]
        g.accGradParameters(X, G)
        assert self.lines(capsys) == [node.label() + "\n" for node in g.backwardnodes]
