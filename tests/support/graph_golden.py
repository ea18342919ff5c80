"""Runs recorded cases of torch/nngraph: builds their graphs and describes ours in the form of the records."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

import nn
import pygraphnn
import torch7

from .golden import decode

Case = dict[str, Any]

NAMES = {"nn": nn, "nngraph": pygraphnn, "torch": torch7}


def run_text(case: Case) -> dict[str, Any]:
    """The names that the text of a case leaves behind."""
    names = dict(NAMES)
    exec(case["python"], names)
    return names


def build(case: Case) -> Any:
    """The network of a case, with the initial parameters of its seed."""
    torch7.manualSeed(case["seed"])
    return run_text(case)["g"]


def assert_close(got: Any, want: Any, where: str = "") -> None:
    """Fails unless `got` is nested as the recorded value `want` and has its numbers, but for rounding."""
    if isinstance(want, dict) and "table" in want:
        assert isinstance(got, (list, tuple)), where
        assert len(got) == len(want["table"]), where
        for i, (g, w) in enumerate(zip(got, want["table"])):
            assert_close(g, w, f"{where}[{i}]")
        return
    expected = decode(want)
    if not isinstance(expected, np.ndarray):
        assert got == expected, where
        return
    assert isinstance(got, np.ndarray), where
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype), where
    rtol, atol = 1e-12, 0.0
    if expected.dtype == np.float32:  # sums may cancel: what counts is the size of the terms
        rtol, atol = 1e-5, 1e-6 * np.abs(expected).max(initial=0)
    np.testing.assert_allclose(got, expected, rtol, atol, err_msg=where)


# -- structure


def described(node: Any) -> Case:
    """A node as the records have it."""
    data = node.data
    return {
        "id": node.id,
        "forwardNodeId": data.forwardNodeId,
        "children": [child.id for child in node.children],
        "inputs_forwardNodeId": [d.forwardNodeId for d in data.mapindex.list_part()],
        "module": None if data.module is None else torch7.typename(data.module),
        "tostring": None if data.module is None else str(data.module),
        "name": data.annotations.name,
        "selectindex": data.selectindex,
        "nSplitOutputs": data.nSplitOutputs,
    }


def described_graph(graph: Any) -> Case:
    """A graph.Graph as the records have it."""
    edges = [[edge.from_.id, edge.to.id] for edge in graph.edges]
    return {"nodes": [described(node) for node in graph.nodes], "edges": edges}


def structure(g: Any) -> Case:
    """A gModule as the records have it."""
    return {
        "forwardnodes": [described(node) for node in g.forwardnodes],
        "backwardnodes_ids": [node.id for node in g.backwardnodes],
        "fg": described_graph(g.fg),
        "bg": described_graph(g.bg),
        "nroots_fg": len(g.fg.roots()),
        "nleaves_fg": len(g.fg.leaves()),
        "innode_id": g.innode.id,
        "outnode_id": g.outnode.id,
        "modules": [torch7.typename(module) for module in g.modules],
        "nInputs": g.nInputs,
    }


# -- drawings

_NODE = re.compile(r'(n\d+)\[label=("(?:[^"\\]|\\.)*"|\w+) ?(.*)\];')
_ATTRIBUTE = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\w+)')


def label_lines(label: str) -> tuple[str, ...]:
    """The lines of a label; Lua tells the fields of a node in no fixed order."""
    *head, fields = label.strip('"').split("\\n")
    return *head, *sorted(fields.split("\\l"))


def drawing(dot: str) -> Case:
    """What a text in Graphviz' language draws: without the order of a label's lines and the places in the source."""
    nodes: Case = {}
    others = []
    for line in dot.splitlines():
        match = _NODE.fullmatch(line)
        if match is None:
            others.append(line.strip())
            continue
        attributes = {k: v for k, v in _ATTRIBUTE.findall(match[3]) if not (k == "tooltip" and v.startswith('"['))}
        nodes[match[1]] = label_lines(match[2]), attributes
    return {"nodes": nodes, "others": others}


def drawings(g: Any) -> dict[str, Case]:
    """The drawings of a gModule that the records have."""
    simple = pygraphnn.simple_print
    texts = {"fg": g.fg.todot(), "fg_title": g.fg.todot("A title"), "bg": g.bg.todot()}
    texts |= {"simple_fg": simple.todot(g.fg, "Simple"), "simple_bg": simple.todot(g.bg)}
    return {name: drawing(text) for name, text in texts.items()}
