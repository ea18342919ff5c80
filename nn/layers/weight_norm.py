"""Layers whose weight is given by its length and its direction.

Salimans and Kingma, "Weight normalization: a simple reparameterization to accelerate training of deep neural
networks", NIPS (2016).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.memory import scratch

from ..checks import described, fitted
from ..containers.decorators import Decorator
from ..module import Module
from ..parameters import Slot, initial_bound
from .linear import Linear


def _norms(rows: np.ndarray) -> np.ndarray:
    """The length of every row, as a column."""
    return np.sqrt(np.vecdot(rows, rows))[:, None]


def _to_direction(grad: np.ndarray, gradG: np.ndarray, v: np.ndarray, norm: np.ndarray, scale: np.ndarray) -> None:
    """Turns the gradient of the rows w = scale v, scale = g / norm, into that of v, and writes that of g to gradG."""
    part = np.multiply(grad, v, out=scratch(v.shape, v.dtype))
    part /= norm
    np.add.reduce(part, 1, out=gradG, keepdims=True)
    grad *= scale
    np.multiply(v, scale, out=part)
    part /= norm
    part *= gradG
    grad -= part


class LinearWeightNorm(Linear):
    """A linear map whose weight has its rows' lengths and directions as parameters: y = W x + b, w_i = g_i v_i / |v_i|.

    Shapes are those of nn.Linear; v (outputSize, inputSize), g (outputSize, 1). Weight and bias are drawn as those of
    nn.Linear, and v and g taken from the weight; lengths |v_i| below `eps` count as that. `weight` is computed by
    forward, in evaluate mode only when the mode changes. As in Torch accGradParameters writes the gradient of g
    anew from all that was accumulated in that of v, and transforms all of it once more: zero the gradients between
    backward passes. Raises ValueError for an input of another width.

    >>> m = LinearWeightNorm(2, 1, False)
    >>> m.v[...], m.g[...] = [[3, 4]], 10
    >>> m.forward(np.array([1.0, 1.0]))
    array([14.])
    """

    PARAMETERS = (("v", "gradV"), ("g", "gradG"), ("bias", "gradBias"))
    BUFFERS = ("weight", "norm", "scale")
    v: Any = None
    g: Any = None
    eps: float = 1e-16

    def __init__(self, inputSize: int, outputSize: int, bias: bool = True, eps: float = 1e-16):
        Module.__init__(self)
        self.eps = 1e-16 if eps is None else eps
        self.outputSize = outputSize
        self.inputSize = inputSize
        self.v, self.gradV = memory.empty((outputSize, inputSize)), memory.zeros((outputSize, inputSize))
        self.weight = memory.empty((outputSize, inputSize))
        self.g, self.gradG = memory.empty((outputSize, 1)), memory.zeros((outputSize, 1))
        self.norm, self.scale = memory.zeros((outputSize, 1)), memory.zeros((outputSize, 1))
        if bias is None or bias:
            self.bias, self.gradBias = memory.empty((outputSize,)), memory.zeros((outputSize,))
        self.reset()

    @staticmethod
    def fromLinear(linear: Linear) -> LinearWeightNorm:
        """A new module that computes what an nn.Linear computes."""
        outputSize, inputSize = linear.weight.shape
        m = LinearWeightNorm(inputSize, outputSize, linear.bias is not None)
        m.weight[...] = linear.weight
        m.initFromWeight()
        if linear.bias is not None:
            m.bias[...] = linear.bias
        return m

    def toLinear(self) -> Linear:
        """A new nn.Linear that computes what this module computes."""
        self.updateWeightMatrix()
        m = Linear(self.inputSize, self.outputSize, self.bias is not None)
        m.weight[...] = self.weight
        if self.bias is not None:
            m.bias[...] = self.bias
        return m

    def initFromWeight(self, weight: np.ndarray | None = None) -> LinearWeightNorm:
        """Takes the parameters from a weight, or from the module's own."""
        weight = self.weight if weight is None else fitted(self, weight, self.v)
        np.maximum(_norms(weight), self.eps, out=self.g, casting="same_kind")
        self.v[...] = weight
        return self

    def reset(self, stdv: float | None = None) -> Any:
        """Draws weight and bias from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(inputSize)."""
        s = initial_bound(stdv, self.inputSize)
        self.weight = memory.resized(self.weight, self.v.shape, self.v.dtype)
        torch7.uniform_(self.weight, -s, s)
        self.initFromWeight()
        if self.bias is not None:
            torch7.uniform_(self.bias, -s, s)

    def updateWeightMatrix(self) -> None:
        """Computes the weight."""
        v = self.v
        self.weight = memory.resized(self.weight, v.shape, v.dtype)
        self.norm = memory.resized(self.norm, self.g.shape, v.dtype)
        self.scale = memory.resized(self.scale, self.g.shape, v.dtype)
        np.maximum(_norms(v), self.eps, out=self.norm)
        np.divide(self.g, self.norm, out=self.scale)
        np.multiply(v, self.scale, out=self.weight)

    def evaluate(self) -> Any:
        if self.train is not False:
            self.updateWeightMatrix()
        return super().evaluate()

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        if self.train is not False or self.weight.size == 0:
            self.updateWeightMatrix()
        return super().updateOutput(input)

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        self._accumulate(self.gradV, input, gradOutput, scale)
        _to_direction(self.gradV, self.gradG, self.v, self.norm, self.scale)

    def __str__(self) -> str:
        text = f"{torch7.typename(self)}({self.inputSize} -> {self.outputSize})"
        return text + ("" if self.bias is not None else " without bias")


class WeightNorm(Decorator):
    """A module whose weight has its lengths and directions as parameters: w_i = g_i v_i / sqrt(|v_i|^2 + 1e-4).

    Input and output are those of the module; w_i is the part of its weight that belongs to output i, counted along
    dimension `outputDim` of the weight. v (outputs, elements each) is drawn from a normal distribution with deviation
    sqrt(2 / elements), g (outputs, 1) is its lengths, and the bias begins as 0. The module's weight is computed by
    forward, in evaluate mode only when the mode changes, and not saved. As in Torch accGradParameters transforms all
    that is in the module's gradWeight, and writes the gradients of v and g anew: zero the gradients between backward
    passes. Raises TypeError for a module without weight and IndexError when the weight has no such dimension.

    >>> import nn
    >>> m = WeightNorm(nn.Linear(2, 1))
    >>> m.v[...], m.g[...] = [[3, 4]], 10
    >>> m.forward(np.array([1.0, 1.0])).round(3)
    array([14.])
    """

    PARAMETERS = (("v", "gradV"), ("g", "gradG"))
    v: Any = None
    g: Any = None
    weightSize: Any = None  # nil in the first files, which hold the weight itself

    def __init__(self, module: Module, outputDim: int = 1):
        super().__init__(module)
        if not isinstance(module.weight, np.ndarray):
            raise TypeError(f"nn.WeightNorm: expected a module with a weight, got {module}, with {described(None)}")
        self._attach()
        self.outputDim = 1 if outputDim is None else outputDim
        shape = self.weight.shape
        if self.outputDim < 0:
            raise IndexError(f"nn.WeightNorm: expected a dimension counted from 1, got {outputDim}")
        n = shape[torch7.dims.axis(self.outputDim, len(shape), who="nn.WeightNorm")]
        self.otherDims = self.weight.size // n
        self.viewIn = torch7.LongStorage([n, self.otherDims])
        self.viewOut = torch7.LongStorage(list(self.permuteIn(self.weight).shape))
        self.weightSize = torch7.LongStorage(list(shape))
        self.v, self.gradV = memory.empty((n, self.otherDims)), memory.zeros((n, self.otherDims))
        self.g, self.gradG = memory.empty((n, 1)), memory.zeros((n, 1))
        self._norm, self._scale = memory.empty((n, 1)), memory.empty((n, 1))
        self.resetInit()

    def _attach(self) -> None:
        """Makes the fields for weight and bias those of the module, which others may have re-pointed."""
        module = self.modules[0]
        self.weight, self.gradWeight = module.weight, module.gradWeight
        self.bias, self.gradBias = module.bias, module.gradBias

    def permuteIn(self, inpt: np.ndarray) -> np.ndarray:
        """A view of a weight, with the dimension of the outputs first."""
        return np.moveaxis(inpt, self.outputDim - 1, 0)

    def permuteOut(self, inpt: np.ndarray) -> np.ndarray:
        """A view of a permuted weight, with the dimension of the outputs back in its place."""
        return np.moveaxis(inpt, 0, self.outputDim - 1)

    def resetInit(self, inputSize: Any = None, outputSize: Any = None) -> None:
        """Draws v from normal(0, sqrt(2 / elements)), takes g from it, and sets the bias to 0."""
        torch7.normal_(self.v, 0, math.sqrt(2 / self.v.shape[1]))
        self.g[...] = _norms(self.v)
        if self.bias is not None:
            self.bias.fill(0)
        self._measure()

    def _measure(self) -> None:
        """Computes lengths, and what v is to be multiplied by."""
        self._norm = memory.resized(self._norm, self.g.shape, self.v.dtype)
        self._scale = memory.resized(self._scale, self.g.shape, self.v.dtype)
        np.sqrt(_norms(self.v) ** 2 + self.v.dtype.type(10e-5), out=self._norm)
        np.divide(self.g, self._norm, out=self._scale)

    def slots(self) -> Iterator[Slot]:
        for name, grad in self.PARAMETERS:
            yield self, name, grad
        if self.bias is not None:
            yield self.modules[0], "bias", "gradBias"
            yield self, "bias", "gradBias"  # the same once more, which has to be re-pointed too

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        slots = list(self.slots())[:3]
        return [getattr(m, name) for m, name, _ in slots], [getattr(m, grad) for m, _, grad in slots]

    def share(self, mlp: Any, *names: str) -> Any:
        Module.share(self, mlp, *(name for name in names if name in ("v", "g", "gradV", "gradG")))
        super().share(mlp, *names)
        self._attach()
        return self

    def updateWeight(self) -> None:
        """Computes the module's weight."""
        self._attach()
        self.gradV = self.gradV.reshape(tuple(self.viewOut))  # its shape in Torch from the first forward on
        self._measure()
        rows = np.multiply(self.v, self._scale, out=scratch(self.v.shape, self.v.dtype))
        self.weight[...] = self.permuteOut(rows.reshape(tuple(self.viewOut)))

    def evaluate(self) -> Any:
        if self.train is not False:
            self.updateWeight()
            super().evaluate()
        return self

    def updateOutput(self, input: Any) -> Any:
        if self.train is not False:
            self.updateWeight()
        return super().updateOutput(input)

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        super().accGradParameters(input, gradOutput, scale)
        self._attach()
        self.gradV[...] = self.permuteIn(self.gradWeight).reshape(self.gradV.shape)
        _to_direction(self.gradV.reshape(self.v.shape), self.gradG, self.v, self._norm, self._scale)
        self.gradWeight[...] = self.permuteOut(self.gradV.reshape(tuple(self.viewOut)))

    def zeroGradParameters(self) -> None:
        super().zeroGradParameters()
        self.gradV.fill(0)
        self.gradG.fill(0)

    def updateParameters(self, learningRate: float) -> None:
        super().updateParameters(learningRate)
        self.g -= learningRate * self.gradG
        self.v -= learningRate * self.gradV.reshape(self.v.shape)

    def write(self, file: Any) -> None:
        """Writes the fields to a file, all but the weight, which follows from others."""
        if self.weightSize is None:
            self.weightSize = torch7.LongStorage(list(self.modules[0].weight.shape))
        owners = (self, self.modules[0])
        kept = [(m, name, vars(m).pop(name)) for m in owners for name in ("weight", "gradWeight") if name in vars(m)]
        try:
            super().write(file)
        finally:
            for m, name, value in kept:
                setattr(m, name, value)

    def torch_loaded(self, version: int) -> None:
        super().torch_loaded(version)
        module = self.modules[0]
        if module.weight is None:
            shape = tuple(self.weightSize)
            module.weight, module.gradWeight = memory.empty(shape, self.v.dtype), memory.empty(shape, self.v.dtype)
            self.updateWeight()
            self.gradWeight[...] = self.permuteOut(self.gradV.reshape(tuple(self.viewOut)))
        self._attach()
