"""Poolings over windows in equal steps: every option against the definition, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn
import torch7
from tests.support.contract import EXACT
from tests.support.pooling import INF, NAN, maximum, over_planes, scattered, windows

FLT_MAX = float(np.finfo(np.float32).max)
some = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def moves(draw: Any, n: int, dilated: bool) -> dict[str, Any]:
    """A kernel and how it moves over n dimensions, and sizes in which there is a window at least."""
    k = [draw(st.integers(1, 4)) for _ in range(n)]
    dil = [draw(st.integers(1, 3)) if dilated else 1 for _ in range(n)]
    pad = [draw(st.integers(0, i // 2)) for i in k]
    d = [draw(st.integers(1, 4)) for _ in range(n)]
    least = [max(1, (i - 1) * e + 1 - 2 * p) for i, e, p in zip(k, dil, pad)]
    sizes = [draw(st.integers(a, a + 5)) for a in least]
    return {"k": k, "d": d, "pad": pad, "dil": dil, "sizes": sizes, "ceil": draw(st.booleans())}


def order(values: list[int]) -> list[int]:
    """From a tensor's order (T, H, W) to that of arguments (T, W, H)."""
    return [*values[:-2], values[-1], values[-2]]


def along(m: dict[str, Any]) -> list[list[list[int]]]:
    return [
        windows(size, k, d, pad, dil, m["ceil"], any(m["pad"]))
        for size, k, d, pad, dil in zip(m["sizes"], m["k"], m["d"], m["pad"], m["dil"])
    ]


# -- maxima


@pytest.mark.parametrize("n", [2, 3])
@some
@given(data=st.data())
def test_maxima_of_all_kinds_of_windows(n: int, data: st.DataObject) -> None:
    m = data.draw(moves(n, True))
    lead = data.draw(st.sampled_from([(2,), (2, 3)]))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    x = rng.choice([-INF, NAN, -1, 0, 0, 1, 2, 3], (*lead, *m["sizes"]))  # many are equal
    cls = nn.SpatialDilatedMaxPooling if n == 2 else nn.VolumetricDilatedMaxPooling
    pool = cls(*(i for name in ("k", "d", "pad", "dil") for i in order(m[name])))
    if m["ceil"]:
        pool.ceil()
    want, where = over_planes(x, n, lambda plane: maximum(plane, along(m)))
    np.testing.assert_array_equal(pool.forward(x), want)
    np.testing.assert_array_equal(pool.indices, where)
    assert pool.indices.dtype == np.int64
    g = rng.normal(size=want.shape)
    np.testing.assert_allclose(pool.backward(x, g), scattered(x, where, g, n), **EXACT)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_batches_are_as_their_samples(dtype: type) -> None:
    x = np.random.default_rng(1).normal(size=(17, 5, 61, 53)).astype(dtype)
    for pool in (
        nn.SpatialMaxPooling(3, 2, 2, 2, 1, 1),
        nn.SpatialAveragePooling(3, 3, 2, 2, 1, 1),
        nn.SpatialAveragePooling(3, 3, 1, 1, 1, 1),
        nn.SpatialAdaptiveMaxPooling(6, 7),
        nn.SpatialAdaptiveAveragePooling(6, 7),
    ):
        pool.type(torch7.typename(x))
        y = pool.forward(x).copy()
        g = np.random.default_rng(2).normal(size=y.shape).astype(dtype)
        gradInput = pool.backward(x, g).copy()
        for i in (0, 7, 16):
            np.testing.assert_array_equal(pool.forward(x[i]), y[i])
            np.testing.assert_array_equal(pool.backward(x[i], g[i]), gradInput[i])


def test_the_first_of_equal_elements_is_the_maximum() -> None:
    x = np.zeros((1, 4, 4))
    pool = nn.SpatialMaxPooling(3, 3, 1, 1)
    pool.forward(x)
    assert pool.indices.tolist() == [[[1, 2], [5, 6]]]
    x[0, 0, 2] = x[0, 1, 0] = 5  # the upper one, although it is further to the right
    pool.forward(x)
    assert pool.indices[0, 0, 0] == 3


def test_a_window_without_numbers_has_no_maximum() -> None:
    x = np.array([[[NAN, NAN, 1, NAN, -INF, NAN]]])
    pool = nn.SpatialMaxPooling(2, 1)
    np.testing.assert_array_equal(pool.forward(x), [[[-INF, 1, -INF]]])
    assert pool.indices.tolist() == [[[0, 3, 0]]]
    np.testing.assert_array_equal(pool.backward(x, np.ones((1, 1, 3))), [[[0, 0, 1, 0, 0, 0]]])
    pool = nn.TemporalMaxPooling(2)
    x = np.array([[NAN, 1], [NAN, NAN], [2, -INF], [NAN, 3]])
    np.testing.assert_array_equal(pool.forward(x), [[-INF, 1], [2, 3]])
    assert pool.indices.tolist() == [[-1, 0], [0, 1]]
    np.testing.assert_array_equal(pool.backward(x, np.ones((2, 2))), [[0, 1], [0, 0], [1, 0], [0, 1]])


def test_kernels_of_many_elements() -> None:
    x = np.random.default_rng(0).normal(size=(2, 20, 20))
    pool = nn.SpatialMaxPooling(17, 18)  # 306 places: more than fit into a byte
    y = pool.forward(x)
    np.testing.assert_array_equal(y[:, 0, 0], x[:, :18, :17].max((1, 2)))
    np.testing.assert_array_equal(x.reshape(2, -1)[[0, 1], pool.indices[:, 0, 0] - 1], y[:, 0, 0])


def test_last_windows() -> None:
    x = np.arange(1.0, 6).reshape(1, 1, 5)
    pool = nn.SpatialMaxPooling(2, 1, 2, 1)
    assert pool.forward(x).tolist() == [[[2, 4]]]
    assert pool.ceil() is pool
    assert pool.forward(x).tolist() == [[[2, 4, 5]]]
    assert pool.floor() is pool
    assert pool.forward(x).tolist() == [[[2, 4]]]
    # with a pad anywhere, a window may not begin behind the elements; without it may, and has nothing
    assert nn.SpatialMaxPooling(2, 2, 4, 1, 1, 1).ceil().forward(np.ones((1, 2, 5))).shape == (1, 3, 2)
    beyond = nn.SpatialMaxPooling(1, 1, 3, 1).ceil()
    assert beyond.forward(x).tolist() == [[[1, 4, -INF]]]
    assert beyond.indices.tolist() == [[[1, 4, 0]]]


def test_sizes_of_the_input_are_kept() -> None:
    pool = nn.SpatialMaxPooling(2, 2)
    pool.forward(np.ones((1, 4, 6)))
    assert (pool.iheight, pool.iwidth) == (4, 6)
    pool = nn.VolumetricMaxPooling(1, 2, 2)
    pool.forward(np.ones((1, 3, 4, 6)))
    assert (pool.itime, pool.iheight, pool.iwidth) == (3, 4, 6)


def test_indices_survive_types_and_go_with_clearState() -> None:
    x = np.random.default_rng(0).normal(size=(1, 4, 4)).astype(np.float32)
    pool = nn.SpatialMaxPooling(2, 2)
    pool.forward(x.astype(float))
    pool.float()
    g = np.ones((1, 2, 2), np.float32)
    assert pool.backward(x, g).sum() == 4
    pool.forward(x)
    assert pool.indices.dtype == np.int64
    pool.clearState()
    assert pool.indices.shape == (0,)
    with pytest.raises(ValueError, match="SpatialMaxPooling: expected a forward before"):
        pool.backward(x, g)
    pool.forward(x)
    pool.empty()
    assert pool.indices.shape == pool.output.shape == (0,)


def test_indices_that_are_not_of_the_input_are_refused() -> None:
    pool = nn.SpatialMaxPooling(2, 2)
    pool.forward(np.ones((1, 4, 4)))
    pool.indices[...] = 17
    with pytest.raises(IndexError, match="SpatialMaxPooling: indices count from 1 and go up to 16, got 17"):
        pool.backward(np.ones((1, 4, 4)), np.ones((1, 2, 2)))
    pool.indices[...] = -1
    with pytest.raises(IndexError, match="got -1"):
        pool.backward(np.ones((1, 4, 4)), np.ones((1, 2, 2)))


# -- averages


@pytest.mark.parametrize("n", [2, 3])
@some
@given(data=st.data())
def test_averages_of_all_kinds_of_windows(n: int, data: st.DataObject) -> None:
    m = data.draw(moves(n, False))
    if n == 3:
        m |= {"pad": [0, 0, 0], "ceil": False, "sizes": [s + 2 * p for s, p in zip(m["sizes"], m["pad"])]}
    include = data.draw(st.booleans()) or n == 3
    x = np.random.default_rng(data.draw(st.integers(0, 999))).normal(size=(2, *m["sizes"]))
    if n == 2:
        pool = nn.SpatialAveragePooling(*(i for name in ("k", "d", "pad") for i in order(m[name])))
        pool = pool.setCountIncludePad() if include else pool.setCountExcludePad()
        pool = pool.ceil() if m["ceil"] else pool.floor()
    else:
        pool = nn.VolumetricAveragePooling(*(i for name in ("k", "d") for i in order(m[name])))
    places = along(m)
    g = np.random.default_rng(1).normal(size=(2, *map(len, places)))
    want, gradInput = np.zeros(g.shape), np.zeros(x.shape)
    for i in np.ndindex(*g.shape[1:]):
        inner = [
            min(a * d + k - p, s + p) - (a * d - p) for a, d, k, p, s in zip(i, m["d"], m["k"], m["pad"], m["sizes"])
        ]
        count = math.prod(inner if include else [len(a[j]) for a, j in zip(places, i)])
        for c in range(2):
            at = (c, *np.ix_(*(a[j] for a, j in zip(places, i))))
            want[(c, *i)] = x[at].sum() / count if count else NAN
            gradInput[at] += g[(c, *i)] / count if count else 0
    if all(a[-1] for a in places):  # what is divided by where there is nothing is another question
        np.testing.assert_allclose(pool.forward(x), want, **EXACT)
        np.testing.assert_allclose(pool.backward(x, g), gradInput, **EXACT)


def test_windows_of_nothing_average_to_nan_or_zero() -> None:
    x = np.arange(1.0, 5).reshape(1, 1, 4)
    pool = nn.SpatialAveragePooling(1, 1, 2, 1).ceil()  # 0 / 0
    np.testing.assert_array_equal(pool.forward(x), [[[1, 3, NAN]]])
    np.testing.assert_array_equal(pool.backward(x, np.ones((1, 1, 3))), [[[1, 0, 1, 0]]])
    pool = nn.SpatialAveragePooling(1, 1, 4, 1).ceil()  # 0 / -2
    np.testing.assert_array_equal(pool.forward(np.ones((1, 1, 3))), [[[1, 0]]])


def test_averages_keep_infinite_elements_to_their_windows() -> None:
    x = np.array([[[1.0, 2, INF, 4, NAN, 6]]])
    for pool in (nn.SpatialAveragePooling(2, 1, 2, 1), nn.SpatialAdaptiveAveragePooling(3, 1)):
        np.testing.assert_array_equal(pool.forward(x), [[[1.5, INF, NAN]]])
    np.testing.assert_array_equal(nn.SpatialAdaptiveAveragePooling(4, 1).forward(x), [[[1.5, INF, NAN, NAN]]])


def test_sums_of_old_files() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 6))
    pool = nn.SpatialAveragePooling(2, 3, 2, 2)
    y, g = pool.forward(x).copy(), np.ones((2, 2, 3))
    gradInput = pool.backward(x, g).copy()
    for name in ("divide", "ceil_mode", "count_include_pad", "padW", "padH"):
        delattr(pool, name)
    old = torch7.deserialize(torch7.serialize(pool))
    np.testing.assert_allclose(old.forward(x), 6 * y, **EXACT)
    np.testing.assert_allclose(old.backward(x, g), 6 * gradInput, **EXACT)
    assert str(old) == "nn.SpatialAveragePooling(2x3, 2,2)"


def test_no_gradient_wanted() -> None:
    for pool, shape in (
        (nn.SpatialMaxPooling(2, 2), (1, 4, 4)),
        (nn.SpatialAveragePooling(2, 2), (1, 4, 4)),
        (nn.TemporalMaxPooling(2), (4, 4)),
        (nn.TemporalDynamicKMaxPooling(2), (4, 4)),
        (nn.SpatialAdaptiveMaxPooling(2, 2), (1, 4, 4)),
        (nn.SpatialAdaptiveAveragePooling(2, 2), (1, 4, 4)),
        (nn.SpatialFractionalMaxPooling(2, 2, 2, 2), (1, 4, 4)),
    ):
        pool.gradInput = None
        y = pool.forward(np.ones(shape))
        assert pool.backward(np.ones(shape), y) is None


# -- texts and refusals


@pytest.mark.parametrize(
    ("pool", "text"),
    [
        (nn.SpatialMaxPooling(3, 2), "nn.SpatialMaxPooling(3x2, 3,2)"),
        (nn.SpatialMaxPooling(3, 2, 1, 2, 1), "nn.SpatialMaxPooling(3x2, 1,2, 1,0)"),
        (nn.SpatialDilatedMaxPooling(3, 2, 1, 2), "nn.SpatialDilatedMaxPooling(3x2, 1,2, 1,1)"),
        (nn.SpatialDilatedMaxPooling(3, 2, 1, 2, 0, 1, 3, 4), "nn.SpatialDilatedMaxPooling(3x2, 1,2, 0,1, 3,4)"),
        (nn.SpatialAveragePooling(3, 2), "nn.SpatialAveragePooling(3x2, 1,1)"),
        (nn.VolumetricMaxPooling(4, 3, 2), "nn.VolumetricMaxPooling(4x3x2, 4,3,2)"),
        (nn.VolumetricMaxPooling(4, 3, 2, 1, 1, 1, 2, 1, 0), "nn.VolumetricMaxPooling(4x3x2, 1,1,1, 2,1,0)"),
        (
            nn.VolumetricDilatedMaxPooling(4, 3, 2, 1, 1, 1, 0, 0, 0, 1, 2, 3),
            "nn.VolumetricDilatedMaxPooling(4x3x2, 1,1,1, 1,2,3)",
        ),
        (nn.VolumetricAveragePooling(4, 3, 2), "nn.VolumetricAveragePooling(4x3x2, 4,3,2)"),
        (nn.SpatialFractionalMaxPooling(2, 3, 5, 4), "nn.SpatialFractionalMaxPooling(5x4, 2,3)"),
        (nn.SpatialFractionalMaxPooling(2, 3, 0.5, 0.4), "nn.SpatialFractionalMaxPooling(0x0, 2,3)"),
        (nn.VolumetricFractionalMaxPooling(2, 3, 4, 7, 6, 5), "nn.VolumetricFractionalMaxPooling(7x6x5, 2,3,4)"),
        (nn.FeatureLPPooling(2, 3, 4, True), "nn.FeatureLPPooling(w2 s3 power 4 batch true)"),
        (nn.TemporalMaxPooling(2), "nn.TemporalMaxPooling"),
    ],
)
def test_texts(pool: nn.Module, text: str) -> None:
    assert str(pool) == text


@pytest.mark.parametrize(
    ("pool", "shape", "message"),
    [
        (
            nn.SpatialMaxPooling(3, 3),
            (1, 2, 2),
            "an input of shape .1, 2, 2. is too small, its output would have sizes",
        ),
        (nn.SpatialMaxPooling(2, 2), (4, 4), "expected planes of 2 dimensions"),
        (nn.SpatialMaxPooling(2, 2, 2, 2, 2, 2), (1, 4, 4), "a padding of at most half the kernel"),
        (nn.SpatialMaxPooling(2, 2, 0, 1), (1, 4, 4), "strides and dilations of at least 1"),
        (nn.SpatialMaxPooling(0, 2, 1, 1), (1, 4, 4), "a kernel, strides"),
        (nn.SpatialDilatedMaxPooling(2, 2, 1, 1, 0, 0, 0), (1, 4, 4), "dilations of at least 1"),
        (nn.SpatialAveragePooling(3, 3), (1, 2, 2), "too small"),
        (nn.SpatialAveragePooling(3, 3, 1, 1, 2), (1, 4, 4), "half the kernel"),
        (nn.VolumetricMaxPooling(2, 2, 2), (4, 4, 4), "expected planes of 3 dimensions"),
        (nn.VolumetricAveragePooling(2, 2, 2), (1, 1, 4, 4), "too small"),
        (nn.SpatialAdaptiveMaxPooling(2, 2), (4, 4), "planes of 2 dimensions"),
        (nn.SpatialAdaptiveAveragePooling(0, 2), (1, 4, 4), "sizes of at least 1"),
        (nn.TemporalMaxPooling(2), (4,), "a sequence .or a batch of such"),
        (nn.TemporalMaxPooling(2, 0), (4, 2), "kW and dW of at least 1"),
        (nn.TemporalDynamicKMaxPooling(2), (2, 2, 4, 4), "a sequence .or a batch"),
        (nn.TemporalDynamicKMaxPooling(0), (2, 2), "k = 0 frames"),
    ],
)
def test_refused_inputs(pool: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"{torch7.typename(pool)}: .*{message}"):
        pool.forward(np.ones(shape))


def test_refused_types_and_gradients() -> None:
    x = np.ones((1, 4, 4))
    for pool in (nn.SpatialMaxPooling(2, 2), nn.SpatialAveragePooling(2, 2), nn.SpatialAdaptiveMaxPooling(2, 3)):
        y = pool.forward(x)
        with pytest.raises(ValueError, match=f"{torch7.typename(pool)}: expected a gradient of shape"):
            pool.backward(x, y[..., :1])
        with pytest.raises(TypeError, match=r"expected a torch\.DoubleTensor, got a torch\.FloatTensor"):
            pool.forward(x.astype(np.float32))
        with pytest.raises(TypeError, match=r"expected a torch\.DoubleTensor, got a table"):
            pool.backward(x, [y])
