"""nn.SparseLinear: as nn.Linear on dense vectors, and what is remembered between calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same
from tests.support.sparse import IN, KEYS, OUT, VALUES, close, dense, filled, numbers


def like(m: Any) -> nn.Linear:
    """An nn.Linear with the weight of a sparse layer."""
    return dense(m.weight, m.bias)


PAIRS = [np.stack([np.array(k, float), v], 1) for k, v in zip(KEYS, VALUES)]
LEGACY = np.array([[[1.0, 0.5], [4, 2]], [[6, -1], [6, 3]]])

SPARSE_INPUTS = {
    "table": (PAIRS, filled(KEYS, VALUES)),
    "vector": (PAIRS[0], filled(KEYS, VALUES)[0]),
    "legacy": (LEGACY, filled([[1, 4], [6, 6]], [[0.5, 2], [-1, 3]])),
}


@pytest.mark.parametrize("form", SPARSE_INPUTS)
@pytest.mark.parametrize("scale", [1, 0.5])
def test_sparse_linear_is_linear_on_dense_vectors(form: str, scale: float) -> None:
    m = nn.SparseLinear(IN, OUT, True)
    m.bias[...] = numbers(OUT)
    x, dense = SPARSE_INPUTS[form]
    other = like(m)
    close(m.forward(x), other.forward(dense))
    g = numbers(*dense.shape[:-1], OUT)
    gradInput = m.backward(x, g, scale)
    want = other.backward(dense, g, scale).reshape(-1, IN)
    close(m.gradWeight, other.gradWeight)
    close(m.gradBias, other.gradBias)
    for found, values in zip(gradInput, want, strict=True):
        close(found, np.stack([np.arange(1.0, IN + 1), values], 1))
    assert type(gradInput) is (np.ndarray if form == "legacy" else list)


def test_sparse_gradInput_only_on_demand() -> None:
    m = nn.SparseLinear(IN, OUT)
    m.forward(PAIRS)
    assert m.backward(PAIRS, numbers(3, OUT)) == []
    m.forward(LEGACY)
    assert_same(m.backward(LEGACY, numbers(2, OUT)), np.zeros(LEGACY.shape))


def test_no_vectors_give_the_bias() -> None:
    m = nn.SparseLinear(IN, OUT)
    assert_same(m.forward([]), m.bias)
    m.backward([], np.ones(OUT))
    assert not m.gradWeight.any()
    assert_same(m.gradBias, np.ones(OUT))


def test_indices_of_zeros_do_not_matter() -> None:
    m, x = nn.SparseLinear(IN, OUT), np.array([[2.0, 3], [-5, 0], [77, 0]])
    close(m.forward(x), 3 * m.weight[:, 1] + m.bias)
    m.backward(x, np.ones(OUT))
    m.updateParameters(1)
    assert np.flatnonzero(m.gradWeight.any(0)).tolist() == [1]


@pytest.mark.parametrize("form", ["table", "legacy"])
def test_updates_touch_only_the_columns_that_came_up(form: str) -> None:
    m, x = nn.SparseLinear(IN, OUT), SPARSE_INPUTS[form][0]
    before, bias = m.weight.copy(), m.bias.copy()
    m.forward(x)
    m.backward(x, numbers(len(x), OUT))
    m.gradWeight[:, 4] = 7  # column 5 comes up nowhere
    used = np.array([True, form == "table", False, True, False, True])
    m.updateParameters(0.5)
    close(m.weight, np.where(used, before - 0.5 * m.gradWeight, before))
    close(m.bias, bias - 0.5 * m.gradBias)
    m.zeroGradParameters()
    assert np.flatnonzero(m.gradWeight.any(0)).tolist() == [4]
    assert not m.gradBias.any()
    m.zeroGradParameters()  # there is no last input any more
    assert not m.gradWeight.any()


@pytest.mark.parametrize("turned", [False, True])
def test_updates_in_blocks_and_of_weights_that_are_not_contiguous(
    turned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.kernels.scatter, "BLOCK", 4)
    m, g = nn.SparseLinear(IN, OUT), numbers(3, OUT)
    if turned:
        m.weight, m.gradWeight = np.asfortranarray(m.weight), np.zeros((IN, OUT)).T
    before, other = m.weight.copy(), like(m)
    m.forward(PAIRS)
    m.backward(PAIRS, g)
    other.backward(filled(KEYS, VALUES), g)
    close(m.gradWeight, other.gradWeight)
    m.updateParameters(0.5)
    close(m.weight, before - 0.5 * other.gradWeight)
    m.zeroGradParameters()
    assert not m.gradWeight.any()


@pytest.mark.parametrize("times", ["backward", "forward"])
def test_updates_touch_everything_after_more_than_one_pass(times: str) -> None:
    m, g = nn.SparseLinear(IN, OUT), np.ones((1, OUT))
    first, second = [np.array([[1.0, 1]])], [np.array([[2.0, 1]])]
    m.forward(first)
    m.backward(first, g)
    m.forward(second)
    if times == "backward":
        m.backward(second, g)
    m.gradWeight[:, 4] = 7
    before = m.weight.copy()
    m.updateParameters(1)
    close(m.weight, before - m.gradWeight)
    m.zeroGradParameters()
    assert not m.gradWeight.any()


def test_without_values_the_bias_stays() -> None:
    m, x = nn.SparseLinear(IN, OUT), np.array([[1.0, 0]])
    bias = m.bias.copy()
    m.forward(x)
    m.backward(x, np.ones(OUT))
    m.updateParameters(1)
    assert_same(m.bias, bias)
    assert_same(m.gradBias, np.ones(OUT))


def test_weight_decay_is_added_to_all_of_the_gradient() -> None:
    m, x, g = nn.SparseLinear(IN, OUT), PAIRS, numbers(3, OUT)
    other = like(m)
    m.weightDecay = 0.1
    m.forward(x)
    m.backward(x, g, 2)
    other.backward(filled(KEYS, VALUES), g, 2)
    close(m.gradWeight, other.gradWeight + 0.1 * m.weight)


def test_a_cleared_module_forgets_what_it_saw() -> None:
    m = nn.SparseLinear(IN, OUT)
    m.forward(PAIRS)
    m.backward(PAIRS, numbers(3, OUT))
    want = m.weight - m.gradWeight
    assert m.clearState() is m
    assert m.lastInput is None
    m.updateParameters(1)
    close(m.weight, want)


def test_the_last_input_is_saved() -> None:
    m = nn.SparseLinear(IN, OUT)
    m.forward(PAIRS)
    m.backward(PAIRS, numbers(3, OUT))
    other = torch7.deserialize(torch7.serialize(m))
    assert_same(other.lastInput, np.array([[1, 1, 0.5], [1, 4, 2], [1, 4, -1], [3, 6, -1], [3, 2, 3]]))
    for each in (m, other):
        each.updateParameters(1)
    close(other.weight, m.weight)


def test_reset_draws_weight_and_a_small_bias() -> None:
    m = nn.SparseLinear(4, OUT)
    for stdv, s in ((None, 1 / np.sqrt(m.weight.shape[1])), (0.1, 0.1 * np.sqrt(3))):
        torch7.manualSeed(5)
        m.reset(stdv)
        torch7.manualSeed(5)
        assert_same(m.weight, torch7.uniform_(np.empty(m.weight.shape), -s, s))
        assert_same(m.bias, torch7.uniform_(np.empty(OUT), -s, s) * 0.000001)


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (np.array([[7.0, 1]]), IndexError, "indices count from 1 and go up to 6, got 7"),
        ([np.array([[0.0, 1]])], IndexError, "got 0"),
        ([np.array([[1.5, 1]])], ValueError, "whole numbers as indices, got 1.5"),
        (np.ones((2, 3)), ValueError, r"pairs of index and value \(n, 2\), got a torch.DoubleTensor of shape \(2, 3\)"),
        (np.ones((2, 3, 4)), ValueError, r"pairs of index and value"),
        (np.ones(2), ValueError, r"pairs of index and value"),
        ([np.ones((1, 2), np.float32)], TypeError, "a torch.DoubleTensor, got a torch.FloatTensor"),
        (3, TypeError, "a torch.DoubleTensor, got a number"),
    ],
    ids=str,
)
def test_what_is_no_sparse_vector_is_refused(x: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=rf"nn.SparseLinear: .*{text}"):
        nn.SparseLinear(IN, OUT).forward(x)


def test_sparse_gradients_have_to_fit() -> None:
    m = nn.SparseLinear(IN, OUT, True)
    m.forward(PAIRS)
    for shape in ((2, OUT), (OUT, 3, 1), (OUT,)):
        with pytest.raises(ValueError, match=r"nn.SparseLinear: expected a gradient \(3, 3\), got shape"):
            m.backward(PAIRS, np.ones(shape))
    with pytest.raises(TypeError, match=r"nn.SparseLinear: expected True or False for doGradInput, got 1"):
        nn.SparseLinear(IN, OUT, 1)  # type: ignore[arg-type]
