"""Transposed convolutions over images."""

from __future__ import annotations

import numpy as np  # noqa: F401  (for the examples)

from torch7 import memory

from .base import Spreading


class SpatialFullConvolution(Spreading):
    """A transposed convolution over images: every x[c, i, j] adds x[c, i, j] * W[c, o] to a window of y[o].

    y[o, dH * i + s - padH, dW * j + t - padW] = b[o] + sum of x[c, i, j] * W[c, o, s, t]: the gradient of a
    SpatialConvolution, as a layer; padW and padH elements are left out on each side of the output.

    Input (nInputPlane, H, W) or (N, nInputPlane, H, W); output (nOutputPlane, H', W') or (N, nOutputPlane, H', W') with
    H' = (H - 1) * dH - 2 padH + kH + adjH and W' alike: a convolution with these steps makes H and W of several sizes,
    adjH < dH and adjW < dW choose between them. Or a table [x, like]: the adjustment is then
    (size of `like` + 2 pad - k) % d, so that the output has the sizes of `like` where it can; the gradient is a table
    with zeros for `like`. weight (nInputPlane, nOutputPlane, kH, kW), bias (nOutputPlane), or none after `noBias()`;
    both are drawn from uniform(-s, s), s = 1 / sqrt(nInputPlane * kH * kW).
    Raises ValueError for another number of planes, an adjustment that is not below the stride, and an output of
    no elements.

    >>> full = SpatialFullConvolution(1, 1, 2, 1, 2, 1).noBias()
    >>> full.weight[...] = [[[[1, 10]]]]
    >>> full.forward(np.array([[[1.0, 2]]]))
    array([[[ 1., 10.,  2., 20.]]])
    """

    AXES = "HW"
    NAMED = "WH"

    adjW: int = 0  # the meaning of what old files lack
    adjH: int = 0

    def __init__(
        self,
        nInputPlane: int,
        nOutputPlane: int,
        kW: int,
        kH: int,
        dW: int | None = 1,
        dH: int | None = 1,
        padW: int | None = 0,
        padH: int | None = 0,
        adjW: int | None = 0,
        adjH: int | None = 0,
    ):
        super().__init__()
        self._set(nInputPlane=nInputPlane, nOutputPlane=nOutputPlane, kW=kW, kH=kH)
        self._set(1, dW=dW, dH=dH)
        self._set(0, padW=padW, padH=padH)
        self._set(0, adjW=adjW, adjH=adjH)
        self._check_adjustment(self._along("adj"))
        self._make_parameters((self.nInputPlane, self.nOutputPlane, self.kH, self.kW), (self.nOutputPlane,))
        self.ones = memory.empty()  # Torch needs it for tables
