"""Modules around one other module."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import whole
from torch7.tables import is_table, pairs

from .. import utils
from ..checks import fitted, tensor
from ..container import Container
from ..module import Module


class Decorator(Container):
    """Base class of modules around one module: what is asked of them is asked of it.

    y = module(x), with the module's own shapes, gradients and parameters. Raises TypeError when it is no module.

    >>> import numpy as np, nn
    >>> m = Decorator(nn.Tanh())
    >>> m.forward(np.array([0.0, 1.0])), m
    (array([0.        , 0.76159416]), nn.Decorator @ nn.Tanh)
    """

    def __init__(self, module: Module):
        super().__init__()
        Container.add(self, module)

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Row-wise when its module is."""
        return self.modules[0].ROWWISE

    def updateOutput(self, input: Any) -> Any:
        self.output = self.modules[0].updateOutput(input)
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.gradInput = self.modules[0].updateGradInput(input, gradOutput)
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        self.modules[0].accGradParameters(input, gradOutput, scale)

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        self.modules[0].accUpdateGradParameters(input, gradOutput, lr)

    def sharedAccUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        self.modules[0].sharedAccUpdateGradParameters(input, gradOutput, lr)

    def __str__(self) -> str:
        return f"{torch7.typename(self)} @ {self.modules[0]}"

    @staticmethod
    def decorate(cls: type) -> None:
        """Gives a class of containers these methods, for one that derives from another class already."""
        for name in DELEGATED:
            setattr(cls, name, vars(Decorator)[name])


DELEGATED = (
    *("updateOutput", "updateGradInput", "accGradParameters", "accUpdateGradParameters"),
    *("sharedAccUpdateGradParameters", "__str__"),
)


class Bottle(Decorator):
    """A module for inputs of `nInputDim` dimensions on inputs of more: the first ones are taken as one.

    With nInputDim 2, an input (a, b, c, n) goes through the module as (a * b * c, n), and its output (a * b * c, m)
    comes out as (a, b, c, m). The module's outputs have `nOutputDim` dimensions (as many as its inputs without).
    An input of `nInputDim` dimensions or fewer goes through as it is.
    Raises ValueError when the module's output has other dimensions, or rows that the first sizes do not divide.

    >>> import nn
    >>> m = Bottle(nn.Linear(3, 2))
    >>> m.forward(np.ones((4, 5, 3))).shape, m.forward(np.ones((5, 3))).shape
    ((4, 5, 2), (5, 2))
    """

    inShape: Any = None
    outShape: Any = None

    def __init__(self, module: Module, nInputDim: int | None = 2, nOutputDim: int | None = None):
        super().__init__(module)
        self.nInputDim = whole(2 if nInputDim is None else nInputDim, "nn.Bottle", "nInputDim")
        self.nOutputDim = self.nInputDim if nOutputDim is None else whole(nOutputDim, "nn.Bottle", "nOutputDim")
        self.dimDelta = self.nInputDim - self.nOutputDim
        # the module's last sizes, as Torch keeps them
        self.inShape = memory.zeros((self.nInputDim,))
        self.outShape = memory.zeros((self.nOutputDim,))

    def updateOutput(self, input: Any) -> Any:
        if not self._folds(input):
            self.output = self.modules[0].updateOutput(input)
            return self.output
        folded = _folded(input, self.nInputDim)
        output = tensor(self, self.modules[0].updateOutput(folded))
        lead = input.shape[: -self.nInputDim]
        rows, over = divmod(output.shape[0], math.prod(lead))
        if output.ndim != self.nOutputDim or over:
            raise ValueError(
                f"nn.Bottle: expected {self.nOutputDim} dimensions and a multiple of {math.prod(lead)} rows "
                f"from {self.modules[0]}, got shape {output.shape}"
            )
        self._note_shapes(folded, output)
        self.output = output.reshape(*lead, rows, *output.shape[1:])
        return self.output

    def _folds(self, input: Any) -> bool:
        return tensor(self, input).ndim > self.nInputDim

    def _note_shapes(self, folded: np.ndarray, output: np.ndarray) -> None:
        for name, shape in (("inShape", folded.shape), ("outShape", output.shape)):
            kept = memory.resized(getattr(self, name), (len(shape),), torch7.dtype_of(self._type))
            kept[...] = shape
            setattr(self, name, kept)

    def _inside(self, input: Any, gradOutput: Any) -> tuple[Any, Any]:
        """Input and gradient as the module sees them."""
        if not self._folds(input):
            return input, gradOutput
        return _folded(input, self.nInputDim), _folded(fitted(self, gradOutput, self.output), self.nOutputDim)

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        module = self.modules[0]
        module.updateGradInput(*self._inside(input, gradOutput))
        gradient = module.gradInput
        self.gradInput = gradient.reshape(input.shape) if self._folds(input) and gradient is not None else gradient
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        super().accGradParameters(*self._inside(input, gradOutput), scale)

    # Torch gives the module the unfolded input in these two, which it cannot take.

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        super().accUpdateGradParameters(*self._inside(input, gradOutput), lr)

    def sharedAccUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        super().sharedAccUpdateGradParameters(*self._inside(input, gradOutput), lr)


def _folded(x: np.ndarray, dims: int) -> np.ndarray:
    """x with its first dimensions taken as one, so that there are `dims`."""
    lead = x.ndim - dims + 1
    return x.reshape(math.prod(x.shape[:lead]), *x.shape[lead:])


class DontCast(Decorator):
    """A module that keeps its type when its surroundings are converted: `type`, `float`, `double` do not reach it.

    With `castin`, inputs of another type are converted to the module's type on their way in, and gradients to the type
    of the surroundings on their way out; with `castout` (as castin without) outputs, and gradients on their way in,
    likewise. `moduleType` ("torch.DoubleTensor") is the module's type, by default that of its output or parameters.
    Tensors and tables. Raises ValueError when that type cannot be told.

    >>> import nn
    >>> m = nn.Sequential().add(DontCast(nn.MulConstant(0.1), True)).float()
    >>> y = m.forward(np.ones(2, np.float32))
    >>> y, m.get(1).get(1).output
    (array([0.1, 0.1], dtype=float32), array([0.1, 0.1]))
    """

    BUFFERS = ("_input", "_gradOutput")
    _input: Any = None
    _gradOutput: Any = None
    castin: Any = None
    castout: Any = None
    moduleType: Any = None

    def __init__(
        self, module: Module, castin: bool | None = None, castout: bool | None = None, moduleType: str | None = None
    ):
        super().__init__(module)
        self.castin = castin
        self.castout = castin if castout is None else castout
        self.moduleType = moduleType
        if (self.castin or self.castout) and moduleType is None:
            self.moduleType = _type_in(module.output) or _type_in(module.parameters()[0])
            if self.moduleType is None:
                raise ValueError(f"nn.DontCast: cannot tell the type of {module}: give moduleType")

    def _foreign(self, x: Any) -> bool:
        """Whether x is of another type than the module."""
        found = _type_in(x)
        return found is None or torch7.dtype_of(found) != torch7.dtype_of(self.moduleType)

    def updateOutput(self, input: Any) -> Any:
        if self.castin and self._foreign(input):
            self._input = _cast(self._input, input, self.moduleType)
        output = self.modules[0].updateOutput(self._inner(input))
        self.output = _cast(self.output, output, _type_in(self.output) or self._type) if self.castout else output
        return self.output

    def _inner(self, input: Any) -> Any:
        """The input as the module saw it."""
        return self._input if self.castin and self._foreign(input) else input

    def _inner_gradient(self, gradOutput: Any) -> Any:
        """The gradient as the module sees it."""
        if not (self.castout and self._foreign(gradOutput)):
            return gradOutput
        self._gradOutput = _cast(self._gradOutput, gradOutput, self.moduleType)
        return self._gradOutput

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        gradInput = self.modules[0].updateGradInput(self._inner(input), self._inner_gradient(gradOutput))
        if self.castin:
            self.gradInput = _cast(self.gradInput, gradInput, _type_in(self.gradInput) or self._type)
        else:
            self.gradInput = gradInput
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        super().accGradParameters(self._inner(input), self._inner_gradient(gradOutput), scale)

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        super().accUpdateGradParameters(self._inner(input), self._inner_gradient(gradOutput), lr)

    def sharedAccUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        # Torch gives the module what it cannot take here
        super().sharedAccUpdateGradParameters(self._inner(input), self._inner_gradient(gradOutput), lr)

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        """Converts what goes in and out where that is cast, never the module; without a type, tells it."""
        if type is None:
            return self._type
        if self.castout:
            self.output = utils.recursiveType(self.output, type, tensorCache)
        if self.castin:
            self.gradInput = utils.recursiveType(self.gradInput, type, tensorCache)
        if self.castin or self.castout:
            self._type = torch7.tensor_type(torch7.dtype_of(type))
        return self


def _type_in(x: Any) -> str | None:
    """The type of the first tensor in x; None without any."""
    if is_table(x) or isinstance(x, dict):
        return next((found for _, value in pairs(x) if (found := _type_in(value))), None)
    return torch7.tensor_type(x.dtype) if isinstance(x, np.ndarray) else None


def _cast(old: Any, x: Any, type: str) -> Any:
    """x converted to `type`, in the buffers of `old`."""
    if x is None:  # a first layer makes no gradient
        return None
    copy, _ = utils.recursiveCopy(utils.recursiveResizeAs(old, x)[0], x)
    return utils.recursiveType(copy, type)
