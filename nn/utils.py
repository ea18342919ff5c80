"""nn.utils: what modules do to nested tables of tensors, and the conversion of types."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory
from torch7.tables import Storage, Table, is_table, pairs

from .checks import described


def recursiveType(param: Any, type: str, tensorCache: dict[Any, Any] | None = None) -> Any:
    """`param` with every tensor in it converted to `type`; tables and modules are converted in place.

    Tensors that share memory share it afterwards; give several calls one `tensorCache` to keep sharing across them.
    """
    tensorCache = {} if tensorCache is None else tensorCache
    if isinstance(param, Storage):
        return param
    if isinstance(param, np.ndarray):
        return _converted(param, torch7.dtype_of(type), tensorCache)
    if param.__class__ is tuple:
        return tuple(recursiveType(value, type, tensorCache) for value in param)
    if isinstance(param, (list, dict)):
        for key, value in list(param.items() if isinstance(param, dict) else enumerate(param)):
            param[key] = recursiveType(value, type, tensorCache)
    elif hasattr(param, "updateGradInput"):  # a module or a criterion
        param.type(type, tensorCache)
    return param


def _converted(a: np.ndarray, dtype: np.dtype, cache: dict[Any, Any]) -> np.ndarray:
    if a.dtype == dtype:
        return a
    if a.ndim == 0:  # Torch has no such tensor: it is on no storage
        return a.astype(dtype)
    whole = memory.owner(a)
    # the cache holds the old arrays too, so that their ids stay theirs
    if ("storage", id(whole)) not in cache:
        with np.errstate(over="ignore", invalid="ignore"):  # memory that nothing was written to yet
            cache["storage", id(whole)] = memory.storage(a).astype(dtype), whole
    if ("tensor", id(a)) not in cache:
        flat = cache["storage", id(whole)][0]
        cache["tensor", id(a)] = memory.view_of(flat, memory.offset(a), a.shape, memory.strides(a)), a
    return cache["tensor", id(a)][0]


def recursiveResizeAs(t1: Any, t2: Any) -> tuple[Any, Any]:
    """t1 with the nesting and shapes of t2 (its tensors keep their types, their content is undefined), and t2."""
    return _recursive(t1, t2, _resized, trim=True), t2


def recursiveCopy(t1: Any, t2: Any, async_: bool = False) -> tuple[Any, Any]:
    """t1 with the nesting and the values of t2, in memory and types of its own, and t2.

    What t1 has at places where t2 has nothing stays. `async_` is Torch's for GPUs: copies are made at once here.
    """

    def copied(a: np.ndarray | None, b: np.ndarray) -> np.ndarray:
        a = _resized(a, b)
        np.copyto(a, b, casting="unsafe")
        return a

    return _recursive(t1, t2, copied), t2


def recursiveFill(t2: Any, val: float) -> Any:
    """Sets every element of every tensor in t2 to val, in place."""
    if is_table(t2) or isinstance(t2, dict):
        for _, value in pairs(t2):
            recursiveFill(value, val)
    elif isinstance(t2, np.ndarray):
        t2.fill(val)
    else:
        raise TypeError(f"nn.utils.recursiveFill: expected a tensor or a table of tensors, got {described(t2)}")
    return t2


def recursiveAdd(t1: Any, val: Any, t2: Any = None) -> tuple[Any, Any]:
    """t1 += val * t2 for every tensor in t2, in place; `recursiveAdd(t1, t2)` adds t2 itself. Gives t1 and t2."""
    if t2 is None:
        val, t2 = 1, val

    def added(a: np.ndarray | None, b: np.ndarray) -> np.ndarray:
        if a is None:
            raise TypeError(f"nn.utils.recursiveAdd: expected two nested tensors of one form, got {described(b)} alone")
        a += b if val == 1 else val * b
        return a

    return _recursive(t1, t2, added), t2


def _recursive(t1: Any, t2: Any, function: Any, trim: bool = False) -> Any:
    """t1 with function(a, b) for the tensors b of t2 and what stands at their place in t1 (None: nothing).

    With `trim`, what t1 has at other places goes away.
    """
    old: Any
    if is_table(t2):
        old = t1 if isinstance(t1, list) else list(t1) if is_table(t1) else [] if t1 is None else [t1]
        for i, b in enumerate(t2):
            old[i : i + 1] = [_recursive(old[i] if i < len(old) else None, b, function, trim)]
        if trim:
            del old[len(t2) :]
        return old
    if isinstance(t2, dict):
        old = t1 if isinstance(t1, dict) else type(t2)()
        for key, b in t2.items():
            old[key] = _recursive(old.get(key), b, function, trim)
        for key in [k for k in old if trim and k not in t2]:
            del old[key]
        return old
    if isinstance(t2, np.ndarray):
        return function(t1 if isinstance(t1, np.ndarray) else None, t2)
    raise TypeError(f"nn.utils: expected nested tensors or tables, got {described(t1)} and {described(t2)}")


def _resized(a: np.ndarray | None, b: np.ndarray) -> np.ndarray:
    return memory.resized(a, b.shape, b.dtype if a is None else a.dtype)


def is_nested_tensor(x: Any) -> bool:
    """Whether x is a tensor, or a table of such.

    >>> is_nested_tensor([np.ones(1), [np.ones(2)]]), is_nested_tensor([]), is_nested_tensor([3])
    (True, False, False)
    """
    if is_table(x):
        return len(x) > 0 and all(is_nested_tensor(value) for value in x)
    return isinstance(x, np.ndarray)


def addSingletonDimension(t: Any, dim: Any = 1, *more: int) -> np.ndarray:
    """A view of t with a dimension of size 1 more, at `dim` counted from 1.

    Of Torch's other form, addSingletonDimension(view, t, dim), the first argument, which Torch sets, is not used.

    >>> addSingletonDimension(np.zeros((2, 3)), 2).shape
    (2, 1, 3)
    """
    if more:
        t, dim = dim, more[0]
    if not isinstance(t, np.ndarray) or not 1 <= dim <= t.ndim + 1:
        raise ValueError(f"nn.utils.addSingletonDimension: no dimension {dim} to add to {described(t)}")
    return np.expand_dims(t, dim - 1)


def contiguousView(output: np.ndarray | None, input: np.ndarray, *sizes: int) -> np.ndarray:
    """input seen with these sizes: a view where its memory allows one, else of a copy in `output`."""
    if not input.flags.c_contiguous:
        if output is not None and output.size == input.size:
            output = output.reshape(input.shape)  # it was returned with other sizes
        output = memory.resized(output, input.shape, input.dtype)
        output[...] = input
        input = output
    return input.reshape(sizes)


def clear(module: Any, *names: Any) -> Any:
    """Empties the named fields of a module: tensors and tables become empty, anything else None."""
    for name in names[0] if names and is_table(names[0]) else names:
        value = module.__dict__.get(name)
        if isinstance(value, np.ndarray):
            setattr(module, name, memory.empty((0,), value.dtype))
        elif is_table(value) or type(value) in (dict, Table):
            setattr(module, name, {} if isinstance(value, dict) else [])
        elif value is not None and value is not False:  # what is false stays in Torch
            setattr(module, name, None)
    return module
