"""A table of what a network does with an input: shapes, parameters, multiply-adds."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import nn
import torch7
from torch7.cloning import deep_copy

from . import facts
from .counting import multiply_adds
from .gmodule import gModule
from .unroll import Unroll

WIDTH = 100  # columns of text
COUNTED = multiply_adds.registry[object]  # by whom a module without a formula is


@dataclass(eq=False)
class Call:
    """A module that was run: a row of the table, and those that it ran itself, `inside`.

    `parameters` are those that belong to none of these; `multiply_adds` as well.
    """

    module: Any
    name: str = ""
    text: str = ""
    output: str = ""
    multiply_adds: int = 0
    parameters: int = 0
    shared: str = ""
    inside: list[Call] = field(default_factory=list)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Call]]:
        """This call and those inside it, in the order in which they ran, with their depth."""
        yield depth, self
        for call in self.inside:
            yield from call.walk(depth + 1)


class Summary:
    """What `summary` found: `rows`, pairs of depth and Call; the totals `parameters` and `multiply_adds`.

    As text it is the table. Parameters in the same memory are in `parameters` once.
    """

    def __init__(self, top: Call):
        self.rows = list(top.walk())
        every = facts.parameters(top.module)
        self.parameters = facts.distinct(every)
        self.multiply_adds = sum(call.multiply_adds for _, call in self.rows)
        own(top, {facts.extent(a) for a in every})

    def __str__(self) -> str:
        return table(self)

    def __repr__(self) -> str:
        return f"<summary: {self.parameters:,} parameters, {self.multiply_adds:,} multiply-adds>"


def summary(net: Any, input: Any) -> Summary:
    """Prints a table of the modules that run for `input`, in their order; those inside others are indented below them.

    It tells each one's module, the name annotated to its node, the shape of its output, its parameters and its
    multiply-adds: those of matrix products and convolutions (see pygraphnn.counting); nothing else is counted. Rows
    with the same letter have the same parameters, which are in the total once; a module that runs twice has two rows.
    A container's own row has only what is in none of its modules. The step of an Unroll is there once, with the shapes
    of one time step and the multiply-adds of all.

    The network stays as it is, as do its input and the random numbers: a copy is run, in evaluate mode. `net` may be
    any nn.Module. Returns a Summary, with `rows` and totals for programs. Raises TypeError for what is no module; other
    errors are those of `net.forward`.

    >>> import nn, pygraphnn
    >>> x = nn.Identity()()
    >>> net = nn.gModule([x], [nn.Tanh()(nn.Linear(4, 3)(x).annotate(name="hidden"))])
    >>> found = summary(net, np.ones((2, 4)))
    module               name    output  parameters  multiply-adds
    --------------------------------------------------------------
    nn.gModule                   2 × 3
      nn.Identity                2 × 4
      nn.Linear(4 -> 3)  hidden  2 × 3           15             24
      nn.Tanh                    2 × 3
    --------------------------------------------------------------
    total                                        15             24
    >>> found.parameters, found.multiply_adds
    (15, 24)
    """  # noqa: RUF002
    if not isinstance(net, nn.Module):
        raise TypeError(f"pygraphnn.summary: expected an nn.Module, got a {torch7.type(net)}")
    found = Summary(observed(net, input))
    print(found)
    return found


# -- running and watching


def observed(net: Any, input: Any) -> Call:
    """What a copy of the network does with a copy of the input."""
    top = Call(None)
    copy = deep_copy(net)
    copy.evaluate()
    stack = [top]
    for module in watched(copy):
        module.updateOutput = Watch(module, stack)
    state = torch7.getRNGState()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # PrintSize, a verbose graph
            copy.forward(deep_copy(input))
    finally:
        torch7.setRNGState(state)
    (call,) = top.inside
    return call


def watched(net: Any) -> list[Any]:
    """The modules in a network, at any depth, in any field; not those inside of one whose multiply-adds are known."""
    found: dict[int, Any] = {}
    coming = [net]
    while coming:
        x = coming.pop()
        if isinstance(x, nn.Module) and id(x) not in found:
            found[id(x)] = x
            if multiply_adds.dispatch(type(x)) is COUNTED:
                coming += vars(x).values()
        elif isinstance(x, (list, tuple, dict)):
            coming += x.values() if isinstance(x, dict) else x
    return list(found.values())


class Watch:
    """A module's updateOutput that notes what it did. It goes with the module when that is cloned in the course."""

    def __init__(self, module: Any, stack: list[Call], replaced: Any = None):
        self.module, self.stack = module, stack
        self.replaced = vars(module).get("updateOutput") if replaced is None else replaced  # by a script

    def __call__(self, input: Any) -> Any:
        call = Call(self.module)
        self.stack[-1].inside.append(call)
        self.stack.append(call)
        try:
            output = self.replaced(input) if self.replaced else type(self.module).updateOutput(self.module, input)
        finally:
            self.stack.pop()
        call.text, call.output = facts.text(self.module), facts.shape(output, torch7.dtype_of(self.module._type))
        call.multiply_adds = multiply_adds(self.module, input, output)
        if isinstance(self.module, gModule):
            nodes = [node for node in self.module.forwardnodes if node.data.module is not None]
            for inner, node in zip(call.inside, nodes):
                inner.name = str(node.data.annotations.get("name") or "")
        elif isinstance(self.module, Unroll):
            call.inside = over_time(call.inside)
        return output

    def __deepcopy__(self, memo: dict[int, Any]) -> Watch:
        return Watch(memo[id(self.module)], self.stack, self.replaced)


def over_time(steps: list[Call]) -> list[Call]:
    """The calls of all time steps as one, which tells how it looks in the first and counts what all of them did."""
    rows = [[call for _, call in step.walk()] for step in steps]
    if len({tuple(call.text for call in step) for step in rows}) != 1:
        return steps
    for calls in zip(*rows):
        calls[0].multiply_adds = sum(call.multiply_adds for call in calls)
    return steps[:1]


# -- the table


def own(top: Call, places: set[Any]) -> None:
    """Sets the numbers of parameters, those in `places`, and the letters of shared ones."""
    calls = [call for _, call in top.walk()]
    arrays = []
    for call in calls:
        inner = {facts.extent(a) for _, c in call.walk() if c is not call for a in facts.parameters(c.module)}
        wanted = places - inner
        arrays.append([a for a in facts.parameters(call.module) if facts.extent(a) in wanted])
    for call, mine, letters in zip(calls, arrays, facts.letters(arrays)):
        call.parameters, call.shared = facts.distinct(mine), letters


def table(found: Summary) -> str:
    """The table as text, at most WIDTH columns wide."""
    head = ("module", "name", "output", "parameters", "multiply-adds")
    rows = [cells(depth, call) for depth, call in found.rows]
    total = ("total", "", "", f"{found.parameters:,}", f"{found.multiply_adds:,}")
    widths = fitting([head, *rows, total])
    line = "-" * (sum(widths) + 2 * (len(widths) - 1))
    laid = [laid_out(row, widths) for row in (head, *rows, total)]
    return "\n".join([laid[0], line, *laid[1:-1], line, laid[-1]])


def cells(depth: int, call: Call) -> tuple[str, ...]:
    """The texts of a row."""
    count = f"{call.parameters:,}" if call.parameters else ""
    letters = f"{call.shared}  " if call.shared else ""
    products = f"{call.multiply_adds:,}" if call.multiply_adds else ""
    return "  " * depth + call.text, " ".join(call.name.split()), call.output, letters + count, products


def fitting(rows: Sequence[Sequence[str]]) -> list[int]:
    """The widths of the columns; the widest of text are cut when there is no room."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    while sum(widths) + 2 * (len(widths) - 1) > WIDTH and max(widths[:3]) > 8:
        widths[int(np.argmax(widths[:3]))] -= 1
    return widths


def laid_out(row: Sequence[str], widths: Sequence[int]) -> str:
    """A line of the table: texts to the left, numbers to the right."""
    cut = [cell if len(cell) <= width else cell[: width - 1] + "…" for cell, width in zip(row, widths)]
    left = (cell.ljust(width) for cell, width in zip(cut[:3], widths))
    right = (cell.rjust(width) for cell, width in zip(cut[3:], widths[3:]))
    return "  ".join([*left, *right]).rstrip()
