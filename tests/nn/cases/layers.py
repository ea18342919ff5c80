"""Layers with parameters, look-ups, noise, distances."""

from __future__ import annotations

import numpy as np

import nn
from tests.support.contract import ANY, Case, Index

ROWS = ("N", 4)

CASES = [
    Case("Linear", lambda: nn.Linear(4, 3), ROWS, old=("_type",)),
    Case("Linear", lambda: nn.Linear(4, 3), (4,), note="vector"),
    Case("Linear", lambda: nn.Linear(4, 3, False), ROWS, note="no-bias"),
    Case("LookupTable", lambda: nn.LookupTable(5, 3), Index(("N",), 5), old=("paddingValue", "maxNorm", "normType")),
    Case("LookupTable", lambda: nn.LookupTable(5, 3), Index(("N", "T"), 5), note="matrix"),
    Case("OneHot", lambda: nn.OneHot(5), Index(("N",), 5)),
    Case("OneHot", lambda: nn.OneHot(5), Index(("N", "T"), 5), note="matrix"),
    Case("Dropout", lambda: nn.Dropout(0.3), ANY, random=True),
    Case("Dropout", lambda: nn.Dropout(0.3, False, True), ANY, random=True, inplace=True, note="inplace"),
    Case("Mul", lambda: nn.Mul(), ANY),
    Case("Add", lambda: nn.Add(4), ROWS, old=("scalar",)),
    Case("Add", lambda: nn.Add(4, True), ROWS, note="scalar"),
    Case("MulConstant", lambda: nn.MulConstant(2.5), ANY, old=("inplace",)),
    Case("MulConstant", lambda: nn.MulConstant(2.5, True), ANY, inplace=True, note="inplace"),
    Case("AddConstant", lambda: nn.AddConstant(2.5), ANY, old=("inplace",)),
    Case("AddConstant", lambda: nn.AddConstant(np.arange(4.0)), ROWS, note="vector"),
    Case("AddConstant", lambda: nn.AddConstant(2.5, True), ANY, inplace=True, note="inplace"),
]
