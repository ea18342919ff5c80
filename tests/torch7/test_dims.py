"""torch7.dims: counting from 1 becomes counting from 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch7.dims import axis, position, positions, whole, whole_numbers


@given(st.integers(1, 9), st.data())
def test_axis_counts_from_both_ends(ndim: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, ndim))
    assert axis(n, ndim) == n - 1
    assert axis(-n, ndim) == ndim - n


@given(st.integers(1, 5), st.data())
def test_axis_steps_over_the_batch(nInputDims: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, nInputDims))
    assert axis(n, nInputDims, nInputDims) == n - 1
    assert axis(n, nInputDims + 1, nInputDims) == n
    assert axis(n, nInputDims + 2, nInputDims) == n - 1  # neither a sample nor a batch: counted as it stands
    assert axis(-n, nInputDims + 1, nInputDims) == nInputDims + 1 - n  # from the end there is nothing to step over


@pytest.mark.parametrize(("dimension", "ndim"), [(0, 2), (3, 2), (-3, 2), (1, 0), (-1, 0)])
def test_axis_refuses_dimensions_that_are_not_there(dimension: int, ndim: int) -> None:
    with pytest.raises(IndexError, match=rf"nn.Narrow: dimension {dimension} out of range of {ndim}D tensor"):
        axis(dimension, ndim, who="nn.Narrow")


def test_axis_refuses_a_dimension_beyond_the_batch() -> None:
    with pytest.raises(IndexError, match="dimension 2 out of range of 2D"):
        axis(2, 2, nInputDims=1)
    with pytest.raises(IndexError, match="dimension 0 out of range"):
        axis(0, 2, nInputDims=1)


@given(st.integers(1, 50), st.data())
def test_position_counts_from_both_ends(size: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, size))
    assert position(n, size) == n - 1
    assert position(-n, size) == size - n
    assert position(np.int64(n), size) == n - 1  # type: ignore[arg-type]


@pytest.mark.parametrize(("index", "size"), [(0, 3), (4, 3), (-4, 3), (1, 0)])
def test_position_refuses_indices_that_are_not_there(index: int, size: int) -> None:
    with pytest.raises(IndexError, match=rf"nn.Select: index {index} out of range of {size} elements"):
        position(index, size, "nn.Select")


def test_position_refuses_what_is_no_whole_number() -> None:
    with pytest.raises(ValueError, match=r"nn.Select: expected a whole number as index, got 1.5"):
        position(1.5, 3, "nn.Select")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"nn.Max: expected a whole number as dimension, got None"):
        axis(None, 3, who="nn.Max")  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [1.5, None, "1", [1], float("nan"), float("inf")])
def test_whole_refuses_anything_else(wrong: Any) -> None:
    error = ValueError if isinstance(wrong, float) else TypeError
    with pytest.raises(error, match=r"nn.Narrow: expected a whole number as length, got "):
        whole(wrong, "nn.Narrow", "length")


@pytest.mark.parametrize("number", [2, 2.0, 4 / 2, np.int8(2), np.uint64(2), np.float32(2), np.float64(2)])
def test_whole_numbers_of_any_type_count_dimensions(number: Any) -> None:
    assert (whole(number), axis(number, 3), position(-number if isinstance(number, float) else number, 3)) == (2, 1, 1)
    assert {type(whole(number)), type(axis(number, 3)), type(position(number, 3))} == {int}


NUMERIC = [np.int64, np.int32, np.int16, np.int8, np.uint8, np.uint64, np.float16, np.float32, np.float64]


@pytest.mark.parametrize("dtype", NUMERIC)
def test_positions_of_any_type(dtype: Any) -> None:
    found = positions(np.array([[3, 1], [2, 3]], dtype), 3)
    assert found.dtype == np.int64
    assert found.tolist() == [[2, 0], [1, 2]]
    assert positions(np.array([], dtype), 3).shape == (0,)
    assert positions(dtype(2), 3) == 1


@pytest.mark.parametrize("wrong", [0, -1, 4, 4.0, [1, 0], np.array([[1, 9]]), -(2**63), 1e15])
def test_positions_outside_are_refused(wrong: Any) -> None:
    with pytest.raises(IndexError, match=r"nn.OneHot: labels count from 1 and go up to 3, got "):
        positions(wrong, 3, "nn.OneHot", "labels")


@pytest.mark.parametrize("wrong", [2.5, np.nan, np.inf, -np.inf, 1e300, np.array([1, 0.5], np.float32)])
def test_whole_numbers_are_whole(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"nn.OneHot: expected whole numbers as labels, got "):
        whole_numbers(wrong, "nn.OneHot", "labels")


@pytest.mark.parametrize("wrong", [None, True, "1", 1j, np.array([True]), {}])
def test_whole_numbers_are_numbers(wrong: Any) -> None:
    with pytest.raises(TypeError, match="torch7: expected whole numbers as indices, got "):
        whole_numbers(wrong)


def test_whole_numbers_of_int64_are_no_copy() -> None:
    a = np.array([1, 2])
    assert whole_numbers(a) is a
