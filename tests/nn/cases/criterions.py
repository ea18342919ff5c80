"""Criterions."""

from __future__ import annotations

import numpy as np

import nn
from tests.support.contract import ANY, Between, Case, Choice, Index

ROWS = ("N", 4)
POINTS = ("N", 3, 2, "W")


def pair() -> nn.ParallelCriterion:
    """A criterion of a table."""
    return nn.ParallelCriterion().add(nn.MSECriterion(), 0.5).add(nn.CrossEntropyCriterion())


CASES = [
    Case(
        "ClassNLLCriterion",
        lambda: nn.ClassNLLCriterion(),
        ("N", 4),
        Index(("N",), 4),
        old=("ignoreIndex", "total_weight_tensor", "output_tensor", "target"),
    ),
    Case("ClassNLLCriterion", lambda: nn.ClassNLLCriterion(np.arange(1, 5.0)), ROWS, Index(("N",), 4), note="weights"),
    Case("ClassNLLCriterion", lambda: nn.ClassNLLCriterion(None, False), (4,), Index((1,), 4), note="vector"),
    Case("CrossEntropyCriterion", lambda: nn.CrossEntropyCriterion(), ROWS, Index(("N",), 4), old=("oldSizeAverage",)),
    Case("MSECriterion", lambda: nn.MSECriterion(), ANY, ANY),
    Case("MSECriterion", lambda: nn.MSECriterion(False), ANY, ANY, note="sum"),
    Case("BCECriterion", lambda: nn.BCECriterion(), ANY, Choice(ANY, (0, 0.25, 1)), low=0.05, high=0.95),
    Case(
        "BCECriterion",
        lambda: nn.BCECriterion(np.arange(1, 5.0)),
        Between(ROWS, 0.1, 0.9),
        Between(ROWS, 0, 1),
        note="weights",
    ),
    Case("SpatialClassNLLCriterion", lambda: nn.SpatialClassNLLCriterion(), POINTS, Index(("N", 2, "W"), 3)),
    Case(
        "SpatialClassNLLCriterion",
        lambda: nn.SpatialClassNLLCriterion(np.arange(1, 4.0), False),
        POINTS,
        Index(("N", 2, "W"), 3),
        note="weights",
        old=("total_weight_tensor", "output_tensor", "target"),
    ),
    Case("AbsCriterion", lambda: nn.AbsCriterion(), ANY, Choice(ANY, (-1, 0.5)), avoid=(-1, 0.5)),
    Case("AbsCriterion", lambda: nn.AbsCriterion(False), ANY, Choice(ANY, (-1, 0.5)), avoid=(-1, 0.5), note="sum"),
    Case("SmoothL1Criterion", lambda: nn.SmoothL1Criterion(), ANY, Choice(ANY, (-1, 0.5)), avoid=(-2, -0.5, 0, 1.5)),
    Case("SmoothL1Criterion", lambda: nn.SmoothL1Criterion(False), (5,), Choice((5,), (3, -3)), note="far"),
    Case("WeightedMSECriterion", lambda: nn.WeightedMSECriterion(np.arange(1, 5.0)), ROWS, ROWS, old=("buffer",)),
    Case("WeightedMSECriterion", lambda: nn.WeightedMSECriterion(np.ones((2, 3))), (2, 3), (2, 3), note="all"),
    Case("SpatialAutoCropMSECriterion", lambda: nn.SpatialAutoCropMSECriterion(), POINTS, ("N", 3, 5, 7)),
    Case(
        "SpatialAutoCropMSECriterion",
        lambda: nn.SpatialAutoCropMSECriterion(False),
        (2, "H", "W"),
        (2, 6, 6),
        note="image",
    ),
    Case("DistKLDivCriterion", lambda: nn.DistKLDivCriterion(), ANY, Between(ANY, 0.1, 1)),
    Case("DistKLDivCriterion", lambda: nn.DistKLDivCriterion(), ANY, Choice(ANY, (0, 0.5)), note="zeros"),
    Case("L1Cost", lambda: nn.L1Cost(), ANY, avoid=(0,)),
    Case("MultiLabelSoftMarginCriterion", lambda: nn.MultiLabelSoftMarginCriterion(), ANY, Choice(ANY, (0, 0.25, 1))),
    Case(
        "MultiLabelSoftMarginCriterion",
        lambda: nn.MultiLabelSoftMarginCriterion(np.arange(1, 5.0), False),
        ROWS,
        Choice(ROWS, (0, 1)),
        note="weights",
    ),
    Case("MarginCriterion", lambda: nn.MarginCriterion(), ANY, Choice(ANY, (-1, 1)), avoid=(-1, 1), old=("margin",)),
    Case("SoftMarginCriterion", lambda: nn.SoftMarginCriterion(), ANY, Choice(ANY, (-1, 1))),
    Case("MultiMarginCriterion", lambda: nn.MultiMarginCriterion(), ROWS, Index(("N",), 4), old=("p", "margin")),
    Case(
        "MultiMarginCriterion",
        lambda: nn.MultiMarginCriterion(2, np.arange(1, 5.0), 0.5),
        ROWS,
        Index(("N",), 4),
        note="weights",
    ),
    Case("MultiMarginCriterion", lambda: nn.MultiMarginCriterion(2), (5,), Index((1,), 5), note="vector"),
    Case(
        "MultiLabelMarginCriterion",
        lambda: nn.MultiLabelMarginCriterion(),
        ROWS,
        Choice(ROWS, (0, 1, 3, 4)),
        old=("isTarget",),
    ),
    Case("MultiLabelMarginCriterion", lambda: nn.MultiLabelMarginCriterion(), (5,), Index((5,), 3), note="vector"),
    Case("ClassSimplexCriterion", lambda: nn.ClassSimplexCriterion(4), ROWS, Index(("N",), 4)),
    Case("ClassSimplexCriterion", lambda: nn.ClassSimplexCriterion(2), (2,), Index((1,), 2), note="vector"),
    Case(
        "HingeEmbeddingCriterion",
        lambda: nn.HingeEmbeddingCriterion(),
        ANY,
        Choice(ANY, (-1, 1)),
        avoid=(1,),
        old=("margin", "sizeAverage"),
    ),
    Case("L1HingeEmbeddingCriterion", lambda: nn.L1HingeEmbeddingCriterion(), [ANY, ANY], Choice((1,), (1,))),
    Case(
        "L1HingeEmbeddingCriterion",
        lambda: nn.L1HingeEmbeddingCriterion(50),
        [ANY, ANY],
        Choice((1,), (-1,)),
        note="different",
    ),
    Case("CosineEmbeddingCriterion", lambda: nn.CosineEmbeddingCriterion(), [ROWS, ROWS], Choice(("N",), (-1, 1))),
    Case(
        "CosineEmbeddingCriterion",
        lambda: nn.CosineEmbeddingCriterion(-0.9),
        [(5,), (5,)],
        Choice((1,), (-1,)),
        note="vectors",
    ),
    Case("MarginRankingCriterion", lambda: nn.MarginRankingCriterion(), [ANY, ANY], Choice(ANY, (-1, 1))),
    Case("MarginRankingCriterion", lambda: nn.MarginRankingCriterion(9), [(1,), (1,)], Choice((1,), (1,)), note="one"),
    Case("DistanceRatioCriterion", lambda: nn.DistanceRatioCriterion(), [ANY, ANY]),
    Case("DistanceRatioCriterion", lambda: nn.DistanceRatioCriterion(False), [(4,), (4,)], note="sum"),
    Case(
        "MultiCriterion",
        lambda: nn.MultiCriterion().add(nn.MSECriterion(), 0.5).add(nn.SoftMarginCriterion()),
        ANY,
        ANY,
    ),
    Case(
        "MultiCriterion",
        lambda: nn.MultiCriterion().add(pair()).add(pair(), 3),
        [ANY, ROWS],
        [ANY, Index(("N",), 4)],
        note="tables",
    ),
    Case("ParallelCriterion", lambda: pair(), [ANY, ROWS], [ANY, Index(("N",), 4)], old=("repeatTarget",)),
    Case(
        "ParallelCriterion",
        lambda: nn.ParallelCriterion(True).add(nn.MSECriterion()).add(nn.SoftMarginCriterion(), 2),
        [ANY, ANY],
        ANY,
        note="repeatTarget",
    ),
    Case("ModuleCriterion", lambda: nn.ModuleCriterion(nn.MSECriterion(), nn.Tanh(), nn.Sigmoid()), ANY, ANY),
    Case("ModuleCriterion", lambda: nn.ModuleCriterion(nn.MSECriterion()), ANY, ANY, note="plain", old=("castTarget",)),
    Case("CriterionTable", lambda: nn.CriterionTable(nn.MSECriterion()), [ANY, ANY], derivative=False),
]
