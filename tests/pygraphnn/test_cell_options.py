"""What the options of the library's recurrent networks change, cells wired by hand, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from pygraphnn import gModule, initial_states
from tests.support import golden
from tests.support.cells import BUILDERS, SEED, B, I, R, build, gru, lstm, named, rnn
from tests.support.graph_golden import assert_close, run_text


def test_names_of_nodes():
    def names(**options: Any) -> set[str]:
        return set(named(pygraphnn.lstm(I, R, **options)))

    one = {"i2h_1", "h2h_1"}
    assert names(n=2) == one | {"i2h_2", "h2h_2", "decoder"}
    assert names(peepholes="diagonal", output="h") == one | {"c2i_1", "c2f_1", "c2o_1"}
    assert names(peepholes="output", input="lookup") == one | {"lookup", "c2o_1", "decoder"}
    assert named(pygraphnn.gru(I, R)) == named(pygraphnn.rnn(I, R)) == {}  # as char-rnn has them


def test_peepholes_have_one_weight_a_cell():
    net = pygraphnn.lstm(I, R, peepholes="diagonal")
    assert [module.weight.shape for module in net.findModules("nn.CMul")[0]] == [(R,)] * 3


def test_the_forget_gates_bias_only():
    torch7.manualSeed(SEED)
    drawn = nn.Linear(I, 4 * R).bias
    (i2h, _, _) = build(("lstm", 1, {"forget_bias": -2.5})).findModules("nn.Linear")[0]
    assert i2h.weight.shape == (4 * R, I)
    np.testing.assert_array_equal(i2h.bias[R : 2 * R], -2.5)
    np.testing.assert_array_equal(np.delete(i2h.bias, [R, R + 1]), np.delete(drawn, [R, R + 1]))


def test_an_irnn_begins_as_an_identity():
    net = pygraphnn.rnn(I, R, input="vectors", output="h", activation="relu", recurrent_init="identity")
    h = np.array([[1.0, 2.0]])
    np.testing.assert_array_equal(net.forward([np.zeros((1, I)), h])[0], h)


def test_dropout_acts_between_layers_and_before_the_decoder():
    def droppings(**options: Any) -> list[float]:
        return [m.p for m in pygraphnn.gru(I, R, 3, **options).findModules("nn.Dropout")[0]]

    assert droppings() == droppings(dropout=0) == []
    assert droppings(dropout=0.25) == [0.25] * 3
    assert droppings(dropout=0.25, output="h") == [0.25] * 2


def test_a_module_of_ones_own_reads_x():
    torch7.manualSeed(SEED)
    table = nn.LookupTable(9, I)
    net = pygraphnn.rnn(I, R, input=table, output_size=9)
    y = net.forward([np.array([9, 2]), np.zeros((2, R))])[1]
    assert y.shape == (2, 9)
    assert table in net.modules
    net.zeroGradParameters()
    net.backward([np.array([9, 2]), np.zeros((2, R))], [np.zeros((2, R)), np.ones((2, 9)) * np.arange(9)])
    assert set(np.flatnonzero(np.abs(table.gradWeight).sum(1)) + 1) == {2, 9}


@pytest.mark.parametrize(("input", "computed"), [("onehot", False), ("lookup", True), ("vectors", True)])
def test_the_gradient_of_one_hot_vectors_is_not_computed(input, computed):
    modules = named(pygraphnn.lstm(I, R, 2, input=input))
    assert (modules["i2h_1"].gradInput is not None) is computed
    assert modules["i2h_2"].gradInput is not None


# -- wiring cells


def test_cells_of_two_kinds_in_a_network_of_ones_own():
    torch7.manualSeed(SEED)
    x, c, h, h2 = (nn.Identity()() for _ in range(4))
    next_c, next_h = pygraphnn.lstm_cell(x, c, h, I, R)
    above = pygraphnn.gru_cell(next_h, h2, R, R)
    top = pygraphnn.rnn_cell(nn.Identity()(above), nn.Identity()(next_h), R, R, "sigmoid")
    net = gModule([x, c, h, h2], [next_c, next_h, above, top])
    torch7.manualSeed(2)
    inputs = [torch7.randn(B, I), *[torch7.randn(B, R) for _ in range(3)]]
    got = net.forward(inputs)
    torch7.manualSeed(SEED)
    want = lstm(*inputs[:3])
    want += gru(want[1], inputs[3])
    want += rnn(want[2], want[1], "sigmoid")
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert set(named(net)) == set()


def test_the_layer_of_a_cell_may_be_any_name():
    x, c, h = (nn.Identity()() for _ in range(3))
    net = gModule([x, c, h], pygraphnn.lstm_cell(x, c, h, I, R, layer="reader"))
    assert set(named(net)) == {"i2h_reader", "h2h_reader"}


def test_the_output_gate_that_looks_at_the_new_cell_against_Torch():
    """The network recorded from Torch, of matrices that read everything at once, in the matrices of the cell."""
    (recorded,) = (c for c in golden.cases("nngraph/graphs.json") if c["name"] == "slides_lstm_peephole")
    torch7.manualSeed(recorded["seed"])
    wired = run_text(recorded)
    x, c, h = (nn.Identity()() for _ in range(3))
    net = gModule([x, c, h], pygraphnn.lstm_cell(x, c, h, 3, 4, peepholes="output", layer=1))
    modules = named(net)
    modules["h2h_1"].bias.fill(0)
    for k, gate in enumerate(("i", "f", "o", "cand")):
        linear, rows = wired[gate].children[0].data.module, slice(4 * k, 4 * k + 4)
        modules["i2h_1"].weight[rows], modules["h2h_1"].weight[rows] = linear.weight[:, :3], linear.weight[:, 3:7]
        modules["i2h_1"].bias[rows] = linear.bias
        if gate == "o":
            modules["c2o_1"].weight[...] = linear.weight[:, 7:]
    step = recorded["pass1"]
    inputs = golden.decode(step["input"])
    assert_close(net.forward(inputs), step["output"], "output")
    assert_close(net.backward(inputs, golden.decode(step["gradOutput"])), step["gradInput"], "gradInput")


def test_nodes_tell_the_scripts_line_and_the_cells():
    net = pygraphnn.lstm(I, R)
    lines = {node.data.annotations._debugLabel for node in net.forwardnodes if node.data.module is not None}
    assert all(line.startswith("[tests/pygraphnn/test_cell_options.py]:") for line in lines)
    cells = [line for line in lines if ", pygraphnn/cells.py:" in line and line.endswith(" in lstm_cell")]
    assert len(cells) > 5
    with pytest.raises(ValueError, match="expected 3 input columns") as error:
        pygraphnn.rnn(I, R, input="vectors").forward([np.ones((1, 7)), np.ones((1, R))])
    assert "_test_nodes_tell_the_scripts_line_and_the_cells, pygraphnn/cells.py:" in error.value.__notes__[0]


# -- errors

WRONG = [
    ({"input": "one-hot"}, ValueError, 'one of "onehot", "lookup", "vectors" or a module as input, got "one-hot"'),
    ({"input": None}, ValueError, "or a module as input, got a nil"),
    ({"input": nn.OneHot}, ValueError, "or a module as input, got a"),
    ({"output": "softmax"}, ValueError, 'expected one of "logsoftmax", "linear", "h" as output, got "softmax"'),
    ({"output": "h", "output_size": 4}, ValueError, 'output "h" has no decoder, got an output_size of 4'),
    ({"output_size": 0}, ValueError, "expected a number from 1 on as output_size, got 0"),
    ({"dropout": 1}, ValueError, "expected a probability 0 <= p < 1 as dropout, got 1"),
    ({"dropout": -0.1}, ValueError, "expected a probability 0 <= p < 1 as dropout, got -0.1"),
    ({"dropout": float("nan")}, ValueError, "as dropout, got nan"),
    ({"dropout": "0.5"}, TypeError, "expected a number as dropout, got a string"),
    ({"n": 0}, ValueError, "expected a number from 1 on as n, got 0"),
    ({"n": 1.5}, ValueError, "expected a whole number as n, got 1.5"),
    ({"input_size": -1}, ValueError, "expected a number from 1 on as input_size, got -1"),
    ({"rnn_size": "128"}, TypeError, "expected a whole number as rnn_size, got '128'"),
]


@pytest.mark.parametrize("kind", BUILDERS)
@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=[str(options) for options, *_ in WRONG])
def test_wrong_options(kind, options, error, message):
    with pytest.raises(error) as raised:
        BUILDERS[kind](**{"input_size": I, "rnn_size": R, **options})
    assert str(raised.value).startswith(f"pygraphnn.{kind}: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "options", "error", "message"),
    [
        ("lstm", {"peepholes": True}, ValueError, r'one of None, "output", "diagonal" as peepholes, got a boolean'),
        ("lstm", {"peepholes": "all"}, ValueError, 'as peepholes, got "all"'),
        ("lstm", {"forget_bias": True}, TypeError, "expected a number as forget_bias, got a boolean"),
        ("rnn", {"activation": "elu"}, ValueError, 'one of "tanh", "relu", "sigmoid" as activation, got "elu"'),
        ("rnn", {"recurrent_init": "eye"}, ValueError, 'one of None, "identity" as recurrent_init, got "eye"'),
    ],
)
def test_wrong_options_of_cells(kind, options, error, message):
    with pytest.raises(error, match=message) as raised:
        BUILDERS[kind](I, R, **options)
    assert str(raised.value).startswith(f"pygraphnn.{kind}_cell: ")


@pytest.mark.parametrize(
    ("cell", "states"), [(pygraphnn.lstm_cell, 2), (pygraphnn.gru_cell, 1), (pygraphnn.rnn_cell, 1)]
)
def test_wrong_sizes_of_cells(cell, states):
    nodes = [nn.Identity()() for _ in range(states + 1)]
    with pytest.raises(ValueError, match=rf"pygraphnn.{cell.__name__}: expected a number from 1 on as rnn_size, got 0"):
        cell(*nodes, I, 0)
    with pytest.raises(TypeError, match=rf"pygraphnn.{cell.__name__}: expected a whole number as input_size, got None"):
        cell(*nodes, None, R)


def test_numbers_of_numpy_are_numbers():
    net = pygraphnn.lstm(np.int64(I), np.float64(R), np.int32(1), np.float64(0.5), forget_bias=np.float32(1))
    assert initial_states(net, 1)[0].shape == (1, R)
