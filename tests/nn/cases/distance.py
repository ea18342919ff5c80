"""Distances and angles to learned vectors; functions of pairs of vectors and matrices."""

from __future__ import annotations

import nn
from tests.support.contract import Case

ROWS = ("N", 4)

CASES = [
    Case("Euclidean", lambda: nn.Euclidean(4, 3), ROWS),
    Case("Euclidean", lambda: nn.Euclidean(4, 3), (4,), note="vector"),
    Case("WeightedEuclidean", lambda: nn.WeightedEuclidean(4, 3), ROWS),
    Case("WeightedEuclidean", lambda: nn.WeightedEuclidean(4, 3), (4,), note="vector", additive=False),
    Case("Cosine", lambda: nn.Cosine(4, 3), ROWS, additive=False),
    Case("Cosine", lambda: nn.Cosine(4, 3), (4,), note="vector", additive=False),
    Case("Kmeans", lambda: nn.Kmeans(3, 4), ROWS, derivative=False),
    Case("PairwiseDistance", lambda: nn.PairwiseDistance(), [ROWS, ROWS], low=-20, high=20),
    Case("PairwiseDistance", lambda: nn.PairwiseDistance(1), [(4,), (4,)], note="vector"),
    Case("PairwiseDistance", lambda: nn.PairwiseDistance(3), [ROWS, ROWS], low=-20, high=20, note="cubes"),
    Case("CosineDistance", lambda: nn.CosineDistance(), [ROWS, ROWS]),
    Case("CosineDistance", lambda: nn.CosineDistance(), [(4,), (4,)], note="vector"),
    Case("DotProduct", lambda: nn.DotProduct(), [ROWS, ROWS]),
    Case("DotProduct", lambda: nn.DotProduct(), [(4,), (4,)], note="vector"),
    Case("MM", lambda: nn.MM(), [(2, 4), (4, 3)]),
    Case("MM", lambda: nn.MM(True, True), [("N", 4, 2), ("N", 3, 4)], note="transposed"),
    Case("MM", lambda: nn.MM(False, True), [("N", 2, 4), ("N", 3, 4)], note="batch"),
    Case("MV", lambda: nn.MV(), [(3, 4), (4,)]),
    Case("MV", lambda: nn.MV(True), [("N", 4, 3), ("N", 4)], note="batch"),
]
