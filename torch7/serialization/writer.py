"""Writes objects: numbers, strings, tables, tensors, objects of classes, each shared one once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import memory, registry
from ..dtypes import KIND_OF
from ..tables import Storage, Table, is_table, pairs
from .objects import LuaFunction
from .values import BOOLEAN, EXACT, MANY, NIL, NUMBER, OLD_FUNCTION, STRING, TABLE, TORCH

if TYPE_CHECKING:
    from .base import File

Hook = Callable[[Any], Any]

_MAX_INT = 2**31 - 1
_BYTE = np.dtype(np.uint8)


class _Container:
    """Something whose parts are being written: the parts to come and the place of the last one."""

    __slots__ = ("key", "kind", "owner", "parts")

    def __init__(self, owner: Any, kind: str):
        self.owner = owner
        self.kind = kind  # how the key shows in an error's path: "list", "table", "object" or "root"
        self.key: Any = None
        self.parts: Iterator[Any] = iter(())


class Writer:
    """Writes objects to one file, and remembers them for references."""

    def __init__(self, file: File):
        self._file = file
        self._indices: dict[Any, int] = {}
        self._count = 0
        self._alive: list[Any] = []  # what was written stays, so that no other object gets its id
        self._hook: Hook | None = None
        self._stack: list[_Container] = []
        self._inside: set[int] = set()  # the ids of the stack's owners
        self._writers: dict[type, Callable[[Any, Any], None]] = {}

    def write(self, value: Any, name: str | None, hook: Hook | None) -> None:
        """Writes a value. A call by a class's own `write` is part of the object that is being written."""
        outer, depth = self._hook, len(self._stack)
        self._hook = hook or outer
        self._open(self, "root").key = name
        try:
            self._put(value)
            while len(self._stack) > depth + 1:
                container = self._stack[-1]
                for part in container.parts:
                    self._put(part)
                    if self._stack[-1] is not container:
                        break
                else:
                    self._close()
        finally:
            self._hook = outer
            while len(self._stack) > depth:
                self._close()

    def _put(self, original: Any) -> None:
        """Writes a value, up to the parts of a container, which goes on the stack."""
        value = original if self._hook is None else self._hook(original)
        write = self._writers.get(type(value)) or self._writer_for(value)
        write(value, original)

    def _writer_for(self, value: Any) -> Callable[[Any, Any], None]:
        form = _form(value)
        if form is not None:
            write = getattr(self, f"_{form}")
            if form != "object":  # an object may have its class name from itself, not from its type
                self._writers[type(value)] = write
            return write
        hint = "; register its class with torch7.register" if hasattr(value, "__dict__") and not callable(value) else ""
        name = getattr(value, "__name__", "")
        raise TypeError(self._refusal(f"<{type(value).__name__}{name and ' '}{name}>") + hint)

    # Values without parts

    def _nil(self, value: None, original: Any) -> None:
        self._file._encoding.put_integer(NIL)

    def _boolean(self, value: Any, original: Any) -> None:
        self._file._encoding.put_integer(BOOLEAN)
        self._file._encoding.put_integer(int(value))

    def _number(self, value: Any, original: Any) -> None:
        if not _is_exact(value):
            raise ValueError(
                self._refusal(f"the number {value}") + ": Torch's numbers are doubles, which cannot hold it"
            )
        self._file._encoding.put_integer(NUMBER)
        self._file._encoding.put_number(float(value))

    def _string(self, value: str | bytes, original: Any) -> None:
        try:
            data = value if isinstance(value, bytes) else value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(self._refusal(f"the string {value!r}") + f": {error}") from None
        self._file._encoding.put_integer(STRING)
        self._chars(data)

    # Tables, objects and functions

    def _table(self, value: Any, original: Any) -> None:
        if not self._begin(TABLE, original, id(original)):
            self._table_body(value, "list" if is_table(value) else "table", original)

    def _table_body(self, value: Any, kind: str, owner: Any) -> None:
        size = sum(entry is not None for entry in (value.values() if isinstance(value, Mapping) else value))
        if size > _MAX_INT:
            raise ValueError(self._refusal(f"a table of {size} entries"))
        self._file._encoding.put_integer(size)
        if size > MANY and self._hook is None and (numbers := _all_numbers(value)) is not None:
            return self._file._encoding.put_number_objects(numbers)
        container = self._open(owner, kind)
        container.parts = self._entries(container, value)

    def _entries(self, container: _Container, table: Any) -> Iterator[Any]:
        """The keys and values of a table in turn; Lua has no entries that are nil."""
        for key, value in pairs(table):
            if value is None:
                continue
            container.key = key
            if key is None or (isinstance(key, (float, np.floating)) and key != key):
                raise TypeError(self._refusal(f"an entry with the key {key}"))
            yield key
            yield value

    def _object(self, value: Any, original: Any) -> None:
        if self._begin(TORCH, original, id(original)):
            return
        self._class(str(registry.name_of(value)), getattr(value, "torch_version", 1))
        write = registry.own(type(value), "write")
        if write is not None:
            self._open(original, "object")
            write(value, self._file)
            self._close()
            return
        self._file._encoding.put_integer(TABLE)
        self._file._encoding.put_integer(self._next_index())
        self._table_body(fields_of(value), "object", original)

    def _function(self, value: LuaFunction, original: Any) -> None:
        if value.kind == OLD_FUNCTION:
            self._file._encoding.put_integer(OLD_FUNCTION)
        elif self._begin(value.kind, original, id(original)):
            return
        self._chars(value.bytecode)
        container = self._open(original, "object")
        container.key = "upvalues"
        container.parts = iter((value.upvalues,))

    # Tensors and storages

    def _tensor(self, value: np.ndarray, original: Any) -> None:
        kind = self._kind(value)
        if self._begin(TORCH, original, id(original)):
            return
        tensor = value if value.ndim else value.reshape(1)  # Torch has no tensors without dimensions
        tensor = tensor if _lies_in_storage(tensor) else _packed(tensor)
        empty = tensor.size == 0
        self._class(f"torch.{kind}Tensor")
        encoding = self._file._encoding
        encoding.put_integer(0 if empty else tensor.ndim)
        if not empty:
            encoding.put_array("Long", np.array(tensor.shape))
            encoding.put_array("Long", np.array(memory.strides(tensor)))
        encoding.put_array("Long", np.array([memory.offset(tensor) + 1]))
        if empty and memory.owner(tensor).size == 0:
            encoding.put_integer(NIL)
        else:
            self._whole_storage(tensor, kind)

    def _storage(self, value: Storage, original: Any) -> None:
        kind = self._kind(value)
        whole = memory.owner(value)
        if _lies_in_storage(value) and value.flags.c_contiguous and value.size == whole.size:
            return self._whole_storage(value, kind)
        if not self._begin(TORCH, original, id(original)):
            self._storage_body(_packed(value), kind)

    def _whole_storage(self, value: np.ndarray, kind: str) -> None:
        """Writes all the memory that an array is a view of, once for all its views."""
        whole = memory.owner(value)
        if not self._begin(TORCH, whole, ("storage", id(whole))):
            self._storage_body(memory.storage(value), kind)

    def _storage_body(self, flat: np.ndarray, kind: str) -> None:
        self._class(f"torch.{kind}Storage")
        self._file._encoding.put_array("Long", np.array([flat.size]))
        self._file._encoding.put_array(kind, flat.view(np.uint8 if flat.dtype.kind == "b" else flat.dtype))

    def _kind(self, value: np.ndarray) -> str:
        kind = _kind_of(value)
        if kind is None:
            raise TypeError(self._refusal(f"an array of dtype {value.dtype}") + ": Torch has no such tensors")
        return kind

    # Bookkeeping

    def _begin(self, kind: int, original: Any, identity: Any) -> bool:
        """Writes type and index of something that can be referred to; whether the file has it already."""
        encoding = self._file._encoding
        encoding.put_integer(kind)
        if not self._file._referenced:
            if id(original) in self._inside:
                raise ValueError(self._refusal("an object inside of itself") + " without references")
            encoding.put_integer(self._next_index())
            return False
        known = self._indices.get(identity)
        if known is not None:
            encoding.put_integer(known)
            return True
        self._indices[identity] = self._next_index()
        self._alive.append(original)
        encoding.put_integer(self._count)
        return False

    def _next_index(self) -> int:
        self._count += 1
        return self._count

    def _open(self, owner: Any, kind: str) -> _Container:
        container = _Container(owner, kind)
        self._stack.append(container)
        self._inside.add(id(owner))
        return container

    def _close(self) -> None:
        self._inside.discard(id(self._stack.pop().owner))

    def _class(self, name: str, version: int | float = 1) -> None:
        if version != 0:  # files older than versions have none
            self._chars(f"V {version}".encode())
        self._chars(name.encode())

    def _chars(self, data: bytes) -> None:
        if len(data) > _MAX_INT:
            raise ValueError(self._refusal(f"a string of {len(data)} bytes"))
        self._file._encoding.put_integer(len(data))
        self._file._encoding.put_chars(data)

    def _refusal(self, what: str) -> str:
        """The beginning of an error message: what cannot be written, and where it is."""
        path = "".join(_step(container) for container in self._stack).removeprefix(".")
        return f"{self._file._who}: cannot write {what}{path and ' at '}{path}"


_FORMS: tuple[tuple[Any, str], ...] = (
    (type(None), "nil"),
    ((bool, np.bool_), "boolean"),
    ((int, float, np.integer, np.floating), "number"),
    ((str, bytes), "string"),
    (LuaFunction, "function"),
    (Mapping, "table"),
)


def _form(value: Any) -> str | None:
    """What a value is in a file; None for what a file cannot hold."""
    if isinstance(value, np.ndarray):
        return "storage" if isinstance(value, Storage) else "tensor"
    if registry.name_of(value) and not isinstance(value, (type, Table)):
        return "object"
    return next((form for types, form in _FORMS if isinstance(value, types)), "table" if is_table(value) else None)


def _is_exact(number: Any) -> bool:
    """Whether a double can hold the number."""
    try:
        return not isinstance(number, (int, np.integer)) or float(number) == int(number)
    except OverflowError:
        return False


def _kind_of(a: np.ndarray) -> str | None:
    """The kind of tensor that holds an array: "Double" for float64, in either byte order."""
    return KIND_OF.get(_BYTE if a.dtype.kind == "b" else a.dtype.newbyteorder("="))


def writable(value: Any) -> bool:
    """Whether a Torch file can hold a value; what a table or an object holds is not looked at.

    >>> writable([print]), writable(print), writable(2**53 + 1)
    (True, False, False)
    """
    form = _form(value)
    if form == "number":
        return _is_exact(value)
    if form == "string" and isinstance(value, str):
        return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
    return form is not None and (form not in ("tensor", "storage") or _kind_of(value) is not None)


def _step(container: _Container) -> str:
    """The part of a Python expression that leads from a container to the part being written."""
    key = container.key
    if key is None:
        return ""
    if container.kind == "list":
        return f"[{key - 1}]"
    if container.kind == "root" or (isinstance(key, str) and key.isidentifier()):
        return f".{key}"
    return f"[{key!r}]" if isinstance(key, (str, bytes, int, float)) else f"[<{type(key).__name__}>]"


def fields_of(obj: Any) -> Mapping[Any, Any]:
    """The fields of an object that a file holds."""
    cls = type(obj)
    if hasattr(cls, "torch_fields"):
        return cls.torch_fields(obj)
    transient = {name for parent in cls.__mro__ for name in vars(parent).get("TRANSIENT", ())}
    return {name: value for name, value in vars(obj).items() if name not in transient}


def _all_numbers(table: Any) -> np.ndarray | None:
    """The keys and values of a list of nothing but numbers in turn; None for any other table."""
    if type(table) is not list or not set(map(type, table)) <= {int, float}:
        return None
    if any(type(x) is int and abs(x) > EXACT for x in table):
        return None
    numbers = np.empty(2 * len(table))
    numbers[::2] = np.arange(1, len(table) + 1)
    numbers[1::2] = table
    return numbers


def _packed(a: np.ndarray) -> np.ndarray:
    """A copy with memory of its own, in this computer's byte order."""
    return np.array(a, a.dtype.newbyteorder("="), order="C")


def _lies_in_storage(a: np.ndarray) -> bool:
    """Whether a is a view that Torch could have on the memory of its owner."""
    whole = memory.owner(a)
    if a.dtype != whole.dtype or not a.dtype.isnative:
        return False
    if any(s % a.itemsize for s in a.strides + whole.strides) or any(s < 0 for s in a.strides):
        return False
    if a.size == 0:
        return True
    start = memory.offset(a)
    reach = sum((n - 1) * step for n, step in zip(a.shape, memory.strides(a)))
    return start >= 0 and start + reach < memory.storage(a).size
