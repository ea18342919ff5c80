"""Modules that convert layouts and types."""

from __future__ import annotations

import nn
from tests.support.contract import ANY, Case

CASES = [
    Case("Convert", lambda: nn.Convert(), ANY, view=True, anytype=True),
    Case("Convert", lambda: nn.Convert("bchw", "bhwc"), ("N", 2, 3, "T"), anytype=True, note="order"),
    Case("Convert", lambda: nn.Convert("chw", "whc"), (2, 3, "T"), anytype=True, note="sample"),
    Case("Convert", lambda: nn.Convert("chwb", "bf"), (2, 3, 2, "N"), anytype=True, view=False, note="features"),
    Case("Convert", lambda: nn.Convert("bchw", "bf"), ("N", 2, 3, 2), anytype=True, view=True, note="flat"),
    Case("Convert", lambda: nn.Convert("bt", "b"), ("N", "T"), anytype=True, view=True, note="target"),
    Case("Copy", lambda: nn.Copy(), ANY, view=True),
    Case("Copy", lambda: nn.Copy(None, None, True), ANY, anytype=True, note="forceCopy"),
]
