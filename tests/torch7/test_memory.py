"""torch7.memory: storages, and views that know what they share."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import torch7
from torch7 import memory

SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple)
DTYPES = st.sampled_from([np.dtype(t) for t in ("float64", "float32", "int64", "uint8")])


@st.composite
def views(draw: st.DrawFn) -> np.ndarray:
    """A view, of steps and orders in any direction, on an array whose memory is in any order."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    a = np.arange(np.prod(shape), dtype=draw(DTYPES)).reshape(shape)
    a = draw(
        st.sampled_from([a, np.asfortranarray(a), a.transpose(draw(st.permutations(range(a.ndim)))) + a.dtype.type(1)])
    )
    a = a.transpose(draw(st.permutations(range(a.ndim))))
    cuts = []
    for n in a.shape:
        start = draw(st.integers(0, n - 1))
        cuts.append(slice(start, None, draw(st.sampled_from([1, 2, -1]))))
    return a[tuple(cuts)]


# -- making arrays


@given(SHAPES, DTYPES)
def test_new_arrays_are_views_on_a_storage_of_their_own(shape: tuple[int, ...], dtype: np.dtype) -> None:
    for make in (memory.empty, memory.zeros):
        a = make(shape, dtype)
        assert (a.shape, a.dtype) == (shape, dtype)
        assert memory.owner(a).shape == (a.size,)
        assert memory.owner(a) is not a
    assert not memory.zeros(shape, dtype).any()


def test_new_arrays_have_the_default_type() -> None:
    assert memory.empty().dtype == memory.zeros((2,)).dtype == np.float64
    torch7.setdefaulttensortype("torch.FloatTensor")
    try:
        assert memory.empty().dtype == memory.zeros((2,)).dtype == np.float32
    finally:
        torch7.setdefaulttensortype("torch.DoubleTensor")


@given(SHAPES, SHAPES, DTYPES, DTYPES)
def test_resized_keeps_what_fits(old: Any, new: Any, old_dtype: np.dtype, new_dtype: np.dtype) -> None:
    a = memory.empty(old, old_dtype)
    b = memory.resized(a, new, new_dtype)
    assert (b is a) == (old == new and old_dtype == new_dtype)
    assert (b.shape, b.dtype) == (new, new_dtype)
    assert memory.resized(None, new, new_dtype).shape == new


def test_scratch_gives_the_same_memory_again() -> None:
    a = memory.scratch((2, 3), np.dtype(float))
    assert np.shares_memory(a, memory.scratch((5,), np.dtype(float)))
    assert not np.shares_memory(a, memory.scratch((5,), np.dtype(np.float32)))
    assert memory.scratch((400, 3), np.dtype(float)).shape == (400, 3)


def test_scratch_belongs_to_a_thread() -> None:
    other: list[np.ndarray] = []
    mine = memory.scratch((2, 3), np.dtype(float))
    thread = threading.Thread(target=lambda: other.append(memory.scratch((2, 3), np.dtype(float))))
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, other[0])


# -- seeing storages


@given(views())
def test_a_view_is_found_in_its_storage(a: np.ndarray) -> None:
    flat = memory.storage(a)
    assert flat.ndim == 1
    assert flat.dtype == a.dtype
    assert flat.size == memory.owner(a).size
    again = memory.view_of(flat, memory.offset(a), a.shape, memory.strides(a))
    np.testing.assert_array_equal(again, a)
    assert np.shares_memory(again, a)
    assert memory.owner(again) is memory.owner(a)


def test_the_owner_is_the_end_of_the_chain() -> None:
    a = memory.zeros((4, 6))
    assert memory.owner(a[1:][:, ::2].T) is memory.owner(a)
    assert memory.owner(a.copy()) is not memory.owner(a)
    windows = np.lib.stride_tricks.sliding_window_view(a, 2, axis=1)
    assert memory.owner(windows) is memory.owner(a)
    assert memory.owner(np.broadcast_to(a, (3, 4, 6))) is memory.owner(a)


def test_storage_of_memory_with_holes() -> None:
    room = bytearray(np.arange(30.0).tobytes())
    a = np.ndarray((3, 2), float, room, 10 * 8, (40, -16))  # elements 10, 8 | 15, 13 | 20, 18
    flat = memory.storage(a)
    np.testing.assert_array_equal(flat, np.arange(8.0, 21.0))
    assert memory.offset(a) == 2
    assert memory.offset(a[1:, 1]) == 5
    np.testing.assert_array_equal(memory.view_of(flat, 2, a.shape, memory.strides(a)), a)


def test_storage_seen_as_another_type() -> None:
    a = np.arange(4, dtype=np.int64)
    b = a.view(np.float64)[1:]
    assert memory.storage(b).dtype == np.float64
    assert memory.storage(b).size == 4
    assert memory.offset(b) == 1


def test_an_empty_view_begins_nowhere() -> None:
    assert memory.offset(np.zeros(5)[3:3]) == 0


def test_view_of_nothing_is_empty() -> None:
    flat = np.arange(6.0)
    assert memory.view_of(flat, 99, (2, 0), (5, 5)).shape == (2, 0)
    assert memory.view_of(flat, 0, (), ()).shape == (0,)  # Torch's tensor without dimensions is empty


@pytest.mark.parametrize(
    ("start", "shape", "steps"),
    [(0, (7,), (1,)), (3, (2, 2), (3, 1)), (-1, (2,), (1,)), (0, (2,), (-1,)), (6, (1,), (1,)), (2, (3,), (2,))],
)
def test_view_of_stays_inside(start: int, shape: tuple[int, ...], steps: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="reaches outside a storage of 6"):
        memory.view_of(np.arange(6.0), start, shape, steps)


@pytest.mark.parametrize(("shape", "steps"), [((2, 2), (1,)), ((-1,), (1,))])
def test_view_of_refuses_what_is_no_shape(shape: tuple[int, ...], steps: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no view with sizes"):
        memory.view_of(np.arange(6.0), 0, shape, steps)


def test_alias_is_another_object_on_the_same_memory() -> None:
    a = np.arange(6.0)
    b = memory.alias(a)
    b[0] = 7
    assert b is not a
    assert a[0] == 7
