"""Nested lists of arrays: what modules take and give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def mapped(function: Callable[[np.ndarray], Any], x: Any) -> Any:
    """x with function(a) in place of every array a."""
    if isinstance(x, (list, tuple)):
        return [mapped(function, y) for y in x]
    if isinstance(x, dict):
        return {k: mapped(function, y) for k, y in x.items()}
    return function(x) if isinstance(x, np.ndarray) else x


def copied(x: Any) -> Any:
    """A deep copy: buffers are written again by the next call."""
    return mapped(np.copy, x)


def leaves(x: Any) -> list[np.ndarray]:
    """The arrays in x, in order."""
    found: list[np.ndarray] = []
    mapped(found.append, x)
    return found


def assert_same(got: Any, want: Any, rtol: float = 0, atol: float = 0) -> None:
    """Fails unless both are nested alike and hold the same numbers, shapes and types."""
    if isinstance(want, (list, tuple)):
        assert isinstance(got, (list, tuple))
        assert len(got) == len(want)
        for g, w in zip(got, want):
            assert_same(g, w, rtol, atol)
    elif isinstance(want, dict):
        assert set(got) == set(want)
        for key, value in want.items():
            assert_same(got[key], value, rtol, atol)
    elif isinstance(want, np.ndarray):
        assert isinstance(got, np.ndarray)
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        np.testing.assert_allclose(got, want, rtol, atol)
    else:
        assert type(got) is type(want)
        assert got == want or (isinstance(want, float) and np.isclose(got, want, rtol, atol, equal_nan=True))
