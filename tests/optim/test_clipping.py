"""Clipping of gradients, and rates that fall."""

from __future__ import annotations

import fractions
import math
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import optim

NAN, INF = float("nan"), float("inf")
floats = st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=50)


@hypothesis.given(floats, st.floats(1e-3, 1e6), st.sampled_from([np.float32, np.float64]))
def test_clip_by_value(values: list[float], limit: float, dtype: Any) -> None:
    g = np.array(values, dtype)
    want = np.array([min(max(v, -dtype(limit)), dtype(limit)) for v in g], dtype)
    outside = sum(abs(v) > dtype(limit) for v in g)
    assert optim.clip_by_value(g, limit) == outside
    np.testing.assert_array_equal(g, want)


@hypothesis.given(floats, st.floats(1e-3, 1e6), st.sampled_from([np.float32, np.float64]))
def test_clip_by_norm(values: list[float], limit: float, dtype: Any) -> None:
    g = np.array(values, dtype)
    before = g.copy()
    norm = optim.clip_by_norm(g, limit)
    assert type(norm) is float
    assert norm == pytest.approx(math.sqrt(math.fsum(float(v) ** 2 for v in before)), rel=1e-12)
    np.testing.assert_allclose(g, before * min(1, limit / norm) if norm else before, rtol=1e-6, atol=1e-300)
    assert optim.clip_by_norm(g, limit) <= limit * (1 + 1e-6)
    if norm <= limit:
        np.testing.assert_array_equal(g, before)


def test_many_blocks(small_blocks: int) -> None:
    g = np.arange(-50.0, 50.0)
    assert optim.clip_by_norm(g, 1) == pytest.approx(np.linalg.norm(np.arange(-50.0, 50.0)), rel=1e-14)
    np.testing.assert_allclose(np.linalg.norm(g), 1, rtol=1e-14)
    g = np.arange(-50.0, 50.0)
    assert optim.clip_by_value(g, 40) == 10 + 9
    assert (g.min(), g.max()) == (-40, 40)


@pytest.mark.parametrize("size", [1e160, 1e-200, 1e307])
def test_lengths_beyond_the_squares_of_doubles(size: float) -> None:
    g = np.array([3 * size, -4 * size])
    assert optim.clip_by_norm(g, 1) == pytest.approx(5 * size, rel=1e-14) or size < 1
    np.testing.assert_allclose(g, [0.6, -0.8] if size > 1 else [3 * size, -4 * size], rtol=1e-14)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_what_is_not_finite(bad: float) -> None:
    g = np.array([10.0, bad])
    np.testing.assert_array_equal(optim.clip_by_norm(g, 5), abs(bad))
    np.testing.assert_array_equal(g, [10, bad])
    assert optim.clip_by_value(g, 5) == (1 if bad != bad else 2)
    np.testing.assert_array_equal(g, [5, np.sign(bad) * 5])


def test_an_infinite_limit_clips_nothing() -> None:
    g = np.array([1e300, -1e300])
    assert optim.clip_by_value(g, INF) == 0
    assert optim.clip_by_norm(g, INF) == pytest.approx(math.sqrt(2) * 1e300)
    assert g.tolist() == [1e300, -1e300]


@pytest.mark.parametrize("shape", [(0,), (3, 4), (2, 0)])
def test_shapes_and_views(shape: tuple[int, ...]) -> None:
    g = np.full((*shape, 2), 10.0)[..., 0]
    count = g.size
    assert optim.clip_by_value(g, 3) == count
    assert optim.clip_by_norm(g, 1) == pytest.approx(3 * math.sqrt(count))
    np.testing.assert_allclose(g, np.full(shape, 1 / math.sqrt(max(1, count))))


@pytest.mark.parametrize("kind", [int, np.uint8, np.float16, np.float32, np.float64, fractions.Fraction])
def test_limits_of_any_kind(kind: Any) -> None:
    """A limit's type is nothing to the gradient's, and a byte has no negative."""
    g = np.array([0.1, -7.0, 30.0])
    assert optim.clip_by_value(g, kind(3)) == 2
    assert g.tolist() == [0.1, -3, 3]
    g = np.array([3.0, -4.0])
    optim.clip_by_norm(g, kind(3))
    assert g.tolist() == [3.0 * (3 / 5), -4.0 * (3 / 5)]


@pytest.mark.parametrize("clip", [optim.clip_by_value, optim.clip_by_norm])
def test_wrong_arguments(clip: Any) -> None:
    frozen = np.ones(3)
    frozen.flags.writeable = False
    for gradient in ([1.0], np.arange(3), frozen, None):
        with pytest.raises(TypeError, match=rf"^optim\.{clip.__name__}: expected the gradient as a floating ndarray"):
            clip(gradient, 5)
    for limit in (0, -1, NAN):
        with pytest.raises(ValueError, match=rf"^optim\.{clip.__name__}: expected limit to be positive, got "):
            clip(np.ones(3), limit)
    for limit in ("5", True, None, np.ones(1)):
        with pytest.raises(TypeError, match=rf"^optim\.{clip.__name__}: expected limit to be a number, got "):
            clip(np.ones(3), limit)


# -- rates


def test_char_rnns_decay() -> None:
    """Its loop multiplies at the end of every epoch from the given one on."""
    rate, found = 2e-3, []
    for epoch in range(1, 25):
        found.append((epoch - 1, rate))  # the rate during this epoch, after so many finished ones
        if epoch >= 10:
            rate *= 0.97
    assert all(optim.exponential_decay(2e-3, epochs) == rate for epochs, rate in found)
    assert found[-1][1] < 2e-3


def test_decays() -> None:
    assert [optim.exponential_decay(8, n, 0.5, after=0) for n in range(3)] == [8, 4, 2]
    assert [optim.exponential_decay(8, n, 0.5, after=1.5) for n in range(4)] == [8, 8, 4, 2]
    assert [optim.exponential_decay(8, n, 0.5, after=1) for n in range(4)] == [8, 4, 2, 1]
    assert [optim.step_decay(8, n, 2, 0.5) for n in range(5)] == [8, 8, 4, 4, 2]
    assert optim.inverse_time_decay(8, 3, 1) == 2
    assert optim.inverse_time_decay(8, 3, 0) == 8


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_rates_are_python_floats(kind: Any) -> None:
    number = float(kind(0.97))
    for got, want in (
        (optim.exponential_decay(2e-3, 12, kind(0.97)), optim.exponential_decay(2e-3, 12, number)),
        (optim.step_decay(2e-3, 12, 5, kind(0.97)), optim.step_decay(2e-3, 12, 5, number)),
        (optim.inverse_time_decay(2e-3, 12, kind(0.97)), optim.inverse_time_decay(2e-3, 12, number)),
        (optim.inverse_time_decay(2e-3, 12, kind(0)), 2e-3),
    ):
        assert type(got) is float
        assert got == want


def test_the_rates_that_sgd_takes() -> None:
    config: dict[str, Any] = {"learningRate": 0.5, "learningRateDecay": 0.25}
    x, points = np.zeros(1), [0.0]
    for _ in range(4):
        optim.sgd(lambda x: (0.0, np.ones(1)), x, config)
        points.append(x.item())
    want = [optim.inverse_time_decay(0.5, step, 0.25) for step in range(4)]
    np.testing.assert_allclose(-np.diff(points), want, rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "error", "expected"),
    [
        (lambda: optim.exponential_decay(0, 1), ValueError, "initial to be positive, got 0"),
        (lambda: optim.exponential_decay("1", 1), TypeError, "initial to be a number, got '1'"),
        (lambda: optim.exponential_decay(1, -1), ValueError, "epochs to be a whole number of at least 0, got -1"),
        (lambda: optim.exponential_decay(1, 1, 0), ValueError, "factor to be positive, got 0"),
        (lambda: optim.exponential_decay(1, 1, 0.5, -1), ValueError, "after to be positive, got -1"),
        (lambda: optim.step_decay(1, NAN, 1), ValueError, "epochs to be a whole number of at least 0, got nan"),
        (lambda: optim.step_decay(1, None, 1), TypeError, "epochs to be a number, got None"),
        (lambda: optim.step_decay(1, 1, 0), ValueError, "every to be a whole number of at least 1, got 0"),
        (lambda: optim.step_decay(1, 1, 1, -1), ValueError, "factor to be positive, got -1"),
        (lambda: optim.inverse_time_decay(1, 1, -1), ValueError, "decay to be positive, got -1"),
        (lambda: optim.inverse_time_decay(1, INF, 1), ValueError, "steps to be a whole number of at least 0, got inf"),
    ],
)
def test_wrong_rates(call: Any, error: type[Exception], expected: str) -> None:
    with pytest.raises(error, match=rf"^optim\.\w+: expected {expected}$"):
        call()
