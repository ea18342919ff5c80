"""The range of initial values, and all parameters in one flat vector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from torch7 import memory

Slot = tuple[Any, str, str]  # a module, and the names of one of its parameters and of that parameter's gradient


def initial_bound(stdv: float | None, n: int) -> float:
    """The s of initial values from uniform(-s, s): their deviation is `stdv`; without one s = 1 / sqrt(n), for a layer
    with n inputs for each output."""
    return stdv * math.sqrt(3) if stdv is not None else 1 / math.sqrt(n) if n > 0 else math.inf


def flatten(fields: Sequence[tuple[Any, str]]) -> np.ndarray:
    """One vector that holds the arrays in the fields (object, name); every field becomes a view into it."""
    flat, views = flattened([getattr(obj, name) for obj, name in fields])
    for (obj, name), view in zip(fields, views):
        setattr(obj, name, view)
    return flat


def flattened(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """One vector that holds the arrays, and the views into it that take their places.

    Memory that several arrays share is held once, elements that no array uses are left out, and the order is that
    of the storages' first appearance, as in Torch.
    """
    if not arrays:
        return memory.empty((0,)), []
    if len({a.dtype for a in arrays}) > 1:
        raise TypeError(f"nn: parameters of one type expected, got {sorted({str(a.dtype) for a in arrays})}")
    starts: dict[int, int] = {}
    storages: list[np.ndarray] = []
    total = 0
    for a in arrays:
        if id(memory.owner(a)) not in starts:
            starts[id(memory.owner(a))] = total
            storages.append(memory.storage(a))
            total += storages[-1].size
    places = [starts[id(memory.owner(a))] + memory.offset(a) for a in arrays]
    flat, places = _without_holes(np.concatenate(storages), arrays, places)
    return flat, [memory.view_of(flat, place, a.shape, memory.strides(a)) for a, place in zip(arrays, places)]


def _without_holes(flat: np.ndarray, arrays: Sequence[np.ndarray], places: list[int]) -> tuple[np.ndarray, list[int]]:
    """Drops the elements of `flat` that no array uses, and tells where the arrays begin then."""
    used = np.zeros(flat.size, bool)
    for a, place in zip(arrays, places):
        memory.view_of(used, place, a.shape, memory.strides(a))[...] = True
    if used.all():
        return flat, places
    if not all(_compact(a) for a in arrays):
        raise ValueError("nn: cannot gather parameters that have holes between their elements")
    index = np.cumsum(used) - 1
    return flat[used], [int(index[place]) if a.size else 0 for a, place in zip(arrays, places)]


def _compact(a: np.ndarray) -> bool:
    """Whether the elements of a lie side by side in memory, in whatever order of dimensions."""
    expected = 1
    for step, n in sorted(zip(memory.strides(a), a.shape)):
        if step == 0 or n == 1:
            continue
        if step != expected:
            return False
        expected *= n
    return True


def getParameters(slots: Sequence[Slot]) -> tuple[np.ndarray, np.ndarray]:
    """The flat vectors of all parameters and of all gradients; afterwards the modules' arrays are views into them."""
    seen: dict[tuple[int, str], Slot] = {(id(owner), name): (owner, name, grad) for owner, name, grad in slots}
    unique = list(seen.values())
    if any(getattr(owner, grad) is None for owner, _, grad in unique):
        raise ValueError("nn: getParameters needs a gradient for every parameter, and some have none")
    params = flatten([(owner, name) for owner, name, _ in unique])
    grads = flatten([(owner, grad) for owner, _, grad in unique])
    aligned = params.size == grads.size and all(
        memory.offset(getattr(owner, name)) == memory.offset(getattr(owner, grad)) for owner, name, grad in unique
    )
    if not aligned:
        raise ValueError(
            f"nn: {params.size} parameters but {grads.size} gradients, or at different places: "
            "modules that share parameters must share the gradients too"
        )
    return params, grads
