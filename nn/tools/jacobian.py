"""nn.Jacobian: is backward the derivative of forward? And the other checks that Torch's own tests make of modules.

The functions that check return the largest difference between what a module says and what is measured, a number near 0
for a module without mistakes; all take one tensor as input, and fill it (and the parameter) with random numbers
from `minval` (-2) to `maxval` (2).

>>> import nn
>>> bool(testJacobian(nn.Tanh(), np.empty((2, 3))) < 1e-8)
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..checks import tensor
from ..module import Module

Range = float | None


# -- matrices of derivatives: a row per element of what is varied, a column per element of the output


def backward(module: Module, input: np.ndarray, param: Any = None, dparam: Any = None) -> np.ndarray:
    """What the module says: derivatives with respect to the input, or to `param`, of which `dparam` is the gradient."""
    if param is not None:
        return said(module, input, param, lambda din: dparam)
    return said(module, input, input, lambda din: tensor(module, din))


def said(module: Module, input: np.ndarray, varied: np.ndarray, gradient: Callable[[Any], Any]) -> np.ndarray:
    """A column for each element of the output: the gradient of that element, found from gradInput."""
    columns = []
    for unit in _units(module, input):
        module.zeroGradParameters()
        din = module.updateGradInput(input, unit)
        module.accGradParameters(input, unit)
        columns.append(gradient(din).ravel().copy())
    return _matrix(columns, varied.size).T


def backwardUpdate(module: Module, input: np.ndarray, param: np.ndarray) -> np.ndarray:
    """What becomes of `param` when accUpdateGradParameters makes a step of 1 for each element of the output alone."""
    params = module.parameters()[0]
    before = [w.copy() for w in params]
    columns = []
    for unit in _units(module, input):
        module.zeroGradParameters()
        module.updateGradInput(input, unit)
        module.accUpdateGradParameters(input, unit, 1)
        columns.append(param.ravel().copy())
        for w, old in zip(params, before):
            w[...] = old
    return _matrix(columns, param.size).T


def forward(
    module: Module, input: np.ndarray, param: np.ndarray | None = None, perturbation: float | None = None
) -> np.ndarray:
    """What is measured when the elements of the input, or of `param`, are moved by +-perturbation (1e-6)."""
    return measured(module, input, input if param is None else param, perturbation)


def measured(module: Module, input: np.ndarray, varied: np.ndarray, perturbation: float | None = None) -> np.ndarray:
    """A row for each element of `varied`, a part of the input or of the module: the output's central differences."""
    step = 1e-6 if perturbation is None else perturbation
    size = module.forward(input).size
    rows = []
    for i in np.ndindex(varied.shape):
        old = varied[i]
        varied[i] = old - step
        lower = module.forward(input).ravel().astype(float)
        varied[i] = old + step
        rows.append((module.forward(input).ravel() - lower) / (2 * step))
        varied[i] = old
    return _matrix(rows, size)


def forwardUpdate(
    module: Module, input: np.ndarray, param: np.ndarray, perturbation: float | None = None
) -> np.ndarray:
    """What `backwardUpdate` should give: the elements of `param` minus the measured derivatives."""
    return param.reshape(-1, 1) - forward(module, input, param, perturbation)


def _units(module: Module, input: np.ndarray) -> Iterator[np.ndarray]:
    """Gradients of the output in which one element is 1 and the others are 0, in one buffer."""
    output = module.forward(input)
    unit = memory.zeros(output.shape, output.dtype)
    flat = unit.reshape(-1)
    for i in range(flat.size):
        flat.fill(0)
        flat[i] = 1
        yield unit


def _matrix(rows: list[np.ndarray], size: int) -> np.ndarray:
    result = memory.empty((len(rows), size))
    for row, values in zip(result, rows):
        row[...] = values
    return result


# -- checks of derivatives


def testJacobian(
    module: Module, input: np.ndarray, minval: Range = None, maxval: Range = None, perturbation: float | None = None
) -> float:
    """The largest error of gradInput."""
    fill(input, minval, maxval)
    return largest(forward(module, input, input, perturbation) - backward(module, input))


def testJacobianParameters(
    module: Module,
    input: np.ndarray,
    param: np.ndarray,
    dparam: np.ndarray,
    minval: Range = None,
    maxval: Range = None,
    perturbation: float | None = None,
) -> float:
    """The largest error of `dparam`, the gradient of the parameter `param`."""
    fill(input, minval, maxval)
    fill(param, minval, maxval)
    found = backward(module, input, param, dparam)
    return largest(forward(module, input, param, perturbation) - found)


def testJacobianUpdateParameters(
    module: Module,
    input: np.ndarray,
    param: np.ndarray,
    minval: Range = None,
    maxval: Range = None,
    perturbation: float | None = None,
) -> float:
    """The largest error of what accUpdateGradParameters does to `param`."""
    fill(input, minval, maxval)
    fill(param, minval, maxval)
    found = backwardUpdate(module, input, param)
    return largest(forwardUpdate(module, input, param, perturbation) - found)


def fill(a: np.ndarray, minval: Range = None, maxval: Range = None) -> None:
    """Fills a with random numbers from minval (-2) to maxval (2)."""
    low, high = -2 if minval is None else minval, 2 if maxval is None else maxval
    a[...] = (torch7.rand(a.size) * (high - low) + low).reshape(a.shape)


def largest(error: np.ndarray) -> float:
    """The largest absolute value; 0 for an empty array."""
    return float(np.abs(error).max(initial=0))


# -- checks of second derivatives, for modules to which nn.hessian gave methods


def backwardDiagHessian(module: Any, input: np.ndarray, diagHessianParamName: str) -> np.ndarray:
    """The second derivatives of half the sum of the squared outputs, as the methods of `nn.hessian` find them.

    Those with respect to the elements of "diagHessianInput", "diagHessianWeight" or "diagHessianBias", each alone.
    """
    output = module.forward(input)
    for name in ("diagHessianWeight", "diagHessianBias"):
        if getattr(module, name, None) is not None:
            getattr(module, name).fill(0)
    ones = np.ones_like(output)
    module.updateDiagHessianInput(input, ones)
    module.accDiagHessianParameters(input, ones)
    return getattr(module, diagHessianParamName)


def linearModuleDiagHessian(module: Module, input: np.ndarray, gradParamName: str) -> np.ndarray:
    """The same from first derivatives alone, flat, for a module that is linear in its input and its parameters.

    Where the outputs y have no second derivatives, those of half the sum of their squares are the sums of
    (dy / dx) squared; `gradParamName` is "gradInput", "gradWeight" or "gradBias".
    """
    total: Any = 0
    for unit in _units(module, input):
        module.zeroGradParameters()
        module.updateGradInput(input, unit)
        module.accGradParameters(input, unit)
        total = total + getattr(module, gradParamName).ravel() ** 2
    return total


def testDiagHessian(
    module: Any,
    input: np.ndarray,
    gradParamName: str,
    diagHessianParamName: str,
    minval: Range = None,
    maxval: Range = None,
) -> float:
    """The largest difference between `backwardDiagHessian` and `linearModuleDiagHessian`."""
    fill(input, minval, maxval)
    module.initDiagHessianParameters()
    found = backwardDiagHessian(module, input, diagHessianParamName).ravel()
    return largest(found - linearModuleDiagHessian(module, input, gradParamName))


def testDiagHessianInput(module: Any, input: np.ndarray, minval: Range = None, maxval: Range = None) -> float:
    """`testDiagHessian` of the input."""
    return testDiagHessian(module, input, "gradInput", "diagHessianInput", minval, maxval)


def testDiagHessianWeight(module: Any, input: np.ndarray, minval: Range = None, maxval: Range = None) -> float:
    """`testDiagHessian` of the weight."""
    return testDiagHessian(module, input, "gradWeight", "diagHessianWeight", minval, maxval)


def testDiagHessianBias(module: Any, input: np.ndarray, minval: Range = None, maxval: Range = None) -> float:
    """`testDiagHessian` of the bias."""
    return testDiagHessian(module, input, "gradBias", "diagHessianBias", minval, maxval)


# -- checks of files and of steps


def testIO(module: Module, input: np.ndarray, minval: Range = None, maxval: Range = None) -> tuple[float, float]:
    """The largest differences in output and gradInput after the module was saved, without its state, and loaded."""
    return saved(module, input, minval, maxval, clear=True)


def saved(module: Module, input: np.ndarray, minval: Range, maxval: Range, clear: bool) -> tuple[float, float]:
    """`testIO`, with or without clearState."""
    input = input.copy()
    gradOutput = np.empty_like(module.forward(input))
    fill(gradOutput, minval, maxval)
    before = _results(module, input.copy(), gradOutput)
    if clear and module.clearState() is not module:
        raise TypeError(f"nn.Jacobian: clearState of {module} did not return the module")
    after = _results(torch7.deserialize(torch7.serialize(module)), input, gradOutput)
    return largest(before[0] - after[0]), largest(before[1] - after[1])


def _results(module: Module, input: np.ndarray, gradOutput: np.ndarray) -> list[np.ndarray]:
    module.forward(input)
    module.zeroGradParameters()
    module.updateGradInput(input, gradOutput)
    module.accGradParameters(input, gradOutput)
    return [module.output.copy(), module.gradInput.copy()]


def testAllUpdate(module: Module, input: np.ndarray, weight: str, gradWeight: str) -> dict[str, float]:
    """The errors of the parameter named `weight` ("weight") after a step in all the ways to make one.

    "accGradParameters" and then updateParameters, "accUpdateGradParameters", and both "[shared]" between two modules,
    of which each makes its step.
    """
    rate = torch7.uniform(0.1, 1)
    before = getattr(module, weight).copy()
    stepped = module.clone()
    gradOutput = torch7.rand(*stepped.forward(input).shape).astype(stepped.output.dtype)
    _step(gradOutput, input, rate, stepped)
    want, gradient = getattr(stepped, weight), getattr(stepped, gradWeight)
    errors = {"accGradParameters": norm(before - rate * gradient - want)}
    updated = module.clone()
    _update(gradOutput, input, rate, updated)
    errors["accUpdateGradParameters"] = norm(getattr(updated, weight) - want)
    twice = before - 2 * rate * gradient
    for name, step in (("accGradParameters", _step), ("accUpdateGradParameters", _update)):
        pair = [module.clone(), module.clone()]
        pair[1].share(pair[0], weight)
        step(gradOutput, input, rate, *pair)
        errors[f"{name} [shared]"] = sum(norm(twice - getattr(m, weight)) for m in pair)
    return errors


def norm(error: np.ndarray) -> float:
    """The root of the sum of squares."""
    return float(np.linalg.norm(error.ravel()))


def _step(gradOutput: np.ndarray, input: np.ndarray, rate: float, *modules: Module) -> None:
    """backward for all modules, then the step of all."""
    for module in modules:
        _results(module, input, gradOutput)
    for module in modules:
        module.updateParameters(rate)


def _update(gradOutput: np.ndarray, input: np.ndarray, rate: float, *modules: Module) -> None:
    """The step of every module along its own gradient, after forward and updateGradInput of all."""
    for module in modules:
        module.forward(input)
    for module in modules:
        module.updateGradInput(input, gradOutput)
    for module in modules:
        module.accUpdateGradParameters(input, gradOutput, rate)
