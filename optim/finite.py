"""Losses and gradients that are not finite: found before they do harm, and told where they come from."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import numpy as np

from torch7 import registry
from torch7.blocks import each
from torch7.memory import scratch
from torch7.tensor_functions import told_nonfinite

BOOL = np.dtype(bool)

_policy: ContextVar[tuple[str, Any]] = ContextVar("optim.nonfinite", default=("raise", None))


@contextlib.contextmanager
def nonfinite(action: str = "raise", tensors: Any = None) -> Iterator[None]:
    """What the optimizers do in this block, and in this thread, with a loss or gradient that is NaN or infinite.

    Without such a block they raise FloatingPointError, which tells the step and how many elements of the gradient it
    is; x has then the values that it had before the call, and state too. With `action`

    * "raise" they do the same, and also name the first parameter tensor that went bad. `tensors` is the module that
      is trained, a list of gradients, or a mapping from names to gradients;
    * "ignore" they go on, as in Torch.

    Raises ValueError for another action, TypeError for other tensors.

    >>> import optim
    >>> gradient = np.array([0.0, 1.0, np.nan])
    >>> with nonfinite(tensors={"weight": gradient[:2], "bias": gradient[2:]}):
    ...     try:
    ...         optim.sgd(lambda x: (1.0, gradient), np.zeros(3))
    ...     except FloatingPointError as error:
    ...         print(error)
    optim.sgd: in step 1 the gradient has 1 NaN of 3 elements, first in bias; x keeps the values it had before
    """
    if action not in ("raise", "ignore"):
        raise ValueError(f"optim.nonfinite: expected the action 'raise' or 'ignore', got {action!r}")
    _named(tensors)  # refuses now what could name no tensor later
    token = _policy.set((action, tensors))
    try:
        yield
    finally:
        _policy.reset(token)


def demand_finite(where: str, f: Any, g: np.ndarray | None, x: np.ndarray, trial: bool = False) -> None:
    """Raises FloatingPointError unless f, if it is a number, and g are finite, or nobody wants to know.

    A trial may give infinity as its loss: searches along a line and populations step back from it by themselves.
    """
    action, tensors = _policy.get()
    if action == "ignore" or (trial and f == math.inf):
        return
    told = []
    if isinstance(f, float) and not math.isfinite(f):
        told.append(f"the loss is {f}")
    if g is not None and not finite(g):
        told.append(f"the gradient has {told_nonfinite(g)}{_first(tensors)}")
    if told:
        if not finite(x):
            told.append(f"x itself has {told_nonfinite(x)}")
        raise FloatingPointError(f"{where} {' and '.join(told)}; x keeps the values it had before")


def finite(a: np.ndarray) -> bool:
    """Whether all elements are finite.

    >>> finite(np.ones(3)), finite(np.array([1.0, np.inf]))
    (True, False)
    """
    if a.flags.c_contiguous:
        with np.errstate(all="ignore"):
            if math.isfinite(np.vdot(a, a)):  # the fastest pass over memory; only squares of large numbers overflow
                return True
    return all(each(_part_finite, a)) if a.ndim else bool(np.isfinite(a))


def _part_finite(part: np.ndarray) -> np.bool:
    return np.isfinite(part, out=scratch(part.shape, BOOL)).all()


def _first(tensors: Any) -> str:
    """The first tensor whose gradient is not finite, in words."""
    bad = next((name for name, gradient in _named(tensors) if not finite(gradient)), None)
    return f", first in {bad}" if bad else ""


def _named(tensors: Any) -> list[tuple[str, np.ndarray]]:
    """The names and gradients of what is a module, a list or a mapping of gradients."""
    if tensors is None:
        return []
    if isinstance(tensors, Mapping):
        named = [(str(name), gradient) for name, gradient in tensors.items()]
    elif hasattr(tensors, "slots"):
        return [
            (f"tensor {i}, {gradient} of {registry.name_of(m) or type(m).__name__}", getattr(m, gradient))
            for i, (m, _, gradient) in enumerate(tensors.slots(), 1)
            if getattr(m, gradient) is not None
        ]
    elif isinstance(tensors, (list, tuple)):
        named = [(f"tensor {i}", gradient) for i, gradient in enumerate(tensors, 1)]
    else:
        named = [("", tensors)]
    if not all(name and isinstance(gradient, np.ndarray) for name, gradient in named):
        raise TypeError(
            "optim.nonfinite: expected tensors to be a module, a list of gradients or a mapping from names to "
            f"gradients, got a {type(tensors).__name__}"
        )
    return named
