"""Large arrays are worked off in blocks, on several threads: with the results of all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nn.kernels import masks
from tests.nn.cases import activations
from tests.support.contract import EXACT, Case, backward, gradients, input_of, like, made, output, strided
from tests.support.nested import assert_same
from torch7 import blocks

LARGE = {"N": 5, "*": (4, 3), "T": 4, "D": 4, "H": 5, "W": 3}


@pytest.mark.parametrize("case", activations.CASES, ids=str)
def test_blocks_give_the_same(case: Case, small_blocks: int, monkeypatch: Any) -> None:
    m, x = made(case), input_of(case, LARGE)
    y = output(m, x)
    g = like(y)
    found = [y, backward(m, x, g), gradients(m, x, g)]
    gaps = output(m, strided(x))
    monkeypatch.setattr(blocks, "BLOCK", 1 << 19)
    want = [output(m, x), backward(m, x, g), gradients(m, x, g)]
    assert_same(found, want, **EXACT)
    assert_same(gaps, want[0], **EXACT)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_masks(dtype: Any) -> None:
    mask = np.array([True, False, True])
    x, other = np.array([1, np.inf, np.nan], dtype), np.array([np.nan, -0.0, 7], dtype)
    out = np.empty(3, dtype)
    masks.kept(x, mask, out)
    np.testing.assert_array_equal(out, [1, 0, np.nan])
    masks.dropped(x, mask, out)
    np.testing.assert_array_equal(out, [0, np.inf, 0])
    for a, b in ((x, other), (x, -0.5), (0.25, other), (0.25, -0.5)):
        masks.chosen(mask, a, b, out)
        np.testing.assert_array_equal(out, np.where(mask, a, b))
    for a, b, room in ((x.copy(), other, 0), (x, other.copy(), 1)):
        want, out = np.where(mask, a, b), (a, b)[room]
        masks.chosen(mask, a, b, out)
        np.testing.assert_array_equal(out, want)
