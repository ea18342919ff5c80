"""TensorBoard's event files, through the package tensorboardX."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch7.optional import optional

_START = 1  # SessionLog.START: what older files have of this step and later ones is hidden
_TEXT = "/text_summary"


def _package(name: str) -> Any:
    return optional(f"tensorboardX{name}", "tensorboard", "optim.Logger's format tensorboard")


def _event(**fields: Any) -> Any:
    return _package(".proto.event_pb2").Event(**fields)


def writer(folder: str, step: int) -> Any:
    """A writer of a new event file in the folder, whose first row is to be `step`."""
    record_writer = _package("").RecordWriter
    os.makedirs(folder, exist_ok=True)
    now = time.time_ns()  # files are read in the order of their names
    name = f"events.out.tfevents.{now // 10**9:010d}.{socket.gethostname()}.{now}"
    file = record_writer(os.path.join(folder, name))
    file.write(_event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
    file.write(_event(wall_time=time.time(), step=step, session_log={"status": _START}).SerializeToString())
    file.flush()
    return file


def event(names: Sequence[str], values: Sequence[Any], step: int) -> bytes:
    """The record of one row."""
    messages, summaries = _package(".proto.summary_pb2"), _package(".summary")
    summary = messages.Summary()
    for name, value in zip(names, values):
        if isinstance(value, str):
            summary.MergeFrom(summaries.text(name, value))
        else:
            summary.value.add(tag=name, simple_value=value)
    return bytes(_event(wall_time=time.time(), step=step, summary=summary).SerializeToString())


def files(folder: str) -> list[Path]:
    """The event files in a folder, in the order in which they were written."""
    return sorted(Path(folder).glob("*tfevents*"))


def read(folder: str) -> tuple[list[str], list[list[Any]]]:
    """The names and rows of all event files in a folder, the steps in their order."""
    steps: dict[int, dict[str, Any]] = {}
    for path in files(folder):
        for message in _events(path):
            if message.session_log.status == _START:
                steps = {step: row for step, row in steps.items() if step < message.step}
            for value in message.summary.value:
                name, content = _content(value)
                if content is not None:
                    steps.setdefault(message.step, {})[name] = content
    names = list(dict.fromkeys(name for row in steps.values() for name in row))
    for step, row in steps.items():
        if len(row) < len(names):
            raise ValueError(f"optim.Logger: {folder}: step {step} has {list(row)}, expected {names}")
    return names, [[steps[step][name] for name in names] for step in sorted(steps)]


def _content(value: Any) -> tuple[str, Any]:
    """The name and content of one value; None for pictures and the like."""
    if value.WhichOneof("value") == "simple_value":
        return value.tag, value.simple_value
    if value.tag.endswith(_TEXT) and value.tensor.string_val:
        return value.tag.removesuffix(_TEXT), value.tensor.string_val[0].decode(errors="replace")
    return value.tag, None


def _events(path: Path) -> Iterator[Any]:
    """The records of a file, each framed by its length and checksums, up to where it was cut off."""
    data, start = path.read_bytes(), 0
    while start + 12 <= len(data):
        (size,) = struct.unpack_from("<Q", data, start)
        record = data[start + 12 : start + 12 + size]
        start += 16 + size
        if start <= len(data):
            yield _event().FromString(record)
