"""Large arrays in parts that stay in the processor's cache while several operations go over them."""

from __future__ import annotations

import contextvars
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from torch7.tensor_functions import getnumthreads

BLOCK = 1 << 19  # bytes

_pools: list[tuple[int, ThreadPoolExecutor]] = []  # once needed: the number of threads, and those besides the caller's
if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_pools.clear)  # threads do not come along


def _pool() -> tuple[int, ThreadPoolExecutor]:
    if not _pools:
        n = getnumthreads()
        _pools.append((n, ThreadPoolExecutor(max(1, n - 1), "torch7")))
    return _pools[0]


def flattened(*arrays: np.ndarray) -> Sequence[np.ndarray]:
    """The arrays, of one shape, as views of one dimension where all their memory allows it, else as they are."""
    contiguous = all(a.flags.c_contiguous for a in arrays)
    return [a.reshape(-1) for a in arrays] if contiguous else arrays


def small(a: np.ndarray, scale: int = 1) -> bool:
    """Whether an array of this size is worked off as a whole."""
    return 2 * a.nbytes <= 3 * BLOCK * scale


def blocks(*arrays: Any, scale: int = 1) -> Iterator[Sequence[Any]]:
    """Views of the same rows of each array, block by block; small arrays come as they are, all rows at once.

    The first array tells the size of the blocks; what is None among the others is None in every block.

    >>> [part.size for part, in blocks(np.zeros(200_000))]
    [65536, 65536, 65536, 3392]
    """
    first = arrays[0]
    if small(first, scale):
        yield arrays
        return
    rows = max(1, len(first) * BLOCK * scale // first.nbytes)
    for start in range(0, len(first), rows):
        yield [None if a is None else a[start : start + rows] for a in arrays]


def each(function: Callable[..., Any], *arrays: Any, scale: int = 1) -> list[Any]:
    """function(*parts) for every block of the arrays, on as many threads as matrix products use; the results in order.

    numpy lets other threads run while it computes. The number of threads is asked of torch7.getnumthreads once, when
    it is needed first. Blocks are `scale` times as large as usual.

    >>> each(len, np.ones(200_000))
    [65536, 65536, 65536, 3392]
    """
    if small(arrays[0], scale):
        return [function(*arrays)]
    parts = list(blocks(*arrays, scale=scale))
    todo = deque(enumerate(parts))
    results: list[Any] = [None] * len(parts)

    def work() -> None:
        while True:
            try:
                i, part = todo.popleft()
            except IndexError:  # another thread has taken the last one
                return
            results[i] = function(*part)

    n, pool = _pool()
    others = [pool.submit(contextvars.copy_context().run, work) for _ in range(min(n, len(parts)) - 1)]
    try:
        work()
    finally:
        todo.clear()  # after an error nothing is begun any more
        others = [other for other in others if not other.cancel()]
        wait(others)
    for other in others:
        other.result()
    return results
