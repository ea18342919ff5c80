"""What is given to an Unroll, checked before anything runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from torch7.tables import is_table

from ..nesting import form
from .nested import each, leaves
from .roles import Roles


def split_lengths(input: Any, n: int, who: str) -> tuple[Any, Any]:
    """The n inputs of a step (the bare value of one), and lengths or mask, or None."""
    if n == 1:  # a table may be the value itself
        told = is_table(input) and len(input) == 2 and isinstance(input[1], np.ndarray) and input[1].ndim < 3
        return (input[0], input[1]) if told else (input, None)
    wanted = f"{who}: expected a table of the step's {n} inputs, and perhaps lengths or a mask, got"
    if not is_table(input):
        raise TypeError(f"{wanted} {form(input)}")
    if len(input) not in (n, n + 1):
        raise ValueError(f"{wanted} {len(input)}")
    return input[:n], (input[n] if len(input) > n else None)


def sizes(roles: Roles, sequences: list[Any], states: list[Any], who: str) -> tuple[int, int]:
    """Numbers of steps and rows; raises an error for an input that does not fit the others."""
    first = (leaves(sequences) or [None])[0]
    known: tuple[Any, ...] = first.shape[:2] if isinstance(first, np.ndarray) and first.ndim > 1 else ("T", "B")
    for i, x in zip(roles.sequences, sequences):
        _check(x, known, f"{who}: expected input {i + 1}, a sequence, as")
    if known[0] == 0:
        raise ValueError(f"{who}: expected at least one time step, got input {roles.sequences[0] + 1} {form(first)}")
    for i, x in zip(roles.states, states):
        _check(x, known[1:], f"{who}: expected input {i + 1}, a state, as")
    return known


def _check(x: Any, wanted: tuple[Any, ...], told: str) -> None:
    """Raises an error unless x is a tensor, or a table of some, with these first sizes."""
    for a in leaves(x) or [x]:
        if not isinstance(a, np.ndarray) or a.ndim < len(wanted) or a.shape[: len(wanted)] != wanted:
            error = ValueError if isinstance(a, np.ndarray) else TypeError
            raise error(f"{told} ({', '.join(map(str, wanted))}, ...), got {form(a)}")


def check_gradients(gradOutput: Any, output: Any, n: int, who: str) -> None:
    """Raises an error unless gradOutput has the form of the output, or None in places, for a step of n outputs."""
    if n > 1 and not is_table(gradOutput):
        raise TypeError(f"{who}: expected a table of {n} gradients, got {form(gradOutput)}")
    if n > 1 and len(gradOutput) != n:
        raise ValueError(f"{who}: expected a table of {n} gradients, got {len(gradOutput)}")
    values, gradients = (output, gradOutput) if n > 1 else ([output], [gradOutput])
    for k, (y, g) in enumerate(zip(values, gradients), 1):
        if g is not None and each(np.shape, y) != each(np.shape, g):
            raise ValueError(f"{who}: expected the gradient of output {k} as {form(y)}, got {form(g)}")
