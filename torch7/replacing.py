"""Files that take their place only when they are complete."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator


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
