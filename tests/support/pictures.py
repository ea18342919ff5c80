"""Pictures of networks as their texts tell them, read by Graphviz itself."""

from __future__ import annotations

import html
import re
from typing import Any

import pygraphviz

from pygraphnn import picture, render


class Picture:
    """The boxes, frames and edges of a picture in Graphviz' language.

    `labels` has the lines of every box, `attributes` all else; `edges` are (start, end, part), sorted; what goes from
    column to column is one edge.
    """

    def __init__(self, g: Any, *args: Any, **options: Any):
        self.text = picture(g, *args, **options)
        self.graph = pygraphviz.AGraph(string=render.render(self.text, "dot").decode())
        nodes = [n for n in self.graph.nodes() if n.attr["style"] != "invis"]
        self.links = {str(n) for n in nodes if re.fullmatch(r"[a-z]+_(from|in_\w+)", n)}
        self.attributes = {str(n): dict(n.attr) for n in nodes if n not in self.links}
        self.labels = {id_: lines(a["label"]) for id_, a in self.attributes.items()}
        self.frames = frames(self.graph)
        drawn = [e for e in self.graph.edges() if e.attr["style"] != "invis"]
        self.states = sorted((str(e[0]), str(e[1])) for e in drawn if e.attr["style"] == "dashed")
        solid = [e for e in drawn if e.attr["style"] != "dashed"]
        self.tips = {(str(e[0]), str(e[1])): e.attr["tooltip"] for e in drawn}
        left = {str(e[1]).removesuffix("_from"): e for e in solid if e[1].endswith("_from")}
        self.edges = []
        for e in solid:
            if e[1] not in self.links:
                first = left[e[0].split("_in_")[0]] if e[0] in self.links else e
                self.edges.append((str(first[0]), str(e[1]), "".join(lines(first.attr["headlabel"] or ""))))
        self.edges.sort()

    def id(self, line: str) -> str:
        """The box with this line in its label."""
        (found,) = (id_ for id_, label in self.labels.items() if line in label)
        return found

    def named(self) -> list[tuple[str, str, str]]:
        """The edges, by the first lines of the boxes' labels."""
        return sorted((self.labels[a][0], self.labels[b][0], part) for a, b, part in self.edges)


def frames(graph: Any) -> dict[str, dict[str, Any]]:
    """The frames in a graph, by name: their attributes, the lines of the label, and what is inside."""
    found = {}
    for inner in graph.subgraphs():
        if inner.name and inner.name.startswith("cluster_"):
            attributes = dict(inner.graph_attr)
            inside = {str(n) for n in inner.nodes()}
            found[inner.name[8:]] = {**attributes, "lines": lines(attributes["label"]), "inside": inside}
        found |= frames(inner)
    return found


def lines(label: str) -> list[str]:
    """The lines of a label in Graphviz' HTML."""
    label = re.sub(r"</tr><tr>|<br/>|<br align=\"left\"/>(?!</td>)", "\n", label)
    text = html.unescape(re.sub(r"<[^<>]*>", "", label))
    return [line.replace("\\\\", "\\") for line in text.split("\n")]


def pixels(path: Any) -> tuple[int, int]:
    """Width and height of a PNG."""
    head = path.read_bytes()[16:24]
    return int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
