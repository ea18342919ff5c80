"""What plain values and tables become in a .t7 file, and what comes back."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import torch7
from tests.support.t7 import MODES, again
from torch7 import Key, LuaFunction, MemoryFile, Table, TorchObject, registry


@pytest.fixture(autouse=True)
def _classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test knows the classes that it registers, and no others."""
    monkeypatch.setattr(registry, "_classes", {})


# Values


@MODES
@pytest.mark.parametrize(
    ("value", "back"),
    [
        (None, None),
        (True, True),
        (np.False_, False),
        (3, 3),
        (2.0, 2),
        (-0.0, -0.0),
        (0.1, 0.1),
        (2**53, 2**53),
        (2**60, 2.0**60),
        (-(2**53) - 2, -(2.0**53) - 2),
        (math.inf, math.inf),
        (np.float32(0.5), 0.5),
        (np.int8(-3), -3),
        ("", ""),
        ("naïve 你好\0\n", "naïve 你好\0\n"),
        (b"abc", "abc"),
        (b"\xff\n", b"\xff\n"),
        (np.str_("x"), "x"),
        ([], []),
        ((), []),
        ({}, []),
        ((1, (2,)), [1, [2]]),
        ({1: "a", 2: "b"}, ["a", "b"]),
        ({2: "b", 1: "a"}, ["a", "b"]),
        ({2: "b"}, Table({2: "b"})),
        ([1, None, 3], Table({1: 1, 3: 3})),
        ([1, None], [1]),
        ({"x": None, "y": 1}, Table(y=1)),
        (OrderedDict(a=1), Table(a=1)),
        ({1: 1, "n": 1}, Table({1: 1, "n": 1})),
        ({0: 1, 1: 2}, Table({0: 1, 1: 2})),
        ({1.5: 1, b"\xff": 2}, Table({1.5: 1, b"\xff": 2})),
        ({np.int64(1): 5}, [5]),
    ],
    ids=repr,
)
def test_plain_values(value: Any, back: Any, mode: str) -> None:
    got = again(value, mode)
    assert got == back
    assert type(got) is type(back)
    assert math.copysign(1, got) == math.copysign(1, back) if isinstance(back, float) else True


@MODES
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_nan_keeps_its_sign(mode: str, sign: float) -> None:
    got = again([math.copysign(math.nan, sign)], mode)[0]
    assert math.isnan(got)
    assert math.copysign(1, got) == sign
    array = again(np.full(3, math.copysign(math.nan, sign)), mode)
    assert np.isnan(array).all()
    assert (np.signbit(array) == (sign < 0)).all()


scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False).filter(lambda x: not x.is_integer() or abs(x) > 2**53),
    st.text(),
)
keys = st.one_of(st.integers(-3, 6), st.floats(0.1, 0.9), st.text(max_size=3))
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(keys, inner, max_size=5))
)


def as_loaded(value: Any) -> Any:
    """What Torch's tables make of lists and dicts."""
    if isinstance(value, list):
        return [as_loaded(x) for x in value]
    if isinstance(value, dict):
        if sorted(map(str, value)) == sorted(map(str, range(1, len(value) + 1))) and all(type(k) is int for k in value):
            return [as_loaded(value[k]) for k in sorted(value)]
        return Table({k: as_loaded(v) for k, v in value.items()})
    return value


@given(values, st.sampled_from(["binary", "ascii"]))
def test_any_value_comes_back(value: Any, mode: str) -> None:
    got, want = again(value, mode), as_loaded(value)
    assert got == want
    assert repr(got) == repr(want)


@given(st.lists(st.floats(width=64), max_size=300), st.sampled_from(["binary", "ascii"]))
def test_long_lists_of_numbers_are_what_short_ones_are(numbers: list[float], mode: str) -> None:
    long = numbers + [0.5] * 300
    got = again(long, mode)
    single = [again(x, mode) for x in numbers]
    assert list(map(repr, got)) == list(map(repr, single + [0.5] * 300))
    assert torch7.serialize(long, mode) == torch7.serialize(long, mode, hook=lambda x: x)
    assert got[: len(numbers)] == again([*long, "end"], mode)[: len(numbers)] or any(x != x for x in numbers)


@MODES
@pytest.mark.parametrize("odd", [2**53 + 2, -0.0, "text", True, None, [1]])
def test_long_lists_with_something_else_inside(odd: Any, mode: str) -> None:
    value = [*range(1000), odd, 7.5]
    got = again(value, mode)
    expected = Table({**dict(enumerate(range(1000), 1)), 1002: 7.5}) if odd is None else value
    assert got == expected
    assert list(map(repr, got)) == list(map(repr, again(expected, mode)))


# Keys


@MODES
def test_keys_are_compared_as_lua_compares_them(mode: str) -> None:
    table, array, point = [1], np.arange(2.0), TorchObject("gold.Point")
    value = Table({1: "one", 2.5: "x"})
    value[True], value[table], value[array], value[point] = "yes", "list", "array", "object"
    got = again([table, array, point, value], mode)
    table, array, point, value = got
    assert (value[True], value[1], value[table], value[array], value[point]) == (
        "yes",
        "one",
        "list",
        "array",
        "object",
    )
    assert [1] not in value
    assert torch7.serialize(got, mode) == torch7.serialize(again(got, mode), mode)


def test_a_dict_may_have_wrapped_keys() -> None:
    inner = {"a": 1}
    got = again([inner, {Key(inner): 2, Key(True): 3, 1: 4}])
    assert got[1][got[0]] == 2
    assert (got[1][True], got[1][1]) == (3, 4)


@pytest.mark.parametrize("key", [None, math.nan, np.float32(math.nan)])
def test_lua_has_no_such_keys(key: Any) -> None:
    with pytest.raises(TypeError, match=r"torch7.serialize: cannot write an entry with the key .* at \[0\]"):
        torch7.serialize([{key: 1}])


# Sharing and cycles


@MODES
def test_shared_tables_stay_shared(mode: str) -> None:
    inner: list[Any] = []
    a, b = again([inner, {"x": inner}], mode)
    assert b.x is a


@MODES
def test_cycles(mode: str) -> None:
    ring: list[Any] = [1]
    ring += [ring, {"back": ring, "list": [ring, ring]}]
    got = again(ring, mode)
    assert got[1] is got
    assert got[2].back is got
    assert got[2].list == [got, got] or got[2].list[1] is got
    assert torch7.serialize(got, mode) == torch7.serialize(ring, mode)


@MODES
def test_cycles_through_tables_of_every_kind(mode: str) -> None:
    mixed = Table({1: "x"})
    listed = [mixed, mixed]
    mixed["self"] = mixed
    mixed[listed] = listed
    mixed[mixed] = "me"
    got = again(mixed, mode)
    assert list(map(type, [k.value if isinstance(k, Key) else k for k in got])) == [int, str, list, Table]
    back = next(k.value for k in got if isinstance(k, Key) and isinstance(k.value, list))
    assert got[back] is back
    assert back[0] is got
    assert back[1] is got
    assert got[got] == "me"
    assert got.self is got
    assert torch7.serialize(got, mode) == torch7.serialize(mixed, mode)


def test_cycles_through_objects_and_functions() -> None:
    node = TorchObject("gold.Node")
    node.children, node.upvalues = [node], [{"name": "f", "id": 1}]
    function = LuaFunction(b"code", node.upvalues)
    node.upvalues[0]["value"] = [function, node, node.upvalues]
    got = again([node])[0]
    assert got.children[0] is got
    assert got.upvalues[0].value[1] is got
    assert got.upvalues[0].value[2] is got.upvalues
    assert got.upvalues[0].value[0].upvalues is got.upvalues


@given(st.data())
def test_any_graph_of_tables_comes_back(data: st.DataObject) -> None:
    tables: list[Any] = data.draw(st.lists(st.sampled_from([[], Table()]), min_size=1, max_size=6).map(copy.deepcopy))
    pick = st.sampled_from(range(len(tables)))
    for table in tables:
        for i in data.draw(st.lists(pick, max_size=4)):
            if isinstance(table, list):
                table.append(tables[i])
            else:
                table[data.draw(st.one_of(st.sampled_from("ab"), pick.map(tables.__getitem__)))] = tables[i]
    root = Table(all=tables)
    got = again(root, data.draw(st.sampled_from(["binary", "ascii"])))
    check_same(root, got, {}, {})


def check_same(want: Any, got: Any, there: dict[int, Any], back: dict[int, Any]) -> None:
    """That two graphs of tables are the same up to the identity of the tables."""
    work = [(want, got)]
    while work:
        a, b = work.pop()
        if id(a) in there or id(b) in back:
            assert there[id(a)] is b
            assert back[id(b)] is a
            continue
        there[id(a)], back[id(b)] = b, a
        expected = list if isinstance(a, list) or not a else Table
        assert type(b) is expected
        first, second = list(torch7.pairs(a)), list(torch7.pairs(b))
        assert len(first) == len(second)
        for (key, x), (other_key, y) in zip(first, second):
            work.append((x, y))
            if isinstance(key, (list, dict)):
                work.append((key, other_key))
            else:
                assert key == other_key


def test_referenced_false_writes_everything_again() -> None:
    inner = [1, 2]
    file = MemoryFile().binary().referenced(False)
    file.writeObject([inner, inner])
    got = file.seek(1).referenced(True).readObject()
    assert got == [[1, 2], [1, 2]]
    assert got[0] is not got[1]
    assert not MemoryFile().referenced(False).isReferenced()


def test_a_cycle_needs_references(tmp_path: Any) -> None:
    ring: list[Any] = [1]
    ring.append({"r": ring})
    with pytest.raises(ValueError, match=r"torch7.save: cannot write an object inside of itself at \[1\].r without"):
        torch7.save(tmp_path / "x.t7", ring, referenced=False)
    assert list(tmp_path.iterdir()) == []


def test_the_same_file_keeps_its_references() -> None:
    file = MemoryFile().binary()
    shared = {"a": np.arange(3.0)}
    file.writeObject(shared)
    file.writeObject([shared, shared["a"]])
    file.seek(1)
    first = file.readObject()
    second = file.readObject()
    assert second[0] is first
    assert second[1] is first.a


def test_ids_of_dead_objects_are_not_taken_for_living_ones() -> None:
    file = MemoryFile().binary()
    for i in range(50):
        file.writeObject([i, np.full(2, float(i))])
    file.seek(1)
    assert [file.readObject()[1][0] for _ in range(50)] == list(range(50))


@pytest.mark.parametrize(("mode", "referenced"), [("binary", True), ("ascii", False)])
def test_depth_has_no_limit(mode: str, referenced: bool, tmp_path: Any) -> None:
    value: Any = np.arange(2.0)
    for i in range(30_000):
        value = [value] if i % 3 == 0 else {"x": value} if i % 3 == 1 else TorchObject("gold.Deep", x=value)
    torch7.save(tmp_path / "deep.t7", value, mode, referenced)
    got = torch7.load(tmp_path / "deep.t7", mode)
    depth = 0
    while not isinstance(got, np.ndarray):
        got = got[0] if isinstance(got, list) else got.x
        depth += 1
    assert depth == 30_000
    assert got.tolist() == [0, 1]
