"""What may be wrong with a file that cannot be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from ..dtypes import DTYPES, dtype_of
from .values import FUNCTION, NIL, NUMBER, TORCH

if TYPE_CHECKING:
    from .base import File

_ASCII_START = re.compile(rb"\s*[0-8]\s*\n")


def hint(file: File, start: int, first_long: tuple[str, int] | None) -> str:
    """A sentence for the end of an error message where the file looks as if written in another mode, else nothing.

    `start` is the place of the object that could not be read, `first_long` the type and the place of the first tensor
    or storage.
    """
    begin = _bytes(file, start, 16)
    if not file._binary:
        return "; this looks like a binary file: read it with mode 'binary'" if b"\0" in begin[:4] else ""
    if _ASCII_START.match(begin):
        return "; this looks like an ascii file: read it with mode 'ascii'"
    if int.from_bytes(begin[:4], _byteorder(file)) > 8 >= int.from_bytes(begin[:4], _byteorder(file, other=True)):
        other = "littleEndianEncoding" if file._order == ">" else "bigEndianEncoding"
        return f"; this looks like a file in the other byte order: call {other}() before reading"
    if first_long is not None:
        right, wrong = file._long_size, 12 - file._long_size
        if _plausible(file, *first_long, wrong) and not _plausible(file, *first_long, right):
            return f"; this looks like a file with longs of {wrong} bytes: read it with mode 'b{8 * wrong}'"
    return ""


def _plausible(file: File, name: str, place: int, size: int) -> bool:
    """Whether the tensor or storage at a place makes sense when longs have `size` bytes."""
    if name not in DTYPES:
        count = _integer(file, place, size)
        body = count * (size if "Long" in name else dtype_of(name.replace("Storage", "Tensor")).itemsize)
        end = place + size + body
        return 0 <= body <= file._size() - place - size and (
            end == file._size() or NUMBER <= _integer(file, end, 4) <= FUNCTION
        )
    dimensions = _integer(file, place, 4)
    if not 0 <= dimensions <= 64:
        return False
    end = place + 4 + (2 * dimensions + 1) * size
    header = [_integer(file, at, size) for at in range(place + 4, end, size)]
    inside = _integer(file, end, 4)  # the storage, or nothing for an empty tensor
    return min(header[:-1], default=0) >= 0 and header[-1] > 0 and (inside == TORCH or inside == dimensions == NIL)


def _integer(file: File, place: int, size: int) -> int:
    return int.from_bytes(_bytes(file, place, size), _byteorder(file), signed=True)


def _bytes(file: File, place: int, n: int) -> bytes:
    """The n bytes at a place, or fewer where the file ends; the position stays."""
    now = file._handle.tell()
    file._handle.seek(place)
    data = file._handle.read(n)
    file._handle.seek(now)
    return data


def _byteorder(file: File, other: bool = False) -> Literal["little", "big"]:
    return "little" if (file._order == "<") != other else "big"
