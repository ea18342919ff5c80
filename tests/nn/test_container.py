"""The contract of nn.Container itself, and what calls of modules and criterions mean."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import nn
from tests.support.modules import Custom, Failing, net

# -- containers


def test_containers_count_from_1() -> None:
    m = nn.Container().add(nn.Tanh())
    assert (m.size(), m.get(1), m.get(2)) == (1, m.modules[0], None)
    for index in (0, -1):
        with pytest.raises(IndexError, match=rf"nn\.Container: no module {index}: they are numbered from 1"):
            m.get(index)


@pytest.mark.parametrize("x", [None, nn.Tanh, [nn.Tanh()], "nn.Tanh"])
def test_containers_take_modules_only(x: Any) -> None:
    with pytest.raises(TypeError, match=r"nn\.Sequential: add expects an nn\.Module, got"):
        nn.Sequential().add(x)


def test_duties_reach_every_module() -> None:
    m, x = net(), np.ones((2, 4))
    m.evaluate()
    assert [inner.train for inner in m.listModules()] == [False] * 5
    m.training()
    assert [inner.train for inner in m.listModules()] == [True] * 5
    m.forward(x)
    m.backward(x, np.ones((2, 2)))
    m.clearState()
    assert all(inner.output.size == inner.gradInput.size == 0 for inner in m.listModules())
    before = m.get(3).get(1).weight.copy()
    m.reset()
    assert (m.get(3).get(1).weight != before).all()
    m.reset(0.001)
    assert abs(m.get(1).weight).max() < 0.002


@pytest.mark.parametrize("error", [ValueError("wrong"), ZeroDivisionError(), RuntimeError("odd"), KeyError("k")])
def test_errors_say_where_and_keep_their_type(error: Exception) -> None:
    m = nn.Sequential().add(nn.Tanh()).add(nn.Sequential().add(Failing(error)))
    with pytest.raises(type(error)) as caught:
        m.forward(np.ones(2))
    assert caught.value is error
    assert error.__notes__[0] == "In module 1 of nn.Sequential: Failing"
    assert error.__notes__[1].startswith("In module 2 of nn.Sequential: nn.Sequential {")


def test_errors_of_backward_say_where() -> None:
    m, x = net(), np.ones((2, 4))
    m.forward(x)
    with pytest.raises(ValueError, match=r"nn\.Linear") as caught:
        m.backward(x, np.ones((2, 7)))
    assert caught.value.__notes__[-1].startswith("In module 3 of nn.Sequential: nn.Sequential {")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interrupts_pass(error: type[BaseException]) -> None:
    m = nn.Sequential().add(Failing(error()))
    with pytest.raises(error) as caught:
        m.forward(np.ones(2))
    assert not hasattr(caught.value, "__notes__")


# -- calls


def test_calls_need_the_graph_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.module, "wire", None)
    monkeypatch.setattr(nn.criterion, "wire", None)
    for call in (nn.Tanh(), nn.Tanh().__neg__, lambda: nn.Tanh() - nn.Tanh(), lambda: [3] - nn.Tanh()):  # type: ignore[operator]
        with pytest.raises(TypeError, match=r"nn\.Tanh: import pygraphnn to wire modules into graphs, or call forward"):
            call()
    with pytest.raises(TypeError, match=r"Custom: expected input and target, got 1 arguments \(import pygraphnn"):
        Custom()(np.ones(2))


def test_nn_alone_does_not_import_the_graph_package() -> None:
    code = (
        "import sys, nn\n"
        "assert not {'pygraphnn', 'networkx', 'matplotlib'} & set(sys.modules)\n"
        "try:\n    nn.Tanh()()\nexcept TypeError as error:\n    print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "nn.Tanh: import pygraphnn to wire modules into graphs, or call forward\n"


def test_calls_go_to_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(nn.module, "wire", lambda *args: calls.append(args))
    a, b = nn.Tanh(), nn.Sigmoid()
    a("node")
    _ = -b
    [1, 2] - a
    a - b
    assert calls == [(a, "node"), (b,), (a, [1, 2]), (b, a)]


def test_criterion_call_gives_loss_and_gradient() -> None:
    c, x, t = Custom(), np.array([1.0, 2.0]), np.array([3.0, 4.0])
    loss, gradient = c(x, t)
    assert loss == c.output == 11
    assert gradient is c.gradInput
    assert gradient.tolist() == [3, 4]


@pytest.mark.parametrize("x", [np.array([1.0, 2.0]), [np.array([1.0]), np.array([2.0])]])
def test_calls_without_graphs_compute_as_in_Torch(x: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.module, "wire", None)
    m, g = nn.Identity(), np.ones(2)
    assert m(x) is m.output is x
    y, gradInput = m(x, g)
    assert (y is x, gradInput is m.gradInput is g) == (True, True)
    for args in ([], [[]], ["x"], [x, g, g]):
        with pytest.raises(TypeError, match=r"nn\.Identity: import pygraphnn"):
            m(*args)


# -- errors of users' containers


def test_rethrowErrors_calls_and_notes() -> None:
    m = nn.Container().add(nn.Tanh()).add(Failing(ValueError("a mistake")))
    x = np.zeros(2)
    assert m.rethrowErrors(m.get(1), 1, "updateOutput", x) is m.get(1).output
    with pytest.raises(ValueError, match="a mistake") as caught:
        m.rethrowErrors(m.get(2), 2, "updateOutput", x)
    assert [note.splitlines()[0] for note in caught.value.__notes__] == [f"In module 2 of nn.Container: {m.get(2)}"]
    for index in (0, 2, 3):
        with pytest.raises(ValueError, match=rf"nn\.Container: module {index} is not the given one, nn\.Tanh"):
            m.rethrowErrors(m.get(1), index, "updateOutput", x)


# -- replace and share


def structure(m: Any) -> list[Any]:
    """Every module, and what the containers and decorators have of others."""
    return [(m, list(m.modules or ()), vars(m).get("module")) for m in m.listModules()]


@pytest.mark.parametrize(("wrong", "name"), [(None, "nil"), (3, "number"), (nn.Tanh, "function")])
def test_replace_takes_modules_only(wrong: Any, name: str) -> None:
    inner = nn.Sequential().add(nn.Profile(nn.Sigmoid())).add(nn.MapTable(nn.Sigmoid()))
    m = nn.Sequential().add(nn.Sigmoid()).add(inner).add(nn.ParallelTable().add(nn.Tanh()))
    before = structure(m)
    with pytest.raises(
        TypeError, match=rf"nn\.ParallelTable\.replace: .* a module, got a {name} for module 1, nn.Tanh"
    ):
        m.replace(lambda each: wrong if type(each) is nn.Tanh else nn.ReLU() if type(each) is nn.Sigmoid else each)
    assert structure(m) == before


def test_a_callback_of_replace_that_fails_changes_nothing() -> None:
    m = nn.Sequential().add(nn.Sigmoid()).add(nn.Sequential().add(nn.Sigmoid()).add(nn.Tanh()))
    before = structure(m)
    with pytest.raises(ZeroDivisionError):
        m.replace(lambda each: 1 / 0 if type(each) is nn.Tanh else nn.ReLU() if type(each) is nn.Sigmoid else each)
    assert structure(m) == before


@pytest.mark.parametrize("other", [None, 3, np.ones(2), nn.Sequential])
def test_containers_share_with_modules_only(other: Any) -> None:
    with pytest.raises(TypeError, match=r"nn\.Sequential: can share with a module only, got a "):
        nn.Sequential().add(nn.Linear(2, 2)).share(other, "weight")
