"""Modules around one other module that watch it: for NaN, and for the time it takes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import torch7
from torch7.dtypes import tostring
from torch7.tables import is_table, pairs

from ..module import Module
from .decorators import Decorator

_ids = itertools.count(1)


class NaN(Decorator):
    """A module that raises ValueError as soon as NaN comes out of it, and says where it came from.

    Looked at are the output (then the input and the parameters, which may be to blame), the gradient of the input
    (then that of the output) and the gradients of the parameters. A sum decides, as in Torch: infinities of both signs
    count as NaN. `id` is shown in the message; without one the modules are numbered.

    >>> import nn
    >>> NaN(nn.Tanh(), "top").forward(np.array([0.0, np.nan]))
    Traceback (most recent call last):
    ...
    ValueError: NaN found in input of module :
    nn.NaN(top) @ nn.Tanh
    """

    def __init__(self, module: Module, id: Any = None):
        super().__init__(module)
        self.id = NaN.newId() if id is None else id

    @staticmethod
    def newId() -> int:
        """1 at the first call, 2 at the second..."""
        return next(_ids)

    def recursiveIsNaN(self, tensor: Any) -> bool:
        """Whether the sum of a tensor, or of one in a table, is NaN."""
        if is_table(tensor) or isinstance(tensor, dict):
            return any(self.recursiveIsNaN(value) for _, value in pairs(tensor))
        if not isinstance(tensor, np.ndarray) or tensor.dtype.kind != "f":
            return False
        with np.errstate(invalid="ignore", over="ignore"):
            return bool(np.isnan(tensor.sum(dtype=np.float64)))

    def _found(self, where: str) -> ValueError:
        return ValueError(f"NaN found in {where} of module :\n{self}")

    def updateOutput(self, input: Any) -> Any:
        output = super().updateOutput(input)
        if self.recursiveIsNaN(output):
            suspects = {"input": input, "parameters": self.parameters()[0], "output": output}
            raise self._found(next(name for name, value in suspects.items() if self.recursiveIsNaN(value)))
        return output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        gradInput = super().updateGradInput(input, gradOutput)
        if self.recursiveIsNaN(gradInput):
            raise self._found("gradOutput" if self.recursiveIsNaN(gradOutput) else "gradInput")
        return gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        super().accGradParameters(input, gradOutput, scale)
        if self.recursiveIsNaN(self.parameters()[1]):
            raise self._found("gradParameters")

    def __str__(self) -> str:
        return f"{torch7.typename(self)}({tostring(self.id)}) @ {self.modules[0]}"


class Profile(Decorator):
    """A module that measures its time, and prints a line every `print_interval` forward or backward passes (0: never).

    What is measured backwards is updateGradInput. `name` is shown in the lines, the module's class name without one.

    >>> import nn
    >>> m = Profile(nn.Tanh(), 2, "activation")
    >>> for _ in range(2):  # doctest: +ELLIPSIS
    ...     y = m.forward(np.ones(3))
    activation took ... seconds for 2 forward passes
    """

    def __init__(self, module: Module, print_interval: int | None = 100, name: str | None = None):
        super().__init__(module)
        self.print_interval = 100 if print_interval is None else print_interval
        self.name = torch7.typename(module) if name is None else name
        self.module = module
        self.numFwds = 0
        self.numBwds = 0
        self.summedFwdTime = 0.0
        self.summedBwdTime = 0.0
        self.timer = torch7.Timer()

    def updateOutput(self, input: Any) -> Any:
        self.timer.reset()
        output = super().updateOutput(input)
        self._count("Fwd", "forward")
        return output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.timer.reset()
        gradInput = super().updateGradInput(input, gradOutput)
        self._count("Bwd", "backward")
        return gradInput

    def _count(self, direction: str, name: str) -> None:
        """Notes one more pass in Torch's fields, and prints the line when there are enough."""
        passes, seconds = f"num{direction}s", f"summed{direction}Time"
        fields = vars(self)
        fields[seconds] += self.timer.time().real
        fields[passes] += 1
        if self.print_interval and fields[passes] % self.print_interval == 0:
            print(f"{self.name} took {fields[seconds]:.3f} seconds for {self.print_interval} {name} passes")
            fields[passes], fields[seconds] = 0, 0.0

    def replace(self, callback: Any) -> Any:
        out = super().replace(callback)
        self.module = self.modules[0]
        return out
