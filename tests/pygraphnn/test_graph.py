"""torch/graph against data recorded from Torch7, against direct definitions, and on large graphs."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import torch7
from pygraphnn import graph
from pygraphnn.graph import Edge, Graph, Node
from tests.support import golden

CASES = golden.cases("graph/graphs.json")
FACTS = golden.load("graph/facts.json")["facts"]


def build(edges: list[Any]) -> tuple[Graph, dict[Any, Node]]:
    g = Graph()
    nodes: dict[Any, Node] = {}
    for a, b in edges:
        for name in (a, b):
            nodes.setdefault(name, Node(name))
        g.add(Edge(nodes[a], nodes[b]))
    return g, nodes


def names(nodes: Any) -> list[Any]:
    return [node.data for node in nodes]


def pairs(g: Graph) -> list[list[Any]]:
    return [[e.from_.data, e.to.data] for e in g.edges]


def order(walk: Any) -> list[Any]:
    seen: list[Node] = []
    walk(seen.append)
    return names(seen)


def facts(name: str) -> list[Any]:
    return [f for f in FACTS if f["name"] == name]


def fact(name: str) -> Any:
    return facts(name)[0]["value"]


@pytest.fixture(params=CASES, ids=golden.case_id)
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


class TestRecorded:
    def test_nodes_ids_edges_and_children(self, case):
        g, nodes = build(case["edges"])
        assert names(g.nodes) == case["nodes"]
        assert {name: node.id for name, node in nodes.items()} == case["ids"]
        assert pairs(g) == case["graph_edges"]
        assert {name: names(node.children) for name, node in nodes.items()} == case["children"]

    def test_roots_leaves_and_cycles(self, case):
        g, nodes = build(case["edges"])
        assert names(g.roots()) == case["roots"]
        assert names(g.leaves()) == case["leaves"]
        assert g.hasCycle() is case["hasCycle"]
        assert {name: node.hasCycle() for name, node in nodes.items()} == case["node_hasCycle"]
        assert not any(node.visited or node.marked for node in g.nodes)

    def test_topsort(self, case):
        g, _ = build(case["edges"])
        if case["topsort_error"]:
            with pytest.raises(ValueError, match="Graph has cycles"):
                g.topsort()
            return
        ordered, reversed_graph, roots = g.topsort()
        assert names(ordered) == case["topsort"]
        assert all(a is b for a, b in zip(ordered, map({n.data: n for n in g.nodes}.get, case["topsort"])))
        assert pairs(reversed_graph) == case["reverse"]["edges"]
        assert names(roots) == case["reverse"]["roots"]

    def test_walks(self, case):
        _, nodes = build(case["edges"])
        assert {name: order(node.dfs) for name, node in nodes.items()} == case["dfs"]
        assert {name: order(node.bfs) for name, node in nodes.items()} == case["bfs"]

    def test_dirty_walks_return_the_nodes_and_leave_their_marks(self, case):
        for name in case["nodes"]:
            _, nodes = build(case["edges"])
            called: list[Node] = []
            done = nodes[name].dfs_dirty(called.append)
            assert done == called
            assert names(done) == case["dfs"][name]
            assert {n for n, node in nodes.items() if node.visited} == set(case["dfs"][name])
            assert names(nodes[name].bfs_dirty(lambda node: None)) == case["bfs"][name]
            assert {n for n, node in nodes.items() if node.marked} == set(case["bfs"][name])

    def test_reverse(self, case):
        g, _ = build(case["edges"])
        r, made = g.reverse()
        assert pairs(r) == case["reverse"]["edges"]
        assert names(r.nodes) == case["reverse"]["nodes"]
        assert names(r.roots()) == case["reverse"]["roots"]
        assert names(r.leaves()) == case["reverse"]["leaves"]
        assert set(made) == set(g.nodes)
        assert set(made.values()) == set(r.nodes)

    def test_clone(self, case):
        g, _ = build(case["edges"])
        c = g.clone()
        assert pairs(c) == case["clone"]["edges"]
        assert names(c.nodes) == case["clone"]["nodes"]
        assert set(c.nodes).isdisjoint(g.nodes)

    def test_todot(self, case):
        g, _ = build(case["edges"])
        assert g.todot() == case["todot"]
        assert g.todot(f"Title of {case['name']}") == case["todot_title"]

    def test_graph_of_a_node(self, case):
        g, _ = build(case["edges"])
        sub = g.nodes[0].graph()
        assert pairs(sub) == case["subgraph_of_first"]["edges"]
        assert names(sub.nodes) == case["subgraph_of_first"]["nodes"]


class TestFacts:
    def test_edges(self):
        a, b = Node("a"), Node("b")
        edge = Edge(a, b, 2.5)
        assert edge.weight == fact("edge_weight")
        assert torch7.typename(edge) == fact("edge_typename")
        g = Graph()
        g.add(edge)
        g.add(edge)
        assert len(g.edges) == fact("same_edge_object_twice")
        assert (g.clone().edges[0].weight is None) is fact("clone_drops_weight")
        assert g.reverse()[0].edges[0].weight is None

    def test_adding_lists(self):
        a, b, c = map(Node, "abc")
        g = Graph()
        g.add([Edge(a, b), (Edge(b, c),)])
        assert [len(g.nodes), len(g.edges)] == fact("add_list")
        p, q, r = map(Node, "pqr")
        p.add([q, r])
        p.add(q)
        assert names(p.children) == fact("node_add_list")

    def test_a_fresh_node(self):
        node = Node(7)
        assert [node.id, len(node.children), node.visited, node.marked, node.data] == fact("fresh_node")
        assert node.label() == fact("label_number")
        assert Node().label() == fact("label_nil")

    def test_topsort_returns(self):
        g, _ = build([("a", "b")])
        ordered, reversed_graph, roots = g.topsort()
        assert [names(ordered), torch7.typename(reversed_graph), len(roots)] == fact("topsort_returns")

    def test_graph_of_a_single_node(self):
        g = Node("alone").graph()
        assert [len(g.nodes), len(g.edges)] == fact("graph_of_single_node")

    def test_topsort_of_an_empty_graph(self):
        message = fact("topsort_empty_graph").partition(": ")[2]
        with pytest.raises(ValueError, match=f"graph.Graph.topsort: {message}.*no edges"):
            Graph().topsort()

    @pytest.mark.parametrize("recorded", facts("dotEscape"), ids=lambda f: repr(f["what"]))
    def test_dotEscape(self, recorded):
        assert graph._dotEscape(recorded["what"]) == recorded["value"]


class TestBadInput:
    def test_a_number_is_no_edge(self):
        message = fact("add_number_error").partition(": ")[2]
        with pytest.raises(TypeError) as error:
            Graph().add(3)
        assert str(error.value) == f"graph.Graph.add: {message}, got int 3"

    def test_an_edge_must_join_nodes(self):
        g = Graph()
        with pytest.raises(
            TypeError, match=r"graph\.Graph\.add: expected an edge between two graph.Nodes, got str 'b'"
        ):
            g.add(Edge(Node("a"), "b"))
        assert not g.nodes
        assert not g.edges

    def test_a_child_must_be_a_node(self):
        with pytest.raises(
            TypeError, match=r"graph\.Node\.add: expected a graph.Node or a list of them, got NoneType None"
        ):
            Node().add([Node(), None])

    def test_visit_without_marks_in_a_cycle_ends_with_an_error(self):
        _, nodes = build([("a", "b"), ("b", "a")])
        with pytest.raises(RecursionError, match=r"graph.Node.visit: .*cycle.*visited"):
            nodes["a"].visit()

    def test_marks_are_taken_back_when_a_function_fails(self):
        g, nodes = build([("a", "b"), ("a", "c"), ("b", "d")])

        def fail(node):
            if node.data == "b":
                raise KeyError(node.data)

        for walk in (nodes["a"].dfs, nodes["a"].bfs):
            with pytest.raises(KeyError, match="b"):
                walk(fail)
            assert not any(node.visited or node.marked for node in g.nodes)


def recursive_visit(node: Node, pre: Any, post: Any) -> None:
    if node.visited:
        return
    if pre:
        pre(node)
    for child in node.children:
        recursive_visit(child, pre, post)
    if post:
        post(node)


@st.composite
def edge_lists(draw: st.DrawFn, acyclic: bool = False) -> list[tuple[int, int]]:
    n = draw(st.integers(2, 9))
    edges = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1, max_size=20))
    edges = [(min(e), max(e)) for e in edges if e[0] != e[1]] if acyclic else edges
    return edges or [(0, 1)]


class TestVisit:
    @given(edge_lists(acyclic=True))
    def test_without_marks_it_goes_every_path(self, edges):
        assert self.trace(edges, recursive_visit, mark="") == self.trace(edges, Node.visit, mark="")

    @given(edge_lists(), st.sampled_from(["pre", "on the second visit"]), st.booleans())
    def test_marks_set_by_the_functions_count(self, edges, mark, with_post):
        expected = self.trace(edges, recursive_visit, mark, with_post)
        assert self.trace(edges, Node.visit, mark, with_post) == expected

    @given(edge_lists(acyclic=True))
    def test_marks_set_afterwards_count(self, edges):
        assert self.trace(edges, Node.visit, "post") == self.trace(edges, recursive_visit, "post")

    def trace(self, edges: list[Any], visit: Any, mark: str, with_post: bool = True) -> list[Any]:
        _, nodes = build(edges)
        events: list[Any] = []
        times: dict[Node, int] = {}

        def pre(node: Node) -> None:
            times[node] = times.get(node, 0) + 1
            node.visited = mark == "pre" or (mark == "on the second visit" and times[node] == 2)
            events.append(("pre", node.data, node.visited))

        def post(node: Node) -> None:
            node.visited = node.visited or mark == "post"
            events.append(("post", node.data))

        visit(nodes[edges[0][0]], pre, post if with_post else None)
        return events

    def test_children_added_on_the_way_are_visited(self):
        a, b, c = map(Node, "abc")
        a.add(b)
        seen: list[Any] = []

        def pre(node: Node) -> None:
            seen.append(node.data)
            if node is b:
                a.add(c)

        a.visit(pre)
        assert seen == ["a", "b", "c"]

    def test_a_visited_start_is_left_alone(self):
        node = Node("a")
        node.visited = True
        assert order(node.dfs) == []


class TestRandomGraphs:
    @given(edge_lists(acyclic=True))
    def test_topsort_puts_every_edge_onwards(self, edges):
        g, _ = build(edges)
        place = {node: i for i, node in enumerate(g.topsort()[0])}
        assert set(place) == set(g.nodes)
        assert all(place[e.from_] < place[e.to] for e in g.edges)

    @given(edge_lists())
    def test_hasCycle_agrees_with_networkx(self, edges):
        g, nodes = build(edges)
        net = networkx.DiGraph(edges)

        def cyclic(starts: Any) -> bool:
            reached = set(starts).union(*(networkx.descendants(net, start) for start in starts))
            return not networkx.is_directed_acyclic_graph(net.subgraph(reached))

        assert {name: node.hasCycle() for name, node in nodes.items()} == {name: cyclic([name]) for name in nodes}
        roots = names(g.roots())
        assert g.hasCycle() is (not roots or cyclic(roots))

    @given(edge_lists())
    def test_reversing_twice_gives_the_edges_back(self, edges):
        g, _ = build(edges)
        assert pairs(g.reverse()[0].reverse()[0]) == pairs(g)

    @given(edge_lists())
    def test_to_networkx(self, edges):
        g, _ = build(edges)
        net = g.to_networkx()
        assert set(net.nodes) == {node.id for node in g.nodes}
        assert set(net.edges) == {(e.from_.id, e.to.id) for e in g.edges}


class TestLargeGraphs:
    N = 30_000

    def test_a_chain(self):
        nodes = [Node(i) for i in range(self.N)]
        g = Graph()
        g.add([Edge(a, b) for a, b in itertools.pairwise(nodes)])
        assert g.topsort()[0] == nodes
        assert order(nodes[0].dfs) == list(range(self.N))[::-1]
        assert order(nodes[0].bfs) == list(range(self.N))
        assert not g.hasCycle()
        g.add(Edge(nodes[-1], nodes[1]))
        assert g.hasCycle()
        assert len(g.clone().nodes) == len(nodes[0].graph().nodes) == self.N

    def test_visit_of_a_long_cycle_without_marks_ends(self):
        _, nodes = build([(i, (i + 1) % 10_000) for i in range(10_000)])
        with pytest.raises(RecursionError):
            nodes[0].visit()

    @pytest.mark.parametrize("n", [1, 7, 8, 9, 40])
    def test_children_are_added_once(self, n):
        node, children = Node(), [Node(i) for i in range(n)]
        node.add(children)
        node.add(children)
        copied = copy.deepcopy(node)
        copied.add([*copied.children, Node(n)])
        assert [child.data for child in copied.children] == list(range(n + 1))
        assert node.children == children
        node.children = children[1:]  # by another hand
        node.add(children)
        assert node.children == [*children[1:], children[0]]

    def test_many_children_and_many_roots(self):
        hub = Node("hub")
        leaves = [Node(i) for i in range(self.N)]
        hub.add(leaves)
        hub.add(leaves)
        assert len(hub.children) == self.N
        g = Graph()
        g.add([Edge(leaf, hub) for leaf in leaves])
        assert g.roots() == leaves
        assert g.leaves() == [hub]

    def test_many_separate_edges_sort(self):
        g, _ = build([(2 * i, 2 * i + 1) for i in range(20_000)])
        assert names(g.topsort()[0]) == list(range(40_000))
