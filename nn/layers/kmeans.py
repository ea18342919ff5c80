"""Clusters around learned centres."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..kernels.distances import nearest, squared_distances
from ..kernels.scatter import add_rows
from ..module import Module

# Torch's work space in files of the class
WORK = (
    *("_expandedSamples", "_clusterDistances", "_temp", "_tempExpanded", "_tempWeight", "_tempWeightExp"),
    *("_expandedWeight", "_minScore", "_minIndx", "_cscAdder", "_gradWeight", "_gradWeight2", "_ccounts"),
)


class Kmeans(Module):
    """The number, from 1 to k, of the nearest of k learned centres: y = argmin_j |x - w_j|.

    Input (N, dim), output (N) of the module's type. The centres are the rows of the weight (k, dim), drawn from
    uniform(-1, 1), or taken from data by `initRandom` or `initKmeansPlus`. `loss` is the sum of the squared distances
    to the nearest centres. It needs no criterion: the gradient of a centre is its mean difference from the n inputs
    that are nearest to it, scale sum_i (w - x_i) / (n + 1e-7), whatever gradOutput is, and that of the input is zero.
    n is in `clusterSampleCount`; the `scale` of the constructor goes before that of accGradParameters.
    Raises ValueError for an input of another shape.

    Bottou and Bengio, "Convergence properties of the k-means algorithms", NIPS (1995).

    >>> m = Kmeans(2, 1)
    >>> m.weight[...] = [[0], [10]]
    >>> m.forward(np.array([[1.0], [9.0], [8.0]])), m.loss
    (array([1., 2., 2.]), 6.0)
    """

    PARAMETERS = (("weight", "gradWeight"),)
    BUFFERS = WORK
    scale: float | None = None
    p: float | None = None

    def __init__(self, k: int, dim: int, scale: float | None = None):
        super().__init__()
        if not (k > 0 and dim > 0):
            raise ValueError(f"nn.Kmeans: expected numbers of centres and dimensions above 0, got {k} and {dim}")
        self.k = k
        self.dim = dim
        self.scale = scale
        self.weight = memory.empty((k, dim))
        self.gradWeight = memory.zeros((k, dim))
        self.loss: float = 0
        self.clusterSampleCount = memory.zeros((k,))
        self.reset()

    def reset(self, stdev: float | None = None) -> None:
        """Draws the centres from uniform(-stdev, stdev), with 1 if none is given."""
        stdev = 1 if stdev is None else stdev
        torch7.uniform_(self.weight, -stdev, stdev)

    def _samples(self, input: Any) -> np.ndarray:
        x = self.typed(input)
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"nn.Kmeans: expected an input (N, {self.dim}), got shape {x.shape}")
        return x

    def initRandom(self, input: np.ndarray) -> None:
        """Takes samples of the input, drawn with replacement, as centres."""
        x = self._samples(input)
        if len(x) < self.k:
            raise ValueError(f"nn.Kmeans: expected {self.k} samples or more for as many centres, got {len(x)}")
        drawn = torch7.random_(torch7.zeros(self.k), 1, len(x))
        self.weight[...] = x[drawn.astype(int) - 1]

    def initKmeansPlus(self, input: np.ndarray, p: float | None = None) -> None:
        """Takes samples of the input that are far from each other as centres.

        The first is drawn at random, each other one from the (1 - p) N samples that are farthest from the nearest
        centre so far. `p` is kept; it is 0.95 if it never was given.

        Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA (2007).
        """
        self.p = p if p is not None else 0.95 if self.p is None else self.p
        if not 0 <= self.p <= 1:
            raise ValueError(f"nn.Kmeans: expected 0 <= p <= 1, got {self.p}")
        x = self._samples(input)
        most = max(1, math.ceil((1 - self.p) * len(x)))
        distances = np.full(len(x), np.inf)
        self.weight[0] = x[torch7.random(len(x)) - 1]
        for k in range(1, self.k):
            np.minimum(distances, squared_distances(x, self.weight[k - 1 : k])[:, 0], out=distances)
            farthest = np.argsort(-distances, kind="stable")
            self.weight[k] = x[farthest[torch7.random(most) - 1]]

    def updateOutput(self, input: np.ndarray) -> np.ndarray:
        x = self._samples(input)
        found, squares = nearest(x, self.weight)
        self.loss = float(squares.sum())
        self.output = memory.resized(self.output, (len(x),), x.dtype)
        np.add(found, 1, out=self.output, casting="unsafe")
        return self.output

    def updateGradInput(self, input: np.ndarray, gradOutput: Any) -> np.ndarray:
        self.gradInput = memory.resized(self.gradInput, input.shape, input.dtype)
        self.gradInput.fill(0)
        return self.gradInput

    def _gradient(self, input: Any, scale: float) -> np.ndarray:
        """The gradient of the centres; counts the samples of each."""
        scale = scale if self.scale is None else self.scale
        if not scale > 0:
            raise ValueError(f"nn.Kmeans: expected a scale above 0, got {scale}")
        x, found = self._samples(input), self.output.astype(int) - 1
        if found.shape != x.shape[:1]:
            raise ValueError("nn.Kmeans: expected a forward of the input before the backward")
        self.clusterSampleCount[...] = np.bincount(found, minlength=self.k)
        counts = self.clusterSampleCount[:, None]
        sums = np.zeros_like(self.weight)
        add_rows(sums, found, x)
        return (self.weight * counts - sums) * scale / (counts + counts.dtype.type(1e-7))

    def accGradParameters(self, input: np.ndarray, gradOutput: Any, scale: float = 1) -> None:
        self.gradWeight += self._gradient(input, scale)

    def defaultAccUpdateGradParameters(self, input: np.ndarray, gradOutput: Any, lr: float) -> None:
        self.weight -= lr * self._gradient(input, 1)  # where Torch wants its scale to be negative, and refuses that
