"""File: what files on disk and in memory have in common."""

from __future__ import annotations

import operator
import sys
from abc import abstractmethod
from typing import Any, TypeVar

from .encoding import Ascii, Binary, Order
from .primitives import Primitives
from .reader import Foreign, Reader
from .values import T7Error
from .writer import Hook, Writer

_NATIVE: Order = "<" if sys.byteorder == "little" else ">"
Self = TypeVar("Self", bound="File")


class File(Primitives):
    """What DiskFile and MemoryFile share: numbers, strings and objects, one after the other, in ascii or binary.

    A file begins in ascii mode. Positions count bytes from 1. Where less can be read than was asked for, T7Error is
    raised; after `quiet()` that is only noted for `hasError()`. Methods that change a setting return the file.
    """

    def __init__(self, handle: Any, name: str, mode: str):
        self.name = name
        self._who = f"torch7.{type(self).__name__}"
        self._handle = handle
        self._mode = mode
        self._binary = False
        self._spacing = True
        self._order = _NATIVE
        self._long_size = 8
        self._quiet = False
        self._failed = False
        self._referenced = True
        self._unbuffered = False
        self._reader = Reader(self)
        self._writer = Writer(self)
        self._choose_encoding()

    # Objects

    def readObject(self, foreign: Foreign | None = None) -> Any:
        """The next object that `writeObject` wrote.

        An object that was read from this file before is returned itself when the file refers to it again. Damaged
        data raise T7Error, also in quiet mode. `foreign(name, fields)` may make the object of a class that is not
        registered; where it returns None, as without it, a TorchObject is made.
        """
        self._check("readObject", "r")
        return self._reader.read(foreign)

    def writeObject(self, object: Any, debugname: str | None = None, hook: Hook | None = None) -> None:
        """Writes a number, string, boolean, table, array, storage or object, with all that it holds.

        `hook(value)` is asked for every value what to write in its place. An object that this file has already is
        written as a reference to it. Raises TypeError for what a Torch file cannot hold; the message says where it
        is, beginning with `debugname`.
        """
        self._check("writeObject", "w")
        self._put(self._writer.write, object, debugname, hook)

    def referenced(self: Self, ref: bool) -> Self:
        """Whether an object that occurs again is written and read as a reference to the first time, as at first."""
        self._referenced = bool(ref)
        return self

    def isReferenced(self) -> bool:
        """What was set with `referenced`."""
        return self._referenced

    # Encoding

    def ascii(self: Self) -> Self:
        """From here on numbers are text."""
        self._binary = False
        return self._choose_encoding()

    def binary(self: Self) -> Self:
        """From here on numbers are bytes, as they stand in memory."""
        self._binary = True
        return self._choose_encoding()

    def isBinary(self) -> bool:
        """Whether numbers are bytes."""
        return self._binary

    def autoSpacing(self: Self) -> Self:
        """In ascii mode a space stands between elements and a line end after each group of them, as at first."""
        self._spacing = True
        return self._choose_encoding()

    def noAutoSpacing(self: Self) -> Self:
        """In ascii mode nothing stands between numbers but what the caller writes."""
        self._spacing = False
        return self._choose_encoding()

    def isAutoSpacing(self) -> bool:
        """Whether spaces are written and expected."""
        return self._spacing

    def longSize(self: Self, size: int = 0) -> Self:
        """In binary mode longs have 4 or 8 bytes from here on; 0 stands for this computer's own size, 8."""
        if size not in (0, 4, 8):
            raise ValueError(f"{self._who}.longSize: expected 0, 4 or 8, got {size!r}")
        self._long_size = size or 8
        return self._choose_encoding()

    def nativeEndianEncoding(self: Self) -> Self:
        """In binary mode numbers have this computer's byte order, as at first."""
        return self._choose_encoding(_NATIVE)

    def littleEndianEncoding(self: Self) -> Self:
        """In binary mode numbers have their lowest byte first."""
        return self._choose_encoding("<")

    def bigEndianEncoding(self: Self) -> Self:
        """In binary mode numbers have their highest byte first."""
        return self._choose_encoding(">")

    @staticmethod
    def isLittleEndianCPU() -> bool:
        """Whether this computer has the lowest byte of a number first in memory."""
        return _NATIVE == "<"

    @staticmethod
    def isBigEndianCPU() -> bool:
        """Whether this computer has the highest byte of a number first in memory."""
        return _NATIVE == ">"

    # Errors

    def quiet(self: Self) -> Self:
        """From here on failures to read or write numbers and strings raise nothing, but show in `hasError`."""
        self._quiet = True
        return self

    def pedantic(self: Self) -> Self:
        """From here on failures raise, as at first."""
        self._quiet = False
        return self

    def isQuiet(self) -> bool:
        """Whether failures raise nothing."""
        return self._quiet

    def hasError(self) -> bool:
        """Whether anything failed since the file was opened or `clearError` was called."""
        return self._failed

    def clearError(self: Self) -> Self:
        """Forgets failures."""
        self._failed = False
        return self

    # State

    def isReadable(self) -> bool:
        """Whether the mode has an "r"."""
        return "r" in self._mode

    def isWritable(self) -> bool:
        """Whether the mode has a "w"."""
        return "w" in self._mode

    def position(self) -> int:
        """The place of the next byte; the first is 1."""
        self._check_open()
        return self._handle.tell() + 1

    def seek(self: Self, position: int) -> Self:
        """Goes to a place in the file; the first byte is 1."""
        self._check_open()
        if position < 1:
            raise ValueError(f"{self._who}.seek: expected a position from 1 on, got {position!r}")
        self._handle.seek(operator.index(position) - 1)
        return self

    def seekEnd(self: Self) -> Self:
        """Goes behind the last byte."""
        self._check_open()
        self._handle.seek(0, 2)
        return self

    def synchronize(self: Self) -> Self:
        """Sees to it that everything written so far is in the file."""
        self._check_open()
        self._handle.flush()
        return self

    def close(self: Self) -> Self:
        """Closes the file; using it afterwards raises ValueError."""
        self._check_open()
        self._handle.close()
        return self

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._handle.close()

    def __repr__(self) -> str:
        status = "closed" if self._handle.closed else "open"
        mode = "".join(c if c in self._mode else " " for c in "rw")
        return f"torch.{type(self).__name__} on <{self.name}> [status: {status} -- mode {mode}]"

    # Inside

    def _choose_encoding(self: Self, order: Order | None = None) -> Self:
        self._check_open()
        self._order = order or self._order
        self._encoding = Binary(self, self._order, self._long_size) if self._binary else Ascii(self, self._spacing)
        return self

    def _check_open(self) -> None:
        if self._handle.closed:
            raise ValueError(f"{self._who}: {self.name} is closed")

    def _check(self, method: str, mode: str) -> None:
        self._check_open()
        if mode not in self._mode:
            raise ValueError(f"{self._who}.{method}: {self.name} is open in mode {self._mode!r} only")

    @abstractmethod
    def _size(self) -> int:
        """The number of bytes in the file."""

    def _left(self) -> int:
        """The number of bytes from here to the end of the file."""
        return max(self._size() - self._handle.tell(), 0)

    def _next_bytes(self) -> str:
        """The next few bytes as an error message shows them; the position stays."""
        data = self._handle.read(16)
        self._handle.seek(-len(data), 1)
        return repr(data) if data else "the end of the file"

    def _error(self, problem: str) -> T7Error:
        self._failed = True
        return T7Error(f"{self.name}: {problem} (at byte {self._handle.tell()})")

    def _fail(self, problem: str) -> None:
        error = self._error(problem)
        if not self._quiet:
            raise error
