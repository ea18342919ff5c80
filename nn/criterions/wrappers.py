"""Criterions made of other criterions and of modules."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7

from .. import utils
from ..checks import described, number, table
from ..criterion import Criterion
from ..module import Module


def _criterion(owner: Any, criterion: Any) -> Any:
    """The criterion, if it is one: anything with a loss and a gradient."""
    if hasattr(criterion, "updateGradInput") and hasattr(criterion, "updateOutput"):
        return criterion
    raise TypeError(f"{torch7.typename(owner)}: expected a criterion, got {described(criterion)}")


class MultiCriterion(Criterion):
    """The weighted sum of several losses of one input and target: loss = sum_i w_i loss_i(input, target).

    `add(criterion, weight=1)` adds one. Input and target are whatever the criterions take, tables too. The gradient is
    the weighted sum of theirs.

    >>> import nn
    >>> c = MultiCriterion().add(nn.MSECriterion(), 0.5).add(nn.AbsCriterion())
    >>> x, target = np.array([1.0, 2.0]), np.array([1.0, 4.0])
    >>> c.forward(x, target)  # 0.5 * 2 + 1
    2.0
    >>> c.backward(x, target)
    array([ 0.5, -1.5])
    """

    def __init__(self) -> None:
        super().__init__()
        self.criterions: Any = []
        self.weights: Any = torch7.DoubleStorage()

    def add(self, criterion: Any = None, weight: float | None = 1) -> MultiCriterion:
        """Adds a criterion with a weight; returns self."""
        self.criterions.append(_criterion(self, criterion))
        self.weights = torch7.DoubleStorage([*self.weights, number(self, weight, 1)])
        return self

    def updateOutput(self, input: Any, target: Any) -> float:
        losses = [criterion.updateOutput(input, target) for criterion in self.criterions]
        self.output = sum(w * loss for w, loss in zip(_numbers(self.weights), losses))
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> Any:
        self.gradInput = utils.recursiveResizeAs(self.gradInput, input)[0]
        utils.recursiveFill(self.gradInput, 0)
        for weight, criterion in zip(_numbers(self.weights), self.criterions):
            utils.recursiveAdd(self.gradInput, weight, criterion.updateGradInput(input, target))
        return self.gradInput


def _numbers(weights: Any) -> list[float]:
    """Weights, a storage or a table, as Python's numbers: numpy's would decide on the type of a product."""
    return [float(w) for w in weights]


class ParallelCriterion(Criterion):
    """The weighted sum of several losses, each of its own input and target: loss = sum_i w_i loss_i(x[i], t[i]).

    `add(criterion, weight=1)` adds one, for the next entry of the input and of the target. With `repeatTarget` all get
    the whole target. Input and target are tables, or tensors whose rows are the entries. The gradient is a table of
    theirs, each times its weight; entries for which there is no criterion get zeros.

    Raises ValueError when input or target have fewer entries than there are criterions, TypeError when they have none.

    >>> import nn
    >>> c = ParallelCriterion().add(nn.ClassNLLCriterion()).add(nn.MSECriterion(), 0.5)
    >>> x, target = [np.log([0.5, 0.5]), np.array([1.0, 2.0])], [2, np.array([1.0, 4.0])]
    >>> round(c.forward(x, target), 4)  # log 2 + 0.5 * 2
    1.6931
    >>> c.backward(x, target)
    [array([ 0., -1.]), array([ 0., -1.])]
    """

    repeatTarget: Any = None

    def __init__(self, repeatTarget: bool | None = None):
        super().__init__()
        self.criterions: Any = []
        self.weights: Any = []
        self.gradInput = []
        self.repeatTarget = repeatTarget

    def add(self, criterion: Any = None, weight: float | None = 1) -> ParallelCriterion:
        """Adds a criterion with a weight for the next entry; returns self."""
        self.criterions.append(_criterion(self, criterion))
        self.weights.append(number(self, weight, 1))
        return self

    def _each(self, input: Any, target: Any) -> list[tuple[float, Any, Any, Any]]:
        """Weight, criterion, input and target of every loss."""
        n = len(self.criterions)
        inputs = _entries(self, input, n, "input")
        targets = [target] * n if self.repeatTarget else _entries(self, target, n, "target")
        return list(zip(_numbers(self.weights), self.criterions, inputs, targets))

    def updateOutput(self, input: Any, target: Any) -> float:
        self.output = sum(w * criterion.updateOutput(x, t) for w, criterion, x, t in self._each(input, target))
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> Any:
        each = self._each(input, target)
        self.gradInput = utils.recursiveResizeAs(self.gradInput, input)[0]
        utils.recursiveFill(self.gradInput, 0)
        for (weight, criterion, x, t), gradient in zip(each, self.gradInput):
            utils.recursiveAdd(gradient, weight, criterion.updateGradInput(x, t))
        return self.gradInput

    def type(self, type: str, tensorCache: dict[Any, Any] | None = None) -> Any:
        """Converts all tensors of the criterion to `type` ("torch.FloatTensor"); the gradient is emptied."""
        self.gradInput = []
        return super().type(type, tensorCache)


def _entries(owner: Any, x: Any, n: int, what: str) -> list[Any]:
    """The first n entries of a table; of a tensor the first n rows, or numbers of a vector."""
    if isinstance(x, np.ndarray) and x.ndim:
        if len(x) >= n:
            return list(x[:n]) if x.ndim > 1 else x[:n].tolist()
        raise ValueError(f"{torch7.typename(owner)}: expected {n} rows as {what}, got shape {x.shape}")
    return list(table(owner, x, n, what)[:n])


class ModuleCriterion(Criterion):
    """A loss of what modules make of input and target: loss = criterion(inputModule(input), targetModule(target)).

    Either module may be None. The gradient goes through `inputModule`; its parameters are not trained, which a line
    says when it has some. The fields `input` and `target` keep what the modules gave.

    `castTarget` is there as Torch has it; there too, type() converts the target's module whatever it says.

    >>> import nn
    >>> c = ModuleCriterion(nn.ClassNLLCriterion(), nn.LogSoftMax())
    >>> round(c.forward(np.log([1.0, 3.0, 4.0]), 3), 4)  # -log 0.5
    0.6931
    >>> c.backward(np.log([1.0, 3.0, 4.0]), 3)
    array([ 0.125,  0.375, -0.5  ])
    """

    inputModule: Any = None
    targetModule: Any = None
    castTarget: Any = None
    input: Any = None
    target: Any = None

    def __init__(
        self, criterion: Any, inputModule: Any = None, targetModule: Any = None, castTarget: bool | None = True
    ):
        # without super().__init__(), as in Torch: output and gradInput are the inner ones'
        self.inputModule = inputModule
        self.targetModule = targetModule
        self.castTarget = True if castTarget is None else castTarget
        if inputModule is not None and inputModule.parameters()[0]:
            print(f"Warning: {torch7.typename(self)} doesn't support parameter updates")
        self.criterion = _criterion(self, criterion)

    def updateOutput(self, input: Any, target: Any) -> Any:
        if self.inputModule is not None:
            input = self.input = self.inputModule.forward(input)
        if self.targetModule is not None:
            target = self.target = self.targetModule.forward(target)
        self.output = self.criterion.forward(input, target)
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> Any:
        seen = input if self.inputModule is None else self.input
        self.gradInput = self.criterion.backward(seen, target if self.targetModule is None else self.target)
        if self.inputModule is not None:
            self.gradInput = self.inputModule.backward(input, self.gradInput)
        return self.gradInput


class CriterionTable(Module):
    """A criterion as a module: [input, target] -> its loss, a number; the gradient is [that of the input].

    The gradient that comes is not used, and there is none for the target. A table of one is an input without a target.

    >>> import nn
    >>> m = CriterionTable(nn.MSECriterion())
    >>> x = [np.array([1.0, 2.0]), np.array([1.0, 4.0])]
    >>> m.forward(x), m.backward(x, 1)
    (2.0, [array([ 0., -2.])])
    """

    criterion: Any

    def __init__(self, criterion: Any):
        super().__init__()
        self.criterion = _criterion(self, criterion)
        self.gradInput = [criterion.gradInput]

    def updateOutput(self, input: Any) -> Any:
        self.output = self.criterion.updateOutput(*self._pair(input))
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> list[Any]:
        self.gradInput[:] = [self.criterion.updateGradInput(*self._pair(input))]
        return self.gradInput

    def _pair(self, input: Any) -> Any:
        given = list(table(self, input)[:2])
        return given if len(given) == 2 else [*given, None]
