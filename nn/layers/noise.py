"""Layers that disturb their input at random while training."""

from __future__ import annotations

from typing import Any

import numpy as np

import torch7
from torch7 import memory

from ..activations.elementwise import Elementwise


class Dropout(Elementwise):
    """Sets elements to zero at random: y = x noise / (1 - p), noise = 0 with probability p, else 1.

    So it is while training (the mode of a new module); in evaluate mode y = x. With `v1`, y = x noise while training
    and y = (1 - p) x in evaluate mode. With `stochasticInference` noise is drawn in evaluate mode too. Inputs have any
    shape. Raises ValueError unless 0 <= p < 1, and for a backward while training without a forward.

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).

    >>> torch7.manualSeed(1)
    >>> Dropout(0.5).forward(np.ones(6))
    array([2., 0., 0., 0., 2., 2.])
    """

    BUFFERS = ("noise",)
    p: Any
    noise: Any = None
    v2: Any = None
    stochastic_inference: Any = False

    def __init__(
        self, p: float | None = 0.5, v1: bool = False, inplace: bool = False, stochasticInference: bool = False
    ):
        super().__init__()
        self.setp(0.5 if p is None else p)
        self.train = True
        self.inplace = bool(inplace)
        self.stochastic_inference = bool(stochasticInference)
        self.v2 = not v1
        self.noise = memory.empty()

    def setp(self, p: float) -> None:
        """Sets the probability of an element to become zero."""
        if not 0 <= p < 1:
            raise ValueError(f"{torch7.typename(self)}: expected a probability 0 <= p < 1, got {p}")
        self.p = p

    def _factor(self) -> float:
        return 1 if self.v2 else 1 - self.p

    def function(self, x: np.ndarray, out: np.ndarray) -> None:
        if self.p > 0 and (self.train or self.stochastic_inference):
            self.noise = memory.resized(self.noise, x.shape, x.dtype)
            torch7.bernoulli_(self.noise, 1 - self.p)
            if self.v2:
                self.noise /= 1 - self.p
            np.multiply(x, self.noise, out=out)
        else:
            np.multiply(x, self._factor(), out=out)

    def derivative(self, x: np.ndarray, y: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
        # Torch quirk: in evaluate mode the gradient passes by the noise of stochastic inference.
        if self.p > 0 and self.train:
            if self.noise.size != g.size:
                raise ValueError(
                    f"{torch7.typename(self)}: expected a forward in training mode of {g.size} elements before the "
                    f"backward, got noise of shape {self.noise.shape}"
                )
            np.multiply(g, self.noise.reshape(g.shape), out=out)
        else:
            np.multiply(g, self._factor(), out=out)

    def __str__(self) -> str:
        return f"{torch7.typename(self)}({self.p:f})"
