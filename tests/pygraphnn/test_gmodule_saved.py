"""Graphs copied, pickled, saved in Torch's format and loaded again; files of old versions; very long graphs."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from pygraphnn import clone_many_times, gModule
from tests.support.graph_golden import structure
from tests.support.graphs import GRAPHS, chain, mlp, ran, two
from tests.support.nested import assert_same, mapped

WAYS: dict[str, Callable[[Any], Any]] = {
    "clone": lambda g: g.clone(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda g: pickle.loads(pickle.dumps(g)),
    "t7": lambda g: torch7.deserialize(torch7.serialize(g)),
    "ascii": lambda g: torch7.deserialize(torch7.serialize(g, "ascii"), "ascii"),
}
ALL = pytest.mark.parametrize(("make", "x"), GRAPHS.values(), ids=GRAPHS)


@pytest.mark.parametrize("state", ["fresh", "run", "cleared"])
@pytest.mark.parametrize("way", WAYS)
@ALL
def test_round_trip(make, x, way, state):
    g = make()
    want = ran(g, x) if state != "fresh" else None
    if state == "cleared":
        g.clearState()
    got = WAYS[way](g)
    assert type(got) is type(g)
    assert_same(ran(got, mapped(lambda a: a.copy(), x)), want or ran(g, x))
    for mine, theirs in zip(got.parameters()[0], g.parameters()[0], strict=True):
        assert not np.shares_memory(mine, theirs)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [make for make, _ in GRAPHS.values() if make().__class__ is gModule])
def test_round_trip_keeps_structure_and_labels(make, way):
    g = make()
    got = WAYS[way](g)
    assert structure(got) == structure(g)
    assert [node.label() for node in got.forwardnodes] == [node.label() for node in g.forwardnodes]
    assert got.fg.todot() == g.fg.todot()
    assert got.outnode.data is got.bg.nodes[0].data
    assert got.innode in got.forwardnodes


@pytest.mark.parametrize("way", WAYS)
def test_annotations_survive(way):
    x = nn.Identity()().annotate(name="in", description="what comes in", graphAttributes={"color": "red"})
    got = WAYS[way](gModule([x], [nn.Tanh()(x)]))
    node = got.forwardnodes[1]
    assert node.graphNodeName().startswith("in (")
    assert node.label().startswith("desc = what comes in\\n")
    assert node.graphNodeAttributes()["color"] == "red"


@pytest.mark.parametrize("way", WAYS)
def test_a_shared_module_stays_shared(way):
    x = nn.Identity()()
    linear = nn.Linear(3, 3)
    got = WAYS[way](gModule([x], [linear(nn.Tanh()(linear(x)))]))
    assert got.modules[1] is got.modules[3]
    assert [n.data.module for n in got.forwardnodes if n.data.module is not None] == got.modules


@pytest.mark.parametrize("way", WAYS)
def test_a_flat_vector_stays_one_memory(way):
    g = mlp()
    g.getParameters()
    got = WAYS[way](g)
    first, *rest = got.parameters()[0]
    assert all(torch7.memory.owner(a) is torch7.memory.owner(first) for a in rest)


def test_a_graph_and_its_clones_pickle_together():
    g = mlp()
    g.getParameters()
    x = np.ones((2, 4))
    first, *clones = pickle.loads(pickle.dumps([g, *clone_many_times(g, 2)]))
    for clone in clones:
        clone.parameters()[0][0].fill(3)
        np.testing.assert_array_equal(first.forward(x), clone.forward(x))


def test_files(tmp_path):
    g, x = GRAPHS["lstm"][0](), GRAPHS["lstm"][1]
    want = ran(g, x)
    torch7.save(tmp_path / "net.t7", {"protos": {"rnn": g}, "epoch": 3})
    loaded = torch7.load(tmp_path / "net.t7")
    assert loaded.epoch == 3
    assert_same(ran(loaded.protos.rnn, x), want)


# -- old files

# What files of 2015 do not have yet: fields of the graph, of the nodes' data, of their annotations.
YOUNGER = ("modules", "nInputs", "_type", "reverseMap", "gradOutputBuffer", "_debugLabel", "annotations")


def old_file(g: Any, missing: set[str]) -> bytes:
    """A file of g in which these fields are missing everywhere."""
    kept: dict[int, tuple[Any, Any]] = {}  # a hook must give one object for one object

    def without(value: Any) -> Any:
        if isinstance(value, nn.Module):
            younger = missing if type(value) is gModule else missing - {"modules"}
            names = vars(value).keys() - younger - set(gModule.TRANSIENT)
            return torch7.TorchObject(torch7.typename(value), **{name: vars(value)[name] for name in names})
        if type(value) is torch7.Table:
            return {key: value[key] for key in value if key not in missing}
        return value

    def hook(value: Any) -> Any:
        return kept.setdefault(id(value), (value, without(value)))[1]

    return torch7.serialize(g, hook=hook)


@pytest.mark.parametrize("missing", [*((name,) for name in YOUNGER), YOUNGER], ids="-".join)
@pytest.mark.parametrize("has_run", [True, False])
@ALL
def test_old_files_run(make, x, missing, has_run):
    g = make()
    want = ran(g, x) if has_run else None
    old = torch7.deserialize(old_file(g, set(missing)))
    assert_same(ran(old, mapped(lambda a: a.copy(), x)), want or ran(g, x))
    assert_same(ran(WAYS["t7"](old), x), ran(g, x))
    assert old.type() == g.type()
    if type(g) is gModule:
        assert (structure(old) == structure(g)) or "annotations" in missing  # where the nodes' names are
        assert old.fg.todot().count("\n") == g.fg.todot().count("\n")


def test_an_old_file_of_single_precision():
    x = np.ones((2, 4), np.float32)
    g = mlp().float()
    old = torch7.deserialize(old_file(g, set(YOUNGER)))
    assert old.type() == "torch.FloatTensor"
    assert_same(ran(old, x), ran(g, x))


def test_old_files_lack_these_fields():
    g = two()
    ran(g, GRAPHS["two outputs"][1])
    new, old = torch7.serialize(g), old_file(g, set(YOUNGER))
    for name in YOUNGER:
        assert name.encode() in new
        assert name.encode() not in old


# -- very long graphs

LENGTH = 1500


@pytest.fixture(scope="module")
def long() -> Any:
    return chain(LENGTH)


def value_of(g: Any) -> tuple[float, float]:
    x = np.array([0.5])
    return g.forward(x).item(), g.backward(x, np.ones(1)).item()


def test_a_long_chain_computes(long):
    y, derivative = 0.5, 1.0
    for _ in range(LENGTH // 2):
        y = np.tanh(1.01 * y)
        derivative *= 1.01 * (1 - y * y)
    assert len(long.modules) == LENGTH + 1
    assert value_of(long) == pytest.approx((y, derivative), rel=1e-10)


@pytest.mark.parametrize("way", ["clone", "deepcopy", "pickle", "t7", "clone_many_times"])
def test_a_long_chain_is_copied_and_saved(long, way):
    want = value_of(long)
    got = clone_many_times(long, 1)[0] if way == "clone_many_times" else WAYS[way](long)
    assert value_of(got) == want


@pytest.mark.parametrize(
    "use",
    [
        lambda g: g.float().double(),
        lambda g: g.clearState(),
        lambda g: g.getParameters(),
        lambda g: g.replace(lambda m: m),
        lambda g: g.map(g, lambda mine, other: None),
        lambda g: (g.fg.todot(), g.bg.todot()),
        lambda g: (str(g), repr(g), repr(g.forwardnodes[5]), g.forwardnodes[5].label()),
        lambda g: (g.training(), g.evaluate(), g.share(g, "weight")),
    ],
)
def test_a_long_chain_is_no_problem(use):
    g = chain(LENGTH)
    want = value_of(g)
    use(g)
    assert len(g.listModules()) == LENGTH + 2
    assert value_of(g) == want
