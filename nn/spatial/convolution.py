"""Convolutions over images."""

from __future__ import annotations

from typing import Any

import numpy as np  # noqa: F401  (for the examples)

from ..kernels.windows import Shape
from .base import Gathering


class ImageConvolution(Gathering):
    """What the convolutions over images have in common: the arguments, and how old files say the padding."""

    AXES = "HW"
    NAMED = "WH"

    padW: int = 0  # the meaning of what old files lack
    padH: int = 0

    def __init__(
        self,
        nInputPlane: int,
        nOutputPlane: int,
        kW: int,
        kH: int,
        dW: int | None = 1,
        dH: int | None = 1,
        padW: int | None = 0,
        padH: int | None = None,
    ):
        super().__init__()
        self._set(nInputPlane=nInputPlane, nOutputPlane=nOutputPlane, kW=kW, kH=kH)
        self._set(1, dW=dW, dH=dH)
        self._set(0, padW=padW)
        self._set(self.padW, padH=padH)
        self._make_parameters(self._weight_shape(), self._bias_shape())

    def _bias_shape(self) -> Shape:
        return (self.nOutputPlane,)

    def _weight_shape(self) -> Shape:
        return (self.nOutputPlane, self.nInputPlane, self.kH, self.kW)

    def torch_loaded(self, version: int) -> None:
        """Completes a module of an old file, which has one `padding` for both dimensions."""
        super().torch_loaded(version)
        padding = vars(self).pop("padding", None)
        if padding is not None:
            self._set(padW=padding, padH=padding)


class SpatialConvolution(ImageConvolution):
    """A convolution over images: y[o, i, j] = b[o] + sum of W[o, c, s, t] * x[c, dH * i + s - padH, dW * j + t - padW].

    Input (nInputPlane, H, W) or (N, nInputPlane, H, W); output (nOutputPlane, H', W') or (N, nOutputPlane, H', W') with
    H' = floor((H + 2 padH - kH) / dH) + 1 and W' alike. weight (nOutputPlane, nInputPlane, kH, kW), bias
    (nOutputPlane), or none after `noBias()`; both are drawn from uniform(-s, s), s = 1 / sqrt(nInputPlane * kH * kW).
    dW and dH are the steps of the kernel, padW and padH (padW, if not given) the zeros on each side.
    Raises ValueError for another number of planes and for an input smaller than the kernel (Torch reads beyond an input
    that is smaller by less than a step).

    >>> conv = SpatialConvolution(1, 1, 2, 2)
    >>> conv.weight[...] = [[[[1, 2], [3, 4]]]]
    >>> conv.bias[...] = 0.5
    >>> conv.forward(np.array([[[1.0, 0, 0], [0, 1, 0]]]))
    array([[[5.5, 3.5]]])
    """

    def torch_loaded(self, version: int) -> None:
        """Completes a module of an old file, whose weights are matrices as well."""
        super().torch_loaded(version)
        for name in ("weight", "gradWeight"):
            matrix = getattr(self, name)
            if matrix is not None and matrix.ndim == 2:
                setattr(self, name, matrix.reshape(self._weight_shape()))


class SpatialConvolutionMM(ImageConvolution):
    """SpatialConvolution with its weight as a matrix (nOutputPlane, nInputPlane * kH * kW); the numbers are the same.

    >>> conv = SpatialConvolutionMM(1, 1, 2, 2).noBias()
    >>> conv.weight[...] = [[1, 2, 3, 4]]
    >>> conv.forward(np.array([[[1.0, 0, 0], [0, 1, 0]]]))
    array([[[5., 3.]]])
    """

    def _weight_shape(self) -> Shape:
        return (self.nOutputPlane, self.nInputPlane * self.kH * self.kW)


class SpatialDilatedConvolution(SpatialConvolution):
    """SpatialConvolution with gaps in the kernel: its elements are dilationW and dilationH apart.

    y[o, i, j] = b[o] + sum of W[o, c, s, t] * x[c, dH * i + dilationH * s - padH, dW * j + dilationW * t - padW]; the
    output has the sizes H' = floor((H + 2 padH - dilationH * (kH - 1) - 1) / dH) + 1 and W' alike. Everything else
    is as for SpatialConvolution. Source: Yu and Koltun, Multi-scale context aggregation by dilated convolutions (2016).

    >>> conv = SpatialDilatedConvolution(1, 1, 2, 1, 1, 1, 0, 0, 2).noBias()
    >>> conv.weight[...] = [[[[1, 10]]]]
    >>> conv.forward(np.array([[[1.0, 2, 3, 4]]]))
    array([[[31., 42.]]])
    """

    def __init__(
        self,
        nInputPlane: int,
        nOutputPlane: int,
        kW: int,
        kH: int,
        dW: int | None = 1,
        dH: int | None = 1,
        padW: int | None = 0,
        padH: int | None = None,
        dilationW: int | None = 1,
        dilationH: int | None = 1,
    ):
        super().__init__(nInputPlane, nOutputPlane, kW, kH, dW, dH, padW, padH)
        self._set(1, dilationW=dilationW, dilationH=dilationH)

    def _dilation(self) -> Shape:
        return self._along("dilation")

    def _options(self) -> list[Any]:
        return [*super()._options(), self._along("dilation", self.NAMED)]
