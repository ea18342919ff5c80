"""One line per class of nn, and one more for each other form of input: how to make an object, and what to feed it.

A file per family; every `CASES` in this folder is found.
"""

from __future__ import annotations

import importlib
import pkgutil

import nn
from tests.support.contract import Case, made

_FOUND: list[Case] = [
    case for file in pkgutil.iter_modules(__path__) for case in importlib.import_module(f"{__name__}.{file.name}").CASES
]
CRITERIONS = [case for case in _FOUND if isinstance(made(case), nn.Criterion)]
MODULES = [case for case in _FOUND if case not in CRITERIONS]
