"""Torch's class names and Python's classes: which is which."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

_classes: dict[str, type] = {}
_NAME = re.compile(r"[A-Za-z_][\w.\-]*")


def register(name: str, version: int = 1) -> Callable[[T], T]:
    """Class decorator: objects of the class are saved and loaded as Torch's class `name`.

    >>> @register("doc.Point")
    ... class Point:
    ...     pass
    >>> find("doc.Point") is Point, class_name(Point)
    (True, 'doc.Point')
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"torch7.register: {name!r} is no class name, expected something like 'nn.Linear'")

    def decorate(cls: T) -> T:
        setattr(cls, "torch_name", name)  # noqa: B010  (a type checker knows no such attribute of `type`)
        setattr(cls, "torch_version", version)  # noqa: B010
        _classes[name] = cls
        return cls

    return decorate


def saves_fields(method: F) -> F:
    """Marks a class's `write` or `read` that does no more than saving or reading its fields as one table.

    A file does that without calling it; it is there for the `write` or `read` of a derived class to call.
    """
    setattr(method, "saves_fields", True)  # noqa: B010
    return method


def own(cls: type, method: str) -> Callable[..., Any] | None:
    """The `write` or `read` of a class that has a format of its own, else None."""
    found = getattr(cls, method, None)
    return None if getattr(found, "saves_fields", False) else found


def find(name: str) -> type | None:
    """The Python class that stands for Torch's class `name`, or None."""
    return _classes.get(name)


def class_name(cls: type) -> str | None:
    """Torch's name of a Python class, or None. A class does not inherit its parent's name."""
    return cls.__dict__.get("torch_name")


def name_of(obj: Any) -> str | None:
    """Torch's name of an object's class, or None."""
    return getattr(obj, "torch_typename", None) or class_name(type(obj))


def construct(name: str) -> Any:
    """An object of Torch's class `name` on which no `__init__` ran, as a file reader needs it; None if unknown."""
    cls = find(name)
    return None if cls is None else object.__new__(cls)


def class_(name: str, parent: str | None = None) -> type:
    """Makes and registers a class as `torch.class(name, parent)` does; `parent` is a registered name.

    >>> class_("my.Point").__name__
    'Point'
    """
    base = object if parent is None else find(parent)
    if base is None:
        raise ValueError(f"torch7.class_: no class {parent!r} to derive {name!r} from")
    return register(name)(type(name.rpartition(".")[2], (base,), {}))
