"""torch7.DiskFile and torch7.MemoryFile: numbers, strings, positions and settings."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import torch7
from torch7 import DiskFile, MemoryFile, Storage, T7Error

KINDS = {
    "Byte": ("u1", [0, 255]),
    "Char": ("i1", [-128, 127]),
    "Short": ("i2", [-32768, 32767]),
    "Int": ("i4", [-(2**31), 2**31 - 1]),
    "Long": ("i8", [-(2**63), 2**63 - 1]),
    "Float": ("f4", [0.1, -1e30]),
    "Double": ("f8", [0.1, -1e300]),
}
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(params=["disk", "memory"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """An empty file to write and read."""
    made = DiskFile(tmp_path / "x", "rw") if request.param == "disk" else MemoryFile()
    yield made
    if not made._handle.closed:
        made.close()


def content(file: Any) -> bytes:
    """All bytes of a file."""
    file.synchronize()
    position = file.position()
    data = file.seek(1)._handle.read()
    file.seek(position)
    return data


def storage(values: list[Any], dtype: Any) -> Storage:
    return np.array(values, dtype).view(Storage)


# Numbers


@EACH_KIND
@pytest.mark.parametrize(
    "setting", ["ascii", "binary", "bigEndianEncoding", "littleEndianEncoding", "nativeEndianEncoding"]
)
def test_numbers_come_back(file: Any, kind: str, setting: str) -> None:
    if setting != "ascii":
        file.binary()
    getattr(file, setting)()
    dtype, values = KINDS[kind]
    read, write = getattr(file, f"read{kind}"), getattr(file, f"write{kind}")
    assert [write(x) for x in values] == [1, 1]
    assert write(storage(values, dtype)) == 2
    file.seek(1)
    expected = np.array(values, dtype).tolist()
    assert [read(), read()] == expected
    assert type(read(0)) is Storage
    room = storage([7, 7], dtype)
    assert read(room) == 2
    assert room.tolist() == expected
    many = file.seek(1) and read(1)
    assert (type(many), many.dtype, many.tolist()) == (Storage, np.dtype(dtype), expected[:1])
    assert not file.hasError()


@pytest.mark.parametrize(
    ("write", "value", "binary", "big", "ascii"),
    [
        ("Byte", 65, b"A", b"A", b"A\n"),
        ("Char", -1, b"\xff", b"\xff", b"\xff\n"),
        ("Short", 258, b"\2\1", b"\1\2", b"258\n"),
        ("Int", -2, b"\xfe\xff\xff\xff", b"\xff\xff\xff\xfe", b"-2\n"),
        ("Long", 1, b"\1" + bytes(7), bytes(7) + b"\1", b"1\n"),
        ("Float", 0.1, b"\xcd\xcc\xcc\x3d", b"\x3d\xcc\xcc\xcd", b"0.100000001\n"),
        ("Double", 1e300, b"\x9c\x75\0\x88\x3c\xe4\x37\x7e", b"\x7e\x37\xe4\x3c\x88\0\x75\x9c",
         b"1.0000000000000001e+300\n"),
        ("Bool", True, b"\1\0\0\0", b"\0\0\0\1", b"1\n"),
        ("Bool", None, bytes(4), bytes(4), b"0\n"),
        ("String", "é", b"\xc3\xa9", b"\xc3\xa9", b"\xc3\xa9"),
        ("Int", 3.99, b"\3\0\0\0", b"\0\0\0\3", b"3\n"),
    ],
)  # fmt: skip
def test_bytes_of_numbers(write: str, value: Any, binary: bytes, big: bytes, ascii: bytes) -> None:
    for settings, want in ((["binary"], binary), (["binary", "bigEndianEncoding"], big), (["ascii"], ascii)):
        with MemoryFile() as file:
            for setting in settings:
                getattr(file, setting)()
            getattr(file, f"write{write}")(value)
            assert content(file) == want


def test_long_size(file: Any) -> None:
    file.binary().longSize(4).writeLong(storage([1, -1], "i8"))
    assert content(file) == b"\1\0\0\0\xff\xff\xff\xff"
    file.seek(1)
    assert file.readLong(2).tolist() == [1, -1]
    file.longSize(8).seek(1)
    assert file.readLong() == -(2**32) + 1
    file.longSize().seek(1)
    assert file.readLong() == -(2**32) + 1
    for value in (2**31, -(2**31) - 1):
        with pytest.raises(ValueError, match="does not fit in 4 bytes"):
            file.longSize(4).writeLong(value)
    with pytest.raises(ValueError, match=r"longSize: expected 0, 4 or 8, got 5"):
        file.longSize(5)


def test_ascii_spacing(file: Any) -> None:
    file.writeInt(storage([1, 2], "i4"))
    file.writeFloat(storage([0.5, -0.0], "f4"))
    file.writeInt(storage([], "i4"))
    file.noAutoSpacing().writeInt(3)
    assert not file.isAutoSpacing()
    file.writeString(" ")
    file.writeInt(storage([4, 5], "i4"))
    assert file.autoSpacing().isAutoSpacing()
    file.writeByte(storage([65, 66], "u1"))
    assert content(file) == b"1 2\n0.5 -0\n3 45AB\n"


@pytest.mark.parametrize(
    ("text", "kind", "want", "rest"),
    [
        ("1 2 3\nx", "Int", [1, 2, 3], "x"),
        ("1 2 3 \nx", "Int", [1, 2, 3], " \nx"),
        ("\n 1\t2\r\n\n3", "Int", [1, 2, 3], ""),
        ("1 2 3 4", "Int", [1, 2, 3], " 4"),
        ("1 2 3abc", "Int", [1, 2, 3], "abc"),
        ("+1 -2 03\n\n", "Int", [1, -2, 3], "\n"),
        ("1.5 2e1 .5\n", "Double", [1.5, 20, 0.5], ""),
        ("1. -inf INFINITY\n", "Double", [1, -np.inf, np.inf], ""),
        ("nan -nan 1e999x", "Double", [np.nan, -np.nan, np.inf], "x"),
        ("1e30 1e300 1e-300\n", "Float", [np.float32(1e30), np.inf, 0], ""),
        (" " * 1000 + "1 2 3\n", "Int", [1, 2, 3], ""),
        ("0.1 " + "0.2" + "0" * 200 + " 3\n", "Double", [0.1, 0.2, 3], ""),
    ],
)
def test_ascii_numbers_are_found_as_scanf_finds_them(text: str, kind: str, want: list[float], rest: str) -> None:
    with MemoryFile(text.encode()) as file:
        np.testing.assert_array_equal(getattr(file, f"read{kind}")(3), np.array(want, KINDS[kind][0]))
        assert content(file)[file.position() - 1 :] == rest.encode()
        file.seek(1)
        one_by_one = [getattr(file, f"read{kind}")() for _ in range(3)]
        np.testing.assert_array_equal(one_by_one, np.array(want, KINDS[kind][0]).tolist())
        assert content(file)[file.position() - 1 :] == rest.encode()


def test_without_spacing_a_line_end_stays() -> None:
    with MemoryFile(b"12\n34") as file:
        assert file.noAutoSpacing().readInt() == 12
        assert file.position() == 3
        assert file.readInt(1).tolist() == [34]


@pytest.mark.parametrize(
    ("text", "kind", "got"),
    [
        ("1 2 x", "Int", [1, 2]),
        ("", "Int", []),
        ("1_0 2 3\n", "Int", [1]),
        ("1.5 2 3\n", "Int", [1]),
        ("9" * 400 + " 1 2\n", "Int", []),
        ("0x10 1 2", "Int", [0]),
        ("1_0 2 3\n", "Double", [1]),
    ],
)
def test_what_is_no_number_ends_reading(text: str, kind: str, got: list[int]) -> None:
    with MemoryFile(text.encode()) as file:
        assert getattr(file.quiet(), f"read{kind}")(3).tolist() == got
        assert file.hasError()
        with pytest.raises(T7Error, match=f"read error: read {len(got)} blocks instead of 3"):
            getattr(file.pedantic().seek(1), f"read{kind}")(3)


def test_ascii_numbers_out_of_range() -> None:
    with MemoryFile(b"40000 1\n") as file:
        with pytest.raises(T7Error, match="int16, found one that is out of range"):
            file.readShort(2)
        with pytest.raises(T7Error, match="out of range"):
            file.seek(1).readShort()


@given(st.lists(st.floats(allow_nan=False)), st.lists(st.floats(width=32, allow_nan=False)))
def test_ascii_loses_nothing(doubles: list[float], floats: list[float]) -> None:
    with MemoryFile() as file:
        file.writeDouble(storage(doubles, "f8"))
        file.writeFloat(storage(floats, "f4"))
        file.seek(1)
        assert file.readDouble(len(doubles)).tobytes() == np.array(doubles).tobytes()
        assert file.readFloat(len(floats)).tobytes() == np.array(floats, "f4").tobytes()


def test_ascii_arrays_longer_than_a_block() -> None:
    values = np.arange(70_000).view(Storage)
    with MemoryFile() as file:
        file.writeLong(values)
        assert content(file) == " ".join(map(str, range(70_000))).encode() + b"\n"
        np.testing.assert_array_equal(file.seek(1).readLong(70_000), values)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("Byte", 256), ("Byte", -1), ("Char", 128), ("Short", 2**15), ("Int", 2**31), ("Long", 2**63),
     ("Int", float("nan")), ("Long", float("inf"))],
)  # fmt: skip
def test_numbers_that_do_not_fit(file: Any, kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"torch7.\w+.write{kind}: .* does not fit in a {kind.lower()}"):
        getattr(file, f"write{kind}")(value)
    assert content(file) == b""


def test_a_double_too_large_for_a_float_is_infinite(file: Any) -> None:
    file.binary().writeFloat(1e300)
    assert file.seek(1).readFloat() == np.inf


@EACH_KIND
def test_other_storages_are_refused(file: Any, kind: str) -> None:
    other = np.zeros(2, "f4" if kind == "Double" else "f8")
    for method in (f"read{kind}", f"write{kind}"):
        with pytest.raises(TypeError, match=rf"{method}: expected a torch.{kind}Storage, got torch.\w+Tensor of 1D"):
            getattr(file, method)(other)
        with pytest.raises(TypeError, match=f"got torch.{kind}Tensor of 2D"):
            getattr(file, method)(np.zeros((1, 1), KINDS[kind][0]))
    with pytest.raises(TypeError, match=rf"expected a number or torch.{kind}Storage, got 'x'"):
        getattr(file, f"write{kind}")("x")
    with pytest.raises(ValueError, match="expected a number of elements, got -1"):
        getattr(file, f"read{kind}")(-1)


def test_a_storage_that_is_a_view_is_written_and_filled(file: Any) -> None:
    whole = np.arange(6, dtype="i4").view(Storage)
    file.binary().writeInt(whole[::2])
    file.seek(1)
    room = np.zeros(6, "i4").view(Storage)
    assert file.readInt(room[1::2]) == 3
    assert room.tolist() == [0, 0, 0, 2, 0, 4]


# Failures


@EACH_KIND
@pytest.mark.parametrize("mode", ["ascii", "binary"])
def test_reading_past_the_end(file: Any, kind: str, mode: str) -> None:
    getattr(file, mode)()
    write, read = getattr(file, f"write{kind}"), getattr(file, f"read{kind}")
    write(1)
    file.seek(1)
    with pytest.raises(T7Error, match=r"read error: read \d blocks instead of 3 \(at byte \d+\)"):
        read(3)
    assert file.hasError()
    assert not file.clearError().hasError()
    assert file.quiet().isQuiet()
    file.seek(1)
    got = read(3)
    assert got.tolist()[:1] == [1]
    assert got.size == (2 if mode == "ascii" and kind in ("Byte", "Char") else 1)  # the line end is a byte as well
    assert file.hasError()
    file.clearError()
    assert read() == 0
    assert file.hasError()
    assert not file.pedantic().isQuiet()
    with pytest.raises(T7Error, match="read 0 blocks instead of 1"):
        read()


def test_a_count_beyond_memory_is_no_harm(file: Any) -> None:
    file.binary().writeInt(1)
    file.seek(1)
    with pytest.raises(T7Error, match="read 0 blocks instead of 1000000000000000"):
        file.readDouble(10**15)


def test_a_full_disk() -> None:
    with pytest.raises(OSError, match="No space left"), DiskFile("/dev/full", "w") as file:
        file.noBuffer().writeInt(1)
    file = DiskFile("/dev/full", "w", quiet=True).noBuffer()
    assert file.writeInt(1) == 0
    assert file.writeString("abc") == 0
    assert file.hasError()
    with pytest.raises(OSError, match="No space left"):
        file.pedantic().writeObject([1])
    with pytest.raises(OSError, match="No space left"):
        file.close()
    with pytest.raises(OSError, match="No space left"):
        torch7.save("/dev/full", [1, 2])


# Strings


def test_strings(file: Any) -> None:
    assert file.writeString("first\nsecond é\n") == 16
    assert file.writeString(b"\xff\n\nlast") == 7
    file.seek(1)
    assert [file.readString("*l") for _ in range(4)] == ["first", "second é", b"\xff", ""]
    assert file.readString("*line") == "last"
    with pytest.raises(T7Error, match="read 0 blocks instead of 1"):
        file.readString("*l")
    file.clearError().quiet()
    assert file.readString("*a") == ""
    assert file.hasError()
    assert file.seek(14).readString("*all") == b"\xc3\xa9\n\xff\n\nlast"
    with pytest.raises(ValueError, match=r"readString: expected '\*l' or '\*a', got '\*n'"):
        file.readString("*n")


def test_booleans(file: Any) -> None:
    for value in (True, False, None, 0, "x"):
        file.writeBool(value)
    file.writeInt(2)
    file.seek(1)
    assert [file.readBool() for _ in range(6)] == [True, False, False, True, True, False]


# Positions and state


def test_positions_count_from_one(file: Any) -> None:
    assert file.binary().position() == 1
    file.writeInt(7)
    assert file.position() == 5
    assert file.seek(1).readInt() == 7
    assert file.seekEnd().position() == 5
    file.seek(3).writeByte(255)
    assert file.seek(1).readInt() == 7 + (255 << 16)
    for position in (0, -1):
        with pytest.raises(ValueError, match=f"seek: expected a position from 1 on, got {position}"):
            file.seek(position)


def test_places_behind_the_end(file: Any) -> None:
    if isinstance(file, DiskFile):
        file.seek(10).writeByte(1)
        assert content(file.binary())[:9] == bytes(9)
        return
    with pytest.raises(T7Error, match="unable to seek at position 2 of a file of 0 bytes"):
        file.seek(2)
    assert file.clearError().quiet().seek(2).position() == 1
    assert file.hasError()


def test_every_setting_returns_the_file(file: Any) -> None:
    plain = ["ascii", "binary", "autoSpacing", "noAutoSpacing", "quiet", "pedantic", "clearError", "synchronize"]
    orders = ["nativeEndianEncoding", "littleEndianEncoding", "bigEndianEncoding"]
    for name in [*plain, *orders, "longSize", "seekEnd"]:
        assert getattr(file, name)() is file
    assert file.seek(1) is file
    assert file.referenced(False) is file
    assert not file.isReferenced()
    assert file.referenced(True).isReferenced()
    assert file.ascii().isBinary() is False
    assert file.binary().isBinary() is True
    assert file.isLittleEndianCPU() is not file.isBigEndianCPU()
    assert file.close() is file


def test_a_closed_file_refuses_everything(file: Any) -> None:
    file.close()
    for call in (file.readInt, file.position, file.seekEnd, file.close, file.ascii, file.readObject, file.synchronize,
                 lambda: file.writeInt(1), lambda: file.seek(1), lambda: file.readString("*a")):  # fmt: skip
        with pytest.raises(ValueError, match=r"torch7.(Disk|Memory)File: .* is closed"):
            call()
    assert "closed" in repr(file)


@pytest.mark.parametrize("kind", ["disk", "memory"])
@pytest.mark.parametrize(
    ("mode", "calls"),
    [
        ("r", [("writeInt", 1), ("writeString", ""), ("writeObject", 1)]),
        ("w", [("readInt", None), ("readString", "*a"), ("readObject", None)]),
    ],
)
def test_modes_are_kept(kind: str, mode: str, calls: list[tuple[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1\n")
    with DiskFile(tmp_path / "x", mode) if kind == "disk" else MemoryFile(b"1\n", mode) as file:
        assert (file.isReadable(), file.isWritable()) == (mode == "r", mode == "w")
        for name, argument in calls:
            with pytest.raises(ValueError, match=rf"File.{name}: .* is open in mode '{mode}' only"):
                getattr(file, name)(argument)


def test_files_print_as_in_torch(tmp_path: Path) -> None:
    with DiskFile(tmp_path / "x", "w") as file:
        assert repr(file) == f"torch.DiskFile on <{tmp_path / 'x'}> [status: open -- mode  w]"
    assert repr(file) == f"torch.DiskFile on <{tmp_path / 'x'}> [status: closed -- mode  w]"
    assert repr(MemoryFile()) == "torch.MemoryFile on <memory> [status: open -- mode rw]"


# Disk files


def test_opening(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    with pytest.raises(FileNotFoundError):
        DiskFile(path)
    assert DiskFile(path, "r", True) is None
    assert DiskFile(str(tmp_path), "w", quiet=True) is None
    with pytest.raises(ValueError, match=r"torch7.DiskFile: expected mode 'r', 'w' or 'rw', got 'a'"):
        DiskFile(path, "a")
    with DiskFile(path, "rw", True) as file:
        assert file.isQuiet()
        file.writeInt(12)
    with DiskFile(path, "rw") as file:
        assert file.readInt() == 12
        file.writeInt(3)
    assert Path(path).read_bytes() == b"12\n3\n"
    with DiskFile(path, "w"):
        assert Path(path).read_bytes() == b""


def test_no_buffer(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with DiskFile(path, "w") as file:
        file.writeInt(1)
        assert path.read_bytes() == b""
        assert file.synchronize() is file
        assert path.read_bytes() == b"1\n"
        assert file.noBuffer() is file
        file.writeString("abc")
        assert path.read_bytes() == b"1\nabc"
        file.writeObject(True)
        assert path.read_bytes() == b"1\nabc5\n1\n"


def test_reading_sees_what_was_just_written(tmp_path: Path) -> None:
    with DiskFile(tmp_path / "x", "rw") as file:
        file.binary().writeInt(storage(list(range(5000)), "i4"))
        file.seek(1)
        assert file.readInt(5000).sum() == 4999 * 2500
        file.writeInt(-1)
        file.seek(5000 * 4 + 1)
        assert file.readInt() == -1


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"1 2 3\n4\n"))
    writer.start()
    with DiskFile(tmp_path / "pipe") as file:
        assert file.readInt(3).tolist() == [1, 2, 3]
        assert file.seek(7).readInt() == 4
    writer.join(10)


# Files in memory


def test_memory_files_begin_with_a_storage_or_bytes() -> None:
    assert MemoryFile(torch7.CharStorage([49, 10, 0])).readInt() == 1
    assert MemoryFile(b"1\n").readInt() == 1
    assert MemoryFile(bytearray(b"1\n"), "r").readInt() == 1
    assert MemoryFile(memoryview(b"1\n"), "r").readInt() == 1
    assert MemoryFile("w").isReadable() is False
    with pytest.raises(ValueError, match="expected a CharStorage that ends with a 0"):
        MemoryFile(torch7.CharStorage([49]))
    with pytest.raises(ValueError, match="expected a CharStorage that ends with a 0"):
        MemoryFile(np.zeros(0, "i1").view(Storage))
    with pytest.raises(TypeError, match=r"expected a torch.CharStorage, got torch.ByteTensor of 1D"):
        MemoryFile(np.zeros(3, "u1"))
    with pytest.raises(TypeError, match=r"torch7.MemoryFile: expected a torch.CharStorage or bytes, got int"):
        MemoryFile(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"torch7.MemoryFile: expected mode 'r', 'w' or 'rw', got 'x'"):
        MemoryFile(b"", "x")


def test_memory_files_give_their_storage() -> None:
    file = MemoryFile()
    assert file.storage().tolist() == [0]
    file.writeString("ab")
    got = file.storage()
    assert (type(got), torch7.typename(got), got.tolist()) == (Storage, "torch.CharStorage", [97, 98, 0])
    file.writeString("c")
    assert MemoryFile(file.storage()).readString("*a") == "abc"


def test_cloning_through_a_file_in_memory() -> None:
    file = MemoryFile()
    original = {"x": np.arange(3.0)}
    file.writeObject(original)
    clone = file.seek(1).readObject()
    clone.x[0] = 5
    assert original["x"][0] == 0
