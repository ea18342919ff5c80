"""Numbers and strings of a file, one or many at a time."""

from __future__ import annotations

import numbers
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import KINDS, typename
from ..tables import Storage
from .encoding import Ascii, Binary
from .values import text_of

Count = int | Storage | None


class Primitives(ABC):
    """The methods that read and write numbers and strings.

    `readInt()` gives one number, `readInt(n)` a storage of n, `readInt(storage)` fills the storage and gives the number
    of elements read; `writeInt` takes a number or a storage and gives the number of elements written.
    """

    _handle: Any
    _encoding: Binary | Ascii
    _failed: bool
    _quiet: bool
    _unbuffered: bool
    _who: str

    def readByte(self, n: Count = None) -> Any:
        """Reads numbers from 0 to 255."""
        return self._read("Byte", n)

    def readChar(self, n: Count = None) -> Any:
        """Reads numbers from -128 to 127."""
        return self._read("Char", n)

    def readShort(self, n: Count = None) -> Any:
        """Reads integers of 2 bytes."""
        return self._read("Short", n)

    def readInt(self, n: Count = None) -> Any:
        """Reads integers of 4 bytes."""
        return self._read("Int", n)

    def readLong(self, n: Count = None) -> Any:
        """Reads integers of 8 bytes, or of 4 after `longSize(4)`."""
        return self._read("Long", n)

    def readFloat(self, n: Count = None) -> Any:
        """Reads numbers in single precision."""
        return self._read("Float", n)

    def readDouble(self, n: Count = None) -> Any:
        """Reads numbers in double precision."""
        return self._read("Double", n)

    def readBool(self) -> bool:
        """Reads one boolean: a file holds True as the int 1."""
        return self.readInt() == 1

    def readString(self, format: str) -> str | bytes:
        """The rest of the line for "*l", without its end, or of the file for "*a"; bytes where it is not UTF-8."""
        self._check("readString", "r")
        if format[:2] not in ("*l", "*a"):
            raise ValueError(f"{self._who}.readString: expected '*l' or '*a', got {format!r}")
        data = self._handle.readline() if format[1] == "l" else self._handle.read()
        if not data:
            self._fail("read error: read 0 blocks instead of 1")
        return text_of(data.removesuffix(b"\n") if format[1] == "l" else data)

    def writeByte(self, value: float | Storage) -> int:
        """Writes numbers from 0 to 255."""
        return self._write("Byte", value)

    def writeChar(self, value: float | Storage) -> int:
        """Writes numbers from -128 to 127."""
        return self._write("Char", value)

    def writeShort(self, value: float | Storage) -> int:
        """Writes integers of 2 bytes."""
        return self._write("Short", value)

    def writeInt(self, value: float | Storage) -> int:
        """Writes integers of 4 bytes."""
        return self._write("Int", value)

    def writeLong(self, value: float | Storage) -> int:
        """Writes integers of 8 bytes, or of 4 after `longSize(4)`."""
        return self._write("Long", value)

    def writeFloat(self, value: float | Storage) -> int:
        """Writes numbers in single precision."""
        return self._write("Float", value)

    def writeDouble(self, value: float | Storage) -> int:
        """Writes numbers in double precision."""
        return self._write("Double", value)

    def writeBool(self, value: Any) -> int:
        """Writes the int 0 where value is None or False, else 1."""
        return self.writeInt(0 if value is None or value is False else 1)

    def writeString(self, string: str | bytes) -> int:
        """Writes the string's bytes and nothing else; returns their number."""
        self._check("writeString", "w")
        data = string.encode() if isinstance(string, str) else bytes(string)
        return len(data) if self._put(self._handle.write, data) else 0

    @abstractmethod
    def _check(self, method: str, mode: str) -> None:
        """Raises ValueError unless the file is open in that mode."""

    @abstractmethod
    def _fail(self, problem: str) -> None:
        """Notes a failure; raises T7Error unless the file is quiet."""

    def _read(self, kind: str, n: Any) -> Any:
        self._check(f"read{kind}", "r")
        if isinstance(n, np.ndarray):
            self._check_storage(f"read{kind}", kind, n)
        count = 1 if n is None else n.size if isinstance(n, np.ndarray) else operator.index(n)
        if count < 0:
            raise ValueError(f"{self._who}.read{kind}: expected a number of elements, got {n!r}")
        data = self._encoding.array(kind, min(count, self._encoding.most(kind)))
        if data.size < count:
            self._fail(f"read error: read {data.size} blocks instead of {count}")
        if n is None:
            return data[0].item() if data.size else 0
        if isinstance(n, np.ndarray):
            n[: data.size] = data
            return data.size
        return data.view(Storage)

    def _write(self, kind: str, value: Any) -> int:
        self._check(f"write{kind}", "w")
        if isinstance(value, np.ndarray):
            self._check_storage(f"write{kind}", kind, value)
            data = np.ascontiguousarray(value).view(np.ndarray)
        elif isinstance(value, numbers.Real):
            data = self._converted(kind, value)
        else:
            raise TypeError(f"{self._who}.write{kind}: expected a number or torch.{kind}Storage, got {value!r}")
        return data.size if self._put(self._encoding.put_array, kind, data) else 0

    def _converted(self, kind: str, value: Any) -> np.ndarray:
        """A number as an array of one; a fraction is cut off where the kind has none, as C does."""
        dtype = KINDS[kind]
        if dtype.kind == "f":
            with np.errstate(over="ignore"):
                return np.array([float(value)]).astype(dtype, copy=False)
        try:
            return np.array([int(value)], dtype)
        except (OverflowError, ValueError):
            raise ValueError(f"{self._who}.write{kind}: {value!r} does not fit in a {kind.lower()}") from None

    def _check_storage(self, method: str, kind: str, storage: np.ndarray) -> None:
        if storage.dtype != KINDS[kind] or storage.ndim != 1:
            found = typename(storage) or storage.dtype
            raise TypeError(f"{self._who}.{method}: expected a torch.{kind}Storage, got {found} of {storage.ndim}D")

    def _put(self, write: Callable[..., Any], *data: Any) -> bool:
        """Whether the writing went well; where it did not and the file is not quiet, the system's error is raised."""
        try:
            write(*data)
            if self._unbuffered:
                self._handle.flush()
        except OSError:
            self._failed = True
            if not self._quiet:
                raise
            return False
        return True
