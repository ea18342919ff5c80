"""Tensors in nested tables, as the gradients of graphs are."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import utils
from torch7 import memory
from torch7.tables import is_table


def cloneNested(obj: Any) -> Any:
    """A copy of a tensor, or of a table (and tables in it) of tensors."""
    if is_table(obj):
        return [cloneNested(child) for child in obj]
    return None if obj is None else np.array(obj)


def fillNested(obj: Any, value: float) -> None:
    """Sets every element of every tensor in obj to value."""
    utils.recursiveFill(obj, value)


def resizeNestedAs(output: Any, input: Any) -> Any:
    """output with the nesting and the shapes of input; tables are changed in place, tensors that fit are kept."""
    return utils.recursiveResizeAs(output, input)[0]


def copyNested(output: Any, input: Any) -> None:
    """Copies every tensor of input over the one at its place in output."""
    if is_table(output) and is_table(input) and len(output) == len(input):
        for mine, other in zip(output, input):
            copyNested(mine, other)
    else:
        np.copyto(output, _fitting(output, input, "copyNested"))


def addNestedTo(output: Any, input: Any) -> None:
    """Adds every tensor of input to the one at its place in output; output may have more of them, input None."""
    if is_table(output) and is_table(input) and len(output) >= len(input):
        for mine, other in zip(output, input):
            addNestedTo(mine, other)
    elif input is not None:
        np.add(output, _fitting(output, input, "addNestedTo"), out=output)


def _fitting(output: Any, input: Any, name: str) -> np.ndarray:
    """input in the shape of output: as in Torch it is the number of elements that counts."""
    if isinstance(output, np.ndarray) and isinstance(input, np.ndarray):
        if output.shape == input.shape:
            return input
        if output.size == input.size:
            return input.reshape(output.shape)
    problem = ""
    if is_table(output) and is_table(input):
        longer = len(output) > len(input)
        problem = f" (key {len(input) + 1} present in output but not in input)" if longer else " (missing key)"
    raise ValueError(f"nngraph.nesting.{name}: {form(input)} does not fit {form(output)}{problem}")


def form(x: Any) -> str:
    """The nesting, types and shapes of a value, for messages."""
    if is_table(x):
        return "[" + ", ".join(map(form, x)) + "]"
    return f"{x.dtype}{list(x.shape)}" if isinstance(x, np.ndarray) else type(x).__name__


def is_zero_constant(x: Any) -> bool:
    """Whether x is a tensor made of one zero in memory, such as an expanded zero: adding it would change nothing."""
    if not isinstance(x, np.ndarray) or x.size == 0:
        return False
    whole = memory.storage(x)
    return whole.size == 1 and bool(whole[0] == 0)
