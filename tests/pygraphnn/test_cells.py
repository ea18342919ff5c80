"""char-rnn's networks against numbers recorded from the real Torch7: one step, steps through time, dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import clone_many_times, combine_all_parameters
from tests.support import golden
from tests.support.char_rnn import BUILDERS
from tests.support.golden import decode
from tests.support.graph_golden import assert_close, described

CASES = golden.cases("nngraph/cells.json")


def name(case: dict[str, Any]) -> str:
    return f"{case['model']}-{case['num_layers']}-{case['dropout']}"


@pytest.fixture(params=CASES, ids=name)
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


def build(case: dict[str, Any]) -> tuple[Any, np.ndarray, np.ndarray]:
    """A network with its recorded initial parameters, its parameters and their gradients."""
    torch7.manualSeed(case["seed"])
    net = BUILDERS[case["model"]](case["input_size"], case["rnn_size"], case["num_layers"], case["dropout"])
    params, gradParams = combine_all_parameters(net)
    torch7.uniform_(params, -case["init"], case["init"])
    gradParams.fill(0)
    return net, params, gradParams


def test_all_models_were_recorded() -> None:
    assert {(c["model"], bool(c["dropout"])) for c in CASES} >= {(m, d) for m in BUILDERS for d in (False, True)}


def test_initial_parameters_and_nodes(case):
    net, params, _ = build(case)
    np.testing.assert_array_equal(params, decode(case["params_flat"]))
    assert [list(p.shape) for p in net.parameters()[0]] == case["param_sizes"]
    assert [described(node) for node in net.forwardnodes] == case["forwardnodes"]


def test_one_step(case):
    net, _, gradParams = build(case)
    step = case["step"]
    torch7.manualSeed(step["seed_before_forward"])
    assert_close(net.forward(decode(step["input"])), step["output"], "output")
    gradInput = net.backward(decode(step["input"]), decode(step["gradOutput"]))
    assert_close(gradInput[0], step["gradInput_x"], "gradInput of x")
    assert_close(gradInput[1:], step["gradStates"], "gradStates")
    assert_close(gradParams, step["gradParams_flat"], "gradParams")


def test_evaluate(case):
    net, _, _ = build(case)
    assert ("evaluate_output" in case["step"]) == (case["dropout"] > 0)
    net.evaluate()
    want = case["step"].get("evaluate_output", case["step"]["output"])
    assert_close(net.forward(decode(case["step"]["input"])), want, "output")


def test_steps_through_time(case):
    net, _, gradParams = build(case)
    bptt = case["bptt"]
    T, x, y = bptt["T"], decode(bptt["x"]), decode(bptt["y"])
    clones, criterions = clone_many_times(net, T), clone_many_times(nn.ClassNLLCriterion(), T)
    n = net.nInputs - 1
    states = [[np.zeros((case["batch"], case["rnn_size"])) for _ in range(n)]]
    torch7.manualSeed(bptt["seed_before_forward"])
    loss = 0.0
    for t in range(T):
        output = clones[t].forward([x[t], *states[t]])
        assert_close(output, bptt["outputs"][t], f"outputs of step {t}")
        states.append(output[:n])
        loss += criterions[t].forward(output[n], y[t])
    assert loss / T == pytest.approx(bptt["loss"], rel=1e-12)
    flowing = [np.zeros_like(state) for state in states[0]]
    for t in reversed(range(T)):
        gradPrediction = criterions[t].backward(clones[t].output[n], y[t])
        _, *flowing = clones[t].backward([x[t], *states[t]], [*flowing, gradPrediction])
    assert_close(flowing, bptt["dstate0"], "dstate0")
    assert_close(gradParams, bptt["gradParams_flat"], "gradParams")
    assert np.linalg.norm(gradParams) == pytest.approx(bptt["gradParams_norm"], rel=1e-12)


def test_one_network_step_by_step_is_as_good_as_clones(case):
    """A state handed back lies in the network's own buffers, where the next step is computed."""
    net, _, _ = build(case)
    net.evaluate()
    clones = clone_many_times(net, 4)
    state = clone_state = [np.zeros((3, case["rnn_size"])) for _ in net.forward(decode(case["step"]["input"]))[:-1]]
    for t, clone in enumerate(clones):
        x = np.array([1, 2 + t % 3, 1 + t])
        *state, y = net.forward([x, *state])
        *clone_state, clone_y = clone.forward([x, *clone_state])
        for got, expected in zip([*state, y], [*clone_state, clone_y]):
            np.testing.assert_array_equal(got, expected)
