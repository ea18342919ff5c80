"""nn.SparseJacobian: the checks of nn.Jacobian for modules whose input lists positions and values, as SparseLinear's.

An input of shape (n, 2) has the positions, counted from 1, in its first column and the values in its second: only these
are varied. What concerns parameters alone is nn.Jacobian's.

>>> import nn
>>> x = np.array([[1.0, 0.5], [3.0, -1.0]])
>>> forward(nn.Select(2, 2), x).round(6)
array([[1., 0.],
       [0., 1.]])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import tensor
from ..module import Module
from . import jacobian
from .jacobian import Range, backwardUpdate, fill, forwardUpdate, largest, testAllUpdate

__all__ = [
    "backward",
    "backwardUpdate",
    "forward",
    "forwardUpdate",
    "testAllUpdate",
    "testIO",
    "testJacobian",
    "testJacobianParameters",
    "testJacobianUpdateParameters",
]


def backward(module: Module, input: np.ndarray, param: Any = None, dparam: Any = None) -> np.ndarray:
    """What the module says: derivatives with respect to the values, or to `param` of gradient `dparam`."""
    if param is not None:
        return jacobian.backward(module, input, param, dparam)
    return jacobian.said(module, input, input[:, 1], lambda din: tensor(module, din)[:, 1])


def forward(module: Module, input: np.ndarray, param: np.ndarray | None = None) -> np.ndarray:
    """What is measured when the values, or the elements of `param`, are moved by +-1e-6."""
    return jacobian.measured(module, input, input[:, 1] if param is None else param)


def testJacobian(module: Module, input: np.ndarray, minval: Range = None, maxval: Range = None) -> float:
    """The largest error of gradInput's values."""
    fill(input[:, 1], minval, maxval)
    return largest(forward(module, input) - backward(module, input))


def testJacobianParameters(
    module: Module,
    input: np.ndarray,
    param: np.ndarray,
    dparam: np.ndarray,
    minval: Range = None,
    maxval: Range = None,
) -> float:
    """The largest error of `dparam`, the gradient of the parameter `param`."""
    fill(input[:, 1], minval, maxval)
    fill(param, minval, maxval)
    found = backward(module, input, param, dparam)
    return largest(forward(module, input, param) - found)


def testJacobianUpdateParameters(
    module: Module, input: np.ndarray, param: np.ndarray, minval: Range = None, maxval: Range = None
) -> float:
    """The largest error of what accUpdateGradParameters does to `param`."""
    fill(input[:, 1], minval, maxval)
    fill(param, minval, maxval)
    found = backwardUpdate(module, input, param)
    return largest(forwardUpdate(module, input, param) - found)


def testIO(module: Module, input: np.ndarray, minval: Range = None, maxval: Range = None) -> tuple[float, float]:
    """The largest differences in output and gradInput after the module was saved and loaded."""
    return jacobian.saved(module, input, minval, maxval, clear=False)
