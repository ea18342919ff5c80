"""One unrolled run: the steps in their order, in segments, by an engine."""

from __future__ import annotations

from typing import Any

from .order import InOrder
from .roles import Roles
from .segments import Segments


class Run:
    """What an Unroll keeps from its forward to its backward. Never copied or saved."""

    roles: Roles
    order: InOrder
    went_forward = went_back = False

    def __init__(self) -> None:
        self.segments = Segments()
        self.engines: dict[type, Any] = {}
        self.buffers: dict[Any, Any] = {}

    def __deepcopy__(self, memo: Any) -> None:
        return None

    def engine(self, cls: type, step: Any, roles: Roles) -> Any:
        """The engine of this class for a step, made at its first run."""
        engine = self.engines.get(cls)
        if engine is None or engine.step is not step or engine.roles != roles:
            engine = self.engines[cls] = cls(step, roles)
        return engine

    def forward(
        self,
        engine: Any,
        sequences: list[Any],
        states: list[Any],
        order: InOrder,
        segment: int | None,
        learn: bool,
    ) -> tuple[list[Any], list[Any]]:
        """Output sequences and final states."""
        self.order, self.went_forward, self.went_back = order, False, False
        taken = self._kept("taken", order.taken, sequences)
        outputs, finals = self.segments.forward(engine, taken, states, order.ends, segment, learn)
        outputs = self._kept("put", order.put, outputs)
        self.went_forward = True
        return outputs, finals

    def backward(
        self, gradSequences: list[Any], gradStates: list[Any], scale: float | None
    ) -> tuple[list[Any], list[Any]]:
        """The gradients of sequences and initial states; with a scale the parameters' gradients grow."""
        self.went_back = False
        taken = self._kept("taken gradients", self.order.taken_gradients, gradSequences)
        gradients, initial = self.segments.backward(taken, gradStates, scale)
        self.went_back = True
        return self._kept("put gradients", self.order.put, gradients), initial

    def _kept(self, name: str, function: Any, x: Any) -> Any:
        """function(buffers, x), a method of the order, whose result is the buffers of its next call."""
        key = type(self.order), name  # another order may have handed on what is not its own
        self.buffers[key] = function(self.buffers.get(key), x)
        return self.buffers[key]
