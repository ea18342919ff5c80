"""nn against the numbers, texts and errors of the real Torch7."""

from __future__ import annotations

from typing import Any

import pytest

import nn
from tests.support import golden
from tests.support.nn_golden import classes_named, run_case

AREAS = sorted(path.stem for path in (golden.ROOT / "nn").glob("*.json"))

CASES = [(area, case) for area in AREAS for case in golden.cases(f"nn/{area}.json")]
UNRECORDED = {"Container", "GPU", "StochasticGradient"}


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{area}/{golden.case_id(case)}") for area, case in CASES])
def test_agrees_with_torch(case: dict[str, Any]) -> None:
    assert run_case(case) == []


def test_every_class_has_recorded_numbers() -> None:
    classes = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    recorded = [case for _, case in CASES if case["kind"] in ("module", "criterion") and "output" in case]
    assert classes - set().union(*map(classes_named, recorded)) == UNRECORDED
