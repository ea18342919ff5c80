"""Drawings of graphs without their plumbing: only nodes whose module computes something."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from typing import Any

import torch7

from .render import dotEscape, drawable, quoted, save_or_show

__all__ = ["dot", "todot"]


def todot(graph: Any, title: str | None = None) -> str:
    """The graph in Graphviz' language without nodes that have no module, or nn.Identity.

    What such a node read is joined to what reads it. Source: torch/nngraph.

    >>> import nn, pygraphnn
    >>> x = nn.Identity()()
    >>> print(todot(pygraphnn.gModule([x], [nn.Tanh()(nn.Sigmoid()(x))]).fg))
    digraph G {
    node [shape = oval];
    n1[label="Node1\\nmodule = nn.Tanh\\lreverseMap = {}"];
    n3[label="Node3\\nmodule = nn.Sigmoid\\lreverseMap = {}"];
    n3 -> n1;
    }
    """
    heading = "" if title is None else f'labelloc="t";\nlabel={quoted(title)};\n'
    shown = [node for node in drawable(graph, "nngraph.simple_print").nodes if computes(node)]
    labels = {node.id: dotEscape(f"Node{node.id}\n{node.label()}") for node in shown}
    nodes = "".join(f"\nn{i}[label={label}];" for i, label in labels.items())
    edges = "".join(f"n{start.id} -> n{end.id};\n" for start, end in joined(graph.nodes))
    return f"digraph G {{\n{heading}node [shape = oval]; {nodes}\n{edges}}}"


def computes(node: Any) -> bool:
    """Whether the node has a module that changes something."""
    module = node.data.module if isinstance(node.data, torch7.Table) else None
    return module is not None and torch7.typename(module) != "nn.Identity"


def joined(nodes: Iterable[Any]) -> list[tuple[Any, Any]]:
    """The edges between nodes that compute, in Torch's order: those around a node left out become the last ones.

    Where a value comes to a node on two ways, there are two edges.
    """
    numbers, edges = itertools.count(), dict[int, tuple[Any, Any]]()
    touching: dict[Any, dict[int, None]] = {node: {} for node in nodes}

    def join(start: Any, end: Any) -> None:
        if start in touching and end in touching:
            n = next(numbers)
            edges[n] = start, end
            touching[start][n] = touching[end][n] = None

    for node in touching:
        for child in node.children:
            join(node, child)
    for node in [node for node in touching if not computes(node)]:
        around = [edges.pop(n) for n in touching.pop(node) if n in edges]
        sources = [start for start, end in around if end is node]
        targets = [end for start, end in around if start is node]
        for start, end in itertools.product(sources, targets):
            join(start, end)
    return list(edges.values())


def dot(graph: Any, title: str | None = None, fname: str | os.PathLike[str] | None = None) -> None:
    """Draws a graph without its plumbing as graph.dot does: to `fname`.svg and `fname`.dot, or on the screen."""
    save_or_show(todot(graph, title), fname)
