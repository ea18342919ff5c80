"""A convolution over images with weights of its own at every position."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7

from ..kernels.local import convolve_locally, local_weight_gradient, spread_locally
from ..kernels.windows import Shape, Windows
from .base import Convolution


class SpatialConvolutionLocal(Convolution):
    """A convolution over images of one size, with weights of its own at every position:
    y[o, i, j] = b[o, i, j] + sum of W[i, j, o, c, s, t] * x[c, dH * i + s - padH, dW * j + t - padW].

    Input (nInputPlane, iH, iW) or (N, nInputPlane, iH, iW), output (nOutputPlane, oH, oW) or (N, nOutputPlane, oH, oW)
    with oH = floor((iH + 2 padH - kH) / dH) + 1 and oW alike. weight (oH, oW, nOutputPlane, nInputPlane, kH, kW) and
    bias (nOutputPlane, oH, oW) are drawn from uniform(-s, s), s = 1 / sqrt(nInputPlane * kH * kW).
    Raises ValueError when nothing would be left of an image, and for images of other sizes.

    >>> conv = SpatialConvolutionLocal(1, 1, 3, 1, 2, 1)
    >>> conv.weight[...] = np.reshape([[1, 2], [10, 20]], conv.weight.shape)
    >>> conv.bias.fill(0)
    >>> conv.forward(np.array([[[1.0, 2, 3]]]))
    array([[[ 5., 80.]]])
    """

    AXES = "HW"
    NAMED = "WH"

    iW: int
    iH: int
    oW: int
    oH: int
    padW: int = 0  # the meaning of what old files lack
    padH: int = 0

    def __init__(
        self,
        nInputPlane: int,
        nOutputPlane: int,
        iW: int,
        iH: int,
        kW: int,
        kH: int,
        dW: int | None = 1,
        dH: int | None = 1,
        padW: int | None = 0,
        padH: int | None = None,
    ):
        super().__init__()
        self._set(nInputPlane=nInputPlane, nOutputPlane=nOutputPlane, kW=kW, kH=kH, iW=iW, iH=iH)
        self._set(1, dW=dW, dH=dH)
        self._set(0, padW=padW)
        self._set(self.padW, padH=padH)
        self.oH, self.oW = self._windows().positions((self.iH, self.iW))
        if min(self.oH, self.oW) < 1:
            raise ValueError(
                f"{torch7.typename(self)}: nothing would be left of images of {self.iH} x {self.iW} with windows of "
                f"{self.kH} x {self.kW}"
            )
        places = (self.oH, self.oW)
        self._make_parameters(
            (*places, self.nOutputPlane, self.nInputPlane, self.kH, self.kW), (self.nOutputPlane, *places)
        )

    def _forms(self, input: Any) -> tuple[np.ndarray, Windows, Shape]:
        x = self._batch(input, self.nInputPlane)
        if x.shape[2:] != (self.iH, self.iW):
            raise ValueError(
                f"{torch7.typename(self)}: expected images of {self.iH} x {self.iW}, got shape {input.shape}"
            )
        return x, self._windows(), self._output_shape(input, self.nOutputPlane, (self.oH, self.oW))

    def _matrices(self, weight: np.ndarray) -> np.ndarray:
        """weight or gradWeight as matrices (oH, oW, nOutputPlane, nInputPlane * kH * kW), a view."""
        return weight.reshape(self.oH, self.oW, self.nOutputPlane, -1)

    def _places_first(self, y: np.ndarray) -> np.ndarray:
        """An array of the output's shape, as a batch, as (oH, oW, nOutputPlane, N), a view."""
        return y.transpose(2, 3, 1, 0)

    def _convolve(self, x: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        product = np.empty((self.oH, self.oW, self.nOutputPlane, len(x)), x.dtype)
        convolve_locally(np.moveaxis(x, 0, -1), self._matrices(self.weight), windows, product)
        np.add(product.transpose(3, 2, 0, 1), self.bias, out=out)

    def _spread(self, g: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        spread_locally(self._places_first(g), self._matrices(self.weight), windows, np.moveaxis(out, 0, -1))

    def _accumulate(self, x: np.ndarray, g: np.ndarray, windows: Windows, scale: float) -> None:
        gradWeight = self._matrices(self.gradWeight)
        local_weight_gradient(np.moveaxis(x, 0, -1), self._places_first(g), windows, gradWeight, scale)
        self.gradBias += scale * g.sum(0)

    def _sizes_text(self) -> str:
        return f"{super()._sizes_text()}, {self.iW}x{self.iH}"
