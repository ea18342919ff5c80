"""What calling a module with nodes means."""

from __future__ import annotations

import reprlib
from typing import Any

import nn
from nn.checks import named
from torch7.tables import is_table

from .adapters import JustTable, ModuleFromCriterion
from .checks import check_distinct, check_nodes
from .gmodule import gModule
from .node import Node


def wire(module: nn.Module, *nodes: Any) -> Node:
    """The node of `module` with the given node, or list of nodes, as inputs; without an argument a source node."""
    who = named(module)
    if len(nodes) > 1:
        raise TypeError(f"{who}: Use {{input1, input2}} to pass multiple inputs. (In Python: a list of nodes.)")
    node = Node({"module": module})
    if nodes:
        given = nodes[0]
        if isinstance(given, (list, tuple, dict)) and not given:
            raise ValueError(
                f"{who}: cannot pass an empty table of inputs. To indicate no incoming "
                "connections, leave the second set of parens blank."
            )
        given = given if is_table(given) else [given]
        check_nodes(given, "inputs", who)
        check_distinct(given, "inputs", who)
        for child in given:
            node.add(child, True)
    return node


def wire_criterion(criterion: nn.Criterion, *nodes: Any) -> Node:
    """The node of a criterion on [prediction, target]: its output is the loss, a tensor of one number."""
    return ModuleFromCriterion(criterion)(*nodes)


def nest(*nodes: Any) -> Node:
    """A node that stands for a nested list of nodes: its output has the same nesting.

    `nest([a, [b], c])` gives a node whose output is `[output of a, [output of b], output of c]`. As in Torch, what is
    alone in its list has to be a node. Raises TypeError for anything else, ValueError for a node twice in a list.
    """
    if len(nodes) > 1:
        raise TypeError("nngraph.nest: Use {input1, input2} to pass multiple inputs.")
    if not nodes or nodes[0] is None:
        raise TypeError("nngraph.nest: Pass an input.")
    _check_nest(nodes[0])
    return _nest(nodes[0])


def _check_nest(nodes: Any) -> None:
    """Raises an error for what cannot be nested, before a node is read by a part that then leads nowhere."""
    if isinstance(nodes, Node):
        return
    if not is_table(nodes) or not nodes:
        raise TypeError(f"nngraph.nest: what is this in the nest input? {reprlib.repr(nodes)}")
    if len(nodes) == 1:
        check_nodes(nodes, "inputs", "nngraph.nest")
    for child in nodes:
        _check_nest(child)
    check_distinct([child for child in nodes if isinstance(child, Node)], "inputs", "nngraph.nest")


def _nest(nodes: Any) -> Node:
    if isinstance(nodes, Node):
        return nodes
    return JustTable()(nodes) if len(nodes) == 1 else nn.Identity()([_nest(child) for child in nodes])


def install() -> None:
    """Gives nn's modules and criterions their meaning in graphs."""
    nn.module.wire = wire
    nn.criterion.wire = wire_criterion
    nn.gModule = gModule  # type: ignore[attr-defined]
    nn.ModuleFromCriterion = ModuleFromCriterion  # type: ignore[attr-defined]
