"""torch7.registry, tables and dtypes: names of classes, Lua's tables, names of types."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import torch7
from torch7 import dtypes, registry
from torch7.tables import Key, Storage, Table, is_table, pairs

# -- registry


@torch7.register("test.Animal", version=3)
class Animal:
    def __init__(self) -> None:
        raise AssertionError("a file reader must not call this")


class Dog(Animal):
    pass


def test_register_ties_a_name_to_a_class() -> None:
    assert registry.find("test.Animal") is Animal
    assert registry.class_name(Animal) == "test.Animal"
    assert Animal.torch_version == 3  # type: ignore[attr-defined]
    assert registry.find("test.Nothing") is None


def test_a_name_is_not_inherited() -> None:
    assert registry.class_name(Dog) is None
    assert registry.name_of(Dog.__new__(Dog)) is None


def test_an_object_may_have_a_name_of_its_own() -> None:
    animal = Animal.__new__(Animal)
    assert registry.name_of(animal) == "test.Animal"
    animal.torch_typename = "test.Unknown"  # type: ignore[attr-defined]
    assert registry.name_of(animal) == torch7.typename(animal) == "test.Unknown"


def test_construct_calls_no_init() -> None:
    assert type(registry.construct("test.Animal")) is Animal
    assert registry.construct("test.Nothing") is None


def test_registering_again_replaces() -> None:
    first = torch7.class_("test.Twice")
    second = torch7.class_("test.Twice")
    assert registry.find("test.Twice") is second is not first


@pytest.mark.parametrize("name", ["", "a b", "1st", ".Linear", "nn.Linear()"])
def test_register_refuses_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="is no class name"):
        torch7.register(name)


def test_class_makes_a_child() -> None:
    child = torch7.class_("test.kennel.Cat", "test.Animal")
    assert child.__name__ == "Cat"
    assert issubclass(child, Animal)
    assert registry.class_name(child) == "test.kennel.Cat"
    with pytest.raises(ValueError, match=r"no class 'test\.Nothing' to derive 'test\.Dog' from"):
        torch7.class_("test.Dog", "test.Nothing")


# -- tables


def test_fields_are_read_and_written_with_a_dot() -> None:
    t = Table(a=1)
    t.b = 2
    t["c"] = 3
    del t.a, t.missing  # what is nil already may be set to nil
    assert dict(t) == {"b": 2, "c": 3}
    assert (t.b, t.c, t.a) == (2, 3, None)
    assert "b" in t
    assert "a" not in t
    with pytest.raises(KeyError):
        t["a"]


def test_names_that_begin_with_an_underscore_are_python_s_until_set() -> None:
    t = Table()
    assert not hasattr(t, "__array_interface__")
    t._debugLabel = "x"
    assert t._debugLabel == "x"
    assert t["_debugLabel"] == "x"


def test_true_is_not_one() -> None:
    t = Table({1: "one"})
    t[True] = "true"
    assert (t[1], t[True], len(t)) == ("one", "true", 2)
    assert t.setdefault(True, "other") == "true"
    assert t.setdefault(False, "false") == "false"
    t.update({True: "again"}, name=5)
    assert (t[True], t[False], t[1], t.name) == ("again", "false", "one", 5)
    assert Table({True: 1})[True] == 1
    assert t.pop(True) == "again"
    assert t.pop(True, None) is None


def test_unhashable_keys_are_compared_by_identity() -> None:
    a, b, c = [1], [1], np.zeros(2)
    t = Table()
    t[a], t[c] = "a", "c"
    assert t[a] == "a"
    assert t.get(b) is None
    assert c in t
    assert b not in t
    assert next(key for key, _ in pairs(t)) is a
    assert set(t) == {Key(a), Key(c)}
    del t[a]
    assert a not in t
    assert repr(Key(a)).startswith("Key(list at 0x")


def test_list_part_stops_at_the_gap() -> None:
    assert list(Table({1: "a", 2: "b", 4: "d", "n": 0}).list_part()) == ["a", "b"]
    assert list(Table({True: "a"}).list_part()) == []


def test_tables_are_copied_and_pickled() -> None:
    key = [1]
    t = Table(a=[1, 2])
    t[True], t[key] = "true", "list"
    assert isinstance(t.copy(), Table)
    assert t.copy() == copy.copy(t) == t
    assert t.copy() is not t
    assert t.copy().a is t.a
    for other in (copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
        assert isinstance(other, Table)
        assert other.a == [1, 2]
        assert other.a is not t.a
        assert other[True] == "true"
        assert len(other) == 3
        assert [k for k, v in pairs(other) if v == "list"] == [[1]]
    assert repr(Table(a=1)) == "Table({'a': 1})"


@given(st.dictionaries(st.one_of(st.integers(), st.text(), st.booleans()), st.integers()))
def test_pairs_gives_every_entry(entries: dict[Any, int]) -> None:
    assert list(pairs(Table(entries))) == list(entries.items())
    assert list(pairs(list(entries.values()))) == list(enumerate(entries.values(), 1))


def test_what_counts_as_a_table_of_tensors() -> None:
    assert is_table([])
    assert is_table((1, 2))
    assert not any(is_table(x) for x in ({}, Table(), np.zeros(2), "text", None))


# -- dtypes


@pytest.mark.parametrize("kind", dtypes.KINDS)
def test_types_have_two_names(kind: str) -> None:
    name, dtype = f"torch.{kind}Tensor", dtypes.KINDS[kind]
    assert torch7.dtype_of(name) == dtype
    assert torch7.tensor_type(dtype) == name
    assert torch7.typename(np.zeros(2, dtype)) == name == torch7.type(np.zeros(2, dtype))
    assert torch7.typename(np.zeros(2, dtype).view(Storage)) == f"torch.{kind}Storage"


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("Cuda", "float32"), ("CudaDouble", "float64"), ("CudaHalf", "float16"), ("CudaLong", "int64"), ("Cl", "float32")],
)
def test_gpu_types_have_the_precision_of_cpu_types(name: str, dtype: str) -> None:
    assert torch7.dtype_of(f"torch.{name}Tensor") == dtype


@pytest.mark.parametrize("name", ["torch.FooTensor", "FloatTensor", None, ["torch.FloatTensor"]])
def test_unknown_types_are_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="unknown tensor type"):
        torch7.dtype_of(name)
    with pytest.raises(ValueError, match="unknown tensor type"):
        torch7.setdefaulttensortype(name)


@pytest.mark.parametrize("dtype", [complex, bool, object, "U3"])
def test_dtypes_that_torch_has_not_are_refused(dtype: Any) -> None:
    with pytest.raises(TypeError, match="Torch has no tensor of dtype"):
        torch7.tensor_type(dtype)
    assert torch7.typename(np.zeros(2, dtype)) is None


def test_default_type() -> None:
    with pytest.raises(ValueError, match=r"torch\.LongTensor cannot be the default"):
        torch7.setdefaulttensortype("torch.LongTensor")
    assert torch7.getdefaulttensortype() == "torch.DoubleTensor"
    try:
        torch7.setdefaulttensortype("torch.CudaTensor")
        assert torch7.getdefaulttensortype() == "torch.FloatTensor"
        assert torch7.default_dtype() == np.float32
    finally:
        torch7.setdefaulttensortype("torch.DoubleTensor")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "nil"),
        (True, "boolean"),
        (np.bool_(True), "boolean"),
        (3, "number"),
        (2.5, "number"),
        (np.float32(1), "number"),
        ("text", "string"),
        (b"bytes", "string"),
        ([1], "table"),
        ((1,), "table"),
        ({}, "table"),
        (OrderedDict(), "table"),
        (Table(), "table"),
        (len, "function"),
        (lambda: 0, "function"),
        (object(), "userdata"),
        (np.zeros(1, np.float32), "torch.FloatTensor"),
        (np.zeros(1, np.uint8).view(Storage), "torch.ByteStorage"),
    ],
)
def test_type_says_what_lua_would_say(value: Any, name: str) -> None:
    assert torch7.type(value) == name
    assert torch7.type(value, name) is True
    assert torch7.type(value, "thread") is False


def test_tensors_and_storages_are_told_apart() -> None:
    tensor, storage = np.zeros(2), np.zeros(2).view(Storage)
    assert torch7.isTensor(tensor)
    assert not torch7.isStorage(tensor)
    assert torch7.isStorage(storage)
    assert not torch7.isTensor(storage)
    assert not torch7.isTensor([1.0])
    assert not torch7.isStorage(None)


def test_isTypeOf_knows_parents() -> None:
    dog = Dog.__new__(Dog)
    assert torch7.isTypeOf(dog, "test.Animal")
    assert torch7.isTypeOf(dog, Animal)
    assert not torch7.isTypeOf(dog, "test.Cat")
    assert not torch7.isTypeOf(dog, Table)
    assert torch7.isTypeOf(np.zeros(1), "torch.DoubleTensor")
    assert not torch7.isTypeOf(3, "torch.DoubleTensor")


@pytest.mark.parametrize("sizes", [(2, 3), ([2, 3],), ((2, 3),), (np.array([2, 3]).view(Storage),), (np.int64(2), 3.0)])
def test_sizes_in_all_of_torch_s_ways(sizes: Any) -> None:
    assert dtypes.sizes_of(sizes) == (2, 3)
    assert all(type(n) is int for n in dtypes.sizes_of(sizes))
