"""Modules that convert layouts and types."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import axis
from torch7.dtypes import DTYPES

from ..checks import mistyped, tensor
from ..container import Container
from ..containers.sequential import Sequential
from ..module import Module
from .dimensions import Transpose
from .select import Select
from .shape import Identity, Reshape, seen


class Convert(Container):
    """The input in another order or number of dimensions, and in the module's type: `Convert("bchw", "bf")`.

    A letter stands for a dimension: b for the batch (put first where it is left out), f for features, t for targets,
    c, h and w for channels, height and width, or any other. What can be converted:

    * letters in another order, such as "bchw" to "bhwc" or "chwb": a Transpose;
    * anything to "bf": the batch first, all else in one dimension; "b" to "bf" adds a dimension of 1;
    * "bt" to "b", the first target, and "bf" to "b" for a single feature;
    * "b" to "bt";
    * nothing: `Convert()`, the same as "b*" to "b*", converts the type alone.

    An input of fewer dimensions than letters is a sample, and the output is one as well. The modules that convert are
    made at the first forward, for samples of that size. A subclass may have methods with the name of other shapes,
    which give the module that converts to that shape. Raises ValueError for shapes that cannot be converted.

    >>> Convert("bchw", "bf").forward(np.zeros((5, 3, 2, 2))).shape
    (5, 12)
    >>> Convert("chw", "hwc").forward(np.zeros((3, 2, 4))).shape
    (2, 4, 3)
    """

    TRANSIENT = ("_converted",)
    SHAPES = ("b", "bf", "bt")
    converter: Any = None
    transposition: bool | None = None
    batchMode: bool | None = None
    _converted: Any = None

    def __init__(self, inputShape: str | None = None, outputShape: str | None = None):
        if outputShape is not None and inputShape is None:
            raise ValueError(f"nn.Convert: expected the shape of the input before that of the output, {outputShape!r}")
        inputShape = "b*" if inputShape is None else inputShape
        given = [inputShape, inputShape if outputShape is None else outputShape]
        self.inputShape, self.outputShape = (shape if "b" in shape else "b" + shape for shape in given)
        self.inputBatchDim = self.findAxis("b")
        self.outputBatchDim = self.findAxis("b", self.outputShape)
        self.nInputDim = self.nOutputDim = -1
        if "b*" not in (self.inputShape, self.outputShape):
            self.nInputDim, self.nOutputDim = len(self.inputShape), len(self.outputShape)
            if self.nInputDim == self.nOutputDim:
                self.transposition = set(self.inputShape) <= set(self.outputShape)
        elif self.inputShape == self.outputShape:
            self.transposition = True
        else:
            raise ValueError(f"nn.Convert: expected b* twice or not at all, got {inputShape!r} and {outputShape!r}")
        super().__init__()

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Row-wise when the rows are the batch before and after."""
        return self.inputBatchDim == self.outputBatchDim == 1

    def buildConverter(self, input: np.ndarray) -> None:
        """Makes the module that converts, for inputs such as this one."""
        if self.transposition:
            self.converter = self.transpose(self.outputShape)
        else:
            known = self.outputShape in self.SHAPES or not hasattr(Convert, self.outputShape)
            make = getattr(self, self.outputShape, None) if known else None
            if not callable(make):
                raise ValueError(f"nn.Convert: no conversion of shape {self.inputShape!r} to {self.outputShape!r}")
            self.converter = make(input)
        self.converter.type(self._type)
        self.modules[:1] = [self.converter]

    def _prepared(self, input: Any) -> np.ndarray:
        """The input in the module's type, and as a batch."""
        x = tensor(self, input)
        dtype = DTYPES[self._type]
        if x.dtype != dtype:
            self._converted = memory.resized(self._converted, x.shape, dtype)
            np.copyto(self._converted, x, casting="unsafe")
            x = self._converted
        self.batchMode = x.ndim >= self.nInputDim
        if self.batchMode:
            return x
        return np.expand_dims(x, axis(self.inputBatchDim, x.ndim + 1, who="nn.Convert"))

    def updateOutput(self, input: Any) -> np.ndarray:
        x = self._prepared(input)
        if self.converter is None:
            self.buildConverter(x)
        try:
            out = self.converter.updateOutput(x)
        except Exception as error:
            self.within(error, 0)
            raise
        if not self.batchMode and out.ndim > 1:
            out = out.squeeze(axis(self.outputBatchDim, out.ndim, who="nn.Convert"))
        self.output = out
        return out

    def _both(self, input: Any, gradOutput: Any) -> tuple[np.ndarray, np.ndarray]:
        """The input and the gradient as the module that converts knows them."""
        if self.converter is None:
            raise ValueError("nn.Convert: backward needs a forward first")
        x, wanted = self._prepared(input), self.converter.output
        g = self.typed(gradOutput)
        if g.size != wanted.size:
            raise ValueError(f"nn.Convert: expected a gradient of shape {self.output.shape}, got shape {g.shape}")
        return x, g.reshape(wanted.shape)

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray:
        """The gradient with respect to `input`, in the module's type."""
        x, g = self._both(input, gradOutput)
        self.gradInput = out = seen(self, self.converter.updateGradInput(x, g), input.shape)
        return out

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        x, g = self._both(input, gradOutput)
        self.converter.accGradParameters(x, g, scale)

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        x, g = self._both(input, gradOutput)
        self.converter.accUpdateGradParameters(x, g, lr)

    # -- the modules that convert

    def bf(self, input: np.ndarray) -> Module:
        """A module that puts the batch first and all else in one dimension."""
        if self.inputShape == "bt":
            raise ValueError("nn.Convert: no conversion of shape 'bt' to 'bf'")
        if len(self.inputShape) == 1:
            return Reshape(1)
        turn = None if self.findAxis("b") == 1 else Transpose([1, self.findAxis("b")])
        if len(self.inputShape) == 2:
            return turn or Identity()
        batch = input.shape[axis(self.findAxis("b"), input.ndim, who="nn.Convert")]
        flat = Reshape(input.size // batch)
        return flat if turn is None else Sequential().add(turn).add(flat)

    def b(self, input: np.ndarray) -> Module:
        """A module that leaves a number for every sample of the batch."""
        if self.inputShape in ("bt", "tb"):
            return Select(self.findAxis("t"), 1)
        if self.inputShape not in ("bf", "fb"):
            raise ValueError(f"nn.Convert: no conversion of shape {self.inputShape!r} to 'b'")
        features = self.findAxis("f")
        if input.shape[axis(features, input.ndim, who="nn.Convert")] > 1:
            raise ValueError(f"nn.Convert: expected one feature to convert to 'b', got shape {input.shape}")
        return Select(features, 1)

    def bt(self, input: np.ndarray | None = None) -> Module:
        """A module that makes one target of a number for every sample."""
        if self.inputShape != "b":
            raise ValueError(f"nn.Convert: no conversion of shape {self.inputShape!r} to 'bt'")
        return Reshape(1)

    def default(self, input: np.ndarray | None = None) -> Module:
        """A module that changes nothing."""
        return Identity()

    def transpose(self, newShape: str) -> Module:
        """A module that brings the dimensions into the order of `newShape`."""
        if newShape == self.inputShape:
            return Identity()
        if sorted(newShape) != sorted(self.inputShape):
            raise ValueError(f"nn.Convert: no transposition of shape {self.inputShape!r} to {newShape!r}")
        letters, pairs = list(self.inputShape), []
        for i, letter in enumerate(newShape):
            j = letters.index(letter)
            if i != j:
                letters[i], letters[j] = letters[j], letters[i]
                pairs.append([j + 1, i + 1])
        return Transpose(*pairs)

    def findAxis(self, axis_char: str, shape: str | None = None, silent: bool = False) -> Any:
        """The dimension, counted from 1, of a letter in a shape (the input's); without it ValueError, or None."""
        shape = self.inputShape if shape is None else shape
        if axis_char in shape:
            return shape.index(axis_char) + 1
        if silent:
            return None
        raise ValueError(f"nn.Convert: shape {shape!r} has no axis {axis_char!r}")

    def clearState(self) -> Any:
        super().clearState()
        self._forget()
        return self

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None:
            self._forget()
        return super().type(type, tensorCache)

    def _forget(self) -> None:
        """Drops the work space, also that of Torch, which takes an input that is there for the last one."""
        for name in ("_converted", "_input", "_gradInput", "__input", "__output", "__gradInput", "__gradOutput"):
            vars(self).pop(name, None)


class Copy(Module):
    """The input in another type: y = x in `outtype`, and the gradient in `intype`.

    Without types, both are the default type. When they are the same, the input itself is handed on, unless `forceCopy`
    asks for a copy. type() converts the module to one type as it does all others, unless `dontCast` is set.
    Raises ValueError for a type that there is not; TypeError for an input to hand on that has another type.

    >>> Copy("torch.DoubleTensor", "torch.FloatTensor").forward(np.array([0.5])).dtype
    dtype('float32')
    """

    ROWWISE = True
    TRANSIENT = ("_alias", "_functions")
    dontCast: bool | None = None
    _alias = False
    _functions: dict[str, Any] = {}

    def __init__(
        self,
        intype: str | None = None,
        outtype: str | None = None,
        forceCopy: bool = False,
        dontCast: bool | None = None,
    ):
        super().__init__()
        default = torch7.getdefaulttensortype()
        intype, outtype = (default if name is None else name for name in (intype, outtype))
        self.dontCast = dontCast
        self.gradInput = memory.empty((0,), torch7.dtype_of(intype))
        self.output = memory.empty((0,), torch7.dtype_of(outtype))
        self._alias = not forceCopy and self.gradInput.dtype == self.output.dtype

    def torch_loaded(self, version: int) -> None:
        super().torch_loaded(version)
        methods = ("updateOutput", "updateGradInput")  # of a module that hands on, Torch saves its own of these
        self._functions = {name: vars(self).pop(name) for name in methods if name in vars(self)}
        self._alias = bool(self._functions)

    def torch_fields(self) -> dict[str, Any]:
        """The fields that a file holds: with them Torch's own functions, if they were in the file that was read."""
        return {name: x for name, x in vars(self).items() if name not in Copy.TRANSIENT} | self._functions

    def _copied(self, x: Any, old: np.ndarray) -> np.ndarray:
        """x in the type of `old`, in its memory where that fits."""
        if self._alias:
            if tensor(self, x).dtype != old.dtype:
                raise mistyped(self, torch7.tensor_type(old.dtype), x)
            return x
        out = memory.resized(old, tensor(self, x).shape, old.dtype)
        with np.errstate(invalid="ignore"):  # what has no place in an integer type
            np.copyto(out, x, casting="unsafe")
        return out

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        self.output = out = self._copied(input, self.output)
        return out

    def updateGradInput(self, input: np.ndarray, gradOutput: np.ndarray) -> np.ndarray:
        self.gradInput = out = self._copied(gradOutput, self.gradInput)
        return out

    def type(self, type: str | None = None, tensorCache: dict[Any, Any] | None = None) -> Any:
        if type is not None and self.dontCast:
            return self
        return super().type(type, tensorCache)
