"""Networks as networkx graphs."""

from __future__ import annotations

import json
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

import nn
import torch7
from pygraphnn import gModule, graph
from tests.support.char_rnn import BUILDERS
from tests.support.graphs import cell, chain, mlp, nested, residual, two
from tests.support.random_graphs import bare, drawings


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return (a["text"], a["parameters"], a["input"]) == (b["text"], b["parameters"], b["input"])


def test_attributes():
    g = mlp()
    g.forward(np.ones((2, 4)))
    net = g.to_networkx()
    assert net.graph == {"name": "nn.gModule"}
    hidden = dict(net.nodes[3])
    assert hidden.pop("line").endswith("in mlp")
    assert hidden == {
        "place": 3,
        "name": "hidden",
        "description": "",
        "module": "nn.Linear",
        "text": "nn.Linear(4 -> 3)",
        "family": "layers",
        "inputs": "2 × 4",
        "output": "2 × 3",
        "parameters": 15,
        "shared": "",
        "input": 0,
        "outputs": "",
    }
    assert [net.nodes[i]["input"] for i in net] == [1, 0, 0, 0]
    assert [net.nodes[i]["outputs"] for i in net] == ["", "", "", "1"]
    assert net.edges[2, 3] == {"inputs": "1", "parts": "", "shapes": "2 × 4"}
    assert all(g.forwardnodes[i - 1].data.module is not None for i in net)


def test_parts():
    x = nn.Identity()()
    a, b, c = nn.SplitTable(2)(x).split(3)
    d = nn.Tanh()(b)
    net = gModule([x], [nn.CAddTable()([c, d, a]), a]).to_networkx()
    split, total = (next(i for i in net if net.nodes[i]["module"] == m) for m in ("nn.SplitTable", "nn.CAddTable"))
    assert net.edges[split, total] == {"inputs": "1; 3", "parts": "3; 1", "shapes": "; "}
    assert net.nodes[split]["outputs"] == "2 (part 1)"
    assert net.nodes[total]["outputs"] == "1"


def test_inputs_and_shared_parameters():
    linear = nn.Linear(2, 2)
    x, y = nn.Identity()(), nn.Identity()()
    net = gModule([x, y], [nn.CAddTable()([linear(x), linear(y)])]).to_networkx()
    assert sorted(net.nodes[i]["input"] for i in net) == [0, 0, 0, 1, 2]
    assert [net.nodes[i]["shared"] for i in net if net.nodes[i]["module"] == "nn.Linear"] == ["A", "A"]


@pytest.mark.parametrize("build", [mlp, two, cell, residual, lambda: chain(50)])
def test_the_order_is_one_in_which_it_can_run(build):
    net = build().to_networkx()
    assert nx.is_directed_acyclic_graph(net)
    assert sorted(nx.topological_sort(net)) == sorted(net)
    assert all(a < b for a, b in net.edges)


def test_the_longest_path():
    assert nx.dag_longest_path_length(chain(50).to_networkx()) == 50
    path = nx.dag_longest_path(cell().to_networkx())
    texts = [cell().forwardnodes[i - 1].data.module for i in path]
    assert str(texts[0]) == "nn.Identity"
    assert str(texts[-1]) == "nn.LogSoftMax"
    assert len(path) == 24


@pytest.mark.parametrize("name", BUILDERS)
def test_comparing_networks(name):
    build = BUILDERS[name]
    net = build(5, 4, 2).to_networkx()
    assert nx.is_isomorphic(net, build(5, 4, 2).clone().to_networkx(), node_match=same)
    assert not nx.is_isomorphic(net, build(5, 4, 3).to_networkx(), node_match=same)
    assert not nx.is_isomorphic(net, build(5, 6, 2).to_networkx(), node_match=same)
    assert nx.is_isomorphic(net, build(5, 6, 2).to_networkx())


@pytest.mark.parametrize("build", [mlp, cell, lambda: nested().get(1)])
@pytest.mark.parametrize("run", [False, True])
def test_export(build, run, tmp_path):
    g = build()
    if run:
        batch = np.ones((2, 4))
        g.forward(batch if g.nInputs == 1 else [np.array([1, 2]), *[batch] * 4])
    g.forwardnodes[2].data.annotations["name"] = 'x "<ü>"'
    net = g.to_networkx()
    nx.write_graphml(net, tmp_path / "net.graphml")
    back = nx.read_graphml(tmp_path / "net.graphml", node_type=int)
    assert dict(back.nodes(data=True)) == dict(net.nodes(data=True))
    assert list(back.edges(data=True)) == list(net.edges(data=True))
    data = json.loads(json.dumps(nx.node_link_data(net, edges="edges")))
    assert nx.utils.graphs_equal(nx.node_link_graph(data, edges="edges"), net)


def test_a_graph_of_torch_graph_without_objects(tmp_path):
    a, b, c = (graph.Node({"name": name}) for name in "abc")
    g = graph.Graph()
    g.add([graph.Edge(a, b, 2.5), graph.Edge(b, c)])
    net = g.to_networkx(objects=False)
    assert dict(net.nodes(data=True)) == {i: {"label": g.nodes[i - 1].label()} for i in (1, 2, 3)}
    nx.write_graphml(net, tmp_path / "g.graphml")
    assert nx.read_graphml(tmp_path / "g.graphml", node_type=int).edges[1, 2]["weight"] == 2.5
    assert g.to_networkx().nodes[1]["node"] is a


def test_nothing_changes():
    g = cell()
    before = torch7.serialize(g)
    g.to_networkx()
    assert torch7.serialize(g) == before


@settings(deadline=None, max_examples=30)
@given(drawings())
def test_any_graph(drawing):
    g = drawing.build()
    g.forward(bare(drawing.input(1)))
    net = g.to_networkx()
    assert set(net) == {i for i, node in enumerate(g.forwardnodes, 1) if node.data.module is not None}
    assert len({n["input"] for n in net.nodes.values()} - {0}) == g.nInputs
    for a, b, edge in net.edges(data=True):
        for part, shape in zip(edge["parts"].split("; "), edge["shapes"].split("; ")):
            assert part or shape == net.nodes[a]["output"]
        assert max(map(int, edge["inputs"].split("; "))) <= len(net.nodes[b]["inputs"].split("; "))
    reachable = {b for a in net if net.nodes[a]["input"] for b in (a, *nx.descendants(net, a))}
    assert reachable == set(net)
