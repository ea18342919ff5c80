"""How optim.Logger's rows look in a file: Torch's columns, CSV, JSON lines or TensorBoard's events."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from torch7.dtypes import printed

from . import log_events
from .log_files import EventFile, LogFile, StdOut, TextFile

Name = str | int
Value = str | int | float

_NUMBER = re.compile(r"\s*([-+]?\d+|[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(inf|nan))\s*", re.ASCII)


class Log(NamedTuple):
    """What a log holds: names, rows, and where in the file the names and each row end (the start comes first)."""

    names: list[Name]
    rows: list[list[Value]]
    ends: list[int]


class Format(ABC):
    """Names and rows as bytes in files of a kind, and back."""

    @abstractmethod
    def header(self, names: Sequence[Name]) -> bytes:
        """What comes before the first row."""

    @abstractmethod
    def row(self, names: Sequence[Name], values: Sequence[Value], step: int) -> bytes:
        """One row; steps count from 1."""

    @abstractmethod
    def open(self, path: str, log: Log | None) -> LogFile:
        """The file, emptied or, where a log is given, to be continued after its last row."""

    @abstractmethod
    def standard_output(self) -> LogFile:
        """What prints the rows."""

    @abstractmethod
    def read(self, path: str) -> Log:
        """All complete rows of a file. A last line without an end was cut off, and is left out."""


class TextFormat(Format):
    """Whole lines of text."""

    @abstractmethod
    def records(self, lines: Iterable[str]) -> Iterator[tuple[list[Any], int]]:
        """The names and then the values of each row that is complete, with the number of lines read so far.

        Raises ValueError, with the number of the line, for what is no row.
        """

    def open(self, path: str, log: Log | None) -> LogFile:
        return TextFile(path, [0] if log is None else log.ends)

    def standard_output(self) -> LogFile:
        return StdOut()

    def read(self, path: str) -> Log:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")[:-1]
        offsets = [0, *itertools.accumulate(len(line) + 1 for line in lines)]
        lines[:1] = (line.removeprefix(b"\xef\xbb\xbf") for line in lines[:1])  # with which other programs begin
        texts = (line.decode(errors="replace") for line in lines)
        names: list[Name] = []
        rows: list[list[Value]] = []
        ends = [0]
        try:
            for values, count in self.records(texts):
                if len(ends) == 1:
                    names = named(values)
                elif len(values) == len(names):
                    rows.append(values)
                else:
                    raise ValueError(f"line {count} has {len(values)} values, expected {len(names)}")
                ends.append(offsets[count])
        except ValueError as error:
            raise ValueError(f"optim.Logger: {path}: {error}") from None
        return Log(names, rows, ends)


class TorchColumns(TextFormat):
    """Torch's own: each name and each value is followed by a tab, numbers are printed with `%11.4e`."""

    def header(self, names: Sequence[Name]) -> bytes:
        return self._line(map(str, names))

    def row(self, names: Sequence[Name], values: Sequence[Value], step: int) -> bytes:
        return self._line(value if isinstance(value, str) else printed(value, "11.4e") for value in values)

    def records(self, lines: Iterable[str]) -> Iterator[tuple[list[Any], int]]:
        for count, line in enumerate(lines, 1):
            fields = line.removesuffix("\r").removesuffix("\t").split("\t")
            yield (fields if count == 1 else [number_or_text(field) for field in fields]), count

    def _line(self, fields: Iterable[str]) -> bytes:
        texts = list(fields)
        for text in texts:
            if re.search(r"[\t\r\n]", text):
                raise ValueError(
                    f"optim.Logger: expected texts without tabs and line breaks, got {text!r}; csv and jsonl hold it"
                )
        return "".join(f"{text}\t" for text in texts).encode() + b"\n"


class Csv(TextFormat):
    """Comma-separated values as RFC 4180 quotes them, with all digits of each number; lines end with a line feed."""

    def header(self, names: Sequence[Name]) -> bytes:
        return self._line(names)

    def row(self, names: Sequence[Name], values: Sequence[Value], step: int) -> bytes:
        return self._line(values)

    def records(self, lines: Iterable[str]) -> Iterator[tuple[list[Any], int]]:
        record, first = "", True
        for count, line in enumerate(lines, 1):
            record += line
            if record.count('"') % 2:  # a quoted text goes on in the next line
                record += "\n"
                continue
            try:
                fields = next(csv.reader([record]), [])
            except csv.Error as error:
                raise ValueError(f"line {count}: {error}") from None
            yield (fields if first else [number_or_text(field) for field in fields]), count
            record, first = "", False

    def _line(self, fields: Iterable[Any]) -> bytes:
        buffer = io.StringIO(newline="")
        csv.writer(buffer).writerow(fields)  # it quotes line feeds and returns alike only if its lines end in both
        return buffer.getvalue().removesuffix("\r\n").encode() + b"\n"


class JsonLines(TextFormat):
    """A JSON object in each line, with all digits. JSON has no such numbers: NaN is null, infinities are 1e999, -1e999.

    Readers turn 1e999, which is too large for a double, into infinity.
    """

    def header(self, names: Sequence[Name]) -> bytes:
        return b""

    def row(self, names: Sequence[Name], values: Sequence[Value], step: int) -> bytes:
        entries = (f"{self._text(str(name))}: {self._value(value)}" for name, value in zip(names, values))
        return f"{{{', '.join(entries)}}}\n".encode()

    def records(self, lines: Iterable[str]) -> Iterator[tuple[list[Any], int]]:
        names: list[str] = []
        for count, line in enumerate(lines, 1):
            row = self._object(line, count)
            if count == 1:
                names = list(row)
                yield names, 0
            if set(row) != set(names):
                raise ValueError(f"line {count} has the names {list(row)}, expected {names}")
            yield [row[name] for name in names], count

    def _object(self, line: str, count: int) -> dict[str, Value]:
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {count} is no JSON: {error}") from None
        values = row.values() if isinstance(row, dict) and row else [[]]
        if not all(value is None or type(value) in (str, int, float) for value in values):
            raise ValueError(f"line {count}: expected an object of numbers and strings, got {line}")
        return {name: math.nan if value is None else value for name, value in row.items()}

    def _text(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=False)

    def _value(self, value: Value) -> str:
        if isinstance(value, str):
            return self._text(value)
        if math.isfinite(value):
            return repr(value)
        return "null" if math.isnan(value) else "1e999" if value > 0 else "-1e999"


class TensorBoard(Format):
    """Event files in a folder: numbers as scalars in single precision, strings as texts, rows as steps from 1 on."""

    def header(self, names: Sequence[Name]) -> bytes:
        return b""

    def row(self, names: Sequence[Name], values: Sequence[Value], step: int) -> bytes:
        return log_events.event([str(name) for name in names], values, step)

    def open(self, path: str, log: Log | None) -> LogFile:
        return EventFile(path, 0 if log is None else len(log.ends) - 1)

    def standard_output(self) -> LogFile:
        raise ValueError("optim.Logger: the format tensorboard needs a filename: the folder for its files")

    def read(self, path: str) -> Log:
        names, rows = log_events.read(path)
        return Log(named(names), rows, [0] * (len(rows) + 2 if names else 1))


FORMATS: dict[str, Format] = {
    "torch": TorchColumns(),
    "csv": Csv(),
    "jsonl": JsonLines(),
    "tensorboard": TensorBoard(),
}


def format_of(path: str) -> str | None:
    """The name of the format of a log, by its first line; None where none is complete, or a folder has no events."""
    if os.path.isdir(path):
        return "tensorboard" if log_events.files(path) else None
    with open(path, "rb") as file:
        line = file.readline()
    if not line.endswith(b"\n"):
        return None
    return "torch" if line.rstrip(b"\r\n").endswith(b"\t") else "jsonl" if re.match(rb'\{\s*"', line) else "csv"


def number_or_text(field: str) -> Value:
    """A field of a file as a number where it looks like one.

    >>> number_or_text(" 5.0000e-01"), number_or_text("3"), number_or_text("-inf"), number_or_text("1_000")
    (0.5, 3, -inf, '1_000')
    """
    match = _NUMBER.fullmatch(field)
    if match is None:
        return field
    return int(field) if match[1].lstrip("+-").isdecimal() else float(field)


def named(names: list[Any]) -> list[Name]:
    """Names as a Logger has them: those of unnamed symbols, which are their positions, are numbers.

    >>> named(["1", "2"]), named(["2", "1"])
    ([1, 2], ['2', '1'])
    """
    positions = list(range(1, len(names) + 1))
    return list(positions) if names == list(map(str, positions)) else list(names)
