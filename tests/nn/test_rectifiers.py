"""LeakyReLU, PReLU, RReLU, ELU, CReLU and the relatives of SoftMax: what they do beyond what all modules promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7

TYPES = [np.float32, np.float64]


def typed(module: Any, dtype: Any) -> Any:
    return module.float() if dtype == np.float32 else module


def values(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# -- LeakyReLU and ELU


def test_leaky_relu_in_place() -> None:
    assert nn.LeakyReLU(True).inplace is False  # as in Torch
    assert nn.LeakyReLU(True).negval == 0.01
    assert nn.LeakyReLU(False, True).inplace is True
    assert nn.LeakyReLU(0, True).inplace is True
    assert nn.LeakyReLU(-0.1, True).inplace is False
    m, x, g = nn.LeakyReLU(0, True), np.array([-1.0, 2.0]), np.array([3.0, 4.0])
    assert m.forward(x) is x
    assert m.backward(x, g) is g
    assert (x.tolist(), g.tolist()) == ([0, 2], [0, 4])


def test_texts() -> None:
    assert str(nn.LeakyReLU(1e-3)) == "nn.LeakyReLU(0.001)"
    assert str(nn.ELU()) == "nn.ELU (alpha:1.000000)"
    assert str(nn.RReLU(0, 0.5)) == "nn.RReLU (l:0.000000, u:0.500000)"
    assert str(nn.CReLU(3)) == "CReLU()"


@pytest.mark.parametrize("alpha", [1, 0.3, 2])
def test_elu_in_place_gives_the_same(alpha: float) -> None:
    x, g = values(4, 5), values(4, 5, seed=2)
    plain, m = nn.ELU(alpha), nn.ELU(alpha, True)
    want, grad = plain.forward(x), plain.backward(x, g)
    mine, mineGrad = x.copy(), g.copy()
    assert m.forward(mine) is mine
    assert m.backward(mine, mineGrad) is mineGrad
    np.testing.assert_array_equal(mine, want)
    np.testing.assert_array_equal(mineGrad, grad)


# -- PReLU


def slopes(weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    shape = [1] * x.ndim
    if weight.size > 1:
        shape[min(1, x.ndim - 1)] = weight.size
    return np.where(x > 0, 1, weight.reshape(shape))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("weights", [[0.25, 0.5, 1], [-1, 0, 3]])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 3, 4), (2, 3, 4, 5), (2, 3, 2, 2, 2)])
def test_prelu_has_a_slope_per_plane(shape: tuple[int, ...], weights: list[float], dtype: Any) -> None:
    m = typed(nn.PReLU(3), dtype)
    m.weight[...] = weights
    x, g = values(*shape).astype(dtype), values(*shape, seed=2).astype(dtype)
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(m.forward(x), x * slopes(m.weight, x), rtol=rtol)
    np.testing.assert_allclose(m.backward(x, g, 0.5), g * slopes(m.weight, x), rtol=rtol)
    others = tuple(i for i in range(x.ndim) if i != min(1, x.ndim - 1))
    want = (np.minimum(x, 0) * g).astype(float).sum(others) * 0.5
    np.testing.assert_allclose(m.gradWeight, want, rtol=rtol, atol=1e-6 if dtype == np.float32 else 1e-14)


def test_prelu_with_one_weight() -> None:
    m, x, g = nn.PReLU(), values(3, 4), values(3, 4, seed=2)
    assert (m.nOutputPlane, m.weight.tolist()) == (0, [0.25])
    np.testing.assert_array_equal(m.forward(x), np.where(x > 0, x, 0.25 * x))
    m.backward(x, g)
    np.testing.assert_allclose(m.gradWeight, [(np.minimum(x, 0) * g).sum()], rtol=1e-13)


def test_prelu_learns_without_a_gradient_for_its_input() -> None:
    m, x = nn.PReLU(2), np.array([[-1.0, 2.0]])
    m.gradInput = None
    m.forward(x)
    assert m.backward(x, np.array([[3.0, 5.0]])) is None
    assert m.gradWeight.tolist() == [-3, 0]


def test_prelu_a_spoilt_weight_or_gradient_stays_where_it_belongs() -> None:
    m, x = nn.PReLU(2), np.array([[1.0, -1.0], [-1.0, 1.0]])
    m.weight[...] = [np.nan, np.inf]
    np.testing.assert_array_equal(m.forward(x), [[1, -np.inf], [np.nan, 1]])
    m.backward(x, np.array([[np.inf, 2], [3, np.nan]]))
    assert m.gradWeight.tolist() == [-3, -2]


@pytest.mark.parametrize("shape", [(2,), (2, 4), (3, 4, 4), (3, 2, 4, 4)])
def test_prelu_wants_its_number_of_planes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.PReLU: expected 3 input planes, got shape "):
        nn.PReLU(3).forward(np.zeros(shape))
    with pytest.raises(ValueError, match=r"nn.PReLU: expected 3 input planes, got shape "):
        nn.PReLU(3).accGradParameters(np.zeros(shape), np.zeros(shape))


# -- RReLU


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("inplace", [False, True])
def test_rrelu_draws_for_what_is_not_positive_in_order(inplace: bool, dtype: Any) -> None:
    x = values(4, 6).astype(dtype)
    x[0, 0] = 0
    torch7.manualSeed(5)
    drawn = torch7.uniform_(np.empty((x <= 0).sum(), dtype), 0.1, 0.6)
    want = np.ones_like(x)
    want[x <= 0] = drawn
    m, mine = typed(nn.RReLU(0.1, 0.6, inplace), dtype), x.T.copy().T  # in the order of the elements, not of memory
    torch7.manualSeed(5)
    np.testing.assert_array_equal(m.forward(mine), x * want)
    np.testing.assert_array_equal(m.noise, want)
    g = values(4, 6, seed=2).astype(dtype)
    np.testing.assert_array_equal(m.backward(mine, g.copy()), g * want)


def test_rrelu_in_evaluation_has_the_mean_slope() -> None:
    m, x = nn.RReLU(0.25, 0.75), np.array([-2.0, 0.0, 3.0])
    m.evaluate()
    state = torch7.getRNGState().copy()
    assert m.forward(x).tolist() == [-1, 0, 3]
    assert m.backward(x, np.ones(3)).tolist() == [0.5, 0.5, 1]
    np.testing.assert_array_equal(torch7.getRNGState(), state)


def test_rrelu_wants_a_forward_before_the_backward() -> None:
    m, x = nn.RReLU(), np.array([-2.0, 3.0])
    m.evaluate()
    m.forward(x)
    m.training()
    with pytest.raises(ValueError, match=r"nn.RReLU: expected a forward in training mode of 2 elements"):
        m.backward(x, np.ones(2))


@pytest.mark.parametrize("bounds", [(0.5, 0.1), (-0.1, 0.5), (-2, -1), (0.5, np.nan)])
def test_rrelu_wants_bounds_in_order(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"nn.RReLU: expected 0 <= l <= u, got "):
        nn.RReLU(*bounds)


# -- CReLU


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(("dims", "shape"), [(1, (4,)), (1, (3, 4)), (2, (3, 4)), (3, (3, 2, 2)), (3, (2, 3, 2, 2))])
def test_crelu_keeps_both_signs(dims: int, shape: tuple[int, ...], inplace: bool) -> None:
    channels = len(shape) - dims
    m, x = nn.CReLU(dims, inplace), values(*shape)
    kept = x.copy()
    np.testing.assert_array_equal(m.forward(x), np.maximum(np.concatenate([x, -x], channels), 0))
    g = values(*m.output.shape, seed=2)
    mine = g.copy()
    first, second = np.split(g, 2, channels)
    np.testing.assert_array_equal(m.backward(x, mine), np.where(x > 0, first, 0) - np.where(x < 0, second, 0))
    np.testing.assert_array_equal(x, kept)
    assert np.array_equal(mine, g) is not inplace


def test_crelu_is_a_chain() -> None:
    m = nn.CReLU(3)
    assert isinstance(m, nn.Sequential)
    assert [str(torch7.typename(part)) for part in m.listModules()] == [
        *("nn.CReLU", "nn.ConcatTable", "nn.Identity", "nn.MulConstant", "nn.JoinTable", "nn.ReLU")
    ]
    assert (m.nInputDims, m.inplace) == (3, False)


def test_crelu_refuses() -> None:
    with pytest.raises(TypeError, match=r"nn.CReLU: expected a number, got a nil"):
        nn.CReLU(None)
    with pytest.raises(ValueError, match=r"nn.CReLU: expected at least 1 dimension, got 0"):
        nn.CReLU(0)
    with pytest.raises(TypeError, match=r"nn.CReLU: expected a tensor, got a table of 1"):
        nn.CReLU(1).forward([np.ones(2)])
    m, x = nn.CReLU(1), np.ones((2, 3))
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.CReLU: expected a torch.DoubleTensor of shape \(2, 6\), got"):
        m.backward(x, np.ones((2, 3)))


# -- relatives of SoftMax


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(5,), (3, 5), (5, 2, 3), (2, 5, 2, 3)])
@pytest.mark.parametrize(("spatial", "plain"), [(nn.SpatialSoftMax, nn.SoftMax), (nn.SpatialLogSoftMax, nn.LogSoftMax)])
def test_spatial_ones_are_the_plain_ones(spatial: Any, plain: Any, shape: tuple[int, ...], dtype: Any) -> None:
    m, other = typed(spatial(), dtype), typed(plain(), dtype)
    x, g = values(*shape).astype(dtype), values(*shape, seed=2).astype(dtype)
    np.testing.assert_array_equal(m.forward(x), other.forward(x))
    np.testing.assert_array_equal(m.backward(x, g), other.backward(x, g))
    assert not isinstance(m, plain)  # they are no relatives in Torch


@pytest.mark.parametrize("shape", [(5,), (3, 5), (5, 2, 3), (2, 5, 2, 3)])
def test_softmin_is_the_softmax_of_minus_x(shape: tuple[int, ...]) -> None:
    m, other = nn.SoftMin(), nn.SoftMax()
    x, g = values(*shape), values(*shape, seed=2)
    np.testing.assert_array_equal(m.forward(x), other.forward(-x))
    np.testing.assert_array_equal(m.backward(x, g), -other.backward(-x, g))


@pytest.mark.parametrize("make", [nn.SoftMin, nn.SpatialSoftMax, nn.SpatialLogSoftMax])
def test_softmax_relatives_refuse(make: Any) -> None:
    with pytest.raises(ValueError, match=r"nn.\w+: expected a 1D, 2D, 3D or 4D tensor, got shape \(1, 1, 1, 1, 1\)"):
        make().forward(np.zeros((1, 1, 1, 1, 1)))
    m = make()
    m.forward(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"nn.\w+: expected a gradient of shape \(2, 3\), got shape \(6,\)"):
        m.backward(np.zeros((2, 3)), np.zeros(6))


# -- files of Torch have its work space


@pytest.mark.parametrize(
    ("make", "fields"),
    [
        (nn.LogSigmoid, ["buffer"]),
        (nn.SoftSign, ["temp", "tempgrad"]),
        (nn.SoftMin, ["mininput"]),
        (nn.PReLU, ["gradWeightBuf", "gradWeightBuf2"]),
        (nn.RReLU, ["noise"]),
    ],
)
def test_work_space_from_files_is_cleared(make: Any, fields: list[str]) -> None:
    m = make()
    for name in fields:
        setattr(m, name, np.ones(3))
    m = torch7.deserialize(torch7.serialize(m))
    assert all(getattr(m, name).size == 3 for name in fields)
    m.clearState()
    assert all(getattr(m, name).size == 0 for name in fields)
    x = np.array([[-1.0, 2.0]])
    torch7.manualSeed(1)
    want = make().forward(x).copy()
    torch7.manualSeed(1)
    np.testing.assert_array_equal(m.forward(x), want)


def test_prelu_of_a_batch_of_none() -> None:
    for shape in ((0, 3), (0, 3, 2)):
        m, x = nn.PReLU(3), np.ones(shape)
        assert m.forward(x).shape == m.backward(x, x).shape == shape
        assert not m.gradWeight.any()


def test_prelu_wants_a_number_of_planes() -> None:
    assert nn.PReLU(2.0).weight.shape == (2,)
    for planes in (-1, "2", np.ones(2)):
        with pytest.raises((ValueError, TypeError), match=r"nn.PReLU: expected sizes \(whole numbers, none negative\)"):
            nn.PReLU(planes)
