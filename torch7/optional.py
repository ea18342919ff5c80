"""Imports of packages that only some parts need."""

from __future__ import annotations

import importlib
from typing import Any


def optional(module: str, extra: str, why: str) -> Any:
    """The module, or an ImportError that says what it is for and which extra of the project brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(f"{why} needs the package {package}: pip install 'pygraphnn[{extra}]' ({error})") from error
