"""nn.Criterion: the contract of losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.cloning import deep_copy
from torch7.registry import class_name, register

from . import utils
from .checks import mistyped, named
from .module import torch_class_name
from .pickling import reduce

# Set by pygraphnn on import: what criterion(node) and criterion([node, node]) mean.
wire: Callable[..., Any] | None = None

Number = float  # inside the class, float is Torch's method


class Criterion:
    """Base class of losses: a number from an input and a target, and its gradient with respect to the input.

    A loss writes `updateOutput(input, target)` and `updateGradInput(input, target)`.
    """

    TRANSIENT: tuple[str, ...] = ()
    output: Any = 0
    gradInput: Any = None
    output_tensor: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register(class_name(cls) or torch_class_name(cls), cls.__dict__.get("torch_version", 1))(cls)

    def __init__(self) -> None:
        self.gradInput = memory.empty()
        self.output = 0

    def updateOutput(self, input: Any, target: Any) -> Any:
        """Computes, keeps in `output` and returns the loss."""

    def updateGradInput(self, input: Any, target: Any) -> Any:
        """Computes, keeps in `gradInput` and returns the gradient of the loss with respect to the input."""

    def forward(self, input: Any, target: Any = None) -> Any:
        """The loss of `input` against `target`, a number."""
        return self.updateOutput(input, target)

    def backward(self, input: Any, target: Any = None) -> Any:
        """The gradient of the loss with respect to `input`."""
        return self.updateGradInput(input, target)

    def typed(self, x: Any) -> np.ndarray:
        """x, if it is a tensor of the criterion's type; raises TypeError, naming both types, if it is not."""
        wanted = (self.gradInput[0] if torch7.is_table(self.gradInput) else self.gradInput).dtype
        if isinstance(x, np.ndarray) and x.dtype == wanted and x.ndim:  # Torch has no tensor without dimensions
            return x
        raise mistyped(self, torch7.tensor_type(wanted), x)

    def _paired(self, input: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
        """Input and target, this in the input's shape: tensors of the criterion's type with equally many elements."""
        x, t = self.typed(input), self.typed(target)
        if x.size != t.size or x.size == 0:
            raise ValueError(
                f"{torch7.typename(self)}: expected an input and a target of the same number of elements (not 0), "
                f"got shapes {x.shape} and {t.shape}"
            )
        return x, t.reshape(x.shape)

    def _keep(self, loss: Number, dtype: np.dtype) -> Number:
        """Keeps the loss in `output_tensor`, rounded to its type as in Torch, and returns what `output` has to be."""
        self.output_tensor = memory.resized(self.output_tensor, (1,), dtype)
        self.output_tensor[0] = loss
        return self.output_tensor.item()

    def clone(self) -> Any:
        """A deep copy."""
        return deep_copy(self)

    def __deepcopy__(self, memo: Any) -> Any:
        return deep_copy(self, memo=memo)

    def __copy__(self) -> Any:
        copy = type(self).__new__(type(self))
        copy.__dict__.update(vars(self))
        return copy

    def __reduce__(self) -> Any:
        return reduce(self)

    def type(self, type: str, tensorCache: dict[Any, Any] | None = None) -> Any:
        """Converts all tensors of the criterion to `type` ("torch.FloatTensor")."""
        if type is None:
            raise TypeError(f"{torch7.typename(self)}: a type to convert to expected, got None")
        tensorCache = {} if tensorCache is None else tensorCache
        for name, value in list(vars(self).items()):
            self.__dict__[name] = utils.recursiveType(value, type, tensorCache)
        return self

    def float(self) -> Any:
        """type("torch.FloatTensor")."""
        return self.type("torch.FloatTensor")

    def double(self) -> Any:
        """type("torch.DoubleTensor")."""
        return self.type("torch.DoubleTensor")

    def cuda(self) -> Any:
        """float(): there is no GPU here, and CudaTensor has the precision of FloatTensor."""
        return self.type("torch.CudaTensor")

    cudaDouble = double

    def cudaHalf(self) -> Any:
        """type("torch.HalfTensor")."""
        return self.type("torch.CudaHalfTensor")

    def __call__(self, *args: Any) -> Any:
        """criterion(input, target): loss and gradient. criterion([prediction, target]) of nodes: a node of a graph."""
        if len(args) == 2 and not (wire is not None and any(hasattr(a, "children") for a in args)):
            self.output = self.forward(*args)
            self.gradInput = self.backward(*args)
            return self.output, self.gradInput
        if wire is None:
            raise TypeError(
                f"{torch7.typename(self)}: expected input and target, got {len(args)} arguments "
                "(import pygraphnn to wire a criterion into a graph)"
            )
        return wire(self, *args)

    def __str__(self) -> str:
        return named(self)

    def __repr__(self) -> str:
        return str(self)


register("nn.Criterion")(Criterion)
