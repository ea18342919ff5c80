"""The work with a graph grows as its size does, and not as its square; counted in calls, which no clock can disturb."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import gModule, graph
from tests.support.graphs import chain, two
from tests.support.nested import assert_same


def calls(work: Callable[[], Any]) -> int:
    """How many functions work() calls."""
    count = 0

    def note(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def star(n: int) -> Any:
    x = nn.Identity()()
    return gModule([x], [nn.CAddTable()([nn.Tanh()(x) for _ in range(n)])])


def split(n: int) -> Any:
    x = nn.Identity()()
    return gModule([x], [nn.CAddTable()(nn.SplitTable(1)(x).split(n))])


def inputs(n: int) -> Any:
    xs = [nn.Identity()() for _ in range(n)]
    return gModule(xs, [nn.CAddTable()(xs)])


def outputs(n: int) -> Any:
    x = nn.Identity()()
    return gModule([x], [nn.Tanh()(x) for _ in range(n)])


FORMS = {form.__name__: form for form in (chain, star, split, inputs, outputs)}
WORK: dict[str, Callable[[Any], Any]] = {
    "clone": lambda g: g.clone(),
    "deepcopy of the graph": lambda g: copy.deepcopy(g.fg),
    "write and read": lambda g: torch7.deserialize(torch7.serialize(g)),
    "pickle": lambda g: pickle.loads(pickle.dumps(g)),
    "todot": lambda g: (g.fg.todot(), g.bg.todot()),
    "types": lambda g: g.float().double(),
    "orders": lambda g: (g.fg.topsort(), g.fg.hasCycle(), g.fg.reverse(), g.fg.clone()),
}


@pytest.mark.parametrize("form", FORMS)
def test_building(form):
    FORMS[form](10)  # what is done once, such as imports
    small, large = (calls(lambda n=n: FORMS[form](n)) for n in (50, 200))
    assert large < 4.5 * small


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("work", WORK)
def test_working(form, work):
    graphs = [FORMS[form](n) for n in (10, 40, 160)]
    WORK[work](graphs[0])
    small, large = (calls(lambda g=g: WORK[work](g)) for g in graphs[1:])
    assert large < 4.5 * small


@pytest.mark.parametrize("broken", ["dangling", "cycle", "unused"])
def test_refusing(broken):
    def refuse(n: int) -> None:
        x = node = nn.Identity()()
        nodes = [node := nn.Tanh()(node) for _ in range(n)]
        out = nodes[-1]
        if broken == "dangling":
            nn.Tanh()(nodes[n // 2])
        elif broken == "cycle":
            nodes[0].add(out, True)
        else:
            out = out.split(n)[0]
        with pytest.raises(ValueError, match="gModule"):
            gModule([x], [out])

    refuse(10)
    small, large = (calls(lambda n=n: refuse(n)) for n in (50, 200))
    assert large < 4.5 * small


def test_graphs_of_any_depth_are_copied():
    fg = chain(1500).fg
    for thing in (fg, fg.nodes, fg.nodes[0], fg.edges):
        got = copy.deepcopy(thing)
        assert type(got) is type(thing)
    assert copy.deepcopy(fg).todot() == fg.todot()


class Street(graph.Edge):
    """A class of a script."""


class Corner(graph.Node):
    """A class of a script."""


@pytest.mark.parametrize("way", [copy.deepcopy, lambda g: torch7.deserialize(torch7.serialize(g))])
def test_classes_of_a_script_in_a_graph(way):
    g = graph.Graph()
    a, b = Corner("a"), Corner("b")
    g.add([Street(a, b, 3.0), Street(b, graph.Node("c"))])
    got = way([g, a])
    assert torch7.typename(a) == "Corner"
    assert [type(node) for node in got[0].nodes] == [Corner, Corner, graph.Node]
    assert [(type(edge), edge.weight) for edge in got[0].edges] == [(Street, 3.0), (Street, None)]
    assert got[1] is got[0].nodes[0]


def test_a_copy_of_a_gModule_and_its_graph_belong_together():
    g = two()
    fg, got = copy.deepcopy([g.fg, g])
    assert fg is got.fg
    x = [np.ones(3), np.zeros(3)]
    assert_same(got.forward(x), g.forward(x))
