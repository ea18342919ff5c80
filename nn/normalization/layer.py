"""Normalizations of each sample by itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..checks import fitted, numbers
from ..containers.sequential import Sequential
from ..containers.table_containers import ConcatTable
from ..kernels.elementary import power
from ..layers.affine import Add, CMul, MulConstant
from ..module import Module
from ..tables.dimensions import Replicate
from ..tables.reduce import Mean
from ..tables.shape import Identity
from ..tables.table_math import CSubTable


class Normalize(Module):
    """Divides every vector by its p-norm: y = x / (sum_i |x_i|^p + eps)^(1/p), or x / (max_i |x_i| + eps) for p = inf.

    Input and output (d) or (N, d). `norm` holds the norms, a column; of equal largest elements the first
    counts in the gradient for p = inf. As in Torch, |x_i| + eps stands for |x_i| in the gradient for p < 2.
    Raises ValueError for a p that is not above 0, for other numbers of dimensions and for a backward without a forward.

    >>> Normalize(2).forward(np.array([[3.0, 4.0], [0.0, 2.0]]))
    array([[0.6, 0.8],
           [0. , 1. ]])
    """

    BUFFERS = ("_output", "_indices", "_gradInput", "buffer", "buffer2", "norm", "normp", "cross")
    ROWWISE = True
    norm: Any = None
    normp: Any = None
    _indices: Any = None

    def __init__(self, p: float, eps: float | None = 1e-10):
        super().__init__()
        numbers(self, p=p)
        if not p > 0:
            raise ValueError(f"{torch7.typename(self)}: expected a norm p above 0, got {p}")
        self.p = p
        self.eps = 1e-10 if eps is None else eps

    def _rows(self, x: Any) -> np.ndarray:
        x = self.typed(x)
        if x.ndim not in (1, 2) or x.size == 0:
            raise ValueError(f"{torch7.typename(self)}: expected a vector or a matrix, got shape {x.shape}")
        return x.reshape(-1, x.shape[-1])

    @np.errstate(all="ignore")  # what is not finite goes through, as in Torch
    def updateOutput(self, input: Any) -> np.ndarray:
        x = self._rows(input)
        numbers(self, eps=self.eps)
        self.output = out = memory.resized(self.output, input.shape, x.dtype)
        y = out.reshape(x.shape)  # holds powers of x first
        self.norm = memory.resized(self.norm, (len(x), 1), x.dtype)
        if self.p == math.inf:
            np.abs(x, out=y)
            self._indices = memory.resized(self._indices, self.norm.shape, np.int64)
            np.add(np.argmax(y, 1, keepdims=True), 1, out=self._indices)
            np.add(np.maximum.reduce(y, 1, keepdims=True), self.eps, out=self.norm)
        else:
            self.normp = memory.resized(self.normp, self.norm.shape, x.dtype)
            if self.p == 2:
                np.vecdot(x, x, out=self.normp[:, 0])
            else:
                power(np.abs(x, out=y), self.p, y)
                np.add.reduce(y, 1, keepdims=True, out=self.normp)
            self.normp += self.eps
            np.power(self.normp, 1 / self.p, out=self.norm)
        np.divide(x, self.norm, out=y)
        return out

    @np.errstate(all="ignore")
    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:
            return None
        x = self._rows(input)
        g = fitted(self, self._rows(gradOutput), x)
        power = self.norm if self.p == math.inf else self.normp
        if power is None or power.shape != (len(x), 1):
            raise ValueError(f"{torch7.typename(self)}: backward needs a forward of {len(x)} vectors first")
        self.gradInput = memory.resized(self.gradInput, input.shape, x.dtype)
        out = self._slopes(x, self.gradInput.reshape(x.shape))
        out *= np.vecdot(x, g)[:, None]
        np.subtract(power * g, out, out=out)
        out /= power * self.norm
        return self.gradInput

    def _slopes(self, x: np.ndarray, out: np.ndarray) -> np.ndarray:
        """In out: the gradients of the norms, up to a common factor of each row."""
        if self.p == math.inf:
            out.fill(0)
            at = self._indices - 1
            np.put_along_axis(out, at, np.take_along_axis(x, at, 1) / self.norm, 1)
        elif self.p == 2:
            out[...] = x
        else:
            np.abs(x, out=out)
            if self.p < 2:
                out += self.eps  # Torch's way around 0 ** (p - 2)
            power(out, self.p - 2, out)
            out *= x
        return out

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            vars(self).pop("_indices", None)  # positions keep their type; the next forward makes them again
        return super().type(type, tensorCache)

    def __str__(self) -> str:
        return f"{torch7.typename(self)}({self.p:g})" if self.p % 1 == 0 else f"{torch7.typename(self)}({self.p:f})"


class LayerNormalization(Sequential):
    """Normalizes every sample by its own mean and standard deviation: y = (x - mean) / std * weight + bias.

    Input and output (nOutput) or (N, nOutput); std = sqrt(sum_i (x_i - mean)^2 / nOutput + eps / nOutput). With
    `affine`, weight is 1 and bias as given at first; both are learned. The chain is made of Torch's modules, and in a
    batch it has Torch's mistake: element i of sample n, both counted from 0, has the mean of sample
    (n nOutput + i) mod N subtracted. Feed one vector at a time, or vectors whose mean is 0, for the real thing.

    Ba, Kiros and Hinton, "Layer normalization", arXiv:1607.06450 (2016).

    >>> LayerNormalization(4).forward(np.array([1.0, 1.0, 3.0, 3.0]))
    array([-1., -1.,  1.,  1.])
    """

    ROWWISE = False

    def __init__(self, nOutput: int, bias: float | None = 0, eps: float | None = 1e-10, affine: bool | None = True):
        super().__init__()
        numbers(self, nOutput=nOutput)
        means = Sequential().add(Mean(1, 1)).add(Replicate(nOutput, 1, 1))
        self.add(ConcatTable().add(Identity()).add(means))
        self.add(CSubTable())
        self.add(Normalize(2, 1e-10 if eps is None else eps))
        self.add(MulConstant(math.sqrt(nOutput)))
        if affine is None or affine:
            gain, shift = CMul(nOutput), Add(nOutput, False)
            gain.weight.fill(1)
            shift.bias.fill(0 if bias is None else bias)
            self.add(gain).add(shift)
