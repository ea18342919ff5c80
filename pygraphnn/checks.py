"""What can be wired into a graph: the checks of gModule and of calls with nodes, and the words of their errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch7
from nn import Module
from torch7.tables import is_table

from .graph import cycle_from
from .node import Node

SHOWN = 4  # so many items of a list are told, the others only counted


def check_nodes(nodes: Any, what: str, who: str) -> None:
    """Raises an error that says which of `nodes` is no node, and what it is."""
    if isinstance(nodes, Node) or not is_table(nodes):
        raise TypeError(f"{who}: {what} should be a list of nodes, got {kind(nodes)}")
    for i, node in enumerate(nodes, 1):
        if isinstance(node, Node):
            continue
        if node is None:
            raise ValueError(f"{who}: {what}[{i}] is nil (typo / bad index?)")
        if isinstance(node, Module):
            raise TypeError(
                f"{who}: {what}[{i}] is an nn.Module, specifically a {torch7.type(node)}, but the only valid thing to "
                "pass is an instance of nngraph.Node. Did you forget a second set of parens, which convert a nn.Module "
                "to a nngraph.Node?"
            )
        hint = " (To run a module on a tensor, call its forward.)" if torch7.isTensor(node) else ""
        raise TypeError(f"{who}: {what}[{i}] should be an nngraph.Node but is of type {kind(node)}{hint}")


def check_distinct(nodes: Sequence[Node], what: str, who: str) -> None:
    """Raises an error if a node is in the list twice."""
    first: dict[int, int] = {}
    for i, node in enumerate(nodes, 1):
        before = first.setdefault(id(node.data), i)
        if before != i:
            raise ValueError(
                f"{who}: Don't pass the same input twice. {what}[{i}] is {what}[{before}], {node.described()}; "
                "nn.Identity()(node) is another node of the same value."
            )


def check_inputs(inputs: Sequence[Node]) -> None:
    """Raises an error if a node reads others, although it is to be one of the inputs of a graph."""
    for i, node in enumerate(inputs, 1):
        children: list[Any] = node.children
        if children:
            source = _end(node, lambda n: n.children)
            owner = "" if source is None else _of(source)
            raise ValueError(
                f"nn.gModule: an input should have no inputs, but inputs[{i}], {node.described()}, reads "
                f"{_some(child.described() for child in children)}{owner}"
            )


def check_roots(roots: Sequence[Node], innode: Node) -> Node:
    """The input node among the nodes that read none; raises an error if there is another one that needs an input."""
    found = next((root for root in roots if root.data is innode.data), None)
    others = [root for root in roots if root is not found and torch7.typename(root.data.module) != "nnop.Parameters"]
    if others:
        added = next((root for root in others if _is_end(root)), None)
        if added is None:
            problem = f"{_some(root.described() for root in others)} has no input and is not among the inputs"
        else:
            readers: list[Any] = added.children
            if readers[0].data.nSplitOutputs:  # of several inputs
                readers = [reader for part in readers[0].children for reader in part.children]
            problem = f"{_some(reader.described() for reader in readers)} has its input{_of(added)}"
        module = others[0].data.module
        came = "module not found in node" if module is None else f"found : {torch7.type(module)}"
        only = "" if found else " No output depends on the given inputs."
        raise ValueError(f"nn.gModule: {problem}; Expected nnop.Parameters node, {came}.{only}")
    if found is None:
        raise ValueError("nn.gModule: no output depends on the inputs (input node not found among roots)")
    return found


def check_form(node: Node) -> None:
    """Raises an error if a node's fields contradict each other, as they can when it was made by hand."""
    data = node.data
    problem = ""
    if len(node.children) * 2 != len(data.mapindex) or not all(child.data in data.mapindex for child in node.children):
        problem = f"its {len(node.children)} children are not its {len(data.mapindex) // 2} inputs; use add(node, True)"
    elif data.module is not None and not isinstance(data.module, Module):
        problem = f"its module should be an nn.Module, got {kind(data.module)}"
    elif data.selectindex is not None and data.module is not None:
        problem = "the selectindex-handling nodes should have no module"
    elif data.selectindex is not None and len(node.children) != 1:
        problem = f"only the splitted node should be the input, got {len(node.children)} inputs"
    if problem:
        raise ValueError(f"nn.gModule: {node.described()}: {problem}")


def check_acyclic(outnode: Node) -> None:
    """Raises an error that tells the nodes of a cycle, if one leads to the output node."""
    cycle: list[Any] = cycle_from([outnode])[::-1]  # children are inputs: turned round, values flow along
    if cycle:
        path = [node.described() for node in [*cycle, cycle[0]]]
        path = (
            path if len(path) <= 2 * SHOWN else [*path[:SHOWN], f"... {len(path) - 2 * SHOWN} more ...", *path[-SHOWN:]]
        )
        raise ValueError(
            f"nn.gModule: Graph has cycles: node declared on {_label(cycle[0])} does not connect to gmodule output "
            f"but through a cycle, {' -> '.join(path)}"
        )


def check_uses(nodes: Sequence[Node], innode: Node, inputs: Sequence[Node]) -> None:
    """Raises an error if a part of a split, or a node that reads one of `nodes`, leads to no output."""
    known = {id(node.data) for node in nodes}
    for node in nodes:
        _check_parts(node, known, inputs if innode in node.children else ())
        for reader in node.data.reverseMap:
            if id(reader.data) not in known:
                end = _end(reader, lambda n: n.data.reverseMap)
                owner = "" if end is None else f"; it is{_of(end)}"
                raise ValueError(
                    f"nn.gModule: node declared on {_label(reader)} does not connect to gmodule output, but reads "
                    f"{node.described()}{owner}"
                )


def _check_parts(node: Node, known: set[int], inputs: Sequence[Node]) -> None:
    """Raises an error if not every part of a split, or of the inputs of the gModule, is read by a node of the graph."""
    splits = node.data.nSplitOutputs
    readers = [reader for reader in node.data.reverseMap if id(reader.data) in known]
    if splits is None or splits == len(readers):
        return
    read = {reader.data.selectindex for reader in readers}
    missing = [i for i in range(1, splits + 1) if i not in read]
    what = [f"input {i} of the gModule, {inputs[i - 1].described()}" if inputs else f"part {i}" for i in missing]
    raise ValueError(
        f"nn.gModule: {splits - len(readers)} of split({splits}) outputs from the node declared at {_label(node)} "
        f"are unused: {_some(what) or 'it is read by more nodes than there are parts'}"
    )


def check_function(func: Any, nodes: Sequence[Node], who: str) -> None:
    """Raises an error unless func can be called, or is the name of a method that the modules of all nodes have."""
    if not isinstance(func, str) and not callable(func):
        raise TypeError(f"{who}: expected a function or the name of a method, got {kind(func)}")
    for node in nodes if isinstance(func, str) else ():
        if node.data.module is not None and not callable(getattr(node.data.module, func, None)):
            raise TypeError(f"{who}: the module of {node.described()} has no method {func!r}")


def kind(value: Any) -> str:
    """Torch's name for the type of a value, and Python's where that says more."""
    name = torch7.type(value)
    python = value.__name__ if isinstance(value, type) else type(value).__name__
    return name if python in name or value is None else f"{name} ({'class ' * isinstance(value, type)}{python})"


def _label(node: Node) -> str:
    return str(node.data.annotations.get("_debugLabel"))


def _of(end: Node) -> str:
    return f" in the gModule made at {_label(end)}, and a node can be in one graph only"


def _is_end(node: Node) -> bool:
    """Whether it is a node that a finished gModule put at one of the two ends of its graph."""
    fields = ("module", "selectindex", "nSplitOutputs")
    return node.data.get("forwardNodeId") is not None and all(node.data.get(field) is None for field in fields)


def _end(start: Node, onward: Callable[[Any], Iterable[Any]]) -> Node | None:
    """The end of the graph of a finished gModule, if going `onward` from start leads to one."""
    seen, stack = {start}, [start]
    while stack:
        node = stack.pop()
        if _is_end(node) and not onward(node):
            return node
        new = [n for n in onward(node) if n not in seen]
        seen.update(new)
        stack.extend(new)
    return None


def _some(texts: Iterable[str]) -> str:
    """The texts as a list, of which only the first ones are told."""
    every = list(texts)
    more = [f"and {len(every) - SHOWN} more"] if len(every) > SHOWN else []
    return ", ".join([*every[:SHOWN], *more])
