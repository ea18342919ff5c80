"""The files behind optim.Logger: what was written last can be taken back."""

from __future__ import annotations

import os
import stat
import sys
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from . import log_events


class Unsaved:
    """What belongs to this process alone: in a copy or a pickle of its owner None stands in its place."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[()]]:
        return type(None), ()


class LogFile(Unsaved, ABC):
    """A file of records: a header, then rows. Each is with the system when `write` returns."""

    records = 0

    @abstractmethod
    def write(self, record: bytes) -> None:
        """Writes one record; after an error or an interrupt `cut` removes what there may be of it."""

    @abstractmethod
    def cut(self, records: int) -> None:
        """Keeps the first records alone."""

    def close(self) -> None:
        """Closes the file, if it is open. One that nobody uses any more is closed, too."""

    @property
    def closed(self) -> bool:
        """Whether there is nothing to write to."""
        return False


class StdOut(LogFile):
    """Standard output, which takes nothing back."""

    def write(self, record: bytes) -> None:
        sys.stdout.write(record.decode())
        sys.stdout.flush()
        self.records += 1

    def cut(self, records: int) -> None:
        self.records = records


class TextFile(LogFile):
    """A file without a buffer; `ends` are the positions after each record that it has, and first its start."""

    def __init__(self, path: str, ends: list[int]):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o666)
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._ends = list(ends)
        self.cut(len(ends) - 1)

    @property
    def records(self) -> int:  # type: ignore[override]
        return len(self._ends) - 1

    def write(self, record: bytes) -> None:
        start = os.fstat(self._descriptor).st_size
        rest = memoryview(record)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._ends.append(start + len(record))

    def cut(self, records: int) -> None:
        if self._regular:  # a pipe or a device takes nothing back
            os.ftruncate(self._descriptor, self._ends[records])
        del self._ends[records + 1 :]

    def close(self) -> None:
        self._close()

    @property
    def closed(self) -> bool:
        return not self._close.alive


class EventFile(LogFile):
    """TensorBoard's newest event file in a folder. What is cut off stays in older files, and TensorBoard hides it."""

    def __init__(self, folder: str, records: int):
        self._folder = folder
        self._open(records)

    def _open(self, records: int) -> None:
        self._writer = log_events.writer(self._folder, step=max(records, 1))
        self._close = weakref.finalize(self, self._writer.close)
        self.records = records

    def write(self, record: bytes) -> None:
        if record:
            self._writer.write(record)
            self._writer.flush()
        self.records += 1

    def cut(self, records: int) -> None:
        self.close()
        self._open(records)

    def close(self) -> None:
        self._close()

    @property
    def closed(self) -> bool:
        return not self._close.alive
