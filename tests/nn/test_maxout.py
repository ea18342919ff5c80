"""The maxout layer."""

from __future__ import annotations

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same


def test_Maxout_is_the_largest_of_linear_maps() -> None:
    torch7.manualSeed(1)
    m = nn.Maxout(4, 3, 2)
    torch7.manualSeed(1)
    linear = nn.Linear(4, 6)
    x = np.random.default_rng(1).normal(size=(5, 4))
    assert_same(m.get(1).weight, linear.weight)
    assert_same(m.forward(x), linear.forward(x).reshape(5, 2, 3).max(1))
    assert_same(m.forward(x[0]), linear.forward(x[0]).reshape(2, 3).max(0), rtol=1e-13)
    assert [torch7.typename(module) for module in m.modules] == ["nn.Linear", "nn.View", "nn.Max"]
    assert isinstance(m, nn.Sequential)
    assert m.ROWWISE


def test_Maxout_with_a_module_before_the_maximum() -> None:
    m, x = nn.Maxout(4, 3, 2, nn.MulConstant(-1)), np.ones((5, 4))
    maps = m.get(1).forward(x).reshape(5, 2, 3)
    assert_same(m.forward(x), -maps.min(1))


def test_Maxout_is_saved_as_itself() -> None:
    m = torch7.deserialize(torch7.serialize(nn.Maxout(4, 3, 2)))
    assert type(m) is nn.Maxout
    assert torch7.typename(m) == "nn.Maxout"
    with pytest.raises(ValueError, match=r"nn.Linear: expected 4 input columns"):
        m.forward(np.ones((5, 3)))
