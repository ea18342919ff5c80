"""Sharing, cloning, pickling and saving of modules and criterions."""

from __future__ import annotations

import collections
import copy
import pickle
import subprocess
from typing import Any

import numpy as np
import pytest

import nn
import torch7
from tests.support.modules import Custom, Holder, Planned, net, saved


def test_share_goes_module_by_module() -> None:
    a, b = net(), net()
    assert b.share(a, "weight", "nothing") is b
    a.get(1).weight.fill(3)
    assert (b.get(1).weight == 3).all()
    assert b.get(1).weight is not a.get(1).weight
    assert not np.shares_memory(a.get(1).bias, b.get(1).bias)
    assert a.get(1).shared is b.get(1).shared is True
    assert not a.get(2).shared


def test_share_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"nn\.Linear: cannot share bias, which nn\.Linear\(2 -> 2\) without bias has"):
        nn.Linear(2, 2).share(nn.Linear(2, 2, False), "bias")
    with pytest.raises(ValueError, match=r"nn\.Sequential: cannot share between 3 modules and 0"):
        net().share(nn.Sequential(), "weight")
    with pytest.raises(ValueError, match=r"nn\.Sequential: cannot share between 3 modules and 0"):
        net().share(nn.Tanh(), "weight")


def test_clone_shares_the_named_fields_only() -> None:
    m = net()
    m.getParameters()
    c = m.clone("weight", "gradWeight")
    for mine, theirs in zip(m.listModules(), c.listModules(), strict=True):
        if mine.weight is not None:
            assert np.shares_memory(mine.weight, theirs.weight)
            assert not np.shares_memory(mine.bias, theirs.bias)


def test_copies_of_a_list_of_modules_share_among_each_other() -> None:
    a = nn.Linear(2, 2)
    twins = [a, a.clone("weight")]
    first, second = copy.deepcopy(twins)
    assert np.shares_memory(first.weight, second.weight)
    assert not np.shares_memory(first.weight, a.weight)


def test_copy_copy_is_shallow() -> None:
    for x in (nn.Linear(2, 2), Custom()):
        x.note = [1]  # type: ignore[union-attr]
        other = copy.copy(x)
        assert type(other) is type(x)
        assert other is not x
        assert vars(other) == vars(x)
        assert all(value is getattr(x, name) for name, value in vars(other).items())


def test_fields_of_the_user_are_cloned_pickled_and_saved() -> None:
    m = nn.Linear(2, 2)
    m.note = {"epoch": 3, "state": np.arange(3.0), "names": ["a", "b"]}  # type: ignore[attr-defined]
    m.twin = m.note["state"][1:]  # type: ignore[attr-defined]
    for other in (m.clone(), copy.deepcopy(m), pickle.loads(pickle.dumps(m)), saved(m)):
        assert (other.note["epoch"], other.note["names"]) == (3, ["a", "b"])
        other.note["state"][1] = 7
        assert other.twin.tolist() == [7, 2]
    assert m.twin.tolist() == [1, 2]  # type: ignore[attr-defined]


def test_pickle_takes_what_a_t7_file_cannot() -> None:
    m = net()
    m.get(1).helper = subprocess  # type: ignore[attr-defined]
    m.get(1).kind = complex(1, 2)
    m.call = len  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        pickle.dumps(m)  # a module of Python's cannot be pickled either
    del m.get(1).helper
    other = pickle.loads(pickle.dumps(m))
    assert other.get(1).kind == complex(1, 2)
    assert other.call is len
    with pytest.raises(TypeError):
        torch7.serialize(m)


def test_pickle_keeps_python_s_kinds() -> None:
    m = nn.Linear(2, 2)
    whole = np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2) + 1
    kept = {
        "tuple": (2, [m.weight], (3,)),
        "holes": [1, None, 2],
        "numbers": {1: "a", 2: "b"},
        "mask": np.array([True, False]),
        "scalar": np.array(2.5),
        "text": (b"bytes", 2**60, {1, 2}, complex(1, 2)),
        "table": torch7.Table({True: 1, "a": [m]}),
        "default": collections.defaultdict(list, a=[m]),
        "storage": torch7.LongStorage([2, 3]),
        "layout": [whole[1], whole, whole.T, whole.view(np.int64)[0]],
        "unknown": torch7.TorchObject("gold.Point", 2, x=m.weight),
        "type": nn.Tanh,
    }
    m.kept = kept  # type: ignore[attr-defined]
    other = pickle.loads(pickle.dumps(m))
    got = other.kept
    for name in ("holes", "numbers", "text"):
        assert (type(got[name]), got[name]) == (type(kept[name]), kept[name])
    assert got["tuple"][0] == 2
    assert got["tuple"][1][0] is other.weight
    assert got["tuple"][2] == (3,)
    assert got["mask"].dtype == bool
    assert got["scalar"].shape == ()
    assert got["table"][True] == 1
    assert got["table"].a[0] is got["default"]["a"][0] is other
    assert got["default"]["new"] == []
    assert torch7.isStorage(got["storage"])
    assert (torch7.typename(got["unknown"]), got["unknown"].torch_version) == ("gold.Point", 2)
    assert got["unknown"].x is other.weight
    assert got["type"] is nn.Tanh
    for a, b in zip(got["layout"], kept["layout"], strict=True):  # type: ignore[call-overload]
        np.testing.assert_array_equal(a, b)
        assert np.shares_memory(a, got["layout"][1])


@pytest.mark.parametrize("duplicate", [lambda m: pickle.loads(pickle.dumps(m)), saved])
def test_transient_attributes_are_not_saved(duplicate: Any) -> None:
    m = Planned()
    m.plan = "made"
    assert m.clone().plan == "made"
    other = duplicate(nn.Sequential().add(m)).get(1)
    assert other.plan == "made again, version 4"


def test_modules_pickled_together_share_memory_again() -> None:
    m = net()
    m.getParameters()
    clones = [m, m.clone("weight", "bias", "gradWeight", "gradBias")]
    a, b = pickle.loads(pickle.dumps({"clones": clones, "criterion": Custom()}))["clones"]
    for mine, theirs in zip(a.parameters(), b.parameters(), strict=True):
        assert all(np.shares_memory(w, v) for w, v in zip(mine, theirs, strict=True))
    assert not np.shares_memory(a.get(1).weight, m.get(1).weight)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_in_every_protocol(protocol: int) -> None:
    m, x = net(), np.ones(4)
    m.owner = Holder(m)  # type: ignore[attr-defined]
    other = pickle.loads(pickle.dumps(m, protocol))
    assert other.owner.held is other
    np.testing.assert_array_equal(other.forward(x), m.forward(x))
    m.get(1).weight.fill(0)
    other.get(1).weight.fill(0)  # memory that can be written to


def test_pickle_knows_no_recursion() -> None:
    m: Any = nn.Tanh()
    for _ in range(3000):
        m = nn.Sequential().add(m)
    other = pickle.loads(pickle.dumps(m))
    depth = 0
    while isinstance(other, nn.Sequential):
        other, depth = other.get(1), depth + 1
    assert (type(other), depth) == (nn.Tanh, 3000)


def test_criterions_are_copied() -> None:
    c = Custom()
    c.weights = np.arange(3.0)  # type: ignore[attr-defined]
    c.forward(np.ones(2), np.ones(2))
    for other in (c.clone(), copy.deepcopy(c), pickle.loads(pickle.dumps(c)), saved(c)):
        assert type(other) is Custom
        assert other.weights.tolist() == [0, 1, 2]
        assert not np.shares_memory(other.weights, c.weights)  # type: ignore[attr-defined]
        assert other.output == 2
    assert repr(c) == "Custom"


class Dated(nn.Linear):
    """A user's class with a format of its own around Torch's."""

    def write(self, file: Any) -> None:
        file.writeObject("since 2015")
        super().write(file)

    def read(self, file: Any, version: float = 1) -> None:
        self.date = file.readObject()
        super().read(file, version)


def test_a_class_may_write_more_than_its_fields() -> None:
    m = Dated(2, 3)
    m.gradInput = None
    other = torch7.deserialize(torch7.serialize(nn.Sequential().add(m))).get(1)
    assert (type(other), other.date, other.gradInput) == (Dated, "since 2015", None)
    np.testing.assert_array_equal(other.weight, m.weight)
    assert torch7.typename(m) == "Dated"


def test_write_and_read_are_what_files_do_anyway() -> None:
    m = Planned()
    file = torch7.MemoryFile()
    m.write(file)
    fields = file.seek(1).readObject()
    assert set(fields) == {name for name in vars(m) if name not in Planned.TRANSIENT}
    other = nn.Module()
    other.read(file.seek(1))
    assert set(vars(other)) == set(fields)
