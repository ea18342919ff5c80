"""Fused: a graph that runs in as few calls as it can."""

from __future__ import annotations

from typing import Any

import torch7
from nn import Container

from ..gmodule import gModule
from .nested import leaves, nested_as
from .one_step import StepCode, StepEngine
from .plan import Plan
from .planned import keep
from .reading import read
from .values import Unsupported

Number = float


class Plans:
    """Code for the graph in one Fused, by mode and form of the input, which its clones share: the code (None where
    there can be none), the modules that it was made for, and the numbers of rows (None if it does for any)."""

    def __init__(self) -> None:
        self.codes: dict[Any, tuple[StepCode | None, list[Any], set[Any] | None]] = {}

    def __deepcopy__(self, memo: Any) -> Plans:
        return self


class Engines(dict[Any, Any]):
    """The engines of one Fused, and the arrays of parameters that they are bound to."""

    def __deepcopy__(self, memo: Any) -> None:
        return None  # a clone makes its own


class Fused(Container):
    """A graph whose elementwise modules run together, in a few calls of numpy's functions or one compiled kernel.

    `Fused(net)` computes what `net`, a gModule, computes, with its parameters and modes; `output` and `gradInput` of
    the modules inside are not filled. Clones of it share one plan, so that it takes the place of `net` in scripts that
    make one clone per time step. (`Unroll`, which knows of all time steps, is faster still.) What cannot be planned
    (`reason` tells why) runs module by module.

    The plan is made at the first run of every form of input and mode; it does for other batch sizes where no row
    depends on another. Arrays are kept for the last four forms and batch sizes. Parameters may change, also to other
    arrays; after other changes of modules or their options call clearState().

    >>> import nn, numpy as np
    >>> x = nn.Identity()()
    >>> net = nn.gModule([x], [nn.CMulTable()([nn.Sigmoid()(x), nn.Tanh()(x)])])
    >>> Fused(net).forward(np.array([[0.0], [1.0]]))
    array([[0.        ],
           [0.55676994]])
    """

    TRANSIENT = ("_plans", "_engines", "_engine", "reason")
    compiled: bool | None = None  # whether by compiled kernels; None where that can be
    reason = ""
    _plans: Plans | None = None
    _engines: Engines | None = None
    _engine: Any = None

    def __init__(self, net: gModule):
        super().__init__()
        if not isinstance(net, gModule):
            raise TypeError(f"{torch7.typename(self)}: expected an nn.gModule, got a {torch7.type(net)}")
        self.add(net)
        self.output = self.gradInput = None

    @property
    def net(self) -> Any:
        """The graph."""
        return self.modules[0]

    def updateOutput(self, input: Any) -> Any:
        self.output = self._forward(input, self.train is not False)
        return self.output

    def _forward(self, input: Any, learn: bool) -> Any:
        """The output, by an engine where there can be one."""
        try:
            self._engine = engine = self._chosen(input, learn)
            if engine is not None:
                return engine.step(leaves(input))
        except BaseException as error:
            # what was interrupted may have arrays of one form and calls for another
            self._engine = self._engines = None
            if not isinstance(error, Exception):
                raise
            self.reason = str(error)
        # the modules themselves tell where in the graph something is wrong, such as an index
        return self.net.updateOutput(input)

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        if self._engine is not None and not self._engine.plan.learn:
            self._forward(input, True)  # after one in evaluate mode, which kept nothing
        if self._engine is None:
            self.gradInput = self.net.updateGradInput(input, gradOutput)
        else:
            self.gradInput = nested_as(input, self._engine.step_back(leaves(gradOutput)))
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: Number = 1) -> None:
        if self._engine is None:
            self.net.accGradParameters(input, gradOutput, scale)
        else:
            self._engine.step_learns(leaves(gradOutput), scale)

    def _chosen(self, input: Any, learn: bool) -> Any:
        """The engine for such an input; None when the graph has to run module by module."""
        net = self.net
        if net.verbose or net._watch is not None:
            return None
        try:
            key = (learn, self.train, *[(x.shape, x.dtype) for x in leaves(input)])
        except AttributeError:  # no tensors
            return None
        if self._engines is None:
            self._engines = Engines()
        found = self._engines.get(key)
        if found is not None:
            for fields, name, a in found[1]:
                if fields.get(name) is not a:
                    break
            else:
                return found[0]
        engine = self._made(key, input, learn)
        slots = [(vars(m), names[: 1 + learn]) for m, *names in net.slots()]
        arrays = [(fields, name, fields.get(name)) for fields, names in slots for name in names]
        keep(self._engines, key, (engine, arrays))
        return engine

    def _made(self, key: Any, input: Any, learn: bool) -> Any:
        """An engine for the code that is there, or for new code."""
        self._plans = self._plans or Plans()
        rows = {shape[:1] for shape, _ in key[2:]}
        if len(rows) > 1:
            self.reason = "the inputs have different numbers of rows"
            return None
        # a single row can look like something else than rows, such as a column
        key = (*key[:2], min(*rows, (2,)), *((shape[1:], dtype) for shape, dtype in key[2:]))
        code, modules, only = self._plans.codes.get(key, (None, [], None))
        own = self.net.listModules()
        if len(modules) != len(own) or only not in (None, rows):
            code, modules = self._planned(input, learn), own
            only = None if code is None or all(op.rowwise for op in code.plan.ops) else rows
            keep(self._plans.codes, key, (code, modules, only))
        return None if code is None else StepEngine(code, dict(zip(modules, own)))

    def _planned(self, input: Any, learn: bool) -> StepCode | None:
        net = self.net
        try:
            program = read(net, input if net.nInputs > 1 else [input], [])
            plan = Plan(program, [], list(range(len(program.outputs))), learn=learn, unroll=False)
        except Unsupported as error:
            self.reason = str(error)
            return None
        return StepCode(plan, self.compiled)

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            self._forget()
        return super().type(type, tensorCache)

    def clearState(self) -> Any:
        self._forget()
        return super().clearState()

    def _forget(self) -> None:
        self._plans = self._engines = self._engine = None
        self.output = self.gradInput = None

    def __str__(self) -> str:
        return f"{torch7.typename(self)} @ {self.net}"
