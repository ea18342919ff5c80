"""Images and volumes made larger: sizes, places, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import nn
from nn.kernels import resampling

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("scale", [2, 3, 5])
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 1, 3, 4)])
def test_elements_are_repeated(scale: int, shape: tuple[int, ...]) -> None:
    x = RNG.normal(size=shape)
    m = nn.SpatialUpSamplingNearest(scale)
    y = m.forward(x)
    np.testing.assert_array_equal(y, x.repeat(scale, -1).repeat(scale, -2))
    g = RNG.normal(size=y.shape)
    split = g.reshape(*shape[:-2], shape[-2], scale, shape[-1], scale)
    np.testing.assert_allclose(m.backward(x, g), split.sum((-1, -3)), 1e-12, 1e-14)


def test_elements_of_volumes_are_repeated() -> None:
    x = RNG.normal(size=(2, 1, 2, 3, 4))
    m = nn.UpSampling(3)
    y = m.forward(x)
    np.testing.assert_array_equal(y, x.repeat(3, 2).repeat(3, 3).repeat(3, 4))
    g = RNG.normal(size=y.shape)
    np.testing.assert_allclose(m.backward(x, g), g.reshape(2, 1, 2, 3, 3, 3, 4, 3).sum((3, 5, 7)), 1e-12, 1e-14)


def interpolated(x: np.ndarray, *sizes: int) -> np.ndarray:
    """Linear interpolation between the corners, one axis after the other, from the last."""
    for away, m in enumerate(reversed(sizes), 1):
        n = x.shape[-away]
        places = np.float32(n - 1) / np.float32(max(m - 1, 1)) * np.arange(m, dtype=np.float32)
        below = places.astype(int)
        part = (places - below.astype(np.float32)).astype(float).reshape(-1, *(1,) * (away - 1))
        above = np.minimum(below + 1, n - 1)
        x = x.take(below, -away) * (1 - part) + x.take(above, -away) * part
    return x


@pytest.mark.parametrize("sizes", [((3, 4), (7, 9)), ((5, 5), (2, 3)), ((1, 6), (4, 1)), ((90, 3), (300, 200))])
def test_images_are_interpolated(sizes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    (h, w), (oheight, owidth) = sizes
    m = nn.SpatialUpSamplingBilinear({"oheight": oheight, "owidth": owidth})
    x = RNG.normal(size=(2, 2, h, w))
    np.testing.assert_allclose(m.forward(x), interpolated(x, oheight, owidth), 1e-12, 1e-13)
    np.testing.assert_allclose(m.forward(x[0]), interpolated(x[0], oheight, owidth), 1e-12, 1e-13)


def test_volumes_are_interpolated() -> None:
    x = RNG.normal(size=(2, 1, 2, 3, 4))
    m = nn.UpSampling(2, "trilinear")
    np.testing.assert_allclose(m.forward(x), interpolated(x, 4, 6, 8), 1e-12, 1e-13)
    m = nn.UpSampling({"odepth": 5, "oheight": 3, "owidth": 2}, "linear")
    np.testing.assert_allclose(m.forward(x), interpolated(x, 5, 3, 2), 1e-12, 1e-13)


@pytest.mark.parametrize(("n", "m"), [(100, 300), (300, 100), (40, 1000)])
def test_many_places_are_worked_off_in_bands(n: int, m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, g = RNG.normal(size=(2, n, 3)), RNG.normal(size=(2, m, 5))
    found = []
    for band in (7, 64, 1 << 20):
        monkeypatch.setattr(resampling, "BAND", band)
        found.append(
            (
                resampling.interpolated(x, 2, np.empty(g.shape)),
                resampling.interpolated_gradient(g, 2, np.empty(x.shape)),
            )
        )
    for y, d in found[:-1]:
        np.testing.assert_allclose(y, found[-1][0], 1e-12, 1e-14)
        np.testing.assert_allclose(d, found[-1][1], 1e-12, 1e-13)
    assert np.vdot(found[0][0], g) == pytest.approx(np.vdot(x, found[0][1]))  # one is the other's transpose


def test_the_same_size_is_a_copy() -> None:
    x = RNG.normal(size=(1, 2, 3))
    x[0, 0, 0] = np.inf
    m = nn.SpatialUpSamplingBilinear(1)
    y = m.forward(x)
    np.testing.assert_array_equal(y, x)
    assert not np.shares_memory(x, y)
    np.testing.assert_array_equal(m.backward(x, x), x)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.SpatialUpSamplingNearest(2), "nn.SpatialUpSamplingNearest"),
        (lambda: nn.SpatialUpSamplingBilinear(3), "nn.SpatialUpSamplingBilinear(3)"),
        (lambda: nn.SpatialUpSamplingBilinear({"owidth": 7, "oheight": 5}), "nn.SpatialUpSamplingBilinear(5, 7)"),
        (lambda: nn.UpSampling(2.0), "nn.UpSampling(2x, nearest)"),
        (lambda: nn.UpSampling(2, "anything"), "nn.UpSampling(2x, nearest)"),
        (lambda: nn.UpSampling({"owidth": 7, "oheight": 5}, "bilinear"), "nn.UpSampling(5x7, linear)"),
        (
            lambda: nn.UpSampling({"owidth": 7, "oheight": 5, "odepth": 3}, "trilinear"),
            "nn.UpSampling(3x5x7, linear)",
        ),
    ],
)
def test_text_tells_scale_or_sizes(make, text: str) -> None:
    assert str(make()) == text


def test_sizes_are_kept() -> None:
    m = nn.SpatialUpSamplingBilinear(2)
    m.forward(np.zeros((3, 4, 5)))
    assert m.inputSize.tolist() == [1, 3, 4, 5]
    assert m.outputSize.tolist() == [1, 3, 8, 10]
    n = nn.UpSampling(2)
    n.setSize(np.zeros((2, 3, 4, 5)))
    assert n.inputSize.tolist() == [2, 3, 4, 5, 0]
    assert n.outputSize.tolist() == [2, 3, 8, 10, 0]


@pytest.mark.parametrize("kind", ["SpatialUpSamplingNearest", "SpatialUpSamplingBilinear", "UpSampling"])
def test_scales_are_checked(kind: str) -> None:
    for scale in (0, 1.5, -2):
        with pytest.raises(ValueError, match=rf"nn.{kind}: expected a whole number of 1 or more as scale factor"):
            getattr(nn, kind)(scale)
    with pytest.raises(TypeError, match=rf"nn.{kind}: expected a number as scale, got a nil"):
        getattr(nn, kind)(None)


def test_repeating_once_is_refused_with_the_input() -> None:
    for m in (nn.SpatialUpSamplingNearest(1), nn.UpSampling(1)):
        with pytest.raises(ValueError, match=r"expected a scale factor of 2 or more, got 1"):
            m.forward(np.zeros((1, 1, 2, 2)))


def test_missing_sizes_are_named() -> None:
    with pytest.raises(ValueError, match=r"nn.SpatialUpSamplingBilinear: no oheight given"):
        nn.SpatialUpSamplingBilinear({"owidth": 3}).forward(np.zeros((1, 2, 2)))
    with pytest.raises(ValueError, match=r"nn.UpSampling: expected sizes oheight and owidth"):
        nn.UpSampling({"owidth": 3}, "linear")
    with pytest.raises(ValueError, match=r"nn.UpSampling: mode nearest needs a scale factor, not sizes"):
        nn.UpSampling({"owidth": 3, "oheight": 2})
    with pytest.raises(ValueError, match=r"nn.UpSampling: no odepth given for shape \(1, 1, 2, 2, 2\)"):
        nn.UpSampling({"owidth": 3, "oheight": 2}, "linear").forward(np.zeros((1, 1, 2, 2, 2)))
    with pytest.raises(ValueError, match=r"nn.UpSampling: expected an owidth of 1 or more, got 0"):
        nn.UpSampling({"owidth": 0, "oheight": 2}, "linear")


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: nn.SpatialUpSamplingNearest(2), "3D or 4D"),
        (lambda: nn.SpatialUpSamplingBilinear(2), "3D or 4D"),
        (lambda: nn.UpSampling(2, "linear"), "4D or 5D"),
        (lambda: nn.PixelShuffle(2), "3D or 4D"),
    ],
)
def test_images_and_gradients_are_checked(make, wanted: str) -> None:
    m = make()
    for shape in ((4, 4), (1, 1, 4, 2, 2, 2), (2, 4, 0, 2)[: 4 if wanted[0] == "4" else 2]):
        with pytest.raises(ValueError, match=rf"nn.{type(m).__name__}: expected a"):
            m.forward(np.zeros(shape))
    x = np.zeros((1, 4, 2, 2))
    shape = m.forward(x).shape
    with pytest.raises(ValueError, match=rf"nn.{type(m).__name__}: expected a gradient of shape"):
        m.backward(x, np.zeros((*shape[:-1], 3)))
    m.gradInput = None
    assert m.backward(x, m.forward(x)) is None


def test_pixels_come_from_channels() -> None:
    m = nn.PixelShuffle(3)
    x = RNG.normal(size=(2, 18, 2, 4))
    y = m.forward(x)
    assert y.shape == (2, 2, 6, 12)
    for n, c, i, j in np.ndindex(y.shape):
        assert y[n, c, i, j] == x[n, 9 * c + 3 * (i % 3) + j % 3, i // 3, j // 3]
    np.testing.assert_array_equal(m.backward(x, y), x)
    np.testing.assert_array_equal(m.forward(x[1]), y[1])
    assert (m.upscaleFactor, m.upscaleFactorSquared) == (3, 9)


def test_channels_have_to_fill_the_pixels() -> None:
    with pytest.raises(ValueError, match=r"nn.PixelShuffle: expected a 3D or 4D tensor with a multiple of 4 channels"):
        nn.PixelShuffle(2).forward(np.zeros((6, 2, 2)))
    for factor in (0, 1.5):
        with pytest.raises(ValueError, match=r"nn.PixelShuffle: expected"):
            nn.PixelShuffle(factor)
