"""gModule as a container: types, modes, replacing, clones that share parameters, states cleared."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import clone_many_times, combine_all_parameters, gModule
from tests.support.char_rnn import lstm
from tests.support.graphs import GRAPHS, adder, mlp, nested, ran, two
from tests.support.nested import assert_same, copied, leaves, mapped

X = np.random.default_rng(2).normal(size=(2, 4))
ALL = pytest.mark.parametrize(("make", "x"), GRAPHS.values(), ids=GRAPHS)


def single(x: Any) -> Any:
    return mapped(np.float32, x)


class TestType:
    @ALL
    def test_float(self, make, x):
        g = make()
        want = ran(g, x)
        assert g.float() is g
        assert g.type() == "torch.FloatTensor"
        assert {a.dtype for a in leaves([*g.parameters()])} == {np.dtype(np.float32)} or not g.parameters()[0]
        got = ran(g, single(x))
        assert_same(got, single(want), rtol=1e-4, atol=1e-5)
        assert_same(ran(g.double(), x).params, mapped(np.float64, got.params))

    def test_what_the_nodes_hold_is_converted(self):
        g = two()
        x = [np.ones(3), np.zeros(3)]
        output = g.forward(x)
        g.backward(x, [np.ones(3), np.ones(3)])
        g.float()
        held = [node.data.get(name) for node in g.forwardnodes for name in ("input", "gradOutput", "gradOutputBuffer")]
        assert {a.dtype for a in leaves(held)} == {np.dtype(np.float32)}
        assert g.output is output
        assert all(a.dtype == np.float32 for a in output)
        assert x[0].dtype == np.float64

    def test_asking_and_wrong_types(self):
        g = mlp()
        assert g.type() == "torch.DoubleTensor"
        with pytest.raises(ValueError, match=r"torch\.QuadTensor"):
            g.type("torch.QuadTensor")

    def test_inputs_of_another_type_are_refused(self):
        with pytest.raises(TypeError, match=r"expected a torch.DoubleTensor, got a torch.FloatTensor"):
            mlp().forward(single(X))

    def test_parameters_stay_shared(self):
        x = nn.Identity()()
        first = nn.Linear(3, 3)
        g = gModule([x], [first.clone("weight", "bias")(first(x))])
        g.float()
        assert np.shares_memory(g.modules[1].weight, g.modules[2].weight)


class TestClones:
    @ALL
    def test_a_clone_shares_nothing_but_the_plan(self, make, x):
        g = make()
        g.evaluate()
        want = ran(g, x)
        kept = copied([node.data.get("input") for node in getattr(g, "forwardnodes", [])])
        clone = g.clone()
        assert_same(ran(clone, mapped(lambda a: a.copy(), x)), want)
        clone.getParameters()[0].fill(0)
        ran(clone, x)
        assert_same([node.data.get("input") for node in getattr(g, "forwardnodes", [])], kept)
        assert_same(ran(g, x), want)

    @pytest.mark.parametrize("has_run", [False, True])
    @pytest.mark.parametrize("how", [lambda g: g.clone(), copy.deepcopy, lambda g: clone_many_times(g, 1)[0]])
    def test_the_plan_is_shared_and_the_lists_are_not(self, has_run, how):
        g = two()
        x = [np.ones(3), np.ones(3)]
        if has_run:
            ran(g, x)
        clone = how(g)
        assert clone.schedule() is g.schedule()
        ran(clone, x)
        ran(g, x)
        assert clone.bound() is not g.bound()
        for mine, theirs in zip(clone.forwardnodes, g.forwardnodes, strict=True):
            assert mine.data is not theirs.data
            assert mine.data.input is not theirs.data.input
            assert mine.data.gradOutput is not theirs.data.gradOutput
        assert clone.output is clone.outnode.data.input

    def test_clones_can_share_parameters(self):
        g = nested()
        names = ("weight", "bias", "gradWeight", "gradBias")
        clone = g.clone(*names)
        for mine, theirs in zip(
            [*clone.parameters()[0], *clone.parameters()[1]], [*g.parameters()[0], *g.parameters()[1]]
        ):
            assert np.shares_memory(mine, theirs)
            assert mine is not theirs
        g.parameters()[0][0].fill(0.5)
        assert_same(clone.forward(X), g.forward(X))
        assert not np.shares_memory(clone.output, g.output)

    def test_share(self):
        g, other = nested(), nested()
        assert g.share(other, "weight", "bias") is g
        assert_same(g.forward(X), other.forward(X))
        assert not np.shares_memory(g.parameters()[1][0], other.parameters()[1][0])

    def test_share_with_another_structure(self):
        with pytest.raises(ValueError, match=r"nn\.gModule: cannot share between 4 modules and 5"):
            mlp().share(adder_of_three(), "weight")

    def test_clone_many_times(self):
        net = lstm(5, 4, 2)
        params, gradParams = combine_all_parameters(net)
        clones = clone_many_times(net, 3, True)
        x = [np.array([1, 5]), *(np.ones((2, 4)) for _ in range(4))]
        for clone in clones:
            assert all(np.shares_memory(w, params) for w in clone.parameters()[0])
            assert all(np.shares_memory(w, gradParams) for w in clone.parameters()[1])
            assert not any(a is b for a, b in zip(clone.parameters()[0], net.parameters()[0]))
            assert clone.schedule() is net.schedule()
        params.fill(0.1)
        gradParams.fill(0)
        outputs = [clone.forward(x) for clone in clones]
        assert_same(outputs[0], outputs[1])
        assert not any(np.shares_memory(a, b) for a, b in zip(outputs[0], outputs[1]))
        clones[0].backward(x, copied(outputs[0]))
        once = gradParams.copy()
        clones[1].backward(x, copied(outputs[1]))
        np.testing.assert_allclose(gradParams, 2 * once, rtol=1e-14)

    def test_get_parameters_of_a_clone_lets_go(self):
        net = mlp()
        params, _ = combine_all_parameters(net)
        clone = clone_many_times(net, 1)[0]
        own, _ = clone.getParameters()
        assert_same(own, params)
        assert not np.shares_memory(own, params)

    def test_shared_modules_are_one_parameter_in_the_vector(self):
        x = nn.Identity()()
        linear = nn.Linear(3, 3)
        g = gModule([x], [linear(nn.Tanh()(linear(x)))])
        assert len(g.parameters()[0]) == 4
        params, gradParams = g.getParameters()
        assert params.size == gradParams.size == 12
        clone = clone_many_times(g, 1)[0]
        assert clone.modules[1] is clone.modules[3]
        params.fill(0)
        assert clone.forward(np.ones(3)).tolist() == [0, 0, 0]

    def test_combine_all_parameters_of_several_networks(self):
        nets = [mlp(), adder()]
        weights = [copied(net.parameters()[0]) for net in nets]
        params, gradParams = combine_all_parameters(*nets)
        np.testing.assert_array_equal(params, np.concatenate([w.ravel() for ws in weights for w in ws]))
        params *= 2
        for net, ws in zip(nets, weights):
            assert_same(net.parameters()[0], [2 * w for w in ws])
        gradParams.fill(7)
        assert {float(g.min()) for net in nets for g in net.parameters()[1]} == {7.0}

    def test_criterions_are_cloned_too(self):
        criterion = nn.ClassNLLCriterion(np.array([1.0, 2, 3]))
        clones = clone_many_times(criterion, 2)
        assert len({id(c) for c in clones}) == 2
        x, target = np.log(np.full((2, 3), 1 / 3)), np.array([1, 3])
        assert {c.forward(x, target) for c in clones} == {criterion.forward(x, target)}
        assert not np.shares_memory(clones[0].weights, criterion.weights)


def adder_of_three() -> Any:
    a, b = nn.Identity()(), nn.Identity()()
    return gModule([a, b], [nn.Linear(3, 2)(nn.Tanh()(nn.CAddTable()([a, b])))])


class TestReplaceAndMap:
    def test_replace_reaches_all(self):
        g = nested()
        g.replace(lambda m: nn.ReLU() if type(m) is nn.Tanh else m)
        assert g.findModules("nn.Tanh")[0] == []
        assert len(g.findModules("nn.ReLU")[0]) == 2
        inner = g.get(1)
        assert [node.data.module for node in inner.forwardnodes if node.data.module is not None] == inner.modules

    def test_a_module_of_two_nodes_stays_one(self):
        x = nn.Identity()()
        linear = nn.Linear(3, 3)
        g = gModule([x], [linear(nn.Tanh()(linear(x)))])
        g.replace(lambda m: m.clone() if type(m) is nn.Linear else m)
        assert g.modules[1] is g.modules[3]
        assert g.modules[1] is not linear
        assert [n.data.module for n in g.forwardnodes if n.data.module is not None] == g.modules

    def test_replacing_the_graph_itself(self):
        g = mlp()
        assert type(g.replace(lambda m: nn.Sequential().add(m) if m is g else m)) is nn.Sequential

    def test_map(self):
        g, other, met = mlp(), mlp(), []
        g.map(other, lambda mine, theirs: met.append((mine, theirs)))
        assert met == list(zip(g.modules, other.modules))
        with pytest.raises(ValueError, match=r"nn\.gModule: trying to map another gModule with a different structure"):
            g.map(two(), lambda mine, theirs: None)
        with pytest.raises(ValueError, match="different structure"):
            adder_of_three().map(g, lambda mine, theirs: None)

    def test_apply_goes_into_everything(self):
        net, met = nested(), []
        net.apply(met.append)
        assert met == net.listModules()
        assert len(met) == 1 + 1 + 1 + 2 * (1 + 4) + 1


class TestStates:
    @ALL
    def test_clear_state_then_run(self, make, x):
        g = make()
        want = ran(g, x)
        g.clearState()
        for node in getattr(g, "forwardnodes", []):
            assert {"input", "gradOutput", "gradOutputBuffer"}.isdisjoint(node.data)
        assert_same(ran(g, x), want)

    def test_clear_state_makes_files_small(self):
        g = mlp()
        fresh = len(torch7.serialize(g))
        g.forward(np.ones((500, 4)))
        g.backward(np.ones((500, 4)), np.ones((500, 2)))
        assert len(torch7.serialize(g)) > 8 * 500 * 10
        assert len(torch7.serialize(g.clearState())) < fresh + 500

    def test_backward_without_forward_after_clear_state(self):
        g = mlp()
        g.forward(X)
        g.clearState()
        with pytest.raises((TypeError, ValueError, AttributeError)):
            g.backward(X, np.ones((2, 2)))

    def test_training_and_evaluate(self):
        net = GRAPHS["lstm"][0]()
        net.training()
        assert all(m.train for m in net.listModules())
        torch7.manualSeed(1)
        x = GRAPHS["lstm"][1]
        a, b = copied(net.forward(x)), copied(net.forward(x))
        assert not np.allclose(a[-1], b[-1])
        net.evaluate()
        assert_same(copied(net.forward(x)), net.forward(x))

    def test_reset(self):
        g = mlp()
        torch7.manualSeed(5)
        g.reset()
        first = copied(g.parameters()[0])
        g.reset()
        assert not np.allclose(first[0], g.parameters()[0][0])
        torch7.manualSeed(5)
        g.reset()
        assert_same(g.parameters()[0], first)

    def test_a_module_can_be_added_that_no_node_has(self):
        g, extra = mlp(), nn.Linear(1, 1)
        assert g.add(extra) is g
        assert g.parameters()[0][-1] is extra.bias
        g.replace(lambda m: m)
        assert g.get(g.size()) is extra
