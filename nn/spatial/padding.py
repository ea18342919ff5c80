"""Padding of images and volumes: with zeros, with their mirror image, with their border."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..checks import shaped, whole
from ..kernels import padding as kernels
from ..module import Module


class _Padding(Module):
    """What all paddings share: the last dimensions grow by the sizes in the fields FIELDS, one pair per dimension.

    A negative size cuts elements off instead.
    """

    ROWWISE = True
    MODE = "zero"
    FIELDS: tuple[tuple[str, str], ...] = (("pad_t", "pad_b"), ("pad_l", "pad_r"))

    def _set(self, *pads: int | None) -> None:
        """Sets the fields, the last pair first; what is not given is the first of all."""
        names = [name for pair in reversed(self.FIELDS) for name in pair]
        for name, pad in zip(names, pads):
            value = pads[0] if pad is None else pad
            setattr(self, name, whole(self, name, value))

    def _pads(self) -> list[tuple[int, int]]:
        return [(int(getattr(self, before)), int(getattr(self, after))) for before, after in self.FIELDS]

    def _axes(self, x: np.ndarray) -> tuple[tuple[int, ...], list[list[kernels.Part]]]:
        """The shape of the output for x, and what its last axes consist of."""
        pads = self._pads()
        k = len(pads)
        if x.ndim not in (k + 1, k + 2):
            raise ValueError(f"{torch7.typename(self)}: expected a {k + 1}D or {k + 2}D tensor, got shape {x.shape}")
        sizes = x.shape[-k:]
        shape = tuple(n + before + after for n, (before, after) in zip(sizes, pads))
        left = [n + min(before, 0) + min(after, 0) for n, (before, after) in zip(sizes, pads)]
        if min(shape) < 1 or x.size == 0 or (self.MODE == "zero" and min(left) < 1):
            raise ValueError(
                f"{torch7.typename(self)}: a tensor of shape {x.shape} is too small for the padding {pads}"
            )
        if self.MODE == "reflect" and any(max(pair) >= n for n, pair in zip(sizes, pads)):
            raise ValueError(
                f"{torch7.typename(self)}: a reflection needs a padding smaller than the image, "
                f"got {pads} for shape {x.shape}"
            )
        parts = [kernels.parts(n, before, after, self.MODE) for n, (before, after) in zip(sizes, pads)]
        return (*x.shape[:-k], *shape), parts

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self.typed(input)
        shape, axes = self._axes(x)
        self.output = memory.resized(self.output, shape, x.dtype)
        return kernels.padded(x, axes, self.output)

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:
            return None
        x = self.typed(input)
        shape, axes = self._axes(x)
        g = shaped(self, gradOutput, shape)
        self.gradInput = memory.resized(self.gradInput, x.shape, x.dtype)
        return kernels.padded_gradient(g, axes, self.gradInput)


class _SpatialPadding(_Padding):
    def __init__(self, pad_l: int, pad_r: int | None = None, pad_t: int | None = None, pad_b: int | None = None):
        super().__init__()
        self._set(pad_l, pad_r, pad_t, pad_b)

    def __str__(self) -> str:
        (top, bottom), (left, right) = self._pads()
        return f"{torch7.typename(self)}(l={left}, r={right}, t={top}, b={bottom})"


class SpatialZeroPadding(_SpatialPadding):
    """Zeros around images: pad_l columns at the left, pad_r at the right, pad_t rows at the top, pad_b at the bottom.

    Input (C, H, W) or (N, C, H, W), output with pad_t + H + pad_b rows of pad_l + W + pad_r. Sizes that are not
    given are pad_l; negative ones cut rows or columns off. Raises ValueError when nothing would be left, and for
    other numbers of dimensions.

    >>> SpatialZeroPadding(1, 0, 0, -1).forward(np.array([[[1.0, 2.0], [3.0, 4.0]]]))
    array([[[0., 1., 2.]]])
    """


class SpatialReflectionPadding(_SpatialPadding):
    """Images continued by their mirror image; the outermost rows and columns, where the mirrors are, stay single.

    Input (C, H, W) or (N, C, H, W), output with pad_t + H + pad_b rows of pad_l + W + pad_r. Sizes that are not
    given are pad_l; negative ones cut rows or columns off. The gradient adds up what an element and its images get.
    Raises ValueError for a padding of the image's size or more, for which Torch reads foreign memory, when nothing
    would be left, and for other numbers of dimensions.

    >>> SpatialReflectionPadding(1, 2, 0, 0).forward(np.array([[[1.0, 2.0, 3.0]]]))
    array([[[2., 1., 2., 3., 2., 1.]]])
    """

    MODE = "reflect"


class SpatialReplicationPadding(_SpatialPadding):
    """Images continued by their outermost rows and columns.

    Input (C, H, W) or (N, C, H, W), output with pad_t + H + pad_b rows of pad_l + W + pad_r. Sizes that are not
    given are pad_l; negative ones cut rows or columns off. The gradient adds up what an element and its copies get.
    Raises ValueError when nothing would be left, and for other numbers of dimensions.

    >>> SpatialReplicationPadding(1, 2, 0, 0).forward(np.array([[[1.0, 2.0, 3.0]]]))
    array([[[1., 1., 2., 3., 3., 3.]]])
    """

    MODE = "replicate"


class VolumetricReplicationPadding(_Padding):
    """Volumes continued by their outermost slices: pleft and pright columns, ptop and pbottom rows, pfront and pback
    frames.

    Input (C, T, H, W) or (N, C, T, H, W), output with pfront + T + pback frames of ptop + H + pbottom rows of
    pleft + W + pright. Sizes that are not given are pleft; negative ones cut off. The gradient adds up what an
    element and its copies get. Raises ValueError when nothing would be left, and for other numbers of dimensions.

    >>> VolumetricReplicationPadding(1, 0, 0, 0, 1, 0).forward(np.array([[[[1.0, 2.0]]]]))
    array([[[[1., 1., 2.]],
            [[1., 1., 2.]]]])
    """

    MODE = "replicate"
    FIELDS = (("pfront", "pback"), ("ptop", "pbottom"), ("pleft", "pright"))

    def __init__(
        self,
        pleft: int,
        pright: int | None = None,
        ptop: int | None = None,
        pbottom: int | None = None,
        pfront: int | None = None,
        pback: int | None = None,
    ):
        super().__init__()
        self._set(pleft, pright, ptop, pbottom, pfront, pback)

    def __str__(self) -> str:
        (front, back), (top, bottom), (left, right) = self._pads()
        return (
            f"{torch7.typename(self)}(left={left}, right={right}, top={top}, bottom={bottom}, "
            f"front={front}, back={back})"
        )
