"""Large arrays are worked off in blocks, on several threads: with the results of all at once."""

from __future__ import annotations

import os
import runpy
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from nn.kernels import blocks, masks
from tests.nn.cases import activations
from tests.support.contract import EXACT, Case, backward, gradients, input_of, like, made, output, over, strided
from tests.support.nested import assert_same


@pytest.fixture(params=[1, 2, 3])
def small_blocks(request: Any, monkeypatch: Any) -> Any:
    """Blocks of 8 numbers, on one, two or three threads."""
    with ThreadPoolExecutor(request.param) as pool:
        monkeypatch.setattr(blocks, "BLOCK", 64)
        monkeypatch.setattr(blocks, "_pools", [(request.param, pool)])
        yield request.param


LARGE = {"N": 5, "*": (4, 3), "T": 4, "D": 4, "H": 5, "W": 3}


@over(*activations.CASES)
def test_blocks_give_the_same(case: Case, small_blocks: int, monkeypatch: Any) -> None:
    m, x = made(case), input_of(case, LARGE)
    y = output(m, x)
    g = like(y)
    found = [y, backward(m, x, g), gradients(m, x, g)]
    gaps = output(m, strided(x))
    monkeypatch.setattr(blocks, "BLOCK", 1 << 19)
    want = [output(m, x), backward(m, x, g), gradients(m, x, g)]
    assert_same(found, want, **EXACT)
    assert_same(gaps, want[0], **EXACT)


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


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_masks(dtype: Any) -> None:
    mask = np.array([True, False, True])
    x, other = np.array([1, np.inf, np.nan], dtype), np.array([np.nan, -0.0, 7], dtype)
    out = np.empty(3, dtype)
    masks.kept(x, mask, out)
    np.testing.assert_array_equal(out, [1, 0, np.nan])
    masks.dropped(x, mask, out)
    np.testing.assert_array_equal(out, [0, np.inf, 0])
    for a, b in ((x, other), (x, -0.5), (0.25, other), (0.25, -0.5)):
        masks.chosen(mask, a, b, out)
        np.testing.assert_array_equal(out, np.where(mask, a, b))
    for a, b, room in ((x.copy(), other, 0), (x, other.copy(), 1)):
        want, out = np.where(mask, a, b), (a, b)[room]
        masks.chosen(mask, a, b, out)
        np.testing.assert_array_equal(out, want)


def test_systems_without_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "register_at_fork", raising=False)
    names = runpy.run_path(blocks.__file__)
    assert names["each"](len, np.ones(3)) == [3]
