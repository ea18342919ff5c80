"""Convolutions whose planes do not mix, or mix by a table, or whose weights depend on the place; sub-sampling."""

from __future__ import annotations

import numpy as np

import nn
from tests.support.contract import Case

IMAGE = ("N", 2, "H", "W")
TABLE = np.array([[1.0, 1], [2, 1], [2, 2], [1, 3], [1, 3]])


def depthwise(*args: int) -> nn.Module:
    """A module that has seen its weights as planes, which the first calls change."""
    module = nn.SpatialDepthWiseConvolution(2, *args)
    x = np.zeros((1, 2, 4, 4))
    module.backward(x, np.zeros_like(module.forward(x)))
    return module


CASES = [
    Case("TemporalSubSampling", lambda: nn.TemporalSubSampling(3, 2), ("W", 3)),
    Case("TemporalSubSampling", lambda: nn.TemporalSubSampling(3, 3, 2), ("W", 3), note="steps"),
    Case("SpatialSubSampling", lambda: nn.SpatialSubSampling(2, 3, 2), IMAGE),
    Case("SpatialSubSampling", lambda: nn.SpatialSubSampling(2, 3, 2, 2, 3), IMAGE[1:], note="steps"),
    Case("TemporalRowConvolution", lambda: nn.TemporalRowConvolution(3, 2), ("N", "W", 3)),
    Case("TemporalRowConvolution", lambda: nn.TemporalRowConvolution(3, 3, 2), ("W", 3), note="sequence"),
    Case("TemporalRowConvolution", lambda: nn.TemporalRowConvolution(3, 2, 1, True), ("N", 3, "W"), note="featFirst"),
    Case("TemporalRowConvolution", lambda: nn.TemporalRowConvolution(3, 2).noBias(), ("N", "W", 3), note="no-bias"),
    Case("SpatialDepthWiseConvolution", lambda: depthwise(2, 3, 2), IMAGE),
    Case("SpatialDepthWiseConvolution", lambda: depthwise(3, 2, 2, 2, 1, 1, 2), IMAGE[1:], note="image"),
    Case("SpatialConvolutionLocal", lambda: nn.SpatialConvolutionLocal(2, 3, 5, 4, 3, 2), ("N", 2, 4, 5)),
    Case(
        "SpatialConvolutionLocal",
        lambda: nn.SpatialConvolutionLocal(2, 3, 5, 4, 2, 3, 2, 1, 1, 2),
        (2, 4, 5),
        note="image",
    ),
    Case("SpatialConvolutionMap", lambda: nn.SpatialConvolutionMap(TABLE.copy(), 3, 2), IMAGE),
    Case("SpatialConvolutionMap", lambda: nn.SpatialConvolutionMap(nn.tables.oneToOne(2), 2, 3, 2), IMAGE, note="own"),
    Case("SpatialConvolutionMap", lambda: nn.SpatialConvolutionMap(TABLE.copy(), 2, 2), (4, "H", "W"), note="more"),
    Case("SpatialFullConvolutionMap", lambda: nn.SpatialFullConvolutionMap(TABLE.copy(), 2, 3), IMAGE[1:]),
    Case(
        "SpatialFullConvolutionMap",
        lambda: nn.SpatialFullConvolutionMap(TABLE.copy(), 2, 3, 2, 2),
        (3, 2, 3),
        note="more",
    ),
]
