"""Convolutions over frames, images and volumes: options, tables, old files, texts, refusals, and the work in blocks."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
import torch7
from nn.kernels import convolution as kernels
from nn.kernels import frames
from nn.kernels.windows import Planes, Windows, col2im, window_view
from tests.support.contract import EXACT, SEEDS, some, without

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


# -- the kernels against their definition


@st.composite
def problems(draw: st.DrawFn) -> tuple[Windows, tuple[int, ...]]:
    """Windows over one to three dimensions, and sizes in which they have positions."""
    n = draw(st.integers(1, 3))
    each = [draw(st.tuples(*[st.integers(1, 3)] * 2, st.integers(-1, 2), st.integers(1, 2))) for _ in range(n)]
    kernel, stride, padding, dilation = zip(*each)
    windows = Windows(kernel, stride, padding, dilation)
    sizes = tuple(max(1, r - 2 * p) + draw(st.integers(0, 4)) for r, p in zip(windows.reach, padding))
    return windows, sizes


def taps(windows: Windows, sizes: tuple[int, ...]) -> list[tuple[Any, Any, Any]]:
    """(place in the kernel, position, element) for everything that a convolution multiplies."""
    places = itertools.product(*map(range, windows.kernel))
    positions = list(itertools.product(*map(range, windows.positions(sizes))))
    found = []
    for place, position in itertools.product(places, positions):
        element = tuple(
            q * s + k * d - p
            for q, s, k, d, p in zip(position, windows.stride, place, windows.dilation, windows.padding)
        )
        if all(0 <= e < n for e, n in zip(element, sizes)):
            found.append((place, position, element))
    return found


BLOCKS = [(1 << 22, 160), (1, 160), (600, 8), (600, 1)]  # bytes of columns, and elements that make a long run


@pytest.mark.parametrize(("columns", "run"), BLOCKS)
@some
@given(problem=problems(), seed=SEEDS)
def test_kernels_follow_their_definition(columns: int, run: int, problem: Any, seed: int) -> None:
    windows, sizes = problem
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(3, 2, *sizes)), rng.normal(size=(4, 2, *windows.kernel))
    bias, g = rng.normal(size=4), rng.normal(size=(3, 4, *windows.positions(sizes)))
    y = np.broadcast_to(bias.reshape(-1, *[1] * len(sizes)), g.shape).copy()
    gradInput, gradWeight = np.zeros_like(x), np.zeros_like(weight)
    for place, position, element in taps(windows, sizes):
        w, a, b = (..., *place), (..., *position), (..., *element)
        y[a] += x[b] @ weight[w].T
        gradInput[b] += g[a] @ weight[w]
        gradWeight[w] += g[a].T @ x[b]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "COLUMNS", columns)
        patch.setattr(kernels, "RUN", run)
        out, found = np.full_like(y, np.nan), np.ones_like(weight)
        kernels.convolve(x, weight, bias, windows, out)
        np.testing.assert_allclose(out, y, **CLOSE)
        kernels.weight_gradient(x, g, windows, found, 0.5)
        np.testing.assert_allclose(found, 1 + 0.5 * gradWeight, **CLOSE)
        out = np.full_like(x, np.nan)
        kernels.spread(g, weight, None, windows, out)
        np.testing.assert_allclose(out, gradInput, **CLOSE)
        kernels.spread(g, weight.reshape(4, -1), rng.normal(size=2) * 0 + 3, windows, out)
        np.testing.assert_allclose(out, gradInput + 3, **CLOSE)


@pytest.mark.parametrize("gathering", [True, False])
@some
@given(problem=problems(), seed=SEEDS)
def test_both_ways_to_spread_give_the_same(gathering: bool, problem: Any, seed: int) -> None:
    windows, sizes = problem
    windows = windows._replace(stride=(1,) * len(sizes))
    rng = np.random.default_rng(seed)
    weight, g = rng.normal(size=(4, 2, *windows.kernel)), rng.normal(size=(3, 4, *windows.positions(sizes)))
    want = np.zeros((3, 2, *sizes))
    for place, position, element in taps(windows, sizes):
        want[(..., *element)] += g[(..., *position)] @ weight[(..., *place)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "_gathering_pays", lambda *_: gathering)
        kernels.spread(g, weight, None, windows, out := np.full_like(want, np.nan))
    np.testing.assert_allclose(out, want, **CLOSE)


@some
@given(problem=problems(), seed=SEEDS)
def test_columns_are_the_windows_and_go_back(problem: Any, seed: int) -> None:
    windows, sizes = problem
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, *sizes, 3))
    positions = windows.positions(sizes)
    want = np.zeros((2, *windows.kernel, *positions, 3))
    back = np.zeros_like(x)
    given_columns = rng.normal(size=want.shape)
    for place, position, element in taps(windows, sizes):
        at = (slice(None), *place, *position)
        want[at] = x[(slice(None), *element)]
        back[(slice(None), *element)] += given_columns[at]
    planes = Planes(np.full(Planes.shape(2, sizes, 3, windows), np.nan), windows)
    if not any(p > 0 for p in windows.padding):
        planes.array.fill(0)  # what no window sees is not written
    planes.load(x).im2col(columns := np.empty_like(want))
    np.testing.assert_array_equal(columns, want)
    planes.array.fill(0)
    planes.col2im(given_columns)
    planes.store(out := np.full_like(x, np.nan))
    np.testing.assert_allclose(out, back, **CLOSE)


def test_window_view_writes_to_the_array() -> None:
    x = np.zeros((1, 4, 1))
    windows = Windows((2,), (2,), (0,), (1,))
    window_view(x, windows, (2,))[...] = 1
    assert col2im(np.ones((1, 2, 2, 1)), x, windows).ravel().tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("columns", [1, 100, 1 << 22])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_frames_are_worked_on_in_parts(columns: int, stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "COLUMNS", columns)
    rng = np.random.default_rng(1)
    torch7.manualSeed(1)
    temporal, spatial = nn.TemporalConvolution(3, 2, 3, stride), nn.SpatialConvolution(3, 2, 1, 3, 1, stride)
    spatial.weight[...] = temporal.weight.reshape(2, 3, 3).swapaxes(1, 2)[..., None]
    spatial.bias[...] = temporal.bias
    x = rng.normal(size=(4, 10, 3))
    image = x.swapaxes(1, 2)[..., None]
    y = temporal.forward(x)
    np.testing.assert_allclose(y, spatial.forward(image)[..., 0].swapaxes(1, 2), **CLOSE)
    g = rng.normal(size=y.shape)
    gradInput = temporal.backward(x, g, 0.5)
    np.testing.assert_allclose(
        gradInput, spatial.backward(image, g.swapaxes(1, 2)[..., None], 0.5)[..., 0].swapaxes(1, 2)
    )
    np.testing.assert_allclose(temporal.gradWeight.reshape(2, 3, 3), spatial.gradWeight[..., 0].swapaxes(1, 2), **CLOSE)
    np.testing.assert_allclose(temporal.gradBias, spatial.gradBias, **CLOSE)


@pytest.mark.parametrize(
    ("m", "x", "columns"),
    [
        (nn.SpatialConvolution(16, 8, 3, 3, 1, 1, 1, 1), np.ones((8, 16, 64, 64)), 16 * 9 * 64 * 64 * 8),
        (nn.SpatialFullConvolution(16, 8, 4, 4, 2, 2, 1, 1), np.ones((8, 16, 64, 64)), 8 * 16 * 64 * 64 * 8),
        (nn.SpatialConvolution(2, 2, 15, 15), np.ones((1, 2, 164, 164)), 2 * 225 * 150 * 150),
        (nn.VolumetricConvolution(4, 4, 3, 3, 3), np.ones((4, 4, 20, 34, 34)), 4 * 27 * 18 * 32 * 32 * 4),
        (nn.TemporalConvolution(64, 16, 9), np.ones((2, 8000, 64)), 64 * 9 * 7992 * 2),
    ],
    ids=["images", "full", "large-image", "volumes", "frames"],
)
def test_columns_are_never_all_there(m: Any, x: np.ndarray, columns: int) -> None:
    g = np.ones_like(m.forward(x))
    m.backward(x, g)
    torch7.memory._local.pool.clear()  # scratch memory counts as well
    tracemalloc.start()
    m.forward(x)
    m.backward(x, g)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
    assert peak < 8 * columns / 2


# -- options


@pytest.mark.parametrize(
    ("make", "fan_in"),
    [
        (lambda: nn.SpatialConvolution(2, 3, 3, 4), 24),
        (lambda: nn.SpatialConvolutionMM(2, 3, 3, 4), 24),
        (lambda: nn.SpatialDilatedConvolution(2, 3, 3, 4), 24),
        (lambda: nn.SpatialFullConvolution(2, 3, 3, 4), 24),
        (lambda: nn.VolumetricConvolution(2, 3, 2, 3, 4), 48),
        (lambda: nn.VolumetricDilatedConvolution(2, 3, 2, 3, 4), 48),
        (lambda: nn.VolumetricFullConvolution(2, 3, 2, 3, 4), 48),
        (lambda: nn.TemporalConvolution(2, 3, 5), 10),
    ],
)
def test_initial_parameters_are_uniform(make: Any, fan_in: int) -> None:
    torch7.manualSeed(3)
    m = make()
    for stdv, s in ((None, 1 / math.sqrt(fan_in)), (0.2, 0.2 * math.sqrt(3))):
        torch7.manualSeed(3)
        m.reset(stdv)
        torch7.manualSeed(3)
        for a in m.parameters()[0]:
            assert a.tolist() == torch7.uniform_(np.empty(a.shape), -s, s).tolist()
    assert not any(a.any() for a in m.parameters()[1])


@pytest.mark.parametrize(
    ("m", "x"),
    [
        (nn.SpatialConvolution(1, 2, 2, 2), np.ones((1, 3, 3))),
        (nn.SpatialConvolutionMM(1, 2, 2, 2), np.ones((1, 3, 3))),
        (nn.SpatialDilatedConvolution(1, 2, 2, 2), np.ones((1, 3, 3))),
        (nn.SpatialFullConvolution(1, 2, 2, 2), np.ones((1, 3, 3))),
        (nn.VolumetricConvolution(1, 2, 2, 2, 2), np.ones((1, 3, 3, 3))),
        (nn.VolumetricDilatedConvolution(1, 2, 2, 2, 2), np.ones((1, 3, 3, 3))),
        (nn.VolumetricFullConvolution(1, 2, 2, 2, 2), np.ones((1, 3, 3, 3))),
    ],
)
def test_noBias_drops_the_bias(m: Any, x: np.ndarray) -> None:
    with_bias = m.forward(x).copy()
    bias = m.bias.reshape(-1, *[1] * (x.ndim - 1))
    assert m.noBias() is m
    assert m.bias is m.gradBias is None
    np.testing.assert_allclose(m.forward(x), with_bias - bias, **EXACT)
    m.backward(x, np.ones_like(with_bias))
    assert len(m.parameters()[0]) == 1
    m.reset()
    assert m.bias is None
    assert torch7.deserialize(torch7.serialize(m)).bias is None


@pytest.mark.parametrize(
    ("m", "x"),
    [
        (nn.SpatialConvolution(1, 2, 2, 2), np.ones((1, 3, 3))),
        (nn.SpatialFullConvolution(1, 2, 2, 2), np.ones((1, 3, 3))),
        (nn.VolumetricConvolution(1, 2, 2, 2, 2), np.ones((1, 3, 3, 3))),
        (nn.VolumetricFullConvolution(1, 2, 2, 2, 2), np.ones((1, 3, 3, 3))),
        (nn.TemporalConvolution(3, 2, 2), np.ones((3, 3))),
    ],
)
def test_without_gradInput_no_gradient_is_made(m: Any, x: np.ndarray) -> None:
    g = np.ones_like(m.forward(x))
    m.zeroGradParameters()
    m.gradInput = None
    assert m.backward(x, g) is None
    assert m.gradInput is None
    assert all(a.any() for a in m.parameters()[1])


def test_padding_defaults() -> None:
    conv = nn.SpatialConvolution(1, 1, 3, 3, 1, 1, 2)
    assert (conv.padW, conv.padH) == (2, 2)
    conv = nn.SpatialConvolution(1, 1, 3, 3, None, None, None, 1)
    assert (conv.dW, conv.dH, conv.padW, conv.padH) == (1, 1, 0, 1)
    full = nn.SpatialFullConvolution(1, 1, 3, 3, 1, 1, 2)
    assert (full.padW, full.padH) == (2, 0)
    volume = nn.VolumetricConvolution(1, 1, 3, 3, 3, 1, 1, 1, 2)
    assert (volume.padT, volume.padW, volume.padH) == (2, 2, 2)
    volume = nn.VolumetricConvolution(1, 1, 3, 3, 3, 1, 1, 1, 2, 1)
    assert (volume.padT, volume.padW, volume.padH) == (2, 1, 1)
    volume = nn.VolumetricFullConvolution(1, 1, 3, 3, 3, 1, 1, 1, 2)
    assert (volume.padT, volume.padW, volume.padH) == (2, 0, 0)


def test_matrix_and_four_dimensional_weights_give_the_same() -> None:
    rng = np.random.default_rng(1)
    torch7.manualSeed(1)
    conv = nn.SpatialConvolution(2, 3, 3, 2, 2, 1, 1, 0)
    torch7.manualSeed(1)
    mm = nn.SpatialConvolutionMM(2, 3, 3, 2, 2, 1, 1, 0)
    assert not isinstance(mm, nn.SpatialConvolution)
    assert mm.weight.shape == (3, 12)
    x = rng.normal(size=(2, 2, 5, 6))
    y = conv.forward(x)
    np.testing.assert_array_equal(mm.forward(x), y)
    g = rng.normal(size=y.shape)
    np.testing.assert_array_equal(mm.backward(x, g), conv.backward(x, g))
    np.testing.assert_array_equal(mm.gradWeight.ravel(), conv.gradWeight.ravel())


def test_a_buffer_with_gaps_is_filled() -> None:
    for m, x in (
        (nn.SpatialConvolution(2, 3, 3, 3), np.random.default_rng(1).normal(size=(1, 2, 50, 50))),
        (nn.TemporalConvolution(2, 3, 3), np.random.default_rng(1).normal(size=(2, 6, 2))),
    ):
        y = m.forward(x).copy()
        m.output = np.zeros((*y.shape, 2))[..., 0]
        np.testing.assert_allclose(m.forward(x), y, **EXACT)


@pytest.mark.parametrize("conv", [nn.SpatialConvolution(2, 3, 3, 3), nn.SpatialConvolutionLocal(2, 3, 4, 4, 3, 3)])
def test_an_empty_batch_gives_an_empty_output(conv: Any) -> None:
    x = np.ones((0, 2, 4, 4))
    y = conv.forward(x)
    assert y.shape == (0, 3, 2, 2)
    assert conv.backward(x, y).shape == x.shape
    assert not conv.gradWeight.any()


@pytest.mark.parametrize(
    "m", [nn.SpatialConvolution(2, 3, 3, 3, 1, 1, 2, 2), nn.SpatialFullConvolution(2, 3, 3, 3)], ids=str
)
def test_planes_of_nothing_are_refused(m: Any) -> None:
    with pytest.raises(ValueError, match=rf"{torch7.typename(m)}: expected 2 planes .*, got shape \(1, 2, 4, 0\)"):
        m.forward(np.zeros((1, 2, 4, 0)))


def test_no_planes_and_negative_kernels_are_refused_by_forward() -> None:
    for m in (
        nn.SpatialConvolution(2, 0, 3, 3),
        nn.SpatialConvolution(2, 3, -1, 3),
        nn.SpatialConvolution(2, -3, 3, 3),
    ):
        with pytest.raises(ValueError, match=r"nn.SpatialConvolution: expected a kernel, .* planes of at least 1"):
            m.forward(np.zeros((2, 4, 4)))


@pytest.mark.parametrize(
    ("m", "x"),
    [
        (nn.SpatialConvolution(2, 3, 3, 3), np.ones((2, 4, 4))),
        (nn.SpatialFullConvolution(2, 3, 3, 3), np.ones((2, 4, 4))),
        (nn.SpatialDepthWiseConvolution(2, 3, 3, 3), np.ones((2, 4, 4))),
        (nn.TemporalRowConvolution(2, 3), np.ones((4, 2))),
    ],
    ids=str,
)
def test_a_bias_without_gradient_stays(m: Any, x: np.ndarray) -> None:
    m.gradBias = None
    m.zeroGradParameters = lambda: None
    y = m.forward(x)
    m.backward(x, y)
    assert m.gradWeight.any()


@pytest.mark.parametrize("make", [nn.SpatialConvolution, nn.SpatialFullConvolution])
def test_weights_tell_the_numbers_of_planes(make: Any) -> None:
    rng = np.random.default_rng(1)
    m, other = make(2, 3, 3, 3).noBias(), make(4, 5, 3, 3).noBias()
    m.weight, m.gradWeight = other.weight.copy(), np.zeros_like(other.weight)
    x = rng.normal(size=(4, 5, 5))
    y = other.forward(x)
    np.testing.assert_array_equal(m.forward(x), y)
    np.testing.assert_array_equal(m.backward(x, y), other.backward(x, y))
    with pytest.raises(ValueError, match="expected 4 planes"):
        m.forward(x[:2])


def test_local_convolutions_always_have_a_bias() -> None:
    assert not hasattr(nn.SpatialConvolutionLocal(2, 3, 4, 4, 3, 3), "noBias")


def test_shared_frames_are_updated_at_once() -> None:
    rng = np.random.default_rng(1)
    conv = nn.TemporalConvolution(2, 3, 2)
    other = conv.clone("weight", "bias")
    assert other.shared
    x, before = rng.normal(size=(4, 2)), conv.weight.copy()
    g = rng.normal(size=conv.forward(x).shape)
    conv.zeroGradParameters()
    conv.accGradParameters(x, g)
    kept = conv.gradWeight.copy()
    other.forward(x)
    other.accUpdateGradParameters(x, g, 0.5)
    np.testing.assert_allclose(conv.weight, before - 0.5 * kept, **CLOSE)
    assert not other.gradWeight.any()


# -- tables with a tensor whose sizes are wanted


@pytest.mark.parametrize("sizes", [(6, 8), (7, 9), (6, 9)])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_full_convolution_takes_sizes_from_a_tensor(sizes: tuple[int, int], batch: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    conv, full = nn.SpatialConvolution(3, 2, 4, 4, 2, 2, 1, 1), nn.SpatialFullConvolution(2, 3, 4, 4, 2, 2, 1, 1)
    like = np.ones((*batch, 5, *sizes), np.float32)  # only its sizes count
    x = rng.normal(size=(*batch, 2, 3, 4))
    assert full.forward([x, like]).shape == (*batch, 3, *sizes)
    assert full.forward(x).shape == (*batch, 3, 6, 8)
    conv.weight[...] = full.weight
    full.noBias()
    y = full.forward([x, like])
    z = rng.normal(size=y.shape)
    np.testing.assert_allclose(np.vdot(conv.noBias().forward(z), x), np.vdot(z, y), **CLOSE)
    gradInput, nothing = full.backward([x, like], z)
    assert gradInput.shape == x.shape
    assert nothing.shape == like.shape
    assert nothing.dtype == like.dtype
    assert not nothing.any()
    both = full.gradInput
    assert full.updateGradInput([x, like], z) is both
    assert both[0] is gradInput
    assert full.updateGradInput(x, y[..., :6, :8]) is full.gradInput
    full.clearState()
    assert full.updateGradInput([x, like], z)[0].shape == x.shape
    assert full.float().forward([x.astype(np.float32), like]).dtype == np.float32


def test_volumetric_full_convolution_takes_sizes_from_a_tensor() -> None:
    full = nn.VolumetricFullConvolution(2, 3, 2, 4, 3, 2, 3, 1, 1, 0, 1)
    x, like = np.ones((2, 3, 3, 4)), np.ones((1, 5, 3, 14))
    y = full.forward([x, like])
    assert y.shape == (3, 5, 3, 14)
    gradInput, nothing = full.backward([x, like], np.ones_like(y))
    assert gradInput.shape == x.shape
    assert nothing.shape == like.shape
    clone = full.clone()
    assert clone.forward([x, like]).shape == y.shape
    torch7.deserialize(torch7.serialize(full)).backward([x, like], np.ones_like(y))


# -- old files


def test_files_with_one_padding_and_matrices_load() -> None:
    rng = np.random.default_rng(1)
    conv = nn.SpatialConvolution(2, 3, 3, 2, 1, 1, 1, 1)
    x = rng.normal(size=(2, 2, 4, 4))
    y = conv.forward(x).copy()
    old = conv.clone()
    old.weight, old.gradWeight = old.weight.reshape(3, 12), old.gradWeight.reshape(3, 12)
    old.padding = 1
    old.finput = old.fgradInput = np.ones((2, 3))
    for fields in ((), ("padW", "padH")):
        found = without(old, *fields)
        assert found.weight.shape == found.gradWeight.shape == (3, 2, 2, 3)
        assert (found.padW, found.padH, hasattr(found, "padding")) == (1, 1, False)
        np.testing.assert_array_equal(found.forward(x), y)
        assert found.clearState().finput.size == 0
    found = without(old)
    assert found.float().finput.size == 0
    mm = nn.SpatialConvolutionMM(2, 3, 3, 2)
    mm.padding = 2
    found = without(mm, "padW", "padH")
    assert (found.padW, found.padH) == (2, 2)
    assert found.weight.shape == (3, 12)


def test_old_volumetric_full_convolutions_load() -> None:
    full = nn.VolumetricFullConvolution(2, 3, 2, 3, 2, 2, 2, 2, 1, 1, 0)
    x = np.random.default_rng(1).normal(size=(2, 3, 3, 3))
    y = full.forward(x).copy()
    old = full.clone()
    old.weight, old.gradWeight = old.weight.swapaxes(0, 1).copy(), old.gradWeight.swapaxes(0, 1).copy()
    old.pT, old.pW, old.pH = 1, 1, 0
    found = without(old, "padT", "padW", "padH", "adjT", "adjW", "adjH")
    np.testing.assert_array_equal(found.forward(x), y)
    assert found.gradWeight.shape == found.weight.shape == (2, 3, 2, 2, 3)
    assert (found.padT, found.padW, found.padH, hasattr(found, "pT")) == (1, 1, 0, False)
    assert torch7.deserialize(torch7.serialize(found)).weight.shape == found.weight.shape


def test_torch_finds_the_fields_that_it_needs() -> None:
    full, volume = nn.SpatialFullConvolution(1, 1, 1, 1), nn.VolumetricFullConvolution(1, 1, 1, 1, 1)
    assert "ones" in vars(full)
    assert {"ones", "finput", "fgradInput"} <= set(vars(volume))


# -- texts


@pytest.mark.parametrize(
    ("m", "text"),
    [
        (nn.SpatialConvolution(3, 8, 5, 4), "nn.SpatialConvolution(3 -> 8, 5x4)"),
        (nn.SpatialConvolution(3, 8, 5, 4, 2, 1), "nn.SpatialConvolution(3 -> 8, 5x4, 2,1)"),
        (nn.SpatialConvolution(3, 8, 5, 4, 1, 1, 0, 2), "nn.SpatialConvolution(3 -> 8, 5x4, 1,1, 0,2)"),
        (nn.SpatialConvolutionMM(3, 8, 5, 4).noBias(), "nn.SpatialConvolutionMM(3 -> 8, 5x4) without bias"),
        (nn.SpatialDilatedConvolution(3, 8, 5, 4), "nn.SpatialDilatedConvolution(3 -> 8, 5x4, 1,1)"),
        (
            nn.SpatialDilatedConvolution(3, 8, 5, 4, 1, 2, 3, 4, 5, 6).noBias(),
            "nn.SpatialDilatedConvolution(3 -> 8, 5x4, 1,2, 3,4, 5,6) without bias",
        ),
        (nn.SpatialFullConvolution(3, 8, 5, 4), "nn.SpatialFullConvolution(3 -> 8, 5x4)"),
        (
            nn.SpatialFullConvolution(3, 8, 5, 4, 2, 3, 1, 0, 1, 2).noBias(),
            "nn.SpatialFullConvolution(3 -> 8, 5x4, 2,3, 1,0, 1,2) without bias",
        ),
        (nn.VolumetricConvolution(1, 2, 3, 4, 5).noBias(), "nn.VolumetricConvolution(1 -> 2, 3x4x5)"),
        (
            nn.VolumetricConvolution(1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6),
            "nn.VolumetricConvolution(1 -> 2, 3x4x5, 1,2,3, 4,5,6)",
        ),
        (
            nn.VolumetricDilatedConvolution(1, 2, 3, 4, 5, 1, 2, 3, 0, 0, 0, 4, 5, 6).noBias(),
            "nn.VolumetricDilatedConvolution(1 -> 2, 3x4x5, 1,2,3, 4,5,6) without bias",
        ),
        (
            nn.VolumetricFullConvolution(1, 2, 3, 4, 5, 2, 2, 2, 1, 1, 1, 1, 0, 1).noBias(),
            "nn.VolumetricFullConvolution(1 -> 2, 3x4x5, 2,2,2, 1,1,1, 1,0,1)",
        ),
        (nn.TemporalConvolution(3, 2, 2), "nn.TemporalConvolution"),
    ],
)
def test_texts(m: Any, text: str) -> None:
    assert str(m) == text


# -- refusals


@pytest.mark.parametrize(
    ("m", "shape", "words"),
    [
        (nn.SpatialConvolution(2, 3, 3, 3), (3, 5, 5), "nn.SpatialConvolution: expected 2 planes of 2 dimensions"),
        (nn.SpatialConvolution(2, 3, 3, 3), (5, 5), r"got shape \(5, 5\)"),
        (nn.SpatialConvolution(2, 3, 3, 3), (1, 1, 2, 5, 5), "nn.SpatialConvolution: expected 2 planes"),
        (nn.SpatialConvolution(2, 3, 3, 3), (2, 2, 2), r"too small, its output would have sizes \(0, 0\)"),
        (nn.SpatialConvolution(2, 3, 3, 3, 2, 2), (2, 2, 2), "too small"),
        (nn.SpatialConvolution(2, 3, 3, 0), (2, 5, 5), "nn.SpatialConvolution: expected a kernel"),
        (nn.SpatialConvolution(2, 3, 3, 3, 0, 1), (2, 5, 5), "strides"),
        (nn.SpatialDilatedConvolution(2, 3, 3, 3, 1, 1, 0, 0, 0, 1), (2, 5, 5), "dilations"),
        (nn.SpatialDilatedConvolution(2, 3, 3, 3, 1, 1, 0, 0, 3, 1), (2, 5, 5), "too small"),
        (nn.SpatialFullConvolution(2, 3, 2, 2, 1, 1, 3, 3), (2, 4, 4), "too small"),
        (nn.SpatialFullConvolution(2, 3, 2, 2), (3, 4, 4), "nn.SpatialFullConvolution: expected 2 planes"),
        (nn.VolumetricConvolution(2, 3, 3, 3, 3), (3, 5, 5, 5), "nn.VolumetricConvolution: expected 2 planes of 3"),
        (nn.VolumetricConvolution(2, 3, 3, 3, 3), (2, 5, 5), "nn.VolumetricConvolution: expected"),
        (nn.VolumetricConvolution(2, 3, 3, 3, 3), (2, 5, 5, 2), "too small"),
        (nn.TemporalConvolution(3, 2, 4), (3, 3), "at least 4 frames of 3 numbers"),
        (nn.TemporalConvolution(3, 2, 2), (5, 4), "nn.TemporalConvolution: expected"),
        (nn.TemporalConvolution(3, 2, 2), (3,), "nn.TemporalConvolution: expected"),
        (nn.TemporalConvolution(3, 2, 2, 0), (3, 3), r"strides \(0,\)"),
    ],
)
def test_unfit_inputs_are_refused(m: Any, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        m.forward(np.ones(shape))


@pytest.mark.parametrize(
    ("m", "shape"),
    [
        (nn.SpatialConvolution(2, 3, 2, 2), (2, 4, 4)),
        (nn.SpatialFullConvolution(2, 3, 2, 2), (2, 4, 4)),
        (nn.TemporalConvolution(3, 2, 2), (4, 3)),
    ],
)
def test_unfit_gradients_are_refused(m: Any, shape: tuple[int, ...]) -> None:
    x = np.ones(shape)
    y = m.forward(x).copy()
    for call in (m.updateGradInput, m.accGradParameters):
        with pytest.raises(ValueError, match="expected a gradient of shape"):
            call(x, y[:-1])
        with pytest.raises(ValueError, match="expected a gradient of shape"):
            call(x, y[None])
        with pytest.raises(TypeError, match=r"torch.FloatTensor"):
            call(x, y.astype(np.float32))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: nn.SpatialConvolution(2, 3, 3, None),
            TypeError,
            "nn.SpatialConvolution: expected a number as kH",
        ),
        (lambda: nn.SpatialConvolution(2, 3.5, 3, 3), ValueError, "as nOutputPlane, got 3.5"),
        (lambda: nn.SpatialConvolution(2, 3, 3, 3, "2"), TypeError, "as dW"),
        (lambda: nn.SpatialConvolution(2, 3, [3, 3], 3), TypeError, "as kW, got a table of 2"),
        (
            lambda: nn.TemporalConvolution(2, 3, None),
            TypeError,
            "nn.TemporalConvolution: expected a number as kW",
        ),
        (lambda: nn.SpatialFullConvolution(2, 3, 3, 3, 1, 1, 0, 0, 1), ValueError, "adjustments from 0 and below"),
        (lambda: nn.SpatialFullConvolution(2, 3, 3, 3, 2, 2, 0, 0, -1), ValueError, "adjustments from 0 and below"),
        (lambda: nn.VolumetricFullConvolution(2, 3, 3, 3, 3, 2, 2, 2, 0, 0, 0, 0, 2), ValueError, "below the strides"),
    ],
)
def test_unfit_arguments_are_refused(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_unfit_tables_are_refused() -> None:
    full = nn.SpatialFullConvolution(2, 3, 3, 3, 2, 2)
    x = np.ones((2, 4, 4))
    with pytest.raises(ValueError, match=r"nn.SpatialFullConvolution: expected a table of 2"):
        full.forward([x])
    with pytest.raises(ValueError, match="second tensor of at least 2 dimensions"):
        full.forward([x, np.ones(3)])
    with pytest.raises(TypeError, match=r"nn.SpatialFullConvolution: expected a tensor, got a number"):
        full.forward([x, 3])
    full.adjW = 2
    with pytest.raises(ValueError, match="below the strides"):
        full.forward(x)
