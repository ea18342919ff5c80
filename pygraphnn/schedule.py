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
        self.data = [node.data for node in nodes]
        self.inputs: list[list[Any]] = [[None] * n for n in schedule.counts]
        self.gradients: list[list[Any]] = [[None] * n for n in schedule.gradients]
        for i, n in schedule.parts.items():
            self.gradients[i] = [[None] * n]
        self.totals: list[Any] = [None] * len(self.data)
        self.innode, self.outnode = schedule.innode, schedule.outnode
        # the steps with the lists themselves in place of their positions: nothing is looked up while they run
        self.forward = [self._bound(step, self.inputs) for step in schedule.forward]
        self.backward = [self._bound(step, self.gradients) for step in schedule.backward]
        for data, inputs in zip(self.data, self.inputs):
            data["input"] = inputs

    def _bound(self, step: Step, lists: list[list[Any]]) -> tuple[Any, ...]:
        node, single, select, splits, targets = step
        parts = lists is self.gradients and select is not None
        bound = tuple((lists[j][0] if parts else lists[j], place) for j, place in targets)
        return node, self.data[node], self.inputs[node], single, select, splits, bound

    def current(self) -> bool:
        """Whether the nodes still hold the lists of this binding, and not None since a clearState()."""
        return dict.get(self.data[self.outnode], "input") is self.inputs[self.outnode]

    def __deepcopy__(self, memo: Any) -> None:
        return None  # a clone binds its own lists

    def run_forward(self, method: str | Callable[[Any, Any], Any], inputs: Sequence[Any], trace: Any = None) -> Any:
        """Runs the method of every module in order; returns the inputs of the output node."""
        call = None if isinstance(method, str) else method
        get = dict.get
        self.inputs[self.innode][:] = inputs
        node = self.innode
        try:
            for node, data, x, single, select, splits, targets in self.forward:
                if single:
                    x = x[0]
                module = get(data, "module")
                if module is not None:
                    x = getattr(module, method)(x) if call is None else call(module, x)  # type: ignore[arg-type]
                elif select is not None:
                    x = x[select]
                if splits is not None and (not is_table(x) or len(x) != splits):
                    found = len(x) if is_table(x) else "a tensor into"
                    raise ValueError(f"split({splits}) cannot split {found} outputs")
                for slot, place in targets:
                    slot[place] = x
                if trace is not None:
                    trace(node)
        except Exception as error:
            self.explain(error, node)
            raise
        return self.inputs[self.outnode]

    def run_backward(self, gradOutput: Any, trace: Any = None) -> Any:
        """updateGradInput of every module in reverse order; returns the gradient that arrives at the inputs."""
        if dict.get(self.data[self.outnode], "gradOutput") is not self.gradients[self.outnode]:
            for data, gradients in zip(self.data, self.gradients):
                data["gradOutput"] = gradients
        gradients, totals, get = self.gradients, self.totals, dict.get
        gradients[self.outnode][0] = gradOutput
        node = self.outnode
        try:
            for node, data, x, single, _, _, targets in self.backward:
                arrived = gradients[node]
                g = arrived[0] if len(arrived) == 1 else total(data, arrived)
                totals[node] = g
                module = get(data, "module")
                if module is not None:
                    g = module.updateGradInput(x[0] if len(x) == 1 else x, g)
                if single:
                    slot, place = targets[0]
                    slot[place] = g
                else:
                    for k, (slot, place) in enumerate(targets):
                        slot[place] = g[k]
                if trace is not None:
                    trace(node)
        except Exception as error:
            self.explain(error, node)
            raise
        return gradients[self.innode][0]

    def run_accumulate(self, method: str, scale: float, trace: Any = None) -> None:
        """The method of every module in reverse order, with its gradient of the last run_backward and scale."""
        totals, get = self.totals, dict.get
        node = self.outnode
        try:
            for node, data, x, _, _, _, _ in self.backward:
                module = get(data, "module")
                if module is not None:
                    getattr(module, method)(x[0] if len(x) == 1 else x, totals[node], scale)
                if trace is not None:
                    trace(node)
        except Exception as error:
            self.explain(error, node)
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
