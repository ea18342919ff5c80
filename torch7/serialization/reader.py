"""Reads objects: numbers, strings, tables, tensors, objects of classes and what they share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .. import memory, registry
from ..dtypes import DTYPES, KIND_OF
from ..tables import Storage, Table, as_key
from . import hints
from .objects import LuaFunction, TorchObject
from .values import (
    BOOLEAN,
    FUNCTION,
    MANY,
    NIL,
    NUMBER,
    OLD_FUNCTION,
    OLD_RECURSIVE_FUNCTION,
    STRING,
    TABLE,
    TORCH,
    T7Error,
    number_of,
    text_of,
)

if TYPE_CHECKING:
    from .base import File

Foreign = Callable[[str, Table], Any]

_REFERENCED = (TABLE, TORCH, OLD_RECURSIVE_FUNCTION, FUNCTION)

_STORAGES = {name.replace("Tensor", "Storage"): dtype for name, dtype in DTYPES.items()}
_VERSION = re.compile(rb"V \d{1,9}(\.\d{1,9})?")
_MAX_DIMENSIONS = 64  # numpy's
_OPENED = object()


class _Open:
    """A table, tensor, function or object of which `items`, until there are `size` of them, are still being read.

    Whether a table becomes a list is known only when all its keys are. Until then the _Open itself stands where the
    table is referred to, and `value` takes its place in the end.
    """

    __slots__ = ("about", "finish", "index", "items", "size", "value")

    def __init__(self, size: int, finish: Callable[[_Open], Any], index: int | None, about: Any = None):
        self.size = size
        self.finish = finish
        self.index = index
        self.about = about
        self.items: list[Any] = []
        self.value: Any = None


class Reader:
    """Reads the objects of one file, and remembers them for references."""

    def __init__(self, file: File):
        self._file = file
        self._objects: dict[int, Any] = {}
        self._foreign: Foreign | None = None
        self._busy = False
        self._unsettled: list[Any] = []
        self._loaded: list[tuple[Any, int | float]] = []
        self._first_long: tuple[str, int] | None = None  # type and place of the first storage or tensor

    def read(self, foreign: Foreign | None) -> Any:
        """The next object. A call by a class's own `read` is part of the object that is being read."""
        if self._busy:
            return self._fixed(self._read())
        start = self._file._handle.tell()
        self._busy, self._foreign = True, foreign
        try:
            value = self._read()
            self._settle()
            self._announce()
            return value
        except BaseException as error:
            self._objects = {i: x for i, x in self._objects.items() if type(x) is not _Open}
            if isinstance(error, T7Error):
                error.args = (f"{error}{hints.hint(self._file, start, self._first_long)}",)
            raise
        finally:
            self._busy, self._foreign = False, None
            self._unsettled, self._loaded = [], []

    def _read(self) -> Any:
        stack: list[_Open] = []
        while True:
            value = self._begin(stack, self._file._encoding.integer())
            while value is not _OPENED:
                if not stack:
                    return value
                top = stack[-1]
                top.items.append(value)
                if len(top.items) < top.size:
                    break
                value = top.value = top.finish(top)
                self._know(top.index, value)
                stack.pop()

    def _begin(self, stack: list[_Open], kind: int) -> Any:
        """The next object, of this kind, if it is complete with that, else _OPENED with a new top of the stack."""
        encoding = self._file._encoding
        if kind == NUMBER:
            return number_of(encoding.number())
        if kind == STRING:
            return text_of(self._chars())
        if kind == NIL:
            return None
        if kind == BOOLEAN:
            return encoding.integer() == 1
        if kind == OLD_FUNCTION:
            return self._begin_function(stack, kind, None)
        if kind not in _REFERENCED:
            self._fail(f"expected the type of an object, a number from 0 to 8, found {kind}")
        index = encoding.integer()
        if self._file._referenced and index in self._objects:
            return self._objects[index]
        if kind == TABLE:
            return self._begin_table(stack, index)
        if kind == TORCH:
            return self._begin_torch(stack, index)
        return self._begin_function(stack, kind, index)

    # Tables

    def _begin_table(self, stack: list[_Open], index: int) -> Any:
        encoding = self._file._encoding
        size = encoding.integer()
        if size < 0 or (size > MANY and size * encoding.smallest_entry > self._file._left() + 1):
            self._fail(f"expected the number of entries of a table, found {size} with {self._file._left()} bytes left")
        if size == 0:
            return self._know(index, [])
        table = _Open(2 * size, self._end_table, index)
        while size > MANY and (missing := table.size - len(table.items) - 1):
            numbers = encoding.number_objects(min(missing, 4096))
            table.items += numbers
            if len(numbers) < min(missing, 4096):
                break
        return self._open(stack, self._know(index, table))

    def _end_table(self, table: _Open) -> Any:
        keys, values = table.items[::2], table.items[1::2]
        if type(None) in set(map(type, values)):  # an assignment of nil makes no entry
            kept = [i for i, value in enumerate(values) if value is not None]
            keys, values = [keys[i] for i in kept], [values[i] for i in kept]
        kinds = set(map(type, keys))
        if type(None) in kinds or (float in kinds and any(type(key) is float and key != key for key in keys)):
            self._fail("expected a table's key, found nil or a NaN")
        if table.value is None and kinds <= {int}:
            counted = list(range(1, len(keys) + 1))
            if keys == counted:
                return self._watch(values)
            if sorted(keys) == counted:
                return self._watch([value for _, value in sorted(zip(keys, values), key=lambda entry: entry[0])])
        result = Table() if table.value is None else table.value
        hashable = keys if kinds <= {int, str, float, bytes} else map(as_key, keys)
        self._call("a table's key", "__hash__", dict.update, result, zip(hashable, values))
        return self._watch(result)

    # Tensors and storages

    def _begin_torch(self, stack: list[_Open], index: int) -> Any:
        place = self._file._handle.tell()
        version, name = self._class()
        if name in DTYPES or name in _STORAGES:
            self._first_long = self._first_long or (name, self._file._handle.tell())
            return self._begin_tensor(stack, index, name) if name in DTYPES else self._storage(index, name)
        if not name or not name.isprintable():
            self._fail(f"expected the name of a class, found {name[:40]!r} at byte {place}")
        return self._begin_object(stack, index, name, version)

    def _class(self) -> tuple[int | float, str]:
        """Version and class name; files older than versions begin with the name at once."""
        first = self._chars()
        if not first.startswith(b"V "):
            return 0, first.decode("utf-8", "replace")
        if not _VERSION.fullmatch(first):
            self._fail(f"expected the version of a class, found {first[:40]!r}")
        return number_of(float(first[2:])), self._chars().decode("utf-8", "replace")

    def _storage(self, index: int, name: str) -> Storage:
        kind = KIND_OF[_STORAGES[name]]
        (size,) = self._array("Long", 1).tolist()
        if size < 0 or size > self._file._encoding.most(kind):
            self._fail(f"expected the size of a {name}, found {size} with {self._file._left()} bytes left")
        return self._know(index, self._array(kind, size).view(Storage))

    def _begin_tensor(self, stack: list[_Open], index: int, name: str) -> Any:
        dimensions = self._file._encoding.integer()
        if not 0 <= dimensions <= _MAX_DIMENSIONS:
            self._fail(f"expected the number of dimensions of a {name}, at most {_MAX_DIMENSIONS}, found {dimensions}")
        sizes = self._array("Long", dimensions).tolist()
        strides = self._array("Long", dimensions).tolist()
        (offset,) = self._array("Long", 1).tolist()
        tensor = _Open(1, self._end_tensor, index, (name, sizes, strides, offset))
        return self._open(stack, self._know(index, tensor))

    def _end_tensor(self, tensor: _Open) -> np.ndarray:
        (storage,) = tensor.items
        name, sizes, strides, offset = tensor.about
        found = f"sizes {sizes}, strides {strides} and offset {offset}"
        if storage is None and not sizes:
            return memory.empty((0,), DTYPES[name])
        if not isinstance(storage, Storage) or storage.dtype != DTYPES[name]:
            self._fail(f"expected the storage of a {name} of {found}, found {type(storage).__name__}")
        if min(sizes, default=0) < 0 or min(strides, default=0) < 0:
            self._fail(f"expected a {name}, found {found}")
        flat = memory.owner(storage)
        if not sizes:
            return flat[:0]
        try:
            return flat[:0].reshape(sizes) if 0 in sizes else memory.view_of(flat, offset - 1, sizes, strides)
        except ValueError:
            self._fail(f"expected a {name} inside its storage of {storage.size}, found {found}")

    # Objects and functions

    def _begin_object(self, stack: list[_Open], index: int, name: str, version: int | float) -> Any:
        cls = registry.find(name)
        if cls is None:
            new = _Open(1, self._end_object, index, (TorchObject(name, version), version))
            self._know(index, new.about[0] if self._foreign is None else new)
            return self._begin_fields(stack, new, name)
        obj = self._know(index, self._call(name, "__new__", registry.construct, name))
        read = registry.own(cls, "read")
        if read is None:
            return self._begin_fields(stack, _Open(1, self._end_object, index, (obj, version)), name)
        self._call(name, "read", read, obj, self._file, version)
        self._complete(obj, version)
        return obj

    def _begin_fields(self, stack: list[_Open], new: _Open, name: str) -> Any:
        self._open(stack, new)
        kind = self._file._encoding.integer()
        if kind != TABLE:
            known = "" if registry.find(name) else ", which is not registered and may have a format of its own"
            self._fail(f"expected a table of the fields of a {name}{known}, found the type number {kind}")
        return self._begin(stack, kind)

    def _end_object(self, new: _Open) -> Any:
        (fields,) = new.items
        obj, version = new.about
        name = registry.name_of(obj) or type(obj).__name__
        if not isinstance(fields, (list, Table)):
            self._fail(f"expected a table of the fields of a {name}, found {type(fields).__name__}")
        named = fields if isinstance(fields, Table) else Table(enumerate(fields, 1))
        if self._foreign is not None and type(obj) is TorchObject and new.value is None:
            made = self._call(name, "foreign", self._foreign, name, named)
            if made is not None:
                return made
        self._call(name, "__dict__", lambda: vars(obj).update(named))
        self._watch(vars(obj))
        self._complete(obj, version)
        return obj

    def _begin_function(self, stack: list[_Open], kind: int, index: int | None) -> Any:
        function = self._know(index, LuaFunction(self._chars(), kind=kind))
        return self._open(stack, _Open(1, self._end_function, index, function))

    def _end_function(self, new: _Open) -> LuaFunction:
        (new.about.upvalues,) = new.items
        self._watch(vars(new.about))
        return new.about

    # Bookkeeping

    def _open(self, stack: list[_Open], new: _Open) -> object:
        stack.append(new)
        return _OPENED

    def _know(self, index: int | None, value: Any) -> Any:
        if index is not None and self._file._referenced:
            self._objects[index] = value
        return value

    def _watch(self, container: Any) -> Any:
        """Notes a container with references to what is still being read."""
        if isinstance(container, dict):
            kinds = {*map(type, container), *map(type, container.values())}
        else:
            kinds = set(map(type, container))
        if _Open in kinds:
            self._unsettled.append(container)
        return container

    def _settle(self) -> None:
        """Replaces references to what was still being read, now that everything has been."""
        for container in self._unsettled:
            if isinstance(container, list):
                container[:] = [_final(x) for x in container]
            else:
                entries = [(as_key(_final(key)), _final(value)) for key, value in container.items()]
                dict.clear(container)
                dict.update(container, entries)

    def _fixed(self, value: Any) -> Any:
        """What a class's own `read` gets in place of what is still being read: a Table, or an object without fields."""
        if type(value) is not _Open:
            return value
        if value.value is None:
            if value.finish not in (self._end_table, self._end_object):
                self._fail("expected an object, found a reference to a tensor that is still being read")
            value.value = Table() if value.finish == self._end_table else value.about[0]
        return value.value

    def _complete(self, obj: Any, version: int | float) -> None:
        if hasattr(type(obj), "torch_loaded"):
            self._loaded.append((obj, version))

    def _announce(self) -> None:
        for obj, version in self._loaded:
            self._call(registry.name_of(obj), "torch_loaded", type(obj).torch_loaded, obj, version)

    def _call(self, name: str | None, method: str, function: Callable[..., Any], *args: Any) -> Any:
        """Calls what a class or a user brought; what it does not accept is a fault of the file."""
        try:
            return function(*args)
        except T7Error:
            raise
        except Exception as error:
            raise self._file._error(f"{name} failed in {method}: {type(error).__name__}: {error}") from error

    def _chars(self) -> bytes:
        """A string: its length and its bytes."""
        n = self._file._encoding.integer()
        if n < 0 or (n > MANY and n > self._file._left()):
            self._fail(f"expected the length of a string, found {n} with {self._file._left()} bytes left")
        data = self._file._encoding.chars(n)
        if len(data) < n:
            self._fail(f"expected a string of {n} bytes, found only {len(data)} before the end of the file")
        return data

    def _array(self, kind: str, n: int) -> np.ndarray:
        encoding = self._file._encoding
        data = encoding.array(kind, min(n, encoding.most(kind)))
        if data.size < n:
            self._fail(
                f"expected {n} elements of type {kind}, found only {data.size} before {self._file._next_bytes()}"
            )
        return data

    def _fail(self, problem: str) -> NoReturn:
        raise self._file._error(problem)


def _final(x: Any) -> Any:
    return x.value if type(x) is _Open else x
