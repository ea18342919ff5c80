from __future__ import annotations

import os
import pickle
import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import torch7
from torch7 import Storage, memory, tensor_functions

KINDS = {
    "Double": "float64", "Float": "float32", "Half": "float16", "Long": "int64", "Int": "int32", "Short": "int16",
    "Char": "int8", "Byte": "uint8",
}  # fmt: skip
TENSORS = {getattr(torch7, f"{kind}Tensor"): np.dtype(name) for kind, name in KINDS.items()}
STORAGES = {getattr(torch7, f"{kind}Storage"): np.dtype(name) for kind, name in KINDS.items()}


@pytest.fixture
def floats():
    torch7.setdefaulttensortype("torch.FloatTensor")
    yield
    torch7.setdefaulttensortype("torch.DoubleTensor")


def on_own_storage(x):
    return x.size == 0 or (memory.owner(x) is not x and memory.owner(x).ndim == 1)


def same(x, values, dtype="float64"):
    return x.dtype == dtype and x.shape == np.shape(values) and bool((x == np.array(values)).all())


# --- constructors


@pytest.mark.parametrize(("make", "dtype"), TENSORS.items())
def test_every_type(make, dtype):
    assert torch7.typename(make(2, 3)) == f"torch.{make.__name__}"
    assert make(2, 3).shape == (2, 3)
    assert (make().shape, make().dtype) == ((0,), dtype)
    assert same(make([[1, 2], [3, 4]]), [[1, 2], [3, 4]], dtype)
    assert on_own_storage(make([[1, 2], [3, 4]]))
    assert on_own_storage(make(2, 3))
    assert pickle.loads(pickle.dumps(make)) is make


def test_default_type(floats):
    made = [torch7.Tensor(2), torch7.Tensor([1, 2]), torch7.zeros(2), torch7.ones(2), torch7.eye(2)]
    made += [torch7.range(1, 2), torch7.linspace(1, 2, 2), torch7.Tensor(np.zeros(2))]
    assert {torch7.type(x) for x in made} == {"torch.FloatTensor"}


def test_sizes():
    assert torch7.Tensor(2.0, np.int64(3)).shape == (2, 3)
    assert torch7.Tensor(4.0).shape == (4,)
    assert torch7.Tensor(0).shape == (0,)
    assert torch7.Tensor(torch7.LongStorage([2, 3])).shape == (2, 3)
    assert torch7.LongTensor(torch7.LongStorage([2, 3])).tolist() == [2, 3]


def test_sizes_and_strides():
    x = torch7.FloatTensor(torch7.LongStorage([2, 3]), torch7.LongStorage([1, 4]))
    assert (x.shape, memory.strides(x), memory.owner(x).size) == ((2, 3), (1, 4), 10)


def test_values():
    assert same(torch7.Tensor((1, 2.5)), [1, 2.5])
    assert torch7.Tensor([]).shape == (0,)
    assert same(torch7.ByteTensor([True, False]), [1, 0], "uint8")
    assert same(torch7.Tensor([np.ones(2), np.zeros(2)]), [[1, 1], [0, 0]])


def test_integers_are_cut_as_c_cuts_them():
    assert same(torch7.LongTensor([1.9, -1.9]), [1, -1], "int64")
    assert same(torch7.ByteTensor([256.0, -1.0, 300]), [0, 255, 44], "uint8")
    assert same(torch7.CharTensor([128, 255]), [-128, -1], "int8")


def test_a_tensor_of_the_same_type_is_shared():
    x = torch7.Tensor([[1, 2], [3, 4]])
    y = torch7.DoubleTensor(x.T)
    assert y is not x
    assert memory.owner(y) is memory.owner(x)
    assert memory.strides(y) == (1, 2)
    y[0, 1] = 7
    assert x[1, 0] == 7


def test_a_tensor_of_another_type_is_converted():
    x = torch7.Tensor([1.5, 2])
    y = torch7.FloatTensor(x)
    assert same(y, [1.5, 2], "float32")
    y[0] = 0
    assert x[0] == 1.5
    assert on_own_storage(y)


def test_a_storage_is_shared():
    flat = torch7.DoubleStorage([1, 2, 3, 4, 5, 6])
    x = torch7.Tensor(flat)
    assert torch7.isTensor(x)
    assert memory.owner(x) is memory.owner(flat)
    x[0] = 7
    assert flat[0] == 7
    assert same(torch7.Tensor(flat, 3), [3, 4, 5, 6])
    assert same(torch7.Tensor(flat, 2, [2, 2]), [[2, 3], [4, 5]])
    assert same(torch7.Tensor(flat, 2, (2, 2), (1, 3)), [[2, 5], [3, 6]])
    assert same(torch7.Tensor(flat, 2, torch7.LongStorage([2]), torch7.LongStorage([4])), [2, 6])
    assert torch7.Tensor(torch7.DoubleStorage()).shape == (0,)


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        (("3",), ValueError, "torch7.Tensor: expected sizes (whole numbers, none negative), got '3'"),
        ((2, -1), ValueError, "torch7.Tensor: expected sizes (whole numbers, none negative), got 2, -1"),
        ((None,), ValueError, "got None"),
        (([1, 2], 3), ValueError, "torch7.Tensor: expected sizes"),
        ((np.ones(2), 3), ValueError, "torch7.Tensor: expected sizes"),
        (([[1, 2], [3]],), ValueError, "torch7.Tensor: expected nested lists of equal lengths, got [[1, 2], [3]]"),
        ((["1"],), TypeError, "torch7.Tensor: expected numbers, got ['1']"),
        (([1, None],), TypeError, "torch7.Tensor: expected numbers, got [1, None]"),
        ((torch7.FloatStorage(2),), TypeError, "expected a storage of torch.DoubleTensor, got a torch.FloatStorage"),
        ((torch7.DoubleStorage(2), "a"), ValueError, "torch7.Tensor: expected sizes"),
        ((torch7.DoubleStorage(2), 1, [2], [None]), ValueError, "torch7.Tensor: expected sizes"),
        ((torch7.LongStorage([2]), "a"), ValueError, "torch7.Tensor: expected sizes"),
        ((float("nan"),), ValueError, "torch7.Tensor: expected sizes"),
        ((float("inf"),), ValueError, "torch7.Tensor: expected sizes"),
        ((torch7.DoubleStorage(2), 4), ValueError, "torch7: no view with sizes (-1,)"),
        ((torch7.DoubleStorage(2), 0), ValueError, "a storage of 2"),
        ((torch7.DoubleStorage(2), 1, [3]), ValueError, "a storage of 2"),
    ],
)
def test_wrong_tensors(args, error, text):
    with pytest.raises(error) as raised:
        torch7.Tensor(*args)
    assert text in str(raised.value)


@pytest.mark.parametrize(("make", "dtype"), STORAGES.items())
def test_every_storage(make, dtype):
    values = make([1, 2, 3])
    assert isinstance(values, Storage)
    assert torch7.typename(values) == f"torch.{make.__name__}"
    assert (values.dtype, values.ndim, values.tolist()) == (dtype, 1, [1, 2, 3])
    assert make(4).shape == make(4.0).shape == (4,)
    assert make().shape == make([]).shape == (0,)
    part = make(values, 2)
    part[0] = 9
    assert (values.tolist(), make(values, 2, 1).tolist(), make(values).size) == ([1, 9, 3], [9], 3)


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        (([[1]],), ValueError, "torch7.LongStorage: expected numbers in one dimension, got shape (1, 1)"),
        ((["a"],), TypeError, "torch7.LongStorage: expected numbers, got ['a']"),
        ((2, 3), TypeError, "torch7.LongStorage: expected one size, got 2 values"),
        ((-1,), ValueError, "torch7.LongStorage: expected sizes"),
        (("file",), ValueError, "torch7.LongStorage: expected sizes"),
        ((torch7.IntStorage(2),), TypeError, "expected a storage of the same type, got a torch.IntStorage"),
        ((torch7.LongStorage(2), "a"), ValueError, "torch7.LongStorage: expected sizes"),
        ((torch7.LongStorage(2), 3), IndexError, "torch7.LongStorage: elements 3 to 2 are not all in a storage of 2"),
        ((torch7.LongStorage(2), 1, 3), IndexError, "elements 1 to 3"),
        ((torch7.LongStorage(2), 0), IndexError, "elements 0 to 2"),
    ],
)
def test_wrong_storages(args, error, text):
    with pytest.raises(error) as raised:
        torch7.LongStorage(*args)
    assert text in str(raised.value)


# --- filled tensors


def test_zeros_and_ones():
    assert same(torch7.zeros(2, 3), [[0] * 3] * 2)
    assert same(torch7.ones((2, 3)), [[1] * 3] * 2)
    assert same(torch7.ones(torch7.LongStorage([3])), [1] * 3)
    assert on_own_storage(torch7.zeros(2, 3))


@pytest.mark.parametrize(("make", "value"), [(torch7.zeros, 0), (torch7.ones, 1)])
def test_the_result_may_come_first(make, value):
    result = torch7.IntTensor([[5, 6], [7, 8]])
    assert make(result, 2, 2) is result
    assert same(result, [[value] * 2] * 2, "int32")
    other = make(result, [3])
    assert other is not result
    assert same(other, [value] * 3, "int32")


@pytest.mark.parametrize("sizes", [(), (-1,), ("a",), ([2, "a"],), (2, None)])
def test_wrong_sizes(sizes):
    with pytest.raises(ValueError, match=r"torch7\.zeros: expected sizes"):
        torch7.zeros(*sizes)


def test_eye():
    assert same(torch7.eye(2), [[1, 0], [0, 1]])
    assert same(torch7.eye(3, 2), [[1, 0], [0, 1], [0, 0]])
    assert same(torch7.eye(2, 0), [[1, 0], [0, 1]])
    result = torch7.FloatTensor(2, 3)
    assert torch7.eye(result, 2, 3) is result
    assert same(result, [[1, 0, 0], [0, 1, 0]], "float32")
    columns = torch7.Tensor(3, 2).T
    assert same(torch7.eye(columns, 2, 3), [[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("sizes", [(), (0,), (-1, 2), (1, 2, 3), ("a",), ([2, 2],)])
def test_wrong_eye(sizes):
    with pytest.raises(ValueError, match=r"torch7\.eye: expected a positive size n"):
        torch7.eye(*sizes)


# --- sequences


def test_range():
    assert same(torch7.range(1, 5), [1, 2, 3, 4, 5])
    assert same(torch7.range(1, 5, 1.5), [1, 2.5, 4])
    assert same(torch7.range(5, 1, -2), [5, 3, 1])
    assert same(torch7.range(2, 2), [2])
    assert same(torch7.range(0, 0.9), [0])


def test_range_counts_in_the_results_type():
    assert same(torch7.range(torch7.LongTensor(), 1.9, 4.9), [1, 2, 3, 4], "int64")
    assert same(torch7.range(torch7.LongTensor(), 5, 0, -2), [5, 3, 1], "int64")
    assert same(torch7.range(torch7.ByteTensor(), 254, 257), [254, 255, 0, 1], "uint8")
    assert same(torch7.range(torch7.FloatTensor(), 0, 1, 0.1)[3:4], np.float32([0.1 * 3]), "float32")


def test_range_keeps_a_results_shape_when_the_count_fits():
    result = torch7.Tensor(2, 3)
    assert torch7.range(result, 1, 6) is result
    assert same(result, [[1, 2, 3], [4, 5, 6]])
    assert same(torch7.range(result, 1, 5), [1, 2, 3, 4, 5])


@given(st.integers(-50, 50), st.integers(0, 60), st.integers(1, 7))
def test_range_ends_with_its_end(x, distance, step):
    for sign in (1, -1):
        expected = list(range(x, x + sign * (distance + 1), sign * step))
        assert torch7.range(x, x + sign * distance, sign * step).tolist() == expected
        assert torch7.range(torch7.IntTensor(), x, x + sign * distance, sign * step).tolist() == expected


@pytest.mark.parametrize("bounds", [(2, 1), (1, 2, -1), (1, 2, 0), (float("nan"), 1), (0, float("inf"))])
def test_range_without_end(bounds):
    with pytest.raises(ValueError, match=r"torch7\.range: no steps of"):
        torch7.range(*bounds)


def test_linspace():
    assert same(torch7.linspace(0, 1, 5), [0, 0.25, 0.5, 0.75, 1])
    assert torch7.linspace(1, 2).shape == (100,)
    assert same(torch7.linspace(3, 3, 1), [3])
    assert same(torch7.linspace(1, -1, 3), [1, 0, -1])
    result = torch7.FloatTensor(2, 2)
    assert torch7.linspace(result, 0, 3, 4) is result
    assert same(result, [[0, 1], [2, 3]], "float32")


def test_linspace_rounds_in_the_results_type():
    points = torch7.linspace(torch7.FloatTensor(), 0.1, 0.7, 8)
    x, y = np.float32(0.1), np.float32(0.7)
    expected = [x + np.float32(i) * (y - x) / np.float32(7) for i in range(8)]
    assert same(points, np.array(expected, "float32"), "float32")


def test_wrong_sequences():
    with pytest.raises(ValueError, match="expected at least 2 points"):
        torch7.linspace(0, 1, 1)
    with pytest.raises(ValueError, match="expected at least 2 points"):
        torch7.linspace(1, 1, 0)
    with pytest.raises(TypeError, match=r"floating type, got a torch\.LongTensor"):
        torch7.linspace(torch7.LongTensor(), 0, 1, 2)
    for wrong in ((), (1,), (1, 2, 3, 4)):
        with pytest.raises(TypeError, match=r"torch7\.linspace: expected x, y and n"):
            torch7.linspace(*wrong)
        with pytest.raises(TypeError, match=r"torch7\.range: expected x, y and step"):
            torch7.range(*wrong)


# --- cat


def test_cat_of_two_and_of_lists():
    a, b = torch7.ones(2, 2), torch7.zeros(1, 2)
    for put in (torch7.cat(a, b, 1), torch7.cat([a, b], 1), torch7.cat((a, b), 1)):
        assert same(put, [[1, 1], [1, 1], [0, 0]])
    assert same(torch7.cat(a, b.reshape(2, 1)), [[1, 1, 0], [1, 1, 0]])
    assert same(torch7.cat([a, a, a], -1), np.ones((2, 6)))
    assert same(torch7.cat([a]), a)


def test_cat_adds_dimensions():
    assert same(torch7.cat(torch7.ones(2), torch7.zeros(2), 2), [[1, 0], [1, 0]])
    assert torch7.cat([torch7.ones(2)] * 4, 3).shape == (2, 1, 4)
    assert same(torch7.cat(torch7.ones(2, 1), torch7.zeros(2)), [[1, 0], [1, 0]])


def test_cat_passes_over_empty_tensors():
    empty = torch7.Tensor()
    assert same(torch7.cat([empty, torch7.ones(2, 2), empty], 1), np.ones((2, 2)))
    assert torch7.cat(empty, empty).shape == torch7.cat([empty], 2).shape == (0,)
    assert torch7.cat([torch7.FloatTensor()]).dtype == np.float32
    result = torch7.ones(3)
    assert torch7.cat(result, [empty]) is result


def test_cat_into_a_result():
    result, a, b = torch7.Tensor(3), torch7.ones(1), torch7.zeros(2)
    assert torch7.cat(result, a, b) is result
    assert same(result, [1, 0, 0])
    assert torch7.cat(result, [b, a], 1) is result
    assert same(result, [0, 0, 1])
    assert same(torch7.cat(result, a, a), [1, 1])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(1, 3), st.sampled_from(["int8", "float32"]))
def test_cat_of_anything_is_numpys(sizes, dimension, dtype):
    parts = []
    for i, n in enumerate(sizes):
        shape = [2, 3, 4]
        shape[dimension - 1] = n
        parts.append(np.full(shape, i, dtype))
    put = torch7.cat(parts, dimension)
    expected = np.concatenate(parts, dimension - 1)
    assert same(put, expected if expected.size else [], dtype)
    assert on_own_storage(put)


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        ((), TypeError, "torch7.cat: expected ([result,] tensor, tensor or a list of tensors"),
        ((np.ones(2),), TypeError, "torch7.cat: expected"),
        (([],), TypeError, "torch7.cat: expected"),
        (([1, 2],), TypeError, "torch7.cat: expected"),
        ((np.ones(1), np.ones(1), np.ones(1), np.ones(1)), TypeError, "torch7.cat: expected"),
        ((np.ones(1), np.float32([1])), TypeError, "got torch.DoubleTensor, torch.FloatTensor"),
        ((np.float32([1]), [np.ones(1)]), TypeError, "got torch.DoubleTensor, torch.FloatTensor"),
        ((np.ones(1), np.ones(1), 0), IndexError, "torch7.cat: no dimension 0 (dimensions count from 1)"),
        ((np.ones(1), np.ones(1), -2), IndexError, "torch7.cat: no dimension -2"),
        (([np.ones((2, 3)), np.ones((4, 5))], 1), ValueError, "except in dimension 1, got (2, 3), (4, 5)"),
        ((np.ones(2), np.ones(3), 2), ValueError, "except in dimension 2, got (2,), (3,)"),
    ],
)
def test_wrong_cats(args, error, text):
    with pytest.raises(error) as raised:
        torch7.cat(*args)
    assert text in str(raised.value)


# --- what is not about values


def test_totable():
    assert torch7.totable(torch7.Tensor([[1, 2], [3, 4]])) == [[1.0, 2.0], [3.0, 4.0]]
    assert torch7.totable(torch7.Tensor()) == []
    numbers = torch7.totable(torch7.LongStorage([2, 3]))
    assert numbers == [2, 3]
    assert {type(n) for n in numbers} == {int}
    with pytest.raises(TypeError, match=r"torch7\.totable: expected a tensor or a storage, got a table"):
        torch7.totable([1])


def test_pointer():
    x = torch7.Tensor(3)
    assert torch7.pointer(x) == torch7.pointer(x)
    assert torch7.pointer(x) != torch7.pointer(x[:])
    whole = memory.storage(x).view(Storage)
    assert torch7.pointer(whole) == torch7.pointer(memory.storage(x[1:]).view(Storage))
    assert torch7.pointer(whole) != torch7.pointer(torch7.DoubleStorage(3))
    table, word = [1], "".join(["a", "b"])
    assert torch7.pointer(table) != torch7.pointer([1])
    assert torch7.pointer(word) == torch7.pointer("ab")
    assert isinstance(torch7.pointer(len), int)


@pytest.mark.parametrize(("obj", "kind"), [(None, "nil"), (True, "boolean"), (3, "number")])
def test_pointer_of_values(obj, kind):
    with pytest.raises(TypeError, match=rf"torch7\.pointer: expected an object, .*got a {kind}"):
        torch7.pointer(obj)


@pytest.fixture
def pools(monkeypatch):
    """Stands for threadpoolctl: what it would report, and the limits that it is asked for."""
    control = types.ModuleType("threadpoolctl")
    control.pools, control.limits = [{"num_threads": 2}, {"num_threads": 3}], []
    control.threadpool_info = lambda: control.pools
    control.threadpool_limits = lambda limits: control.limits.append(limits)
    monkeypatch.setitem(sys.modules, "threadpoolctl", control)
    return control


def test_threads_with_threadpoolctl(pools, monkeypatch):
    assert torch7.getnumthreads() == 3
    torch7.setnumthreads(2.0)
    assert pools.limits == [2]
    assert isinstance(pools.limits[0], int)
    pools.pools = []
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert torch7.getnumthreads() == 5
    with pytest.raises(ValueError, match=r"torch7\.setnumthreads: expected at least 1 thread, got 0"):
        torch7.setnumthreads(0)


def test_threads_without_threadpoolctl(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    for asked, found in {"4": 4, " 6,2": 6, "0": 7, "x": 7, "": 7}.items():
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        monkeypatch.setattr(tensor_functions.os, "cpu_count", lambda: 7)
        assert torch7.getnumthreads() == found
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert torch7.getnumthreads() == 1
    with pytest.raises(ImportError, match=r"torch7\.setnumthreads needs the package threadpoolctl: pip install"):
        torch7.setnumthreads(1)
