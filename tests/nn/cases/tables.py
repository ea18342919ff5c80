"""Modules on tables."""

from __future__ import annotations

import nn
from tests.support.contract import ANY, Case

ROWS = ("N", 4)

CASES = [
    Case("CAddTable", lambda: nn.CAddTable(), [ANY, ANY, ANY], old=("inplace",)),
    Case("CAddTable", lambda: nn.CAddTable(True), [ANY, ANY], inplace=True, note="inplace"),
    Case("CSubTable", lambda: nn.CSubTable(), [ANY, ANY]),
    Case("CMulTable", lambda: nn.CMulTable(), [ANY, ANY, ANY]),
    Case("CDivTable", lambda: nn.CDivTable(), [ANY, ANY], low=0.5),
    Case("JoinTable", lambda: nn.JoinTable(2), [("N", 2, "*"), ("N", 3, "*")], anytype=True),
    Case("JoinTable", lambda: nn.JoinTable(1, 1), [("N", 2), ("N", 3)], anytype=True, note="nInputDims", old=("size",)),
    Case("SplitTable", lambda: nn.SplitTable(2), ("N", "T", 3), view=True, anytype=True, old=("nInputDims",)),
    Case("SplitTable", lambda: nn.SplitTable(1, 2), ("N", "T", 3), view=True, anytype=True, note="nInputDims"),
    Case("SelectTable", lambda: nn.SelectTable(-1), [ANY, ROWS, ANY], view=True, anytype=True),
    Case("NarrowTable", lambda: nn.NarrowTable(2, 2), [ANY, ROWS, ANY], view=True, anytype=True),
    Case("FlattenTable", lambda: nn.FlattenTable(), [ANY, [ROWS, [ANY]]], view=True, anytype=True),
    Case("CMaxTable", lambda: nn.CMaxTable(), [ANY, ANY, ANY]),
    Case("CMinTable", lambda: nn.CMinTable(), [ANY, ANY, ANY]),
    Case("CAddTensorTable", lambda: nn.CAddTensorTable(), [ANY, [ANY, ANY]]),
    Case("MixtureTable", lambda: nn.MixtureTable(), [("N", 3), [("N", "*"), ("N", "*"), ("N", "*")]], old=("size",)),
    Case("MixtureTable", lambda: nn.MixtureTable(), [(2,), [("T",), ("T",)]], note="sample"),
    Case("MixtureTable", lambda: nn.MixtureTable(), [("N", 3), ("N", 3, "*", 2)], note="tensor"),
    Case("MixtureTable", lambda: nn.MixtureTable(3), [("N", 3), ("N", "T", 3, 2)], note="tensor-dim"),
    Case("MixtureTable", lambda: nn.MixtureTable(2), [(3,), ("T", 3)], note="tensor-sample"),
    Case("ZipTable", lambda: nn.ZipTable(), [[ROWS, ANY], [ANY, ROWS], [ROWS]], view=True, anytype=True),
    Case("ZipTableOneToMany", lambda: nn.ZipTableOneToMany(), [ROWS, [ANY, ROWS]], view=True, anytype=True),
]
