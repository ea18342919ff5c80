"""What is changed in the step of an unrolled network after it has run, and what runs leave in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import Unroll, gModule, watch_nonfinite
from tests.support.nested import assert_same, copied
from tests.support.unrolling import CASES, Counting, elman, looped, made, ran, random_like

pytestmark = pytest.mark.usefixtures("engine")
TOLERANCE = {"rtol": 1e-12, "atol": 1e-13}


def input_of(name: str = "elman", T: int = 4, B: int = 3) -> list[Any]:
    return CASES[name].input(np.random.default_rng(0), T, B)


def has_run(name: str = "elman") -> tuple[Any, list[Any]]:
    """An unrolled network whose clones exist, and an input."""
    net, x = Unroll(made(name), CASES[name].states), input_of(name)
    ran(net, x)
    return net, x


class TestParameters:
    @pytest.mark.parametrize("after", [False, True])
    def test_get_parameters(self, after):
        net, x = Unroll(made("lstm")), input_of("lstm")
        want = ran(net, x)
        if not after:
            net = Unroll(made("lstm"))
        params, gradParams = net.getParameters()
        assert_same(ran(net, x), want)
        assert_same(gradParams, np.concatenate([g.ravel() for g in want.gradients]))
        params *= 0.5
        assert_same(ran(net, x), looped(net.step.clone(), x), **TOLERANCE)

    def test_get_parameters_between_forward_and_backward(self):
        net, x = has_run()
        want = ran(net, x)
        torch7.manualSeed(3)
        g = random_like(net.forward(x), 3)
        _, gradParams = net.getParameters()
        gradParams.fill(0)
        net.updateGradInput(x, g)
        _, gradParams = net.getParameters()
        net.accGradParameters(x, g)
        assert_same(gradParams, np.concatenate([g.ravel() for g in want.gradients]))

    def test_shared_with_another_network(self):
        net, x = has_run()
        other = Unroll(elman())
        net.share(other, "weight", "bias", "gradWeight", "gradBias")
        want = looped(other.step, x)
        assert_same(ran(net, x), want, **TOLERANCE)
        assert_same(other.parameters()[1], want.gradients, **TOLERANCE)

    def test_new_arrays_in_fields(self):
        net, x = has_run()
        (linear, _), _ = net.findModules("nn.Linear")
        linear.weight, linear.gradWeight = linear.weight * 2, np.zeros_like(linear.weight)
        assert_same(ran(net, x), looped(net.step, x), **TOLERANCE)

    def test_steps_along_the_gradient(self):
        net, x = has_run()
        want = [w - 0.1 * g for w, g in zip(*copied(net.parameters()))]
        net.backwardUpdate(x, random_like(net.output, 3), 0.1)
        assert_same(net.parameters()[0], want, **TOLERANCE)
        assert_same(ran(net, x), looped(net.step, x), **TOLERANCE)

    def test_update_parameters_and_reset(self):
        net, x = has_run()
        net.updateParameters(0.1)
        assert_same(ran(net, x), looped(net.step, x), **TOLERANCE)
        net.reset()
        assert_same(ran(net, x), looped(net.step, x), **TOLERANCE)


class TestOptions:
    @pytest.mark.parametrize("of_step", [False, True])
    def test_modes(self, of_step):
        net, x = has_run("lstm with dropout")
        target = net.step if of_step else net
        for mode in (target.evaluate, target.training, target.evaluate):
            mode()
            assert_same(ran(net, x), looped(net.step, x), **TOLERANCE)
        assert not np.array_equal(ran(net, x).output[-1], has_run("lstm with dropout")[0].output[-1])

    def test_probability_of_dropout(self):
        net, x = has_run("lstm with dropout")
        before = copied(net.output)
        for dropout in net.findModules("nn.Dropout")[0]:
            dropout.setp(0.1)
        assert_same(ran(net, x), looped(net.step, x), **TOLERANCE)
        assert not np.array_equal(net.output[-1], before[-1])

    @pytest.mark.parametrize("of_step", [False, True])
    def test_types(self, of_step):
        net, x = has_run()
        want = copied(net.output)
        (net.step if of_step else net).float()
        h, _ = net.forward([a.astype(np.float32) for a in x])
        assert h.dtype == np.float32
        np.testing.assert_allclose(h, want[0], 1e-5)
        (net.step if of_step else net).double()
        assert net.forward(x)[0].dtype == np.float64

    def test_constants(self):
        """Arrays that are no parameters, in new memory or in the old."""
        x, h = nn.Identity()(), nn.Identity()()
        new = nn.CAddTable()([x, h])
        view = nn.View(3, 2)
        net = Unroll(gModule([x, h], [new, view(new)]))
        input = [np.ones((2, 2, 3)), np.ones((2, 3))]
        assert net.forward(input)[1].shape == (2, 3, 2)
        view.resetSize(6)
        assert net.forward(input)[1].shape == (2, 6)
        if isinstance(view.size, np.ndarray):
            view.size[0] = -1
            assert net.forward(input)[1].shape == (2, 6)

    def test_states_and_reverse(self):
        net, x = has_run()
        net.reverse = True
        assert_same(ran(net, x), looped(net.step, x, reverse=True), **TOLERANCE)
        net.states = {1: 1}  # the input of before is the state now
        x = [np.ones((3, 3)), np.ones((4, 3, 4))]
        with pytest.raises(ValueError, match=r"Unroll: expected output 1 of the step .* input 1, float64\[3, 3\]"):
            net.forward(x)


class TestModules:
    def test_replaced(self):
        net, x = has_run()

        def relu(module: Any) -> Any:
            return nn.ReLU() if torch7.typename(module) == "nn.Tanh" else module

        net.replace(relu)
        assert not net.findModules("nn.Tanh")[0]
        assert_same(ran(net, x), looped(net.step, x), **TOLERANCE)
        assert (net.output[1] == 0).any()

    def test_replaced_in_a_node(self):
        net, x = has_run()
        (node,) = [n for n in net.step.forwardnodes if isinstance(n.data.module, nn.Tanh)]
        node.data.module = nn.ReLU()
        assert (net.forward(x)[1] == 0).any()

    def test_another_step(self):
        net, _ = has_run()
        net.modules[0] = made("gru")
        net.states = {2: 1, 3: 2}
        x = input_of("gru")
        assert_same(ran(net, x), looped(made("gru"), x), **TOLERANCE)
        net.modules[0] = nn.Linear(2, 2)
        with pytest.raises(
            TypeError, match=r"Unroll: expected an nn\.gModule that computes one time step, got a nn\.L"
        ):
            net.forward(x)

    def test_replaced_method(self):
        net, x = has_run()
        (tanh,), _ = net.findModules("nn.Tanh")
        seen = []

        def updateOutput(input: Any) -> Any:
            seen.append(input.shape)
            return type(tanh).updateOutput(tanh, input)

        tanh.updateOutput = updateOutput
        net.forward(x)
        assert seen == [(3, 4)] * 4

    def test_a_module_in_a_field_of_another(self):
        class Wrapped(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = nn.Dropout(0.5)

            def updateOutput(self, input: Any) -> Any:
                self.output = self.inner.updateOutput(input)
                return self.output

        x, h = nn.Identity()(), nn.Identity()()
        wrapped = Wrapped()
        net = Unroll(gModule([x, h], [nn.CAddTable()([wrapped(x), h])]))
        input = [np.ones((2, 3, 4)), np.zeros((3, 4))]
        assert net.forward(input).max() > 2
        wrapped.inner.evaluate()
        assert_same(net.forward(input), np.full((3, 4), 2.0))


class TestLearned:
    """What modules learn in forward, they learn as one network that runs T times."""

    @pytest.mark.parametrize("segment", [None, 2])
    def test_running_statistics(self, segment):
        net, one = Unroll(made("batch normalization"), segment=segment), made("batch normalization")
        x, h = input_of("batch normalization", T=5)
        for _ in range(2):
            ran(net, [x, h])
            state = h
            for x_ in x:
                state = one.forward([x_, copied(state)])[0]
        (mine,), _ = net.findModules("nn.BatchNormalization")
        (other,), _ = one.findModules("nn.BatchNormalization")
        assert_same([mine.running_mean, mine.running_var], [other.running_mean, other.running_var], **TOLERANCE)
        net.evaluate()
        one.evaluate()
        assert_same(net.forward([x[:1], h])[0], one.forward([x[0], h])[0], **TOLERANCE)

    def test_shared_statistics(self):
        """They stay those of the modules that share them, in the same memory."""
        net, x = has_run("batch normalization")
        (mine,), _ = net.findModules("nn.BatchNormalization")
        mean, before = mine.running_mean, mine.running_mean.copy()
        net.forward(x)
        assert mine.running_mean is mean
        assert not np.array_equal(mean, before)

    def test_reset_statistics_are_seen(self):
        net, x = has_run("batch normalization")
        net.evaluate()
        (mine,), _ = net.findModules("nn.BatchNormalization")
        mine.running_mean += 1
        assert_same(ran(net, x), looped(net.step, x), **TOLERANCE)

    def test_a_class_of_ones_own(self):
        x, h = nn.Identity()(), nn.Identity()()
        counting = Counting()
        net = Unroll(gModule([x, h], [counting(nn.CAddTable()([x, h]))]), segment=2)
        input = [np.ones((5, 2, 3)), np.ones((2, 3))]
        net.forward(input)
        assert counting.count == 5
        net.backward(input, np.ones((2, 3)))
        assert counting.count == 5


class TestSeen:
    """Modules run one by one where that is to be seen."""

    def test_verbose(self, capsys):
        net, x = has_run()
        net.step.verbose = True
        net.forward(x)
        assert capsys.readouterr().out.count(" V : ") == 4 * len(net.step.forwardnodes)

    def test_the_first_nonfinite(self):
        x, h = nn.Identity()(), nn.Identity()()
        net = Unroll(gModule([x, h], [nn.Log()(nn.CAddTable()([x, h]))]))
        watch_nonfinite()
        try:
            with pytest.raises(FloatingPointError, match=r"nn\.Log: updateOutput gave") as caught:
                net.forward([np.array([[1.0], [0.0]]), np.zeros(1)])
        finally:
            watch_nonfinite(False)
        assert any("In time step 2" in note for note in caught.value.__notes__)

    def test_an_error_tells_step_and_module(self):
        net, (x, h) = has_run()
        with pytest.raises(ValueError, match=r"nn\.Linear: expected 3 input columns") as caught:
            net.forward([x[..., :2], h])
        notes = "\n".join(caught.value.__notes__)
        for told in ("In node 5 (nn.Linear(3 -> 4)", "In time step 1", "In module 1 of Unroll: nn.gModule"):
            assert told in notes
        with pytest.raises(ValueError, match="Unroll: backward needs a forward first"):
            net.backward([x, h], [h, x])
