"""Graphs of modules against structures, numbers, drawings and errors recorded from the real Torch7."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from pygraphnn import clone_many_times
from tests.support import golden
from tests.support.golden import decode
from tests.support.graph_golden import (
    assert_close,
    build,
    drawing,
    drawings,
    label_lines,
    run_text,
    structure,
)
from tests.support.nested import assert_same, copied

CASES = golden.cases("nngraph/graphs.json")
GRAPHS = [case for case in CASES if "structure" in case]
DRAWN = [case for case in CASES if "dot_before" in case]
UNROLLED = [case for case in CASES if "bptt" in case]
ERRORS = golden.cases("nngraph/errors.json")
FACTS = {fact["name"]: fact["value"] for fact in golden.load("nngraph/facts.json")["facts"]}


def each(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=golden.case_id)


def run(g: Any, recorded: dict[str, Any]) -> Any:
    """Forward of a recorded pass; the output in memory of its own."""
    torch7.manualSeed(recorded["seed_before_forward"])
    return copied(g.forward(decode(recorded["input"])))


@each(CASES)
def test_parameters_and_passes(case: dict[str, Any]) -> None:
    g = build(case)
    assert str(g) == case["tostring"]
    assert_close(g.parameters()[0], case["params"], "params")
    g.zeroGradParameters()
    for number, gradients in (("pass1", "gradParams1"), ("pass2", "gradParams2_accumulated")):
        recorded = case[number]
        assert_close(run(g, recorded), recorded["output"], f"{number}.output")
        gradInput = g.backward(decode(recorded["input"]), decode(recorded["gradOutput"]))
        assert_close(gradInput, recorded["gradInput"], f"{number}.gradInput")
        assert_close(g.parameters()[1], case[gradients], gradients)


@each(CASES)
def test_initial_parameters_are_exact(case: dict[str, Any]) -> None:
    for got, want in zip(build(case).parameters()[0], decode(case["params"]), strict=True):
        np.testing.assert_array_equal(got, want)


@each([case for case in CASES if "evaluate_output" in case])
def test_evaluate(case: dict[str, Any]) -> None:
    g = build(case)
    g.evaluate()
    assert_close(run(g, case["pass1"]), case["evaluate_output"], "evaluate")


def test_some_case_was_recorded_in_evaluate_mode() -> None:
    assert [case["name"] for case in CASES if "evaluate_output" in case] == ["lookup_and_dropout"]


@each(CASES)
def test_clone_gives_the_same_output(case: dict[str, Any]) -> None:
    g = build(case)
    want = run(g, case["pass1"])
    clone = g.clone()
    assert_same(run(clone, case["pass1"]), want)
    for ours, theirs in zip(g.parameters()[0], clone.parameters()[0], strict=True):
        assert not np.shares_memory(ours, theirs)


@each(CASES)
def test_same_output_after_clear_state(case: dict[str, Any]) -> None:
    """Torch refuses to run a criterion node after clearState(), for want of its buffer; here it gets a new one."""
    g = build(case)
    want = run(g, case["pass1"])
    gradInput = copied(g.backward(decode(case["pass1"]["input"]), decode(case["pass1"]["gradOutput"])))
    assert g.clearState() is g
    assert_same(run(g, case["pass1"]), want)
    g.zeroGradParameters()
    assert_same(g.backward(decode(case["pass1"]["input"]), decode(case["pass1"]["gradOutput"])), gradInput)
    assert_close(g.parameters()[1], case["gradParams1"], "gradParams1")


@each(GRAPHS)
def test_structure(case: dict[str, Any]) -> None:
    got = structure(build(case))
    assert set(got) == set(case["structure"])
    for field, want in case["structure"].items():
        assert got[field] == want, field


@each(DRAWN)
def test_drawings_and_labels(case: dict[str, Any]) -> None:
    g = build(case)
    for name, got in drawings(g).items():
        assert got == drawing(case["dot_before"][name]), name
    run(g, case["pass1"])
    g.backward(decode(case["pass1"]["input"]), decode(case["pass1"]["gradOutput"]))
    for name, got in drawings(g).items():
        assert got == drawing(case["dot_after"][name]), name
    labels = [label_lines(node.label()) for node in g.forwardnodes]
    assert labels == [label_lines(text) for text in case["labels_after"]]


@each(UNROLLED)
def test_steps_through_time(case: dict[str, Any]) -> None:
    g, recorded = build(case), decode(case["bptt"])
    steps = clone_many_times(g, recorded["T"])
    g.zeroGradParameters()
    n = g.nInputs - 1  # states, all of one shape; they begin with zeros
    states = [[np.zeros_like(x) for x in decode(case["pass1"]["input"])[1:]]]
    inputs = []
    for step, x, want in zip(steps, recorded["x"], case["bptt"]["outputs"], strict=True):
        inputs.append([x, *states[-1]])
        output = step.forward(inputs[-1])
        assert_close(output, want, "output")
        states.append(output[:n])
    flowing = [np.zeros_like(state) for state in states[-1]]
    for t in reversed(range(recorded["T"])):
        gradOutput = [*flowing[:-1], flowing[-1] + recorded["dh"][t]]  # the last state is h
        if recorded["dy"] is not None:
            gradOutput.append(recorded["dy"][t])
        dx, *flowing = steps[t].backward(inputs[t], gradOutput)
        assert_close(dx, case["bptt"]["dx"]["table"][t], f"dx of step {t}")
    assert_close(flowing, case["bptt"]["dstate0"], "dstate0")
    assert_close(g.parameters()[1], case["bptt"]["gradParams"], "gradParams")


@each(ERRORS)
def test_refusals(case: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        run_text(case)
    message = "\n".join([str(refused.value), *getattr(refused.value, "__notes__", [])])
    for part in case["contains"]:
        assert part in message


class TestFacts:
    """Single facts that were recorded; their names are those of the record."""

    @pytest.fixture
    def g(self) -> Any:
        x = nn.Identity()()
        return pygraphnn.gModule([x], [nn.Tanh()(nn.Linear(2, 2)(x))])

    def test_names_and_types(self, g):
        node = nn.Identity()()
        assert str(g) == FACTS["tostring"]
        assert torch7.typename(g) == FACTS["typename"]
        assert torch7.typename(node) == FACTS["node_typename"]
        assert torch7.isTypeOf(g, "nn.Container") is FACTS["isTypeOf_container"]
        g.name = "my graph"
        assert str(g) == FACTS["tostring_named"]

    def test_container(self, g):
        assert g.size() == FACTS["size"]
        assert str(g.get(2)) == FACTS["get2"]
        assert len(g.findModules("nn.Linear")[0]) == FACTS["findModules"]
        assert len(g.listModules()) == FACTS["listModules"]

    def test_output_before_forward(self, g):
        assert (g.output is None) is FACTS["output_before_forward_single"]
        x = nn.Identity()()
        g2 = pygraphnn.gModule([x], [nn.Tanh()(x), nn.Sigmoid()(x)])
        assert FACTS["output_before_forward_two"] == ["table", 0]
        assert g2.output == []

    def test_zero_gradients(self):
        x = nn.Identity()()
        g = pygraphnn.gModule([x], [nn.Identity()(x), nn.Identity()(x)])
        first, expanded = np.array([1.0, 2, 3]), np.broadcast_to(np.zeros(1), 3)
        g.forward(np.ones(3))

        def shares(second: np.ndarray) -> bool:
            gradInput = g.backward(np.ones(3), [first, second])
            np.testing.assert_array_equal(gradInput, first)
            return np.shares_memory(gradInput, first)

        assert shares(expanded) is FACTS["zero_gradient_shortcut_same_object"]
        assert shares(np.zeros(3)) is not FACTS["no_shortcut_with_full_zero_tensor"]
        assert shares(expanded) is not FACTS["no_shortcut_once_buffer_exists"]

    def test_replace(self, g):
        out = g.replace(lambda m: nn.ReLU() if type(m) is nn.Tanh else m)
        assert out is g
        assert [torch7.typename(m) for m in g.modules] == FACTS["replace_tanh_by_relu"]
        assert bool((g.forward(np.array([-1.0, 1])) >= 0).all()) is FACTS["replace_output"]

    def test_one_input_table_is_passed_as_table(self):
        x = nn.Identity()()
        g = pygraphnn.gModule([x], [nn.Identity()(x)])
        assert_close(g.forward([np.ones(1)]), FACTS["one_input_table_is_passed_as_table"])

    def test_labels(self):
        node = nn.Linear(2, 3)(nn.Identity()())
        assert node.label() == FACTS["label_before"]
        assert node.graphNodeName() == FACTS["graphNodeName"]
        assert node.annotate({"name": "lin"}) is node
        assert node.graphNodeName() == FACTS["graphNodeName_named"]
        assert node.annotate(name="other").graphNodeName() == "other (0)"

    @pytest.mark.parametrize(
        ("fact", "x"),
        [
            ("label_nan", np.array([np.nan, 1])),
            ("label_inf", np.array([np.inf, 1])),
            ("label_minus_inf", np.array([-np.inf, 1])),
            ("label_float", np.ones(2, np.float32)),
        ],
    )
    def test_labels_of_values(self, fact, x):
        node = nn.Identity()()
        g = pygraphnn.gModule([node], [nn.Identity()(node)]).type(torch7.typename(x))
        g.forward(x)
        assert node.label() == FACTS[fact]
