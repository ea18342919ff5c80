"""Adaptive, fractional, dynamic and norm poolings, unpooling: all against their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn
import torch7
from nn.kernels.sweeps import Spans
from tests.support.contract import EXACT, copies
from tests.support.pooling import INF, NAN, maximum, scattered

FLT_MAX = float(np.finfo(np.float32).max)
some = settings(max_examples=60, deadline=None, derandomize=True)


# -- adaptive ones


@some
@given(h=st.integers(1, 12), w=st.integers(1, 12), H=st.integers(1, 14), W=st.integers(1, 14), seed=st.integers(0, 99))
def test_adaptive_windows(h: int, w: int, H: int, W: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.choice([0.0, 1, 2, 3], (2, 2, h, w))
    g = rng.normal(size=(2, 2, H, W))
    maxima, averages = nn.SpatialAdaptiveMaxPooling(W, H), nn.SpatialAdaptiveAveragePooling(W, H)
    y, z = maxima.forward(x), averages.forward(x)
    places, gradInput = np.zeros(y.shape, int), np.zeros(x.shape)
    for i, j in np.ndindex(H, W):
        rows, columns = slice(i * h // H, -(-(i + 1) * h // H)), slice(j * w // W, -(-(j + 1) * w // W))
        part = x[..., rows, columns]
        n = part.shape[2] * part.shape[3]
        np.testing.assert_allclose(z[..., i, j], part.mean((2, 3)), **EXACT)
        gradInput[..., rows, columns] += g[..., i, j, None, None] / n
        np.testing.assert_array_equal(y[..., i, j], part.max((2, 3)))
        where = part.reshape(2, 2, -1).argmax(2)
        np.testing.assert_array_equal(maxima.indices[0, ..., i, j], where // part.shape[3] + 1)
        np.testing.assert_array_equal(maxima.indices[1, ..., i, j], where % part.shape[3] + 1)
        places[..., i, j] = (where // part.shape[3] + rows.start) * w + where % part.shape[3] + columns.start + 1
    np.testing.assert_allclose(averages.backward(x, g), gradInput, **EXACT)
    np.testing.assert_allclose(maxima.backward(x, g), scattered(x, places, g, 2), **EXACT)


def test_adaptive_maximum_of_no_numbers() -> None:
    x = np.array([[[NAN, -INF, 1, NAN]]])
    pool = nn.SpatialAdaptiveMaxPooling(2, 1)
    np.testing.assert_array_equal(pool.forward(x), [[[-FLT_MAX, 1]]])
    assert pool.indices[:, 0, 0].tolist() == [[0, 1], [0, 1]]
    np.testing.assert_array_equal(pool.backward(x, np.ones((1, 1, 2))), [[[0, 0, 1, 0]]])


def test_spans_know_the_windows_of_an_element() -> None:
    spans = Spans(4, np.array([0, 1, 2]), np.array([2, 3, 4]))
    back = spans.reversed()
    assert (back.starts.tolist(), back.ends.tolist()) == ([0, 0, 1, 2], [1, 2, 3, 3])
    assert spans.even() is not None
    assert Spans(4, np.array([0, 0]), np.array([2, 4])).even() is None


# -- fractional ones


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 3])
def test_fractional_windows(n: int, dtype: type) -> None:
    sizes, counts, kernel = (9, 11, 8)[:n], (4, 6, 1)[:n], (3, 2, 2)[:n]
    cls = nn.SpatialFractionalMaxPooling if n == 2 else nn.VolumetricFractionalMaxPooling
    pool = cls(*kernel[::-1], *counts[::-1]).type(torch7.tensor_type(np.dtype(dtype)))
    x = np.random.default_rng(3).choice([0.0, 1, 2, 3], (2, 3, *sizes)).astype(dtype)
    torch7.manualSeed(5)
    y = pool.forward(x)
    torch7.manualSeed(5)
    samples = torch7.uniform_(np.empty((6, n), dtype))
    np.testing.assert_array_equal(pool.randomSamples.reshape(6, n), samples)
    for p, plane in enumerate(x.reshape(6, *sizes)):
        places = []
        for u, size, count, k in zip(samples[p][::-1], sizes, counts, kernel):
            alpha = dtype(size - k) / dtype(max(count - 1, 1))
            starts = [int((dtype(i) + u) * alpha) - int(u * alpha) for i in range(count - 1)] + [size - k]
            places.append([list(range(s, s + k)) for s in starts])
        want, where = maximum(plane, places)
        np.testing.assert_array_equal(y.reshape(6, *counts)[p], want)
        np.testing.assert_array_equal(pool.indices.reshape(6, *counts)[p], where)
    g = np.random.default_rng(4).normal(size=y.shape).astype(dtype)
    np.testing.assert_allclose(pool.backward(x, g), scattered(x, pool.indices, g, n), rtol=1e-5, atol=1e-6)


def test_fractional_windows_change_or_stay() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 12, 12))
    pool = nn.SpatialFractionalMaxPooling(2, 2, 0.6, 0.5)
    torch7.manualSeed(1)
    assert pool.forward(x).shape == (2, 3, 6, 7)
    first = pool.randomSamples.copy()
    pool.forward(x)
    assert (pool.randomSamples != first).any()
    assert pool.fixPoolingRegions() is pool
    kept = pool.randomSamples.copy()
    pool.forward(x)
    np.testing.assert_array_equal(pool.randomSamples, kept)
    pool.forward(x[:1])  # other sizes have numbers of their own
    assert pool.randomSamples.shape == (1, 3, 2)
    pool.fixPoolingRegions(False).forward(x[:1])
    assert pool.getBufferSize_(x[0]) == [1, 3, 2]
    assert pool.getOutputSizes_(x) == (7, 6)
    pool.clearState()
    assert pool.randomSamples is None
    assert pool.indices is None
    with pytest.raises(ValueError, match="expected a forward"):
        pool.backward(x, np.ones((2, 3, 6, 7)))
    for copy in copies(pool):
        torch7.manualSeed(1)
        copy.forward(x)
        np.testing.assert_array_equal(copy.randomSamples, first)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.SpatialFractionalMaxPooling(1, 2, 2, 2), "at least 2 elements"),
        (lambda: nn.SpatialFractionalMaxPooling(2, 2, 0.5, 2), "ratios between 0 and 1"),
        (lambda: nn.VolumetricFractionalMaxPooling(2, 2, 2, 0, 0.5, 0.5), "ratios between 0 and 1"),
        (lambda: nn.SpatialFractionalMaxPooling(2, 2, 4, 2).forward(np.ones((1, 5, 5))), "4 windows of 2, got 5"),
        (
            lambda: nn.SpatialFractionalMaxPooling(2, 2, 0.1, 0.5).forward(np.ones((1, 5, 5))),
            "too small for its ratios",
        ),
        (lambda: nn.SpatialFractionalMaxPooling(2, 2, 2, 2).forward(np.full((1, 5, 5), NAN)), "no maximum"),
        (lambda: nn.SpatialFractionalMaxPooling(2, 2, 2, 2).forward(np.ones((5, 5))), "planes of 2 dimensions"),
    ],
)
def test_fractional_pooling_refuses(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"FractionalMaxPooling.*{message}"):
        make()


# -- unpooling


def test_unpooling_puts_maxima_back() -> None:
    rng = np.random.default_rng(0)
    for pool, kind, shape in (
        (nn.SpatialMaxPooling(2, 3, 2, 3, 1, 1), nn.SpatialMaxUnpooling, (2, 3, 7, 8)),
        (nn.VolumetricMaxPooling(2, 3, 2, 2, 3, 2, 1, 0, 1), nn.VolumetricMaxUnpooling, (2, 3, 5, 6, 7)),
    ):
        x = rng.normal(size=shape)
        unpool = kind(pool)
        y = pool.forward(x)
        z = unpool.forward(y)
        np.testing.assert_array_equal(z, np.where(np.isin(x, y), x, 0))
        g = rng.normal(size=shape)
        gradInput = unpool.backward(y, g)
        n = len(shape) - 2
        flat = np.take_along_axis(g.reshape(2, 3, -1), pool.indices.reshape(2, 3, -1) - 1, 2)
        np.testing.assert_array_equal(gradInput.reshape(2, 3, -1), flat)
        assert unpool.indices is pool.indices
        assert (unpool.oheight, unpool.owidth) == shape[-2:]
        assert str(unpool) == f"nn.{kind.__name__} associated to {pool}"
        unpool.empty()
        assert unpool.output.size == 0
        copy = nn.Sequential().add(pool).add(unpool).clone()
        assert copy.get(2).pooling is copy.get(1)
        np.testing.assert_array_equal(copy.forward(2 * x), 2 * z)
        assert n in (2, 3)


def test_unpooling_keeps_the_numbers_of_its_pooling() -> None:
    pool = nn.VolumetricMaxPooling(2, 3, 4, 2, 3, 4, 1, 0, 2)
    unpool = nn.VolumetricMaxUnpooling(pool)
    pool.forward(np.ones((1, 4, 8, 6)))
    unpool.setParams()
    found = [getattr(unpool, name) for name in ("otime", "oheight", "owidth", "dT", "dW", "dH", "padT", "padW", "padH")]
    assert found == [4, 8, 6, 2, 3, 4, 1, 0, 2]


def test_unpooling_refuses() -> None:
    with pytest.raises(TypeError, match=r"SpatialMaxUnpooling: expected an nn\.SpatialMaxPooling, got nn\.Linear"):
        nn.SpatialMaxUnpooling(nn.Linear(2, 2))
    with pytest.raises(TypeError, match="SpatialMaxUnpooling"):
        nn.SpatialMaxUnpooling(nn.SpatialDilatedMaxPooling(2, 2))
    with pytest.raises(ValueError, match="VolumetricMaxUnpooling: expected a pooling in steps of its kernel"):
        nn.VolumetricMaxUnpooling(nn.VolumetricMaxPooling(2, 2, 2, 1, 2, 2))
    pool = nn.SpatialMaxPooling(2, 1)
    unpool = nn.SpatialMaxUnpooling(pool)
    with pytest.raises(ValueError, match="expected an input of the shape of the pooling's output"):
        unpool.forward(np.ones((1, 1, 2)))
    y = pool.forward(np.array([[[NAN, NAN, 1, 2]]]))
    with pytest.raises(IndexError, match="SpatialMaxUnpooling: an index is 0"):
        unpool.forward(y)
    y = pool.forward(np.ones((1, 1, 4)))
    unpool.forward(y)
    with pytest.raises(ValueError, match=r"expected a gradient of shape \(1, 1, 4\), got shape \(1, 1, 3\)"):
        unpool.backward(y, np.ones((1, 1, 3)))


# -- sequences


@some
@given(T=st.integers(1, 14), k=st.integers(1, 5), factor=st.floats(0, 1), seed=st.integers(0, 99))
def test_the_k_largest_frames(T: int, k: int, factor: float, seed: int) -> None:
    x = np.random.default_rng(seed).choice([0.0, 0, 1, 2, NAN], (2, T, 3))
    pool = nn.TemporalDynamicKMaxPooling(k, factor)
    want = max(k, math.ceil(factor * T))
    if want > T:
        with pytest.raises(ValueError, match=f"k = {want} frames or more, got {T}"):
            pool.forward(x)
        return
    y = pool.forward(x)
    assert y.shape == (2, want, 3)
    for n, f in np.ndindex(2, 3):
        column = [INF if math.isnan(v) else v for v in x[n, :, f]]
        best = sorted(sorted(range(T), key=lambda t: -column[t])[:want])
        assert (pool.indices[n, :, f] - 1).tolist() == best
        np.testing.assert_array_equal(y[n, :, f], x[n, best, f])
    g = np.random.default_rng(1).normal(size=y.shape)
    gradInput = np.zeros(x.shape)
    np.put_along_axis(gradInput, pool.indices - 1, g, 1)
    np.testing.assert_array_equal(pool.backward(x, g), gradInput)


@some
@given(T=st.integers(1, 9), k=st.integers(1, 4), d=st.integers(1, 4), seed=st.integers(0, 99))
def test_maxima_of_frames(T: int, k: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.choice([0.0, 1, 2], (2, T, 3))
    pool = nn.TemporalMaxPooling(k, d)
    if k > T:
        with pytest.raises(ValueError, match="TemporalMaxPooling: expected a sequence of at least kW frames"):
            pool.forward(x)
        return
    y = pool.forward(x)
    starts = range(0, T - k + 1, d)
    parts = np.stack([x[:, s : s + k] for s in starts], 1)
    np.testing.assert_array_equal(y, parts.max(2))
    np.testing.assert_array_equal(pool.indices, parts.argmax(2))
    g = rng.normal(size=y.shape)
    gradInput = np.zeros(x.shape)
    for n, t, f in np.ndindex(*y.shape):
        gradInput[n, starts[t] + pool.indices[n, t, f], f] += g[n, t, f]
    np.testing.assert_allclose(pool.backward(x, g), gradInput, **EXACT)


# -- norms


@pytest.mark.parametrize("power", [1, 2, 3, 2.5])
def test_norms_of_features(power: float) -> None:
    x = np.random.default_rng(0).uniform(0.1, 2, (2, 7, 3, 2))
    pool = nn.FeatureLPPooling(3, 2, power, True)
    parts = np.stack([x[:, i : i + 3] for i in (0, 2, 4)], 1)
    y = pool.forward(x)
    np.testing.assert_allclose(y, (parts**power).sum(2) ** (1 / power), **EXACT)
    g = np.ones(y.shape)
    want = np.zeros(x.shape)
    for i in range(3):
        want[:, 2 * i : 2 * i + 3] += (x[:, 2 * i : 2 * i + 3] / y[:, i, None]) ** (power - 1)
    np.testing.assert_allclose(pool.backward(x, g), want, **EXACT)


def test_norms_of_features_at_the_edges() -> None:
    pool = nn.FeatureLPPooling(2, 2, 2)
    x = np.array([0.0, 0, 3, 4, 9])  # a window of norm 0, and an element in no window
    assert pool.forward(x).tolist() == [0, 5]
    np.testing.assert_allclose(pool.backward(x, np.ones(2)), [0, 0, 0.6, 0.8, 0], **EXACT)
    half = nn.FeatureLPPooling(2, 2, 0.5)
    y = half.forward(np.array([1.0, 4, 0]))
    assert y.tolist() == [9]
    assert half.backward(np.array([1.0, 4, 0]), np.ones(1)).tolist() == [3, 1.5, 0]
    assert np.isnan(nn.FeatureLPPooling(2, 1, 3.5).forward(np.array([-1.0, 1]))).all()
    big = np.array([1e30, 1e30], np.float32)  # squares are beyond float, not beyond double
    np.testing.assert_allclose(nn.FeatureLPPooling(2, 1, 2).float().forward(big), [math.sqrt(2) * 1e30], rtol=1e-6)
    assert pool.ROWWISE is False
    assert nn.FeatureLPPooling(2, 2, 2, True).ROWWISE is True


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.FeatureLPPooling(1, 2, 2), "a width of 2 to 16, got 1"),
        (lambda: nn.FeatureLPPooling(17, 2, 2), "a width of 2 to 16, got 17"),
        (lambda: nn.FeatureLPPooling(2, 5, 2), "a stride of 1 to 4, got 5"),
        (lambda: nn.FeatureLPPooling(3, 1, 2).forward(np.ones(2)), "3 features or more, got 2"),
        (lambda: nn.FeatureLPPooling(2, 1, 2).forward(np.ones((2, 2, 2, 2))), "1 to 3 dimensions"),
        (lambda: nn.FeatureLPPooling(2, 1, 2, True).forward(np.ones(4)), "2 to 4 dimensions"),
        (lambda: nn.FeatureLPPooling(2, 1, 2).backward(np.ones(4), np.ones(3)), r"a forward of shape \(4,\) first"),
    ],
)
def test_norms_of_features_refuse(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"nn.FeatureLPPooling: expected .*{message}"):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.SpatialFractionalMaxPooling(None, 2, 1, 1), "nn.SpatialFractionalMaxPooling: .* as poolSizeW"),
        (lambda: nn.SpatialFractionalMaxPooling(2, 2, 1, "2"), "nn.SpatialFractionalMaxPooling: .* as arg2"),
        (lambda: nn.FeatureLPPooling(2, None, 2), "nn.FeatureLPPooling: expected a number as stride"),
        (
            lambda: nn.FeatureLPPooling(2, 1, None).forward(np.ones(4)),
            "nn.FeatureLPPooling: expected a number as power",
        ),
        (lambda: nn.SpatialLPPooling(1, 2, None, 2), "nn.SpatialLPPooling: expected a number as kW"),
        (lambda: nn.SpatialMaxPooling(2, None).forward(np.ones((1, 4, 4))), "nn.SpatialMaxPooling: expected numbers"),
        (
            lambda: nn.SpatialAdaptiveMaxPooling(2, None).forward(np.ones((1, 4, 4))),
            "nn.SpatialAdaptiveMaxPooling: exp",
        ),
        (lambda: nn.TemporalMaxPooling("2").forward(np.ones((4, 4))), "nn.TemporalMaxPooling: expected numbers"),
        (
            lambda: nn.TemporalDynamicKMaxPooling(2, "1").forward(np.ones((4, 4))),
            "MaxPooling: expected a number as fac",
        ),
    ],
)
def test_sizes_that_are_no_numbers_are_refused(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize(
    ("m", "shape"),
    [
        (nn.SpatialMaxPooling(2, 2), (0, 2, 4, 4)),
        (nn.SpatialAveragePooling(2, 2), (2, 0, 4, 4)),
        (nn.SpatialAdaptiveMaxPooling(2, 2), (2, 2, 4, 0)),
        (nn.SpatialAdaptiveAveragePooling(2, 2), (0, 2, 4, 4)),
        (nn.SpatialFractionalMaxPooling(2, 2, 1, 1), (0, 2, 4, 4)),
        (nn.FeatureLPPooling(2, 1, 2), (4, 0)),
        (nn.TemporalMaxPooling(2), (4, 0)),
        (nn.TemporalDynamicKMaxPooling(2), (0, 4, 3)),
        (nn.VolumetricMaxPooling(2, 2, 2), (0, 1, 4, 4, 4)),
    ],
    ids=str,
)
def test_nothing_is_not_pooled(m: nn.Module, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"{torch7.typename(m)}: expected .*got shape"):
        m.forward(np.zeros(shape))


def test_norms_of_images() -> None:
    pool = nn.SpatialLPPooling(2, 3, 2, 1, 1, 1)
    assert [torch7.typename(m) for m in pool.modules] == [
        *("nn.Power", "nn.SpatialAveragePooling", "nn.MulConstant", "nn.Power"),
    ]
    x = np.array([[[1.0, 2, 3]]])
    np.testing.assert_allclose(pool.forward(x), [[[9 ** (1 / 3), 35 ** (1 / 3)]]], **EXACT)
    assert [torch7.typename(m) for m in nn.SpatialLPPooling(2, 2, 2, 2).modules][::3] == ["nn.Square", "nn.Sqrt"]
    assert (pool.kW, pool.kH, pool.dW, pool.dH) == (2, 1, 1, 1)
    assert nn.SpatialLPPooling(1, 2, 3, 2).dW == 3
    assert pool.parameters() == ([], [])
    pool.reset()
    pool.zeroGradParameters()
    pool.updateParameters(0.1)
    pool.backwardUpdate(x, np.ones((1, 1, 2)), 0.1)
    assert str(pool).startswith("nn.Sequential {")
