"""nn.tables: which input planes are connected to which output planes, for the convolutions that take such a table.

A table is a tensor (connections, 2) of input and output plane, counted from 1.
"""

from __future__ import annotations

import numpy as np

import torch7
from torch7 import memory


def _table(inputs: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    found = memory.empty((len(inputs), 2))
    found[:, 0], found[:, 1] = inputs, outputs
    return found


def full(nin: int, nout: int) -> np.ndarray:
    """Every one of `nin` input planes with every one of `nout` output planes.

    >>> full(2, 2)
    array([[1., 1.],
           [2., 1.],
           [1., 2.],
           [2., 2.]])
    """
    return _table(np.tile(np.arange(1, nin + 1), nout), np.repeat(np.arange(1, nout + 1), nin))


def oneToOne(nfeat: int) -> np.ndarray:
    """Every plane with the one of the same number.

    >>> oneToOne(2)
    array([[1., 1.],
           [2., 2.]])
    """
    planes = np.arange(1, nfeat + 1)
    return _table(planes, planes)


def random(nin: int, nout: int, nto: int) -> np.ndarray:
    """Every output plane with `nto` input planes, at random; an input plane comes again when all others were taken,
    as far as whole groups of `nto` go.

    Raises ValueError when there are fewer than `nto` input planes.

    >>> torch7.manualSeed(1)
    >>> random(4, 2, 2)
    array([[2., 1.],
           [4., 1.],
           [3., 2.],
           [1., 2.]])
    """
    groups = nin // nto if nto > 0 else 0
    if groups < 1:
        raise ValueError(f"nn.tables.random: expected at least {nto} input planes for each output plane, got {nin}")
    # as many draws as in Torch, whose last one may remain unused
    drawn = [torch7.randperm(nin)[: groups * nto] for _ in range(1 + nout // groups)]
    return _table(np.concatenate(drawn)[: nto * nout], np.repeat(np.arange(1, nout + 1), nto))
