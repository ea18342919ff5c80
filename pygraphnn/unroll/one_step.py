"""Runs a plan for a single time step, which is called by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from torch7.dims import positions

from .buffers import Buffer, Memory, Where
from .code import Code, Invocation, Part
from .engine import Engine
from .nested import nested_as
from .numpy_code import Span
from .plan import Plan
from .values import Value


class StepCode(Code):
    """The code of a plan for one step, and what the engines of clones, which run one at a time, have in common."""

    def __init__(self, plan: Plan, compiled: bool | None = None):
        super().__init__(plan, compiled)
        self.lock = threading.RLock()
        self.turn = 0  # the number of backwards so far
        self.batch, self.arrays = 0, dict[Buffer, np.ndarray]()  # for what passes, with so many rows

    def passing(self) -> set[Buffer]:
        """The buffers of which only forward, or only backward, knows: nothing in them outlasts a run."""
        plan = self.plan
        forth = set(_buffers([self.once, self.forward]))
        learned = [where for *_, where in plan.learned]
        back = set(_buffers([self.backward, [products[1:] for products in self.products], learned, plan.given]))
        gradients = [term.where for value in plan.sequences for term in plan.gradients.get(value, ())]
        seen = [plan.where[value] for value in [*plan.sequences, *(ref.value for ref in plan.outputs)]]
        return (forth ^ back) - set(_buffers([seen, gradients]))


class StepEngine(Engine):
    """Runs a plan for one step."""

    code: StepCode
    _turn = 0  # which of the code's backwards was the last one of this engine

    def _memory(self) -> Memory:
        code, batch = self.code, self.batch
        memory = Memory(self.plan.buffers, self.room, batch, code.arrays if code.batch == batch else None)
        code.batch, code.arrays = batch, {b: memory.arrays[b.number] for b in code.passing()}
        return memory

    def step(self, inputs: list[np.ndarray]) -> Any:
        """forward: the outputs, nested as the network's."""
        with self.code.lock:
            return self._step(inputs)

    def _step(self, inputs: list[np.ndarray]) -> Any:
        if len(inputs[0]) != self.batch:
            self._fit_step(len(inputs[0]))
        for (inlet, index, n), x in zip(self._inlets, inputs):
            inlet[...] = x
            if index is not None:
                index[...] = place(x, n)
        if self.plan.noise:
            self._draw_noise()
        self._run(self._calls_of_step)
        self._pass_on()
        self._spent = False
        return self._outlets

    def _fit_step(self, batch: int) -> None:
        self.fit(1, batch)
        plan, memory = self.plan, self.memory
        # where inputs go, and where and how many they may be if they are indices
        self._inlets = [
            (
                memory[plan.where[value]].reshape(-1, *value.shape),
                self.index[value][0] if value in self.index else None,
                self.code.indices.get(value, 0),
            )
            for value in plan.sequences
        ]
        outputs = plan.program.outputs
        self._outlets = nested_as(outputs if len(outputs) > 1 else outputs[0], [y[0] for y in self._shown])
        self._given = [memory[where].reshape(-1, *ref.shape) for where, ref in zip(plan.given, plan.outputs)]
        self._alone = {value: g[0] for value in plan.sequences if (g := self._single_term(value)) is not None}
        self._calls_of_step = self._once + [call for calls in self._forward for call in calls]

    @np.errstate(all="ignore")
    def step_back(self, gradients: list[np.ndarray | None]) -> list[np.ndarray | None]:
        """backward: the gradients of the inputs."""
        with self.code.lock:
            return self._step_back(gradients)

    def _step_back(self, gradients: list[np.ndarray | None]) -> list[np.ndarray | None]:
        self.code.turn += 1
        self._turn = self.code.turn
        for given, g in zip(self._given, gradients):
            given[...] = 0 if g is None else g
        self._go_back()
        found = [self._alone.get(value) for value in self.plan.sequences]
        for i, value in enumerate(self.plan.sequences):
            if found[i] is None and (total := self._sequence_gradient(value)) is not None:
                found[i] = total[0]
        return found

    def _single_term(self, value: Value) -> np.ndarray | None:
        """The gradient of an input where backward leaves it, if a single term is all of it and none that was given."""
        terms = self.plan.gradients.get(value, [])
        if len(terms) != 1 or value in self.index or terms[0].where in self.plan.given:
            return None
        where, start, stop = terms[0]
        if (stop - start, value.dtype) != (value.width, where.buffer.dtype):
            return None
        return self.memory.steps(where, value.width, 1).reshape(1, self.batch, *value.shape)

    def step_learns(self, gradients: list[np.ndarray | None], scale: float) -> None:
        """Adds the gradients of the parameters, after step_back with these gradients."""
        with self.code.lock:
            if self._turn != self.code.turn:  # another clone went back since
                self._step_back(gradients)
            self.accumulate(scale)


def _buffers(found: Any) -> Iterator[Buffer]:
    """The buffers in calls and places."""
    if isinstance(found, Where):
        yield found.buffer.home
    elif isinstance(found, Span):
        yield found.where.buffer.home
    elif isinstance(found, Part):
        yield found.span.where.buffer.home
    elif isinstance(found, Invocation):
        yield from _buffers([found.inputs, found.outputs, found.into])
    elif type(found) in (list, tuple):
        for part in found:
            yield from _buffers(part)


def place(indices: np.ndarray, n: int) -> Any:
    """Indices from 1 to n as positions from 0; quickly for a single one, as when a text is written."""
    if indices.size == 1 and indices.dtype.kind == "i" and 0 < indices.item() <= n:
        return indices.item() - 1
    return positions(indices, n, "nn.OneHot")
