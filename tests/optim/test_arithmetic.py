"""The updates in place and the blocks they are made in."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from optim.arithmetic import BLOCK, add, addcdiv, addcmul, blocks


@hypothesis.given(st.lists(st.integers(0, 300), min_size=1, max_size=3).map(tuple))
@hypothesis.settings(deadline=None)
def test_blocks_are_views_that_cover_everything_once(shape: tuple[int, ...]) -> None:
    x, y = np.broadcast_to(np.zeros(1), shape), np.broadcast_to(np.ones(1), shape)
    parts = list(blocks(x, None, y))
    assert sum(part.size for part, _, _ in parts) == x.size
    row = x.size // max(1, len(x))
    for part, none, other in parts:
        assert part.size <= max(BLOCK, row)
        assert none is None
        assert other.shape == part.shape
        assert not part.size or np.shares_memory(part, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_order_of_rounding(dtype: type) -> None:
    y, a, b = np.random.RandomState(1).uniform(1, 2, (3, 500)).astype(dtype)
    factor = dtype(0.3)
    for function, expected in ((addcmul, y + (factor * a) * b), (addcdiv, y + (factor * a) / b)):
        result = y.copy()
        function(result, 0.3, a, b)
        np.testing.assert_array_equal(result, expected)
    result = y.copy()
    add(result, 0.3, a)
    np.testing.assert_array_equal(result, y + factor * a)
