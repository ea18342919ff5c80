"""nn.utils: nested tables of tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from nn import utils
from tests.support.nested import assert_same


def nested(value: float = 1, dtype: Any = float) -> Any:
    return [np.full((2, 3), value, dtype), {"a": np.full(4, value, dtype), "b": [np.full(1, value, dtype)]}]


def test_recursiveResizeAs_gives_nesting_and_shapes() -> None:
    want = nested()
    got, same = utils.recursiveResizeAs(None, want)
    assert same is want
    assert [got[0].shape, got[1]["a"].shape, got[1]["b"][0].shape] == [(2, 3), (4,), (1,)]
    kept = got[0]
    got[1]["c"], extra = 5, [*got, 7]
    again, _ = utils.recursiveResizeAs(extra, want)
    assert again is extra
    assert again[0] is kept
    assert len(again) == 2
    assert set(again[1]) == {"a", "b"}


def test_recursiveResizeAs_keeps_types() -> None:
    got, _ = utils.recursiveResizeAs([np.zeros(1, np.float32)], [np.zeros(3), np.zeros(2)])
    assert [(a.dtype, a.shape) for a in got] == [(np.float32, (3,)), (np.float64, (2,))]


def test_recursiveCopy_copies_values_into_its_own_memory() -> None:
    source = nested(2)
    got, _ = utils.recursiveCopy([], source)
    assert_same(got, source)
    assert not np.shares_memory(got[0], source[0])
    kept = got[0]
    utils.recursiveCopy(got, nested(3))
    assert kept is got[0]
    assert (kept == 3).all()


def test_recursiveCopy_keeps_what_is_beyond() -> None:
    got, _ = utils.recursiveCopy([np.zeros(1), np.ones(2)], [np.full(1, 5.0)])
    assert_same(got, [np.full(1, 5.0), np.ones(2)])
    kept = np.zeros(1)
    assert utils.recursiveCopy((kept,), [np.full(1, 5.0)])[0][0] is kept
    assert_same(utils.recursiveCopy(np.zeros(1), [np.full(1, 5.0), np.ones(1)])[0], [np.full(1, 5.0), np.ones(1)])


def test_recursiveFill_fills_everything() -> None:
    x = nested()
    assert utils.recursiveFill(x, 7) is x
    assert_same(x, nested(7))
    with pytest.raises(
        TypeError, match=r"nn\.utils\.recursiveFill: expected a tensor or a table of tensors, got a string"
    ):
        utils.recursiveFill([x, "text"], 7)


def test_recursiveAdd_adds_in_place() -> None:
    x, y = nested(1), nested(2)
    first = x[0]
    got, same = utils.recursiveAdd(x, y)
    assert same is y
    assert got[0] is first
    assert_same(got, nested(3))
    assert_same(utils.recursiveAdd(got, -0.5, y)[0], nested(2))
    assert_same(y, nested(2))
    longer = [np.zeros(1), np.ones(1)]
    assert_same(utils.recursiveAdd(longer, [np.ones(1)])[0], [np.ones(1), np.ones(1)])


@pytest.mark.parametrize("t1", [[], None, [3]])
def test_recursiveAdd_needs_two_of_one_form(t1: Any) -> None:
    with pytest.raises(TypeError, match=r"nn\.utils\.recursiveAdd: expected two nested tensors of one form"):
        utils.recursiveAdd(t1, [np.ones(2)])
    with pytest.raises(TypeError, match=r"nn\.utils: expected nested tensors or tables, got a nil and a number"):
        utils.recursiveCopy([], [3])


def test_recursiveType_converts_in_place() -> None:
    x = [np.ones(2), {"m": nn.Linear(2, 2), "text": "a"}, torch7.LongStorage([2])]
    assert utils.recursiveType(x, "torch.FloatTensor") is x
    assert x[0].dtype == x[1]["m"].weight.dtype == np.float32
    assert x[2].dtype == np.int64  # storages stay
    same = x[0]
    assert utils.recursiveType(x, "torch.FloatTensor")[0] is same
    assert utils.recursiveType(np.array(2.5), "torch.FloatTensor").dtype == np.float32


def test_recursiveType_says_nothing_about_memory_never_written() -> None:
    x = np.array([1e300, math.inf, math.nan])  # what a new buffer may hold
    np.testing.assert_array_equal(utils.recursiveType(x, "torch.FloatTensor"), [math.inf, math.inf, math.nan])
    assert utils.recursiveType(x, "torch.LongTensor").dtype == np.int64


@pytest.mark.parametrize(("dim", "shape"), [(1, (1, 2, 3)), (2, (2, 1, 3)), (3, (2, 3, 1))])
def test_addSingletonDimension_counts_from_1(dim: int, shape: tuple[int, ...]) -> None:
    x = np.zeros((2, 3))
    assert utils.addSingletonDimension(x, dim).shape == shape
    assert np.shares_memory(utils.addSingletonDimension(x, dim), x)


@pytest.mark.parametrize(("x", "dim"), [(np.zeros((2, 3)), 0), (np.zeros((2, 3)), 4), ([1], 1)])
def test_addSingletonDimension_refuses(x: Any, dim: int) -> None:
    with pytest.raises(ValueError, match=rf"nn\.utils\.addSingletonDimension: no dimension {dim} to add to a t"):
        utils.addSingletonDimension(x, dim)


def test_contiguousView_copies_only_what_is_not_contiguous() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert np.shares_memory(utils.contiguousView(None, x, 3, 2), x)
    buffer = utils.contiguousView(None, x.T, 2, 3)
    assert buffer.tolist() == [[0, 3, 1], [4, 2, 5]]
    again = utils.contiguousView(buffer, x.T + 0, 6)
    assert again.tolist() == [0, 3, 1, 4, 2, 5]
    used = utils.contiguousView(buffer, x.T, 6)
    assert np.shares_memory(used, buffer)
    assert utils.contiguousView(buffer, np.zeros((4, 2)).T, -1).shape == (8,)


def test_clear_empties_fields() -> None:
    m = nn.Module()
    m.a, m.b, m.c, m.d = np.ones(3, np.float32), [np.ones(2)], 5, "kept"  # type: ignore[attr-defined]
    assert utils.clear(m, "a", "b", "c", "missing") is m
    assert (m.a.shape, m.a.dtype, m.b, m.c, m.d) == ((0,), np.float32, [], None, "kept")  # type: ignore[attr-defined]
    assert "missing" not in vars(m)
    m.a = np.ones(3)  # type: ignore[attr-defined]
    utils.clear(m, ["a", "d"])
    assert (m.a.shape, m.d) == ((0,), None)  # type: ignore[attr-defined]


def test_clear_keeps_what_is_false_and_empties_dicts() -> None:
    m = nn.Module()
    m.a, m.b, m.c, m.d = False, {"x": np.ones(2)}, torch7.Table(x=1), 0  # type: ignore[attr-defined]
    utils.clear(m, "a", "b", "c", "d")
    assert (m.a, m.b, m.c, m.d) == (False, {}, {}, None)  # type: ignore[attr-defined]


def test_addSingletonDimension_takes_a_view_to_set() -> None:
    x = np.zeros((2, 3))
    assert utils.addSingletonDimension(x).shape == (1, 2, 3)
    assert utils.addSingletonDimension(np.zeros(1), x, 2).shape == (2, 1, 3)


def test_recursiveCopy_takes_Torch_s_third_argument() -> None:
    assert_same(utils.recursiveCopy([], nested(2), True)[0], nested(2))
