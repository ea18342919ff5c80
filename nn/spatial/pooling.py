"""Poolings of images: the largest element of every window, or the average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..checks import shaped
from ..kernels.averaging import averages, spread
from ..kernels.pooling import Places, add_at, largest
from ..kernels.sweeps import Shape, Sweep, counts, numbers, sweep
from .base import Windowed

SIZES = {"T": "itime", "H": "iheight", "W": "iwidth"}  # Torch's names for the sizes of the last input


class Pooling(Windowed):
    """What all poolings of planes have in common."""

    ROWWISE = True

    def _input(self, input: Any) -> np.ndarray:
        """The input, if it is a sample or a batch of planes, in one piece of memory."""
        n = len(self.AXES)
        return self._of_dimensions(input, n + 1, f"planes of {n} dimensions")

    def _of_dimensions(self, input: Any, ndim: int, what: str) -> np.ndarray:
        x = self.typed(input)
        if x.ndim not in (ndim, ndim + 1) or x.size == 0:
            raise ValueError(f"{torch7.typename(self)}: expected {what} (or a batch of such), got shape {x.shape}")
        return np.ascontiguousarray(x)

    def _gradient(self, gradOutput: Any, shape: Shape) -> np.ndarray:
        """The gradient, if it is a tensor of the output's shape, in one piece of memory."""
        return np.ascontiguousarray(shaped(self, gradOutput, shape))

    def _flat(self, a: np.ndarray) -> np.ndarray:
        """An array with one dimension for its planes, and one for the elements of a plane."""
        n = len(self.AXES)
        return a.reshape(-1, math.prod(a.shape[a.ndim - n :]))

    def _planes(self, a: np.ndarray) -> np.ndarray:
        """An array with one dimension for its planes."""
        return a.reshape(-1, *a.shape[a.ndim - len(self.AXES) :])

    def empty(self) -> None:
        """clearState()."""
        self.clearState()


class IndexedPooling(Pooling):
    """Poolings that keep where their maxima are in the field `indices`."""

    BUFFERS = ("indices",)
    indices: Any = None

    def _indices(self, shape: Shape) -> np.ndarray:
        """The indices of the last forward, which has to have had an output of this shape."""
        found = self.indices
        if found is None or found.shape != shape:
            had = "none" if found is None else f"indices of shape {found.shape}"
            raise ValueError(
                f"{torch7.typename(self)}: expected a forward before, with indices of shape {shape}, got {had}"
            )
        return found.astype(np.int64, copy=False)  # type() converts them too

    def _send_back(self, input: np.ndarray, gradOutput: Any, shape: Shape, positions: Any) -> np.ndarray:
        """gradInput, in which the gradient is added at positions(indices) of the planes, counted from 1."""
        g = self._gradient(gradOutput, shape)
        x = self._input(input)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        add_at(self._flat(positions), self._flat(g), self._flat(self.gradInput), torch7.typename(self) or "")
        return self.gradInput


class WindowPooling(Pooling):
    """Poolings over windows of one size in equal steps."""

    ceil_mode: Any = False
    padT: Any = 0
    padW: Any = 0
    padH: Any = 0

    def ceil(self) -> Any:
        """From now on, a last window may go beyond the input, so that no element is left over."""
        self.ceil_mode = True
        return self

    def floor(self) -> Any:
        """From now on, all windows lie within the input and its padding (as at first)."""
        self.ceil_mode = False
        return self

    def _dilation(self) -> Shape:
        return (1,) * len(self.AXES)

    def _sweeps(self, x: np.ndarray) -> list[Sweep]:
        """The windows along the dimensions of a plane."""
        who, sizes = torch7.typename(self), x.shape[-len(self.AXES) :]
        kernel, stride, pad, dilation = self._along("k"), self._along("d"), self._along("pad"), self._dilation()
        if min(*kernel, *stride, *dilation) < 1:
            raise ValueError(
                f"{who}: expected a kernel, strides and dilations of at least 1, got kernel {kernel}, strides "
                f"{stride}, dilations {dilation}"
            )
        if not all(0 <= p <= k // 2 for p, k in zip(pad, kernel)):
            raise ValueError(f"{who}: expected a padding of at most half the kernel {kernel}, got {pad}")
        found = [
            sweep(*along, ceil=bool(self.ceil_mode), padded=any(pad))
            for along in zip(sizes, kernel, stride, pad, dilation)
        ]
        if min(s.count for s in found) < 1:
            got = tuple(s.count for s in found)
            raise ValueError(f"{who}: an input of shape {x.shape} is too small, its output would have sizes {got}")
        return found

    def _shape(self, x: np.ndarray, sweeps: Sequence[Sweep]) -> Shape:
        return (*x.shape[: -len(sweeps)], *(s.count for s in sweeps))

    def _options(self) -> list[Shape]:
        """What the text says after the kernel."""
        padding = self._along("pad", self.NAMED)
        return [self._along("d", self.NAMED)] + ([padding] if any(padding) else [])

    def __str__(self) -> str:
        kernel = "x".join(map(str, self._along("k", self.NAMED)))
        options = "".join(", " + ",".join(map(str, option)) for option in self._options())
        return f"{torch7.typename(self)}({kernel}{options})"


class MaxPooling(WindowPooling, IndexedPooling):
    """The largest element of every window."""

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self._input(input)
        sweeps = self._sweeps(x)
        shape = self._shape(x, sweeps)
        for axis, s in zip(self.AXES, sweeps):
            setattr(self, SIZES[axis], s.size)
        self.output = memory.resized(self.output, shape, x.dtype)
        self.indices = memory.resized(self.indices, shape, np.dtype(np.int64))
        places = Places(self._planes(self.indices), *numbers(tuple(sweeps)))
        largest(self._planes(x), sweeps, self._planes(self.output), places)
        return self.output

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x = self._input(input)
        shape = self._shape(x, self._sweeps(x))
        return self._send_back(x, gradOutput, shape, self._indices(shape))


class AveragePooling(WindowPooling):
    """The average of every window."""

    count_include_pad: Any = True

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self._input(input)
        sweeps = self._sweeps(x)
        self.output = memory.resized(self.output, self._shape(x, sweeps), x.dtype)
        divisor = counts(sweeps, x.dtype, bool(self.count_include_pad))
        averages(self._planes(x), sweeps, divisor, self._planes(self.output))
        return self.output

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x = self._input(input)
        sweeps = self._sweeps(x)
        g = self._gradient(gradOutput, self._shape(x, sweeps))
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        divisor = counts(sweeps, x.dtype, bool(self.count_include_pad))
        spread(self._planes(g), sweeps, divisor, self._planes(self.gradInput))
        return self.gradInput


class SpatialMaxPooling(MaxPooling):
    """The largest element of every window: y[i, j] = max x[i dH - padH + k, j dW - padW + l], k < kH, l < kW.

    Input (C, H, W) or (N, C, H, W), windows of kH x kW elements in steps of dH and dW (the size of a window, where
    None) over images with padH and padW more rows and columns on every side, which count for nothing. The output has
    floor((H + 2 padH - kH) / dH) + 1 rows, and columns accordingly; after `ceil()` the fractions are rounded up,
    but with padding a last window that would start behind the image is left out.

    `indices` has the positions of the maxima in their plane, counted from 1 row by row: the first one of equal
    elements. They also get the gradient, all of it. nan is no maximum: a window of nan and -inf only gives -inf, and
    the index 0. Raises ValueError for a padding of more than half the kernel and for an input that is too small.

    >>> m = SpatialMaxPooling(2, 2)
    >>> m.forward(np.array([[[1.0, 2, 3, 4], [8, 7, 6, 5]]]))
    array([[[8., 6.]]])
    >>> m.indices
    array([[[5, 7]]])
    """

    AXES, NAMED = "HW", "WH"

    def __init__(
        self, kW: int, kH: int, dW: int | None = None, dH: int | None = None, padW: int | None = 0, padH: int | None = 0
    ):
        super().__init__()
        self.kW, self.kH = kW, kH
        self.dW, self.dH = kW if dW is None else dW, kH if dH is None else dH
        self.padW, self.padH = 0 if padW is None else padW, 0 if padH is None else padH
        self.ceil_mode = False
        self.indices = memory.empty((0,), np.dtype(np.int64))


class SpatialDilatedMaxPooling(SpatialMaxPooling):
    """SpatialMaxPooling of elements that are dilationH rows and dilationW columns apart.

    A window of kH rows reaches over (kH - 1) dilationH + 1 rows; everything else is as in SpatialMaxPooling.

    >>> SpatialDilatedMaxPooling(2, 1, 1, 1, 0, 0, 2, 1).forward(np.array([[[1.0, 9, 3, 4]]]))
    array([[[3., 9.]]])
    """

    dilationW: Any = 1
    dilationH: Any = 1

    def __init__(
        self,
        kW: int,
        kH: int,
        dW: int | None = None,
        dH: int | None = None,
        padW: int | None = 0,
        padH: int | None = 0,
        dilationW: int | None = 1,
        dilationH: int | None = 1,
    ):
        super().__init__(kW, kH, dW, dH, padW, padH)
        self.dilationW = 1 if dilationW is None else dilationW
        self.dilationH = 1 if dilationH is None else dilationH

    def _dilation(self) -> Shape:
        return self._along("dilation")

    def _options(self) -> list[Shape]:
        return [*super()._options(), self._along("dilation", self.NAMED)]


class SpatialAveragePooling(AveragePooling):
    """The average of every window of an image: y[i, j] = 1/n sum x[i dH - padH + k, j dW - padW + l], k < kH, l < kW.

    Input (C, H, W) or (N, C, H, W), windows of kH x kW elements in steps of dH and dW over the image with padH and padW
    rows and columns of zeros on every side; sizes of the output, `ceil()` and `floor()` as in SpatialMaxPooling.
    n is the number of elements of the window, with those in the padding after `setCountIncludePad()` (as at first),
    without them after `setCountExcludePad()`. When the field `divide` is False or, as in old files, missing, the
    average is multiplied by kW kH. Raises ValueError for a padding of more than half the kernel and for an input that
    is too small.

    >>> SpatialAveragePooling(2, 1).forward(np.array([[[1.0, 3, 5]]]))
    array([[[2., 4.]]])
    """

    AXES, NAMED = "HW", "WH"
    divide: Any = None

    def __init__(
        self, kW: int, kH: int, dW: int | None = 1, dH: int | None = 1, padW: int | None = 0, padH: int | None = 0
    ):
        super().__init__()
        self.kW, self.kH = kW, kH
        self.dW, self.dH = 1 if dW is None else dW, 1 if dH is None else dH
        self.padW, self.padH = 0 if padW is None else padW, 0 if padH is None else padH
        self.ceil_mode = False
        self.count_include_pad = True
        self.divide = True

    def setCountIncludePad(self) -> SpatialAveragePooling:
        """From now on, elements of the padding count in the averages."""
        self.count_include_pad = True
        return self

    def setCountExcludePad(self) -> SpatialAveragePooling:
        """From now on, elements of the padding do not count in the averages."""
        self.count_include_pad = False
        return self

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        super().updateOutput(input)
        if not self.divide:
            self.output *= math.prod(self._along("k"))
        return self.output

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        super().updateGradInput(input, gradOutput)
        if self.gradInput is not None and not self.divide:
            self.gradInput *= math.prod(self._along("k"))
        return self.gradInput
