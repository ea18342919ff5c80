"""Tables: which results are views, which lists are used again, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
import torch7
from tests.support.nested import assert_same, copied

SHAPES = st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


# -- split and join


@given(SHAPES, st.data())
def test_split_and_join_undo_each_other(shape: tuple[int, ...], data: st.DataObject) -> None:
    d = data.draw(st.integers(-len(shape), len(shape)).filter(bool))
    x, g = numbers(*shape), numbers(*shape) + 1
    split = nn.SplitTable(d)
    slices = split.forward(x)
    along = d - 1 if d > 0 else len(shape) + d
    assert_same(slices, [x.take(i, along) for i in range(shape[along])])
    gradInput = split.backward(x, [g.take(i, along) for i in range(shape[along])])
    np.testing.assert_array_equal(gradInput, g)

    join = nn.JoinTable(d)
    parts = np.split(x, shape[along], along)
    np.testing.assert_array_equal(join.forward(parts), x)
    assert_same(join.backward(parts, g), np.split(g, shape[along], along))


@given(st.integers(1, 2), st.integers(1, 3))
def test_dimension_of_a_sample_steps_over_the_batch(d: int, n: int) -> None:
    x = numbers(n, 3, 2)
    assert_same(nn.SplitTable(d, 2).forward(x), nn.SplitTable(d + 1).forward(x))
    assert_same(nn.SplitTable(d, 2).forward(x[0]), nn.SplitTable(d).forward(x[0]))
    assert_same(nn.JoinTable(d, 2).forward([x, x]), nn.JoinTable(d + 1).forward([x, x]))
    assert_same(nn.JoinTable(d, 2).forward([x[0], x[0]]), nn.JoinTable(d).forward([x[0], x[0]]))


def test_split_gives_views_in_one_list() -> None:
    m, x = nn.SplitTable(2), numbers(3, 4, 2)
    out = m.forward(x)
    assert all(np.shares_memory(a, x) for a in out)
    out[1][...] = 7
    assert (x[:, 1] == 7).all()
    assert m.forward(numbers(3, 2, 2)) is out
    assert len(out) == 2


def test_split_of_a_vector_gives_numbers() -> None:
    m = nn.SplitTable(1)
    out = m.forward(np.array([1.0, 2.5]))
    assert out == [1.0, 2.5]
    assert {type(v) for v in out} == {float}
    np.testing.assert_array_equal(m.backward(np.array([1.0, 2.5]), [3.0, 4.0]), [3, 4])


def test_split_without_gradInput_makes_none() -> None:
    m, x = nn.SplitTable(1), numbers(2, 3)
    m.gradInput = None
    assert m.backward(x, m.forward(x)) is None


def test_split_ignores_gradients_of_further_slices() -> None:
    m, x = nn.SplitTable(1), numbers(2, 3)
    g = list(m.forward(x))
    np.testing.assert_array_equal(m.backward(x, [*g, g[0]]), x)


def test_join_converts_to_the_type_of_the_module() -> None:
    m, x = nn.JoinTable(1), [np.array([1.5]), np.array([2, 3])]
    assert_same(m.forward(x), np.array([1.5, 2, 3]))
    assert_same(m.backward(x, np.array([4.0, 5, 6])), [np.array([4.0]), np.array([5, 6])])


def test_join_has_gradients_of_its_own() -> None:
    m, x, g = nn.JoinTable(2), [numbers(2, 1), numbers(2, 3)], numbers(2, 4)
    m.forward(x)
    gradInput = m.backward(x, g)
    first = gradInput[0]
    assert not any(np.shares_memory(a, g) for a in gradInput)
    assert m.backward(x[:1], g[:, :1]) is gradInput
    assert len(gradInput) == 1
    assert gradInput[0] is first


# -- choosing


def test_SelectTable_hands_on_the_entry_itself() -> None:
    x = [numbers(2), [numbers(3), numbers(1)]]
    assert nn.SelectTable(1).forward(x) is x[0]
    assert nn.SelectTable(-1).forward(x) is x[1]


def test_SelectTable_zeroes_the_gradient_of_the_others() -> None:
    m, x, g = nn.SelectTable(2), [numbers(2), [numbers(3), numbers(1)], numbers(1, 2)], [numbers(3), numbers(1)]
    m.forward(x)
    want = [np.zeros(2), g, np.zeros((1, 2))]
    gradInput = m.backward(x, g)
    assert_same(gradInput, want)
    for a in gradInput[0], *gradInput[1], gradInput[2]:
        a.fill(9)
    kept = [gradInput[0], gradInput[1], gradInput[1][0]]
    assert m.backward(x, g) is gradInput
    assert_same(gradInput, want)
    assert kept[0] is gradInput[0]
    assert kept[1] is gradInput[1]
    assert kept[2] is gradInput[1][0]
    m.backward(x[:2], g)
    assert len(gradInput) == 2
    m.backward([x[0], [x[0]]], [x[0]])
    assert_same(gradInput, [np.zeros(2), [x[0]]])


def test_SelectTable_has_no_gradient_for_what_is_no_tensor() -> None:
    m, x = nn.SelectTable(1), [numbers(2), 5, "text"]
    m.forward(x)
    assert m.backward(x, x[0])[1:] == [None, None]


@pytest.mark.parametrize("kind", [dict, torch7.Table])
def test_SelectTable_takes_names(kind: type) -> None:
    m, x = nn.SelectTable("b"), kind({"a": numbers(2), "b": [numbers(1)]})
    assert m.forward(x) is x["b"]
    gradInput = m.backward(x, [np.array([3.0])])
    assert type(gradInput) is kind
    assert_same(gradInput["a"], np.zeros(2))
    assert_same(gradInput["b"], [np.array([3.0])])
    smaller = kind({"b": x["b"]})
    m.forward(smaller)
    assert m.backward(smaller, [np.array([3.0])]) is gradInput
    assert list(gradInput) == ["b"]


@pytest.mark.parametrize("m", [nn.SelectTable(1), nn.NarrowTable(1), nn.FlattenTable()], ids=str)
def test_conversion_leaves_the_tables_of_the_caller_alone(m: nn.Module) -> None:
    x = [[numbers(2)], numbers(3)]
    m.forward(x)
    assert m.type() == "torch.DoubleTensor"
    assert len(m.output) > 0
    assert m.float() is m
    assert m.type() == "torch.FloatTensor"
    assert x[0][0].dtype == x[1].dtype == np.float64
    assert m.output == m.gradInput == []


def test_NarrowTable_takes_what_is_there() -> None:
    m, x = nn.NarrowTable(2, 2), [numbers(1), numbers(2), numbers(3)]
    out = m.forward(x)
    assert out == x[1:]
    assert all(a is b for a, b in zip(out, x[1:]))
    assert m.forward(x[:2]) is out
    assert len(out) == 1
    assert m.forward(x[:1]) == []
    assert nn.NarrowTable(2).forward(x) == x[1:2]


def test_NarrowTable_hands_gradients_on_between_zeros() -> None:
    m, x, g = nn.NarrowTable(2, 2), [numbers(1), numbers(2), [numbers(3)], [numbers(4)]], [numbers(2), [numbers(3)]]
    m.forward(x)
    gradInput = m.backward(x, g)
    assert_same(gradInput, [np.zeros(1), *g, [np.zeros(4)]])
    assert gradInput[1] is g[0]
    assert m.backward(x[:2], g[:1]) is gradInput
    assert_same(gradInput, [np.zeros(1), g[0]])


def test_FlattenTable_keeps_objects_and_lists() -> None:
    m, a, b, c = nn.FlattenTable(), numbers(1), numbers(2), numbers(3)
    x = [a, [b, [], [c]]]
    out = m.forward(x)
    assert all(got is want for got, want in zip(out, [a, b, c], strict=True))
    assert m.input_map == [1, [2, [], [3]]]
    g = [a + 1, b + 1, c + 1]
    gradInput = m.backward(x, g)
    assert_same(gradInput, [g[0], [g[1], [], [g[2]]]])
    assert gradInput[1][0] is g[1]
    inner = gradInput[1]
    m.forward([a, [b]])
    assert m.backward([a, [b]], g) is gradInput
    assert gradInput[1] is inner
    assert_same(gradInput, [g[0], [g[1]]])
    assert m.forward([]) is out
    assert out == []
    assert m.clearState().input_map == []


def test_tuples_are_tables() -> None:
    x = (numbers(2), numbers(2))
    assert_same(nn.CAddTable().forward(x), x[0] + x[1])
    assert_same(nn.FlattenTable().forward((x, [x])), [x[0], x[1], x[0], x[1]])
    assert_same(nn.SelectTable(2).backward(x, x[0]), [np.zeros(2), x[0]])


# -- arithmetic


@pytest.mark.parametrize("make", [nn.CAddTable, nn.CMulTable])
def test_one_entry_is_copied(make: Callable[[], Any]) -> None:
    m, x = make(), numbers(3)
    out = m.forward([x])
    assert_same(out, x)
    assert not np.shares_memory(out, x)
    assert_same(m.backward([x], x + 1), [x + 1])


@pytest.mark.parametrize("make", [nn.CAddTable, nn.CSubTable, nn.CMulTable, nn.CDivTable])
def test_only_the_number_of_elements_has_to_agree(make: Callable[[], Any]) -> None:
    m, a, b, g = make(), numbers(2, 3), numbers(6) + 3, numbers(3, 2)
    out = copied(m.forward([a, b]))
    assert out.shape == (2, 3)
    gradInput = m.backward([a, b], g)
    plain = make()
    assert_same(plain.forward([a.ravel(), b]).reshape(2, 3), out)
    want = plain.backward([a.ravel(), b], g.ravel())
    assert_same(gradInput, [want[0].reshape(2, 3), want[1]])


@pytest.mark.parametrize("make", [nn.CAddTable, nn.CMulTable])
def test_gradients_of_a_shorter_table(make: Callable[[], Any]) -> None:
    m, x = make(), [numbers(2), numbers(2) + 1, numbers(2) + 2]
    m.forward(x)
    gradInput = m.backward(x, x[0])
    first = gradInput[0]
    m.forward(x[:2])
    assert m.backward(x[:2], x[0]) is gradInput
    assert len(gradInput) == 2
    assert gradInput[0] is first
    assert gradInput[0] is not gradInput[1]


def test_CAddTable_in_place() -> None:
    m, a, b, g = nn.CAddTable(True), numbers(2), numbers(2) + 1, numbers(2)
    want = a + b
    assert m.forward([a, b]) is a
    assert_same(a, want)
    assert all(gradient is g for gradient in m.backward([a, b], g))


def test_CSubTable_and_CDivTable_use_two_entries() -> None:
    a, b, c = numbers(2), numbers(2) + 3, numbers(2) + 5
    for m, want in ((nn.CSubTable(), a - b), (nn.CDivTable(), a / b)):
        assert_same(m.forward([a, b, c]), want)
        assert len(m.backward([a, b, c], a)) == 2


def test_CDivTable_by_zero_gives_what_floating_numbers_give() -> None:
    m, x = nn.CDivTable(), [np.array([1.0, 0.0, -1.0]), np.zeros(3)]
    np.testing.assert_array_equal(m.forward(x), [np.inf, np.nan, -np.inf])
    np.testing.assert_array_equal(m.backward(x, np.ones(3))[0], [np.inf] * 3)


def test_CMulTable_by_quotients() -> None:
    m, x, g = nn.CMulTable(), [numbers(2, 3) + 9, numbers(2, 3) + 8, numbers(2, 3) + 7], numbers(2, 3)
    m.forward(x)
    want = copied(m.updateGradInput(x, g))
    assert_same(m.updateGradInput_efficient(x, g), want, rtol=1e-14)
    assert m.clearState().tout.size == 0


# -- refusals

A, B = np.zeros(2), np.zeros((2, 3))


@pytest.mark.parametrize(
    ("make", "x", "error", "text"),
    [
        (lambda: nn.CAddTable(), A, TypeError, "nn.CAddTable: expected a table as input, got a torch.DoubleTensor"),
        (lambda: nn.CAddTable(), [], ValueError, "nn.CAddTable: expected a table of 1 as input, got 0"),
        (lambda: nn.CAddTable(), [A, B], ValueError, r"expected a torch.DoubleTensor of shape \(2,\), got .* \(2, 3\)"),
        (lambda: nn.CAddTable(), [A, A.astype(int)], TypeError, "torch.DoubleTensor of .* got a torch.LongTensor"),
        (
            lambda: nn.CAddTable(),
            [A.astype("f"), A],
            TypeError,
            "expected a torch.DoubleTensor, got a torch.FloatTensor",
        ),
        (lambda: nn.CMulTable(), [A, 2], TypeError, "nn.CMulTable: expected a torch.DoubleTensor.* got a number"),
        (lambda: nn.CSubTable(), [A], ValueError, "nn.CSubTable: expected a table of 2 as input, got 1"),
        (lambda: nn.CDivTable(), [A], ValueError, "nn.CDivTable: expected a table of 2 as input, got 1"),
        (lambda: nn.SplitTable(3), B, IndexError, "nn.SplitTable: dimension 3 out of range of 2D tensor"),
        (lambda: nn.SplitTable(1), [A], TypeError, "nn.SplitTable: expected a tensor, got a table of 1"),
        (lambda: nn.JoinTable(1), A, TypeError, "nn.JoinTable: expected a table as input"),
        (lambda: nn.JoinTable(1), [], ValueError, "nn.JoinTable: expected a table of 1 as input, got 0"),
        (lambda: nn.JoinTable(2), [A], IndexError, "nn.JoinTable: dimension 2 out of range of 1D tensor"),
        (lambda: nn.JoinTable(1), [A, B], ValueError, r"except in dimension 1, got \(2,\), \(2, 3\)"),
        (lambda: nn.JoinTable(2), [B, A], ValueError, r"except in dimension 2, got \(2, 3\), \(2,\)"),
        (lambda: nn.JoinTable(1), [A, 3], TypeError, "nn.JoinTable: expected tensors to put together, got a number"),
        (lambda: nn.JoinTable(1), [3, A], TypeError, "nn.JoinTable: expected a tensor, got a number"),
        (lambda: nn.SelectTable(3), [A, A], IndexError, "nn.SelectTable: index 3 out of range of 2 elements"),
        (lambda: nn.SelectTable(0), [A, A], IndexError, "nn.SelectTable: index 0 out of range"),
        (lambda: nn.SelectTable("a"), [A], IndexError, "nn.SelectTable: no entry 'a' in a table of 1 without names"),
        (lambda: nn.SelectTable("a"), {"b": A}, IndexError, "nn.SelectTable: no entry 'a' among 'b'"),
        (lambda: nn.SelectTable(1), A, TypeError, "nn.SelectTable: expected a table as input"),
        (lambda: nn.NarrowTable(1), A, TypeError, "nn.NarrowTable: expected a table as input"),
        (lambda: nn.FlattenTable(), A, TypeError, "nn.FlattenTable: expected a table as input"),
    ],
)
def test_input_that_does_not_fit_is_refused(make: Callable[[], Any], x: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        make().forward(x)


@pytest.mark.parametrize(
    ("make", "x", "g", "error", "text"),
    [
        (lambda: nn.CAddTable(), [A, A], B, ValueError, r"nn.CAddTable: expected .* \(2,\), got .* \(2, 3\)"),
        (lambda: nn.CMulTable(), [A, A], [A], TypeError, "nn.CMulTable: expected a torch.DoubleTensor.* a table of 1"),
        (lambda: nn.SplitTable(1), B, [A], ValueError, "nn.SplitTable: expected a table of 2 as gradient, got 1"),
        (lambda: nn.SplitTable(1), B, [A, A], ValueError, r"nn.SplitTable: expected .* \(3,\), got .* \(2,\)"),
        (lambda: nn.SplitTable(1), B, B, TypeError, "nn.SplitTable: expected a table as gradient"),
        (lambda: nn.JoinTable(1), [A, A], A, ValueError, r"nn.JoinTable: expected size 4 in dimension 1, .* \(2,\)"),
        (lambda: nn.JoinTable(1), [B], np.zeros((2, 1)), ValueError, r"expected \(2, 3\) in part 1 of the gradient"),
        (lambda: nn.JoinTable(1), [A], [A], TypeError, "nn.JoinTable: expected a tensor, got a table of 1"),
        (lambda: nn.SelectTable(1), [A], None, TypeError, "expected nested tensors"),
        (lambda: nn.NarrowTable(1, 2), [A, A], [A], ValueError, "nn.NarrowTable: expected a table of 2 as gradient"),
        (lambda: nn.FlattenTable(), [A, [A]], [A], ValueError, "nn.FlattenTable: expected a table of 2 as gradient"),
    ],
)
def test_gradient_that_does_not_fit_is_refused(make: Callable[[], Any], x: Any, g: Any, error: Any, text: str) -> None:
    m = make()
    m.forward(x)
    with pytest.raises(error, match=text):
        m.backward(x, g)


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (-1, 1), (1, -1)])
def test_NarrowTable_counts_from_1(offset: int, length: int) -> None:
    with pytest.raises(ValueError, match=f"nn.NarrowTable: expected an offset from 1 up .* {offset} and {length}"):
        nn.NarrowTable(offset, length)


# -- rows


@pytest.mark.parametrize("make", [nn.SplitTable, nn.JoinTable])
def test_rows_stay_apart_unless_they_are_what_it_works_on(make: Callable[..., nn.Module]) -> None:
    assert make(2).ROWWISE
    assert make(1, 1).ROWWISE
    assert make(-1, 1).ROWWISE
    assert not make(1).ROWWISE
    assert not make(-1).ROWWISE
    assert not make(-2, 1).ROWWISE
