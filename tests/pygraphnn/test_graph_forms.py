"""Graphs as texts, as Torch's fields in files, as networkx graphs, and as plain Python objects."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import networkx
import numpy as np
import pytest

import torch7
from pygraphnn import graph
from pygraphnn.graph import Edge, Graph, Node
from tests.pygraphnn.test_graph import build, names, pairs
from tests.support import golden
from torch7 import serialization


class TestDrawingText:
    def test_quotes_in_titles(self):
        g, _ = build([("a", "b")])
        assert 'label="say \\"hi\\"";' in g.todot('say "hi"')

    @pytest.mark.parametrize(
        ("text", "escaped"),
        [
            (r"left\lright", r'"left\lright"'),
            ("ends with \\", r'"ends with \\"'),
            ('a\\"b', r'"a\\\"b"'),
            ("even \\\\", r'"even \\"'),
            ("node", '"node"'),
            ("Größe", '"Größe"'),
        ],
    )
    def test_what_Torch_would_break(self, text, escaped):
        assert graph.dotEscape(text) == escaped

    def test_a_node_may_say_how_it_looks(self):
        class Styled(Node):
            def graphNodeName(self) -> str:
                return f"first ({self.id})"

            def label(self) -> str:
                return "text"

            def graphNodeAttributes(self) -> dict[str, Any]:
                return {"tooltip": "a b", "color": "red", "penwidth": 2.0, "comment": None, "xlabel": ""}

        g = Graph()
        g.add(Edge(Styled(), Node(None)))
        assert 'n1[label="first (1)\\ntext" color=red penwidth="2" tooltip="a b" xlabel=""];' in g.todot()

    def test_a_node_without_attributes_of_its_own(self):
        class Plain(Node):
            def graphNodeAttributes(self) -> dict[str, Any]:
                return {}

        g = Graph()
        g.add(Edge(Plain("p"), Plain("q")))
        assert 'n1[label="Node1\\np" ];' in g.todot()

    def test_a_graph_is_drawn_right_although_another_one_numbered_its_nodes(self):
        g, nodes = build([("a", "b")])
        Graph().add(Edge(Node("c"), nodes["a"]))
        assert g.todot().endswith("n1 -> n2;\n}")

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (True, "true"),
            (np.bool_(False), "false"),
            (1e15, "1e+15"),
            (np.float32(0.5), "0.5"),
            (-3, "-3"),
            (float("inf"), "inf"),
            (b"bytes\xff", "bytes\ufffd"),
            ([1, 2], "[1, 2]"),
        ],
    )
    def test_tostring(self, value, text):
        assert graph.tostring(value) == text


class Child(Node):
    """A subclass as users write it."""


class Road(Edge):
    """A subclass as users write it."""


class TestSubclasses:
    def test_clone_and_reverse_keep_classes_and_share_data(self):
        data = {"x": 1}
        g = Graph()
        g.add(Road(Child(data), Node("b")))
        for other in (g.clone(), g.reverse()[0]):
            assert {type(node) for node in other.nodes} == {Child, Node}
            assert type(other.edges[0]) is Road
            assert any(node.data is data for node in other.nodes)


class TestToNetworkx:
    def test_attributes(self):
        a, b = Node([1]), Node("b")
        g = Graph()
        g.add([Edge(a, b, 2.5), Edge(b, a)])
        net = g.to_networkx()
        assert net.nodes[1] == {"data": a.data, "label": "[1]", "node": a}
        assert net.edges[1, 2] == {"weight": 2.5}
        assert net.edges[2, 1] == {}
        assert networkx.shortest_path_length(net, 1, 2, weight="weight") == 2.5


def reread(obj: Any, fields: dict[str, Any]) -> Any:
    """An object as a file's reader makes it from fields."""
    made = type(obj).__new__(type(obj))
    vars(made).update(fields)
    made.torch_loaded(1)
    return made


class TestFields:
    def test_a_graph_has_Torchs_tables(self):
        g, nodes = build([("a", "b"), ("b", "c")])
        fields = g.torch_fields()
        assert set(fields) == {"nodes", "edges"}
        assert isinstance(fields["nodes"], torch7.Table)
        a, b, c = nodes.values()
        assert dict(fields["nodes"]) == {1: a, 2: b, 3: c, a: 1, b: 2, c: 3}
        first, second = g.edges
        assert dict(fields["edges"]) == {1: first, 2: second, first: 1, second: 2}

    def test_a_node_has_Torchs_fields(self):
        _, nodes = build([("a", "b"), ("a", "c")])
        a, b, c = nodes.values()
        a.note = "unknown fields are kept"
        assert a.torch_fields() == {
            "data": "a",
            "id": 1,
            "children": torch7.Table({1: b, 2: c, b: 1, c: 2}),
            "visited": False,
            "marked": False,
            "note": "unknown fields are kept",
        }
        assert "data" not in Node().torch_fields()

    def test_an_edge_saves_from(self):
        a, b = Node("a"), Node("b")
        assert Edge(a, b).torch_fields() == {"from": a, "to": b}
        assert Edge(a, b, 2.0).torch_fields() == {"from": a, "to": b, "weight": 2.0}

    def test_what_was_read_works(self):
        g, nodes = build([("a", "b"), ("b", "c")])
        loaded = reread(g, g.torch_fields())
        assert (loaded.nodes, loaded.edges) == (g.nodes, g.edges)
        loaded.add(g.edges[0])
        loaded.add(Edge(nodes["c"], Node("d")))
        assert (names(loaded.nodes), len(loaded.edges)) == (["a", "b", "c", "d"], 3)
        node = reread(nodes["a"], nodes["a"].torch_fields())
        node.add(nodes["b"])
        assert node.children == [nodes["b"]]
        edge = reread(g.edges[0], g.edges[0].torch_fields())
        assert (edge.from_, edge.to, edge.weight) == (nodes["a"], nodes["b"], None)
        assert "from" not in vars(edge)

    def test_empty_tables_come_as_lists_and_numbers_as_floats(self):
        assert reread(Graph(), {"nodes": [], "edges": []}).nodes == []
        node = reread(Node(), {"id": 2.0, "children": []})
        assert (node.id, node.children, node.data, node.visited) == (2, [], None, False)
        assert isinstance(node.id, int)
        assert reread(Graph(), {}).todot() == Graph().todot()

    def test_subclasses_may_have_transient_fields_of_their_own(self):
        class Busy(Node):
            TRANSIENT = ("plan",)

        node = Busy("x")
        node.plan = object()
        assert set(node.torch_fields()) == {"data", "id", "children", "visited", "marked"}


class TestFiles:
    @pytest.mark.parametrize("mode", ["binary", "ascii"])
    def test_a_round_trip(self, mode):
        g, nodes = build([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])
        g.add(Edge(nodes["d"], Node(None), 2.5))
        loaded = serialization.deserialize(serialization.serialize(g, mode), mode)
        assert loaded.todot() == g.todot()
        assert [e.weight for e in loaded.edges] == [None] * 4 + [2.5]
        assert [n.id for n in loaded.topsort()[0]] == [n.id for n in g.topsort()[0]]
        assert all(e.to in e.from_.children for e in loaded.edges)

    def test_depth_is_no_limit(self):
        g, _ = build([(i, i + 1) for i in range(3000)])
        assert len(serialization.deserialize(serialization.serialize(g)).topsort()[0]) == 3001

    @pytest.mark.parametrize("name", ["nngraph_mlp", "nngraph_lstm", "nngraph_lstm_fresh"])
    def test_graphs_that_Torch_wrote(self, name):
        (case,) = (c for c in golden.cases("t7/manifest.json") if c["name"] == name)
        network = serialization.load(golden.ROOT / "t7" / case["files"][0]["file"])
        g = network.fg
        assert [node.id for node in g.topsort()[0]] == [node["id"] for node in case["graph"]["forwardnodes"]]
        assert [node.id for node in g.nodes] == list(range(1, len(g.nodes) + 1))
        assert {(e.from_, e.to) for e in g.edges} == {(n, child) for n in g.nodes for child in n.children}
        written = serialization.deserialize(serialization.serialize(g))
        assert [(e.from_.id, e.to.id) for e in written.edges] == [(e.from_.id, e.to.id) for e in g.edges]


class TestPlainPython:
    @pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
    def test_copies_are_independent_and_whole(self, duplicate):
        g, _ = build([("a", "b"), ("b", "c"), ("c", "a")])
        other = duplicate(g)
        assert pairs(other) == pairs(g)
        assert set(other.nodes).isdisjoint(g.nodes)
        other.add(other.edges[0])
        other.nodes[0].add(other.nodes[1])
        assert len(other.edges) == 3
        assert names(other.nodes[0].children) == ["b"]
        other.add(Edge(other.nodes[0], Node("d")))
        assert (len(other.nodes), len(g.nodes)) == (4, 3)

    def test_members_appended_by_hand_are_known(self):
        g, nodes = build([("a", "b")])
        extra = Node("c")
        g.nodes.append(extra)
        g.add(Edge(extra, nodes["a"]))
        assert names(g.nodes) == ["a", "b", "c"]
        assert extra.id == 3

    def test_repr(self):
        g, nodes = build([("a", "b")])
        assert repr(g) == "<graph.Graph: 2 nodes, 1 edges>"
        assert repr(nodes["a"]) == "<graph.Node 1: 'a'>"
        assert repr(g.edges[0]) == "<graph.Edge 1 -> 2>"
