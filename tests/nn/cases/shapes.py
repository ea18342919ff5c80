"""Modules that change, cut or reduce shapes."""

from __future__ import annotations

import nn
from tests.support.contract import ANY, Case, Index

ROWS = ("N", 4)

CASES = [
    Case("Identity", lambda: nn.Identity(), ANY, view=True, anytype=True),
    Case("Identity", lambda: nn.Identity(), [ANY, ROWS], view=True, anytype=True, note="table"),
    Case("Reshape", lambda: nn.Reshape(3, 4), ("N", 2, 6), view=True, old=("_type",)),
    Case("Reshape", lambda: nn.Reshape(3, 4, True), ("N", 2, 6), view=True, note="batch"),
    Case("Reshape", lambda: nn.Reshape(3, 4, False), (2, 6), view=True, note="no-batch"),
    Case("View", lambda: nn.View(12), ("N", 2, 6), view=True),
    Case("View", lambda: nn.View(-1, 4).setNumInputDims(2), ("N", 2, 6), view=True, note="numInputDims"),
    Case("Narrow", lambda: nn.Narrow(2, 2, 3), ("N", 5, "*"), view=True, anytype=True),
    Case("Select", lambda: nn.Select(2, -1), ("N", "T", 3), view=True),
    Case("Contiguous", lambda: nn.Contiguous(), ANY, view=True),
    Case("Collapse", lambda: nn.Collapse(2), ("N", "T", 3), view=True),
    Case("Collapse", lambda: nn.Collapse(2), (2, 3), view=True, note="no-batch"),
    Case("Transpose", lambda: nn.Transpose([2, 4], [3, 4]), ("N", 2, "T", 3)),
    Case("Transpose", lambda: nn.Transpose([1, 2]).setNumInputDims(2), ("N", "T", 3), note="numInputDims"),
    Case("Transpose", lambda: nn.Transpose([1, 2]), ("N", 4), note="rows"),
    Case("Squeeze", lambda: nn.Squeeze(), ("N", 1, 3, 1), view=True),
    Case("Squeeze", lambda: nn.Squeeze(None, 3), ("N", 1, 3, 1), view=True, note="numInputDims"),
    Case("Squeeze", lambda: nn.Squeeze(2), ("N", 1, "*"), view=True, note="dim"),
    Case("Squeeze", lambda: nn.Squeeze(1, 2), ("N", 1, 3), view=True, note="dim-numInputDims"),
    Case("Unsqueeze", lambda: nn.Unsqueeze(2), ("N", 3), view=True),
    Case("Unsqueeze", lambda: nn.Unsqueeze(1, 1), ("N", 3), view=True, note="numInputDims"),
    Case("Replicate", lambda: nn.Replicate(3), ANY, view=True),
    Case("Replicate", lambda: nn.Replicate(2, 2), ANY, view=True, note="dim", old=("ndim",)),
    Case("Replicate", lambda: nn.Replicate(2, 1, 2), ("N", "T", 3), view=True, note="ndim"),
    Case("Index", lambda: nn.Index(2), [("N", 4, "*"), Index((6,), 4)]),
    Case("Index", lambda: nn.Index(1), [(3,), Index(("T",), 3)], note="vector"),
    Case("MaskedSelect", lambda: nn.MaskedSelect(), [ANY, Index(ANY, 1)]),
    Case("Padding", lambda: nn.Padding(2, 2), ("N", "T", "*"), anytype=True),
    Case("Padding", lambda: nn.Padding(1, -1, 2, 9, 2), ("N", 3, "T"), anytype=True, note="batch"),
    Case("Padding", lambda: nn.Padding(1, 2, None, -1, 2), ("N", 2), anytype=True, note="rows"),
]
