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
_ATOMS = frozenset(ATOMS)
_UNSEEN: Any = object()


def deep_copy(root: Any, shared: Iterable[np.ndarray] = (), memo: dict[int, Any] | None = None) -> Any:
    """A copy of tables, tensors, storages and objects of registered classes, with everything that they hold.

    Arrays on one storage are again on one storage in the copy. The arrays `shared` keep their memory: the copy
    gets a view of its own on it. Anything else is copied as its `__deepcopy__` says, which lets clones share a plan.
    It does not recurse into these, so that a graph may be of any depth. `memo` is that of `copy.deepcopy`: what was
    copied already is not copied again.
    """
    return _Copier(shared, {} if memo is None else memo).copy(root)


Kind = tuple[Callable[[Any], Any], Callable[[Any, Any], None] | None]


class _Copier:
    def __init__(self, shared: Iterable[np.ndarray], memo: dict[Any, Any]):
        self.memo = memo
        self.memo.update((id(a), memory.alias(a)) for a in shared)
        self.storages: dict[int, np.ndarray] = memo.setdefault("torch7.cloning.storages", {})
        self.kinds: dict[type, Kind] = {}
        self.work: list[tuple[Callable[..., None], Any, Any]] = []
        # what is memoized must not die and give its id away: copy.deepcopy keeps such a list under this key too.
        # The root keeps all others alive.
        self.alive: list[Any] = memo.setdefault(id(memo), [])

    def copy(self, root: Any) -> Any:
        self.alive.append(root)
        result = self.visit(root)
        while self.work:
            fill, old, new = self.work.pop()
            fill(old, new)
        return result

    def visit(self, x: Any) -> Any:
        if type(x) in _ATOMS:
            return x
        new = self.memo.get(id(x), _UNSEEN)
        if new is _UNSEEN:
            new = self.memo[id(x)] = self.shell(x)
        return new

    def shell(self, x: Any) -> Any:
        """The copy of x before its content is copied."""
        cls: Any = type(x)
        kind = self.kinds.get(cls)
        if kind is None:
            kind = self.kinds[cls] = self.kind(x)
        make, fill = kind
        new = make(x)
        if fill is not None:
            self.work.append((fill, x, new))
        return new

    def kind(self, x: Any) -> Kind:
        """How objects of the class of x are made, and how they are filled afterwards."""
        cls: Any = type(x)
        if isinstance(x, np.ndarray):
            return self.array, None
        if cls is list:
            return lambda _: [], self.fill_list
        if isinstance(x, dict) and not hasattr(cls, "__deepcopy__"):
            return (lambda _: cls.__new__(cls)) if cls in (dict, Table) else emptied, self.fill_dict
        if cls is tuple:
            return lambda x: tuple(map(self.visit, x)), None
        if name_of(x) is not None and not isinstance(x, type):
            return lambda _: cls.__new__(cls), self.fill_slots if slot_names(cls) else self.fill_object
        return lambda x: x if isinstance(x, ATOMS) else copy.deepcopy(x, self.memo), None

    def fill_list(self, old: list[Any], new: list[Any]) -> None:
        new.extend(map(self.visit, old))

    def fill_dict(self, old: dict[Any, Any], new: dict[Any, Any]) -> None:
        put = dict.__setitem__ if isinstance(new, Table) else type(new).__setitem__
        visit = self.visit
        for key, value in dict.items(old):
            if type(key) is not str:
                key = Key(visit(key.value)) if type(key) is Key else visit(key)
            put(new, key, value if type(value) in _ATOMS else visit(value))

    def fill_slots(self, old: Any, new: Any) -> None:
        for name, value in slots(old).items():
            setattr(new, name, self.visit(value))
        self.fill_object(old, new)

    def fill_object(self, old: Any, new: Any) -> None:
        fields, visit = new.__dict__, self.visit
        for name, value in vars(old).items():
            fields[name] = value if type(value) in _ATOMS else visit(value)

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
    return {name: getattr(x, name) for name in slot_names(cls) if hasattr(x, name)}


@functools.cache
def slot_names(cls: type) -> tuple[str, ...]:
    """The names of the attributes that objects of a class keep outside of their `__dict__`."""
    declared = [vars(parent).get("__slots__", ()) for parent in cls.__mro__]
    names = [name for slots in declared for name in ([slots] if isinstance(slots, str) else slots)]
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def emptied(x: dict[Any, Any]) -> dict[Any, Any]:
    """An empty mapping of the same kind: a defaultdict has the same default."""
    new = copy.copy(x)
    new.clear()
    return new
