"""What all elementwise functions have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.blocks import each, flattened, small

from ..module import Module


class Elementwise(Module):
    """y = f(x) for every element, of an input of any shape.

    A function writes `function(x, out)` and `derivative(x, y, g, out)`, which puts g * f'(x) into `out`. `USES_OUTPUT`
    says that the derivative needs y, the output of the last forward; without it y is x, and any input has a gradient
    at any time. Infinities and nans come about silently, as in C.

    With the field `inplace` the output is the input array itself and the gradient is gradOutput itself, both
    overwritten: `out` is then x or g, and `derivative` finds y in the place of x too.
    """

    ROWWISE = True
    USES_OUTPUT = False
    SAME_SHAPE = False  # whether a gradient of as many elements in other dimensions is refused
    inplace: Any = False

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        """Writes f(x) to out."""
        raise TypeError(f"{torch7.typename(self)}: an elementwise function has to be defined")

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        """Writes g * f'(x) to out."""
        raise TypeError(f"{torch7.typename(self)}: the derivative of the function has to be defined")

    def compute(self, function: Callable[..., Any], *arrays: np.ndarray) -> list[Any]:
        """Calls `function` or `derivative` with the arrays, of one shape, or with one part of them after the other;
        what it gives, in a list."""
        return [function(*arrays)]

    def flag(self, inplace: Any) -> bool:
        """The constructor's argument `inplace`; raises TypeError when it is neither True nor False."""
        if inplace is not None and not isinstance(inplace, (bool, np.bool_)):
            raise TypeError(f"{torch7.typename(self)}: expected True or False for inplace, got {inplace!r:.80}")
        return bool(inplace)

    @np.errstate(all="ignore")
    def updateOutput(self, input: Any) -> np.ndarray:
        x = self.typed(input)
        self.output = x if self.inplace else memory.resized(self.output, x.shape, x.dtype)
        self.compute(self.function, x, self.output)
        return self.output

    @np.errstate(all="ignore")
    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x, g = self.typed(input), self.typed(gradOutput)
        y = self.output if self.USES_OUTPUT else x
        if (g.shape != y.shape) if self.SAME_SHAPE else (g.size != y.size):
            raise ValueError(f"{torch7.typename(self)}: expected a gradient of shape {y.shape}, got shape {g.shape}")
        if x.size != y.size:
            raise another_input(self, x)
        shape = g.shape if self.inplace else x.shape
        self.gradInput = out = g if self.inplace else memory.resized(self.gradInput, shape, g.dtype)
        if not g.shape == y.shape == x.shape:  # as many elements in other dimensions will do
            x, y, g = x.reshape(shape), y.reshape(shape), g.reshape(shape)
        self.compute(self.derivative, x, y, g, out)
        return out


def another_input(module: Module, x: np.ndarray) -> ValueError:
    """The error for a backward of an input that is not that of the last forward."""
    return ValueError(
        f"{torch7.typename(module)}: expected the input of the forward, which gave shape {module.output.shape}, "
        f"got shape {x.shape}"
    )


class Pointwise(Elementwise):
    """An elementwise function that may be given any part of the elements, in any shape: large arrays are worked off
    in blocks, which stay in the processor's cache from one operation to the next, on several threads."""

    def compute(self, function: Callable[..., Any], *arrays: np.ndarray) -> list[Any]:
        return [function(*arrays)] if small(arrays[0]) else each(function, *flattened(*arrays))
