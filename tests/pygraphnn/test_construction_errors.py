"""Graphs that cannot be built: the errors say what was expected, what came, and where the node was made."""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import Node, gModule, graph, nest


def identity() -> Any:
    return nn.Identity()()


def here(offset: int = 0) -> str:
    """The label of a node that the calling line makes, or one `offset` lines below it."""
    frame = sys._getframe(1)
    return f"[tests/pygraphnn/test_construction_errors.py]:{frame.f_lineno + offset}_{frame.f_code.co_name}"


def refused(build: Any, *args: Any) -> str:
    """The message of the error that build(*args) raises."""
    with pytest.raises((TypeError, ValueError)) as error:
        build(*args)
    return str(error.value)


class TestCycles:
    def test_its_nodes_are_named_in_the_direction_of_the_values(self):
        x = identity()
        a, at_a = nn.CAddTable()(x).annotate(name="a"), here()
        b, at_b = nn.Tanh()(a), here()
        a.add(b, True)
        message = refused(gModule, [x], [nn.Sigmoid()(b)])
        assert "does not connect to gmodule output" in message  # Torch's words
        assert f"node a (nn.CAddTable, declared at {at_a})" in message
        assert f"node (nn.Tanh, declared at {at_b})" in message
        assert [message.count(text) for text in (" -> ", at_a, at_b)] == [2, 3, 1]

    def test_a_cycle_that_no_input_leads_to(self):
        x, a = identity(), nn.CAddTable()()
        a.add(nn.Tanh()(a), True)
        assert "Graph has cycles" in refused(gModule, [x], [nn.CAddTable()([x, a])])

    def test_a_node_that_reads_itself(self):
        x = identity()
        a = nn.CAddTable()(x)
        a.add(a, True)
        assert re.search(r"node \(nn.CAddTable, .*\) -> node \(nn.CAddTable, ", refused(gModule, [x], [a]))

    def test_of_a_long_cycle_the_middle_is_left_out(self):
        x = identity()
        a = b = nn.CAddTable()(x)
        for _ in range(1000):
            b = nn.Tanh()(b)
        a.add(b, True)
        message = refused(gModule, [x], [b])
        assert "... 994 more ..." in message
        assert message.count(" -> ") == 8


class TestUnused:
    def test_parts_of_a_split(self):
        x, at = nn.Identity()(), here()
        _, b, _ = x.split(3)
        message = refused(gModule, [x], [b])
        assert message.startswith("nn.gModule: 2 of split(3) outputs from the node declared at " + at)
        assert message.endswith("are unused: part 1, part 3")

    def test_of_many_parts_some_are_named(self):
        x = identity()
        assert refused(gModule, [x], [x.split(20)[0]]).endswith("part 2, part 3, part 4, part 5, and 15 more")

    def test_inputs(self):
        x = identity()
        y, at = nn.Identity()().annotate(name="y"), here()
        message = refused(gModule, [x, y], [nn.Tanh()(x)])
        assert message.startswith("nn.gModule: 1 of split(2) outputs")
        assert message.endswith(f"input 2 of the gModule, node y (nn.Identity, declared at {at})")

    def test_a_node_that_leads_to_no_output(self):
        x = identity()
        nn.Tanh()(x), (at := here())
        message = refused(gModule, [x], [nn.Sigmoid()(x)])
        assert f"node declared on {at} does not connect to gmodule output, but reads node (nn.Identity" in message

    def test_more_readers_than_parts(self):
        x = identity()
        a, b = x.split(2)
        extra = nn.CAddTable()(a.children[0])
        assert "it is read by more nodes than there are parts" in refused(gModule, [x], [a, b, extra])

    def test_no_output_depends_on_an_input(self):
        @torch7.register("nnop.Parameters")
        class Parameters(nn.Module):
            pass

        assert "no output depends on the inputs" in refused(gModule, [identity()], [Parameters()()])
        x, y = identity(), identity()
        assert refused(gModule, [x], [nn.Tanh()(y)]).endswith("No output depends on the given inputs.")


class TestInputs:
    def test_one_is_missing(self):
        x, y = identity(), nn.Linear(2, 2)().annotate(name="y")
        message = refused(gModule, [x], [nn.CAddTable()([x, y])])
        assert "node y (nn.Linear(2 -> 2), declared at " + here(-2) in message
        assert "has no input and is not among the inputs" in message
        assert "Expected nnop.Parameters node, found : nn.Linear" in message

    def test_one_without_a_module_is_missing(self):
        x, y = identity(), Node({})
        message = refused(gModule, [x], [nn.CAddTable()([x, y])])
        assert f"node (no module, declared at {here(-2)}) has no input" in message
        assert "Expected nnop.Parameters node, module not found in node" in message

    def test_an_input_with_inputs(self):
        x, y = identity(), identity()
        h, at = nn.Tanh()(x), here()
        message = refused(gModule, [y, h], [nn.CAddTable()([y, h])])
        assert "an input should have no inputs" in message
        assert f"inputs[2], node (nn.Tanh, declared at {at}), reads node (nn.Identity, " in message

    def test_empty_lists(self):
        assert "no inputs are not supported" in refused(gModule, [], [identity()])
        assert "expected at least one output" in refused(gModule, [identity()], [])

    def test_the_same_output_twice(self):
        x, y = identity(), identity()
        message = refused(gModule, [x, y], [x, y, x])
        assert message.startswith("nn.gModule: Don't pass the same input twice. outputs[3] is outputs[1], node (")
        with pytest.raises(ValueError, match=r"nn\.CAddTable: Don't pass the same .* inputs\[2\] is inputs\[1\]"):
            nn.CAddTable()([x, x])

    def test_one_node_may_be_input_and_output(self):
        x = identity()
        assert gModule([x], [x]).forward(np.ones(2)).tolist() == [1, 1]


class TestNodesOfAnotherGraph:
    """As in Torch a node is in one graph only, because its data holds the values of the run."""

    def graph(self, n: int) -> tuple[list[Any], Any, str]:
        inputs = [identity() for _ in range(n)]
        h = nn.CAddTable()(inputs)
        gModule(inputs, [nn.Tanh()(h)])
        return inputs, h, here(-1).replace("_here", "_graph")

    def wired(self, n: int, how: str) -> str:
        inputs, h, at = self.graph(n)
        z = identity()
        nodes = {
            "the same again": (inputs, [h]),
            "an input": (inputs, [nn.Sigmoid()(x) for x in inputs]),
            "an inner node": ([z], [nn.CAddTable()([z, h])]),
            "an inner node as input": ([h], [nn.Sigmoid()(h)]),
        }[how]
        message = refused(gModule, *nodes)
        assert f"in the gModule made at {at}, and a node can be in one graph only" in message
        return message

    @pytest.mark.parametrize("n", [1, 2])
    @pytest.mark.parametrize("how", ["the same again", "an input", "an inner node", "an inner node as input"])
    def test_the_error_says_so(self, n, how):
        assert re.search(r"node \d+ \(nn.Identity, declared at \[.*\]:\d+_identity\)", self.wired(n, how))

    def test_an_output_that_is_read_again(self):
        (x,), h, _ = self.graph(1)
        with pytest.raises(ValueError, match=r"nn\.gModule: node \d \(nn.Identity.* has its input in the gModule"):
            gModule([x], [h])

    def test_nodes_of_the_forward_graph(self):
        x = identity()
        g = gModule([x], [nn.Tanh()(x)])
        node = g.forwardnodes[1]
        assert "a node can be in one graph only" in refused(gModule, [node], [nn.Tanh()(node)])
        assert "Don't pass the same input twice" in refused(nn.CAddTable(), [x, node])

    def test_a_reader_in_another_graph(self):
        x, p = identity(), self.parameters()
        gModule([x], [nn.CAddTable()([x, p])])
        y = identity()
        message = refused(gModule, [y], [nn.CMulTable()([y, p])])
        assert f"does not connect to gmodule output, but reads node 4 (Parameters, declared at {self.at})" in message
        assert f"; it is in the gModule made at {here(-4)}, and a node can be in one graph only" in message

    def parameters(self) -> Any:
        @torch7.register("nnop.Parameters")
        class Parameters(nn.Module):
            def __str__(self) -> str:
                return "Parameters"

        self.at = here(1)
        return Parameters()()


GENERATOR = (node for node in ())
WRONG = {
    "nil": None,
    "userdata (generator)": GENERATOR,
    "userdata (set)": {1},
    "table (dict)": {1: 2},
    "number (int)": 3,
    "number (float)": 2.5,
    "boolean": True,
    "string": "x",
    "function": identity,
    "function (class Tanh)": nn.Tanh,
    "torch.DoubleTensor (ndarray)": np.ones(2),
    "torch.LongTensor (ndarray)": np.ones(2, np.int64),
    "nn.Tanh": nn.Tanh(),
    "nn.MSECriterion": nn.MSECriterion(),
    "graph.Node": graph.Node(),
}


@pytest.mark.parametrize("name", WRONG)
class TestWrongTypes:
    def test_in_place_of_a_list(self, name):
        value = WRONG[name]
        for what, nodes in (("inputs", (value, [identity()])), ("outputs", ([identity()], value))):
            assert refused(gModule, *nodes) == f"nn.gModule: {what} should be a list of nodes, got {name}"

    def test_in_a_list(self, name):
        value, x = WRONG[name], identity()
        wanted = re.escape(name) if value is not None else r"nil \(typo / bad index\?\)"
        for who, build in (
            (r"nn\.gModule: outputs\[2\]", lambda: gModule([x], [x, value])),
            (r"nn\.gModule: inputs\[1\]", lambda: gModule([value, x], [x])),
            (r"nn\.CAddTable: inputs\[2\]", lambda: nn.CAddTable()([x, value])),
            (r"nn\.Tanh: inputs\[1\]", lambda: nn.Tanh()(value)),
            (r"nngraph\.nest: inputs\[1\]", lambda: nest([value])),
        ):
            if "nest" not in who or value is not None:
                assert re.match(rf"{who} (should|is).* {wanted}", refused(build))
        assert gModule([x], [nn.Tanh()(x)]).forward(np.zeros(1)) == 0

    def test_in_nest(self, name):
        value, x = WRONG[name], identity()
        assert "what is this in the nest input?" in refused(nest, [[x, identity()], value])
        assert gModule([x], [nn.Tanh()(x)]).forward(np.zeros(1)) == 0


def test_words_that_help():
    x = identity()
    assert refused(nn.Tanh(), np.ones(2)).endswith("(To run a module on a tensor, call its forward.)")
    g = gModule([x], [nn.Tanh()(x)])
    assert "specifically a nn.gModule" in refused(nn.Tanh(), g)
    assert "second set of parens" in refused(nn.Tanh(), g)


class TestNestedLists:
    def test_what_fails_leaves_no_trace(self):
        x, y = identity(), identity()
        for wrong in ([[x, y], [x, x]], [[x, y], []], [[x, y], [[y]]]):
            refused(nest, wrong)
        assert not x.data.reverseMap
        assert not y.data.reverseMap

    def test_a_node_twice(self):
        x = identity()
        assert "nngraph.nest: Don't pass the same input twice. inputs[2] is inputs[1]" in refused(nest, [x, x])


class TestNodesMadeByHand:
    def test_children_that_are_no_inputs(self):
        x, y = identity(), nn.CAddTable()()
        y.add(x)
        assert "its 1 children are not its 0 inputs; use add(node, True)" in refused(gModule, [x], [y])
        z = nn.CAddTable()([x, h := nn.Tanh()(x)])
        z.children.remove(h)
        assert "its 1 children are not its 2 inputs" in refused(gModule, [x], [z])

    @pytest.mark.parametrize(
        ("fields", "inputs", "message"),
        [
            ({"module": 5}, 1, "its module should be an nn.Module, got number (int)"),
            ({"module": nn.Tanh(), "selectindex": 1}, 1, "the selectindex-handling nodes should have no module"),
            ({"selectindex": 1}, 2, "only the splitted node should be the input, got 2 inputs"),
        ],
    )
    def test_fields_that_contradict_each_other(self, fields, inputs, message):
        xs = [identity() for _ in range(inputs)]
        node, at = Node(fields), here()
        for x in xs:
            node.add(x, True)
        got = refused(gModule, xs, [node])
        assert got.endswith(message)
        assert f"declared at {at}" in got

    @pytest.mark.parametrize("data", [5, "ab", [1, 2], nn.Tanh()])
    def test_data_that_is_no_mapping(self, data):
        assert "nngraph.Node: expected a mapping of fields as data, got" in refused(Node, data)


@pytest.mark.parametrize("noutput", [0, -1, 2.5, float("nan"), True, "3", None, [2]])
def test_wrong_numbers_of_parts(noutput):
    x = identity()
    assert re.match(r"nngraph.Node.split: expected a .*number.*, got ", refused(x.split, noutput))
    assert not x.data.reverseMap


@pytest.mark.parametrize("noutput", [2.0, np.int64(2)])
def test_whole_numbers_of_parts(noutput):
    parts = identity().split(noutput)
    assert len(parts) == 2
    assert type(parts[0].children[0].data.nSplitOutputs) is int


@pytest.mark.parametrize("wrong", [3, "name", [("name", "x")]])
def test_annotations_that_are_no_mapping(wrong):
    assert "nngraph.Node.annotate: expected a mapping of annotations, got" in refused(identity().annotate, wrong)


@pytest.mark.parametrize("wrong", [3, "x", np.ones(2), None, Node()])
def test_what_a_node_cannot_be_passed_on_to(wrong):
    with pytest.raises(TypeError, match=r"unsupported operand|does not support ufuncs"):
        identity() - wrong
    if not isinstance(wrong, Node):
        with pytest.raises(TypeError, match="unsupported operand"):
            wrong - identity()


def test_of_several_problems_the_first_in_forward_order_is_told():
    x = nn.Identity()()
    a, _ = x.split(2)
    h = nn.Linear(2, 2)(a)
    nn.Tanh()(h)
    with pytest.raises(ValueError, match=r"1 of split\(2\) outputs from the node declared at"):
        gModule([x], [nn.Sigmoid()(h)])
    x = nn.Identity()()
    nn.Tanh()(x)
    a, _ = nn.Linear(2, 2)(x).split(2)
    with pytest.raises(ValueError, match="does not connect to gmodule output"):
        gModule([x], [a])
