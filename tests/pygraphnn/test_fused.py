"""Graphs that run in few calls, against the same graphs module by module."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from pygraphnn import Fused, clone_many_times, gModule
from pygraphnn.unroll.planned import PLANS
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


def test_clones_whose_parameters_learn_later(step):
    """All clones go back first, then all parameters learn: Torch's way, too, in scripts that call the two apart."""
    results = []
    for net in (Fused(step.clone()), step):
        clones, x = clone_many_times(net, 3), [input_of(step, seed=t) for t in range(3)]
        torch7.manualSeed(2)
        outputs = [clone.forward(given) for clone, given in zip(clones, x)]
        net.zeroGradParameters()
        g = [[(t + 1) * np.ones_like(a) for a in y] for t, y in enumerate(outputs)]
        back = [clone.updateGradInput(*given)[1:] for clone, *given in zip(clones, x, g)]
        for clone, *given in zip(clones, x, g):
            clone.accGradParameters(*given, 2)
        results.append(copied([outputs, back, net.parameters()[1]]))
    assert_same(*results, **CLOSE)


def test_clones_in_threads():
    step = pygraphnn.lstm(5, 4, 2)
    x = [input_of(step, 3, seed) for seed in range(4)]
    want = [ran(step, given) for given in x]
    clones = clone_many_times(Fused(step), 4)

    def work(clone: Any, given: Any) -> Any:
        y = copied(clone.forward(given))
        return [y, copied(clone.updateGradInput(given, [np.random.default_rng(1).normal(size=a.shape) for a in y])[1:])]

    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            for got, wanted in zip(pool.map(work, clones, x), want):
                assert_same(got, wanted[:2], **CLOSE)


def test_its_outputs_are_its_next_inputs():
    x, a, b = nn.Identity()(), nn.Identity()(), nn.Identity()()
    net = Fused(gModule([x, a, b], [nn.Identity()(b), nn.Identity()(a), nn.Tanh()(x)]))
    given = [np.full((2, 3), float(n)) for n in range(3)]
    first = net.forward(given)
    assert_same(net.forward([given[0], first[0], first[1]])[:2], given[1:])
    assert net.reason == ""


def test_parameters_may_move(step):
    net, x = Fused(step), input_of(step)
    before = ran(net, x)
    params, gradients = net.getParameters()
    assert_same(ran(net, x), before, **CLOSE)
    assert_same(gradients, np.concatenate([g.ravel() for g in before[2]]), **CLOSE)
    params *= 2
    assert not np.allclose(ran(net, x)[0][-1], before[0][-1])


@pytest.mark.parametrize("step", ["lstm", "dropout"], indirect=True)
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


class TestKept:
    """What is kept of plans, codes and arrays does not grow with the forms of input."""

    def test_of_batch_sizes(self, step):
        """One code does for all of them but a single row, which may look like a column."""
        net = Fused(step)
        for B in (2, 3, 4, 5, 6, 7, 1, 8, 2):
            x = input_of(step, B, B)
            assert_same(ran(net, x), ran(step, x), **CLOSE)
            assert len(net._engines) <= PLANS
        assert len(net._plans.codes) == 2
        assert [key[2][0][0] for key in net._engines] == [7, 1, 8, 2]

    def test_of_other_forms(self):
        x = nn.Identity()()
        net = Fused(gModule([x], [nn.Square()(nn.Tanh()(x))]))
        for width in range(1, 8):
            given = np.full((2, width), 0.5)
            assert_same(net.forward(given), np.tanh(given) ** 2, **CLOSE)
        assert len(net._engines) == len(net._plans.codes) == PLANS

    def test_of_clones(self, step):
        """Each has its own arrays; a code that one has dropped is made again for all."""
        net = Fused(step)
        clones = clone_many_times(net, 2)
        for B in (2, 3, 4, 5, 6, 2):
            x = input_of(step, B, B)
            want = ran(step, x)
            for clone in (net, *clones):
                assert_same(ran(clone, x)[:2], want[:2], **CLOSE)
        net.forward(input_of(step))
        for clone in clone_many_times(net, 2):
            assert clone._plans is net._plans
            clone.forward(input_of(step))
            assert clone._engines is not net._engines
            assert len(clone._plans.codes) == 1

    def test_rows_that_know_of_each_other(self):
        """Such a code is for one batch size only."""
        x = nn.Identity()()
        step = gModule([x], [nn.Tanh()(nn.BatchNormalization(3)(nn.Linear(3, 3)(x)))])
        net, draw = Fused(step.clone()), np.random.default_rng(0)
        for B in (4, 3, 5, 4):
            given = draw.normal(size=(B, 3))
            assert_same(net.forward(given), step.forward(given), **CLOSE)
            g = draw.normal(size=(B, 3))
            assert_same(net.backward(given, g), step.backward(given, g), **CLOSE)
        ((_, _, only),) = net._plans.codes.values()
        assert only == {(5,)}  # the last for which one was made
        assert len(net._engines) == 3

    def test_a_square_that_is_turned(self):
        """Rows and columns are told from each other only where there are more of one than of the other."""
        x = nn.Identity()()
        step = gModule([x], [nn.Tanh()(nn.Transpose([1, 2])(x))])
        net, draw = Fused(step.clone()), np.random.default_rng(0)
        for B in (3, 2, 4, 1, 3):
            given = draw.normal(size=(B, 3))
            assert_same(net.forward(given), step.forward(given), **CLOSE)
            assert_same(net.backward(given, given.T), step.backward(given, given.T), **CLOSE)

    def test_a_single_row(self):
        """It is the first of a column as well as a row."""
        x = nn.Identity()()
        step = gModule([x], [nn.Tanh()(nn.Select(1, 1)(x))])
        net = Fused(step.clone())
        for B in (1, 2, 1):
            given = np.arange(1.0, B + 1).reshape(B, 1)
            assert_same(net.forward(given), step.forward(given), **CLOSE)

    def test_different_numbers_of_rows(self):
        x, h = nn.Identity()(), nn.Identity()()
        net = Fused(gModule([x, h], [nn.CAddTable()([x, h])]))
        given = [np.ones((2, 3)), np.ones((2, 3))]
        assert_same(net.forward(given), np.full((2, 3), 2.0))
        with pytest.raises(ValueError, match="CAddTable"):
            net.forward([given[0], given[1][:1]])
        assert net.reason == "the inputs have different numbers of rows"
        assert_same(net.forward(given), np.full((2, 3), 2.0))

    def test_an_error_is_no_reason_to_stop_planning(self):
        step = pygraphnn.rnn(5, 4)
        net, x = Fused(step), input_of(step)
        wrong = [np.array([1, 6, 2]), x[1]]
        with pytest.raises(IndexError, match=r"nn.OneHot: indices count from 1 and go up to 5, got 6"):
            net.forward(wrong)
        net.forward(x)
        assert net._engine is not None


def test_watched_between_forward_and_backward_in_evaluate_mode(step):
    net, x = Fused(step.clone()), input_of(step)
    net.evaluate()
    step.evaluate()
    want = ran(step, x)
    y = net.forward(x)
    net.net.verbose = True
    net.zeroGradParameters()
    g = net.backward(x, [np.random.default_rng(1).normal(size=a.shape) for a in y])
    assert_same([g[1:], net.parameters()[1]], want[1:], **CLOSE)
