"""Graphs of random form broken in one way: an error, never a computed result, and the rest can still be used."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nn
from pygraphnn import gModule, graph
from pygraphnn.gmodule import link
from tests.support.nested import assert_same, copied
from tests.support.random_graphs import BATCH, COMPUTING, Drawing, bare, drawings, listed

SEEDS = st.integers(0, 100)
Draw = Callable[[st.SearchStrategy[Any]], Any]
Lists = tuple[Any, Any]
LABEL = r"\[tests/\w+/[\w.]+\.py\]:\d+_\w+"
WRONG: list[Any] = [
    *(None, 3, 2.5, True, "x", nn.Tanh(), nn.Tanh, nn.MSECriterion(), np.ones(2)),
    *({}, {1: 2}, {1}, [], iter(()), graph.Node(), graph.Graph(), [None], gModule),
]


def lists(drawing: Drawing) -> Lists:
    return [drawing.nodes[k] for k in drawing.inputs], [drawing.nodes[k] for k in drawing.outputs]


class Breaking:
    """Ways to give gModule the lists of a drawing with one thing wrong; `undo` takes back what was done to nodes."""

    def __init__(self, draw: Draw, drawing: Drawing):
        self.draw, self.drawing = draw, drawing
        self.inputs, self.outputs = lists(drawing)
        self.undo: list[Callable[[], Any]] = []
        self.names_a_node = True

    def any(self, nodes: list[Any]) -> Any:
        return self.draw(st.sampled_from(nodes))

    def reader(self, module: Any, node: Any) -> Any:
        """A node that reads another one, until undo."""
        made = module()
        link(made, node, self.undo)
        return made

    def an_input_less(self) -> None:
        self.inputs.remove(self.any(self.inputs))
        self.names_a_node = bool(self.inputs)

    def an_output_less(self) -> None:
        self.outputs.remove(self.drawing.nodes[self.any(self.drawing.sinks)])
        self.names_a_node = bool(self.outputs)

    def an_output_twice(self) -> None:
        self.outputs.insert(self.draw(st.integers(0, len(self.outputs))), self.any(self.outputs))

    def an_input_with_inputs(self) -> None:
        inner = [node for node in self.drawing.nodes if node.children]
        assume(inner)
        self.inputs.append(self.any(inner))

    def an_input_that_nothing_reads(self) -> None:
        self.inputs.append(nn.Identity()())

    def a_dangling_node(self) -> None:
        self.reader(nn.Tanh(), self.any(self.drawing.nodes))

    def a_part_left_out(self) -> None:
        node = self.any(self.outputs)
        middle = nn.Identity()()
        link(middle, node, self.undo)
        parts = middle.split(3)
        self.outputs[self.outputs.index(node)] = parts[self.draw(st.integers(0, 2))]

    def a_cycle(self) -> None:
        node = self.any(self.drawing.nodes)
        behind = [node]
        for reached in behind:
            behind += [reader for reader in reached.data.reverseMap if reader not in behind]
        link(node, self.any(behind), self.undo)

    def a_node_of_another_graph(self) -> None:
        x = nn.Identity()()
        y = nn.Tanh()(x)
        gModule([x], [nn.Sigmoid()(y)])
        self.outputs.append(self.any([x, y]))

    def something_else_in_a_list(self) -> None:
        nodes = self.any([self.inputs, self.outputs])
        nodes.insert(self.draw(st.integers(0, len(nodes))), self.any(WRONG))
        self.names_a_node = False

    def no_list(self) -> None:
        name = self.any(["inputs", "outputs"])
        setattr(self, name, self.any([*WRONG, self.drawing.nodes[0], iter(self.inputs)]))
        self.names_a_node = False


WAYS = [name for name, value in vars(Breaking).items() if callable(value) and name not in ("__init__", "any", "reader")]


@pytest.mark.parametrize("way", WAYS)
@settings(deadline=None, max_examples=30)
@given(drawings(), st.data(), SEEDS)
def test_what_cannot_be_built(way, drawing, data, seed):
    broken = Breaking(data.draw, drawing)
    getattr(broken, way)()
    with pytest.raises((TypeError, ValueError)) as refused:
        gModule(broken.inputs, broken.outputs)
    assert type(refused.value) in (TypeError, ValueError)
    assert "Module: " in str(refused.value) or "inputs[" in str(refused.value)
    if broken.names_a_node:
        assert re.search(LABEL, str(refused.value))
    for step in reversed(broken.undo):
        step()
    g, x = drawing.build(), drawing.input(seed)
    assert_same(listed(g.forward(bare(x))), drawing.direct(x), rtol=1e-10, atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(drawings(), st.data())
def test_what_cannot_be_wired(drawing, data):
    node, other = (data.draw(st.sampled_from(drawing.nodes)) for _ in range(2))
    wrong = data.draw(st.sampled_from([*WRONG, [node, node], [node, other, node], [node, None]]))
    uses: list[Callable[[], Any]] = [
        lambda: nn.CAddTable()(wrong),
        lambda: nn.CAddTable()([node, wrong]),
        lambda: nn.CAddTable()(node, wrong),
        lambda: node.split(0 if type(wrong) is int else wrong),
        lambda: node.add(wrong, True),
    ]
    if not isinstance(wrong, (nn.Module, nn.Criterion)):
        uses.append(lambda: wrong - nn.CAddTable() if isinstance(wrong, list) else node - wrong)
    use = data.draw(st.sampled_from(uses))
    with pytest.raises((TypeError, ValueError)):
        use()
    drawing.build()


def refuses(run: Callable[[], Any]) -> str:
    """The text of the error that run() raises, with its notes."""
    with pytest.raises((TypeError, ValueError)) as refused:
        run()
    assert type(refused.value) in (TypeError, ValueError)
    return "\n".join([str(refused.value), *getattr(refused.value, "__notes__", [])])


class TestRunning:
    """After every error the right input gives the right numbers."""

    def runs(self, g: Any, drawing: Drawing, seed: int) -> None:
        x = drawing.input(seed)
        assert_same(listed(g.forward(bare(x))), drawing.direct(x), rtol=1e-10, atol=1e-12)
        g.backward(bare(x), bare([np.ones_like(y) for y in listed(g.output)]))

    @settings(deadline=None, max_examples=40)
    @given(drawings(), SEEDS, st.data())
    def test_wrong_numbers_of_inputs_and_gradients(self, drawing, seed, data):
        g, x = drawing.build(), drawing.input(seed)
        self.runs(g, drawing, seed)
        n, outputs = len(x), listed(g.output)
        if n > 1:
            wrong = data.draw(st.sampled_from([x[:-1], [*x, x[0]], [], x[0], None, "ab"[:n], dict(enumerate(x, 1))]))
            assert re.search(LABEL, refuses(lambda: g.forward(wrong)))
        if len(outputs) > 1:
            wrong = data.draw(st.sampled_from([outputs[:-1], [*outputs, outputs[0]], [], outputs[0], None]))
            assert re.search(LABEL, refuses(lambda: g.backward(bare(x), wrong)))
        self.runs(g, drawing, seed)

    @settings(deadline=None, max_examples=50)
    @given(drawings(), SEEDS, st.data())
    def test_an_input_of_another_width(self, drawing, seed, data):
        """What numpy cannot compute is refused; anything else is refused or computed rightly."""
        g, x = drawing.build(), drawing.input(seed)
        k = data.draw(st.integers(0, len(x) - 1))
        x[k] = np.ones((len(x[k]), x[k].shape[1] + data.draw(st.sampled_from([1, 2]))))
        try:
            want = drawing.direct(x)
        except ValueError:
            assert re.search(LABEL, refuses(lambda: g.forward(bare(x))))
        else:
            with contextlib.suppress(TypeError, ValueError):
                assert_same(listed(g.forward(bare(x))), want, rtol=1e-10, atol=1e-12)
        self.runs(g, drawing, seed)

    @settings(deadline=None, max_examples=50)
    @given(drawings(), SEEDS)
    def test_inputs_of_another_precision(self, drawing, seed):
        """Every module that computes refuses them; JoinTable copies into its own type, as in Torch."""
        g = drawing.build()
        assume(any(kind in COMPUTING for kind in drawing.kinds) and not g.findModules("nn.JoinTable")[0])
        single = [a.astype(np.float32) for a in drawing.input(seed)]
        assert re.search(LABEL, refuses(lambda: g.forward(bare(single))))
        self.runs(g, drawing, seed)

    @settings(deadline=None, max_examples=40)
    @given(drawings(), SEEDS, st.sampled_from([None, "x", 3, 2.5, [], {}, [[None]], nn.Tanh()]), st.data())
    def test_inputs_that_are_no_tensors(self, drawing, seed, wrong, data):
        assume(any(kind in COMPUTING for kind in drawing.kinds))
        g, x = drawing.build(), drawing.input(seed)
        x = [wrong for _ in x]
        assert re.search(LABEL, refuses(lambda: g.forward(bare(x))))
        self.runs(g, drawing, seed)

    @settings(deadline=None, max_examples=40)
    @given(drawings(), SEEDS, st.data())
    def test_gradients_that_do_not_fit(self, drawing, seed, data):
        inputs, outputs = lists(drawing)
        g = gModule(inputs, [nn.Tanh()(node) for node in outputs])
        g.evaluate()
        x = bare(drawing.input(seed))
        gradOutput = [np.ones_like(y) for y in listed(g.forward(x))]
        want = copied(listed(g.backward(x, bare(gradOutput))))
        k = data.draw(st.integers(0, len(gradOutput) - 1))
        right = gradOutput[k]
        for wrong in (np.ones((3, 5, 7)), right.astype(np.float32), right.astype(np.int64), None, 1.0, [right], "x"):
            gradOutput[k] = wrong
            assert re.search(LABEL, refuses(lambda: g.backward(x, bare(gradOutput))))
        gradOutput[k] = right
        assert_same(listed(g.backward(x, bare(gradOutput))), want)

    @settings(deadline=None, max_examples=40)
    @given(drawings(), SEEDS)
    def test_backward_without_forward(self, drawing, seed):
        inputs, outputs = lists(drawing)
        g = gModule(inputs, [nn.Tanh()(node) for node in outputs])
        g.evaluate()
        x = drawing.input(seed)
        gradOutput = [np.ones((BATCH, drawing.widths[k])) for k in drawing.outputs]
        assert re.search(LABEL, refuses(lambda: g.backward(bare(x), bare(gradOutput))))
        assert_same(listed(g.forward(bare(x))), [np.tanh(y) for y in drawing.direct(x)], rtol=1e-10, atol=1e-12)
