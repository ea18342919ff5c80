"""Graphs of random form against direct evaluation and derivatives by differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import nn
import torch7
from pygraphnn import gModule
from tests.support.graphs import ran
from tests.support.nested import assert_same

BATCH = 2


class Drawing:
    """Draws a graph, node after node; for each node a function that computes its value, told from the modules' fields.

    `values` are these functions in the order of the nodes; one takes the list of the values of the nodes before.
    """

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]):
        self.draw = draw
        self.nodes: list[Any] = []
        self.widths: list[int] = []
        self.values: list[Callable[[list[Any]], Any]] = []
        self.read: set[int] = set()
        self.n_inputs = draw(st.integers(1, 3))
        for k in range(self.n_inputs):
            width = draw(st.integers(1, 3))
            self.add(nn.Identity()(), width, [], lambda before, k=k: self.x[k])
        for _ in range(draw(st.integers(1, 10))):
            getattr(self, draw(st.sampled_from(("linear", "function", "elementwise", "join", "table"))))()
        sinks = [k for k in range(len(self.nodes)) if k not in self.read]
        others = [k for k in range(len(self.nodes)) if k in self.read]
        extra = draw(st.lists(st.sampled_from(others), unique=True, max_size=2)) if others else []
        self.outputs = draw(st.permutations(sinks + extra))
        self.g = gModule(self.nodes[: self.n_inputs], [self.nodes[k] for k in self.outputs])

    def add(self, node: Any, width: int, sources: list[int], value: Callable[[list[Any]], Any]) -> None:
        self.nodes.append(node)
        self.widths.append(width)
        self.values.append(value)
        self.read.update(sources)

    def source(self) -> int:
        return self.draw(st.integers(0, len(self.nodes) - 1))

    def sources(self, width: int | None = None) -> list[int]:
        """Different nodes, two or more, or none if there are not so many of this width."""
        fitting = [k for k, w in enumerate(self.widths) if width in (None, w)]
        if len(fitting) < 2:
            return []
        return self.draw(st.lists(st.sampled_from(fitting), unique=True, min_size=2, max_size=4))

    def linear(self) -> None:
        k, width = self.source(), self.draw(st.integers(1, 3))
        m = nn.Linear(self.widths[k], width)
        self.add(m(self.nodes[k]), width, [k], lambda before: before[k] @ m.weight.T + m.bias)

    def function(self) -> None:
        k = self.source()
        module, function = self.draw(
            st.sampled_from(
                ((nn.Tanh, np.tanh), (nn.Sigmoid, lambda x: 1 / (1 + np.exp(-x))), (nn.Identity, lambda x: x))
            )
        )
        self.add(module()(self.nodes[k]), self.widths[k], [k], lambda before: function(before[k]))

    def elementwise(self) -> None:
        width = self.widths[self.source()]
        ks = self.sources(width)
        module, function = self.draw(st.sampled_from(((nn.CAddTable, np.sum), (nn.CMulTable, np.prod))))
        if ks:
            node = module()([self.nodes[k] for k in ks])
            self.add(node, width, ks, lambda before: function([before[k] for k in ks], axis=0))

    def join(self) -> None:
        ks = self.sources()
        if ks:
            node = nn.JoinTable(2)([self.nodes[k] for k in ks])
            width = sum(self.widths[k] for k in ks)
            self.add(node, width, ks, lambda before: np.concatenate([before[k] for k in ks], axis=1))

    def table(self) -> None:
        """A table of several nodes that is split again, as it is the order of the parts turned round."""
        ks = self.sources()
        if ks:
            parts = nn.Identity()([self.nodes[k] for k in ks]).split(len(ks))
            for part, k in reversed(list(zip(parts, ks))):
                self.add(part, self.widths[k], [k], lambda before, k=k: before[k])

    def input(self, seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [rng.uniform(-1, 1, (BATCH, width)) for width in self.widths[: self.n_inputs]]

    def direct(self, x: list[np.ndarray]) -> list[np.ndarray]:
        """The values of the output nodes."""
        self.x = x
        before: list[Any] = []
        for value in self.values:
            before.append(value(before))
        return [before[k] for k in self.outputs]


@st.composite
def drawings(draw: Any) -> Drawing:
    torch7.manualSeed(draw(st.integers(0, 1000)))
    return Drawing(draw)


def bare(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, list) else [values]


@settings(deadline=None, max_examples=80)
@given(drawings(), st.integers(0, 100))
def test_value_and_derivative(drawing, seed):
    g, x = drawing.g, drawing.input(seed)
    params, gradParams = g.getParameters()
    for again in range(2):
        x = drawing.input(seed + again)  # the buffers of the first time are used again
        assert_same(listed(g.forward(bare(x))), drawing.direct(x), rtol=1e-11, atol=1e-13)
        rng = np.random.default_rng(seed)
        gradOutput = [rng.uniform(-1, 1, y.shape) for y in listed(g.output)]
        gradParams.fill(0)
        gradInput = listed(g.backward(bare(x), bare(gradOutput)))

    def loss() -> float:
        return sum(float((y * c).sum()) for y, c in zip(drawing.direct(x), gradOutput))

    for array, gradient in zip([*x, params], [*gradInput, gradParams], strict=True):
        assert gradient.shape == array.shape
        for i in rng.permutation(array.size)[:6]:
            wanted = difference(loss, array.reshape(-1), i)
            assert abs(gradient.reshape(-1)[i] - wanted) <= 1e-6 * max(1, abs(wanted))


def difference(loss: Callable[[], float], flat: np.ndarray, i: int) -> float:
    """The derivative of loss() with respect to flat[i]."""
    kept, step, values = flat[i], 1e-5, []
    for moved in (kept + step, kept - step):
        flat[i] = moved
        values.append(loss())
    flat[i] = kept
    return (values[0] - values[1]) / (2 * step)


@settings(deadline=None, max_examples=30)
@given(drawings(), st.integers(0, 100))
def test_copies_give_the_same(drawing, seed):
    g, x = drawing.g, bare(drawing.input(seed))
    want = ran(g, x)
    for copy in (g.clone(), torch7.deserialize(torch7.serialize(g)), g.clearState()):
        assert_same(ran(copy, x), want)
