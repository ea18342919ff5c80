"""Unrolled networks as modules: copied, saved, told of, and parts of other networks."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import Unroll, clone_many_times, draw, gModule, setDebug, summary
from tests.support.contract import assert_derivative
from tests.support.nested import assert_same, copied, leaves
from tests.support.t7 import again
from tests.support.unrolling import CASES, elman, looped, made, ran, random_like

pytestmark = pytest.mark.usefixtures("engine")
TOLERANCE = {"rtol": 1e-12, "atol": 1e-13}
T, B = 4, 3


def input_of(name: str = "elman") -> list[Any]:
    return CASES[name].input(np.random.default_rng(0), T, B)


COPIES = {
    "clone": lambda m: m.clone(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda m: pickle.loads(pickle.dumps(m)),
    "t7": again,
    "t7 in ascii": lambda m: again(m, "ascii"),
}


class TestCopies:
    @pytest.mark.parametrize("copied_by", COPIES)
    @pytest.mark.parametrize("has_run", [False, True])
    @pytest.mark.parametrize("name", ["lstm", "nested"])
    def test_the_same_network_in_memory_of_its_own(self, name, has_run, copied_by):
        net, x = Unroll(made(name), CASES[name].states, True, 3), input_of(name)
        want = ran(Unroll(made(name), CASES[name].states, True, 3), x)
        if has_run:
            ran(net, x)
        other = COPIES[copied_by](net)
        assert (type(other), other.states, other.reverse, other.segment) == (Unroll, net.states, True, 3)
        assert str(other) == str(net)
        assert_same(ran(other, x), want)
        for w in other.parameters()[0]:
            w.fill(0)
        assert_same(ran(net, x), want)

    def test_without_options(self):
        for net in (again(Unroll(elman())), again(Unroll(elman(), {2: 1}))):
            assert (net.states, net.reverse, net.segment) == ({2: 1}, False, None)

    def test_states_that_a_file_holds_as_a_list(self):
        """{1: 2} is a list in Lua."""
        net = again(Unroll(made("nested"), {1: 2}))
        assert net.states == {1: 2}

    def test_a_file_holds_plain_fields(self):
        net = Unroll(elman())
        ran(net, input_of())
        assert set(vars(net)) - set(net.TRANSIENT) <= {
            *("_type", "gradInput", "modules", "output", "reverse", "segment", "states"),
        }

    def test_files_are_small_after_clear_state(self):
        net = Unroll(made("lstm"))
        new = len(torch7.serialize(net.clearState()))
        want = ran(net, input_of("lstm"))
        assert len(torch7.serialize(net)) > new + 1000
        net.clearState()
        assert len(torch7.serialize(net)) < new + 100
        assert_same(ran(net, input_of("lstm")), want)

    def test_clones_that_share_parameters(self):
        net, x = Unroll(elman()), input_of()
        net.zeroGradParameters()
        clones = [net, *clone_many_times(net, 2), net.clone("weight", "bias", "gradWeight", "gradBias")]
        want = ran(net, x)
        for clone in clones[1:]:
            output = clone.forward(x)
            clone.backward(x, random_like(output, 3))
        assert_same(net.parameters()[1], [len(clones) * g for g in want.gradients], **TOLERANCE)


class TestTold:
    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({}, "Unroll @ nn.gModule"),
            ({"states": {2: 1}, "reverse": True}, "Unroll(reverse) @ nn.gModule"),
            ({"states": {2: 2}, "segment": 8}, "Unroll(states {2: 2}, segment 8) @ nn.gModule"),
        ],
    )
    def test_text(self, options, text):
        assert str(Unroll(elman(4, 4), **options)) == text

    def test_modules(self):
        net = Unroll(elman())
        assert net.size() == 1
        assert net.get(1) is net.step
        assert torch7.typename(net) == "Unroll"
        assert net.listModules()[:2] == [net, net.step]
        assert [len(found) for found in net.findModules("nn.Linear")] == [2, 2]
        seen: list[Any] = []
        net.apply(seen.append)
        assert seen == net.listModules()

    def test_summary_has_the_step_once(self, capsys):
        net = Unroll(elman(3, 4))
        found = summary(net, input_of())
        assert [torch7.typename(call.module) for _, call in found.rows].count("nn.Linear") == 2
        assert found.multiply_adds == T * B * (3 * 4 + 4 * 4)
        assert found.parameters == 3 * 4 + 4 + 4 * 4 + 4
        assert [depth for depth, _ in found.rows][:3] == [0, 1, 2]
        assert capsys.readouterr().out.count("nn.Tanh") == 1
        assert summary(Unroll(elman(3, 4), segment=2), input_of()).multiply_adds == found.multiply_adds

    def test_picture(self, tmp_path):
        g, x = bidirectional(), input_of()
        g.forward([x[0], x[1], x[1]])
        draw(g, tmp_path / "g.dot")
        text = (tmp_path / "g.dot").read_text()
        assert text.count("Unroll") >= 2
        assert "Unroll(reverse)" in text

    def test_picture_of_a_failure(self, tmp_path, monkeypatch):
        pytest.importorskip("pygraphviz")
        monkeypatch.chdir(tmp_path)
        g, x = bidirectional(), input_of()
        setDebug(True)
        try:
            with pytest.raises(ValueError, match="expected 3 input columns") as caught:
                g.forward([x[0][..., :2], x[1], x[1]])
        finally:
            setDebug(False)
        assert "with the node that failed in red" in caught.value.__notes__[-1]
        assert [path.suffix for path in tmp_path.iterdir()] == [".svg"]


def bidirectional() -> Any:
    """[x, h1, h2] -> y1 and y2 side by side, one of them from the end to the beginning."""
    torch7.manualSeed(1)
    x, h1, h2 = (nn.Identity()() for _ in range(3))
    y = [nn.SelectTable(2)(Unroll(elman(), reverse=reverse)([x, h])) for reverse, h in ((False, h1), (True, h2))]
    return gModule([x, h1, h2], [nn.JoinTable(3)(y)])


def assert_derivatives(g: Any, x: Any, seed: int = 0) -> None:
    """Fails unless backward gives the derivatives of forward."""
    gradOutput = random_like(g.forward(x), seed)
    g.zeroGradParameters()
    gradInput = copied(g.backward(x, gradOutput))

    def loss() -> float:
        return sum(float((y * c).sum()) for y, c in zip(leaves(g.forward(x)), leaves(gradOutput)))

    params, gradParams = g.parameters()
    for a, gradient in zip([*leaves(x), *params], [*leaves(gradInput), *gradParams]):
        assert_derivative(loss, a, gradient, seed)


class TestParts:
    def test_bidirectional(self):
        g, (x, h) = bidirectional(), input_of()
        forwards, backwards = (net.step for net in g.findModules("Unroll")[0])
        if g.findModules("Unroll")[0][0].reverse:
            forwards, backwards = backwards, forwards
        one, two = looped(forwards, [x, h]), looped(backwards, [x, h], reverse=True)
        want = np.concatenate([one.output[1], two.output[1]], axis=2)
        assert_same(g.forward([x, h, h]), want, **TOLERANCE)
        assert_derivatives(g, [x, h, h.copy()])

    def test_encoder_and_decoder(self):
        """The final state of one is the initial state of the other."""
        source, target, start = (nn.Identity()() for _ in range(3))
        code = nn.SelectTable(1)(Unroll(elman(3, 4))([source, start]))
        g = gModule([source, target, start], [nn.SelectTable(2)(Unroll(elman(2, 4))([target, code]))])
        rng = np.random.default_rng(0)
        for T in (3, 5):
            x = [rng.normal(size=(T, B, 3)), rng.normal(size=(T + 1, B, 2)), rng.normal(size=(B, 4))]
            assert g.forward(x).shape == (T + 1, B, 4)
            assert_derivatives(g, x)

    def test_stacked_with_lengths(self):
        """Lengths are an input of the graph, which two networks read."""
        x, h1, h2, lengths = (nn.Identity()() for _ in range(4))
        y = nn.SelectTable(2)(Unroll(elman(3, 4))([x, h1, lengths]))
        g = gModule([x, h1, h2, lengths], [Unroll(elman(4, 2), reverse=True, segment=2)([y, h2, lengths])])
        rng = np.random.default_rng(0)
        input = [rng.normal(size=(T, B, 3)), rng.normal(size=(B, 4)), rng.normal(size=(B, 2)), np.array([4.0, 1, 3])]
        first = Unroll(g.findModules("Unroll")[0][0].step)
        second = Unroll(g.findModules("Unroll")[0][1].step, reverse=True)
        _, y = copied(first.forward([*input[:2], input[3]]))
        assert_same(g.forward(input), second.forward([y, *input[2:]]), **TOLERANCE)
        gradInput = g.backward(input, random_like(g.output, 1))
        assert_same(gradInput.pop(), np.zeros(3))
        assert not gradInput[0][1:, 1].any()

    def test_unrolled_in_an_unrolled_network(self):
        """Each step of the outer one is a whole sequence."""
        x, h = nn.Identity()(), nn.Identity()()
        inner = Unroll(elman(3, 4))([x, h])
        outer = gModule([x, h], [nn.SelectTable(1)(inner), nn.SelectTable(2)(inner)])
        rng = np.random.default_rng(0)
        input = [rng.normal(size=(2, 3, B, 3)), rng.normal(size=(B, 4))]
        flat = Unroll(elman(3, 4))
        flat.share(Unroll(outer.findModules("Unroll")[0][0].step), "weight", "bias")
        want = copied(flat.forward([input[0].reshape(6, B, 3), input[1]]))
        # the outer one takes the second dimension for rows, of which the state has as many
        with pytest.raises(ValueError, match=r"input 2, a state, as \(3, \.\.\.\)"):
            Unroll(outer).forward([input[0][:, :, :2], input[1][:2]])
        got = Unroll(outer).forward(input)
        assert_same(got[0], want[0], **TOLERANCE)
        assert_same(got[1].reshape(6, B, 4), want[1], **TOLERANCE)

    def test_in_a_sequential(self):
        net = nn.Sequential().add(Unroll(elman())).add(nn.SelectTable(2)).add(nn.Bottle(nn.Linear(4, 2)))
        assert net.forward(input_of()).shape == (T, B, 2)
        assert_derivatives(net, input_of())

    @pytest.mark.parametrize("name", ["peephole", "elman", "nested", "batch normalization"])
    @pytest.mark.parametrize("options", [{}, {"reverse": True, "segment": 3}], ids=str)
    def test_derivatives(self, name, options):
        assert_derivatives(Unroll(made(name), CASES[name].states, **options), input_of(name))


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "error", "told"),
        [
            ([nn.Linear(2, 2)], TypeError, "expected an nn.gModule that computes one time step, got a nn.Linear"),
            ([None], TypeError, "expected an nn.gModule .* got a nil"),
            ([elman(), 3], TypeError, r"expected states as a dict \{input: output\}, got 3"),
            ([elman(), {3: 1}], ValueError, r"inputs \(1 to 2\) to outputs \(1 to 2\), got 3: 1"),
            ([elman(), {2: 0}], ValueError, r"inputs \(1 to 2\) to outputs \(1 to 2\), got 2: 0"),
            ([elman(), {2: 1.5}], ValueError, "expected a whole number as output, got 1.5"),
            ([elman(), {"h": 1}], TypeError, "expected a whole number as input, got 'h'"),
            ([made("gru"), {2: 1, 3: 1}], ValueError, "an output can feed one state only, got output 1 twice"),
            ([elman(), {1: 1, 2: 2}], ValueError, "expected an input that is a sequence"),
            ([elman(), None, 1], TypeError, "expected True or False for reverse, got 1"),
            ([elman(), None, False, 0], ValueError, "expected segments of one step or more, got 0"),
            ([elman(), None, False, 2.5], ValueError, "expected a whole number as segment, got 2.5"),
            ([elman(), None, False, "a"], TypeError, "expected a whole number as segment, got 'a'"),
        ],
        ids=lambda x: None,
    )
    def test_construction(self, arguments, error, told):
        with pytest.raises(error, match=f"Unroll: .*{told}"):
            Unroll(*arguments)

    def test_a_step_with_fewer_outputs_than_states(self):
        a, b, c = (nn.Identity()() for _ in range(3))
        step = gModule([a, b, c], [nn.CAddTable()([a, b, c])])
        with pytest.raises(ValueError, match=r"with inputs \[x, s1\.\.s2\] should give .*got one with 1 output; give"):
            Unroll(step)
        assert Unroll(step, {2: 1}).states == {2: 1}

    X, H = np.ones((4, 3, 3)), np.ones((3, 4))

    @pytest.mark.parametrize(
        ("input", "error", "told"),
        [
            (X, TypeError, r"expected a table of the step's 2 inputs, .* got float64\[4, 3, 3\]"),
            ([X], ValueError, "expected a table of the step's 2 inputs, and perhaps lengths or a mask, got 1"),
            ([X, H, H, H], ValueError, "and perhaps lengths or a mask, got 4"),
            ([X, H[:2]], ValueError, r"input 2, a state, as \(3, \.\.\.\), got float64\[2, 4\]"),
            ([X, None], TypeError, r"input 2, a state, as \(3, \.\.\.\), got NoneType"),
            ([None, H], TypeError, r"input 1, a sequence, as \(T, B, \.\.\.\), got NoneType"),
            ([np.ones(4), H], ValueError, r"input 1, a sequence, as \(T, B, \.\.\.\), got float64\[4\]"),
            ([[], H], TypeError, r"input 1, a sequence, as \(T, B, \.\.\.\), got \[\]"),
            ([X[:0], H], ValueError, r"expected at least one time step, got input 1 float64\[0, 3, 3\]"),
            ([[X, X[:3]], H], ValueError, r"input 1, a sequence, as \(4, 3, \.\.\.\), got float64\[3, 3, 3\]"),
        ],
        ids=lambda x: None,
    )
    def test_inputs(self, input, error, told):
        with pytest.raises(error, match=f"Unroll: .*{told}"):
            Unroll(elman()).forward(input)

    @pytest.mark.parametrize(
        ("gradOutput", "error", "told"),
        [
            (np.ones((4, 3, 4)), TypeError, r"expected a table of 2 gradients, got float64\[4, 3, 4\]"),
            ([np.ones((3, 4))], ValueError, "expected a table of 2 gradients, got 1"),
            (
                [np.ones((3, 4)), np.ones((3, 3, 4))],
                ValueError,
                r"output 2 as float64\[4, 3, 4\], got float64\[3, 3, 4\]",
            ),
            ([np.ones((3, 3)), np.ones((4, 3, 4))], ValueError, r"output 1 as float64\[3, 4\], got float64\[3, 3\]"),
        ],
        ids=lambda x: None,
    )
    def test_gradients(self, gradOutput, error, told):
        net = Unroll(elman())
        net.forward([self.X, self.H])
        for backward in (net.backward, net.updateGradInput):
            with pytest.raises(error, match=f"Unroll: .*{told}"):
                backward([self.X, self.H], gradOutput)

    def test_order_of_calls(self):
        net, x = Unroll(elman()), [self.X, self.H]
        with pytest.raises(ValueError, match="Unroll: backward needs a forward first"):
            net.backward(x, [self.H, np.ones((4, 3, 4))])
        net.forward(x)
        with pytest.raises(ValueError, match="Unroll: accGradParameters needs an updateGradInput first"):
            net.accGradParameters(x, [self.H, np.ones((4, 3, 4))])
        net.backward(x, [self.H, np.ones((4, 3, 4))])
        net.clearState()
        with pytest.raises(ValueError, match="Unroll: backward needs a forward first"):
            net.updateGradInput(x, [self.H, np.ones((4, 3, 4))])
