"""Ctrl-C and errors in the middle of a run: what is interrupted leaves nothing wrong behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import Fused, Unroll, gModule
from pygraphnn.unroll import clones, fused, numba_code, planned
from pygraphnn.unroll.engine import Engine
from pygraphnn.unroll.one_step import StepEngine
from pygraphnn.unroll.planned import PlannedEngine
from tests.pygraphnn.conftest import CompiledEngine
from tests.support.nested import assert_same
from tests.support.unrolling import looped, ran, random_like

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


class Sensitive(nn.Module):
    """y = 2 x, unless it is told to raise an error in one of its methods, at one of its calls (from 0)."""

    raises: dict[str, tuple[int, BaseException]] = {}
    calls: dict[str, int] = {}

    def _run(self, method: str) -> None:
        at, error = self.raises.get(method, (-1, None))
        self.calls[method] = self.calls.get(method, -1) + 1
        if self.calls[method] == at and error is not None:
            raise error

    def updateOutput(self, input: Any) -> Any:
        self._run("updateOutput")
        self.output = 2 * input
        return self.output

    def updateGradInput(self, input: Any, gradOutput: Any) -> Any:
        self._run("updateGradInput")
        self.gradInput = 2 * gradOutput
        return self.gradInput

    def accGradParameters(self, input: Any, gradOutput: Any, scale: Any = 1) -> None:
        self._run("accGradParameters")


class RowWise(Sensitive):
    ROWWISE = True


@pytest.fixture(autouse=True)
def calm() -> Any:
    yield
    Sensitive.raises, Sensitive.calls = {}, {}


def raising(method: str, at: int, error: BaseException) -> None:
    Sensitive.raises, Sensitive.calls = {method: (at, error)}, {}


def sensitive(cls: type = Sensitive) -> Any:
    """[x, h] -> [h', y], where h' goes through a module that may raise."""
    torch7.manualSeed(1)
    x, h = nn.Identity()(), nn.Identity()()
    new = nn.Tanh()(nn.CAddTable()([nn.Linear(3, 4)(x), cls()(nn.Linear(4, 4)(h))]))
    return gModule([x, h], [new, nn.Linear(4, 2)(new)])


def input_of(T: int = 4, B: int = 3, seed: int = 0) -> list[Any]:
    draw = np.random.default_rng(seed)
    return [draw.normal(size=(T, B, 3)), draw.normal(size=(B, 4))]


def once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, at: int = 0) -> list[int]:
    """Lets the call number `at` (from 0) of a function raise KeyboardInterrupt; gives a list of the calls."""
    original, calls = getattr(owner, name), []

    def function(*args: Any, **named: Any) -> Any:
        calls.append(len(calls))
        if calls[-1] == at:
            raise KeyboardInterrupt
        return original(*args, **named)

    monkeypatch.setattr(owner, name, function)
    return calls


def interrupted(function: Callable[[], Any], at: int) -> bool:
    """Runs a function, with KeyboardInterrupt at a line (by number) of what runs steps; whether it came so far."""
    count, before = 0, sys.gettrace()

    def line(frame: Any, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        if count > at:
            sys.settrace(None)
            raise KeyboardInterrupt
        return line

    sys.settrace(lambda frame, *_: line if "unroll" in Path(frame.f_code.co_filename).parts else None)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


NETS: dict[str, Callable[[], Any]] = {
    "unrolled": lambda: Unroll(sensitive()),
    "in segments": lambda: Unroll(sensitive(), segment=2),
    "row by row": lambda: Unroll(sensitive(RowWise)),
    "fused": lambda: Fused(sensitive()),
}


@pytest.fixture(params=NETS)
def name(request: pytest.FixtureRequest, engine: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(Fused, "compiled", engine is CompiledEngine)
    return request.param


def given(name: str, T: int = 4, B: int = 3) -> list[Any]:
    x, h = input_of(T, B, T)
    return [x[0], h] if name == "fused" else [x, h]


@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "has run"])
def test_at_any_line(engine, name, fresh):
    """Whatever is interrupted, the same network is right in its next runs."""
    sizes = [given(name), given(name, 6, 2)]
    want = [ran(NETS[name](), x) for x in sizes]
    at, stride = 0, 401
    for _ in range(5 if engine is CompiledEngine else 20):
        net = NETS[name]()
        if not fresh:
            ran(net, sizes[0])
            net.getParameters()
        if not interrupted(lambda net=net: [ran(net, x) for x in reversed(sizes)], at):
            break
        for x, result in zip(sizes, want):
            assert_same(ran(net, x), result, **CLOSE)
        at += stride
    assert at >= 5 * stride


@pytest.mark.parametrize("method", ["updateOutput", "updateGradInput", "accGradParameters"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_in_a_module(engine, name, method, error):
    planned = name == "fused" or issubclass(engine, PlannedEngine)
    net, x = NETS[name](), given(name)
    want = ran(net, x)
    for at in (0,) if name in ("fused", "row by row") else (0, 2):
        raising(method, at, error())
        if planned and (method, error) == ("updateOutput", ZeroDivisionError):
            ran(net, x)  # when a plan fails, the modules run one by one; here they do not fail again
        else:
            with pytest.raises(error):
                ran(net, x)
        assert Sensitive.calls[method] >= at
        ran(net, given(name, 6, 2))
        assert_same(ran(net, x), want, **CLOSE)


def test_gradients_of_parameters_are_those_of_whole_runs(name):
    """As in Torch, updateGradInput adds nothing to them, so that nothing is there when it is interrupted."""
    net, x = NETS[name](), given(name)
    want = ran(net, x)
    g = random_like(net.forward(x), 3)
    net.zeroGradParameters()
    raising("updateGradInput", 0, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        net.backward(x, g)
    assert not any(gradient.any() for gradient in net.parameters()[1])
    net.backward(x, g)
    assert_same(net.parameters()[1], want.gradients, **CLOSE)


def test_a_backward_that_was_interrupted_is_none(engine):
    net, x = Unroll(sensitive()), input_of()
    ran(net, x)
    g = random_like(net.output, 3)
    raising("updateGradInput", 1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        net.backward(x, g)
    with pytest.raises(ValueError, match="Unroll: accGradParameters needs an updateGradInput first"):
        net.accGradParameters(x, g)
    raising("updateOutput", 1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        net.forward(x)
    with pytest.raises(ValueError, match="Unroll: backward needs a forward first"):
        net.backward(x, g)


@pytest.mark.parametrize("part", ["read", "Plan", "Code", "Engine"])
@pytest.mark.parametrize("kind", ["unrolled", "fused"])
def test_while_a_plan_is_made(engine, kind, part, monkeypatch):
    if not issubclass(engine, PlannedEngine):
        return
    monkeypatch.setattr(Fused, "compiled", engine is CompiledEngine)
    net, x = NETS[kind](), given(kind)
    want = ran(NETS[kind](), x)
    name = f"Step{part}" if kind == "fused" and part in ("Code", "Engine") else part
    calls = once(monkeypatch, fused if kind == "fused" else planned, name)
    with pytest.raises(KeyboardInterrupt):
        net.forward(x)
    assert_same(ran(net, x), want, **CLOSE)
    assert len(calls) == 2


@pytest.mark.parametrize("part", ["_memory", "_bind_steps", "_bind_rows"])
@pytest.mark.parametrize("kind", ["unrolled", "fused"])
def test_while_room_is_made(engine, kind, part, monkeypatch):
    """Arrays for another number of steps or rows, and calls that are for those of before."""
    if not issubclass(engine, PlannedEngine):
        return
    monkeypatch.setattr(Fused, "compiled", engine is CompiledEngine)
    net, x, other = NETS[kind](), given(kind), given(kind, 6, 2 if kind == "fused" else 3)
    wants = [ran(net, x), ran(NETS[kind](), other)]
    calls = once(monkeypatch, StepEngine if kind == "fused" else Engine, part)
    with pytest.raises(KeyboardInterrupt):
        net.forward(other)
    assert calls == [0]
    for again, want in zip((other, x), reversed(wants)):
        assert_same(ran(net, again), want, **CLOSE)
    made = net if kind == "fused" else next(iter(net._run.engines.values()))
    assert made.reason == ""


def test_while_clones_get_parameters_in_new_arrays(engine, monkeypatch):
    net, x = Unroll(sensitive()), input_of()
    ran(net, x)
    net.getParameters()
    if issubclass(engine, PlannedEngine):
        monkeypatch.setattr(Unroll, "_engine", lambda self: planned.StepwiseEngine)
        ran(net, x)
        net.step.float().double()
        net.getParameters()
    net.parameters()[0][0][...] += 1
    calls = once(monkeypatch, clones.memory, "alias", 5)
    with pytest.raises(KeyboardInterrupt):
        net.forward(x)
    assert len(calls) == 6
    assert_same(ran(net, x), looped(net.step.clone(), x), **CLOSE)


class TestKernels:
    """Interrupted before they are there."""

    @pytest.fixture(autouse=True)
    def directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        pytest.importorskip("numba")
        monkeypatch.setattr(numba_code, "cache_directory", lambda: tmp_path / "kernels")
        monkeypatch.setattr(Unroll, "_engine", lambda self: CompiledEngine)
        numba_code.kernel.cache_clear()
        yield tmp_path / "kernels"
        numba_code.kernel.cache_clear()

    def assert_recovers(self, net: Any, want: Any) -> None:
        with pytest.raises(KeyboardInterrupt):
            net.forward(input_of())
        assert_same(ran(net, input_of()), want, **CLOSE)
        assert next(iter(net._run.engines.values())).reason == ""

    @pytest.fixture
    def want(self) -> Any:
        return looped(sensitive(), input_of())

    def test_while_a_file_is_written(self, directory, want, monkeypatch):
        original, seen = Path.write_text, []

        def write_text(path: Path, text: str, *args: Any, **named: Any) -> int:
            seen.append(path)
            if len(seen) > 1:
                return original(path, text, *args, **named)
            original(path, text[:100], *args, **named)
            raise KeyboardInterrupt

        monkeypatch.setattr(Path, "write_text", write_text)
        self.assert_recovers(Unroll(sensitive()), want)
        assert not seen[0].exists()
        assert all("def kernel" in path.read_text() for path in directory.glob("*.py"))
        assert not list(directory.glob(".*.py"))

    def test_while_a_file_is_loaded(self, want, monkeypatch):
        once(monkeypatch, numba_code, "load")
        self.assert_recovers(Unroll(sensitive()), want)

    @pytest.mark.parametrize("part", ["compile", "save_overload"])
    def test_while_numba_compiles_or_saves(self, want, part, monkeypatch):
        from numba.core import caching, dispatcher

        owner: Any = dispatcher._FunctionCompiler if part == "compile" else caching.Cache
        calls = once(monkeypatch, owner, part)
        self.assert_recovers(Unroll(sensitive()), want)
        assert len(calls) > 1


class TestErrors:
    """In backward they tell the same as the modules one by one: the node and the time step."""

    def notes(self, net: Any, x: Any, method: str, at: int) -> list[str]:
        g = random_like(net.forward(x), 3)
        raising(method, at, ZeroDivisionError("of the module's own"))
        with pytest.raises(ZeroDivisionError, match="of the module's own") as caught:
            net.backward(x, g)
        return list(caught.value.__notes__)

    @pytest.mark.parametrize("method", ["updateGradInput", "accGradParameters"])
    @pytest.mark.parametrize("segment", [None, 4])
    def test_step_by_step(self, engine, method, segment):
        node, step, part = self.notes(Unroll(sensitive(), segment=segment), input_of(), method, 1)
        assert node.startswith("In node 6 (Sensitive, declared at [")
        assert (step, part) == ("In time step 3", "In module 1 of Unroll: nn.gModule")

    def test_in_a_graph_in_a_graph(self, engine):
        x, h = nn.Identity()(), nn.Identity()()
        both = sensitive()([x, h])
        net = Unroll(gModule([x, h], [nn.SelectTable(1)(both), nn.SelectTable(2)(both)]))
        inside, outside, step, _ = self.notes(net, input_of(), "updateGradInput", 0)
        assert "Sensitive" in inside
        assert outside.startswith("In node ")
        assert "gModule" in outside
        assert step == "In time step 4"

    def test_all_steps_at_once(self, engine):
        x, h = nn.Identity()(), nn.Identity()()
        new = nn.Tanh()(nn.CAddTable()([RowWise()(nn.Linear(3, 4)(x)), h]))
        notes = self.notes(Unroll(gModule([x, h], [new, nn.Identity()(new)])), input_of(), "updateGradInput", 0)
        assert "RowWise" in notes[0]
        assert notes[1] == ("In time steps 1 to 4" if issubclass(engine, PlannedEngine) else "In time step 4")

    def test_fused(self, engine, monkeypatch):
        monkeypatch.setattr(Fused, "compiled", engine is CompiledEngine)
        x = given("fused")
        mine, other = (self.notes(net, x, "updateGradInput", 0) for net in (NETS["fused"](), sensitive()))
        assert [note.split(", with input")[0] for note in other] == mine
