"""Indices as input: padding, norms, frequencies, and what is no index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
import torch7
from nn.kernels import scatter
from nn.kernels.scatter import add_columns, add_rows
from tests.support import golden
from tests.support.nested import assert_same


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


def gradient(m: nn.LookupTable, x: np.ndarray, g: np.ndarray, scale: float = 1) -> np.ndarray:
    m.zeroGradParameters()
    m.forward(x)
    m.backward(x, g, scale)
    return m.gradWeight.copy()


def expected(x: np.ndarray, g: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    want = np.zeros(shape)
    for i, row in zip(x.ravel(), g.reshape(-1, shape[1])):
        want[int(i) - 1] += row
    return want


# -- sums into rows


@given(
    st.lists(st.integers(0, 4), max_size=120),
    st.integers(1, 5),
    st.sampled_from([np.float64, np.float32, np.float16, np.int64]),
    st.booleans(),
    st.booleans(),
)
def test_add_rows(rows: list[int], width: int, dtype: Any, turned: bool, gaps: bool) -> None:
    where = np.array(rows, np.int64)
    values = np.random.default_rng(1).integers(-9, 9, (len(rows), 2 * width)).astype(dtype)
    values = values[:, ::2] if gaps else values[:, :width].copy()
    target = np.ones((width, 5) if turned else (5, width), dtype)
    target = target.T if turned else target
    want = 1 + expected(where + 1, values.astype(float), (5, width))
    add_rows(target, where, values)
    assert_same(target, want.astype(dtype))


@pytest.mark.parametrize("exponent", [0, 1, 3, 8])
def test_add_rows_that_come_up_often_and_seldom(exponent: int) -> None:
    rng = np.random.default_rng(exponent)
    where = (500 * rng.random(3000) ** exponent).astype(np.int64)  # from equally often to one of them all the time
    values = rng.normal(size=(3000, 3))
    target = np.zeros((501, 3))
    add_rows(target, where, values)
    assert_same(target, expected(where + 1, values, (501, 3)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("high", [3, 500])
def test_add_rows_takes_values_from_scratch_memory(high: int) -> None:
    where = np.random.default_rng(1).integers(0, high, 300)
    values = torch7.memory.scratch((300, 2), np.dtype(float))
    values[...] = numbers(300, 2)
    target = np.zeros((high, 2))
    add_rows(target, where, values)
    assert_same(target, expected(where + 1, numbers(300, 2), (high, 2)), rtol=1e-12, atol=1e-12)


def test_add_rows_keeps_infinities_to_their_rows() -> None:
    values = np.ones((40, 1))
    values[0] = np.inf  # the row that fills up blocks of others
    target = np.zeros((3, 1))
    add_rows(target, np.array([0] * 9 + [1] * 31), values)
    assert_same(target, np.array([[np.inf], [31], [0]]))


@given(st.lists(st.integers(0, 4), max_size=12), st.integers(1, 40), st.booleans())
def test_add_columns(columns: list[int], height: int, turned: bool) -> None:
    values = np.random.default_rng(1).integers(-9, 9, (height, len(columns))).astype(float)
    target = np.ones((5, height)).T if turned else np.ones((height, 5))
    add_columns(target, np.array(columns, np.int64), values)
    assert_same(target, 1 + expected(np.array(columns) + 1, values.T, (5, height)).T)


def test_columns_are_found_in_blocks_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scatter, "BLOCK", 4)
    found = list(scatter.column_places((5, 3), np.array([2, 0])))
    assert [rows for rows, _ in found] == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert_same(np.concatenate([places for _, places in found]), 3 * np.arange(5)[:, None] + [2, 0])


@given(st.lists(st.integers(0, 4), max_size=12))
def test_rounds_are_in_order_and_without_repetition(rows: list[int]) -> None:
    groups = [group.tolist() for group in scatter.rounds(np.array(rows, np.int64), 5)]
    assert sorted(i for group in groups for i in group) == list(range(len(rows)))
    for n, group in enumerate(groups):
        assert [rows[:i].count(rows[i]) for i in group] == [n] * len(group)


# -- LookupTable


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float64", "float32"])
@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_indices_of_any_type(dtype: str, shape: tuple[int, ...]) -> None:
    m = nn.LookupTable(5, 3)
    x = np.random.default_rng(3).integers(1, 6, shape).astype(dtype)
    assert_same(m.forward(x), m.weight[x.astype(int) - 1])
    g = numbers(*shape, 3)
    assert_same(gradient(m, x, g), expected(x, g, (5, 3)), rtol=1e-14)
    assert_same(m.gradInput, np.zeros(shape, dtype))


def test_indices_that_are_not_contiguous() -> None:
    m, x = nn.LookupTable(9, 2), np.arange(1, 9).reshape(2, 4).T
    assert_same(m.forward(x), m.weight[x - 1])
    assert_same(m.forward(x[::2, 0]), m.weight[[0, 2]])


def test_indices_become_contiguous_whole_numbers() -> None:
    m, x = nn.LookupTable(3, 2), np.array([[3, 1], [2, 2]])
    assert m.makeInputContiguous(x) is x
    for y in (m.makeInputContiguous(x.T), m.makeInputContiguous(x.T.astype(np.float32))):
        assert y.flags.c_contiguous
        assert_same(y, x.T)


def test_modules_of_old_versions_get_their_fields() -> None:
    m = nn.LookupTable(3, 2)
    m.backCompatibility()
    assert (m._count.dtype, m._input.dtype) == (np.int32, np.int64)
    assert vars(m)["shouldScaleGradByFreq"] is False
    m._input, count = np.array([1]), m._count
    m.scaleGradByFreq()
    m.backCompatibility()
    assert m._input.size == 1
    assert m._count is count
    assert m.shouldScaleGradByFreq


def test_gradInput_is_zero_and_kept() -> None:
    m, x = nn.LookupTable(3, 2), np.array([1, 2])
    out = m.forward(x)
    first = m.backward(x, out)
    assert m.backward(x, out) is first
    assert_same(m.updateGradInput(np.array([1.0]), out), np.zeros(1))
    m.gradInput = None
    assert_same(m.updateGradInput(x, out), np.zeros(2, int))


def test_padding_gets_no_gradient() -> None:
    m, x, g = nn.LookupTable(4, 2, 3), np.array([[3, 1], [4, 3]]), numbers(2, 2, 2)
    want = expected(x, g, (4, 2))
    assert m.setPadding(0) is m
    assert_same(gradient(m, x, g), want, rtol=1e-15)
    want[2] = 0
    assert_same(gradient(m.setPadding(3), x, g), want, rtol=1e-15)
    assert_same(m.forward(x), m.weight[x - 1])  # it is looked up all the same
    everything = np.full(3, 3)
    assert not gradient(m, everything, numbers(3, 2)).any()


def test_gradients_divided_by_frequency() -> None:
    m, x, g = nn.LookupTable(4, 2), np.array([2, 1, 2, 2]), numbers(4, 2)
    want = 0.5 * expected(x, g, (4, 2))
    want[1] /= 3
    assert m.ROWWISE
    assert m.scaleGradByFreq() is m
    assert not m.ROWWISE  # the frequencies are those in one input
    assert_same(gradient(m, x, g, 0.5), want, rtol=1e-14)


@pytest.mark.parametrize("p", [None, 1, 2, 3, 1.5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_are_shortened_before_they_are_looked_up(p: float | None, dtype: Any) -> None:
    m = nn.LookupTable(4, 3).setMaxNorm(2).setNormType(p)
    m.type(torch7.tensor_type(np.dtype(dtype)))
    m.weight[...] = [[3, -4, 0], [0.1, 0.2, -0.3], [5, 5, 5], [0, -2.5, 0]]
    before = m.weight.astype(float)
    q = 2 if p is None else p
    norms = (abs(before) ** q).sum(1, keepdims=True) ** (1 / q)
    want = np.where(norms > 2, before * (2 / (norms + 1e-7)), before)
    want[2] = before[2]  # not looked up
    out = m.forward(np.array([[4, 1], [2, 1]]))
    rtol = 1e-14 if dtype is np.float64 else 1e-6
    assert_same(m.weight, want.astype(dtype), rtol=rtol)
    assert_same(out, m.weight[[[3, 0], [1, 0]]])
    shortened = m.weight.copy()
    m.forward(np.array([1, 4]))
    assert_same(m.weight, shortened)


def test_renorm_without_a_norm_does_nothing() -> None:
    m = nn.LookupTable(3, 2)
    before = m.weight.copy()
    m.renorm(np.array([1, 2, 3]))
    assert_same(m.weight, before)
    m.setMaxNorm(1e-3).renorm(np.array([2]))
    assert np.linalg.norm(m.weight[1]) < 1.0001e-3
    assert_same(m.weight[[0, 2]], before[[0, 2]])


def test_the_norm_for_infinity_is_1_as_in_Torch() -> None:
    m = nn.LookupTable(2, 2, 0, 0.5, np.inf)
    m.weight[...] = [[9, 3], [0.1, 0.2]]
    assert_same(m.forward(np.array([1, 2])), np.array([[4.5, 1.5], [0.05, 0.1]]), rtol=1e-6)
    m.setMaxNorm(1)
    assert_same(m.forward(np.array([1])), np.array([[4.5, 1.5]]), rtol=1e-6)


@pytest.mark.parametrize("p", [0, -1])
def test_norms_are_of_a_positive_kind(p: float) -> None:
    with pytest.raises(ValueError, match=f"nn.LookupTable: expected a normType above 0, got {p}"):
        nn.LookupTable(3, 2, 0, 1, p).forward(np.array([1]))


def test_updates_of_the_parameters_themselves() -> None:
    torch7.manualSeed(7)
    x, g = np.array([1, 3, 1]), numbers(3, 2)
    for change in (lambda m: m, lambda m: m.accUpdateOnly(), lambda m: m.share(nn.LookupTable(4, 2), "weight")):
        m = nn.LookupTable(4, 2)
        change(m)
        before = m.weight.copy()
        m.zeroGradParameters()
        m.forward(x)
        m.backwardUpdate(x, g, 0.5)
        assert_same(m.weight, before - 0.5 * expected(x, g, (4, 2)), rtol=1e-14)
        assert m.gradWeight is None or not m.gradWeight.any()


def test_without_gradient_there_is_no_backward() -> None:
    m, x = nn.LookupTable(4, 2, None).accUpdateOnly(), np.array([1, 3])
    assert m.paddingValue == 0
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.LookupTable: there is no gradWeight after accUpdateOnly"):
        m.backward(x, numbers(2, 2))
    with pytest.raises(ValueError, match=r"nn: getParameters needs a gradient for every parameter"):
        m.getParameters()


def test_tied_weights_may_be_turned() -> None:
    m, x, g = nn.LookupTable(4, 2), np.array([1, 3, 1]), numbers(3, 2)
    m.gradWeight = np.zeros((2, 4)).T
    assert_same(gradient(m, x, g), expected(x, g, (4, 2)), rtol=1e-14)


def test_reset_draws_from_a_normal_distribution() -> None:
    torch7.manualSeed(5)
    m = nn.LookupTable(30, 40)
    torch7.manualSeed(5)
    want = torch7.randn(30, 40)
    assert_same(m.weight, want)
    torch7.manualSeed(5)
    assert m.reset(0.1) is m
    assert_same(m.weight, 0.1 * want, rtol=1e-15)


def test_fields_are_those_that_Torch_saves() -> None:
    (case,) = (c for c in golden.cases("t7/manifest.json") if c["name"] == "nn_lookup")
    saved = [name for name, _ in case["content"]["fields"]]
    assert sorted(name for name, value in vars(nn.LookupTable(5, 3)).items() if value is not None) == sorted(saved)
    assert nn.LookupTable.torch_version == case["content"]["version"]


def test_work_space_that_Torch_saved_keeps_its_types() -> None:
    m = nn.LookupTable(3, 2)
    m._input, m._count = np.array([1, 2]), np.array([1, 1, 0], np.int32)
    m.float()
    assert (m._input.dtype, m._count.dtype) == (np.int64, np.int32)
    assert m.weight.dtype == np.float32
    m._input = np.array([1, 2])
    m.clearState()
    assert m._input.size == m._count.size == 0


# -- OneHot


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float64", "float32"])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 1, 3)])
def test_OneHot_of_any_shape_and_type(dtype: str, shape: tuple[int, ...]) -> None:
    m = nn.OneHot(4)
    x = np.random.default_rng(3).integers(1, 5, shape).astype(dtype)
    want = np.eye(4)[x.astype(int) - 1]
    assert_same(m.forward(x), want)
    m.output.fill(8)
    assert_same(m.forward(x), want)
    assert_same(m.backward(x, want), np.zeros(shape))


def test_OneHot_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"nn.OneHot: expected indices, got an empty tensor"):
        nn.OneHot(3).forward(np.zeros(0, int))


def test_OneHot_of_a_number() -> None:
    m = nn.OneHot(3)
    assert_same(m.forward(2), np.array([0.0, 1, 0]))
    assert_same(m.forward(3.0), np.array([0.0, 0, 1]))
    assert m.updateGradInput(2, np.ones(3)) == 0


def test_OneHot_has_the_type_of_the_module() -> None:
    assert nn.OneHot(2).float().forward(np.array([1])).dtype == np.float32


def test_OneHot_writes_into_a_buffer_that_is_not_contiguous() -> None:
    m, x = nn.OneHot(3), np.array([2, 3])
    m.output = buffer = np.full((3, 2), 5.0).T
    assert m.forward(x) is buffer
    assert_same(buffer, np.array([[0.0, 1, 0], [0, 0, 1]]))


def test_OneHot_drops_work_space_that_Torch_saved() -> None:
    for change in (lambda m: m.clearState(), lambda m: m.float()):
        m = nn.OneHot(3)
        m._single = m._input = np.array([1])
        assert m.type() == "torch.DoubleTensor"
        assert "_input" in vars(m)
        assert change(m) is m
        assert not {"_single", "_input"} & set(vars(m))


# -- refusals


@pytest.mark.parametrize("name", ["LookupTable", "OneHot"])
@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (np.array([1, 0]), IndexError, "indices count from 1 and go up to 5, got 0"),
        (np.array([6]), IndexError, "got 6"),
        (np.array([-1.0]), IndexError, "got -1"),
        (np.array([1.5]), ValueError, "whole numbers as indices, got 1.5"),
        (np.array([np.nan]), ValueError, "whole numbers as indices, got nan"),
        (np.array([np.inf]), ValueError, "whole numbers as indices, got inf"),
        (np.array(["1"]), TypeError, "whole numbers"),
        ([1, 2], TypeError, "expected a tensor, got a table of 2"),
        (None, TypeError, "expected a tensor, got a nil"),
    ],
    ids=str,
)
def test_what_is_no_index_is_refused(name: str, x: Any, error: Any, text: str) -> None:
    m = nn.LookupTable(5, 2) if name == "LookupTable" else nn.OneHot(5)
    with pytest.raises(error, match=rf"nn.{name}: .*{text}"):
        m.forward(x)


@pytest.mark.parametrize("shape", [(1, 1, 1), (), (0,)])
def test_LookupTable_takes_vectors_and_matrices(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.LookupTable: expected a vector or a matrix of indices, got shape \("):
        nn.LookupTable(3, 2).forward(np.ones(shape))


def test_gradients_that_do_not_fit_are_refused() -> None:
    m, x = nn.LookupTable(3, 2), np.array([1, 2])
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.LookupTable: expected a gradient of shape \(2, 2\), got shape \(3,\)"):
        m.backward(x, np.zeros(3))
    with pytest.raises(TypeError, match=r"nn.LookupTable: expected a torch.DoubleTensor, got a torch.FloatTensor"):
        m.backward(x, np.zeros((2, 2), np.float32))
