"""What nodes, edges and graphs share: names and fields in files, copies, and lists that know their members."""

from __future__ import annotations

from typing import Any

from torch7 import Table, register
from torch7.cloning import deep_copy
from torch7.registry import class_name


class Member:
    """Saved as what it is, and copied without recursion, so that a graph may be of any depth."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register(class_name(cls) or cls.__name__)(cls)  # a script's own class has its bare name, as in Lua

    def __deepcopy__(self, memo: Any) -> Any:
        return deep_copy(self, memo=memo)


class Places(dict[Any, int]):
    """Where members are in a list, counted from 1. A copy begins anew, as does a list changed elsewhere."""

    def place(self, item: Any, members: list[Any]) -> int:
        """The position of item in the list; an item that is new is added."""
        if len(self) != len(members):
            self.clear()
            self.update((member, i) for i, member in enumerate(members, 1))
        if item not in self:
            members.append(item)
            self[item] = len(members)
        return self[item]

    def __deepcopy__(self, memo: Any) -> Places:
        return Places()


def saved(obj: Any, **tables: Table) -> dict[str, Any]:
    """The fields of obj that a file holds, some of them replaced by `tables`."""
    transient = {name for cls in type(obj).__mro__ for name in vars(cls).get("TRANSIENT", ())}
    return {k: v for k, v in vars(obj).items() if k not in transient and v is not None} | tables


def both_ways(members: list[Any]) -> Table:
    """The table of Torch that gives a member for a position and a position for a member."""
    return Table([*enumerate(members, 1), *((member, i) for i, member in enumerate(members, 1))])


def list_part(table: Any) -> list[Any]:
    """The list of a table that was read: what is at 1, 2, 3..."""
    return list(Table(table).list_part()) if isinstance(table, dict) else list(table or ())
