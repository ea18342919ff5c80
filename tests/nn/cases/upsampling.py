"""Images and volumes made larger."""

from __future__ import annotations

import nn
from tests.support.contract import Case

BATCH, IMAGE, VOLUMES = ("N", 2, "H", "W"), (2, "H", "W"), ("N", 1, 2, 3, 2)

CASES = [
    Case("SpatialUpSamplingNearest", lambda: nn.SpatialUpSamplingNearest(2), BATCH),
    Case("SpatialUpSamplingNearest", lambda: nn.SpatialUpSamplingNearest(3), IMAGE, note="image"),
    Case("SpatialUpSamplingBilinear", lambda: nn.SpatialUpSamplingBilinear(2), BATCH),
    Case("SpatialUpSamplingBilinear", lambda: nn.SpatialUpSamplingBilinear(1), IMAGE, note="image"),
    Case(
        "SpatialUpSamplingBilinear",
        lambda: nn.SpatialUpSamplingBilinear({"oheight": 7, "owidth": 3}),
        BATCH,
        note="sizes",
    ),
    Case("UpSampling", lambda: nn.UpSampling(2), BATCH),
    Case("UpSampling", lambda: nn.UpSampling(2), VOLUMES, note="volumes"),
    Case("UpSampling", lambda: nn.UpSampling(3, "linear"), BATCH, note="linear"),
    Case("UpSampling", lambda: nn.UpSampling(2, "linear"), VOLUMES, note="linear-volumes"),
    Case(
        "UpSampling",
        lambda: nn.UpSampling({"odepth": 1, "oheight": 4, "owidth": 2}, "trilinear"),
        VOLUMES,
        note="sizes",
    ),
    Case("PixelShuffle", lambda: nn.PixelShuffle(2), ("N", 8, "T", "W")),
    Case("PixelShuffle", lambda: nn.PixelShuffle(3), (9, 2, "T"), note="image"),
]
