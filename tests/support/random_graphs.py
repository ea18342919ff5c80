"""Graphs of random form, with a computation of their values that knows nothing of graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

import nn
import torch7
from pygraphnn import JustElement, JustTable, gModule, nest

BATCH = 2
Value = Callable[[list[Any]], Any]  # of a node, from the values of the nodes before


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


FUNCTIONS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (nn.Tanh, np.tanh),
    (nn.Sigmoid, sigmoid),
    (nn.SoftPlus, lambda x: np.log1p(np.exp(x))),
    (nn.Square, lambda x: x * x),
    (lambda: nn.MulConstant(-1.5), lambda x: -1.5 * x),
    (lambda: nn.AddConstant(0.25), lambda x: x + 0.25),
    (nn.LogSoftMax, lambda x: x - np.log(np.exp(x).sum(1, keepdims=True))),
)
PASSING: tuple[Callable[[], Any], ...] = (nn.Identity, lambda: nn.Dropout(0.5))  # of evaluate mode
COMPUTING = ("linear", "function", "elementwise", "quotient", "shared", "twins")
ROUTING = (
    "passing",
    "join",
    "table",
    "narrow",
    "select",
    "columns",
    "selected",
    "narrowed",
    "nested_list",
    "alone",
    "shape",
)
GRAPHS = ("graph", "sequential")


class Drawing:
    """Draws a graph, node after node; for each node a function that computes its value, told from the modules' fields.

    `nodes`, `widths` (of rows) and `values` are lists in the order of the nodes; `inputs`, `outputs` and `sinks`, the
    outputs that no node reads, are places in them. `target` is the place of the input that only a criterion reads, if
    there is one. `kinds` are the names of the methods that drew the nodes, those of inner graphs among them.
    """

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], widths: Sequence[int] = (), size: int = 10):
        self.draw = draw
        self.nodes: list[Any] = []
        self.widths: list[int] = []
        self.values: list[Value] = []
        self.kinds: list[str] = []
        self.read: set[int] = set()
        self.x: list[Any] = []
        self.target: int | None = None
        widths = widths or draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
        self.inputs = list(range(len(widths)))
        for k, width in enumerate(widths):
            self.add(nn.Identity()(), width, [], lambda before, k=k: self.x[k])
        kinds = COMPUTING + ROUTING + (GRAPHS if size > 4 else ())
        for _ in range(draw(st.integers(1, size))):
            kind, before = draw(st.sampled_from(kinds)), len(self.nodes)
            getattr(self, kind)()
            self.kinds += [kind] if len(self.nodes) > before else []
        sinks = [k for k in range(len(self.nodes)) if k not in self.read]
        others = [k for k in range(len(self.nodes)) if k in self.read]
        extra = draw(st.lists(st.sampled_from(others), unique=True, max_size=2)) if others else []
        self.outputs = draw(st.permutations(sinks + extra))
        if size > 4 and draw(st.booleans()):
            self.criterion()
        self.sinks = [k for k in self.outputs if k not in self.read]

    def build(self) -> Any:
        """The graph, in evaluate mode."""
        g = gModule([self.nodes[k] for k in self.inputs], [self.nodes[k] for k in self.outputs])
        g.evaluate()
        return g

    def add(self, node: Any, width: int, sources: Sequence[int], value: Value) -> None:
        self.nodes.append(node)
        self.widths.append(width)
        self.values.append(value)
        self.read.update(sources)

    def source(self) -> int:
        return self.draw(st.integers(0, len(self.nodes) - 1))

    def sources(self, width: int | None = None, most: int = 4) -> list[int]:
        """Different nodes, two or more, or none if there are not so many of this width."""
        fitting = [k for k, w in enumerate(self.widths) if width in (None, w)]
        if len(fitting) < 2:
            return []
        return self.draw(st.lists(st.sampled_from(fitting), unique=True, min_size=2, max_size=most))

    def at(self, ks: Sequence[int]) -> list[Any]:
        return [self.nodes[k] for k in ks]

    # -- modules that compute

    def linear(self) -> None:
        k, width = self.source(), self.draw(st.integers(1, 3))
        m = nn.Linear(self.widths[k], width)
        self.add(m(self.nodes[k]), width, [k], lambda before: before[k] @ m.weight.T + m.bias)

    def function(self) -> None:
        k = self.source()
        module, function = self.draw(st.sampled_from(FUNCTIONS))
        self.add(module()(self.nodes[k]), self.widths[k], [k], lambda before: function(before[k]))

    def elementwise(self) -> None:
        width = self.widths[self.source()]
        module, function = self.draw(
            st.sampled_from(((nn.CAddTable, np.sum), (nn.CMulTable, np.prod), (nn.CSubTable, np.subtract)))
        )
        ks = self.sources(width, 2 if function is np.subtract else 4)
        if ks and function is np.subtract:
            self.add(module()(self.at(ks)), width, ks, lambda before: before[ks[0]] - before[ks[1]])
        elif ks:
            self.add(module()(self.at(ks)), width, ks, lambda before: function([before[k] for k in ks], axis=0))

    def quotient(self) -> None:
        """a / (3 + tanh b), which is never a division by zero."""
        if ks := self.sources(self.widths[self.source()], 2):
            a, b = ks
            node = nn.CDivTable()([self.nodes[a], self.nodes[b] - nn.Tanh() - nn.AddConstant(3)])
            self.add(node, self.widths[a], ks, lambda before: before[a] / (3 + np.tanh(before[b])))

    def shared(self) -> None:
        """One module in two nodes, of which the second runs when the output of the first is not needed any more."""
        k = self.source()
        m = nn.Linear(self.widths[k], self.widths[k])
        node = self.nodes[k] - m - nn.Tanh() - m
        self.add(
            node, self.widths[k], [k], lambda before: np.tanh(before[k] @ m.weight.T + m.bias) @ m.weight.T + m.bias
        )

    def twins(self) -> None:
        """Two modules that share their parameters."""
        ks, width = self.sources(self.widths[self.source()], 2), self.draw(st.integers(1, 3))
        if ks:
            m = nn.Linear(self.widths[ks[0]], width)
            for k, each in zip(ks, (m, m.clone("weight", "bias", "gradWeight", "gradBias"))):
                self.add(each(self.nodes[k]), width, [k], lambda before, k=k: before[k] @ m.weight.T + m.bias)

    def sequential(self) -> None:
        """A container in a node, with a graph in it."""
        k = self.source()
        inner = Drawing(self.draw, [self.widths[k]], 2)
        self.kinds += inner.kinds
        join = nn.JoinTable(2) if len(inner.outputs) > 1 else nn.Identity()
        module = nn.Sequential().add(inner.build()).add(join)
        width = sum(inner.widths[i] for i in inner.outputs)
        value: Value = lambda before: np.concatenate(inner.direct([before[k]]), axis=1)  # noqa: E731
        self.add(module(self.nodes[k]), width, [k], value)

    # -- modules that lead values elsewhere

    def join(self) -> None:
        if ks := self.sources():
            width = sum(self.widths[k] for k in ks)
            value: Value = lambda before: np.concatenate([before[k] for k in ks], axis=1)  # noqa: E731
            self.add(nn.JoinTable(2)(self.at(ks)), width, ks, value)

    def table(self) -> None:
        """A table of several nodes that is split again, as it is the order of the parts turned round."""
        if ks := self.sources():
            parts = nn.Identity()(self.at(ks)).split(len(ks))
            for part, k in reversed(list(zip(parts, ks))):
                self.add(part, self.widths[k], [k], lambda before, k=k: before[k])

    def narrow(self) -> None:
        k = self.source()
        first = self.draw(st.integers(1, self.widths[k]))
        width = self.draw(st.integers(1, self.widths[k] - first + 1))
        node = nn.Narrow(2, first, width)(self.nodes[k])
        self.add(node, width, [k], lambda before: before[k][:, first - 1 : first - 1 + width])

    def select(self) -> None:
        k = self.source()
        i = self.draw(st.integers(1, self.widths[k]))
        node = self.nodes[k] - nn.Select(2, i) - nn.View(-1, 1)
        self.add(node, 1, [k], lambda before: before[k][:, i - 1 : i])

    def columns(self) -> None:
        """Every column of rows as a node."""
        k = self.source()
        parts = (self.nodes[k] - nn.SplitTable(2)).split(self.widths[k])
        for i, part in enumerate(parts if isinstance(parts, list) else [parts]):
            self.add(part - nn.Reshape(1, True), 1, [k], lambda before, i=i: before[k][:, i : i + 1])

    def selected(self) -> None:
        if ks := self.sources():
            i = self.draw(st.integers(1, len(ks)))
            node = nn.SelectTable(i)(self.at(ks))
            self.add(node, self.widths[ks[i - 1]], ks, lambda before: before[ks[i - 1]])

    def narrowed(self) -> None:
        if ks := self.sources():
            node = nn.Identity()(self.at(ks)) - nn.NarrowTable(2, len(ks) - 1) - nn.JoinTable(2)
            width = sum(self.widths[k] for k in ks[1:])
            self.add(node, width, ks, lambda before: np.concatenate([before[k] for k in ks[1:]], axis=1))

    def nested_list(self) -> None:
        """[a, [b]] by nest(), taken apart again."""
        if ks := self.sources(most=2):
            first, second = nest([self.nodes[ks[0]], [self.nodes[ks[1]]]]).split(2)
            for part, k in zip((first, second.split(1)), ks):
                self.add(part, self.widths[k], [k], lambda before, k=k: before[k])

    def passing(self) -> None:
        k, module = self.source(), self.draw(st.sampled_from(PASSING))
        self.add(module()(self.nodes[k]), self.widths[k], [k], lambda before: before[k])

    def alone(self) -> None:
        k = self.source()
        self.add(self.nodes[k] - JustTable() - JustElement(), self.widths[k], [k], lambda before: before[k])

    def shape(self) -> None:
        k = self.source()
        node = self.nodes[k] - nn.Reshape(1, self.widths[k], True) - nn.View(-1, self.widths[k])
        self.add(node, self.widths[k], [k], lambda before: before[k])

    # -- what is itself a graph

    def graph(self) -> None:
        """A graph of several inputs and outputs in a node."""
        if ks := self.sources():
            inner = Drawing(self.draw, [self.widths[k] for k in ks], 3)
            self.kinds += inner.kinds
            parts = inner.build()(self.at(ks))
            parts = parts.split(len(inner.outputs)) if len(inner.outputs) > 1 else [parts]
            for i, part in enumerate(parts):
                value: Value = lambda before, i=i: inner.direct([before[k] for k in ks])[i]  # noqa: E731
                self.add(part, inner.widths[inner.outputs[i]], ks, value)

    def criterion(self) -> None:
        """A loss against one more input, as the last output."""
        k = self.source()
        self.target = len(self.nodes)
        self.inputs.append(self.target)
        self.add(nn.Identity()(), self.widths[k], [], lambda before: self.x[-1])
        node = nn.MSECriterion()([self.nodes[k], self.nodes[self.target]])
        self.outputs.append(len(self.nodes))
        self.add(node, 1, [k, self.target], lambda before: np.mean((before[k] - before[self.target]) ** 2).reshape(1))

    # -- numbers

    def input(self, seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [rng.uniform(-1, 1, (BATCH, self.widths[k])) for k in self.inputs]

    def direct(self, x: list[np.ndarray]) -> list[np.ndarray]:
        """The values of the output nodes."""
        self.x = x
        before: list[Any] = []
        for value in self.values:
            before.append(value(before))
        return [before[k] for k in self.outputs]


@st.composite
def drawings(draw: Any, size: int = 10) -> Drawing:
    """Drawings of up to `size` nodes or groups of them; small ones have no inner graphs and no criterion."""
    torch7.manualSeed(draw(st.integers(0, 1000)))
    return Drawing(draw, size=size)


def bare(values: list[Any]) -> Any:
    """What a graph of so many inputs or outputs takes or gives."""
    return values[0] if len(values) == 1 else values


def listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, list) else [values]
