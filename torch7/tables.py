"""Lua's containers in Python: tables that are no lists, storages, and keys that Python cannot hash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np


class Storage(np.ndarray):
    """A Torch storage: one-dimensional memory, told apart from a tensor so that it is saved as what it was.

    `torch7.LongStorage([2, 3])` makes one.
    """


class Key:
    """A table key that a Python dict cannot tell from others or cannot hash: compared by identity, as in Lua."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def __hash__(self) -> int:
        return id(self.value) >> 4

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Key) and self.value is other.value

    def __repr__(self) -> str:
        return f"Key({type(self.value).__name__} at {id(self.value):#x})"


def as_key(key: Any) -> Any:
    """The key as a dict can hold it: Lua tells `true` from 1, and tables (here: lists, dicts, arrays) by identity."""
    return Key(key) if isinstance(key, bool) or type(key).__hash__ is None else key


class Table(dict):
    """A Lua table whose keys are not exactly 1..n: a dict whose named fields can be read with a dot.

    A missing field is None, as it is nil in Lua. Names that dict uses for itself (`keys`, `get`, ...) need brackets.
    Lists, dicts, arrays and booleans are keys by identity, wrapped in `Key` where keys are listed.

    >>> opt = Table(rnn_size=128)
    >>> opt.rnn_size, opt.dropout
    (128, None)
    """

    def __init__(self, *args: Any, **named: Any):
        super().__init__()
        self.update(*args, **named)

    # dict's own would pass by __setitem__
    update = MutableMapping.update
    setdefault = MutableMapping.setdefault

    def copy(self) -> Table:
        return Table(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and not dict.__contains__(self, name):
            raise AttributeError(name)
        return self.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        self.pop(name, None)

    def __getitem__(self, key: Any) -> Any:
        return dict.__getitem__(self, as_key(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        dict.__setitem__(self, as_key(key), value)

    def __delitem__(self, key: Any) -> None:
        dict.__delitem__(self, as_key(key))

    def __contains__(self, key: Any) -> bool:
        return dict.__contains__(self, as_key(key))

    def get(self, key: Any, default: Any = None) -> Any:
        return dict.get(self, as_key(key), default)

    def pop(self, key: Any, *default: Any) -> Any:
        return dict.pop(self, as_key(key), *default)

    def __reduce__(self) -> Any:
        return (Table, (), None, None, iter(self.items()))

    def __repr__(self) -> str:
        if not any(isinstance(key, Key) for key in self):
            return f"Table({dict.__repr__(self)})"
        # such a table leads from object to object, in a graph through all of it on every path
        shown = {key: Key(value) if isinstance(value, (dict, list)) else value for key, value in self.items()}
        return f"Table({shown!r})"

    def list_part(self) -> Iterator[Any]:
        """The values at 1, 2, 3... up to the first gap: what Lua's ipairs visits."""
        n = 1
        while n in self:
            yield self[n]
            n += 1


def is_table(x: Any) -> bool:
    """Whether x is what Torch's modules take as a table of tensors: a list or tuple."""
    return isinstance(x, (list, tuple))


def pairs(table: Any) -> Iterator[tuple[Any, Any]]:
    """Key and value of every entry of a list (keys 1..n) or mapping."""
    items = table.items() if isinstance(table, Mapping) else enumerate(table, 1)
    for key, value in items:
        yield (key.value if isinstance(key, Key) else key), value
