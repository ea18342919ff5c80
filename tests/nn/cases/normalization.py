"""Normalizations."""

from __future__ import annotations

import math

import numpy as np

import nn
from tests.support.contract import Case

ROWS = ("N", 4)
IMAGES = ("N", 2, "H", "W")
SEVERAL = {"N": (2, 4)}  # a batch of one has no statistics of its own


def kernel(*sizes: int) -> np.ndarray:
    """Weights that differ."""
    return np.arange(1.0, 1 + math.prod(sizes)).reshape(sizes)


def evaluating(module: nn.BatchNormalization) -> nn.BatchNormalization:
    """The module in evaluate mode, with running statistics unlike the initial ones."""
    module.running_mean += 0.5
    module.running_var *= 4
    module.evaluate()
    return module


CASES = [
    Case(
        "BatchNormalization",
        lambda: nn.BatchNormalization(4),
        ROWS,
        sizes=SEVERAL,
        old=("affine", "save_mean", "save_std"),
    ),
    Case("BatchNormalization", lambda: nn.BatchNormalization(4, 0.01, 0.3, False), ROWS, sizes=SEVERAL, note="bare"),
    Case("BatchNormalization", lambda: evaluating(nn.BatchNormalization(4)), ROWS, note="evaluate"),
    Case("BatchNormalization", lambda: nn.BatchNormalization(4), (1, 4), note="one"),
    Case("SpatialBatchNormalization", lambda: nn.SpatialBatchNormalization(2), ("N", 2, "H", "W"), sizes=SEVERAL),
    Case("SpatialBatchNormalization", lambda: nn.SpatialBatchNormalization(2), (2, 2, 5, 8), note="planes"),
    Case(
        "VolumetricBatchNormalization",
        lambda: nn.VolumetricBatchNormalization(2),
        ("N", 2, "T", 1, 2),
        sizes=SEVERAL,
    ),
    Case("LayerNormalization", lambda: nn.LayerNormalization(4), ROWS),
    Case("LayerNormalization", lambda: nn.LayerNormalization(4, 0.5), (4,), note="vector"),
    Case("LayerNormalization", lambda: nn.LayerNormalization(4, None, None, False), ROWS, note="bare"),
    Case("Normalize", lambda: nn.Normalize(2), ROWS),
    Case("Normalize", lambda: nn.Normalize(1), ROWS, avoid=(0,), note="one"),
    Case("Normalize", lambda: nn.Normalize(1.5), ROWS, avoid=(0,), note="between"),
    Case("Normalize", lambda: nn.Normalize(3), (5,), avoid=(0,), note="vector"),
    Case("Normalize", lambda: nn.Normalize(4), ROWS, note="four"),
    Case("Normalize", lambda: nn.Normalize(math.inf), ROWS, avoid=(0,), note="largest"),
    Case("SpatialCrossMapLRN", lambda: nn.SpatialCrossMapLRN(3, 2), ("N", 4, "T", 2)),
    Case("SpatialCrossMapLRN", lambda: nn.SpatialCrossMapLRN(5, 0.1, 0.6, 2), (3, "T", 2), note="image"),
    Case("SpatialSubtractiveNormalization", lambda: nn.SpatialSubtractiveNormalization(2, kernel(3, 5)), IMAGES),
    Case(
        "SpatialSubtractiveNormalization",
        lambda: nn.SpatialSubtractiveNormalization(2, kernel(3)),
        (2, "H", "W"),
        note="image",
    ),
    Case("SpatialDivisiveNormalization", lambda: nn.SpatialDivisiveNormalization(2, kernel(3, 5)), IMAGES),
    Case(
        "SpatialDivisiveNormalization",
        lambda: nn.SpatialDivisiveNormalization(2, kernel(3), 0.1),
        (2, "H", "W"),
        note="image",
    ),
    Case("SpatialContrastiveNormalization", lambda: nn.SpatialContrastiveNormalization(2, kernel(3, 3)), IMAGES),
    Case(
        "SpatialContrastiveNormalization",
        lambda: nn.SpatialContrastiveNormalization(1, kernel(5)),
        (1, "H", "W"),
        note="image",
    ),
]
