"""Sums, means and extremes along a dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
import torch7
from nn.kernels.reduction import NARROW, extremes, put_along, spread_along, sum_along
from tests.support.nested import assert_same, copied

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


def dimension(shape: tuple[int, ...], data: st.DataObject) -> tuple[int, int]:
    """A dimension as Torch counts it, and the numpy axis."""
    d = data.draw(st.integers(-len(shape), len(shape)).filter(bool))
    return d, d - 1 if d > 0 else len(shape) + d


# -- all along any dimension


@given(SHAPES, st.data())
def test_reduces_any_dimension(shape: tuple[int, ...], data: st.DataObject) -> None:
    d, along = dimension(shape, data)
    x = np.asfortranarray(numbers(*shape)) if data.draw(st.booleans()) else numbers(*shape)
    want = {"Sum": x.sum(along), "Mean": x.mean(along), "Max": x.max(along), "Min": x.min(along)}
    for name, value in want.items():
        m = getattr(nn, name)(d)
        assert_same(m.forward(x), np.reshape(value, value.shape or (1,)), rtol=1e-12, atol=1e-14)
        assert m._getPositiveDimension(x) == along + 1
        assert m.backward(x, m.output + 1).shape == x.shape


@given(st.integers(1, 2), st.integers(1, 3), st.sampled_from(["Sum", "Mean", "Max", "Min"]))
def test_dimension_of_a_sample_steps_over_the_batch(d: int, n: int, name: str) -> None:
    make, x = getattr(nn, name), numbers(n, 3, 2)
    assert_same(copied(make(d, 2).forward(x)), make(d + 1).forward(x))
    assert_same(copied(make(d, 2).forward(x[0])), make(d).forward(x[0]))
    assert_same(copied(make(-d, 2).forward(x)), make(-d).forward(x))
    assert make(None).dimension == 1


# -- Max and Min


@pytest.mark.parametrize(("make", "sign"), [(nn.Max, 1), (nn.Min, -1)])
def test_gradient_goes_to_the_first_of_equal_numbers(make: Callable[..., Any], sign: int) -> None:
    m, x = make(2), sign * np.array([[1.0, 3, 3], [2, 2, 1], [0, 0, 0]])
    assert_same(m.forward(x), sign * np.array([3.0, 2, 0]))
    assert_same(m._indices, np.array([[2], [1], [1]]))
    assert_same(m.backward(x, np.array([5.0, 6, 7])), np.array([[0.0, 5, 0], [6, 0, 0], [7, 0, 0]]))


@pytest.mark.parametrize("width", [1, NARROW])
@pytest.mark.parametrize("make", [nn.Max, nn.Min])
def test_a_nan_comes_before_any_number(make: Callable[..., Any], width: int) -> None:
    m, x = make(1), numbers(5, width)
    x[1, 0], x[3, 0], x[2, 0] = np.nan, np.nan, np.inf
    out = m.forward(x)
    assert np.isnan(out[0])
    assert m._indices[0, 0] == 2
    assert not np.isnan(out[1:]).any()


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("n", [1, 2, 255, 256, 300])
@pytest.mark.parametrize("shape", [(), (NARROW - 1,), (NARROW,), (2, NARROW)])
def test_extremes_by_columns_and_by_planes(largest: bool, n: int, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(n).integers(0, 50, (2, n, *shape)).astype(np.float32)  # with many equal numbers
    values, places = np.empty((2, *shape), np.float32), np.empty((2, *shape), np.int64)
    extremes(x, 1, largest, values, places)
    assert_same(values, x.max(1) if largest else x.min(1))
    assert_same(places, x.argmax(1) if largest else x.argmin(1))
    out = np.zeros_like(x)
    put_along(out, 1, places, values + 1)
    assert_same(out.sum(1), values + 1)
    assert np.count_nonzero(out) == values.size


def test_indices_are_whole_whatever_the_type() -> None:
    m = nn.Max(2)
    m.forward(numbers(2, 3))
    assert m.float()._indices is None
    m.forward(numbers(2, 3).astype("f"))
    assert m._indices.dtype == np.int64
    assert torch7.typename(torch7.deserialize(torch7.serialize(m))._indices) == "torch.LongTensor"
    m.clearState()
    assert m._indices.size == m._output.size == 0


def test_backward_asks_for_the_input_of_forward() -> None:
    for m in (nn.Max(2), nn.Min(2)):
        with pytest.raises(ValueError, match=rf"{torch7.typename(m)}: expected the input of the last forward"):
            m.backward(numbers(2, 3), numbers(2))
        m.forward(numbers(2, 3))
        m._indices[0] = 9
        with pytest.raises(IndexError, match=torch7.typename(m)):
            m.backward(numbers(2, 3), numbers(2))


# -- Sum and Mean


def test_Sum_keeps_the_dimension_when_it_is_told_to() -> None:
    x = numbers(2, 3, 4)
    m = nn.Sum(2, None, False, False)
    assert_same(m.forward(x), x.sum(1, keepdims=True), rtol=1e-13)
    assert_same(m.backward(x, m.output + 1), np.repeat(m.output + 1, 3, 1))
    m = nn.Sum(-1, 2, True, squeeze=False)
    assert_same(m.forward(x), x.mean(2, keepdims=True), rtol=1e-13)
    assert nn.Sum(1, squeeze=False).forward(numbers(4)).shape == (1,)


def test_Sum_divides_the_gradient_of_a_mean() -> None:
    x, g = numbers(3, 4), numbers(4)
    for m in (nn.Mean(), nn.Sum(1, None, True)):
        m.forward(x)
        assert_same(m.backward(x, g), np.tile(g / 3, (3, 1)), rtol=1e-15)
        assert_same(m.backward(x, g[None]), np.tile(g / 3, (3, 1)), rtol=1e-15)  # as many elements will do


def test_fields_of_Sum_and_Mean() -> None:
    assert (nn.Sum().sizeAverage, nn.Sum().squeeze, nn.Sum().dimension) == (False, True, 1)
    assert nn.Sum(1, None, False, None).squeeze is True
    assert nn.Mean(2, 3).sizeAverage is True
    assert isinstance(nn.Mean(), nn.Sum)
    m = nn.Sum(2)
    m.output = 0.0  # what the first files had
    assert_same(m.forward(np.ones((2, 3))), np.full(2, 3.0))


@pytest.mark.parametrize("axis", [0, 1])
def test_sums_of_many_float_numbers_are_precise(axis: int) -> None:
    x = np.full((100_000, 3), 0.1, np.float32)
    x = x if axis == 0 else np.ascontiguousarray(x.T)
    out = np.empty(3, np.float32)
    sum_along(x, axis, out)
    np.testing.assert_allclose(out, 1e5 * float(np.float32(0.1)), rtol=1e-7)


@given(SHAPES, st.data())
def test_sums_of_any_layout(shape: tuple[int, ...], data: st.DataObject) -> None:
    along = data.draw(st.integers(0, len(shape) - 1))
    x = numbers(*shape)
    for layout in (x, np.asfortranarray(x), numbers(*shape, 2)[..., 0]):
        out = np.empty(layout.sum(along).size)
        sum_along(layout, along, out)
        np.testing.assert_allclose(out, layout.sum(along).ravel(), rtol=1e-12, atol=1e-14)


@given(SHAPES, st.data())
def test_spreading_adds_up_what_goes_to_one_place(shape: tuple[int, ...], data: st.DataObject) -> None:
    along = data.draw(st.integers(0, len(shape) - 1))
    chosen = np.array(data.draw(st.lists(st.integers(0, shape[along] - 1), min_size=1, max_size=5)))
    values = numbers(*shape[:along], len(chosen), *shape[along + 1 :])
    out, want = np.full(shape, np.nan), np.zeros(shape)
    spread_along(out, along, chosen, values)
    np.add.at(want, (slice(None),) * along + (chosen,), values)
    np.testing.assert_allclose(out, want, rtol=1e-12, atol=1e-14)


# -- refusals

V, M = np.zeros(6), np.zeros((3, 4))


@pytest.mark.parametrize("name", ["Max", "Min", "Sum", "Mean"])
def test_input_that_does_not_fit_is_refused(name: str) -> None:
    make = getattr(nn, name)
    for d in (3, 0, -3):
        with pytest.raises(IndexError, match=rf"nn.{name}: dimension {d} out of range of 2D tensor"):
            make(d).forward(M)
    with pytest.raises(TypeError, match=rf"nn.{name}: expected a torch.DoubleTensor, got a table of 1"):
        make().forward([M])
    m = make(2)
    m.forward(M)
    for g, error in ((V, ValueError), (np.zeros(3, "f"), TypeError), ([np.zeros(3)], TypeError)):
        with pytest.raises(error, match=rf"nn.{name}: expected"):
            m.backward(M, g)


def test_nothing_has_no_extremes() -> None:
    for make in (nn.Max, nn.Min):
        with pytest.raises(ValueError, match=r"expected numbers along the dimension, got shape \(0, 3\)"):
            make().forward(np.zeros((0, 3)))
        assert make(2).forward(np.zeros((0, 3))).shape == (0,)


def test_squeeze_is_true_or_false() -> None:
    with pytest.raises(TypeError, match=r"nn.Sum: expected True or False for squeeze, got 1"):
        nn.Sum(1, None, False, 1)


def test_rows_stay_apart_unless_they_are_what_it_works_on() -> None:
    for make in (nn.Max, nn.Min, nn.Sum, nn.Mean):
        assert make(2).ROWWISE
        assert make(1, 1).ROWWISE
        assert not make(1).ROWWISE
        assert not make(-2, 1).ROWWISE
