"""What all layers with windows have in common, and what all convolutions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from .. import utils
from ..checks import shaped, table, tensor, whole
from ..kernels.convolution import bias_gradient, convolve, spread, weight_gradient
from ..kernels.windows import Shape, Windows
from ..module import Module
from ..parameters import initial_bound


class Windowed(Module):
    """Layers whose windows move over the dimensions `AXES`.

    `AXES` names the dimensions in the order of a tensor's, `NAMED` in the order of Torch's arguments and texts: the
    fields are kW, dW, padW and so on.
    """

    AXES = ""
    NAMED = ""

    def _numbers(self, *fields: str) -> Shape:
        """What is in these fields, as whole numbers."""
        found = {field: getattr(self, field) for field in fields}
        try:
            return tuple(map(math.trunc, found.values()))
        except (TypeError, ValueError):
            raise TypeError(f"{torch7.typename(self)}: expected numbers, got {found}") from None

    def _along(self, name: str, axes: str = "") -> Shape:
        """The fields of a name for all dimensions: `_along("k")` is (kH, kW)."""
        return self._numbers(*(name + axis for axis in axes or self.AXES))


class Weighted(Windowed):
    """Layers with windows, weights and a bias, whose arguments are whole numbers.

    `PLANES` names the fields with the numbers of planes, inputs first. A layer writes `_forms`, which checks an input,
    and `_convolve`, `_spread` and `_accumulate`, which work on batches.
    """

    PLANES: tuple[str, ...] = ("nInputPlane", "nOutputPlane")
    nInputPlane: int
    nOutputPlane: int
    kT: int
    kW: int
    kH: int
    dT: int
    dW: int
    dH: int

    def _set(self, default: int | None = None, /, **values: Any) -> None:
        """Sets fields from arguments, which must be whole numbers; None is the default."""
        for name, value in values.items():
            setattr(self, name, whole(self, name, default if value is None else value))

    def _make_parameters(self, shape: Shape, bias_shape: Shape) -> None:
        # what cannot be is refused by forward, as in Torch
        shape, bias_shape = (tuple(max(n, 0) for n in sizes) for sizes in (shape, bias_shape))
        self.weight, self.gradWeight = memory.empty(shape), memory.zeros(shape)
        self.bias, self.gradBias = memory.empty(bias_shape), memory.zeros(bias_shape)
        self.reset()

    def _fan_in(self) -> int:
        """How many numbers an element of the output is made of."""
        return self._numbers(*self.PLANES)[0] * math.prod(self._along("k"))

    def reset(self, stdv: float | None = None) -> None:
        """Draws weight and bias from uniform(-s, s) with s = stdv * sqrt(3), or 1 / sqrt(n) for outputs of n inputs."""
        s = initial_bound(stdv, self._fan_in())
        torch7.uniform_(self.weight, -s, s)
        if self.bias is not None:
            torch7.uniform_(self.bias, -s, s)

    def _padding(self) -> Shape:
        return (0,) * len(self.AXES)

    def _dilation(self) -> Shape:
        return (1,) * len(self.AXES)

    def _windows(self) -> Windows:
        planes = self._numbers(*self.PLANES)
        windows = Windows(self._along("k"), self._along("d"), self._padding(), self._dilation())
        if min(*planes, *windows.kernel, *windows.stride, *windows.dilation) < 1:
            raise ValueError(
                f"{torch7.typename(self)}: expected a kernel, strides, dilations and planes of at least 1, got kernel "
                f"{windows.kernel}, strides {windows.stride}, dilations {windows.dilation}, planes {planes}"
            )
        return windows

    def _forms(self, input: Any) -> tuple[np.ndarray, Windows, Shape]:
        """The input as a batch, the windows, and the shape of the output; ValueError when it does not fit."""
        raise TypeError(f"{torch7.typename(self)}: the windows over an input have to be defined")

    def _convolve(self, x: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        """out = the output for x, both as batches."""

    def _spread(self, g: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        """out = the gradient of the input for the gradient g of the output, both as batches."""

    def _accumulate(self, x: np.ndarray, g: np.ndarray, windows: Windows, scale: float) -> None:
        """Adds scale times the gradients of weight and bias to theirs."""

    def _batched(self, a: np.ndarray) -> np.ndarray:
        """A sample as a batch of one, and a batch as it is."""
        return a if a.ndim == len(self.AXES) + 2 else a[None]

    def updateOutput(self, input: Any) -> np.ndarray:
        x, windows, shape = self._forms(input)
        self.output = memory.resized(self.output, shape, x.dtype)
        self._convolve(x, windows, self._batched(self.output))
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x, windows, shape = self._forms(input)
        g = shaped(self, gradOutput, shape)
        self.gradInput = memory.resized(self.gradInput, input.shape, x.dtype)
        self._spread(self._batched(g), windows, self._batched(self.gradInput))
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        x, windows, shape = self._forms(input)
        self._accumulate(x, self._batched(shaped(self, gradOutput, shape)), windows, scale)


class OptionalBias(Weighted):
    """Layers that can go without a bias."""

    def noBias(self) -> Any:
        """Drops the bias."""
        self.bias = self.gradBias = None
        return self


class Convolution(Weighted):
    """Planes to planes: the fields, checks and texts of convolutions."""

    BUFFERS = ("finput", "fgradInput", "_input", "_gradOutput")  # Torch's work space, empty or in its files
    ROWWISE = True

    finput: Any = None
    fgradInput: Any = None
    _input: Any = None
    _gradOutput: Any = None

    def _padding(self) -> Shape:
        return self._along("pad")

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            utils.clear(self, "finput", "fgradInput")
        return super().type(type, tensorCache)

    # -- shapes

    def _batch(self, x: Any, planes: int) -> np.ndarray:
        """x as a batch, of samples with this number of planes."""
        x = self.typed(x)
        n = len(self.AXES)
        if x.ndim not in (n + 1, n + 2) or x.shape[-n - 1] != planes or 0 in x.shape[-n:]:
            raise ValueError(
                f"{torch7.typename(self)}: expected {planes} planes of {n} dimensions (or a batch of such), "
                f"got shape {x.shape}"
            )
        return self._batched(x)

    def _output_shape(self, input: np.ndarray, planes: int, sizes: Shape) -> Shape:
        """The shape of an output of these sizes; ValueError when there is nothing in it."""
        n = len(self.AXES)
        if min(sizes) < 1:
            raise ValueError(
                f"{torch7.typename(self)}: an input of shape {input.shape} is too small, its output would have "
                f"sizes {sizes}"
            )
        return (*input.shape[: input.ndim - n - 1], planes, *sizes)

    # -- texts

    def _options(self) -> list[Shape]:
        """What comes after the kernel in the text."""
        stride, padding = self._along("d", self.NAMED), self._along("pad", self.NAMED)
        shown = [stride] if any(n != 1 for n in stride) or any(padding) else []
        return shown + ([padding] if any(padding) else [])

    def _sizes_text(self) -> str:
        return f"{self.nInputPlane} -> {self.nOutputPlane}"

    def _bias_text(self) -> str:
        return "" if self.bias is not None else " without bias"

    def __str__(self) -> str:
        kernel = "x".join(map(str, self._along("k", self.NAMED)))
        options = "".join(", " + ",".join(map(str, option)) for option in self._options())
        return f"{torch7.typename(self)}({self._sizes_text()}, {kernel}{options}){self._bias_text()}"


class Gathering(OptionalBias, Convolution):
    """Convolutions: every element of the output is a product of the weights with a window over the input."""

    def _forms(self, input: Any) -> tuple[np.ndarray, Windows, Shape]:
        windows = self._windows()
        planes = self.weight[0].size // math.prod(windows.kernel)  # scripts exchange weights for others
        x = self._batch(input, planes)
        return x, windows, self._output_shape(input, self._output_planes(), windows.positions(x.shape[2:]))

    def _output_planes(self) -> int:
        return len(self.weight)

    def _convolve(self, x: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        convolve(x, self.weight, self.bias, windows, out)

    def _spread(self, g: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        spread(g, self.weight, None, windows, out)

    def _accumulate(self, x: np.ndarray, g: np.ndarray, windows: Windows, scale: float) -> None:
        weight_gradient(x, g, windows, self.gradWeight, scale)
        if self.gradBias is not None:
            bias_gradient(g, self.gradBias, scale)


class Spreading(OptionalBias, Convolution):
    """Transposed convolutions: every element of the input adds the weights, times itself, to a window of the output.

    They are the gradients of convolutions with respect to their inputs, and the other way round.
    """

    ones: Any = None
    zeroScalar: Any = None

    def _tensor(self, input: Any) -> Any:
        return table(self, input, 2)[0] if torch7.is_table(input) else input

    def _adjustment(self, input: Any, windows: Windows) -> Shape:
        """What is added to the sizes of the output: so much that it has the sizes of the second tensor of a table."""
        if not torch7.is_table(input):
            return self._check_adjustment(self._along("adj"))
        n = len(self.AXES)
        like = tensor(self, input[1])
        if like.ndim < n:
            raise ValueError(
                f"{torch7.typename(self)}: expected a second tensor of at least {n} dimensions, got shape {like.shape}"
            )
        padded = windows.padded(like.shape[-n:])
        return tuple((m - k) % d for m, k, d in zip(padded, windows.kernel, windows.stride))

    def _check_adjustment(self, adjustment: Shape) -> Shape:
        if any(not 0 <= a < d for a, d in zip(adjustment, self._along("d"))):
            raise ValueError(
                f"{torch7.typename(self)}: expected adjustments from 0 and below the strides "
                f"{self._along('d')}, got {adjustment}"
            )
        return adjustment

    def _forms(self, input: Any) -> tuple[np.ndarray, Windows, Shape]:
        first = self._tensor(input)
        x, windows = self._batch(first, len(self.weight)), self._windows()
        adjustment = self._adjustment(input, windows)
        sizes = tuple(n + a for n, a in zip(windows.sizes(x.shape[2:]), adjustment))
        return x, windows, self._output_shape(first, self.weight.shape[1], sizes)

    def _convolve(self, x: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        spread(x, self.weight, self.bias, windows, out)

    def _spread(self, g: np.ndarray, windows: Windows, out: np.ndarray) -> None:
        convolve(g, self.weight, None, windows, out)

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        if self.gradInput is None:  # a script that needs no gradient sets it to None
            return None
        x, windows, shape = self._forms(input)
        g = shaped(self, gradOutput, shape)
        old = self.gradInput
        if torch7.is_table(old):
            old = old[0] if len(old) else None
        found = memory.resized(old, self._tensor(input).shape, x.dtype)
        self._spread(self._batched(g), windows, self._batched(found))
        if not torch7.is_table(input):
            self.gradInput = found
        elif torch7.is_table(self.gradInput) and len(self.gradInput) == 2:
            self.gradInput[0], self.gradInput[1] = found, self._nothing(input[1])
        else:
            self.gradInput = [found, self._nothing(input[1])]
        return self.gradInput

    def _nothing(self, like: np.ndarray) -> np.ndarray:
        """Zeros in the shape of `like`: one number that is seen everywhere, as in Torch."""
        self.zeroScalar = memory.resized(self.zeroScalar, (1,), like.dtype)
        self.zeroScalar.fill(0)
        return memory.view_of(self.zeroScalar, 0, like.shape, (0,) * like.ndim)

    def _accumulate(self, x: np.ndarray, g: np.ndarray, windows: Windows, scale: float) -> None:
        weight_gradient(g, x, windows, self.gradWeight, scale)
        if self.gradBias is not None:
            bias_gradient(g, self.gradBias, scale)

    def _options(self) -> list[Shape]:
        adjustment = self._along("adj", self.NAMED)
        return super()._options() + ([adjustment] if any(adjustment) else [])
