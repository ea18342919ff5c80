"""Chains of modules."""

from __future__ import annotations

from typing import Any

from torch7 import memory

from ..container import Container, indented
from ..module import Module


class Sequential(Container):
    """A chain: the output of every module is the input of the next.

    >>> import numpy as np, nn
    >>> m = Sequential().add(nn.MulConstant(2)).add(nn.AddConstant(1))
    >>> m.forward(np.array([1.0, 2.0]))
    array([3., 5.])
    """

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """A chain of row-wise modules is row-wise."""
        return all(m.ROWWISE for m in self.modules)

    def __len__(self) -> int:
        return len(self.modules)

    def __bool__(self) -> bool:
        return True  # an empty chain is still a module

    def add(self, module: Module) -> Sequential:
        super().add(module)
        if len(self.modules) == 1:
            self.gradInput = module.gradInput
        self.output = module.output
        return self

    def insert(self, module: Module, index: int | None = None) -> None:
        """Inserts a module before position `index`, counted from 1 (at the end without one)."""
        index = len(self.modules) + 1 if index is None else index
        if not 1 <= index <= len(self.modules) + 1:
            raise IndexError(
                f"nn.Sequential: cannot insert at {index}: the modules are numbered 1 to {len(self.modules)}"
            )
        self.modules.insert(index - 1, module)
        self._ends()

    def remove(self, index: int | None = None) -> None:
        """Removes the module at `index`, counted from 1 (the last one without)."""
        index = len(self.modules) if index is None else index
        if not 1 <= index <= len(self.modules):
            raise IndexError(f"nn.Sequential: cannot remove {index}: the modules are numbered 1 to {len(self.modules)}")
        del self.modules[index - 1]
        self._ends()

    def _ends(self) -> None:
        self.output = self.modules[-1].output if self.modules else memory.empty()
        self.gradInput = self.modules[0].gradInput if self.modules else memory.empty()

    def updateOutput(self, input: Any) -> Any:
        i = 0
        try:
            for i, module in enumerate(self.modules):  # noqa: B007  (i tells where an error came up)
                input = module.updateOutput(input)
        except Exception as error:
            self.within(error, i)
            raise
        self.output = input
        return input

    def _walk_back(self, method: str, input: Any, gradOutput: Any, *args: Any) -> Any:
        """Calls a method of every module from the last to the first with its input and the gradient that reaches it."""
        gives_gradient = not method.startswith("acc")  # what these return is never looked at
        i = len(self.modules)
        try:
            for i in reversed(range(len(self.modules))):
                module = self.modules[i]
                x = self.modules[i - 1].output if i else input
                got = getattr(module, method)(x, gradOutput, *args)
                gradOutput = got if gives_gradient and got is not None else module.gradInput
        except Exception as error:
            self.within(error, i)
            raise
        return gradOutput

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.gradInput = self._walk_back("updateGradInput", input, gradOutput)
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        self._walk_back("accGradParameters", input, gradOutput, scale)

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        self._walk_back("accUpdateGradParameters", input, gradOutput, lr)

    def backward(self, input: Any, gradOutput: Any, scale: float = 1) -> Any:
        self.gradInput = self._walk_back("backward", input, gradOutput, scale)
        return self.gradInput

    def __str__(self) -> str:
        flow = "".join(f" -> ({i})" for i in range(1, len(self.modules) + 1))
        lines = "".join(f"\n  ({i}): {indented(str(m))}" for i, m in enumerate(self.modules, 1))
        return f"nn.Sequential {{\n  [input{flow} -> output]{lines}\n}}"
