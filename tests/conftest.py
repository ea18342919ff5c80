"""Threads of the tests, and arrays that are cut into blocks although they are small."""

import os

# set before numpy is loaded: the tests run side by side, one thread each
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


@pytest.fixture(params=[1, 2, 3])
def small_blocks(request: Any, monkeypatch: Any) -> Any:
    """Blocks of 8 numbers, on one, two or three threads."""
    from torch7 import blocks

    with ThreadPoolExecutor(request.param) as pool:
        monkeypatch.setattr(blocks, "BLOCK", 64)
        monkeypatch.setattr(blocks, "_pools", [(request.param, pool)])
        yield request.param
