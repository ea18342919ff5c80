"""Graphs of random form against direct evaluation and derivatives by differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.nested import assert_same
from tests.support.random_graphs import Drawing, bare, drawings, listed

SEEDS = st.integers(0, 100)


def gradients_of(drawing: Drawing, g: Any, seed: int) -> list[np.ndarray]:
    """A random gradient for each output."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, y.shape).astype(y.dtype) for y in listed(g.output)]


@settings(deadline=None, max_examples=150)
@given(drawings(), SEEDS)
def test_value_and_derivative(drawing, seed):
    g = drawing.build()
    params, gradParams = g.getParameters()
    for again in range(2):
        x = drawing.input(seed + again)  # the buffers of the first time are used again
        assert_same(listed(g.forward(bare(x))), drawing.direct(x), rtol=1e-10, atol=1e-12)
        gradOutput = gradients_of(drawing, g, seed)
        gradParams.fill(0)
        gradInput = listed(g.backward(bare(x), bare(gradOutput)))

    def loss() -> float:
        return sum(float((y * c).sum()) for y, c in zip(drawing.direct(x), gradOutput))

    if drawing.target is not None:
        assert not gradInput.pop().any()
    rng = np.random.default_rng(seed)
    for array, gradient in [*zip(x, gradInput), (params, gradParams)]:  # a target comes last, and has no gradient
        assert gradient.shape == array.shape
        for i in rng.permutation(array.size)[:6]:
            wanted = difference(loss, array.reshape(-1), i)
            assert abs(gradient.reshape(-1)[i] - wanted) <= 1e-6 * max(1, abs(wanted))


def difference(loss: Callable[[], float], flat: np.ndarray, i: int) -> float:
    """The derivative of loss() with respect to flat[i]."""
    kept, step, values = flat[i], 1e-5, []
    for moved in (kept + step, kept - step):
        flat[i] = moved
        values.append(loss())
    flat[i] = kept
    return (values[0] - values[1]) / (2 * step)
