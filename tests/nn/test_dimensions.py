"""Dimensions exchanged, dropped, added, repeated and put together; copies of what is not contiguous."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
import torch7
from nn.kernels.layout import copy_turned
from tests.support.nested import assert_same, copied


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


# -- Transpose


@pytest.mark.parametrize(
    ("pairs", "dims", "shape", "axes"),
    [
        ([[1, 2]], None, (2, 3), (1, 0)),
        ([[1, 2], [2, 3]], None, (2, 3, 4), (1, 2, 0)),
        ([(1, 3)], None, (2, 3, 4), (2, 1, 0)),
        ([[1, 2]], 2, (5, 2, 3), (0, 2, 1)),
        ([[1, 2]], 2, (2, 3), (1, 0)),  # no batch
        ([[1, 2]], 2, (4, 5, 2, 3), (0, 1, 3, 2)),
        ([[0, 1]], 2, (5, 2, 3), (1, 0, 2)),  # what is before the last two counts downwards
        ([[2, 2]], None, (2, 3), (0, 1)),
        ([], None, (2, 3), (0, 1)),
    ],
)
def test_Transpose(pairs: Any, dims: int | None, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    m, x = nn.Transpose(*pairs).setNumInputDims(dims), numbers(*shape)
    out = m.forward(x)
    assert_same(out, x.transpose(axes))
    assert out.flags.c_contiguous
    assert not np.shares_memory(out, x)
    assert_same(m.backward(x, out + 1), x + 1)
    assert m.gradInput.flags.c_contiguous


def test_fields_of_Transpose() -> None:
    m = nn.Transpose([1, 2], [2, 3])
    assert m.permutations == [[1, 2], [2, 3]]
    assert "numInputDims" not in vars(m)
    assert m.setNumInputDims(3) is m
    assert torch7.deserialize(torch7.serialize(m)).permutations == [[1, 2], [2, 3]]


@pytest.mark.parametrize("step", [1, 3, 128, 512, 1024, 2048, -1024])
@pytest.mark.parametrize("n", [1, 7, 8, 100])
def test_copies_of_far_neighbours(step: int, n: int) -> None:
    room = np.arange(n * abs(step) + 3, dtype=np.float32)
    columns = room[: (n - 1) * abs(step) + 1 : abs(step)][:: np.sign(step)]
    x = (
        np.stack([columns, columns + 1])[:, ::1]
        if step == 1
        else np.ndarray((3, n), room.dtype, room, 0 if step > 0 else (n - 1) * -step * 4, (4, step * 4))
    )
    out = np.empty(x.shape, x.dtype)
    copy_turned(x, out)
    np.testing.assert_array_equal(out, x.copy())


# -- Squeeze and Unsqueeze


@pytest.mark.parametrize(
    ("dim", "dims", "shape", "want"),
    [
        (None, None, (1, 3, 1, 2), (3, 2)),
        (None, None, (2, 3), (2, 3)),
        (None, None, (1, 1), (1,)),  # Torch has an error for a single number
        (None, None, (1,), (1,)),
        (None, 2, (1, 1, 3), (1, 3)),  # a batch of 1 stays
        (None, 2, (4, 1, 3), (4, 3)),
        (None, 2, (1, 1, 1), (1,)),
        (None, 2, (1, 3), (3,)),
        (2, None, (3, 1, 2), (3, 2)),
        (2, None, (3, 4, 2), (3, 4, 2)),
        (1, None, (1, 4), (4,)),
        (1, 2, (4, 1, 3), (4, 3)),
        (1, 2, (1, 3), (3,)),
        (1, 2, (1, 1, 3), (1, 3)),
        (2, 2, (5, 4, 3, 1), (5, 4, 3, 1)),  # neither a sample nor a batch
    ],
)
def test_Squeeze(dim: int | None, dims: int | None, shape: Any, want: Any) -> None:
    for m in (nn.Squeeze(dim, dims), nn.Squeeze(dim).setNumInputDims(dims)):
        x = numbers(*shape)
        out = m.forward(x)
        assert_same(out, x.reshape(want))
        assert np.shares_memory(out, x)
        g = out + 1
        assert_same(m.backward(x, g), x + 1)
        assert np.shares_memory(m.gradInput, g)


@pytest.mark.parametrize(
    ("pos", "dims", "shape", "want"),
    [
        (1, None, (3, 2), (1, 3, 2)),
        (2, None, (3, 2), (3, 1, 2)),
        (3, None, (3, 2), (3, 2, 1)),
        (1, 1, (3, 2), (3, 1, 2)),
        (2, 1, (3, 2), (3, 2, 1)),
        (1, 1, (2,), (1, 2)),
        (1, 1, (4, 3, 2), (4, 3, 1, 2)),
        (0, 1, (3, 2), (1, 3, 2)),
    ],
)
def test_Unsqueeze(pos: int, dims: int | None, shape: Any, want: Any) -> None:
    for m in (nn.Unsqueeze(pos, dims), nn.Unsqueeze(pos).setNumInputDims(dims)):
        x = numbers(*shape)
        out = m.forward(x)
        assert_same(out, x.reshape(want))
        assert np.shares_memory(out, x)
        g = out + 1
        assert_same(m.backward(x, g), x + 1)
        assert np.shares_memory(m.gradInput, g)
        assert str(m) == f"nn.Unsqueeze(dim {pos})"


def test_the_first_input_tells_Unsqueeze_what_is_a_batch() -> None:
    m = nn.Unsqueeze(1)
    assert m.forward(numbers(3)).shape == (1, 3)
    assert m.numInputDims == 1
    assert m.forward(numbers(2, 3)).shape == (2, 1, 3)
    with pytest.raises(ValueError, match=r"nn.Unsqueeze: expected an input of 2 dimensions or more, got shape \(3,\)"):
        nn.Unsqueeze(1, 2).forward(numbers(3))


def test_views_of_what_is_not_contiguous() -> None:
    x = numbers(3, 1, 4).transpose(2, 1, 0)
    for m in (nn.Squeeze(), nn.Unsqueeze(2)):
        out = m.forward(x)
        assert np.shares_memory(out, x)
        g = np.asfortranarray(out + 1)
        assert_same(m.backward(x, g), x + 1)


# -- Replicate


@pytest.mark.parametrize(
    ("args", "shape", "at"),
    [
        ((3,), (2, 4), 0),
        ((3, None), (2, 4), 0),
        ((2, 2), (2, 4), 1),
        ((2, 3), (2, 4), 2),
        ((2, 1, 1), (3, 4), 1),  # a batch
        ((2, 1, 1), (4,), 0),
        ((2, 2, 1), (3, 4), 2),
        ((2, 1, 1), (2, 3, 4), 1),
        ((1, 1), (2, 3), 0),
    ],
)
def test_Replicate(args: Any, shape: Any, at: int) -> None:
    m, x = nn.Replicate(*args), numbers(*shape)
    for x in (numbers(*shape), np.asfortranarray(numbers(*shape)), numbers(*shape, 2)[..., 0]):
        out = m.forward(x)
        assert_same(out, np.repeat(np.expand_dims(x, at), args[0], at))
        assert np.shares_memory(out, x)
        assert out.strides[at] == 0
        g = numbers(*out.shape)
        for layout in (g, np.asfortranarray(g)):
            assert_same(m.backward(x, layout), g.sum(at), rtol=1e-13)


def test_copies_of_Replicate_are_one_memory() -> None:
    m, x = nn.Replicate(3), np.zeros(2)
    m.forward(x)[0, 1] = 5
    assert m.output[2, 1] == x[1] == 5


def test_fields_of_Replicate() -> None:
    m = nn.Replicate(3)
    assert {k: v for k, v in vars(m).items() if k in ("nfeatures", "dim", "ndim")} == {
        "nfeatures": 3,
        "dim": 1,
        "ndim": None,
    }
    del m.dim  # in files of the first version
    assert m.forward(np.zeros(2)).shape == (3, 2)


# -- Collapse and Contiguous


def test_Collapse_views_what_is_contiguous_and_copies_the_rest() -> None:
    m, x, g = nn.Collapse(2), numbers(4, 2, 3), numbers(4, 6)
    assert_same(m.forward(x), x.reshape(4, 6))
    assert np.shares_memory(m.output, x)
    assert_same(m.backward(x, g), g.reshape(4, 2, 3))
    assert np.shares_memory(m.gradInput, g)
    turned = numbers(3, 2, 4).transpose(2, 1, 0)
    want = turned.copy().reshape(4, 6)
    out = m.forward(turned)
    assert_same(out, want)
    assert np.shares_memory(m.forward(turned), out)
    assert_same(m.backward(turned, np.asfortranarray(g)), g.reshape(4, 2, 3))
    assert m.clearState() is m
    assert m._input.size == 0
    assert nn.Collapse(3).forward(x).shape == (24,)
    assert nn.Collapse(1).forward(x).shape == (4, 6)


def test_Contiguous_copies_only_what_is_not() -> None:
    m, x = nn.Contiguous(), numbers(2, 3)
    out = m.forward(x)
    assert np.shares_memory(out, x)
    assert np.shares_memory(m.backward(x, out), out)
    turned = numbers(3, 2).T
    got = m.forward(turned)
    assert_same(got, turned.copy())
    assert got.flags.c_contiguous
    gradInput = m.backward(turned, turned)
    assert gradInput.flags.c_contiguous
    assert not np.shares_memory(got, gradInput)
    assert np.shares_memory(m.forward(turned), got)
    assert_same(x, numbers(2, 3))  # Torch writes into the memory of the first input


def test_Contiguous_saves_no_copies() -> None:
    m, turned = nn.Contiguous(), numbers(3, 2).T
    m.backward(turned, m.forward(turned))
    assert set(vars(torch7.deserialize(torch7.serialize(m)))) == {"_type", "output", "gradInput"}
    m.clearState()
    assert m.output.size == m._input.size == 0


# -- refusals

V, M = np.zeros(6), np.zeros((3, 4))


@pytest.mark.parametrize(
    ("make", "x", "error", "text"),
    [
        (lambda: nn.Transpose([1, 3]), M, IndexError, "nn.Transpose: dimension 3 out of range of 2D tensor"),
        (lambda: nn.Transpose([-1, 1]), M, IndexError, "nn.Transpose: dimension -1 out of range"),
        (lambda: nn.Transpose([1, 2]).setNumInputDims(3), M, IndexError, "nn.Transpose: dimension 0 out of range"),
        (lambda: nn.Transpose(1, 2), M, TypeError, r"nn.Transpose: expected pairs of dimensions such as .*, got 1"),
        (lambda: nn.Transpose([1, 2, 3]), M, TypeError, r"nn.Transpose: expected pairs"),
        (lambda: nn.Transpose([1, 2]), M.astype("f"), TypeError, "nn.Transpose: .* got a torch.FloatTensor"),
        (lambda: nn.Squeeze(3), M, IndexError, "nn.Squeeze: dimension 3 out of range of 2D tensor"),
        (lambda: nn.Squeeze(-1), M, IndexError, "nn.Squeeze: dimension -1 out of range"),
        (lambda: nn.Squeeze(0), M, IndexError, "nn.Squeeze: dimension 0 out of range"),
        (lambda: nn.Squeeze(2, 1), M, IndexError, "nn.Squeeze: dimension 3 out of range"),
        (lambda: nn.Squeeze(), [M], TypeError, "nn.Squeeze: .* got a table of 1"),
        (lambda: nn.Unsqueeze(4), M, IndexError, r"nn.Unsqueeze: no position 4 .* shape \(3, 4\) with 2 dimensions"),
        (lambda: nn.Unsqueeze(0), M, IndexError, "nn.Unsqueeze: no position 0"),
        (lambda: nn.Unsqueeze(1), [M], TypeError, "nn.Unsqueeze: .* got a table of 1"),
        (lambda: nn.Replicate(2, 4), M, IndexError, "nn.Replicate: dimension 4 out of range of 3D tensor"),
        (lambda: nn.Replicate(0), M, ValueError, "nn.Replicate: expected a number of copies from 1 up, got 0"),
        (lambda: nn.Replicate(2), [M], TypeError, "nn.Replicate: .* got a table of 1"),
        (lambda: nn.Collapse(1), [M], TypeError, "nn.Collapse: .* got a table of 1"),
        (lambda: nn.Contiguous(), M.astype(int), TypeError, "nn.Contiguous: .* got a torch.LongTensor"),
    ],
)
def test_input_that_does_not_fit_is_refused(make: Callable[[], Any], x: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        make().forward(x)


@pytest.mark.parametrize(
    ("make", "x", "g", "error", "text"),
    [
        (lambda: nn.Transpose([1, 2]), M, M, ValueError, r"nn.Transpose: .* gradient of shape \(4, 3\), .* \(3, 4\)"),
        (lambda: nn.Squeeze(), V, V[:5], ValueError, r"nn.Squeeze: expected .* \(6,\), got .* \(5,\)"),
        (lambda: nn.Unsqueeze(1), V, [V], TypeError, "nn.Unsqueeze: expected .* got a table of 1"),
        (lambda: nn.Unsqueeze(1), V, V[:5], ValueError, r"nn.Unsqueeze: expected .* \(6,\), got .* \(5,\)"),
        (lambda: nn.Replicate(2), V, V, ValueError, r"nn.Replicate: .* gradient of shape \(2, 6\), .* \(6,\)"),
        (lambda: nn.Collapse(2), M, V, ValueError, r"nn.Collapse: cannot see a tensor of shape \(6,\) as 3x4"),
        (lambda: nn.Contiguous(), M, M.astype("f"), TypeError, "nn.Contiguous: .* got a torch.FloatTensor"),
    ],
)
def test_gradient_that_does_not_fit_is_refused(make: Callable[[], Any], x: Any, g: Any, error: Any, text: str) -> None:
    m = make()
    m.forward(x)
    with pytest.raises(error, match=text):
        m.backward(x, g)


def test_arguments_that_are_refused() -> None:
    with pytest.raises(TypeError, match=r"nn.Unsqueeze: expected the position"):
        nn.Unsqueeze()
    with pytest.raises(ValueError, match=r"nn.Replicate: expected a dimension from 1 up, got -1"):
        nn.Replicate(2, -1)


# -- rows


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        (nn.Transpose([2, 3]), nn.Transpose([1, 2])),
        (nn.Transpose([1, 2]).setNumInputDims(2), nn.Transpose([2, 3], [3, 1])),
        (nn.Squeeze(2), nn.Squeeze()),
        (nn.Squeeze(None, 2), nn.Squeeze(1)),
        (nn.Unsqueeze(2), nn.Unsqueeze(1)),
        (nn.Replicate(2, 2), nn.Replicate(2)),
        (nn.Replicate(2, 1, 2), nn.Replicate(2, 1)),
    ],
    ids=str,
)
def test_rows_stay_apart_unless_they_are_what_it_works_on(yes: nn.Module, no: nn.Module) -> None:
    assert yes.ROWWISE
    assert not no.ROWWISE


@given(st.lists(st.integers(1, 3), min_size=2, max_size=3).map(tuple), st.data())
def test_dimensions_come_and_go(shape: tuple[int, ...], data: st.DataObject) -> None:
    pos = data.draw(st.integers(1, len(shape) + 1))
    x = numbers(*shape)
    there, back = nn.Unsqueeze(pos), nn.Squeeze(pos)
    assert_same(back.forward(there.forward(x)), x)
    assert_same(copied(there.backward(x, back.backward(there.output, x + 1))), x + 1)
