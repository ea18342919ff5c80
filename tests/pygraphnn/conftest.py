"""The engines that run unrolled networks."""

from __future__ import annotations

from typing import Any

import pytest

from pygraphnn import Unroll
from pygraphnn.unroll.planned import PlannedEngine
from pygraphnn.unroll.stepwise import StepwiseEngine


class NumpyEngine(PlannedEngine):
    compiled = False


class CompiledEngine(PlannedEngine):
    compiled = True


ENGINES = {"stepwise": StepwiseEngine, "numpy": NumpyEngine, "compiled": CompiledEngine}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets every Unroll run with this engine."""
    cls = ENGINES[request.param]
    monkeypatch.setattr(Unroll, "_engine", lambda self: cls)
    return cls


# what these look at is above the engine, and every new kernel takes half a second to compile
ABOVE = {"test_unroll_ragged", "test_unroll_segments", "test_unroll_changes", "test_unroll_module"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if "[compiled" not in item.name or item.path.stem not in ABOVE]
