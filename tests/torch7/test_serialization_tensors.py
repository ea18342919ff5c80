"""Tensors and storages in .t7 files, and the memory that they share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import torch7
from tests.support.t7 import MODES, again
from torch7 import MemoryFile, Storage, memory

DTYPES = [np.uint8, np.int8, np.int16, np.int32, np.int64, np.float16, np.float32, np.float64]


@MODES
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("big", [False, True])
def test_tensors_of_every_type(dtype: Any, mode: str, big: bool) -> None:
    a = np.arange(-5, 7).astype(dtype).reshape(3, 4)
    file = getattr(MemoryFile(), mode)()
    if big:
        file.bigEndianEncoding().longSize(4)
    file.writeObject([a, a[1:, ::2], a.T, a.ravel().view(Storage)])
    got = file.seek(1).readObject()
    for x, want in zip(got, [a, a[1:, ::2], a.T, a.ravel()]):
        assert x.dtype == dtype
        assert x.dtype.isnative
        np.testing.assert_array_equal(x, want)
        assert memory.owner(x) is memory.owner(got[0])
    assert type(got[3]) is Storage
    assert memory.strides(got[1]) == (4, 2)


@given(st.data())
def test_any_view_comes_back_with_its_storage(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    base = np.arange(math.prod(shape), dtype=np.float64).reshape(shape)
    index = tuple(slice(data.draw(st.integers(0, n - 1)), None, data.draw(st.sampled_from([1, 2, -1]))) for n in shape)
    view = base[index].transpose(data.draw(st.permutations(range(len(shape)))))
    got_base, got = again([base, view], data.draw(st.sampled_from(["binary", "ascii"])))
    np.testing.assert_array_equal(got_base, base)
    np.testing.assert_array_equal(got, view)
    forwards = all(s > 0 for s in view.strides) if view.size else True
    assert np.shares_memory(got, got_base) == (view.size > 0 and forwards)
    assert memory.strides(got) == memory.strides(view) or not forwards


def test_the_same_array_is_one_tensor_and_a_view_is_another() -> None:
    a = np.arange(3.0)
    first, second, view = again([a, a, a.view()])
    assert first is second
    assert view is not first
    assert memory.owner(view) is memory.owner(first)


def test_a_storage_shares_with_tensors_and_does_so_again() -> None:
    got = again(again({"t": (a := np.arange(4.0))[1:3], "s": memory.storage(a).view(Storage)}))
    got.s[1] = 99
    assert got.t[0] == 99
    assert type(got.s) is Storage
    assert got.t.base is not None


def test_a_part_of_a_storage_is_a_storage_of_its_own() -> None:
    whole = np.arange(5.0)
    part, strided, tensor = again([whole[1:3].view(Storage), whole[::2].view(Storage), whole])
    assert (part.tolist(), strided.tolist(), tensor.size) == ([1, 2], [0, 2, 4], 5)
    assert memory.owner(part) is not memory.owner(tensor)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 2)])
@pytest.mark.parametrize("dtype", [np.float64, np.uint8])
def test_empty_tensors(shape: tuple[int, ...], dtype: Any) -> None:
    got = again(np.zeros(shape, dtype))
    assert (got.shape, got.dtype) == ((0,), dtype)
    assert torch7.serialize(got, "ascii").endswith(b"Tensor\n0\n1\n0\n")


def test_an_empty_view_brings_its_storage() -> None:
    a = np.arange(3.0)
    got = again([a, a[:0]])
    assert got[1].shape == (0,)
    assert memory.owner(got[1]) is memory.owner(got[0])
    assert again(np.zeros(0).view(Storage)).shape == (0,)


@pytest.mark.parametrize(
    "a",
    [
        np.arange(6.0)[::-1],
        np.arange(6.0, dtype=">f8"),
        np.arange(12.0).view(np.float32)[::2].copy().view(np.float64),
        np.array([(1, 2.5), (2, 3.5)], "i1,f8")["f1"],
        np.arange(4, dtype=np.float64).view(np.int64),
        np.broadcast_to(np.arange(3.0), (2, 3)),
        np.lib.stride_tricks.sliding_window_view(np.arange(7.0), 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2).copy("K"),
        np.frombuffer(bytes(range(16)), np.int16),
        np.array(3.5),
        np.arange(9.0).reshape(3, 3)[1, 1:2].reshape(()),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_arrays_that_torch_could_not_have(a: np.ndarray) -> None:
    got = again(a)
    assert got.dtype == a.dtype.newbyteorder("=")
    assert got.shape == (a.shape or (1,))
    np.testing.assert_array_equal(got, a.reshape(got.shape))
    assert got.flags.writeable


def test_booleans_become_bytes() -> None:
    mask = np.array([[True, False], [False, True]])
    got, row, storage = again([mask, mask[1], mask.ravel().view(Storage)])
    assert (got.dtype, got.tolist()) == (np.uint8, [[1, 0], [0, 1]])
    assert memory.owner(row) is memory.owner(got) is memory.owner(storage)


@pytest.mark.parametrize("dtype", [np.complex128, np.uint16, np.uint64, object, "U3", "M8[s]", "i1,f8"])
def test_dtypes_that_torch_has_not(dtype: Any) -> None:
    for a in (np.zeros(2, dtype), np.zeros(2, dtype).view(Storage)):
        with pytest.raises(TypeError, match=r"torch7.serialize: cannot write an array of dtype .* at x\[1\].y"):
            torch7.serialize({"x": [0, {"y": a}]})


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("Cuda", "f4"), ("CudaDouble", "f8"), ("CudaHalf", "f2"), ("CudaLong", "i8"), ("Cl", "f4"), ("CudaByte", "u1")],
)
def test_gpu_tensors_become_cpu_tensors(name: str, dtype: str) -> None:
    kind = torch7.dtypes.KIND_OF[np.dtype(dtype)]
    data = torch7.serialize(np.arange(3, dtype=dtype), "ascii").decode()
    for part in ("Tensor", "Storage"):
        data = data.replace(
            f"{len(f'torch.{kind}{part}')}\ntorch.{kind}{part}", f"{len(f'torch.{name}{part}')}\ntorch.{name}{part}"
        )
    assert f"torch.{name}Storage" in data
    got = torch7.deserialize(data.encode(), "ascii")
    assert (got.dtype, got.tolist()) == (np.dtype(dtype), [0, 1, 2])


def test_long_does_not_fit_in_four_bytes() -> None:
    file = MemoryFile().binary().longSize(4)
    with pytest.raises(ValueError, match="a long of 1099511627776 or 0 does not fit in 4 bytes"):
        file.writeObject(np.array([0, 2**40]))
