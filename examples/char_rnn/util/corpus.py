"""A text that every machine has: the source of Python's own standard library."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from pathlib import Path

from torch7.replacing import replacing

from .misc import UsageError

SIZE = 1_000_000


def builtin_corpus() -> Path:
    """The directory of input.txt, about a megabyte of Python source, made on first use.

    It holds the plain ASCII modules at the top of the standard library in alphabetical order, up to SIZE bytes, so
    that it is the same wherever the version of Python is: files that an installation adds are left out. It lies in the
    user's cache directory.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache / "pygraphnn" / f"python-{platform.python_version()}"
    text = directory / "input.txt"
    if not text.exists():
        print(f"making a text of Python's standard library: {text}")
        directory.mkdir(parents=True, exist_ok=True)
        with replacing(text) as draft:
            Path(draft).write_bytes(source())
    return directory


def source() -> bytes:
    """The text itself."""
    parts, size = [], 0
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        part = path.read_bytes().replace(b"\r\n", b"\n")
        if part.isascii() and path.stem in sys.stdlib_module_names:
            parts.append(part)
            size += len(part)
        if size >= SIZE:
            break
    if not size:
        raise UsageError("Python's standard library has no source here: give a text with -data_dir")
    return b"".join(parts)[:SIZE]
