"""Layers whose input is a tensor of indices."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import positions, whole, whole_numbers
from torch7.dtypes import DTYPES

from ..checks import tensor
from ..kernels.scatter import add_rows
from ..module import Module


class LookupTable(Module):
    """A row of a table for every index: y[i] = weight[x[i]].

    Input (n) or (N, n), indices from 1 to nIndex of any type that holds whole numbers; output (n, nOutput) or
    (N, n, nOutput). weight (nIndex, nOutput) is drawn from a normal distribution with deviation 1.
    The row of index `paddingValue` gets no gradient. With `maxNorm`, rows are shortened to that norm, of kind
    `normType` (2 by default), before they are looked up. The gradient with respect to the input is zero.
    Raises IndexError for an index out of range, ValueError for a fraction, an empty input or one of other than 1 or 2
    dimensions.

    >>> l = LookupTable(3, 2)
    >>> l.weight[...] = [[1, 2], [3, 4], [5, 6]]
    >>> l.forward(np.array([3, 1]))
    array([[5., 6.],
           [1., 2.]])
    """

    torch_version = 4
    PARAMETERS = (("weight", "gradWeight"),)
    BUFFERS = ("_count", "_input")  # Torch's work space, in modules that it saved
    paddingValue: int = 0
    maxNorm: float | None = None
    normType: float | None = None
    shouldScaleGradByFreq = False

    def __init__(
        self,
        nIndex: int,
        nOutput: int,
        paddingValue: int = 0,
        maxNorm: float | None = None,
        normType: float | None = None,
    ):
        super().__init__()
        self.weight = memory.empty((nIndex, nOutput))
        self.gradWeight = memory.zeros((nIndex, nOutput))
        self.paddingValue = paddingValue or 0
        self.maxNorm = maxNorm
        self.normType = normType
        self.reset()

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Row-wise unless the gradients are divided by frequencies, which are those within one input."""
        return not self.shouldScaleGradByFreq

    def backCompatibility(self) -> None:
        """Gives a module of an old version the fields that Torch works with."""
        fields = {"_count": np.int32, "_input": np.int64}
        for name, dtype in fields.items():
            if vars(self).get(name) is None:
                setattr(self, name, memory.empty((0,), dtype))
        self.shouldScaleGradByFreq = bool(self.shouldScaleGradByFreq)

    def makeInputContiguous(self, input: np.ndarray) -> np.ndarray:
        """The indices as whole numbers that lie one behind the other: the input itself where it is of that kind."""
        return np.asarray(whole_numbers(tensor(self, input), "nn.LookupTable"), order="C")

    def accUpdateOnly(self) -> LookupTable:
        """Drops the gradient: only accUpdateGradParameters and backwardUpdate can train the table then."""
        self.gradWeight = None
        return self

    def setPadding(self, paddingValue: int) -> LookupTable:
        """Sets the index whose row gets no gradient; 0 for none."""
        self.paddingValue = paddingValue
        return self

    def setMaxNorm(self, maxNorm: float | None) -> LookupTable:
        """Sets the greatest norm of a row that is looked up; None for any."""
        self.maxNorm = maxNorm
        return self

    def setNormType(self, normType: float | None) -> LookupTable:
        """Sets the p of the norm |w|_p = (sum |w_j|^p)^(1/p) that `maxNorm` limits."""
        self.normType = normType
        return self

    def scaleGradByFreq(self) -> LookupTable:
        """From now on, divides the gradient of every row by how often its index comes up in the input."""
        self.shouldScaleGradByFreq = True
        return self

    def reset(self, stdv: float | None = None) -> LookupTable:
        """Draws the weight from normal(0, stdv), with a deviation of 1 if none is given."""
        torch7.normal_(self.weight, 0, 1 if stdv is None else stdv)
        return self

    def zeroGradParameters(self) -> None:
        if self.gradWeight is not None:
            self.gradWeight.fill(0)

    def _rows(self, input: Any) -> np.ndarray:
        """The rows, counted from 0, that the input asks for."""
        rows = positions(self.makeInputContiguous(input), len(self.weight), "nn.LookupTable")
        if rows.ndim not in (1, 2) or not rows.size:
            raise ValueError(f"nn.LookupTable: expected a vector or a matrix of indices, got shape {rows.shape}")
        return rows

    def renorm(self, input: np.ndarray) -> None:
        """Shortens the rows that the input asks for to `maxNorm`, if it is set."""
        if self.maxNorm is not None:
            self._shorten(np.unique(self._rows(input)), 2 if self.normType is None else self.normType)

    def _shorten(self, rows: np.ndarray, p: float) -> None:
        if p <= 0:
            raise ValueError(f"nn.LookupTable: expected a normType above 0, got {p}")
        norms: Any = np.linalg.norm(self.weight[rows], p, axis=1).astype(float)
        if p == np.inf:
            norms = np.ones(len(rows))  # Torch quirk: x^(1 / p)
        long = norms > self.maxNorm
        factors = self.maxNorm / (norms[long] + 1e-7)
        self.weight[rows[long]] *= factors[:, None].astype(self.weight.dtype)

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        self.renorm(input)
        rows = self._rows(input)
        weight = self.weight
        self.output = out = memory.resized(self.output, (*rows.shape, weight.shape[1]), weight.dtype)
        return weight.take(rows, axis=0, out=out, mode="clip")  # checked above; the default mode makes a copy

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        old = self.gradInput
        if old is None or old.shape != input.shape or old.dtype != input.dtype:
            self.gradInput = memory.zeros(input.shape, input.dtype)
        return self.gradInput

    def accGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, scale: float = 1) -> None:
        rows = self._rows(input).reshape(-1)
        nIndex, nOutput = self.weight.shape
        if self.gradWeight is None:
            raise ValueError("nn.LookupTable: there is no gradWeight after accUpdateOnly: call backwardUpdate")
        g = self.typed(gradOutput)
        if g.size != rows.size * nOutput:
            shape = (*input.shape, nOutput)
            raise ValueError(f"nn.LookupTable: expected a gradient of shape {shape}, got shape {g.shape}")
        g = g.reshape(-1, nOutput)
        if self.shouldScaleGradByFreq:
            g = g * (scale / np.bincount(rows, minlength=nIndex)[rows]).astype(g.dtype)[:, None]
        elif scale != 1:
            g = g * g.dtype.type(scale)
        if self.paddingValue and not (kept := rows != self.paddingValue - 1).all():
            rows, g = rows[kept], g[kept]
        add_rows(self.gradWeight, rows, g)

    def sharedAccUpdateGradParameters(self, input: np.ndarray, gradOutput: np.ndarray, lr: float) -> None:
        self.defaultAccUpdateGradParameters(input, gradOutput, lr)

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        result = super().type(type, tensorCache)
        if type is not None:
            for name, dtype in (("_count", np.int32), ("_input", np.int64)):  # Torch wants these types on any CPU
                if name in vars(self):
                    setattr(self, name, memory.empty((0,), dtype))
        return result


class OneHot(Module):
    """A vector with a single 1 for every index: y[..., j] = 1 if j = x[...] else 0.

    Input of any shape, indices from 1 to outputSize of any type that holds whole numbers, or one number; output
    (*, outputSize) of the module's type. The gradient with respect to the input is zero.
    Raises IndexError for an index out of range, ValueError for a fraction or an empty tensor.

    >>> OneHot(3).forward(np.array([3, 1]))
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """

    ROWWISE = True

    def __init__(self, outputSize: int):
        super().__init__()
        self.outputSize = whole(outputSize, "nn.OneHot", "outputSize")

    def updateOutput(self, input: Any) -> np.ndarray:
        n = self.outputSize
        indices = input if isinstance(input, (np.ndarray, numbers.Number)) else tensor(self, input)
        where = positions(indices, n, "nn.OneHot")
        if not where.size:
            raise ValueError(f"nn.OneHot: expected indices, got an empty tensor of shape {where.shape}")
        self.output = out = memory.resized(self.output, (*where.shape, n), DTYPES[self._type])
        out.fill(0)
        out.put(where.reshape(-1) + np.arange(0, out.size, n), 1)
        return out

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        if isinstance(input, numbers.Number):
            return 0
        self.gradInput = out = memory.resized(self.gradInput, input.shape, DTYPES[self._type])
        out.fill(0)
        return out

    def _drop_work_space(self) -> None:
        """Torch's buffers, in modules that it saved: it makes them again, but cannot use an empty or converted one."""
        for name in ("_single", "_input"):
            vars(self).pop(name, None)

    def clearState(self) -> OneHot:
        self._drop_work_space()
        return super().clearState()

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            self._drop_work_space()
        return super().type(type, tensorCache)
