"""Tests of random numbers: a known start for each, and calls that must draw nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import torch7


@contextmanager
def stream(seed: int) -> Iterator[None]:
    """The default generator starts from a seed; afterwards it and the default type are what they were."""
    name, state = torch7.getdefaulttensortype(), torch7.getRNGState()
    torch7.manualSeed(seed)
    try:
        yield
    finally:
        torch7.setdefaulttensortype(name)
        torch7.setRNGState(state)


def refused(error: type[Exception], text: str, function: Callable[..., Any], *args: Any) -> None:
    """The call fails with this text and draws nothing."""
    before = torch7.getRNGState()
    with pytest.raises(error, match=text):
        function(*args)
    np.testing.assert_array_equal(torch7.getRNGState(), before)
