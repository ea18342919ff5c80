"""Damaged and hostile files: T7Error says what is wrong and where, at once and without taking memory."""

from __future__ import annotations

import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import torch7
from tests.support import golden
from torch7 import MemoryFile, Storage, T7Error, TorchObject, registry

ROOT = golden.ROOT / "t7"
FILES = sorted(ROOT.glob("files/*.t7"))
SMALL = [path for path in FILES if path.stat().st_size < 3000]


@pytest.fixture(autouse=True)
def _no_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known but what a test registers."""
    monkeypatch.setattr(registry, "_classes", {})


def number(x: float) -> bytes:
    return struct.pack("<id", 1, x)


def text(s: bytes) -> bytes:
    return struct.pack("<i", len(s)) + s


def table(index: int, size: int, *parts: bytes) -> bytes:
    return struct.pack("<iii", 3, index, size) + b"".join(parts)


def torch(index: int, name: bytes, *parts: bytes) -> bytes:
    return struct.pack("<ii", 4, index) + text(b"V 1") + text(name) + b"".join(parts)


def storage(index: int, *values: float, size: int | None = None, name: bytes = b"torch.DoubleStorage") -> bytes:
    count = len(values) if size is None else size
    return torch(index, name, struct.pack(f"<q{len(values)}d", count, *values))


def tensor(index: int, sizes: list[int], strides: list[int], offset: int, inside: bytes) -> bytes:
    header = struct.pack(f"<i{2 * len(sizes) + 1}q", len(sizes), *sizes, *strides, offset)
    return torch(index, b"torch.DoubleTensor", header, inside)


NIL = struct.pack("<i", 0)
THREE = storage(2, 1, 2, 3)

HOSTILE = {
    "no type": (struct.pack("<i", 99), "expected the type of an object, a number from 0 to 8, found 99"),
    "negative type": (struct.pack("<i", -1), "found -1"),
    "empty": (b"", "expected an int of 4 bytes, found only 0 before the end of the file"),
    "half a number": (number(1)[:9], "expected a double of 8 bytes, found only 5"),
    "huge table": (table(1, 2**31 - 1), "the number of entries of a table, found 2147483647 with 0 bytes left"),
    "negative table": (table(1, -1), "expected the number of entries of a table, found -1"),
    "short table": (table(1, 3, number(1)), "expected an int of 4 bytes, found only 0 before the end of the file"),
    "huge string": (struct.pack("<ii", 2, 2**31 - 1), "expected the length of a string, found 2147483647 with 0 bytes"),
    "negative string": (struct.pack("<ii", 2, -5), "expected the length of a string, found -5"),
    "short string": (struct.pack("<ii", 2, 9) + b"abc", "expected a string of 9 bytes, found only 3"),
    "huge storage": (storage(1, size=2**62), "expected the size of a torch.DoubleStorage, found 4611686018427387904"),
    "negative storage": (storage(1, size=-1), "expected the size of a torch.DoubleStorage, found -1 with 0 bytes left"),
    "short storage": (storage(1, 1, 2, size=3), "found 3 with 16 bytes left"),
    "no size": (torch(1, b"torch.IntStorage", b"\0\0"), "expected 1 elements of type Long, found only 0 before b"),
    "many dimensions": (torch(1, b"torch.ByteTensor", struct.pack("<i", 65)), "number of dimensions of a torch.Byte"),
    "negative dimensions": (torch(1, b"torch.ByteTensor", struct.pack("<i", -1)), "at most 64, found -1"),
    "negative size": (tensor(1, [-1], [1], 1, THREE), "found sizes [-1], strides [1] and offset 1"),
    "negative stride": (tensor(1, [2], [-1], 3, THREE), "found sizes [2], strides [-1] and offset 3"),
    "no offset": (tensor(1, [2], [1], 0, THREE), "inside its storage of 3, found sizes [2], strides [1] and offset 0"),
    "offset": (tensor(1, [2], [1], 3, THREE), "a torch.DoubleTensor inside its storage of 3"),
    "too long": (tensor(1, [2, 2], [2, 1], 1, THREE), "inside its storage of 3"),
    "huge stride": (tensor(1, [2], [2**62], 1, THREE), "inside its storage of 3"),
    "overflow": (tensor(1, [2**32, 2**32], [0, 0], 1, THREE), "inside its storage of 3"),
    "overflow of nothing": (tensor(1, [2**62, 2**62, 0], [0, 0, 0], 1, THREE), "inside its storage of 3"),
    "no storage": (tensor(1, [2], [1], 1, NIL), "expected the storage of a torch.DoubleTensor of sizes [2]"),
    "another storage": (tensor(1, [0], [1], 1, storage(2, name=b"torch.FloatStorage")), "expected the storage"),
    "a table as storage": (tensor(1, [1], [1], 1, table(2, 0)), "expected the storage of a torch.DoubleTensor"),
    "its own storage": (tensor(1, [1], [1], 1, struct.pack("<ii", 4, 1)), "expected the storage"),
    "nil as key": (table(1, 1, NIL, number(1)), "expected a table's key, found nil or a NaN"),
    "NaN as key": (table(1, 1, number(float("nan")), number(1)), "expected a table's key, found nil or a NaN"),
    "no class name": (torch(1, b"", table(2, 0)), "expected the name of a class, found ''"),
    "bad class name": (torch(1, b"a\nb", table(2, 0)), r"expected the name of a class, found 'a\nb' at byte 8"),
    "bad version": (struct.pack("<ii", 4, 1) + text(b"V x"), "expected the version of a class, found b'V x'"),
    "fields": (torch(1, b"tds.Hash", number(3)), "fields of a tds.Hash, which is not registered and may have a format"),
    "shared fields": (table(1, 1, number(1), torch(2, b"a.B", struct.pack("<ii", 3, 1))), "of the fields of a a.B"),
    "fields of another kind": (
        table(1, 2, number(1), torch(2, b"a.B", table(3, 0)), number(2), torch(4, b"a.C", struct.pack("<ii", 3, 2))),
        "expected a table of the fields of a a.C, found TorchObject",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_each_fault_is_named(name: str) -> None:
    data, message = HOSTILE[name]
    with pytest.raises(T7Error) as caught:
        torch7.deserialize(data)
    assert message in str(caught.value)
    assert "memory: " in str(caught.value)
    assert "(at byte " in str(caught.value)


def test_the_error_names_the_file_and_the_place(tmp_path: Path) -> None:
    path = tmp_path / "broken.t7"
    path.write_bytes(table(1, 1, number(1), struct.pack("<i", 77)))
    with pytest.raises(T7Error, match=rf"^{path}: expected the type .* found 77 \(at byte 28\)$"):
        torch7.load(path)
    assert issubclass(T7Error, ValueError)


def test_odd_but_harmless_files() -> None:
    assert torch7.deserialize(tensor(1, [0, 3], [3, 1], 1, THREE)).shape == (0, 3)
    huge = torch7.deserialize(tensor(1, [2**40], [0], 2, THREE))
    assert (huge.shape, huge[-1]) == ((2**40,), 2)
    assert torch7.deserialize(table(1, 2, number(1), NIL, number(2), number(5))) == {2: 5}
    assert torch7.deserialize(table(1, 2, number(1), number(4), number(1), number(5))) == {1: 5}
    assert torch7.deserialize(struct.pack("<ii", 5, 7)) is False
    assert torch7.deserialize(number(1) + b"more") == 1
    fields = table(2, 1, struct.pack("<i", 2) + text(b"x"), number(1))
    both = torch7.deserialize(
        table(1, 2, number(1), torch(3, b"a.B", fields), number(2), torch(4, b"a.B", struct.pack("<ii", 3, 2)))
    )
    assert [x.x for x in both] == [1, 1]


# What the user's classes do not accept


def register(body: dict[str, Any], bases: tuple[type, ...] = ()) -> None:
    registry.register("gold.Picky")(type("Picky", bases, body))


def fails(*_: Any) -> Any:
    raise KeyError("name")


@pytest.mark.parametrize(
    ("body", "bases", "message"),
    [
        ({"torch_loaded": fails}, (), "gold.Picky failed in torch_loaded: KeyError: 'name'"),
        ({"read": fails}, (), "gold.Picky failed in read: KeyError: 'name'"),
        ({}, (dict,), "gold.Picky failed in __new__: TypeError"),
        ({"__slots__": ()}, (), "gold.Picky failed in __dict__: TypeError"),
        ({"read": lambda self, file, version: file.readDouble(2)}, (), "read error: read 1 blocks instead of 2"),
    ],
)
def test_a_class_that_refuses_makes_a_t7_error(body: dict[str, Any], bases: tuple[type, ...], message: str) -> None:
    register(body, bases)
    with pytest.raises(T7Error) as caught:
        torch7.deserialize(torch(1, b"gold.Picky", table(2, 0)))
    assert message in str(caught.value)


def test_a_key_that_cannot_be_hashed_yet() -> None:
    register({"__hash__": lambda self: hash(self.name), "__eq__": lambda self, other: self is other})
    with pytest.raises(T7Error, match="a table's key failed in __hash__: AttributeError"):
        torch7.deserialize(table(1, 1, torch(2, b"gold.Picky", table(3, 0)), number(1)))


def test_foreign_that_refuses() -> None:
    with pytest.raises(T7Error, match=r"a\.B failed in foreign: KeyError"):
        torch7.deserialize(torch(1, b"a.B", table(2, 0)), foreign=fails)


def test_an_interrupt_goes_through() -> None:
    def interrupt(self: Any, version: int) -> None:
        raise KeyboardInterrupt

    register({"torch_loaded": interrupt})
    with pytest.raises(KeyboardInterrupt):
        torch7.deserialize(torch(1, b"gold.Picky", table(2, 0)))


def test_classes_that_read_themselves_cannot_exhaust_the_stack() -> None:
    register({"read": lambda self, file, version: setattr(self, "inside", file.readObject())})
    data = b"".join(torch(i, b"gold.Picky") for i in range(20_000)) + NIL
    with pytest.raises(T7Error, match="RecursionError"):
        torch7.deserialize(data)
    shallow = torch7.deserialize(torch(1, b"gold.Picky", torch(2, b"gold.Picky", NIL)))
    assert shallow.inside.inside is None


def test_a_reference_to_a_tensor_that_is_being_read() -> None:
    register({"read": lambda self, file, version: setattr(self, "inside", file.readObject())})
    with pytest.raises(T7Error, match="a reference to a tensor that is still being read"):
        torch7.deserialize(tensor(1, [1], [1], 1, torch(2, b"gold.Picky", struct.pack("<ii", 4, 1))))


def test_a_file_can_be_read_on_after_an_error() -> None:
    file = MemoryFile(table(1, 1, number(1), struct.pack("<i", 77)) + table(1, 1, number(1), number(5))).binary()
    with pytest.raises(T7Error):
        file.readObject()
    assert file.hasError()
    assert file.readObject() == [5]


# Another mode than the file was written in

VALUE = {"x": [np.arange(6.0).reshape(2, 3), 1.5], "name": "abc"}


@pytest.mark.parametrize("value", [VALUE, [1, 2], "text", np.arange(3), np.arange(3).view(Storage), None, 5])
def test_the_message_says_which_mode_fits(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.t7"
    torch7.save(path, value, "ascii")
    with pytest.raises(T7Error, match=r"this looks like an ascii file: read it with mode 'ascii'$"):
        torch7.load(path)
    torch7.save(path, value)
    with pytest.raises(T7Error, match=r"this looks like a binary file: read it with mode 'binary'$"):
        torch7.load(path, "ascii")


@pytest.mark.parametrize(
    "value",
    [
        VALUE,
        np.arange(3),
        np.zeros((2, 2, 2)),
        np.zeros(5, "u1"),
        [np.zeros(1), {"x": 1}],
        [np.arange(1.0, 4.0).view(Storage), 1],
    ],
)
@pytest.mark.parametrize("size", [4, 8])
def test_the_message_says_which_size_of_longs_fits(value: Any, size: int, tmp_path: Path) -> None:
    with torch7.DiskFile(tmp_path / "x.t7", "w") as file:
        file.binary().longSize(size).writeObject(value)
    with pytest.raises(T7Error, match=f"longs of {size} bytes: read it with mode 'b{8 * size}'"):
        torch7.load(tmp_path / "x.t7", f"b{96 - 8 * size}")


def test_the_message_says_which_byte_order_fits() -> None:
    for write, read, want in (("big", "little", "bigEndian"), ("little", "big", "littleEndian")):
        file = MemoryFile().binary()
        getattr(file, f"{write}EndianEncoding")().writeObject(VALUE)
        with pytest.raises(T7Error, match=f"other byte order: call {want}Encoding\\(\\) before reading"):
            getattr(file.seek(1), f"{read}EndianEncoding")().readObject()


@pytest.mark.parametrize("data", [b"PK\3\4", b"\x80\2}", b"hello world, this is no Torch file", b"{}", b"\0" * 3])
def test_other_files(data: bytes) -> None:
    for mode in ("binary", "ascii"):
        with pytest.raises(T7Error):
            torch7.deserialize(data, mode)


def test_no_hint_where_the_mode_is_right() -> None:
    data = torch7.serialize(VALUE)
    with pytest.raises(T7Error) as caught:
        torch7.deserialize(data[:-3])
    assert "looks like" not in str(caught.value)


# Anything at all


def attempt(data: bytes, mode: str) -> Any:
    """Loads the data in a mode; nothing but T7Error may come out, and it may not take long."""
    start = time.process_time()
    try:
        with MemoryFile(data) as file:
            if mode != "ascii":
                file.binary().longSize(4 if mode == "b32" else 8)
            return file.readObject()
    except T7Error as error:
        return error
    finally:
        assert time.process_time() - start < 2


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_a_file_that_ends_early(path: Path) -> None:
    data = path.read_bytes()
    mode = "ascii" if path.stem.endswith(".ascii") else "b32" if path.stem.endswith(".long4") else "b64"
    if path.stem.endswith(".big") or path.stem.startswith(("multi", "class_custom")):
        return
    for end in range(0, len(data), max(1, len(data) // 60)):
        got = attempt(data[:end], mode)
        assert isinstance(got, T7Error) or mode == "ascii"


mutations = st.lists(
    st.tuples(
        st.sampled_from(["set", "insert", "delete", "int", "copy", "cut"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 255),
        st.sampled_from([0, 1, -1, 2, 3, 4, 8, 100, 2**31 - 1, -(2**31), 2**20, 0x7F000000]),
    ),
    min_size=1,
    max_size=6,
)


def mutated(data: bytes, changes: list[tuple[str, float, int, int]]) -> bytes:
    out = bytearray(data)
    for what, where, byte, integer in changes:
        at = int(where * len(out))
        if what == "set":
            out[at : at + 1] = bytes([byte])
        elif what == "insert":
            out[at:at] = bytes([byte])
        elif what == "delete":
            del out[at : at + byte % 9]
        elif what == "int":
            out[at : at + 4] = struct.pack("<i", integer)
        elif what == "copy":
            out[at:at] = out[int(byte / 256 * len(out)) :][:64]
        else:
            del out[at:]
    return bytes(out)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(FILES), mutations, st.sampled_from(["ascii", "b32", "b64"]), st.booleans())
def test_damaged_files(path: Path, changes: Any, mode: str, fitting: bool) -> None:
    if fitting:
        mode = "ascii" if path.stem.endswith(".ascii") else "b64"
    attempt(mutated(path.read_bytes(), changes), mode)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["ascii", "b32", "b64"]))
def test_random_bytes(data: bytes, mode: str) -> None:
    attempt(data, mode)


words = st.one_of(
    st.integers(-2, 9).map(lambda n: b"%d\n" % n),
    st.sampled_from([b"V 1\n", b"4\n", b"3\n", b"3\n1\n1\n", b"18\ntorch.DoubleTensor\n", b"19\ntorch.DoubleStorage\n",
                     b" ", b"nan\n", b"1e9\n", b"gold.Point\n10\n", b"2147483647\n", b"9" * 30 + b"\n"]),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(words, max_size=40))
def test_random_words(parts: list[bytes]) -> None:
    attempt(b"".join(parts), "ascii")


@pytest.mark.parametrize("name", [name for name in HOSTILE if "huge" in name or "overflow" in name or "many" in name])
def test_no_memory_is_taken_for_counts_that_the_file_cannot_hold(name: str) -> None:
    tracemalloc.start()
    try:
        attempt(HOSTILE[name][0], "b64")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("mode", ["binary", "ascii"])
def test_time_grows_with_the_file_only(mode: str) -> None:
    """Cycles, one long line, one long string, many empty tables: nothing of it is quadratic."""
    ring: list[Any] = []
    ring += [{"ring": ring, "point": TorchObject("gold.Point", ring=ring)} for _ in range(2_000)]
    nested: Any = []
    for _ in range(2_000):
        nested = {"inside": nested, 1: ring}
    keyed = torch7.Table()
    for i in range(2_000):
        keyed[[i, keyed]] = ring
    for value in (nested, keyed, ["x" * 1_000_000, [[] for _ in range(10_000)]]):
        assert not isinstance(attempt(torch7.serialize(value, mode), "ascii" if mode == "ascii" else "b64"), T7Error)
    attempt(b"1 1 " * 100_000, "ascii")
    attempt(b"3 1 1000 " + b"1 7 1 8 " * 100_000, "ascii")
    attempt(b"\n" * 1_000_000, "ascii")
    attempt(b"3\n1\n100000\n" + b"3 2 0 1 1 " * 40_000, "ascii")
