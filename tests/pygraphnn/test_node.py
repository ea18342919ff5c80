"""nngraph.Node, the wiring of modules, and the modules that adapt values inside graphs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from pygraphnn import JustElement, JustTable, ModuleFromCriterion, Node, gModule, nest, nesting
from tests.support.nested import assert_same

THIS_FILE = r"\[.*test_node\.py\]"


def inputs_of(node: Any) -> list[Any]:
    """The modules that a node reads."""
    return [data.module for data in node.data.mapindex.list_part()]


class TestWiring:
    def test_call_with_one_node_several_or_none(self):
        a, b = nn.Identity()(), nn.Identity()()
        assert inputs_of(a) == []
        assert inputs_of(nn.Tanh()(a)) == [a.data.module]
        assert inputs_of(nn.CAddTable()([b, a])) == [b.data.module, a.data.module]
        assert inputs_of(nn.CAddTable()((a, b))) == [a.data.module, b.data.module]

    def test_operators(self):
        first = -nn.Linear(2, 3)
        assert type(first) is Node
        last = first - nn.Tanh() - nn.Linear(3, 1)
        assert [type(m) for m in inputs_of(last)] == [nn.Tanh]
        both = [first, last] - nn.CAddTable()
        assert inputs_of(both) == [first.data.module, last.data.module]

    def test_a_criterion_on_nodes_and_on_values(self):
        a, b = nn.Identity()(), nn.Identity()()
        node = nn.MSECriterion()([a, b])
        assert type(node.data.module) is ModuleFromCriterion
        loss, gradInput = nn.MSECriterion()(np.ones(2), np.zeros(2))
        assert loss == 1
        assert_same(gradInput, np.ones(2))

    def test_modules_are_found_in_nn(self):
        assert nn.gModule is gModule
        assert nn.ModuleFromCriterion is ModuleFromCriterion

    @pytest.mark.parametrize("given", [(), [], {}])
    def test_empty_tables(self, given):
        with pytest.raises(ValueError, match=r"nn\.Tanh: cannot pass an empty table of inputs"):
            nn.Tanh()(given)

    def test_nest_makes_tables_of_any_depth(self):
        a, b = nn.Identity()(), nn.Identity()()
        node = nest([a, [b, [a]]])
        g = gModule([a, b], [nn.Identity()(node)])
        x, y = np.ones(2), np.zeros(1)
        assert_same(g.forward([x, y]), [x, [y, [x]]])
        assert_same(
            g.backward([x, y], [np.full(2, 1.0), [np.full(1, 2.0), [np.full(2, 3.0)]]]),
            [np.full(2, 4.0), np.full(1, 2.0)],
        )
        assert nest(a) is a
        with pytest.raises(TypeError, match="Pass an input"):
            nest(None)


class TestNode:
    def test_made_by_hand(self):
        node = Node()
        assert node.data.mapindex == node.data.reverseMap == {}
        assert Node({"module": nn.Tanh()}).data.module.__class__ is nn.Tanh

    def test_add(self):
        a, b = nn.Identity()(), nn.Identity()()
        b.add(a)
        assert b.children == [a]
        assert inputs_of(b) == []
        b.add(a, True)
        assert b.children == [a]
        assert inputs_of(b) == [a.data.module]
        assert list(a.data.reverseMap) == [b]
        with pytest.raises(ValueError, match=r"Don't pass the same input twice\. \(node .*nn.Identity.* for node"):
            b.add(a, True)
        b.data.mapindex.clear()
        with pytest.raises(ValueError, match="this connection has already been made!"):
            b.add(a, True)
        for wrong in (None, nn.Tanh(), [a], pygraphnn.graph.Node({})):
            with pytest.raises(TypeError, match=r"nngraph\.Node\.add: expected an nngraph\.Node, got"):
                a.add(wrong, True)

    def test_split(self):
        x = nn.Identity()()
        parts = x.split(3)
        assert [part.data.selectindex for part in parts] == [1, 2, 3]
        (middle,) = {id(part.children[0]): part.children[0] for part in parts}.values()
        assert middle.data.nSplitOutputs == 3
        assert middle.children == [x]
        only = nn.Identity()().split(1)
        assert type(only) is Node
        assert type(only.data.module) is JustElement
        for wrong in (0, -1):
            with pytest.raises(ValueError, match=f"expected a number of parts from 1 on, got {wrong}"):
                x.split(wrong)

    def test_where_it_was_made(self):
        def helper() -> Any:
            return nn.Tanh()(nn.Identity()())

        label = helper().data.annotations["_debugLabel"]
        assert re.fullmatch(THIS_FILE + r":\d+_helper", label)
        x = nn.Identity()()
        part = x.split(2)[1]
        made = x.data.annotations["_debugLabel"]
        assert part.data.annotations["_debugLabel"] == f"{made}-2"
        middle = part.children[0].data.annotations["_debugLabel"]
        assert re.fullmatch(re.escape(made) + rf" split at {THIS_FILE}:\d+-mnode", middle)
        assert re.fullmatch(THIS_FILE + r":\d+_.*", (-nn.Tanh()).data.annotations["_debugLabel"])

    def test_the_place_may_come_from_elsewhere(self, monkeypatch):
        monkeypatch.setattr(pygraphnn.node, "place", lambda: "[script.lua]:3_f")
        x = nn.Identity()()
        assert x.data.annotations["_debugLabel"] == "[script.lua]:3_f"
        part = x.split(2)[0]
        assert part.children[0].data.annotations["_debugLabel"] == "[script.lua]:3_f split at [script.lua]:3-mnode"

    def test_annotate(self):
        x = nn.Identity()()
        assert x.annotate({"name": "a"}, description="b") is x
        assert (x.data.annotations.name, x.data.annotations.description) == ("a", "b")
        assert x.annotate(name="c").graphNodeName() == "c (0)"
        assert repr(x).startswith("<node c (nn.Identity, declared at [")
        x.annotate(graphAttributes={"color": "red"})
        assert x.graphNodeAttributes() == {"color": "red", "tooltip": x.data.annotations["_debugLabel"]}

    def test_label_of_a_container_has_its_lines(self):
        node = nn.Sequential().add(nn.Tanh())()
        assert node.label().startswith("module = nn.Sequential {\\l  [input -> (1) -> output]\\l  (1): nn.Tanh\\l}\\l")

    def test_label_of_all_kinds_of_values(self):
        node = nn.Identity()()
        node.data.update(flag=True, count=3, text="a\nb", floats=np.zeros((2, 3), np.float32), none=None)
        node.data.update(table=[np.zeros(0), [np.array([[np.nan]])]], mixed=torch7.Table({1: 5, "a": 6}))
        assert node.label().split("\\l") == [
            "count = 3",
            "flag = true",
            "floats = torch.FloatTensor[2x3]",
            "mixed = {5}",
            "module = nn.Identity",
            "reverseMap = {}",
            "table = {Tensor[],{Tensor[1x1]NaN}}",
            "text = a",
            "b",
        ]

    def test_a_file_with_no_table_as_data(self):
        wrong = torch7.TorchObject("nngraph.Node", data=5, children=[])
        with pytest.raises(
            torch7.T7Error, match=r"nngraph\.Node: expected a table with named fields as data, got a number"
        ):
            torch7.deserialize(torch7.serialize(wrong))


def test_data_shows_itself_and_not_the_whole_graph():
    node = nn.Identity()()
    for _ in range(40):
        node = nn.CAddTable()([nn.Tanh()(node), nn.Sigmoid()(node)])
    text = repr(node.data)
    assert "'module': nn.CAddTable" in text
    assert re.search(r"'mapindex': Table\({1: Key\(Table at 0x\w+\), Key\(Table at 0x\w+\): 1", text)
    assert len(text) < 1000


class TestAdapters:
    def test_just_table_and_just_element(self):
        x, g = np.ones(2), np.zeros(2)
        table, element = JustTable(), JustElement()
        assert table.forward(x)[0] is x
        assert table.forward(g) is table.output
        assert table.backward(x, [g]) is g
        assert element.forward([x]) is x
        assert element.backward([x], g)[0] is g
        for wrong in (x, [], [x, x]):
            with pytest.raises(ValueError, match=r"nngraph\.JustElement: expecting one element in a table, got a"):
                element.forward(wrong)

    def test_module_from_criterion(self):
        m = ModuleFromCriterion(nn.MSECriterion())
        x, y = np.array([1.0, 2]), np.array([0.0, 0])
        assert m.forward([x, y]).tolist() == [2.5]
        gradInput = m.backward([x, y], np.array([10.0]))
        assert_same(gradInput, [np.array([10.0, 20]), np.zeros(2)])
        first = list(gradInput)
        assert m.backward([x, y], np.array([1.0])) is gradInput
        assert all(a is b for a, b in zip(gradInput, first, strict=True))
        for wrong in (x, [x], [x, y, y]):
            with pytest.raises(ValueError, match=r"nn.ModuleFromCriterion: expected \[prediction, target\], got a"):
                m.forward(wrong)

    def test_module_from_criterion_with_tables(self):
        class Distance(nn.Criterion):
            """The sum of the distances of two tables of tensors."""

            def updateOutput(self, input: Any, target: Any) -> Any:
                self.output = sum(float(abs(x - y).sum()) for x, y in zip(input, target))
                return self.output

            def updateGradInput(self, input: Any, target: Any) -> Any:
                self.gradInput = [np.sign(x - y) for x, y in zip(input, target)]
                return self.gradInput

        m = ModuleFromCriterion(Distance())
        x, y = [np.ones(2), np.ones(1)], [np.zeros(2), np.full(1, 3.0)]
        assert m.forward([x, y]).tolist() == [4]
        want = [[np.full(2, 2.0), np.full(1, -2.0)], [np.zeros(2), np.zeros(1)]]
        assert_same(m.backward([x, y], np.array([2.0])), want)
        kept = m.gradInput[0]
        assert_same(m.backward([x, y], np.array([2.0])), want)
        assert m.gradInput[0] is kept
        m.clearState()
        assert m.forward([x, y]).tolist() == [4]
        assert_same(m.backward([x, y], np.array([2.0])), want)

    def test_module_from_criterion_converts_the_criterion(self):
        m = ModuleFromCriterion(nn.MSECriterion()).float()
        x, y = np.ones(2, np.float32), np.zeros(2, np.float32)
        assert m.forward([x, y]).dtype == np.float32
        assert [g.dtype for g in m.backward([x, y], np.ones(1, np.float32))] == [np.float32] * 2
        assert m.clone().criterion is not m.criterion


class TestNesting:
    def test_clone_and_fill(self):
        x = [np.ones(2), [np.ones((1, 2)).T]]
        copy = nesting.cloneNested(x)
        nesting.fillNested(copy, 5)
        assert_same(copy, [np.full(2, 5.0), [np.full((2, 1), 5.0)]])
        assert_same(x, [np.ones(2), [np.ones((2, 1))]])

    def test_resize_copy_and_add(self):
        x = [np.ones(2), [np.full(3, 2.0)]]
        old = [np.zeros(2), [np.zeros(1), np.zeros(1)]]
        buffer = nesting.resizeNestedAs(old, x)
        assert buffer is old
        assert [a.shape for a in (buffer[0], *buffer[1])] == [(2,), (3,)]
        nesting.copyNested(buffer, x)
        nesting.addNestedTo(buffer, x)
        assert_same(buffer, [np.full(2, 2.0), [np.full(3, 4.0)]])

    def test_forms_that_differ(self):
        with pytest.raises(ValueError, match=r"copyNested: \[float64\[2\]\] does not fit \[\]"):
            nesting.copyNested([], [np.ones(2)])
        with pytest.raises(ValueError, match=r"copyNested: float64\[2\] does not fit float64\[3\]"):
            nesting.copyNested([np.ones(3)], [np.ones(2)])
        with pytest.raises(ValueError, match=r"addNestedTo: \[float64\[2\]\] does not fit float64\[2\]"):
            nesting.addNestedTo(np.ones(2), [np.ones(2)])
        output = [np.ones(1), np.ones(2)]
        nesting.addNestedTo(output, [np.ones(1)])
        assert_same(output, [np.full(1, 2.0), np.ones(2)])

    @pytest.mark.parametrize(
        ("x", "zero"),
        [
            (np.broadcast_to(np.zeros(1), (2, 3)), True),
            (np.zeros(1), True),
            (np.broadcast_to(np.ones(1), (2, 3)), False),
            (np.zeros(2), False),
            (np.zeros(2)[:1], False),
            (np.zeros(0), False),
            ([np.zeros(1)], False),
            (None, False),
        ],
    )
    def test_zero_constants(self, x, zero):
        assert nesting.is_zero_constant(x) is zero
