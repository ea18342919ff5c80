"""Modules side by side, and their outputs in one tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.dims import axis
from torch7.dtypes import DTYPES

from .. import utils
from ..checks import described, tensor
from ..container import Container
from ..kernels.joining import joined, parted


class Branches(Container):
    """Base class of containers whose modules stand side by side."""

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Row-wise when all its modules are."""
        return all(m.ROWWISE for m in self.modules)

    def _each(self, method: str, arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """What `method` of every module gives for its arguments, one at a time."""
        for i, (module, args) in enumerate(zip(self.modules, arguments), 1):
            yield self.rethrowErrors(module, i, method, *args)

    def _parted(self, gradOutput: Any, dimension: int, count: int) -> list[np.ndarray]:
        """The gradients of the outputs of the first modules, which are one after the other in that of the whole."""
        who = torch7.typename(self)
        along = axis(dimension, tensor(self, gradOutput).ndim, who=str(who))
        outputs = [tensor(self, module.output) for module in self.modules[:count]]
        if any(output.ndim != gradOutput.ndim for output in outputs):
            shapes = [output.shape for output in outputs]
            raise ValueError(f"{who}: expected a gradient for outputs {shapes}, got shape {gradOutput.shape}")
        return parted(gradOutput, [output.shape[along] for output in outputs], along, str(who))

    def _summed(self, gradients: Iterator[Any], input: Any) -> Any:
        """The sum, in gradInput, of the modules' gradients with respect to their common input.

        Each is added before the next is made: a module that is there twice has one buffer.
        """
        add = self._add_tables if torch7.is_table(input) else self._add_tensors
        first = True
        for gradient in gradients:
            if gradient is not None:  # a first layer may make none
                add(gradient, input, first)
                first = False
        return self.gradInput

    def _add_tensors(self, gradient: Any, input: Any, first: bool) -> None:
        if first:
            old = self.gradInput if isinstance(self.gradInput, np.ndarray) else None
            self.gradInput = memory.resized(old, tensor(self, gradient).shape, DTYPES[self._type])
            np.copyto(self.gradInput, gradient)
        else:
            np.add(self.gradInput, gradient, out=self.gradInput)

    def _add_tables(self, gradient: Any, input: Any, first: bool) -> None:
        if not torch7.is_table(gradient) or len(gradient) != len(input):
            who = torch7.typename(self)
            raise ValueError(f"{who}: expected a table of {len(input)} as a gradient, got {described(gradient)}")
        if first:
            self.gradInput = utils.recursiveResizeAs(self.gradInput, gradient)[0]  # as many entries as the input has
            utils.recursiveCopy(self.gradInput, gradient)
        else:
            utils.recursiveAdd(self.gradInput, gradient)

    def __str__(self) -> str:
        last = len(self.modules)
        text = f"{torch7.typename(self)} {{\n  input"
        for i, module in enumerate(self.modules, 1):
            branch, stem = ("   `-> ", "       ") if i == last else ("  |`-> ", "  |    ")
            text += f"\n  {branch}({i}): " + str(module).replace("\n", f"\n  {stem}")
        return f"{text}\n     ... -> output\n}}"


class Parallel(Branches):
    """Each module on its own slice of a tensor; their outputs one after the other along `outputDimension`.

    Module i gets slice i of `inputDimension`, which has one dimension less than the input: of an input (a, 2, n) with
    inputDimension 2, each of two modules gets (a, n). Modules beyond the last slice are not used.
    Raises ValueError when there are fewer modules than slices or the outputs' other sizes differ.

    >>> import nn
    >>> m = Parallel(1, 1).add(nn.Identity()).add(nn.Tanh())
    >>> m.forward(np.array([[2.0, 3.0], [0.0, 0.0]]))
    array([2., 3., 0., 0.])
    """

    def __init__(self, inputDimension: int, outputDimension: int):
        super().__init__()
        self.inputDimension = inputDimension
        self.outputDimension = outputDimension

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Row-wise when all its modules are, and the rows are neither what it takes apart nor what it joins."""
        return min(self.inputDimension, self.outputDimension) > 1 and all(m.ROWWISE for m in self.modules)

    def _slices(self, x: Any) -> np.ndarray:
        """x with the slices for the modules along its first axis."""
        along = axis(self.inputDimension, tensor(self, x).ndim, who="nn.Parallel")
        if x.ndim < 2 or not 1 <= x.shape[along] <= len(self.modules):
            raise ValueError(
                f"nn.Parallel: expected a tensor of 2 dimensions or more and size 1 to {len(self.modules)} "
                f"in dimension {self.inputDimension}, got shape {x.shape}"
            )
        return np.moveaxis(x, along, 0)

    def updateOutput(self, input: Any) -> np.ndarray:
        outputs = list(self._each("updateOutput", ((part,) for part in self._slices(input))))
        along = axis(self.outputDimension, tensor(self, outputs[0]).ndim, who="nn.Parallel")
        self.output = joined(self.output, outputs, along, DTYPES[self._type], "nn.Parallel")
        return self.output

    def _calls(self, input: Any, gradOutput: Any, *args: Any) -> list[tuple[Any, ...]]:
        """The arguments of the modules' backward methods: a slice of the input and a part of the gradient."""
        slices = self._slices(input)
        return [(x, g, *args) for x, g in zip(slices, self._parted(gradOutput, self.outputDimension, len(slices)))]

    def updateGradInput(self, input: Any, gradOutput: Any) -> np.ndarray:
        calls = self._calls(input, gradOutput)
        self.gradInput = memory.resized(self.gradInput, input.shape, DTYPES[self._type])
        for part, gradient in zip(self._slices(self.gradInput), self._each("updateGradInput", calls)):
            np.copyto(part, 0 if gradient is None else gradient)  # a first layer may make none
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        list(self._each("accGradParameters", self._calls(input, gradOutput, scale)))

    def accUpdateGradParameters(self, input: Any, gradOutput: Any, lr: float) -> None:
        list(self._each("accUpdateGradParameters", self._calls(input, gradOutput, lr)))


class Concat(Branches):
    """All modules on the same input; their outputs one after the other along `dimension`.

    Outputs (a, n1), (a, n2) with dimension 2 give (a, n1 + n2); dimensions count from 1. The gradients of the modules
    with respect to the input, a tensor or a table, are summed.
    Raises ValueError when the outputs' other sizes differ, IndexError when there is no such dimension.

    >>> import nn
    >>> m = Concat(1).add(nn.Identity()).add(nn.Tanh())
    >>> m.forward(np.array([0.0, 1.0])).round(4)
    array([0.    , 1.    , 0.    , 0.7616])
    """

    def __init__(self, dimension: int):
        super().__init__()
        self.outputSize = torch7.LongStorage()  # Torch's work space
        self.dimension = dimension

    @property
    def ROWWISE(self) -> bool:  # type: ignore[override]
        """Row-wise when all its modules are, and the rows are not what it joins."""
        return self.dimension > 1 and all(m.ROWWISE for m in self.modules)

    def updateOutput(self, input: Any) -> np.ndarray:
        outputs = list(self._each("updateOutput", [(input,)] * len(self.modules)))
        if outputs:
            along = axis(self.dimension, tensor(self, outputs[0]).ndim, who="nn.Concat")
            self.output = joined(self.output, outputs, along, DTYPES[self._type], "nn.Concat")
        return self.output

    def _calls(self, input: Any, gradOutput: np.ndarray, *args: Any) -> list[tuple[Any, ...]]:
        """The arguments of the modules' backward methods: each gets its part of the gradient."""
        return [(input, part, *args) for part in self._parted(gradOutput, self.dimension, len(self.modules))]

    def updateGradInput(self, input: Any, gradOutput: np.ndarray) -> Any:
        return self._summed(self._each("updateGradInput", self._calls(input, gradOutput)), input)

    def backward(self, input: Any, gradOutput: np.ndarray, scale: float = 1) -> Any:
        return self._summed(self._each("backward", self._calls(input, gradOutput, scale)), input)

    def accGradParameters(self, input: Any, gradOutput: np.ndarray, scale: float = 1) -> None:
        list(self._each("accGradParameters", self._calls(input, gradOutput, scale)))

    def accUpdateGradParameters(self, input: Any, gradOutput: np.ndarray, lr: float) -> None:
        list(self._each("accUpdateGradParameters", self._calls(input, gradOutput, lr)))


class DepthConcat(Concat):
    """Concat of outputs that may differ in their other sizes too: the smaller ones get a frame of zeros.

    Outputs (n1, h, w) and (n2, h - 2, w - 2) with dimension 1 give (n1 + n2, h, w). An output that is smaller by an
    odd number has one zero more at its end. backward accumulates with scale 1, whatever it is given, as in Torch.
    Raises ValueError when the outputs differ in their number of dimensions.

    The layer of Szegedy et al., "Going deeper with convolutions" (arXiv:1409.4842).

    >>> import nn
    >>> m = DepthConcat(1).add(nn.Identity()).add(nn.Narrow(2, 2, 1))
    >>> m.forward(np.array([[1.0, 2.0, 3.0]]))
    array([[1., 2., 3.],
           [0., 2., 0.]])
    """

    def updateOutput(self, input: Any) -> np.ndarray:
        outputs = list(self._each("updateOutput", [(input,)] * len(self.modules)))
        if outputs:
            shape = self._frame(outputs)
            self.output = memory.resized(self.output, shape, DTYPES[self._type])
            if sum(part.size for part in outputs) < self.output.size:
                self.output.fill(0)
            for part, window in zip(outputs, self._windows(self.output, outputs)):
                np.copyto(window, part, casting="unsafe")  # Torch's copy converts
        return self.output

    def _frame(self, outputs: list[Any]) -> tuple[int, ...]:
        """The shape in which all outputs find room: their sizes' sum in one dimension, the largest in the others."""
        shapes = [tensor(self, output).shape for output in outputs]
        along = axis(self.dimension, len(shapes[0]), who="nn.DepthConcat")
        if len({len(shape) for shape in shapes}) > 1:
            raise ValueError(f"nn.DepthConcat: expected outputs of as many dimensions, got shapes {shapes}")
        return tuple((sum if i == along else max)(sizes) for i, sizes in enumerate(zip(*shapes)))

    def _windows(self, whole: np.ndarray, parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        offset = 1
        for part in parts:
            yield self.windowNarrow(whole, part, offset)
            offset += part.shape[axis(self.dimension, part.ndim)]

    def windowNarrow(self, output: np.ndarray, currentOutput: np.ndarray, offset: int) -> np.ndarray:
        """The view of `output` where a module's output is: from `offset` on (counted from 1), else in the middle."""
        along = axis(self.dimension, output.ndim, who="nn.DepthConcat")
        starts = [(n - part) // 2 for n, part in zip(output.shape, currentOutput.shape)]
        starts[along] = offset - 1
        return output[tuple(slice(start, start + n) for start, n in zip(starts, currentOutput.shape))]

    def _calls(self, input: Any, gradOutput: np.ndarray, *args: Any) -> list[tuple[Any, ...]]:
        outputs = [m.output for m in self.modules]
        if tensor(self, gradOutput).shape != (shape := self._frame(outputs)):
            raise ValueError(f"nn.DepthConcat: expected a gradient of shape {shape}, got {gradOutput.shape}")
        return [(input, part, *args) for part in self._windows(gradOutput, outputs)]

    def backward(self, input: Any, gradOutput: np.ndarray, scale: float = 1) -> Any:
        return super().backward(input, gradOutput)
