"""The updates in place."""

from __future__ import annotations

import numpy as np
import pytest

from optim.arithmetic import add, addcdiv, addcmul, product


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


def test_a_product_has_the_type_of_x() -> None:
    out = np.empty(2, np.float32)
    assert product(np.array([2, 3]), np.array([0.5, 2.0], np.float32), out) is out
    assert out.tolist() == [1, 6]
