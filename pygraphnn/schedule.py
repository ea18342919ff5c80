"""The execution plan of a graph: what runs in which order, and where values and gradients go.

A Schedule is made once per graph and shared by its clones; it holds positions only. A Binding holds one graph's own
lists, in which `node.data.input` and `node.data.gradOutput` are found after a run, as in Torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nn.checks import note
from torch7.tables import is_table

from . import nesting
from .node import Node, described

Call = Callable[[Any, Any], Any]  # (module, input) -> output
Trace = Callable[[Any, Any, str], None]  # (data of a node, what it computed, by which method)


class Step(NamedTuple):
    """One node of the forward run: its position among the forward nodes and what to do with what it computes."""

    node: int
    single: bool  # one input: the bare value is passed on, not a list of one
    select: int | None  # takes this element (from 0) of its input, a table
    splits: int | None  # the length that its output, a table, must have
    targets: tuple[tuple[int, int], ...]  # (node, place): where the output goes


class BackStep(NamedTuple):
    """One node of the backward run: its position among the forward nodes and where the gradients of its inputs go."""

    node: int
    select: int | None  # its gradient is that of this element (from 0) of a table
    sources: tuple[int, ...]


class Schedule:
    """The steps of forward and backward of a graph."""

    def __init__(
        self, forwardnodes: Sequence[Node], backwardnodes: Sequence[Node], innode: Node, outnode: Node, nInputs: int
    ):
        self.index = {id(node.data): i for i, node in enumerate(forwardnodes)}
        data = [node.data for node in forwardnodes]
        self.counts = [len(d.mapindex) // 2 for d in data]
        self.innode, self.outnode = self.index[id(innode.data)], self.index[id(outnode.data)]
        self.counts[self.innode] = nInputs
        self.parts: dict[int, int] = {}  # of a node whose parts are selected: how many
        self.forward = [self._forward_step(node) for node in forwardnodes]
        self.backward = [self._backward_step(node) for node in backwardnodes]
        del self.index

    def _forward_step(self, node: Node) -> Step:
        i = self.index[id(node.data)]
        readers = tuple((self.index[id(r.data)], r.data.mapindex[node.data] - 1) for r in node.children)
        return Step(i, self.counts[i] == 1, _selected(node), node.data.nSplitOutputs, readers)

    def _backward_step(self, node: Node) -> BackStep:
        """The gradients of a node that is read several times arrive, and are summed, in the order of these steps."""
        children = sorted(node.children, key=lambda c: node.data.mapindex[c.data])
        sources = tuple(self.index[id(child.data)] for child in children)
        select = _selected(node)
        if select is not None:
            self.parts[sources[0]] = max(self.parts.get(sources[0], 0), select + 1)
        return BackStep(self.index[id(node.data)], select, sources)

    def __deepcopy__(self, memo: Any) -> Schedule:
        return self  # clones run the same plan


def _selected(node: Node) -> int | None:
    """Which element of a table a node stands for, from 0."""
    place: int | None = node.data.selectindex
    return None if place is None else place - 1


class Binding:
    """The lists of one graph that its Schedule works on."""

    failed: Any = None  # the data of the node at which a run stopped last

    def __init__(self, schedule: Schedule, nodes: Sequence[Node]):
        self.data = [node.data for node in nodes]
        self.inputs: list[list[Any]] = [[None] * n for n in schedule.counts]
        self.gradients: list[list[Any]] = [[] for _ in schedule.counts]
        self.sums: list[list[Any]] = [[None] for _ in schedule.counts]
        self.splits = [(self.gradients[i], n) for i, n in schedule.parts.items()]
        self.innode, self.outnode = schedule.innode, schedule.outnode
        # the steps with the lists themselves in place of their positions: nothing is looked up while they run
        self.forward = [self._forward_step(step) for step in schedule.forward]
        self.backward = [self._backward_step(step) for step in schedule.backward]
        self.accumulating = [(data, x, single, summed) for data, x, single, _, summed, *_ in self.backward]
        for data, inputs in zip(self.data, self.inputs):
            if inputs:
                data["input"] = inputs

    def _forward_step(self, step: Step) -> tuple[Any, ...]:
        i, single, select, splits, targets = step
        special = None if select is None and splits is None else (select, splits)
        (slot, place), *others = [(self.inputs[j], place) for j, place in targets] or [([None], 0)]
        return self.data[i], self.inputs[i], single, special, slot, place, others

    def _backward_step(self, step: BackStep) -> tuple[Any, ...]:
        i, select, sources = step
        slots = [self.gradients[j] for j in sources]
        only = slots[0] if len(slots) == 1 else None
        inputs = self.inputs[i]
        return self.data[i], inputs, len(inputs) == 1, self.gradients[i], self.sums[i], select, only, slots

    def current(self) -> bool:
        """Whether the nodes still hold the lists of this binding, and not None since a clearState()."""
        return dict.get(self.data[self.outnode], "input") is self.inputs[self.outnode]

    def __deepcopy__(self, memo: Any) -> None:
        return None  # a clone binds its own lists

    def run_forward(self, call: Call | None, inputs: Sequence[Any], trace: Trace | None = None) -> Any:
        """updateOutput, or call(module, input), of every module in order; returns the inputs of the output node."""
        get = dict.get
        self.inputs[self.innode][:] = inputs
        data = self.data[self.innode]
        try:
            for data, x, single, special, slot, place, others in self.forward:
                if single:
                    x = x[0]
                module = get(data, "module")
                if module is not None:
                    x = module.updateOutput(x) if call is None else call(module, x)
                if special is not None:
                    x = part(x, *special)
                slot[place] = x
                for slot, place in others:
                    slot[place] = x
                if trace is not None:
                    trace(data, x, "updateOutput")
        except Exception as error:
            self.explain(error, data)
            raise
        return self.inputs[self.outnode]

    def run_backward(self, gradOutput: Any, trace: Trace | None = None) -> Any:
        """updateGradInput of every module in reverse order; returns the gradient that arrives at the inputs."""
        if dict.get(self.data[self.outnode], "gradOutput") is not self.gradients[self.outnode]:
            for data, gradients in zip(self.data, self.gradients):
                data["gradOutput"] = gradients
        get = dict.get
        for gradients in self.gradients:
            gradients.clear()
        for gradients, n in self.splits:
            gradients.append([None] * n)  # as in Torch, a new table in every run
        self.gradients[self.outnode].append(gradOutput)
        data = self.data[self.outnode]
        try:
            for data, x, single, arrived, summed, select, only, slots in self.backward:
                g = summed[0] = arrived[0] if len(arrived) == 1 else total(data, arrived)
                module = get(data, "module")
                if module is not None:
                    g = module.updateGradInput(x[0] if single else x, g)
                if only is None:
                    if slots:
                        for slot, each in zip(slots, g if type(g) is list else several(g, slots)):
                            if each is not None:
                                slot.append(each)
                elif select is not None:
                    put(g, only[0], select)
                elif g is not None:
                    only.append(g)
                if trace is not None:
                    trace(data, g, "updateGradInput")
        except Exception as error:
            self.explain(error, data)
            raise
        return self.sums[self.innode][0]

    def run_accumulate(self, method: str, scale: float, trace: Trace | None = None) -> None:
        """The method of every module in reverse order, with its gradient of the last run_backward and scale."""
        get = dict.get
        data = self.data[self.outnode]
        try:
            for data, x, single, summed in self.accumulating:
                module = get(data, "module")
                if module is not None:
                    getattr(module, method)(x[0] if single else x, summed[0], scale)
                if trace is not None:
                    trace(data, None, method)
        except Exception as error:
            self.explain(error, data)
            raise

    def explain(self, error: Exception, data: Any) -> None:
        """Notes on an error at which node it came up, with what input."""
        self.failed = data
        inputs = data.input or ()  # a node that reads none has no list
        note(error, lambda: f"In {described(data)}, with input {', '.join(map(nesting.form, inputs)) or 'none'}")


def part(x: Any, select: int | None, splits: int | None) -> Any:
    """The element of a table that a node stands for, or a table of as many elements as a split wants."""
    if select is not None:
        if not is_table(x):
            raise ValueError(f"the input for a split should be a table, got {nesting.form(x)}")
        x = x[select]
    if splits is not None and (not is_table(x) or len(x) != splits):
        found = len(x) if is_table(x) else "a tensor into"
        raise ValueError(f"split({splits}) cannot split {found} outputs")
    return x


def put(g: Any, table: list[Any], place: int) -> None:
    """Puts the gradient of a part into that of the table."""
    if table[place] is not None:
        raise ValueError(f"no gradOutput should be assigned yet, but part {place + 1} is selected twice")
    table[place] = g


def several(g: Any, slots: list[Any]) -> Any:
    """g, if it is a table, as the gradient of several inputs must be."""
    if is_table(g):
        return g
    raise ValueError(f"updateGradInput should give a table of {len(slots)} gradients, got {nesting.form(g)}")


def total(data: Any, gradients: list[Any]) -> Any:
    """The sum of the gradients of a node that is read several times, in the node's own buffer; None of no gradients."""
    if not gradients:
        return None
    buffer = dict.get(data, "gradOutputBuffer")
    if buffer is None:
        others = [g for g in gradients if not nesting.is_zero_constant(g)]
        if len(others) < 2:  # Torch passes on the only one that counts without a copy
            return others[0] if others else gradients[0]
    first, second = gradients[0], gradients[1]
    shape = first.shape if type(first) is np.ndarray else None
    if shape is not None and type(second) is np.ndarray and second.shape == shape:
        if type(buffer) is not np.ndarray or buffer.shape != shape or buffer.dtype != first.dtype:
            buffer = data["gradOutputBuffer"] = nesting.cloneNested(first)
        np.add(first, second, buffer)
        if len(gradients) == 2:
            return buffer
        rest = gradients[2:]
    else:
        buffer = data["gradOutputBuffer"] = nesting.resizeNestedAs(buffer, first)
        nesting.copyNested(buffer, first)
        rest = gradients[1:]
    for g in rest:
        nesting.addNestedTo(buffer, g)
    return buffer
