"""Files on disk and in memory."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from ..dtypes import typename
from ..tables import Storage
from .base import File

_MODES = {"r": "rb", "w": "wb", "rw": "r+b"}


class DiskFile(File):
    """A file on disk, opened to read ("r"), to write from its beginning ("w") or both ("rw", made where it is missing).

    Raises OSError when the file cannot be opened; with `quiet`, the result is None then, and other failures are only
    noted for `hasError()`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with DiskFile(folder + "/numbers.txt", "w") as file:
    ...         file.writeInt(42), file.writeDouble(0.5)
    ...     with DiskFile(folder + "/numbers.txt") as file:
    ...         file.readInt(), file.readDouble()
    (1, 1)
    (42, 0.5)
    """

    def __new__(cls, name: str | os.PathLike[str], mode: str = "r", quiet: bool = False) -> Any:
        """Opens the file; None where that fails and `quiet` is set."""
        if mode not in _MODES:
            raise ValueError(f"torch7.DiskFile: expected mode 'r', 'w' or 'rw', got {mode!r}")
        self = super().__new__(cls)
        try:
            self._handle = _opened(name, mode)
        except OSError:
            if quiet:
                return None
            raise
        return self

    def __init__(self, name: str | os.PathLike[str], mode: str = "r", quiet: bool = False):
        super().__init__(self._handle, os.fspath(name), mode)
        self._quiet = quiet

    def noBuffer(self) -> DiskFile:
        """From here on what is written goes to the disk at once."""
        self._check_open()
        self._unbuffered = True
        return self

    def _size(self) -> int:
        if isinstance(self._handle, io.BytesIO):
            return self._handle.getbuffer().nbytes
        if self.isWritable():
            self._handle.flush()
        return os.fstat(self._handle.fileno()).st_size


def _opened(name: str | os.PathLike[str], mode: str) -> Any:
    try:
        handle: Any = open(name, _MODES[mode])  # noqa: SIM115 - the file is closed by its user
    except FileNotFoundError:
        if mode != "rw":
            raise
        handle = open(name, "w+b")  # noqa: SIM115
    if mode == "r" and not handle.seekable():  # a pipe
        with handle:
            return io.BytesIO(handle.read())
    return handle


class MemoryFile(File):
    """A file in memory: empty, or with the content of a CharStorage, which must end with a 0, or of a byte string.

    It is open to read ("r"), to write ("w") or both ("rw").

    >>> file = MemoryFile()
    >>> file.writeObject([1, "two"])
    >>> file.seek(1).readObject()
    [1, 'two']
    """

    def __init__(self, storage: Storage | bytes | str | None = None, mode: str = "rw"):
        if isinstance(storage, str):
            mode, storage = storage, None
        if mode not in _MODES:
            raise ValueError(f"torch7.MemoryFile: expected mode 'r', 'w' or 'rw', got {mode!r}")
        super().__init__(io.BytesIO(_content(storage)), "memory", mode)

    def storage(self) -> Storage:
        """A CharStorage with a copy of the file's content and a 0 at its end."""
        self._check_open()
        return np.frombuffer(self._handle.getvalue() + b"\0", np.int8).copy().view(Storage)

    def seek(self, position: int) -> MemoryFile:
        """Goes to a place in the file; the first byte is 1. There is no place behind the end of the content."""
        self._check_open()
        if position > self._size() + 1:
            self._fail(f"unable to seek at position {position} of a file of {self._size()} bytes")
            return self
        return super().seek(position)

    def _size(self) -> int:
        return self._handle.getbuffer().nbytes


def _content(storage: Any) -> bytes:
    if storage is None:
        return b""
    if isinstance(storage, (bytes, bytearray, memoryview)):
        return bytes(storage)
    if not isinstance(storage, np.ndarray):
        raise TypeError(f"torch7.MemoryFile: expected a torch.CharStorage or bytes, got {type(storage).__name__}")
    if storage.dtype != np.int8 or storage.ndim != 1:
        raise TypeError(f"torch7.MemoryFile: expected a torch.CharStorage, got {typename(storage)} of {storage.ndim}D")
    if not storage.size or storage[-1] != 0:
        raise ValueError("torch7.MemoryFile: expected a CharStorage that ends with a 0")
    return storage.tobytes()[:-1]
