"""Runs a plan: arrays for its buffers, its calls with these arrays, and the way in and out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import torch7
from nn.checks import attempt, note
from torch7.dims import positions
from torch7.memory import resized, scratch

from ..node import described
from .buffers import Kind, Memory
from .clones import Clones
from .code import Bias, Code, Compute, Indices, Invocation, Part, Table, Weight
from .functions import Call
from .nested import each, leaves
from .numpy_code import Span
from .values import Ref, Value

Bound = list[Call]


class Engine:
    """Runs the code of a plan over T steps of B rows; T may change from run to run.

    `own` tells the modules that stand for those of the plan, in a clone of the network that it was made for.
    """

    def __init__(self, code: Code, own: dict[Any, Any] | None = None):
        self.code, self.plan, self.own = code, code.plan, own or {}
        self.steps = self.room = self.batch = 0
        self.ends: np.ndarray | None = None
        self._spent = False
        self._final: dict[Value, np.ndarray] = {}
        self._results: dict[Value, np.ndarray] = {}  # gradients of inputs
        # modules that are called step by step, of which every step needs one
        self._clones = {
            call.op: Clones(self.module(call.op.module))
            for block, calls in zip(self.plan.blocks, code.forward)
            for call in calls
            if isinstance(call, Invocation) and block.steps and self.plan.unroll
        }
        self._twins: dict[Any, list[Any]] = {}

    def __deepcopy__(self, memo: Any) -> None:
        return None  # what a copy would run on is the original's

    # -- making room

    def fit(self, steps: int, batch: int) -> None:
        """Makes arrays and calls for so many steps and rows, if those there are do not fit."""
        if steps <= self.room and batch == self.batch:
            if self._new_clones():
                self._bind_steps()
                self._bind_rows(steps)
            elif steps != self.steps:
                self._bind_rows(steps)
            return
        self.room, self.batch = steps, batch
        self.memory = self._memory()
        self.ones = np.ones(steps * batch, self.plan.dtype)
        self.tables = {m: np.empty(self.module(m).weight.T.shape, self.plan.dtype) for m in self.code.tables}
        self.index = {value: np.zeros((steps, batch), np.intp) for value in self.code.indices}
        self._views: dict[Any, np.ndarray] = {}
        self._once = self._calls(self.code.once, 0)
        self._new_clones()
        self._bind_steps()
        self._bind_rows(steps)

    def _memory(self) -> Memory:
        """Arrays for the buffers."""
        return Memory(self.plan.buffers, self.room, self.batch)

    def module(self, module: Any) -> Any:
        """The module that stands for one of the plan."""
        return self.own.get(module, module)

    def _new_clones(self) -> bool:
        """Clones of the modules that are called step by step, as these are now; whether they are others than before."""
        before = self._twins
        self._twins = {op: clones.get(self.room) for op, clones in self._clones.items()}
        return any(before.get(op, [None])[0] is not twins[0] for op, twins in self._twins.items())

    def _blocks(self) -> list[tuple[bool, list[Any]]]:
        """The blocks, forward and then backward: whether they run step by step, and their code."""
        blocks = self.plan.blocks
        code = [*zip(blocks, self.code.forward), *zip(reversed(blocks), self.code.backward)]
        return [(block.steps, calls) for block, calls in code]

    def _bind_steps(self) -> None:
        self._bound: list[list[Bound]] = [
            [self._calls(calls, t) for t in range(self.room)] if steps else [] for steps, calls in self._blocks()
        ]

    def _bind_rows(self, steps: int) -> None:
        """What runs once on the rows of all steps depends on their number."""
        self.steps = steps
        self._views = {}
        self._shown = [self._sequence(ref) for ref in self.plan.outputs]
        # inputs that are outputs, too, are copied: the next inputs, which may be these outputs, go where inputs are
        where, inputs = self.plan.where, {self.plan.where[value].buffer for value in self.plan.sequences}
        passed = [i for i, ref in enumerate(self.plan.outputs) if where[ref.value].buffer in inputs]
        self._passed = [(np.empty_like(self._shown[i]), self._shown[i]) for i in passed]
        for i, (copy, _) in zip(passed, self._passed):
            self._shown[i] = copy
        for i, (by_step, calls) in enumerate(self._blocks()):
            if not by_step:
                self._bound[i] = [self._calls(calls, None)]
        n = len(self.plan.blocks)
        forward, backward = self._bound[:n], self._bound[n:]
        self._forward = [step for run in forward for step in run[:steps]]
        self._backward = [step for run in backward for step in reversed(run[:steps])]

    def _calls(self, code: Iterable[Any], t: int | None) -> Bound:
        """Calls with arrays in place of places: those of step t, or the rows of all steps."""
        return [
            self._invocation(call, t)
            if isinstance(call, Invocation)
            else (self._function(call[0]), tuple(self._operand(x, t) for x in call[1]))
            for call in code
        ]

    def _function(self, function: Any) -> Callable[..., Any]:
        if isinstance(function, Compute):
            module = self.module(function.module)
            own = isinstance(function.function, str)
            method: Callable[..., Any] = getattr(module, function.function) if own else function.function
            return functools.partial(module.compute, method) if function.spread else method
        found: Callable[..., Any] = function
        return found

    def _operand(self, x: Any, t: int | None) -> Any:
        if isinstance(x, Span):
            return self.view(x, t)
        if isinstance(x, Weight):
            weight = self.module(x.module).weight
            return weight.T if x.transposed else weight
        if isinstance(x, Bias):
            bias: np.ndarray = getattr(self.module(x.module), x.name).reshape(-1)
            return bias[x.start : x.start + x.width]
        if isinstance(x, Table):
            return self.tables[x.module]
        if isinstance(x, Indices):
            return self.index[x.value][: self.steps].reshape(-1) if t is None else self.index[x.value][t]
        return x

    def view(self, span: Span, t: int | None) -> np.ndarray:
        """The columns of step t, or those of all steps below each other."""
        key = (span, t)
        if key not in self._views:
            where, width = span
            rows = self.memory.rows(where, width, self.steps) if t is None else self.memory.at(where, width, t)
            self._views[key] = rows
        return self._views[key]

    def _invocation(self, call: Invocation, t: int | None) -> Call:
        module = self.module(call.op.module) if call.op not in self._twins else self._twins[call.op][t or 0]

        def part(x: Part) -> Any:
            a = self.view(x.span, t)
            return a.reshape(len(a), *x.shape)

        inputs, outputs = each(part, call.inputs), each(part, call.outputs)
        if call.backward:
            last = None if not self.plan.unroll else self.steps if t is None else t + 1
            told = functools.partial(explain, call.op.nodes, 1 if t is None else t + 1, last)
            return call_backward, (module, inputs, outputs, each(part, call.into), told)
        return call_forward, (module, inputs, outputs)

    # -- running

    def forward(self, sequences: list[Any], states: list[Any], ends: np.ndarray | None) -> tuple[list[Any], list[Any]]:
        """Output sequences and final states, in the nesting of the step's."""
        plan, values = self.plan, leaves(sequences)
        steps, batch = values[0].shape[:2]
        self.fit(steps, batch)
        self.ends = ends
        starts = [np.array(s) for s in leaves(states)]  # they may lie where this run will write
        for value, x in zip(plan.sequences, values):
            if value in self.index:
                self.index[value][:steps] = positions(x, self.code.indices[value], "nn.OneHot")
            self.memory[plan.where[value]][:steps] = x.reshape(steps, batch, -1)
        for before, s in zip(plan.next, starts):
            self.memory[plan.where[before]][0] = s.reshape(batch, -1)
        self._draw_noise()
        self._run(self._once, *self._forward)
        self._pass_on()
        self._spent = False
        shown, final = iter(self._shown), iter(plan.next)
        program = plan.program
        outputs = each(lambda _: next(shown), [program.outputs[i] for i in plan.shown])
        return outputs, each(lambda _: self._final_state(next(final)), [program.inputs[i] for i in plan.state_inputs])

    @staticmethod
    @np.errstate(all="ignore")
    def _run(*runs: Bound) -> None:
        for calls in runs:
            for function, operands in calls:
                function(*operands)

    def _pass_on(self) -> None:
        for copy, original in self._passed:
            np.copyto(copy, original)

    def _draw_noise(self) -> None:
        """Dropout's noise, in the order in which one step after the other draws it."""
        noise = [(self.module(op.module), self.memory[self.plan.where[v]]) for op, v in self.plan.noise.items()]
        for t in range(self.steps if noise else 0):
            for module, array in noise:
                torch7.bernoulli_(array[t], 1 - module.p)
        for module, array in noise:
            if module.v2:
                array[: self.steps] /= 1 - module.p

    def _sequence(self, ref: Ref) -> np.ndarray:
        where = self.plan.where[ref.value].at(ref.offset)
        return self.memory.steps(where, ref.width, self.steps).reshape(self.steps, self.batch, *ref.shape)

    def _final_state(self, before: Value) -> np.ndarray:
        """In an array of its own: the steps in memory are those of the next run, too."""
        array = self.memory[self.plan.where[before]]
        final = self._final[before] = resized(self._final.get(before), (self.batch, *before.shape), before.dtype)
        last = array[self.steps] if self.ends is None else array[self.ends, np.arange(self.batch)]
        np.copyto(final, last.reshape(final.shape))
        return final

    @np.errstate(all="ignore")
    def backward(self, gradSequences: list[Any], gradStates: list[Any]) -> tuple[list[Any], list[Any]]:
        """The gradients of the sequences and of the initial states."""
        plan, program = self.plan, self.plan.program
        self._give(gradSequences, gradStates)
        self._go_back()
        sequences, starts = iter(plan.sequences), iter(plan.next)
        return (
            each(lambda _: self._sequence_gradient(next(sequences)), [program.inputs[i] for i in plan.sequence_inputs]),
            each(lambda _: self._state_gradient(next(starts)), [program.inputs[i] for i in plan.state_inputs]),
        )

    def _go_back(self) -> None:
        if self._spent and self.code.overwrites:  # a second backward of one forward
            self._run(self._once, *self._forward)
        self._spent = True
        self._run(*self._backward)

    def _give(self, gradSequences: list[Any], gradStates: list[Any]) -> None:
        """Puts the given gradients where backward finds them."""
        plan, steps, batch = self.plan, self.steps, self.batch
        finals = [
            None if g is None else np.array(g).reshape(batch, -1) for g in self._terms(plan.state_outputs, gradStates)
        ]
        for where in plan.delayed:
            self.memory[where][steps] = 0
        for where in plan.carried.values():
            self.memory[where][steps & 1] = 0
        for where, g in zip(plan.given, self._terms(plan.shown, gradSequences)):
            self.memory[where][:steps] = 0 if g is None else g.reshape(steps, batch, -1)
        for before, g in zip(plan.next, finals):
            array = self.memory[plan.final[before]]
            carried = plan.final[before].buffer.kind is Kind.CARRY
            if not carried:
                array[: steps + 1] = 0
            if g is not None and self.ends is not None:
                array[self.ends, np.arange(batch)] = g
            elif g is not None:
                array[steps & 1 if carried else steps] = g

    def _terms(self, outputs: list[int], gradients: list[Any]) -> list[Any]:
        """The gradients of the values in some outputs; None for all values of an output whose gradient is None."""
        terms: list[Any] = []
        for i, g in zip(outputs, gradients):
            terms += [None] * len(leaves(self.plan.program.outputs[i])) if g is None else leaves(g)
        return terms

    def _sequence_gradient(self, value: Value) -> np.ndarray | None:
        """The sum of what arrives at an input; None if modules give none, zero for indices."""
        terms = self.plan.gradients.get(value, [])
        if not terms and self.plan.blocked and value not in self.index:
            return None
        dtype = self.plan.dtype if value in self.index else value.dtype
        total = self._results[value] = resized(self._results.get(value), (self.steps, self.batch, *value.shape), dtype)
        columns = total.reshape(self.steps, self.batch, -1)
        if terms and terms[0].stop - terms[0].start == value.width:
            np.copyto(columns, self.memory.steps(terms[0].where, value.width, self.steps))
            terms = terms[1:]
        else:
            total.fill(0)
        for where, start, stop in terms:
            columns[..., start:stop] += self.memory.steps(where.at(start), stop - start, self.steps)
        return total

    def _state_gradient(self, before: Value) -> np.ndarray:
        """What arrives at the initial state: the terms of its next one's gradient, of a step earlier."""
        total = self._results[before] = resized(self._results.get(before), (self.batch, *before.shape), before.dtype)
        total.fill(0)
        columns = total.reshape(self.batch, -1)
        for where, start, stop in self.plan.gradients.get(self.plan.next[before], ()):
            if where.shift:
                columns[:, start:stop] += self.memory.at(where.at(start), stop - start, -1)
        return total

    # -- learning

    @np.errstate(all="ignore")
    def accumulate(self, scale: float) -> None:
        """Adds the gradients of the parameters."""
        sums: dict[Span, np.ndarray] = {}  # several modules may have the same gradient
        for op, total, source in self.code.products:
            module, dz = self.module(op.module), self._scaled(self.view(total, None), scale)
            if isinstance(source, Indices):
                self.code.add_rows(module.gradWeight.T, self._operand(source, None), dz)
            else:
                shape = module.gradWeight.shape
                module.gradWeight += np.dot(dz.T, self.view(source, None), out=scratch(shape, dz.dtype))
            if module.bias is not None:
                if total not in sums:
                    sums[total] = np.dot(self.ones[: len(dz)], dz)
                module.gradBias += sums[total]
        for (module, name, start), width, where in self.plan.learned:
            module = self.module(module)
            grad = getattr(module, dict(module.PARAMETERS)[name]).reshape(-1)
            dz = self._scaled(self.view(Span(where, width), None), scale)
            grad[start : start + width] += np.dot(self.ones[: len(dz)], dz)
        for calls in self._backward:
            for function, operands in calls:
                if function is call_backward:
                    module, x, g, _, told = operands
                    attempt(told, module.accGradParameters, x, g, scale)

    @staticmethod
    def _scaled(a: np.ndarray, scale: float) -> np.ndarray:
        return a if scale == 1 else a * a.dtype.type(scale)


def call_forward(module: Any, inputs: Any, outputs: Any) -> None:
    """updateOutput of a module whose output belongs in `outputs`."""
    put(module.updateOutput(inputs), outputs)


def call_backward(module: Any, inputs: Any, gradients: Any, into: Any, told: Callable[[Exception], None]) -> None:
    """updateGradInput of a module whose gradient belongs in `into`; an error is `told` first."""
    attempt(told, lambda: put(module.updateGradInput(inputs, gradients), into))


def place_of(data: Any) -> str:
    """What a note tells of a node."""
    return f"In {described(data)}"


def explain(nodes: Iterable[Any], first: int, last: int | None, error: Exception) -> None:
    """Notes on an error at which nodes, and in which time steps (from 1, None where there are none), it came up."""
    for data in nodes:
        note(error, functools.partial(place_of, data))
    if last is not None:
        note(error, lambda: f"In time step {last}" if first == last else f"In time steps {first} to {last}")


def put(found: Any, places: Any) -> None:
    """Copies what a module gave to where it belongs; no gradient is one of zeros."""
    if isinstance(places, list):
        for i, place in enumerate(places):
            put(None if found is None else found[i], place)
    elif places is not None and found is not places:
        if found is None or found.size != places.size:
            places.fill(0)
        else:
            np.copyto(places, found.reshape(places.shape))
