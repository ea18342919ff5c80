"""What a plan must not do: overwrite what is still read, lose or double parts of gradients, spoil what it gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import Unroll, gModule
from pygraphnn.unroll.planned import PlannedEngine
from tests.support.nested import assert_same
from tests.support.unrolling import Counting, looped, ran, random_like

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
T, B, N = 4, 3, 2


def inputs(n: int = 2) -> list[Any]:
    torch7.manualSeed(1)
    return [nn.Identity()() for _ in range(n)]


def vectors(*widths: int, states: int = 1) -> list[np.ndarray]:
    """Sequences, and states as the last ones, of these widths."""
    draw = np.random.default_rng(0)
    sequences = len(widths) - states
    return [draw.normal(size=(T, B, n) if i < sequences else (B, n)) for i, n in enumerate(widths)]


def linear(a: int, b: int, x: Any, bias: bool = True) -> Any:
    return nn.Linear(a, b, bias)(x)


def again(x: Any) -> Any:
    """Another node of the same value: a graph takes each node once."""
    return nn.Identity()(x)


def assert_right(engine: Any, step: Any, x: list[Any], states: dict[int, int] | None = None) -> None:
    """Fails unless a plan, in both modes, gives what a loop over clones gives."""
    for mode in ("training", "evaluate"):
        net = Unroll(step.clone(), states)
        getattr(net, mode)()
        getattr(step, mode)()
        assert_same(ran(net, x), looped(step, x, states), **CLOSE)
        if issubclass(engine, PlannedEngine):
            assert next(iter(net._run.engines.values())).reason == ""


@pytest.mark.parametrize("engine", ["numpy"], indirect=True)  # whose calls these are
class TestPlaces:
    """No lane is written to where something is that others still read."""

    def test_where_a_product_was(self, engine):
        """The sum is kept where the product was; its other term, made before, must not be put there."""
        x, h = inputs()
        other = nn.AddConstant(0.5)(h)
        total = nn.CAddTable()([other, nn.CAddTable()([linear(N, N, x, False), nn.Sigmoid()(h)])])
        new = nn.CMulTable()([nn.Tanh()(total), total])
        assert_right(engine, gModule([x, h], [new, nn.Identity()(new)]), vectors(N, N))

    def test_two_terms_of_one_sum(self, engine):
        """Both belong where the sum will be."""
        x, h = inputs()
        new = nn.CAddTable()([nn.AddConstant(0.5)(h), nn.MulConstant(0.3)(x)])
        assert_right(engine, gModule([x, h], [new, nn.Square()(new)]), vectors(N, N))

    def test_chains_of_one_sum(self, engine):
        x, h = inputs()
        first = nn.AddConstant(1)(nn.MulConstant(0.3)(x))
        second = nn.MulConstant(0.7)(nn.AddConstant(2)(h))
        new = nn.CMulTable()([nn.CAddTable()([first, second]), nn.AddConstant(3)(nn.MulConstant(0.1)(h))])
        assert_right(engine, gModule([x, h], [new, nn.Square()(new)]), vectors(N, N))

    def test_neighbours_that_are_read_at_different_times(self, engine):
        """Two lanes made by one call: one is read at once, the other after scratch as wide was asked for again."""
        x, h = inputs()
        a, b = nn.SplitTable(2)(nn.Reshape(2, N)(nn.AddConstant(1)(linear(N, 2 * N, h)))).split(2)
        q = nn.Sigmoid()(nn.Tanh()(linear(N, 2 * N, h)))
        c, d = nn.SplitTable(2)(nn.Reshape(2, N)(nn.CMulTable()([q, nn.AddConstant(2)(q)]))).split(2)
        late = nn.CMulTable()([nn.CMulTable()([c, d]), b])
        late = nn.CMulTable()([late, nn.Sigmoid()(late)])
        new = nn.Tanh()(nn.CAddTable()([nn.CMulTable()([a, h]), late, x]))
        assert_right(engine, gModule([x, h], [new, nn.Identity()(new)]), vectors(N, N))

    def test_scratch_of_slopes(self, engine):
        """A derivative that is put in place of what it is multiplied with needs room for a moment."""
        x, h = inputs()
        new = nn.Sigmoid()(nn.Tanh()(nn.ReLU()(nn.Tanh()(nn.Sigmoid()(nn.CAddTable()([linear(N, N, x), h]))))))
        assert_right(engine, gModule([x, h], [new, nn.Identity()(new)]), vectors(N, N))

    def test_several_kept_lanes(self, engine):
        """Each has a place of its own."""
        x, h = inputs()
        z = linear(N, 3 * N, x)
        a, b, c = nn.SplitTable(2)(nn.Reshape(3, N)(z)).split(3)
        one, two = nn.CMulTable()([nn.Tanh()(a), nn.Sigmoid()(b)]), nn.CMulTable()([nn.Square()(c), h])
        new = nn.Tanh()(nn.CMulTable()([nn.Sigmoid()(one), nn.Tanh()(two)]))
        assert_right(engine, gModule([x, h], [new, nn.Identity()(new)]), vectors(N, N))

    def test_a_product_that_two_lanes_read(self, engine):
        """What is kept of one of them is not put where the other reads."""
        x, h = inputs()
        z = linear(N, N, x, False)
        early, late = nn.CAddTable()([z, h]), nn.CAddTable()([nn.Sigmoid()(nn.Square()(nn.Tanh()(h))), z])
        new = nn.CMulTable()([nn.Tanh()(early), nn.AddConstant(1)(late)])
        assert_right(engine, gModule([x, h], [new, nn.Identity()(new)]), vectors(N, N))


def part(x: Any, start: int, width: int) -> Any:
    """Columns from `start`, counted from 1."""
    return nn.Narrow(2, start, width)(x)


@pytest.mark.parametrize("engine", ["stepwise", "numpy"], indirect=True)
class TestParts:
    """Gradients that arrive at parts of a value, which overlap, or do not cover it."""

    PARTS = {
        "overlapping": [(1, 3), (2, 3)],
        "missing": [(2, 2)],
        "missing between": [(1, 1), (4, 1)],
        "one twice": [(2, 2), (2, 2)],
        "whole and a part": [(1, 4), (2, 2)],
    }
    READERS = {
        "outputs": lambda p, width: p,
        "functions": lambda p, width: nn.Tanh()(p),
        "products": lambda p, width: nn.Linear(width, width)(p),
        "calls": lambda p, width: nn.SoftPlus()(nn.Normalize(2)(p)),
    }
    SOURCES = ("product", "state", "sequence", "call", "function")

    @pytest.fixture(params=PARTS)
    def parts(self, request: pytest.FixtureRequest) -> list[tuple[int, int]]:
        return self.PARTS[request.param]

    @pytest.mark.parametrize("source", SOURCES)
    @pytest.mark.parametrize("reader", READERS)
    def test_of(self, engine, source, parts, reader):
        x, h = inputs()
        sources = {
            "product": lambda: linear(4, 4, h),
            "state": lambda: h,
            "sequence": lambda: x,
            "call": lambda: nn.Normalize(2)(nn.CAddTable()([x, h])),
            "function": lambda: nn.Tanh()(nn.CAddTable()([x, h])),
        }
        y = sources[source]()
        outputs = [self.READERS[reader](part(y, *p), p[1]) for p in parts]
        new = nn.Tanh()(nn.CAddTable()([x, nn.MulConstant(0.5)(h)]))
        assert_right(engine, gModule([x, h], [new, *outputs]), vectors(4, 4))

    def test_a_reader_that_gives_none(self, engine):
        """What arrived at the final state is not taken again for what the first reader of a state gives.

        (Module by module, Tanh raises an error when it gets no gradient.)
        """
        if not issubclass(engine, PlannedEngine):
            return
        results = []
        for blocks in (True, False):
            x, h = inputs()
            linear = nn.Linear(N, N)
            tanh = nn.Tanh()(h if blocks else nn.GradientReversal(0)(h))
            new = nn.Tanh()(nn.CAddTable()([linear(tanh), x, nn.Square()(h)]))
            step = gModule([x, h], [new, nn.Identity()(new)])
            linear.gradInput = None if blocks else linear.gradInput
            net = Unroll(step)
            results.append(ran(net, vectors(N, N)) if blocks else looped(step, vectors(N, N)))
        assert_same(*results, **CLOSE)

    @pytest.mark.parametrize("source", ["product", "state", "sequence"])
    def test_of_a_table(self, engine, source):
        """SplitTable's parts, of which some are read twice and one by nobody."""
        x, h = inputs()
        y = {"product": lambda: linear(4, 4, h), "state": lambda: h, "sequence": lambda: x}[source]()
        table = nn.SplitTable(2)(nn.Reshape(4, 1)(y))
        a, b, c = (nn.SelectTable(i)(table) for i in (1, 2, 3))
        new = nn.Tanh()(nn.CAddTable()([x, h]))
        outputs = [nn.CMulTable()([a, b]), linear(1, 2, b), nn.Sigmoid()(c)]
        assert_right(engine, gModule([x, h], [new, *outputs]), vectors(4, 4))


def gates(x: Any, h: Any, of: int, bias: bool = True) -> Any:
    """A product of x or h and what a cell with two gates makes of it."""
    z = linear(N, 2 * N, (x, h)[of], bias)
    both = nn.CAddTable()([z, linear(N, 2 * N, (h, x)[of], bias)])
    return z, nn.CMulTable()([nn.Sigmoid()(part(both, 1, N)), nn.Tanh()(part(both, N + 1, N))])


class TestOverwritten:
    """What backward puts where something of forward was."""

    @pytest.fixture(params=[0, 1], ids=["of a sequence", "of a state"])
    def of(self, request: pytest.FixtureRequest) -> int:
        """Which of x and h a product is made of: of x on the rows of all steps, which are kept, of h step by step."""
        return request.param

    def assert_repeatable(self, engine: Any, step: Any, x: list[Any]) -> Any:
        """Fails unless outputs stay what they are in backward, and a second backward gives the same."""
        net, want = Unroll(step.clone()), looped(step, x)
        net.forward(x)
        g = random_like(want.output, 3)
        for times in (1, 2, 3):
            if times == 1:
                net.zeroGradParameters()
            gradInput = net.backward(x, g)
            assert_same(net.output, want.output, **CLOSE)
            assert_same(gradInput, want.gradInput, **CLOSE)
            assert_same(net.parameters()[1], [times * gradient for gradient in want.gradients], **CLOSE)
        again = ran(net, x)
        assert_same(again, want, **CLOSE)
        if issubclass(engine, PlannedEngine):
            assert next(iter(net._run.engines.values())).reason == ""
        return net

    def test_a_product_that_is_an_output(self, engine, of):
        x, h = inputs()
        z = linear(N, N, (x, h)[of])
        new = nn.Tanh()(nn.CAddTable()([z, linear(N, N, (h, x)[of])]))
        self.assert_repeatable(engine, gModule([x, h], [new, z]), vectors(N, N))

    def test_a_part_of_a_product_is_an_output(self, engine, of):
        x, h = inputs()
        z, new = gates(x, h, of)
        self.assert_repeatable(engine, gModule([x, h], [new, part(z, 2, N)]), vectors(N, N))

    @pytest.mark.parametrize("bias", [False, True])
    def test_a_product_that_only_functions_read(self, engine, of, bias):
        x, h = inputs()
        _, new = gates(x, h, of, bias)
        self.assert_repeatable(engine, gModule([x, h], [new, nn.Identity()(new)]), vectors(N, N))

    def test_a_product_of_two_groups(self, engine, of):
        """What another group reads, later in forward and earlier in backward."""
        x, h = inputs()
        z = linear(N, N, (x, h)[of], False)
        first = nn.Tanh()(nn.Sigmoid()(nn.CAddTable()([z, linear(N, N, (h, x)[of])])))
        new = nn.Tanh()(nn.CAddTable()([linear(N, N, first), z]))
        self.assert_repeatable(engine, gModule([x, h], [new, nn.Square()(first)]), vectors(N, N))

    @pytest.mark.parametrize("reader", [lambda: nn.Linear(N, N), lambda: nn.LogSoftMax(), lambda: nn.SoftPlus()])
    def test_a_product_that_others_read(self, engine, of, reader):
        x, h = inputs()
        z = linear(N, N, (x, h)[of], False)
        new = nn.Tanh()(nn.Sigmoid()(nn.CAddTable()([z, linear(N, N, (h, x)[of])])))
        self.assert_repeatable(engine, gModule([x, h], [new, reader()(z)]), vectors(N, N))

    def test_a_sequence_and_a_state_are_not_overwritten(self, engine):
        x, h = inputs()
        new = nn.Tanh()(nn.CMulTable()([nn.Square()(x), nn.Sigmoid()(h)]))
        self.assert_repeatable(engine, gModule([x, h], [new, nn.Identity()(x)]), vectors(N, N))

    def test_a_gradient_of_two_terms(self, engine, of):
        """A product whose parts are read by two groups has no single gradient to put in its place."""
        x, h = inputs()
        z = linear(N, 2 * N, (x, h)[of], False)
        a = nn.Tanh()(nn.CAddTable()([part(z, 1, N), x, h]))
        new = nn.Tanh()(nn.CAddTable()([linear(N, N, a), part(z, N + 1, N), nn.Square()(part(z, 1, N))]))
        self.assert_repeatable(engine, gModule([x, h], [new, nn.Identity()(new)]), vectors(N, N))

    def test_steps_are_not_learned_from_twice(self, engine):
        """Forward is not run again for a second backward where that would be seen."""
        x, h = inputs()
        counting = Counting()
        new = nn.Tanh()(nn.CAddTable()([linear(N, N, x), counting(linear(N, N, h))]))
        net = self.assert_repeatable(engine, gModule([x, h], [new, nn.Identity()(new)]), vectors(N, N))
        counted = next(m for m in net.listModules() if isinstance(m, Counting)).count
        assert counted % T == 0
        g, before = random_like(net.output, 3), counted.copy()
        net.backward(vectors(N, N), g)
        net.backward(vectors(N, N), g)
        assert_same(counted, before)


@pytest.mark.parametrize("engine", ["stepwise", "numpy"], indirect=True)
class TestTwice:
    """A module that reads one thing twice."""

    TABLES = {"product": nn.CMulTable, "sum": nn.CAddTable, "difference": nn.CSubTable, "quotient": nn.CDivTable}

    @pytest.mark.parametrize("table", TABLES)
    @pytest.mark.parametrize("source", ["state", "sequence", "product", "function", "part"])
    def test_functions(self, engine, table, source):
        x, h = inputs()
        thing = {
            "state": lambda: h,
            "sequence": lambda: x,
            "product": lambda: linear(N, N, h),
            "function": lambda: nn.Sigmoid()(nn.CAddTable()([x, h])),
            "part": lambda: part(linear(N, 3, h), 2, N),
        }[source]()
        new = nn.Tanh()(nn.CAddTable()([self.TABLES[table]()([thing, again(thing)]), x, nn.MulConstant(0.5)(h)]))
        assert_right(engine, gModule([x, h], [new, self.TABLES[table]()([new, again(new)])]), vectors(N, N))

    def test_three_times(self, engine):
        x, h = inputs()
        z = linear(N, N, h)
        new = nn.Tanh()(
            nn.CAddTable()([nn.CMulTable()([z, again(z), again(z)]), nn.CAddTable()([x, again(x), again(x)])])
        )
        assert_right(engine, gModule([x, h], [new, nn.CMulTable()([h, new, again(h)])]), vectors(N, N))

    @pytest.mark.parametrize("source", ["sequence", "product", "function", "part"])
    def test_calls(self, engine, source):
        x, h = inputs()
        thing = {
            "sequence": lambda: x,
            "product": lambda: linear(N, N, h),
            "function": lambda: nn.Sigmoid()(nn.CAddTable()([x, h])),
            "part": lambda: part(linear(N, 3, h), 2, N),
        }[source]()
        called = nn.CMaxTable()([nn.MulConstant(2)(thing), thing])
        a, b = nn.MapTable(nn.SoftPlus())([thing, again(thing)]).split(2)
        new = nn.Tanh()(nn.CAddTable()([a, nn.CMulTable()([b, called]), x, h]))
        assert_right(engine, gModule([x, h], [new, nn.Identity()(new)]), vectors(N, N))

    def test_a_call_that_joins(self, engine):
        """A part twice and the whole, by a module that is not known: of each the gradient goes where it belongs."""
        x, h = inputs()
        z = linear(N, N, h)
        half = part(z, 1, 1)
        joined = nn.JoinTable(1, 1)([half, again(half), z, part(z, 2, 1)])
        called = nn.MapTable(nn.SoftPlus())([half, z, again(half)])
        a, b, c = called.split(3)
        new = nn.Tanh()(nn.CAddTable()([b, nn.JoinTable(1, 1)([a, nn.Square()(c)]), x]))
        assert_right(engine, gModule([x, h], [new, joined]), vectors(N, N))

    def test_a_state(self, engine):
        """Which no plan can do: it runs step by step, and is right."""
        x, h = inputs()
        a, b = nn.MapTable(nn.SoftPlus())([h, again(h)]).split(2)
        new = nn.Tanh()(nn.CAddTable()([a, nn.Square()(b), x]))
        step = gModule([x, h], [new, nn.Identity()(new)])
        net = Unroll(step.clone())
        assert_same(ran(net, vectors(N, N)), looped(step, vectors(N, N)), **CLOSE)
        if issubclass(engine, PlannedEngine):
            assert next(iter(net._run.engines.values())).reason == "a module reads a state twice"
