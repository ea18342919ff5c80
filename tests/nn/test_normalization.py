"""Normalizations: statistics, modes, options and errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

import nn
import torch7
from nn.kernels.broadcasting import rows_of
from tests.support.contract import without
from torch7 import blocks

RNG = np.random.default_rng(5)


def by_definition(x: np.ndarray, m: nn.BatchNormalization) -> np.ndarray:
    """What batch normalization is, in numpy's words."""
    axes = (0, *range(2, x.ndim))
    column = (1, -1) + (1,) * (x.ndim - 2)
    x = x.astype(float)
    y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + m.eps)
    return y if m.weight is None else y * m.weight.reshape(column) + m.bias.reshape(column)


# -- batch normalization


@pytest.mark.parametrize("shape", [(50, 7), (3, 5, 2, 3), (4, 300, 9, 40), (2, 3, 400, 500), (2, 2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", ["torch.FloatTensor", "torch.DoubleTensor"])
def test_batches_of_any_size_are_normalized(shape: tuple[int, ...], dtype: str) -> None:
    kind = {2: nn.BatchNormalization, 4: nn.SpatialBatchNormalization, 5: nn.VolumetricBatchNormalization}[len(shape)]
    m = kind(shape[1]).type(dtype)
    m.bias[...] = RNG.normal(size=shape[1])
    x = RNG.normal(3, 2, shape).astype(m.weight.dtype)
    tolerance = 1e-12 if dtype == "torch.DoubleTensor" else 2e-6
    np.testing.assert_allclose(m.forward(x), by_definition(x, m), tolerance, tolerance)
    axes = (0, *range(2, x.ndim))
    np.testing.assert_allclose(m.running_mean, 0.1 * x.mean(axes, dtype=float), 10 * tolerance)
    np.testing.assert_allclose(m.running_var, 0.9 + 0.1 * x.astype(float).var(axes, ddof=1), 10 * tolerance)


@pytest.mark.parametrize("shape", [(50, 7), (4, 70, 9, 80)])
def test_gradients_of_many_blocks_are_those_of_one(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    m = (nn.BatchNormalization if len(shape) == 2 else nn.SpatialBatchNormalization)(shape[1])
    x, g = RNG.normal(size=(2, *shape))
    found = []
    for size in (1 << 30, 2000):
        monkeypatch.setattr(blocks, "BLOCK", size)
        m.zeroGradParameters()
        m.forward(x)
        found.append([m.backward(x, g).copy(), m.gradWeight.copy(), m.gradBias.copy()])
    for one, many in zip(*found):
        np.testing.assert_allclose(many, one, 1e-11, 1e-13)


def test_a_mean_far_from_zero_costs_no_digits() -> None:
    m = nn.SpatialBatchNormalization(1, 1e-9, None, False).float()
    x = (1000 + RNG.normal(size=(8, 1, 20, 20))).astype(np.float32)
    np.testing.assert_allclose(m.forward(x), by_definition(x, m), 0, 2e-4)
    g = RNG.normal(size=x.shape).astype(np.float32)
    y = by_definition(x, m)
    std = math.sqrt(x.astype(float).var() + 1e-9)
    want = (g - g.mean(dtype=float) - y * (g * y).mean()) / std
    np.testing.assert_allclose(m.backward(x, g), want, 0, 2e-4)


def test_constant_channels_become_the_bias() -> None:
    m = nn.BatchNormalization(2, 0)
    m.bias[...] = [1, 2]
    np.testing.assert_array_equal(m.forward(np.full((4, 2), 0.1)), np.tile([1.0, 2.0], (4, 1)))
    np.testing.assert_array_equal(m.save_std, [0, 0])


def test_what_is_not_finite_goes_through_silently() -> None:
    m = nn.BatchNormalization(1)
    x = np.array([[1.0], [np.inf]])
    assert np.isnan(m.forward(x)).all()
    m.backward(x, np.ones((2, 1)))
    m.running_var[...] = 0
    m.eps = 0
    m.evaluate()
    assert not np.isfinite(m.forward(np.array([[0.0], [1.0]]))).any()


def test_running_statistics_follow_with_momentum() -> None:
    m = nn.BatchNormalization(1, 1e-5, 0.25)
    m.forward(np.array([[1.0], [3.0]]))
    m.forward(np.array([[5.0], [9.0]]))
    np.testing.assert_allclose(m.running_mean, [0.75 * 0.25 * 2 + 0.25 * 7], 1e-15)
    np.testing.assert_allclose(m.running_var, [0.75 * (0.75 + 0.25 * 2) + 0.25 * 8], 1e-15)
    assert m.save_mean == 7
    np.testing.assert_allclose(m.save_std, 1 / math.sqrt(4 + 1e-5), 1e-15)


def test_evaluation_uses_the_running_statistics_and_leaves_them() -> None:
    m = nn.SpatialBatchNormalization(2)
    m.weight[...], m.bias[...] = [1, 2], [3, 4]
    m.running_mean[...], m.running_var[...] = [1, -1], [4, 9]
    m.eps = 0
    m.evaluate()
    x = RNG.normal(size=(2, 2, 3, 3))
    want = (x - np.reshape([1, -1], (2, 1, 1))) / np.reshape([2, 3], (2, 1, 1)) * np.reshape([1, 2], (2, 1, 1))
    np.testing.assert_allclose(m.forward(x), want + np.reshape([3, 4], (2, 1, 1)), 1e-13)
    g = RNG.normal(size=x.shape)
    np.testing.assert_allclose(m.backward(x, g), g * np.reshape([1 / 2, 2 / 3], (2, 1, 1)), 1e-13)
    np.testing.assert_allclose(m.gradBias, g.sum((0, 2, 3)), 1e-13)
    assert m.running_mean.tolist() == [1, -1]


def test_a_batch_of_one_is_normalized_by_the_running_statistics() -> None:
    m = nn.BatchNormalization(3)
    x = RNG.normal(size=(1, 3))
    y = m.forward(x).copy()
    assert m.running_mean.tolist() == [0, 0, 0]
    assert m.running_var.tolist() == [1, 1, 1]
    m.evaluate()
    np.testing.assert_array_equal(m.forward(x), y)


@pytest.mark.parametrize(("kind", "shape"), [("BatchNormalization", (3,)), ("SpatialBatchNormalization", (3, 2, 4))])
def test_one_sample_becomes_a_batch_in_evaluation_only(kind: str, shape: tuple[int, ...]) -> None:
    m = getattr(nn, kind)(3)
    x = RNG.normal(size=shape)
    with pytest.raises(ValueError, match=rf"nn.{kind}: expected a batch of 3 features"):
        m.forward(x)
    m.evaluate()
    assert m.forward(x).shape == (1, *shape)
    assert m.backward(x, x).shape == (1, *shape)
    assert m.backward(x, x[None]).shape == (1, *shape)


def test_initial_weights_are_drawn_and_reset_forgets() -> None:
    torch7.manualSeed(3)
    m = nn.BatchNormalization(4)
    torch7.manualSeed(3)
    want = torch7.uniform_(np.empty(4))
    np.testing.assert_array_equal(m.weight, want)
    m.forward(RNG.normal(size=(3, 4)))
    m.bias.fill(1)
    m.reset()
    assert not np.array_equal(m.weight, want)
    assert m.bias.tolist() == m.running_mean.tolist() == [0] * 4
    assert m.running_var.tolist() == [1] * 4


def test_without_affine_there_are_no_parameters() -> None:
    m = nn.BatchNormalization(2, None, None, False)
    assert (m.affine, m.eps, m.momentum) == (False, 1e-5, 0.1)
    assert m.parameters() == ([], [])
    x = RNG.normal(size=(5, 2))
    m.forward(x)
    m.accGradParameters(x, x)
    m.reset()


def test_a_bias_or_weight_taken_away_is_no_longer_used() -> None:
    m = nn.BatchNormalization(2)
    x = RNG.normal(size=(5, 2))
    m.bias = m.gradBias = None
    np.testing.assert_allclose(m.forward(x).mean(0), [0, 0], 0, 1e-15)
    m.backward(x, x)
    m.weight = m.gradWeight = None
    np.testing.assert_allclose(m.forward(x).std(0), [1, 1], 1e-4)


def test_no_gradient_is_made_where_none_is_wanted() -> None:
    m = nn.BatchNormalization(2)
    m.gradInput = None
    x = RNG.normal(size=(5, 2))
    m.forward(x)
    m.zeroGradParameters()
    assert m.backward(x, x) is None
    np.testing.assert_allclose(m.gradBias, x.sum(0), 1e-14)


def test_backward_scales_the_parameters_gradients() -> None:
    m = nn.BatchNormalization(2)
    x, g = RNG.normal(size=(2, 5, 2))
    m.forward(x)
    m.zeroGradParameters()
    m.backward(x, g, 0.5)
    np.testing.assert_allclose(m.gradBias, g.sum(0) / 2, 1e-14)


def test_arguments_of_batch_normalization_are_checked() -> None:
    for arguments, error in (((None,), TypeError), ((0,), ValueError), ((2, None, None, 1), TypeError)):
        with pytest.raises(error, match=r"nn.SpatialBatchNormalization: expected"):
            nn.SpatialBatchNormalization(*arguments)


def test_numbers_are_numbers() -> None:
    with pytest.raises(TypeError, match=r"nn.BatchNormalization: expected a number as eps, got a boolean"):
        nn.BatchNormalization(3, True).forward(np.ones((2, 3)))
    with pytest.raises(TypeError, match=r"nn.SpatialCrossMapLRN: expected a number as beta, got a string"):
        nn.SpatialCrossMapLRN(3, 1, "1").forward(np.ones((2, 3, 3)))
    with pytest.raises(TypeError, match=r"nn.LayerNormalization: expected a number as nOutput, got a nil"):
        nn.LayerNormalization(None)
    with pytest.raises(ValueError, match=r"nn.SpatialSubtractiveNormalization: expected one plane or more, got 0"):
        nn.SpatialSubtractiveNormalization(0)


def test_neighbourhoods_need_a_forward() -> None:
    x = np.ones((1, 3, 3))
    for m in (nn.SpatialSubtractiveNormalization(1, np.ones(3)), nn.SpatialDivisiveNormalization(1, np.ones(3))):
        with pytest.raises(ValueError, match=rf"{torch7.typename(m)}: backward needs a forward first"):
            m.backward(x, x)


def test_gradients_of_vectors_are_vectors() -> None:
    m, x = nn.Normalize(2), np.ones((2, 3))
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.Normalize: expected a vector or a matrix, got shape \(1, 2, 3\)"):
        m.backward(x, x[None])


def test_inputs_of_batch_normalization_are_checked() -> None:
    m = nn.BatchNormalization(3)
    for shape in ((2, 4), (3,), (2, 3, 1), (0, 3)):
        with pytest.raises(ValueError, match=r"nn.BatchNormalization: expected a batch of 3 features, a 2D tensor"):
            m.forward(np.zeros(shape))
    x = RNG.normal(size=(4, 3))
    with pytest.raises(ValueError, match=r"nn.BatchNormalization: backward needs a forward first"):
        m.backward(x, x)
    m.evaluate()
    with pytest.raises(ValueError, match=r"nn.BatchNormalization: backward needs a forward first"):
        m.backward(x, x)
    m.training()
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.BatchNormalization: expected a gradient of shape \(4, 3\)"):
        m.backward(x, x[:2])
    m.clearState()
    with pytest.raises(ValueError, match="needs a forward first"):
        m.backward(x, x)
    with pytest.raises(TypeError, match=r"expected a torch\.DoubleTensor"):
        m.forward([1, 2])


def test_files_of_the_first_version_have_inverse_deviations(monkeypatch: pytest.MonkeyPatch) -> None:
    m = nn.BatchNormalization(2)
    del m.running_var
    m.running_std = np.array([0.5, 0.25])
    monkeypatch.setattr(nn.BatchNormalization, "torch_version", 1)
    data = torch7.serialize(m)
    old = torch7.deserialize(data)
    np.testing.assert_allclose(old.running_var, [4 - 1e-5, 16 - 1e-5], 1e-15)
    assert "running_std" not in vars(old)


def test_the_versions_are_those_of_torch() -> None:
    kinds = (nn.BatchNormalization, nn.SpatialBatchNormalization, nn.VolumetricBatchNormalization)
    assert [kind.torch_version for kind in kinds] == [2, 2, 1]


def test_a_module_without_a_mode_evaluates() -> None:
    old = without(nn.BatchNormalization(2), "train")
    x = RNG.normal(size=(5, 2))
    np.testing.assert_allclose(old.forward(x), x / math.sqrt(1 + 1e-5) * old.weight, 1e-14)


def test_the_buffer_of_numpy_is_what_it_was() -> None:
    before = np.getbufsize()
    nn.SpatialBatchNormalization(2).forward(RNG.normal(size=(2, 2, 20, 20)))
    assert np.getbufsize() == before
    with rows_of(3):
        assert np.getbufsize() == before
    with rows_of(5000):
        assert np.getbufsize() < before
    assert np.getbufsize() == before


# -- normalizations of samples


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, 4, 2.5])
def test_norms_are_those_of_the_rows(p: float) -> None:
    x = RNG.normal(size=(4, 6))
    m = nn.Normalize(p)
    y = m.forward(x)
    np.testing.assert_allclose(np.linalg.norm(y, p, 1), np.ones(4), 1e-9)
    np.testing.assert_allclose(m.norm, np.linalg.norm(x, p, 1, keepdims=True), 1e-9)
    np.testing.assert_array_equal(m.forward(x[0]), y[0])


def test_the_largest_element_is_the_infinite_norm() -> None:
    m = nn.Normalize(math.inf, 0)
    x = np.array([[1.0, -4.0, 4.0], [2.0, 0.0, 1.0]])
    np.testing.assert_array_equal(m.forward(x), [[0.25, -1, 1], [1, 0, 0.5]])
    assert m._indices.tolist() == [[2], [1]]  # of two the first
    g = np.ones((2, 3))
    np.testing.assert_allclose(m.backward(x, g), [[0.25, 0.25 + 1 / 16, 0.25], [-0.25, 0.5, 0.5]], 1e-15)
    assert "_indices" not in vars(m.float())
    assert m.forward(x.astype(np.float32)).dtype == np.float32


def test_rows_of_zeros_stay_zero() -> None:
    for p in (1, 2, 3, math.inf):
        m = nn.Normalize(p)
        x = np.zeros((1, 3))
        np.testing.assert_array_equal(m.forward(x), x)
        assert np.isfinite(m.backward(x, np.ones((1, 3)))).all()


@pytest.mark.parametrize(("p", "text"), [(2, "2"), (3.0, "3"), (1.5, "1.500000"), (math.inf, "inf")])
def test_normalize_prints_its_norm(p: float, text: str) -> None:
    assert str(nn.Normalize(p)) == f"nn.Normalize({text})"


def test_normalize_checks_arguments_and_inputs() -> None:
    with pytest.raises(TypeError, match=r"nn.Normalize: expected a number as p, got a nil"):
        nn.Normalize(None)
    for p in (0, -1, math.nan):
        with pytest.raises(ValueError, match=r"nn.Normalize: expected a norm p above 0"):
            nn.Normalize(p)
    m = nn.Normalize(2)
    with pytest.raises(ValueError, match=r"nn.Normalize: expected a vector or a matrix"):
        m.forward(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match=r"nn.Normalize: backward needs a forward of 1 vectors first"):
        m.backward(np.zeros(3), np.zeros(3))
    m.forward(np.ones(3))
    with pytest.raises(ValueError, match=r"nn.Normalize: expected"):
        m.backward(np.ones(3), np.ones(4))


def test_layer_normalization_of_a_vector() -> None:
    m = nn.LayerNormalization(5, 0.5)
    x = RNG.normal(2, 3, 5)
    np.testing.assert_allclose(m.forward(x), (x - x.mean()) / x.std() + 0.5, 1e-9)
    assert [w.shape for w in m.parameters()[0]] == [(5,), (5,)]


def test_layer_normalization_of_a_batch_mixes_the_means_as_torch_does() -> None:
    m = nn.LayerNormalization(4, None, None, False)
    x = RNG.normal(2, 3, (3, 4))
    centred = x - x.mean(1)[np.arange(12) % 3].reshape(3, 4)
    np.testing.assert_allclose(m.forward(x), 2 * centred / np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    assert m.parameters() == ([], [])
    assert str(m).startswith("nn.Sequential {")  # what Torch prints of all chains


# -- normalizations of images


@pytest.mark.parametrize("beta", [0.75, 0.5, 1, 0.6])
@pytest.mark.parametrize("shape", [(2, 6, 3, 3), (2, 3, 2, 2), (5, 64, 40, 30)])
def test_local_responses_by_definition(beta: float, shape: tuple[int, ...]) -> None:
    m = nn.SpatialCrossMapLRN(5, 0.3, beta, 2)
    x = RNG.normal(size=shape)
    padded = np.pad(x**2, ((0, 0), (2, 2), (0, 0), (0, 0)))
    scale = 2 + 0.06 * sum(padded[:, i : i + shape[1]] for i in range(5))
    np.testing.assert_allclose(m.forward(x), x * scale**-beta, 1e-12)
    np.testing.assert_allclose(m.scale, scale, 1e-12)
    np.testing.assert_allclose(m.forward(x[0]), x[0] * scale[0] ** -beta, 1e-12)


def test_local_responses_check_sizes() -> None:
    with pytest.raises(TypeError, match=r"nn.SpatialCrossMapLRN: expected a number as size"):
        nn.SpatialCrossMapLRN(None)
    m = nn.SpatialCrossMapLRN(4)
    with pytest.raises(ValueError, match=r"nn.SpatialCrossMapLRN: expected an odd number of channels, got 4"):
        m.forward(np.zeros((5, 2, 2)))
    m = nn.SpatialCrossMapLRN(3)
    with pytest.raises(ValueError, match=r"nn.SpatialCrossMapLRN: expected a 3D or 4D tensor"):
        m.forward(np.zeros((5, 2)))
    with pytest.raises(ValueError, match=r"nn.SpatialCrossMapLRN: backward needs a forward of shape \(2, 2, 2\)"):
        m.backward(np.zeros((2, 2, 2)), np.zeros((2, 2, 2)))


def averaged(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The weighted averages over the neighbourhoods and all planes that there are, pixel by pixel."""
    h, w = (n // 2 for n in kernel.shape)
    out = np.empty(x.shape[1:])
    for i, j in np.ndindex(out.shape):
        rows, columns = slice(max(i - h, 0), i + h + 1), slice(max(j - w, 0), j + w + 1)
        part = x[:, rows, columns]
        top, left = max(h - i, 0), max(w - j, 0)
        weights = kernel[top : top + part.shape[1], left : left + part.shape[2]]
        out[i, j] = (part * weights).sum() / (weights.sum() * len(x))
    return out


def test_local_averages_are_subtracted() -> None:
    kernel = np.arange(1.0, 16).reshape(3, 5)
    x = RNG.normal(size=(2, 5, 6))
    m = nn.SpatialSubtractiveNormalization(2, kernel.copy())
    np.testing.assert_allclose(m.forward(x), x - averaged(x, kernel), 1e-12)
    line = np.array([1.0, 2.0, 4.0])
    m = nn.SpatialSubtractiveNormalization(2, line.copy())
    np.testing.assert_allclose(m.forward(x), x - averaged(x, np.outer(line, line)), 1e-12)


def test_kernels_are_normalized_where_they_are() -> None:
    kernel = np.ones((3, 3))
    m = nn.SpatialContrastiveNormalization(2, kernel)
    assert m.kernel is kernel
    np.testing.assert_allclose(kernel, np.full((3, 3), 1 / 18), 1e-14)
    line = np.ones(3)
    nn.SpatialDivisiveNormalization(4, line)
    np.testing.assert_allclose(line, [1 / 6] * 3, 1e-14)


def test_kernels_are_nine_by_nine_ones_without_one() -> None:
    m = nn.SpatialSubtractiveNormalization()
    assert m.nInputPlane == 1
    assert m.kernel.shape == (9, 9)
    x = RNG.normal(size=(1, 12, 11))
    np.testing.assert_allclose(m.forward(x), x - averaged(x, np.ones((9, 9))), 1e-12)


def test_small_deviations_are_replaced() -> None:
    m = nn.SpatialDivisiveNormalization(1, np.ones((3, 3)), 0.5, 2)
    x = np.full((1, 7, 7), 0.25)
    np.testing.assert_allclose(m.forward(x)[0, 3, 3], 0.25 / 2, 1e-14)
    x *= 4
    np.testing.assert_allclose(m.forward(x)[0, 3, 3], 1, 1e-14)
    assert nn.SpatialDivisiveNormalization(1, None, 0.3).thresval == 0.3
    assert nn.SpatialContrastiveNormalization().thresval == 1e-4


@pytest.mark.parametrize("kind", ["Subtractive", "Divisive", "Contrastive"])
def test_batches_are_normalized_image_by_image(kind: str) -> None:
    m = getattr(nn, f"Spatial{kind}Normalization")(2, np.ones((3, 3)))
    x, g = RNG.normal(size=(2, 3, 2, 5, 4))
    alone = []
    for image, gradient in zip(x, g):
        y = m.forward(image).copy()
        alone.append((y, m.backward(image, gradient).copy()))
    for n in (3, 2, 3):  # batches of other sizes in turn
        np.testing.assert_allclose(m.forward(x[:n]), [y for y, _ in alone[:n]], 1e-12)
        np.testing.assert_allclose(m.backward(x[:n], g[:n]), [d for _, d in alone[:n]], 1e-11, 1e-13)


def test_a_single_pixel_is_its_own_average() -> None:
    m = nn.SpatialSubtractiveNormalization(1, np.ones((3, 3)))
    np.testing.assert_allclose(m.forward(np.array([[[5.0]]])), [[[0]]], 0, 1e-14)


@pytest.mark.parametrize("kind", ["Subtractive", "Divisive", "Contrastive"])
def test_kernels_and_images_are_checked(kind: str) -> None:
    cls, name = getattr(nn, f"Spatial{kind}Normalization"), rf"nn.Spatial{kind}Normalization"
    for kernel in (np.ones((2, 3)), np.ones((3, 2)), np.ones(4), np.ones((3, 3, 3))):
        with pytest.raises(ValueError, match=rf"{name}: expected a kernel of"):
            cls(1, kernel)
    for kernel in ([1, 2, 3], np.ones(3, int)):
        with pytest.raises(TypeError, match=rf"{name}: expected a kernel of floating numbers"):
            cls(1, kernel)
    m = cls(2, np.ones((3, 3)))
    for shape in ((3, 5, 5), (5, 5), (1, 3, 5, 5)):
        with pytest.raises(ValueError, match=rf"{name}: expected a 3D or 4D tensor with 2 planes"):
            m.forward(np.zeros(shape))


def test_clearing_reaches_the_modules_inside() -> None:
    m = nn.SpatialContrastiveNormalization(1, np.ones((3, 3)))
    x = RNG.normal(size=(2, 1, 6, 6))
    m.forward(x)
    m.clearState()
    inner = m.normalizer.get(1)
    assert inner.coef.size == 1
    assert inner.meanestimator.output.size == 0
    assert inner.meanestimator.get(2).output.size == 0
