"""Objects of classes, Lua functions, hooks, and what a .t7 file cannot hold."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

import torch7
from tests.support.t7 import MODES, again
from torch7 import Key, LuaFunction, MemoryFile, Storage, Table, TorchObject, registry
from torch7.cloning import deep_copy


@pytest.fixture(autouse=True)
def _classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test knows the classes that it registers, and no others."""
    monkeypatch.setattr(registry, "_classes", {})


# Objects


def test_unknown_classes() -> None:
    point = TorchObject("gold.Point", 3, x=1, y=2.5)
    got = again([point, point])[0]
    assert (got.x, got.y, got.torch_typename, got.torch_version) == (1, 2.5, "gold.Point", 3)
    assert torch7.typename(got) == "gold.Point"
    assert repr(got) == "gold.Point {x: 1, y: 2.5}"
    assert vars(got) == {"x": 1, "y": 2.5}
    nested = TorchObject("gold.Box", a=np.zeros((2, 3)), b=[1, 2], c={}, d=got, e="x")
    assert (
        repr(nested)
        == "gold.Box {a: torch.DoubleTensor of size 2x3, b: table of 2, c: table of 0, d: gold.Point, e: 'x'}"
    )


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)), again])
def test_unknown_objects_are_copied(copied: Any) -> None:
    got = copied(TorchObject("gold.Point", 2, x=[1]))
    assert (got.torch_typename, got.torch_version, got.x) == ("gold.Point", 2, [1])


def test_unknown_objects_inside_of_others_are_cloned() -> None:
    shared = np.zeros(2)
    got = deep_copy([TorchObject("gold.Point", 2, x=shared), shared])
    assert (got[0].torch_typename, got[0].torch_version) == ("gold.Point", 2)
    assert got[0].x is got[1]


def test_fields_need_not_be_strings() -> None:
    odd = TorchObject("gold.Odd")
    key = [1]
    vars(odd).update({1: "one", b"\xff": 2, Key(True): 3, Key(key): key})
    got = again(odd)
    assert list(vars(got).values())[:3] == ["one", 2, 3]
    assert torch7.serialize(got) == torch7.serialize(odd)
    listed = TorchObject("gold.List")
    vars(listed).update({1: "one", 2: "two"})
    assert vars(again(listed)) == {1: "one", 2: "two"}
    assert vars(again(TorchObject("gold.Empty"))) == {}


def test_versions() -> None:
    @torch7.register("gold.New", version=2)
    class New:
        def torch_loaded(self, version: int) -> None:
            self.came_as = version

    new = New()
    assert b"V 2\n8\ngold.New" in torch7.serialize(new, "ascii")
    assert again(new).came_as == 2
    old = torch7.serialize(new, "ascii").replace(b"3\nV 2\n", b"")
    assert torch7.deserialize(old, "ascii").came_as == 0
    for version in (0, 7, 1.5):
        unknown = TorchObject("gold.Old", version, x=1)
        assert again(unknown).torch_version == version
        assert torch7.serialize(again(unknown)) == torch7.serialize(unknown)
    assert b"V " not in torch7.serialize(TorchObject("gold.Old", 0))


def test_classes_are_made_without_init_and_told_when_all_is_read() -> None:
    calls = []

    @torch7.register("gold.Leaf")
    class Leaf:
        TRANSIENT = ("cache",)

        def __init__(self, name: str):
            self.name, self.cache, self.missing = name, object(), None

        def torch_loaded(self, version: int) -> None:
            calls.append((self.name, version, list(vars(self))))

    @torch7.register("gold.Tree")
    class Tree(Leaf):
        TRANSIENT = ("plan",)

        def torch_fields(self) -> dict[str, Any]:
            return {"name": self.name, "children": self.children, "nothing": None}

    @torch7.register("gold.Bush")
    class Bush(Leaf):
        TRANSIENT = ("plan",)

    leaf, tree, bush = Leaf("leaf"), Tree("tree"), Bush("bush")
    tree.children, bush.plan, bush.other = [leaf, bush, leaf], object(), tree
    got = again([tree])
    assert type(got[0]) is Tree
    assert vars(got[0].children[0]) == {"name": "leaf"}
    assert vars(got[0].children[1]) == {"name": "bush", "other": got[0]}
    assert got[0].children[2] is got[0].children[0]
    assert calls == [
        ("leaf", 1, ["name"]),
        ("bush", 1, ["name", "other"]),
        ("tree", 1, ["name", "children"]),
    ]


def test_a_class_may_write_itself() -> None:
    @torch7.register("gold.Raw", version=4)
    class Raw:
        def write(self, file: torch7.File) -> None:
            file.writeInt(self.n)
            file.writeObject(self.inside)

        def read(self, file: torch7.File, version: int) -> None:
            self.n, self.version = file.readInt(), version
            self.inside = file.readObject()

        def torch_loaded(self, version: int) -> None:
            self.loaded = version, self.inside

    outer, inner, shared = Raw(), Raw(), [np.arange(2.0)]
    outer.n, outer.inside, inner.n, inner.inside = 1, [inner, shared], 2, shared
    for mode in ("binary", "ascii"):
        got, same = again([outer, shared], mode)
        assert (got.n, got.version, got.inside[0].n) == (1, 4, 2)
        assert got.inside[1] is same
        assert got.inside[0].inside is same
        assert got.inside[0].loaded == (4, same)


def test_what_a_class_of_its_own_format_gets_for_an_outer_table() -> None:
    @torch7.register("gold.Link")
    class Link:
        def write(self, file: torch7.File) -> None:
            file.writeObject(self.to)

        def read(self, file: torch7.File, version: int) -> None:
            self.to = file.readObject()

    link = Link()
    link.to = {"x": [link]}
    link.to["self"] = link.to["x"]
    got = again(link.to)
    assert got.x[0].to is got
    direct = [Link(), 5]
    direct[0].to = direct
    got = again(direct)
    assert got[1].to is got  # known to be a list too late: it stays a Table
    assert got == Table({1: got[1], 2: 5})
    unknown = TorchObject("gold.Home", link=link)
    link.to = unknown
    assert (got := again(unknown)).link.to is got
    asked = torch7.deserialize(torch7.serialize(unknown), foreign=lambda name, fields: fields)
    assert asked.link.to is asked
    assert isinstance(asked, TorchObject)


def test_a_table_may_hold_a_field_with_the_name_of_a_class() -> None:
    assert again(Table(torch_typename="gold.Point", x=1)) == Table(torch_typename="gold.Point", x=1)


# Functions


def test_functions_cannot_be_called_but_kept() -> None:
    function = LuaFunction(b"\x1bLJ\0\xff", [Table(name="up", id=1, value=10)])
    got, same = again([function, function])
    assert got is same
    assert (got.bytecode, got.upvalues, got.kind) == (function.bytecode, function.upvalues, 8)
    assert repr(got) == "<LuaFunction of 5 bytes>"
    with pytest.raises(TypeError, match="Lua bytecode, which cannot run here"):
        got(1)


@MODES
@pytest.mark.parametrize("kind", [6, 7, 8])
def test_older_forms_of_functions(kind: int, mode: str) -> None:
    function = LuaFunction(b"code", [1, "two"], kind)
    got = again([function, function], mode)
    assert [(f.kind, f.bytecode, f.upvalues) for f in got] == [(kind, b"code", [1, "two"])] * 2
    assert (got[0] is got[1]) == (kind != 6)
    assert torch7.serialize(got, mode) == torch7.serialize([function, function], mode)


# Hooks


def test_the_hook_replaces_every_value() -> None:
    def hook(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.astype(np.float32)
        return value + 1 if type(value) is int else value

    a = np.arange(2.0)
    got = torch7.deserialize(torch7.serialize([a, a, {"n": 5}], hook=hook))
    assert got == Table({2: got[2], 3: got[2], 4: Table(n=6)})
    assert got[2].dtype == np.float32


def test_the_hook_sees_what_a_class_writes_itself() -> None:
    @torch7.register("gold.Wrapper")
    class Wrapper:
        def write(self, file: torch7.File) -> None:
            file.writeObject(print)

        def read(self, file: torch7.File, version: int) -> None:
            self.got = file.readObject()

    got = torch7.deserialize(torch7.serialize(Wrapper(), hook=lambda x: "print" if x is print else x))
    assert got.got == "print"


def test_foreign_values_go_through_hook_and_foreign(tmp_path: Any) -> None:
    def hook(value: Any) -> Any:
        return value if torch7.writable(value) else TorchObject("python.Set", items=sorted(value))

    def foreign(name: str, fields: Table) -> Any:
        return set(fields["items"]) if name == "python.Set" else None

    value = {1, 2}
    original = [value, value, TorchObject("gold.Point", x=value), {3}]
    torch7.save(tmp_path / "x.t7", original, hook=hook)
    for got in (
        torch7.load(tmp_path / "x.t7", foreign=foreign),
        torch7.deserialize(torch7.serialize(original, hook=hook), foreign=foreign),
    ):
        assert got[0] == {1, 2}
        assert got[1] is got[0]
        assert got[2].x is got[0]
        assert got[3] == {3}


def test_foreign_objects_in_cycles() -> None:
    class Box:
        def __init__(self, fields: Table):
            self.fields = fields

    thing = TorchObject("python.Box")
    thing.me, thing.list = thing, [thing]
    box = torch7.deserialize(torch7.serialize([thing]), foreign=lambda name, fields: Box(fields))[0]
    assert type(box) is Box
    assert box.fields.me is box
    assert box.fields.list[0] is box
    kept = torch7.deserialize(torch7.serialize([thing]), foreign=lambda name, fields: None)[0]
    assert kept.me is kept
    assert kept.list[0] is kept


def test_writable_says_what_a_file_can_hold() -> None:
    yes = [
        None,
        True,
        1,
        2**60,
        0.5,
        math.nan,
        "é",
        b"\xff",
        [],
        {},
        np.zeros(1),
        np.zeros(1, bool),
        TorchObject("a.B"),
    ]
    yes += [LuaFunction(b""), np.int8(1), np.zeros(1).view(Storage), Table(), np.zeros(2, ">f4"), (print,)]
    no = [print, {1}, object(), 2**53 + 1, 10**400, "\ud800", 1j, np.zeros(1, "c16"), int, range(3)]
    for value in yes:
        assert torch7.writable(value)
        torch7.serialize(value if value != (print,) else None) if not isinstance(value, np.ndarray) else None
    for value in no:
        assert not torch7.writable(value)
        with pytest.raises((TypeError, ValueError), match=r"torch7\.serialize: cannot write"):
            torch7.serialize(value)


# Refusals


class Plain:
    pass


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (print, "torch7.serialize: cannot write <builtin_function_or_method print>"),
        ({"protos": {"rnn": TorchObject("nn.S", modules=[1, TorchObject("nn.L", hook=print)])}},
         "cannot write <builtin_function_or_method print> at protos.rnn.modules[1].hook"),
        ([{"a b": {1}}], "cannot write <set> at [0]['a b']"),
        ({3: Plain()}, "cannot write <Plain> at [3]; register its class with torch7.register"),
        ({"x": Plain}, "cannot write <type Plain> at x"),
        (Table({Key(True): 1j}), "cannot write <complex> at [True]"),
        (LuaFunction(b"", [range(3)]), "cannot write <range> at upvalues[0]"),
        ({(1, 2): {1}}, "cannot write <set> at [<tuple>]"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
def test_what_cannot_be_written_is_named_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        torch7.serialize(value)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", [2**53 + 1, -(2**63) + 1, 10**400, np.uint64(2**64 - 1), "\ud800"])
def test_what_would_change_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"torch7.serialize: cannot write the (number|string) .* at a\[0\]"):
        torch7.serialize({"a": [value]})


def test_the_path_goes_through_classes_that_write_themselves() -> None:
    @torch7.register("gold.Own")
    class Own:
        def write(self, file: torch7.File) -> None:
            file.writeObject({"inside": [{1}]}, "own")

    with pytest.raises(TypeError, match=r"cannot write <set> at top.x.own.inside\[0\]"):
        MemoryFile().writeObject({"x": Own()}, "top")


def test_writing_goes_on_after_a_refusal() -> None:
    file = MemoryFile().binary()
    with pytest.raises(TypeError):
        file.writeObject([print])
    file.seek(1)
    file.writeObject(["fine"])
    assert file.seek(1).readObject() == ["fine"]


def test_an_unknown_class_says_so_when_it_is_used():
    point = torch7.deserialize(torch7.serialize(torch7.TorchObject("gold.Unheard", x=1)))
    assert point.x == 1
    assert not hasattr(point, "y")
    with pytest.raises(AttributeError, match=r"gold\.Unheard: there is no field 'forward'.* class is unknown here"):
        point.forward(3)
