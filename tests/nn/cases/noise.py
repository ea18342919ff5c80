"""Layers that disturb their input, and those that change the gradient."""

from __future__ import annotations

import nn
from tests.support.contract import ANY, Case

CASES = [
    Case("SpatialDropout", lambda: nn.SpatialDropout(), ("N", 3, "H", "W"), random=True, old=("stochastic_inference",)),
    Case("SpatialDropout", lambda: nn.SpatialDropout(0.3), ("D", "H", "W"), random=True, note="image"),
    Case("VolumetricDropout", lambda: nn.VolumetricDropout(), ("N", 3, "T", "H", "W"), random=True),
    Case("VolumetricDropout", lambda: nn.VolumetricDropout(0.3), ("D", "T", "H", "W"), random=True, note="volume"),
    Case("WhiteNoise", lambda: nn.WhiteNoise(1, 0.5), ANY, random=True),
    Case("GradientReversal", lambda: nn.GradientReversal(0.5), ANY, view=True, derivative=False),
    Case("L1Penalty", lambda: nn.L1Penalty(0.5), ANY, view=True, derivative=False, avoid=(0,)),
    Case("L1Penalty", lambda: nn.L1Penalty(2, True, False), ANY, view=True, derivative=False, avoid=(0,), note="alone"),
    Case("ZeroGrad", lambda: nn.ZeroGrad(), ANY, view=True, derivative=False),
    Case("PrintSize", lambda: nn.PrintSize("here"), ANY, view=True, anytype=True),
    Case("PrintSize", lambda: nn.PrintSize(), [ANY, ANY], view=True, anytype=True, note="table"),
]
