"""Unrolled networks against a loop over clones, and against numbers recorded from the real Torch7."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import Unroll, combine_all_parameters, gModule
from tests.support import golden
from tests.support.char_rnn import BUILDERS
from tests.support.golden import decode
from tests.support.graph_golden import assert_close
from tests.support.nested import assert_same, copied
from tests.support.unrolling import CASES, elman, looped, made, ran, random_like

pytestmark = pytest.mark.usefixtures("engine")
TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}
SIZES = [(4, 3), (1, 2), (5, 1), (1, 1)]


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def input_of(name: str, T: int = 4, B: int = 3, seed: int = 0) -> list[Any]:
    return CASES[name].input(np.random.default_rng(seed), T, B)


def unrolled(name: str, **options: Any) -> Any:
    return Unroll(made(name), CASES[name].states, **options)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_loop_over_clones(name, sizes, reverse):
    x = input_of(name, *sizes)
    want = looped(made(name), x, CASES[name].states, reverse)
    assert_same(ran(unrolled(name, reverse=reverse), x), want, **TOLERANCE)


def test_numbers_of_steps_and_rows_change_from_call_to_call(name):
    net = unrolled(name)
    for i, sizes in enumerate([(3, 2), (5, 2), (2, 2), (5, 3), (3, 2)]):
        x = input_of(name, *sizes, seed=i)
        assert_same(ran(net, x), looped(made(name), x, CASES[name].states), **TOLERANCE)


def test_evaluate(name):
    net, step, x = unrolled(name), made(name), input_of(name)
    ran(net, x)
    looped(step, x, CASES[name].states)
    if name == "batch normalization":  # a loop over clones does not learn the running statistics
        step = net.step.clone()
    net.evaluate()
    step.evaluate()
    assert_same(ran(net, x), looped(step, x, CASES[name].states), **TOLERANCE)


def test_scale_and_sums_of_gradients(name):
    net, x = unrolled(name), input_of(name)
    assert_same(ran(net, x, scale=0.5), looped(made(name), x, CASES[name].states, scale=0.5), **TOLERANCE)
    gradients = copied(net.parameters()[1])
    net.updateGradInput(x, random_like(net.output, 3))
    net.accGradParameters(x, random_like(net.output, 3), 1.5)
    assert_same(net.parameters()[1], [4 * g for g in gradients], **TOLERANCE)


@pytest.mark.parametrize("name", ["lstm", "nested"])
def test_single_precision(engine, name):
    net, x = unrolled(name), input_of(name)
    single = [x_.astype(np.float32) if isinstance(x_, np.ndarray) else x_ for x_ in x]
    if name == "nested":
        single = [[x[0][0].astype("f4"), [x[0][1][0].astype("f4")]], [a.astype("f4") for a in x[1]]]
    want = ran(net, x)
    got = ran(net.float(), single)
    assert got.gradients[0].dtype == np.float32
    for a, b in zip(got.gradients, want.gradients):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


class TestTorch:
    """char-rnn's networks as Torch7 ran them."""

    @pytest.fixture(params=golden.cases("nngraph/cells.json"), ids=lambda c: f"{c['model']}-{c['dropout']}")
    def case(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        return request.param

    @pytest.mark.parametrize("segment", [None, 2])
    def test_steps_through_time(self, case, segment):
        torch7.manualSeed(case["seed"])
        step = BUILDERS[case["model"]](case["input_size"], case["rnn_size"], case["num_layers"], case["dropout"])
        params, gradParams = combine_all_parameters(step)
        torch7.uniform_(params, -case["init"], case["init"])
        net, bptt, n = Unroll(step, segment=segment), case["bptt"], step.nInputs - 1
        x, y = decode(bptt["x"]), decode(bptt["y"])
        start = [np.zeros((case["batch"], case["rnn_size"])) for _ in range(n)]
        gradParams.fill(0)
        torch7.manualSeed(bptt["seed_before_forward"])
        *states, prediction = net.forward([x, *start])
        for t, outputs in enumerate(bptt["outputs"]):
            assert_close(prediction[t], outputs["table"][-1], f"prediction of step {t}")
        assert_close(states, {"table": bptt["outputs"][-1]["table"][:-1]}, "final states")
        criterions = [nn.ClassNLLCriterion() for _ in y]
        loss = sum(c.forward(p, t) for c, p, t in zip(criterions, prediction, y))
        assert loss / len(y) == pytest.approx(bptt["loss"], rel=1e-12)
        g = np.stack([c.backward(p, t) for c, p, t in zip(criterions, prediction, y)])
        _, *gradStates = net.backward([x, *start], [*(np.zeros_like(s) for s in start), g])
        assert_close(gradStates, bptt["dstate0"], "dstate0")
        assert_close(gradParams, bptt["gradParams_flat"], "gradParams")


class TestStates:
    def test_final_states_are_handed_on_as_they_are(self, name):
        """The second half begins with the very arrays that the first gave, which then become the final states again."""
        net, states = unrolled(name), CASES[name].states
        net.evaluate()
        x, roles = input_of(name, 6), states or {i: i - 1 for i in range(2, net.step.nInputs + 1)}
        whole = copied(net.forward(x))
        half = [x_ if i in roles else part(x_, slice(3)) for i, x_ in enumerate(x, 1)]
        net.forward(half)
        handed = {i: net.output[k - 1] for i, k in roles.items()}
        later = [handed[i] if i in roles else part(x_, slice(3, 6)) for i, x_ in enumerate(x, 1)]
        output = net.forward(later)
        for k, y in enumerate(whole, 1):
            want = y if k in roles.values() else part(y, slice(3, 6))
            assert_same(output[k - 1], want, **TOLERANCE)

    def test_gradients_of_states_are_handed_on_as_they_are(self):
        """So that two halves, each unrolled, are one whole."""
        first, second, whole = (Unroll(made("elman")) for _ in range(3))
        x, h = input_of("elman", 6)
        want = ran(whole, [x, h])
        states, _ = second.forward([x[3:], copied(first.forward([x[:3], h]))[0]])
        g = random_like([states, np.concatenate([first.output[1], second.output[1]])], 3)
        second.zeroGradParameters()
        late, flowing = copied(second.backward([x[3:], first.output[0]], [g[0], g[1][3:]]))
        first.zeroGradParameters()
        first.updateGradInput([x[:3], h], [flowing, g[1][:3]])
        first.gradInput[1][...] = flowing  # what was handed out holds what is handed in
        early, initial = first.backward([x[:3], h], [first.gradInput[1], g[1][:3]])
        assert_same([np.concatenate([early, late]), initial], want.gradInput, **TOLERANCE)
        sums = [a + b for a, b in zip(first.parameters()[1], second.parameters()[1])]
        assert_same(sums, want.gradients, **TOLERANCE)

    def test_what_is_given_stays(self, name):
        net, x = unrolled(name), input_of(name)
        before = copied(x)
        ran(net, x)
        assert_same(x, before)

    def test_buffers_are_used_again(self):
        net, x = Unroll(made("elman")), input_of("elman")
        h, y = net.forward(x)
        again = net.forward([x[0] + 1, x[1]])
        assert again is net.output
        assert [h is again[0], y is again[1]] == [True, True]
        gx, gh = net.backward(x, [h, y])
        assert [a is b for a, b in zip((gx, gh), net.backward(x, [h, y]))] == [True, True]


def part(x: Any, steps: slice) -> Any:
    return [part(a, steps) for a in x] if isinstance(x, list) else x[steps]


class TestForms:
    """Steps with other numbers of inputs and outputs than char-rnn's."""

    def test_only_final_states(self):
        x, h = nn.Identity()(), nn.Identity()()
        net = Unroll(gModule([x, h], [nn.Tanh()(nn.CAddTable()([x, h]))]))
        xs, start = np.random.default_rng(0).normal(size=(3, 2, 4)), np.zeros((2, 4))
        want = start
        for x_ in xs:
            want = np.tanh(x_ + want)
        got = net.forward([xs, start])
        assert_same(got, want, **TOLERANCE)
        gx, gh = net.backward([xs, start], np.ones((2, 4)))
        assert_same(gx[2], 1 - want**2, **TOLERANCE)
        assert (gx.shape, gh.shape) == (xs.shape, start.shape)

    @pytest.mark.parametrize("reverse", [False, True])
    def test_no_state(self, reverse):
        x = nn.Identity()()
        linear = nn.Linear(3, 2)
        net = Unroll(gModule([x], [nn.Tanh()(linear(x))]), reverse=reverse)
        xs = np.random.default_rng(0).normal(size=(4, 2, 3))
        want = np.tanh(xs @ linear.weight.T + linear.bias)
        assert_same(net.forward(xs), want, **TOLERANCE)
        assert_same(net.backward(xs, want), (want * (1 - want**2)) @ linear.weight, **TOLERANCE)
        masked = net.forward([xs, np.array([4, 2])])
        assert_same(masked[:, 0], want[:, 0], **TOLERANCE)
        assert not masked[2:, 1].any()
        gradients = net.backward([xs, np.array([4, 2])], np.ones_like(want))
        assert [g.shape for g in gradients] == [xs.shape, (2,)]

    def test_several_sequences_in_any_places(self):
        a, h, b = (nn.Identity()() for _ in range(3))
        new = nn.Tanh()(nn.CAddTable()([a, h, b]))
        step = gModule([a, h, b], [nn.Square()(new), new, nn.MulConstant(2)(new)])
        rng = np.random.default_rng(0)
        x = [rng.normal(size=(4, 2, 3)), rng.normal(size=(2, 3)), rng.normal(size=(4, 2, 3))]
        assert_same(ran(Unroll(step, {2: 2}), x), looped(step, x, {2: 2}), **TOLERANCE)

    def test_a_loss_in_every_step(self):
        x, target, h = (nn.Identity()() for _ in range(3))
        new = nn.Tanh()(nn.CAddTable()([x, h]))
        step = gModule([x, target, h], [new, nn.MSECriterion()([new, target])])
        rng = np.random.default_rng(0)
        input = [rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 3)), rng.normal(size=(2, 3))]
        net = Unroll(step, {3: 1})
        assert net.forward(input)[1].shape == (4, 1)
        assert_same(ran(net, input), looped(step, input, {3: 1}), **TOLERANCE)
        with pytest.raises(ValueError, match=r"Unroll: with lengths or a mask, expected 2 rows .* shape \(1,\)"):
            net.forward([*input, np.array([4, 2])])

    def test_gradients_that_are_none(self):
        x, h = input_of("elman")
        net = Unroll(elman())
        _, y = net.forward([x, h])
        g = random_like(y, 1)
        want = copied(net.backward([x, h], [np.zeros_like(h), g]))
        assert_same(net.backward([x, h], [None, g]), want)
        mask = np.array([4, 2, 0])
        net.forward([x, h, mask])
        want = copied(net.backward([x, h, mask], [np.zeros_like(h), g]))
        assert_same(net.backward([x, h, mask], [None, g]), want)

    @pytest.mark.parametrize("segment", [None, 2])
    def test_gradients_that_a_step_does_not_give(self, segment):
        x, h = nn.Identity()(), nn.Identity()()
        linear = nn.Linear(3, 3)
        linear.gradInput = None
        new = nn.Tanh()(nn.CAddTable()([linear(x), h]))
        net = Unroll(gModule([x, h], [new, nn.Identity()(new)]), segment=segment)
        rng = np.random.default_rng(0)
        input = [rng.normal(size=(4, 2, 3)), rng.normal(size=(2, 3))]
        for each in (input, [*input, np.array([4, 2])]):
            _, y = net.forward(each)
            gx, gh, *_ = net.backward(each, [np.ones((2, 3)), np.ones_like(y)])
            assert gx is None
            assert gh.all()
