"""Slices by index, elements by mask, and padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
import torch7
from tests.support.nested import assert_same

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


# -- Index


@given(SHAPES, st.data())
def test_Index_takes_slices_and_adds_up_their_gradients(shape: tuple[int, ...], data: st.DataObject) -> None:
    d = data.draw(st.integers(1, len(shape)))
    index = np.array(data.draw(st.lists(st.integers(1, shape[d - 1]), min_size=1, max_size=5)))
    m, x = nn.Index(d), numbers(*shape)
    out = m.forward([x, index])
    assert_same(out, x.take(index - 1, d - 1))
    g = numbers(*out.shape)
    want = np.zeros(shape)
    np.add.at(want, (slice(None),) * (d - 1) + (index - 1,), g)
    for layout in (g, np.asfortranarray(g)):
        assert_same(m.backward([x, index], layout), [want, np.zeros(len(index))], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.float64, np.float32])
def test_Index_takes_whole_numbers_of_any_type(dtype: Any) -> None:
    m, x = nn.Index(1), numbers(3, 2)
    assert_same(m.forward([x, np.array([3, 1], dtype)]), x[[2, 0]])
    assert m.backward([x, np.array([3, 1], dtype)], x[:2])[1].dtype == np.float64


def test_Index_cleared_has_what_Torch_writes_into() -> None:
    m = nn.Index(1)
    assert m.clearState() is m
    assert [a.size for a in m.gradInput] == [0, 0]
    m.float()
    m.forward([numbers(3).astype("f"), np.array([1])])
    m.clearState()
    assert [a.dtype for a in m.gradInput] == [np.float32, np.float32]


# -- MaskedSelect


@given(SHAPES, st.data())
def test_MaskedSelect(shape: tuple[int, ...], data: st.DataObject) -> None:
    bits = data.draw(st.lists(st.booleans(), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    chosen = np.array(bits).reshape(shape)
    m, x = nn.MaskedSelect(), numbers(*shape)
    for mask in (chosen.astype(np.uint8), chosen, np.asfortranarray(chosen.astype(int))):
        assert_same(m.forward([x, mask]), x[chosen])
        grad, toMask = m.backward([x, mask], x[chosen] + 1)
        assert_same(grad, np.where(chosen, x + 1, 0))
        assert_same(toMask, np.zeros(shape, np.uint8))


def test_MaskedSelect_works_by_elements() -> None:
    m, x = nn.MaskedSelect(), [numbers(2, 3), np.array([1, 0, 0, 1, 1, 0], np.uint8)]
    assert_same(m.forward(x), x[0].ravel()[[0, 3, 4]])
    grad, toMask = m.backward(x, m.output)
    assert grad.shape == (2, 3)
    assert toMask.shape == (6,)


def test_MaskedSelect_keeps_types_that_are_not_its_own() -> None:
    m, x = nn.MaskedSelect(), [numbers(2, 3), np.ones((2, 3), np.uint8)]
    m.backward(x, m.forward(x))
    assert m.type() == "torch.DoubleTensor"
    assert m.float() is m
    kinds = {name: torch7.typename(value) for name, value in vars(m).items() if isinstance(value, np.ndarray)}
    assert kinds == {
        "output": "torch.FloatTensor",
        "gradInput": "torch.FloatTensor",
        "_gradBuffer": "torch.FloatTensor",
        "_maskIndices": "torch.LongTensor",
        "_maskIndexBuffer": "torch.LongTensor",
        "_maskIndexBufferCPU": "torch.FloatTensor",
        "_gradMask": "torch.ByteTensor",
    }
    x[0] = x[0].astype("f")
    assert m.backward(x, m.forward(x))[0].dtype == np.float32
    assert m.clearState()._gradBuffer.size == 0


# -- Padding


@pytest.mark.parametrize(
    ("args", "want"),
    [
        ((1, 2), [1, 2, 3, 0, 0]),
        ((1, -2), [0, 0, 1, 2, 3]),
        ((1, 2, None, 9), [1, 2, 3, 9, 9]),
        ((1, 1, None, 9, 2), [1, 2, 9, 3]),
        ((1, 1, None, 9, 4), [9, 1, 2, 3]),
        ((1, -1, None, 9, 2), [1, 9, 2, 3]),
        ((1, -1, None, 9, 4), [1, 2, 3, 9]),
        ((1, 0), [1, 2, 3]),
        ((1, 1, None, None, None), [1, 2, 3, 0]),
    ],
)
def test_Padding_of_a_vector(args: Any, want: list[float]) -> None:
    m, x = nn.Padding(*args), np.array([1.0, 2, 3])
    assert_same(m.forward(x), np.array(want, float))
    assert m.outputSize.tolist() == [len(want)]
    assert torch7.typename(m.outputSize) == "torch.LongStorage"
    g = np.array(want, float) + 10
    g[(g == 10) | (g == 19)] = 77
    assert_same(m.backward(x, g), x + 10)


@pytest.mark.parametrize(
    ("dim", "dims", "shape", "along"),
    [(2, None, (2, 3, 4), 1), (1, 2, (2, 3, 4), 1), (1, 3, (2, 3, 4), 0), (1, 3, (2, 3), 1), (3, None, (2, 3, 4), 2)],
)
def test_Padding_of_a_batch(dim: int, dims: int | None, shape: Any, along: int) -> None:
    m, x = nn.Padding(dim, 2, dims, 5), numbers(*shape)
    widths = [(0, 2 if i == along else 0) for i in range(len(shape))]
    assert_same(m.forward(np.asfortranarray(x)), np.pad(x, widths, constant_values=5))
    assert_same(m.backward(x, np.asfortranarray(m.output)), x)


def test_Padding_converts_to_its_type() -> None:
    m, x = nn.Padding(1, 1), np.array([1, 2])
    assert_same(m.forward(x), np.array([1.0, 2, 0]))
    with pytest.raises(TypeError, match=r"nn.Padding: expected a torch.DoubleTensor, got a torch.LongTensor"):
        m.backward(x, np.zeros(3))


# -- refusals

V, M = np.zeros(6), np.zeros((3, 4))
ONE = np.array([1])


@pytest.mark.parametrize(
    ("make", "x", "error", "text"),
    [
        (lambda: nn.Index(3), [M, ONE], IndexError, "nn.Index: dimension 3 out of range of 2D tensor"),
        (lambda: nn.Index(-1), [M, ONE], IndexError, "nn.Index: dimension -1 out of range"),
        (lambda: nn.Index(1), [M, ONE - 1], IndexError, "nn.Index: indices count from 1 and go up to 3, got 0"),
        (lambda: nn.Index(1), [M, ONE + 3], IndexError, "nn.Index: indices count from 1 and go up to 3, got 4"),
        (lambda: nn.Index(1), [M, ONE * 1.5], ValueError, "nn.Index: expected whole numbers"),
        (
            lambda: nn.Index(1),
            [M, ONE[None]],
            ValueError,
            r"nn.Index: expected a vector of indices, got shape \(1, 1\)",
        ),
        (lambda: nn.Index(1), [M, ONE[:0]], ValueError, r"nn.Index: expected a vector of indices, got shape \(0,\)"),
        (lambda: nn.Index(1), [M, 1], TypeError, "nn.Index: expected a tensor, got a number"),
        (lambda: nn.Index(1), [M], ValueError, "nn.Index: expected a table of 2 as input, got 1"),
        (lambda: nn.Index(1), M, TypeError, "nn.Index: expected a table as input"),
        (lambda: nn.Index(1), [M.astype("f"), ONE], TypeError, "nn.Index: .* got a torch.FloatTensor"),
        (lambda: nn.MaskedSelect(), [M, V > 0], ValueError, r"nn.MaskedSelect: expected a mask of shape \(3, 4\)"),
        (lambda: nn.MaskedSelect(), [M, M], TypeError, "nn.MaskedSelect: expected a torch.ByteTensor as mask"),
        (lambda: nn.MaskedSelect(), [V, np.full(6, 2)], ValueError, "nn.MaskedSelect: .* zeros and ones"),
        (lambda: nn.MaskedSelect(), [V, -np.ones(6, int)], ValueError, "nn.MaskedSelect: .* zeros and ones"),
        (lambda: nn.MaskedSelect(), [V, [1]], TypeError, "nn.MaskedSelect: expected a tensor, got a table"),
        (lambda: nn.MaskedSelect(), V, TypeError, "nn.MaskedSelect: expected a table as input"),
        (lambda: nn.Padding(3, 1), M, IndexError, "nn.Padding: dimension 3 out of range of 2D tensor"),
        (lambda: nn.Padding(2, 1, 1), M, IndexError, "nn.Padding: dimension 3 out of range"),
        (lambda: nn.Padding(-1, 1), M, IndexError, "nn.Padding: dimension -1 out of range"),
        (lambda: nn.Padding(1, 1, None, 0, 9), V, IndexError, "nn.Padding: index 9 out of range of 6 slices"),
        (lambda: nn.Padding(1, -1, None, 0, 8), V, IndexError, "nn.Padding: index 8 out of range of 6 slices"),
        (lambda: nn.Padding(1, 1, None, 0, 0), V, IndexError, "nn.Padding: index 0 out of range of 6 slices"),
        (lambda: nn.Padding(1, 1), [V], TypeError, "nn.Padding: expected a tensor, got a table of 1"),
    ],
)
def test_input_that_does_not_fit_is_refused(make: Callable[[], Any], x: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        make().forward(x)


@pytest.mark.parametrize(
    ("make", "x", "g", "error", "text"),
    [
        (lambda: nn.Index(1), [M, ONE], M, ValueError, r"nn.Index: .* gradient of shape \(1, 4\), got shape \(3, 4\)"),
        (lambda: nn.MaskedSelect(), [V, V == 0], V[:5], ValueError, r"nn.MaskedSelect: .* \(6,\), got shape \(5,\)"),
        (lambda: nn.Padding(1, 1), V, V, ValueError, r"nn.Padding: .* gradient of shape \(7,\), got shape \(6,\)"),
        (lambda: nn.Padding(1, 1), V, np.zeros(7, "f"), TypeError, "nn.Padding: .* got a torch.FloatTensor"),
    ],
)
def test_gradient_that_does_not_fit_is_refused(make: Callable[[], Any], x: Any, g: Any, error: Any, text: str) -> None:
    m = make()
    m.forward(x)
    with pytest.raises(error, match=text):
        m.backward(x, g)


def test_rows_stay_apart_unless_they_are_what_it_works_on() -> None:
    assert nn.Padding(2, 1).ROWWISE
    assert nn.Padding(1, 1, 1).ROWWISE
    assert not nn.Padding(1, 1).ROWWISE
    assert not nn.Index(2).ROWWISE  # its indices are no rows
