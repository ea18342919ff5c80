"""Lua's numbers and sums over arrays, against numpy's."""

from __future__ import annotations

import math
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from optim.numeric import divide, dot, larger, move, norm1, scale, smaller, sqrt, subtract

numbers = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan]))


@hypothesis.given(numbers, numbers)
def test_numbers_as_the_processor_has_them(a: float, b: float) -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_equal(divide(a, b), float(np.float64(a) / np.float64(b)))
        np.testing.assert_equal(sqrt(a), float(np.sqrt(np.float64(a))))
    if not (math.isnan(a) or math.isnan(b)):
        assert (smaller(a, b), larger(a, b)) == (min(a, b), max(a, b))
    else:
        np.testing.assert_equal((smaller(a, b), larger(a, b)), (b, b))


@pytest.mark.parametrize("shape", [(0,), (1,), (200_001,), (300, 2, 301), (2, 150_000)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_more_than_a_block(shape: tuple[int, ...], dtype: Any, order: Any) -> None:
    a, b, out = (np.random.RandomState(1).randn(3, *shape) + 1).astype(dtype)
    a, b, out = (np.array(x, order=order) for x in (a, b, out))
    doubles = a.astype(float) * b.astype(float)
    assert type(dot(a, b)) is float
    assert dot(a, b) == pytest.approx(math.fsum(doubles.reshape(-1)), rel=1e-12)
    assert norm1(a, 0.5, out) == pytest.approx(math.fsum(np.abs(a.reshape(-1))) / 2, rel=1e-12)
    np.testing.assert_array_equal(out, np.abs(a * dtype(0.5)))
    scale(a, 0.3, out)
    np.testing.assert_array_equal(out, a * dtype(0.3))
    subtract(a, b, out)
    np.testing.assert_array_equal(out, a - b)
    moved = b.copy()
    move(moved, 0.3, a)
    np.testing.assert_array_equal(moved, b + a * dtype(0.3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [3, 200_000])
def test_nothing_is_an_error(dtype: Any, n: int) -> None:
    """Not even in other threads; warnings are errors here."""
    huge = np.full(n, np.finfo(dtype).max)
    huge[1] = -math.inf
    out = np.zeros_like(huge)
    assert dot(huge, huge) == math.inf
    assert norm1(huge, 10, out) == math.inf
    scale(huge, 1e300, out)
    subtract(huge, huge, out)
    assert math.isnan(out[1])
    move(out, math.inf, np.zeros_like(huge))
    assert np.isnan(out).all()
