"""Torch's .t7 files: objects, tables and tensors in files and byte strings, both ways.

| Lua                       | Python                                                                                   |
|---------------------------|------------------------------------------------------------------------------------------|
| nil, boolean              | None, bool                                                                               |
| number                    | int where it is a whole number up to 2^53, else float                                    |
| string                    | str where it is UTF-8, else bytes                                                        |
| table with the keys 1..n  | list (a tuple is written so, too)                                                        |
| any other table           | `Table` (a dict is written so, too); tables, tensors and booleans as keys are in a `Key` |
| tensor, storage           | numpy.ndarray, `Storage`; what shared memory shares memory                               |
| GPU tensor                | numpy.ndarray of the same precision                                                      |
| object                    | object of the registered class, else `TorchObject`                                       |
| function                  | `LuaFunction`, which cannot be called                                                    |

Torch has no nil in tables, no tensors without dimensions and no sizes of 0: None is left out of tables, an array of
shape () becomes a tensor of size 1, and every array without elements becomes the empty tensor, of shape (0,). An array
of booleans becomes a ByteTensor. A tensor brings the whole memory that it is a view of: `x[:10].copy()` saves ten
elements, `x[:10]` saves all of x.
"""

from __future__ import annotations

import os
from typing import Any

from ..replacing import replacing
from .base import File
from .files import DiskFile, MemoryFile
from .objects import LuaFunction, TorchObject
from .reader import Foreign
from .values import T7Error
from .writer import Hook, writable

__all__ = [
    "DiskFile",
    "File",
    "LuaFunction",
    "MemoryFile",
    "T7Error",
    "TorchObject",
    "deserialize",
    "load",
    "save",
    "serialize",
    "writable",
]

_Name = str | os.PathLike[str]


def save(filename: _Name, object: Any, mode: str = "binary", referenced: bool = True, hook: Hook | None = None) -> None:
    """Writes an object to a file, in mode "binary" or "ascii".

    The file takes its place only when it is complete: whatever goes wrong, an older file of that name stays as it was.
    Without `referenced`, an object that occurs twice is written twice. `hook(value)` is asked for every value what to
    write in its place. Raises TypeError for what a Torch file cannot hold, and OSError.
    """
    _check_mode("torch7.save", mode, ("binary", "ascii"))
    with replacing(filename) as path, DiskFile(path, "w") as file:
        file._who = "torch7.save"
        getattr(file, mode)().referenced(referenced).writeObject(object, hook=hook)


def load(filename: _Name, mode: str = "binary", referenced: bool = True, foreign: Foreign | None = None) -> Any:
    """Reads the object that a file begins with.

    `mode` is "binary" or "ascii", as the file was written; "b32" and "b64" are binary files from computers of 32 and
    of 64 bits, whose longs have 4 and 8 bytes. `foreign(name, fields)` may make the objects of classes that are not
    registered; where it returns None, they become TorchObjects. Raises T7Error, a ValueError, for a file that is
    damaged or was written otherwise, and OSError.
    """
    _check_mode("torch7.load", mode, ("binary", "ascii", "b32", "b64"))
    with DiskFile(filename) as file:
        if mode != "ascii":
            file.binary().longSize(4 if mode == "b32" else 8)
        return file.referenced(referenced).readObject(foreign)


def serialize(object: Any, mode: str = "binary", hook: Hook | None = None) -> bytes:
    """The bytes that `save` would write.

    >>> serialize([1.5], "ascii")
    b'3\\n1\\n1\\n1\\n1\\n1\\n1.5\\n'
    """
    _check_mode("torch7.serialize", mode, ("binary", "ascii"))
    with MemoryFile("w") as file:
        file._who = "torch7.serialize"
        getattr(file, mode)().writeObject(object, hook=hook)
        return file._handle.getvalue()


def deserialize(data: bytes, mode: str = "binary", foreign: Foreign | None = None) -> Any:
    """The object that `load` would read from a file with these bytes.

    >>> deserialize(serialize({"a": [1, 2], "b": None}))
    Table({'a': [1, 2]})
    """
    _check_mode("torch7.deserialize", mode, ("binary", "ascii"))
    if isinstance(data, str):
        raise TypeError("torch7.deserialize: expected bytes, got str")
    with MemoryFile(data, "r") as file:
        return getattr(file, mode)().readObject(foreign)


def _check_mode(who: str, mode: str, modes: tuple[str, ...]) -> None:
    if mode not in modes:
        raise ValueError(f"{who}: expected mode {' or '.join(map(repr, modes))}, got {mode!r}")
