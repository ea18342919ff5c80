"""Files that take their place only when they are complete."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Collection, Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(filename: str | os.PathLike[str]) -> Iterator[str]:
    """The name of a draft beside the file, which takes the file's place when the block ends without an error.

    Whatever goes wrong, an older file of that name stays as it was and the draft is removed. Links are followed and
    permissions kept; a device or a pipe, which cannot be replaced, is its own draft.
    """
    path = os.path.realpath(filename)
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        yield path
        return
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    draft = os.path.join(folder, f".{stem[:100]}.{secrets.token_hex(6)}{suffix}")
    try:
        yield draft
        if os.path.exists(path):
            os.chmod(draft, stat.S_IMODE(os.stat(path).st_mode))
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(draft)
        raise


def suffix_of(path: str | os.PathLike[str], formats: Collection[str], who: str) -> str:
    """The format that a file's suffix names, one of `formats`; `who` begins the errors.

    Raises ValueError for any other suffix, FileNotFoundError where there is no folder to write to.

    >>> suffix_of("loss.PNG", ("png", "svg"), "draw")
    'png'
    """
    path = Path(path)
    format = path.suffix[1:].lower()
    if format not in formats:
        known = ", ".join(f".{name}" for name in formats)
        raise ValueError(f"{who}: unknown suffix {path.suffix!r} of {str(path)!r}, expected one of {known}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{who}: there is no folder {str(path.parent)!r} to write {path.name} to")
    return format


def replace(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a whole file, which takes the place of an older one only when it is complete."""
    with replacing(path) as draft:
        Path(draft).write_bytes(content)
