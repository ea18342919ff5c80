"""Convolutions whose input planes do not mix, over time and over images."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7

from ..kernels.depthwise import convolve_planes, planes_weight_gradient, spread_planes, spread_sums, window_sums
from ..kernels.windows import Shape, Windows, window_view
from .base import OptionalBias
from .convolution import ImageConvolution


class TemporalRowConvolution(OptionalBias):
    """A convolution over time, each number of frames alone: y[t, i] = b[i] + sum over k of W[i, k] x[dW t + k, i].

    Input (T, inputFrameSize) or (N, T, inputFrameSize), output (T', inputFrameSize) or (N, T', inputFrameSize) with
    T' = floor((T - kW) / dW) + 1; with `featFirst` time comes last: (N, inputFrameSize, T). weight
    (inputFrameSize, 1, kW) and bias (inputFrameSize), or none after `noBias()`, are drawn from uniform(-s, s) with
    s = 1 / sqrt(kW * inputFrameSize). Raises ValueError for frames of another size and for a sequence shorter than kW.

    >>> conv = TemporalRowConvolution(2, 2).noBias()
    >>> conv.weight[...] = [[[1, 10]], [[1, 0]]]
    >>> conv.forward(np.array([[1.0, 5], [2, 6], [3, 7]]))
    array([[21.,  5.],
           [32.,  6.]])
    """

    BUFFERS = ("finput", "fgradInput", "_input", "_gradOutput")  # Torch's work space, in its files
    AXES = "W"
    PLANES = ("inputFrameSize",)
    inputFrameSize: int
    finput: Any = None
    fgradInput: Any = None

    def __init__(self, inputFrameSize: int, kW: int, dW: int | None = 1, featFirst: bool | None = False):
        super().__init__()
        self._set(inputFrameSize=inputFrameSize, kW=kW)
        self._set(1, dW=dW)
        self.featFirst = bool(featFirst)
        self._make_parameters((self.inputFrameSize, 1, self.kW), (self.inputFrameSize,))

    def _batched(self, a: np.ndarray) -> np.ndarray:
        a = super()._batched(a)
        return a.swapaxes(1, 2) if self.featFirst else a

    def _forms(self, input: Any) -> tuple[np.ndarray, Windows, Shape]:
        x, windows = self.typed(input), self._windows()
        fits = x.ndim in (2, 3)
        frames = self._batched(x) if fits else x
        if not fits or frames.shape[2] != self.inputFrameSize or frames.shape[1] < self.kW:
            order = "numbers before time" if self.featFirst else "time before numbers"
            raise ValueError(
                f"{torch7.typename(self)}: expected a sequence (or a batch) of at least {self.kW} frames of "
                f"{self.inputFrameSize} numbers, {order}, got shape {x.shape}"
            )
        sizes = [*windows.positions(frames.shape[1:2]), self.inputFrameSize]
        return frames, windows, (*x.shape[:-2], *(reversed(sizes) if self.featFirst else sizes))

    def _weights(self, place: Shape) -> np.ndarray:
        return self.weight[:, 0, place[0]]

    def _convolve(self, x: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        window_sums(x, windows, out, self._weights)
        if self.bias is not None:
            out += self.bias

    def _spread(self, g: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        spread_sums(g, windows, out, self._weights)

    def _accumulate(self, x: np.ndarray, g: np.ndarray, windows: Windows, scale: float) -> None:
        view = window_view(x, windows, g.shape[1:2])
        for k in range(self.kW):
            self.gradWeight[:, 0, k] += scale * np.einsum("nti,nti->i", g, view[:, k])
        if self.gradBias is not None:
            self.gradBias += scale * g.sum((0, 1))

    def __str__(self) -> str:
        step = f", {self.dW}" if self.dW != 1 else ""
        text = f"{torch7.typename(self)}({self.inputFrameSize}, {self.kW}{step})"
        return text + ("" if self.bias is not None else " without bias")


class SpatialDepthWiseConvolution(ImageConvolution):
    """A convolution over images, every plane by itself, with M = nOutputPlane filters for each:
    y[c * M + m, i, j] = b[m, c] + sum over s, t of W[m, c, s, t] * x[c, dH * i + s - padH, dW * j + t - padW].

    Input (nInputPlane, H, W) or (N, nInputPlane, H, W), output with nInputPlane * nOutputPlane planes of sizes
    H' = floor((H + 2 padH - kH) / dH) + 1 and W' alike. weight (nOutputPlane, nInputPlane * kH * kW), which the first
    forward sees as (nOutputPlane, nInputPlane, kH, kW) as in Torch, and bias (nOutputPlane, nInputPlane), or none after
    `noBias()`, are drawn from uniform(-s, s), s = 1 / sqrt(nInputPlane * kH * kW). Torch mixes up the sizes of images
    that are not square and scrambles gradients that add up; here they are what they should be.
    Raises ValueError for another number of planes and for an image smaller than the kernel.

    >>> conv = SpatialDepthWiseConvolution(2, 1, 2, 1).noBias()
    >>> conv.weight[...] = [[1, 2, 10, 20]]
    >>> conv.forward(np.array([[[1.0, 0, 1]], [[1, 2, 0]]]))
    array([[[ 1.,  2.]],
    <BLANKLINE>
           [[50., 20.]]])
    """

    def _weight_shape(self) -> Shape:
        return (self.nOutputPlane, self.nInputPlane * self.kH * self.kW)

    def _bias_shape(self) -> Shape:
        return (self.nOutputPlane, self.nInputPlane)

    def _seen_as_planes(self, name: str) -> None:
        """Gives weight or gradWeight its four dimensions, as Torch does when it first uses it."""
        if getattr(self, name).ndim == 2:
            shape = (self.nOutputPlane, self.nInputPlane, self.kH, self.kW)
            setattr(self, name, getattr(self, name).reshape(shape))

    def _planes(self, x: np.ndarray) -> np.ndarray:
        """All planes of a batch, one after the other."""
        return x.reshape(-1, *x.shape[-2:])

    def _weights(self, samples: int) -> np.ndarray:
        """The weights (samples * nInputPlane, nOutputPlane, kernel) of all planes of a batch."""
        self._seen_as_planes("weight")
        per_plane = self.weight.reshape(self.nOutputPlane, self.nInputPlane, -1).swapaxes(0, 1)
        return np.tile(per_plane, (samples, 1, 1))

    def _output_planes(self) -> int:
        return self.nInputPlane * self.nOutputPlane

    def _filtered(self, out: np.ndarray) -> np.ndarray:
        """An array of the output's shape as (samples * nInputPlane, nOutputPlane, H', W')."""
        return out.reshape(-1, self.nOutputPlane, *out.shape[-2:])

    def _convolve(self, x: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        convolve_planes(self._planes(x), self._weights(len(x)), windows, self._filtered(out))
        if self.bias is not None:
            by_plane = out.reshape(len(x), self.nInputPlane, self.nOutputPlane, *out.shape[-2:])
            by_plane += self.bias.T[..., None, None]

    def _spread(self, g: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        spread_planes(self._filtered(g), self._weights(len(g)), windows, self._planes(out))

    def _accumulate(self, x: np.ndarray, g: np.ndarray, windows: Windows, scale: float) -> None:
        self._seen_as_planes("gradWeight")
        n, c, m = len(x), self.nInputPlane, self.nOutputPlane
        found = np.empty((n * c, m, self.kH * self.kW), g.dtype)
        planes_weight_gradient(self._planes(x), self._filtered(g), windows, found)
        total = found.reshape(n, c, m, self.kH, self.kW).sum(0).swapaxes(0, 1)
        self.gradWeight += total if scale == 1 else scale * total
        if self.gradBias is not None:
            self.gradBias += scale * g.reshape(n, c, m, -1).sum((0, 3)).T
