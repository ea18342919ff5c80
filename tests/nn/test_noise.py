"""SpatialDropout, VolumetricDropout and WhiteNoise: what they do beyond what all modules promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7

TYPES = [np.float32, np.float64]
DROPOUTS = [(nn.SpatialDropout, (3, 2, 2)), (nn.SpatialDropout, (2, 3, 2, 2))]
DROPOUTS += [(nn.VolumetricDropout, (3, 1, 2, 2)), (nn.VolumetricDropout, (2, 3, 1, 2, 2))]
PLANES = {nn.SpatialDropout: 2, nn.VolumetricDropout: 3}


def values(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("p", [0, 0.3, 1])
@pytest.mark.parametrize(("cls", "shape"), DROPOUTS)
def test_whole_maps_are_dropped(cls: Any, shape: tuple[int, ...], p: float, dtype: Any) -> None:
    m, x, g = cls(p), values(*shape).astype(dtype), values(*shape, seed=2).astype(dtype)
    if dtype == np.float32:
        m.float()
    torch7.manualSeed(3)
    maps = shape[: -PLANES[cls]] + (1,) * PLANES[cls]
    drawn = torch7.bernoulli_(np.empty(maps, dtype), 1 - p)
    torch7.manualSeed(3)
    np.testing.assert_array_equal(m.forward(x), x * drawn)
    np.testing.assert_array_equal(m.noise, drawn)
    assert m.noise.dtype == dtype
    np.testing.assert_array_equal(m.backward(x, g), g * drawn)
    np.testing.assert_array_equal(m.backward(x, g.reshape(-1)), g * drawn)


@pytest.mark.parametrize(("cls", "shape"), DROPOUTS)
def test_evaluation_scales_and_has_no_backward(cls: Any, shape: tuple[int, ...]) -> None:
    m, x = cls(0.25), values(*shape)
    m.evaluate()
    np.testing.assert_array_equal(m.forward(x), x * 0.75)
    np.testing.assert_array_equal(m.forward(x[0, 0]), x[0, 0] * 0.75)  # of any shape
    with pytest.raises(ValueError, match=rf"nn.{cls.__name__}: a backward is only defined while training"):
        m.backward(x, x)


@pytest.mark.parametrize(("cls", "shape"), DROPOUTS)
def test_stochastic_inference_draws_in_evaluation(cls: Any, shape: tuple[int, ...]) -> None:
    m, x = cls(0.5, True), np.ones(shape)
    m.evaluate()
    torch7.manualSeed(1)
    y = m.forward(x)
    assert set(y.reshape(-1)) == {0, 1}
    assert not np.array_equal(y.copy(), m.forward(x))
    with pytest.raises(ValueError, match="a backward is only defined while training"):
        m.backward(x, x)


@pytest.mark.parametrize("cls", PLANES)
def test_probability(cls: Any) -> None:
    m = cls()
    assert (m.p, cls(None).p, m.train, m.stochastic_inference) == (0.5, 0.5, True, False)
    m.setp(0.1)
    assert str(m) == f"nn.{cls.__name__}(0.100000)"
    for p in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=rf"nn.{cls.__name__}: expected a probability 0 <= p <= 1, got {p}"):
            m.setp(p)
    assert m.p == 0.1


@pytest.mark.parametrize(("cls", "shape"), [(nn.SpatialDropout, (4,)), (nn.SpatialDropout, (1,) * 5)])
def test_spatial_dropout_wants_images(cls: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.SpatialDropout: expected an input \(C, H, W\) or \(N, C, H, W\), got sh"):
        cls().forward(np.zeros(shape))


@pytest.mark.parametrize("shape", [(2, 3, 4), (1,) * 6])
def test_volumetric_dropout_wants_volumes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"nn.VolumetricDropout: expected an input \(C, T, H, W\) or \(N, C, T, H, W"):
        nn.VolumetricDropout().forward(np.zeros(shape))


def test_backward_wants_a_forward_of_the_same_input() -> None:
    m, x = nn.SpatialDropout(), np.ones((2, 3, 2, 2))
    with pytest.raises(ValueError, match=r"nn.SpatialDropout: expected a forward of an input of shape"):
        m.backward(x, x)
    m.forward(np.ones((1, 3, 2, 2)))
    with pytest.raises(ValueError, match=r"nn.SpatialDropout: expected a forward of an input of shape"):
        m.backward(x, x)
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn.SpatialDropout: expected a torch.DoubleTensor of shape"):
        m.backward(x, np.ones((2, 3)))
    m.gradInput = None
    assert m.backward(x, x) is None


# -- WhiteNoise


@pytest.mark.parametrize("dtype", TYPES)
def test_white_noise_is_normal(dtype: Any) -> None:
    m, x, g = nn.WhiteNoise(1, 0.5), values(3, 5).astype(dtype), values(3, 5, seed=2).astype(dtype)
    if dtype == np.float32:
        m.float()
    torch7.manualSeed(4)
    drawn = torch7.normal_(np.empty((3, 5), dtype), 1, 0.5)
    torch7.manualSeed(4)
    np.testing.assert_array_equal(m.forward(x), x + drawn)
    np.testing.assert_array_equal(m.noise, drawn)
    np.testing.assert_array_equal(m.backward(x, g), g)
    assert m.gradInput is not g


def test_white_noise_in_evaluation_is_its_mean() -> None:
    m, x = nn.WhiteNoise(2, 0), values(3)
    m.evaluate()
    np.testing.assert_array_equal(m.forward(x), x + 2)
    with pytest.raises(ValueError, match=r"nn.WhiteNoise: a backward is only defined while training"):
        m.backward(x, x)


def test_white_noise_arguments() -> None:
    m = nn.WhiteNoise()
    assert (m.mean, m.std, m.train) == (0, 0.1, None)  # Torch's constructor sets no mode, which means training
    assert "train" not in vars(m)
    assert str(nn.WhiteNoise(None, 0.5)) == "nn.WhiteNoise mean: 0.000000, std: 0.500000"
    for std in (0, -1):
        with pytest.raises(ValueError, match=rf"nn.WhiteNoise: expected a positive standard deviation, got {std}"):
            nn.WhiteNoise(0, std).forward(np.ones(2))
    with pytest.raises(TypeError, match=r"nn.WhiteNoise: expected a number, got a string"):
        nn.WhiteNoise("0")
    assert m.forward(np.ones(2)) is m.output
    assert m.clearState() is m
    assert m.noise.size == m.output.size == 0
