"""The opposite of a max pooling: elements go back to where the maxima were."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..kernels.pooling import put_at, take_at
from .pooling import SIZES, MaxPooling, Pooling, SpatialMaxPooling
from .volumetric_pooling import VolumetricMaxPooling


class MaxUnpooling(Pooling):
    """What the unpoolings of images and of volumes have in common."""

    POOLING: type[MaxPooling]
    ROWWISE = False  # it depends on the pooling too
    indices: Any = None

    def __init__(self, poolingModule: Any):
        super().__init__()
        wanted = torch7.typename(object.__new__(self.POOLING))
        if type(poolingModule) is not self.POOLING:
            raise TypeError(f"{torch7.typename(self)}: expected an {wanted}, got {poolingModule!r:.80}")
        if any(getattr(poolingModule, "k" + a) != getattr(poolingModule, "d" + a) for a in self.AXES):
            raise ValueError(f"{torch7.typename(self)}: expected a pooling in steps of its kernel, got {poolingModule}")
        self.pooling = poolingModule

    def setParams(self) -> None:
        """Takes over the indices of the pooling's last forward, and the sizes of its input."""
        self.indices = self.pooling.indices
        for axis in self.AXES:
            name = SIZES[axis]
            setattr(self, "o" + name[1:], getattr(self.pooling, name, None))

    def _forms(self, input: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
        """The input, the indices of its elements, and the shape of the output."""
        self.setParams()
        x, found = self._input(input), self.indices
        if found is None or found.shape != x.shape:
            had = None if found is None else found.shape
            raise ValueError(
                f"{torch7.typename(self)}: expected an input of the shape of the pooling's output, {had} in its last "
                f"forward, got shape {x.shape}"
            )
        sizes = (getattr(self, "o" + SIZES[axis][1:]) for axis in self.AXES)
        return x, found.astype(np.int64, copy=False), (*x.shape[: -len(self.AXES)], *sizes)

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x, indices, shape = self._forms(input)
        self.output = memory.resized(self.output, shape, x.dtype)
        put_at(self._flat(indices), self._flat(x), self._flat(self.output), torch7.typename(self) or "")
        return self.output

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray | None:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x, indices, shape = self._forms(input)
        g = self._gradient(gradOutput, shape)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        take_at(self._flat(indices), self._flat(g), self._flat(self.gradInput), torch7.typename(self) or "")
        return self.gradInput

    def __str__(self) -> str:
        return f"{torch7.typename(self)} associated to {self.pooling}"


class SpatialMaxUnpooling(MaxUnpooling):
    """Puts elements where an nn.SpatialMaxPooling found its maxima: y[indices[i]] = x[i], and y = 0 elsewhere.

    Input of the shape of the pooling's last output, output of that of its input. Raises TypeError unless
    `poolingModule` is an nn.SpatialMaxPooling, ValueError when its steps are not the size of its windows and when the
    input has another shape, and IndexError when a window had no maximum.

    >>> pool = SpatialMaxPooling(2, 1)
    >>> SpatialMaxUnpooling(pool).forward(pool.forward(np.array([[[1.0, 2, 4, 3]]])))
    array([[[0., 2., 4., 0.]]])
    """

    AXES = "HW"
    POOLING = SpatialMaxPooling


class VolumetricMaxUnpooling(MaxUnpooling):
    """Puts elements where an nn.VolumetricMaxPooling found its maxima: y[indices[i]] = x[i], and y = 0 elsewhere.

    Input of the shape of the pooling's last output, output of that of its input; errors as in SpatialMaxUnpooling.

    >>> pool = VolumetricMaxPooling(1, 2, 1)
    >>> VolumetricMaxUnpooling(pool).forward(pool.forward(np.array([[[[1.0, 2, 4, 3]]]])))
    array([[[[0., 2., 4., 0.]]]])
    """

    AXES = "THW"
    POOLING = VolumetricMaxPooling

    def setParams(self) -> None:
        super().setParams()
        for name in ("dT", "dH", "dW", "padT", "padH", "padW"):
            setattr(self, name, getattr(self.pooling, name))
