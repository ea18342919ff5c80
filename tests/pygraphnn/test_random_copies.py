"""Graphs of random form copied, saved and loaded, converted: the same structure, the same numbers."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import torch7
from tests.support.graph_golden import structure
from tests.support.nested import assert_same, copied, leaves, mapped
from tests.support.random_graphs import bare, drawings
from tests.support.t7 import again

SEEDS = st.integers(0, 100)
SAVED = st.sampled_from([again, lambda g: again(g, "ascii"), lambda g: pickle.loads(pickle.dumps(g))])


def passed(g: Any, x: Any) -> Any:
    """Output, gradInput and gradients of the parameters, the gradient of the outputs being ones."""
    g.zeroGradParameters()
    output = copied(g.forward(x))
    return output, copied(g.backward(x, mapped(np.ones_like, output))), copied(g.parameters()[1])


def described(g: Any) -> Any:
    """The structure of a graph and of the graphs inside, with the texts of all nodes."""
    labels = [(node.label(), node.data.annotations["_debugLabel"]) for node in g.forwardnodes]
    inner = [structure(m) for m in g.listModules() if torch7.typename(m) == "nn.gModule"]
    return inner, labels


@settings(deadline=None, max_examples=30)
@given(drawings(), SEEDS, SAVED, st.booleans())
def test_what_is_loaded_is_what_was_saved(drawing, seed, saved, has_run):
    g, x = drawing.build(), bare(drawing.input(seed))
    if has_run:
        passed(g, x)
    loaded = saved(g)
    assert described(loaded) == described(g)
    assert torch7.serialize(loaded) == torch7.serialize(g)
    want = passed(g, x)
    for each in (loaded, saved(loaded)):
        assert_same(passed(each, x), want)


@settings(deadline=None, max_examples=25)
@given(drawings(), SEEDS, st.sampled_from([lambda g: g.clone(), copy.deepcopy, lambda g: g.clearState()]))
def test_copies_give_the_same(drawing, seed, copied_by):
    g, x = drawing.build(), bare(drawing.input(seed))
    want = passed(g, x)
    got = copied_by(g)
    assert_same(passed(got, x), want)
    assert_same(passed(g, x), want)


@settings(deadline=None, max_examples=25)
@given(drawings(), SEEDS)
def test_clones_that_share_parameters_sum_up_their_gradients(drawing, seed):
    g = drawing.build()
    clone = g.clone("weight", "bias", "gradWeight", "gradBias")
    xs = [bare(drawing.input(seed)), bare(drawing.input(seed + 1))]
    each = [passed(g, x) for x in xs]
    outputs = [copied(net.forward(x)) for net, x in zip((g, clone), xs)]
    g.zeroGradParameters()
    for net, x, output in zip((g, clone), xs, outputs):
        net.backward(x, mapped(np.ones_like, output))
    assert_same(outputs, [run[0] for run in each])
    total = [a + b for a, b in zip(each[0][2], each[1][2])]
    assert_same(g.parameters()[1], total, rtol=1e-12, atol=1e-13)


@settings(deadline=None, max_examples=25)
@given(drawings(), SEEDS)
def test_single_precision(drawing, seed):
    g, x = drawing.build(), drawing.input(seed)
    want = passed(g, bare(x))
    got = passed(g.float(), bare(mapped(np.float32, x)))
    assert {a.dtype for a in leaves(got)} == {np.dtype(np.float32)}
    assert_same(mapped(np.float64, got), want, rtol=1e-3, atol=1e-4)
