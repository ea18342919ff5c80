"""Shapes and parts: views and copies, batches, what is refused."""

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


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


# -- Identity


def test_Identity_hands_on_what_it_gets() -> None:
    m = nn.Identity()
    for x in (numbers(2), np.array([1, 2]), [numbers(1), [numbers(2)]], {"a": numbers(1)}, 5):
        assert m.forward(x) is x
        assert m.backward(x, x) is x


def test_Identity_forgets_without_emptying_what_it_got() -> None:
    m, x = nn.Identity(), [numbers(2)]
    m.forward(x)
    m.backward(x, x)
    assert m.clearState().output == []
    assert len(x) == 1
    assert x[0].size == 2


# -- Reshape


@pytest.mark.parametrize(
    "sizes", [(2, 3), ([2, 3],), ((2, 3),), (torch7.LongStorage([2, 3]),), (np.int64(2), np.int64(3))], ids=str
)
def test_sizes_in_any_form(sizes: Any) -> None:
    for m in (nn.Reshape(*sizes), nn.View(*sizes)):
        assert torch7.typename(m.size) == "torch.LongStorage"
        assert m.size.tolist() == [2, 3]
        assert_same(m.forward(np.arange(6.0)), np.arange(6.0).reshape(2, 3))


def test_fields_of_Reshape() -> None:
    m = nn.Reshape(4, 128)
    assert torch7.typename(m.batchsize) == "torch.LongStorage"
    assert m.batchsize.tolist()[1:] == [4, 128]
    assert m.nelement == 512
    assert m.batchMode is None
    assert "batchMode" not in vars(m)
    m.forward(numbers(3, 512))
    assert m.batchsize.tolist() == [3, 4, 128]


def test_Reshape_copies_the_sizes_and_View_keeps_them() -> None:
    size = torch7.LongStorage([2, 3])
    assert not np.shares_memory(nn.Reshape(size).size, size)
    assert nn.View(size).size is size


@pytest.mark.parametrize(
    ("mode", "shape", "want"),
    [
        (None, (6,), (2, 3)),
        (None, (3, 2), (2, 3)),
        (None, (1, 6), (1, 2, 3)),  # a first size of 1 is a batch
        (None, (4, 6), (4, 2, 3)),
        (None, (4, 1, 6), (4, 2, 3)),
        (True, (2, 6), (2, 2, 3)),
        (True, (1, 6), (1, 2, 3)),
        (False, (6,), (2, 3)),
        (False, (1, 6), (2, 3)),
    ],
)
def test_Reshape_and_the_batch(mode: bool | None, shape: tuple[int, ...], want: tuple[int, ...]) -> None:
    x = numbers(*shape)
    for m in (nn.Reshape(2, 3, batchMode=mode), nn.Reshape(2, 3, *([] if mode is None else [mode]))):
        assert_same(m.forward(x), x.reshape(want))
        assert_same(m.backward(x, m.output + 1), x + 1)


def test_Reshape_infers_a_size() -> None:
    assert nn.Reshape(-1, 2).forward(numbers(3, 4)).shape == (3, 2, 2)
    assert nn.Reshape(-1, 2, False).forward(numbers(3, 4)).shape == (6, 2)


def test_Reshape_views_what_is_contiguous_and_copies_the_rest() -> None:
    m, x, g = nn.Reshape(6), numbers(4, 2, 3), numbers(4, 6)
    assert np.shares_memory(m.forward(x), x)
    assert np.shares_memory(m.backward(x, g), g)
    narrow, turned = numbers(4, 2, 5)[..., :3], numbers(6, 4).T
    want, wantGrad = narrow.copy(), turned.copy()
    out = m.forward(narrow)
    assert_same(out, want.reshape(4, 6))
    assert not np.shares_memory(out, narrow)
    gradInput = m.backward(narrow, turned)
    assert_same(gradInput, wantGrad.reshape(4, 2, 3))
    assert not np.shares_memory(gradInput, turned)
    assert np.shares_memory(m.forward(narrow), out)  # the buffer of the first copy
    m.clearState()
    assert m._input.size == m._gradOutput.size == 0


# -- View


@pytest.mark.parametrize(
    ("sizes", "dims", "shape", "want"),
    [
        ((12,), None, (3, 4), (12,)),
        ((4,), None, (3, 4), (3, 4)),
        ((6,), None, (1, 6), (6,)),  # a batch of 1 is dropped...
        ((6,), 1, (1, 6), (1, 6)),  # ... unless it is told from the input
        ((6,), 2, (1, 2, 3), (1, 6)),
        ((6,), 2, (2, 3), (6,)),
        ((-1, 2), None, (3, 4), (6, 2)),
        ((-1,), 2, (5, 2, 3), (5, 6)),
        ((-1,), 2, (4, 5, 2, 3), (20, 6)),
        ((-1, 3), 1, (4, 6), (4, 2, 3)),
        ((3,), 2, (4, 2, 3), (8, 3)),  # what the sizes leave over goes to the batch
        ((1,), 0, (4,), (4, 1)),
    ],
)
def test_View_and_the_batch(sizes: Any, dims: int | None, shape: Any, want: Any) -> None:
    m, x = nn.View(*sizes).setNumInputDims(dims), numbers(*shape)
    out = m.forward(x)
    assert_same(out, x.reshape(want))
    assert np.shares_memory(out, x)
    g = out + 1
    gradInput = m.backward(x, g)
    assert_same(gradInput, x + 1)
    assert np.shares_memory(gradInput, g)


def test_View_with_other_sizes() -> None:
    m = nn.View(6)
    assert m.numElements == 6
    assert m.resetSize(2, -1) is m
    assert m.numElements == 2
    assert m.size.tolist() == [2, -1]
    assert m.setNumInputDims(1) is m
    assert m.forward(numbers(3, 4)).shape == (3, 2, 2)
    assert str(m) == "nn.View(2, -1)"


def test_View_takes_what_is_not_contiguous() -> None:
    m, x, g = nn.View(6), numbers(3, 2, 4).transpose(2, 1, 0), numbers(6, 4).T
    assert_same(m.forward(x), np.ascontiguousarray(x).reshape(4, 6))
    assert_same(m.backward(x, g), np.ascontiguousarray(g).reshape(4, 2, 3))


# -- Select and Narrow


@given(st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple), st.data())
def test_Select_views_a_slice(shape: tuple[int, ...], data: st.DataObject) -> None:
    d = data.draw(st.integers(-len(shape), len(shape)).filter(bool))
    along = d - 1 if d > 0 else len(shape) + d
    i = data.draw(st.integers(-shape[along], shape[along]).filter(bool))
    at = i - 1 if i > 0 else shape[along] + i
    m, x = nn.Select(d, i), numbers(*shape)
    out = m.forward(x)
    assert_same(out, x.take(at, along))
    assert np.shares_memory(out, x)
    want = np.zeros(shape)
    np.moveaxis(want, along, 0)[at] = out + 1
    for _ in range(2):
        gradInput = m.backward(x, out + 1)
        assert_same(gradInput, want)
        gradInput.fill(5)  # whoever writes into the buffer, the next gradient is whole again


@pytest.mark.parametrize(
    ("offset", "length", "want"),
    [
        (1, 5, slice(0, 5)),
        (2, 3, slice(1, 4)),
        (5, 1, slice(4, 5)),
        (2, -1, slice(1, 5)),
        (2, -2, slice(1, 4)),
        (-1, 2, slice(0, 3)),  # as in Torch: the first 5 - 2
        (-4, 2, slice(0, 3)),
        (-3, -6, slice(0, 1)),  # 5 + 3 - 6 + 2 = 4, and the first 5 - 4 of that
    ],
)
@pytest.mark.parametrize("d", [1, 2, -1, -2])
def test_Narrow_views_a_range(d: int, offset: int, length: int, want: slice) -> None:
    m, x = nn.Narrow(d, offset, length), numbers(5, 5)
    index = (want, slice(None)) if d in (1, -2) else (slice(None), want)
    out = m.forward(x)
    assert_same(out, x[index])
    assert np.shares_memory(out, x)
    g = np.zeros((5, 5))
    g[index] = x[index] + 1
    gradInput = m.backward(x, out + 1)
    assert_same(gradInput, g)
    assert m.backward(x, out + 1) is gradInput


def test_Narrow_takes_any_type_and_one_slice_by_default() -> None:
    m, x = nn.Narrow(1, 2), np.arange(3)
    assert_same(m.forward(x), np.array([1]))
    assert_same(m.backward(x, np.array([7])), np.array([0, 7, 0]))
    assert (m.dimension, m.index, m.length) == (1, 2, 1)


# -- refusals

V, M = np.zeros(6), np.zeros((3, 4))


@pytest.mark.parametrize(
    ("make", "x", "error", "text"),
    [
        (lambda: nn.Reshape(4, 3), np.zeros((2, 10)), ValueError, r"nn.Reshape: .* \(2, 10\) as 2x4x3"),
        (lambda: nn.Reshape(5, False), V, ValueError, r"nn.Reshape: cannot see a tensor of shape \(6,\) as 5"),
        (lambda: nn.Reshape(6), [V], TypeError, "nn.Reshape: expected a torch.DoubleTensor, got a table"),
        (lambda: nn.Reshape(6), V.astype("f"), TypeError, "torch.DoubleTensor, got a torch.FloatTensor"),
        (lambda: nn.View(5), V, ValueError, r"nn.View: cannot see a tensor of shape \(6,\) as 5"),
        (lambda: nn.View(0), V, ValueError, r"nn.View: cannot see a tensor of shape \(6,\) as 0"),
        (lambda: nn.View(4).setNumInputDims(1), np.zeros((2, 6)), ValueError, r"nn.View: .* \(2, 6\) as 4"),
        (lambda: nn.View(6).setNumInputDims(2), V, ValueError, "nn.View: expected an input of 2 dimensions or more"),
        (lambda: nn.View(6), V.astype(int), TypeError, "nn.View: .* got a torch.LongTensor"),
        (lambda: nn.Select(3, 1), M, IndexError, "nn.Select: dimension 3 out of range of 2D tensor"),
        (lambda: nn.Select(1, 4), M, IndexError, "nn.Select: index 4 out of range of 3 elements"),
        (lambda: nn.Select(1, 0), M, IndexError, "nn.Select: index 0 out of range"),
        (lambda: nn.Select(1, 1), V, ValueError, "nn.Select: expected two dimensions or more"),
        (lambda: nn.Select(1, 1), M.astype("f"), TypeError, "nn.Select: .* got a torch.FloatTensor"),
        (lambda: nn.Narrow(3, 1, 1), M, IndexError, "nn.Narrow: dimension 3 out of range of 2D tensor"),
        (lambda: nn.Narrow(1, 3, 2), M, IndexError, "nn.Narrow: 2 slices from 3 on .* out of range of 3"),
        (lambda: nn.Narrow(1, 0, 1), M, IndexError, "nn.Narrow: 1 slices from 0 on"),
        (lambda: nn.Narrow(1, 1, 0), M, IndexError, "nn.Narrow: 0 slices from 1 on"),
        (lambda: nn.Narrow(1, -1, 3), M, IndexError, "nn.Narrow: 3 slices from -1 on"),
        (lambda: nn.Narrow(1, 1, 1), [M], TypeError, "nn.Narrow: expected a tensor, got a table of 1"),
    ],
)
def test_input_that_does_not_fit_is_refused(make: Callable[[], Any], x: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        make().forward(x)


@pytest.mark.parametrize(
    ("make", "x", "g", "error", "text"),
    [
        (lambda: nn.Reshape(6), M[:, :2].copy(), V[:5], ValueError, r"nn.Reshape: .* \(5,\) as 3x2"),
        (lambda: nn.View(6), V, V[:5], ValueError, r"nn.View: .* \(5,\) as 6"),
        (lambda: nn.View(6), V, V.astype("f"), TypeError, "nn.View: .* got a torch.FloatTensor"),
        (lambda: nn.Select(1, 1), M, V, ValueError, r"nn.Select: expected .* \(4,\), got .* \(6,\)"),
        (lambda: nn.Narrow(1, 1, 2), M, V[:4], ValueError, r"nn.Narrow: expected .* \(2, 4\), got .* \(4,\)"),
        (lambda: nn.Narrow(1, 1, 2), M, M[:2].astype("f"), TypeError, "nn.Narrow: .* got a torch.FloatTensor"),
    ],
)
def test_gradient_that_does_not_fit_is_refused(make: Callable[[], Any], x: Any, g: Any, error: Any, text: str) -> None:
    m = make()
    m.forward(x)
    with pytest.raises(error, match=text):
        m.backward(x, g)


@pytest.mark.parametrize("make", [nn.Reshape, nn.View])
@pytest.mark.parametrize("sizes", [(), ("4",), (2, -2), (-1, -1), (None,), ([],)], ids=str)
def test_sizes_that_are_none_are_refused(make: Callable[..., Any], sizes: Any) -> None:
    with pytest.raises(ValueError, match=f"nn.{make.__name__}: expected"):
        make(*sizes)


# -- rows


def test_rows_stay_apart_unless_they_are_what_it_works_on() -> None:
    assert nn.Reshape(2, 3).ROWWISE
    assert nn.Reshape(2, 3, True).ROWWISE
    assert not nn.Reshape(2, 3, False).ROWWISE
    assert nn.View(6).setNumInputDims(2).ROWWISE
    assert not nn.View(6).ROWWISE  # a batch of 1 would lose its dimension
    for make in (nn.Select, nn.Narrow):
        assert make(2, 1).ROWWISE
        assert not make(1, 1).ROWWISE
        assert not make(-1, 1).ROWWISE
