"""Pictures of networks for people: what computes, and what it reads; no plumbing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import nn

from .adapters import ModuleFromCriterion
from .render import quoted, write

# Families of modules, by the package that holds them, and their colours.
COLOURS = {
    "layers": "#cfe2f3",
    "containers": "#d9d2e9",
    "activations": "#d9ead3",
    "tables": "#fff2cc",
    "criterions": "#f4cccc",
}
OTHER = "#eeeeee"


def draw(g: Any, path: str | os.PathLike[str], title: str | None = None) -> None:
    """Draws a gModule to a file: .svg, .png, .pdf, or .dot for the text of the graph.

    Each node shows its annotated name, its module and, as tooltip, where it was made; inputs and outputs are numbered;
    an edge from a part of a split carries the part's number. Annotations `description` and `graphAttributes` are
    honoured. Raises ValueError for another suffix, and says what to install when there is no Graphviz.
    """
    write(picture(g, title), path)


def picture(g: Any, title: str | None = None) -> str:
    """The network in Graphviz' language, as draw() shows it.

    >>> import pygraphnn
    >>> x = nn.Identity()()
    >>> text = picture(pygraphnn.gModule([x], [nn.Tanh()(x)]))
    >>> text.count("->"), "nn.Tanh" in text
    (2, True)
    """
    shown = {id(node.data): node for node in g.forwardnodes if node.data.module is not None}
    lines = ["digraph network {", 'node [shape=box, style="rounded,filled"];', "rankdir=TB;"]
    if title is not None:
        lines.append(f'labelloc="t"; label={quoted(title)};')
    lines += [f"n{node.id} [{attributes(node, g)}];" for node in shown.values()]
    for node in shown.values():
        for source, part in sources(node.data):
            if id(source) in shown:
                lines.append(edge(f"n{shown[id(source)].id}", f"n{node.id}", part))
    for k, (source, part) in enumerate(sources(g.outnode.data), 1):
        name = "output" if len(g.outnode.children) == 1 else f"output {k}"
        lines.append(f'out{k} [label="{name}", shape=plaintext, style=""];')
        if id(source) in shown:
            lines.append(edge(f"n{shown[id(source)].id}", f"out{k}", part))
    return "\n".join([*lines, "}"])


def edge(start: str, end: str, part: int | None) -> str:
    """An edge; the number of the part of a split stands beside it."""
    return f"{start} -> {end}" + ("" if part is None else f' [taillabel="{part}", labelfontsize=9]') + ";"


def sources(data: Any) -> Iterator[tuple[Any, int | None]]:
    """For each input of a node: the data of the node with a module that it comes from, and the part of its output."""
    for source in data.mapindex.list_part():
        part = None
        while source.module is None and len(source.mapindex) == 2:
            part = source.selectindex if source.selectindex is not None else part
            source = source.mapindex[1]
        yield source, part


def attributes(node: Any, g: Any) -> str:
    """How a node looks."""
    module, notes = node.data.module, node.data.annotations
    if isinstance(module, ModuleFromCriterion):
        module = module.criterion
    family = type(module).__module__.split(".")
    look = {"fillcolor": COLOURS.get(family[1] if family[0] == "nn" and len(family) > 1 else "", OTHER)}
    lines = [notes.get("name"), str(module).partition("\n")[0].removesuffix(" {"), notes.get("description")]
    reads = [(source, part) for source, part in sources(node.data) if source is g.innode.data]
    if reads:
        look |= {"shape": "ellipse", "fillcolor": "white", "style": "filled"}
        number = reads[0][1]
        lines[0] = lines[0] or ("input" if number is None else f"input {number}")
        if type(module) is nn.Identity:
            del lines[1]
    look["label"] = "\n".join(str(line) for line in lines if line)
    look["tooltip"] = notes.get("_debugLabel") or ""
    look |= {str(k): str(v) for k, v in (notes.get("graphAttributes") or {}).items()}
    return ", ".join(f"{name}={quoted(value)}" for name, value in look.items())
