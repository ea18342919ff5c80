"""Modules side by side, and their outputs in one tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import axis
from torch7.dtypes import DTYPES

from .. import utils
from ..checks import described, tensor
from ..container import Container
from ..kernels.joining import joined, parted


class Branches(Container):
    """Base class of containers whose modules stand side by side."""

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Row-wise when all its modules are."""
        return all(m.ROWWISE for m in self.modules)

    def _each(self, method: str, arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """What `method` of every module gives for its arguments, one at a time."""
        for i, (module, args) in enumerate(zip(self.modules, arguments)):
            try:
                result = getattr(module, method)(*args)
            except Exception as error:
                self.within(error, i)
                raise
            yield result

    def _summed(self, gradients: Iterator[Any], input: Any) -> Any:
        """The sum, in gradInput, of the modules' gradients with respect to their common input.

        Each is added before the next is made: a module that is there twice has one buffer.
        """
        add = self._add_tables if torch7.is_table(input) else self._add_tensors
        first = True
        for gradient in gradients:
            if gradient is not None:  # a first layer may make none
                add(gradient, input, first)
                first = False
        return self.gradInput

    def _add_tensors(self, gradient: Any, input: Any, first: bool) -> None:
        if first:
            old = self.gradInput if isinstance(self.gradInput, np.ndarray) else None
            self.gradInput = memory.resized(old, tensor(self, gradient).shape, DTYPES[self._type])
            np.copyto(self.gradInput, gradient)
        else:
            np.add(self.gradInput, gradient, out=self.gradInput)

    def _add_tables(self, gradient: Any, input: Any, first: bool) -> None:
        if not torch7.is_table(gradient) or len(gradient) != len(input):
            who = torch7.typename(self)
            raise ValueError(f"{who}: expected a table of {len(input)} as a gradient, got {described(gradient)}")
        if first:
            self.gradInput = utils.recursiveResizeAs(self.gradInput, gradient)[0]  # as many entries as the input has
            utils.recursiveCopy(self.gradInput, gradient)
        else:
            utils.recursiveAdd(self.gradInput, gradient)

    def __str__(self) -> str:
        last = len(self.modules)
        text = f"{torch7.typename(self)} {{\n  input"
        for i, module in enumerate(self.modules, 1):
            branch, stem = ("   `-> ", "       ") if i == last else ("  |`-> ", "  |    ")
            text += f"\n  {branch}({i}): " + str(module).replace("\n", f"\n  {stem}")
        return f"{text}\n     ... -> output\n}}"


class Concat(Branches):
    """All modules on the same input; their outputs one after the other along `dimension`.

    Outputs (a, n1), (a, n2) with dimension 2 give (a, n1 + n2); dimensions count from 1. The gradients of the modules
    with respect to the input, a tensor or a table, are summed.
    Raises ValueError when the outputs' other sizes differ, IndexError when there is no such dimension.

    >>> import nn
    >>> m = Concat(1).add(nn.Identity()).add(nn.Tanh())
    >>> m.forward(np.array([0.0, 1.0])).round(4)
    array([0.    , 1.    , 0.    , 0.7616])
    """

    def __init__(self, dimension: int):
        super().__init__()
        self.outputSize = torch7.LongStorage()  # Torch's work space
        self.dimension = dimension

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Row-wise when all its modules are, and the rows are not what it joins."""
        return self.dimension > 1 and all(m.ROWWISE for m in self.modules)

    def updateOutput(self, input: Any) -> np.ndarray:
        outputs = list(self._each("updateOutput", [(input,)] * len(self.modules)))
        if outputs:
            along = axis(self.dimension, tensor(self, outputs[0]).ndim, who="nn.Concat")
            self.output = joined(self.output, outputs, along, DTYPES[self._type], "nn.Concat")
        return self.output

    def _calls(self, input: Any, gradOutput: np.ndarray, *args: Any) -> list[tuple[Any, ...]]:
        """The arguments of the modules' backward methods: each gets its part of the gradient."""
        along = axis(self.dimension, tensor(self, gradOutput).ndim, who="nn.Concat")
        sizes = [m.output.shape[along] for m in self.modules]
        return [(input, part, *args) for part in parted(gradOutput, sizes, along, "nn.Concat")]

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        return self._summed(self._each("updateGradInput", self._calls(input, gradOutput)), input)

    def backward(self, input: Any, gradOutput: np.ndarray, scale: float = 1) -> Any:
        return self._summed(self._each("backward", self._calls(input, gradOutput, scale)), input)

    def accGradParameters(self, input: Any, gradOutput: np.ndarray, scale: float = 1) -> None:
        list(self._each("accGradParameters", self._calls(input, gradOutput, scale)))

    def accUpdateGradParameters(self, input: Any, gradOutput: np.ndarray, lr: float) -> None:
        list(self._each("accUpdateGradParameters", self._calls(input, gradOutput, lr)))
