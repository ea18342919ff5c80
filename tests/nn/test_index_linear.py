"""nn.IndexLinear: as nn.Linear on dense vectors, keys one after the other, and gradients that run in a list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same, copied
from tests.support.sparse import IN, KEYS, OUT, VALUES, close, dense, filled, numbers


def like(m: Any) -> nn.Linear:
    """An nn.Linear with the weight of a sparse layer."""
    return dense(m.weight.T, m.bias)


KEY_TABLE = [np.array(k, np.int64) for k in KEYS]
INDEX_INPUTS = {
    "tables": ([KEY_TABLE, VALUES], filled(KEYS, VALUES)),
    "vector": ([KEY_TABLE[0], VALUES[0]], filled(KEYS, VALUES)[0]),
    "flat": ([np.concatenate(KEY_TABLE), np.concatenate(VALUES), np.array([3, 0, 2])], filled(KEYS, VALUES)),
    "flat-number": ([KEY_TABLE[0], VALUES[0], 3], filled(KEYS[:1], VALUES[:1])),
}


def index_linear(outputs: int = OUT, **options: Any) -> nn.IndexLinear:
    m = nn.IndexLinear(IN, outputs, **options)
    torch7.manualSeed(5)
    m.reset(1)
    m.bias *= 1e6
    m.zeroGradParameters()
    return m


@pytest.mark.parametrize("form", INDEX_INPUTS)
@pytest.mark.parametrize("scale", [1, 0.5])
@pytest.mark.parametrize("outputs", [1, OUT])
def test_index_linear_is_linear_on_dense_vectors(form: str, scale: float, outputs: int) -> None:
    m = index_linear(outputs, doGradInput=True)
    x, dense = INDEX_INPUTS[form]
    other = like(m)
    close(m.forward(x), other.forward(dense))
    g = numbers(*dense.shape[:-1], outputs)
    keys, values = m.backward(x, g, scale)
    want = other.backward(dense, g, scale)
    if form == "tables":
        keys, values = np.stack(keys), np.stack(values)
    assert_same(keys, np.broadcast_to(np.arange(1, IN + 1), want.shape))
    close(values, want)
    before = m.weight.copy()
    m.updateParameters(0.1)
    close(m.weight, before - 0.1 * other.gradWeight.T)
    close(m.parameters()[1], [other.gradWeight.T, other.gradBias])


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float64"])
def test_keys_of_any_type(dtype: str) -> None:
    m = index_linear()
    x = [KEY_TABLE[0].astype(dtype), VALUES[0]]
    close(m.forward(x), like(m).forward(filled(KEYS, VALUES)[0]))
    assert m.keys.dtype == np.int64


def test_keys_may_have_an_offset() -> None:
    m, plain = index_linear(keysOffset=2), index_linear()
    assert (m.offset, plain.offset) == (1, -1)
    x = [KEY_TABLE[0] - 2, VALUES[0]]  # key k is in row k + keysOffset
    assert_same(m.forward(x), plain.forward([KEY_TABLE[0], VALUES[0]]))
    with pytest.raises(IndexError, match=r"nn.IndexLinear: keys plus keysOffset count from 1 and go up to 6, got 7"):
        m.forward([np.array([5]), np.ones(1)])


def test_weight_and_bias_may_be_given() -> None:
    weight, bias = numbers(5, 2), numbers(2)
    m = nn.IndexLinear(99, 77, weight=weight, bias=bias)
    assert m.weight is weight
    assert m.bias is bias
    assert (m.inputSize, m.outputSize) == (5, 2)
    assert nn.IndexLinear(99, 77, weight=numbers(5, 6), normalize=True).outputSize == 2
    with pytest.raises(
        ValueError, match=r"nn.IndexLinear: expected a bias of 2, got a torch.DoubleTensor of shape \(3,\)"
    ):
        nn.IndexLinear(99, 77, weight=weight, bias=np.ones(3))


def test_gradients_run_in_a_list_until_they_are_zeroed() -> None:
    m, x = index_linear(), INDEX_INPUTS["tables"][0]
    g = numbers(3, OUT)
    for _ in range(2):
        m.forward(x)
        m.backward(x, g)
    assert m.running["counter"] == 3
    assert m.gradWeight.size == 0  # nothing of the size of the weight was made
    for keys, rows in zip(m.running["keys"], m.running["gradWeight"], strict=True):
        assert_same(keys, np.array([1, 4, 4, 6, 2]))
        close(rows, np.concatenate(VALUES)[:, None] * g[[0, 0, 0, 2, 2]])
    close(m.gradBias, 2 * g.sum(0))
    m.zeroGradParameters()
    assert m.running["counter"] == 1
    before = copied([m.weight, m.bias])
    m.updateParameters(1)
    assert_same([m.weight, m.bias], before)
    first = m.running["gradWeight"][0]
    m.forward(x)
    m.backward(x, g)
    assert m.running["gradWeight"][0] is first  # it was a buffer in between


def test_a_dense_gradient_has_what_was_before_it_was_asked_for() -> None:
    m, x = index_linear(), INDEX_INPUTS["tables"][0]
    g = numbers(3, OUT)
    m.forward(x)
    m.backward(x, g)
    once = m.parameters()[1][0].copy()
    close(once, filled(KEYS, VALUES).T @ g)
    m.forward(x)
    m.backward(x, g)
    close(m.gradWeight, 2 * once)
    m.zeroGradParameters()
    assert not m.gradWeight.any()


def test_training_goes_on_after_saving() -> None:
    m, x = index_linear(), INDEX_INPUTS["tables"][0]
    for _ in range(2):
        m.forward(x)
        m.backward(x, numbers(3, OUT))
    other = torch7.deserialize(torch7.serialize(m))
    for each in (m, other):
        each.updateParameters(0.1)
    assert_same(other.weight, m.weight)


def step(m: nn.IndexLinear, keys: np.ndarray, values: np.ndarray, g: np.ndarray, rate: float) -> np.ndarray:
    """The weight after an update as Torch makes it, key by key."""
    weight = m.weight.copy()
    for key, v, d in zip(keys, values, g):
        row = weight[key - 1]
        if not m.normalize:
            row -= rate * v * d + m.weightDecay * row
            continue
        w, factor = row[4:].copy(), row[2]
        row[3] -= rate * factor * d @ w
        sign = -1 if m.outputSize == 1 else 1
        row[4:] -= rate * factor * v * d + sign * m.weightDecay * factor * w
    return weight


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("decay", [0, 0.1])
@pytest.mark.parametrize("outputs", [1, OUT])
def test_updates_go_key_by_key(normalize: bool, decay: float, outputs: int) -> None:
    m, x = index_linear(outputs, normalize=normalize), INDEX_INPUTS["tables"][0]
    m.weightDecay = decay
    m.training()
    g = numbers(3, outputs)
    bias = m.bias.copy()
    m.forward(x)
    m.forward(x)  # the greatest values are known now
    other = m.clone()
    values = m.normalizedValues if normalize else m.values
    want = step(m, m.keys, values, g[[0, 0, 0, 2, 2]], 0.5)
    m.backward(x, g)
    m.updateParameters(0.5)
    close(m.weight, want)
    close(m.bias, bias - 0.5 * g.sum(0))
    other.updateGradInput(x, g)
    other.accUpdateGradParameters(x, g, 0.5)
    if normalize and outputs == 1:
        want[m.keys - 1, 2] = 0
    close(other.weight, want)
    close(other.bias, m.bias)


def test_values_are_normalized_by_the_greatest_so_far() -> None:
    m = index_linear(2, normalize=True)
    m.weight[:, 3] = 0.25
    x = [np.array([2, 2, 3, 2]), np.array([-2.0, 4, 0, 1])]
    m.training()
    m.forward(x)
    assert_same(m.normalizedValues, np.array([-1, 1, 0, 0.25]) + 0.25)
    assert_same(m.weight[1, :4], np.array([4, 0.25, 1, 0.25]))
    assert_same(m.weight[2, :4], np.array([0, 0, 1, 0.25]))
    close(m.output, m.bias + m.normalizedValues @ m.weight[[1, 1, 2, 1], 4:])
    m.evaluate()
    m.forward([np.array([2, 2]), np.array([-8.0, 2])])
    assert_same(m.normalizedValues, np.array([-1, 0.5]) + 0.25)
    assert m.weight[1, 0] == 4
    assert not m.weight[[0, 3, 4, 5], :3].any()


def test_new_modules_learn_no_sizes_before_training() -> None:
    m = index_linear(2, normalize=True)
    m.forward([np.array([2]), np.array([-2.0])])
    assert not m.weight[:, :3].any()


def test_dense_gradient_of_normalized_values() -> None:
    m, x = index_linear(2, normalize=True), INDEX_INPUTS["tables"][0]
    m.weight[:, 3] = numbers(IN)
    g = numbers(3, 2)

    def loss() -> float:
        return float(np.vdot(m.forward(x), g))

    m.parameters()
    m.forward(x)
    m.backward(x, g)
    for row in range(IN):
        for column in range(3, 6):
            value, losses = m.weight[row, column], []
            for moved in (value - 1e-6, value + 1e-6):
                m.weight[row, column] = moved
                losses.append(loss())
            m.weight[row, column] = value
            np.testing.assert_allclose(m.gradWeight[row, column], (losses[1] - losses[0]) / 2e-6, rtol=1e-7, atol=1e-8)
    assert not m.gradWeight[:, :3].any()


def test_reset_leaves_nothing_normalized() -> None:
    m = nn.IndexLinear(4, 2, normalize=True)
    m.weight.fill(7)
    m.reset()
    assert not m.weight[:, :4].any()
    assert m.weight[:, 4:].all()


def test_keys_stay_whole_numbers() -> None:
    m, x = index_linear(), INDEX_INPUTS["tables"][0]
    m.forward(x)
    m.backward(x, numbers(3, OUT))
    assert m.float() is m
    assert m.type() == "torch.FloatTensor"
    assert m.keys.dtype == m.sizes.dtype == m.running["keys"][0].dtype == np.int64
    assert m.weight.dtype == m.running["gradWeight"][0].dtype == np.float32
    m.updateParameters(1)
    assert m.longTensor(3).dtype == np.int64


def test_clearState_drops_what_runs() -> None:
    m, x = index_linear(), INDEX_INPUTS["tables"][0]
    m.forward(x)
    m.backward(x, numbers(3, OUT))
    before = m.weight.copy()
    m.clearState()
    assert m.running == {"cumSumSizes": [], "keys": [], "gradWeight": [], "counter": 1}
    assert m.keys is m.values is m.sizes is None
    m.updateParameters(1)
    assert_same(m.weight, before)
    with pytest.raises(ValueError, match=r"nn.IndexLinear: expected a forward before the backward"):
        m.accGradParameters(x, numbers(3, OUT))


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        ([np.array([7]), np.ones(1)], IndexError, "keys count from 1 and go up to 6, got 7"),
        ([np.array([0]), np.ones(1)], IndexError, "got 0"),
        ([np.array([1.5]), np.ones(1)], ValueError, "whole numbers as keys, got 1.5"),
        ([np.array([1]), np.ones(2)], ValueError, "two vectors of one length as keys and values"),
        ([np.ones((1, 1)), np.ones((1, 1))], ValueError, "two vectors of one length"),
        ([[np.array([1])], [np.ones(1)] * 2], ValueError, "as many keys as values, got 1 and 2"),
        ([[np.array([1])], np.ones(1)], TypeError, "a table as input, got a torch.DoubleTensor"),
        ([[], []], ValueError, "a table of 1 as input, got 0"),
        ([np.array([1]), np.ones(1), np.array([2])], ValueError, r"sizes of 1 keys in all, got \[2\]"),
        ([np.array([1]), np.ones(1), np.array([2, -1])], ValueError, "sizes of 1 keys in all"),
        ([np.array([1]), np.ones(1), 1, 1], ValueError, "keys, values and perhaps sizes, got a table of 4"),
        ([np.array([1])], ValueError, "a table of 2 as input, got 1"),
        (np.ones(3), TypeError, "a table as input"),
        ([np.array([1]), np.ones(1, np.float32)], TypeError, "torch.DoubleTensor, got a torch.FloatTensor"),
    ],
    ids=str,
)
def test_what_are_no_keys_and_values_is_refused(x: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=rf"nn.IndexLinear: .*{text}"):
        nn.IndexLinear(IN, OUT).forward(x)


def test_a_weight_is_a_matrix() -> None:
    with pytest.raises(ValueError, match=r"nn.IndexLinear: expected a matrix as weight, got .* shape \(3,\)"):
        nn.IndexLinear(3, 1, weight=np.ones(3))


def test_index_gradients_have_to_fit() -> None:
    m, x = index_linear(doGradInput=True), INDEX_INPUTS["tables"][0]
    m.forward(x)
    for shape in ((2, OUT), (OUT,), (9, 1)):
        with pytest.raises(ValueError, match=r"nn.IndexLinear: expected a gradient of \(3, 3\), got shape"):
            m.backward(x, np.ones(shape))
    m = index_linear(doGradInput=True, normalize=True)
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.IndexLinear: there is no gradInput with normalize"):
        m.backward(x, np.ones((3, OUT)))


def test_reset_draws_weight_and_a_small_bias() -> None:
    m = nn.IndexLinear(4, OUT)
    for stdv, s in ((None, 1 / np.sqrt(m.weight.shape[1])), (0.1, 0.1 * np.sqrt(3))):
        torch7.manualSeed(5)
        m.reset(stdv)
        torch7.manualSeed(5)
        assert_same(m.weight, torch7.uniform_(np.empty(m.weight.shape), -s, s))
        assert_same(m.bias, torch7.uniform_(np.empty(OUT), -s, s) * 0.000001)
