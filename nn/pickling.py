"""Pickles modules and criterions flat, so that a graph may be of any depth, and with shared memory still shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from torch7 import memory
from torch7.cloning import emptied, on_a_storage, slots
from torch7.registry import name_of
from torch7.tables import Key, Storage, Table

ATOMS = (type(None), bool, int, float, complex, str, bytes, np.generic)

# One object: its kind and what makes it one, with the positions of other entries in place of its parts.
Entry = tuple[Any, ...]
Get = Callable[[int], Any]


def reduce(obj: Any) -> tuple[Any, ...]:
    """What `__reduce__` returns for obj.

    An array is stored as a view on the memory that it is a view of. That is stored as one object, so that modules that
    share memory share it again when they are pickled together. What Torch knows nothing of pickles as it always does.
    """
    return new, (type(obj),), _Flattener().flatten(obj), None, None, restore


def new(cls: Any) -> Any:
    """An object of the class without a call of its `__init__`."""
    return cls.__new__(cls)


class _Flattener:
    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.places: dict[Any, int] = {}
        self.work: list[tuple[int, Any]] = []

    def flatten(self, root: Any) -> list[Entry]:
        self.place(root)
        while self.work:
            place, x = self.work.pop()
            self.entries[place] = self.entry(x)
        return self.entries

    def place(self, x: Any) -> int:
        """The position of the entry of x, which is written later."""
        if id(x) not in self.places:
            self.places[id(x)] = len(self.entries)
            self.work.append((len(self.entries), x))
            self.entries.append(x)
        return self.places[id(x)]

    def entry(self, x: Any) -> Entry:
        if isinstance(x, np.ndarray):
            return self.array(x)
        if type(x) in (list, tuple) and not all(isinstance(v, ATOMS) for v in x):
            return type(x).__name__, [self.place(v) for v in x]
        if isinstance(x, Key):
            return "key", self.place(x.value)
        if isinstance(x, dict) and not all(isinstance(v, ATOMS) for item in x.items() for v in item):
            return "dict", emptied(x), [self.place(key) for key in x], [self.place(v) for v in dict.values(x)]
        if name_of(x) is not None and not isinstance(x, (type, Table)):
            skipped = {name for cls in type(x).__mro__ for name in vars(cls).get("TRANSIENT", ())}
            fields = {name: self.place(value) for name, value in vars(x).items() if name not in skipped}
            return "object", type(x), slots(x), fields
        return "value", x

    def array(self, a: np.ndarray) -> Entry:
        whole = memory.owner(a)
        if not on_a_storage(a) or (whole is a and a.flags.c_contiguous):
            return "value", a
        if type(whole) in (np.ndarray, Storage) and whole.flags.c_contiguous:
            place = self.place(whole)
        else:  # pickle would bring the elements of this one into another order
            place = self.places.setdefault(("storage", id(whole)), len(self.entries))
            if place == len(self.entries):
                self.entries.append(("value", memory.storage(whole)))
        return "array", place, type(a), a.dtype, memory.offset(a), a.shape, memory.strides(a)


def restore(obj: Any, entries: list[Entry]) -> None:
    """Gives obj and everything inside of it its content."""
    made: dict[int, Any] = {0: obj}

    def get(place: int) -> Any:
        if place not in made:
            kind, *parts = entries[place]
            made[place] = MAKE[kind](get, *parts)
        return made[place]

    for place, (kind, *parts) in enumerate(entries):
        if kind in FILL:
            FILL[kind](get, get(place), *parts)
    for place in reversed(range(len(entries))):
        if entries[place][0] == "object" and hasattr(made[place], "torch_loaded"):
            made[place].torch_loaded(getattr(made[place], "torch_version", 1))


def _view(get: Get, place: int, cls: type, dtype: np.dtype, *window: Any) -> np.ndarray:
    flat = memory.storage(get(place))
    view = memory.view_of(flat if flat.dtype == dtype else flat.view(dtype), *window)
    return view if cls is np.ndarray else view.view(cls)


def _fill_dict(get: Get, made: Any, empty: Any, keys: list[int], values: list[int]) -> None:
    put = dict.__setitem__ if isinstance(made, Table) else type(made).__setitem__
    for key, value in zip(keys, values):
        put(made, get(key), get(value))


def _fill_object(get: Get, made: Any, cls: type, slots: dict[str, Any], fields: dict[str, int]) -> None:
    for name, value in slots.items():
        setattr(made, name, value)
    made.__dict__.update((name, get(place)) for name, place in fields.items())


MAKE: dict[str, Callable[..., Any]] = {
    "value": lambda get, x: x,
    "list": lambda get, parts: [],
    "tuple": lambda get, parts: tuple(map(get, parts)),
    "key": lambda get, place: Key(get(place)),
    "dict": lambda get, empty, keys, values: empty,
    "object": lambda get, cls, slots, fields: new(cls),
    "array": _view,
}

FILL: dict[str, Callable[..., None]] = {
    "list": lambda get, made, parts: made.extend(map(get, parts)),
    "dict": _fill_dict,
    "object": _fill_object,
}
