"""Round trips through Torch's file format."""

from __future__ import annotations

from typing import Any

import pytest

import torch7

MODES = pytest.mark.parametrize("mode", ["binary", "ascii"])


def again(value: Any, mode: str = "binary") -> Any:
    """What is read when the value has been written."""
    return torch7.deserialize(torch7.serialize(value, mode), mode)
