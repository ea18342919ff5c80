"""What `require 'graph'` gave a script: directed graphs of nodes that hold data, their orders, and their drawings."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch7 import is_table
from torch7.dtypes import tostring

from .members import Member, Places, both_ways, list_part, saved
from .render import dot, dotEscape, graphvizFile, graphvizLayout, mimebundle, quoted

__all__ = ["Edge", "Graph", "Node", "dot", "dotEscape", "graphvizFile", "graphvizLayout", "tostring"]

_dotEscape = dotEscape  # Torch's name
FEW = 8  # children among which one is found as fast without help
DRAWN_UNASKED = 500  # nodes: a notebook does not lay out a larger graph only because a cell ends with it


class Node(Member):
    """A node of a graph: `data`, and the nodes its edges lead to as the list `children`.

    `id` is the node's position, counted from 1, in the graph that got it last, and 0 before. `visited` and `marked` are
    the marks of walks. Nodes and edges are told apart by identity. Source: torch/graph.

    >>> a, b, c = Node("a"), Node("b"), Node("c")
    >>> a.add([b, c])
    >>> b.add(c)
    >>> a.dfs(lambda node: print(node.label(), end=" "))
    c b a
    """

    torch_name = "graph.Node"
    TRANSIENT = ("_places",)
    _places: Places | None = None  # of many children

    def __init__(self, data: Any = None):
        self.data = data
        self.id = 0
        self.children: list[Node] = []
        self.visited = False
        self.marked = False

    def add(self, child: Any) -> None:
        """Adds a child, or every node of a list; a child that is there already stays where it is."""
        if is_table(child):
            for node in child:
                self.add(node)
        elif isinstance(child, Node):
            if len(self.children) >= FEW and self._places is None:
                self._places = Places()
            if self._places is not None:
                self._places.place(child, self.children)
            elif child not in self.children:
                self.children.append(child)
        else:
            raise TypeError(f"graph.Node.add: expected a graph.Node or a list of them, got {_what(child)}")

    def visit(self, pre_func: Callback | None = None, post_func: Callback | None = None) -> None:
        """Goes to every descendant, depth first: pre_func(node), then its children, then post_func(node).

        Nodes whose `visited` is set when they are reached are left out. The functions have to set it: `visit` itself
        does not, and comes to a node once per path if nobody does. Raises RecursionError in an endless cycle.
        """
        path: list[tuple[Node, Iterator[Node]]] = []  # entered nodes, and what is to come after each of them
        entered: set[int] = set()
        coming = iter([self])
        while True:
            node = next((n for n in coming if not n.visited), None)
            if node is not None:
                if pre_func:
                    pre_func(node)
                entered.add(id(node))
                if len(path) > 1000 + 10 * len(entered):
                    raise RecursionError("graph.Node.visit: the graph has a cycle, and no function sets node.visited")
                path.append((node, coming))
                coming = iter(node.children)
            elif path:
                node, coming = path.pop()
                if post_func:
                    post_func(node)
            else:
                return

    def dfs(self, func: Callback) -> None:
        """func(node) for this node and all its descendants, depth first, each after its children."""
        entered: list[Node] = []
        try:
            self.visit(_entering(entered), func)
        finally:
            for node in entered:
                node.visited = False

    def dfs_dirty(self, func: Callback) -> list[Node]:
        """As dfs, but leaves `visited` set; returns the nodes in the order of the calls."""
        done: list[Node] = []

        def post(node: Node) -> None:
            func(node)
            done.append(node)

        self.visit(_entering([]), post)
        return done

    def bfs(self, func: Callback) -> None:
        """func(node) for this node and all its descendants, those with fewer edges to them first."""
        reached: list[Node] = []
        try:
            self._widen(func, reached)
        finally:
            for node in reached:
                node.marked = False

    def bfs_dirty(self, func: Callback) -> list[Node]:
        """As bfs, but leaves `marked` set; returns the nodes in the order of the calls."""
        return self._widen(func, [])

    def _widen(self, func: Callback, reached: list[Node]) -> list[Node]:
        reached.append(self)
        self.marked = True
        for node in reached:  # which grows meanwhile
            func(node)
            for child in node.children:
                if not child.marked:
                    child.marked = True
                    reached.append(child)
        return reached

    def graph(self) -> Graph:
        """The graph of this node and all its descendants, edges in breadth-first order. It numbers the nodes anew."""
        g = Graph()
        self.bfs(lambda node: g.add([Edge(node, child) for child in node.children]))
        return g

    def hasCycle(self) -> bool:
        """Whether a walk from this node can come back to a node it passed."""
        return bool(cycle_from([self]))

    def label(self) -> str:
        """The data as text: what a drawing shows below the node's name."""
        return tostring(self.data)

    def torch_fields(self) -> dict[str, Any]:
        """The fields that a file holds: `children` with the nodes as keys, too, which Torch looks them up by."""
        return saved(self, children=both_ways(self.children))

    def torch_loaded(self, version: int) -> None:
        """Completes a node that was read from a file."""
        self.data = vars(self).get("data")
        self.id = int(vars(self).get("id") or 0)
        self.children = list_part(vars(self).get("children"))
        self.visited = bool(vars(self).get("visited"))
        self.marked = bool(vars(self).get("marked"))

    def __repr__(self) -> str:
        return f"<graph.Node {self.id}: {reprlib.repr(self.data)}>"


Callback = Callable[[Node], Any]


class Edge(Member):
    """A directed edge between two nodes; Torch's field `from` is `from_` in Python and `from` in files.

    >>> edge = Edge(Node("a"), Node("b"), 2.5)
    >>> edge.from_.data, edge.to.data, edge.weight
    ('a', 'b', 2.5)
    """

    torch_name = "graph.Edge"

    def __init__(self, from_: Node, to: Node, weight: Any = None):
        self.from_ = from_
        self.to = to
        self.weight = weight

    def torch_fields(self) -> dict[str, Any]:
        """The fields that a file holds."""
        fields = saved(self)
        fields["from"] = fields.pop("from_")
        return fields

    def torch_loaded(self, version: int) -> None:
        """Completes an edge that was read from a file."""
        if "from" in vars(self):
            self.from_ = vars(self).pop("from")
        self.weight = vars(self).get("weight")

    def __repr__(self) -> str:
        return f"<graph.Edge {self.from_.id} -> {self.to.id}>"


class Graph(Member):
    """A directed graph: the lists `nodes`, in the order in which edges brought them, and `edges`.

    Source: torch/graph.

    >>> g, (a, b, c) = Graph(), map(Node, "abc")
    >>> g.add([Edge(b, c), Edge(a, b)])
    >>> [node.data for node in g.nodes], [node.data for node in g.topsort()[0]]
    (['b', 'c', 'a'], ['a', 'b', 'c'])
    """

    torch_name = "graph.Graph"
    TRANSIENT = ("_node_places", "_edge_places")

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self._node_places, self._edge_places = Places(), Places()

    def add(self, edge: Any) -> None:
        """Adds an edge and its nodes, or every edge of a list; what is there already is not added again.

        The nodes' ids become their positions in this graph, counted from 1.
        """
        if is_table(edge):
            for each in edge:
                self.add(each)
            return
        if not isinstance(edge, Edge):
            raise TypeError(f"graph.Graph.add: graph.Edge or {{graph.Edges}} expected, got {_what(edge)}")
        for end in (edge.from_, edge.to):
            if not isinstance(end, Node):
                raise TypeError(
                    f"graph.Graph.add: expected an edge between two graph.Nodes, got {_what(end)} as its end"
                )
        self._edge_places.place(edge, self.edges)
        for end in (edge.from_, edge.to):
            end.id = self._node_places.place(end, self.nodes)
        edge.from_.add(edge.to)

    def clone(self) -> Graph:
        """A graph of new nodes that share their data with this graph's nodes. Edges lose their weights, as in Torch."""
        self._check()
        made = {node: type(node)(node.data) for node in self.nodes}
        copy = Graph()
        copy.add([type(edge)(made[edge.from_], made[edge.to]) for edge in self.edges])
        return copy

    def reverse(self) -> tuple[Graph, dict[Node, Node]]:
        """A graph of new nodes that share their data, with every edge turned round; and which new node is for which."""
        reversed_graph = Graph()
        made: dict[Node, Node] = {}
        for edge in self.edges:
            for end in (edge.from_, edge.to):
                if end not in made:
                    made[end] = type(end)(end.data)
            reversed_graph.add(type(edge)(made[edge.to], made[edge.from_]))
        return reversed_graph, made

    def topsort(self) -> tuple[list[Node], Graph, list[Node]]:
        """The nodes in an order in which every edge leads onwards; the reversed graph; and its roots.

        The order is Torch's: that in which a depth-first walk of the reversed graph leaves the nodes. Raises ValueError
        for a graph without edges, and for a cycle that keeps the walk from starting or from reaching all nodes; other
        cycles go unnoticed, as in Torch: ask hasCycle().
        """
        self._check()
        reversed_graph, made = self.reverse()
        original = {new: old for old, new in made.items()}
        roots = reversed_graph.roots()
        start = Node("dummy_root")
        start.add(roots)
        nodes: list[Node] = []
        start.dfs(nodes.append)
        nodes = [original[node] for node in nodes if node is not start]
        if not roots or len(nodes) != len(self.nodes):
            raise ValueError(f"graph.Graph.topsort: Graph has cycles{'' if self.edges else ' (or rather: no edges)'}")
        return nodes, reversed_graph, roots

    def roots(self) -> list[Node]:
        """The nodes that edges leave and none enters."""
        return self._outer({e.from_ for e in self.edges} - {e.to for e in self.edges})

    def leaves(self) -> list[Node]:
        """The nodes that edges enter and none leaves."""
        return self._outer({e.to for e in self.edges} - {e.from_ for e in self.edges})

    def _check(self) -> None:
        """Raises an error for an edge that was put into the list `edges` past add()."""
        known = set(self.nodes)
        for edge in self.edges:
            if edge.from_ not in known or edge.to not in known:
                raise ValueError(f"graph.Graph: {edge!r} joins nodes that are not in the graph; use add(edge)")

    def _outer(self, found: set[Node]) -> list[Node]:
        return [node for node in self.nodes if node in found]

    def hasCycle(self) -> bool:
        """Whether a cycle can be reached from a root; true, too, when there is no root. Torch looks no further."""
        roots = self.roots()
        return not roots or bool(cycle_from(roots))

    def todot(self, title: str | None = None) -> str:
        """The graph in Graphviz' language, with `title` above it. Needs nothing installed.

        A node may say how it looks with `graphNodeName()`, `label()` and `graphNodeAttributes()`. In these texts
        backslashes are Graphviz' escapes: `\\l` ends a line that is set to the left.

        >>> g = Graph()
        >>> g.add(Edge(Node("in"), Node("out")))
        >>> print(g.todot())
        digraph G {
        node [shape = oval];
        n1[label="Node1\\nin"];
        n2[label="Node2\\nout"];
        n1 -> n2;
        }
        """
        self._check()
        name = {node: f"n{i}" for i, node in enumerate(self.nodes, 1)}
        heading = "" if title is None else f'labelloc="t";\nlabel={quoted(title)};\n'
        nodes = "".join(f"\n{name[node]}[label={_label(node)}{_attributes(node)}];" for node in self.nodes)
        edges = "".join(f"{name[edge.from_]} -> {name[edge.to]};\n" for edge in self.edges)
        return f"digraph G {{\n{heading}node [shape = oval]; {nodes}\n{edges}}}"

    def to_networkx(self, objects: bool = True) -> Any:
        """A networkx.DiGraph of this graph's positions, counted from 1.

        Nodes have the attributes `data`, `label` and `node`, edges `weight` if they have one. Without `objects` there
        is only the label, so that formats for files, such as GraphML, can hold it.
        """
        import networkx

        result = networkx.DiGraph()
        place = {node: i for i, node in enumerate(self.nodes, 1)}
        for node, i in place.items():
            result.add_node(i, label=node.label(), **({"data": node.data, "node": node} if objects else {}))
        for edge in self.edges:
            weight = {} if edge.weight is None else {"weight": edge.weight}
            result.add_edge(place[edge.from_], place[edge.to], **weight)
        return result

    def torch_fields(self) -> dict[str, Any]:
        """The fields that a file holds: tables with the members as keys, too, which Torch looks them up by."""
        return saved(self, nodes=both_ways(self.nodes), edges=both_ways(self.edges))

    def torch_loaded(self, version: int) -> None:
        """Completes a graph that was read from a file."""
        self.nodes = list_part(vars(self).get("nodes"))
        self.edges = list_part(vars(self).get("edges"))
        self._node_places, self._edge_places = Places(), Places()

    def __repr__(self) -> str:
        return f"<graph.Graph: {len(self.nodes)} nodes, {len(self.edges)} edges>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return mimebundle(self.todot() if len(self.nodes) <= DRAWN_UNASKED else None, repr(self))


def _entering(entered: list[Node]) -> Callback:
    """A function that marks a node as visited and notes it in the list."""

    def pre(node: Node) -> None:
        node.visited = True
        entered.append(node)

    return pre


def cycle_from(starts: Iterable[Node]) -> list[Node]:
    """The nodes of a cycle that can be reached from one of the nodes, each a child of the one before; [] if none is."""
    done: set[Node] = set()
    path: dict[Node, None] = {}  # what was passed to get here, in this order
    stack = list(starts)
    while stack:
        node = stack[-1]
        if node in done:
            stack.pop()
        elif node in path:  # and everything behind it was walked
            stack.pop()
            del path[node]
            done.add(node)
        else:
            path[node] = None
            back = next((child for child in node.children if child in path), None)
            if back is not None:
                passed = list(path)
                return passed[passed.index(back) :]
            stack.extend(child for child in node.children if child not in done)
    return []


def _label(node: Any) -> str:
    name = node.graphNodeName() if hasattr(node, "graphNodeName") else f"Node{node.id}"
    return dotEscape(f"{name}\n{node.label()}")


def _attributes(node: Any) -> str:
    """The attributes that a node wants, in alphabetical order: ' color=red style=filled'."""
    if not hasattr(node, "graphNodeAttributes"):
        return ""
    wanted = sorted((str(k), tostring(v)) for k, v in node.graphNodeAttributes().items() if v is not None)
    return " " + " ".join(f"{name}={dotEscape(value) or quoted(value)}" for name, value in wanted)


def _what(value: Any) -> str:
    return f"{type(value).__name__} {reprlib.repr(value)}"
