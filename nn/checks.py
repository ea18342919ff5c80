"""What modules ask of the tables and tensors they are given."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

import torch7
from torch7 import dims


def named(x: Any) -> str:
    """Torch's name of the class of x, or Python's where it has none."""
    return torch7.typename(x) or type(x).__name__


def described(x: Any) -> str:
    """x in an error message: its Torch type, and the shape of a tensor or the length of a table."""
    if isinstance(x, np.ndarray):
        return f"a {torch7.typename(x) or x.dtype} of shape {x.shape}"
    return f"a table of {len(x)}" if torch7.is_table(x) else f"a {torch7.type(x)}"


def note(error: BaseException, text: Callable[[], str]) -> None:
    """Adds text() to what an error tells; the error matters more, so it stays without where it takes no note."""
    with contextlib.suppress(Exception):  # a frozen dataclass takes none, and a user's module may fail to print
        error.add_note(text())


def attempt(told: Callable[[Exception], None], method: Callable[..., Any], *args: Any) -> Any:
    """method(*args); an error is `told` first."""
    try:
        return method(*args)
    except Exception as error:
        told(error)
        raise


def mistyped(module: Any, wanted: str, x: Any) -> TypeError:
    """The error for an x that is no tensor of the module's type: Torch mixes no types."""
    return TypeError(f"{torch7.typename(module)}: expected a {wanted}, got {described(x)}")


def number(module: Any, value: Any, default: float | None = None, name: str = "") -> Any:
    """An argument as one of Python's numbers, where numpy's would decide on the type of a result; raises TypeError
    when it is none. None means the default, where there is one."""
    value = default if value is None else value
    if torch7.type(value) != "number":
        wanted = f"a number as {name}" if name else "a number"
        raise TypeError(f"{torch7.typename(module)}: expected {wanted}, got {described(value)}")
    return value.item() if isinstance(value, np.generic) else value


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


def numbers(module: Any, **values: Any) -> None:
    """Raises TypeError for an argument that is no number."""
    for name, value in values.items():
        number(module, value, name=name)


def whole(module: Any, name: str, value: Any) -> int:
    """The argument, if it is a whole number of any type; raises TypeError if it is not."""
    return dims.whole(number(module, value, name=name), str(torch7.typename(module)), name)


def shaped(module: Any, gradOutput: Any, shape: tuple[int, ...]) -> np.ndarray:
    """gradOutput, if it is a tensor of the module's type and of the output's shape; raises TypeError or ValueError."""
    g: np.ndarray = module.typed(gradOutput)
    if g.shape != shape:
        raise ValueError(f"{torch7.typename(module)}: expected a gradient of shape {shape}, got shape {g.shape}")
    return g


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
