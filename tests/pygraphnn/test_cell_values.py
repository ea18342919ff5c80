"""The library's recurrent networks against their formulas and central differences, with every option."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import torch7
from pygraphnn import clone_many_times
from tests.support.cells import CASES, Case, I, R, build, expected, given, masks_of, name


@pytest.fixture(params=CASES, ids=name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def test_values(case):
    net, inputs = build(case), given(case)
    got = net.forward(inputs)
    masks = masks_of(net)
    places = 0 if "dropout" not in case[2] else case[1] - 1 + (case[2].get("output") != "h")
    assert len(masks) == places
    want = expected(case, inputs, masks)
    assert len(got) == len(want)
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


def test_without_dropout_when_evaluating(case):
    net, inputs = build(case), given(case)
    net.evaluate()
    for a, b in zip(net.forward(inputs), expected(case, inputs, [])):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


def differences(f: Any, x: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    """The derivative of f() by every element of x, by central differences."""
    grad = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        kept = x[at]
        x[at] = kept + eps
        above = f()
        x[at] = kept - eps
        grad[at] = (above - f()) / (2 * eps)
        x[at] = kept
    return grad


def test_gradients(case):
    net, inputs = build(case), given(case)
    params, gradParams = net.getParameters()
    factors = [torch7.randn(*y.shape) for y in net.forward(inputs)]

    def loss() -> float:
        torch7.manualSeed(1)  # the same elements are dropped
        return sum(float((k * y).sum()) for k, y in zip(factors, net.forward(inputs)))

    loss()
    gradParams.fill(0)
    gradInput = [np.copy(g) for g in net.backward(inputs, factors)]
    np.testing.assert_allclose(gradParams, differences(loss, params), rtol=1e-5, atol=1e-8)
    for x, g in zip(inputs, gradInput):
        if x.dtype == np.float64:
            np.testing.assert_allclose(g, differences(loss, x), rtol=1e-5, atol=1e-8)


def test_one_network_step_by_step_is_as_good_as_clones(case):
    """A state handed back lies in the network's own buffers, where the next step is computed."""
    net = build(case)
    net.evaluate()
    x, *states = given(case)
    clones = clone_many_times(net, 4)
    state, clone_state = [s.copy() for s in states], [s.copy() for s in states]
    for clone in clones:
        *state, y = net.forward([x, *state])
        *clone_state, clone_y = clone.forward([x, *clone_state])
        for got, want in zip([*state, y], [*clone_state, clone_y]):
            np.testing.assert_array_equal(got, want)


def test_gradients_through_time(case):
    """Through three clones: the gradient of the state that the first one begins with."""
    net = build(case)
    net.evaluate()
    x, *states = given(case)
    clones = clone_many_times(net, 3)
    factors = torch7.randn(*net.forward([x, *states])[-1].shape)

    def run() -> list[list[np.ndarray]]:
        steps = [states]
        for clone in clones:
            steps.append(clone.forward([x, *steps[-1]])[:-1])
        return steps

    def loss() -> float:
        run()
        return sum(float((factors * clone.output[-1]).sum()) for clone in clones)

    steps = run()
    flowing = [np.zeros_like(state) for state in states]
    for clone, before in zip(clones[::-1], steps[2::-1]):
        _, *flowing = clone.backward([x, *before], [*flowing, factors])
    for state, g in zip(states, [np.copy(g) for g in flowing]):
        np.testing.assert_allclose(g, differences(loss, state), rtol=1e-5, atol=1e-8)


# -- parameters, types, copies


def count(case: Case) -> int:
    """How many parameters the formulas have."""
    kind, n, options = case
    total, width = 0, I
    if options.get("input") == "lookup":
        total, width = I * R, R
    for _ in range(n):
        sums = {"lstm": 4, "gru": 3, "rnn": 1}[kind]
        total += sums * R * (width + 1 + R + 1)
        total += {None: 0, "output": R * R, "diagonal": 3 * R}[options.get("peepholes")]
        width = R
    decoder = 0 if options.get("output") == "h" else (R + 1) * options.get("output_size", I)
    return total + decoder


def test_number_of_parameters(case):
    assert sum(p.size for p in build(case).parameters()[0]) == count(case)


def test_float_and_saved_copies(case):
    net, (x, *states) = build(case), given(case)
    net.evaluate()
    want = [y.copy() for y in net.forward([x, *states])]
    for copy in (torch7.deserialize(torch7.serialize(net)), pickle.loads(pickle.dumps(net)), net.clone()):
        for got, y in zip(copy.forward([x, *states]), want):
            np.testing.assert_array_equal(got, y)
    net.float()
    floats = [a.astype(np.float32) if a.dtype == np.float64 else a for a in (x, *states)]
    for got, y in zip(net.forward(floats), want):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, y, rtol=1e-4, atol=1e-5)
    gradInput = net.backward(floats, [np.ones_like(y) for y in net.output])
    assert {g.dtype for g in gradInput[1:]} == {np.dtype(np.float32)}
