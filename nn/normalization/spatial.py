"""Normalizations of images by the neighbourhood of every pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..activations.pointwise import Sqrt, Square
from ..activations.rectifier import Threshold
from ..checks import fitted, numbers, whole
from ..containers.sequential import Sequential
from ..kernels import neighbours as kernels
from ..module import Module
from ..spatial.convolution import SpatialConvolution
from ..spatial.mapped import SpatialConvolutionMap
from ..spatial.padding import SpatialZeroPadding
from ..tables.connections import oneToOne
from ..tables.dimensions import Replicate
from ..tables.table_math import CDivTable, CSubTable


class SpatialCrossMapLRN(Module):
    """Local response normalization over neighbouring channels: y[c] = x[c] / scale[c]^beta.

    scale[c] = k + alpha / size * (sum of x[d]^2 over the `size` channels d around c that exist). Input and output
    (C, H, W) or (N, C, H, W). `scale` is kept for backward. Raises ValueError for an even size, for other numbers of
    dimensions and for a backward without a forward.

    Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NIPS 2012.

    >>> SpatialCrossMapLRN(3, 3, 1, 0).forward(np.array([1.0, 2.0, 2.0]).reshape(3, 1, 1)).ravel()
    array([0.2       , 0.22222222, 0.25      ])
    """

    BUFFERS = ("scale", "paddedRatio", "accumRatio")
    ROWWISE = True
    scale: Any = None

    def __init__(self, size: int, alpha: float | None = 0.0001, beta: float | None = 0.75, k: float | None = 1):
        super().__init__()
        numbers(self, size=size)
        self.size = size
        self.alpha = 0.0001 if alpha is None else alpha
        self.beta = 0.75 if beta is None else beta
        self.k = 1 if k is None else k

    def _batch(self, x: Any) -> np.ndarray:
        x = self.typed(x)
        if x.ndim not in (3, 4) or x.size == 0:
            raise ValueError(f"{torch7.typename(self)}: expected a 3D or 4D tensor, got shape {x.shape}")
        return x if x.ndim == 4 else x[None]

    def _reach(self) -> int:
        """How far the neighbours of a channel are away."""
        if self.size < 1 or self.size % 2 != 1:
            raise ValueError(f"{torch7.typename(self)}: expected an odd number of channels, got {self.size}")
        return (int(self.size) - 1) // 2

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self._batch(input)
        numbers(self, alpha=self.alpha, beta=self.beta, k=self.k)
        self.output = out = memory.resized(self.output, input.shape, x.dtype)
        self.scale = memory.resized(self.scale, x.shape, x.dtype)
        reach, alpha = self._reach(), self.alpha / self.size
        kernels.normalized(x, reach, alpha, self.beta, self.k, self.scale, out.reshape(x.shape))
        return out

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:
            return None
        x = self._batch(input)
        g = self._batch(fitted(self, gradOutput, input))
        if self.scale is None or self.scale.shape != x.shape:
            raise ValueError(f"{torch7.typename(self)}: backward needs a forward of shape {input.shape} first")
        self.gradInput = out = memory.resized(self.gradInput, input.shape, x.dtype)
        reach, alpha = self._reach(), self.alpha / self.size
        kernels.gradient(x, g, reach, alpha, self.beta, self.scale, out.reshape(x.shape))
        return out


class _Averaging(Module):
    """What the normalizations by a neighbourhood share: a weighted average of it over all planes.

    The average is made by a chain of modules: zero padding, a convolution with the kernel (of one dimension: two
    convolutions, along rows and columns), and copies for all planes. At the borders a part of the kernel meets
    padding: `coef` is what the chain makes of ones, by which the averages are divided.
    """

    nInputPlane: int
    kernel: np.ndarray
    meanestimator: Sequential
    coef: Any = None
    localsums: Any = None
    localstds: Any = None

    def _set_kernel(self, nInputPlane: int | None, kernel: np.ndarray | None) -> None:
        self.nInputPlane = 1 if nInputPlane is None else whole(self, "nInputPlane", nInputPlane)
        self.kernel = torch7.ones(9, 9) if kernel is None else kernel
        who = torch7.typename(self)
        if self.nInputPlane < 1:
            raise ValueError(f"{who}: expected one plane or more, got {nInputPlane}")
        if not torch7.isTensor(self.kernel) or self.kernel.dtype.kind != "f":
            raise TypeError(f"{who}: expected a kernel of floating numbers, got a {torch7.type(self.kernel)}")
        if self.kernel.ndim not in (1, 2):
            raise ValueError(f"{who}: expected a kernel of one or two dimensions, got shape {self.kernel.shape}")
        if any(n % 2 == 0 for n in self.kernel.shape):
            raise ValueError(f"{who}: expected a kernel of odd sizes, got shape {self.kernel.shape}")

    def _averager(self, *first: Module) -> Sequential:
        """The chain that averages what the modules `first` give, with the initial weights of its convolutions."""
        height, width = self.kernel.shape[0], self.kernel.shape[-1]
        chain = Sequential()
        for module in first:
            chain.add(module)
        chain.add(SpatialZeroPadding(width // 2, width // 2, height // 2, height // 2))
        if self.kernel.ndim == 2:
            chain.add(SpatialConvolution(self.nInputPlane, 1, width, height))
        else:
            chain.add(SpatialConvolutionMap(oneToOne(self.nInputPlane), width, 1))
            chain.add(SpatialConvolution(self.nInputPlane, 1, 1, height))
        return chain.add(Replicate(self.nInputPlane, 1, 3))

    def _set_weights(self, chain: Sequential) -> None:
        """The kernel as weights of all convolutions of the chain."""
        for module in chain.modules:
            if isinstance(module, SpatialConvolutionMap):
                module.weight[...] = self.kernel
            elif isinstance(module, SpatialConvolution):
                module.weight[...] = self.kernel if self.kernel.ndim == 2 else self.kernel[:, None]
            if module.bias is not None:
                module.bias.fill(0)

    def _checked(self, x: Any) -> np.ndarray:
        x = self.typed(x)
        if x.ndim not in (3, 4) or x.shape[-3] != self.nInputPlane or x.size == 0:
            raise ValueError(
                f"{torch7.typename(self)}: expected a 3D or 4D tensor with {self.nInputPlane} planes, "
                f"got shape {x.shape}"
            )
        return x

    def _after_forward(self, local: Any) -> np.ndarray:
        """What the chain gave in the last forward."""
        if local is None:
            raise ValueError(f"{torch7.typename(self)}: backward needs a forward first")
        found: np.ndarray = local
        return found

    def _set_coef(self, x: np.ndarray) -> None:
        """Sets `coef` for inputs like x."""
        if self.coef is not None and self.coef.shape == x.shape and x.size > 1:  # of size 1 it may be the initial one
            return
        ones = memory.empty(x.shape[-3:], x.dtype)
        ones.fill(1)
        single = self.meanestimator.updateOutput(ones).reshape(ones.shape).copy()
        steps = memory.strides(single)
        self.coef = memory.view_of(single.reshape(-1), 0, x.shape, steps if x.ndim == 3 else (0, *steps))

    def clearState(self) -> Any:
        if self.coef is not None:
            self.coef = memory.zeros((1, 1, 1), self.coef.dtype)
        for module in vars(self).values():
            if isinstance(module, Module):
                module.clearState()
        return super().clearState()


class SpatialSubtractiveNormalization(_Averaging):
    """Subtracts the weighted average of the neighbourhood over all planes: y = x - (k * x) / (k * 1).

    Input and output (nInputPlane, H, W) or (N, nInputPlane, H, W). The kernel k, of one or two dimensions and odd
    sizes, is a tensor (9 x 9 ones without one); as in Torch, the given tensor itself is divided by its sum and by
    nInputPlane. One dimension stands for the product of the kernel with itself. `*` is a convolution with zeros
    around the image, and the division makes up for what they miss. Raises TypeError or ValueError for other
    kernels, and ValueError for other numbers of planes or dimensions.

    Jarrett et al., "What is the best multi-stage architecture for object recognition?", ICCV 2009.

    >>> SpatialSubtractiveNormalization(1, np.ones(3)).forward(np.array([[[1.0, 2.0, 6.0, 1.0]]])).round(9)
    array([[[-0.5, -1. ,  3. , -2.5]]])
    """

    BUFFERS = ("_inpsz", "ones", "_coef", "localsums", "adjustedsums")

    def __init__(self, nInputPlane: int | None = 1, kernel: np.ndarray | None = None):
        super().__init__()
        self._set_kernel(nInputPlane, kernel)
        self.kernel /= self.kernel.sum() * self.nInputPlane
        self.meanestimator = self._averager()
        self._set_weights(self.meanestimator)
        self.subtractor, self.divider = CSubTable(), CDivTable()
        self.coef = memory.zeros((1, 1, 1))

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self._checked(input)
        self._set_coef(x)
        self.localsums = self.meanestimator.updateOutput(x)
        self.adjustedsums = self.divider.updateOutput([self.localsums.reshape(x.shape), self.coef])
        self.output = self.subtractor.updateOutput([x, self.adjustedsums])
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray:
        x, local = self._checked(input), self._after_forward(self.localsums)
        own, averages = self.subtractor.updateGradInput([x, self.adjustedsums], fitted(self, gradOutput, x))
        sums, _ = self.divider.updateGradInput([local.reshape(x.shape), self.coef], averages)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        np.add(self.meanestimator.updateGradInput(x, sums.reshape(local.shape)), own, out=self.gradInput)
        return self.gradInput


class SpatialDivisiveNormalization(_Averaging):
    """Divides by the standard deviation of the neighbourhood over all planes: y = x / max(s, threshold).

    s = sqrt(k * x^2) / (k * 1), which takes x for centred: SpatialSubtractiveNormalization does that. Where s is not
    above `threshold`, x is divided by `thresval` instead. Input and output (nInputPlane, H, W) or
    (N, nInputPlane, H, W). The kernel k is as in SpatialSubtractiveNormalization; one of one dimension is divided
    by its sum and by sqrt(nInputPlane). Raises TypeError or ValueError for other kernels, and ValueError for other
    numbers of planes or dimensions.

    Jarrett et al., "What is the best multi-stage architecture for object recognition?", ICCV 2009.

    >>> SpatialDivisiveNormalization(1, np.ones(3)).forward(np.array([[[3.0, -3.0, 3.0]]])).round(4)
    array([[[ 0.4714, -0.5774,  0.4714]]])
    """

    BUFFERS = ("ones", "_coef", "localstds", "adjustedstds", "thresholdedstds")

    def __init__(
        self,
        nInputPlane: int | None = 1,
        kernel: np.ndarray | None = None,
        threshold: float | None = 1e-4,
        thresval: float | None = None,
    ):
        super().__init__()
        self._set_kernel(nInputPlane, kernel)
        self.threshold = 1e-4 if threshold is None else threshold
        self.thresval = self.threshold if thresval is None else thresval
        self.meanestimator = self._averager()
        self.stdestimator = self._averager(Square()).add(Sqrt())
        planes = self.nInputPlane if self.kernel.ndim == 2 else math.sqrt(self.nInputPlane)
        self.kernel /= self.kernel.sum() * planes
        self._set_weights(self.meanestimator)
        self._set_weights(self.stdestimator)
        self.normalizer, self.divider = CDivTable(), CDivTable()
        self.thresholder = Threshold(self.threshold, self.thresval)
        self.coef = memory.zeros((1, 1, 1))

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self._checked(input)
        self._set_coef(x)
        self.localstds = self.stdestimator.updateOutput(x)
        self.adjustedstds = self.divider.updateOutput([self.localstds.reshape(x.shape), self.coef])
        self.thresholdedstds = self.thresholder.updateOutput(self.adjustedstds)
        self.output = self.normalizer.updateOutput([x, self.thresholdedstds])
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray:
        x, local = self._checked(input), self._after_forward(self.localstds)
        own, stds = self.normalizer.updateGradInput([x, self.thresholdedstds], fitted(self, gradOutput, x))
        adjusted: Any = self.thresholder.updateGradInput(self.adjustedstds, stds)
        stds, _ = self.divider.updateGradInput([local.reshape(x.shape), self.coef], adjusted)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        np.add(self.stdestimator.updateGradInput(x, stds.reshape(local.shape)), own, out=self.gradInput)
        return self.gradInput


class SpatialContrastiveNormalization(_Averaging):
    """SpatialSubtractiveNormalization followed by SpatialDivisiveNormalization, with one kernel.

    Input and output (nInputPlane, H, W) or (N, nInputPlane, H, W); the arguments and errors are those of the two.

    >>> SpatialContrastiveNormalization(1, np.ones(3)).forward(np.array([[[1.0, 2.0, 6.0, 1.0]]])).round(4)
    array([[[-0.2981, -0.3123,  0.7442, -0.4268]]])
    """

    def __init__(
        self,
        nInputPlane: int | None = 1,
        kernel: np.ndarray | None = None,
        threshold: float | None = 1e-4,
        thresval: float | None = None,
    ):
        super().__init__()
        self._set_kernel(nInputPlane, kernel)
        self.threshold = 1e-4 if threshold is None else threshold
        self.thresval = self.threshold if thresval is None else thresval
        self.normalizer = Sequential()
        self.normalizer.add(SpatialSubtractiveNormalization(self.nInputPlane, self.kernel))
        self.normalizer.add(SpatialDivisiveNormalization(self.nInputPlane, self.kernel, self.threshold, self.thresval))

    def updateOutput(self, input: Any) -> np.ndarray:
        self.output = self.normalizer.forward(self._checked(input))
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray:
        self.gradInput = self.normalizer.backward(input, gradOutput)
        return self.gradInput
