"""Errors while a graph runs: they keep their type and tell where they came up."""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import pytest

import nn
from pygraphnn import gModule
from tests.support.graphs import mlp, two

X = np.arange(8.0).reshape(2, 4)


class Failing(nn.Module):
    """Raises what it is given, in the method that it is given."""

    def __init__(self, method: str, error: BaseException):
        super().__init__()
        self.fail = (method, error)

    def run(self, method: str) -> None:
        if self.fail[0] == method:
            raise self.fail[1]

    def updateOutput(self, input: Any) -> Any:
        self.run("updateOutput")
        self.output = input
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self.run("updateGradInput")
        self.gradInput = gradOutput
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: float = 1) -> None:
        self.run("accGradParameters")


METHODS = ("updateOutput", "updateGradInput", "accGradParameters")


def run(g: Any, x: Any, gradOutput: Any) -> None:
    g.forward(x)
    g.backward(x, gradOutput)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["gates", None])
def test_a_note_says_where(method, name):
    error = ZeroDivisionError("by zero")
    x = nn.Identity()()
    node = Failing(method, error)(nn.Linear(4, 3)(x))
    node = node.annotate(name=name) if name else node
    g = gModule([x], [nn.Tanh()(node)])
    with pytest.raises(ZeroDivisionError) as raised:
        run(g, X, np.ones((2, 3)))
    assert raised.value is error
    (note,) = error.__notes__
    assert f"In node {name or node.data.forwardNodeId} (Failing, declared" in note
    assert re.search(r"declared at \[.*test_gmodule_errors\.py\]:\d+_test_a_note_says_where", note)
    assert note.endswith("with input float64[2, 3]")


def test_the_place_is_the_line_that_made_the_node():
    line = sys._getframe().f_lineno + 1
    label = nn.Identity()().data.annotations["_debugLabel"]
    assert re.fullmatch(rf"\[.*test_gmodule_errors\.py\]:{line}_test_the_place_is_the_line_that_made_the_node", label)


def test_nested_graphs_tell_each_level():
    x = nn.Identity()()
    inner = gModule([x], [Failing("updateOutput", ValueError("bad"))(x).annotate(name="inside")])
    y = nn.Identity()()
    g = gModule([y], [inner(y).annotate(name="outside")])
    with pytest.raises(ValueError, match="bad") as raised:
        g.forward(np.ones(2))
    assert [re.match(r"In node (\w+)", note)[1] for note in raised.value.__notes__] == ["inside", "outside"]


def test_an_error_of_a_layer_is_explained():
    with pytest.raises(ValueError, match=r"nn\.Linear: expected 4") as raised:
        mlp().forward(np.ones((2, 5)))
    assert "In node hidden (nn.Linear(4 -> 3), declared" in raised.value.__notes__[0]
    assert raised.value.__notes__[0].endswith("with input float64[2, 5]")


@pytest.mark.parametrize("method", METHODS)
def test_keyboard_interrupt_passes_untouched(method):
    error = KeyboardInterrupt()
    x = nn.Identity()()
    g = gModule([x], [Failing(method, error)(x)])
    with pytest.raises(KeyboardInterrupt) as raised:
        run(g, X, X)
    assert raised.value is error
    assert not hasattr(error, "__notes__")


def test_a_graph_runs_again_after_an_error():
    g = mlp()
    want = g.forward(X).copy()
    with pytest.raises(ValueError, match=r"nn\.Linear"):
        g.forward(np.ones((2, 5)))
    np.testing.assert_array_equal(g.forward(X), want)
    with pytest.raises(ValueError, match=r"nn\.Linear"):
        g.backward(X, np.ones((2, 3)))
    assert g.backward(X, np.ones((2, 2))).shape == (2, 4)


def test_splits_of_what_is_no_table():
    x = nn.Identity()()
    g = gModule([x], [*x.split(2)])
    with pytest.raises(ValueError, match=r"split\(2\) cannot split a tensor"):
        g.forward(np.ones((2, 2)))


@pytest.mark.parametrize(
    ("gradOutput", "message"),
    [
        (np.ones((2, 3)), "Got a torch.DoubleTensor as gradOutputs instead of 2"),
        ([np.ones(3)], "Got 1 gradOutputs instead of 2"),
        (None, "Got a nil as gradOutputs instead of 2"),
    ],
)
def test_wrong_gradients(gradOutput, message):
    g = two()
    g.forward([np.ones(3), np.ones(3)])
    for call in (g.updateGradInput, g.accGradParameters):
        with pytest.raises(ValueError, match=message):
            call([np.ones(3), np.ones(3)], gradOutput)


def test_wrong_inputs():
    g = two()
    with pytest.raises(ValueError, match=r"nn\.gModule: Got 3 inputs instead of 2"):
        g.forward([np.ones(2)] * 3)
    g.name = "adder"
    with pytest.raises(TypeError, match="adder: expecting table of 2 inputs, got a nil"):
        g.forward(None)
