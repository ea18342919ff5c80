"""The execution plan of a graph: what runs in which order, and where values and gradients go.

A Schedule is made once per graph and shared by its clones; it holds positions only. A Binding holds one graph's own
lists, in which `node.data.input` and `node.data.gradOutput` are found after a run, as in Torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from torch7.tables import is_table

from . import nesting
from .node import Node


class Step(NamedTuple):
    """One node: its position among the forward nodes and what to do with what it computes."""

    node: int
    single: bool  # one input: the bare value is passed on, not a list of one
    select: int | None  # takes this element (from 0) of its input, a table
    splits: int | None  # the length that its output, a table, must have
    targets: tuple[tuple[int, int], ...]  # (node, place): where the output, or the gradient of each input, goes


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
        self.gradients = [0] * len(data)
        self.gradients[self.outnode] = 1
        self.parts: dict[int, int] = {}  # of a node whose parts are selected: how many
        self.forward = [self._forward_step(node) for node in forwardnodes]
        self.backward = [self._backward_step(node) for node in backwardnodes]
        del self.index

    def _step(self, node: Node, inputs: int, targets: list[tuple[int, int]]) -> Step:
        i, select = self.index[id(node.data)], node.data.selectindex
        return Step(i, inputs == 1, None if select is None else select - 1, node.data.nSplitOutputs, tuple(targets))

    def _forward_step(self, node: Node) -> Step:
        i = self.index[id(node.data)]
        readers = [(self.index[id(r.data)], r.data.mapindex[node.data] - 1) for r in node.children]
        return self._step(node, self.counts[i], readers)

    def _backward_step(self, node: Node) -> Step:
        """The gradients of a node that is read several times arrive, and are summed, in the order of these steps."""
        targets = []
        for child in sorted(node.children, key=lambda c: node.data.mapindex[c.data]):
            j = self.index[id(child.data)]
            if node.data.selectindex is not None:
                self.gradients[j] = 1
                self.parts[j] = max(self.parts.get(j, 0), node.data.selectindex)
                targets.append((j, node.data.selectindex - 1))
            else:
                targets.append((j, self.gradients[j]))
                self.gradients[j] += 1
        return self._step(node, len(targets), targets)

    def __deepcopy__(self, memo: Any) -> Schedule:
        return self  # clones run the same plan


class Binding:
    """The lists of one graph that its Schedule works on."""

    def __init__(self, schedule: Schedule, nodes: Sequence[Node]):
        self.schedule = schedule
        self.data = [node.data for node in nodes]
        self.inputs: list[list[Any]] = [[None] * n for n in schedule.counts]
        self.gradients: list[list[Any]] = [[None] * n for n in schedule.gradients]
        for i, n in schedule.parts.items():
            self.gradients[i] = [[None] * n]
        self.totals: list[Any] = [None] * len(self.data)
        self.gradients_set = False
        for data, inputs in zip(self.data, self.inputs):
            data["input"] = inputs

    def current(self) -> bool:
        """Whether the nodes still hold the lists of this binding, and not None since a clearState()."""
        last = self.schedule.outnode
        return dict.get(self.data[last], "input") is self.inputs[last]

    def __deepcopy__(self, memo: Any) -> None:
        return None  # a clone binds its own lists

    def run_forward(self, method: str | Callable[[Any, Any], Any], inputs: Sequence[Any], trace: Any = None) -> Any:
        """Runs the method of every module in order; returns the inputs of the output node."""
        call = None if isinstance(method, str) else method
        data, slots, get = self.data, self.inputs, dict.get
        slots[self.schedule.innode][:] = inputs
        step = self.schedule.forward[0]
        try:
            for step in self.schedule.forward:
                i, single, select, splits, targets = step
                x = slots[i][0] if single else slots[i]
                module = get(data[i], "module")
                if module is not None:
                    x = getattr(module, method)(x) if call is None else call(module, x)  # type: ignore[arg-type]
                elif select is not None:
                    x = x[select]
                if splits is not None and (not is_table(x) or len(x) != splits):
                    raise ValueError(
                        f"split({splits}) cannot split {len(x) if is_table(x) else 'a tensor into'} outputs"
                    )
                for j, place in targets:
                    slots[j][place] = x
                if trace is not None:
                    trace(i)
        except Exception as error:
            self.explain(error, step.node)
            raise
        return slots[self.schedule.outnode]

    def run_backward(self, gradOutput: Any, trace: Any = None) -> Any:
        """updateGradInput of every module in reverse order; returns the gradient that arrives at the inputs."""
        if not self.gradients_set:
            for data, mine in zip(self.data, self.gradients):
                data["gradOutput"] = mine
            self.gradients_set = True
        data, inputs, gradients, totals, get = self.data, self.inputs, self.gradients, self.totals, dict.get
        gradients[self.schedule.outnode][0] = gradOutput
        step = self.schedule.backward[0]
        try:
            for step in self.schedule.backward:
                i, single, select, _, targets = step
                arrived = gradients[i]
                g = arrived[0] if len(arrived) == 1 else total(data[i], arrived)
                totals[i] = g
                module = get(data[i], "module")
                if module is not None:
                    x = inputs[i]
                    g = module.updateGradInput(x[0] if len(x) == 1 else x, g)
                if select is not None:
                    for j, place in targets:
                        gradients[j][0][place] = g
                elif single:
                    j, place = targets[0]
                    gradients[j][place] = g
                else:
                    for k, (j, place) in enumerate(targets):
                        gradients[j][place] = g[k]
                if trace is not None:
                    trace(i)
        except Exception as error:
            self.explain(error, step.node)
            raise
        return gradients[self.schedule.innode][0]

    def run_accumulate(self, method: str, scale: float, trace: Any = None) -> None:
        """The method of every module in reverse order, with its gradient of the last run_backward and scale."""
        data, inputs, totals, get = self.data, self.inputs, self.totals, dict.get
        i = self.schedule.outnode
        try:
            for step in self.schedule.backward:
                i = step.node
                module = get(data[i], "module")
                if module is not None:
                    x = inputs[i]
                    getattr(module, method)(x[0] if len(x) == 1 else x, totals[i], scale)
                if trace is not None:
                    trace(i)
        except Exception as error:
            self.explain(error, i)
            raise

    def explain(self, error: Exception, i: int) -> None:
        """Notes on an error at which node it came up, with what input."""
        data = self.data[i]
        where = data.annotations.get("_debugLabel")
        name = data.annotations.get("name") or f"Node{data.forwardNodeId}"
        module = data.module
        what = "" if module is None else f" ({str(module).partition(chr(10))[0]})"
        inputs = ", ".join(map(nesting.form, self.inputs[i]))
        error.add_note(f"In node {name}{what}, declared at {where}, with input {inputs}")


def total(data: Any, gradients: list[Any]) -> Any:
    """The sum of the gradients of a node that is read several times, in the node's own buffer."""
    buffer = dict.get(data, "gradOutputBuffer")
    if buffer is None:
        others = [g for g in gradients if not nesting.is_zero_constant(g)]
        if len(others) < 2:  # Torch passes on the only one that counts without a copy
            return others[0] if others else gradients[0]
    first, second, *rest = gradients
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray) and first.shape == second.shape:
        if not isinstance(buffer, np.ndarray) or buffer.shape != first.shape or buffer.dtype != first.dtype:
            buffer = data["gradOutputBuffer"] = nesting.cloneNested(first)
        np.add(first, second, out=buffer)
    else:
        buffer = data["gradOutputBuffer"] = nesting.resizeNestedAs(buffer, first)
        nesting.copyNested(buffer, first)
        rest = gradients[1:]
    for g in rest:
        nesting.addNestedTo(buffer, g)
    return buffer
