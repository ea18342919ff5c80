"""Convolutions with tables of connections, over single planes, with local weights, and sub-sampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7


def values(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def results(m: Any, x: np.ndarray, scale: float = 1) -> list[np.ndarray]:
    """Output, gradient of the input and gradients of the parameters, copied."""
    m.zeroGradParameters()
    y = m.forward(x).copy()
    return [y, m.backward(x, values(*y.shape, seed=2), scale).copy(), *(g.copy() for g in m.parameters()[1])]


def assert_close(a: Any, b: Any) -> None:
    for got, want in zip(a, b, strict=True):
        np.testing.assert_allclose(got, want.reshape(got.shape), rtol=1e-12, atol=1e-13)


# -- tables of connections


def test_tables_connect_what_they_say() -> None:
    assert nn.tables.full(3, 2).tolist() == [[1, 1], [2, 1], [3, 1], [1, 2], [2, 2], [3, 2]]
    assert nn.tables.oneToOne(3).tolist() == [[1, 1], [2, 2], [3, 3]]


def test_random_table_takes_all_planes_before_one_comes_again() -> None:
    torch7.manualSeed(5)
    table = nn.tables.random(6, 7, 2).astype(int)
    torch7.manualSeed(5)
    order = np.concatenate([torch7.randperm(6) for _ in range(3)]).astype(int)
    assert table[:, 1].tolist() == [o for o in range(1, 8) for _ in range(2)]
    assert table[:, 0].tolist() == order[:14].tolist()


def test_random_table_leaves_out_what_makes_no_group() -> None:
    assert all(len(set(nn.tables.random(5, 2, 2)[:, 0])) == 4 for _ in range(3))
    with pytest.raises(ValueError, match=r"nn\.tables\.random: expected at least 3 input planes .* got 2"):
        nn.tables.random(2, 1, 3)


def test_default_type_decides_on_the_tables() -> None:
    torch7.setdefaulttensortype("torch.FloatTensor")
    try:
        assert nn.tables.full(2, 2).dtype == np.float32
    finally:
        torch7.setdefaulttensortype("torch.DoubleTensor")


# -- SpatialConvolutionMap


def test_full_table_is_a_convolution() -> None:
    mapped, plain = nn.SpatialConvolutionMap(nn.tables.full(3, 2), 2, 3, 2, 1), nn.SpatialConvolution(3, 2, 2, 3, 2, 1)
    mapped.weight[...] = plain.weight.reshape(mapped.weight.shape)
    mapped.bias[...] = plain.bias
    x = values(2, 3, 6, 7)
    assert_close(results(mapped, x, 0.5), results(plain, x, 0.5))


def test_one_to_one_is_a_convolution_for_each_plane() -> None:
    mapped, x = nn.SpatialConvolutionMap(nn.tables.oneToOne(3), 2, 3), values(2, 3, 5, 6)
    y, gx, gw, gb = results(mapped, x)
    for i in range(3):
        plain = nn.SpatialConvolutionMap(nn.tables.full(1, 1), 2, 3)
        plain.weight[...], plain.bias[...] = mapped.weight[i], mapped.bias[i]
        plain.zeroGradParameters()
        np.testing.assert_allclose(plain.forward(x[:, i : i + 1])[:, 0], y[:, i], rtol=1e-12, atol=1e-14)
        found = plain.backward(x[:, i : i + 1], values(*y.shape, seed=2)[:, i : i + 1])
        np.testing.assert_allclose(found[:, 0], gx[:, i], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(plain.gradWeight[0], gw[i], rtol=1e-12)
        np.testing.assert_allclose(plain.gradBias[0], gb[i], rtol=1e-12)


def test_initial_weights_depend_on_the_connections_of_their_plane() -> None:
    table = np.array([[1.0, 1], [2, 1], [1, 3]])
    torch7.manualSeed(3)
    m = nn.SpatialConvolutionMap(table, 2, 2)
    torch7.manualSeed(3)
    bounds = [1 / np.sqrt(8), 1 / np.sqrt(8), 1 / np.sqrt(4)]
    np.testing.assert_array_equal(m.weight, [torch7.uniform_(np.empty((2, 2)), -s, s) for s in bounds])
    first, unused, third = (torch7.uniform(-s, s) for s in (bounds[0], 1, bounds[2]))
    assert m.bias.tolist() == [first, 0, third]  # a plane without connections has drawn, too
    assert m.nOutputPlane == 3
    m.reset(0.1)
    assert 0 < abs(m.weight).max() <= 0.1 * np.sqrt(3)
    assert unused


@pytest.mark.parametrize("module", [nn.SpatialConvolutionMap, nn.SpatialFullConvolutionMap])
@pytest.mark.parametrize("table", [np.ones((2, 3)), np.ones(2), [[1, 1]], np.ones((0, 2))])
def test_tables_of_another_form_are_refused(module: Any, table: Any) -> None:
    with pytest.raises(ValueError, match=rf"nn\.{module.__name__}: expected a tensor \(connections, 2\)"):
        module(table, 2, 2)


@pytest.mark.parametrize("module", [nn.SpatialConvolutionMap, nn.SpatialFullConvolutionMap])
def test_planes_count_from_1(module: Any) -> None:
    with pytest.raises(IndexError, match=rf"nn\.{module.__name__}: planes count from 1 .* got 0"):
        module(np.array([[0.0, 1], [1, 1]]), 2, 2)


def test_decay_makes_parameters_smaller() -> None:
    m = nn.SpatialConvolutionMap(nn.tables.full(2, 2), 2, 2)
    w, b = m.weight.copy(), m.bias.copy()
    m.decayParameters(0.25)
    assert_close([m.weight, m.bias], [w - 0.25 * w, b - 0.25 * b])


def test_full_convolution_is_the_gradient_of_the_convolution() -> None:
    table = np.array([[1.0, 1], [2, 1], [2, 2], [1, 3]])
    m, full = (
        nn.SpatialConvolutionMap(table, 2, 3, 2, 1),
        nn.SpatialFullConvolutionMap(table[:, ::-1].copy(), 2, 3, 2, 1),
    )
    full.weight[...], full.bias[...] = m.weight, 0
    x = values(2, 5, 6)
    g = values(*m.forward(x).shape)
    np.testing.assert_allclose(full.forward(g), m.backward(x, g), rtol=1e-12, atol=1e-14)


# -- depth-wise and local convolutions


def test_depth_wise_filters_are_convolutions_of_single_planes() -> None:
    m, x = nn.SpatialDepthWiseConvolution(2, 3, 3, 2, 2, 1, 1, 0), values(2, 2, 5, 6)
    y = m.forward(x)
    assert y.shape == (2, 6, 4, 3)
    for c in range(2):
        plain = nn.SpatialConvolution(1, 3, 3, 2, 2, 1, 1, 0)
        plain.weight[:, 0], plain.bias[...] = m.weight[:, c], m.bias[:, c]
        np.testing.assert_allclose(y[:, 3 * c : 3 * c + 3], plain.forward(x[:, c : c + 1]), rtol=1e-12, atol=1e-14)


def test_depth_wise_weights_get_their_dimensions_at_the_first_use() -> None:
    m = nn.SpatialDepthWiseConvolution(2, 3, 3, 2)
    flat, _ = m.getParameters()
    assert m.weight.shape == m.gradWeight.shape == (3, 12)
    x = values(1, 2, 4, 4)
    m.backward(x, np.zeros_like(m.forward(x)))
    assert m.weight.shape == m.gradWeight.shape == (3, 2, 2, 3)
    assert np.shares_memory(m.weight, flat)
    m.noBias()
    assert str(m) == "nn.SpatialDepthWiseConvolution(2 -> 3, 3x2) without bias"


def test_equal_local_weights_are_a_convolution() -> None:
    local, plain = (
        nn.SpatialConvolutionLocal(2, 3, 6, 5, 3, 2, 2, 1, 1, 0),
        nn.SpatialConvolution(2, 3, 3, 2, 2, 1, 1, 0),
    )
    local.weight[...] = plain.weight
    local.bias[...] = plain.bias[:, None, None]
    x = values(3, 2, 5, 6)
    y, gx, gw, gb = results(local, x)
    assert_close([y, gx, gw.sum((0, 1)), gb.sum((1, 2))], results(plain, x))


def test_local_convolution_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    m, x = nn.SpatialConvolutionLocal(2, 3, 6, 5, 3, 2), values(3, 2, 5, 6)
    whole = results(m, x)
    monkeypatch.setattr("nn.kernels.local.CHUNK", 1)
    assert_close(results(m, x), whole)


def test_depth_wise_convolution_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    m, x = nn.SpatialDepthWiseConvolution(3, 2, 3, 2, 1, 1, 1, 1), values(3, 3, 5, 6)
    whole = results(m, x)
    monkeypatch.setattr("nn.kernels.depthwise.CHUNK", 1)
    assert_close(results(m, x), whole)


def test_local_convolution_wants_something_left_and_images_of_its_size() -> None:
    with pytest.raises(ValueError, match=r"nn\.SpatialConvolutionLocal: nothing would be left of images of 2 x 4"):
        nn.SpatialConvolutionLocal(1, 1, 4, 2, 3, 3)
    with pytest.raises(
        ValueError, match=r"nn\.SpatialConvolutionLocal: expected images of 4 x 5, got shape \(1, 5, 4\)"
    ):
        nn.SpatialConvolutionLocal(1, 1, 5, 4, 3, 3).forward(np.zeros((1, 5, 4)))
    m = nn.SpatialConvolutionLocal(1, 2, 5, 4, 3, 3, 2, 1, 1, 1)
    assert str(m) == "nn.SpatialConvolutionLocal(1 -> 2, 5x4, 3x3, 2,1, 1,1)"


def test_paddings_of_old_files() -> None:
    m = nn.SpatialDepthWiseConvolution(1, 1, 3, 3, 1, 1, 2)
    del m.padW, m.padH
    m.padding = 2
    old = torch7.deserialize(torch7.serialize(m))
    assert (old.padW, old.padH) == (2, 2)


# -- rows and sub-sampling


def test_row_convolution_with_features_first_is_the_other_one_turned() -> None:
    m, other = nn.TemporalRowConvolution(3, 2, 2), nn.TemporalRowConvolution(3, 2, 2, True)
    other.weight[...], other.bias[...] = m.weight, m.bias
    x = values(2, 7, 3)
    y, g = m.forward(x), values(2, 3, 3)
    turned = x.swapaxes(1, 2).copy()
    np.testing.assert_allclose(other.forward(turned), y.swapaxes(1, 2), rtol=1e-12)
    for module in (m, other):
        module.zeroGradParameters()
    back = other.backward(turned, g.swapaxes(1, 2))
    np.testing.assert_allclose(back.swapaxes(1, 2), m.backward(x, g), rtol=1e-12, atol=1e-14)
    assert_close(other.parameters()[1], m.parameters()[1])
    assert str(other.noBias()) == "nn.TemporalRowConvolution(3, 2, 2) without bias"


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (lambda: nn.TemporalSubSampling(3, 2), (2, 5, 3)),
        (lambda: nn.TemporalSubSampling(3, 2), (5, 4)),
        (lambda: nn.TemporalSubSampling(3, 4), (3, 3)),
        (lambda: nn.SpatialSubSampling(2, 2, 2), (5, 4)),
        (lambda: nn.SpatialSubSampling(2, 2, 2), (3, 5, 4)),
        (lambda: nn.SpatialSubSampling(2, 2, 6), (2, 5, 4)),
        (lambda: nn.TemporalRowConvolution(3, 2), (5, 4)),
        (lambda: nn.TemporalRowConvolution(3, 2), (3,)),
        (lambda: nn.TemporalRowConvolution(3, 2, 1, True), (5, 3)),
        (lambda: nn.TemporalRowConvolution(3, 6), (5, 3)),
        (lambda: nn.SpatialDepthWiseConvolution(2, 1, 3, 3), (3, 5, 5)),
        (lambda: nn.SpatialDepthWiseConvolution(2, 1, 3, 3), (2, 2, 5)),
        (lambda: nn.SpatialConvolutionMap(nn.tables.full(2, 1), 2, 2), (1, 4, 4)),
        (lambda: nn.SpatialConvolutionMap(nn.tables.full(2, 1), 2, 2), (2, 1, 4)),
        (lambda: nn.SpatialFullConvolutionMap(nn.tables.full(2, 1), 2, 2), (1, 2, 4, 4)),
        (lambda: nn.SpatialFullConvolutionMap(nn.tables.full(2, 1), 2, 2), (1, 4, 4)),
    ],
)
def test_inputs_that_do_not_fit_are_refused(module: Any, shape: tuple[int, ...]) -> None:
    m = module()
    with pytest.raises(ValueError, match=rf"{torch7.typename(m)}: .*shape \({', '.join(map(str, shape))}") as error:
        m.forward(np.zeros(shape))
    assert "expected" in str(error.value) or "too small" in str(error.value)


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (lambda: nn.TemporalSubSampling(3, 2), (5, 3)),
        (lambda: nn.SpatialSubSampling(2, 2, 2), (2, 5, 4)),
        (lambda: nn.TemporalRowConvolution(3, 2), (5, 3)),
        (lambda: nn.SpatialDepthWiseConvolution(2, 1, 3, 3), (2, 5, 5)),
        (lambda: nn.SpatialConvolutionLocal(2, 1, 4, 5, 3, 3), (2, 5, 4)),
        (lambda: nn.SpatialConvolutionMap(nn.tables.full(2, 1), 2, 2), (2, 4, 4)),
        (lambda: nn.SpatialFullConvolutionMap(nn.tables.full(2, 1), 2, 2), (2, 4, 4)),
    ],
)
def test_gradients_of_another_shape_are_refused_and_unwanted_ones_not_made(module: Any, shape: tuple[int, ...]) -> None:
    m, x = module(), values(*shape)
    y = m.forward(x)
    for call in (m.updateGradInput, m.accGradParameters):
        with pytest.raises(ValueError, match=rf"{torch7.typename(m)}: expected a gradient of shape \({y.shape[0]}"):
            call(x, np.zeros((7, *y.shape[1:])))
    m.gradInput = None
    assert m.backward(x, y) is None


@pytest.mark.parametrize("module", [lambda: nn.TemporalSubSampling(3, 0), lambda: nn.TemporalRowConvolution(3, 2, 0)])
def test_windows_and_steps_of_nothing_are_refused(module: Any) -> None:
    m = module()
    with pytest.raises(ValueError, match=rf"{torch7.typename(m)}: expected .* at least 1"):
        m.forward(np.zeros((5, 3)))
