"""Poolings of volumes: the largest element of every window, or the average."""

from __future__ import annotations

from typing import Any

import numpy as np

from torch7 import memory

from ..kernels.sweeps import Shape
from .pooling import AveragePooling, MaxPooling


class VolumetricMaxPooling(MaxPooling):
    """The largest element of every window of a volume: SpatialMaxPooling with a third dimension, time.

    Input (C, T, H, W) or (N, C, T, H, W), windows of kT x kH x kW elements in steps of dT, dH and dW (the size of a
    window, where None), with padding; note the order of the arguments. Sizes of the output, `ceil()` and `floor()`,
    `indices` and errors are those of SpatialMaxPooling, with indices counted over the volume. Torch packs the place
    in the window into three bytes instead, and with a dilation and a padding of 2 or more looks at fewer elements and
    sends gradients to others, or outside the volume.

    >>> m = VolumetricMaxPooling(2, 1, 1)
    >>> m.forward(np.array([[[[1.0, 8]], [[2, 3]]]]))
    array([[[[2., 8.]]]])
    >>> m.indices
    array([[[[3, 2]]]])
    """

    AXES, NAMED = "THW", "TWH"
    torch_version = 2

    def __init__(
        self,
        kT: int,
        kW: int,
        kH: int,
        dT: int | None = None,
        dW: int | None = None,
        dH: int | None = None,
        padT: int | None = 0,
        padW: int | None = 0,
        padH: int | None = 0,
    ):
        super().__init__()
        self.kT, self.kW, self.kH = kT, kW, kH
        self.dT, self.dW, self.dH = kT if dT is None else dT, kW if dW is None else dW, kH if dH is None else dH
        self.padT, self.padW, self.padH = (0 if pad is None else pad for pad in (padT, padW, padH))
        self.ceil_mode = False
        self.indices = memory.empty((0,), np.dtype(np.int64))

    def torch_loaded(self, version: int) -> None:
        """Completes a module of a file of version 1, which had no choice of sizes: Torch asks version 2 to have it."""
        super().torch_loaded(version)
        vars(self).setdefault("ceil_mode", False)


class VolumetricDilatedMaxPooling(VolumetricMaxPooling):
    """VolumetricMaxPooling of elements that are dilationT frames, dilationH rows and dilationW columns apart.

    >>> VolumetricDilatedMaxPooling(1, 2, 1, 1, 1, 1, 0, 0, 0, 1, 2, 1).forward(np.array([[[[1.0, 9, 3, 4]]]]))
    array([[[[3., 9.]]]])
    """

    dilationT: Any = 1
    dilationW: Any = 1
    dilationH: Any = 1

    def __init__(
        self,
        kT: int,
        kW: int,
        kH: int,
        dT: int | None = None,
        dW: int | None = None,
        dH: int | None = None,
        padT: int | None = 0,
        padW: int | None = 0,
        padH: int | None = 0,
        dilationT: int | None = 1,
        dilationW: int | None = 1,
        dilationH: int | None = 1,
    ):
        super().__init__(kT, kW, kH, dT, dW, dH, padT, padW, padH)
        self.dilationT = 1 if dilationT is None else dilationT
        self.dilationW = 1 if dilationW is None else dilationW
        self.dilationH = 1 if dilationH is None else dilationH

    def _dilation(self) -> Shape:
        return self._along("dilation")

    def _options(self) -> list[Shape]:
        return [*super()._options(), self._along("dilation", self.NAMED)]


class VolumetricAveragePooling(AveragePooling):
    """The average of every window of a volume.

    Input (C, T, H, W) or (N, C, T, H, W), windows of kT x kH x kW elements in steps of dT, dH and dW (the size of a
    window, where None); note the order of the arguments. Windows lie within the volume. Raises ValueError for an input
    smaller than the kernel.

    >>> VolumetricAveragePooling(2, 1, 1).forward(np.array([[[[1.0, 8]], [[2, 3]]]]))
    array([[[[1.5, 5.5]]]])
    """

    AXES, NAMED = "THW", "TWH"

    def __init__(self, kT: int, kW: int, kH: int, dT: int | None = None, dW: int | None = None, dH: int | None = None):
        super().__init__()
        self.kT, self.kW, self.kH = kT, kW, kH
        self.dT, self.dW, self.dH = kT if dT is None else dT, kW if dW is None else dW, kH if dH is None else dH
