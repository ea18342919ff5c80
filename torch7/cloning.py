"""Deep copies that keep memory shared inside the copied object shared in the copy."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from . import memory
from .registry import name_of
from .tables import Key, Table

ATOMS = (type(None), bool, int, float, str, bytes)


def deep_copy(root: Any, shared: Iterable[np.ndarray] = (), memo: dict[int, Any] | None = None) -> Any:
    """A copy of tables, tensors, storages and objects of registered classes, with everything that they hold.

    Arrays on one storage are again on one storage in the copy. The arrays `shared` keep their memory: the copy
    gets a view of its own on it. Anything else is copied as its `__deepcopy__` says, which lets clones share a plan.
    It does not recurse into these, so that a graph may be of any depth. `memo` is that of `copy.deepcopy`: what was
    copied already is not copied again.
    """
    return _Copier(shared, {} if memo is None else memo).copy(root)


class _Copier:
    def __init__(self, shared: Iterable[np.ndarray], memo: dict[Any, Any]):
        self.memo = memo
        self.memo.update((id(a), memory.alias(a)) for a in shared)
        self.storages: dict[int, np.ndarray] = memo.setdefault("torch7.cloning.storages", {})
        self.work: list[tuple[Callable[..., None], Any, Any]] = []
        # what is memoized must not die and give its id away: copy.deepcopy keeps such a list under this key too
        self.alive: list[Any] = memo.setdefault(id(memo), [])

    def copy(self, root: Any) -> Any:
        result = self.visit(root)
        while self.work:
            fill, old, new = self.work.pop()
            fill(old, new)
        return result

    def visit(self, x: Any) -> Any:
        if type(x) in ATOMS:
            return x
        if id(x) in self.memo:
            return self.memo[id(x)]
        new = self.shell(x)
        self.memo[id(x)] = new
        self.alive.append(x)
        return new

    def shell(self, x: Any) -> Any:
        """The copy of x before its content is copied."""
        if isinstance(x, np.ndarray):
            return self.array(x)
        if type(x) is list:
            return self.later(self.fill_list, x, [])
        if isinstance(x, dict):
            return self.later(self.fill_dict, x, emptied(x))
        if type(x) is tuple:
            return tuple(self.visit(v) for v in x)
        cls: Any = type(x)
        if name_of(x) is not None and not isinstance(x, type):
            return self.later(self.fill_object, x, cls.__new__(cls))
        return x if isinstance(x, ATOMS) else copy.deepcopy(x, self.memo)

    def later(self, fill: Callable[..., None], old: Any, new: Any) -> Any:
        self.work.append((fill, old, new))
        return new

    def fill_list(self, old: list[Any], new: list[Any]) -> None:
        new.extend(self.visit(v) for v in old)

    def fill_dict(self, old: dict[Any, Any], new: dict[Any, Any]) -> None:
        put = dict.__setitem__ if isinstance(new, Table) else type(new).__setitem__
        for key, value in dict.items(old):
            put(new, Key(self.visit(key.value)) if type(key) is Key else self.visit(key), self.visit(value))

    def fill_object(self, old: Any, new: Any) -> None:
        for name, value in slots(old).items():
            setattr(new, name, self.visit(value))
        new.__dict__.update((name, self.visit(v)) for name, v in vars(old).items())

    def array(self, a: np.ndarray) -> np.ndarray:
        if not on_a_storage(a):
            return copy.deepcopy(a, self.memo)
        whole = memory.storage(a)
        key = id(memory.owner(a))
        if key not in self.storages:
            self.storages[key] = np.array(whole)
            self.alive.append(memory.owner(a))
        flat = self.storages[key]
        flat = flat if flat.dtype == a.dtype else flat.view(a.dtype)
        view = memory.view_of(flat, memory.offset(a), a.shape, memory.strides(a))
        return view if type(a) is np.ndarray else view.view(type(a))


def on_a_storage(a: np.ndarray) -> bool:
    """Whether Torch could have such an array: a view of one dimension or more on the elements of its memory."""
    return a.ndim > 0 and not a.dtype.hasobject and all(step % a.itemsize == 0 for step in a.strides)


def slots(x: Any) -> dict[str, Any]:
    """The attributes of x that are not in its `__dict__`."""
    cls: Any = type(x)
    return {name: getattr(x, name) for name in _slot_names(cls) if hasattr(x, name)}


@functools.cache
def _slot_names(cls: type) -> tuple[str, ...]:
    declared = [vars(parent).get("__slots__", ()) for parent in cls.__mro__]
    names = [name for slots in declared for name in ([slots] if isinstance(slots, str) else slots)]
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def emptied(x: dict[Any, Any]) -> dict[Any, Any]:
    """An empty mapping of the same kind: a defaultdict has the same default."""
    if type(x) in (dict, Table):
        return type(x)()
    new = copy.copy(x)
    new.clear()
    return new
