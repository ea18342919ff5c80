"""Modules around one other module."""

from __future__ import annotations

import nn
from tests.support.contract import Case

ROWS = ("N", 4)


def pair() -> nn.Module:
    return nn.ParallelTable().add(nn.Linear(4, 2)).add(nn.Tanh())


CASES = [
    Case("Decorator", lambda: nn.Decorator(nn.Linear(4, 3)), ROWS),
    Case("Decorator", lambda: nn.Decorator(pair()), [ROWS, ROWS], note="table"),
    Case("Bottle", lambda: nn.Bottle(nn.Linear(4, 3)), ("N", "T", 4), old=("inShape", "outShape", "dimDelta")),
    Case("Bottle", lambda: nn.Bottle(nn.Linear(4, 3)), ("N", "T", "D", 4), note="4d"),
    Case("Bottle", lambda: nn.Bottle(nn.Linear(4, 3)), ROWS, note="plain"),
    Case("Bottle", lambda: nn.Bottle(nn.Linear(4, 3), 2, 2), (4,), note="vector"),
    Case("Bottle", lambda: nn.Bottle(nn.View(-1, 2, 2), 2, 3), ("N", "T", 4), note="more", view=True),
    Case(
        "Bottle",
        lambda: nn.Bottle(nn.Sequential().add(nn.Select(2, 1)).add(nn.Tanh()), 3, 2),
        ("N", "T", 3, 4),
        note="fewer",
    ),
    Case("DontCast", lambda: nn.DontCast(nn.Linear(4, 3)), ROWS, keepstype=True),
    Case("DontCast", lambda: nn.DontCast(nn.Linear(4, 3), True), ROWS, note="castin", keepstype=True, anytype=True),
    Case("DontCast", lambda: nn.DontCast(pair(), True), [ROWS, ROWS], note="table", keepstype=True, anytype=True),
    Case("NaN", lambda: nn.NaN(nn.Linear(4, 3), "linear"), ROWS),
    Case("NaN", lambda: nn.NaN(pair(), 3), [ROWS, ROWS], note="table"),
    Case("Profile", lambda: nn.Profile(nn.Linear(4, 3)), ROWS),
    Case("GPU", lambda: nn.GPU(nn.Linear(4, 3), 1), ROWS),
    Case("GPU", lambda: nn.GPU(pair(), 2, 1), [ROWS, ROWS], note="table"),
]
