"""Fused: a graph that runs in as few calls as it can."""

from __future__ import annotations

from typing import Any

import torch7
from nn import Container

from ..gmodule import gModule
from .code import Code
from .engine import Engine
from .nested import leaves, nested_as
from .plan import Plan
from .reading import read

Number = float


class Plans:
    """Code for the graph in one Fused, by mode and form of the input, which its clones share; None where there can be
    none."""

    def __init__(self) -> None:
        self.codes: dict[Any, tuple[Code | None, list[Any]]] = {}

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

    The plan is made at the first run of every form of input and mode. Parameters may change, also to other arrays;
    after other changes of modules or their options call clearState().

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
        self._engine = engine = self._chosen(input, self.train is not False)
        if engine is not None:
            try:
                self.output = engine.step(leaves(input))
                return self.output
            except Exception:  # such as a wrong index: the modules themselves tell where in the graph they fail
                self._engine = None
        self.output = self.net.updateOutput(input)
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        engine = self._engine
        if engine is None:
            self.gradInput = self.net.updateGradInput(input, gradOutput)
            return self.gradInput
        if not engine.plan.learn:  # after a forward in evaluate mode, which kept nothing
            self._engine = engine = self._chosen(input, True)
            engine.step(leaves(input))
        self.gradInput = nested_as(input, engine.step_back(leaves(gradOutput)))
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: Number = 1) -> None:
        if self._engine is None:
            self.net.accGradParameters(input, gradOutput, scale)
        else:
            self._engine.accumulate(scale)

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
        engine, arrays = self._engines.get(key, (None, None))
        if arrays is None or not all(fields.get(name) is a for fields, name, a in arrays):
            engine = self._made(key, input, learn)
            slots = [(vars(m), names[: 1 + learn]) for m, *names in net.slots()]
            arrays = [(fields, name, fields.get(name)) for fields, names in slots for name in names]
            self._engines[key] = engine, arrays
        return engine

    def _made(self, key: Any, input: Any, learn: bool) -> Any:
        """An engine for the code that is there, or for new code."""
        self._plans = self._plans or Plans()
        code, modules = self._plans.codes.get(key, (None, None))
        own = self.net.listModules()
        if modules is None or len(modules) != len(own):
            code, modules = self._planned(input, learn), own
            self._plans.codes[key] = code, modules
        return None if code is None else Engine(code, dict(zip(modules, own)))

    def _planned(self, input: Any, learn: bool) -> Code | None:
        net = self.net
        try:
            program = read(net, input if net.nInputs > 1 else [input], [])
            plan = Plan(program, [], list(range(len(program.outputs))), learn=learn, unroll=False)
        except Exception as error:  # there can be no plan, or it is the modules' own, who will say where they are
            self.reason = str(error)
            return None
        return Code(plan, self.compiled)

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
