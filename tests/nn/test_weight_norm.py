"""Weights given by lengths and directions: the same map, gradients as Torch accumulates them, files without weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.nested import assert_same, copied


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def close(got: Any, want: Any) -> None:
    assert_same(got, want, rtol=1e-12, atol=1e-14)


def backward(m: Any, x: np.ndarray, g: np.ndarray, scale: float = 1) -> list[np.ndarray]:
    m.forward(x)
    m.backward(x, g, scale)
    return copied(m.parameters()[1])


MAKERS = {"LinearWeightNorm": lambda: nn.LinearWeightNorm(4, 3), "WeightNorm": lambda: nn.WeightNorm(nn.Linear(4, 3))}
both = pytest.mark.parametrize("name", MAKERS)


@both
def test_directions_and_lengths_make_the_weight(name: str) -> None:
    m, x = MAKERS[name](), numbers(2, 4)
    m.g[...] = numbers(3, 1, seed=2)
    norms = np.linalg.norm(m.v, axis=1, keepdims=True)
    norms = norms if name == "LinearWeightNorm" else np.sqrt(norms**2 + 1e-4)
    close(m.forward(x), x @ (m.g * m.v / norms).T + m.parameters()[0][2])


@both
def test_gradients_are_transformed_once_more_with_every_pass(name: str) -> None:
    m, x, g = MAKERS[name](), numbers(2, 4), numbers(2, 3)
    m.zeroGradParameters()
    v, length, bias = backward(m, x, g)
    m.zeroGradParameters()
    assert not any(a.any() for a in m.parameters()[1])
    close(backward(m, x, g, 0.5), [0.5 * v, 0.5 * length, 0.5 * bias])

    m.zeroGradParameters()
    backward(m, x, g)
    direct = nn.Linear(4, 3)  # the plain gradient of the weight is added to what was transformed before
    direct.zeroGradParameters()
    backward(direct, x, g)
    total = v + direct.gradWeight
    norm = m.norm if name == "LinearWeightNorm" else m._norm
    lengths = (total * m.v / norm).sum(1, keepdims=True)
    scale = m.g / norm
    close(backward(m, x, g), [scale * total - scale * m.v / norm * lengths, lengths, 2 * bias])


@both
def test_evaluation_keeps_the_weight(name: str) -> None:
    m, x = MAKERS[name](), numbers(2, 4)
    m.training()
    m.v[...] = numbers(3, 4, seed=5)
    want = copied(m.forward(x))
    m.v *= -1
    m.training()
    m.evaluate()  # it is computed here
    close(m.forward(x), 2 * m.parameters()[0][2] - want)
    m.v *= -1
    close(m.forward(x), 2 * m.parameters()[0][2] - want)
    m.evaluate()
    close(m.forward(x), 2 * m.parameters()[0][2] - want)
    m.training()
    close(m.forward(x), want)


@both
def test_a_backward_in_evaluation_leaves_the_weight_alone(name: str) -> None:
    m, x = MAKERS[name](), numbers(2, 4)
    m.evaluate()
    want = copied(m.forward(x))
    m.backward(x, numbers(2, 3))
    assert_same(m.forward(x), want)


@both
def test_flat_parameters_train_the_module(name: str) -> None:
    m, x, g = MAKERS[name](), numbers(2, 4), numbers(2, 3)
    flat, grads = m.getParameters()
    grads.fill(0)
    before = copied(m.forward(x))
    m.backward(x, g)
    assert_same(grads, np.concatenate([a.ravel() for a in m.parameters()[1]]))
    loss = float(np.vdot(before, g))
    flat -= 1e-3 * grads
    assert float(np.vdot(m.forward(x), g)) < loss - 0.9e-3 * float(grads @ grads)


@both
def test_updates_change_what_the_weight_is_made_of(name: str) -> None:
    m, x, g = MAKERS[name](), numbers(2, 4), numbers(2, 3)
    m.zeroGradParameters()
    before = copied(m.parameters()[0])
    grads = backward(m, x, g)
    m.updateParameters(0.1)
    close(m.parameters()[0], [w - 0.1 * d for w, d in zip(before, grads)])


# -- LinearWeightNorm


def test_conversion_from_and_to_Linear() -> None:
    for bias in (True, False):
        plain, x = nn.Linear(4, 3, bias), numbers(2, 4)
        m = nn.LinearWeightNorm.fromLinear(plain)
        assert (m.inputSize, m.outputSize, m.bias is not None) == (4, 3, bias)
        close(m.forward(x), plain.forward(x))
        m.g *= 2
        back = m.toLinear()
        assert type(back) is nn.Linear
        close(back.weight, 2 * plain.weight)
        close(back.forward(x), m.forward(x))


def test_the_seed_gives_the_weight_of_Linear() -> None:
    torch7.manualSeed(3)
    plain = nn.Linear(4, 3)
    torch7.manualSeed(3)
    m = nn.LinearWeightNorm(4, 3)
    assert_same([m.v, m.bias], [plain.weight, plain.bias])
    torch7.manualSeed(4)
    plain.reset(0.1)
    torch7.manualSeed(4)
    m.reset(0.1)
    assert_same([m.v, m.bias], [plain.weight, plain.bias])
    close(m.g, np.linalg.norm(plain.weight, axis=1, keepdims=True))


def test_parameters_from_a_weight() -> None:
    m, weight = nn.LinearWeightNorm(2, 2, False, 0.5), np.array([[3.0, 4], [0, 0]])
    assert m.initFromWeight(weight) is m
    assert_same(m.g, np.array([[5.0], [0.5]]))  # no length is below eps
    assert_same(m.v, weight)
    assert_same(m.forward(np.ones(2)), np.array([7.0, 0]))


def test_a_cleared_module_computes_its_weight_again() -> None:
    m, x = nn.LinearWeightNorm(4, 3), numbers(2, 4)
    m.evaluate()
    want = copied(m.forward(x))
    m.clearState()
    assert m.weight.size == m.norm.size == m.scale.size == 0
    assert_same(m.forward(x), want)


def test_backwardUpdate_is_as_odd_as_in_Torch() -> None:
    m, x, g = nn.LinearWeightNorm(4, 3), numbers(2, 4), numbers(2, 3)
    m.forward(x)
    v = m.v - 0.1 * g.T @ x  # the transformation of gradients is done to the parameters
    length = (v * v / m.norm).sum(1, keepdims=True)
    v = v * m.scale
    v -= v * m.scale / m.norm * length
    bias = m.bias - 0.1 * g.sum(0)
    m.backwardUpdate(x, g, 0.1)
    close([m.v, m.g, m.bias], [v, length, bias])


# -- WeightNorm


def test_initial_directions_are_normal() -> None:
    torch7.manualSeed(3)
    inner = nn.Linear(4, 3)
    m = nn.WeightNorm(inner)
    torch7.manualSeed(3)
    nn.Linear(4, 3)
    assert_same(m.v, torch7.normal_(np.empty((3, 4)), 0, np.sqrt(0.5)))
    close(m.g, np.linalg.norm(m.v, axis=1, keepdims=True))
    assert not inner.bias.any()
    assert m.weight is inner.weight


@pytest.mark.parametrize("outputDim", [1, 2, 3])
def test_outputs_along_any_dimension(outputDim: int) -> None:
    class Cube(nn.Module):
        """y = x * sum of the weight's elements times their places."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = numbers(2, 3, 4)
            self.gradWeight = np.zeros((2, 3, 4))

    n = (2, 3, 4)[outputDim - 1]
    m = nn.WeightNorm(Cube(), outputDim)
    assert m.v.shape == (n, 24 // n)
    assert list(m.viewOut) == [n, *(k for d, k in enumerate((2, 3, 4), 1) if d != outputDim)]
    m.updateWeight()
    moved = np.moveaxis(m.modules[0].weight, outputDim - 1, 0).reshape(n, -1)
    close(moved, m.g * m.v / np.sqrt((m.v**2).sum(1, keepdims=True) + 1e-4))
    close(m.permuteOut(m.permuteIn(m.weight)), m.weight)
    assert m.gradV.shape == tuple(m.viewOut)


def test_files_hold_no_weight() -> None:
    m, x = nn.WeightNorm(nn.Linear(40, 30)), numbers(2, 40)
    m.forward(x)
    m.backward(x, numbers(2, 30))
    data = torch7.serialize(m)
    assert len(data) < 3 * 8 * 30 * 40  # v and gradV
    assert m.weight is m.modules[0].weight  # it is still there afterwards
    other = torch7.deserialize(data)
    assert other.weight is other.modules[0].weight
    close([other.weight, other.gradWeight], [m.weight, m.gradWeight])
    close(other.forward(x), m.forward(x))


def test_a_file_that_was_not_written_leaves_the_module_whole() -> None:
    m = nn.WeightNorm(nn.Linear(4, 3))
    m.odd = object()
    with pytest.raises(TypeError):
        torch7.serialize(m)
    assert m.weight is m.modules[0].weight is not None
    assert m.gradWeight is m.modules[0].gradWeight is not None


def test_clones_share_directions_lengths_and_bias() -> None:
    m, x = nn.WeightNorm(nn.Linear(4, 3)), numbers(2, 4)
    other = m.clone("v", "g", "bias", "gradV", "gradG", "gradBias")
    assert other.bias is other.modules[0].bias
    m.v[...], m.g[...] = numbers(3, 4, seed=7), 2
    m.modules[0].bias.fill(1)
    assert_same(other.forward(x), m.forward(x))
    assert not np.shares_memory(other.weight, m.weight)


def test_the_bias_is_still_that_of_the_module_when_parameters_are_flat() -> None:
    m = nn.Sequential().add(nn.WeightNorm(nn.Linear(4, 3)))
    flat, _ = m.getParameters()
    inner = m.get(1)
    assert np.shares_memory(inner.bias, flat)
    assert np.shares_memory(inner.modules[0].bias, flat)
    assert flat.size == 12 + 3 + 3
    flat.fill(0)
    assert_same(m.forward(numbers(2, 4)), np.zeros((2, 3)))
    assert inner.bias is inner.modules[0].bias
    assert len(m.parameters()[0]) == 3


def test_modules_without_weight_are_refused() -> None:
    with pytest.raises(TypeError, match=r"nn.WeightNorm: expected a module with a weight, got nn.Tanh"):
        nn.WeightNorm(nn.Tanh())
    for outputDim in (0, 3):
        with pytest.raises(IndexError, match=rf"nn.WeightNorm: dimension {outputDim} out of range of 2D"):
            nn.WeightNorm(nn.Linear(4, 3), outputDim)
    with pytest.raises(IndexError, match=r"nn.WeightNorm: expected a dimension counted from 1, got -1"):
        nn.WeightNorm(nn.Linear(4, 3), -1)


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"nn.LinearWeightNorm: expected a torch.DoubleTensor of shape \(3, 4\)"):
        nn.LinearWeightNorm(4, 3).initFromWeight(numbers(1, 4))


def test_text_names_the_module() -> None:
    assert str(nn.WeightNorm(nn.Linear(4, 3))) == "nn.WeightNorm @ nn.Linear(4 -> 3)"
    assert str(nn.LinearWeightNorm(4, 3, False)) == "nn.LinearWeightNorm(4 -> 3) without bias"
