"""Containers and decorators."""

from __future__ import annotations

from collections.abc import Callable

import nn
from tests.support.contract import ANY, Case

ROWS = ("N", 4)


def depths(dimension: int) -> Callable[[], nn.Module]:
    """Outputs of three sizes side by side."""
    batch = dimension == 2

    def make() -> nn.Module:
        inner = nn.Sequential().add(nn.Narrow(-1, 1, 3)).add(nn.Narrow(-2, 2, 2)).add(nn.Mul())
        return nn.DepthConcat(dimension).add(nn.Tanh()).add(inner).add(nn.Narrow(1 + batch, 2, 1))

    return make


def apart() -> nn.Module:
    m = nn.MapTable(nn.Linear(4, 2), False)
    m.resize(2)
    return m


CASES = [
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
    Case("Parallel", lambda: nn.Parallel(2, 2).add(nn.Linear(4, 2)).add(nn.Linear(4, 3)), ("N", 2, 4)),
    Case("Parallel", lambda: nn.Parallel(1, 1).add(nn.Tanh()).add(nn.Linear(4, 3)), (2, 4), note="vectors"),
    Case("Parallel", lambda: nn.Parallel(3, 1).add(nn.Linear(4, 2)).add(nn.Linear(4, 2)), ("N", 4, 2), note="rows"),
    Case("DepthConcat", depths(2), ("N", 2, "H", "W"), additive=False, old=("outputSize",)),  # the scale is always 1
    Case("DepthConcat", depths(1), (2, "H", "W"), note="one", additive=False),
    Case("MapTable", lambda: nn.MapTable(nn.Linear(4, 2)), [ROWS], old=("sharedparams",)),
    Case("MapTable", lambda: nn.MapTable(nn.Linear(4, 2)), [ROWS, ROWS], note="two", additive=False),  # listed twice
    Case("MapTable", lambda: apart(), [ROWS, ROWS], note="apart"),
    Case("MapTable", lambda: nn.MapTable(nn.Tanh()), [ANY, ("T",)], note="any"),
]
