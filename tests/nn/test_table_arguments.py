"""Modules on tables and shapes: numbers of any type as arguments, and backward with an input that does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same, copied

X = np.arange(24.0).reshape(4, 6)


@pytest.mark.parametrize(
    ("make", "args", "x"),
    [
        (nn.Narrow, (2, 3, 2), X),
        (nn.Select, (2, 3), X),
        (nn.Select, (-1, -2), X),
        (nn.Index, (2,), [X, np.array([1, 2])]),
        (nn.Padding, (2, -1, 2, 7, 2), X),
        (nn.Replicate, (3, 2, 1), X),
        (nn.Transpose, ([1, 2],), X),
        (nn.Squeeze, (2,), X),
        (nn.Unsqueeze, (2,), X),
        (nn.Max, (2, 2), X),
        (nn.Sum, (-1,), X),
        (nn.JoinTable, (1, 1), [X, X]),
        (nn.SplitTable, (-1, 2), X),
        (nn.SelectTable, (-1,), [X, X]),
        (nn.NarrowTable, (2, 1), [X, X]),
        (nn.MixtureTable, (2,), [X, np.ones((4, 6, 2))]),
        (nn.Collapse, (1,), X),
        (nn.Concat, (2,), X),
    ],
)
def test_whole_numbers_of_any_type_are_arguments(make: Callable[..., Any], args: Any, x: Any) -> None:
    floats = [[float(n) for n in arg] if isinstance(arg, list) else arg / 1 for arg in args]
    m, other = make(*args), make(*floats)
    if make is nn.Concat:
        m.add(nn.Identity()), other.add(nn.Identity())
    y = copied(m.forward(x))
    assert_same(copied(other.forward(x)), y)
    assert_same(copied(other.backward(x, y)), copied(m.backward(x, y)))
    assert str(other) == str(m)


@pytest.mark.parametrize(
    ("make", "args", "text"),
    [
        (nn.Narrow, (None, 1), "nn.Narrow: expected a whole number as dimension, got None"),
        (nn.Narrow, (1, None), "nn.Narrow: expected a whole number as offset, got None"),
        (nn.Narrow, (1, 1, 1.5), "nn.Narrow: expected a whole number as length, got 1.5"),
        (nn.NarrowTable, (None,), "nn.NarrowTable: expected a whole number as offset, got None"),
        (nn.NarrowTable, (1, "2"), "nn.NarrowTable: expected a whole number as length, got '2'"),
        (nn.Padding, (None, 1), "nn.Padding: expected a whole number as dimension, got None"),
        (nn.Padding, (1, 0.5), "nn.Padding: expected a whole number as padding, got 0.5"),
        (nn.Replicate, (1.5,), "nn.Replicate: expected a whole number as number of copies, got 1.5"),
        (nn.Unsqueeze, (1.5,), "nn.Unsqueeze: expected a whole number as position, got 1.5"),
    ],
)
def test_arguments_that_are_no_whole_numbers(make: Callable[..., Any], args: Any, text: str) -> None:
    with pytest.raises(ValueError if text[-1].isdigit() else TypeError, match=text):
        make(*args)


@pytest.mark.parametrize(
    ("m", "x", "text"),
    [
        (nn.Select(None, 1), X, "nn.Select: expected a whole number as dimension, got None"),  # type: ignore[arg-type]
        (nn.SplitTable(1.5), X, "nn.SplitTable: expected a whole number as dimension, got 1.5"),  # type: ignore[arg-type]
        (nn.SelectTable(1.5), [X], "nn.SelectTable: expected a whole number as index, got 1.5"),
        (nn.Index(None), [X, X[0]], "nn.Index: expected a whole number as dimension, got None"),  # type: ignore[arg-type]
    ],
)
def test_dimensions_that_are_no_whole_numbers(m: Any, x: Any, text: str) -> None:
    with pytest.raises(ValueError if text[-1].isdigit() else TypeError, match=text):
        m.forward(x)


def test_lengths_are_1_when_they_are_nil() -> None:
    assert_same(nn.Narrow(1, 2, None).forward(X), X[1:2])
    assert_same(nn.NarrowTable(2, None).forward([X, X[0], X[1]]), [X[0]])


@pytest.mark.parametrize(
    ("m", "x", "wrong"),
    [
        (nn.CAddTable(), [X, X], 3),
        (nn.CAddTable(True), [X, X], None),
        (nn.CAddTable(), [X, X], [X, None]),
        (nn.CSubTable(), [X, X], [X]),
        (nn.CMulTable(), [X, X], {}),
        (nn.CDivTable(), [X, X], [X, [X]]),
        (nn.CMaxTable(), [X, X], [None, X]),
        (nn.JoinTable(2), [X, X], [X, X[0]]),
        (nn.JoinTable(1), [X, X], [X, None]),
        (nn.Reshape(24), X, None),
        (nn.View(24), X, [X]),
        (nn.Collapse(2), X, None),
        (nn.Convert(), X, X[:3]),
        (nn.SplitTable(1), X[0], None),
    ],
)
def test_backward_with_an_input_that_does_not_fit(m: Any, x: Any, wrong: Any) -> None:
    y = m.forward(copied(x))
    with pytest.raises((TypeError, ValueError), match=torch7.typename(m)):
        m.backward(wrong, y)


@pytest.mark.parametrize("g", [np.zeros(0), np.zeros(3), np.array(1.0)])
def test_JoinTable_names_itself_when_the_gradient_has_too_few_dimensions(g: np.ndarray) -> None:
    m = nn.JoinTable(2)
    m.forward([X, X])
    with pytest.raises(ValueError, match=r"nn.JoinTable: expected size 12 in dimension 2, got shape \("):
        m.backward([X, X], g)


def test_gradients_of_the_numbers_of_a_vector_are_numbers() -> None:
    m, x = nn.SplitTable(1), np.array([1.0, 2.0])
    assert_same(m.backward(x, [3, 4.5]), np.array([3, 4.5]))
    for g in ([np.ones(1), np.ones(1)], ["1", "2"], [None, 1.0]):
        with pytest.raises(TypeError, match=r"nn.SplitTable: expected a table of 2 numbers as gradient of"):
            m.backward(x, g)


def test_what_Torch_has_no_tensor_for() -> None:
    assert nn.Reshape(1, 1).forward(np.array(2.0)).tolist() == [[[2]]]
    with pytest.raises(ValueError, match=r"nn.Mean: expected numbers along the dimension, got shape \(3, 0\)"):
        nn.Mean(2).forward(np.zeros((3, 0)))
    with pytest.raises(ValueError, match=r"nn.MixtureTable: expected a gater's output of 1 or 2 dim.*\(0, 2\)"):
        nn.MixtureTable().forward([np.zeros((0, 2)), [np.zeros((0, 2))] * 2])


def test_Convert_needs_a_forward_before_a_backward() -> None:
    m = nn.Convert("bf", "fb")
    for backward in (m.updateGradInput, m.accGradParameters):
        with pytest.raises(ValueError, match=r"nn.Convert: backward needs a forward first"):
            backward(X, X.T)
