"""Modules side by side, and their outputs in a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch7

from ..checks import table
from ..module import Module
from .parallel import Branches


class ConcatTable(Branches):
    """All modules on the same input: y[i] = module i of x. Their gradients with respect to x are summed.

    The input is a tensor or a table, the output a table with one entry for each module.

    >>> import numpy as np, nn
    >>> m = ConcatTable().add(nn.Identity()).add(nn.Tanh())
    >>> m.forward(np.array([0.0, 1.0]))
    [array([0., 1.]), array([0.        , 0.76159416])]
    """

    def __init__(self) -> None:
        super().__init__()
        self.output = []

    def updateOutput(self, input: Any) -> list[Any]:
        self.output[:] = self._each("updateOutput", [(input,)] * len(self.modules))
        return self.output

    def _calls(self, input: Any, gradOutput: Any, *args: Any) -> list[tuple[Any, ...]]:
        n = len(self.modules)
        table(self, gradOutput, n, "gradient")
        return [(input, gradOutput[i], *args) for i in range(n)]

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        return self._summed(self._each("updateGradInput", self._calls(input, gradOutput)), input)

    def backward(self, input: Any, gradOutput: Any, scale: float = 1) -> Any:
        return self._summed(self._each("backward", self._calls(input, gradOutput, scale)), input)

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        list(self._each("accGradParameters", self._calls(input, gradOutput, scale)))

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        list(self._each("accUpdateGradParameters", self._calls(input, gradOutput, lr)))


class ParallelTable(Branches):
    """Each module on its own entry of a table: y[i] = module i of x[i].

    Input and output are tables with one entry for each module; entries of the input beyond are not used.
    Raises ValueError when the table is too short.

    >>> import numpy as np, nn
    >>> m = ParallelTable().add(nn.Identity()).add(nn.Tanh())
    >>> m.forward([np.array([2.0]), np.array([0.0])])
    [array([2.]), array([0.])]
    """

    def __init__(self) -> None:
        super().__init__()
        self.output = []
        self.gradInput = []

    def _calls(self, input: Any, *args: Any) -> list[tuple[Any, ...]]:
        n = len(self.modules)
        table(self, input, n)
        return [(input[i], *args) for i in range(n)]

    def _calls_back(self, input: Any, gradOutput: Any, *args: Any) -> list[tuple[Any, ...]]:
        n = len(self.modules)
        table(self, input, n)
        table(self, gradOutput, n, "gradient")
        return [(input[i], gradOutput[i], *args) for i in range(n)]

    def updateOutput(self, input: Any) -> list[Any]:
        self.output[:] = self._each("updateOutput", self._calls(input))
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> list[Any]:
        self.gradInput[:] = self._each("updateGradInput", self._calls_back(input, gradOutput))
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        list(self._each("accGradParameters", self._calls_back(input, gradOutput, scale)))

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        list(self._each("accUpdateGradParameters", self._calls_back(input, gradOutput, lr)))


class MapTable(Branches):
    """One module on every entry of a table: y[i] = module of x[i].

    `modules` grows with the tables: further entries get clones, which share the parameters `sharedparams` ("weight",
    "bias", "gradWeight", "gradBias") with the module unless `shared` is False. `parameters()` lists those of all
    clones, getParameters() has shared memory once.
    Raises ValueError when a second module is added, or none was.

    >>> import numpy as np, nn
    >>> m = MapTable(nn.Linear(3, 2))
    >>> [y.shape for y in m.forward([np.ones((4, 3)), np.ones(3)])], m.size(), m.getParameters()[0].size
    ([(4, 2), (2,)], 2, 8)
    """

    module: Any = None
    sharedparams: Any = None

    def __init__(self, module: Module | None = None, shared: bool | None = True):
        super().__init__()
        self.shared = True if shared is None else shared
        self.sharedparams = ["weight", "bias", "gradWeight", "gradBias"]
        self.output = []
        self.gradInput = []
        if module is not None:
            self.add(module)

    def add(self, module: Module) -> MapTable:
        """The one module that is applied."""
        if self.module is not None:
            raise ValueError(f"nn.MapTable: takes a single module, and has {self.module}")
        super().add(module)
        self.module = module
        return self

    def _extend(self, n: int) -> None:
        """Sees to it that there are n modules."""
        if self.module is None:
            raise ValueError("nn.MapTable: expected a module to apply, none was added")
        if self.sharedparams is None:  # of files from before the field
            self.sharedparams = ["weight", "bias", "gradWeight", "gradBias"]
        self.modules[:1] = [self.module]
        names = self.sharedparams if self.shared else ()
        self.modules.extend(self.module.clone(*names) for _ in range(len(self.modules), n))

    def resize(self, n: int) -> None:
        """Makes, or drops, clones: there are n modules then."""
        self._extend(n)
        del self.modules[n:]

    def _calls(self, input: Any, *args: Any) -> list[tuple[Any, ...]]:
        self._extend(len(table(self, input, 0)))
        return [(x, *args) for x in input]

    def _calls_back(self, input: Any, gradOutput: Any, *args: Any) -> list[tuple[Any, ...]]:
        self._extend(len(table(self, input, 0)))
        table(self, gradOutput, len(input), "gradient")
        return [(x, g, *args) for x, g in zip(input, gradOutput)]

    def updateOutput(self, input: Any) -> list[Any]:
        self.output = list(self._each("updateOutput", self._calls(input)))  # a new table each time, as in Torch
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> list[Any]:
        self.gradInput = list(self._each("updateGradInput", self._calls_back(input, gradOutput)))
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        list(self._each("accGradParameters", self._calls_back(input, gradOutput, scale)))

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float = 1) -> None:
        list(self._each("accUpdateGradParameters", self._calls_back(input, gradOutput, lr)))

    def applyToOwners(self, func: Callable[[Any], Any]) -> None:
        """func(module) for the modules that have parameters of their own: all, or one when these are shared."""
        for module in self.modules[:1] if self.shared else self.modules:
            func(module)

    def zeroGradParameters(self) -> None:
        self.applyToOwners(lambda module: module.zeroGradParameters())

    def updateParameters(self, learningRate: float) -> None:
        self.applyToOwners(lambda module: module.updateParameters(learningRate))

    def clearState(self) -> Any:
        del self.modules[1:]
        return super().clearState()

    def replace(self, callback: Callable[[Any], Any]) -> Any:
        """Replaces the module; clones that share its parameters are made anew from what comes in its place."""
        if self.shared:
            del self.modules[1:]
        out = super().replace(callback)
        if self.modules:
            self.module = self.modules[0]
        return out

    def __str__(self) -> str:
        inside = " " if self.module is None else "\n  " + str(self.module).replace("\n", "\n        ") + "\n"
        return f"{torch7.typename(self)} {{{inside}}}"
