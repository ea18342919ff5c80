"""Poolings that take the p-norm of a window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..activations.pointwise import Power, Sqrt, Square
from ..checks import numbers, shaped
from ..containers.sequential import Sequential
from ..kernels.averaging import averages, spread
from ..kernels.sweeps import Shape, Sweep, sweep
from ..layers.affine import MulConstant
from ..module import Module
from .pooling import SpatialAveragePooling


class SpatialLPPooling(Sequential):
    """The p-norm of every window of an image: y = (sum x^p)^(1/p) over windows of kH x kW elements.

    A chain of Square, SpatialAveragePooling, MulConstant and Sqrt for pnorm = 2, else with Power(pnorm) and
    Power(1 / pnorm), in steps of dH and dW (the size of a window, where None). nInputPlane is not used. Input
    (C, H, W) or (N, C, H, W); the sum of an odd power may be negative, which gives nan.

    >>> SpatialLPPooling(1, 2, 2, 1).forward(np.array([[[3.0, 4, 6, 8]]]))
    array([[[ 5., 10.]]])
    """

    def __init__(self, nInputPlane: int, pnorm: float, kW: int, kH: int, dW: int | None = None, dH: int | None = None):
        super().__init__()
        numbers(self, pnorm=pnorm, kW=kW, kH=kH)
        self.kW, self.kH = kW, kH
        self.dW, self.dH = kW if dW is None else dW, kH if dH is None else dH
        self.add(Square() if pnorm == 2 else Power(pnorm))
        self.add(SpatialAveragePooling(kW, kH, self.dW, self.dH))
        self.add(MulConstant(kW * kH))
        self.add(Sqrt() if pnorm == 2 else Power(_inverse(pnorm)))

    def reset(self, stdv: float | None = None) -> None:
        """Nothing: there are no parameters, nor are there in what follows."""

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        """Nothing."""

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        """Nothing."""

    def zeroGradParameters(self) -> None:
        """Nothing."""

    def updateParameters(self, learningRate: float) -> None:
        """Nothing."""


class FeatureLPPooling(Module):
    """The p-norm of every window of features: y[i] = (sum x[i stride + k]^power)^(1/power), k < width.

    Input (F), (F, *) or (F, *, *), with `batch_mode` (N, F), (N, F, *) or (N, F, *, *). Output with
    floor((F - width) / stride) + 1 features. Powers and sums are made in double. A window whose output is 0 has no
    gradient. Raises ValueError for a width outside 2 ... 16, a stride outside 1 ... 4, fewer features than width and
    for an input of other dimensions.

    >>> FeatureLPPooling(2, 2, 2).forward(np.array([3.0, 4, 6, 8]))
    array([ 5., 10.])
    """

    def __init__(self, width: int, stride: int, power: float, batch_mode: bool | None = False):
        super().__init__()
        numbers(self, width=width, stride=stride)
        if not 2 <= width <= 16:
            raise ValueError(f"nn.FeatureLPPooling: expected a width of 2 to 16, got {width}")
        if not 1 <= stride <= 4:
            raise ValueError(f"nn.FeatureLPPooling: expected a stride of 1 to 4, got {stride}")
        self.width = width
        self.stride = stride
        self.power = power
        self.batch_mode = bool(batch_mode)

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Without batch_mode, rows are features."""
        return self.batch_mode

    def _forms(self, input: Any) -> tuple[np.ndarray, list[Sweep], Shape]:
        """The input as (N, F, *), the windows, and the shape of the output."""
        x, along = self.typed(input), 1 if self.batch_mode else 0
        numbers(self, power=self.power)
        if not along + 1 <= x.ndim <= along + 3 or x.size == 0:
            raise ValueError(
                f"nn.FeatureLPPooling: expected {along + 1} to {along + 3} dimensions, got shape {x.shape}"
            )
        features, others = x.shape[along], math.prod(x.shape[along + 1 :])
        windows = sweep(features, int(self.width), int(self.stride))
        if windows.count < 1:
            raise ValueError(f"nn.FeatureLPPooling: expected {self.width} features or more, got {features}")
        shape = (*x.shape[:along], windows.count, *x.shape[along + 1 :])
        return x.reshape(-1, features, others), [windows, Sweep(others, 1, count=others)], shape

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x, sweeps, shape = self._forms(input)
        self.output = memory.resized(self.output, shape, x.dtype)
        sums = np.empty((len(x), *(s.count for s in sweeps)))
        averages(_power(x, self.power), sweeps, 1, sums)
        np.copyto(self.output, _power(sums, _inverse(self.power)).reshape(shape), casting="same_kind")
        return self.output

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        x, sweeps, shape = self._forms(input)
        g, y = shaped(self, gradOutput, shape), self.output
        if y.shape != shape:
            raise ValueError(f"nn.FeatureLPPooling: expected a forward of shape {input.shape} first")
        self.gradInput = memory.resized(self.gradInput, input.shape, x.dtype)
        shares = np.where(y != 0, g * _power(y, 1 - self.power), 0)
        sums = np.empty(x.shape)
        spread(shares.reshape(len(x), *(s.count for s in sweeps)), sweeps, 1, sums)
        with np.errstate(all="ignore"):
            found = np.where(sums != 0, sums * _power(x, self.power - 1), 0)  # not 0 * inf where no window is
        np.copyto(self.gradInput, found.reshape(input.shape), casting="same_kind")
        return self.gradInput

    def __str__(self) -> str:
        batch = "true" if self.batch_mode else "false"  # Torch's own text cannot be made: it takes this for a number
        return f"{torch7.typename(self)}(w{int(self.width)} s{int(self.stride)} power {int(self.power)} batch {batch})"


def _inverse(p: float) -> float:
    return 1 / p if p else math.inf


def _power(x: np.ndarray, p: float) -> np.ndarray:
    """x^p in double, nan and infinite without a warning, as in C."""
    with np.errstate(all="ignore"):
        x = np.asarray(x, float, "C")
        return x**p
