"""Parallel, DepthConcat and MapTable: slices, frames of zeros, and clones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.contract import without
from tests.support.modules import Failing, NoGradient
from tests.support.nested import assert_same, copied


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch7.manualSeed(1)


# -- Parallel


def test_Parallel_gives_each_module_its_slice() -> None:
    m, x = nn.Parallel(2, 1).add(nn.Tanh()).add(nn.Identity()).add(nn.Sigmoid()), numbers(3, 2, 4)
    assert_same(m.forward(x), np.concatenate([np.tanh(x[:, 0]), x[:, 1]]))
    g = numbers(6, 4)
    want = np.stack([g[:3] * (1 - np.tanh(x[:, 0]) ** 2), g[3:]], 1)
    assert_same(m.backward(x, g), want, rtol=1e-14)
    assert m.get(3).output.size == 0


def test_Parallel_fills_in_zeros_where_no_gradient_is_made() -> None:
    m, x = nn.Parallel(1, 1).add(NoGradient()).add(nn.Identity()), numbers(2, 3)
    m.forward(x)
    assert_same(m.backward(x, np.ones(6)), np.array([[0.0] * 3, [1.0] * 3]))


def test_Parallel_takes_indices() -> None:
    m, x = nn.Parallel(2, 2).add(nn.LookupTable(4, 2)).add(nn.LookupTable(4, 3)), np.array([[1, 2], [3, 4], [4, 4]])
    y = m.forward(x)
    assert_same(y, np.concatenate([m.get(i + 1).weight[x[:, i] - 1] for i in range(2)], 1))
    assert_same(m.backward(x, copied(y)), np.zeros((3, 2)))


def test_Parallel_hands_scale_and_rate_on() -> None:
    m, x, g = nn.Parallel(1, 1).add(nn.Linear(3, 2)).add(nn.Linear(3, 1)), numbers(2, 3), numbers(3)
    m.forward(x)
    m.zeroGradParameters()
    m.backward(x, g, 0.5)
    wanted = [0.5 * np.outer(g[:2], x[0]), 0.5 * g[:2], 0.5 * np.outer(g[2:], x[1]), 0.5 * g[2:]]
    assert_same(m.parameters()[1], wanted, rtol=1e-14)
    before = copied(m.parameters()[0])
    m.accUpdateGradParameters(x, g, 0.1)
    assert_same(m.parameters()[0], [w - 0.2 * a for w, a in zip(before, wanted)], rtol=1e-13)


@pytest.mark.parametrize(
    ("m", "x", "error", "text"),
    [
        (nn.Parallel(1, 1), numbers(3, 2), ValueError, r"size 1 to 2 in dimension 1, got shape \(3, 2\)"),
        (nn.Parallel(2, 1), numbers(3, 0), ValueError, r"size 1 to 2 in dimension 2, got shape \(3, 0\)"),
        (nn.Parallel(1, 1), numbers(2), ValueError, r"2 dimensions or more .* got shape \(2,\)"),
        (nn.Parallel(3, 1), numbers(2, 2), IndexError, "dimension 3 out of range of 2D tensor"),
        (nn.Parallel(1, 2), numbers(2, 2), IndexError, "dimension 2 out of range of 1D tensor"),
        (nn.Parallel(1, 1), [numbers(2)], TypeError, "expected a tensor, got a table of 1"),
    ],
)
def test_Parallel_refuses(m: Any, x: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=f"nn.Parallel: .*{text}"):
        m.clone().add(nn.Identity()).add(nn.Identity()).forward(x)


def test_Parallel_refuses_a_gradient_of_another_size() -> None:
    m, x = nn.Parallel(1, 1).add(nn.Identity()).add(nn.Identity()), numbers(2, 3)
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.Parallel: expected size 6 in dimension 1, got shape \(5,\)"):
        m.backward(x, numbers(5))


def test_Parallel_is_row_wise_when_rows_stay_rows() -> None:
    assert nn.Parallel(2, 2).add(nn.Tanh()).ROWWISE
    assert not nn.Parallel(1, 2).add(nn.Tanh()).ROWWISE
    assert not nn.Parallel(2, 1).add(nn.Tanh()).ROWWISE
    assert not nn.Parallel(2, 2).add(nn.Select(1, 1)).ROWWISE


@pytest.mark.parametrize("m", [nn.Parallel(1, 1), nn.DepthConcat(1), nn.MapTable()], ids=torch7.typename)
def test_errors_tell_in_which_module_they_came_up(m: Any) -> None:
    m.add(nn.Sequential().add(Failing(KeyError("a user's mistake"))))
    with pytest.raises(KeyError, match="a user's mistake") as caught:
        m.forward([numbers(2)] if isinstance(m, nn.MapTable) else numbers(1, 2))
    assert caught.value.__notes__[1].startswith(f"In module 1 of {torch7.typename(m)}: nn.Sequential {{")


# -- DepthConcat


def test_DepthConcat_puts_smaller_outputs_in_the_middle() -> None:
    m, x = nn.DepthConcat(1).add(nn.Identity()).add(nn.Narrow(2, 1, 2)).add(nn.Narrow(3, 1, 1)), numbers(1, 5, 4)
    want = np.zeros((3, 5, 4))
    want[0], want[1, 1:3], want[2, :, 1:2] = x[0], x[0, :2], x[0, :, :1]
    assert_same(m.forward(x), want)
    g, grad = numbers(3, 5, 4), np.zeros((1, 5, 4))
    grad[0] = g[0]
    grad[0, :2] += g[1, 1:3]
    grad[0, :, :1] += g[2, :, 1:2]
    assert_same(m.backward(x, g), grad)
    assert_same(copied(m.updateGradInput(x, g)), grad)


def test_DepthConcat_clears_the_frame_when_sizes_move() -> None:
    moving = nn.Narrow(2, 1, 2)
    m, x = nn.DepthConcat(1).add(nn.Identity()).add(moving), numbers(1, 5)
    m.forward(x)
    moving.length = 1
    assert_same(m.forward(x)[1], np.array([0, 0, x[0, 0], 0, 0]))


def test_DepthConcat_counts_windows_from_1() -> None:
    m, whole = nn.DepthConcat(2), np.arange(24.0).reshape(2, 4, 3)
    assert_same(m.windowNarrow(whole, np.empty((2, 2, 1)), 3), whole[:, 2:, 1:2])


def test_DepthConcat_ignores_the_scale_of_backward() -> None:
    m, x, g = nn.DepthConcat(1).add(nn.Linear(3, 2)), numbers(3), numbers(2)
    m.forward(x)
    m.zeroGradParameters()
    m.backward(x, g, 0.5)
    assert_same(m.get(1).gradBias, g)
    m.accGradParameters(x, g, 0.5)
    assert_same(m.get(1).gradBias, 1.5 * g)
    before = m.get(1).bias.copy()
    m.accUpdateGradParameters(x, g, 0.5)
    assert_same(m.get(1).bias, before - 0.5 * g)


def test_DepthConcat_refuses_what_does_not_fit() -> None:
    m, x = nn.DepthConcat(1).add(nn.Identity()), numbers(2, 3)
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.DepthConcat: expected a gradient of shape \(2, 3\), got \(2, 4\)"):
        m.backward(x, numbers(2, 4))
    m.add(nn.Select(1, 1))
    with pytest.raises(
        ValueError, match=r"nn.DepthConcat: expected outputs of as many dimensions, got .*\(2, 3\), \(3,\)"
    ):
        m.forward(x)
    assert nn.DepthConcat(1).forward(x).size == 0


# -- MapTable


def test_MapTable_grows_by_clones_that_share() -> None:
    m, x = nn.MapTable(nn.Linear(3, 2)), [numbers(3), numbers(4, 3), numbers(1, 3)]
    y = m.forward(x)
    first = m.get(1)
    assert_same(y, [first.clone().forward(a).copy() for a in x])
    assert m.size() == 3
    assert len(m.parameters()[0]) == 6
    assert all(np.shares_memory(other.gradWeight, first.gradWeight) for other in m.modules)
    params, grads = m.getParameters()
    assert params.size == grads.size == 8
    m.resize(5)
    params.fill(2)
    assert all((other.weight == 2).all() and (other.bias == 2).all() for other in m.modules)


def test_MapTable_adds_and_steps_once() -> None:
    m, x = nn.MapTable(nn.Linear(3, 2)), [numbers(3), numbers(3) + 1]
    m.forward(x)
    m.zeroGradParameters()
    m.backward(x, [np.ones(2), np.ones(2)])
    assert_same(m.module.gradWeight, np.tile(x[0] + x[1], (2, 1)))
    before = m.module.bias.copy()
    m.updateParameters(0.1)
    assert_same(m.module.bias, before - 0.1 * 2)
    m.forward(x)
    m.accUpdateGradParameters(x, [np.ones(2), np.ones(2)], 0.1)
    assert_same(m.module.bias, before - 0.1 * 4, rtol=1e-14)


def test_MapTable_with_parameters_apart() -> None:
    m, x = nn.MapTable(nn.Linear(3, 2), False), [numbers(3), numbers(3)]
    m.forward(x)
    a, b = m.modules
    assert not np.shares_memory(a.weight, b.weight)
    m.zeroGradParameters()
    m.backward(x, [np.ones(2), 2 * np.ones(2)])
    assert (a.gradBias.tolist(), b.gradBias.tolist()) == ([1, 1], [2, 2])
    before = b.bias.copy()
    m.updateParameters(1)
    assert_same(b.bias, before - 2)
    assert m.getParameters()[0].size == 16


def test_MapTable_shares_what_it_is_told_to() -> None:
    m = nn.MapTable(nn.Linear(2, 2))
    m.sharedparams = ["bias"]
    m.resize(2)
    assert np.shares_memory(m.get(1).bias, m.get(2).bias)
    assert not np.shares_memory(m.get(1).weight, m.get(2).weight)


def test_MapTable_of_a_file_without_names_to_share() -> None:
    old = without(nn.MapTable(nn.Linear(2, 2)), "sharedparams")
    old.resize(2)
    assert np.shares_memory(old.get(1).weight, old.get(2).weight)


def test_MapTable_shrinks() -> None:
    m = nn.MapTable(nn.Tanh())
    m.resize(3)
    assert m.size() == 3
    m.forward([numbers(2)])
    assert m.size() == 3
    m.resize(1)
    assert m.modules == [m.module]
    m.resize(0)
    assert m.size() == 0
    assert_same(m.forward([numbers(2)]), [np.tanh(numbers(2))])
    m.resize(4)
    assert m.clearState() is m
    assert m.modules == [m.module]
    assert (m.output, m.gradInput) == ([], [])
    assert m.forward([]) == []


def test_MapTable_gives_a_new_table_each_time() -> None:
    m, x = nn.MapTable(nn.Tanh()), [numbers(2), numbers(3)]
    first = m.forward(x)
    second = m.forward(x[:1])
    assert (len(first), len(second)) == (2, 1)
    assert first[0] is second[0]


def test_MapTable_takes_one_module() -> None:
    m = nn.MapTable()
    with pytest.raises(ValueError, match=r"nn.MapTable: expected a module to apply, none was added"):
        m.forward([numbers(2)])
    assert m.add(nn.Tanh()) is m
    with pytest.raises(ValueError, match=r"nn.MapTable: takes a single module, and has nn.Tanh"):
        m.add(nn.Tanh())
    with pytest.raises(TypeError, match=r"nn.MapTable: add expects an nn.Module"):
        nn.MapTable(nn.MSECriterion())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"nn.MapTable: expected a table as input, got a torch.DoubleTensor"):
        m.forward(numbers(2))
    m.forward([numbers(2), numbers(2)])
    with pytest.raises(ValueError, match=r"nn.MapTable: expected a table of 2 as gradient, got 1"):
        m.backward([numbers(2), numbers(2)], [numbers(2)])


@pytest.mark.parametrize("shared", [True, False])
def test_MapTable_replaces_its_module(shared: bool) -> None:
    m, x = nn.MapTable(nn.Linear(2, 2), shared), [numbers(2), numbers(2)]
    m.forward(x)
    m.replace(lambda module: nn.Linear(2, 3) if isinstance(module, nn.Linear) else module)
    assert m.module is m.get(1)
    assert [y.shape for y in m.forward(x)] == [(3,), (3,)]
    assert np.shares_memory(m.get(1).weight, m.get(2).weight) == shared
    assert nn.MapTable().replace(lambda module: module).module is None


def test_MapTable_copies_keep_what_is_shared() -> None:
    m = nn.MapTable(nn.Linear(2, 2))
    m.resize(3)
    for other in (m.clone(), torch7.deserialize(torch7.serialize(m))):
        assert other.module is other.get(1)
        assert other.getParameters()[0].size == 6
        other.float()
        assert other.getParameters()[0].size == 6


def test_MapTable_clones_are_in_the_module_s_mode() -> None:
    m = nn.MapTable(nn.Dropout(0.5))
    m.evaluate()
    x = [numbers(2), numbers(3)]
    assert_same(m.forward(x), x)
    assert m.get(2).train is False


def test_text_of_MapTable() -> None:
    assert str(nn.MapTable()) == "nn.MapTable { }"
    inner = nn.Sequential().add(nn.Tanh())
    text = "nn.MapTable {\n  nn.Sequential {\n          [input -> (1) -> output]\n          (1): nn.Tanh\n        }\n}"
    assert str(nn.MapTable(inner)) == text
