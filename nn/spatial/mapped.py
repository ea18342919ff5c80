"""Convolutions over images with a table of which input plane goes into which output plane."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7.dims import positions, whole_numbers

from ..kernels.convolution import bias_gradient, convolve, spread, weight_gradient
from ..kernels.depthwise import convolve_planes, planes_weight_gradient, spread_planes
from ..kernels.windows import Shape, Windows
from ..parameters import initial_bound
from .base import Weighted


class _Mapped(Weighted):
    """What both have in common: the table, the parameters, and the weights as those of a full convolution."""

    AXES = "HW"
    connTable: np.ndarray

    def __init__(self, connTable: Any, kW: int, kH: int, dW: int | None = 1, dH: int | None = 1):
        super().__init__()
        who = str(torch7.typename(self))
        self._set(kW=kW, kH=kH)
        self._set(1, dW=dW, dH=dH)
        if not torch7.isTensor(connTable) or connTable.ndim != 2 or connTable.shape[1] != 2 or not len(connTable):
            got = f"shape {connTable.shape}" if torch7.isTensor(connTable) else f"a {torch7.type(connTable)}"
            raise ValueError(f"{who}: expected a tensor (connections, 2) of input and output planes, got {got}")
        self.connTable = connTable
        self.nInputPlane, self.nOutputPlane = whole_numbers(connTable, who, "planes").max(0).tolist()
        self._connections()
        self._make_parameters((len(connTable), self.kH, self.kW), (self.nOutputPlane,))

    def _connections(self) -> tuple[np.ndarray, np.ndarray]:
        """The input and the output planes of all connections, counted from 0."""
        who = str(torch7.typename(self))
        inputs, outputs = self.connTable[:, 0], self.connTable[:, 1]
        return positions(inputs, self.nInputPlane, who, "planes"), positions(outputs, self.nOutputPlane, who, "planes")

    def _bound(self, connections: int) -> float:
        """The bound of initial values for an output plane with so many connections; 0, where Torch has none."""
        return initial_bound(None, self.kW * self.kH * connections) if connections else 0

    def _draw(self, target: np.ndarray, s: float) -> None:
        """Fills a part of the weights from uniform(-s, s)."""
        torch7.uniform_(target, -s, s)

    def reset(self, stdv: float | None = None) -> None:
        """Draws weight and bias from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(kW * kH * n) for an output
        plane of n connections."""
        if stdv is not None:
            for parameter in (self.weight, self.bias):
                self._draw(parameter, initial_bound(stdv, 1))
            return
        outputs = self._connections()[1]
        count = np.bincount(outputs, minlength=self.nOutputPlane)
        for k, o in enumerate(outputs):
            self._draw(self.weight[k], self._bound(count[o]))
        for o, n in enumerate(count):
            self.bias[o] = torch7.uniform(-self._bound(n), self._bound(n))

    def _dense(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """The weights as (planes, planes, kH, kW), zero where there is no connection."""
        shape = (int(first.max()) + 1, int(second.max()) + 1, self.kH, self.kW)
        full = np.zeros(shape, self.weight.dtype)
        np.add.at(full, (first, second), self.weight)
        return full


class SpatialConvolutionMap(_Mapped):
    """A convolution over images in which only the planes of a table are connected:
    y[o, i, j] = b[o] + sum over connections k to o, s, t of W[k, s, t] * x[c_k, dH * i + s, dW * j + t].

    `connTable` is a tensor (connections, 2) of input and output plane, from 1; nn.tables.full, oneToOne and random make
    some. Input (nInputPlane, H, W) or (N, nInputPlane, H, W), output (nOutputPlane, H', W') or
    (N, nOutputPlane, H', W') with H' = floor((H - kH) / dH) + 1 and W' alike; further planes of the input are not used.
    weight (connections, kH, kW) and bias (nOutputPlane) are drawn from uniform(-s, s), s = 1 / sqrt(kW * kH * n) for an
    output plane of n connections. Raises ValueError for fewer planes and for an image smaller than the kernel. (Torch
    writes beyond the gradient where steps do not divide the sizes, and gives planes without connections a bias of nan;
    here both are in order.)

    >>> import nn
    >>> conv = SpatialConvolutionMap(nn.tables.oneToOne(2), 2, 1)
    >>> conv.weight[...] = [[[1, 2]], [[10, 20]]]
    >>> conv.bias.fill(0)
    >>> conv.forward(np.array([[[1.0, 0, 1]], [[1, 2, 0]]]))
    array([[[ 1.,  2.]],
    <BLANKLINE>
           [[50., 20.]]])
    """

    ROWWISE = True

    def decayParameters(self, decay: float) -> None:
        """Makes weight and bias smaller: w -= decay * w."""
        self.weight -= decay * self.weight
        self.bias -= decay * self.bias

    def _separate(self) -> bool:
        """Whether every plane is connected to the one of its number alone: nothing is summed over planes then."""
        inputs, outputs = self._connections()
        return bool(np.array_equal(inputs, outputs) and np.array_equal(inputs, np.arange(self.nOutputPlane)))

    def _forms(self, input: Any) -> tuple[np.ndarray, Windows, Shape]:
        x = self.typed(input)
        if x.ndim not in (3, 4) or x.shape[-3] < self.nInputPlane or x.shape[-2] < self.kH or x.shape[-1] < self.kW:
            raise ValueError(
                f"{torch7.typename(self)}: expected {self.nInputPlane} planes of at least {self.kH} x {self.kW} "
                f"(3D, or 4D for a batch), got shape {x.shape}"
            )
        windows = self._windows()
        used = self._batched(x)[:, : self.nInputPlane]
        return used, windows, (*x.shape[:-3], self.nOutputPlane, *windows.positions(x.shape[-2:]))

    def _repeated_weights(self, samples: int) -> np.ndarray:
        """The weights (samples * planes, 1, kernel) of separate planes."""
        return np.tile(self.weight.reshape(-1, 1, self.kH * self.kW), (samples, 1, 1))

    def _convolve(self, x: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        inputs, outputs = self._connections()
        if self._separate():
            planes = out.reshape(-1, 1, *out.shape[2:])
            convolve_planes(x.reshape(-1, *x.shape[2:]), self._repeated_weights(len(x)), windows, planes)
            out += self.bias[:, None, None]
        else:
            convolve(x, self._dense(outputs, inputs), self.bias, windows, out)

    def _spread(self, g: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        used = out[:, : self.nInputPlane]
        out[:, self.nInputPlane :].fill(0)
        inputs, outputs = self._connections()
        if self._separate() and used.shape == out.shape:
            planes = out.reshape(-1, *out.shape[2:])
            spread_planes(g.reshape(-1, 1, *g.shape[2:]), self._repeated_weights(len(g)), windows, planes)
        else:
            spread(g, self._dense(outputs, inputs), None, windows, used)

    def _accumulate(self, x: np.ndarray, g: np.ndarray, windows: Windows, scale: float) -> None:
        inputs, outputs = self._connections()
        if self._separate():
            found = np.empty((len(x) * self.nInputPlane, 1, self.kH * self.kW), x.dtype)
            planes_weight_gradient(x.reshape(-1, *x.shape[2:]), g.reshape(-1, 1, *g.shape[2:]), windows, found)
            self.gradWeight += scale * found.reshape(len(x), *self.gradWeight.shape).sum(0)
        else:
            full = np.zeros((self.nOutputPlane, self.nInputPlane, self.kH, self.kW), x.dtype)
            weight_gradient(x, g, windows, full)
            self.gradWeight += scale * full[outputs, inputs]
        bias_gradient(g, self.gradBias, scale)


class SpatialFullConvolutionMap(_Mapped):
    """A transposed convolution over images in which only the planes of a table are connected: an input x[c, i, j] adds
    W[k, s, t] * x[c, i, j] to y[o_k, dH * i + s, dW * j + t] for every connection k of c; b[o] is added to all of y[o].

    `connTable` is a tensor (connections, 2) of input and output plane, from 1. Input (nInputPlane, H, W), output
    (nOutputPlane, H', W') with H' = (H - 1) dH + kH and W' alike; there are no batches, and further planes of the input
    are not used. weight (connections, kH, kW) and bias (nOutputPlane) are drawn as those of SpatialConvolutionMap.
    Raises ValueError for fewer planes and for other numbers of dimensions.

    >>> conv = SpatialFullConvolutionMap(np.array([[1.0, 1]]), 2, 1)
    >>> conv.weight[...], conv.bias[...] = [[[1, 10]]], 0
    >>> conv.forward(np.array([[[1.0, 2, 3]]]))
    array([[[ 1., 12., 23., 30.]]])
    """

    def _draw(self, target: np.ndarray, s: float) -> None:
        target[...] = torch7.uniform_(np.empty(target.shape), -s, s)  # number by number in Torch, so in double

    def _forms(self, input: Any) -> tuple[np.ndarray, Windows, Shape]:
        x = self.typed(input)
        if x.ndim != 3 or x.shape[0] < self.nInputPlane or x.size == 0:
            raise ValueError(f"{torch7.typename(self)}: expected {self.nInputPlane} planes (3D), got shape {x.shape}")
        windows = self._windows()
        return x[None, : self.nInputPlane], windows, (self.nOutputPlane, *windows.sizes(x.shape[1:]))

    def _convolve(self, x: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        spread(x, self._dense(*self._connections()), self.bias, windows, out)

    def _spread(self, g: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        out[:, self.nInputPlane :].fill(0)
        convolve(g, self._dense(*self._connections()), None, windows, out[:, : self.nInputPlane])

    def _accumulate(self, x: np.ndarray, g: np.ndarray, windows: Windows, scale: float) -> None:
        inputs, outputs = self._connections()
        full = np.zeros((self.nInputPlane, self.nOutputPlane, self.kH, self.kW), x.dtype)
        weight_gradient(g, x, windows, full)
        self.gradWeight += scale * full[inputs, outputs]
        bias_gradient(g, self.gradBias, scale)
