"""What a picture of a network shows: boxes, boxes in boxes, and the edges between them. How they look is drawing's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import nn
import torch7
from torch7.tables import Table

from .facts import Fact, Parts, entries, facts, mark_shared, outputs, places
from .gmodule import gModule
from .graph import Graph


@dataclass(eq=False)
class Box:
    """A node, or an output of the network; a nested graph that is not folded has its nodes `inside`.

    `entries` has for each input of such a graph who reads it, which of its inputs that is, and which part it takes;
    `exits` for each output who makes it, which part of its output it is, and its shape.
    """

    id: str
    fact: Fact | None
    shape: str = ""
    title: str = ""  # "input 2", "output"
    becomes: str = ""  # of an output: the inputs that get it in the next time step
    pill: bool = False  # stands for a value and computes nothing
    failed: bool = False
    inside: list[Box] = field(default_factory=list)
    entries: list[list[tuple[Box, int, Parts]]] = field(default_factory=list)
    exits: list[tuple[Box, Parts, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name that was given to a node, or what it stands for."""
        return (self.fact.name if self.fact else "") or self.title

    def leaves(self) -> Iterator[Box]:
        """The boxes that have none inside."""
        for box in self.inside:
            yield from box.leaves()
        if not self.inside:
            yield self

    def readers(self, i: int = 0) -> Iterator[tuple[Box, int, Parts]]:
        """The boxes without boxes inside that get input i, as which of their inputs, and which part of it."""
        if not self.inside:
            yield self, i, ()
            return
        for box, j, parts in self.entries[min(i, len(self.entries) - 1)]:
            for reader, k, more in box.readers(j):
                yield reader, k, parts + more

    def makers(self, parts: Parts = ()) -> Iterator[tuple[Box, Parts, str]]:
        """The boxes without boxes inside that make a part of the output, or together all of it, and in what shape."""
        if not self.inside:
            yield self, parts, "" if parts else self.shape
            return
        exits = self.exits
        if len(exits) > 1 and parts:
            exits, parts = [exits[min(parts[0], len(exits)) - 1]], parts[1:]
        for box, own, shape in exits:
            for maker, made, found in box.makers(own + parts):
                yield maker, made, found or ("" if parts else shape)


class Edge(NamedTuple):
    """From a box to a box: what part of the output, in what shape; `state` if it goes to the next time step."""

    start: Box
    end: Box
    parts: Parts
    shape: str
    state: bool = False


class View:
    """Everything that a picture shows of a gModule: `boxes`, with those inside them, and `edges`."""

    def __init__(
        self,
        g: Any,
        fold: bool | str | Iterable[str] = False,
        plumbing: bool = False,
        states: Mapping[int, int] | None = None,
        failed: Iterable[Any] = (),
    ):
        check_network(g)
        self.fold = fold if isinstance(fold, bool) else names_of(fold)
        self.plumbing = plumbing
        self.failed = {id(data) for data in data_of(failed)}
        self.names: set[str] = set()  # of nested graphs
        self.edges: list[Edge] = []
        top = Box("n", None)
        self.fill(top, g)
        self.boxes = top.inside
        if isinstance(self.fold, set) and not self.fold <= self.names:
            raise ValueError(
                f"pygraphnn.draw: no nested graph to fold is named {' or '.join(map(repr, sorted(self.fold)))}: "
                f"there are {', '.join(map(repr, sorted(self.names))) or 'none with a name'}"
            )
        mark_shared([box.fact for box in top.leaves() if box.fact is not None])
        becomes = self.add_states(g, states)
        if not plumbing:
            self.add_outputs(top, becomes)

    def fill(self, around: Box, g: Any) -> None:
        """Puts the boxes of a graph into the box around it, and notes the edges between them."""
        boxes = {fact.place: self.box(fact, f"{around.id}_{fact.place}") for fact in facts(g, self.plumbing)}
        around.inside = list(boxes.values())
        inner, outer = (places(g)[id(node.data)] for node in (g.innode, g.outnode))
        if self.plumbing:
            around.entries, around.exits = [[(boxes[inner], 0, ())]], [(boxes[outer], (), "")]
            for place, title in (inner, "input"), (outer, "output"):
                boxes[place].title, boxes[place].pill = title, True
        else:
            around.entries = [[] for _ in range(g.nInputs)]
            around.exits = [(boxes[place], parts, shape) for place, parts, shape in outputs(g)]
        for box in around.inside:
            for source, parts, i in wires(box):
                if source in boxes:
                    self.edges += edges(boxes[source], parts, box, i)
                else:  # the graph's input
                    k, rest = (parts[0] - 1, parts[1:]) if g.nInputs > 1 else (0, parts)
                    around.entries[k].append((box, i, rest))
                    box.title = f"input {k + 1}" if g.nInputs > 1 else "input"
                    box.pill = type(box.fact.module) is nn.Identity  # type: ignore[union-attr]

    def box(self, fact: Fact, id_: str) -> Box:
        """The box of a node, with those inside it."""
        box, module = Box(id_, fact, fact.output), fact.module
        box.failed = id(fact.node.data) in self.failed
        if isinstance(module, gModule):
            names = {fact.name, str(module.name or "")} - {""}
            self.names |= names
            if self.fold is False or (self.fold is not True and self.fold.isdisjoint(names)):
                self.fill(box, module)
        if self.failed and not box.failed:
            box.failed = any(id(node.data) in self.failed for node in nested_nodes(module))
        return box

    def add_outputs(self, top: Box, becomes: dict[int, list[str]]) -> None:
        """The network's outputs, as boxes."""
        for k, (box, parts, shape) in enumerate(top.exits, 1):
            title = f"output {k}" if len(top.exits) > 1 else "output"
            becoming = ", ".join(becomes.get(k, ()))
            self.boxes.append(Box(f"out{k}", None, shape, title, becoming, pill=True))
            self.edges += edges(box, parts, self.boxes[-1], 0)

    def add_states(self, g: Any, states: Mapping[int, int] | None) -> dict[int, list[str]]:
        """Edges from what makes an output to the input that gets it in the next time step; what each output becomes."""
        becomes: dict[int, list[str]] = {}
        if states is None:
            return becomes
        if not isinstance(states, Mapping):
            raise TypeError(f"pygraphnn.draw: expected states as a dict of inputs to outputs, got {states!r:.80}")
        made, inputs = outputs(g), entries(g)
        boxes = {box.fact.place: box for box in self.boxes if box.fact is not None}
        for i, k in states.items():
            if i not in inputs or k not in range(1, len(made) + 1):
                raise ValueError(
                    f"pygraphnn.draw: states should map inputs (1 to {g.nInputs}) to outputs (1 to {len(made)}), "
                    f"got {i!r}: {k!r}"
                )
            place, parts, _ = made[int(k) - 1]
            self.edges += [e._replace(state=True) for e in edges(boxes[place], parts, boxes[inputs[i]], 0)]
            becomes.setdefault(k, []).append(boxes[inputs[i]].name)
        return becomes


def wires(box: Box) -> Iterator[tuple[int, Parts, int]]:
    """The place of the node, and the part of its output, that a box gets as which of its inputs, from 0."""
    sources, n = box.fact.sources if box.fact else (), len(box.entries)
    if len(sources) == 1 and n > 1:  # a table, for a graph with several inputs
        ((place, parts),) = sources
        yield from ((place, (*parts, k + 1), k) for k in range(n))
    else:
        for i, (place, parts) in enumerate(sources):
            yield place, parts, 0 if n == 1 else i


def edges(source: Box, parts: Parts, box: Box, i: int) -> Iterator[Edge]:
    """The edges that take a part of the output of a box to input i of another."""
    for end, j, own in box.readers(i):
        shapes = end.fact.inputs if end.fact else (end.shape,)
        for start, made, shape in source.makers(parts + own):
            yield Edge(start, end, made, shape or (shapes[j] if j < len(shapes) else ""))


def check_network(g: Any) -> None:
    """Raises TypeError for what is no gModule."""
    if not isinstance(g, gModule):
        hint = ""
        if isinstance(g, nn.Module):
            hint = "; pygraphnn.summary() takes any module"
        elif isinstance(g, Graph):
            hint = ": give the gModule itself, or draw its graph with pygraphnn.graph.dot()"
        raise TypeError(f"pygraphnn.draw: expected an nn.gModule, got a {torch7.type(g)}{hint}")


def names_of(fold: Any) -> set[str]:
    """The names of the graphs to fold: one, or several."""
    names: set[Any] = {fold} if isinstance(fold, str) or not isinstance(fold, Iterable) else set(fold)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"pygraphnn.draw: expected fold as True, False, or names of graphs, got {fold!r:.80}")
    return names


def data_of(failed: Any) -> list[Any]:
    """What is to be red."""
    every = list(failed) if isinstance(failed, Iterable) else [failed]
    for data in every:
        if not isinstance(data, Table) or "mapindex" not in data:
            got = torch7.type(data)
            raise TypeError(f"pygraphnn.draw: expected failed as a list of nodes' data (node.data), got a {got} in it")
    return every


def nested_nodes(module: Any) -> Iterator[Any]:
    """All nodes of the graphs in a module, at any depth."""
    if isinstance(module, gModule):
        yield from module.forwardnodes
    for inner in getattr(module, "modules", None) or ():
        yield from nested_nodes(inner)
