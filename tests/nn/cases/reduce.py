"""Modules that reduce a dimension to one number."""

from __future__ import annotations

import nn
from tests.support.contract import Case

CASES = [
    Case("Max", lambda: nn.Max(2), ("N", "T", "*")),
    Case("Max", lambda: nn.Max(1, 1), ("N", 3), note="nInputDims"),
    Case("Max", lambda: nn.Max(), ("T",), note="vector"),
    Case("Min", lambda: nn.Min(2, 2), ("N", 3, "T")),
    Case("Min", lambda: nn.Min(), ("N", "T"), note="rows"),
    Case("Min", lambda: nn.Min(-2), ("N", "T", 3), note="negative"),
    Case("Sum", lambda: nn.Sum(2), ("N", "T", "*"), old=("sizeAverage", "squeeze")),
    Case("Sum", lambda: nn.Sum(-1, 2, True, False), ("N", "T", 3), note="sizeAverage-kept"),
    Case("Sum", lambda: nn.Sum(), ("T",), note="vector"),
    Case("Mean", lambda: nn.Mean(2, 2), ("N", 3, "T"), old=("sizeAverage", "squeeze")),
    Case("Mean", lambda: nn.Mean(), ("N", 4), note="rows"),
]
