"""nn.hessian: second derivatives, estimated by backpropagation, to give every parameter a learning rate of its own.

`enable()` gives all modules three methods: `initDiagHessianParameters()` makes the fields diagHessianWeight and
diagHessianBias, `updateDiagHessianInput(input, diagHessianOutput)` takes the diagonal of the Hessian back through the
module, as updateGradInput does with the gradient, and `accDiagHessianParameters(input, diagHessianOutput)` adds that of
the parameters to these fields. Where it starts is the criterion's `updateDiagHessianInput(input, target)`.
Afterwards getParameters() of a module with such fields returns them as a third flat vector; parameters() has two lists
as ever. The classes are those for which Torch has it: Linear and the spatial convolutions, Tanh, TanhShrink, Square,
Sqrt, Reshape, Sequential; MSECriterion, WeightedMSECriterion, L1Cost; and what derives from them.

The method of Becker and LeCun, "Improving the convergence of back-propagation learning with second-order methods"
(1988): what is not on the diagonal and second derivatives of the functions themselves are left out.

>>> import nn
>>> enable()
>>> m = nn.Linear(2, 1)
>>> m.initDiagHessianParameters()
>>> x = np.array([1.0, 3.0])
>>> y = m.forward(x)
>>> m.accDiagHessianParameters(x, np.ones(1))
>>> m.diagHessianWeight, len(m.getParameters())
(array([[1., 9.]]), 3)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.registry import class_name

from .. import parameters
from ..criterion import Criterion
from ..module import Module

Names = Sequence[str]

GRADIENTS = ("gradWeight", "gradBias")
HESSIANS = ("diagHessianWeight", "diagHessianBias")


# -- what Torch's table of functions has


def enable() -> None:
    """Gives modules and criterions the methods; calling it again changes nothing."""
    for name in ("updateDiagHessianInput", "accDiagHessianParameters", "initDiagHessianParameters"):
        setattr(Module, name, globals()[f"_{name}"])
    setattr(Criterion, "updateDiagHessianInput", _updateDiagHessianInput)  # noqa: B010  (mypy knows no such method)
    setattr(Module, "getParameters", _getParameters)  # noqa: B010


def initDiagHessianParameters(module: Any, gw: Names, hw: Names) -> None:
    """Makes the fields `hw` in the shapes of the gradients `gw`, filled with zeros."""
    if getattr(module, "diagHessianInput", None) is None:
        module.diagHessianInput = memory.empty((0,), torch7.dtype_of(module._type))
    for gradient, hessian in _present(module, gw, hw):
        if getattr(module, hessian, None) is None:
            like = getattr(module, gradient)
            setattr(module, hessian, memory.zeros(like.shape, like.dtype))


def accDiagHessianParameters(
    module: Any, input: np.ndarray, diagHessianOutput: np.ndarray, gw: Names, hw: Names
) -> None:
    """Adds to the fields `hw` what accGradParameters adds to the gradients `gw` for the squared input."""
    module.inputSq = memory.resized(getattr(module, "inputSq", None), input.shape, input.dtype)
    np.multiply(input, input, out=module.inputSq)
    initDiagHessianParameters(module, gw, hw)
    output = module.output
    module.output = memory.empty((0,), input.dtype)
    try:
        with _exchanged(module, _present(module, gw, hw)):
            module.forward(module.inputSq)
            module.accGradParameters(module.inputSq, diagHessianOutput, 1)
    finally:
        module.output = output


def updateDiagHessianInput(
    module: Any, input: np.ndarray, diagHessianOutput: np.ndarray, w: Names, wsq: Names
) -> np.ndarray:
    """Keeps in diagHessianInput what updateGradInput gives with the parameters `w` squared (in the fields `wsq`)."""
    for name, square in _present(module, w, wsq):
        weight = getattr(module, name)
        setattr(module, square, memory.resized(getattr(module, square, None), weight.shape, weight.dtype))
        np.multiply(weight, weight, out=getattr(module, square))
    gradInput, kept = module.gradInput, getattr(module, "diagHessianInput", None)
    module.gradInput = memory.resized(kept, input.shape, input.dtype)
    try:
        with _exchanged(module, _present(module, w, wsq)):
            module.updateGradInput(input, diagHessianOutput)
        module.diagHessianInput = module.gradInput
    finally:
        module.gradInput = gradInput
    return module.diagHessianInput


def updateDiagHessianInputPointWise(module: Any, input: np.ndarray, diagHessianOutput: np.ndarray) -> np.ndarray:
    """The same for a function of single elements: its derivative squared, times diagHessianOutput."""
    derivative = updateDiagHessianInput(module, input, np.ones_like(diagHessianOutput), (), ())
    derivative *= derivative
    derivative *= diagHessianOutput
    return derivative


def _present(module: Any, names: Names, others: Names) -> list[tuple[str, str]]:
    """The pairs of names of which the module has the first: a bias may be missing."""
    if len(names) != len(others):
        raise ValueError(f"nn.hessian: expected as many names in both lists, got {list(names)} and {list(others)}")
    return [pair for pair in zip(names, others) if getattr(module, pair[0], None) is not None]


@contextlib.contextmanager
def _exchanged(module: Any, pairs: Iterable[tuple[str, str]]) -> Iterator[None]:
    """The two fields of every pair have each other's value for a while."""

    def exchange() -> None:
        for a, b in pairs:
            first, second = getattr(module, a), getattr(module, b)
            setattr(module, a, second)
            setattr(module, b, first)

    exchange()
    try:
        yield
    finally:
        exchange()


# -- the classes, by their Torch names: they need not be there, nor be imported before


def _weighted(*names: str) -> Callable[..., Any]:
    squares = tuple(f"{name}Sq" for name in names)
    return lambda module, input, output: updateDiagHessianInput(module, input, output, names, squares)


def _tanh_shrink(module: Any, input: np.ndarray, diagHessianOutput: np.ndarray) -> np.ndarray:
    inner = updateDiagHessianInputPointWise(module.tanh, input, diagHessianOutput)
    module.diagHessianInput = memory.resized(getattr(module, "diagHessianInput", None), input.shape, input.dtype)
    return np.add(inner, diagHessianOutput, out=module.diagHessianInput)


def _reshape(module: Any, input: np.ndarray, diagHessianOutput: np.ndarray) -> np.ndarray:
    module.diagHessianInput = diagHessianOutput.reshape(input.shape)
    return module.diagHessianInput


def _sequential(module: Any, input: np.ndarray, diagHessianOutput: np.ndarray) -> np.ndarray:
    module.diagHessianInput = module._walk_back("updateDiagHessianInput", input, diagHessianOutput)
    return module.diagHessianInput


def _sequential_parameters(module: Any, input: np.ndarray, diagHessianOutput: np.ndarray) -> None:
    inputs = [input, *(inner.output for inner in module.modules[:-1])]
    for inner, x in zip(reversed(module.modules), reversed(inputs)):
        inner.accDiagHessianParameters(x, diagHessianOutput)
        diagHessianOutput = inner.diagHessianInput


def _squared_error(criterion: Any, input: np.ndarray, target: Any) -> np.ndarray:
    old = getattr(criterion, "diagHessianInput", None)
    criterion.diagHessianInput = memory.resized(old, input.shape, input.dtype)
    criterion.diagHessianInput.fill(2 / input.size if criterion.sizeAverage else 2)
    return criterion.diagHessianInput


def _absolute_value(criterion: Any, input: np.ndarray, target: Any) -> np.ndarray:
    old = getattr(criterion, "diagHessianInput", None)
    criterion.diagHessianInput = memory.resized(old, input.shape, input.dtype)
    return np.not_equal(input, 0, out=criterion.diagHessianInput)


WEIGHTED = {
    "nn.Linear": ("weight",),
    "nn.SpatialConvolution": ("weight",),
    "nn.SpatialConvolutionLocal": ("weight",),
    "nn.SpatialFullConvolution": ("weight",),
    "nn.SpatialConvolutionMap": ("weight", "bias"),
    "nn.SpatialFullConvolutionMap": ("weight",),
}
INPUT_RULES: dict[str, Callable[..., Any]] = {
    **{name: _weighted(*weights) for name, weights in WEIGHTED.items()},
    **dict.fromkeys(("nn.Tanh", "nn.Square", "nn.Sqrt"), updateDiagHessianInputPointWise),
    "nn.TanhShrink": _tanh_shrink,
    "nn.Reshape": _reshape,
    "nn.Sequential": _sequential,
    "nn.MSECriterion": _squared_error,
    "nn.WeightedMSECriterion": _squared_error,
    "nn.L1Cost": _absolute_value,
}
PARAMETER_RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(WEIGHTED, lambda m, x, output: accDiagHessianParameters(m, x, output, GRADIENTS, HESSIANS)),
    "nn.Sequential": _sequential_parameters,
}
INITIAL_RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(WEIGHTED, lambda m: initDiagHessianParameters(m, GRADIENTS, HESSIANS)),
    "nn.Sequential": lambda m: m.applyToModules(lambda inner: inner.initDiagHessianParameters()),
}


def _rule(rules: dict[str, Callable[..., Any]], obj: Any) -> Callable[..., Any] | None:
    """The rule for the class of obj or the nearest one that it derives from."""
    names = (class_name(cls) for cls in type(obj).__mro__)
    return next((rules[name] for name in names if name in rules), None)


# -- the methods


def _updateDiagHessianInput(self: Any, input: Any, diagHessianOutput: Any = None) -> Any:
    """The diagonal of the Hessian with respect to the input; in a criterion the second argument is the target."""
    rule = _rule(INPUT_RULES, self)
    if rule is None:
        raise TypeError(f"{torch7.typename(self)}: updateDiagHessianInput is not defined for this class")
    return rule(self, input, diagHessianOutput)


def _accDiagHessianParameters(self: Any, input: Any, diagHessianOutput: Any) -> None:
    """Adds the diagonal of the Hessian with respect to the parameters to diagHessianWeight and diagHessianBias."""
    rule = _rule(PARAMETER_RULES, self)
    if rule is not None:
        rule(self, input, diagHessianOutput)


def _initDiagHessianParameters(self: Any) -> None:
    """Makes diagHessianWeight and diagHessianBias, filled with zeros."""
    rule = _rule(INITIAL_RULES, self)
    if rule is not None:
        rule(self)


def _getParameters(self: Any) -> tuple[np.ndarray, ...]:
    """The parameters and the gradients as one flat vector each, and the diagonal of the Hessian where there is one."""
    slots = list(self.slots())
    flat = parameters.getParameters(slots)
    hessians = dict(zip(("weight", "bias"), HESSIANS))
    named = {(id(owner), name): (owner, hessians.get(name, "")) for owner, name, _ in slots}
    fields = [(owner, name) for owner, name in named.values() if getattr(owner, name, None) is not None]
    return (*flat, parameters.flatten(fields)) if fields else flat
