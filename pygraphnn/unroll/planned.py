"""The fast way to run a step graph over sequences: by a plan, where one can be made, else step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from .code import Code
from .engine import Engine
from .nested import at, leaves
from .plan import Plan
from .reading import read
from .roles import Roles
from .stepwise import StepwiseEngine
from .values import Fact, Unsupported

PLANS = 4  # kept at a time: of other batch sizes, modes, lengths


def keep(plans: dict[Any, Any], key: Any, value: Any) -> None:
    """Enters a value, in place of the oldest where there are too many."""
    while len(plans) >= PLANS and key not in plans:
        del plans[next(iter(plans))]
    plans[key] = value


class PlannedEngine:
    """Runs a network for one time step over sequences; the interface is that of StepwiseEngine.

    A plan is made at the first run of every form of input and mode, and made anew when modules, methods, options or
    arrays of parameters were changed. What a plan cannot do (`reason` tells) runs step by step. With `learn=False`
    forward keeps nothing for a backward.
    """

    compiled: bool | None = None  # whether by compiled kernels; None where that can be

    def __init__(self, step: Any, roles: Roles):
        self.step, self.roles = step, roles
        self.plans: dict[Any, tuple[Any, list[Fact]]] = {}
        self.stepwise = StepwiseEngine(step, roles)
        self.engine: Any = self.stepwise
        self.reason = ""

    def __deepcopy__(self, memo: Any) -> None:
        return None  # a clone makes its own

    def forward(
        self, sequences: list[Any], states: list[Any], ends: np.ndarray | None, learn: bool = True
    ) -> tuple[list[Any], list[Any]]:
        self.engine = self.chosen(sequences, states, ends, learn)
        try:
            result: tuple[list[Any], list[Any]] = self.engine.forward(sequences, states, ends)
        except BaseException as error:
            self.plans.clear()  # what was interrupted may have arrays of one form and calls for another
            if self.engine is self.stepwise or not isinstance(error, Exception):
                raise
            self.reason = str(error)
            # the modules themselves tell at which step and where in the graph they fail
            self.engine = self.stepwise
            result = self.engine.forward(sequences, states, ends)
        return result

    def backward(self, gradSequences: list[Any], gradStates: list[Any]) -> tuple[list[Any], list[Any]]:
        return self.engine.backward(gradSequences, gradStates)

    def accumulate(self, scale: float) -> None:
        self.engine.accumulate(scale)

    def chosen(self, sequences: list[Any], states: list[Any], ends: np.ndarray | None, learn: bool) -> Any:
        """The engine for such inputs."""
        arrays = [*leaves(at(sequences, 0)), *leaves(states)]
        key = (learn, ends is not None, *((a.shape, a.dtype) for a in arrays))
        engine, facts = self.plans.get(key, (None, []))
        if engine is None or not all(function(*args) is value for function, args, value in facts):
            self.plans.pop(key, None)
            engine, facts = self.made(sequences, states, ends, learn)
            if facts:
                keep(self.plans, key, (engine, facts))
        return engine

    def made(
        self, sequences: list[Any], states: list[Any], ends: np.ndarray | None, learn: bool
    ) -> tuple[Any, list[Fact]]:
        """A new engine, and what it rests on."""
        roles = self.roles
        inputs = roles.input(at(sequences, 0), states)
        pairs = list(zip(roles.states, roles.finals))
        facts: list[Fact] = []
        try:
            program = read(self.step, inputs if self.step.nInputs > 1 else [inputs], facts)
            plan = Plan(program, pairs, list(roles.outputs), learn=learn, ends=ends is not None)
            return Engine(Code(plan, self.compiled)), facts
        except Unsupported as error:
            self.reason = str(error)
            return self.stepwise, facts
        except Exception as error:  # the modules' own, who will say where they are
            self.reason = str(error)
            return self.stepwise, []
