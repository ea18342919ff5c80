"""Convolutions over volumes, such as videos."""

from __future__ import annotations

from typing import Any

import numpy as np

from torch7 import memory

from ..kernels.windows import Shape
from .base import Gathering, Spreading


class VolumetricConvolution(Gathering):
    """A convolution over volumes: y[o, t, i, j] = b[o] + sum of W[o, c, r, s, u] * x[c, t', i', j'].

    The sum is over t' = dT * t + r - padT, i' = dH * i + s - padH, j' = dW * j + u - padW.
    Input (nInputPlane, T, H, W) or a batch (N, nInputPlane, T, H, W); output (nOutputPlane, T', H', W') or
    (N, nOutputPlane, T', H', W') with T' = floor((T + 2 padT - kT) / dT) + 1 and H', W' alike. weight (nOutputPlane,
    nInputPlane, kT, kH, kW), bias (nOutputPlane), or none after `noBias()`; both are drawn from uniform(-s, s),
    s = 1 / sqrt(nInputPlane * kT * kH * kW). padW is padT if it is not given, and padH is padW.
    Raises ValueError for another number of planes and for an input smaller than the kernel.

    >>> conv = VolumetricConvolution(1, 1, 2, 1, 1).noBias()
    >>> conv.weight[...] = np.reshape([1, 10], (1, 1, 2, 1, 1))
    >>> conv.forward(np.array([1.0, 2, 3]).reshape(1, 3, 1, 1)).ravel()
    array([21., 32.])
    """

    AXES = "THW"
    NAMED = "TWH"

    padT: int = 0  # the meaning of what old files lack
    padW: int = 0
    padH: int = 0

    def __init__(
        self,
        nInputPlane: int,
        nOutputPlane: int,
        kT: int,
        kW: int,
        kH: int,
        dT: int | None = 1,
        dW: int | None = 1,
        dH: int | None = 1,
        padT: int | None = 0,
        padW: int | None = None,
        padH: int | None = None,
    ):
        super().__init__()
        self._set(nInputPlane=nInputPlane, nOutputPlane=nOutputPlane, kT=kT, kW=kW, kH=kH)
        self._set(1, dT=dT, dW=dW, dH=dH)
        self._set(0, padT=padT)
        self._set(self.padT, padW=padW)
        self._set(self.padW, padH=padH)
        self._make_parameters((self.nOutputPlane, self.nInputPlane, self.kT, self.kH, self.kW), (self.nOutputPlane,))

    def _bias_text(self) -> str:
        return ""


class VolumetricDilatedConvolution(VolumetricConvolution):
    """VolumetricConvolution with gaps in the kernel: its elements are dilationT, dilationW and dilationH apart.

    The sizes of the output are T' = floor((T + 2 padT - dilationT * (kT - 1) - 1) / dT) + 1 and H', W' alike.
    Everything else is as for VolumetricConvolution.

    >>> conv = VolumetricDilatedConvolution(1, 1, 2, 1, 1, 1, 1, 1, 0, 0, 0, 2).noBias()
    >>> conv.weight[...] = np.reshape([1, 10], (1, 1, 2, 1, 1))
    >>> conv.forward(np.array([1.0, 2, 3]).reshape(1, 3, 1, 1)).ravel()
    array([31.])
    """

    def __init__(
        self,
        nInputPlane: int,
        nOutputPlane: int,
        kT: int,
        kW: int,
        kH: int,
        dT: int | None = 1,
        dW: int | None = 1,
        dH: int | None = 1,
        padT: int | None = 0,
        padW: int | None = None,
        padH: int | None = None,
        dilationT: int | None = 1,
        dilationW: int | None = 1,
        dilationH: int | None = 1,
    ):
        super().__init__(nInputPlane, nOutputPlane, kT, kW, kH, dT, dW, dH, padT, padW, padH)
        self._set(1, dilationT=dilationT, dilationW=dilationW, dilationH=dilationH)

    def _dilation(self) -> Shape:
        return self._along("dilation")

    def _options(self) -> list[Any]:
        return [*super()._options(), self._along("dilation", self.NAMED)]

    def _bias_text(self) -> str:
        return "" if self.bias is not None else " without bias"


class VolumetricFullConvolution(Spreading):
    """A transposed convolution over volumes: every x[c, t, i, j] adds x[c, t, i, j] * W[c, o] to a window of y[o].

    The gradient of a VolumetricConvolution, as a layer; padT, padW and padH elements are left out on each side of
    the output.

    Input (nInputPlane, T, H, W) or a batch (N, nInputPlane, T, H, W); output (nOutputPlane, T', H', W') or
    (N, nOutputPlane, T', H', W') with T' = (T - 1) * dT - 2 padT + kT + adjT and H', W' alike; the adjustments are
    below the strides. Or a table [x, like]: the adjustments are then (size of `like` + 2 pad - k) % d, so that the
    output has the sizes of `like` where it can; the gradient is a table with zeros for `like`. weight (nInputPlane,
    nOutputPlane, kT, kH, kW), bias (nOutputPlane), or none after `noBias()`; both are drawn from uniform(-s, s),
    s = 1 / sqrt(nInputPlane * kT * kH * kW).
    Raises ValueError for another number of planes, an adjustment that is not below the stride, and an output of
    no elements.

    >>> full = VolumetricFullConvolution(1, 1, 2, 1, 1, 2).noBias()
    >>> full.weight[...] = np.reshape([1, 10], (1, 1, 2, 1, 1))
    >>> full.forward(np.array([1.0, 2]).reshape(1, 2, 1, 1)).ravel()
    array([ 1., 10.,  2., 20.])
    """

    AXES = "THW"
    NAMED = "TWH"

    adjT: int = 0
    adjW: int = 0
    adjH: int = 0

    def __init__(
        self,
        nInputPlane: int,
        nOutputPlane: int,
        kT: int,
        kW: int,
        kH: int,
        dT: int | None = 1,
        dW: int | None = 1,
        dH: int | None = 1,
        padT: int | None = 0,
        padW: int | None = 0,
        padH: int | None = 0,
        adjT: int | None = 0,
        adjW: int | None = 0,
        adjH: int | None = 0,
    ):
        super().__init__()
        self._set(nInputPlane=nInputPlane, nOutputPlane=nOutputPlane, kT=kT, kW=kW, kH=kH)
        self._set(1, dT=dT, dW=dW, dH=dH)
        self._set(0, padT=padT, padW=padW, padH=padH)
        self._set(0, adjT=adjT, adjW=adjW, adjH=adjH)
        self._check_adjustment(self._along("adj"))
        self._make_parameters((self.nInputPlane, self.nOutputPlane, self.kT, self.kH, self.kW), (self.nOutputPlane,))
        self.ones, self.finput, self.fgradInput = memory.empty(), memory.empty(), memory.empty()  # Torch needs them

    def torch_loaded(self, version: int) -> None:
        """Completes a module of an old file: its padding has other names, its weight the planes the other way round."""
        super().torch_loaded(version)
        fields = vars(self)
        for axis in self.AXES:
            old = fields.pop(f"p{axis}", None)
            if f"pad{axis}" not in fields:
                fields[f"pad{axis}"] = 0 if old is None else old
        if "adjW" not in fields:
            self.weight = np.ascontiguousarray(self.weight.swapaxes(0, 1))
            self.gradWeight = None if self.gradWeight is None else np.ascontiguousarray(self.gradWeight.swapaxes(0, 1))
            self.adjT = self.adjW = self.adjH = 0

    def _bias_text(self) -> str:
        return ""
