"""Gradients that a module does not give: as in Torch, where they are nil, the others are summed without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nn
from pygraphnn import Node, gModule
from pygraphnn.nesting import addNestedTo, cloneNested, copyNested
from tests.support.nested import assert_same

X = np.array([[1.0, 2.0]])
G = np.array([[10.0, 20.0]])


class Sum(nn.Module):
    """[a, b] -> a + b, whose gradients are what a function makes of the gradient of the output."""

    def __init__(self, gradients: Callable[[Any], Any]):
        super().__init__()
        self.gradients = gradients

    def updateOutput(self, input: Any) -> Any:
        self.output = input[0] + input[1]
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.gradInput = self.gradients(gradOutput)
        return self.gradInput


def net(gradients: Callable[[Any], Any]) -> Any:
    """[a, b] -> [a + b, 2 a, 3 b]; has run forward."""
    a, b = nn.Identity()(), nn.Identity()()
    g = gModule([a, b], [Sum(gradients)([a, b]), nn.MulConstant(2)(a), nn.MulConstant(3)(b)])
    g.forward([X, X])
    return g


class TestGradInput:
    @pytest.mark.parametrize(
        ("gradients", "want"),
        [
            (lambda g: [g, g], [3 * G, 4 * G]),
            (lambda g: (g, g, g), [3 * G, 4 * G]),
            (lambda g: [g], [3 * G, 3 * G]),
            (lambda g: [g, None], [3 * G, 3 * G]),
            (lambda g: [None, g], [2 * G, 4 * G]),
            (lambda g: [], [2 * G, 3 * G]),
        ],
    )
    def test_what_there_is_is_summed(self, gradients, want):
        g = net(gradients)
        for _ in range(2):
            assert_same(g.backward([X, X], [G, G, G]), want)

    def test_the_list_of_a_node_has_what_arrived(self):
        g = net(lambda gradient: [None, gradient])
        g.backward([X, X], [G, G, G])
        assert sorted(len(node.data.gradOutput) for node in g.forwardnodes if node.data.module is not None) == [
            *(1, 1, 1),  # the modules
            *(1, 2),  # a and b
        ]

    @pytest.mark.parametrize(
        ("gradients", "came"),
        [(lambda g: None, "NoneType"), (lambda g: g, r"float64\[1, 2\]"), (lambda g: {1: g, 2: g}, "dict")],
    )
    def test_no_list_of_several(self, gradients, came):
        with pytest.raises(ValueError, match=rf"updateGradInput should give a table of 2 gradients, got {came}") as e:
            net(gradients).backward([X, X], [G, G, G])
        assert e.value.__notes__[0].startswith("In node 1 (Sum, declared at [")

    def test_a_linear_layer_told_to_give_none(self):
        x, first, second = nn.Identity()(), nn.Linear(2, 2), nn.Linear(2, 2)
        first.gradInput = None
        g = gModule([x], [nn.CAddTable()([first(x), second(x)])])
        g.zeroGradParameters()
        g.forward(X)
        assert_same(g.backward(X, G), G @ second.weight)
        assert_same(first.gradWeight, second.gradWeight)

    def test_none_at_all(self):
        x, layer = nn.Identity()(), nn.Linear(2, 2)
        layer.gradInput = None
        g = gModule([x], [layer(x)])
        g.zeroGradParameters()
        g.forward(X)
        assert g.backward(X, G) is None
        assert_same(layer.gradBias, G[0])


class TestNesting:
    def test_none_adds_nothing(self):
        x = [np.ones(2), [np.ones(3)]]
        addNestedTo(x, [None, [np.ones(3)]])
        assert_same(x, [np.ones(2), [np.full(3, 2.0)]])

    def test_none_is_copied(self):
        assert cloneNested([None, [None]]) == [None, [None]]

    def test_what_does_not_fit(self):
        with pytest.raises(ValueError, match=r"addNestedTo: \[float64\[2\]\] does not fit \[\] \(missing key\)"):
            addNestedTo([], [np.ones(2)])
        with pytest.raises(ValueError, match=r"copyNested: .* \(key 2 present in output but not in input\)"):
            copyNested([np.ones(2), np.ones(2)], [np.ones(2)])


class TestPartsMadeByHand:
    def part(self, node: Any, i: int) -> Any:
        made = Node({"selectindex": i})
        made.add(node, True)
        return made

    def test_of_a_table(self):
        x = nn.Identity()()
        table = nn.SplitTable(1)(x)
        g = gModule([x], [self.part(table, 2), self.part(table, 1)])
        x = np.array([[1.0, 2.0], [3.0, 4.0]])
        assert_same(g.forward(x), [x[1], x[0]])
        assert_same(g.backward(x, [x[1], x[0]]), x)

    def test_of_a_tensor(self):
        x = nn.Identity()()
        with pytest.raises(ValueError, match=r"the input for a split should be a table, got float64\[1, 2\]"):
            gModule([x], [self.part(nn.Tanh()(x), 1)]).forward(X)

    def test_one_part_twice(self):
        x = nn.Identity()()
        table = nn.ConcatTable().add(nn.Tanh()).add(nn.Tanh())(x)
        g = gModule([x], [self.part(table, 1), self.part(table, 1)])
        g.forward(X)
        with pytest.raises(ValueError, match="no gradOutput should be assigned yet, but part 1 is selected twice"):
            g.backward(X, [G, G])
