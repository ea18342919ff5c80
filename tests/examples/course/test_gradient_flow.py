"""gradient_flow.py: no gradient is above the bound; sigmoids vanish, rectifiers may explode, an open gate lets pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nn
import pygraphnn
import torch7

from ...support.course import program, refuses, wrote

flow = program("gradient_flow")


def test_what_vanishes_and_what_explodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, gates = flow.main(["--steps", "12", "--size", "12", "--scales", "0.5", "1.3", "--output", str(tmp_path)])
    assert set(found) == set(flow.PLAIN)
    for (activation, _), by_scale in found.items():
        for scale, norms in by_scale.items():
            assert (norms <= flow.bounds(activation, scale, 12) * (1 + 1e-9)).all()
            assert norms.shape == (12,)
    for scale, norms in found["sigmoid", "orthogonal"].items():  # geometrically: a constant factor, below scale / 4
        factors = norms[1:] / norms[:-1]
        assert factors.max() <= scale / 4 * (1 + 1e-9)
        assert factors.min() > scale / 4 / 2
        assert norms[-1] < 1e-5
    assert found["relu", "positive"][1.3][-1] > 5
    assert found["relu", "positive"][0.5][-1] < 1e-3
    assert gates["LSTM, forget bias 1"][-1] > 3 * gates["tanh"][-1]
    assert gates["LSTM, forget bias 3"][-1] > 30 * gates["tanh"][-1]
    assert gates["LSTM, forget bias 3"][-1] > 0.2
    assert wrote(capsys.readouterr().out, tmp_path) == {"gradient_flow.png", "gradient_flow-lstm.svg"}


@pytest.mark.parametrize("activation", flow.SLOPES)
def test_the_measured_norm_is_that_of_the_product_of_jacobians(activation: str) -> None:
    torch7.manualSeed(1)
    x = torch7.randn(flow.WARM + 5, 1, flow.WIDTH)
    step = flow.plain(6, activation, "orthogonal", 1.4)
    slope = {"tanh": lambda h: 1 - h**2, "sigmoid": lambda h: h * (1 - h), "relu": lambda h: (h > 0) * 1.0}[activation]
    W = next(node.data.module.weight for node in step.forwardnodes if flow.reads(node.data.module, 6))
    h, product, expected = np.zeros((1, 6)), np.eye(6), []
    for t, each in enumerate(x):
        h = step.forward([each, h])[0].copy()
        if t >= flow.WARM:
            product = np.diag(slope(h[0])) @ W @ product
            expected.append(np.linalg.norm(product, 2))
    assert min(expected) > 0
    np.testing.assert_allclose(flow.flow(step, x), expected, rtol=1e-9)


def test_the_state_of_an_lstm_is_cell_and_output() -> None:
    torch7.manualSeed(1)
    x, size, tiny = torch7.randn(flow.WARM + 3, 1, flow.WIDTH), 5, 1e-6
    step = flow.gated(size)["LSTM, forget bias 1"]()
    net = pygraphnn.Unroll(step)
    *state, _ = [a.copy() for a in net.forward([x[: flow.WARM], *pygraphnn.initial_states(step, 1)])]

    def last(state: np.ndarray) -> np.ndarray:
        *parts, _ = net.forward([x[flow.WARM :], *(part.copy() for part in np.split(state, 2, 1))])
        return np.concatenate(parts, 1)[0]

    state = np.concatenate(state, 1)
    rows = [(last(state + change) - last(state - change)) / (2 * tiny) for change in tiny * np.eye(2 * size)[:, None]]
    assert flow.flow(step, x)[-1] == pytest.approx(np.linalg.norm(rows, 2), rel=1e-6)


@pytest.mark.parametrize("kind", ["orthogonal", "random", "positive"])
def test_matrices_have_their_norm(kind: str) -> None:
    torch7.manualSeed(1)
    values = np.linalg.svd(W := flow.matrix(kind, 10, 1.7))[1]
    assert values[0] == pytest.approx(1.7)
    assert (values[-1] == pytest.approx(1.7)) == (kind == "orthogonal")
    assert (W.min() >= 0) == (kind == "positive")


def test_the_drawing_is_an_lstm() -> None:
    step = flow.cell(5)
    c, h = step.forward([np.ones((2, flow.WIDTH)), np.zeros((2, 5)), np.zeros((2, 5))])
    assert (c.shape, h.shape) == ((2, 5), (2, 5))
    assert sum(isinstance(node.data.module, nn.Sigmoid) for node in step.forwardnodes) == 3


def test_options_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    refuses("gradient_flow", "--scales 1 0", "argument --scales: expected a number above 0, got 0", capsys)
    refuses("gradient_flow", "--size 4", "argument --size: expected 5 or more, got 4", capsys)
    refuses("gradient_flow", "--steps 5", "argument --steps: expected 6 or more, got 5", capsys)
