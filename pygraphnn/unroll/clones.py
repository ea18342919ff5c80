"""Clones of a network for its time steps: what they share with it, and whether it is still what they were made of."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from nn import Module
from torch7 import memory
from torch7.cloning import ATOMS, deep_copy
from torch7.tables import is_table

from ..gmodule import gModule


class Clones:
    """Clones of a module, made as they are needed. They share its parameters, gradients and `LEARNED` fields.

    What was changed in the module since - its mode, type or options, a module in it - makes new clones of it at the
    next run; parameters in new arrays, as after getParameters(), are those of the clones at once.
    """

    def __init__(self, original: Any):
        self.original = original
        self.clones: list[Any] = []
        self.shared: list[np.ndarray] = []
        self.facts: list[Any] = []
        self.alive: list[Any] = []

    def get(self, n: int) -> list[Any]:
        """n clones of the module as it is now."""
        modules = modules_in(self.original)
        self._refresh(modules)
        facts, alive = described(modules, {id(a) for a in self.shared})
        if facts != self.facts:
            self.clones, self.facts, self.alive = [], facts, alive
        while len(self.clones) < n:
            self.clones.append(deep_copy(self.original, self.shared))
        return self.clones[:n]

    def refresh(self) -> list[Any]:
        """The clones of the last run, with the module's parameters in the arrays where they are now."""
        self._refresh(modules_in(self.original))
        return self.clones

    def _refresh(self, modules: list[Any]) -> None:
        shared = [getattr(owner, name) for owner, name in shared_fields(modules)]
        if len(shared) == len(self.shared) and all(a is b for a, b in zip(shared, self.shared)):
            return
        for clone in self.clones:
            for (owner, name), array in zip(list(shared_fields(modules_in(clone))), shared):
                setattr(owner, name, memory.alias(array))
        self.shared = shared  # now that all clones have them


def described(modules: list[Any], shared: set[int]) -> tuple[list[Any], list[Any]]:
    """All that a copy of the modules copies, but for arrays that are shared (their ids): what to compare, and what must
    live so that ids in there stay what they are."""
    facts: list[Any] = []
    alive: list[Any] = []
    for module in modules:
        # a layer whose gradInput a script sets to None gives no gradient
        facts += id(module), module.modules is None and module.gradInput is None
        alive.append(module)
        passing = declared(module.__class__, "BUFFERS", "TRANSIENT")
        for name, value in vars(module).items():
            if name not in passing and id(value) not in shared:
                facts += name, fact(value)
                alive += [value, *value] if is_table(value) else [value]
    return facts, alive


def fact(value: Any) -> Any:
    """What tells a field's value from another one."""
    if isinstance(value, ATOMS):
        return type(value), value
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.dtype, value.shape, value.tobytes()
    if is_table(value):
        return id(value), *map(fact, value)
    return id(value)


def modules_in(net: Any) -> list[Any]:
    """The modules in a network, at any depth, in any field, itself first; a copy has them in the same order."""
    found: dict[int, Any] = {}
    coming = [net]
    while coming:
        x = coming.pop()
        if isinstance(x, Module):
            if id(x) not in found:
                found[id(x)] = x
                coming += [value for value in vars(x).values() if not isinstance(value, (np.ndarray, *ATOMS))]
                coming += [node.data.module for node in x.forwardnodes] if isinstance(x, gModule) else ()
        elif is_table(x) or isinstance(x, dict):
            coming += x.values() if isinstance(x, dict) else x
    return list(found.values())


@functools.cache
def declared(cls: type, *lists: str) -> tuple[str, ...]:
    """The names of fields in lists that a class of modules, or one it derives from, declares."""
    names = [name for c in cls.__mro__ for declared in lists for name in vars(c).get(declared, ())]
    return tuple(dict.fromkeys(names))


def learned(modules: list[Any]) -> list[tuple[Any, str]]:
    """The fields, (module, name), that a forward changes for good, such as running means."""
    fields = [(module, name) for module in modules for name in declared(module.__class__, "LEARNED")]
    return [(module, name) for module, name in fields if isinstance(getattr(module, name, None), np.ndarray)]


def shared_fields(modules: list[Any]) -> list[tuple[Any, str]]:
    """The fields, (module, name), whose memory is that of all time steps, in a network with these modules."""
    slots = [(owner, name) for owner, *names in modules[0].slots() for name in names]
    return [(owner, name) for owner, name in slots if getattr(owner, name) is not None] + learned(modules)
