"""torch7.cloning: deep copies in which everything is shared as in the original."""

from __future__ import annotations

import copy
import sys
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import torch7
from torch7 import memory
from torch7.cloning import deep_copy
from torch7.tables import Key, Storage, Table

Point = namedtuple("Point", "x y")


@torch7.register("test.Cell")
class Cell:
    """An object of a registered class: the copier goes through its fields."""

    def __init__(self, **fields: Any):
        self.__dict__.update(fields)


class Plain:
    """An object that Torch knows nothing of: it is copied as Python copies it."""

    def __init__(self, held: Any = None):
        self.held = held


def children(x: Any) -> list[tuple[Any, Any]]:
    """(where, what) of everything directly inside x."""
    if isinstance(x, dict):
        found = [(None, (k.value if isinstance(k, Key) else k)) for k in x]
        return found + [(i, v) for i, v in enumerate(dict.values(x))]
    if isinstance(x, (list, tuple)):
        return list(enumerate(x))
    return list(vars(x).items()) if isinstance(x, (Cell, Plain)) else []


def assert_faithful(old: Any, new: Any) -> None:
    """`new` has the form, the values and the sharing of `old`, and nothing of its memory."""
    partner: dict[int, Any] = {}
    owners: dict[int, np.ndarray] = {}
    work = [(old, new)]
    while work:
        a, b = work.pop()
        if a is None or isinstance(a, (bool, int, float, str, bytes)):
            assert a == b
            assert type(a) is type(b)
            continue
        if id(a) in partner:
            assert partner[id(a)] is b
            continue
        partner[id(a)] = b
        assert type(a) is type(b)
        assert a is not b or a == ()
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert (a.dtype, a.strides if a.size else None) == (b.dtype, b.strides if b.size else None)
            assert a.size == 0 or owners.setdefault(id(memory.owner(a)), memory.owner(b)) is memory.owner(b)
            assert not np.shares_memory(a, b)
        inside, copied = children(a), children(b)
        assert [where for where, _ in inside] == [where for where, _ in copied]
        work += [(x, y) for (_, x), (_, y) in zip(inside, copied)]
    assert len({id(o) for o in owners.values()}) == len(owners)


@st.composite
def structures(draw: st.DrawFn) -> Any:
    """Lists, tables and objects that refer to each other in any way, with tensors that share storages."""
    storages = [np.arange(6.0), np.arange(12.0).reshape(3, 4).T + 1, np.arange(4, dtype=np.int64)]
    arrays = [view for s in storages for view in (s, s[1:], s[::-1], s.T)] + [storages[0].view(Storage)]
    leaves = [None, True, 7, 0.5, "text", b"bytes", (), *draw(st.lists(st.sampled_from(arrays), max_size=6))]
    makers = (list, dict, Table, Cell)
    nodes: list[Any] = [make() for make in draw(st.lists(st.sampled_from(makers), min_size=1, max_size=8))]
    tuples = [tuple(draw(st.lists(st.sampled_from([*nodes, *leaves]), max_size=3))) for _ in range(2)]
    anything = st.integers(0, len(nodes) + len(leaves) + len(tuples) - 1).map([*nodes, *leaves, *tuples].__getitem__)
    for node in nodes:
        for i, value in enumerate(draw(st.lists(anything, max_size=4))):
            if isinstance(node, list):
                node.append(value)
            elif isinstance(node, Cell):
                setattr(node, f"field{i}", value)
            else:
                node[i] = value
        if isinstance(node, Table):
            node[draw(anything.filter(lambda key: key is not None and type(key) is not tuple))] = "value"
    return nodes[0] if draw(st.booleans()) else nodes


@settings(deadline=None)
@given(structures())
def test_any_structure_is_copied_faithfully(structure: Any) -> None:
    assert_faithful(structure, deep_copy(structure))


def test_scalars_are_themselves() -> None:
    for x in (None, True, 1, 2.5, "text", b"bytes", len, Cell):
        assert deep_copy(x) is x


def test_views_stay_views_of_one_storage() -> None:
    whole = memory.zeros((4, 5))
    part, flipped = deep_copy([whole[1:3], whole.T])
    part.fill(7)
    assert flipped[:, 1].tolist() == [7] * 5
    assert not whole.any()


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a.transpose(1, 0, 2) + 1,
        lambda a: np.asfortranarray(a[0]),
        lambda a: np.lib.stride_tricks.sliding_window_view(a, 2, axis=2),
        lambda a: np.broadcast_to(a, (2, *a.shape)),
        lambda a: a[:, ::-1, ::2],
        lambda a: a[:0],
        lambda a: np.array(2.5),
        lambda a: a.view(Storage),
        lambda a: a.astype([("re", "f4"), ("im", "f8")])["im"],
        lambda a: np.array([1, "a", None], dtype=object),
        lambda a: np.ndarray((3, 2), float, bytearray(np.arange(30.0).tobytes()), 80, (40, -16)),
    ],
)
def test_arrays_of_every_layout_keep_their_values(make: Any) -> None:
    a = make(np.arange(24.0).reshape(2, 3, 4))
    b, c = deep_copy([a, a])
    np.testing.assert_array_equal(a, b)
    assert b is c
    assert not np.shares_memory(a, b)
    assert type(a) is type(b)
    assert a.dtype == b.dtype


def test_shared_arrays_keep_their_memory() -> None:
    w, state = np.zeros(3), np.zeros(2)
    cell = Cell(w=w, same=w, state=state)
    new = deep_copy(cell, shared=[w])
    assert np.shares_memory(new.w, w)
    assert new.w is not w
    assert not np.shares_memory(new.state, state)


def test_objects_of_unknown_classes_keep_their_names() -> None:
    point = torch7.TorchObject("gold.Point", 3, x=np.zeros(2))
    new = deep_copy(point)
    assert (torch7.typename(new), new.torch_version) == ("gold.Point", 3)
    assert new.x is not point.x


def test_kinds_of_dicts_and_tuples_stay() -> None:
    d = defaultdict(list, a=[1])
    ordered = OrderedDict([("z", [1]), ("a", [2])])
    ordered[key := Cell()] = [3]
    new = deep_copy({"d": d, "o": ordered, "p": Point([1], 2), "set": {1, 2}})
    assert new["d"]["missing"] == []
    assert new["d"]["a"] == [1]
    assert new["d"]["a"] is not d["a"]
    assert isinstance(new["o"], OrderedDict)
    assert list(new["o"])[:2] == ["z", "a"]
    assert len(new["o"]) == 3
    assert list(new["o"])[2] is not key
    assert new["p"] == Point([1], 2)
    assert isinstance(new["p"], Point)
    assert new["set"] == {1, 2}


def test_python_objects_are_copied_within_the_whole() -> None:
    cell = Cell(w=np.zeros(3))
    cell.trainer = Plain([cell, cell.w])
    new = deep_copy(cell)
    assert new.trainer is not cell.trainer
    assert new.trainer.held[0] is new
    assert new.trainer.held[1] is new.w


def test_deepcopy_of_python_s_own_finds_what_was_copied() -> None:
    plain = Plain()
    plain.held = [plain, Cell(back=plain)]
    new = deep_copy([plain, plain.held[1]])
    assert new[0].held[0] is new[0]
    assert new[0].held[1] is new[1]
    assert new[1].back is new[0]


def test_what_says_how_it_is_copied_is_copied_so() -> None:
    class Plan:
        def __deepcopy__(self, memo: Any) -> Plan:
            return self

    class Cache(dict[Any, Any]):
        def __deepcopy__(self, memo: Any) -> Cache:
            return Cache()

    plan = Plan()
    new = deep_copy(Cell(plan=plan, cache=Cache(a=1)))
    assert new.plan is plan
    assert (type(new.cache), new.cache) == (Cache, {})


def nested(depth: int, wrap: Any) -> Any:
    x: Any = None
    for _ in range(depth):
        x = wrap(x)
    return x


@pytest.mark.parametrize(
    "wrap", [lambda x: [x], lambda x: {"next": x}, lambda x: Table(next=x), lambda x: Cell(next=x)]
)
def test_depth_is_no_limit(wrap: Any) -> None:
    depth = 30_000
    assert depth > 10 * sys.getrecursionlimit()
    x, n = deep_copy(nested(depth, wrap)), 0
    while x is not None:
        x = x[0] if isinstance(x, list) else x["next"] if isinstance(x, dict) else x.next
        n += 1
    assert n == depth


def test_memo_is_that_of_copy_deepcopy() -> None:
    w = np.zeros(3)
    memo: dict[int, Any] = {}
    a = copy.deepcopy(Plain(1), memo)
    first, second = deep_copy([w], memo=memo)[0], deep_copy([w[1:]], memo=memo)[0]
    assert (first.shape, second.shape) == ((3,), (2,))  # although the second list may lie where the first one was
    assert np.shares_memory(first, second)
    assert not np.shares_memory(first, w)
    assert a.held == 1
