"""How numbers stand in a file: as in the computer's memory (binary) or as text (ascii)."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..dtypes import KINDS
from .values import NUMBER, numbers_of

if TYPE_CHECKING:
    from .base import File


Order = Literal["<", ">"]


class Binary:
    """Numbers as bytes in either byte order; a long has 4 or 8 of them."""

    smallest_entry = 12
    """Bytes that a table's key and value take at least: two type numbers and the key's body."""

    def __init__(self, file: File, order: Order, long_size: int):
        self._file = file
        self._handle = file._handle
        self._int = struct.Struct(order + "i")
        self._double = struct.Struct(order + "d")
        self._dtypes = {kind: dtype.newbyteorder(order) for kind, dtype in KINDS.items()}
        self._dtypes["Long"] = np.dtype(f"{order}i{long_size}")
        self._number = np.dtype([("type", order + "i4"), ("value", order + "f8")])

    def integer(self) -> int:
        """The next int."""
        data = self._handle.read(4)
        if len(data) < 4:
            raise self._file._error(f"expected an int of 4 bytes, found only {len(data)} before the end of the file")
        return self._int.unpack(data)[0]

    def number(self) -> float:
        """The next double."""
        data = self._handle.read(8)
        if len(data) < 8:
            raise self._file._error(f"expected a double of 8 bytes, found only {len(data)} before the end of the file")
        return self._double.unpack(data)[0]

    def number_objects(self, n: int) -> list[int | float]:
        """The number objects that come next, n at most: many at once, for large tables."""
        block = self._handle.read(n * self._number.itemsize)
        objects = np.frombuffer(block, self._number, len(block) // self._number.itemsize)
        others = np.flatnonzero(objects["type"] != NUMBER)
        count = int(others[0]) if others.size else objects.size
        self._handle.seek(count * self._number.itemsize - len(block), 1)
        return numbers_of(objects["value"][:count])

    def most(self, kind: str) -> int:
        """How many elements of a kind the rest of the file can hold at most."""
        return self._file._left() // self._dtypes[kind].itemsize

    def array(self, kind: str, n: int) -> np.ndarray:
        """The next n elements as a new array, or fewer where the file ends; n is at most `most(kind)`."""
        data = np.empty(n, self._dtypes[kind])
        room = memoryview(data.view(np.uint8).data)
        filled = 0
        while filled < room.nbytes:
            count = self._handle.readinto(room[filled:])
            if not count:
                break
            filled += count
        return data[: filled // data.itemsize].astype(KINDS[kind], copy=False)

    def chars(self, n: int) -> bytes:
        """The next n bytes, or fewer where the file ends."""
        return self._handle.read(n)

    def put_integer(self, n: int) -> None:
        """Writes an int."""
        self._handle.write(self._int.pack(n))

    def put_number(self, x: float) -> None:
        """Writes a double."""
        self._handle.write(self._double.pack(x))

    def put_number_objects(self, data: np.ndarray) -> None:
        """Writes each element of an array of doubles as a number object."""
        objects = np.empty(data.size, self._number)
        objects["type"], objects["value"] = NUMBER, data
        self._handle.write(objects.view(np.uint8))

    def put_array(self, kind: str, data: np.ndarray) -> None:
        """Writes a contiguous one-dimensional array of the kind's dtype."""
        dtype = self._dtypes[kind]
        if data.itemsize != dtype.itemsize and data.size:
            room = np.iinfo(dtype)
            if data.min() < room.min or data.max() > room.max:
                raise ValueError(f"{self._file.name}: a long of {data.max()} or {data.min()} does not fit in 4 bytes")
        self._handle.write(data.astype(dtype, copy=False).view(np.uint8))

    def put_chars(self, data: bytes) -> None:
        """Writes a string's bytes."""
        self._handle.write(data)


_INT = re.compile(rb"[+-]?\d+")
_FLOAT = re.compile(rb"[+-]?(?:inf(?:inity)?|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)", re.IGNORECASE)
_NUMBER_OBJECT = re.compile(rb"1\n(" + _FLOAT.pattern + rb")\n", re.IGNORECASE)
_WINDOW = 400  # longer than any number that is meant to be read
_BLOCK = 1 << 16
_RAW = ("Byte", "Char")  # ascii files hold these as they are, without spaces


class Ascii:
    """Numbers as text, as C's printf and scanf treat it: a space between elements, a line end after each group."""

    smallest_entry = 6

    def __init__(self, file: File, spacing: bool):
        self._file = file
        self._handle = file._handle
        self._separator = b" " if spacing else b""
        self._end = b"\n" if spacing else b""

    def integer(self) -> int:
        """The next int."""
        word = self._word(_INT)
        if word is None:
            raise self._file._error(f"expected an int, found {self._file._next_bytes()}")
        if not -(2**31) <= int(word) < 2**31:
            raise self._file._error(f"expected an int, found the number {word.decode()}")
        return int(word)

    def number(self) -> float:
        """The next double."""
        word = self._word(_FLOAT)
        if word is None:
            raise self._file._error(f"expected a number, found {self._file._next_bytes()}")
        return float(word)

    def number_objects(self, n: int) -> list[int | float]:
        """The number objects that come next, n at most: many at once, for large tables."""
        block = self._handle.read(30 * n)
        found: list[float] = []
        end = 0
        while len(found) < n and (match := _NUMBER_OBJECT.match(block, end)):
            found.append(float(match[1]))
            end = match.end()
        self._handle.seek(end - len(block), 1)
        return numbers_of(np.array(found))

    def most(self, kind: str) -> int:
        """How many elements of a kind the rest of the file can hold at most."""
        left = self._file._left()
        return left if kind in _RAW else (left + 1) // 2

    def array(self, kind: str, n: int) -> np.ndarray:
        """The next n elements as a new array, or fewer where no number follows; n is at most `most(kind)`."""
        if kind in _RAW:
            return np.frombuffer(self.chars(n), KINDS[kind]).copy()
        found = self._line(KINDS[kind], n)
        return self._words(KINDS[kind], n) if found is None else found

    def chars(self, n: int) -> bytes:
        """The next n bytes, or fewer where the file ends."""
        data = self._handle.read(n)
        if n and self._end:
            after = self._handle.read(1)
            if after not in (b"", self._end):
                self._handle.seek(-1, 1)
        return data

    def put_integer(self, n: int) -> None:
        """Writes an int."""
        self._handle.write(b"%d" % n + self._end)

    def put_number(self, x: float) -> None:
        """Writes a double."""
        word = b"%.17g" % x if x == x else _printed(np.array([x]))[0]
        self._handle.write(word + self._end)

    def put_number_objects(self, data: np.ndarray) -> None:
        """Writes each element of an array of doubles as a number object."""
        for start in range(0, data.size, _BLOCK):
            words = _printed(data[start : start + _BLOCK])
            self._handle.write(b"".join([b"1" + self._end + word + self._end for word in words]))

    def put_array(self, kind: str, data: np.ndarray) -> None:
        """Writes a contiguous one-dimensional array of the kind's dtype."""
        if kind in _RAW:
            return self.put_chars(data.tobytes())
        for start in range(0, data.size, _BLOCK):
            words = self._separator.join(_printed(data[start : start + _BLOCK]))
            self._handle.write((self._separator if start else b"") + words)
        self._handle.write(self._end if data.size else b"")

    def put_chars(self, data: bytes) -> None:
        """Writes a string's bytes."""
        self._handle.write(data + self._end if data else b"")

    def _word(self, pattern: re.Pattern[bytes]) -> bytes | None:
        """The next number's text and, with spacing, a line end right behind it; None, unmoved, if there is none."""
        while True:
            line = self._handle.readline(_WINDOW)
            match = pattern.match(line)
            if match and match.end() == len(line) - 1 and line.endswith(b"\n") and self._end:  # as Torch writes it
                return match[0]
            if match or not line or not line[:1].isspace():
                break
            blank = len(line) - len(line.lstrip())
            self._handle.seek(blank - len(line), 1)
        if match is None or match.end() == _WINDOW:
            self._handle.seek(-len(line), 1)
            return None
        end = match.end() + (line[match.end() : match.end() + 1] == self._end)
        if end < len(line):
            self._handle.seek(end - len(line), 1)
        return match[0]

    def _line(self, dtype: np.dtype, n: int) -> np.ndarray | None:
        """The n numbers of a line that holds nothing else, as Torch writes them; None, unmoved, for anything else."""
        line = self._handle.readline(26 * n + 1)
        words = line.split()
        if len(words) == n and self._end and re.search(rb"\S\n\Z", line) and b"_" not in line:
            try:
                return _parsed(words, dtype)
            except (ValueError, OverflowError):
                pass
        self._handle.seek(-len(line), 1)
        return None

    def _words(self, dtype: np.dtype, n: int) -> np.ndarray:
        """Up to n numbers, one after the other."""
        words: list[bytes] = []
        while len(words) < n:
            word = self._word(_FLOAT if dtype.kind == "f" else _INT)
            if word is None:
                break
            words.append(word)
        try:
            return _parsed(words, dtype)
        except OverflowError:
            raise self._file._error(f"expected numbers of type {dtype}, found one that is out of range") from None


def _parsed(words: list[bytes], dtype: np.dtype) -> np.ndarray:
    if dtype.kind != "f":
        return np.array([int(word) for word in words], dtype)
    with np.errstate(over="ignore"):
        return np.array([float(word) for word in words]).astype(dtype, copy=False)


def _printed(data: np.ndarray) -> list[bytes]:
    """The elements as C prints them with %d, %.9g (float) or %.17g (double), which shows the sign of a NaN."""
    if data.dtype.kind != "f":
        return [b"%d" % x for x in data.tolist()]
    digits = b"%.17g" if data.itemsize == 8 else b"%.9g"
    words = [digits % x for x in data.tolist()]
    for i in np.flatnonzero(np.isnan(data) & np.signbit(data)):
        words[i] = b"-nan"
    return words
