"""Gradients by differences, to compare with those that a function computes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7

from .common import Call, Opfunc, demand_callable, described, loss, restoring
from .finite import demand_finite


def checkgrad(opfunc: Opfunc, x: np.ndarray, eps: float | None = 1e-7) -> tuple[float, np.ndarray, np.ndarray]:
    """How far the gradient that a function computes is from the one that its values show.

    `opfunc(x)` gives (f, df/dx), where f is a number or an array of one element. For each element of x

        dC_est = (f(x + eps) - f(x - eps)) / (2 eps)

    is computed with only this element moved, in place; then x has again exactly the values it had before, also after
    an error or Ctrl-C. With the dC that opfunc gave at x,

        diff = |dC - dC_est| / |dC + dC_est|

    in Euclidean norms: about eps for a right gradient, NaN where both are 0.

    x is a floating array of any shape; in float32, eps must be large enough to move its elements: 1e-3, say. dC may be
    of another floating type, and of any shape with as many elements as x.

    Returns diff, dC and dC_est, the latter two in x's shape and the type of the gradient. dC is a copy, so opfunc may
    write all its gradients into the same array.

    Raises TypeError for an x that is no floating array, an eps that is no number, a function that does not return such
    a pair; ValueError for an eps of 0, a read-only x, and a gradient of another size; FloatingPointError for what is
    not finite (see optim.nonfinite).

    >>> diff, dC, dC_est = checkgrad(lambda x: ((x ** 3).sum(), 3 * x ** 2), np.array([1.0, -2.0]))
    >>> diff < 1e-7, dC, dC_est.round(5)
    (True, array([ 3., 12.]), array([ 3., 12.]))
    >>> diff, dC, dC_est = checkgrad(lambda x: ((x ** 3).sum(), 2 * x ** 2), np.array([1.0, -2.0]))
    >>> round(diff, 4), dC, dC_est.round(5)
    (0.2, array([2., 8.]), array([ 3., 12.]))
    """
    call = Call("optim.checkgrad", x, {"eps": eps}, None)
    demand_callable(call.name, opfunc=opfunc)
    (step,) = call.options(eps=1e-7)
    if step == 0 or not math.isfinite(step):
        raise ValueError(f"optim.checkgrad: expected eps to be finite and not 0, got {step}")
    with restoring(x, x.copy()):
        dC = _gradient(x, opfunc(x))
        slopes = np.array([_slope(opfunc, x, i, step) for i in range(x.size)])
    with np.errstate(all="ignore"):
        dC_est = slopes.astype(dC.dtype).reshape(x.shape)
        diff = np.divide(_norm(dC - dC_est), _norm(dC + dC_est))
    return float(diff), dC, dC_est


def _gradient(x: np.ndarray, result: Any) -> np.ndarray:
    """A copy of the gradient in what opfunc returned, in the shape of x."""
    if not isinstance(result, (tuple, list)) or len(result) < 2:
        raise TypeError(f"optim.checkgrad: expected opfunc to return (f, df/dx), got {described(result)}")
    f, dC = loss("optim.checkgrad: expected opfunc", result), result[1]
    if not torch7.isTensor(dC) or dC.dtype.kind != "f":
        raise TypeError(f"optim.checkgrad: expected opfunc to return df/dx as a floating ndarray, got {described(dC)}")
    if dC.size != x.size:
        raise ValueError(f"optim.checkgrad: x is {described(x)}, but the gradient is {described(dC)}")
    demand_finite("optim.checkgrad: at x", f, dC, x)
    return dC.reshape(x.shape).copy()


def _slope(opfunc: Opfunc, x: np.ndarray, i: int, eps: float) -> float:
    """The difference quotient along element i of x, which is moved as Torch does it: up, and from there down twice."""
    before, values = x.flat[i], []
    for move in (eps, -2 * eps):
        x.flat[i] = float(x.flat[i]) + move
        f = loss("optim.checkgrad: expected opfunc", opfunc(x))
        demand_finite(f"optim.checkgrad: with element {i + 1} of x moved", f, None, x)
        values.append(f)
    x.flat[i] = before
    return (values[0] - values[1]) / (2 * eps)


def _norm(a: np.ndarray) -> Any:
    """The Euclidean norm, summed in double as Torch does."""
    return np.linalg.norm(a.astype(np.float64).reshape(-1))
