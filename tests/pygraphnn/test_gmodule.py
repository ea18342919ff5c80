"""gModule: how it is built and run, beyond the recorded cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from pygraphnn import clone_many_times, gModule
from tests.support.char_rnn import lstm
from tests.support.graphs import mlp, nested, two
from tests.support.nested import assert_same, copied


def node_of(g: Any, kind: type) -> Any:
    """The node whose module is of this class."""
    return next(node for node in g.forwardnodes if type(node.data.module) is kind)


X = np.arange(8.0).reshape(2, 4)


class TestLists:
    def test_results_are_the_same_arrays_from_call_to_call(self):
        g = two()
        x, y = [np.ones(3), np.ones(3)], [np.zeros(3), np.ones(3)]
        output, gradInput = g.forward(x), g.backward(x, x)
        arrays = [*output, *gradInput]
        assert g.forward(y) is output
        again = g.backward(y, y)
        assert g.output is output
        assert g.gradInput is again
        assert all(a is b for a, b in zip([*output, *again], arrays, strict=True))

    def test_a_list_of_gradients_is_a_new_one_in_every_call(self):
        a, b = nn.Identity()(), nn.Identity()()
        g = gModule([a, b], [a, b])
        first, second = [np.zeros(1), np.zeros(2)], [np.ones(1), np.ones(2)]
        g.forward(first)
        kept = g.backward(first, first)
        assert g.backward(first, second) is not kept
        assert kept[0] is first[0]
        assert kept[1] is first[1]

    def test_a_graph_in_two_nodes_gives_each_its_gradients(self):
        a, b = nn.Identity()(), nn.Identity()()
        inner, x = gModule([a, b], [a, b]), nn.Identity()()
        g = gModule([x], [inner(x), inner(x)])
        x, ones, twos = [np.zeros(2), np.zeros(2)], [np.ones(2), np.ones(2)], [np.full(2, 2.0), np.full(2, 2.0)]
        g.forward(x)
        assert_same(g.backward(x, [ones, twos]), [np.full(2, 3.0), np.full(2, 3.0)])

    def test_a_single_output_is_the_buffer_of_the_last_module(self):
        g = mlp()
        assert g.forward(X) is g.modules[-1].output
        assert g.backward(X, np.ones((2, 2))) is g.modules[0].gradInput

    def test_the_given_list_is_not_kept(self):
        g, x = two(), [np.ones(3), np.ones(3)]
        output = copied(g.forward(x))
        x.clear()
        assert_same(g.output, output)
        assert all(node.data.input is not x for node in g.forwardnodes)

    def test_nodes_hold_the_values_of_the_run(self):
        g = two()
        a, b = np.ones(3), np.arange(3.0)
        g1, g2 = np.ones(3), np.full(3, 2.0)
        output = g.forward([a, b])
        g.backward([a, b], [g1, g2])
        sums, tanh = node_of(g, nn.CAddTable), node_of(g, nn.Tanh)
        assert sums.data.input[0] is a
        assert sums.data.input[1] is b
        assert tanh.data.input[0] is sums.data.module.output
        assert g.outnode.data.input is output
        assert tanh.data.gradOutput[0] is g1
        assert [x is m.gradInput for x, m in zip(sums.data.gradOutput, [tanh.data.module, g.modules[-1]])] == [True] * 2
        np.testing.assert_array_equal(sums.data.gradOutputBuffer, sum(sums.data.gradOutput))
        assert g.innode.data.gradOutput[0] is g.gradInput

    def test_state_is_handed_on_without_a_copy(self):
        net, T = lstm(5, 4, 1), 3
        steps = clone_many_times(net, T)
        x = np.array([1, 2])
        state = [np.zeros((2, 4)), np.zeros((2, 4))]

        def through_time(state: list[Any]) -> list[Any]:
            states = [state]
            for step in steps:
                states.append(step.forward([x, *states[-1]])[:2])
            return states

        first = through_time(state)
        last = first[-1]
        kept = copied(last)
        second = through_time(last)
        assert all(a is b for a, b in zip(second[-1], last, strict=True))  # written again...
        used = [part for node in steps[0].forwardnodes for part in node.data.input]
        assert any(part is last[0] for part in used)  # ... and still what the first step's backward reads
        assert not np.allclose(last[0], kept[0])


class TestTables:
    def test_a_node_with_one_input_passes_the_bare_value(self):
        x = nn.Identity()()
        g = gModule([x], [nn.CAddTable()(x)])
        np.testing.assert_array_equal(g.forward([np.ones(2), np.ones(2)]), [2, 2])

    def test_nested_tables_through_a_graph(self):
        x = nn.Identity()()
        first, rest = x.split(2)
        g = gModule([x], [nn.CAddTable()([first, nn.SelectTable(2)(rest), nn.SelectTable(1)(rest)])])
        a, b, c = np.ones(2), np.full(2, 10.0), np.full(2, 100.0)
        np.testing.assert_array_equal(g.forward([a, [b, c]]), [111, 111])
        gradInput = g.backward([a, [b, c]], np.ones(2))
        assert_same(gradInput, [np.ones(2), [np.ones(2), np.ones(2)]])

    def test_a_tuple_is_a_table(self):
        g, x = two(), (np.ones(3), np.zeros(3))
        assert_same(g.forward(x), two().forward(list(x)))
        assert len(g.backward(x, (np.ones(3), np.ones(3)))) == 2

    def test_gradients_of_other_shape_but_as_many_elements_add_up(self):
        class Flat(nn.Module):
            def updateOutput(self, input: Any) -> Any:
                self.output = input.reshape(-1)
                return self.output

            def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
                self.gradInput = gradOutput  # Torch does not ask for the input's shape
                return self.gradInput

        x = nn.Identity()()
        g = gModule([x], [nn.Identity()(x), Flat()(x)])
        g.forward(np.ones((1, 3)))
        gradInput = g.backward(np.ones((1, 3)), [np.ones((1, 3)), np.array([1.0, 2, 3])])
        np.testing.assert_array_equal(gradInput, [[2, 3, 4]])

    def test_gradients_that_do_not_fit_are_refused(self):
        x = nn.Identity()()
        g = gModule([x], [nn.Identity()(x), nn.Identity()(x)])
        g.forward(np.ones((2, 3)))
        for other in (np.ones((1, 3)), [np.ones((2, 3))]):
            with pytest.raises(ValueError, match=r"addNestedTo: \[?float64.* does not fit float64\[2, 3\]"):
                g.backward(np.ones((2, 3)), [np.ones((2, 3)), other])

    def test_the_sum_follows_the_input_from_tensor_to_table_and_back(self):
        x = nn.Identity()()
        g = gModule([x], [nn.Identity()(x), nn.Identity()(x)])
        for value in (np.ones(3), np.ones((2, 2)), [np.ones(2), [np.ones(1)]], [np.ones(2)], np.ones(3, np.float32)):
            g.forward(value)
            want = pygraphnn.nesting.cloneNested(value)
            pygraphnn.nesting.addNestedTo(want, value)
            assert_same(g.backward(value, [value, value]), want)

    def test_zero_gradients_are_passed_by_also_for_parameters(self):
        x = nn.Identity()()
        h = nn.Linear(2, 3)(x)
        g = gModule([x], [nn.Identity()(h), nn.Identity()(h)])
        g.zeroGradParameters()
        g.forward(np.ones(2))
        g.backward(np.ones(2), [np.broadcast_to(np.zeros(1), 3), np.array([1.0, 2, 3])])
        np.testing.assert_array_equal(g.get(2).gradBias, [1, 2, 3])


class TestConstruction:
    def test_what_failed_leaves_the_nodes_usable(self):
        x, y = nn.Identity()(), nn.Identity()()
        part, other = x.split(2)
        out = nn.Sigmoid()(part)
        sums = nn.CAddTable()([out, y])
        nodes = (x, y, part, other, out, sums)

        def state() -> Any:
            return [(list(n.children), list(n.data.mapindex.items()), list(n.data.reverseMap)) for n in nodes]

        before = state()
        wrong = [
            ([x, y], [sums, sums]),
            ([x], [sums]),
            ([x, y], [sums]),
            ([out, y], [sums]),
            ([], [sums]),
            ([y], [out]),
        ]
        for inputs, outputs in wrong:
            with pytest.raises(ValueError, match=r"nn.gModule|Don't pass the same input twice"):
                gModule(inputs, outputs)
            assert state() == before
        g = gModule([x, y], [sums, nn.Tanh()(other)])
        output = g.forward([[np.zeros(2), np.zeros(2)], np.ones(2)])
        assert_same(output, [np.full(2, 1.5), np.zeros(2)])

    def test_nodes_of_a_graph_cannot_be_the_inputs_of_another(self):
        x = nn.Identity()()
        g = gModule([x], [nn.Tanh()(x)])
        with pytest.raises(ValueError, match=r"in the gModule made at .* a node can be in one graph only"):
            gModule([x], [nn.Sigmoid()(x)])
        assert g.forward(np.zeros(2)).tolist() == [0, 0]
        assert g.clone().forward(np.zeros(2)).tolist() == [0, 0]

    def test_lists_are_asked_for(self):
        x = nn.Identity()()
        with pytest.raises(TypeError, match=r"inputs should be a list of nodes, got nngraph\.Node"):
            gModule(x, [x])
        with pytest.raises(TypeError, match="outputs should be a list of nodes, got table"):
            gModule([x], {1: x})

    def test_no_output(self):
        with pytest.raises(ValueError, match="expected at least one output, got none"):
            gModule([nn.Identity()()], [])

    def test_parameter_nodes_need_no_input(self):
        @torch7.register("nnop.Parameters")
        class Parameters(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.weight, self.gradWeight = np.array([1.0, 2, 3]), np.zeros(3)

            def updateOutput(self, input: Any) -> Any:
                assert input == []
                self.output = self.weight
                return self.output

            def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
                self.gradWeight += scale * gradOutput

        x = nn.Identity()()
        p = Parameters()()
        g = gModule([x], [nn.CMulTable()([x, p])])
        value = np.array([2.0, 2, 2])
        np.testing.assert_array_equal(g.forward(value), [2, 4, 6])
        np.testing.assert_array_equal(g.backward(value, np.ones(3), 0.5), [1, 2, 3])
        np.testing.assert_array_equal(p.data.module.gradWeight, [1, 1, 1])

    def test_an_input_given_twice_reads_both_values(self):
        x = nn.CAddTable()()
        g = gModule([x, x], [nn.Identity()(x)])
        np.testing.assert_array_equal(g.forward([np.ones(2), np.full(2, 5.0)]), [6, 6])


class TestRunning:
    def test_run_forward_function_with_a_name(self):
        class Doubling(nn.Module):
            def updateOutput(self, input: Any) -> Any:
                return 2 * input

            def halve(self, input: Any) -> Any:
                return input / 2

        x = Doubling()()
        g = gModule([x], [Doubling()(x)])
        assert g.forward(np.ones(1)) == 4
        assert g.runForwardFunction("halve", np.ones(1)) == 0.25
        assert g.output == 0.25

    def test_run_forward_function_with_a_callable(self):
        g, seen = mlp(), []

        def note(module: Any, input: Any) -> Any:
            seen.append(module)
            return module.updateOutput(input)

        want = g.forward(X).copy()
        np.testing.assert_array_equal(g.runForwardFunction(note, X), want)
        assert seen == g.modules

    def test_verbose_tells_every_node(self, capsys):
        g = mlp()
        g.forward(X)
        assert capsys.readouterr().out == ""
        g.verbose = True
        n = len(g.forwardnodes)
        g.forward(X)
        lines = capsys.readouterr().out.splitlines()
        assert lines == [f" V : {node.label()}" for node in g.forwardnodes]
        g.updateGradInput(X, np.ones((2, 2)))
        backwards = capsys.readouterr().out.splitlines()
        assert len(backwards) == n
        g.accGradParameters(X, np.ones((2, 2)))
        assert len(capsys.readouterr().out.splitlines()) == n
        assert "gradOutput = {Tensor[2x2]}" in backwards[0]

    def test_verbose_tells_selections_too(self, capsys):
        g = two()
        x = [np.ones(3), np.ones(3)]
        g.verbose = True
        for run in (lambda: g.forward(x), lambda: g.updateGradInput(x, x), lambda: g.accGradParameters(x, x)):
            run()
            assert len(capsys.readouterr().out.splitlines()) == len(g.forwardnodes)

    def test_scale_of_the_gradients(self):
        g = mlp()
        g.zeroGradParameters()
        g.forward(X)
        g.backward(X, np.ones((2, 2)))
        once = copied(g.parameters()[1])
        g.accGradParameters(X, np.ones((2, 2)), 0.5)
        for a, b in zip(g.parameters()[1], once, strict=True):
            np.testing.assert_allclose(a, 1.5 * b, rtol=1e-14)

    def test_backward_update(self):
        g = mlp()
        other = g.clone()
        g.forward(X)
        assert g.backwardUpdate(X, np.ones((2, 2)), 0.1) is g.gradInput
        other.zeroGradParameters()
        other.forward(X)
        other.backward(X, np.ones((2, 2)))
        other.updateParameters(0.1)
        for a, b in zip(g.parameters()[0], other.parameters()[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14)

    def test_a_module_replaced_on_a_node_is_honoured(self):
        g = mlp()
        g.forward(X)
        tanh = node_of(g, nn.Tanh)
        tanh.data.module = nn.Sigmoid()
        hidden = g.get(2).output
        np.testing.assert_allclose(g.forward(X), g.modules[-1].forward(1 / (1 + np.exp(-hidden))), rtol=1e-14)
        g.backward(X, np.ones((2, 2)))
        assert tanh.data.module.gradInput.shape == (2, 3)

    def test_methods_replaced_on_instances_are_honoured(self):
        g, calls = mlp(), []
        g.forward(X)
        linear = g.get(2)
        forward, backward, accumulate = linear.updateOutput, linear.updateGradInput, linear.accGradParameters
        linear.updateOutput = lambda x: calls.append("output") or forward(x)
        linear.updateGradInput = lambda x, g: calls.append("gradient") or backward(x, g)
        linear.accGradParameters = lambda x, g, scale=1: calls.append("accumulate") or accumulate(x, g, scale)
        g.forward(X)
        g.backward(X, np.ones((2, 2)))
        assert calls == ["output", "gradient", "accumulate"]

    def test_methods_replaced_on_the_class_are_honoured(self, monkeypatch):
        g = mlp()
        g.forward(X)
        monkeypatch.setattr(nn.Tanh, "updateOutput", lambda self, x: np.zeros_like(x))
        np.testing.assert_array_equal(g.forward(X), np.tile(g.modules[-1].bias, (2, 1)))

    def test_criterion_nodes(self):
        x, y = nn.Identity()(), nn.Identity()()
        loss = nn.MSECriterion()([nn.Linear(2, 2)(x), y])
        g = gModule([x, y], [loss])
        g.zeroGradParameters()
        value, target = np.ones((3, 2)), np.zeros((3, 2))
        criterion = nn.MSECriterion()
        prediction = g.get(2).forward(value)
        assert g.forward([value, target]).tolist() == [criterion.forward(prediction, target)]
        gradInput = g.backward([value, target], np.array([2.0]))
        np.testing.assert_array_equal(gradInput[1], np.zeros((3, 2)))
        np.testing.assert_allclose(g.get(2).gradBias, 2 * criterion.backward(prediction, target).sum(0), rtol=1e-14)
        assert torch7.typename(g.modules[-1]) == "nn.ModuleFromCriterion"


def test_a_graph_in_a_graph_in_a_sequential():
    net = nested()
    params, gradParams = net.getParameters()
    assert params.size == 2 * 20 + 10
    net.evaluate()
    assert all(m.train is False for m in net.listModules())
    net.forward(X)
    gradParams.fill(0)
    net.backward(X, np.ones((2, 2)))
    step = 1e-6
    for i in range(0, 50, 7):
        moved = []
        for sign in (1, -1):
            kept = params[i]
            params[i] = kept + sign * step
            moved.append(net.forward(X).sum())
            params[i] = kept
        assert gradParams[i] == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-6, abs=1e-8)
