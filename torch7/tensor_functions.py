"""The functions on tensors that scripts took from torch: constructors, storages, ranges, cat, and their kin.

A first argument that is a tensor is Torch's optional result: it is written and returned when its size fits, otherwise
a new array of its type is returned, because a numpy array cannot be moved to other memory.
"""

from __future__ import annotations

import math
import numbers
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import memory
from .dims import axis
from .dtypes import KINDS, default_dtype, isStorage, isTensor, lua_type, sizes_of, tensor_type, typename
from .optional import optional
from .tables import Storage, is_table

# --- constructors


def Tensor(*args: Any) -> np.ndarray:
    """A tensor of the default type, in any of the ways of `torch.Tensor`; `DoubleTensor`, `LongTensor`... likewise.

    * `Tensor()`: empty; `Tensor(2, 3)` or `Tensor(LongStorage([2, 3]))`: that size, content undefined.
    * `Tensor([[1, 2], [3, 4]])`: these values. A tuple counts as values too: write `Tensor(*x.shape)` for x's size.
    * `Tensor(x)`: a second tensor on x's memory, or a converted copy when x has another type.
    * `Tensor(storage, offset=1, sizes=all, strides=contiguous)`: a view on a storage of the same type, offset from 1.
    * `Tensor(sizes, strides)`, both LongStorages: that size with these strides, content undefined.

    >>> x = Tensor([[1, 2], [3, 4]])
    >>> Tensor(x)[0, 0] = 7
    >>> x
    array([[7., 2.],
           [3., 4.]])
    >>> Tensor(2, 3).shape, Tensor().shape
    ((2, 3), (0,))
    """
    return _tensor("torch7.Tensor", default_dtype(), args)


def _tensor(who: str, dtype: np.dtype, args: Sequence[Any]) -> np.ndarray:
    first: Any = args[0] if args else None
    if isTensor(first) and len(args) == 1:
        return memory.alias(first) if first.dtype == dtype else _copy(who, first, dtype)
    if is_table(first) and len(args) == 1:
        return _copy(who, first, dtype)
    if isStorage(first) and first.dtype == dtype:
        return _on_storage(who, *args)
    if isStorage(first) and first.dtype != np.int64:
        raise TypeError(f"{who}: expected a storage of {tensor_type(dtype)}, got a {typename(first)}")
    if isStorage(first) and len(args) == 2:
        shape, steps = sizes_of([first], who), sizes_of([args[1]], who)
        return memory.view_of(memory.empty((1 + _reach(shape, steps),), dtype), 0, shape, steps)
    return memory.empty(sizes_of(args, who) if args else (0,), dtype)


def _copy(who: str, values: Any, dtype: np.dtype) -> np.ndarray:
    """The values in a new array; numbers that an integer type cannot hold are cut as a C cast cuts them."""
    try:
        given = np.asarray(values)
    except ValueError:
        raise ValueError(f"{who}: expected nested lists of equal lengths, got {values!r}") from None
    if given.size and given.dtype.kind not in "biuf":
        raise TypeError(f"{who}: expected numbers, got {values!r}")
    made = memory.empty(given.shape, dtype)
    made[...] = given.astype(np.int64) if dtype.kind in "iu" and given.dtype.kind == "f" else given.astype(dtype)
    return made


def _reach(shape: Sequence[int], steps: Sequence[int]) -> int:
    return sum((n - 1) * step for n, step in zip(shape, steps))


def _on_storage(who: str, flat: Storage, offset: int = 1, sizes: Any = None, steps: Any = None) -> np.ndarray:
    (start,) = sizes_of([offset], who)
    shape = (flat.size - start + 1,) if sizes is None else sizes_of([sizes], who)
    contiguous = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
    return memory.view_of(
        flat.view(np.ndarray), start - 1, shape, contiguous if steps is None else sizes_of([steps], who)
    )


def _storage(who: str, dtype: np.dtype, args: Sequence[Any]) -> Any:
    first: Any = args[0] if args else 0
    if isStorage(first):
        if first.dtype != dtype:
            raise TypeError(f"{who}: expected a storage of the same type, got a {typename(first)}")
        return _part(who, *args)
    if isinstance(first, (list, tuple, np.ndarray)):
        made = _copy(who, first, dtype)
        if made.ndim != 1:
            raise ValueError(f"{who}: expected numbers in one dimension, got shape {made.shape}")
        return made.view(Storage)
    if len(args) > 1:
        raise TypeError(f"{who}: expected one size, got {len(args)} values")
    return memory.empty(sizes_of([first], who), dtype).view(Storage)


def _part(who: str, whole: Any, offset: int = 1, size: int | None = None) -> Any:
    (start,) = sizes_of([offset], who)
    end = whole.size if size is None else start - 1 + sizes_of([size], who)[0]
    if not 1 <= start <= end <= whole.size:
        raise IndexError(f"{who}: elements {start} to {end} are not all in a storage of {whole.size}")
    return whole[start - 1 : end]


def _tensor_constructor(kind: str) -> Callable[..., np.ndarray]:
    def constructor(*args: Any) -> np.ndarray:
        return _tensor(f"torch7.{constructor.__name__}", KINDS[kind], args)

    constructor.__name__ = constructor.__qualname__ = f"{kind}Tensor"
    constructor.__doc__ = f"A tensor of {KINDS[kind]}, in any of the ways of `torch7.Tensor`."
    return constructor


def _storage_constructor(kind: str) -> Callable[..., Storage]:
    def constructor(*args: Any) -> Storage:
        return _storage(f"torch7.{constructor.__name__}", KINDS[kind], args)

    constructor.__name__ = constructor.__qualname__ = f"{kind}Storage"
    constructor.__doc__ = f"""A storage, one-dimensional memory of {KINDS[kind]}.

    `{kind}Storage(n)`: n elements, content undefined; `{kind}Storage([2, 3])`: these values;
    `{kind}Storage(storage, offset=1, size=rest)`: a part of another one, sharing its memory, offset from 1.
    """
    return constructor


DoubleTensor = _tensor_constructor("Double")
FloatTensor = _tensor_constructor("Float")
HalfTensor = _tensor_constructor("Half")
LongTensor = _tensor_constructor("Long")
IntTensor = _tensor_constructor("Int")
ShortTensor = _tensor_constructor("Short")
CharTensor = _tensor_constructor("Char")
ByteTensor = _tensor_constructor("Byte")

DoubleStorage = _storage_constructor("Double")
FloatStorage = _storage_constructor("Float")
HalfStorage = _storage_constructor("Half")
LongStorage = _storage_constructor("Long")
IntStorage = _storage_constructor("Int")
ShortStorage = _storage_constructor("Short")
CharStorage = _storage_constructor("Char")
ByteStorage = _storage_constructor("Byte")


# --- filled tensors


def _split_result(args: Sequence[Any]) -> tuple[np.ndarray | None, list[Any]]:
    """Torch's optional first argument, the result, apart from the others."""
    return (args[0], list(args[1:])) if args and isTensor(args[0]) else (None, list(args))


def _target(result: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    return memory.resized(result, shape, default_dtype() if result is None else result.dtype)


def _filled(who: str, value: int, args: Sequence[Any]) -> np.ndarray:
    result, sizes = _split_result(args)
    out = _target(result, sizes_of(sizes, who))
    out[...] = value
    return out


def zeros(*args: Any) -> np.ndarray:
    """`zeros([result,] n, ...)` or `zeros([result,] sizes)`: a tensor of zeros.

    >>> zeros(2, 3)
    array([[0., 0., 0.],
           [0., 0., 0.]])
    """
    return _filled("torch7.zeros", 0, args)


def ones(*args: Any) -> np.ndarray:
    """`ones([result,] n, ...)` or `ones([result,] sizes)`: a tensor of ones.

    >>> ones([2])
    array([1., 1.])
    """
    return _filled("torch7.ones", 1, args)


def eye(*args: Any) -> np.ndarray:
    """`eye([result,] n, m=n)`: ones on the diagonal of an n x m tensor, zeros elsewhere.

    >>> eye(2, 3)
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    result, sizes = _split_result(args)
    if len(sizes) not in (1, 2) or not all(isinstance(n, numbers.Real) for n in sizes) or sizes[0] < 1:
        raise ValueError(f"torch7.eye: expected a positive size n and at most one more, got {sizes}")
    n, m = map(int, [*sizes, 0][:2])
    out = _target(result, (n, m if m > 0 else n))
    out[...] = 0
    np.fill_diagonal(out, 1)
    return out


# --- sequences


def _sequence(result: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    """Torch keeps the shape of a result that has the right number of elements."""
    out = result if result is not None and result.size == values.size else _target(result, values.shape)
    out[...] = values.reshape(out.shape).astype(out.dtype)
    return out


def range_(*args: Any) -> np.ndarray:
    """`range([result,] x, y, step=1)`: x, x + step, ... up to and with y.

    Integer results count in whole numbers, others in double. Raises ValueError when `step` is 0 or leads away from y.

    >>> range_(2, 5), range_(3, 1, -0.75)
    (array([2., 3., 4., 5.]), array([3.  , 2.25, 1.5 ]))
    """
    result, bounds = _split_result(args)
    if len(bounds) not in (2, 3):
        raise TypeError(f"torch7.range: expected x, y and step, got {len(bounds)} numbers")
    whole = result is not None and result.dtype.kind in "iu"
    x, y, step = map(int if whole else float, [*bounds, 1][:3])
    if not ((step > 0 and y >= x) or (step < 0 and y <= x)) or abs(y - x) == math.inf:
        raise ValueError(f"torch7.range: no steps of {step} lead from {x} to {y}")
    count = int((y - x) // step if whole else (y - x) / step) + 1
    return _sequence(result, x + np.arange(count) * step)


def linspace(*args: Any) -> np.ndarray:
    """`linspace([result,] x, y, n=100)`: n points at equal distances from x to y; a single point needs x = y.

    >>> linspace(0, 1, 5)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    result, given = _split_result(args)
    if len(given) not in (2, 3):
        raise TypeError(f"torch7.linspace: expected x, y and n, got {len(given)} numbers")
    dtype = default_dtype() if result is None else result.dtype
    if dtype.kind != "f":
        raise TypeError(f"torch7.linspace: expected a result of a floating type, got a {tensor_type(dtype)}")
    x, y = np.array(given[:2], dtype)
    n = int(given[2]) if len(given) == 3 else 100
    if n < 1 or (n == 1 and x != y):
        raise ValueError(f"torch7.linspace: expected at least 2 points from {x} to {y}, got n = {n}")
    # In the result's own precision, in this order: Torch's last digits depend on both.
    return _sequence(result, x + np.arange(n, dtype=dtype) * (y - x) / dtype.type(max(n - 1, 1)))


def cat(*args: Any) -> np.ndarray:
    """`cat([result,] a, b, dimension)` or `cat([result,] [a, b, ...], dimension)`: tensors put together.

    `dimension` counts from 1; left out, or -1, it is the last one of the tensor with most dimensions. Missing
    dimensions count as 1; empty tensors are passed over. Three tensors in a row are a result and two to put together.
    Raises TypeError when types differ and ValueError when other sizes than those along `dimension` do.

    >>> cat(ones(2), zeros(1))
    array([1., 1., 0.])
    >>> cat([ones(2), zeros(2)], 2)
    array([[1., 0.],
           [1., 0.]])
    """
    result, tensors, dimension = _cat_arguments(list(args))
    filled = [t for t in tensors if t.size]
    if not filled:
        return memory.empty((0,), tensors[0].dtype) if result is None else result
    ndim = max(dimension, *(t.ndim for t in filled))
    along = axis(dimension, ndim, who="torch7.cat")
    padded = [t.reshape(t.shape + (1,) * (ndim - t.ndim)) for t in filled]
    before, after = padded[0].shape[:along], padded[0].shape[along + 1 :]
    if any(t.shape[:along] != before or t.shape[along + 1 :] != after for t in padded):
        sizes = ", ".join(str(t.shape) for t in filled)
        raise ValueError(f"torch7.cat: expected equal sizes except in dimension {along + 1}, got {sizes}")
    shape = (*before, sum(t.shape[along] for t in padded), *after)
    return np.concatenate(padded, along, out=memory.resized(result, shape, filled[0].dtype))


def _cat_arguments(args: list[Any]) -> tuple[np.ndarray | None, list[np.ndarray], int]:
    dimension = args.pop() if args and lua_type(args[-1]) == "number" else -1
    taken = 1 if args and is_table(args[-1]) else 2
    last = args[-taken:] if len(args) >= taken else []
    tensors = list(last[0]) if taken == 1 else last
    del args[-taken:]
    result = args.pop() if args else None
    every = tensors if result is None else [*tensors, result]
    if args or not tensors or not all(map(isTensor, every)):
        raise TypeError("torch7.cat: expected ([result,] tensor, tensor or a list of tensors [, dimension])")
    if any(t.dtype != every[0].dtype for t in every):
        raise TypeError(f"torch7.cat: expected tensors of one type, got {', '.join(str(typename(t)) for t in every)}")
    if dimension < 1 and dimension != -1:
        raise IndexError(f"torch7.cat: no dimension {dimension} (dimensions count from 1)")
    return result, tensors, int(dimension)


# --- what is not about values


def totable(tensor: np.ndarray) -> list[Any]:
    """The values of a tensor or storage as nested lists of Python numbers.

    >>> totable(eye(2))
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if not isinstance(tensor, np.ndarray):
        raise TypeError(f"torch7.totable: expected a tensor or a storage, got a {lua_type(tensor)}")
    return tensor.tolist()


def pointer(obj: Any) -> int:
    """A number that tells objects apart while they live; for a storage the address of its memory.

    Two tensors on the same memory are two objects, two storage objects on the same memory are one: as in Torch.
    """
    if obj is None or lua_type(obj) in ("boolean", "number"):
        raise TypeError(f"torch7.pointer: expected an object, table, function or string, got a {lua_type(obj)}")
    if isinstance(obj, Storage):
        return obj.__array_interface__["data"][0]
    return id(sys.intern(obj)) if type(obj) is str else id(obj)


def getnumthreads() -> int:
    """The number of threads of the matrix products.

    With the package threadpoolctl what the BLAS library says, else OMP_NUM_THREADS or the number of processors.
    """
    try:
        pools = optional("threadpoolctl", "threads", "torch7.getnumthreads").threadpool_info()
    except ImportError:
        pools = []
    if pools:
        return max(pool["num_threads"] for pool in pools)
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # one number per level of nesting
    return int(asked) if asked.isdecimal() and int(asked) else os.cpu_count() or 1


def setnumthreads(n: int) -> None:
    """Sets the number of threads of the matrix products; needs the package threadpoolctl."""
    if n < 1:
        raise ValueError(f"torch7.setnumthreads: expected at least 1 thread, got {n}")
    optional("threadpoolctl", "threads", "torch7.setnumthreads").threadpool_limits(limits=int(n))


def told_nonfinite(a: np.ndarray) -> str:
    """How many elements are NaN or infinite, in words; nothing if all are finite.

    >>> told_nonfinite(np.array([0.0, np.nan, np.inf])), told_nonfinite(np.zeros(3))
    ('1 NaN and 1 infinite of 3 elements', '')
    """
    counts = (("NaN", int(np.isnan(a).sum())), ("infinite", int(np.isinf(a).sum())))
    told = " and ".join(f"{n} {kind}" for kind, n in counts if n)
    return told and f"{told} of {a.size} elements"
