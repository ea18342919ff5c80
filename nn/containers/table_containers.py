"""Modules side by side, and their outputs in a table."""

from __future__ import annotations

from typing import Any

from ..checks import table
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
