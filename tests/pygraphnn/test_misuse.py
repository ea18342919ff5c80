"""Graphs and their parts used wrongly: errors instead of wrong numbers, and nothing half done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from pygraphnn import JustTable, ModuleFromCriterion, Node, gModule, graph
from pygraphnn.graph import Edge, Graph
from tests.support.graphs import mlp, two

X = np.arange(8.0).reshape(2, 4)
LABEL = r"declared at \[tests/.*\.py\]:\d+_\w+\)"


class TestReplace:
    @pytest.mark.parametrize(("wrong", "name"), [(None, "nil"), (3, r"number \(int\)"), (nn.Tanh, r"function \(class")])
    def test_what_is_no_module(self, wrong, name):
        g = mlp()
        modules = list(g.modules)
        with pytest.raises(TypeError, match=rf"gModule\.replace: .* a module, got {name}.* of node \d .*{LABEL}"):
            g.replace(lambda m: wrong if type(m) is nn.Tanh else nn.Identity())
        assert g.modules == modules
        assert [node.data.module for node in g.forwardnodes if node.data.module] == modules

    def test_graphs_inside_stay_as_well(self):
        """Also where only what comes after a graph is replaced by something wrong."""
        inner, x = mlp(), nn.Identity()()
        g = gModule([x], [nn.Sigmoid()(inner(x))])
        net = nn.Sequential().add(g).add(nn.ReLU())
        modules = [list(each.modules) for each in (net, g, inner)]
        for kind in (nn.Sigmoid, nn.ReLU):
            with pytest.raises(TypeError, match=r"\.replace: the callback should return a module, got a? ?nil"):
                net.replace(lambda m: None if type(m) is kind else nn.Square() if type(m) is nn.Tanh else m)  # noqa: B023
            assert [each.modules for each in (net, g, inner)] == modules
            assert [node.data.module for node in inner.forwardnodes if node.data.module] == inner.modules

    def test_a_name_is_told(self):
        g = mlp()
        g.name = "net"
        with pytest.raises(TypeError, match=r"net\.replace"):
            g.replace(lambda m: None)


@pytest.mark.parametrize("other", [None, 3, [], nn.Tanh(), nn.Sequential()])
def test_map_with_what_is_no_graph(other):
    with pytest.raises(
        ValueError, match=rf"different structure: .* has no counterpart of node \d \(no module, {LABEL}"
    ):
        mlp().map(other, lambda mine, theirs: None)


def test_map_with_a_shorter_graph_calls_nothing():
    g, met = mlp(), []
    x = nn.Identity()()
    with pytest.raises(ValueError, match=r"different structure: nn\.gModule has no counterpart of node hidden"):
        g.map(gModule([x], [x]), lambda mine, theirs: met.append(mine))
    assert met == []


class TestRunForwardFunction:
    @pytest.mark.parametrize(("wrong", "name"), [(3, r"number \(int\)"), (None, "nil"), (["forward"], "table")])
    def test_what_cannot_be_called(self, wrong, name):
        with pytest.raises(TypeError, match=rf"nn\.gModule: expected a function or the name of a method, got {name}"):
            mlp().runForwardFunction(wrong, X)

    @pytest.mark.parametrize("name", ["nothing", "train", ""])
    def test_a_method_that_is_missing(self, name):
        g = mlp()
        with pytest.raises(TypeError, match=rf"the module of node .*{LABEL} has no method '{name}'"):
            g.runForwardFunction(name, X)
        assert g.outnode.data.input == []  # nothing ran


@pytest.mark.parametrize("wrong", ["x", "", "DoubleTensor", 3, []])
def test_wrong_names_of_types_change_nothing(wrong):
    g = mlp()
    with pytest.raises(ValueError, match="unknown tensor type"):
        g.type(wrong)
    assert g.type() == "torch.DoubleTensor"
    assert g.forward(X).dtype == np.float64


def test_wrong_counts_tell_where_the_graph_was_made():
    g = two()
    made = r"\(it was made at \[tests/support/graphs\.py\]:\d+_two\)$"
    x = [np.ones(3), np.ones(3)]
    for wrong, message in ((np.ones(2), "expecting table of 2 inputs"), (x[:1], "Got 1 inputs instead of 2")):
        with pytest.raises((TypeError, ValueError), match=rf"nn\.gModule: {message}.* {made}"):
            g.forward(wrong)
    g.forward(x)
    with pytest.raises(ValueError, match=rf"Got 3 gradOutputs instead of 2 {made}"):
        g.backward(x, [*x, *x[:1]])


def test_wrong_counts_inside_tell_both_places():
    xs = [nn.Identity()() for _ in range(3)]
    g = gModule(xs, [two()(xs).annotate(name="inside")])
    with pytest.raises(ValueError, match=r"Got 3 inputs instead of 2 \(it was made at .*_two\)") as error:
        g.forward([np.ones(2)] * 3)
    assert "In node inside (nn.gModule, declared at [tests/pygraphnn/test_misuse.py]" in error.value.__notes__[-1]


def test_lists_that_change_after_the_construction():
    x, y = nn.Identity()(), nn.Identity()()
    inputs, outputs = [x, y], [nn.CAddTable()([x, y])]
    g = gModule(inputs, outputs)
    inputs.clear()
    outputs.append(x)
    assert g.forward([np.ones(2), np.ones(2)]).tolist() == [2, 2]


class TestAdapters:
    @pytest.mark.parametrize("wrong", [np.ones(2), [], [np.ones(2)] * 2, None])
    def test_the_gradient_of_a_table_of_one(self, wrong):
        m = JustTable()
        m.forward(np.ones(2))
        with pytest.raises(ValueError, match=r"nngraph\.JustTable: expected the gradient of a table of one, got a"):
            m.backward(np.ones(2), wrong)

    @pytest.mark.parametrize("wrong", [np.ones(2), [np.ones(1)], 1.0, None, np.ones(0)])
    def test_the_gradient_of_a_loss(self, wrong):
        m, x = ModuleFromCriterion(nn.MSECriterion()), [np.ones(2), np.zeros(2)]
        m.forward(x)
        with pytest.raises(ValueError, match=r"nn\.ModuleFromCriterion: expected the gradient of one number, a tensor"):
            m.backward(x, wrong)
        assert m.backward(x, np.ones((1, 1)))[0].tolist() == [1, 1]

    @pytest.mark.parametrize("wrong", [None, 3, nn.Tanh(), nn.MSECriterion])
    def test_what_is_no_criterion(self, wrong):
        with pytest.raises(TypeError, match=r"nn\.ModuleFromCriterion: expected a criterion, got a"):
            ModuleFromCriterion(wrong)


class TestGraphs:
    def test_edges_put_past_add(self):
        g = Graph()
        g.add(Edge(graph.Node("a"), graph.Node("b")))
        g.edges.append(Edge(g.nodes[0], graph.Node("c")))
        for use in (g.clone, g.todot, g.topsort):
            with pytest.raises(
                ValueError, match=r"<graph\.Edge 1 -> 0> joins nodes that are not in the graph; use add"
            ):
                use()

    @pytest.mark.parametrize("wrong", [None, "ab", 3, {1: 2}, graph.Node("a"), Graph()])
    def test_what_is_no_edge(self, wrong):
        g = Graph()
        with pytest.raises(TypeError, match=r"graph\.Graph\.add: graph.Edge or \{graph.Edges\} expected, got"):
            g.add(wrong)
        with pytest.raises(TypeError, match=r"graph\.Graph\.add: expected an edge between two graph\.Nodes, got"):
            g.add(Edge(graph.Node("a"), wrong) if not isinstance(wrong, graph.Node) else Edge("a", wrong))
        assert (g.nodes, g.edges) == ([], [])


def test_what_nodes_are():
    assert repr(nn.Sequential().add(nn.Tanh())()).startswith("<node (nn.Sequential, declared at [tests/")
    first = nn.Identity()().split(2)[0]
    assert repr(first).startswith("<node (part 1 of a split, declared at [tests/")
    assert repr(first.children[0]).startswith("<node (split(2), declared at [tests/")


class TestLabels:
    """What Torch shows of the fields of a node's data."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (True, "true"),
            (False, ""),
            (3.0, "3"),
            (np.float64(0.5), "0.5"),
            (1e20, "1e+20"),
            (1 / 3, "0.33333333333333"),
            (b"bytes", "bytes"),
            ([1, [2.0, [True]]], "{1,{2,{true}}}"),
            ([1, None, 3], "{1}"),
            ([None], "{}"),
            ({1: 5.0, 2: 6, "a": 7}, "{5,6}"),
            ({}, "{}"),
            ((np.zeros((2, 0)), np.zeros((1, 2, 3))), "{Tensor[],Tensor[1x2x3]}"),
            (np.zeros(2, np.int64), "torch.LongTensor[2]"),
            (np.array([np.nan, np.inf]), "Tensor[2]NaN"),
        ],
    )
    def test_values(self, value, text):
        assert f"field = {text}" in Node({"field": value}).label().split("\\l")

    def test_nil_fields_are_not_shown(self):
        assert Node({"field": None}).label() == "reverseMap = {}"

    def test_attributes_of_a_node(self):
        node = nn.Tanh()().annotate(graphAttributes=None)
        label = node.data.annotations["_debugLabel"]
        assert node.graphNodeAttributes() == {"tooltip": label}
        assert node.data.annotations.graphAttributes == {"tooltip": label}  # kept, as in Torch
        assert node.annotate(graphAttributes={"tooltip": "mine"}).graphNodeAttributes() == {"tooltip": "mine"}


def label_of(node: Any) -> str:
    return node.data.annotations["_debugLabel"]


class TestWhereNodesAreMade:
    THIS = "[tests/pygraphnn/test_misuse.py]"

    def test_comprehensions_and_lambdas_have_the_name_of_the_function_around(self):
        name = "_test_comprehensions_and_lambdas_have_the_name_of_the_function_around"
        made = [
            *[nn.Tanh()() for _ in range(1)],
            *(nn.Tanh()() for _ in range(1)),
            (lambda: nn.Tanh()())(),
            *{i: nn.Tanh()() for i in range(1)}.values(),
        ]
        assert all(label_of(node).startswith(self.THIS) for node in made)
        assert all(label_of(node).endswith(name) for node in made)

    def test_methods_and_inner_functions(self):
        class Model:
            def __init__(self) -> None:
                def inner() -> Any:
                    return nn.Tanh()()

                self.nodes = [nn.Tanh()(), inner()]

        assert [label_of(node).rpartition(":")[2].partition("_")[2] for node in Model().nodes] == ["__init__", "inner"]

    @pytest.mark.parametrize("name", ["<string>", "<ipython-input-3-0123456789ab>", "<stdin>"])
    def test_code_without_a_file(self, name):
        names: dict[str, Any] = {"nn": nn}
        exec(compile("\nx = nn.Identity()()\ny = (lambda: nn.Tanh()(x))()", name, "exec"), names)
        assert label_of(names["x"]) == f"[{name}]:2_"
        assert label_of(names["y"]) == f"[{name}]:3_"
        assert gModule([names["x"]], [names["y"]]).fg.todot().count(f'tooltip="[{name}]:2_"') == 1

    def test_cells_of_a_notebook(self, monkeypatch):
        class Compiler:
            def format_code_name(self, name: str) -> tuple[str, str] | None:
                return ("Cell", "In[3]") if name == "/tmp/ipykernel_1/2.py" else None

        class IPython:
            @staticmethod
            def get_ipython() -> Any:
                return type("Shell", (), {"compile": Compiler()})

        monkeypatch.setitem(__import__("sys").modules, "IPython", IPython)
        names: dict[str, Any] = {"nn": nn}
        exec(compile("def f(x):\n  return nn.Tanh()(x)", "/tmp/ipykernel_1/2.py", "exec"), names)
        x = nn.Identity()()
        assert label_of(names["f"](x)) == "[Cell In[3]]:2_f"
        assert label_of(x).startswith(self.THIS)
        assert label_of(names["f"](x).split(2)[0].children[0]).startswith("[Cell In[3]]:2_f split at [tests/")

    def test_files_are_told_from_the_working_directory(self, monkeypatch, tmp_path):
        assert label_of(nn.Tanh()()).startswith(self.THIS)
        monkeypatch.chdir(tmp_path)
        assert label_of(nn.Tanh()()).startswith(f"[{__file__}]")
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()
        assert label_of(nn.Tanh()()).startswith(f"[{__file__}]")
