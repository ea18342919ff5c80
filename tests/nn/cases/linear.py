"""Linear maps, dense, partial, sparse and normalized; learned tensors by which components are changed; constants."""

from __future__ import annotations

from typing import Any

import numpy as np

import nn
from tests.support.contract import ANY, Case, Choice, Index

ROWS = ("N", 4)


def drawn(m: Any) -> Any:
    """A module that draws its parameters only when asked to."""
    m.reset()
    return m


def partial(*outputs: int) -> nn.PartialLinear:
    m = nn.PartialLinear(4, 5)
    m.setPartition(np.array(outputs))
    return m


SPARSE: dict[str, Any] = {"derivative": False, "sizes": {"N": (1, 4), "T": (1, 4)}}  # compared with nn.Linear instead
PAIRS = Choice(("N", 2), (1, 2, 3))
KEYS, VALUES = Index(("N",), 4), ("N",)

CASES = [
    Case("Bilinear", lambda: nn.Bilinear(4, 3, 2), [ROWS, ("N", 3)], additive=False),
    Case("Bilinear", lambda: nn.Bilinear(4, 3, 2, False), [ROWS, ("N", 3)], additive=False, note="no-bias"),
    Case("PartialLinear", lambda: nn.PartialLinear(4, 5), ROWS),
    Case("PartialLinear", lambda: partial(3, 1, 3), ROWS, note="partition"),
    Case("PartialLinear", lambda: nn.PartialLinear(4, 5, False), ROWS, note="no-bias"),
    Case("SparseLinear", lambda: nn.SparseLinear(4, 3), [PAIRS, Choice(("T", 2), (1, 2, 3))], **SPARSE),
    Case("SparseLinear", lambda: nn.SparseLinear(4, 3, True), [PAIRS, PAIRS], note="gradInput", **SPARSE),
    Case("SparseLinear", lambda: nn.SparseLinear(4, 3, True), PAIRS, note="vector", **SPARSE),
    Case("SparseLinear", lambda: nn.SparseLinear(4, 3, True), Choice(("T", "N", 2), (1, 2)), note="legacy", **SPARSE),
    Case("IndexLinear", lambda: drawn(nn.IndexLinear(4, 3)), [[KEYS, KEYS], [VALUES, VALUES]], **SPARSE),
    Case("IndexLinear", lambda: drawn(nn.IndexLinear(4, 1, True)), [KEYS, VALUES], note="vector", **SPARSE),
    Case(
        "IndexLinear",
        lambda: drawn(nn.IndexLinear(4, 3, normalize=True)),
        [[KEYS], [VALUES]],
        note="normalize",
        **SPARSE | {"additive": False},
    ),
    Case("LinearWeightNorm", lambda: nn.LinearWeightNorm(4, 3), ROWS, additive=False, old=("_type",)),
    Case("LinearWeightNorm", lambda: nn.LinearWeightNorm(4, 3, False), (4,), additive=False, note="vector-no-bias"),
    Case("WeightNorm", lambda: nn.WeightNorm(nn.Linear(4, 3)), ROWS, additive=False),
    Case("WeightNorm", lambda: nn.WeightNorm(nn.Linear(4, 3, False), 2), ROWS, additive=False, note="outputDim"),
    Case("CAdd", lambda: nn.CAdd(4), ROWS),
    Case("CAdd", lambda: nn.CAdd(1, 3, 1), ("N", 3, "T"), note="expanded"),
    Case("CAdd", lambda: nn.CAdd(2, 3), (3, 2), note="elements"),
    Case("CMul", lambda: nn.CMul(4), ROWS),
    Case("CMul", lambda: nn.CMul(1, 3, 1), ("N", 3, "T"), note="expanded"),
    Case("CMul", lambda: nn.CMul(2, 3), ("N", 3, 2), note="batch"),
    Case("Constant", lambda: nn.Constant(np.arange(3.0)), ANY, anytype=True),
    Case("Constant", lambda: nn.Constant(np.arange(3.0), 1), ("N", 2), anytype=True, note="batch"),
]
