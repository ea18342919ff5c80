"""What all elementwise functions have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..module import Module


class Elementwise(Module):
    """y = f(x) for every element, of an input of any shape.

    A function writes `function(x, out)` and `derivative(x, y, g, out)`, which puts g * f'(x) into `out`; either may
    use the output y as well as the input x.

    With the field `inplace` the output is the input array itself and the gradient is gradOutput itself, both
    overwritten: `out` is then x or g, and `derivative` finds y in the place of x too.
    """

    ROWWISE = True
    inplace: Any = False

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        """Writes f(x) to out."""
        raise TypeError(f"{torch7.typename(self)}: an elementwise function has to be defined")

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        """Writes g * f'(x) to out."""
        raise TypeError(f"{torch7.typename(self)}: the derivative of the function has to be defined")

    def flag(self, inplace: Any) -> bool:
        """The constructor's argument `inplace`; raises TypeError when it is neither True nor False."""
        if inplace is not None and not isinstance(inplace, (bool, np.bool_)):
            raise TypeError(f"{torch7.typename(self)}: expected True or False for inplace, got {inplace!r:.80}")
        return bool(inplace)

    def number(self, value: Any) -> Any:
        """A constructor's argument as one of Python's numbers, where numpy's would decide on the type of a result;
        raises TypeError when it is none."""
        if torch7.type(value) != "number":
            raise TypeError(f"{torch7.typename(self)}: expected a number, got a {torch7.type(value)}")
        return value.item() if isinstance(value, np.generic) else value

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self.typed(input)
        self.output = x if self.inplace else memory.resized(self.output, x.shape, x.dtype)
        self.function(x, self.output)
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        g = self.typed(gradOutput)
        if g.size != self.output.size:
            raise ValueError(
                f"{torch7.typename(self)}: expected a gradient of shape {self.output.shape}, got shape {g.shape}"
            )
        shape = g.shape if self.inplace else input.shape
        self.gradInput = out = g if self.inplace else memory.resized(self.gradInput, shape, g.dtype)
        x, y = input, self.output
        if not g.shape == y.shape == x.shape:  # as many elements in other dimensions will do
            x, y, g = x.reshape(shape), y.reshape(shape), g.reshape(shape)
        self.derivative(x, y, g, out)
        return out
