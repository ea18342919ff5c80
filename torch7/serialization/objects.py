"""What a file can hold that has no Python class of its own: objects of unknown classes and Lua functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import typename
from ..tables import is_table


class TorchObject:
    """An object of a Torch class that is not registered here: its fields are attributes.

    `torch_typename` is the name of its class, `torch_version` the version it was saved with. It is saved as it came.

    >>> point = TorchObject("gold.Point", x=1, y=2)
    >>> point.x, point
    (1, gold.Point {x: 1, y: 2})
    """

    # The name and the version stand outside of __dict__, which holds the Torch fields and nothing else.
    __slots__ = ("__dict__", "__weakref__", "torch_typename", "torch_version")

    torch_typename: str
    torch_version: int | float

    def __init__(self, torch_typename: str, torch_version: int | float = 1, /, **fields: Any):
        self.torch_typename = torch_typename
        self.torch_version = torch_version
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        if name in TorchObject.__slots__ or name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"{self.torch_typename}: there is no field {name!r}, and no method of any name, for this class is unknown "
            "here: import what registers it (see torch7.register) before the file is loaded"
        )

    def __repr__(self) -> str:
        return f"{self.torch_typename} {{{', '.join(f'{k}: {_brief(v)}' for k, v in vars(self).items())}}}"


class LuaFunction:
    """A Lua function from a file: bytecode and the values it refers to. It can be saved again, but not called.

    `bytecode` is what Lua's string.dump gave; `upvalues` lists the variables it uses from outside, each a table of
    `name`, `id` and `value`; `kind` is the number that the file format gives it (6 and 7 are older forms of 8).
    """

    def __init__(self, bytecode: bytes, upvalues: Any = None, kind: int = 8):
        self.bytecode = bytecode
        self.upvalues = upvalues
        self.kind = kind

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("torch7: a Lua function from a file is Lua bytecode, which cannot run here")

    def __repr__(self) -> str:
        return f"<LuaFunction of {len(self.bytecode)} bytes>"


def _brief(value: Any) -> str:
    """A value in one line, without what is inside of it."""
    if isinstance(value, np.ndarray):
        return f"{typename(value)} of size {'x'.join(map(str, value.shape))}"
    if is_table(value) or isinstance(value, dict):
        return f"table of {len(value)}"
    return typename(value) or repr(value)
