"""Reads a step graph as a program: what is computed from what, in rows of so many columns.

The modules of the graph are run once on the first time step's own data (copies of them, which share only their
parameters). So every shape is known, what is only a view becomes an offset, and errors are the modules' own.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

import nn
import torch7

from ..bptt import clone_many_times
from ..gmodule import gModule
from ..schedule import part
from . import rules
from .nested import each, leaves
from .values import Fact, Op, Program, Ref, Unsupported, Value


@dataclass(frozen=True)
class Seen:
    """A part of a value, and what it was at the first time step."""

    ref: Ref
    array: np.ndarray


@np.errstate(all="ignore")
def read(step: gModule, inputs: list[Any], facts: list[Fact]) -> Program:
    """The program of `step`, run on `inputs`, the first time step's. `facts` gets what it rests on.

    Raises Unsupported when there can be none, or what a module raises.
    """
    return Reader(step, inputs, facts).program


class Reader:
    """Follows the data through the modules."""

    def __init__(self, step: gModule, inputs: list[Any], facts: list[Fact]):
        self.ops: list[Op] = []
        self.facts = facts
        self.known: set[tuple[int, str]] = set()  # what facts there are
        self.rows = len(leaves(inputs)[0])
        self.nodes: tuple[Any, ...] = ()  # where the module that runs is, from the innermost out
        state = torch7.getRNGState()
        try:
            starts = [each(self.start, x) for x in inputs]
            outputs = self.graph(step, starts if step.nInputs > 1 else starts[0])
        finally:
            torch7.setRNGState(state)
        outputs = outputs if len(step.outnode.children) > 1 else [outputs]
        refs = [each(lambda seen: seen.ref, y) for y in outputs]
        values = [each(lambda seen: seen.ref.value, x) for x in starts]
        self.program = Program(self.ops, values, refs)
        self.check_in_place()

    def start(self, array: Any) -> Seen:
        copy = np.array(array)
        if not copy.ndim:
            raise Unsupported("an input is a number")
        return Seen(Value(copy.shape[1:], copy.dtype).whole(), copy)

    def check_in_place(self) -> None:
        """What is overwritten in place must not be read by others: in Torch they would see what it became."""
        outputs = [ref.value for y in self.program.outputs for ref in leaves(y)]
        for op in self.ops:
            if op.inplace:
                value = op.reads()[0].value
                if value.producer is None or len(value.users) > 1 or value in outputs:
                    raise Unsupported("something that is overwritten in place is read elsewhere")

    # -- structure

    def rest_on(self, thing: Any, *attributes: str) -> None:
        """Notes that the program holds as long as these attributes are what they are now."""
        for name in attributes:
            if (id(thing), name) not in self.known:
                self.known.add((id(thing), name))
                self.facts.append((getattr, (thing, name, None), getattr(thing, name, None)))

    def run(self, module: Any, x: Any) -> Any:
        """Follows x through a module."""
        known = rules.known(module)
        self.own_methods(module)
        if known is gModule:
            return self.graph(module, x)
        if known in (nn.Sequential, nn.ConcatTable, nn.ParallelTable):
            self.rest_on(module, "modules")
            modules = list(module.modules)
            self.facts.append((len, (module.modules,), len(modules)))
            self.facts += [(operator.getitem, (module.modules, i), child) for i, child in enumerate(modules)]
            if known is nn.ConcatTable:
                return [self.run(child, x) for child in modules]
            if known is nn.ParallelTable:
                return [self.run(child, each) for child, each in zip(modules, x, strict=True)]
            for child in modules:
                x = self.run(child, x)
            return x
        return self.leaf(module, known, x)

    def own_methods(self, module: Any) -> None:
        """Notes which methods a module has; if they are its own, and not its class's, they want to be called."""
        own = rules.METHODS.isdisjoint(vars(module))
        self.facts.append((rules.METHODS.isdisjoint, (vars(module),), own))
        self.rest_on(type(module), *rules.METHODS)
        if not own:
            raise Unsupported(f"a method of {torch7.typename(module)} was replaced")

    def graph(self, graph: gModule, x: Any) -> Any:
        """Follows x through the nodes of a graph."""
        self.own_methods(graph)
        if graph.verbose or graph._watch is not None:
            raise Unsupported("somebody is watching")
        self.rest_on(graph, "verbose", "_watch", "forwardnodes")
        schedule = graph.schedule()
        slots: list[list[Any]] = [[None] * n for n in schedule.counts]
        slots[schedule.innode][:] = x if graph.nInputs > 1 else [x]
        for place, single, select, splits, targets in schedule.forward:
            data = graph.forwardnodes[place].data
            self.rest_on(data, "module")
            y = slots[place][0] if single else list(slots[place])
            if data.module is not None:
                around, self.nodes = self.nodes, (data, *self.nodes)
                y = self.run(data.module, y)
                self.nodes = around
            if select is not None or splits is not None:
                y = part(y, select, splits)
            for target, slot in targets:
                slots[target][slot] = y
        outputs = slots[schedule.outnode]
        return outputs if len(outputs) > 1 else outputs[0]

    # -- single modules

    def leaf(self, module: Any, known: Any, x: Any) -> Any:
        """Runs a copy of a module on x, and notes what it did."""
        arrays = each(lambda seen: seen.array, x)
        twice = each(doubled, arrays)  # now: the module may work in place
        twin = clone_many_times(module, 1)[0]
        before = torch7.getRNGState()
        y = each(self.checked, twin.updateOutput(arrays))
        draws = not np.array_equal(before, torch7.getRNGState())
        if not leaves(y):
            raise Unsupported(f"{torch7.typename(module)} gives no tensor")
        self.rest_on(module, *rules.fields(module))
        self.facts.append((rules.gives_gradient, (module,), rules.gives_gradient(module)))
        if known in rules.VIEWS:
            found = each(lambda array: self.view(array, x), y)
            if all(leaves(each(bool, found))):
                return found
        refs = each(lambda seen: seen.ref, x)
        op = rules.elementwise(module, known, refs, y)
        if op is None:
            rowwise = not draws and rules.rowwise(module) and as_rows(twin, twice, y)
            op = Op("call", refs, module, rowwise=rowwise)
        if op.kind == "identity":
            return x
        if op.kind == "linear" and op.inputs.is_whole():
            source = op.inputs.value.producer
            if source is not None and source.kind == "onehot":
                op.kind, op.inputs = "gather", source.inputs
        op.draws, op.nodes = draws, self.nodes
        return self.result(op, y)

    def result(self, op: Op, y: Any) -> Any:
        """Enters an op, and the values that it makes of the arrays y."""
        seen = each(lambda array: Seen(Value(array.shape[1:], array.dtype, op).whole(), array), y)
        op.outputs = each(lambda made: made.ref.value, seen)
        for ref in op.reads():
            ref.value.users.append(op)
        self.ops.append(op)
        return seen

    def checked(self, array: Any) -> np.ndarray:
        if not isinstance(array, np.ndarray) or array.ndim < 1 or len(array) != self.rows:
            raise Unsupported("a module makes something else than a row for every row of the batch")
        return array

    def view(self, array: np.ndarray, x: Any) -> Seen | None:
        """The part of x that an array is a view of, None if it is none."""
        for source in leaves(x):
            start = array.ctypes.data - source.array.ctypes.data
            size, width = source.array.itemsize, source.ref.width
            inner, outer = array[:1], source.array[:1]
            fits = outer.flags.c_contiguous and array.dtype == source.array.dtype and inner.flags.c_contiguous
            if not fits or start % size or not 0 <= start <= size * (width - inner.size):
                continue
            if len(array) == 1 or array.strides[0] == source.array.strides[0] or not width:
                return Seen(Ref(source.ref.value, source.ref.offset + start // size, array.shape[1:]), array)
        return None


def doubled(array: np.ndarray) -> np.ndarray:
    """The rows and the same rows below them."""
    return np.concatenate((array, array))


def as_rows(module: Any, twice: Any, y: Any) -> bool:
    """Whether a module makes y doubled of its doubled input: some count dimensions, and see no batch in these."""
    want = leaves(each(doubled, y))
    try:
        found = leaves(module.updateOutput(twice))
    except Exception:  # whatever a module says to rows that it did not expect
        return False
    return all(a.shape == np.shape(b) and np.allclose(a, b, 1e-3, 1e-5, True) for a, b in zip(want, found, strict=True))
