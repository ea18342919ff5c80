"""What modules ask of the tables and tensors they are given."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7


def described(x: Any) -> str:
    """x in an error message: its Torch type, and the shape of a tensor or the length of a table."""
    if isinstance(x, np.ndarray):
        return f"a {torch7.typename(x) or x.dtype} of shape {x.shape}"
    return f"a table of {len(x)}" if torch7.is_table(x) else f"a {torch7.type(x)}"


def mistyped(module: Any, wanted: str, x: Any) -> TypeError:
    """The error for an x that is no tensor of the module's type: Torch mixes no types."""
    return TypeError(f"{torch7.typename(module)}: expected a {wanted}, got {described(x)}")


def tensor(module: Any, x: Any) -> np.ndarray:
    """x, if it is a tensor of any type; raises TypeError if it is not."""
    if isinstance(x, np.ndarray):
        return x
    raise TypeError(f"{torch7.typename(module)}: expected a tensor, got {described(x)}")


def table(module: Any, x: Any, least: int = 1, what: str = "input") -> Any:
    """x, if it is a table of at least `least` entries; raises TypeError or ValueError if it is not."""
    if torch7.is_table(x):
        if len(x) >= least:
            return x
        raise ValueError(f"{torch7.typename(module)}: expected a table of {least} as {what}, got {len(x)}")
    raise TypeError(f"{torch7.typename(module)}: expected a table as {what}, got {described(x)}")


def fitted(module: Any, x: Any, like: np.ndarray) -> np.ndarray:
    """x in the shape of `like`: Torch asks for one type and as many elements, whatever the dimensions.

    Raises TypeError for another type and ValueError for another number of elements.
    """
    if isinstance(x, np.ndarray) and x.dtype == like.dtype:
        if x.shape == like.shape:
            return x
        if x.size == like.size:
            return x.reshape(like.shape)
    error = ValueError if isinstance(x, np.ndarray) and x.size != like.size else TypeError
    raise error(f"{torch7.typename(module)}: expected {described(like)}, got {described(x)}")
