"""Modules and criterions as users write them, to try the base classes on."""

from __future__ import annotations

from typing import Any

import numpy as np

import nn
import torch7
from torch7 import memory


class Affine(nn.Module):
    """A user's layer, y = a x + b, with names of its own."""

    PARAMETERS = (("a", "gradA"), ("b", "gradB"))
    BUFFERS = ("work",)

    def __init__(self, n: int):
        super().__init__()
        self.a, self.gradA = torch7.rand(n), memory.zeros((n,))
        self.b, self.gradB = torch7.rand(n), memory.zeros((n,))
        self.work = memory.zeros((n,))
        self.options = {"names": ["x", "y"], "scale": 2}

    def updateOutput(self, input: Any) -> Any:
        x = self.typed(input)
        self.output = memory.resized(self.output, x.shape, x.dtype)
        np.multiply(x, self.a, out=self.output)
        self.output += self.b
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.gradInput = memory.resized(self.gradInput, input.shape, input.dtype)
        return np.multiply(gradOutput, self.a, out=self.gradInput)

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        self.gradA += scale * (gradOutput * input)
        self.gradB += scale * gradOutput


class NoGradient(nn.Module):
    """A first layer that makes no gradient."""

    def updateOutput(self, input: Any) -> Any:
        self.output = input
        return input

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.gradInput = None


class Overriding(nn.Module):
    """A user's layer that only overrides parameters(), as Lua classes do."""

    def __init__(self) -> None:
        super().__init__()
        self.W, self.gW = memory.zeros((2, 2)), memory.zeros((2, 2))
        self.inner = nn.Linear(2, 1)
        self.modules = [self.inner]

    def parameters(self) -> Any:
        w, g = self.inner.parameters()
        return [self.W, *w], [self.gW, *g]


class Extending(nn.Linear):
    """A user's layer that adds to its parent's parameters()."""

    def __init__(self) -> None:
        super().__init__(2, 3)
        self.extra, self.gradExtra = memory.zeros((4,)) + 7, memory.zeros((4,))

    def parameters(self) -> Any:
        w, g = super().parameters()
        return [*w, self.extra], [*g, self.gradExtra]


class Custom(nn.Criterion):
    """A user's loss, sum(x * target)."""

    def updateOutput(self, input: Any, target: Any) -> Any:
        self.output = float(np.vdot(self.typed(input), target))
        return self.output

    def updateGradInput(self, input: Any, target: Any) -> Any:
        self.gradInput = memory.resized(self.gradInput, input.shape, input.dtype)
        self.gradInput[...] = target
        return self.gradInput


class Failing(nn.Module):
    """Raises the error that it is given."""

    def __init__(self, error: BaseException):
        super().__init__()
        self.error = error

    def updateOutput(self, input: Any) -> Any:
        raise self.error


class Planned(nn.Module):
    """Has an attribute that is not saved but made again."""

    TRANSIENT = ("plan",)
    torch_version = 4
    plan: Any = None

    def torch_loaded(self, version: int) -> None:
        super().torch_loaded(version)
        self.plan = f"made again, version {version}"


class Holder:
    """An object that Torch knows nothing of."""

    def __init__(self, held: Any):
        self.held = held


def net() -> nn.Sequential:
    torch7.manualSeed(3)
    return nn.Sequential().add(nn.Linear(4, 3)).add(nn.Tanh()).add(nn.Sequential().add(nn.Linear(3, 2)))


def saved(x: Any) -> Any:
    """x after a way through a .t7 file."""
    return torch7.deserialize(torch7.serialize(x))
