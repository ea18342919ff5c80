"""Images and volumes made larger."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..checks import numbers, shaped, whole
from ..kernels import resampling as kernels
from ..module import Module


class _UpSampling(Module):
    """What the upsamplings share: the sizes of the output and the two ways to fill it.

    The sizes are `scale_factor` times those of the input, or `odepth`, `oheight` and `owidth`.
    """

    ROWWISE = True
    DIMENSIONS: tuple[int, ...] = (3, 4)  # how many an input may have
    scale_factor: Any = None
    odepth: Any = None
    oheight: Any = None
    owidth: Any = None

    def _set_scale(self, scale: Any) -> None:
        who = torch7.typename(self)
        numbers(self, scale=scale)
        if scale < 1 or scale % 1 != 0:
            raise ValueError(f"{who}: expected a whole number of 1 or more as scale factor, got {scale}")
        self.scale_factor = int(scale)

    def _set_sizes(self, sizes: Any, *names: str) -> None:
        """Sets those of the fields that the table `sizes` names."""
        for name in names:
            size = sizes.get(name) if isinstance(sizes, Mapping) else None
            if size is not None:
                size = whole(self, name, size)
                if size < 1:
                    raise ValueError(f"{torch7.typename(self)}: expected an {name} of 1 or more, got {size}")
                setattr(self, name, size)

    def _storages(self, n: int) -> None:
        self.inputSize, self.outputSize = torch7.LongStorage([0] * n), torch7.LongStorage([0] * n)

    def _linear(self) -> bool:
        return True

    def _dims(self, x: np.ndarray) -> int:
        """How many of the last dimensions are resampled."""
        if x.ndim not in self.DIMENSIONS:
            wanted = "D or ".join(map(str, self.DIMENSIONS))
            raise ValueError(f"{torch7.typename(self)}: expected a {wanted}D tensor, got shape {x.shape}")
        return 3 if x.ndim == 5 else 2

    def _shape(self, x: np.ndarray) -> tuple[int, ...]:
        """The shape of the output for x."""
        dims = self._dims(x)
        if min(x.shape) < 1:
            raise ValueError(f"{torch7.typename(self)}: expected a tensor with elements, got shape {x.shape}")
        scale = self.scale_factor
        if scale is not None:
            if scale == 1 and not self._linear():  # Torch's kernel for repeated elements does not take it
                raise ValueError(f"{torch7.typename(self)}: expected a scale factor of 2 or more, got 1")
            return (*x.shape[:-dims], *(int(n * scale) for n in x.shape[-dims:]))
        sizes = {"odepth": self.odepth, "oheight": self.oheight, "owidth": self.owidth}
        wanted = list(sizes.items())[-dims:]
        missing = [name for name, size in wanted if size is None]
        if missing:
            raise ValueError(f"{torch7.typename(self)}: no {' and '.join(missing)} given for shape {x.shape}")
        return (*x.shape[:-dims], *(int(size) for _, size in wanted))

    def setSize(self, input: np.ndarray) -> None:
        """Sets `inputSize` and `outputSize` to the sizes for this input."""
        self.inputSize[: input.ndim] = input.shape
        self.outputSize[: input.ndim] = self._shape(input)

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self.typed(input)
        dims, shape = self._dims(x), self._shape(x)
        self.setSize(x)
        self.output = out = memory.resized(self.output, shape, x.dtype)
        if self._linear():
            return kernels.interpolated(x, dims, out)
        return kernels.repeated(x, self.scale_factor, dims, out)

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:
            return None
        x = self.typed(input)
        dims, g = self._dims(x), shaped(self, gradOutput, self._shape(x))
        self.gradInput = out = memory.resized(self.gradInput, x.shape, x.dtype)
        if self._linear():
            return kernels.interpolated_gradient(g, dims, out)
        return kernels.repeated_gradient(g, self.scale_factor, dims, out)


class SpatialUpSamplingNearest(_UpSampling):
    """Every pixel `scale` times in both directions: y[i, j] = x[i // scale, j // scale].

    Input (C, H, W) or (N, C, H, W), output with scale * H rows of scale * W. Raises ValueError for a scale that is
    no whole number of 2 or more (for 1, like Torch, only when it gets an input), and for other numbers of dimensions.

    >>> SpatialUpSamplingNearest(2).forward(np.array([[[1.0, 2.0]]]))
    array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.]]])
    """

    def __init__(self, scale: int):
        super().__init__()
        self._set_scale(scale)
        self._storages(4)

    def _linear(self) -> bool:
        return False


class SpatialUpSamplingBilinear(_UpSampling):
    """Images interpolated linearly in both directions; the corners of the output are those of the input.

    Input (C, H, W) or (N, C, H, W). The argument is a scale, for output of scale * H rows of scale * W, or a table of
    sizes: {"oheight": rows, "owidth": columns}. Output row i is at the place i (H - 1) / (oheight - 1) of the input,
    computed in single precision as in Torch; columns likewise. A nan or an infinity in an image spreads over all of it.
    Raises ValueError for a scale that is no whole number, for missing sizes, and for other numbers of dimensions.

    >>> SpatialUpSamplingBilinear({"oheight": 1, "owidth": 3}).forward(np.array([[[1.0, 2.0]]]))
    array([[[1. , 1.5, 2. ]]])
    """

    def __init__(self, params: int | Mapping[str, int]):
        super().__init__()
        if torch7.type(params) == "table":
            self._set_sizes(params, "owidth", "oheight")
        else:
            self._set_scale(params)
        self._storages(4)

    def setSize(self, input: np.ndarray) -> None:
        # in Torch, an image becomes a batch of one first
        super().setSize(input[None] if input.ndim == 3 else input)

    def __str__(self) -> str:
        sizes = f"{self.oheight}, {self.owidth}" if self.scale_factor is None else f"{self.scale_factor:g}"
        return f"{torch7.typename(self)}({sizes})"


class UpSampling(_UpSampling):
    """Batches of images or volumes made larger, by repeated elements or by linear interpolation.

    Input (N, C, H, W) or (N, C, T, H, W). With mode "nearest", and anything unknown, every element is there `scale`
    times in all directions. With mode "linear" ("bilinear" and "trilinear" are the same) the output is interpolated
    between the corners of the input, as in SpatialUpSamplingBilinear, and instead of a scale there may be a table of
    sizes: {"oheight": rows, "owidth": columns}, for volumes "odepth" too. Raises ValueError for a scale that is no
    whole number, for missing sizes, for sizes with "nearest" and for other numbers of dimensions.

    >>> UpSampling(2).forward(np.array([[[[1.0, 2.0]]]]))
    array([[[[1., 1., 2., 2.],
             [1., 1., 2., 2.]]]])
    >>> UpSampling({"oheight": 1, "owidth": 3}, "linear").forward(np.array([[[[1.0, 2.0]]]]))
    array([[[[1. , 1.5, 2. ]]]])
    """

    DIMENSIONS = (4, 5)

    def __init__(self, params: int | Mapping[str, int], mode: str | None = None):
        super().__init__()
        self.mode = "linear" if mode in ("linear", "bilinear", "trilinear") else "nearest"
        if torch7.type(params) == "table":
            if not self._linear():
                raise ValueError("nn.UpSampling: mode nearest needs a scale factor, not sizes")
            self._set_sizes(params, "odepth", "owidth", "oheight")
            if self.owidth is None or self.oheight is None:
                raise ValueError(f"nn.UpSampling: expected sizes oheight and owidth, got {params!r:.80}")
        else:
            self._set_scale(params)
        self._storages(5)

    def _linear(self) -> bool:
        return self.mode == "linear"

    def __str__(self) -> str:
        if self.scale_factor is not None:
            sizes = f"{self.scale_factor:g}x"
        else:
            sizes = "x".join(str(n) for n in (self.odepth, self.oheight, self.owidth) if n is not None)
        return f"{torch7.typename(self)}({sizes}, {self.mode})"


class PixelShuffle(Module):
    """Channels into pixels: y[c, r h + i, r w + j] = x[c r^2 + r i + j, h, w], for an upscaling factor r.

    Input (C r^2, H, W) or (N, C r^2, H, W), output (C, r H, r W) or (N, C, r H, r W). Raises ValueError when the
    channels cannot be divided by r^2, and for other numbers of dimensions.

    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
    network", CVPR 2016.

    >>> PixelShuffle(2).forward(np.array([1.0, 2.0, 3.0, 4.0]).reshape(4, 1, 1))
    array([[[1., 2.],
            [3., 4.]]])
    """

    BUFFERS = ("_intermediateShape", "_outShape", "_shuffleIn", "_shuffleOut")
    ROWWISE = True

    def __init__(self, upscaleFactor: int):
        super().__init__()
        r = whole(self, "upscaleFactor", upscaleFactor)
        if r < 1:
            raise ValueError(f"nn.PixelShuffle: expected an upscaling factor of 1 or more, got {r}")
        self.upscaleFactor = r
        self.upscaleFactorSquared = r * r

    def _shapes(self, x: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shape of the output for x, and (N, C, r, r, H, W) for x itself."""
        r, square = int(self.upscaleFactor), int(self.upscaleFactorSquared)
        if x.ndim not in (3, 4) or x.shape[-3] % square or x.size == 0:
            raise ValueError(
                f"{torch7.typename(self)}: expected a 3D or 4D tensor with a multiple of {square} channels, "
                f"got shape {x.shape}"
            )
        *batch, channels, height, width = x.shape
        c = channels // square
        return (*batch, c, r * height, r * width), (*(batch or [1]), c, r, r, height, width)

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self.typed(input)
        shape, split = self._shapes(x)
        self.output = out = memory.resized(self.output, shape, x.dtype)
        n, c, r, _, height, width = split
        planes, pixels = x.reshape(split), out.reshape(n, c, height, r, width, r)
        for i, j in itertools.product(range(r), repeat=2):  # one transposed copy would go pixel by pixel
            pixels[:, :, :, i, :, j] = planes[:, :, i, j]
        return out

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray | None:
        if self.gradInput is None:
            return None
        x = self.typed(input)
        shape, split = self._shapes(x)
        g = shaped(self, gradOutput, shape)
        self.gradInput = out = memory.resized(self.gradInput, x.shape, x.dtype)
        n, c, r, _, height, width = split
        out.reshape(split)[...] = g.reshape(n, c, height, r, width, r).transpose(0, 1, 3, 5, 2, 4)
        return out
