"""Entries of tables paired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def test_ZipTable_turns_tables_round() -> None:
    m, (a1, a2, b1, b2, c1, c2) = nn.ZipTable(), [numbers(i) for i in range(1, 7)]
    out = m.forward([[a1, a2], [b1, b2], [c1, c2]])
    assert [list(map(id, row)) for row in out] == [list(map(id, row)) for row in ([a1, b1, c1], [a2, b2, c2])]
    gradInput = m.backward(None, out)
    assert_same(gradInput, [[a1, a2], [b1, b2], [c1, c2]])
    assert gradInput[0][0] is a1
    assert m.forward([[a1]]) is out
    assert_same(out, [[a1]])
    assert m.backward(None, [[a1]]) is gradInput


def test_ZipTable_of_falling_lengths() -> None:
    m, a, b, c = nn.ZipTable(), numbers(1), numbers(2), numbers(3)
    assert_same(m.forward([[a, b], [c]]), [[a, c], [b]])
    assert_same(m.backward(None, m.output), [[a, b], [c]])
    assert m.forward([]) == []
    assert m.forward([[], []]) == []


def test_ZipTableOneToMany_pairs_one_with_all() -> None:
    m, v, a, b = nn.ZipTableOneToMany(), numbers(2), numbers(3), numbers(1)
    out = m.forward([v, [a, b]])
    assert_same(out, [[v, a], [v, b]])
    assert out[1][0] is v
    assert out[1][1] is b
    gradInput = m.backward([v, [a, b]], [[v, a], [v + 1, b]])
    assert_same(gradInput, [v + v + 1, [a, b]], rtol=1e-14)
    assert gradInput[0] is m.gradInputEl
    assert gradInput[1][0] is a
    total = gradInput[0]
    assert m.backward([v, [a]], [[v, a]]) is gradInput
    assert gradInput[0] is total
    assert_same(gradInput, [v, [a]])
    assert m.forward([v, []]) == []
    assert_same(m.backward([v, []], []), [np.zeros(2), []])


@pytest.mark.parametrize("make", [nn.ZipTable, nn.ZipTableOneToMany])
def test_entries_stay_what_they_are(make: Callable[[], Any]) -> None:
    m, x = make(), [[numbers(2)], [numbers(2)]]
    m.forward(x)
    m.float()
    assert m.output == m.gradInput == []
    assert x[0][0].dtype == np.float64
    assert m.type() == "torch.FloatTensor"
    assert torch7.deserialize(torch7.serialize(m)).forward(x) is not None


@pytest.mark.parametrize(
    ("make", "x", "error", "text"),
    [
        (nn.ZipTable, numbers(2), TypeError, "nn.ZipTable: expected a table as input, got a torch.DoubleTensor"),
        (nn.ZipTable, [numbers(2)], TypeError, "nn.ZipTable: expected a table as entry of the input"),
        (nn.ZipTable, [[1], [1, 2]], ValueError, r"nn.ZipTable: expected tables of one length, .* got \[1, 2\]"),
        (nn.ZipTableOneToMany, [1], ValueError, "nn.ZipTableOneToMany: expected a table of 2 as input, got 1"),
        (nn.ZipTableOneToMany, [1, [2], 3], ValueError, "nn.ZipTableOneToMany: expected a table of 2 as input, got 3"),
        (nn.ZipTableOneToMany, [1, 2], TypeError, "nn.ZipTableOneToMany: expected a table as second entry"),
        (nn.ZipTableOneToMany, 1, TypeError, "nn.ZipTableOneToMany: expected a table as input, got a number"),
    ],
)
def test_input_that_does_not_fit_is_refused(make: Callable[[], Any], x: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        make().forward(x)


V = np.zeros(2)


@pytest.mark.parametrize(
    ("x", "g", "error", "text"),
    [
        ([V, [V, V]], [[V, V]], ValueError, "expected a table of 2 as gradient, got 1"),
        ([V, [V]], [V], TypeError, "expected a table as pair of the gradient"),
        ([V, [V]], [[V]], ValueError, "expected a table of 2 as pair of the gradient, got 1"),
        ([V, [V]], [[V[:1], V]], ValueError, r"expected .* \(2,\), got .* \(1,\)"),
        ([[V], [V]], [[V, V]], TypeError, "expected a tensor, got a table of 1"),
    ],
)
def test_gradient_that_does_not_fit_is_refused(x: Any, g: Any, error: Any, text: str) -> None:
    m = nn.ZipTableOneToMany()
    m.forward(x)
    with pytest.raises(error, match=f"nn.ZipTableOneToMany: {text}"):
        m.backward(x, g)
