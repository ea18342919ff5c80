"""Convolutions over time, images and volumes."""

from __future__ import annotations

import nn
from tests.support.contract import Case

IMAGE = ("N", 2, "H", "W")
SMALL = {"T": (2, 3), "H": (2, 3), "W": (2, 3)}
VOLUME = ("N", 2, "T", "H", "W")
FRAMES = ("N", "L", 3)
LENGTH = {"L": (4, 6)}

CASES = [
    Case("SpatialConvolution", lambda: nn.SpatialConvolution(2, 3, 3, 2), IMAGE, old=("padW", "padH")),
    Case("SpatialConvolution", lambda: nn.SpatialConvolution(2, 3, 3, 2), IMAGE[1:], note="image"),
    Case("SpatialConvolution", lambda: nn.SpatialConvolution(2, 3, 2, 3, 2, 3, 1, 2), IMAGE, note="steps-padding"),
    Case("SpatialConvolution", lambda: nn.SpatialConvolution(2, 3, 2, 2).noBias(), IMAGE, note="no-bias"),
    Case("SpatialConvolution", lambda: nn.SpatialConvolution(2, 3, 1, 1), IMAGE, note="single"),
    Case("SpatialConvolutionMM", lambda: nn.SpatialConvolutionMM(2, 3, 2, 3), IMAGE, old=("padW", "padH")),
    Case(
        "SpatialDilatedConvolution",
        lambda: nn.SpatialDilatedConvolution(2, 3, 2, 2, 1, 2, 1, 1, 3, 2),
        IMAGE,
    ),
    Case(
        "SpatialFullConvolution",
        lambda: nn.SpatialFullConvolution(2, 3, 3, 2),
        IMAGE,
        sizes=SMALL,
        old=("adjW", "adjH"),
    ),
    Case(
        "SpatialFullConvolution", lambda: nn.SpatialFullConvolution(2, 3, 3, 2, 2, 3, 1, 0, 1, 2), IMAGE, note="steps"
    ),
    Case("SpatialFullConvolution", lambda: nn.SpatialFullConvolution(2, 3, 3, 2).noBias(), IMAGE[1:], note="no-bias"),
    Case(
        "VolumetricConvolution",
        lambda: nn.VolumetricConvolution(2, 2, 2, 2, 3),
        VOLUME,
        old=("padT", "padW", "padH"),
        sizes={"T": (2, 3), "H": (3, 4), "W": (3, 4)},
    ),
    Case(
        "VolumetricConvolution",
        lambda: nn.VolumetricConvolution(2, 2, 2, 2, 2, 2, 1, 3, 1, 0, 2),
        VOLUME[1:],
        note="steps",
    ),
    Case(
        "VolumetricDilatedConvolution",
        lambda: nn.VolumetricDilatedConvolution(2, 2, 2, 2, 2, 1, 2, 1, 1, 0, 1, 2, 2, 3),
        VOLUME,
    ),
    Case(
        "VolumetricFullConvolution",
        lambda: nn.VolumetricFullConvolution(2, 2, 2, 3, 2, 2, 2, 1, 1, 0, 1, 1, 1, 0),
        VOLUME,
        sizes=SMALL,
    ),
    Case(
        "VolumetricFullConvolution",
        lambda: nn.VolumetricFullConvolution(2, 2, 2, 3, 2),
        VOLUME[1:],
        sizes=SMALL,
        note="volume",
    ),
    Case("TemporalConvolution", lambda: nn.TemporalConvolution(3, 2, 3), FRAMES, sizes=LENGTH),
    Case("TemporalConvolution", lambda: nn.TemporalConvolution(3, 2, 2, 3), FRAMES[1:], sizes=LENGTH, note="sequence"),
    Case("TemporalConvolution", lambda: nn.TemporalConvolution(3, 2, 1), FRAMES, sizes=LENGTH, note="single"),
]
