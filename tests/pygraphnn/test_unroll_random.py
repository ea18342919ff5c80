"""Graphs of random form, unrolled, against a loop over clones."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nn
import torch7
from pygraphnn import Unroll, gModule
from tests.pygraphnn.conftest import CompiledEngine
from tests.support.nested import assert_same
from tests.support.random_graphs import Drawing, bare, listed
from tests.support.unrolling import looped, ran

SEEDS = st.integers(0, 100)
# every example has its own networks; the fixture tells only which engine runs them
SHARED = {"derandomize": True, "deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@st.composite
def recurrent(draw: Any) -> tuple[Any, dict[int, int], list[int], bool]:
    """A step, its states, the widths of its inputs, and whether all it computes is row by row."""
    torch7.manualSeed(draw(st.integers(0, 1000)))
    drawing = Drawing(draw, draw(st.lists(st.integers(1, 2), min_size=2, max_size=4)))
    losses = [] if drawing.target is None else [len(drawing.outputs) - 1]
    states: dict[int, int] = {}
    for i, k in enumerate(drawing.inputs):
        free = [
            j
            for j, o in enumerate(drawing.outputs)
            if drawing.widths[o] == drawing.widths[k] and j + 1 not in states.values() and j not in losses
        ]
        if k != drawing.target and free and len(states) < len(drawing.inputs) - 1 and draw(st.integers(0, 3)):
            states[i + 1] = draw(st.sampled_from(free)) + 1
    # a tanh keeps what goes round within bounds
    outputs = [drawing.nodes[k] for k in drawing.outputs]
    outputs = [nn.Tanh()(node) if j + 1 in states.values() else node for j, node in enumerate(outputs)]
    step = gModule([drawing.nodes[k] for k in drawing.inputs], outputs)
    step.evaluate()
    return step, states, [drawing.widths[k] for k in drawing.inputs], not losses


def input_for(states: dict[int, int], widths: list[int], T: int, B: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (B, n) if i in states else (T, B, n)) for i, n in enumerate(widths, 1)]


@settings(max_examples=50, **SHARED)
@given(recurrent(), st.integers(1, 4), st.integers(1, 3), st.booleans(), st.sampled_from([None, 1, 2]), SEEDS)
def test_a_loop_over_clones(engine, drawn, T, B, reverse, segment, seed):
    step, states, widths, _ = drawn
    if engine is CompiledEngine and seed % 25:
        return  # one of many will do: there are new kernels to compile in each
    net = Unroll(step, states, reverse, segment)
    for again in range(2):
        x = bare(input_for(states, widths, T + again, B, seed + again))
        assert_same(ran(net, x), looped(step, x, states, reverse), rtol=1e-10, atol=1e-11)


@settings(max_examples=50, **SHARED)
@given(recurrent(), st.integers(1, 4), st.integers(1, 3), st.booleans(), st.sampled_from([None, 1, 2]), SEEDS)
def test_masks(engine, drawn, T, B, reverse, segment, seed):
    step, states, widths, rowwise = drawn
    mask = np.random.default_rng(seed).random((T, B)) < 0.6
    if not (rowwise and mask.any()) or (engine is CompiledEngine and seed % 25):
        return
    x = input_for(states, widths, T, B, seed)
    got = ran(Unroll(step, states, reverse, segment), [*x, mask])
    assert not got.gradInput.pop().any()
    want = looped(step, bare(x), states, reverse, mask)
    got = got._replace(gradInput=bare(got.gradInput))
    assert_same(got, want._replace(gradInput=bare(listed(want.gradInput))), rtol=1e-10, atol=1e-11)
