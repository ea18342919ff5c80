"""One line per class of nn, and one more for each other form of input: how to make an object, and what to feed it."""

from __future__ import annotations

import numpy as np

import nn
from tests.support.contract import ANY, Between, Case, Choice, Index

ROWS = ("N", 4)
SMALL = {"N": (2, 4)}

CONTAINERS = [
    Case("Sequential", lambda: nn.Sequential().add(nn.Linear(4, 3)).add(nn.Tanh()).add(nn.Linear(3, 2)), ROWS),
    Case("ConcatTable", lambda: nn.ConcatTable().add(nn.Linear(4, 2)).add(nn.Tanh()).add(nn.Linear(4, 3)), ROWS),
    Case("ParallelTable", lambda: nn.ParallelTable().add(nn.Linear(4, 2)).add(nn.Tanh()), [ROWS, ANY]),
    Case("Concat", lambda: nn.Concat(2).add(nn.Linear(4, 2)).add(nn.Tanh()).add(nn.Linear(4, 1)), ROWS),
    Case("Concat", lambda: nn.Concat(1).add(nn.Linear(4, 2)).add(nn.Linear(4, 2)), ROWS, note="rows"),
    Case(
        "Sequential",
        lambda: nn.Sequential().add(nn.ParallelTable().add(nn.Linear(4, 2)).add(nn.Linear(3, 2))).add(nn.CAddTable()),
        [ROWS, ("N", 3)],
        note="table",
    ),
]

LAYERS = [
    Case("Linear", lambda: nn.Linear(4, 3), ROWS),
    Case("Linear", lambda: nn.Linear(4, 3), (4,), note="vector"),
    Case("Linear", lambda: nn.Linear(4, 3, False), ROWS, note="no-bias"),
    Case("LookupTable", lambda: nn.LookupTable(5, 3), Index(("N",), 5)),
    Case("LookupTable", lambda: nn.LookupTable(5, 3), Index(("N", "T"), 5), note="matrix"),
    Case("OneHot", lambda: nn.OneHot(5), Index(("N",), 5)),
    Case("OneHot", lambda: nn.OneHot(5), Index(("N", "T"), 5), note="matrix"),
    Case("Dropout", lambda: nn.Dropout(0.3), ANY, random=True),
    Case("Dropout", lambda: nn.Dropout(0.3, False, True), ANY, random=True, inplace=True, note="inplace"),
    Case("Mul", lambda: nn.Mul(), ANY),
    Case("Add", lambda: nn.Add(4), ROWS),
    Case("Add", lambda: nn.Add(4, True), ROWS, note="scalar"),
    Case("MulConstant", lambda: nn.MulConstant(2.5), ANY),
    Case("MulConstant", lambda: nn.MulConstant(2.5, True), ANY, inplace=True, note="inplace"),
    Case("AddConstant", lambda: nn.AddConstant(2.5), ANY),
    Case("AddConstant", lambda: nn.AddConstant(np.arange(4.0)), ROWS, note="vector"),
    Case("AddConstant", lambda: nn.AddConstant(2.5, True), ANY, inplace=True, note="inplace"),
]

ACTIVATIONS = [
    Case("Sigmoid", lambda: nn.Sigmoid(), ANY),
    Case("Tanh", lambda: nn.Tanh(), ANY),
    Case("ReLU", lambda: nn.ReLU(), ANY, avoid=(0,)),
    Case("ReLU", lambda: nn.ReLU(True), ANY, avoid=(0,), inplace=True, note="inplace"),
    Case("Threshold", lambda: nn.Threshold(0.5, -1), ANY, avoid=(0.5,)),
    Case("Threshold", lambda: nn.Threshold(0.5, 0.5, True), ANY, avoid=(0.5,), inplace=True, note="inplace"),
    Case("SoftMax", lambda: nn.SoftMax(), ("N", "T")),
    Case("SoftMax", lambda: nn.SoftMax(), ("T",), note="vector"),
    Case("SoftMax", lambda: nn.SoftMax(), ("N", "T", "H", "W"), note="images"),
    Case("LogSoftMax", lambda: nn.LogSoftMax(), ("N", "T")),
    Case("LogSoftMax", lambda: nn.LogSoftMax(), ("T",), note="vector"),
]

TABLES = [
    Case("CAddTable", lambda: nn.CAddTable(), [ANY, ANY, ANY]),
    Case("CAddTable", lambda: nn.CAddTable(True), [ANY, ANY], inplace=True, note="inplace"),
    Case("CSubTable", lambda: nn.CSubTable(), [ANY, ANY]),
    Case("CMulTable", lambda: nn.CMulTable(), [ANY, ANY, ANY]),
    Case("CDivTable", lambda: nn.CDivTable(), [ANY, ANY], low=0.5),
    Case("JoinTable", lambda: nn.JoinTable(2), [("N", 2, "*"), ("N", 3, "*")], anytype=True),
    Case("JoinTable", lambda: nn.JoinTable(1, 1), [("N", 2), ("N", 3)], anytype=True, note="nInputDims"),
    Case("SplitTable", lambda: nn.SplitTable(2), ("N", "T", 3), view=True, anytype=True),
    Case("SplitTable", lambda: nn.SplitTable(1, 2), ("N", "T", 3), view=True, anytype=True, note="nInputDims"),
    Case("SelectTable", lambda: nn.SelectTable(-1), [ANY, ROWS, ANY], view=True, anytype=True),
    Case("NarrowTable", lambda: nn.NarrowTable(2, 2), [ANY, ROWS, ANY], view=True, anytype=True),
    Case("FlattenTable", lambda: nn.FlattenTable(), [ANY, [ROWS, [ANY]]], view=True, anytype=True),
]

SHAPES = [
    Case("Identity", lambda: nn.Identity(), ANY, view=True, anytype=True),
    Case("Identity", lambda: nn.Identity(), [ANY, ROWS], view=True, anytype=True, note="table"),
    Case("Reshape", lambda: nn.Reshape(3, 4), ("N", 2, 6), view=True),
    Case("Reshape", lambda: nn.Reshape(3, 4, True), ("N", 2, 6), view=True, note="batch"),
    Case("Reshape", lambda: nn.Reshape(3, 4, False), (2, 6), view=True, note="no-batch"),
    Case("View", lambda: nn.View(12), ("N", 2, 6), view=True),
    Case("View", lambda: nn.View(-1, 4).setNumInputDims(2), ("N", 2, 6), view=True, note="numInputDims"),
    Case("Narrow", lambda: nn.Narrow(2, 2, 3), ("N", 5, "*"), view=True, anytype=True),
    Case("Select", lambda: nn.Select(2, -1), ("N", "T", 3), view=True),
]

MODULES = CONTAINERS + LAYERS + ACTIVATIONS + TABLES + SHAPES

CRITERIONS = [
    Case("ClassNLLCriterion", lambda: nn.ClassNLLCriterion(), ("N", 4), Index(("N",), 4)),
    Case("ClassNLLCriterion", lambda: nn.ClassNLLCriterion(np.arange(1, 5.0)), ROWS, Index(("N",), 4), note="weights"),
    Case("ClassNLLCriterion", lambda: nn.ClassNLLCriterion(None, False), (4,), Index((1,), 4), note="vector"),
    Case("CrossEntropyCriterion", lambda: nn.CrossEntropyCriterion(), ROWS, Index(("N",), 4)),
    Case("MSECriterion", lambda: nn.MSECriterion(), ANY, ANY),
    Case("MSECriterion", lambda: nn.MSECriterion(False), ANY, ANY, note="sum"),
    Case("BCECriterion", lambda: nn.BCECriterion(), ANY, Choice(ANY, (0, 0.25, 1)), low=0.05, high=0.95),
    Case(
        "BCECriterion",
        lambda: nn.BCECriterion(np.arange(1, 5.0)),
        Between(ROWS, 0.1, 0.9),
        Between(ROWS, 0, 1),
        note="weights",
    ),
]
