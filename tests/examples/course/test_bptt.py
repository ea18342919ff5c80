"""bptt.py: the sum over pairs of steps is what backward gives; truncated, it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7

from ...support.course import program, refuses, wrote

bptt = program("bptt")


def made(size: int, activation: str, scale: float, steps: int) -> tuple[Any, Any]:
    torch7.manualSeed(5)
    return bptt.Network(size, activation, scale), bptt.Sequence(steps, size)


@pytest.mark.parametrize("activation", bptt.TRANSFER)
@pytest.mark.parametrize(("size", "scale", "steps"), [(1, 0.7, 2), (4, 1.3, 9), (9, 1.0, 20)])
def test_the_sum_is_the_gradient(activation: str, size: int, scale: float, steps: int) -> None:
    net, seq = made(size, activation, scale, steps)
    expected = bptt.by_backward(net, seq)
    for name, terms in bptt.terms(net, seq).items():
        assert terms.shape == (steps, steps, *net.weights[name].shape)
        assert abs(expected[name]).max() > 1e-3
        np.testing.assert_allclose(terms.sum((0, 1)), expected[name], rtol=1e-10, atol=1e-10)
        assert not terms[np.triu_indices(steps, 1)].any()


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_differences_agree(activation: str) -> None:
    net, seq = made(3, activation, 1.2, 6)
    before = {name: W.copy() for name, W in net.weights.items()}
    differences, gradients = bptt.by_differences(net, seq), bptt.by_backward(net, seq)
    for name, W in net.weights.items():
        np.testing.assert_allclose(differences[name], gradients[name], rtol=1e-6, atol=1e-7)
        assert np.array_equal(W, before[name])


def test_the_spectral_norm_is_what_was_asked_for() -> None:
    net, _ = made(6, "tanh", 1.7, 2)
    assert np.linalg.svd(net.weights["W_hh"])[1][0] == pytest.approx(1.7)


def test_states_are_the_networks() -> None:
    net, seq = made(5, "sigmoid", 1, 7)
    h = bptt.states(net, seq)
    last, y = net.unrolled.forward([seq.x[:, None], seq.start[None]])
    np.testing.assert_allclose(h[-1], last[0], rtol=1e-12)
    np.testing.assert_allclose(np.array(h[1:]) @ net.W_s.T, y[:, 0], rtol=1e-10)


def test_truncated_sums_are_gradients_of_the_last_steps_alone() -> None:
    """Each error goes back n steps: a network that begins n steps before it, at the state that it had there."""
    net, seq = made(4, "tanh", 1.2, 8)
    terms, h = bptt.terms(net, seq)["W_hh"], bptt.states(net, seq)
    for n in (1, 3):
        expected = np.zeros((4, 4))
        for t in range(1, 9):
            begin = max(0, t - n)
            window, criterion = pygraphnn.Unroll(net.step), nn.MSECriterion(False)
            window.zeroGradParameters()
            inputs = [seq.x[begin:t, None], h[begin][None]]
            _, y = window.forward(inputs)
            gradient = np.zeros_like(y)
            gradient[-1] = criterion.backward(y[-1], seq.r[t - 1][None])
            window.backward(inputs, [None, gradient])
            expected += net.gradients["W_hh"]
        np.testing.assert_allclose(bptt.last_steps(terms, n), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(bptt.last_steps(terms, 8), terms.sum((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(bptt.last_steps(terms, 1), terms.diagonal().sum(-1), rtol=1e-12)


def test_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = bptt.main(["--short", "--output", str(tmp_path)])
    summed, backward, _ = found["ways"]
    for name in ("W_hh", "W_hx", "b"):
        np.testing.assert_allclose(summed[name], backward[name], rtol=1e-10, atol=1e-10)
    errors = found["errors"]
    assert list(errors) == [0.5, 1, 1.5, 2]
    for each in errors.values():
        assert len(each) == 12
        assert each[0] > 0.1  # truncation drops something
        assert each[-1] < 1e-14  # and nothing when all steps are there
    assert errors[0.5][5] < errors[2][5] / 10
    assert wrote(capsys.readouterr().out, tmp_path) == {"bptt.png", "bptt-graph.svg"}


def test_options_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    refuses("bptt", "--activation softmax", "invalid choice: 'softmax'", capsys)
    refuses("bptt", "--steps 1", "argument --steps: expected 2 or more, got 1", capsys)
    refuses("bptt", "--scale 0", "expected a number above 0, got 0", capsys)
