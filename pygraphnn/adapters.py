"""Modules that adapt one form of value to another inside graphs."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import Criterion, Module
from torch7 import memory
from torch7.tables import is_table

from . import nesting


class JustElement(Module):
    """[x] -> x: the element of a table of one.

    >>> JustElement().forward([np.array([1.0, 2.0])])
    array([1., 2.])
    """

    torch_name = "nngraph.JustElement"

    def __init__(self) -> None:
        super().__init__()
        self.gradInput = []

    def updateOutput(self, input: Any) -> Any:
        if not is_table(input) or len(input) != 1:
            raise ValueError(f"nngraph.JustElement: expecting one element in a table, got {_what(input)}")
        self.output = input[0]
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.gradInput[:] = [gradOutput]
        return self.gradInput


class JustTable(Module):
    """x -> [x]: a table of one element.

    >>> JustTable().forward(np.array([1.0, 2.0]))
    [array([1., 2.])]
    """

    torch_name = "nngraph.JustTable"

    def __init__(self) -> None:
        super().__init__()
        self.output = []

    def updateOutput(self, input: Any) -> Any:
        self.output[:] = [input]
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        if not is_table(gradOutput) or len(gradOutput) != 1:
            raise ValueError(f"nngraph.JustTable: expected the gradient of a table of one, got {_what(gradOutput)}")
        self.gradInput = gradOutput[0]
        return self.gradInput


class ModuleFromCriterion(Module):
    """[prediction, target] -> the criterion's loss, a tensor of one number.

    The gradient with respect to the target is zero.
    """

    torch_name = "nn.ModuleFromCriterion"

    def __init__(self, criterion: Criterion):
        if not isinstance(criterion, Criterion):
            raise TypeError(f"nn.ModuleFromCriterion: expected a criterion, got {_what(criterion)}")
        super().__init__()
        self.criterion = criterion
        self.output = memory.empty((1,))
        self.gradInput = [memory.empty(), memory.empty()]

    def updateOutput(self, input: Any) -> Any:
        prediction, target = self._pair(input)
        self.output = memory.resized(self.output, (1,), self.output.dtype)
        self.output[0] = self.criterion.updateOutput(prediction, target)
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        prediction, target = self._pair(input)
        if not isinstance(gradOutput, np.ndarray) or gradOutput.size != 1:
            raise ValueError(
                f"nn.ModuleFromCriterion: expected the gradient of one number, a tensor, got {nesting.form(gradOutput)}"
            )
        gradient = self.criterion.updateGradInput(prediction, target)
        old = self.gradInput or [None, None]  # clearState() empties it
        self.gradInput[:] = [_scaled(old[0], gradient, gradOutput.item()), nesting.resizeNestedAs(old[1], target)]
        nesting.fillNested(self.gradInput[1], 0)
        return self.gradInput

    def _pair(self, input: Any) -> Any:
        if not is_table(input) or len(input) != 2:
            raise ValueError(f"nn.ModuleFromCriterion: expected [prediction, target], got {_what(input)}")
        return input


def _scaled(old: Any, gradient: Any, factor: float) -> Any:
    """gradient times factor, in old's memory where it fits."""
    if is_table(gradient):
        olds = old if isinstance(old, list) else []
        olds[:] = [_scaled(olds[i] if i < len(olds) else None, g, factor) for i, g in enumerate(gradient)]
        return olds
    old = memory.resized(old if isinstance(old, np.ndarray) else None, gradient.shape, gradient.dtype)
    return np.multiply(gradient, factor, out=old)


def _what(x: Any) -> str:
    return f"a table of {len(x)}" if is_table(x) else f"a {type(x).__name__}"
