"""Padding of images and volumes."""

from __future__ import annotations

import nn
from tests.support.contract import Case

BATCH, IMAGE = ("N", 2, "H", "W"), (2, "H", "W")

CASES = [
    Case("SpatialZeroPadding", lambda: nn.SpatialZeroPadding(1, 2, 0, 3), BATCH),
    Case("SpatialZeroPadding", lambda: nn.SpatialZeroPadding(1), IMAGE, note="image"),
    Case("SpatialZeroPadding", lambda: nn.SpatialZeroPadding(-1, 1, 2, -2), BATCH, note="crop"),
    Case("SpatialReflectionPadding", lambda: nn.SpatialReflectionPadding(1, 2, 0, 3), BATCH),
    Case("SpatialReflectionPadding", lambda: nn.SpatialReflectionPadding(2), IMAGE, note="image"),
    Case("SpatialReflectionPadding", lambda: nn.SpatialReflectionPadding(-1, 1, 2, -2), BATCH, note="crop"),
    Case("SpatialReplicationPadding", lambda: nn.SpatialReplicationPadding(1, 2, 0, 3), BATCH),
    Case("SpatialReplicationPadding", lambda: nn.SpatialReplicationPadding(6), IMAGE, note="image"),
    Case("SpatialReplicationPadding", lambda: nn.SpatialReplicationPadding(-1, 1, 2, -2), BATCH, note="crop"),
    Case("VolumetricReplicationPadding", lambda: nn.VolumetricReplicationPadding(1, 2, 0, -1, 2, 1), ("N", 2, 2, 3, 2)),
    Case("VolumetricReplicationPadding", lambda: nn.VolumetricReplicationPadding(1), (2, 1, "H", 2), note="volume"),
]
