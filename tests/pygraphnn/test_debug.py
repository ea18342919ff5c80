"""Names from variables, pictures of what failed, the watch for NaN and infinity, drawings on the screen."""

from __future__ import annotations

import dataclasses
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
import pygraphnn
import torch7
from pygraphnn import Node, annotateNodes, display, gModule, setDebug, simple_print, watch_nonfinite
from pygraphnn.drawing import draw
from pygraphnn.graph import Edge, Graph
from pygraphnn.render import RendererMissing
from tests.support.graphs import mlp, two

X = np.arange(8.0).reshape(2, 4)


def names(*nodes: Any) -> list[Any]:
    return [node.data.annotations.get("name") for node in nodes]


class TestAnnotateNodes:
    def test_local_variables_name_nodes(self):
        first, same = nn.Identity()(), None
        same = first
        given = nn.Tanh()(first).annotate(name="given")
        listed = [nn.Tanh()(first)]
        _unnamed = nn.Tanh()(first)
        annotateNodes()
        later = nn.Tanh()(first)
        assert names(first, given, *listed, _unnamed, later) == ["first", "given", None, None, None]
        assert same is first

    def test_the_level_of_the_stack(self):
        def helper() -> Any:
            inner = nn.Identity()()
            annotateNodes(2)
            return inner

        outer = nn.Identity()()
        assert names(outer, helper()) == ["outer", None]
        for level in (100000, 10**20, 0, -1):
            with pytest.raises(ValueError, match=rf"nngraph\.annotateNodes: there is no caller at stack level {level}"):
                annotateNodes(level)

    def test_levels_that_a_script_hands_on(self):
        first = nn.Identity()()
        annotateNodes(None)
        second = nn.Identity()()
        annotateNodes(1.0)
        assert names(first, second) == ["first", "second"]
        with pytest.raises(TypeError, match=r"nngraph\.annotateNodes: .*stack level.*'1'"):
            annotateNodes("1")

    def test_a_name_that_is_empty_is_kept(self):
        unnamed = nn.Identity()().annotate(name="")
        annotateNodes()
        assert names(unnamed) == [""]

    def test_variables_of_a_script(self):
        variables: dict[str, Any] = {"nn": nn, "annotateNodes": annotateNodes}
        exec("x = nn.Identity()()\ny = nn.Tanh()(x)\nannotateNodes()", variables)
        assert names(variables["x"], variables["y"]) == ["x", "y"]


@pytest.fixture
def debug(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    setDebug(True)
    yield
    setDebug(False)


def failure(call: Any, *args: Any) -> BaseException:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - what it is, the caller looks at
        call(*args)
    return raised.value


def pictures() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.mark.usefixtures("debug")
class TestSetDebug:
    def test_an_error_leaves_a_picture(self):
        g = mlp()
        error = failure(g.forward, np.ones((2, 5)))
        assert type(error) is ValueError
        where, picture = error.__notes__
        assert where.startswith("In node hidden (nn.Linear(4 -> 3), declared at [")
        path = Path("nngraph_1in_1out.svg")
        assert picture == f"The graph is drawn in {path.resolve()}, with the node that failed in red"
        assert "hidden" in path.read_text(encoding="utf-8")

    def test_the_failing_node_is_the_red_one(self, monkeypatch):
        g, drawn = mlp(), []
        monkeypatch.setattr("pygraphnn.debug.draw", lambda *args, **named: drawn.append((args, named)))
        failure(g.forward, np.ones((2, 5)))
        (hidden,) = (node for node in g.forwardnodes if node.data.annotations.get("name") == "hidden")
        ((args, named),) = drawn
        assert args == (g, Path("nngraph_1in_1out.svg"))
        assert named["title"] == "nngraph_1in_1out"
        assert len(named["failed"]) == 1
        assert named["failed"][0] is hidden.data

    @pytest.mark.parametrize("method", ["updateGradInput", "accGradParameters", "accUpdateGradParameters"])
    def test_backward_as_well(self, method):
        g = mlp()
        g.forward(X)
        g.backward(X, np.ones((2, 2)))

        def fail(*_: Any) -> None:
            raise ZeroDivisionError("by zero")

        setattr(g.get(2), method, fail)
        run = getattr(g, method)
        error = failure(run, X, np.ones((2, 2)), *[0.1] * (method != "updateGradInput"))
        assert type(error) is ZeroDivisionError
        assert "In node hidden" in error.__notes__[0]
        assert "nngraph_1in_1out.svg" in error.__notes__[1]

    def test_names_of_files(self):
        g = two()
        for _ in range(3):
            failure(g.forward, [np.ones(3), np.ones(4)])
        g.name = "my net: a/b"
        failure(g.forward, [np.ones(3), np.ones(4)])
        assert pictures() == [
            "my net_ a_b.svg",
            "nngraph_2in_2out.svg",
            "nngraph_2in_2out_2.svg",
            "nngraph_2in_2out_3.svg",
        ]

    def test_no_node_is_red_when_none_ran(self):
        g = two()
        failure(g.forward, [np.ones(3), np.ones(4)])
        error = failure(g.forward, [np.ones(3)])
        assert error.__notes__ == [f"The graph is drawn in {Path('nngraph_2in_2out_2.svg').resolve()}"]

    def test_nested_graphs_are_drawn_once(self, monkeypatch):
        inner, x = mlp(), nn.Identity()()
        g, drawn = gModule([x], [nn.Sequential().add(inner)(x)]), []
        monkeypatch.setattr("pygraphnn.debug.draw", lambda g, path, **named: drawn.append((g, named["failed"])))
        error = failure(g.forward, np.ones((2, 5)))
        ((which, failed),) = drawn
        assert which is g
        assert [data.module for data in failed] == [inner.get(2), g.get(2)]
        assert len([note for note in error.__notes__ if note.startswith("In node")]) == 2
        assert len([note for note in error.__notes__ if note.startswith("The graph is drawn")]) == 1

    def test_a_picture_that_fails_hides_no_error(self, monkeypatch):
        def fail(*_: Any, **__: Any) -> None:
            raise RendererMissing("no Graphviz. The graph is in net.dot, as text.")

        monkeypatch.setattr("pygraphnn.debug.draw", fail)
        error = failure(mlp().forward, np.ones((2, 5)))
        assert type(error) is ValueError
        assert error.__notes__[-1] == "The graph could not be drawn: no Graphviz. The graph is in net.dot, as text."
        monkeypatch.undo()

    def test_what_works_draws_nothing(self):
        g = mlp()
        g.backward(X, np.ones_like(g.forward(X)))
        assert g.runForwardFunction(lambda module, x: module.updateOutput(x), X).shape == (2, 2)
        assert pictures() == []

    def test_switched_on_twice_and_off(self):
        setDebug(True)
        failure(mlp().forward, np.ones((2, 5)))
        assert pictures() == ["nngraph_1in_1out.svg"]
        setDebug(False)
        error = failure(mlp().forward, np.ones((2, 5)))
        assert pictures() == ["nngraph_1in_1out.svg"]
        assert len(error.__notes__) == 1

    def test_keyboard_interrupt_passes_untouched(self):
        def stop(_: Any) -> None:
            raise KeyboardInterrupt

        g = mlp()
        g.get(2).updateOutput = stop
        with pytest.raises(KeyboardInterrupt) as raised:
            g.forward(X)
        assert not hasattr(raised.value, "__notes__")
        assert pictures() == []
        del g.get(2).updateOutput
        failure(g.forward, np.ones((2, 5)))  # the outermost graph is known again
        assert pictures() == ["nngraph_1in_1out.svg"]

    def test_threads_have_their_own_outermost_graph(self):
        errors, barrier = [], threading.Barrier(2)

        def run() -> None:
            g = mlp()
            linear = g.get(2)

            def wait(x: Any) -> Any:
                barrier.wait(10)
                raise ZeroDivisionError

            linear.updateOutput = wait
            errors.append(failure(g.forward, X))

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(error.__notes__) for error in errors] == [2, 2]
        assert len(pictures()) == 2  # of one name, and yet one for each

    @pytest.mark.parametrize(
        ("name", "stem"), [("..", "graph"), ("../up", "_up"), ("a" * 300, "a" * 60), (".hidden", "hidden")]
    )
    def test_names_that_no_file_should_have(self, name, stem):
        g = mlp()
        g.name = name
        failure(g.forward, np.ones((2, 5)))
        assert pictures() == [f"{stem}.svg"]

    def test_a_picture_that_fails_leaves_no_file(self, monkeypatch):
        monkeypatch.setattr("pygraphnn.debug.draw", lambda *args, **options: 1 / 0)
        assert "could not be drawn" in failure(mlp().forward, np.ones((2, 5))).__notes__[-1]
        assert not pictures()

    def test_errors_that_take_no_notes(self):
        @dataclasses.dataclass(frozen=True)
        class Frozen(Exception):
            code: int

        def fail(x: Any) -> Any:
            raise Frozen(3)

        g = nn.Sequential().add(mlp())
        g.get(1).get(2).updateOutput = fail
        assert failure(g.forward, X) == Frozen(3)
        assert len(pictures()) == 1

    def test_modules_that_cannot_be_printed(self):
        class Mute(nn.Tanh):
            def __str__(self) -> str:
                raise ZeroDivisionError

        x = nn.Identity()()
        error = failure(gModule([x], [Mute()(x)]).forward, "text")
        assert type(error) is TypeError


def log_net() -> Any:
    x = nn.Identity()()
    h = nn.Log()(nn.Linear(2, 2)(x).annotate(name="linear")).annotate(name="log")
    g = gModule([x], [nn.Identity()(h)])
    g.get(2).weight[:], g.get(2).bias[:] = np.eye(2), 0
    return g


@pytest.fixture
def watched():
    watch_nonfinite()
    yield
    watch_nonfinite(False)


@pytest.mark.usefixtures("watched")
class TestWatch:
    def test_forward(self):
        g = log_net()
        error = failure(g.forward, np.array([[1.0, 0], [0, 2]]))
        assert type(error) is FloatingPointError
        assert str(error) == "nn.Log: updateOutput gave 2 infinite of 4 elements"
        assert error.__notes__[0].startswith("In node log (nn.Log, declared at [")
        error = failure(g.forward, np.array([[1.0, 0], [-1, 2]]))
        assert str(error) == "nn.Log: updateOutput gave 1 NaN and 1 infinite of 4 elements"

    def test_finite_numbers_pass(self):
        g = log_net()
        want = np.log([[1.0, 2], [3, 4]])
        np.testing.assert_allclose(g.forward(np.array([[1.0, 2], [3, 4]])), want)
        g.backward(np.array([[1.0, 2], [3, 4]]), np.ones((2, 2)))

    def test_backward(self):
        g = log_net()
        x = np.array([[1.0, 1e-320]])
        g.forward(x)
        error = failure(g.updateGradInput, x, np.ones((1, 2)))
        assert str(error) == "nn.Log: updateGradInput gave 1 infinite of 2 elements"
        assert error.__notes__[0].startswith("In node log")

    def test_gradients_of_parameters(self):
        g = log_net()
        x = np.array([[1e200, 1e200]])
        g.zeroGradParameters()
        g.forward(x)
        g.get(3).updateGradInput = lambda *_: np.full((1, 2), 1e200)
        with np.errstate(over="ignore"):
            error = failure(g.backward, x, np.ones((1, 2)))
        assert (
            str(error)
            == "nn.Linear: accGradParameters gave gradients of parameters with 4 infinite of 4 elements in entry 1"
        )
        assert error.__notes__[0].startswith("In node linear")

    @pytest.mark.parametrize(
        ("value", "told"),
        [
            (float("nan"), "1 NaN of 1 elements"),
            (np.float32("inf"), "1 infinite of 1 elements"),
            ([1.0, -np.inf], "1 infinite of 1 elements in entry 2"),
            ({"loss": np.array([np.nan, 1])}, "1 NaN of 2 elements in entry loss"),
        ],
    )
    def test_numbers_and_tables_with_names(self, value, told):
        x, module = nn.Identity()(), nn.Identity()
        module.updateOutput = lambda x: value
        assert str(failure(gModule([x], [module(x)]).forward, X)) == f"nn.Identity: updateOutput gave {told}"

    def test_what_came_from_outside(self):
        g = two()
        x = [np.ones(3), np.array([1.0, np.nan, 1])]
        assert str(failure(g.forward, x)) == "nngraph: the input has 1 NaN of 3 elements in entry 2"
        x[1][1] = 0
        g.forward(x)
        error = failure(g.backward, x, [np.full(3, -np.inf), np.ones(3)])
        assert str(error) == "nngraph: the gradient of the output has 3 infinite of 3 elements in entry 1"

    def test_nested_graphs_name_the_inner_node(self):
        y = nn.Identity()()
        error = failure(gModule([y], [log_net()(y).annotate(name="outer")]).forward, np.zeros((1, 2)))
        assert [re.match(r"In node (\w+)", note)[1] for note in error.__notes__] == ["log", "outer"]

    def test_indices_and_float32(self):
        x = nn.Identity()()
        g = gModule([x], [nn.Sqrt()(nn.LookupTable(3, 2)(x))]).float()
        g.get(2).weight.fill(1)
        assert g.forward(np.array([1, 3])).dtype == np.float32
        g.get(2).weight[2] = -1
        assert str(failure(g.forward, np.array([1, 3]))) == "nn.Sqrt: updateOutput gave 2 NaN of 4 elements"

    def test_with_verbose_and_with_pictures(self, capsys, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        g = log_net()
        g.verbose = True
        setDebug(True)
        try:
            error = failure(g.forward, np.zeros((1, 2)))
        finally:
            setDebug(False)
        assert capsys.readouterr().out.count(" V : ") == 4
        assert "nngraph_1in_1out.svg" in error.__notes__[-1]

    def test_switched_off(self):
        g = log_net()
        watch_nonfinite(False)
        assert g.forward(np.zeros((1, 2))).tolist() == [[-np.inf, -np.inf]]


class TestScreen:
    def test_display(self, monkeypatch):
        shown: list[str] = []
        monkeypatch.setattr("pygraphnn.debug.show", shown.append)
        g = mlp()
        display(g)
        display(g.bg)
        assert shown == [pygraphnn.picture(g), g.bg.todot()]
        with pytest.raises(TypeError, match=r"nngraph\.display: expected a gModule or a graph\.Graph, got a nn\.Tanh"):
            display(nn.Tanh())

    def test_simple_print_writes_and_shows(self, tmp_path, monkeypatch):
        shown: list[str] = []
        monkeypatch.setattr("pygraphnn.render.show", shown.append)
        g = mlp()
        simple_print.dot(g.fg, "The net", tmp_path / "net")
        text = simple_print.todot(g.fg, "The net")
        assert (tmp_path / "net.dot").read_text(encoding="utf-8") == text
        assert b"The net" in (tmp_path / "net.svg").read_bytes()
        simple_print.dot(g.fg)
        assert shown == [simple_print.todot(g.fg)]

    def test_simple_print_joins_over_what_it_leaves_out(self):
        x = nn.Identity()()
        a, b = nn.SplitTable(2)(x).split(2)
        g = gModule([x], [nn.CAddTable()([nn.Identity()(nn.Tanh()(a)), nn.Identity()(b)])])
        label = {f"n{node.id}": str(node.data.module) for node in g.fg.nodes}
        edges = re.findall(r"^(n\d+) -> (n\d+);$", simple_print.todot(g.fg), re.M)
        assert sorted((label[a], label[b]) for a, b in edges) == [
            ("nn.SplitTable", "nn.CAddTable"),
            ("nn.SplitTable", "nn.Tanh"),
            ("nn.Tanh", "nn.CAddTable"),
        ]

    def test_simple_print_has_the_edges_around_what_it_leaves_out_last(self):
        x = nn.Identity()()
        a = nn.Linear(2, 2)(x)
        passed = nn.Identity()(a)
        g = gModule([x], [nn.CAddTable()([nn.Tanh()(passed), nn.Sigmoid()(a)])])
        edges = re.findall(r"^n(\d+) -> n(\d+);$", simple_print.todot(g.fg), re.M)
        names = {str(node.id): torch7.typename(node.data.module) for node in g.fg.nodes if node.data.module}
        assert [(names[a], names[b]) for a, b in edges] == [
            ("nn.Tanh", "nn.CAddTable"),
            ("nn.Sigmoid", "nn.CAddTable"),
            ("nn.Linear", "nn.Sigmoid"),
            ("nn.Linear", "nn.Tanh"),
        ]

    def test_simple_print_of_a_cycle_of_what_it_leaves_out(self):
        a, b, c, d = (Node({"module": module}) for module in (nn.Tanh(), None, None, nn.Tanh()))
        g = Graph()
        g.add([Edge(a, b), Edge(b, c), Edge(c, b), Edge(c, c), Edge(c, d)])
        assert re.findall(r"^n\d+ -> n\d+;$", simple_print.todot(g), re.M) == ["n1 -> n4;"]

    def test_simple_print_of_a_graph_of_other_data(self):
        g = pygraphnn.graph.Graph()
        g.add(pygraphnn.graph.Edge(pygraphnn.graph.Node("a"), pygraphnn.graph.Node("b")))
        assert "n1" not in simple_print.todot(g)


def test_failed_nodes_are_red(tmp_path):
    g = mlp()
    (hidden,) = (node for node in g.forwardnodes if node.data.annotations.get("name") == "hidden")
    draw(g, tmp_path / "net.dot", failed=[hidden.data])
    text = (tmp_path / "net.dot").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if "hidden" in line)
    assert "red" in line or re.search(r'fillcolor="#[c-f]', line)
