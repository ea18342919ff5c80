"""What a step graph comes to: values, their parts, and the work that makes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .nested import leaves


class Unsupported(Exception):
    """Why a step graph has to run module by module."""


@dataclass(eq=False)
class Value:
    """What a time step has in one place: B rows of `width` columns; a row has the shape `shape`."""

    shape: tuple[int, ...]
    dtype: np.dtype
    producer: Op | None = None
    users: list[Op] = field(default_factory=list)

    @property
    def width(self) -> int:
        return math.prod(self.shape)

    def whole(self) -> Ref:
        return Ref(self, 0, self.shape)


@dataclass(frozen=True)
class Ref:
    """A part of the columns of a value, read as rows of the shape `shape`."""

    value: Value
    offset: int
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        return math.prod(self.shape)

    def is_whole(self) -> bool:
        return self.offset == 0 and self.width == self.value.width


@dataclass(eq=False)
class Op:
    """One module's work, or "copy".

    `kind` is "linear", "gather" (a linear map of one-hot rows, whose input is the indices), "classes" (a softmax),
    "call" (any module), or the name of an elementwise function in `functions`; "join" puts columns side by side,
    "mask" multiplies with dropout's noise, "mulrow" and "addrow" with a parameter of one row. `inputs` and `outputs`
    are refs and values, nested for a call as the module's own. `nodes` has the data of the node that the module is in,
    and of those that the graph around it is in.
    """

    kind: str
    inputs: Any
    module: Any = None
    outputs: Any = None
    constant: Any = None
    inplace: bool = False
    draws: bool = False
    rowwise: bool = True
    nodes: tuple[Any, ...] = ()

    def reads(self) -> list[Ref]:
        return leaves(self.inputs)

    def makes(self) -> list[Value]:
        return leaves(self.outputs)

    @property
    def out(self) -> Value:
        """The output of what has only one."""
        value: Value = self.outputs
        return value


Fact = tuple[Callable[..., Any], tuple[Any, ...], Any]  # a function, its arguments and what it gave


class Program(NamedTuple):
    """The work of one time step in order, and what and where its inputs and outputs, nested as the step's, are."""

    ops: list[Op]
    inputs: list[Any]  # values
    outputs: list[Any]  # refs
