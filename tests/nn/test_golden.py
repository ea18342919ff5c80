"""nn against the numbers, texts and errors of the real Torch7."""

from __future__ import annotations

from typing import Any

import pytest

import nn
from tests.support import golden
from tests.support.nn_golden import classes_named, run_case

AREAS = sorted(path.stem for path in (golden.ROOT / "nn").glob("*.json"))

# Classes of which at least one recorded case has to run, so that the filter below can hide none of them.
REQUIRED = (
    *("Sequential", "Identity", "ConcatTable", "ParallelTable", "Concat", "Linear", "LookupTable", "OneHot", "Dropout"),
    *("Sigmoid", "Tanh", "ReLU", "SoftMax", "LogSoftMax", "CAddTable", "CSubTable", "CMulTable", "CDivTable"),
    *("Reshape", "View", "Narrow", "Select", "SplitTable", "JoinTable", "SelectTable", "NarrowTable", "FlattenTable"),
    *("Mul", "MulConstant", "AddConstant", "Add"),
    *("ClassNLLCriterion", "CrossEntropyCriterion", "MSECriterion", "BCECriterion"),
)

CASES = [
    pytest.param(case, id=f"{area}/{golden.case_id(case)}")
    for area in AREAS
    for case in golden.cases(f"nn/{area}.json")
    if all(hasattr(nn, name) for name in classes_named(case))
]


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_torch(case: dict[str, Any]) -> None:
    assert run_case(case) == []


@pytest.mark.parametrize("name", REQUIRED)
def test_class_has_recorded_numbers(name: str) -> None:
    cases = [param.values[0] for param in CASES]
    assert [c for c in cases if name in classes_named(c) and c["kind"] in ("module", "criterion") and "output" in c]
