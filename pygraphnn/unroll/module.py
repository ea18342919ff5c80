"""Unroll: a network for one time step as a module for sequences."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import torch7
from nn import Container
from torch7 import memory
from torch7.dims import whole
from torch7.tables import is_table

from .inputs import check_gradients, sizes, split_lengths
from .order import order_of
from .planned import PlannedEngine
from .roles import outputs_of, roles_of, state_map
from .run import Run

Number = float
EVALUATED = 64  # steps at a time in evaluate mode, where nothing is kept of them


class Unroll(Container):
    """Runs a network for one time step over sequences, and back-propagates through time.

    `step` is a gModule that maps `[x, s1..sk]` to `[s1'..sk', y...]`, the layout of char-rnn: an input, states, what
    the states become, and outputs. `states={input: output}`, counted from 1, tells another layout: which input gets
    which output in the next step. All other inputs and outputs are sequences.

    forward takes and gives the step's own tables, in which sequences have a dimension of time before that of the batch:
    `[x (T, B, ...), s1..sk (B, ...)]` becomes `[s1'..sk' after the last step, y (T, B, ...)]`. T and B come from the
    input and may change from call to call. backward gives the gradients of sequences and of initial states, and adds to
    those of the parameters, which all steps share. Final states may be handed on to the next call as they are; a
    gradient may be None.

    One input more than the step has tells which steps run: lengths (B), whole numbers from 0 to T, or a mask (T, B) of
    True and False or 1 and 0. A step left out leaves the row's state as it is, its output and gradients are zero, and
    what stands there in the input is not read. (A module that looks at other rows, such as BatchNormalization, sees
    the row's last step there once more.)

    `reverse` runs from the last step to the first (of its length); y[t] still belongs to x[t]. `segment=n` keeps of
    n steps at a time only the states they begin with, and computes the rest again in backward, with the random numbers
    that it had: memory for n steps and T / n states, for one forward more. updateGradInput and accGradParameters
    called one after the other compute it twice; backward does not.

    What a module learns in forward (`LEARNED`, such as the running means of BatchNormalization) it learns in all steps,
    one after the other. In evaluate mode forward keeps only the states at the start of every 64 steps (or `segment`);
    a backward after it computes the steps again. Options, modes and modules may be changed in the step at any time, but
    for those of a run between its forward and its backward.

    Raises TypeError for a step that is no gModule and for inputs that are no tensors, ValueError for states that do not
    fit the step, and for inputs of other numbers, lengths or batch sizes.

    Source: Werbos, Backpropagation through time: what it does and how to do it, 1990; the layout is that of Karpathy's
    char-rnn.

    >>> import nn, numpy as np
    >>> x, s = nn.Identity()(), nn.Identity()()
    >>> total = nn.CAddTable()([x, s])
    >>> sums = Unroll(nn.gModule([x, s], [total, nn.Identity()(total)]))
    >>> x, start = np.array([[1.0], [2.0], [3.0]]), np.zeros(1)
    >>> sums.forward([x, start])
    [array([6.]), array([[1.],
           [3.],
           [6.]])]
    >>> sums.backward([x, start], [np.zeros(1), np.ones((3, 1))])
    [array([[3.],
           [2.],
           [1.]]), array([3.])]
    """

    TRANSIENT = ("_run",)
    _run: Run | None = None

    def __init__(
        self, step: Any, states: Mapping[int, int] | None = None, reverse: bool = False, segment: int | None = None
    ):
        super().__init__()
        who = self._who()
        self.states = state_map(step, states, who)
        if not isinstance(reverse, (bool, np.bool_)):
            raise TypeError(f"{who}: expected True or False for reverse, got {reverse!r:.80}")
        self.reverse = bool(reverse)
        self.segment = None if segment is None else whole(segment, who, "segment")
        if self.segment is not None and self.segment < 1:
            raise ValueError(f"{who}: expected segments of one step or more, got {self.segment}")
        self.add(step)
        self.output = self.gradInput = None

    @property
    def step(self) -> Any:
        """The network of one time step."""
        return self.modules[0]

    def _who(self) -> str:
        return str(torch7.typename(self))

    def _engine(self) -> type:
        """The class of what runs the step in this forward."""
        return PlannedEngine

    # -- computing

    def updateOutput(self, input: Any) -> Any:
        who = self._who()
        roles = roles_of(self.step, state_map(self.step, self.states, who))
        table, lengths = split_lengths(input, self.step.nInputs, who)
        sequences, states = roles.parts_of_input(table)
        T, B = sizes(roles, sequences, states, who)
        order = order_of(T, B, self.reverse, lengths, who)
        self._run = run = self._run or Run()
        with self._noted():
            engine = run.engine(self._engine(), self.step, roles)
            learn = self.train is not False
            segment = self.segment if learn or self.segment else EVALUATED
            outputs, finals = run.forward(engine, sequences, states, order, segment, learn)
        run.roles = roles
        self.output = told(self.output, roles.output(outputs, finals))
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        return self._backward(input, gradOutput, None)

    def accGradParameters(self, input: Any, gradOutput: Any, scale: Number = 1) -> None:
        run = self._run
        if run is None or not run.went_back:
            raise ValueError(f"{self._who()}: accGradParameters needs an updateGradInput first")
        with self._noted():
            run.segments.accumulate(1 if scale is None else scale)

    def backward(self, input: Any, gradOutput: Any, scale: Number = 1) -> Any:
        # with segments, both gradients come from the same steps
        return self._backward(input, gradOutput, 1 if scale is None else scale)

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: Number) -> None:
        self.sharedAccUpdateGradParameters(input, gradOutput, lr)  # all steps have the same parameters

    def _backward(self, input: Any, gradOutput: Any, scale: Number | None) -> Any:
        """The gradient of the input; with a scale the parameters' gradients grow."""
        run = self._run
        if run is None or not run.went_forward:
            raise ValueError(f"{self._who()}: backward needs a forward first")
        check_gradients(gradOutput, self.output, outputs_of(self.step), self._who())
        with self._noted():
            found, initial = run.backward(*run.roles.parts_of_output(gradOutput), scale)
        gradients = run.roles.input(found, initial)
        n = self.step.nInputs
        _, lengths = split_lengths(input, n, self._who())
        if lengths is not None:
            gradients = [*(gradients if n > 1 else [gradients]), memory.zeros(lengths.shape, lengths.dtype)]
        self.gradInput = told(self.gradInput, gradients)
        return self.gradInput

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Adds to an error of the step what it is a part of."""
        try:
            yield
        except Exception as error:
            self.within(error, 0)
            raise

    # -- duties of a module

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            self._run = None
        return super().type(type, tensorCache)

    def clearState(self) -> Any:
        self._run = None
        return super().clearState()

    def torch_loaded(self, version: int) -> None:
        super().torch_loaded(version)
        self.states = state_map(self.step, self.states, self._who())
        self.segment = vars(self).get("segment")  # a file has no field of None

    def __str__(self) -> str:
        usual = {i: i - 1 for i in range(2, self.step.nInputs + 1)}
        options = [] if self.states == usual else [f"states {self.states}"]
        options += ["reverse"] * self.reverse + [f"segment {self.segment}"] * (self.segment is not None)
        return self._who() + (f"({', '.join(options)})" if options else "") + f" @ {self.step}"


def told(old: Any, value: Any) -> Any:
    """value; a table is handed out in the list of the last one."""
    if not is_table(value):
        return value
    old = old if isinstance(old, list) else []
    old[:] = value
    return old
