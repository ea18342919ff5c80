"""Facts about the nodes of a network, for people and programs: what drawings, tables and networkx show of it.

Nothing is computed and nothing changed: shapes are those of the last run, which left its values in the nodes.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import nn
import torch7
from nn.checks import named
from torch7 import memory
from torch7.tables import is_table

from .adapters import ModuleFromCriterion
from .gmodule import gModule
from .node import headline
from .unroll import Unroll

FAMILIES = ("layers", "spatial", "activations", "tables", "criterions", "containers", "normalization")
HOMES = {"container": "containers", "criterion": "criterions"}
_LABEL = re.compile(r"\[([^\[\]]*)\]:(\d+)_(.*)", re.DOTALL)

Parts = tuple[int, ...]  # of a table, from 1: (2, 1) is the first part of its second part


@dataclass(eq=False)
class Fact:
    """What there is to tell of one node.

    `place` is its position in `forwardnodes`, from 1; `text` the module's text, `kind` its class as Torch names it.
    `inputs` and `output` are values' shapes as text, empty before a run. `sources` tells for each input the place of
    the node with a module (or of the graph's input) that it comes from, and which part of that node's output it is.
    `shared` has a letter for every set of boxes with the same parameters, once `mark_shared` went over them.
    """

    node: Any
    place: int
    name: str
    description: str
    module: Any
    kind: str
    text: str
    family: str
    line: str
    inputs: tuple[str, ...]
    output: str
    parameters: int
    sources: tuple[tuple[int, Parts], ...]
    shared: str = ""


def facts(g: Any, plumbing: bool = False) -> list[Fact]:
    """The facts about the nodes of a gModule that compute, in the order in which they run.

    With `plumbing` those about all its nodes: its input and output and the parts of splits, too.

    >>> x = nn.Identity()()
    >>> for fact in facts(gModule([x], [nn.Linear(3, 2)(x).annotate(name="y")])):
    ...     print(fact.place, fact.name, fact.text, fact.parameters, fact.sources)
    2  nn.Identity 0 ((1, ()),)
    3 y nn.Linear(3 -> 2) 8 ((2, ()),)
    """
    place = places(g)
    return [_fact(node, place, g, plumbing) for node in (g.forwardnodes if plumbing else _computing(g))]


def outputs(g: Any) -> list[tuple[int, Parts, str]]:
    """For each output of a gModule the place of the node that makes it, the part of its output, and the shape."""
    found = _sources(g.outnode.data, places(g))
    return [(*source, shape) for source, shape in zip(found, _inputs(g.outnode.data, len(found), g))]


def entries(g: Any) -> dict[int, int]:
    """For each input of a gModule, counted from 1, the place of the node that reads it."""
    place, found = places(g), {}
    for node in _computing(g):
        for source, parts in _sources(node.data, place):
            if source == place[id(g.innode.data)]:
                found[parts[0] if g.nInputs > 1 else 1] = place[id(node.data)]
    return found


def places(g: Any) -> dict[int, int]:
    """The place of every node of a gModule, by the id of its data."""
    return {id(node.data): i for i, node in enumerate(g.forwardnodes, 1)}


def _fact(node: Any, place: dict[int, int], g: Any, plumbing: bool) -> Fact:
    data, module = node.data, node.data.module
    notes = data.annotations
    direct: list[tuple[int, Parts]] = [(place[id(child)], ()) for child in data.mapindex.list_part()]
    sources = direct if plumbing else _sources(data, place)
    return Fact(
        node=node,
        place=place[id(data)],
        name=str(notes.get("name") or ""),
        description=str(notes.get("description") or ""),
        module=module,
        kind="" if module is None else kind(module),
        text=_plumbing_text(data) if module is None else text(module),
        family="" if module is None else family(module),
        line=source_line(notes.get("_debugLabel")),
        inputs=_inputs(data, len(sources), g),
        output=_output(node, g),
        parameters=distinct(parameters(module)),
        sources=tuple(sources),
    )


def _computing(g: Any) -> list[Any]:
    """The nodes that compute."""
    return [node for node in g.forwardnodes if _computes(node.data) and node.data is not g.outnode.data]


def _computes(data: Any) -> bool:
    """Whether a node has a module, or makes a table of several inputs: the others only hand on what they get."""
    return data.module is not None or len(data.mapindex) > 2


def _sources(data: Any, place: dict[int, int]) -> list[tuple[int, Parts]]:
    found = []
    for source in data.mapindex.list_part():
        parts: Parts = ()
        while not _computes(source) and len(source.mapindex) == 2:
            parts = parts if source.selectindex is None else (int(source.selectindex), *parts)
            source = source.mapindex[1]
        found.append((place[id(source)], parts))
    return found


def to_networkx(g: Any) -> Any:
    """The networkx.DiGraph of a gModule: see gModule.to_networkx."""
    import networkx

    result = networkx.DiGraph(name=str(g))
    every = facts(g)
    mark_shared(every)
    inner = places(g)[id(g.innode.data)]
    for fact in every:
        plain = ("place", "name", "description", "text", "family", "line", "output", "parameters", "shared")
        inputs = [parts[0] if g.nInputs > 1 else 1 for source, parts in fact.sources if source == inner]
        result.add_node(
            fact.place,
            **{name: getattr(fact, name) for name in plain},
            module=fact.kind,
            inputs="; ".join(filter(None, fact.inputs)),
            input=inputs[0] if inputs else 0,
            outputs="",
        )
        for i, ((source, parts), shape) in enumerate(zip(fact.sources, fact.inputs), 1):
            if source != inner:
                _add_edge(result, source, fact.place, inputs=str(i), parts=dotted(parts), shapes=shape)
    for k, (place, parts, _) in enumerate(outputs(g), 1):
        node = result.nodes[place]
        made = f"{k} (part {dotted(parts)})" if parts else str(k)
        node["outputs"] = "; ".join(filter(None, (node["outputs"], made)))
    return result


def _add_edge(graph: Any, source: int, reader: int, **told: str) -> None:
    """What is told of an edge that is there already becomes longer."""
    before = graph.get_edge_data(source, reader)
    graph.add_edge(source, reader, **{k: f"{before[k]}; {v}" if before else v for k, v in told.items()})


def dotted(parts: Parts) -> str:
    """The numbers of a part of a part with dots between them, "2.1"; nothing for all of a value."""
    return ".".join(map(str, parts))


# -- modules


def kind(module: Any) -> str:
    """The module's class, as Torch names it; that of the criterion for a criterion."""
    return named(_meant(module))


def text(module: Any) -> str:
    """The first line of the module's text."""
    return headline(_meant(module))


def _meant(module: Any) -> Any:
    """The criterion that a module stands for, or the module itself."""
    return module.criterion if isinstance(module, ModuleFromCriterion) else module


def family(module: Any) -> str:
    """One of FAMILIES, by the package that holds the class or one it derives from; "graphs", or "other"."""
    if isinstance(module, (gModule, Unroll, ModuleFromCriterion)):
        return "criterions" if isinstance(module, ModuleFromCriterion) else "graphs"
    for cls in type(module).__mro__:
        package, _, home = cls.__module__.partition(".")
        home = HOMES.get(home.partition(".")[0], home.partition(".")[0])
        if package == "nn" and home in FAMILIES:
            return home
    return "tables" if type(module).__module__ == ModuleFromCriterion.__module__ else "other"


def source_line(label: Any) -> str:
    """ "file.py:12 in function" for the place where a node was made, the file seen from the current directory."""
    match = _LABEL.fullmatch(str(label or ""))
    if match is None:
        return ""
    file, line, function = match.groups()
    file = file.removeprefix(os.getcwd().replace("\\", "/") + "/")
    return f"{file}:{line}" + (f" in {function}" if function else "")


def _plumbing_text(data: Any) -> str:
    if data.selectindex is not None:
        return f"part {data.selectindex}"
    if data.nSplitOutputs is not None:
        return f"split({data.nSplitOutputs})"
    return "table" if len(data.mapindex) > 2 else ""


# -- values


def shape(value: Any, dtype: Any = None) -> str:
    """The shape of a value as text, with its type where that is not `dtype`.

    >>> shape(np.ones((2, 3))), shape([np.ones(4), np.ones(4)]), shape(np.ones((2, 3), int), np.float64)
    ('2 × 3', '2 of 4', '2 × 3 int64')
    """  # noqa: RUF002
    if isinstance(value, np.ndarray):
        sizes = " × ".join(map(str, value.shape)) or "scalar"
        return sizes if dtype is None or value.dtype == dtype else f"{sizes} {value.dtype}"
    if is_table(value):
        members = [shape(v, dtype) for v in value]
        if len(members) > 1 and len(set(members)) == 1:
            return f"{len(members)} of {members[0]}"
        if len(members) > 4:
            members[3:-1] = ["…"]
        return f"[{', '.join(members)}]"
    return "" if value is None else type(value).__name__


def _dtype(g: Any) -> Any:
    return torch7.dtype_of(g._type)


def _inputs(data: Any, n: int, g: Any) -> tuple[str, ...]:
    values: Any = dict.get(data, "input")
    if not is_table(values) or len(values) != n:
        return ("",) * n
    return tuple(shape(value, _dtype(g)) for value in values)


def _output(node: Any, g: Any) -> str:
    """The shape of what the readers got from a node."""
    for reader in node.children:
        values: Any = dict.get(reader.data, "input")
        place = reader.data.mapindex[node.data]
        if is_table(values) and len(values) >= place:
            return shape(values[place - 1], _dtype(g))
    return ""


# -- parameters


def parameters(module: Any) -> list[np.ndarray]:
    """The arrays that hold a module's parameters."""
    if not hasattr(module, "parameters"):
        return []  # an object of a class that is unknown here
    if isinstance(module, nn.IndexLinear):  # whose parameters() makes it a gradient
        return [module.weight, module.bias]
    if isinstance(module, nn.Container) and type(module).parameters is nn.Container.parameters:
        return [a for member in module.modules for a in parameters(member)]
    return [a for a in (module.parameters() or ([],))[0] if isinstance(a, np.ndarray) and a.size]


def distinct(arrays: Sequence[np.ndarray]) -> int:
    """How many elements there are in memory: what arrays share counts once."""
    total = 0
    for region in _regions(arrays):
        canvas, views = _canvas(region)
        if canvas is None:
            total += region[0].size
        else:
            for view in views:
                view[...] = 1
            total += int(np.count_nonzero(canvas)) // views[0].shape[-1]
    return total


def mark_shared(boxes: Sequence[Fact]) -> None:
    """Gives `shared` letters to the facts whose modules have parameters in the same memory: "A", or "A, B"."""
    for box, marks in zip(boxes, letters([parameters(box.module) for box in boxes])):
        box.shared = marks


def letters(owned: Sequence[Sequence[np.ndarray]]) -> list[str]:
    """For lists of arrays the letters that tell which of them share memory: each set of sharers has one."""
    owners: dict[int, set[int]] = {}  # of an array
    for i, arrays in enumerate(owned):
        for a in arrays:
            owners.setdefault(id(a), set()).add(i)
    tied = _tied([a for arrays in owned for a in arrays])
    groups = {frozenset[int]().union(*(owners[id(a)] for a in group)) for group in tied}
    found: list[list[str]] = [[] for _ in owned]
    for n, sharers in enumerate(sorted((group for group in groups if len(group) > 1), key=sorted)):
        for i in sharers:
            found[i].append(letter(n))
    return [", ".join(marks) for marks in found]


def letter(n: int) -> str:
    """A for 0, B for 1, ... Z, AA, AB, ..."""
    return (letter(n // 26 - 1) if n >= 26 else "") + chr(ord("A") + n % 26)


def _tied(arrays: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """The arrays in groups of those that share elements, directly or through others."""
    for region in _regions(arrays):
        canvas, views = _canvas(region)
        if canvas is None:
            yield region
            continue
        groups: dict[int, list[np.ndarray]] = {}
        for i, (a, view) in enumerate(zip(region, views), 1):
            met = [int(k) for k in np.unique(view) if k]
            groups[i] = [a, *(b for k in met for b in groups.pop(k))]
            if met:
                canvas[np.isin(canvas, met)] = i
            view[...] = i
        yield from groups.values()


def extent(a: np.ndarray) -> tuple[Any, ...]:
    """Where an array begins and ends in memory, and how it lies there: the same for arrays that are one for Torch."""
    low, high = np.lib.array_utils.byte_bounds(a)
    return low, high, a.shape, a.strides


def _regions(arrays: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """The arrays in groups whose stretches of memory overlap, though perhaps not their elements."""
    region: list[np.ndarray] = []
    end = 0
    for a in sorted(arrays, key=extent):
        low, high, *_ = extent(a)
        if region and low >= end:
            yield region
            region = []
        end = high if not region else max(end, high)
        region.append(a)
    if region:
        yield region


def _canvas(region: list[np.ndarray]) -> tuple[Any, list[np.ndarray]]:
    """A number for every piece of a stretch of memory, and the arrays seen there; None if all are the same array."""
    if len({extent(a) for a in region}) == 1 and 0 not in region[0].strides:
        return None, []
    low, high = min(extent(a)[0] for a in region), max(extent(a)[1] for a in region)
    starts = [a.__array_interface__["data"][0] - low for a in region]
    piece = _piece(region, starts)
    canvas = np.zeros((high - low) // piece, np.int32)
    views = []
    for a, start in zip(region, starts):
        steps = (*(step // piece for step in a.strides), 1)
        views.append(memory.view_of(canvas, start // piece, (*a.shape, a.itemsize // piece), steps))
    return canvas, views


def _piece(region: list[np.ndarray], starts: list[int]) -> int:
    """The largest number of bytes that all elements begin and end at multiples of: as a rule that of an element."""
    return math.gcd(*starts, *(n for a in region for n in (a.itemsize, *a.strides)))
