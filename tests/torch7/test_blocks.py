"""Large arrays in blocks, on several threads."""

from __future__ import annotations

import os
import runpy
import threading

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from torch7 import blocks


def test_results_come_in_order(small_blocks: int) -> None:
    x = np.arange(100.0)
    parts = blocks.each(lambda a, b: (a.copy(), b.size), x, x)
    assert np.concatenate([a for a, _ in parts]).tolist() == x.tolist()
    assert [n for _, n in parts] == [8] * 12 + [4]


def test_several_threads_work(small_blocks: int) -> None:
    barrier = threading.Barrier(small_blocks)
    names = set()

    def work(a: np.ndarray) -> None:
        if threading.current_thread().name not in names:
            names.add(threading.current_thread().name)
            barrier.wait(10)  # fails unless as many threads get here

    blocks.each(work, np.zeros(100))
    assert len(names) == small_blocks


@pytest.mark.parametrize("bad", [0, 50, 99])
def test_errors_get_out(bad: int, small_blocks: int) -> None:
    seen = []

    def work(a: np.ndarray) -> None:
        seen.append(a.size)
        if bad in a:
            raise IndexError("no such thing")

    with pytest.raises(IndexError, match="no such thing"):
        blocks.each(work, np.arange(100))
    assert len(seen) <= 13


def test_threads_have_the_callers_error_state(small_blocks: int) -> None:
    x = np.zeros(100)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        blocks.each(np.log, x)
    with np.errstate(divide="ignore"):
        assert np.isneginf(np.concatenate(blocks.each(np.log, x))).all()


def test_small_arrays_stay_whole() -> None:
    x = np.zeros((3, 4))
    assert [part[0] is x for part in blocks.blocks(x)] == [True]
    assert blocks.each(lambda a: a is x, x) == [True]


def test_none_is_none_in_every_block(small_blocks: int) -> None:
    assert blocks.each(lambda a, b: b, np.zeros(20), None) == [None, None, None]


def test_systems_without_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "register_at_fork", raising=False)
    names = runpy.run_path(blocks.__file__)
    assert names["each"](len, np.ones(3)) == [3]


@hypothesis.given(st.lists(st.integers(0, 300), min_size=1, max_size=3).map(tuple))
@hypothesis.settings(deadline=None)
def test_blocks_are_views_that_cover_everything_once(shape: tuple[int, ...]) -> None:
    x, y = np.broadcast_to(np.zeros(1), shape), np.broadcast_to(np.ones(1), shape)
    parts = list(blocks.blocks(x, None, y))
    assert sum(part.size for part, _, _ in parts) == x.size
    row = x.size // max(1, len(x))
    for part, none, other in parts:
        assert blocks.small(part) or part.size <= row
        assert none is None
        assert other.shape == part.shape
        assert not part.size or np.shares_memory(part, x)
