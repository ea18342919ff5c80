"""Poolings."""

from __future__ import annotations

import numpy as np

import nn
from tests.support.contract import Case

IMAGES = ("N", 2, "H", "W")
IMAGE = (2, "H", "W")
VOLUMES = ("N", 2, "T", "H", "W")
VOLUME = (2, "T", "H", "W")
OLD = ("ceil_mode", "padW", "padH")
BATCH = {"N": (2, 3)}


def unpooling(kind: type[nn.Module], pool: nn.Module, *shape: int) -> nn.Module:
    """The opposite of a pooling, which has seen an input of this shape."""
    pool.forward(np.cos(np.arange(np.prod(shape), dtype=float)).reshape(shape))
    return kind(pool)


def fixed(pool: nn.Module) -> nn.Module:
    return pool.fixPoolingRegions()


CASES = [
    Case("SpatialMaxPooling", lambda: nn.SpatialMaxPooling(2, 2), IMAGES, old=(*OLD, "indices")),
    Case("SpatialMaxPooling", lambda: nn.SpatialMaxPooling(2, 3, 1, 2, 1, 1), IMAGE, note="pad"),
    Case("SpatialMaxPooling", lambda: nn.SpatialMaxPooling(3, 2, 2, 3, 1).ceil(), IMAGES, note="ceil"),
    Case("SpatialDilatedMaxPooling", lambda: nn.SpatialDilatedMaxPooling(2, 2, 1, 2, 1, 1, 3, 2), IMAGES, old=OLD[:1]),
    Case("SpatialAveragePooling", lambda: nn.SpatialAveragePooling(2, 2), IMAGES, old=(*OLD, "count_include_pad")),
    Case("SpatialAveragePooling", lambda: nn.SpatialAveragePooling(2, 3, 2, 2, 1, 1), IMAGE, note="pad"),
    Case("SpatialAveragePooling", lambda: nn.SpatialAveragePooling(3, 2, 1, 3, 1).ceil(), IMAGES, note="ceil"),
    Case(
        "SpatialAveragePooling",
        lambda: nn.SpatialAveragePooling(3, 3, 2, 2, 1, 1).setCountExcludePad(),
        IMAGES,
        note="exclude_pad",
    ),
    Case("SpatialAveragePooling", lambda: nn.SpatialAveragePooling(4, 3), (2, 3, 4), note="whole"),
    Case("SpatialAdaptiveMaxPooling", lambda: nn.SpatialAdaptiveMaxPooling(3, 2), IMAGES),
    Case("SpatialAdaptiveMaxPooling", lambda: nn.SpatialAdaptiveMaxPooling(2, 2), (2, 4, 4), note="even"),
    Case("SpatialAdaptiveAveragePooling", lambda: nn.SpatialAdaptiveAveragePooling(3, 2), IMAGES),
    Case("SpatialAdaptiveAveragePooling", lambda: nn.SpatialAdaptiveAveragePooling(7, 7), IMAGE, note="larger"),
    Case("SpatialAdaptiveAveragePooling", lambda: nn.SpatialAdaptiveAveragePooling(2, 1), (2, 3, 4), note="even"),
    Case(
        "SpatialFractionalMaxPooling",
        lambda: nn.SpatialFractionalMaxPooling(2, 2, 3, 2),
        ("N", 2, 5, 6),
        random=True,
        old=("newRandomPool",),
    ),
    Case(
        "SpatialFractionalMaxPooling",
        lambda: fixed(nn.SpatialFractionalMaxPooling(3, 2, 0.4, 0.5)),
        (2, 5, 6),
        random=True,
        note="ratio",
    ),
    Case("SpatialLPPooling", lambda: nn.SpatialLPPooling(2, 2, 2, 2), IMAGES, low=0.5),
    Case("SpatialLPPooling", lambda: nn.SpatialLPPooling(2, 3, 2, 1, 1, 2), IMAGE, low=0.5, note="p3"),
    Case("FeatureLPPooling", lambda: nn.FeatureLPPooling(2, 2, 2, True), ("N", "H", "*"), note="batch"),
    Case("FeatureLPPooling", lambda: nn.FeatureLPPooling(3, 1, 3), ("H", "*"), low=0.5),
    Case(
        "SpatialMaxUnpooling",
        lambda: unpooling(nn.SpatialMaxUnpooling, nn.SpatialMaxPooling(2, 2), 2, 2, 4, 7),
        (2, 2, 2, 3),
    ),
    Case(
        "VolumetricMaxUnpooling",
        lambda: unpooling(
            nn.VolumetricMaxUnpooling, nn.VolumetricMaxPooling(1, 3, 2, None, None, None, 0, 1), 2, 2, 3, 5
        ),
        (2, 2, 1, 2),
    ),
    Case(
        "VolumetricMaxPooling",
        lambda: nn.VolumetricMaxPooling(2, 2, 2),
        VOLUMES,
        sizes={"T": (2, 3)},
        old=("ceil_mode",),
    ),
    Case("VolumetricMaxPooling", lambda: nn.VolumetricMaxPooling(2, 3, 2, 1, 2, 1, 1, 1).ceil(), VOLUME, note="pad"),
    Case(
        "VolumetricDilatedMaxPooling",
        lambda: nn.VolumetricDilatedMaxPooling(2, 2, 2, 1, 1, 1, 0, 1, 0, 1, 2, 3),
        VOLUME,
        sizes={"T": (2, 3)},
    ),
    Case(
        "VolumetricAveragePooling", lambda: nn.VolumetricAveragePooling(2, 3, 2, 1, 2, 2), VOLUMES, sizes={"T": (2, 3)}
    ),
    Case("VolumetricAveragePooling", lambda: nn.VolumetricAveragePooling(1, 2, 3, 1, 1, 1), VOLUME, note="overlap"),
    Case(
        "VolumetricFractionalMaxPooling",
        lambda: nn.VolumetricFractionalMaxPooling(2, 2, 2, 1, 3, 2),
        ("N", 2, 4, 5, 4),
        random=True,
    ),
    Case("TemporalMaxPooling", lambda: nn.TemporalMaxPooling(2), ("N", "T", "D"), sizes={"T": (2, 5)}),
    Case("TemporalMaxPooling", lambda: nn.TemporalMaxPooling(3, 1), ("T", "D"), sizes={"T": (3, 5)}, note="overlap"),
    Case("TemporalDynamicKMaxPooling", lambda: nn.TemporalDynamicKMaxPooling(2), ("N", "T", 3), sizes={"T": (2, 5)}),
    Case("TemporalDynamicKMaxPooling", lambda: nn.TemporalDynamicKMaxPooling(1, 0.6), ("T", 3), note="factor"),
]
