"""Max poolings over windows at random places."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..checks import numbers
from ..kernels import sweeps
from ..kernels.pooling import largest_from
from ..kernels.sweeps import Shape, Sweep
from .pooling import IndexedPooling


class FractionalMaxPooling(IndexedPooling):
    """What the fractional poolings of images and of volumes have in common. Arguments and samples go by `NAMED`, from
    the last dimension of a tensor to the first."""

    ROWWISE = False  # every sample draws numbers of its own
    randomSamples: Any = None
    outT: Any = None
    outW: Any = None
    outH: Any = None
    ratioT: Any = None
    ratioW: Any = None
    ratioH: Any = None
    newRandomPool: Any = False

    def _construct(self, poolSizes: Shape, args: tuple[float, ...]) -> None:
        """Sets the fields from the constructor's arguments, in the order of NAMED."""
        who = torch7.typename(self)
        numbers(self, **{f"poolSize{axis}": size for axis, size in zip(self.NAMED, poolSizes)})
        numbers(self, **{f"arg{i}": arg for i, arg in enumerate(args, 1)})
        if min(poolSizes) < 2:
            raise ValueError(f"{who}: expected windows of at least 2 elements on every side, got {poolSizes}")
        given = "out" if min(args) >= 1 else "ratio"
        if given == "ratio" and not all(0 < arg < 1 for arg in args):
            raise ValueError(f"{who}: expected sizes of at least 1 or ratios between 0 and 1, got {args}")
        self.newRandomPool = False
        for axis, size, arg in zip(self.NAMED, poolSizes, args):
            setattr(self, "poolSize" + axis, size)
            setattr(self, given + axis, arg)

    def getBufferSize_(self, input: np.ndarray) -> list[int]:
        """The sizes of `randomSamples`: samples of the batch, planes, dimensions."""
        x, n = self._input(input), len(self.AXES)
        return [x.shape[0] if x.ndim == n + 2 else 1, x.shape[-n - 1], n]

    def initSampleBuffer_(self, input: np.ndarray) -> None:
        """Draws new random samples, unless there are some of the right sizes that shall stay."""
        shape, old = tuple(self.getBufferSize_(input)), self.randomSamples
        if old is None or old.shape[:2] != shape[:2] or not self.newRandomPool:
            self.randomSamples = memory.resized(old, shape, input.dtype if old is None else old.dtype)
            torch7.uniform_(self.randomSamples)

    def getOutputSizes_(self, input: np.ndarray) -> Shape:
        """The sizes of the output for an input, in the order of the arguments."""
        sizes = self._input(input).shape[: -len(self.AXES) - 1 : -1]
        if self.ratioW is None or self.ratioH is None:
            return self._along("out", self.NAMED)
        found = tuple(math.floor(n * getattr(self, "ratio" + axis)) for n, axis in zip(sizes, self.NAMED))
        if min(found) < 1:
            raise ValueError(f"{torch7.typename(self)}: an input of shape {input.shape} is too small for its ratios")
        return found

    def fixPoolingRegions(self, val: bool | None = True) -> Any:
        """From now on, forward takes the same windows again (with False: new ones every time, as at first)."""
        self.newRandomPool = True if val is None else val
        return self

    def _starts(self, samples: np.ndarray, sizes: Shape, counts: Shape) -> list[np.ndarray]:
        """The first positions of the windows of every plane, along each dimension."""
        found = []
        kernel = self._along("poolSize")
        for sample, size, count, k in zip(samples.reshape(-1, len(sizes)).T[::-1], sizes, counts, kernel):
            if count < 1 or count + k - 1 >= size:
                raise ValueError(
                    f"{torch7.typename(self)}: expected more than {count} + {k} - 1 elements along every dimension for "
                    f"{count} windows of {k}, got {size}"
                )
            starts = np.full((len(sample), count), size - k)
            if count > 1:  # in the precision of the samples
                alpha = sample.dtype.type(size - k) / sample.dtype.type(count - 1)
                steps = (np.arange(count - 1, dtype=sample.dtype) + sample[:, None]) * alpha
                starts[:, :-1] = steps.astype(int) - (sample * alpha).astype(int)[:, None]
            found.append(starts)
        return found

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        self.initSampleBuffer_(input)
        x, n = self._input(input), len(self.AXES)
        counts, sizes = self.getOutputSizes_(input)[::-1], x.shape[-n:]
        starts, step = np.zeros((), int), 1
        for axis, first in reversed([*enumerate(self._starts(self.randomSamples, sizes, counts))]):
            shape = (-1, *(1,) * axis, counts[axis], *(1,) * (n - axis - 1))
            starts = starts + first.reshape(shape) * step
            step *= sizes[axis]
        shape = (*x.shape[:-n], *counts)
        self.output = memory.resized(self.output, shape, x.dtype)
        self.indices = memory.resized(self.indices, shape, np.dtype(np.int64))
        offsets = sweeps.numbers(tuple(Sweep(size, k) for size, k in zip(sizes, self._along("poolSize"))))[0]
        out, indices = self._flat(self.output), self._flat(self.indices)
        if not largest_from(self._flat(x), starts.reshape(out.shape), offsets, out, indices):
            raise ValueError(f"{torch7.typename(self)}: a window of nan and -inf only has no maximum")
        return self.output

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        if self.randomSamples is None:
            raise ValueError(f"{torch7.typename(self)}: expected a forward before the backward")
        x = self._input(input)
        shape = (*x.shape[: -len(self.AXES)], *self.getOutputSizes_(input)[::-1])
        return self._send_back(x, gradOutput, shape, self._indices(shape))

    def clearState(self) -> Any:
        for name in ("indices", "randomSamples"):  # Torch does not take empty ones
            vars(self).pop(name, None)
        return super().clearState()

    def __str__(self) -> str:
        given = "out" if self.outW is not None else "ratio"  # Torch quirk: ratios are printed as whole numbers
        sizes = "x".join(map(str, self._along(given, self.NAMED)))
        return f"{torch7.typename(self)}({sizes}, {','.join(map(str, self._along('poolSize', self.NAMED)))})"


class SpatialFractionalMaxPooling(FractionalMaxPooling):
    """The largest elements of windows at random places that make an image smaller by any factor.

    Input (C, H, W) or (N, C, H, W), windows of poolSizeH x poolSizeW elements, outW and outH windows side by side, or
    floor(ratioW W) and floor(ratioH H) when both last arguments are below 1. In a plane with the random numbers u for
    columns and v for rows (`randomSamples`, (N, C, 2)) window i begins at column floor((i + u) a) - floor(u a), with
    a = (W - poolSizeW) / (outW - 1), the last one at W - poolSizeW. Forward draws new numbers every time, unless
    after `fixPoolingRegions()`. `indices` as in SpatialMaxPooling. Raises ValueError for windows below 2, ratios not
    between 0 and 1, an input of fewer than out + poolSize elements along a dimension, and a window without a maximum.

    Graham, "Fractional max-pooling", arXiv 1412.6071 (2014).

    >>> torch7.manualSeed(1)
    >>> m = SpatialFractionalMaxPooling(2, 2, 3, 1)
    >>> m.forward(np.array([[[1.0, 2, 9, 4, 8, 6], [7, 2, 3, 4, 5, 1], [3, 4, 1, 2, 2, 1]]]))
    array([[[7., 4., 5.]]])
    """

    AXES, NAMED = "HW", "WH"

    def __init__(self, poolSizeW: int, poolSizeH: int, arg1: float, arg2: float):
        super().__init__()
        self._construct((poolSizeW, poolSizeH), (arg1, arg2))


class VolumetricFractionalMaxPooling(FractionalMaxPooling):
    """SpatialFractionalMaxPooling of volumes.

    Input (C, H, W, T) or (N, C, H, W, T): unlike in other volumetric modules time is the last dimension, but the first
    one among the arguments. `randomSamples` (N, C, 3) has the numbers for time, columns and rows.

    >>> torch7.manualSeed(1)
    >>> m = VolumetricFractionalMaxPooling(2, 2, 2, 1, 1, 1)
    >>> m.forward(np.arange(27.0).reshape(1, 3, 3, 3))
    array([[[[26.]]]])
    """

    AXES, NAMED = "HWT", "TWH"

    def __init__(self, poolSizeT: int, poolSizeW: int, poolSizeH: int, arg1: float, arg2: float, arg3: float):
        super().__init__()
        self._construct((poolSizeT, poolSizeW, poolSizeH), (arg1, arg2, arg3))
