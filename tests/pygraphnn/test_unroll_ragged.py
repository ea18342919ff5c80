"""Unrolled networks over sequences of different lengths, told by lengths or a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torch7
from pygraphnn import Unroll
from tests.support.nested import assert_same, copied
from tests.support.unrolling import CASES, RANDOM, Result, elman, looped, made, ran, random_like

pytestmark = pytest.mark.usefixtures("engine")
TOLERANCE = {"rtol": 1e-12, "atol": 1e-13}
ROWWISE = sorted(set(CASES) - RANDOM - {"batch normalization"})
T, B = 5, 4
LENGTHS = {"all kinds": [5, 2, 0, 3], "short": [1, 0, 2, 1], "one row": [0, 0, 4, 0], "full": [5, 5, 5, 5]}
MASKS = {
    "scattered": [[1, 0, 0, 1], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 1]],
    "late": [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]],
    "full": [[1] * 4] * 5,
}
SEGMENTS = pytest.mark.parametrize("segment", [None, 2])
REVERSE = pytest.mark.parametrize("reverse", [False, True])


@pytest.fixture(params=ROWWISE)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def ragged(name: str, choice: Any, **options: Any) -> Result:
    """What an unrolled network gives, but for the gradient of lengths or mask, which is zero."""
    x = CASES[name].input(np.random.default_rng(0), T, B)
    result = ran(Unroll(made(name), CASES[name].states, **options), [*x, choice])
    *gradInput, last = result.gradInput
    assert_same(last, np.zeros_like(choice))
    return result._replace(gradInput=gradInput)


def expected(name: str, mask: np.ndarray, reverse: bool) -> Result:
    x = CASES[name].input(np.random.default_rng(0), T, B)
    return looped(made(name), x, CASES[name].states, reverse, mask)


@SEGMENTS
@REVERSE
@pytest.mark.parametrize("lengths", LENGTHS)
def test_lengths(name, lengths, reverse, segment):
    numbers = np.array(LENGTHS[lengths])
    want = expected(name, np.arange(T)[:, None] < numbers, reverse)
    assert_same(ragged(name, numbers, reverse=reverse, segment=segment), want, **TOLERANCE)


@SEGMENTS
@REVERSE
@pytest.mark.parametrize("mask", MASKS)
def test_mask(name, mask, reverse, segment):
    numbers = np.array(MASKS[mask])
    want = expected(name, numbers.astype(bool), reverse)
    assert_same(ragged(name, numbers, reverse=reverse, segment=segment), want, **TOLERANCE)


@pytest.mark.parametrize("dtype", [np.int16, np.float64, np.float32])
def test_types_of_lengths_and_masks(dtype):
    want = ragged("elman", np.array(LENGTHS["all kinds"]))
    assert_same(ragged("elman", np.array(LENGTHS["all kinds"], dtype)), want)
    want = ragged("elman", np.array(MASKS["late"]))
    for mask in (np.array(MASKS["late"], dtype), np.array(MASKS["late"], bool)):
        assert_same(ragged("elman", mask), want)


@REVERSE
def test_rows_are_what_they_are_alone(reverse):
    """Row by row, each with its own number of steps."""
    net = Unroll(made("peephole"), reverse=reverse)
    x, *states = CASES["peephole"].input(np.random.default_rng(0), T, B)
    lengths = LENGTHS["all kinds"]
    *final, y = copied(net.forward([x, *states, np.array(lengths)]))
    for b, n in enumerate(lengths):
        if n == 0:
            assert_same([f[b] for f in final], [s[b] for s in states])
        else:
            *alone, outputs = net.forward([x[:n, b : b + 1], *(s[b : b + 1] for s in states)])
            assert_same([f[b : b + 1] for f in final], alone, **TOLERANCE)
            assert_same(y[:n, b], outputs[:, 0], **TOLERANCE)
        assert not y[n:, b].any()


@REVERSE
@pytest.mark.parametrize("segment", [None, 2])
def test_what_is_left_out_is_not_read(reverse, segment):
    """Neither NaN nor an index that is none does any harm there, nor does a NaN in its gradient."""
    for name, nothing in (("lstm", 0.0), ("elman", np.nan)):
        net, mask = Unroll(made(name), reverse=reverse, segment=segment), np.array(MASKS["scattered"], bool)
        x, *states = CASES[name].input(np.random.default_rng(0), T, B)
        want = ran(net, [x, *states, mask])
        x[~mask] = nothing
        net.zeroGradParameters()
        torch7.manualSeed(3)
        input = [x, *states, mask]
        g = random_like(net.forward(input), 3)
        g[-1][~mask] = np.nan
        gradInput = net.backward(input, g)
        assert_same((net.output, gradInput, net.parameters()[1]), tuple(want))


def test_lengths_come_and_go():
    """A call without lengths after one with them, whose buffers have the same shapes."""
    net = Unroll(elman())
    x = CASES["elman"].input(np.random.default_rng(0), T, B)
    plain, kept = ran(net, x), copied(x)
    lengths = np.array([5, 4, 5, 5])
    short = ran(net, [*x, lengths])
    assert_same(ran(net, x), plain)
    assert_same(ran(net, [*x, lengths]), short)
    assert_same(x, kept)


@pytest.mark.parametrize(
    ("lengths", "error", "told"),
    [
        (np.array([1, 2, 3]), ValueError, r"as the last input lengths \(4,\) or a mask \(5, 4\), got int64\[3\]"),
        (np.ones((4, 5)), ValueError, r"lengths \(4,\) or a mask \(5, 4\), got float64\[4, 5\]"),
        ([1, 2, 3, 4], TypeError, r"lengths \(4,\) or a mask \(5, 4\), got \[int, int, int, int\]"),
        (np.array([1, 2, 6, 1]), ValueError, "lengths from 0 to the number of steps, 5, got 6"),
        (np.array([1, 2, -1, 1]), ValueError, "lengths from 0 to the number of steps, 5, got -1"),
        (np.array([1, 2, 1.5, 1]), ValueError, "expected whole numbers as lengths, got 1.5"),
        (np.array([True] * 4), TypeError, "expected whole numbers as lengths, got array"),
        (np.full((5, 4), 2), ValueError, "expected 0 and 1 in a mask, got 2"),
        (np.full((5, 4), 0.5), ValueError, "expected whole numbers as a mask, got 0.5"),
        (np.zeros(4), ValueError, "expected at least one step of a row, got lengths 0"),
        (np.zeros((5, 4)), ValueError, "expected at least one step of a row, got mask 0"),
    ],
    ids=str,
)
def test_errors(lengths, error, told):
    net = Unroll(elman())
    with pytest.raises(error, match=f"Unroll: .*{told}"):
        net.forward([*CASES["elman"].input(np.random.default_rng(0), T, B), lengths])
